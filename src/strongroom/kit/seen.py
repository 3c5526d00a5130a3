"""Which texts came before: of any number of them, within a fixed memory.

Kept as keyed digests in a file of SQLite's that has no name and ends with the process: beyond two megabytes they wait on disk.
"""

from __future__ import annotations

import sqlite3
from hashlib import blake2b
from secrets import token_bytes
from types import TracebackType
from typing import Final, Self

_DIGEST_BYTES: Final = 16  # of a key of its own, so nobody can make two texts meet
_CACHE_KIB: Final = 2_048


class Seen:
    """Remembers texts for as long as the block lasts: `with Seen() as seen`."""

    def __init__(self) -> None:
        self._key = token_bytes(32)
        self._file = sqlite3.connect("", isolation_level=None)  # no name: private, and gone when it is closed
        self._file.executescript(
            f"""PRAGMA cache_size = -{_CACHE_KIB}; PRAGMA journal_mode = OFF; PRAGMA synchronous = OFF;
                CREATE TABLE seen (digest BLOB PRIMARY KEY) WITHOUT ROWID;
                BEGIN"""
        )

    def __enter__(self) -> Self:
        """Begin with nothing."""
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        """Forget everything."""
        self._file.close()

    def is_new(self, text: str) -> bool:
        """Remember a text; True when it did not come before."""
        digest = blake2b(text.encode(), digest_size=_DIGEST_BYTES, key=self._key).digest()
        return self._file.execute("INSERT OR IGNORE INTO seen VALUES (?)", (digest,)).rowcount == 1
