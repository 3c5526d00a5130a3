"""Values read a moment ago: a bounded cache whose time limit, not any message, guarantees how stale an answer can be.

When a value is too old, everybody who asks for it at that moment waits for one reading: without that, each half second would bring
as many readings of one row as there are requests in flight.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import Generic, TypeVar

K = TypeVar("K")
V = TypeVar("V")

FRESH_SECONDS = 0.5  # so that a change holds everywhere within a second


class Recent(Generic[K, V]):
    """Keeps each value for at most half a second after the read that brought it *began*."""

    def __init__(self, *, at_most: int = 10_000) -> None:
        self._at_most = at_most
        self._held: dict[K, tuple[float, V]] = {}
        self._reading: dict[K, asyncio.Task[V | None]] = {}

    def find(self, key: K) -> V | None:
        """Return the value when it is fresh."""
        held = self._held.get(key)
        return held[1] if held and time.monotonic() < held[0] else None

    async def get(
        self, key: K, read: Callable[[], Awaitable[V | None]], keep_seconds: Callable[[V], float] | None = None
    ) -> V | None:
        """Return the value, read by one of those who ask at once when it is not fresh. Raise what `read` raises.

        None is not kept. `keep_seconds` says of a value how long it may be kept, half a second at most.
        """
        if (held := self.find(key)) is not None:
            return held
        reading = self._reading.get(key)
        if reading is None:
            reading = self._reading[key] = asyncio.ensure_future(self._read(key, read, keep_seconds))
        return await asyncio.shield(reading)  # whoever began it may go away; the others still wait for it

    async def _read(self, key: K, read: Callable[[], Awaitable[V | None]], keep_seconds: Callable[[V], float] | None) -> V | None:
        began_at = time.monotonic()
        this = asyncio.current_task()
        try:
            value = await read()
            if value is not None and self._reading.get(key) is this:  # else it was changed meanwhile, and this is the old one
                self.keep(key, value, began_at, seconds=keep_seconds(value) if keep_seconds else FRESH_SECONDS)
            return value
        finally:
            if self._reading.get(key) is this:
                del self._reading[key]

    def keep(self, key: K, value: V, began_at: float, *, seconds: float = FRESH_SECONDS) -> None:
        """Keep a value whose reading began at `began_at` (time.monotonic), for at most `seconds` from then."""
        if len(self._held) >= self._at_most:
            self._held.clear()
        self._held[key] = (began_at + min(seconds, FRESH_SECONDS), value)

    def drop(self, key: K) -> None:
        """Forget a value that this process has just changed, and a reading of it that began before."""
        self._held.pop(key, None)
        self._reading.pop(key, None)
