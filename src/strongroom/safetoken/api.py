"""The address of issuers' software: SOAP and JSON in, the document's answers out; and the WSDL."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any, Final

from litestar import Request, Response, get, post
from litestar.exceptions.http_exceptions import RequestEntityTooLarge
from litestar.handlers import HTTPRouteHandler

from strongroom.access.guard import ENCODED_PAIR, caller_of
from strongroom.access.issuer_model import CallerReliability, CallerSecurity, Issuer
from strongroom.access.issuers import Issuers
from strongroom.access.model import Scope
from strongroom.kit.db import Tx
from strongroom.kit.errors import Forbidden, NotFound
from strongroom.kit.plain import Ready, read_body
from strongroom.safetoken.codes import INVALID_DATA
from strongroom.safetoken.enrolment import join_faults
from strongroom.safetoken.errors import answer_rest, rest_errors
from strongroom.safetoken.exchange import Effect, Operation, Sender
from strongroom.safetoken.exchange import Request as SoapRequest
from strongroom.safetoken.levels import policy_of
from strongroom.safetoken.members import BASE, SERVICES, TECHQUEST, Repeated, read_json_members, read_members
from strongroom.safetoken.messages import Messages
from strongroom.safetoken.openapi import document_json
from strongroom.safetoken.operations import ADD, NAMES, Call, CardholderOperations, ForeignBankId, answer_with
from strongroom.safetoken.postman import write_collection
from strongroom.safetoken.results import Result, write_json, write_xml
from strongroom.safetoken.wsdl import write_wsdl

STATE: Final = "safetoken"
PATH: Final = "/api/v1/safetoken"
RELIABLE_PATH: Final = f"{PATH}/reliable"
_XML: Final = "text/xml; charset=utf-8"
_JSON: Final = re.compile(r"(application|text)/json\b", re.IGNORECASE)
_READ_BY_ANYBODY: Final = {"public": "the WSDL describes what anybody may read"}
_GUARDED: Final = {"scope": Scope.SAFETOKEN_ENROL, **ENCODED_PAIR}

_Request = Request[Any, Any, Any]


@dataclass(frozen=True, slots=True)
class SafeTokenApi:
    """What the handlers call; the application keeps it in its state under `STATE`."""

    base_url: str
    issuers: Issuers
    operations: CardholderOperations
    messages: Messages


def soap_operations(operations: CardholderOperations) -> list[Operation]:
    """Return the cardholder operations as the message layer calls them."""

    def perform(name: str) -> Any:
        async def run(request: SoapRequest) -> str:
            call = _read_call(name, request)
            return write_xml(name, call if isinstance(call, Result) else await operations.perform(call))

        return run

    def prepare(name: str) -> Any:
        async def look(request: SoapRequest) -> Effect:
            call = _read_call(name, request)
            work = partial(answer_with, call) if isinstance(call, Result) else await operations.prepare(call)

            async def effect(tx: Tx) -> str:
                return write_xml(name, await work(tx))

            return effect

        return look

    namespaces = frozenset({SERVICES, BASE, TECHQUEST})
    return [Operation(name, namespaces, perform(name), f"{SERVICES}{name}Response", prepare(name)) for name in NAMES]


def answer_foreign(request: _Request, _: ForeignBankId) -> Response[bytes]:
    """Answer 403 to whoever names another's BankId."""
    return answer_rest(request, Forbidden("The BankId is not one of this client's"))


def answer_too_large(request: _Request, error: RequestEntityTooLarge) -> Response[bytes]:
    """Answer a body over the limit: by a fault, unless it was to be JSON."""
    content_type = _headers(request).get("content-type", "")
    if _JSON.match(content_type):
        return answer_rest(request, error)
    answer = Messages.refuse("The message is larger than is read here", content_type)
    return Response(answer.body, status_code=answer.status, headers=answer.headers, media_type=answer.headers["content-type"])


_ERRORS: Final[Any] = {**rest_errors(), ForeignBankId: answer_foreign, RequestEntityTooLarge: answer_too_large}


