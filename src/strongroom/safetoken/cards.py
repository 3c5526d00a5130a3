"""Card numbers as the wire has them."""

from __future__ import annotations

import re

from strongroom.kit.log import passes_luhn

_SHAPE = re.compile(r"[0-9]{13,19}")


def is_card_number(text: str) -> bool:
    """True for 13 to 19 digits whose last is the check digit of the others (ISO/IEC 7812-1)."""
    return _SHAPE.fullmatch(text) is not None and passes_luhn(text)
