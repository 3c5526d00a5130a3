"""What a customer brings back from a bank, before anything in it is believed: only which attempt it speaks of."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Mapping

import msgspec

MAX_FIELDS = 20
MAX_FIELD_CHARACTERS = 16_384


class _Named(msgspec.Struct):
    state: str = ""


def find_state(fields: Mapping[str, str]) -> str | None:
    """Find the `state` of a return, bare or inside a signed `response` (JARM), to look its attempt up by.

    Nothing is verified here: `accept_return` does that once the attempt, and so the bank, is known.
    """
    bare = fields.get("state")
    if bare:
        return bare
    segments = fields.get("response", "")[:MAX_FIELD_CHARACTERS].split(".")
    if len(segments) != 3:  # noqa: PLR2004 - header.payload.signature
        return None
    try:
        payload = base64.urlsafe_b64decode(segments[1] + "=" * (-len(segments[1]) % 4))
        return msgspec.json.decode(payload, type=_Named).state or None
    except (binascii.Error, ValueError, RecursionError):
        return None


def is_bounded(fields: Mapping[str, str]) -> bool:
    """True when a return is of a size that any bank's could have."""
    return len(fields) <= MAX_FIELDS and all(len(value) <= MAX_FIELD_CHARACTERS for value in fields.values())
