"""Sign webhooks, and verify them, as Standard Webhooks 1.0 says: `v1` with a shared secret, `v1a` with Ed25519.

Secrets are written `whsec_`, secret keys `whsk_`, public keys `whpk_`, each before base64. While a secret rotates the old and
the new one both sign, and a receiver accepts whichever it knows.
"""

from __future__ import annotations

import base64
import binascii
import hmac
import re
import secrets as randomness
from collections.abc import Iterable, Mapping

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from strongroom.kit.crypto import Secret

SECRET_PREFIX, SIGNING_KEY_PREFIX, PUBLIC_KEY_PREFIX = "whsec_", "whsk_", "whpk_"
SECRET_BYTES = 32
TOLERANCE_SECONDS = 300
MAX_SIGNATURES = 16  # looked at in one header
_SECRET_SIZES = range(24, 65)  # 192 to 512 bits
_SEED_BYTES = 32
_ID = re.compile(r"[A-Za-z0-9_-]{1,64}")  # no full stop: it parts the signed content
_TIMESTAMP = re.compile(r"[0-9]{1,11}")


class BadKey(ValueError):
    """A secret or key that is not written as the standard says. The message never repeats it."""


class SignatureRejected(Exception):
    """The headers do not prove that a trusted sender sent this body now."""


def generate_secret() -> Secret:
    """Make a fresh secret of 256 bits, `whsec_…`."""
    return Secret(SECRET_PREFIX + _encoded(randomness.token_bytes(SECRET_BYTES)))


def write_signing_key(key: Ed25519PrivateKey) -> Secret:
    """Write a secret key as `whsk_…`: the seed and the public key, 64 bytes."""
    return Secret(SIGNING_KEY_PREFIX + _encoded(key.private_bytes_raw() + key.public_key().public_bytes_raw()))


def write_public_key(key: Ed25519PublicKey) -> str:
    """Write a public key as `whpk_…`."""
    return PUBLIC_KEY_PREFIX + _encoded(key.public_bytes_raw())


def read_signing_key(text: Secret) -> Ed25519PrivateKey:
    """Read `whsk_…`, 32 bytes of seed or 64 with the public key. Raise BadKey, also when the two halves do not belong together."""
    material = _decoded(text.reveal(), SIGNING_KEY_PREFIX)
    if len(material) not in (_SEED_BYTES, 2 * _SEED_BYTES):
        raise BadKey("a signing key has 32 or 64 bytes")
    key = Ed25519PrivateKey.from_private_bytes(material[:_SEED_BYTES])
    if material[_SEED_BYTES:] not in (b"", key.public_key().public_bytes_raw()):
        raise BadKey("the halves of the signing key do not belong together")
    return key


def sign(
    message_id: str,
    timestamp: int,
    body: bytes,
    secrets: Iterable[Secret],
    signing_key: Ed25519PrivateKey | None = None,
) -> dict[str, str]:
    """Return the three headers for one try, `timestamp` in seconds since 1970. Raise BadKey, or ValueError for a bad id.

    Signatures stand in the order of the secrets, the newest first by custom; the asymmetric one is last.
    """
    if not _ID.fullmatch(message_id):
        raise ValueError("a webhook's id has 1 to 64 letters, digits, hyphens and underscores")
    content = _content(message_id, timestamp, body)
    signatures = [f"v1,{_encoded(_mac(secret.reveal(), content))}" for secret in secrets]
    if signing_key is not None:
        signatures.append(f"v1a,{_encoded(signing_key.sign(content))}")
    if not signatures:
        raise BadKey("a webhook needs at least one secret or signing key")
    return {"webhook-id": message_id, "webhook-timestamp": str(timestamp), "webhook-signature": " ".join(signatures)}


def verify(headers: Mapping[str, str], body: bytes, trusted: Iterable[str], now: int) -> None:
    """Accept what any trusted `whsec_…` or `whpk_…` key signed within five minutes of `now`. Raise SignatureRejected, BadKey."""
    given = {name.lower(): value for name, value in headers.items()}
    message_id, written = given.get("webhook-id", ""), given.get("webhook-timestamp", "")
    if not _ID.fullmatch(message_id) or not _TIMESTAMP.fullmatch(written):
        raise SignatureRejected("a header is missing or has the wrong form")
    if abs(now - int(written)) > TOLERANCE_SECONDS:
        raise SignatureRejected("the timestamp is more than five minutes away")
    content = _content(message_id, int(written), body)
    signatures = given.get("webhook-signature", "").split(" ")[:MAX_SIGNATURES]
    if not any(_is_signed(content, signature, key) for key in trusted for signature in signatures):
        raise SignatureRejected("no signature is by a trusted key")


def _is_signed(content: bytes, signature: str, key: str) -> bool:
    version, _, value = signature.partition(",")
    try:
        material = base64.b64decode(value, validate=True)
    except (binascii.Error, ValueError):
        return False
    if key.startswith(PUBLIC_KEY_PREFIX):
        return version == "v1a" and _is_signed_by(content, material, key)
    return version == "v1" and hmac.compare_digest(material, _mac(key, content))


def _is_signed_by(content: bytes, signature: bytes, key: str) -> bool:
    material = _decoded(key, PUBLIC_KEY_PREFIX)
    if len(material) != _SEED_BYTES:
        raise BadKey("a public key has 32 bytes")
    try:
        Ed25519PublicKey.from_public_bytes(material).verify(signature, content)
    except InvalidSignature:
        return False
    return True


def _content(message_id: str, timestamp: int, body: bytes) -> bytes:
    return b"%b.%d.%b" % (message_id.encode("ascii"), timestamp, body)


def _mac(secret: str, content: bytes) -> bytes:
    material = _decoded(secret, SECRET_PREFIX)
    if len(material) not in _SECRET_SIZES:
        raise BadKey("a secret has 24 to 64 bytes")
    return hmac.digest(material, content, "sha256")


def _encoded(material: bytes) -> str:
    return base64.b64encode(material).decode("ascii")


def _decoded(text: str, prefix: str) -> bytes:
    if not text.startswith(prefix):
        raise BadKey(f"the key does not begin with {prefix}")
    try:
        return base64.b64decode(text.removeprefix(prefix), validate=True)
    except (binascii.Error, ValueError):
        raise BadKey(f"the key is not base64 after {prefix}") from None
