"""Credit requests and customer account requests over REST."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from litestar import Response, get, post
from litestar.handlers import HTTPRouteHandler
from litestar.params import FromPath, RawBody

from strongroom.access.model import Scope
from strongroom.funds.account_requests import NewAccountRequest
from strongroom.funds.api.cases import (
    After,
    CaseIdFilter,
    CaseRefFilter,
    CreatedAfter,
    CreatedBefore,
    Limit,
    StatusFilter,
)
from strongroom.funds.api.reading import AnyRequest, answer, caller, funds, listed, once, page
from strongroom.funds.model import Purpose
from strongroom.funds.requests import NewCreditRequest
from strongroom.funds.schemas import IdOut, NewAccountRequestIn, NewCreditRequestIn
from strongroom.funds.states import AccountRequestState, RequestState
from strongroom.kit.body import Reader, Unacceptable, parsed
from strongroom.kit.clock import own_now
from strongroom.kit.errors import FieldError, Invalid
from strongroom.kit.money import parse_pounds

_NEW_CREDIT = Reader(NewCreditRequestIn)
_NEW_ACCOUNT = Reader(NewAccountRequestIn)
_READ: dict[str, Any] = {"scope": Scope.FUNDS_READ}
_WRITE: dict[str, Any] = {"scope": Scope.FUNDS_WRITE}
_LATEST = timedelta(days=730)


@post("/api/1.0/creditRequests", opt=_WRITE)
async def create_credit_request(request: AnyRequest, body: RawBody) -> Response[bytes]:
    """Ask the customers of a case for an amount."""
    new = _credit(_NEW_CREDIT.read(body))
    who, actor = caller(request)
    key = once(request, body)
    created = await funds(request).requests.create(who.firm_id, actor, new, key)
    return answer(IdOut(id=created.id), status_code=201, replayed=key.replayed)


@get("/api/1.0/creditRequests", opt=_READ)
async def list_credit_requests(
    request: AnyRequest,
    limit: Limit = 25,
    after: After = None,
    case_id: CaseIdFilter = None,
    case_ref: CaseRefFilter = None,
    status: StatusFilter = None,
    created_after: CreatedAfter = None,
    created_before: CreatedBefore = None,
) -> Response[bytes]:
    """List credit requests, newest first."""
    asked = page(
        limit=limit, after=after, case_id=case_id, case_ref=case_ref, status=status,
        created_after=created_after, created_before=created_before, statuses=RequestState,
    )  # fmt: skip
    who, _ = caller(request)
    return listed(await funds(request).requests.list_requests(who.firm_id, asked), asked)


@get("/api/1.0/creditRequests/{request_id:str}", opt=_READ)
async def get_credit_request(request: AnyRequest, request_id: FromPath[str]) -> Response[bytes]:
    """Return a credit request; `completed` never means cleared funds, `received` does."""
    who, _ = caller(request)
    return answer(await funds(request).requests.get(who.firm_id, request_id))


@get("/api/1.0/creditRequests/{request_id:str}/payments", opt=_READ)
async def list_payments(request: AnyRequest, request_id: FromPath[str]) -> Response[bytes]:
    """List every attempt to pay a credit request, oldest first."""
    who, _ = caller(request)
    return answer({"data": await funds(request).requests.payments(who.firm_id, request_id), "next": None})


@post("/api/1.0/creditRequests/{request_id:str}/cancel", status_code=200, opt=_WRITE)
async def cancel_credit_request(request: AnyRequest, request_id: FromPath[str]) -> Response[bytes]:
    """Withdraw a credit request, as long as its payment can be called back."""
    who, actor = caller(request)
    return answer(await funds(request).requests.cancel(who.firm_id, actor, request_id))


@post("/api/1.0/creditRequests/{request_id:str}/resend", status_code=200, opt=_WRITE)
async def resend_credit_request(request: AnyRequest, request_id: FromPath[str]) -> Response[bytes]:
    """Send the text message again, within its limits."""
    who, actor = caller(request)
    return answer(await funds(request).requests.resend(who.firm_id, actor, request_id))


@post("/api/1.0/customerAccountRequests", opt=_WRITE)
async def create_account_request(request: AnyRequest, body: RawBody) -> Response[bytes]:
    """Ask the customers of a case for their bank details."""
    read = _NEW_ACCOUNT.read(body)
    new = NewAccountRequest(read.case_id, read.customer_id, _expiry(read.expires_at), read.notify)
    who, actor = caller(request)
    key = once(request, body)
    created = await funds(request).account_requests.create(who.firm_id, actor, new, key)
    return answer(IdOut(id=created.id), status_code=201, replayed=key.replayed)


@get("/api/1.0/customerAccountRequests", opt=_READ)
async def list_account_requests(
    request: AnyRequest,
    limit: Limit = 25,
    after: After = None,
    case_id: CaseIdFilter = None,
    case_ref: CaseRefFilter = None,
    status: StatusFilter = None,
    created_after: CreatedAfter = None,
    created_before: CreatedBefore = None,
) -> Response[bytes]:
    """List customer account requests, newest first."""
    asked = page(
        limit=limit, after=after, case_id=case_id, case_ref=case_ref, status=status,
        created_after=created_after, created_before=created_before, statuses=AccountRequestState,
    )  # fmt: skip
    who, _ = caller(request)
    return listed(await funds(request).account_requests.list_requests(who.firm_id, asked), asked)


@get("/api/1.0/customerAccountRequests/{request_id:str}", opt=_READ)
async def get_account_request(request: AnyRequest, request_id: FromPath[str]) -> Response[bytes]:
    """Return a customer account request with what was shared."""
    who, _ = caller(request)
    return answer(await funds(request).account_requests.get(who.firm_id, request_id))


@post("/api/1.0/customerAccountRequests/{request_id:str}/cancel", status_code=200, opt=_WRITE)
async def cancel_account_request(request: AnyRequest, request_id: FromPath[str]) -> Response[bytes]:
    """Withdraw a customer account request."""
    who, actor = caller(request)
    return answer(await funds(request).account_requests.cancel(who.firm_id, actor, request_id))


@post("/api/1.0/customerAccountRequests/{request_id:str}/resend", status_code=200, opt=_WRITE)
async def resend_account_request(request: AnyRequest, request_id: FromPath[str]) -> Response[bytes]:
    """Send the text message again, within its limits."""
    who, actor = caller(request)
    return answer(await funds(request).account_requests.resend(who.firm_id, actor, request_id))


def routes() -> list[HTTPRouteHandler]:
    """Return the handlers of this file."""
    return [
        create_credit_request, list_credit_requests, get_credit_request, list_payments, cancel_credit_request,
        resend_credit_request, create_account_request, list_account_requests, get_account_request, cancel_account_request,
        resend_account_request,
    ]  # fmt: skip


def _credit(read: NewCreditRequestIn) -> NewCreditRequest:
    """Check what a shape cannot say."""
    amount_minor = parsed("/amount", parse_pounds, read.amount)
    if amount_minor <= 0:
        raise Invalid(errors=(FieldError("/amount", "must be more than 0"),))
    if read.currency != "GBP":
        raise Invalid(errors=(FieldError("/currency", "must be GBP"),))
    return NewCreditRequest(
        case_id=read.case_id,
        reference=parsed("/reference", _printable, read.reference),
        description=parsed("/description", _printable, read.description),
        amount_minor=amount_minor,
        customer_id=read.customer_id,
        receiving_account_id=read.receiving_account_id,
        expires_at=_expiry(read.expires_at),
        purpose=parsed("/purpose", _purpose, read.purpose),
        allow_split=read.allow_split,
        notify=read.notify,
    )


def _purpose(text: str) -> Purpose:
    try:
        return Purpose(text)
    except ValueError:
        raise Unacceptable(f"must be one of {', '.join(Purpose)}") from None


def _printable(text: str) -> str:
    if not text.strip() or not text.isprintable():
        raise Unacceptable("must be text that can be printed")
    return text


def _expiry(moment: datetime | None) -> datetime | None:
    """Check the shape of an expiry; whether it is over is decided by the database's clock later."""
    if moment is None:
        return None
    if moment.tzinfo is None:
        raise Invalid(errors=(FieldError("/expiresAt", "must have an offset, such as Z"),))
    now = own_now()
    if not now < moment < now + _LATEST:
        raise Invalid(errors=(FieldError("/expiresAt", "must lie in the future, within two years"),))
    return moment
