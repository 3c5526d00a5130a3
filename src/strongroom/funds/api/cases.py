"""Cases and customers over REST."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date
from typing import Annotated, Any

import msgspec
from litestar import Response, get, patch, post
from litestar.handlers import HTTPRouteHandler
from litestar.params import FromPath, QueryParameter, RawBody

from strongroom.access.model import Scope
from strongroom.funds.api.reading import AnyRequest, answer, caller, funds, listed, once, page
from strongroom.funds.contacts import parse_born_on, parse_email, parse_phone
from strongroom.funds.model import Case, Customer, Personal
from strongroom.funds.schemas import (
    CaseChangeIn,
    CaseOut,
    CreatedCaseOut,
    CustomerChangeIn,
    CustomerOut,
    IdOut,
    NewCaseIn,
    NewCustomerIn,
    print_known_time,
    print_time,
)
from strongroom.funds.states import CaseState
from strongroom.kit.body import Reader, Unacceptable, parsed
from strongroom.kit.clock import own_now
from strongroom.kit.errors import FieldError, Invalid

_NEW_CASE = Reader(NewCaseIn)
_CHANGE_CASE = Reader(CaseChangeIn)
_NEW_CUSTOMER = Reader(NewCustomerIn)
_CHANGE_CUSTOMER = Reader(CustomerChangeIn)
_READ: dict[str, Any] = {"scope": Scope.FUNDS_READ}
_WRITE: dict[str, Any] = {"scope": Scope.FUNDS_WRITE}

Limit = Annotated[int, QueryParameter(name="limit", ge=1, le=100, description="How many, at most 100")]
After = Annotated[str | None, QueryParameter(name="after", max_length=40, description="The `next` of the page before")]
CaseRefFilter = Annotated[
    str | None, QueryParameter(name="caseRef", max_length=64, description="Only of cases with this reference")
]
CaseIdFilter = Annotated[str | None, QueryParameter(name="caseId", max_length=40, description="Only of this case")]
StatusFilter = Annotated[str | None, QueryParameter(name="status", max_length=40, description="Only with this status")]
CreatedAfter = Annotated[
    str | None,
    QueryParameter(name="createdAfter", max_length=40, format="date-time", description="Only created after, RFC 3339"),
]
CreatedBefore = Annotated[
    str | None,
    QueryParameter(name="createdBefore", max_length=40, format="date-time", description="Only created before, RFC 3339"),
]


@post("/api/1.0/cases", opt=_WRITE)
async def create_case(request: AnyRequest, body: RawBody) -> Response[bytes]:
    """Open a case with its customers."""
    read = _NEW_CASE.read(body)
    people = _people(read.customers)
    who, actor = caller(request)
    key = once(request, body)
    created = await funds(request).cases.create(who.firm_id, actor, _ref(read.case_ref), people, key)
    shape = CreatedCaseOut(id=created.id, customers=[IdOut(id=one.id) for one in created.customers])
    return answer(shape, status_code=201, replayed=key.replayed)


@get("/api/1.0/cases", opt=_READ)
async def list_cases(
    request: AnyRequest,
    limit: Limit = 25,
    after: After = None,
    case_ref: CaseRefFilter = None,
    status: StatusFilter = None,
    created_after: CreatedAfter = None,
    created_before: CreatedBefore = None,
) -> Response[bytes]:
    """List cases, newest first."""
    asked = page(
        limit=limit, after=after, case_ref=case_ref, status=status,
        created_after=created_after, created_before=created_before, statuses=CaseState,
    )  # fmt: skip
    who, _ = caller(request)
    found = await funds(request).cases.list_cases(who.firm_id, asked)
    return listed([shape_case(case, customers) for case, customers in found], asked)


@get("/api/1.0/cases/{case_id:str}", opt=_READ)
async def get_case(request: AnyRequest, case_id: FromPath[str]) -> Response[bytes]:
    """Return a case with its customers and the ids of its requests."""
    return await _case(request, case_id)


@patch("/api/1.0/cases/{case_id:str}", opt=_WRITE)
async def change_case(request: AnyRequest, case_id: FromPath[str], body: RawBody) -> Response[bytes]:
    """Change the reference of an open case."""
    read = _CHANGE_CASE.read(body)
    who, actor = caller(request)
    await funds(request).cases.rename(who.firm_id, actor, case_id, _ref(read.case_ref))
    return await _case(request, case_id)


@post("/api/1.0/cases/{case_id:str}/close", status_code=200, opt=_WRITE)
async def close_case(request: AnyRequest, case_id: FromPath[str]) -> Response[bytes]:
    """Close a case whose requests have all come to an end."""
    who, actor = caller(request)
    await funds(request).cases.close(who.firm_id, actor, case_id)
    return await _case(request, case_id)


@get("/api/1.0/cases/{case_id:str}/customers", opt=_READ)
async def list_customers(request: AnyRequest, case_id: FromPath[str]) -> Response[bytes]:
    """List the customers of a case."""
    who, _ = caller(request)
    found = await funds(request).customers.list_of_case(who.firm_id, case_id)
    return answer({"data": [shape_customer(one) for one in found], "next": None})


@post("/api/1.0/cases/{case_id:str}/customers", opt=_WRITE)
async def add_customer(request: AnyRequest, case_id: FromPath[str], body: RawBody) -> Response[bytes]:
    """Add a customer to an open case."""
    [person] = _people([_NEW_CUSTOMER.read(body)], prefix="")
    who, actor = caller(request)
    key = once(request, body)
    created = await funds(request).customers.add(who.firm_id, actor, case_id, person, key)
    return answer(IdOut(id=created.id), status_code=201, replayed=key.replayed)


@get("/api/1.0/customers/{customer_id:str}", opt=_READ)
async def get_customer(request: AnyRequest, customer_id: FromPath[str]) -> Response[bytes]:
    """Return a customer."""
    who, _ = caller(request)
    return answer(shape_customer(await funds(request).customers.get(who.firm_id, customer_id)))


@patch("/api/1.0/customers/{customer_id:str}", opt=_WRITE)
async def change_customer(request: AnyRequest, customer_id: FromPath[str], body: RawBody) -> Response[bytes]:
    """Change a customer's details; a new phone waits a day before it receives codes, and the old one is told."""
    changes = _changes(_CHANGE_CUSTOMER.read(body))
    who, actor = caller(request)
    return answer(shape_customer(await funds(request).customer_changes.change(who.firm_id, actor, customer_id, changes)))


