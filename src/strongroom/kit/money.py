"""Amounts of pounds, counted in pence as whole numbers; binary fractions never touch them.

A body's field is declared as `msgspec.Raw`, which keeps the very token that was sent, and read by `parse_pounds`. An answer's
field is a `msgspec.Raw` too, made by `pounds_number`, so that 10000 pence print as `100.00`.
"""

from __future__ import annotations

import re

import msgspec

from strongroom.kit.body import Unacceptable

PENCE_PER_POUND = 100
MAX_TOKEN_BYTES = 64  # an escaped text of twelve characters fits; ten thousand digits do not

_FORM = re.compile(r"([0-9]{1,9})(?:\.([0-9]{1,2}))?")
_NUMBER = re.compile(r"[0-9]+(?:\.[0-9]+)?")


class UnacceptableAmount(Unacceptable):
    """The amount is not a plain decimal number of pounds with at most two decimals."""


def parse_pounds(token: msgspec.Raw) -> int:
    """Return the pence meant by a raw JSON token: `100`, `100.0` or `"100.00"` give 10000; zero passes.

    Raise UnacceptableAmount for anything else: signs, exponents, more decimals, more than nine digits of pounds, other types.
    """
    raw = bytes(token)
    if len(raw) > MAX_TOKEN_BYTES:
        raise UnacceptableAmount("is too long for an amount")
    if raw[:1] == b'"':
        return parse_pounds_text(_text(raw))
    if raw[:1] not in b"-0123456789" or not raw:
        raise UnacceptableAmount("must be a number of pounds, such as 100.00")
    return parse_pounds_text(raw.decode("ascii", "replace"))


def parse_pounds_text(text: str) -> int:
    """Return the pence meant by `100` or `100.00`. Raise UnacceptableAmount for anything else, spaces included."""
    if found := _FORM.fullmatch(text):
        return int(found[1]) * PENCE_PER_POUND + int((found[2] or "").ljust(2, "0"))
    raise UnacceptableAmount(_reason(text))


def print_pounds(minor: int) -> str:
    """Print pence as pounds with two decimals: 10000 → `100.00`."""
    pounds, pence = divmod(abs(minor), PENCE_PER_POUND)
    return f"{'-' if minor < 0 else ''}{pounds}.{pence:02d}"


def show_pounds(minor: int) -> str:
    """Print pence for people: 6250000 → `£62,500.00`."""
    pounds, pence = divmod(abs(minor), PENCE_PER_POUND)
    return f"{'-' if minor < 0 else ''}£{pounds:,}.{pence:02d}"


def pounds_number(minor: int) -> msgspec.Raw:
    """Return pence as a JSON number token with two decimals, for a field of type `msgspec.Raw`."""
    return msgspec.Raw(print_pounds(minor).encode("ascii"))


def _text(raw: bytes) -> str:
    try:
        return msgspec.json.decode(raw, type=str)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise UnacceptableAmount("must be a number of pounds, such as 100.00") from error


def _reason(text: str) -> str:
    if text.startswith("-"):
        return "must not be negative"
    if not _NUMBER.fullmatch(text):
        return "must be written as plain digits with at most two decimals, such as 100.00"
    pounds, _, _ = text.partition(".")
    return "has more than nine digits of pounds" if len(pounds) > len("999999999") else "has more than two decimals"
