"""The values of the funds context: frozen, typed, without a way to the outside."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any

import msgspec

from strongroom.funds.states import (
    REQUEST_FOLLOWS,
    AccountRequestState,
    AuthenticationState,
    PaymentState,
    RequestEvent,
    RequestState,
    ShareState,
)

MAX_CUSTOMERS = 20
MAX_AMOUNT_MINOR = 100_000_000  # £1,000,000.00: what Faster Payments carry at most
PAGE_LIMIT = 100
_LEAST_PART_MINOR = 100
_MOST_PARTS = 100


class Purpose(StrEnum):
    """What the money is for."""

    FEES = "fees"
    DEPOSIT = "deposit"
    COMPLETION = "completion"
    SEARCHES = "searches"
    OTHER = "other"


class AccountKind(StrEnum):
    """Whose money the account holds: deposits belong on a client account, fees may go to the office account."""

    CLIENT = "client"
    OFFICE = "office"


class Personal(msgspec.Struct, frozen=True):
    """What is known of a customer as a person; sealed with their own key wherever it is kept."""

    name: str
    email: str
    date_of_birth: str
    phone: str

    def __repr__(self) -> str:
        return "Personal([sealed])"


ERASED = Personal("", "", "", "")


@dataclass(frozen=True, slots=True)
class Actor:
    """Who does something, as the audit names them: `client:…`, `staff:…`, `customer:…` or `system`."""

    name: str


SYSTEM = Actor("system")


@dataclass(frozen=True, slots=True)
class Customer:
    """A person asked to pay or share."""

    firm_id: str
    id: str
    case_id: str
    personal: Personal = field(repr=False)
    opened_at: datetime | None
    created_at: datetime
    phone_usable_from: datetime | None = None


@dataclass(frozen=True, slots=True)
class Case:
    """The file that groups customers and requests."""

    firm_id: str
    id: str
    case_ref: str
    state: str
    created_at: datetime
    changed_at: datetime


@dataclass(frozen=True, slots=True)
class CreditRequest:
    """A request for an amount."""

    firm_id: str
    id: str
    case_id: str
    customer_id: str | None
    state: RequestState
    reference: str
    statement_reference: str
    description: str
    amount_minor: int
    currency: str
    purpose: str
    allow_split: bool
    receiving_account_id: str
    expires_at: datetime | None
    last_failure_code: str | None
    last_failure_message: str | None
    committed_minor: int  # what its payments have taken or may still take; never more than the amount
    frozen_at: datetime | None
    submitted_at: datetime | None
    delayed_at: datetime | None
    completed_at: datetime | None
    received_at: datetime | None
    created_at: datetime
    changed_at: datetime

    @property
    def is_delayed(self) -> bool:
        """True when the bank has had no final answer for a long time."""
        return self.delayed_at is not None

    @property
    def outstanding_minor(self) -> int:
        """What no payment has taken or may still take."""
        return self.amount_minor - self.committed_minor

    @property
    def least_part_minor(self) -> int:
        """The smallest part that may be paid: a hundredth of the amount and a pound at least, or all that is left."""
        return min(self.outstanding_minor, max(_LEAST_PART_MINOR, -(-self.amount_minor // _MOST_PARTS)))


@dataclass(frozen=True, slots=True)
class Totals:
    """What the payments of one request come to, in pence; a payment that ended without a debit or was sent back counts nowhere."""

    amount_minor: int
    paid_minor: int  # the customer's banks have executed it; part of it may be credited
    credited_minor: int
    held_minor: int
    in_flight_minor: int  # at a bank, unconfirmed or held

    @property
    def outstanding_minor(self) -> int:
        """What is neither paid nor in flight."""
        return self.amount_minor - self.paid_minor - self.in_flight_minor

    def event_for(self, reached: PaymentState) -> RequestEvent | None:
        """Return what a payment's new state means for its request, None for nothing.

        While another part is held the request stays held, and a request is received when every part is.
        """
        if reached is PaymentState.EXECUTED:
            if self.held_minor:
                return None
            return RequestEvent.PAYMENT_EXECUTED if self.paid_minor == self.amount_minor else RequestEvent.PART_EXECUTED
        if reached is PaymentState.CREDITED and self.credited_minor < self.amount_minor:
            return None
        return REQUEST_FOLLOWS.get(reached)


@dataclass(frozen=True, slots=True)
class ReceivingAccount:
    """The firm's own account that money is paid into."""

    firm_id: str
    id: str
    state: str
    kind: AccountKind
    account_name: str
    sort_code: str = field(repr=False)
    account_number: str = field(repr=False)
    account_number_last4: str
    is_default: bool
    proposed_by: str
    approved_by: str | None
    usable_from: datetime | None
    is_usable: bool
    created_at: datetime