def routes() -> list[HTTPRouteHandler]:
    """Return the handlers of this file."""
    return [
        create_case, list_cases, get_case, change_case, close_case, list_customers, add_customer, get_customer, change_customer,
    ]  # fmt: skip


def shape_customer(customer: Customer) -> CustomerOut:
    """Shape a customer."""
    return CustomerOut(
        id=customer.id,
        case_id=customer.case_id,
        name=customer.personal.name,
        email=customer.personal.email,
        date_of_birth=customer.personal.date_of_birth,
        phone=customer.personal.phone,
        opened_at=print_time(customer.opened_at),
        created_at=print_known_time(customer.created_at),
    )


def shape_case(
    case: Case, customers: Iterable[Customer], credit_ids: Iterable[str] = (), account_ids: Iterable[str] = ()
) -> CaseOut:
    """Shape a case."""
    return CaseOut(
        id=case.id,
        case_ref=case.case_ref,
        status=case.state,
        customers=[shape_customer(one) for one in customers],
        credit_requests=[IdOut(id=one) for one in credit_ids],
        customer_account_requests=[IdOut(id=one) for one in account_ids],
        created_at=print_known_time(case.created_at),
        changed_at=print_known_time(case.changed_at),
    )


async def _case(request: AnyRequest, case_id: str) -> Response[bytes]:
    who, _ = caller(request)
    whole = await funds(request).cases.get(who.firm_id, case_id)
    return answer(shape_case(whole.case, whole.customers, whole.credit_request_ids, whole.account_request_ids))


def _people(given: list[NewCustomerIn], prefix: str = "/customers/{index}") -> list[Personal]:
    """Check what the customers say of themselves, pointing at every field that cannot be."""
    today = own_now().date()  # a day, not a deadline: nothing is decided by it but an age
    errors: list[FieldError] = []
    people = [_person(one, prefix.format(index=index), today, errors) for index, one in enumerate(given)]
    if errors:
        raise Invalid(errors=tuple(errors))
    return people


def _person(given: NewCustomerIn, pointer: str, today: date, errors: list[FieldError]) -> Personal:
    email = _try(lambda: parse_email(given.email).given, f"{pointer}/email", errors)
    born = _try(lambda: parse_born_on(given.date_of_birth, today).isoformat(), f"{pointer}/dateOfBirth", errors)
    phone = _try(lambda: parse_phone(given.phone), f"{pointer}/phone", errors)
    name = _try(lambda: _name(given.name), f"{pointer}/name", errors)
    return Personal(name, email, born, phone)


def _try(parse: Any, pointer: str, errors: list[FieldError]) -> str:
    """Return what `parse` returns, or note why it cannot be."""
    try:
        return str(parse())
    except Unacceptable as error:
        errors.append(FieldError(pointer, str(error)))
        return ""


def _name(text: str) -> str:
    name = " ".join(text.split())
    if not name or not name.isprintable():
        raise Unacceptable("must be a name that can be printed")
    return name


def _ref(text: str) -> str:
    def check(given: str) -> str:
        if not given.strip() or not given.isprintable():
            raise Unacceptable("must be a reference that can be printed")
        return given

    return str(parsed("/caseRef", check, text))


def _changes(read: CustomerChangeIn) -> dict[str, str]:
    """Return the changed details, checked."""
    today = own_now().date()
    checks: dict[str, Any] = {
        "name": _name,
        "email": lambda text: parse_email(text).given,
        "date_of_birth": lambda text: parse_born_on(text, today).isoformat(),
        "phone": parse_phone,
    }
    pointers = {"name": "/name", "email": "/email", "date_of_birth": "/dateOfBirth", "phone": "/phone"}
    given = {name: getattr(read, name) for name in checks if getattr(read, name) is not msgspec.UNSET}
    if not given:
        raise Invalid("Nothing to change was given")
    return {name: str(parsed(pointers[name], checks[name], text)) for name, text in given.items()}
