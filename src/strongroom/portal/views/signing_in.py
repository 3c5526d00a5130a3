"""The pages on which a customer signs in and out."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import ClassVar

from strongroom.portal.views.frame import FieldProblem


@dataclass(frozen=True, slots=True)
class Start:
    """The first page: who asks, what for, how to check, begin."""

    template: ClassVar[str] = "start.html"


@dataclass(frozen=True, slots=True)
class WhoYouAre:
    """E-mail and date of birth, with what was typed. Problems: `email.missing|invalid`, `dob.missing|invalid`."""

    template: ClassVar[str] = "who_you_are.html"
    email: str = ""
    day: str = ""
    month: str = ""
    year: str = ""
    problems: tuple[FieldProblem, ...] = ()


class CodeFor(StrEnum):
    """Why a code is asked for."""

    SIGN_IN = "sign_in"
    FINISH_SHARING = "finish_sharing"  # the customer came back from the bank in another browser


@dataclass(frozen=True, slots=True)
class EnterCode:
    """The code from the text message. Problems: `code.missing|shape|expired`, and `code.wrong` with the tries left."""

    template: ClassVar[str] = "enter_code.html"
    post_url: str
    again_url: str
    valid_minutes: int
    resend_in_seconds: int = 0
    resent: bool = False
    unsent: bool = False  # a code was asked for and is not sent: too soon, or a limit was reached
    purpose: CodeFor = CodeFor.SIGN_IN
    problems: tuple[FieldProblem, ...] = ()


@dataclass(frozen=True, slots=True)
class Locked:
    """Too many wrong codes. Says nothing that tells whether the person exists."""

    template: ClassVar[str] = "locked.html"
    opens_at: datetime


@dataclass(frozen=True, slots=True)
class GrantLanding:
    """From the firm's app: one button that POSTs. Needs a frame with the firm, and no referrer."""

    template: ClassVar[str] = "grant.html"
    post_url: str


@dataclass(frozen=True, slots=True)
class GrantGone:
    """The link from the firm's app was used or has expired (410)."""

    template: ClassVar[str] = "grant_gone.html"


class Kept(StrEnum):
    """What of the customer's work outlives the session."""

    NOTHING = "nothing"
    PAYMENT = "payment"  # a payment was started: it goes on by itself
    SHARING = "sharing"


@dataclass(frozen=True, slots=True)
class SignedOut:
    """The customer signed out."""

    template: ClassVar[str] = "signed_out.html"


@dataclass(frozen=True, slots=True)
class SessionEnded:
    """The session ended without activity; what was done is kept, and said."""

    template: ClassVar[str] = "session_ended.html"
    kept: Kept = Kept.NOTHING
