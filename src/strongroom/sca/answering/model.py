"""The values of questions."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from strongroom.access.issuer_model import Issuer
from strongroom.kit.limits import Limit

PER_CARD = Limit("questions about a card", 20, 600)


class AuditTag(StrEnum):
    """What questions write into the audit."""

    ASKED = "sca:question:asked"
    AUTHENTICATED = "sca:question:authenticated"
    REJECTED = "sca:question:rejected"


@dataclass(frozen=True, slots=True)
class Hub:
    """Who asks: a hub whose certificate is pinned to the issuer."""

    issuer: Issuer
    certificate_hash: bytes  # SHA-256

    @property
    def name(self) -> str:
        """Return the name under which it acts in the audit and opens sequences."""
        return f"hub:{self.certificate_hash.hex()[:32]}"


@dataclass(frozen=True, slots=True)
class Asked:
    """Whose code is expected, and what it is compared with: a challenge, or a device (the very one that was asked about)."""

    cardholder_id: str
    token_serial: str | None = None
    challenge_id: str | None = None
