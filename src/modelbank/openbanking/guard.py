"""Stands before every resource: certificate, token, scope, headers, signature and shape, in this order; then signs the answer."""

from __future__ import annotations

import asyncio
import hmac
import re
import uuid
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any, Literal

import msgspec

from modelbank.banks import Bank, Client
from modelbank.config import Limits
from modelbank.database import Pool
from modelbank.ledger.customers import Behaviour
from modelbank.oauth import store as oauth_store
from modelbank.oauth.certificates import thumbprint
from modelbank.oauth.store import AccessToken
from modelbank.openbanking import store
from modelbank.openbanking.answers import Answer
from modelbank.openbanking.bodies import check_shape, parse_json
from modelbank.openbanking.errors import Bare, Code, Refused, forbidden
from modelbank.openbanking.signatures import sign_body, verify_body
from modelbank.web.asgi import BadRequest, Request, Response

JSON = "application/json; charset=utf-8"
_INTERACTION = re.compile(r"[\x21-\x7e]{1,128}")
_BEARER = re.compile(r"bearer ([A-Za-z0-9._~+/=-]{1,512})", re.IGNORECASE)
_MAX_KEY = 40
_JSON_RANGES = ("application/json", "application/*", "*/*")


@dataclass(frozen=True, slots=True)
class Call:
    """A request that the guard has let through."""

    bank: Bank
    client: Client
    token: AccessToken
    request: Request
    interaction_id: str
    content: dict[str, Any]
    typed: Any
    idempotency_key: str

    @property
    def consent_id(self) -> str:
        """Return the consent that a customer's token is bound to."""
        assert self.token.consent_id is not None  # noqa: S101  # a token of a customer always has one
        return self.token.consent_id


Act = Callable[[Call], Awaitable[Answer | None]]


@dataclass(frozen=True, slots=True)
class Endpoint:
    """What a resource demands of a caller. `kind` is the kind of token: of the client alone, or of a customer."""

    act: Act
    scope: Literal["payments", "accounts", "fundsconfirmations"]
    kind: Literal["client", "customer"]
    shape: type[Any] | None = None
    idempotent: bool = False

    @property
    def is_signed(self) -> bool:
        """Payments carry message signatures, account information and the confirmation of funds do not."""
        return self.scope == "payments"


class Guard:
    """Answers requests to resources."""

    def __init__(self, pool: Pool, limits: Limits) -> None:
        self._pool = pool
        self._limits = limits

    async def answer(self, bank: Bank, request: Request, endpoint: Endpoint) -> Response:
        """Let the request through to its endpoint and shape the answer, or refuse as the standard says."""
        try:
            call = await self._admit(bank, request, endpoint)
            answer = await endpoint.act(call)
        except Bare as bare:
            return Response(bare.status, headers=bare.headers)
        except Refused as refused:
            return _shape(bank, endpoint, refused.status, _error(refused))
        except BadRequest as wrong:
            return _shape(bank, endpoint, 400, _error(Refused(Code.FIELD_INVALID, str(wrong))))
        if answer is None:
            return Response(204)
        content = answer.content | {"Links": {"Self": bank.issuer + answer.self_path}, "Meta": answer.meta}
        return _shape(bank, endpoint, answer.status, content)

    async def _admit(self, bank: Bank, request: Request, endpoint: Endpoint) -> Call:
        token = await self._token(bank, request)
        client = bank.clients.get(token.client_id)
        if client is None:
            raise Bare(401)
        if endpoint.scope not in token.scope.split():
            raise forbidden("The token's scope does not cover this.")
        if endpoint.kind != token.kind:
            raise forbidden("This needs the other kind of token: see the standard's grant types.")
        await self._trouble(token, request)
        _check_media(request, endpoint)
        key = _idempotency_key(request) if endpoint.idempotent else ""
        if endpoint.shape is not None and endpoint.is_signed:
            verify_body(bank, client, request.headers.get("x-jws-signature"), request.body)
        content = parse_json(request.body) if endpoint.shape is not None else {}
        typed = check_shape(content, endpoint.shape) if endpoint.shape is not None else None
        return Call(bank, client, token, request, interaction_id(request), content, typed, key)

    async def _token(self, bank: Bank, request: Request) -> AccessToken:
        """Return the live token that is bound to this very certificate. Raise Bare (401, no body) otherwise."""
        match = _BEARER.fullmatch(request.headers.get("authorization", ""))
        if match is None or request.certificate is None:
            raise Bare(401, (("www-authenticate", "Bearer"),))
        token = await oauth_store.find_token(self._pool, bank.id, match[1])
        if token is None or not hmac.compare_digest(token.thumbprint, thumbprint(request.certificate)):
            raise Bare(401, (("www-authenticate", 'Bearer error="invalid_token"'),))
        return token

    async def _trouble(self, token: AccessToken, request: Request) -> None:
        """Behave as badly as the customer that was chosen asks for."""
        named = token.consent_id or request.values.get("ConsentId") or request.values.get("DomesticPaymentId")
        trouble = await store.find_trouble(self._pool, named) if named else None
        if trouble is None:
            return
        if trouble.behaviour is Behaviour.SLOW:
            await asyncio.sleep(self._limits.slow_seconds)
        if trouble.behaviour is Behaviour.DOWN and trouble.agreed_seconds_ago < self._limits.down_seconds:
            raise Bare(503, (("retry-after", str(int(self._limits.down_seconds - trouble.agreed_seconds_ago) + 1)),))


def interaction_id(request: Request) -> str:
    """Return the caller's x-fapi-interaction-id to be played back, or a new one."""
    given = request.headers.get("x-fapi-interaction-id", "")
    return given if _INTERACTION.fullmatch(given) else str(uuid.uuid4())


def _check_media(request: Request, endpoint: Endpoint) -> None:
    ranges = [part.split(";")[0].strip().lower() for part in request.headers.get("accept", "*/*").split(",")]
    if not any(part in _JSON_RANGES for part in ranges):
        raise Bare(406)
    if endpoint.shape is None:
        return
    media, *options = (part.strip().lower() for part in request.headers.get("content-type", "").split(";"))
    if media != "application/json" or any(option.replace('"', "") != "charset=utf-8" for option in options if option):
        raise Bare(415)


def _idempotency_key(request: Request) -> str:
    key = request.headers.get("x-idempotency-key")
    if key is None:
        raise Refused(Code.HEADER_MISSING, "An idempotency key is required.", "x-idempotency-key")
    if not key.strip() or len(key) > _MAX_KEY:
        raise Refused(Code.HEADER_INVALID, f"An idempotency key has 1 to {_MAX_KEY} characters.", "x-idempotency-key")
    return key


def _error(refused: Refused) -> dict[str, Any]:
    error = {"ErrorCode": refused.code, "Message": refused.message}
    if refused.path:
        error["Path"] = refused.path
    return {"Id": str(uuid.uuid4()), "Errors": [error]}


def _shape(bank: Bank, endpoint: Endpoint, status: int, content: dict[str, Any]) -> Response:
    body = msgspec.json.encode(content)
    headers: tuple[tuple[str, str], ...] = (("content-type", JSON), ("cache-control", "no-store"))
    if endpoint.is_signed:
        headers = (*headers, ("x-jws-signature", sign_body(bank, body)))
    return Response(status, body, headers)
