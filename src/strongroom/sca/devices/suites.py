"""What an OCRA suite says (RFC 6287 §6), and which suites a token may have here.

A suite names the hash, the digits of a code, and what goes into it: a counter, a question (always), the hash of a PIN, data of the
session, the time. All of them are read; of those that are read, a token may have one whose codes can be judged and typed.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

SUITE_MAX: Final = 64
WHOLE_HMAC: Final = 0  # the digits of a code that is not truncated
_CODE_DIGITS: Final = (6, 8)  # the contract's own numbers
_QUESTION_LENGTH: Final = (8, 16)
_STEP_SECONDS: Final = (30, 600)
_UNIT_SECONDS: Final = {"S": 1, "M": 60, "H": 3600}
_MOST_OF_UNIT: Final = {"S": 59, "M": 59, "H": 48}
_HASH: Final = "SHA1|SHA256|SHA512"
_SUITE: Final = re.compile(
    rf"OCRA-1:HOTP-(?P<hash>{_HASH})-(?P<digits>[0-9]|10):(?P<counter>C-)?Q((?P<format>[NAH])(?P<length>[0-9]{{1,2}}))?"
    rf"(?P<pin>-P(?P<pin_hash>{_HASH})?)?(?P<session>-S(?P<session_bytes>[0-9]{{3}})?)?(?P<time>-T((?P<count>[0-9]{{1,2}})(?P<unit>[SMH]))?)?"
)


class QuestionFormat(StrEnum):
    """What a question is made of."""

    DIGITS = "N"
    LETTERS_AND_DIGITS = "A"
    HEX = "H"


_ALPHABET: Final = {
    QuestionFormat.DIGITS: re.compile(r"[0-9]+"),
    QuestionFormat.LETTERS_AND_DIGITS: re.compile(r"[0-9A-Za-z]+"),
    QuestionFormat.HEX: re.compile(r"[0-9A-Fa-f]+"),
}


class NoSuchSuite(ValueError):
    """What was given is no suite; the message completes "the suite …"."""


@dataclass(frozen=True, slots=True)
class Suite:
    """A suite, read."""

    text: str
    hash: str  # sha1, sha256 or sha512
    digits: int  # 4 to 10, or 0 for the whole HMAC
    counts: bool
    question_format: QuestionFormat
    question_length: int  # at most; 4 to 64
    pin_hash: str | None
    session_bytes: int | None
    step_seconds: int | None

    def takes(self, question: str, *, at_most: int | None = None) -> bool:
        """True when the device can be fed with this question; a mutual one is made of two (RFC 6287 §7.2)."""
        fits = len(question) <= (at_most or self.question_length)
        return fits and _ALPHABET[self.question_format].fullmatch(question) is not None


def read_suite(text: str) -> Suite:
    """Read a suite with the standard's defaults for what it leaves out. Raise NoSuchSuite."""
    found = _SUITE.fullmatch(text) if len(text) <= SUITE_MAX else None
    if found is None:
        raise NoSuchSuite("is not written as OCRA-1:HOTP-hash-digits:inputs, such as OCRA-1:HOTP-SHA256-8:C-QN08")
    digits, length = int(found["digits"]), int(found["length"] or 8)
    session = int(found["session_bytes"] or 64) if found["session"] else None
    if digits not in {WHOLE_HMAC, *range(4, 11)}:
        raise NoSuchSuite("truncates to other than 4 to 10 digits, or 0 for the whole HMAC")
    if not 4 <= length <= 64:  # noqa: PLR2004  # the standard's own numbers
        raise NoSuchSuite("has a question of other than 4 to 64 characters")
    if session is not None and not 1 <= session <= 512:  # noqa: PLR2004  # the standard's own number
        raise NoSuchSuite("has session data of other than 1 to 512 bytes")
    pin_hash = (found["pin_hash"] or "SHA1").lower() if found["pin"] else None
    step = _step_seconds(found["count"] or "1", found["unit"] or "M") if found["time"] else None
    kind = QuestionFormat(found["format"] or "N")
    return Suite(text, found["hash"].lower(), digits, found["counter"] is not None, kind, length, pin_hash, session, step)


def find_refusal(suite: Suite) -> str | None:
    """Return why no token may have a suite, to complete "the suite …"; None when one may."""
    return next((reason for is_so, reason in _REFUSALS if is_so(suite)), None)


def _step_seconds(count: str, unit: str) -> int:
    if not 1 <= int(count) <= _MOST_OF_UNIT[unit]:
        raise NoSuchSuite("has a time step of other than 1 to 59 seconds, 1 to 59 minutes or 1 to 48 hours")
    return int(count) * _UNIT_SECONDS[unit]


def _is_outside(value: int, ends: tuple[int, int]) -> bool:
    return not ends[0] <= value <= ends[1]


_REFUSALS: Final[tuple[tuple[Callable[[Suite], bool], str], ...]] = (
    (lambda suite: _is_outside(suite.digits, _CODE_DIGITS), "shows codes of other than 6 to 8 digits"),
    (
        lambda suite: _is_outside(suite.question_length, _QUESTION_LENGTH),
        "has a question of other than 8 to 16 characters: a shorter one binds no purchase, a longer one is not typed",
    ),
    (lambda suite: suite.pin_hash is not None, "has the cardholder's PIN in its codes, which nobody here knows"),
    (lambda suite: suite.session_bytes is not None, "has session data in its codes, which nobody can type"),
    (
        lambda suite: suite.counts and suite.step_seconds is not None,
        "has both a counter and the time in its codes; one of them can be followed",
    ),
    (
        lambda suite: suite.step_seconds is not None and _is_outside(suite.step_seconds, _STEP_SECONDS),
        "has a time step of other than 30 seconds to 10 minutes: in a shorter one no question is typed",
    ),
)
