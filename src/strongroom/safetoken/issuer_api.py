"""The address of hubs: an issuer's service `ValidateCard` and `AuthenticateOTP`, by REST in XML or JSON, and by SOAP.

Hubs are known by the certificate that they proved to hold over mutual TLS, pinned to the issuer; no token takes its place.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

from litestar import Request, Response, get, post
from litestar.exceptions.http_exceptions import RequestEntityTooLarge
from litestar.handlers import HTTPRouteHandler
from litestar.params import FromPath

from strongroom.access.issuers import Issuers
from strongroom.issuing.port import CardPrompt, CardRefused, Verdict
from strongroom.kit.crypto import Secret
from strongroom.kit.errors import Forbidden, NotFound
from strongroom.kit.http import facts
from strongroom.kit.plain import Ready, read_body
from strongroom.kit.problems import Broken, allowed_methods, refusal_headers, to_refusal
from strongroom.safetoken.cards import is_card_number
from strongroom.safetoken.codes import INVALID_DATA, UNKNOWN_ERROR
from strongroom.safetoken.errors import answer_rest, describe, log_fault, rest_errors
from strongroom.safetoken.exchange import Operation, Sender
from strongroom.safetoken.exchange import Request as SoapRequest
from strongroom.safetoken.levels import policy_of
from strongroom.safetoken.messages import Messages
from strongroom.safetoken.questions import (
    CARD,
    CODE,
    Form,
    answer_form,
    form_of,
    members_of,
    read_members,
    read_question,
    write_answer,
    write_members,
)
from strongroom.safetoken.wsdl import ISSUER, write_issuer_wsdl
from strongroom.sca.answering.model import Hub
from strongroom.sca.answering.questions import Questions

STATE: Final = "safetoken_issuer"
ADDRESS: Final = "/issuer/{bank_id}"
_PATH: Final = "/issuer/{bank_id:int}"
_XML: Final = "text/xml; charset=utf-8"
_SERVER_ERROR: Final = 500
_PINNED: Final = {"certificate": "the pinned certificate of the hub is looked at before anything is read"}

_Request = Request[Any, Any, Any]


@dataclass(frozen=True, slots=True)
class IssuerServiceApi:
    """What the handlers call; the application keeps it in its state under `STATE`."""

    base_url: str
    issuers: Issuers
    questions: Questions
    messages: Messages


def soap_operations(questions: Questions) -> list[Operation]:
    """Return the two questions as the message layer asks them."""

    async def validate(request: SoapRequest) -> str:
        members = _details(request, CARD)
        return _soap_answer("ValidateCard", await _validate(questions, request.sender.context, members))

    async def authenticate(request: SoapRequest) -> str:
        members = _details(request, CODE)
        return _soap_answer("AuthenticateOTP", await _authenticate(questions, request.sender.context, members))

    named = {"ValidateCard": validate, "AuthenticateOTP": authenticate}
    return [Operation(name, frozenset({ISSUER}), run, f"{ISSUER}{name}Response") for name, run in named.items()]


def answer_caller(request: _Request, error: Exception) -> Response[bytes]:
    """Answer what went wrong in the caller's form: a fault of ours by the contract's code, a refusal by the error object."""
    refusal = to_refusal(error)
    if isinstance(refusal, Broken):
        log_fault(error)
    form, headers = _answer_form(request), {**refusal_headers(refusal), **allowed_methods(error)}
    if refusal.status >= _SERVER_ERROR:
        body = write_answer({"ResponseCode": UNKNOWN_ERROR.number}, form)
    elif form is Form.JSON:
        return answer_rest(request, error)
    else:
        said = describe(refusal)
        body = write_answer({"Code": said.code, "Description": said.description}, form, "Error")
    return Response(body, status_code=refusal.status, headers=headers, media_type=form)


def answer_too_large(request: _Request, _: RequestEntityTooLarge) -> Response[bytes]:
    """Answer a message over the limit by a fault."""
    answer = Messages.refuse("The message is larger than is read here", _header(request, "content-type"))
    return Response(answer.body, status_code=answer.status, headers=answer.headers, media_type=answer.headers["content-type"])


_ERRORS: Final[Any] = dict.fromkeys(rest_errors(), answer_caller)
_SOAP_ERRORS: Final[Any] = {**rest_errors(), RequestEntityTooLarge: answer_too_large}


@post(f"{_PATH}/validatecard", status_code=200, opt=_PINNED, exception_handlers=_ERRORS)
async def validate_card(request: _Request) -> Ready:
    """Tell a hub whether a card has a token and how its holder is asked (`ValidateCard`)."""
    hub = await _hub(request)
    members = read_question(await read_body(request), _asked_form(request), CARD)
    return _say(request, await _validate(_api(request).questions, hub, members))


@post(f"{_PATH}/authenticateotp", status_code=200, opt=_PINNED, exception_handlers=_ERRORS)
async def authenticate_otp(request: _Request) -> Ready:
    """Judge a one-time password, once (`AuthenticateOTP`)."""
    hub = await _hub(request)
    members = read_question(await read_body(request), _asked_form(request), CODE)
    return _say(request, await _authenticate(_api(request).questions, hub, members))


@post(f"{_PATH}/soap", status_code=200, opt=_PINNED, exception_handlers=_SOAP_ERRORS)
async def receive(request: _Request) -> Ready:
    """Answer `ValidateCard` or `AuthenticateOTP` in SOAP 1.1 or 1.2, signed where the issuer's policy says so."""
    hub = await _hub(request)
    settings = hub.issuer.settings
    sender = Sender(
        hub.issuer.id,
        hub.name,
        policy_of(settings.hub_security, settings.hub_signer_hashes, allow_sha256=settings.allow_sha256),
        hub.certificate_hash,
        address=f"{_api(request).base_url}{request.scope['path']}",
        context=hub,
    )
    headers = {name.decode("latin-1"): value.decode("latin-1") for name, value in request.scope["headers"]}
    answer = await _api(request).messages.answer(await read_body(request), headers, sender)
    return Ready(answer.status, answer.headers, answer.body)


