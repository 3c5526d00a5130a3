"""The values of tokens: frozen, and without a seed in what is shown."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum

from strongroom.kit.crypto import Secret
from strongroom.sca.devices.states import TokenState
from strongroom.sca.devices.suites import Suite, read_suite
from strongroom.sca.model import Locked, Rejected

LOOK_AHEAD = 10  # HOTP counters compared after the last accepted one (RFC 4226 §7.4)
RESYNC_AHEAD = 100
STEPS_OFF = 1  # TOTP steps either side of the remembered drift (RFC 6238 §5.2)
RESYNC_STEPS_OFF = 50
SEED_BYTES_MIN, SEED_BYTES_MAX = 16, 128  # RFC 4226 §4 R6 asks for at least 128 bits
ASKED_SECONDS = 600  # how long a random question may be answered
ANSWERED_KEPT = 32  # answered questions that a token remembers: more than a card's purchases of a day


class Kind(StrEnum):
    """How a token makes its codes."""

    HOTP = "hotp"
    TOTP = "totp"
    OCRA = "ocra"


class Algorithm(StrEnum):
    """The hash beneath a token's HMAC."""

    SHA1 = "sha1"
    SHA256 = "sha256"
    SHA512 = "sha512"


class TokenTag(StrEnum):
    """What tokens write into the audit."""

    IMPORTED = "sca:token:imported"
    ASSIGNED = "sca:token:assigned"
    UNASSIGNED = "sca:token:unassigned"
    ACTIVATED = "sca:token:activated"
    LOCKED = "sca:token:locked"
    UNLOCKED = "sca:token:unlocked"
    LOCK_ENDED = "sca:token:lock_ended"
    BLOCKED = "sca:token:blocked"
    UNBLOCK_ASKED = "sca:token:unblock_asked"
    UNBLOCKED = "sca:token:unblocked"
    RESYNCHRONISED = "sca:token:resynchronised"
    RETIRED = "sca:token:retired"


class Reason(StrEnum):
    """Why no code can be compared. Only the issuer learns which."""

    NO_USER = "no_user"
    NO_TOKEN = "no_token"  # noqa: S105  # a reason, not a secret
    NOT_ACTIVATED = "not_activated"
    BLOCKED = "blocked"
    NOT_ASSOCIATED = "not_associated"


@dataclass(frozen=True, slots=True)
class NewToken:
    """A token to be. `seed` is hex. Hash, digits and period of an OCRA token are those of its suite."""

    serial: str
    seed: Secret
    kind: Kind = Kind.HOTP
    algorithm: Algorithm = Algorithm.SHA1
    digits: int = 6
    period_seconds: int | None = None  # 30 or 60 for TOTP; None for HOTP
    counter: int = 0
    suite: Suite | None = None

    @classmethod
    def of_suite(cls, serial: str, seed: Secret, suite: str, counter: int = 0) -> NewToken:
        """Return an OCRA token to be. Raise NoSuchSuite."""
        read = read_suite(suite)
        return cls(serial, seed, Kind.OCRA, Algorithm(read.hash), read.digits, read.step_seconds, counter, read)


@dataclass(frozen=True, slots=True)
class RowFault:
    """Why one token of a file cannot be taken; never with a seed in it."""

    row: int  # the line of a CSV file, the key package of a PSKC file, from 1
    serial: str
    what: str


class FileFault(Exception):
    """A file cannot be read as a whole; the message is one sentence for a person."""


Read = tuple[int, NewToken] | RowFault  # what one row of a file came to


@dataclass(frozen=True, slots=True)
class Token:
    """A token as its issuer sees it."""

    issuer_id: str
    id: str
    serial: str
    state: TokenState
    kind: Kind
    algorithm: Algorithm
    digits: int
    period_seconds: int | None
    suite: Suite | None
    cardholder_id: str | None
    failures: int
    locked_until: datetime | None
    unblock_asked_by: str | None
    unblock_asked_at: datetime | None
    created_at: datetime
    is_lock_over: bool = False  # it is active again, which its row does not say yet

    @property
    def counts(self) -> bool:
        """True when each code has a counter of its own in it."""
        return self.suite.counts if self.suite else self.kind is Kind.HOTP

    def is_asked_by(self, question: str | None) -> bool:
        """True when the device is asked what it can be asked: one that signs a question that it takes, any other none."""
        if self.suite is None or question is None:
            return self.suite is None and question is None
        return self.suite.takes(question)


@dataclass(frozen=True, slots=True)
class Wanted:
    """A try that shall be charged: whose, at which token (None: the one that they have), and what was typed."""

    cardholder_id: str
    serial: str | None
    typed: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class Charged:
    """A try at a token that was paid for before anything was compared."""

    token: Token
    charge: int
    counter: int
    drift_steps: int
    now_seconds: int  # by the database's clock
    attempts_left: int
    lock_seconds: int | None  # set when this very try used up the budget
    seed: bytes = field(repr=False)
    question: str | None  # what was typed into a device that signs
    question_hash: bytes | None = field(repr=False)
    is_answered: bool  # a code for this question was accepted before

    def counters(self, *, wide: bool) -> range:
        """Return the counters or time steps that may match: never one that was accepted before, nor one for another question."""
        if not self.token.is_asked_by(self.question) or self.is_answered:
            return range(0)
        if self.token.counts:
            return range(self.counter, self.counter + (RESYNC_AHEAD if wide else LOOK_AHEAD))
        if self.token.period_seconds is None:  # nothing but the question is in the code
            return range(self.counter, self.counter + 1)
        off = RESYNC_STEPS_OFF if wide else STEPS_OFF
        expected = self.step + self.drift_steps
        return range(max(self.counter, expected - off), expected + off + 1)

    @property
    def last_accepted(self) -> range:
        """Return the counter or time step of the code that was accepted last, and nothing if that was for another question."""
        if self.token.suite is None or self.token.counts:
            last = range(max(self.counter - 1, 0), self.counter)
        else:
            last = range(self.counter, self.counter + 1)
        return last if self.token.suite is None or self.is_answered else range(0)

    @property
    def step(self) -> int:
        """Return the time step of a device whose clock is right; 0 for a token that counts."""
        return self.now_seconds // self.token.period_seconds if self.token.period_seconds else 0


@dataclass(frozen=True, slots=True)
class Match:
    """The code was right; not yet accepted, because another process may be first."""

    charged: Charged
    counter: int

    def next_after(self, codes: int) -> int:
        """Return the next counter or time step that may be accepted, after so many codes in a row.

        A code that has the time and a question in it leaves its time step to the codes for other questions.
        """
        token = self.charged.token
        if token.counts or token.suite is None:
            return self.counter + codes
        return self.counter + codes - 1 if token.period_seconds else self.counter

    def drift_after(self, codes: int) -> int:
        """Return how far the device's clock is off, which shows the last of so many codes in a row just now."""
        return self.counter + codes - 1 - self.charged.step if self.charged.token.period_seconds else 0


@dataclass(frozen=True, slots=True)
class CodeAccepted:
    """The code was right and is used up. Whatever follows a success takes this value."""

    token: Token


@dataclass(frozen=True, slots=True)
class Refused:
    """Nothing was compared."""

    reason: Reason


Verified = CodeAccepted | Rejected | Locked | Refused
