"""The operator's guides as they are printed: their blocks of code, with what an operator fills in filled in."""

from __future__ import annotations

import re
from pathlib import Path

GUIDES = Path(__file__).parents[2] / "docs" / "operate"
_BLOCK = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)


def blocks(guide: str, language: str) -> list[str]:
    """Return a guide's blocks of one language, in order; `` is a block that names none."""
    return [text for named, text in _BLOCK.findall((GUIDES / guide).read_text()) if named == language]


def block(guide: str, language: str, containing: str) -> str:
    """Return the one block that contains a text."""
    [found] = [text for text in blocks(guide, language) if containing in text]
    return found


def fill(text: str, *fillings: tuple[str, str]) -> str:
    """Replace each printed text by ours; every one must be there, so that the guide and its trial cannot part."""
    for printed, ours in fillings:
        assert printed in text, f"the guide does not say {printed!r} any more"
        text = text.replace(printed, ours)
    return text


def variables(text: str) -> dict[str, str]:
    """Return the lines of an environment file."""
    return dict(line.split("=", 1) for line in text.splitlines() if line)
