"""What the product asks of a bank, as small protocols by ability: a bank may start payments, read accounts, or both.

The shapes fit a bank spoken to directly and a hosted aggregator alike: *request* makes the consent and says where to send
the customer, *return* reads what came back with them, *exchange* turns it into a grant, *submit* moves the money, and
*status* asks. An aggregator that pays by itself answers `exchange` and `submit` with what it already knows.

Nothing here keeps state. What a connector must remember between two calls (nonce, PKCE verifier, the exact signed body) it
returns as `memory`, an opaque text that the caller seals in its own row and hands back.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Protocol

from strongroom.kit.errors import Fault


class BankUnavailable(Fault):
    """The bank could not be reached and certainly did not act; asking again later is safe."""


class BankSilent(Fault):
    """Nobody knows whether the bank acted: the answer was lost, unreadable or wrongly signed. Ask, never send anew."""


class BankRefused(Fault):
    """The bank said no. Final for this attempt; `code` is the bank's own reason code, `message` our plain sentence."""


MOST_PATIENCE_SECONDS = 3600


def wait_seconds(fault: BankUnavailable | BankSilent | BankRefused | None, otherwise: float) -> float:
    """Return when to ask a bank again: as it said itself (Retry-After), at most an hour, and never sooner than `otherwise`."""
    asked = fault.retry_after_seconds if fault is not None else 0
    return max(otherwise, min(asked, MOST_PATIENCE_SECONDS))


class PaymentStatus(StrEnum):
    """Where a submitted payment stands, in the bank's eyes."""

    PENDING = "pending"  # includes every status that is unknown to us: unknown is never success
    EXECUTED = "executed"  # the customer's account is debited (ACSC, ACWP)
    CREDITED = "credited"  # the receiving account is credited (ACCC)
    HELD = "held"  # BLCK: neither posted nor returned
    REJECTED = "rejected"


class ConsentStatus(StrEnum):
    """Where a consent stands, in the bank's eyes."""

    AWAITING = "awaiting"
    AUTHORISED = "authorised"
    REJECTED = "rejected"
    CONSUMED = "consumed"
    GONE = "gone"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class CustomerContext:
    """The browser at the other end, passed on because the bank's fraud rules ask for it."""

    ip_address: str | None = None
    user_agent: str | None = None


@dataclass(frozen=True, slots=True)
class ReturnAddress:
    """Where the bank sends the customer back, and the one-time value by which we know which attempt it is."""

    redirect_uri: str
    state: str


@dataclass(frozen=True, slots=True)
class Payee:
    """The receiving account of the firm."""

    name: str
    sort_code: str  # 6 digits
    account_number: str  # 8 digits


@dataclass(frozen=True, slots=True)
class PaymentOrder:
    """One payment to be agreed by the customer at one bank. Every key comes from the payment's row."""

    instruction_id: str  # at most 35 characters, unique for ever
    end_to_end_id: str  # at most 31 characters: what Faster Payments carries
    consent_idempotency_key: str  # at most 40 characters
    submit_idempotency_key: str  # at most 40 characters
    amount_minor: int  # pence
    currency: str
    payee: Payee
    reference: str  # at most 18 characters, as the statement will show it
    purpose: str  # fees | deposit | completion | searches | other
    back: ReturnAddress
    customer: CustomerContext = CustomerContext()


@dataclass(frozen=True, slots=True)
class AccessOrder:
    """One reading of account details to be agreed by the customer at one bank."""

    expires_at: datetime
    back: ReturnAddress
    customer: CustomerContext = CustomerContext()


@dataclass(frozen=True, slots=True)
class Authorising:
    """A consent exists at the bank and waits for the customer, who is to be sent to `url`.

    Without one the bank wants the request pushed first, at the moment at which the customer leaves: ask `push_request`.
    """

    consent_id: str
    url: str | None = field(repr=False)
    memory: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class Code:
    """The customer agreed; the bank handed over a code to be exchanged once."""

    value: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class Declined:
    """The customer or the bank said no at the bank's own pages, or the return proves nothing."""

    # `cancelled`, `not_finished`, `insufficient_funds`, `over_limit`, `bank_error`, `invalid_return`, `unsaid` (the bank gave
    # neither a code nor a reason), or the bank's own
    code: str
    detail: str = ""


