"""JOSE for open banking: what we sign for banks, and what banks sign for us.

Two kinds of signature: tokens (request object, client assertion, id_token, JARM answer), whose payload travels inside, and
detached signatures over message bodies (`x-jws-signature`), whose payload is the exact body, base64url-encoded in the signing
input since v3.1.4 of the standard, never RFC 7797's bare form.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import json
import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol, TypeAlias

import msgspec
from joserfc import jws
from joserfc.errors import JoseError
from joserfc.jwk import ECKey, RSAKey
from joserfc.registry import HeaderParameter

from strongroom.banking.credentials import SigningKey, newest

OURS = "PS256"
TOKEN_ALGORITHMS = ("PS256", "ES256")  # FAPI 1.0 Advanced §8.6
OB_IAT, OB_ISS, OB_TAN = (f"http://openbanking.org.uk/{name}" for name in ("iat", "iss", "tan"))
OB_CLAIMS = (OB_IAT, OB_ISS, OB_TAN)
TRUST_ANCHOR = "openbanking.org.uk"
DETACHED_HEADERS = frozenset({"alg", "kid", "typ", "cty", "crit", *OB_CLAIMS})
LEEWAY_SECONDS = 30
REQUEST_LIFETIME_SECONDS = 1800  # FAPI allows an hour; the customer leaves at once
ASSERTION_LIFETIME_SECONDS = 300
MAX_TOKEN_CHARACTERS = 16_384
_YEAR_10000 = 253_402_300_800  # seconds since 1970; no infinity gets past it, and no NaN, which compares as nothing

PublicKey: TypeAlias = RSAKey | ECKey
Claims: TypeAlias = dict[str, Any]


class Untrusted(Exception):
    """Something signed that is not to be believed; the message says which rule it broke and holds none of its content."""


class PublicKeys(Protocol):
    """The keys that one bank publishes."""

    async def get_key(self, kid: str) -> PublicKey:
        """Return the key with this id. Raise Untrusted if the bank has none, BankUnavailable if it cannot be asked."""
        ...


@dataclass(frozen=True, slots=True)
class Proof:
    """A body with its detached signature and the key that verified it: enough to show later that the bank said so."""

    body: bytes
    signature: str
    key: Mapping[str, Any]

    def dump(self) -> bytes:
        """Write the proof as JSON: `body` is the exact text that was signed."""
        return msgspec.json.encode({"body": self.body.decode(), "x-jws-signature": self.signature, "jwk": self.key})


@dataclass(frozen=True, slots=True)
class SignedBy:
    """Whose name a detached signature bears and when it was made, in seconds since 1970."""

    organisation: str
    trust_anchor: str
    at: float


class Signer:
    """Our signing keys with the names under which banks know us; the newest that counts at the time signs."""

    def __init__(self, keys: Sequence[SigningKey], organisation_id: str, software_id: str) -> None:
        self._keys = tuple(keys)
        self._issuer = f"{organisation_id}/{software_id}"

    def request_object(self, client_id: str, audience: str, claims: Claims, now: float) -> str:
        """Sign an authorisation request (RFC 9101, FAPI 1.0 Advanced §5.2.2): `claims` are its parameters."""
        return self._token(
            {
                "iss": client_id,
                "client_id": client_id,
                "aud": audience,
                **_lifetime(now, REQUEST_LIFETIME_SECONDS),
                "nbf": int(now) - LEEWAY_SECONDS,
                **claims,
            },
            now,
        )

    def client_assertion(self, client_id: str, audience: str, now: float) -> str:
        """Sign proof of who we are for a token endpoint (private_key_jwt, RFC 7523 §3)."""
        claims = {"iss": client_id, "sub": client_id, "aud": audience, **_lifetime(now, ASSERTION_LIFETIME_SECONDS)}
        return self._token(claims, now)

    def detached(self, body: bytes, now: float) -> str:
        """Sign the exact bytes of a message; the result goes into `x-jws-signature`."""
        ours = newest(self._keys, now)
        header = {
            "alg": OURS,
            "kid": ours.kid,
            "typ": "JOSE",
            "cty": "application/json",
            OB_IAT: int(now),
            OB_ISS: self._issuer,
            OB_TAN: TRUST_ANCHOR,
            "crit": list(OB_CLAIMS),
        }
        return jws.detach_content(jws.serialize_compact(header, body, ours.key, registry=_registry((OURS,))))

    def _token(self, claims: Claims, now: float) -> str:
        ours = newest(self._keys, now)
        header = {"alg": OURS, "kid": ours.kid, "typ": "JWT"}
        return jws.serialize_compact(header, msgspec.json.encode(claims), ours.key, registry=_registry((OURS,)))


async def verify_token(token: str, keys: PublicKeys) -> Claims:
    """Return the claims of a signed token. Raise Untrusted, or BankUnavailable when the keys cannot be fetched."""
    if len(token) > MAX_TOKEN_CHARACTERS:
        raise Untrusted("the token is too long")
    header = _header_of(token)
    if "crit" in header:
        raise Untrusted("the token has critical headers, which no token here may have")
    key = await keys.get_key(_kid_of(header, TOKEN_ALGORITHMS))
    return _json_object(_verified(token, key, TOKEN_ALGORITHMS, None), "payload")


async def verify_detached(body: bytes, signature: str, keys: PublicKeys, *, issuer: str, anchor: str, now: float) -> Proof:
    """Check a bank's signature over `body`. Raise Untrusted, or BankUnavailable when the keys cannot be fetched."""
    kid, signed_by = _read_detached_header(signature)
    if signed_by.organisation != issuer:
        raise Untrusted("the signature is by another organisation")
    if signed_by.trust_anchor != anchor:
        raise Untrusted("the trust anchor is another")
    if signed_by.at > now + LEEWAY_SECONDS:
        raise Untrusted("the signature's time lies ahead")
    key = await keys.get_key(kid)
    _verified(signature, key, (OURS,), body)
    return Proof(body, signature, key.as_dict(private=False))