@get(
    f"{_PATH}/soap",
    opt={"public": "the WSDL describes what anybody may read"},
    exception_handlers=_SOAP_ERRORS,
    sync_to_thread=False,
)
def show_wsdl(request: _Request, bank_id: FromPath[int]) -> Response[bytes]:
    """Return the WSDL, at `?wsdl`."""
    if request.scope["query_string"].lower() not in (b"wsdl", b"singlewsdl"):
        raise NotFound("Ask for ?wsdl, or POST a request")
    text = write_issuer_wsdl(_api(request).base_url, f"/issuer/{bank_id}/soap")
    return Response(text.encode(), headers={"content-type": _XML}, media_type=_XML)


def routes() -> list[HTTPRouteHandler]:
    """Return the handlers of hubs."""
    return [validate_card, authenticate_otp, receive, show_wsdl]


async def _hub(request: _Request) -> Hub:
    """Return who asks. Raise Forbidden: the same for a stranger, for another issuer's hub and for a BankId that nobody has."""
    certificate_hash = facts(request.scope).certificate_hash
    if certificate_hash is not None:
        for issuer in await _api(request).issuers.find_by_hub(certificate_hash):
            if issuer.bank_id == request.path_params["bank_id"]:
                return Hub(issuer, certificate_hash)
    raise Forbidden("Only hubs call here: over mutual TLS, with a certificate that the issuer's operator has pinned")


async def _validate(questions: Questions, hub: Hub, members: dict[str, str] | None) -> CardPrompt | CardRefused | None:
    """Return the answer to ValidateCard; None for a question that is not complete."""
    if members is None or not is_card_number(members["CardPan"]):
        return None
    return await questions.validate_card(hub, Secret(members["CardPan"]))


async def _authenticate(questions: Questions, hub: Hub, members: dict[str, str] | None) -> Verdict | None:
    if members is None:
        return None
    return await questions.authenticate_otp(hub, Secret(members["UserId"]), Secret(members["Otp"]))


def _details(request: SoapRequest, names: tuple[str, ...]) -> dict[str, str] | None:
    return read_members(request.operation.find("RequestDetails") or request.operation, names)


def _members(answer: CardPrompt | CardRefused | Verdict | None) -> dict[str, str]:
    return {"ResponseCode": INVALID_DATA.number} if answer is None else members_of(answer)


def _soap_answer(operation: str, answer: CardPrompt | CardRefused | Verdict | None) -> str:
    return f'<{operation}Response xmlns="{ISSUER}"><Response>{write_members(_members(answer))}</Response></{operation}Response>'


def _say(request: _Request, answer: CardPrompt | CardRefused | Verdict | None) -> Ready:
    form = _answer_form(request)
    return Ready(200, {"content-type": form}, write_answer(_members(answer), form))


def _asked_form(request: _Request) -> Form:
    return form_of(_header(request, "content-type"))


def _answer_form(request: _Request) -> Form:
    return answer_form(_header(request, "accept"), _asked_form(request))


def _header(request: _Request, name: str) -> str:
    return next((value.decode("latin-1") for key, value in request.scope["headers"] if key == name.encode()), "")


def _api(request: _Request) -> IssuerServiceApi:
    api: IssuerServiceApi = request.app.state[STATE]
    return api
