"""The pages on which a customer pays. They share no sentence with the pages for sharing."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime
from enum import StrEnum
from typing import ClassVar

from strongroom.portal.views.frame import FieldProblem
from strongroom.portal.views.handing_over import PhoneOffer


@dataclass(frozen=True, slots=True)
class Slip:
    """What is to be paid: shown in the same shape and the same place on every page of the journey."""

    amount_minor: int
    description: str
    payee: str
    reference: str  # as the statement will show it
    currency: str = "GBP"
    total_minor: int | None = None  # set where `amount_minor` is a part: what was asked for
    paid_minor: int = 0  # and what is paid of it already


class OutOfReach(StrEnum):
    """Why a bank cannot be chosen at the moment."""

    MAINTENANCE = "maintenance"
    NOT_OFFERED = "not_offered"  # known to us, but not for this


class InTrouble(StrEnum):
    """What is wrong with a bank that may be tried nevertheless."""

    DOWN = "down"
    FAILING = "failing"
    SLOW = "slow"


class PayChannel(StrEnum):
    """Where a customer agrees at their bank; the names that the directory of banks has for them."""

    PERSONAL_APP = "personal_app"
    PERSONAL_WEB = "personal_web"
    BUSINESS = "business"


@dataclass(frozen=True, slots=True)
class OverLimit:
    """The amount is above a limit: in these channels, each with its limit; in these others it should be let through."""

    too_low: tuple[tuple[PayChannel, int], ...]
    would_do: tuple[PayChannel, ...] = ()

    @property
    def most_minor(self) -> int:
        """Return the highest of the limits that are too low."""
        return max(most for _, most in self.too_low)


@dataclass(frozen=True, slots=True)
class BankLook:
    """How a bank is recognised: its name and, where it has them, a logo or a colour."""

    id: str
    name: str
    logo_url: str | None = None
    has_colour: bool = False  # then portal/brands.py has a class for it

    @property
    def initials(self) -> str:
        """Return one or two letters that stand where there is no logo."""
        words = [word for word in self.name.split() if word[0].isalnum()]
        return "".join(word[0] for word in words[:2]).upper() or "?"


@dataclass(frozen=True, slots=True)
class BankChoice:
    """One bank in the list; `url` is where choosing it leads."""

    id: str
    name: str
    url: str
    out_of_reach: OutOfReach | None = None
    trouble: InTrouble | None = None
    since: datetime | None = None  # of `out_of_reach`, or of a bank that is down
    over: OverLimit | None = None  # set only where the amount is above a known limit of this bank
    currency: str = "GBP"
    refused_lately: bool = False  # its limit has stopped such an amount; no number, because it was another customer's
    look: BankLook | None = None


@dataclass(frozen=True, slots=True)
class BankList:
    """The banks to choose from, already filtered by `query`; `last_used` and `most_used` are not repeated in `others`."""

    search_url: str
    query: str
    last_used: BankChoice | None
    most_used: tuple[BankChoice, ...]
    others: tuple[BankChoice, ...]

    @property
    def count(self) -> int:
        """How many banks the list shows."""
        return len(self.most_used) + len(self.others) + (self.last_used is not None)


@dataclass(frozen=True, slots=True)
class PaidPart:
    """A part that this customer has paid, with its receipt."""

    amount_minor: int
    bank_name: str
    at: datetime
    receipt_url: str


@dataclass(frozen=True, slots=True)
class ChooseBank:
    """Pay: choose a bank."""

    template: ClassVar[str] = "choose_bank.html"
    request_id: str
    slip: Slip
    banks: BankList
    until: datetime | None = None
    phone: PhoneOffer | None = None  # to go on with the phone
    parts: tuple[PaidPart, ...] = ()
    may_split: bool = False


class Role(StrEnum):
    """By what right the payment is started or the account is read."""

    OWN = "own"  # the operator's own licence
    AGENT = "agent"  # the operator is an agent of `principal`
    PRETEND = "pretend"  # development: nobody is regulated, and the page says so


@dataclass(frozen=True, slots=True)
class Provider:
    """The regulated provider (Payment Services Regulations 2017, reg. 43)."""

    name: str
    role: Role
    address: str
    contact: str  # an e-mail address or a telephone number
    reference_number: str
    supervisor: str
    principal: str = ""


@dataclass(frozen=True, slots=True)
class SplitOffer:
    """That less than the whole may be paid now: between `least_minor` and `most_minor`; `typed` is what stands in the field."""

    typed: str
    least_minor: int
    most_minor: int


@dataclass(frozen=True, slots=True)
class CheckPay:
    """Pay: check and agree. The form posts the bank and `wording` to paths.pay_check(request_id)."""

    template: ClassVar[str] = "check_pay.html"
    request_id: str
    slip: Slip
    bank_id: str
    bank_name: str
    on: date
    provider: Provider
    over: OverLimit | None = None
    refused_lately: bool = False
    split: SplitOffer | None = None
    part: str = ""  # what the form posts as the part to be paid, in pounds
    problems: tuple[FieldProblem, ...] = ()
    bank_unreachable: bool = False  # the agreement could not be made at the bank just now: nothing was paid
    trouble: InTrouble | None = None
    look: BankLook | None = None


@dataclass(frozen=True, slots=True)
class GoToBankToPay:
    """Going to the bank: a link, and by itself after a few seconds unless the bank has just not taken the customer on."""

    template: ClassVar[str] = "go_pay.html"
    payment_id: str
    slip: Slip
    bank_name: str
    bank_url: str  # or ours, which asks the bank for one
    look: BankLook | None = None
    held_up: bool = False


class PayStage(StrEnum):
    """How far a payment that is not final has come."""

    AT_BANK = "at_bank"  # the customer has not come back
    CHECKING = "checking"  # came back; we are asking the bank
    SENT = "sent"  # the bank has the payment and has not yet executed it
    DELAYED = "delayed"  # sent, and no final answer after a long time


@dataclass(frozen=True, slots=True)
class PaymentLive:
    """Waiting for the bank. Another bank is offered only while it is safe."""

    template: ClassVar[str] = "payment_live.html"
    payment_id: str
    slip: Slip
    bank_name: str
    stage: PayStage
    since: datetime
    may_choose_another: bool
    follows: bool = True  # without JavaScript; with it the page follows for as long as it is open


class PayOutcome(StrEnum):
    """What became of a payment that left the customer's account, or may have."""

    EXECUTED = "executed"  # debited; not yet confirmed as received: never cleared funds
    RECEIVED = "received"
    HELD = "held"
    UNCONFIRMED = "unconfirmed"  # nobody knows yet; paying again is not offered
    RETURNED = "returned"  # sent back after it had left


