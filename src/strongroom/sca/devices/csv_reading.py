"""Tokens in a CSV file: with a line of names, or in the order that token makers and OTP servers share.

With names, in any order: `serial`, `seed` (hex), and where they differ from the usual `kind` (hotp, totp, ocra), `algorithm`
(sha1, sha256, sha512), `digits` (6 to 8), `period_seconds`, `counter`, `suite`. Without: serial, seed, kind, digits, and the period
of a TOTP or the counter of an HOTP token. An OCRA token has a suite, which says all but the counter: what else its row says must
agree. Empty lines and those that begin with # are left out.
"""

from __future__ import annotations

import csv
from collections.abc import Iterable, Iterator, Mapping
from enum import StrEnum
from typing import TypeVar

from strongroom.kit.crypto import Secret
from strongroom.sca.devices.model import Algorithm, FileFault, Kind, NewToken, Read, RowFault
from strongroom.sca.devices.suites import NoSuchSuite

E = TypeVar("E", bound=StrEnum)

COLUMNS = ("serial", "seed", "kind", "algorithm", "digits", "period_seconds", "counter", "suite")
_POSITIONS = ("serial", "seed", "kind", "digits", "period_or_counter")
_LINE_MAX = 2_000
_USUAL_PERIOD = 30


def read_csv(lines: Iterable[str]) -> Iterator[Read]:
    """Yield a token or a fault for each row, as they come. Raise FileFault for a file that is no such file."""
    names: list[str] | None = None
    for number, row in _rows(lines):
        if names is None:
            names = _names(row)
            if names != list(_POSITIONS):
                continue
        yield _token(number, names, row)


def _rows(lines: Iterable[str]) -> Iterator[tuple[int, list[str]]]:
    try:
        for number, line in enumerate(lines, 1):
            if len(line) > _LINE_MAX:
                raise FileFault(f"line {number} has more than {_LINE_MAX} characters: this is no file of tokens")
            if line.strip() and not line.startswith("#"):
                yield number, [cell.strip() for cell in next(csv.reader([line], strict=True))]
    except UnicodeDecodeError:
        raise FileFault("the file is not text in UTF-8") from None
    except csv.Error as error:
        raise FileFault(f"the file is not CSV: {error}") from None


def _names(first: list[str]) -> list[str]:
    """Return the names of the columns; those of the usual order when the first line names none. Raise FileFault."""
    found = [cell.lower().lstrip("\ufeff") for cell in first]
    if "serial" not in found:
        return list(_POSITIONS)
    if unknown := sorted(set(found) - set(COLUMNS)):
        raise FileFault(f"there is no column {unknown[0]!r}; there are {', '.join(COLUMNS)}")
    if "seed" not in found or len(set(found)) < len(found):
        raise FileFault("the columns are serial and seed, and others, each once")
    return found


def _token(number: int, names: list[str], row: list[str]) -> Read:
    if len(row) > len(names):
        return RowFault(number, row[0], "has more cells than there are columns")
    cells = dict(zip(names, row, strict=False))
    serial = cells.get("serial", "")
    try:
        return _made(number, cells)
    except _Wrong as wrong:
        return RowFault(number, serial, str(wrong))


class _Wrong(ValueError):
    """A cell that cannot be; the message names the column and never a seed."""


def _made(number: int, cells: Mapping[str, str]) -> Read:
    kind = _one_of(Kind, "kind", cells.get("kind") or Kind.HOTP)
    if kind is Kind.OCRA:
        return number, _made_by_suite(cells)
    if cells.get("suite"):
        raise _Wrong("suite: only an OCRA token has one")
    both = cells.get("period_or_counter", "")
    period = cells.get("period_seconds") or (both if kind is Kind.TOTP else "") or (str(_USUAL_PERIOD) if kind is Kind.TOTP else "")
    counter = cells.get("counter") or (both if kind is Kind.HOTP else "") or "0"
    new = NewToken(
        cells.get("serial", ""),
        Secret(cells.get("seed", "")),
        kind,
        _one_of(Algorithm, "algorithm", cells.get("algorithm") or Algorithm.SHA1),
        _number("digits", cells.get("digits") or "6"),
        _number("period_seconds", period) if period else None,
        _number("counter", counter),
    )
    return number, new


def _made_by_suite(cells: Mapping[str, str]) -> NewToken:
    counter = cells.get("counter") or cells.get("period_or_counter") or "0"
    try:
        new = NewToken.of_suite(
            cells.get("serial", ""), Secret(cells.get("seed", "")), cells.get("suite", ""), _number("counter", counter)
        )
    except NoSuchSuite as error:
        raise _Wrong(f"suite: {error}") from None
    if (said := cells.get("algorithm")) and _one_of(Algorithm, "algorithm", said) is not new.algorithm:
        raise _Wrong("algorithm: is not what the suite says")
    if (said := cells.get("digits")) and _number("digits", said) != new.digits:
        raise _Wrong("digits: is not what the suite says")
    if (said := cells.get("period_seconds")) and _number("period_seconds", said) != new.period_seconds:
        raise _Wrong("period_seconds: is not what the suite says")
    return new


def _one_of(kind: type[E], column: str, text: str) -> E:
    try:
        return kind(text.lower().replace("-", ""))
    except ValueError:
        raise _Wrong(f"{column}: is one of {', '.join(kind)}") from None


def _number(column: str, text: str) -> int:
    if not (text.isascii() and text.isdigit()) or len(text) > 18:  # noqa: PLR2004  # what fits a bigint
        raise _Wrong(f"{column}: is a whole number")
    return int(text)
