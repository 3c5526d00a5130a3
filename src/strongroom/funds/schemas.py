"""The JSON shapes of the funds API: what is read, and what is answered and sent in events."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated, Any

import msgspec
from msgspec import Meta

from strongroom.funds.model import MAX_AMOUNT_MINOR, AccountKind, Purpose
from strongroom.funds.names import Outcome, ThirdParty
from strongroom.funds.states import (
    PAYMENT_PUBLIC,
    AccountRequestState,
    AuthenticationState,
    CaseState,
    ReceivingState,
    RequestState,
)
from strongroom.kit.body import Shape
from strongroom.kit.money import PENCE_PER_POUND

_MONEY = {"type": "number", "exclusiveMinimum": 0, "maximum": MAX_AMOUNT_MINOR // PENCE_PER_POUND, "examples": [100.0]}
_MONEY_TEXT = {"type": "string", "pattern": "^[0-9]{1,9}([.][0-9]{1,2})?$", "examples": ["100.00"]}
_TIME = {"format": "date-time"}

Text = Annotated[str, Meta(min_length=1, max_length=140)]
CaseRef = Annotated[str, Meta(min_length=1, max_length=64, description="Your reference of the case; need not be unique")]
Reference = Annotated[
    str, Meta(min_length=1, max_length=35, description="Your reference; `statementReference` is what the bank statement will show")
]
Email = Annotated[
    str,
    Meta(min_length=3, max_length=254, description="Compared without regard to capitals", extra_json_schema={"format": "email"}),
]
BornOn = Annotated[
    str,
    Meta(max_length=10, description="A date that gives an age of 16 to 120 years", extra_json_schema={"format": "date"}),
]
Phone = Annotated[
    str,
    Meta(
        min_length=5,
        max_length=30,
        description="A mobile number: `447300000001`, `+44 7300 000001` or `07300 000001`",
        extra_json_schema={"pattern": "^[+0-9 ().-]{5,30}$"},
    ),
]
Id = Annotated[str, Meta(min_length=1, max_length=40)]
Flag = Annotated[bool | None, Meta(description="Whether to send the customer a text message; left out, the firm's setting decides")]
Expiry = Annotated[
    datetime | None,
    Meta(description="When the request ends unanswered: RFC 3339 with an offset, in the future, within two years"),
]
Pounds = Annotated[
    msgspec.Raw,
    Meta(
        description="Pounds with at most two decimals, as a plain number (no exponent) or as text",
        extra_json_schema={"anyOf": [_MONEY, _MONEY_TEXT]},
    ),
]
PoundsOut = Annotated[
    msgspec.Raw,
    Meta(description="Pounds, printed with two decimals", extra_json_schema={"type": "number", "minimum": 0, "examples": [100.0]}),
]
Time = Annotated[str, Meta(description="RFC 3339 in UTC", extra_json_schema=_TIME)]
Kind = Annotated[
    str,
    Meta(
        description="What the money is for; deposits and completion money (of a property) go to client accounts only",
        extra_json_schema={"enum": [*Purpose]},
    ),
]
Currency = Annotated[str, Meta(extra_json_schema={"enum": ["GBP"]})]
CaseStatus = Annotated[str, Meta(extra_json_schema={"enum": [*CaseState]})]
CreditRequestStatus = Annotated[
    str,
    Meta(
        description="`completed`: the customer's bank has executed the payment, which is not cleared funds; "
        "`received`: credited to the receiving account",
        extra_json_schema={"enum": [*RequestState]},
    ),
]
PaymentStatus = Annotated[
    str,
    Meta(
        description="`unconfirmed`: the bank does not say; nothing else may be paid until it does",
        extra_json_schema={"enum": sorted(set(PAYMENT_PUBLIC.values()))},
    ),
]
AccountRequestStatus = Annotated[str, Meta(extra_json_schema={"enum": [*AccountRequestState]})]
AuthenticationStatus = Annotated[str, Meta(extra_json_schema={"enum": [*AuthenticationState]})]
ReceivingStatus = Annotated[str, Meta(extra_json_schema={"enum": [*ReceivingState]})]
YesNo = Annotated[
    str,
    Meta(
        description="Whether somebody else than the customer paid, judged by the name that the bank gave",
        extra_json_schema={"enum": [*ThirdParty]},
    ),
]


class NewCustomerIn(Shape, frozen=True, kw_only=True):
    """A customer to be added."""

    name: Text
    email: Email
    date_of_birth: BornOn
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
    date_of_birth: BornOn | msgspec.UnsetType = msgspec.UNSET
    phone: Phone | msgspec.UnsetType = msgspec.UNSET


class NewCreditRequestIn(Shape, frozen=True, kw_only=True):
    """A request for an amount. `amount` is kept as the token that was sent, so that no binary fraction touches it."""

    case_id: Id
    reference: Reference
    description: Text
    amount: Pounds
    customer_id: Id | None = None
    currency: Currency = "GBP"
    receiving_account_id: Id | None = None
    expires_at: Expiry = None
    purpose: Kind = "other"
    allow_split: bool = False
    notify: Flag = None


class NewAccountRequestIn(Shape, frozen=True, kw_only=True):
    """A request to share bank details."""

    case_id: Id
    customer_id: Id | None = None
    expires_at: Expiry = None
    notify: Flag = None


class NewAuthenticationIn(Shape, frozen=True, kw_only=True):
    """Permission for a customer to log in to the hosted website."""

    case_id: Id
    customer_id: Id


class LoginGrantIn(Shape, rename=None, frozen=True, kw_only=True):
    """The document's own names, of which one is written with an underscore."""

    grant_type: Annotated[str, Meta(extra_json_schema={"enum": ["customer_login"]})]
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
    """A customer. Of one who has been erased, name, e-mail address, date of birth and phone are empty."""

    id: str
    case_id: str
    name: str
    email: str
    date_of_birth: str
    phone: str
    opened_at: Time | None = None
    created_at: Time