@dataclass(frozen=True, slots=True)
class Paid:
    """The result of a payment that the bank took on."""

    template: ClassVar[str] = "paid.html"
    payment_id: str
    slip: Slip
    bank_name: str
    outcome: PayOutcome
    at: datetime
    bank_payment_id: str | None = None
    reason: str | None = None  # the bank's own words, where it gave any
    rest_url: str | None = None  # where what is outstanding can be paid
    follows: bool = True  # the page looks again by itself; it stops after a while

    @property
    def is_final(self) -> bool:
        """True when nothing more will become of the payment."""
        return self.outcome in {PayOutcome.RECEIVED, PayOutcome.RETURNED}


class NotPaidBecause(StrEnum):
    """Why nothing was paid; each has its own next step."""

    CANCELLED = "cancelled"  # by the customer, at the bank
    FUNDS = "funds"
    LIMIT = "limit"
    REFUSED = "refused"
    BANK_DOWN = "bank_down"  # out of reach, or in trouble by its own word
    TIMED_OUT = "timed_out"
    NOT_COMPLETED = "not_completed"  # no approval came that could be used
    UNVERIFIED = "unverified"  # what came back may not have been from the bank
    CLOSED = "closed"  # the customer chose another bank
    REJECTED_LATER = "rejected_later"
    NOT_DEBITED = "not_debited"  # the bank could not tell; people found that nothing was taken


@dataclass(frozen=True, slots=True)
class NotPaid:
    """Nothing was paid, and what to do now."""

    template: ClassVar[str] = "not_paid.html"
    payment_id: str
    request_id: str
    slip: Slip
    bank_id: str
    bank_name: str
    because: NotPaidBecause
    at: datetime
    reason: str | None = None
    may_split: bool = False


@dataclass(frozen=True, slots=True)
class Receipt:
    """The receipt, to print or to save."""

    template: ClassVar[str] = "receipt.html"
    payment_id: str
    slip: Slip
    bank_name: str
    outcome: PayOutcome
    at: datetime
    provider: Provider
    bank_payment_id: str | None = None
    payer: str | None = None  # "account ending 4321" is made from the four digits


@dataclass(frozen=True, slots=True)
class ReturnHandOver:
    """Hands the bank's answer from the bank's form post to a form post of ours, which carries this browser's cookies."""

    template: ClassVar[str] = "hand_over.html"
    post_url: str
    fields: tuple[tuple[str, str], ...]


class ElsewhereState(StrEnum):
    """What another browser may be told, without personal data."""

    CHECKING = "checking"
    ACCEPTED = "accepted"
    NOT_DONE = "not_done"


@dataclass(frozen=True, slots=True)
class CameBackElsewhere:
    """A payment came back in another browser."""

    template: ClassVar[str] = "elsewhere.html"
    state: ElsewhereState
    status_url: str
