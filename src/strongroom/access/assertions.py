"""Signed client assertions (RFC 7523 §3): what a client may sign with, and whether one assertion is to be believed."""

from __future__ import annotations

import json
import math
from dataclasses import dataclass
from typing import Any

from joserfc import jws, jwt
from joserfc.errors import JoseError
from joserfc.jwk import ECKey, Key, KeySet, OKPKey, RSAKey

from strongroom.access.errors import UnsuitableKeys
from strongroom.kit.crypto import Secret

ASSERTION_TYPE = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
ALGORITHMS = ("PS256", "ES256", "Ed25519", "EdDSA")  # the last is the older name of the third (RFC 9864)
LONGEST_SECONDS = 300
_LEEWAY_SECONDS = 30
_MAX_KEYS = 10
_MAX_BYTES = 8_192
_MAX_JTI = 255
_RSA_MIN_BITS = 2048
_CURVES = {ECKey: "P-256", OKPKey: "Ed25519"}


class BadAssertion(Exception):
    """The assertion is not to be believed; why is for tests and logs, never for the caller."""


@dataclass(frozen=True, slots=True)
class Assertion:
    """An assertion that is to be believed, if its `jti` was not seen before."""

    jti: str
    expires_at: float  # seconds since 1970


def check_public_keys(keys: dict[str, Any]) -> None:
    """Raise UnsuitableKeys unless this is a JWK set (RFC 7517) of 1–10 public keys for our algorithms, each with a `kid`."""
    try:
        entries = list(keys["keys"])
        imported = KeySet.import_key_set({"keys": entries}).keys
    except (JoseError, ValueError, KeyError, TypeError, AttributeError):
        raise UnsuitableKeys("This is not a JWK set") from None
    if not 1 <= len(imported) <= _MAX_KEYS:
        raise UnsuitableKeys(f"A client has 1 to {_MAX_KEYS} keys")
    kids = [entry.get("kid") for entry in entries]
    if not all(isinstance(kid, str) and kid for kid in kids) or len(set(kids)) < len(kids):
        raise UnsuitableKeys("Every key needs a kid of its own")
    for key in imported:
        _check_key(key)


def _check_key(key: Key) -> None:
    if not isinstance(key, RSAKey | ECKey | OKPKey) or key.is_private:
        raise UnsuitableKeys("Only public keys of the types RSA, EC (P-256) and OKP (Ed25519) can be used")
    if isinstance(key, RSAKey):
        if key.public_key.key_size < _RSA_MIN_BITS:
            raise UnsuitableKeys(f"An RSA key has at least {_RSA_MIN_BITS} bits")
    elif key.as_dict(private=False).get("crv") != _CURVES[type(key)]:
        raise UnsuitableKeys("Only the curves P-256 and Ed25519 can be used")


def read_client_id(assertion: Secret) -> str | None:
    """Return whom an assertion claims to come from, before anything is believed: only to find the keys."""
    try:
        claims = jws.extract_compact(_bounded(assertion))
        subject = json.loads(claims.payload).get("sub")
    except (BadAssertion, JoseError, ValueError, AttributeError, TypeError, RecursionError):
        return None
    return subject if isinstance(subject, str) else None


def verify_assertion(
    assertion: Secret, keys: dict[str, Any] | None, client_id: str, audiences: tuple[str, ...], now: float
) -> Assertion:
    """Return the assertion if one of the client's keys signed it for us and now. Raise BadAssertion."""
    by_kid = {str(entry["kid"]): entry for entry in (keys or {}).get("keys", ())}

    def find_key(signed: Any) -> Key:
        kid = signed.headers().get("kid")
        entry = by_kid.get(kid) if isinstance(kid, str) else next(iter(by_kid.values())) if len(by_kid) == 1 else None
        if entry is None:
            raise BadAssertion("no such key")
        return KeySet.import_key_set({"keys": [entry]}).keys[0]

    try:
        claims = jwt.decode(_bounded(assertion), find_key, algorithms=list(ALGORITHMS)).claims
    except (JoseError, ValueError, TypeError, RecursionError) as error:
        raise BadAssertion("signature") from error
    return _check_claims(claims, client_id, audiences, now)


def _check_claims(claims: dict[str, Any], client_id: str, audiences: tuple[str, ...], now: float) -> Assertion:
    """Check the claims of RFC 7523 §3, and that the assertion lives five minutes at most."""
    if claims.get("iss") != client_id or claims.get("sub") != client_id:
        raise BadAssertion("iss or sub")
    audience = claims.get("aud")
    if not any(given in audiences for given in (audience if isinstance(audience, list) else [audience])):
        raise BadAssertion("aud")
    expires_at = _number(claims, "exp")
    if not now < expires_at <= now + LONGEST_SECONDS:
        raise BadAssertion("exp")
    if any(_number(claims, name) > now + _LEEWAY_SECONDS for name in ("iat", "nbf") if name in claims):
        raise BadAssertion("iat or nbf")
    jti = claims.get("jti")
    if not isinstance(jti, str) or not 1 <= len(jti) <= _MAX_JTI:
        raise BadAssertion("jti")
    return Assertion(jti, expires_at)


def _number(claims: dict[str, Any], name: str) -> float:
    value = claims.get(name)
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        raise BadAssertion(name)
    return float(value)


def _bounded(assertion: Secret) -> bytes:
    text = assertion.reveal()
    if len(text) > _MAX_BYTES or not text.isascii():
        raise BadAssertion("size")
    return text.encode()
