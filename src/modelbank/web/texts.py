"""Texts from outside: the one character that JSON and URLs allow and PostgreSQL cannot keep."""

from __future__ import annotations

from typing import Any


def holds_nul(value: Any) -> bool:
    """True when NUL is in a text, or in any text of parsed JSON, member names too."""
    match value:
        case str():
            return "\0" in value
        case dict():
            return any(holds_nul(name) or holds_nul(member) for name, member in value.items())
        case list():
            return any(holds_nul(entry) for entry in value)
    return False
