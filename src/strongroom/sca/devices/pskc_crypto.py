"""What protects seeds in a PSKC file (RFC 6030 §6): AES-CBC under a shared key or a passphrase, and a MAC over each value."""

from __future__ import annotations

import hashlib
import hmac
from dataclasses import dataclass, field
from typing import Final

from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes

from strongroom.kit.crypto import same
from strongroom.sca.devices.model import FileFault

_BLOCK: Final = 16
_KEY_BYTES: Final = {
    "http://www.w3.org/2001/04/xmlenc#aes128-cbc": 16,
    "http://www.w3.org/2001/04/xmlenc#aes192-cbc": 24,
    "http://www.w3.org/2001/04/xmlenc#aes256-cbc": 32,
}
_MACS: Final = {
    "http://www.w3.org/2000/09/xmldsig#hmac-sha1": "sha1",
    "http://www.w3.org/2001/04/xmldsig-more#hmac-sha256": "sha256",
    "http://www.w3.org/2001/04/xmldsig-more#hmac-sha512": "sha512",
}
_PRFS: Final = {"": "sha1", "hmac-sha1": "sha1", "hmac-sha256": "sha256", "hmac-sha512": "sha512"}
_ITERATIONS: Final = range(1_000, 10_000_001)
_DERIVED_BYTES: Final = range(16, 33)


class NotProtected(ValueError):
    """A value does not open: its MAC or its padding is wrong, or it has none. The message completes "the seed …"."""


@dataclass(frozen=True, slots=True)
class Sealed:
    """An encrypted value as the file has it: the initialisation vector and the ciphertext."""

    algorithm: str
    data: bytes = field(repr=False)
    mac: bytes = field(default=b"", repr=False)


@dataclass(frozen=True, slots=True)
class Derivation:
    """How a key comes from a passphrase: PBKDF2 (RFC 8018 §5.2)."""

    salt: bytes
    iterations: int
    key_bytes: int | None
    prf: str


@dataclass(frozen=True, slots=True)
class Opener:
    """Opens the values of one file: each one's MAC is checked before it is decrypted."""

    key: bytes = field(repr=False)
    mac_key: bytes = field(repr=False)
    mac_hash: str

    def open(self, sealed: Sealed) -> bytes:
        """Return a value. Raise NotProtected."""
        if not sealed.mac:
            raise NotProtected("has no MAC, so nobody can tell whether it was changed")
        if not same(hmac.digest(self.mac_key, sealed.data, self.mac_hash), sealed.mac):
            raise NotProtected("does not have the MAC that it should: a wrong key, or it was changed")
        return _decrypt(self.key, sealed)


def derive(passphrase: str, how: Derivation, algorithm: str) -> bytes:
    """Return the key for an encryption algorithm. Raise FileFault for what is weaker or costlier than is reasonable."""
    prf = _PRFS.get(how.prf.rpartition("#")[2].lower())
    if prf is None:
        raise FileFault(f"the passphrase is to be hashed by {how.prf!r}, which is not done here")
    if how.iterations not in _ITERATIONS:
        raise FileFault(
            f"the passphrase is to be hashed {how.iterations} times; {_ITERATIONS[0]} to {_ITERATIONS[-1]} are done here"
        )
    length = how.key_bytes or _KEY_BYTES.get(algorithm, 16)
    if length not in _DERIVED_BYTES or not how.salt:
        raise FileFault("the key from the passphrase has 16 to 32 bytes and a salt")
    return hashlib.pbkdf2_hmac(prf, passphrase.encode(), how.salt, how.iterations, length)


def make_opener(key: bytes, mac_algorithm: str, mac_key: Sealed | None) -> Opener:
    """Return what opens a file's values. Without a MAC key of its own the file's key is that too. Raise FileFault."""
    mac_hash = _MACS.get(mac_algorithm)
    if mac_hash is None:
        raise FileFault(
            f"values are authenticated by {mac_algorithm!r}, which is not done here"
            if mac_algorithm
            else "the file has no MACMethod"
        )
    try:
        return Opener(key, _decrypt(key, mac_key) if mac_key else key, mac_hash)
    except NotProtected as error:
        raise FileFault("the file's MAC key does not open: a wrong key or passphrase") from error


def _decrypt(key: bytes, sealed: Sealed) -> bytes:
    if _KEY_BYTES.get(sealed.algorithm) != len(key):
        raise NotProtected(f"is encrypted by {sealed.algorithm.rpartition('#')[2] or 'nothing'!r}, which this key does not fit")
    vector, data = sealed.data[:_BLOCK], sealed.data[_BLOCK:]
    if not data or len(data) % _BLOCK or len(vector) < _BLOCK:
        raise NotProtected("is not whole blocks of AES")
    decryptor = Cipher(algorithms.AES(key), modes.CBC(vector)).decryptor()
    plain = decryptor.update(data) + decryptor.finalize()
    padding = plain[-1]  # XML Encryption §5.2: only the last byte says how many
    if not 1 <= padding <= _BLOCK:
        raise NotProtected("does not open: a wrong key or passphrase")
    return plain[:-padding]
