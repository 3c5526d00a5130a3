"""The texts of the customer's website: one catalogue file a language, all with the same keys and placeholders."""

from __future__ import annotations

import tomllib
from collections.abc import Iterator, Mapping
from pathlib import Path
from string import Formatter
from typing import Any, Final

from markupsafe import Markup, escape

FOLDER: Final = Path(__file__).parent / "texts"
DEFAULT_LANGUAGE: Final = "en"


class UnknownText(KeyError):
    """A page asked for a text that the catalogue does not have."""


class TextsDisagree(ValueError):
    """Two languages do not have the same keys with the same placeholders."""


class Texts:
    """The texts of one language. Values put into a text are escaped, unless they are markup already."""

    def __init__(self, language: str, entries: Mapping[str, str]) -> None:
        self.language = language
        self._entries = entries

    def text(self, key: str, /, **values: object) -> Markup:
        """Return the text with its placeholders filled in. Raise UnknownText, or KeyError for a placeholder without value."""
        try:
            entry = self._entries[key]
        except KeyError:
            raise UnknownText(key) from None
        return Markup(escape(entry)).format(**values)  # noqa: S704 -- escaped on the spot; format escapes the values

    def plural(self, key: str, count: int, /, **values: object) -> Markup:
        """Return the text `key.one` or `key.other`, with `{count}` filled in."""
        return self.text(f"{key}.{'one' if count == 1 else 'other'}", count=count, **values)

    def shape(self) -> dict[str, frozenset[str]]:
        """Return every key with the names of its placeholders."""
        return {key: placeholders(entry) for key, entry in self._entries.items()}


def placeholders(entry: str) -> frozenset[str]:
    """Return the names of the placeholders in a text."""
    return frozenset(name for _, name, _, _ in Formatter().parse(entry) if name is not None)


def load_texts(folder: Path = FOLDER) -> dict[str, Texts]:
    """Load every language of the folder. Raise TextsDisagree when one lacks what another has."""
    languages = {path.stem: Texts(path.stem, dict(_flatten(path))) for path in sorted(folder.glob("*.toml"))}
    expected = languages[DEFAULT_LANGUAGE].shape()
    for language, texts in languages.items():
        different = expected.items() ^ texts.shape().items()
        if different:
            raise TextsDisagree(f"{language}: {', '.join(sorted({key for key, _ in different}))}")
    return languages


def _flatten(path: Path) -> Iterator[tuple[str, str]]:
    return _walk("", tomllib.loads(path.read_text("utf-8")))


def _walk(prefix: str, branch: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    for name, value in branch.items():
        if isinstance(value, str):
            yield prefix + name, value
        else:
            yield from _walk(f"{prefix}{name}.", value)