class CaseOut(Out, frozen=True, kw_only=True):
    """A case with its customers and the ids of its requests."""

    id: str
    case_ref: str
    status: CaseStatus
    customers: list[CustomerOut]
    credit_requests: list[IdOut] = []
    customer_account_requests: list[IdOut] = []
    created_at: Time
    changed_at: Time


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
    status: PaymentStatus
    amount: PoundsOut
    bank_payment_id: str | None = None
    bank_status: str | None = None
    end_to_end_id: str
    failure: FailureOut | None = None
    payer: PayerOut | None = None
    third_party_payer: YesNo = msgspec.field(name="thirdPartyPayer")
    created_at: Time
    returned_at: Time | None = None
    submitted_at: Time | None = None
    completed_at: Time | None = None
    received_at: Time | None = None
    ended_at: Time | None = None


class PartsOut(Out, frozen=True, kw_only=True):
    """How far a request that may be paid in parts has come. The three always come to the amount."""

    paid: PoundsOut
    in_flight: PoundsOut
    outstanding: PoundsOut


class CreditRequestOut(Out, frozen=True, kw_only=True):
    """A request for an amount, and the payment that fulfils it. `completed` never means cleared funds; `received` does."""

    id: str
    case_id: str
    customer_id: str | None = None
    status: CreditRequestStatus
    amount: PoundsOut
    currency: Currency
    reference: str
    statement_reference: str
    description: str
    purpose: Kind
    allow_split: bool = msgspec.field(name="allowSplit")
    receiving_account_id: str
    frozen: bool = False
    expires_at: Time | None = None
    last_failure: FailureOut | None = None
    partly_paid: PartsOut | None = None
    payment: PaymentOut | None = None
    created_at: Time
    submitted_at: Time | None = None
    completed_at: Time | None = None
    received_at: Time | None = None


class NameMatchOut(Out, frozen=True, kw_only=True):
    """How the account's name compares with the customer's."""

    outcome: Annotated[str, Meta(extra_json_schema={"enum": [*Outcome]})]
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
    shared_at: Time


class AccountRequestOut(Out, frozen=True, kw_only=True):
    """A request to share bank details, and what was shared."""

    id: str
    case_id: str
    customer_id: str | None = None
    status: AccountRequestStatus
    asked: list[str]
    results: list[ShareResultOut] = msgspec.field(name="results")
    frozen: bool = False
    expires_at: Time | None = None
    last_failure: FailureOut | None = None
    created_at: Time
    completed_at: Time | None = None


class AuthenticationOut(Out, frozen=True, kw_only=True):
    """What lets a customer log in to the hosted website."""

    id: str
    case_id: str
    customer_id: str
    status: AuthenticationStatus
    invited_at: Time | None = None
    verified_at: Time | None = None
    created_at: Time


class ReceivingAccountOut(Out, frozen=True, kw_only=True):
    """A receiving account."""

    id: str
    status: ReceivingStatus
    kind: Annotated[str, Meta(extra_json_schema={"enum": [*AccountKind]})]
    account_name: str
    account_number_last4: str = msgspec.field(name="accountNumberLast4")
    default: bool = msgspec.field(name="default")
    usable_from: Time | None = None
    created_at: Time


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
