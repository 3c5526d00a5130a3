"""Jobs: named work that is done again and again by whichever worker comes first. The domain's own rows are the queue.

A job claims due rows by conditional update with a lease, works, records, and says how much it did. The runner only decides
when to look: at once while there is work, when notified, and otherwise at the job's pace.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field

import structlog

from strongroom.kit.db import Database
from strongroom.kit.errors import Unavailable
from strongroom.kit.metrics import JOB_FAILURES, JOB_ITEMS, JOB_SECONDS

_CHANNEL = "strongroom_work"
_RETRY_SECONDS = 1.0
_log = structlog.get_logger("jobs")


class LoopEnded(Exception):
    """A job is not looked at any more; the process must end and be started anew."""


@dataclass(frozen=True, slots=True)
class Job:
    """One kind of work. `run` returns how many items it did; 0 means that nothing is due."""

    name: str
    run: Callable[[], Awaitable[int]]
    every_seconds: float
    woken_by_notify: bool = False
    lanes: int = 1  # how many runs may be under way at once in one process


@dataclass(slots=True)
class Runner:
    """Runs jobs until told to stop, then finishes what it began."""

    db: Database
    jobs: Sequence[Job]
    _wakes: dict[str, asyncio.Event] = field(default_factory=dict)

    async def run(self, stopping: asyncio.Event) -> None:
        """Run every job at its pace until `stopping` is set; work already claimed is finished first."""
        heard = asyncio.Event()
        for job in self.jobs:
            self._wakes[job.name] = asyncio.Event()
        async with asyncio.TaskGroup() as group:
            listener = group.create_task(self._listen(heard))
            spreader = group.create_task(self._spread(heard))
            loops = [group.create_task(self._loop(job, stopping)) for job in self.jobs for _ in range(job.lanes)]
            await _stopped(stopping, loops)
            for wake in self._wakes.values():
                wake.set()
            await asyncio.wait(loops)
            listener.cancel()
            spreader.cancel()

    async def _loop(self, job: Job, stopping: asyncio.Event) -> None:
        """Run one job; a failure is logged and tried again, because rows stay due."""
        wake = self._wakes[job.name]
        while not stopping.is_set():
            wake.clear()
            pause = job.every_seconds
            started = time.perf_counter()
            try:
                done = await job.run()
                JOB_ITEMS.labels(job.name).inc(done)
                pause = 0 if done else pause
            except Exception as error:  # noqa: BLE001  # the job runner is one of the two places that may
                JOB_FAILURES.labels(job.name).inc()
                _log.warning("job failed", job=job.name, error=type(error).__name__, exc_info=not isinstance(error, Unavailable))
                pause = max(pause, _RETRY_SECONDS)
            JOB_SECONDS.labels(job.name).observe(time.perf_counter() - started)
            if pause:
                with contextlib.suppress(TimeoutError):
                    await asyncio.wait_for(wake.wait(), pause)

    async def _listen(self, heard: asyncio.Event) -> None:
        """Listen for new work; while the database is away the paces alone drive the jobs."""
        while True:
            with contextlib.suppress(Unavailable, OSError, TimeoutError):
                async with self.db.listen(_CHANNEL, heard):
                    await asyncio.sleep(300)
            await asyncio.sleep(_RETRY_SECONDS)

    async def _spread(self, heard: asyncio.Event) -> None:
        """Pass a notification on to the jobs that want it."""
        while True:
            await heard.wait()
            heard.clear()
            for job in self.jobs:
                if job.woken_by_notify:
                    self._wakes[job.name].set()


async def _stopped(stopping: asyncio.Event, loops: list[asyncio.Task[None]]) -> None:
    """Return when told to stop. Raise LoopEnded when a loop ended by itself: a worker that silently does less must not live on."""
    told = asyncio.ensure_future(stopping.wait())
    try:
        ended, _ = await asyncio.wait([told, *loops], return_when=asyncio.FIRST_COMPLETED)
    finally:
        told.cancel()
    if not stopping.is_set():
        raise LoopEnded(f"{len(ended)} of {len(loops)} loops of jobs ended without being told to")


NOTIFY = f"SELECT pg_notify('{_CHANNEL}', '')"
