"""The token endpoint: for the client itself, and once for a code or a decoupled request. Tokens are bound to a certificate."""

from __future__ import annotations

import base64
import hashlib
import hmac
import re
import secrets
import time
from collections.abc import Mapping
from typing import Any

from modelbank.banks import Bank, Client
from modelbank.config import Limits
from modelbank.database import Pool
from modelbank.jose.keys import half_hash
from modelbank.levers import store as levers
from modelbank.oauth import store
from modelbank.oauth.backchannel import endpoint as backchannel
from modelbank.oauth.backchannel import store as backchannel_store
from modelbank.oauth.backchannel.store import Polled
from modelbank.oauth.certificates import thumbprint
from modelbank.oauth.clients import authenticate_client
from modelbank.oauth.errors import NO_STORE, OAuthRefused
from modelbank.oauth.requests import RESOURCE_SCOPES
from modelbank.oauth.store import AccessToken, Redeemed
from modelbank.quirks import SKEW_SECONDS, Quirk
from modelbank.web.asgi import BadRequest, Request, Response, json_response

ID_TOKEN_SECONDS = 300
_VERIFIER = re.compile(r"[A-Za-z0-9._~-]{43,128}")


class TokenEndpoint:
    """Answers `POST /token`."""

    def __init__(self, pool: Pool, limits: Limits) -> None:
        self._pool = pool
        self._limits = limits

    async def answer(self, bank: Bank, request: Request) -> Response:
        """Grant a token or refuse in OAuth's words."""
        try:
            form = request.form()
            client = await authenticate_client(self._pool, bank, form, request.certificate)
            assert request.certificate is not None  # noqa: S101  # authentication has seen to it
            granted = await self._grant(bank, client, form, thumbprint(request.certificate))
        except BadRequest as wrong:
            return OAuthRefused("invalid_request", str(wrong)).response()
        except OAuthRefused as refused:
            return refused.response()
        return json_response(200, granted, *NO_STORE)

    async def _grant(self, bank: Bank, client: Client, form: Mapping[str, str], certificate: str) -> dict[str, Any]:
        match form.get("grant_type"):
            case "client_credentials":
                return await self._grant_client(bank, client, form.get("scope", ""), certificate)
            case "authorization_code":
                return await self._grant_customer(bank, client, form, certificate)
            case backchannel.GRANT_TYPE:
                return await self._grant_decoupled(bank, client, form.get("auth_req_id", ""), certificate)
            case None:
                raise OAuthRefused("invalid_request", "grant_type is required.")
            case _:
                raise OAuthRefused("unsupported_grant_type", "Use a grant type that discovery names.")

    async def _grant_client(self, bank: Bank, client: Client, scope: str, certificate: str) -> dict[str, Any]:
        scopes = [name for name in scope.split() if name != "openid"]
        if not scopes or any(name not in RESOURCE_SCOPES or name not in client.config.scopes for name in scopes):
            raise OAuthRefused("invalid_scope", f"Ask for {', '.join(RESOURCE_SCOPES)}, as registered.")
        token = secrets.token_urlsafe(32)
        grant = AccessToken(client.id, "client", " ".join(scopes), None, certificate)
        await store.add_token(self._pool, bank.id, token, grant, self._limits.client_token_seconds)
        return _bearer(token, self._limits.client_token_seconds, grant.scope)

    async def _grant_customer(self, bank: Bank, client: Client, form: Mapping[str, str], certificate: str) -> dict[str, Any]:
        code, token = form.get("code", ""), secrets.token_urlsafe(32)
        seconds = self._limits.customer_token_seconds
        async with self._pool.acquire() as connection:
            redeemed = await store.redeem_code(connection, bank.id, client.id, code)
            if redeemed is None:
                await store.revoke_tokens_of_code(connection, client.id, code)
                raise OAuthRefused("invalid_grant", "The code is not valid, or not any more.")
            _check_binding(redeemed, form)
            grant = AccessToken(client.id, "customer", redeemed.scope, redeemed.consent_id, certificate)
            await store.add_token(connection, bank.id, token, grant, seconds, redeemed.authorisation_id)
            agreed = await levers.find_agreed(connection, bank, redeemed.consent_id)
        skew_seconds = SKEW_SECONDS if agreed and Quirk.CLOCK_SKEW in agreed.quirks else 0
        id_token = bank.key.token({**id_claims(bank, client.id, redeemed, skew_seconds), "at_hash": half_hash(token)})
        return {**_bearer(token, seconds, redeemed.scope), "id_token": id_token}

    async def _grant_decoupled(self, bank: Bank, client: Client, auth_req_id: str, certificate: str) -> dict[str, Any]:
        token, seconds = secrets.token_urlsafe(32), self._limits.customer_token_seconds
        async with self._pool.acquire() as connection, connection.transaction():
            polled = await backchannel_store.poll(connection, bank.id, client.id, auth_req_id)
            if polled is not None and polled.state == "granted":
                grant = AccessToken(client.id, "customer", polled.scope, polled.consent_id, certificate)
                await store.add_token(connection, bank.id, token, grant, seconds, polled.authorisation_id)
        if polled is None or polled.state != "granted":
            raise OAuthRefused(*_NOT_GRANTED["unknown" if polled is None else polled.state])
        id_token = bank.key.token({**id_claims(bank, client.id, polled), "at_hash": half_hash(token)})
        return {**_bearer(token, seconds, polled.scope), "id_token": id_token}


