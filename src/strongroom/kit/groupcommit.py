"""Group commit: writes in flight share statements and a commit; each caller still waits for its own.

A batch holds one tenant's writes only, because row-level security knows one tenant a transaction. A batch that fails is run
again one write at a time, so that a poisoned write fails alone. Nobody waits for company: a write that finds nothing in
flight goes at once, and those that come meanwhile make the next batch.
"""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Awaitable, Callable
from typing import Generic, TypeVar

import asyncpg

from strongroom.kit.crypto import SealBroken
from strongroom.kit.db import Database, Tx
from strongroom.kit.errors import TooMany

W = TypeVar("W")

_ONES_OWN_FAULT = (
    asyncpg.IntegrityConstraintViolationError,
    asyncpg.DataError,
    asyncpg.LockNotAvailableError,
    asyncpg.DeadlockDetectedError,
    SealBroken,
)
_MAX_BATCH = 64
_MAX_WAITING = 2_000  # beyond this a write is refused at once: a queue that only grows helps nobody


class GroupCommit(Generic[W]):
    """Collects writes per tenant and hands them to `write(tx, tenant, writes)` in batches."""

    def __init__(self, db: Database, write: Callable[[Tx, str, list[W]], Awaitable[None]], *, lanes: int = 2) -> None:
        self._db = db
        self._write = write
        self._lanes = lanes  # batches of one tenant in flight at once: one commits while the next is sent
        self._waiting: dict[str, list[tuple[W, asyncio.Future[None]]]] = defaultdict(list)
        self._flying: dict[str, int] = defaultdict(int)
        self._tasks: set[asyncio.Task[None]] = set()
        self._count = 0

    async def submit(self, tenant: str, write: W) -> None:
        """Return when the write is committed; raise what it alone would have raised. Raise TooMany when too many wait."""
        if self._count >= _MAX_WAITING:
            raise TooMany("Too many writes are waiting; try again shortly", retry_after_seconds=1)
        done: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting[tenant].append((write, done))
        self._count += 1
        if self._flying[tenant] < self._lanes:
            self._flying[tenant] += 1
            task = asyncio.ensure_future(self._fly(tenant))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)
        await done

    async def _fly(self, tenant: str) -> None:
        """Send batches of one tenant until none waits."""
        try:
            while batch := self._waiting[tenant][:_MAX_BATCH]:
                del self._waiting[tenant][: len(batch)]
                self._count -= len(batch)
                await self._run(tenant, batch)
        finally:
            self._flying[tenant] -= 1
            if not self._flying[tenant] and not self._waiting[tenant]:
                del self._flying[tenant], self._waiting[tenant]

    async def _run(self, tenant: str, batch: list[tuple[W, asyncio.Future[None]]]) -> None:
        """Commit one batch; when the database refuses it, find the culprit by running each write alone."""
        try:
            async with self._db.transaction(tenant) as tx:
                await self._write(tx, tenant, [write for write, _ in batch])
        except BaseException as error:  # noqa: BLE001  # every waiting caller must hear of it, whatever it is
            if len(batch) > 1 and isinstance(error, _ONES_OWN_FAULT):
                for one in batch:
                    await self._run(tenant, [one])
                return
            for _, done in batch:
                if not done.done():
                    done.set_exception(error)
            return
        for _, done in batch:
            if not done.done():
                done.set_result(None)
