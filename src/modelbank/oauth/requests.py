"""Read an authorisation request: a signed request object by value, and nothing that contradicts it (FAPI 1 Advanced §5.2.2)."""

from __future__ import annotations

import re
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from modelbank.banks import Bank, Client
from modelbank.jose.tokens import LEEWAY_SECONDS, TokenRefused, verify_token
from modelbank.oauth.errors import RequestRefused

ACR_VALUES = ("urn:openbanking:psd2:sca", "urn:openbanking:psd2:ca")
RESPONSE_TYPES = ("code id_token", "code")
PLAIN_MODES = ("fragment", "form_post")
JWT_MODES = ("jwt", "query.jwt", "fragment.jwt", "form_post.jwt")
RESOURCE_SCOPES = ("payments", "accounts", "fundsconfirmations")
_MAX_LIFETIME_SECONDS = 3600
_CHALLENGE = re.compile(r"[A-Za-z0-9_-]{43}")
_MAX_TEXT = 1024


@dataclass(frozen=True, slots=True)
class AuthorisationRequest:
    """What a client asks of the customer, proved to come from the client."""

    client: Client
    consent_id: str
    redirect_uri: str
    response_type: str
    response_mode: str
    state: str
    nonce: str
    acr: str
    scope: str
    resource_scope: str
    code_challenge: str | None


def read_request(bank: Bank, params: Mapping[str, str]) -> AuthorisationRequest:
    """Return the request. Raise RequestRefused; only a refusal that is `returnable` may be sent back to the client."""
    client = bank.clients.get(params.get("client_id", ""))
    if client is None:
        raise RequestRefused("unauthorized_client", "The client is not known to this bank.")
    claims = _verified_claims(bank, client, params)
    redirect_uri = claims.get("redirect_uri")
    if redirect_uri not in client.config.redirect_uris:
        raise RequestRefused("invalid_request", "The address to return to is not registered.")
    try:
        return _read_claims(client, claims, params)
    except RequestRefused as refused:
        raise RequestRefused(refused.code, refused.description, returnable=_is_returnable(claims)) from refused


def returning_request(bank: Bank, params: Mapping[str, str]) -> tuple[str, str | None, str]:
    """Return (redirect_uri, state, response_mode) of a request that was refused with `returnable`."""
    claims = _verified_claims(bank, bank.clients[params["client_id"]], params)
    mode = claims.get("response_mode")
    return claims["redirect_uri"], claims.get("state"), mode if mode in (*PLAIN_MODES, *JWT_MODES) else "fragment"


def _is_returnable(claims: Mapping[str, Any]) -> bool:
    return claims.get("state") is None or isinstance(claims["state"], str)


def _verified_claims(bank: Bank, client: Client, params: Mapping[str, str]) -> dict[str, Any]:
    if "request_uri" in params:
        raise RequestRefused("request_uri_not_supported", "Send the request object itself.")
    if "request" not in params:
        raise RequestRefused("invalid_request", "A signed request object is required.")
    try:
        claims = verify_token(
            params["request"],
            client.keys,
            issuer=client.id,
            audiences=(bank.issuer,),
            required=("iss", "aud", "exp", "nbf"),
        )
    except TokenRefused as refused:
        raise RequestRefused("invalid_request_object", str(refused)) from refused
    check_lifetime(claims)
    return claims


def check_lifetime(claims: Mapping[str, Any]) -> None:
    """Refuse a request that is good for over an hour, or began over one ago (FAPI 1 Advanced §5.2.2, FAPI-CIBA §5.2.2)."""
    if not claims["nbf"] < claims["exp"] <= claims["nbf"] + _MAX_LIFETIME_SECONDS:
        raise RequestRefused("invalid_request_object", "exp must be at most 60 minutes after nbf.")
    if claims["nbf"] < time.time() - _MAX_LIFETIME_SECONDS - LEEWAY_SECONDS:
        raise RequestRefused("invalid_request_object", "nbf is more than 60 minutes ago.")


