"""The pages on which a customer shares bank details. They share no sentence with the pages for paying."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import ClassVar

from strongroom.portal.views.frame import FieldProblem
from strongroom.portal.views.handing_over import PhoneOffer
from strongroom.portal.views.paying import BankList, BankLook, InTrouble, Provider


@dataclass(frozen=True, slots=True)
class ShareWhy:
    """Share: what, why, who sees it, for how long."""

    template: ClassVar[str] = "share_why.html"
    request_id: str
    until: datetime | None = None


@dataclass(frozen=True, slots=True)
class ShareChooseBank:
    """Share: choose a bank."""

    template: ClassVar[str] = "share_bank.html"
    request_id: str
    banks: BankList
    phone: PhoneOffer | None = None


@dataclass(frozen=True, slots=True)
class ShareCheck:
    """Share: check and agree. The form posts the bank to paths.share_check(request_id)."""

    template: ClassVar[str] = "share_check.html"
    request_id: str
    bank_id: str
    bank_name: str
    provider: Provider
    bank_unreachable: bool = False
    trouble: InTrouble | None = None
    look: BankLook | None = None


@dataclass(frozen=True, slots=True)
class GoToBankToShare:
    """Going to the bank: a link, and by itself after a few seconds unless the bank has just not taken the customer on."""

    template: ClassVar[str] = "go_share.html"
    share_id: str
    bank_name: str
    bank_url: str  # or ours, which asks the bank for one
    look: BankLook | None = None
    held_up: bool = False


class ShareStage(StrEnum):
    """How far a sharing that is not final has come."""

    AT_BANK = "at_bank"
    ELSEWHERE = "elsewhere"  # came back in another browser, which must first enter a fresh code
    READING = "reading"


@dataclass(frozen=True, slots=True)
class ShareLive:
    """Waiting for the bank."""

    template: ClassVar[str] = "share_live.html"
    share_id: str
    bank_name: str
    stage: ShareStage
    since: datetime
    may_choose_another: bool
    follows: bool = True  # without JavaScript; with it the page follows for as long as it is open


class ShareElsewhereState(StrEnum):
    """What a browser without session may be told of a sharing, without personal data."""

    READING = "reading"
    CHOOSING = "choosing"  # several accounts came back; which one is asked where the customer is signed in
    DONE = "done"
    NOT_DONE = "not_done"


@dataclass(frozen=True, slots=True)
class SharedElsewhere:
    """A sharing came back in a browser without session."""

    template: ClassVar[str] = "share_elsewhere.html"
    state: ShareElsewhereState
    status_url: str


class AccountType(StrEnum):
    """What kind of account it is."""

    CURRENT = "current"
    SAVINGS = "savings"
    E_MONEY = "e-money"
    OTHER = "other"


@dataclass(frozen=True, slots=True)
class AccountChoice:
    """One account that came back from the bank."""

    id: str
    name: str | None
    sort_code: str  # six digits
    ending: str  # the last four digits
    account_type: AccountType = AccountType.CURRENT


@dataclass(frozen=True, slots=True)
class ChooseAccount:
    """Several accounts came back: which one? Problem: `account.missing`."""

    template: ClassVar[str] = "choose_account.html"
    share_id: str
    bank_name: str
    accounts: tuple[AccountChoice, ...]
    problems: tuple[FieldProblem, ...] = ()


@dataclass(frozen=True, slots=True)
class Shared:
    """What was shared."""

    template: ClassVar[str] = "shared.html"
    request_id: str
    account: AccountChoice
    bank_name: str
    at: datetime


class NotSharedBecause(StrEnum):
    """Why nothing was shared."""

    DECLINED = "declined"  # by the customer, at the bank
    REFUSED = "refused"
    BANK_DOWN = "bank_down"  # out of reach, or in trouble by its own word
    TIMED_OUT = "timed_out"  # at the bank, or afterwards: a code or a choice was still to come
    NOT_COMPLETED = "not_completed"  # no agreement came that could be used
    UNVERIFIED = "unverified"  # what came back may not have been from the bank
    CLOSED = "closed"  # the customer went on with another bank
    NO_ACCOUNT = "no_account"  # no account that can receive a payment came back


@dataclass(frozen=True, slots=True)
class NotShared:
    """Nothing was shared, and what to do now."""

    template: ClassVar[str] = "not_shared.html"
    request_id: str
    bank_id: str
    bank_name: str
    because: NotSharedBecause
    at: datetime


class ConsentState(StrEnum):
    """Whether a consent can still be used."""

    ACTIVE = "active"
    USED = "used"  # read once and closed at the bank
    REVOKED = "revoked"
    EXPIRED = "expired"


@dataclass(frozen=True, slots=True)
class ConsentItem:
    """One consent to read account details."""

    id: str
    firm_name: str
    bank_name: str
    agreed_at: datetime
    state: ConsentState
    ended_at: datetime | None = None
    ending: str | None = None  # the last four digits of the account that was shared


@dataclass(frozen=True, slots=True)
class Consents:
    """Every consent of this customer, to see and to end."""

    template: ClassVar[str] = "consents.html"
    consents: tuple[ConsentItem, ...]


@dataclass(frozen=True, slots=True)
class RevokeConsent:
    """Asks whether a consent is to be ended."""

    template: ClassVar[str] = "revoke.html"
    consent: ConsentItem


@dataclass(frozen=True, slots=True)
class ConsentRevoked:
    """A consent was ended."""

    template: ClassVar[str] = "revoked.html"
    consent: ConsentItem
    at: datetime
