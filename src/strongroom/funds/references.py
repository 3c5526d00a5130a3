"""Derive what a bank statement will show: at most 18 characters of the set that Faster Payments carry."""

from __future__ import annotations

import re
import unicodedata
from itertools import count
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator

MAX_CHARACTERS = 18
FALLBACK = "PAYMENT"  # for a reference without one character that can be carried

_ALLOWED = re.compile(r"[A-Za-z0-9 &\-./]{1,18}")
_FOREIGN = re.compile(r"[^A-Za-z0-9&\-./]+")
_SPELT = str.maketrans({"ß": "ss", "æ": "ae", "Æ": "AE", "ø": "o", "Ø": "O", "ł": "l", "Ł": "L", "đ": "d", "_": "-"})


def is_statement_reference(text: str) -> bool:
    """True when `text` can be carried as it stands, and no bank would trim it."""
    return _ALLOWED.fullmatch(text) is not None and text == text.strip()


def statement_reference(reference: str) -> str:
    """Return the statement's form of a firm's reference; always the same for the same reference.

    Accents are dropped, `_` becomes `-`, runs of anything else that cannot be carried become one space, the end is cut.
    """
    plain = "".join(char for char in unicodedata.normalize("NFKD", reference.translate(_SPELT)) if not unicodedata.combining(char))
    return _FOREIGN.sub(" ", plain).strip()[:MAX_CHARACTERS].rstrip() or FALLBACK


def candidates(reference: str) -> Iterator[str]:
    """Yield the statement's form, then the same with -2, -3 …, each within 18 characters; without end."""
    first = statement_reference(reference)
    yield first
    for number in count(2):
        suffix = f"-{number}"
        yield first[: MAX_CHARACTERS - len(suffix)].rstrip() + suffix


def distinct_reference(reference: str, taken: Collection[str]) -> str:
    """Return the first candidate that is not taken. Banks print in capitals, so case does not tell two apart.

    The caller's unique index decides a race: on a clash, add what was met to `taken` and ask again.
    """
    met = {other.upper() for other in taken}
    return next(candidate for candidate in candidates(reference) if candidate.upper() not in met)