@dataclass(frozen=True, slots=True)
class Grant:
    """The right to submit one payment or read one set of accounts. Sealed by the caller before it is kept."""

    access_token: str = field(repr=False)
    expires_at: datetime


@dataclass(frozen=True, slots=True)
class Account:
    """An account as the bank tells it; any part but the id may be missing."""

    account_id: str
    name: str | None = field(default=None, repr=False)
    sort_code: str | None = field(default=None, repr=False)
    account_number: str | None = field(default=None, repr=False)
    iban: str | None = field(default=None, repr=False)
    account_type: str | None = None  # current | savings | e-money | other
    currency: str | None = None
    can_receive: bool = True  # False for cards and loans, which cannot take a Faster Payment


@dataclass(frozen=True, slots=True)
class PaymentReport:
    """The bank's answer about a submitted payment, with the evidence that it was the bank who said so."""

    bank_payment_id: str
    status: PaymentStatus
    bank_status: str  # the bank's own word, kept for people
    reason_code: str | None = None
    reason: str | None = None
    payer: Account | None = None
    status_at: datetime | None = None
    evidence: bytes | None = field(default=None, repr=False)  # the exact body and its detached signature, as JSON


@dataclass(frozen=True, slots=True)
class ConsentReport:
    """The bank's answer about a consent."""

    consent_id: str
    status: ConsentStatus
    reason_code: str | None = None
    reason: str | None = None


class StartsPayments(Protocol):
    """A bank at which a customer can pay."""

    async def request_payment(self, order: PaymentOrder) -> Authorising:
        """Create the consent. Raise BankUnavailable, BankSilent or BankRefused; no money can move yet."""
        ...

    async def push_request(self, memory: str) -> str:
        """Leave the authorisation request at the bank and return where to send the customer at once, each time anew (RFC 9126).

        Nothing is agreed by it, and no second consent made. Raise BankUnavailable or BankRefused.
        """
        ...

    async def accept_return(self, memory: str, fields: Mapping[str, str]) -> Code | Declined:
        """Read the fields that came back with the customer, verifying every signature and hash before believing them.

        Nothing in the fields makes it raise; BankUnavailable only when the bank's keys cannot be fetched.
        """
        ...

    async def exchange(self, memory: str, code: Code) -> Grant:
        """Exchange the code, once. Raise BankUnavailable, BankSilent (the payment then ends) or BankRefused."""
        ...

    async def submit_payment(self, memory: str, grant: Grant) -> PaymentReport:
        """Send the payment. Sending again within 23 hours with the same memory is how a lost answer is asked about.

        BankUnavailable and BankRefused speak of this sending only: after an earlier silent one, ask `consent_report` before
        ending the payment.
        """
        ...

    async def payment_report(self, memory: str, bank_payment_id: str) -> PaymentReport:
        """Ask where a submitted payment stands."""
        ...

    async def consent_report(self, memory: str) -> ConsentReport:
        """Ask where the consent stands."""
        ...


class ReadsAccounts(Protocol):
    """A bank at which a customer can share account details."""

    async def request_access(self, order: AccessOrder) -> Authorising:
        """Create the access consent. Raise BankUnavailable, BankSilent or BankRefused."""
        ...

    async def push_request(self, memory: str) -> str:
        """As for payments."""
        ...

    async def accept_return(self, memory: str, fields: Mapping[str, str]) -> Code | Declined:
        """As for payments."""
        ...

    async def exchange(self, memory: str, code: Code) -> Grant:
        """As for payments."""
        ...

    async def read_accounts(self, memory: str, grant: Grant, customer: CustomerContext) -> tuple[Account, ...]:
        """Read the accounts that the customer chose, with the holder's name looked up where the account lacks it."""
        ...

    async def close_access(self, memory: str) -> None:
        """Delete the consent at the bank. Idempotent: a consent already gone is success."""
        ...


class Bank(StartsPayments, ReadsAccounts, Protocol):
    """A bank with both abilities, as every UK Open Banking provider has."""
