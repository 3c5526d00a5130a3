"""The clock: SQL reads `app_now()`, which tests and development may move. Here is how a process finds out whether it was moved."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from strongroom.kit.db import Tx


class ClockMoved(Exception):
    """The database's clock has an offset, which production refuses: every lifetime and limit would be false."""


async def get_offset(tx: Tx) -> timedelta:
    """Return how far `app_now()` is ahead of the real time."""
    return timedelta(seconds=float(await tx.fetchval("SELECT extract(epoch FROM ahead) FROM clock_offset")))


async def refuse_moved_clock(tx: Tx) -> None:
    """Raise ClockMoved unless `app_now()` is the real time. Production calls this before it serves."""
    if await get_offset(tx):
        raise ClockMoved("the database's clock is moved (table clock_offset); production needs it at zero")


async def now_of(tx: Tx) -> datetime:
    """Return the present time by the database's clock, the only one that decides anything."""
    now: datetime = await tx.fetchval("SELECT app_now()")
    return now


def own_now() -> datetime:
    """Return this machine's time in UTC, for what is shown or checked for sense, and never for a lifetime, a limit or a right."""
    return datetime.now(UTC)
