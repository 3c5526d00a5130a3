"""Our keys for banks: several at a time, each with the date from which it is used, so that they rotate with overlap.

The newest key that counts signs; all of them are published, so that a bank that fetched our key set an hour ago already knows the
next one and still knows the last.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Protocol, TypeVar

import msgspec
from joserfc.errors import JoseError
from joserfc.jwk import RSAKey

SIGNED_WITH = "PS256"
MIN_RSA_BITS = 2048
MAX_KEYS = 10
_ALWAYS = datetime.min.replace(tzinfo=UTC)


class _Dated(Protocol):
    @property
    def use_from(self) -> datetime | None: ...


D = TypeVar("D", bound=_Dated)


class SigningEntry(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One signing key of the directory file: a PEM file beside it, its id, and from when it signs (absent: always)."""

    key: str
    kid: str
    use_from: datetime | None = None


class TransportEntry(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One transport certificate of the directory file with its key, and from when it is shown (absent: always)."""

    certificate: str
    key: str
    use_from: datetime | None = None


@dataclass(frozen=True, slots=True)
class SigningKey:
    """A key that signs for us from a date on."""

    kid: str
    use_from: datetime | None
    key: RSAKey = field(repr=False)


def newest(entries: Sequence[D], now: float) -> D:
    """Return the entry that counts: of those whose date has come, the one with the latest. Raise ValueError when none has."""
    at = datetime.fromtimestamp(now, UTC)
    due = [entry for entry in entries if (entry.use_from or _ALWAYS) <= at]
    if not due:
        raise ValueError("none of the keys may be used yet")
    return max(due, key=lambda entry: entry.use_from or _ALWAYS)


def read_signing_keys(entries: Sequence[SigningEntry], beside: Path) -> tuple[SigningKey, ...]:
    """Read the keys' files. Raise OSError, or ValueError saying which file is no strong RSA key, or which id stands twice."""
    if len({entry.kid for entry in entries}) != len(entries):
        raise ValueError("two signing keys have the same id")
    return tuple(SigningKey(entry.kid, entry.use_from, _read_key(beside / entry.key)) for entry in entries)


def published(keys: Sequence[SigningKey]) -> dict[str, list[dict[str, Any]]]:
    """Return our key set (RFC 7517): the public half of every key, of the last, the present and the next."""
    return {"keys": [_public(key) for key in keys]}


def _read_key(path: Path) -> RSAKey:
    try:
        key = RSAKey.import_key(path.read_bytes())
    except (JoseError, ValueError, TypeError) as error:
        raise ValueError(f"{path.name} is no RSA key in PEM form") from error
    if not key.is_private or key.public_key.key_size < MIN_RSA_BITS:
        raise ValueError(f"{path.name} is no private RSA key of {MIN_RSA_BITS} bits or more")
    return key


def _public(key: SigningKey) -> dict[str, Any]:
    return {**key.key.as_dict(private=False), "kid": key.kid, "use": "sig", "alg": SIGNED_WITH}
