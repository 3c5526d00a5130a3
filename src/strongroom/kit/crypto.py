"""Secrets at rest: AES-256-GCM with the key's version in the value, and keyed hashes for what is only compared.

A sealed value is `01 | key version (4 bytes) | nonce (12) | ciphertext and tag`. Its associated data is the place where it
lives (tenant, table, column, row), so a value copied to another row does not open.
"""

from __future__ import annotations

import hashlib
import hmac
import secrets
from dataclasses import dataclass, field
from typing import NamedTuple, Protocol

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA512
from cryptography.hazmat.primitives.hmac import HMAC
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

KEY_BYTES = 32
_FORMAT = b"\x01"
_NONCE_BYTES = 12
_HEADER_BYTES = 5


class SealBroken(Exception):
    """A sealed value does not open: another key, another place, or altered. Never explained further."""


class Cipher(Protocol):
    """A key that seals, wherever its bytes are: AES-256-GCM with a nonce of 12 bytes and the tag at the end."""

    @property
    def version(self) -> int:
        """Return the version that sealed values name."""
        ...

    def encrypt(self, nonce: bytes, data: bytes, associated: bytes) -> bytes:
        """Encrypt."""
        ...

    def decrypt(self, nonce: bytes, data: bytes, associated: bytes) -> bytes:
        """Decrypt. Raise SealBroken when anything is not as it was sealed."""
        ...

    def fingerprint(self) -> str:
        """Return a name for the key that gives nothing of it away."""
        ...


@dataclass(frozen=True, slots=True)
class Key:
    """A key held in memory, and its version; prints as its version only."""

    version: int
    material: bytes = field(repr=False)
    _aead: AESGCM = field(init=False, repr=False, compare=False)  # its key schedule costs more than what is sealed with it

    def __post_init__(self) -> None:
        object.__setattr__(self, "_aead", AESGCM(self.material))

    @classmethod
    def generate(cls, version: int = 1) -> Key:
        """Make a fresh random key."""
        return cls(version, secrets.token_bytes(KEY_BYTES))

    def encrypt(self, nonce: bytes, data: bytes, associated: bytes) -> bytes:
        """Encrypt."""
        return self._aead.encrypt(nonce, data, associated)

    def decrypt(self, nonce: bytes, data: bytes, associated: bytes) -> bytes:
        """Decrypt. Raise SealBroken."""
        try:
            return self._aead.decrypt(nonce, data, associated)
        except InvalidTag:
            raise SealBroken from None

    def fingerprint(self) -> str:
        """Return a name for the key."""
        return fingerprint(self.material)


class Place(NamedTuple):
    """Where a sealed value lives."""

    tenant: str
    table: str
    column: str
    row: str

    def encode(self) -> bytes:
        """Return the associated data: the parts, each with its length."""
        return join_parts(*[part.encode() for part in self])


@dataclass(frozen=True, slots=True)
class Secret:
    """A text that must not be printed; `reveal()` is the only way to it."""

    _value: str = field(repr=False)

    def reveal(self) -> str:
        """Return the text."""
        return self._value

    def __str__(self) -> str:
        return "[secret]"


def join_parts(*parts: bytes) -> bytes:
    """Join parts so that no two different lists of parts give the same bytes."""
    return b"".join([len(part).to_bytes(4, "big") + part for part in parts])


def seal(key: Cipher, place: Place, plaintext: bytes) -> bytes:
    """Encrypt for one place."""
    nonce = secrets.token_bytes(_NONCE_BYTES)
    header = _FORMAT + key.version.to_bytes(4, "big")
    return header + nonce + key.encrypt(nonce, plaintext, header + place.encode())


def key_version(sealed: bytes) -> int:
    """Return the version of the key that a sealed value needs."""
    if len(sealed) < _HEADER_BYTES + _NONCE_BYTES or sealed[:1] != _FORMAT:
        raise SealBroken
    return int.from_bytes(sealed[1:_HEADER_BYTES], "big")


def unseal(key: Cipher, place: Place, sealed: bytes) -> bytes:
    """Decrypt what was sealed for this place. Raise SealBroken on anything else."""
    if key_version(sealed) != key.version:
        raise SealBroken
    header, rest = sealed[:_HEADER_BYTES], sealed[_HEADER_BYTES:]
    return key.decrypt(rest[:_NONCE_BYTES], rest[_NONCE_BYTES:], header + place.encode())


def derive(material: bytes, purpose: str) -> bytes:
    """Derive the key for one purpose (RFC 5869, SHA-512)."""
    return HKDF(SHA512(), KEY_BYTES, None, purpose.encode()).derive(material)


class KeyedHash:
    """HMAC-SHA-512 under one key: for look-up and comparison of what need not be read back."""

    def __init__(self, material: bytes) -> None:
        self._keyed = HMAC(material, SHA512())  # a copy begins with the key already taken in

    def over(self, *parts: str | bytes) -> bytes:
        """Return the hash over the parts."""
        hashing = self._keyed.copy()
        hashing.update(join_parts(*[part.encode() if isinstance(part, str) else part for part in parts]))
        return hashing.finalize()


def same(left: bytes, right: bytes) -> bool:
    """Compare in constant time."""
    return hmac.compare_digest(left, right)


def fingerprint(data: bytes) -> str:
    """Return the first 16 hex digits of SHA-512: a name for a key or a file, never for personal data."""
    return hashlib.sha512(data).hexdigest()[:16]