@post([PATH, RELIABLE_PATH], status_code=200, opt=_GUARDED, exception_handlers=_ERRORS)
async def receive(request: _Request) -> Ready:
    """Enrol a cardholder (`AddCardHolder`), or change, remove or show one: SOAP 1.1 or 1.2, or the same members as JSON.

    At the second address messages come in sequences of WS-ReliableMessaging only.
    """
    api = _api(request)
    body = await read_body(request)
    issuer = await api.issuers.get(caller_of(request).tenant_id)
    headers = _headers(request)
    if _JSON.match(headers.get("content-type", "")) and not _is_reliable(request):
        return await _answer_json(request, issuer, headers, body)
    answer = await api.messages.answer(body, headers, _sender(request, issuer))
    return Ready(answer.status, answer.headers, answer.body)


@get([PATH, RELIABLE_PATH], opt=_READ_BY_ANYBODY, exception_handlers=_ERRORS, sync_to_thread=False)
def show_wsdl(request: _Request) -> Response[bytes]:
    """Return the WSDL, at `?wsdl`; each address has its own."""
    asked = request.scope["query_string"].lower()
    if asked not in (b"wsdl", b"singlewsdl"):
        raise NotFound("Ask for ?wsdl, or POST a request")
    text = write_wsdl(_api(request).base_url, is_reliable=_is_reliable(request))
    return Response(text.encode(), headers={"content-type": _XML}, media_type=_XML)


@get(f"{PATH}/postman", opt={"public": "examples of what anybody may read"}, exception_handlers=_ERRORS, sync_to_thread=False)
def show_postman() -> Response[bytes]:
    """Return the Postman collection."""
    return Response(write_collection(), media_type="application/json")


@get("/api/doc/safetoken.json", opt={"public": "anybody may read how the API works"}, include_in_schema=False, sync_to_thread=False)
def show_openapi(request: _Request) -> Response[bytes]:
    """Return the OpenAPI document of Safe Token's REST faces."""
    return Response(document_json(_api(request).base_url), media_type="application/json")


def routes() -> list[HTTPRouteHandler]:
    """Return the handlers of issuers' software."""
    return [receive, show_wsdl, show_postman, show_openapi]


async def _answer_json(request: _Request, issuer: Issuer, headers: Mapping[str, str], body: bytes) -> Ready:
    """Answer the members as JSON; which operation is told by SOAPAction, and without one it is the document's."""
    if issuer.settings.caller_security in (CallerSecurity.TIMESTAMP, CallerSecurity.BODY):
        raise Forbidden("This issuer's messages must be signed, which JSON cannot be")
    if issuer.settings.caller_reliability is CallerReliability.REQUIRED or _is_reliable(request):
        raise Forbidden("Messages must come in a sequence of WS-ReliableMessaging here, which JSON cannot do")
    name = re.split(r"[/#:]", headers.get("soapaction", "").strip().strip('"'))[-1] or ADD
    if name not in NAMES:
        raise NotFound(f"There is no operation of this name; there are: {', '.join(NAMES)}")
    call = Call(name, issuer, caller_of(request).actor, read_json_members(body))
    result = await _api(request).operations.perform(call)
    return Ready(200, {"content-type": "application/json"}, write_json(result))


def _read_call(name: str, request: SoapRequest) -> Call | Result:
    """Return the call of a SOAP request, or the answer to one that says a thing twice."""
    try:
        members = read_members(request.operation)
    except Repeated as error:
        return Result(INVALID_DATA.number, join_faults((f"Repeated {error}",)))
    issuer: Issuer = request.sender.context
    return Call(name, issuer, f"client:{request.sender.caller_id}", members)


def _sender(request: _Request, issuer: Issuer) -> Sender:
    """Return who sends, and what the issuer asks of its software's messages."""
    settings, caller = issuer.settings, caller_of(request)
    policy = policy_of(settings.caller_security, settings.caller_signer_hashes, allow_sha256=settings.allow_sha256)
    return Sender(
        issuer.id,
        caller.client_id,
        policy,
        caller.certificate_hash,
        must_be_reliable=settings.caller_reliability is CallerReliability.REQUIRED or _is_reliable(request),
        address=f"{_api(request).base_url}{request.scope['path']}",
        context=issuer,
    )


def _is_reliable(request: _Request) -> bool:
    return request.scope["path"] == RELIABLE_PATH


def _headers(request: _Request) -> dict[str, str]:
    return {name.decode("latin-1"): value.decode("latin-1") for name, value in request.scope["headers"]}


def _api(request: _Request) -> SafeTokenApi:
    api: SafeTokenApi = request.app.state[STATE]
    return api
