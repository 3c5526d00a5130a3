"""OCRA (RFC 6287): pure sums over a seed, a suite and what the suite wants. A question says what a code is for."""

from __future__ import annotations

import hmac
import secrets
from dataclasses import dataclass, field
from typing import Final

from strongroom.sca.devices.oath import truncate
from strongroom.sca.devices.suites import WHOLE_HMAC, QuestionFormat, Suite

_QUESTION_BYTES: Final = 128
_NUMBER_BYTES: Final = 8
_SEPARATOR: Final = b"\0"
_HASH_BYTES: Final = {"sha1": 20, "sha256": 32, "sha512": 64}


class NotForSuite(ValueError):
    """What was given is not what the suite wants."""


@dataclass(frozen=True, slots=True)
class Inputs:
    """What goes into a code beside the seed: exactly what the suite wants of it."""

    question: str
    counter: int | None = None
    pin_hash: bytes | None = field(default=None, repr=False)
    session: bytes | None = field(default=None, repr=False)
    step: int | None = None  # how many time steps since 1970


def answer(seed: bytes, suite: Suite, inputs: Inputs) -> str:
    """Return the code for a question: digits, or the whole HMAC in hex where the suite truncates nothing. Raise NotForSuite."""
    digest = hmac.digest(seed, make_message(suite, inputs), suite.hash)
    return digest.hex() if suite.digits == WHOLE_HMAC else truncate(digest, suite.digits)


def make_message(suite: Suite, inputs: Inputs) -> bytes:
    """Return what is signed (RFC 6287 §5.1): the suite, a zero, and its inputs in their order. Raise NotForSuite."""
    given = (inputs.counter, inputs.pin_hash, inputs.session, inputs.step)
    wanted = (suite.counts, suite.pin_hash is not None, suite.session_bytes is not None, suite.step_seconds is not None)
    if tuple(one is not None for one in given) != wanted:
        raise NotForSuite("the suite wants other inputs")
    parts = (_number(inputs.counter), _question(suite, inputs.question), _pin(suite, inputs), _session(suite, inputs))
    return suite.text.encode() + _SEPARATOR + b"".join(parts) + _number(inputs.step)


def new_question(length: int) -> str:
    """Return a random question of digits, which devices of every format take."""
    return f"{secrets.randbelow(10**length):0{length}d}"


def _question(suite: Suite, question: str) -> bytes:
    """Return a question as 128 bytes, filled up on the right. A mutual one is two questions, each of the suite's length."""
    if not suite.takes(question, at_most=2 * suite.question_length):
        raise NotForSuite("the suite takes no such question")
    if suite.question_format is QuestionFormat.LETTERS_AND_DIGITS:
        return question.encode().ljust(_QUESTION_BYTES, b"\0")
    # A number is written in hex without leading zeros, and hex is filled up digit by digit: an odd one too (§5.1, appendix A).
    in_hex = f"{int(question):x}" if suite.question_format is QuestionFormat.DIGITS else question
    return bytes.fromhex(in_hex.ljust(2 * _QUESTION_BYTES, "0"))


def _pin(suite: Suite, inputs: Inputs) -> bytes:
    if inputs.pin_hash is None or suite.pin_hash is None:
        return b""
    if len(inputs.pin_hash) != _HASH_BYTES[suite.pin_hash]:
        raise NotForSuite("the suite hashes PINs otherwise")
    return inputs.pin_hash


def _session(suite: Suite, inputs: Inputs) -> bytes:
    """Return the session's data, filled up on the left."""
    if inputs.session is None or suite.session_bytes is None:
        return b""
    if len(inputs.session) > suite.session_bytes:
        raise NotForSuite("the suite has fewer bytes for the session")
    return inputs.session.rjust(suite.session_bytes, b"\0")


def _number(value: int | None) -> bytes:
    return b"" if value is None else value.to_bytes(_NUMBER_BYTES, "big")
