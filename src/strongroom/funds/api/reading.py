"""What all routes of the funds API share: who calls, which page of a list, which idempotency key, how an answer is written."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, TypeVar

import msgspec
from litestar import Request, Response

from strongroom.access.guard import caller_of
from strongroom.access.model import Caller
from strongroom.funds.account_requests import AccountRequests
from strongroom.funds.authentications import Authentications
from strongroom.funds.cases import Cases
from strongroom.funds.customer_changes import CustomerChanges
from strongroom.funds.customers import Customers
from strongroom.funds.grants import LoginGrants
from strongroom.funds.model import PAGE_LIMIT, Actor, Page
from strongroom.funds.receiving import ReceivingAccounts
from strongroom.funds.requests import CreditRequests
from strongroom.funds.schemas import ListOut
from strongroom.kit.db import Database
from strongroom.kit.errors import FieldError, Invalid
from strongroom.kit.idempotency import KEY_MAX_LENGTH, Once
from strongroom.kit.vault import Vault

STATE = "funds"
AnyRequest = Request[Any, Any, Any]
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class FundsApi:
    """What the handlers call; the application keeps it in its state under `STATE`."""

    db: Database
    vault: Vault
    cases: Cases
    customers: Customers
    customer_changes: CustomerChanges
    requests: CreditRequests
    account_requests: AccountRequests
    authentications: Authentications
    grants: LoginGrants
    receiving: ReceivingAccounts


def funds(request: AnyRequest) -> FundsApi:
    """Return the use cases."""
    found: FundsApi = request.app.state[STATE]
    return found


def caller(request: AnyRequest) -> tuple[Caller, Actor]:
    """Return who calls, and their name for the audit."""
    who = caller_of(request)
    return who, Actor(who.actor)


def once(request: AnyRequest, body: bytes) -> Once:
    """Return the idempotency of a request. Raise Invalid for a key that is empty, too long or given twice."""
    given = request.headers.getall("idempotency-key", [])
    who = caller_of(request)
    if not given:
        return Once(funds(request).vault)
    if len(given) > 1 or not 0 < len(given[0]) <= KEY_MAX_LENGTH or not given[0].isprintable():
        raise Invalid(
            f"Idempotency-Key is given once and has 1 to {KEY_MAX_LENGTH} printable characters",
            errors=(FieldError("/Idempotency-Key", f"has 1 to {KEY_MAX_LENGTH} printable characters"),),
        )
    fingerprint = f"{request.method} {request.scope['path']}\n".encode() + body
    return Once(funds(request).vault, who.client_id, given[0], fingerprint)


def refuse_idempotency(request: AnyRequest) -> None:
    """Refuse the header where the answer holds a secret, which is never stored."""
    if "idempotency-key" in request.headers:
        raise Invalid("Idempotency-Key is not accepted here, because the answer holds a secret that is never stored")


def page(
    *,
    limit: int = 25,
    after: str | None = None,
    case_id: str | None = None,
    case_ref: str | None = None,
    status: str | None = None,
    created_after: str | None = None,
    created_before: str | None = None,
    statuses: type | None = None,
) -> Page:
    """Return the page asked for. Raise Invalid."""
    if not 1 <= limit <= PAGE_LIMIT:
        raise Invalid(errors=(FieldError("/limit", f"is 1 to {PAGE_LIMIT}"),))
    known = [str(one) for one in statuses] if statuses else []  # type: ignore[attr-defined]  # an enum of texts
    if status is not None and known and status not in known:
        raise Invalid(errors=(FieldError("/status", f"is one of {', '.join(known)}"),))
    moments = _moment("createdAfter", created_after), _moment("createdBefore", created_before)
    return Page(limit, after, case_id, case_ref, status, *moments)


def listed(items: Sequence[Any], asked: Page) -> Response[bytes]:
    """Answer one page: the items that were asked for, and the cursor of the next page when there is one."""
    shown = list(items[: asked.limit])
    following = shown[-1].id if len(items) > asked.limit else None
    return answer(ListOut(data=shown, next=following))


def _moment(name: str, text: str | None) -> datetime | None:
    """Read a time of the query. Raise Invalid for anything but RFC 3339 with an offset."""
    if text is None:
        return None
    try:
        moment = msgspec.convert(text, datetime)
    except msgspec.ValidationError:
        moment = None
    if moment is None or moment.tzinfo is None:
        raise Invalid(errors=(FieldError(f"/{name}", "is a time by RFC 3339 with an offset, such as 2026-03-02T09:30:00Z"),))
    return moment


def answer(shape: object, *, status_code: int = 200, replayed: bool = False) -> Response[bytes]:
    """Write an answer as JSON."""
    headers = {"Idempotent-Replayed": "true"} if replayed else {}
    return Response(msgspec.json.encode(shape), status_code=status_code, headers=headers, media_type="application/json")
