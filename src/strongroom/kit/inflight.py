"""Work in flight: tasks that a job started and does not wait for, bounded, and finished before the process ends."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Coroutine
from dataclasses import dataclass, field
from typing import Any

import structlog

_GATHER_SECONDS = 0.003
_log = structlog.get_logger("inflight")


@dataclass(slots=True)
class InFlight:
    """A bounded set of running tasks. A task that fails is logged: its row's lease makes it due again.

    At most `at_most` tasks are young; one that runs longer than `young_seconds` makes room for another, until
    `old_at_most` such laggards are held. So many hanging calls cannot keep quick ones waiting.
    """

    name: str
    at_most: int
    young_seconds: float = 1.0
    old_at_most: int = 0
    _started: dict[asyncio.Task[None], float] = field(default_factory=dict)

    def room(self) -> int:
        """Return how many tasks may be started now."""
        limit = time.monotonic() - self.young_seconds
        old = sum(1 for started in self._started.values() if started < limit)
        return max(0, self.at_most + min(old, self.old_at_most) - len(self._started))

    def start(self, work: Coroutine[Any, Any, None]) -> None:
        """Start a piece of work."""
        task = asyncio.create_task(work, name=self.name)
        self._started[task] = time.monotonic()
        task.add_done_callback(self._ended)

    def is_busy(self) -> bool:
        """True while something runs."""
        return bool(self._started)

    async def wait(self, timeout_seconds: float) -> None:
        """Return shortly after a task has ended (others that end just then are waited for too), or after the timeout."""
        if self._started:
            done, _ = await asyncio.wait(self._started, return_when=asyncio.FIRST_COMPLETED, timeout=timeout_seconds)
            if done:
                await asyncio.sleep(_GATHER_SECONDS)

    async def finish(self) -> None:
        """Wait until everything started has ended; call it after the job runner has stopped."""
        while self._started:
            await asyncio.wait(self._started)

    def _ended(self, task: asyncio.Task[None]) -> None:
        self._started.pop(task, None)
        if not task.cancelled() and (error := task.exception()):
            _log.warning("work failed", job=self.name, error=type(error).__name__, exc_info=error)
