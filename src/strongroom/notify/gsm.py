"""The alphabet of text messages (3GPP TS 23.038) and what it costs to leave it: 160 characters shrink to 70."""

from __future__ import annotations

import unicodedata
from enum import StrEnum

_BASIC = frozenset(
    "@£$¥èéùìòÇ\nØø\rÅåΔ_ΦΓΛΩΠΨΣΘΞÆæßÉ !\"#¤%&'()*+,-./0123456789:;<=>?"
    "¡ABCDEFGHIJKLMNOPQRSTUVWXYZÄÖÑÜ§¿abcdefghijklmnopqrstuvwxyzäöñüà"
)
_EXTENDED = frozenset("\f^{}\\[~]|€")
_PLAIN = str.maketrans(
    {
        "‘": "'", "’": "'", "‚": "'", "“": '"', "”": '"', "„": '"', "–": "-", "—": "-", "‑": "-", "…": "...", "\u00a0": " ",
        "₦": "NGN", "ł": "l", "Ł": "L", "đ": "d", "Đ": "D", "ı": "i", "œ": "oe", "Œ": "OE", "`": "'", "\t": " ",
    }
)  # fmt: skip
_SINGLE = {"gsm7": 160, "ucs2": 70}
_PART = {"gsm7": 153, "ucs2": 67}


class Encoding(StrEnum):
    """How a text travels."""

    GSM7 = "gsm7"
    UCS2 = "ucs2"


def encoding_of(text: str) -> Encoding:
    """Return how a text must travel."""
    return Encoding.GSM7 if all(character in _BASIC or character in _EXTENDED for character in text) else Encoding.UCS2


def segments_of(text: str) -> int:
    """Return in how many messages a text is carried and charged; at least 1."""
    encoding = encoding_of(text)
    widths = [_width(character, encoding) for character in text]
    if sum(widths) <= _SINGLE[encoding]:
        return 1
    parts, used = 1, 0
    for width in widths:  # no character is cut in two, so a part may end early
        if used + width > _PART[encoding]:
            parts, used = parts + 1, 0
        used += width
    return parts


def to_gsm(text: str) -> str:
    """Write a text in the alphabet of text messages: typographic signs plain, letters without the accents it lacks."""
    return "".join(map(_nearest, text.translate(_PLAIN)))


def _nearest(character: str) -> str:
    if character in _BASIC or character in _EXTENDED:
        return character
    base = "".join(part for part in unicodedata.normalize("NFKD", character) if not unicodedata.combining(part))
    return base if base and encoding_of(base) is Encoding.GSM7 else "?"


def _width(character: str, encoding: Encoding) -> int:
    if encoding is Encoding.GSM7:
        return 2 if character in _EXTENDED else 1
    return 2 if ord(character) > 0xFFFF else 1  # noqa: PLR2004  # the end of Unicode's first plane, beyond which UTF-16 takes two
