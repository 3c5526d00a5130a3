"""Stands before every resource: certificate, token, scope, headers, signature and shape, in this order; then signs the answer."""

from __future__ import annotations

import asyncio
import hmac
import ipaddress
import re
import uuid
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

import msgspec

from modelbank.banks import Bank, Client
from modelbank.config import Limits
from modelbank.database import Pool
from modelbank.levers import store as levers
from modelbank.levers.store import Agreed
from modelbank.oauth import store as oauth_store
from modelbank.oauth.certificates import thumbprint
from modelbank.oauth.store import AccessToken
from modelbank.openbanking.answers import Answer, File
from modelbank.openbanking.bodies import check_shape, parse_json
from modelbank.openbanking.errors import Bare, Code, Refused, forbidden
from modelbank.openbanking.signatures import sign_body, verify_body
from modelbank.quirks import EARLY_SECONDS, SKEW_SECONDS, Quirk
from modelbank.web.asgi import BadRequest, Request, Response

JSON = "application/json; charset=utf-8"
INVALID_TOKEN = ("www-authenticate", 'Bearer error="invalid_token"')
_INTERACTION = re.compile(r"[\x21-\x7e]{1,128}")
_BEARER = re.compile(r"bearer ([A-Za-z0-9._~+/=-]{1,512})", re.IGNORECASE)
_MAX_KEY = 40
_SIGNATURE = "x-jws-signature"
_WEB_PAGE = b"<!doctype html><html><head><title>Bad Request</title></head><body><h1>Bad Request</h1></body></html>"
_FULL_DATE = "%a, %d %b %Y %H:%M:%S"  # RFC 7231 §7.1.1.1, before its zone
_ZONES = (" GMT", " UTC")


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
    agreed: Agreed | None = None

    @property
    def quirks(self) -> frozenset[Quirk]:
        """Return the quirks that strike here."""
        return self.agreed.quirks if self.agreed else frozenset()

    @property
    def consent_id(self) -> str:
        """Return the consent that a customer's token is bound to."""
        assert self.token.consent_id is not None  # noqa: S101  # a token of a customer always has one
        return self.token.consent_id


Act = Callable[[Call], Awaitable[Answer | File | None]]


@dataclass(frozen=True, slots=True)
class Endpoint:
    """What a resource demands of a caller. `kind` is the kind of token: of the client alone, or of a customer."""

    act: Act
    scope: Literal["payments", "accounts", "fundsconfirmations"]
    kind: Literal["client", "customer"]
    shape: type[Any] | None = None
    idempotent: bool = False
    media_type: str = "application/json"

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
            return Response(bare.status, bare.body, bare.headers)
        except Refused as refused:
            return _refusal(bank, refused, is_signed=endpoint.is_signed)
        except BadRequest as wrong:
            return _refusal(bank, Refused(Code.FIELD_INVALID, str(wrong)), is_signed=endpoint.is_signed)
        if answer is None:
            return Response(204)
        if isinstance(answer, File):
            return _document(answer)
        links = {name: bank.issuer + path for name, path in {"Self": answer.self_path, **answer.pages}.items()}
        content = answer.content | {"Links": links, "Meta": answer.meta}
        skew_seconds = SKEW_SECONDS if Quirk.CLOCK_SKEW in call.quirks else 0
        response = _shape(bank, answer.status, content, is_signed=endpoint.is_signed, skew_seconds=skew_seconds)
        return _with_wrong_signature(bank, response) if await self._is_forged(call, endpoint) else response

    async def _is_forged(self, call: Call, endpoint: Endpoint) -> bool:
        if not endpoint.is_signed or call.agreed is None or Quirk.WRONG_SIGNATURE not in call.quirks:
            return False
        return await levers.disturb(self._pool, call.agreed.consent_id)

    async def _admit(self, bank: Bank, request: Request, endpoint: Endpoint) -> Call:
        token = await self._token(bank, request)
        client = bank.clients.get(token.client_id)
        if client is None:
            raise Bare(401)
        if endpoint.scope not in token.scope.split():
            raise forbidden("The token's scope does not cover this.")
        if endpoint.kind != token.kind:
            raise forbidden("This needs the other kind of token: see the standard's grant types.")
        agreed = await self._agreed(bank, token, request)
        if agreed is not None:
            await self._disturb(agreed)
        _check_media(request, endpoint)
        _check_customer(request)
        key = _idempotency_key(request) if endpoint.idempotent else ""
        if endpoint.shape is not None and endpoint.is_signed:
            verify_body(bank, client, request.headers.get(_SIGNATURE), request.body)
        content = parse_json(request.body) if endpoint.shape is not None else {}
        typed = check_shape(content, endpoint.shape) if endpoint.shape is not None else None
        return Call(bank, client, token, request, interaction_id(request), content, typed, key, agreed)

    async def _token(self, bank: Bank, request: Request) -> AccessToken:
        """Return the live token that is bound to this very certificate. Raise Bare (401, no body) otherwise."""
        match = _BEARER.fullmatch(request.headers.get("authorization", ""))
        if match is None or request.certificate is None:
            raise Bare(401, (("www-authenticate", "Bearer"),))
        token = await oauth_store.find_token(self._pool, bank.id, match[1])
        if token is None or not hmac.compare_digest(token.thumbprint, thumbprint(request.certificate)):
            raise Bare(401, (INVALID_TOKEN,))
        return token

    async def _agreed(self, bank: Bank, token: AccessToken, request: Request) -> Agreed | None:
        """Find the agreement that a request is about, with its quirks."""
        named = token.consent_id or request.values.get("ConsentId") or request.values.get("DomesticPaymentId")
        return await levers.find_agreed(self._pool, bank, named) if named else None

    async def _disturb(self, agreed: Agreed) -> None:
        """Behave as badly as was chosen. Raise Bare instead of doing what is asked."""
        quirks = agreed.quirks
        if Quirk.SLOW in quirks:
            await asyncio.sleep(self._limits.slow_seconds)
        if Quirk.DOWN in quirks and agreed.seconds_ago < self._limits.down_seconds:
            raise Bare(503, (("retry-after", str(int(self._limits.down_seconds - agreed.seconds_ago) + 1)),))
        if Quirk.TOO_MANY in quirks and await levers.comes_too_early(self._pool, agreed.consent_id):
            raise Bare(429, (("retry-after", str(EARLY_SECONDS)),))
        if Quirk.HTML_ERRORS in quirks and await levers.disturb(self._pool, agreed.consent_id):
            raise Bare(400, (("content-type", "text/html; charset=utf-8"),), _WEB_PAGE)


