"""Customer authentications, login grants and receiving accounts over REST."""

from __future__ import annotations

from typing import Any

from litestar import Response, get, post
from litestar.handlers import HTTPRouteHandler
from litestar.params import FromPath, RawBody

from strongroom.access.model import Scope
from strongroom.funds.api.cases import (
    After,
    CaseIdFilter,
    CaseRefFilter,
    CreatedAfter,
    CreatedBefore,
    Limit,
    StatusFilter,
)
from strongroom.funds.api.reading import AnyRequest, answer, caller, funds, listed, once, page, refuse_idempotency
from strongroom.funds.model import ReceivingAccount
from strongroom.funds.schemas import (
    GrantOut,
    IdOut,
    LoginGrantIn,
    NewAuthenticationIn,
    ReceivingAccountOut,
    print_known_time,
    print_time,
)
from strongroom.funds.states import AuthenticationState
from strongroom.kit.body import Reader
from strongroom.kit.errors import FieldError, Invalid

_NEW_AUTHENTICATION = Reader(NewAuthenticationIn)
_GRANT = Reader(LoginGrantIn)
_READ: dict[str, Any] = {"scope": Scope.FUNDS_READ}
_WRITE: dict[str, Any] = {"scope": Scope.FUNDS_WRITE}


@post("/api/1.0/customerAuthentications", opt=_WRITE)
async def create_authentication(request: AnyRequest, body: RawBody) -> Response[bytes]:
    """Let a customer log in to the hosted website, and send them the link."""
    read = _NEW_AUTHENTICATION.read(body)
    who, actor = caller(request)
    key = once(request, body)
    created = await funds(request).authentications.create(who.firm_id, actor, read.case_id, read.customer_id, key)
    return answer(IdOut(id=created.id), status_code=201, replayed=key.replayed)


@get("/api/1.0/customerAuthentications", opt=_READ)
async def list_authentications(
    request: AnyRequest,
    limit: Limit = 25,
    after: After = None,
    case_id: CaseIdFilter = None,
    case_ref: CaseRefFilter = None,
    status: StatusFilter = None,
    created_after: CreatedAfter = None,
    created_before: CreatedBefore = None,
) -> Response[bytes]:
    """List customer authentications, newest first."""
    asked = page(
        limit=limit, after=after, case_id=case_id, case_ref=case_ref, status=status,
        created_after=created_after, created_before=created_before, statuses=AuthenticationState,
    )  # fmt: skip
    who, _ = caller(request)
    return listed(await funds(request).authentications.list_authentications(who.firm_id, asked), asked)


@get("/api/1.0/customerAuthentications/{authentication_id:str}", opt=_READ)
async def get_authentication(request: AnyRequest, authentication_id: FromPath[str]) -> Response[bytes]:
    """Return a customer authentication."""
    who, _ = caller(request)
    return answer(await funds(request).authentications.get(who.firm_id, authentication_id))


@post("/api/1.0/customerAuthentications/{authentication_id:str}/revoke", status_code=200, opt=_WRITE)
async def revoke_authentication(request: AnyRequest, authentication_id: FromPath[str]) -> Response[bytes]:
    """Let a customer log in no more, and end their sessions."""
    who, actor = caller(request)
    return answer(await funds(request).authentications.revoke(who.firm_id, actor, authentication_id))


@post("/api/1.0/customerLoginGrant", status_code=200, opt=_WRITE)
async def create_login_grant(request: AnyRequest, body: RawBody) -> Response[bytes]:
    """Vouch for a customer: a single-use grant that lives 30 seconds."""
    refuse_idempotency(request)
    read = _GRANT.read(body)
    if read.grant_type != "customer_login":
        raise Invalid(errors=(FieldError("/grant_type", "must be customer_login"),))
    who, actor = caller(request)
    return answer(GrantOut(grant_token=await funds(request).grants.issue(who.firm_id, actor, read.caseId, read.customerId)))


@get("/api/1.0/receivingAccounts", opt=_READ)
async def list_receiving_accounts(request: AnyRequest) -> Response[bytes]:
    """List the firm's receiving accounts; they are proposed and approved by its staff, never through the API."""
    who, _ = caller(request)
    found = await funds(request).receiving.list_accounts(who.firm_id)
    return answer({"data": [shape_receiving_account(one) for one in found], "next": None})


def routes() -> list[HTTPRouteHandler]:
    """Return the handlers of this file."""
    return [
        create_authentication, list_authentications, get_authentication, revoke_authentication, create_login_grant,
        list_receiving_accounts,
    ]  # fmt: skip


def shape_receiving_account(account: ReceivingAccount) -> ReceivingAccountOut:
    """Shape a receiving account; the full numbers stay inside."""
    return ReceivingAccountOut(
        id=account.id,
        status=account.state,
        kind=str(account.kind),
        account_name=account.account_name,
        account_number_last4=account.account_number_last4,
        default=account.is_default,
        usable_from=print_time(account.usable_from),
        created_at=print_known_time(account.created_at),
    )
