"""Values read a moment ago: a bounded cache whose time limit, not any message, guarantees how stale an answer can be."""

from __future__ import annotations

import time
from typing import Generic, TypeVar

K = TypeVar("K")
V = TypeVar("V")

FRESH_SECONDS = 0.5  # so that a change holds everywhere within a second


class Recent(Generic[K, V]):
    """Keeps each value for at most half a second after the read that brought it *began*."""

    def __init__(self, *, at_most: int = 10_000) -> None:
        self._at_most = at_most
        self._held: dict[K, tuple[float, V]] = {}

    def find(self, key: K) -> V | None:
        """Return the value when it is fresh."""
        held = self._held.get(key)
        return held[1] if held and time.monotonic() < held[0] else None

    def keep(self, key: K, value: V, began_at: float, *, seconds: float = FRESH_SECONDS) -> None:
        """Keep a value whose reading began at `began_at` (time.monotonic), for at most `seconds` from then."""
        if len(self._held) >= self._at_most:
            self._held.clear()
        self._held[key] = (began_at + min(seconds, FRESH_SECONDS), value)

    def drop(self, key: K) -> None:
        """Forget a value that this process has just changed."""
        self._held.pop(key, None)