# CIBA §11, by where the request stands.
_NOT_GRANTED = {
    "unknown": ("invalid_grant", "The auth_req_id is not valid."),
    "used": ("invalid_grant", "The auth_req_id was used before."),
    "waiting": ("authorization_pending", "The customer has not answered yet."),
    "too soon": ("slow_down", f"Wait {backchannel_store.SLOWER_SECONDS} seconds longer between two questions."),
    "expired": ("expired_token", "The customer did not answer in time."),
    "refused": ("access_denied", "The customer said no, or could not be authorised."),
}


def _bearer(token: str, seconds: int, scope: str) -> dict[str, Any]:
    return {"access_token": token, "token_type": "Bearer", "expires_in": seconds, "scope": scope}


def _check_binding(redeemed: Redeemed, form: Mapping[str, str]) -> None:
    """Check what the code was bound to. The code is used up already: whoever holds half of the proof may not try on."""
    if form.get("redirect_uri") != redeemed.redirect_uri:
        raise OAuthRefused("invalid_grant", "redirect_uri is not the one of the request.")
    verifier = form.get("code_verifier")
    if redeemed.code_challenge is None:
        if verifier is not None:
            raise OAuthRefused("invalid_grant", "The request had no code_challenge.")
        return
    if verifier is None or not _VERIFIER.fullmatch(verifier) or not _proves(verifier, redeemed.code_challenge):
        raise OAuthRefused("invalid_grant", "code_verifier does not prove the code_challenge.")


def _proves(verifier: str, challenge: str) -> bool:
    computed = base64.urlsafe_b64encode(hashlib.sha256(verifier.encode()).digest()).rstrip(b"=")
    return hmac.compare_digest(computed, challenge.encode())


def id_claims(bank: Bank, client_id: str, about: Redeemed | store.Authorisation | Polled, skew_seconds: int = 0) -> dict[str, Any]:
    """Return the claims that every id_token has. `sub` is the intent, as the UK profile allows: no customer is named."""
    issued_at = int(time.time()) + skew_seconds
    authenticated_at = about.authenticated_at
    return {
        "iss": bank.issuer,
        "sub": about.consent_id,
        "aud": client_id,
        "iat": issued_at,
        "exp": issued_at + ID_TOKEN_SECONDS,
        "auth_time": min(issued_at, int(authenticated_at.timestamp())) if authenticated_at else issued_at,
        "acr": about.acr,
        "openbanking_intent_id": about.consent_id,
        **({} if about.nonce is None else {"nonce": about.nonce}),
    }
