"""Identifiers: a prefix and 13 random Crockford base32 characters (65 bits), lower case, opaque on input."""

from __future__ import annotations

import re
import secrets

_ALPHABET = "0123456789abcdefghjkmnpqrstvwxyz"
_LENGTH = 13
_LETTERS = bytes(ord(_ALPHABET[byte % len(_ALPHABET)]) for byte in range(256))  # of a byte's eight bits five count
_SHAPE = re.compile(r"[a-z]{3}-[0-9a-hjkmnp-tv-z]{7,26}")


def new_id(prefix: str) -> str:
    """Return a fresh identifier such as `cse-3v8q0m1x9k2ta`."""
    return f"{prefix}-{secrets.token_bytes(_LENGTH).translate(_LETTERS).decode()}"


def is_id(text: str) -> bool:
    """True when the text could be one of our identifiers; anything else is answered as unknown without a look-up."""
    return _SHAPE.fullmatch(text) is not None


def new_secret(size_bytes: int = 32) -> str:
    """Return a URL-safe random text of `size_bytes` × 8 bits."""
    return secrets.token_urlsafe(size_bytes)


def new_alphanumeric(length: int) -> str:
    """Return `length` random characters of a–z and 0–9 (5.17 bits each)."""
    return "".join(secrets.choice("abcdefghijklmnopqrstuvwxyz0123456789") for _ in range(length))