@dataclass(frozen=True, slots=True)
class Payment:
    """One attempt, at one bank, to fulfil a credit request."""

    firm_id: str
    id: str
    request_id: str
    customer_id: str
    bank_id: str
    state: PaymentState
    amount_minor: int
    consent_key: str = field(repr=False)
    submit_key: str = field(repr=False)
    instruction_id: str
    end_to_end_id: str
    consent_id: str | None
    bank_payment_id: str | None
    bank_status: str | None
    failure_code: str | None
    failure_message: str | None
    third_party_payer: str
    tries: int
    first_submitted_at: datetime | None
    returned_at: datetime | None
    submitted_at: datetime | None
    executed_at: datetime | None
    credited_at: datetime | None
    ended_at: datetime | None
    expires_at: datetime
    created_at: datetime
    changed_at: datetime
    agreed: Mapping[str, Any]


class Payer(msgspec.Struct, frozen=True, omit_defaults=True, rename="camel"):
    """The account that the money came from, as far as the bank told."""

    account_name: str | None = None
    sort_code: str | None = None
    account_number_last4: str | None = None

    def __repr__(self) -> str:
        return "Payer([sealed])"


@dataclass(frozen=True, slots=True)
class AccountRequest:
    """A request to share bank details."""

    firm_id: str
    id: str
    case_id: str
    customer_id: str | None
    state: AccountRequestState
    asked: tuple[str, ...]
    expires_at: datetime | None
    last_failure_code: str | None
    last_failure_message: str | None
    frozen_at: datetime | None
    completed_at: datetime | None
    created_at: datetime
    changed_at: datetime


class SharedDetails(msgspec.Struct, frozen=True, omit_defaults=True, rename="camel"):
    """The bank details that a customer shared, and the holders' names that theirs was compared with."""

    account_name: str | None = None
    sort_code: str | None = None
    account_number: str | None = None
    iban: str | None = None
    account_type: str | None = None
    bank: str | None = None
    compared: tuple[str, ...] = ()

    def __repr__(self) -> str:
        return "SharedDetails([sealed])"


class AccountChoice(msgspec.Struct, frozen=True):
    """One of several accounts that came back from the bank, until the customer has picked; sealed like what is shared."""

    id: str  # its number among them: the bank's own id is nobody's business
    details: SharedDetails


@dataclass(frozen=True, slots=True)
class Share:
    """One attempt of one customer to share an account."""

    firm_id: str
    id: str
    request_id: str
    customer_id: str
    bank_id: str
    state: ShareState
    consent_id: str | None
    consent_open: bool
    failure_code: str | None
    failure_message: str | None
    name_match: Mapping[str, Any] | None
    review_required: bool | None
    returned_at: datetime | None
    shared_at: datetime | None
    ended_at: datetime | None
    expires_at: datetime
    created_at: datetime
    tries: int
    agreed: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Authentication:
    """What lets a customer log in to the hosted website."""

    firm_id: str
    id: str
    case_id: str
    customer_id: str
    state: AuthenticationState
    invited_at: datetime | None
    verified_at: datetime | None
    created_at: datetime


class FindingKind(StrEnum):
    """What people found out about a payment where the bank does not tell."""

    DEBITED = "debited"
    NOT_DEBITED = "not_debited"
    RECEIVED = "received"


@dataclass(frozen=True, slots=True)
class Finding:
    """What one member of staff found, for another to approve."""

    firm_id: str
    id: str
    payment_id: str
    request_id: str
    kind: FindingKind
    note: str = field(repr=False)
    proposed_by: str
    created_at: datetime


class ReviewReason(StrEnum):
    """Why a firm's staff must look at something."""

    THIRD_PARTY_PAYER = "third_party_payer"
    UNKNOWN_PAYER = "unknown_payer"
    NAME_MISMATCH = "name_mismatch"
    UNRECOGNISED = "unrecognised"
    UNCONFIRMED = "unconfirmed"
    PARTLY_PAID = "partly_paid"


@dataclass(frozen=True, slots=True)
class Review:
    """Something that the firm's staff must look at; `subject_id` is the request it is about."""

    firm_id: str
    id: str
    subject_id: str
    reason: ReviewReason
    created_at: datetime


class Failure(StrEnum):
    """Why an attempt came to nothing; the customer's page and the firm's `lastFailure` use the same words."""

    CANCELLED_AT_BANK = "cancelled_at_bank"
    INSUFFICIENT_FUNDS = "insufficient_funds"
    OVER_LIMIT = "over_limit"
    REFUSED_BY_BANK = "refused_by_bank"
    REJECTED_BY_BANK = "rejected_by_bank"
    BANK_UNAVAILABLE = "bank_unavailable"
    TIMED_OUT = "timed_out"
    NOT_COMPLETED = "not_completed"
    INVALID_RETURN = "invalid_return"
    CHOSE_ANOTHER_BANK = "chose_another_bank"
    NO_SUITABLE_ACCOUNT = "no_suitable_account"
    NOT_DEBITED = "not_debited"


