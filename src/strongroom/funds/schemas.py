"""The JSON shapes of the funds API: what is read, and what is answered and sent in events."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated, Any

import msgspec

from strongroom.kit.body import Shape

Text = Annotated[str, msgspec.Meta(min_length=1, max_length=140)]
CaseRef = Annotated[str, msgspec.Meta(min_length=1, max_length=64)]
Reference = Annotated[str, msgspec.Meta(min_length=1, max_length=35)]
Email = Annotated[str, msgspec.Meta(min_length=3, max_length=254)]
Phone = Annotated[str, msgspec.Meta(min_length=5, max_length=30)]
Id = Annotated[str, msgspec.Meta(min_length=1, max_length=40)]


class NewCustomerIn(Shape, frozen=True, kw_only=True):
    """A customer to be added."""

    name: Text
    email: Email
    date_of_birth: Annotated[str, msgspec.Meta(max_length=10)]
    phone: Phone


class NewCaseIn(Shape, frozen=True, kw_only=True):
    """A case with its customers."""

    case_ref: CaseRef
    customers: Annotated[list[NewCustomerIn], msgspec.Meta(min_length=1, max_length=20)]


class CaseChangeIn(Shape, frozen=True, kw_only=True):
    """What may be changed of a case."""

    case_ref: CaseRef


class CustomerChangeIn(Shape, frozen=True, kw_only=True):
    """What may be changed of a customer; what is left out stays."""

    name: Text | msgspec.UnsetType = msgspec.UNSET
    email: Email | msgspec.UnsetType = msgspec.UNSET
    date_of_birth: Annotated[str, msgspec.Meta(max_length=10)] | msgspec.UnsetType = msgspec.UNSET
    phone: Phone | msgspec.UnsetType = msgspec.UNSET


class NewCreditRequestIn(Shape, frozen=True, kw_only=True):
    """A request for an amount. `amount` is kept as the token that was sent, so that no binary fraction touches it."""

    case_id: Id
    reference: Reference
    description: Text
    amount: msgspec.Raw
    customer_id: Id | None = None
    currency: str = "GBP"
    receiving_account_id: Id | None = None
    expires_at: datetime | None = None
    purpose: str = "other"
    allow_split: bool = False
    notify: bool | None = None


class NewAccountRequestIn(Shape, frozen=True, kw_only=True):
    """A request to share bank details."""

    case_id: Id
    customer_id: Id | None = None
    expires_at: datetime | None = None
    notify: bool | None = None


class NewAuthenticationIn(Shape, frozen=True, kw_only=True):
    """Permission for a customer to log in to the hosted website."""

    case_id: Id
    customer_id: Id


class LoginGrantIn(Shape, rename=None, frozen=True, kw_only=True):
    """The document's own names, of which one is written with an underscore."""

    grant_type: str
    caseId: Id  # noqa: N815  # the document's name
    customerId: Id  # noqa: N815  # the document's name


class Out(msgspec.Struct, frozen=True, omit_defaults=True, rename="camel", kw_only=True):
    """The shape of an answer: camelCase names, what is not known left out."""


class IdOut(Out, frozen=True, kw_only=True):
    """Only the id of what was created."""

    id: str


class CreatedCaseOut(Out, frozen=True, kw_only=True):
    """The ids of a new case and of its customers, in the order given."""

    id: str
    customers: list[IdOut]


class FailureOut(Out, frozen=True, kw_only=True):
    """Why the last attempt came to nothing."""

    code: str
    message: str


class CustomerOut(Out, frozen=True, kw_only=True):
    """A customer."""

    id: str
    case_id: str
    name: str
    email: str
    date_of_birth: str
    phone: str
    opened_at: str | None = None
    created_at: str


class CaseOut(Out, frozen=True, kw_only=True):
    """A case with its customers and the ids of its requests."""

    id: str
    case_ref: str
    status: str
    customers: list[CustomerOut]
    credit_requests: list[IdOut] = []
    customer_account_requests: list[IdOut] = []
    created_at: str
    changed_at: str


