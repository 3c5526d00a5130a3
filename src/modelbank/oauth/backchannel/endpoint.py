"""The decoupled flow: a client asks from behind, the customer answers on their phone (CIBA Core 1.0, FAPI-CIBA, poll mode).

As UK Open Banking v4.0 profiles it: the consent stands in the signed request as `openbanking-intent-id`, and that alone may
identify the customer, who scans it; or an id_token that the client got earlier does.
"""

from __future__ import annotations

import hashlib
import re
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from modelbank.banks import Bank, Client
from modelbank.config import Limits
from modelbank.database import Pool
from modelbank.jose.keys import KeySet
from modelbank.jose.tokens import LEEWAY_SECONDS, TokenRefused, verify_token
from modelbank.oauth import store as oauth_store
from modelbank.oauth.backchannel import store
from modelbank.oauth.backchannel.store import Asked
from modelbank.oauth.clients import authenticate_client
from modelbank.oauth.errors import NO_STORE, OAuthRefused, RequestRefused
from modelbank.oauth.requests import ACR_VALUES, check_lifetime, read_scope
from modelbank.web.asgi import BadRequest, Request, Response, json_response

GRANT_TYPE = "urn:openid:params:grant-type:ciba"
INTENT = "openbanking-intent-id"
_HINTS = ("login_hint", "login_hint_token", "id_token_hint")
_OUTSIDE = {"request", "client_id", "client_assertion", "client_assertion_type"}
_BINDING_MESSAGE = re.compile(r"[A-Za-z0-9][A-Za-z0-9 .:/#-]{0,39}")


@dataclass(frozen=True, slots=True)
class _Claims:
    """A signed authentication request, read but not yet compared with what the bank knows."""

    scope: str
    resource_scope: str
    consent_id: str
    acr: str
    binding_message: str | None
    seconds: int


class BackchannelEndpoint:
    """Answers `POST /bc-authorize`."""

    def __init__(self, pool: Pool, limits: Limits) -> None:
        self._pool = pool
        self._limits = limits

    async def answer(self, bank: Bank, request: Request) -> Response:
        """Keep the request until the customer answers, or refuse in OAuth's words."""
        try:
            asked = await self._read(bank, request)
        except BadRequest as wrong:
            return OAuthRefused("invalid_request", str(wrong)).response()
        except RequestRefused as refused:
            code = "invalid_scope" if refused.code == "invalid_scope" else "invalid_request"  # CIBA §13 has no other for these
            return OAuthRefused(code, refused.description).response()
        except OAuthRefused as refused:
            return refused.response()
        auth_req_id = secrets.token_urlsafe(32)
        async with self._pool.acquire() as connection, connection.transaction():
            kept = await store.add_request(connection, auth_req_id, asked, self._limits.poll_seconds)
        if not kept:
            return OAuthRefused("invalid_request", "U029: Another request for this consent awaits the customer.").response()
        told = {"auth_req_id": auth_req_id, "expires_in": asked.seconds, "interval": self._limits.poll_seconds}
        return json_response(200, told, *NO_STORE)

    async def _read(self, bank: Bank, request: Request) -> Asked:
        """Return what is asked. Raise BadRequest, RequestRefused or OAuthRefused."""
        form = request.form()
        client = await authenticate_client(self._pool, bank, form, request.certificate)
        if outside := sorted(form.keys() - _OUTSIDE):
            raise _invalid(f"Put {outside[0]} into the signed request (CIBA §7.1.1).")
        claims = await self._verified(bank, client, form.get("request"))
        read = _read_claims(client, claims, self._limits.backchannel_seconds)
        await self._check_intent(bank, client, read)
        return Asked(
            bank=bank.id,
            client_id=client.id,
            consent_id=read.consent_id,
            scope=read.scope,
            acr=read.acr,
            binding_message=read.binding_message,
            username=await self._hinted(bank, client, claims),
            seconds=read.seconds,
        )

    async def _verified(self, bank: Bank, client: Client, token: str | None) -> dict[str, Any]:
        if token is None:
            raise _invalid("A signed request is required.")
        required = ("iss", "aud", "exp", "iat", "nbf", "jti")
        try:
            claims = verify_token(token, client.keys, issuer=client.id, audiences=(bank.issuer,), required=required)
        except TokenRefused as refused:
            raise _invalid(str(refused)) from refused
        check_lifetime(claims)
        jti_hash = hashlib.sha256(f"request:{claims['jti']}".encode()).digest()
        expires_at = datetime.fromtimestamp(claims["exp"] + LEEWAY_SECONDS, UTC)
        if not await oauth_store.use_assertion(self._pool, bank.id, client.id, jti_hash, expires_at):
            raise _invalid("The request was used before.")
        return claims

    async def _check_intent(self, bank: Bank, client: Client, read: _Claims) -> None:
        awaits = await store.find_intent(self._pool, bank.id, client.id, read.resource_scope, read.consent_id)
        if awaits is None:
            raise _invalid("U011: There is no such consent.")
        if not awaits:
            raise _invalid("U009: The consent does not await a customer.")

    async def _hinted(self, bank: Bank, client: Client, claims: Mapping[str, Any]) -> str | None:
        """Return the customer whom an id_token names, or None when whoever scans the intent may answer."""
        given = [name for name in _HINTS if name in claims]
        if not given:
            return None
        if given != ["id_token_hint"]:
            raise _invalid("This bank identifies a customer by the intent alone, or by id_token_hint.")
        username = await store.find_customer(self._pool, bank.id, client.id, _hinted_intent(bank, client, claims))
        if username is None:
            raise OAuthRefused("unknown_user_id", "The id_token_hint names no customer.")
        return username


def _read_claims(client: Client, claims: Mapping[str, Any], most_seconds: int) -> _Claims:
    scope, intent = claims.get("scope"), claims.get(INTENT)
    if not isinstance(scope, str):
        raise _invalid("scope is required.")
    if not isinstance(intent, str) or not intent:
        raise _invalid(f"{INTENT} is required.")
    message = claims.get("binding_message")
    if message is not None and (not isinstance(message, str) or not _BINDING_MESSAGE.fullmatch(message)):
        raise OAuthRefused("invalid_binding_message", "Up to 40 letters, digits and simple signs, please.")
    wanted = claims.get("requested_expiry", most_seconds)
    if isinstance(wanted, bool) or not isinstance(wanted, int) or wanted < 1:
        raise _invalid("requested_expiry is a positive number of seconds.")
    known = [value for value in str(claims.get("acr_values", "")).split() if value in ACR_VALUES]
    scope, resource_scope = read_scope(client, scope)
    return _Claims(scope, resource_scope, intent, (known or ACR_VALUES)[0], message, min(wanted, most_seconds))


def _hinted_intent(bank: Bank, client: Client, claims: Mapping[str, Any]) -> str:
    """Return the intent that an id_token of ours was about; one that has expired still names its customer."""
    try:
        hint = verify_token(
            str(claims["id_token_hint"]),
            KeySet({"keys": [bank.key.jwk()]}),
            issuer=bank.issuer,
            audiences=(client.id,),
            required=("sub", "aud", "iss"),
            expired_too=True,
        )
    except TokenRefused as refused:
        raise _invalid("The id_token_hint is not one that this bank gave to this client.") from refused
    return str(hint["sub"])


def _invalid(description: str) -> OAuthRefused:
    return OAuthRefused("invalid_request", description)