def _read_claims(client: Client, claims: Mapping[str, Any], params: Mapping[str, str]) -> AuthorisationRequest:
    _check_outer(claims, params)
    if claims.get("client_id", client.id) != client.id:
        raise RequestRefused("invalid_request_object", "client_id must be the issuer.")
    if claims.get("prompt") == "none":
        raise RequestRefused("login_required", "The customer must always sign in.")
    scope, resource_scope = read_scope(client, _text(claims, "scope"))
    response_type, response_mode = _read_response(claims)
    return AuthorisationRequest(
        client=client,
        consent_id=_read_intent(claims),
        redirect_uri=claims["redirect_uri"],
        response_type=response_type,
        response_mode=response_mode,
        state=_text(claims, "state"),
        nonce=_text(claims, "nonce"),
        acr=_read_acr(claims),
        scope=scope,
        resource_scope=resource_scope,
        code_challenge=_read_challenge(claims),
    )


def _check_outer(claims: Mapping[str, Any], params: Mapping[str, str]) -> None:
    """Refuse parameters outside the signature that say something else; they are never used otherwise."""
    if "request" in claims or "request_uri" in claims:
        raise RequestRefused("invalid_request_object", "A request object must not contain another.")
    for name, value in params.items():
        if name != "request" and name in claims and claims[name] != value:
            raise RequestRefused("invalid_request", f"{name} differs from the request object's.")


def _text(claims: Mapping[str, Any], name: str) -> str:
    value = claims.get(name)
    if not isinstance(value, str) or not 0 < len(value) <= _MAX_TEXT:
        raise RequestRefused("invalid_request_object", f"{name} is required.")
    return value


def read_scope(client: Client, scope: str) -> tuple[str, str]:
    """Return a scope and the one resource in it. Raise RequestRefused (invalid_scope) for any other."""
    scopes = scope.split(" ")
    resources = [name for name in scopes if name in RESOURCE_SCOPES]
    if "openid" not in scopes or len(resources) != 1 or len(scopes) != 2:  # noqa: PLR2004  # openid and one resource
        raise RequestRefused("invalid_scope", f"Ask for openid and one of {', '.join(RESOURCE_SCOPES)}.")
    if resources[0] not in client.config.scopes:
        raise RequestRefused("invalid_scope", f"The client is not registered for {resources[0]}.")
    return scope, resources[0]


def _read_response(claims: Mapping[str, Any]) -> tuple[str, str]:
    response_type = _text(claims, "response_type")
    if response_type not in RESPONSE_TYPES:
        raise RequestRefused("unsupported_response_type", "Use code id_token, or code with a signed response.")
    mode = claims.get("response_mode", "fragment" if response_type == "code id_token" else "query")
    if mode == "jwt":
        mode = "fragment.jwt" if response_type == "code id_token" else "query.jwt"
    if mode not in (*PLAIN_MODES, *JWT_MODES) or (response_type == "code" and mode not in JWT_MODES):
        raise RequestRefused("invalid_request", "This response_mode cannot be used with this response_type.")
    if mode == "query.jwt" and response_type == "code id_token":
        raise RequestRefused("invalid_request", "An id_token must not travel in a query.")
    return response_type, mode


def _read_challenge(claims: Mapping[str, Any]) -> str | None:
    challenge = claims.get("code_challenge")
    if challenge is None:
        return None
    if claims.get("code_challenge_method") != "S256" or not _CHALLENGE.fullmatch(str(challenge)):
        raise RequestRefused("invalid_request", "Use code_challenge_method S256 (RFC 7636).")
    return str(challenge)


def _id_token_claim(claims: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    value = claims.get("claims")
    for part in ("id_token", name):
        value = value.get(part) if isinstance(value, dict) else None
    return value if isinstance(value, dict) else {}


def _read_intent(claims: Mapping[str, Any]) -> str:
    intent = _id_token_claim(claims, "openbanking_intent_id").get("value")
    if not isinstance(intent, str) or not intent:
        raise RequestRefused("invalid_request_object", "claims.id_token.openbanking_intent_id.value is required.")
    return intent


def _read_acr(claims: Mapping[str, Any]) -> str:
    asked = _id_token_claim(claims, "acr")
    values = asked.get("values", [asked["value"]] if "value" in asked else [])
    known = [value for value in values if value in ACR_VALUES] if isinstance(values, list) else []
    if values and not known and asked.get("essential"):
        raise RequestRefused("invalid_request", "The bank knows no such authentication (acr).")
    return known[0] if known else ACR_VALUES[0]
