"""What an issuer's settings ask of the SOAP messages of those who call here, as the signatures' own words."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from strongroom.access.issuer_model import CallerSecurity
from strongroom.soap.security import Level, Policy

_LEVELS: Final = {
    CallerSecurity.OFF: Level.OFF,
    CallerSecurity.OPTIONAL: Level.BODY,
    CallerSecurity.TIMESTAMP: Level.TIMESTAMP,
    CallerSecurity.BODY: Level.BODY,
}


def policy_of(security: CallerSecurity, signer_hashes: Iterable[str], *, allow_sha256: bool) -> Policy:
    """Return what messages must show; `signer_hashes` are the SHA-256 of pinned certificates, in hex."""
    return Policy(
        _LEVELS[security],
        frozenset(map(bytes.fromhex, signer_hashes)),
        allow_sha256,
        is_required=security is not CallerSecurity.OPTIONAL,
    )