class PayerOut(Out, frozen=True, kw_only=True):
    """Who paid, as far as the bank told."""

    account_name: str | None = None
    sort_code: str | None = None
    account_number_last4: str | None = msgspec.field(name="accountNumberLast4", default=None)


class PaymentOut(Out, frozen=True, kw_only=True):
    """One attempt to pay."""

    id: str
    credit_request_id: str
    customer_id: str
    bank: str
    status: str
    amount: msgspec.Raw
    bank_payment_id: str | None = None
    bank_status: str | None = None
    end_to_end_id: str
    failure: FailureOut | None = None
    payer: PayerOut | None = None
    third_party_payer: str = msgspec.field(name="thirdPartyPayer")
    created_at: str
    returned_at: str | None = None
    submitted_at: str | None = None
    completed_at: str | None = None
    received_at: str | None = None
    ended_at: str | None = None


class CreditRequestOut(Out, frozen=True, kw_only=True):
    """A request for an amount, and the payment that fulfils it. `completed` never means cleared funds; `received` does."""

    id: str
    case_id: str
    customer_id: str | None = None
    status: str
    amount: msgspec.Raw
    currency: str
    reference: str
    statement_reference: str
    description: str
    purpose: str
    allow_split: bool = msgspec.field(name="allowSplit")
    receiving_account_id: str
    frozen: bool = False
    expires_at: str | None = None
    last_failure: FailureOut | None = None
    payment: PaymentOut | None = None
    created_at: str
    submitted_at: str | None = None
    completed_at: str | None = None
    received_at: str | None = None


class NameMatchOut(Out, frozen=True, kw_only=True):
    """How the account's name compares with the customer's."""

    outcome: str
    score: int = msgspec.field(name="score")
    compared: list[str] = msgspec.field(name="compared")


class SharedAccountOut(Out, frozen=True, kw_only=True):
    """The account that a customer shared; full numbers only where the caller may have them."""

    account_name: str | None = None
    sort_code: str | None = None
    account_number: str | None = None
    account_number_last4: str | None = msgspec.field(name="accountNumberLast4", default=None)
    iban: str | None = None
    account_type: str | None = None
    bank: str | None = None


class ShareResultOut(Out, frozen=True, kw_only=True):
    """One customer's answer to a customer account request."""

    customer_id: str
    account: SharedAccountOut
    name_match: NameMatchOut
    review_required: bool = msgspec.field(name="reviewRequired")
    shared_at: str


class AccountRequestOut(Out, frozen=True, kw_only=True):
    """A request to share bank details, and what was shared."""

    id: str
    case_id: str
    customer_id: str | None = None
    status: str
    asked: list[str]
    results: list[ShareResultOut] = msgspec.field(name="results")
    frozen: bool = False
    expires_at: str | None = None
    last_failure: FailureOut | None = None
    created_at: str
    completed_at: str | None = None


class AuthenticationOut(Out, frozen=True, kw_only=True):
    """What lets a customer log in to the hosted website."""

    id: str
    case_id: str
    customer_id: str
    status: str
    invited_at: str | None = None
    verified_at: str | None = None
    created_at: str


class ReceivingAccountOut(Out, frozen=True, kw_only=True):
    """A receiving account."""

    id: str
    status: str
    kind: str
    account_name: str
    account_number_last4: str = msgspec.field(name="accountNumberLast4")
    default: bool = msgspec.field(name="default")
    usable_from: str | None = None
    created_at: str


class GrantOut(Out, frozen=True, kw_only=True):
    """A login grant."""

    grant_token: str


class ListOut(Out, frozen=True, kw_only=True):
    """One page of a list; `next` is the cursor of the next page."""

    data: list[Any]
    next: str | None = msgspec.field(name="next")


def print_time(value: datetime | None) -> str | None:
    """Print a time as RFC 3339 in UTC."""
    return value.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ") if value else None


def print_known_time(value: datetime) -> str:
    """Print a time that is always there."""
    return value.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
