"""From the computer to the phone: the code on the bank-choice page, what the phone shows, and what the computer shows meanwhile."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import ClassVar

from markupsafe import Markup

from strongroom.portal.views.frame import FieldProblem
from strongroom.portal.views.requests import Kind


@dataclass(frozen=True, slots=True)
class PhoneOffer:
    """The code on the bank-choice page, with the address that it holds, to be typed where no camera is at hand."""

    hand_off_id: str
    address: str
    qr: Markup  # from qr.qr_svg
    minutes: int


@dataclass(frozen=True, slots=True)
class PhoneLanding:
    """On the phone: go on here? Nothing is used up before the button."""

    template: ClassVar[str] = "phone_landing.html"
    post_url: str
    kind: Kind


@dataclass(frozen=True, slots=True)
class PhoneNumber:
    """On the phone: the number to type at the computer."""

    template: ClassVar[str] = "phone_number.html"
    hand_off_id: str
    number: str
    kind: Kind


class PhoneGoneBecause(StrEnum):
    """Why a phone cannot go on with a code."""

    USED = "used"
    TOO_OLD = "too_old"
    LOCKED = "locked"
    STOPPED = "stopped"


@dataclass(frozen=True, slots=True)
class PhoneGone:
    """On the phone: this code leads nowhere, and what to do."""

    template: ClassVar[str] = "phone_gone.html"
    because: PhoneGoneBecause


@dataclass(frozen=True, slots=True)
class TypeNumber:
    """At the computer: a phone has scanned the code; type its number. Problems: `number.missing`, `.wrong`."""

    template: ClassVar[str] = "type_number.html"
    hand_off_id: str
    kind: Kind
    problems: tuple[FieldProblem, ...] = ()


class FollowStage(StrEnum):
    """What is going on on the phone."""

    NOT_SCANNED = "not_scanned"
    CHOOSING = "choosing"
    AT_BANK = "at_bank"
    CHECKING = "checking"
    SENT = "sent"
    DELAYED = "delayed"
    ACCOUNT = "account"  # which of several accounts
    FAILED = "failed"  # the last try did not succeed; another can follow


@dataclass(frozen=True, slots=True)
class FollowPhone:
    """At the computer: how far the phone has come. `bank_name` where one was chosen; `attempt_url` shows a try that failed."""

    template: ClassVar[str] = "follow_phone.html"
    hand_off_id: str
    kind: Kind
    stage: FollowStage
    bank_name: str = ""
    attempt_url: str = ""


class HandOffGoneBecause(StrEnum):
    """Why the computer has nothing to follow."""

    TOO_OLD = "too_old"
    LOCKED = "locked"
    STOPPED = "stopped"


@dataclass(frozen=True, slots=True)
class HandOffGone:
    """At the computer: the code is of no use any more; a new one stands on the page with the banks."""

    template: ClassVar[str] = "hand_off_gone.html"
    because: HandOffGoneBecause
    kind: Kind
    back_url: str
