"""Pushed authorisation requests (RFC 9126): the client leaves its signed request here and sends the customer with a reference."""

from __future__ import annotations

import secrets
from collections.abc import Mapping

from modelbank.banks import Bank
from modelbank.database import Pool
from modelbank.oauth import store
from modelbank.oauth.clients import authenticate_client
from modelbank.oauth.errors import NO_STORE, OAuthRefused, RequestRefused
from modelbank.oauth.requests import read_request
from modelbank.web.asgi import BadRequest, Request, Response, json_response

REFERENCE = "urn:ietf:params:oauth:request_uri:"
PUSHED_SECONDS = 90
_OF_AUTHENTICATION = {"client_assertion", "client_assertion_type"}


class PushEndpoint:
    """Answers `POST /par`, and gives back at the authorisation endpoint what was left."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool

    async def answer(self, bank: Bank, request: Request) -> Response:
        """Keep a request that would be accepted, or refuse in OAuth's words."""
        try:
            client_id, left = await self._read(bank, request)
        except BadRequest as wrong:
            return OAuthRefused("invalid_request", str(wrong)).response()
        except RequestRefused as refused:
            return OAuthRefused(refused.code, refused.description).response()
        except OAuthRefused as refused:
            return refused.response()
        reference = REFERENCE + secrets.token_urlsafe(32)
        await store.push_request(self._pool, bank.id, client_id, reference, left, PUSHED_SECONDS)
        return json_response(201, {"request_uri": reference, "expires_in": PUSHED_SECONDS}, *NO_STORE)

    async def _read(self, bank: Bank, request: Request) -> tuple[str, str]:
        """Return the client and its request object. Raise BadRequest, OAuthRefused or RequestRefused."""
        form = request.form()
        client = await authenticate_client(self._pool, bank, form, request.certificate)
        if "request_uri" in form:
            raise OAuthRefused("invalid_request", "A pushed request names no other.")
        left = {name: value for name, value in form.items() if name not in _OF_AUTHENTICATION} | {"client_id": client.id}
        read_request(bank, left)
        return client.id, left["request"]

    async def resolve(self, bank: Bank, params: Mapping[str, str]) -> dict[str, str]:
        """Return the request that a reference stands for, once; anything else as it is, where it may be. Raise RequestRefused.

        Whatever else stands beside a reference does not count (RFC 9101 §6.3).
        """
        reference, client_id = params.get("request_uri", ""), params.get("client_id", "")
        if not reference.startswith(REFERENCE) or "request" in params:
            if bank.config.require_pushed_requests:
                raise RequestRefused("invalid_request", "This bank takes pushed requests alone (RFC 9126).")
            return dict(params)
        request = await store.take_request(self._pool, bank.id, client_id, reference)
        if request is None:
            raise RequestRefused("invalid_request_uri", "The request was used, is too old, or was never left here.")
        return {"client_id": client_id, "request": request}
