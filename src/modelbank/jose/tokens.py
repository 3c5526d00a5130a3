"""Verify JSON Web Tokens: request objects and client assertions that a client signed, and id_tokens that come back as hints."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

import jwt

from modelbank.jose.keys import ALGORITHMS, KeySet, UnknownKey
from modelbank.web.texts import holds_nul

MAX_TOKEN_CHARACTERS = 16_384
LEEWAY_SECONDS = 10


class TokenRefused(Exception):
    """The token cannot be believed; the text says why, in words a client's developer can use."""


def verify_token(
    token: str,
    keys: KeySet,
    *,
    issuer: str,
    audiences: Collection[str],
    required: Collection[str],
    expired_too: bool = False,
) -> dict[str, Any]:
    """Return the claims of a token. Raise TokenRefused on any doubt: signature, key id, algorithm, issuer, audience or time."""
    if len(token) > MAX_TOKEN_CHARACTERS:
        raise TokenRefused("The token is too long.")
    try:
        header = jwt.get_unverified_header(token)
        if header.get("alg") not in ALGORITHMS:
            raise TokenRefused("Sign with PS256 or ES256.")
        key = keys.find(header.get("kid"), header["alg"])
        claims: dict[str, Any] = jwt.decode(
            token,
            key,
            algorithms=[header["alg"]],
            audience=list(audiences),
            issuer=issuer,
            leeway=LEEWAY_SECONDS,
            options={"require": [*required], "verify_exp": not expired_too},
        )
    except UnknownKey as unknown:
        raise TokenRefused(str(unknown)) from unknown
    except jwt.InvalidTokenError as invalid:
        raise TokenRefused(f"The token is not valid: {invalid}") from invalid
    if holds_nul(claims):
        raise TokenRefused("No claim holds the character NUL.")
    _check_dates(claims)
    return claims


def _check_dates(claims: Mapping[str, Any]) -> None:
    """Refuse dates that are no JSON numbers (RFC 7519 §2), which some libraries would read all the same."""
    for name in ("exp", "nbf", "iat"):
        value = claims.get(name, 0)
        if isinstance(value, bool) or not isinstance(value, int | float):
            raise TokenRefused(f"{name} must be a number.")
