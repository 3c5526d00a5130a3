"""What a challenge is, and what an answer to it can come to."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum

CODE_DIGITS = 6
CODE_LIFE_SECONDS = 600  # NIST SP 800-63B-4: an out-of-band code lives at most 10 minutes
MAX_ATTEMPTS = 5  # RTS Art. 4: at most five failures in a row
FIRST_LOCK_SECONDS = 900
MAX_LOCK_SECONDS = 86_400  # locks grow and never last for good by themselves


class Purpose(StrEnum):
    """What a challenge protects."""

    LOGIN = "login"
    SHARE = "share"
    PURCHASE = "purchase"
    ISSUER = "issuer"


@dataclass(frozen=True, slots=True)
class Charged:
    """A try that was paid for before anything was compared."""

    tenant: str
    challenge_id: str
    subject_hash: bytes = field(repr=False)
    code_hashes: tuple[bytes, ...] = field(repr=False)
    attempt: int  # of this challenge
    charge: int  # of this subject
    attempts_left: int
    lock_seconds: int | None  # set when this very try used up the budget


@dataclass(frozen=True, slots=True)
class Matched:
    """The code was right; not yet accepted, because another process may be first."""

    charged: Charged
    target: int  # which of the challenge's codes


@dataclass(frozen=True, slots=True)
class Accepted:
    """The one-time password was right and is now used up. Whatever follows a success takes this value."""

    tenant: str
    challenge_id: str
    target: int


@dataclass(frozen=True, slots=True)
class Rejected:
    """The code was wrong, expired, superseded or used; which of these is not told."""

    attempts_left: int


@dataclass(frozen=True, slots=True)
class Locked:
    """The budget is used up; no code is compared for so many seconds."""

    seconds: int
    just_now: bool = False


Answered = Accepted | Rejected | Locked
