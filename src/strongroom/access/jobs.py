"""What access does again and again: removing what has ended."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from strongroom.access.store import clients, sessions, tokens
from strongroom.kit.db import Database, Tx
from strongroom.kit.jobs import Job

_EVERY_SECONDS = 300.0


def jobs(worker_db: Database) -> list[Job]:
    """Return the jobs; they need the worker's role, which alone may delete."""

    def remove(forget: Callable[[Tx], Awaitable[int]]) -> Callable[[], Awaitable[int]]:
        async def run() -> int:
            async with worker_db.transaction() as tx:
                return await forget(tx)

        return run

    return [
        Job("access: remove expired tokens", remove(tokens.forget_old), _EVERY_SECONDS),
        Job("access: remove expired assertions", remove(clients.forget_assertions), _EVERY_SECONDS),
        Job("access: remove ended sessions", remove(sessions.forget_old), _EVERY_SECONDS),
    ]
