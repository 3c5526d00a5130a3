"""What the digits of a number tell: its country, and the block of numbers that it lies in."""

from __future__ import annotations

import phonenumbers

UNKNOWN = "ZZ"  # as ISO 3166 leaves it free
_BLOCK_DIGITS = 4  # numbers that are rented to be pumped stand in rows: the last four digits differ, the rest does not


def country_of(number: str) -> str:
    """Return the ISO 3166 code of a number (E.164 digits without +); `001` for networks of no country, `ZZ` for what none has.

    A number in no range that is known is taken for one of the first country that has its calling code.
    """
    try:
        parsed = phonenumbers.parse(f"+{number}")
    except phonenumbers.NumberParseException:
        return UNKNOWN
    return phonenumbers.region_code_for_number(parsed) or phonenumbers.region_code_for_country_code(parsed.country_code or 0)


def prefix_of(number: str) -> str:
    """Return the number without its last four digits."""
    return number[:-_BLOCK_DIGITS]
