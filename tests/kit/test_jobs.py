"""Jobs: a failure is tried again, a notification wakes, and stopping finishes what was begun."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import pytest

from strongroom.kit.db import Database, DatabaseDown
from strongroom.kit.jobs import NOTIFY, Job, LoopEnded, Runner


@pytest.fixture
async def db(database: Any) -> AsyncIterator[Database]:
    opened = await Database.connect(database.worker_dsn, role="strongroom_worker", size=4)
    yield opened
    await opened.close()


async def run_until(db: Database, jobs: list[Job], done: Callable[[], bool], seconds: float = 10) -> float:
    """Run jobs until something holds; return how long that took."""
    stopping = asyncio.Event()
    running = asyncio.ensure_future(Runner(db, jobs).run(stopping))
    began = time.monotonic()
    while not done() and time.monotonic() - began < seconds:  # noqa: ASYNC110  # what is waited for is no event
        await asyncio.sleep(0.02)
    took = time.monotonic() - began
    stopping.set()
    await asyncio.wait_for(running, 10)
    assert done()
    return took


def counting(results: list[Any]) -> tuple[list[float], Callable[[], Awaitable[int]]]:
    """Return when a job ran, and a job that answers with (or raises) one result after another, then 0."""
    ran: list[float] = []

    async def run() -> int:
        ran.append(time.monotonic())
        result = results.pop(0) if results else 0
        if isinstance(result, BaseException):
            raise result
        return int(result)

    return ran, run


async def test_there_is_no_pause_while_there_is_work(db: Database) -> None:
    ran, run = counting([1] * 20)
    assert await run_until(db, [Job("busy", run, every_seconds=60)], lambda: len(ran) == 21) < 5


@pytest.mark.parametrize("error", [DatabaseDown(), ValueError("x")])
async def test_a_job_that_failed_is_run_again(db: Database, error: Exception) -> None:
    ran, run = counting([error])
    await run_until(db, [Job("failing", run, every_seconds=0.01)], lambda: len(ran) >= 2)
    assert ran[1] - ran[0] >= 0.9, "not at once: what fails now fails again"


async def test_a_failing_job_holds_up_no_other(db: Database) -> None:
    _, fails = counting([ValueError("x")] * 100)
    ran, run = counting([])
    await run_until(db, [Job("failing", fails, 0.01), Job("fine", run, 0.01)], lambda: len(ran) >= 10)


async def test_a_notification_wakes_a_job_at_once(db: Database) -> None:
    ran, run = counting([])
    stopping = asyncio.Event()
    running = asyncio.ensure_future(Runner(db, [Job("woken", run, every_seconds=600, woken_by_notify=True)]).run(stopping))
    await asyncio.sleep(0.5)
    for _ in range(20):
        async with db.transaction() as tx:
            await tx.execute(NOTIFY)
        await asyncio.sleep(0.1)
        if len(ran) > 1:
            break
    stopping.set()
    await asyncio.wait_for(running, 10)
    assert len(ran) > 1


async def test_stopping_finishes_what_was_begun(db: Database) -> None:
    began, finished = asyncio.Event(), []

    async def slow() -> int:
        began.set()
        await asyncio.sleep(0.3)
        finished.append(1)
        return 1

    stopping = asyncio.Event()
    running = asyncio.ensure_future(Runner(db, [Job("slow", slow, every_seconds=600, lanes=3)]).run(stopping))
    await began.wait()
    stopping.set()
    await asyncio.wait_for(running, 10)
    assert len(finished) == 3


async def test_a_loop_that_ends_by_itself_ends_the_worker_which_would_else_silently_do_less(db: Database) -> None:
    _, lost = counting([asyncio.CancelledError()])
    _, sound = counting([])
    jobs = [Job("lost", lost, every_seconds=60), Job("sound", sound, every_seconds=60)]
    with pytest.raises(ExceptionGroup) as ended:
        await asyncio.wait_for(Runner(db, jobs).run(asyncio.Event()), 10)
    assert [type(error) for error in ended.value.exceptions] == [LoopEnded]