def read_detached(body: bytes, signature: str, key: PublicKey) -> SignedBy:
    """Check a signature over `body` by one known key and say whose name it bears. Raise Untrusted."""
    _, signed_by = _read_detached_header(signature)
    _verified(signature, key, (OURS,), body)
    _json_object(body, "body")
    return signed_by


def half_hash(value: str) -> str:
    """Hash a code or state as `c_hash` and `s_hash` do for SHA-256 algorithms (OIDC Core §3.3.2.11)."""
    return _base64url(hashlib.sha256(value.encode()).digest()[:16])


def code_challenge(verifier: str) -> str:
    """Hash a PKCE verifier (RFC 7636 §4.2, S256)."""
    return _base64url(hashlib.sha256(verifier.encode()).digest())


def _read_detached_header(signature: str) -> tuple[str, SignedBy]:
    """Return the key's id and who signed, by the header alone. Raise Untrusted."""
    segments = signature.split(".")
    if len(signature) > MAX_TOKEN_CHARACTERS or len(segments) != 3 or segments[1]:  # noqa: PLR2004 - header..signature
        raise Untrusted("the signature is not a detached JWS")
    header = _header_of(signature)
    kid = _kid_of(header, (OURS,))
    crit = header.get("crit")
    if not isinstance(crit, list) or len(crit) != len(OB_CLAIMS) or any(name not in crit for name in OB_CLAIMS):
        raise Untrusted("crit does not list exactly the three open-banking claims")
    if not header.keys() <= DETACHED_HEADERS:
        raise Untrusted("the header has names that do not belong there")
    signed_at, organisation, anchor = header.get(OB_IAT), header.get(OB_ISS), header.get(OB_TAN)
    if isinstance(signed_at, bool) or not isinstance(signed_at, int | float) or not 0 < signed_at < _YEAR_10000:
        raise Untrusted("the signature's time is missing")
    if not isinstance(organisation, str) or not isinstance(anchor, str):
        raise Untrusted("the signature bears no name")
    return kid, SignedBy(organisation, anchor, signed_at)


def _kid_of(header: Claims, algorithms: tuple[str, ...]) -> str:
    if header.get("alg") not in algorithms:
        raise Untrusted("the algorithm is not allowed")
    kid = header.get("kid")
    if not isinstance(kid, str) or not kid:
        raise Untrusted("the header names no key")
    if "b64" in header:
        raise Untrusted("the header speaks of RFC 7797")
    return kid


def _verified(token: str, key: PublicKey, algorithms: tuple[str, ...], payload: bytes | None) -> bytes:
    try:
        return jws.deserialize_compact(token, key, registry=_registry(algorithms), payload=payload).payload
    except (JoseError, ValueError, TypeError) as error:
        raise Untrusted("the signature does not verify") from error


def _registry(algorithms: tuple[str, ...]) -> jws.JWSRegistry:
    """Make the library's rules ours: its limits are too tight for the open-banking header and for a full page of accounts."""
    registry = jws.JWSRegistry(
        {name: HeaderParameter("Open banking claim", _any) for name in OB_CLAIMS},
        algorithms=algorithms,
        strict_check_header=False,  # banks add x5t and the like to tokens; the detached header has its own closed list
    )
    registry.max_header_length = 4096
    registry.max_payload_length = 1024 * 1024
    return registry


def _any(_value: object) -> None:
    """Accept: the three claims are judged with more care in this module."""


def _header_of(token: str) -> Claims:
    segment = token.partition(".")[0]
    try:
        raw = base64.b64decode(segment + "=" * (-len(segment) % 4), altchars=b"-_", validate=True)
    except (binascii.Error, ValueError) as error:
        raise Untrusted("the header is not base64url") from error
    return _json_object(raw, "header")


def _json_object(raw: bytes, what: str) -> Claims:
    try:
        value = json.loads(raw, object_pairs_hook=_unique_names)
    except (ValueError, RecursionError) as error:
        raise Untrusted(f"the {what} is not JSON") from error
    if not isinstance(value, dict):
        raise Untrusted(f"the {what} is not an object")
    return value


def _unique_names(pairs: list[tuple[str, Any]]) -> Claims:
    """Refuse a name given twice: two readers could each believe another (RFC 7515 §4)."""
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("a name is given twice")
    return found


def _lifetime(now: float, seconds: int) -> Claims:
    return {"iat": int(now), "exp": int(now) + seconds, "jti": secrets.token_urlsafe(24)}


def _base64url(value: bytes) -> str:
    return base64.urlsafe_b64encode(value).rstrip(b"=").decode()
