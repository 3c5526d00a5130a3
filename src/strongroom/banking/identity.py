"""Whether a bank's word about the customer is to be believed: the rules for the claims of id_token and JARM answers."""

from __future__ import annotations

import hmac
import math
from dataclasses import dataclass, field

from strongroom.banking.signing import LEEWAY_SECONDS, Claims, PublicKeys, Untrusted, half_hash, verify_token

STRONG_AUTHENTICATION = "urn:openbanking:psd2:sca"
MAX_AGE_SECONDS = 3600
MANY_AUDIENCES = 2


@dataclass(frozen=True, slots=True)
class Expected:
    """What an id_token must say. `code` and `state` are set for the one that comes back with the customer."""

    issuer: str
    client_id: str
    consent_id: str
    nonce: str = field(repr=False)
    code: str | None = field(default=None, repr=False)
    state: str | None = field(default=None, repr=False)


async def verify_id_token(token: str, expected: Expected, keys: PublicKeys, now: float) -> Claims:
    """Return the claims of an id_token that keeps every rule (OIDC Core §3.3.2, FAPI 1.0 Advanced §5.2.3).

    Raise Untrusted naming the broken rule, BankUnavailable when the keys cannot be fetched.
    """
    claims = await verify_token(token, keys)
    _check_sender(claims, expected.issuer, expected.client_id, now)
    _check_issued_at(claims, now)
    _check_equal(claims, "nonce", expected.nonce)
    _check_equal(claims, "openbanking_intent_id", expected.consent_id)
    _check_equal(claims, "acr", STRONG_AUTHENTICATION)
    if expected.code is not None:
        _check_equal(claims, "c_hash", half_hash(expected.code))
    if expected.state is not None:
        _check_equal(claims, "s_hash", half_hash(expected.state))
    return claims


async def verify_response_token(token: str, issuer: str, client_id: str, keys: PublicKeys, now: float) -> dict[str, str]:
    """Return the fields inside a JARM answer (JWT Secured Authorization Response Mode §4.4). Raise as for an id_token."""
    claims = await verify_token(token, keys)
    _check_sender(claims, issuer, client_id, now)
    return {name: value for name, value in claims.items() if isinstance(value, str)}


def _check_sender(claims: Claims, issuer: str, client_id: str, now: float) -> None:
    _check_equal(claims, "iss", issuer)
    audience = claims.get("aud")
    audiences = audience if isinstance(audience, list) else [audience]
    if client_id not in audiences:
        raise Untrusted("aud is another client")
    if len(audiences) >= MANY_AUDIENCES and claims.get("azp") != client_id:
        raise Untrusted("several audiences and azp is another client")
    if "azp" in claims:
        _check_equal(claims, "azp", client_id)
    if _number(claims, "exp") <= now - LEEWAY_SECONDS:
        raise Untrusted("exp is past")


def _check_issued_at(claims: Claims, now: float) -> None:
    if not now - MAX_AGE_SECONDS <= _number(claims, "iat") <= now + LEEWAY_SECONDS:
        raise Untrusted("iat is too old or lies ahead")


def _check_equal(claims: Claims, name: str, expected: str) -> None:
    value = claims.get(name)
    if not isinstance(value, str) or not hmac.compare_digest(value.encode(errors="replace"), expected.encode()):
        raise Untrusted(f"{name} is missing or another")


def _number(claims: Claims, name: str) -> float:
    value = claims.get(name)
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        raise Untrusted(f"{name} is missing or no number")
    return value