FAILURE_MESSAGES: dict[Failure, str] = {
    Failure.CANCELLED_AT_BANK: "The customer cancelled at their bank.",
    Failure.INSUFFICIENT_FUNDS: "There was not enough money in the account that the customer chose.",
    Failure.OVER_LIMIT: "The amount is over what the customer's bank lets them pay; nothing was taken.",
    Failure.REFUSED_BY_BANK: "The customer's bank refused.",
    Failure.REJECTED_BY_BANK: "The customer's bank rejected the payment after it was sent.",
    Failure.BANK_UNAVAILABLE: "The customer's bank could not be reached, or said that it had trouble.",
    Failure.TIMED_OUT: "The customer did not finish in time.",
    Failure.NOT_COMPLETED: "The bank gave no approval that could be used, so nothing was paid or shared.",
    Failure.INVALID_RETURN: "What came back from the bank could not be verified, so nothing was paid or shared.",
    Failure.CHOSE_ANOTHER_BANK: "The customer chose another bank.",
    Failure.NO_SUITABLE_ACCOUNT: "No account that can receive money was shared.",
    Failure.NOT_DEBITED: "The customer's bank could not tell what became of the payment; the firm found that nothing was taken.",
}


# What banks' reason codes (ISO 20022) and the port's own words say about money and limits.
_BY_BANK_CODE = {
    "AM04": Failure.INSUFFICIENT_FUNDS,
    "AM23": Failure.INSUFFICIENT_FUNDS,
    "insufficient_funds": Failure.INSUFFICIENT_FUNDS,
    "AM02": Failure.OVER_LIMIT,
    "AM14": Failure.OVER_LIMIT,
    "AM21": Failure.OVER_LIMIT,
    "over_limit": Failure.OVER_LIMIT,
}


def failure_for(bank_code: str | None, otherwise: Failure) -> Failure:
    """Return what a bank's reason code means, `otherwise` when it says nothing that the customer could act on."""
    return _BY_BANK_CODE.get(bank_code or "", otherwise)


@dataclass(frozen=True, slots=True)
class Page:
    """One page of a list: what to filter by and where to go on."""

    limit: int = 25
    after: str | None = None
    case_id: str | None = None
    case_ref: str | None = None
    status: str | None = None
    created_after: datetime | None = None
    created_before: datetime | None = None


class AuditTag(StrEnum):
    """Everything that the funds context writes to the audit."""

    CASE_CREATED = "funds:case:created"
    CASE_CHANGED = "funds:case:changed"
    CASE_CLOSED = "funds:case:closed"
    CASE_HELD = "funds:case:held"
    CASE_RELEASED = "funds:case:released"
    CUSTOMER_ERASED = "funds:customer:erased"
    CUSTOMER_ADDED = "funds:customer:added"
    CUSTOMER_CHANGED = "funds:customer:changed"
    CUSTOMER_PHONE_CHANGED = "funds:customer:phone_changed"
    CREDIT_REQUESTED = "funds:credit_request:created"
    CREDIT_CANCELLED = "funds:credit_request:cancelled"
    CREDIT_EXPIRED = "funds:credit_request:expired"
    CREDIT_RESENT = "funds:credit_request:resent"
    ACCOUNT_REQUESTED = "funds:account_request:created"
    ACCOUNT_CANCELLED = "funds:account_request:cancelled"
    ACCOUNT_EXPIRED = "funds:account_request:expired"
    ACCOUNT_RESENT = "funds:account_request:resent"
    UNRECOGNISED = "funds:request:unrecognised"
    PAYMENT_AGREED = "funds:payment:agreed"
    PAYMENT_MOVED = "funds:payment:moved"
    EVIDENCE_GIVEN = "funds:payment:evidence_given"
    FINDING_PROPOSED = "funds:payment_finding:proposed"
    FINDING_APPROVED = "funds:payment_finding:approved"
    FINDING_DECLINED = "funds:payment_finding:declined"
    REVIEW_RESOLVED = "funds:review:resolved"
    SHARE_AGREED = "funds:share:agreed"
    SHARE_MOVED = "funds:share:moved"
    CONSENT_REVOKED = "funds:share:revoked"
    AUTHENTICATION_CREATED = "funds:authentication:created"
    AUTHENTICATION_REVOKED = "funds:authentication:revoked"
    LOGGED_IN = "funds:authentication:logged_in"
    LOCKED = "funds:authentication:locked"
    GRANT_ISSUED = "funds:grant:issued"
    GRANT_USED = "funds:grant:used"
    RECEIVING_PROPOSED = "funds:receiving_account:proposed"
    RECEIVING_APPROVED = "funds:receiving_account:approved"
    RECEIVING_DECLINED = "funds:receiving_account:declined"
    RECEIVING_RETIRED = "funds:receiving_account:retired"
