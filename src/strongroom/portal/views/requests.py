"""The list of what a customer is asked to do, and the ends of a request that are neither paid nor shared."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import ClassVar


class CardState(StrEnum):
    """Where one request stands, for the person who is asked."""

    OPEN = "open"
    UNFINISHED = "unfinished"  # the last try did not succeed
    PARTLY_PAID = "partly_paid"  # the rest is still to be paid
    IN_PROGRESS = "in_progress"  # at the bank, or being checked
    DONE = "done"  # paid from the customer's account, or shared
    RECEIVED = "received"
    FROZEN = "frozen"  # the customer did not recognise it
    EXPIRED = "expired"
    CANCELLED = "cancelled"
    RETURNED = "returned"  # the money was sent back after it had left


@dataclass(frozen=True, slots=True)
class PayCard:
    """One request to pay."""

    request_id: str
    description: str
    amount_minor: int
    state: CardState
    url: str  # to pay, to the live page, or to the receipt
    until: datetime | None = None
    at: datetime | None = None  # when it was done
    currency: str = "GBP"


@dataclass(frozen=True, slots=True)
class ShareCard:
    """One request to share bank details."""

    request_id: str
    state: CardState
    url: str
    until: datetime | None = None
    at: datetime | None = None


@dataclass(frozen=True, slots=True)
class FirmActions:
    """The requests of one firm: what is to do, and what is over."""

    firm_id: str
    firm_name: str
    open: tuple[PayCard | ShareCard, ...] = ()
    over: tuple[PayCard | ShareCard, ...] = ()


@dataclass(frozen=True, slots=True)
class Actions:
    """Everything this session may see, firm by firm. One firm needs a frame with that firm; several, one without."""

    template: ClassVar[str] = "actions.html"
    firms: tuple[FirmActions, ...]


class Kind(StrEnum):
    """What a request asks for."""

    PAY = "pay"
    SHARE = "share"


@dataclass(frozen=True, slots=True)
class Unrecognised:
    """Asks whether a request is really to be frozen. The amount is None for a request to share."""

    template: ClassVar[str] = "unrecognised.html"
    request_id: str
    kind: Kind
    back_url: str
    description: str = ""
    amount_minor: int | None = None
    currency: str = "GBP"


@dataclass(frozen=True, slots=True)
class Frozen:
    """The request is frozen and the firm was told."""

    template: ClassVar[str] = "frozen.html"
    kind: Kind
    at: datetime


class Ended(StrEnum):
    """Why a request can no longer be met."""

    EXPIRED = "expired"
    CANCELLED = "cancelled"
    WITHDRAWN = "withdrawn"  # the firm closed the whole case


@dataclass(frozen=True, slots=True)
class RequestOver:
    """A request that expired or was taken back."""

    template: ClassVar[str] = "request_over.html"
    kind: Kind
    ended: Ended
    at: datetime