def interaction_id(request: Request) -> str:
    """Return the caller's x-fapi-interaction-id to be played back, or a new one."""
    given = request.headers.get("x-fapi-interaction-id", "")
    return given if _INTERACTION.fullmatch(given) else str(uuid.uuid4())


def broken(bank: Bank, path: str) -> Response:
    """Say that something unexpected went wrong at the bank (U000)."""
    refused = Refused(Code.UNEXPECTED, "Something went wrong at the bank.", status=500)
    return _refusal(bank, refused, is_signed="/pisp/" in path)


def _check_media(request: Request, endpoint: Endpoint) -> None:
    accepted = (endpoint.media_type, f"{endpoint.media_type.partition('/')[0]}/*", "*/*")
    if not any(_is_json(part, accepted) for part in request.headers.get("accept", "*/*").split(",")):
        raise Bare(406)
    if endpoint.shape is not None and not _is_json(request.headers.get("content-type", ""), ("application/json",)):
        raise Bare(415)


def _is_json(text: str, names: tuple[str, ...]) -> bool:
    """Tell whether a media type is one of these, in UTF-8 and not excluded by its weight. Other parameters say nothing."""
    media, *options = (part.strip() for part in text.lower().replace('"', "").split(";"))
    given = dict(option.replace(" ", "").split("=", 1) for option in options if "=" in option)
    return media in names and given.get("charset", "utf-8") == "utf-8" and given.get("q", "1").strip("0.") != ""


def _check_customer(request: Request) -> None:
    """Refuse what cannot be true of a customer (U006); what is left out or empty says nothing."""
    for name, check in (("x-fapi-auth-date", _check_date), ("x-fapi-customer-ip-address", ipaddress.ip_address)):
        try:
            if given := request.headers.get(name, "").strip():
                check(given)
        except ValueError:
            raise Refused(Code.HEADER_INVALID, "This cannot be.", name) from None


def _check_date(text: str) -> None:
    if not text.endswith(_ZONES):
        raise ValueError("A full date ends with its zone.")
    datetime.strptime(text[:-4], _FULL_DATE)  # noqa: DTZ007  # only whether there is such a date


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


def _document(file: File) -> Response:
    disposition = f'attachment; filename="{file.name}"'
    headers = (("content-type", f"{file.media_type}; charset=utf-8"), ("content-disposition", disposition))
    return Response(200, file.body, (*headers, ("cache-control", "no-store")))


def _refusal(bank: Bank, refused: Refused, *, is_signed: bool) -> Response:
    answer = _shape(bank, refused.status, _error(refused), is_signed=is_signed)
    return answer.with_headers(INVALID_TOKEN) if refused.code is Code.TOKEN_EXPIRED else answer


def _shape(bank: Bank, status: int, content: dict[str, Any], *, is_signed: bool, skew_seconds: int = 0) -> Response:
    body = msgspec.json.encode(content)
    headers: tuple[tuple[str, str], ...] = (("content-type", JSON), ("cache-control", "no-store"))
    if is_signed:
        headers = (*headers, (_SIGNATURE, sign_body(bank, body, skew_seconds)))
    return Response(status, body, headers)


def _with_wrong_signature(bank: Bank, answer: Response) -> Response:
    """Return the answer with the bank's signature over something else."""
    headers = tuple(header for header in answer.headers if header[0] != _SIGNATURE)
    return Response(answer.status, answer.body, (*headers, (_SIGNATURE, sign_body(bank, answer.body + b" "))))
