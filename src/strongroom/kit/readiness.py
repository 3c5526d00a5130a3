"""Whether requests can be answered at all: for load balancers, which then send them elsewhere."""

from __future__ import annotations

import asyncio
import time

from strongroom.kit.db import Database
from strongroom.kit.vault import Vault

NO_DATABASE = "The database does not answer"
NO_KEYS = "The root keys cannot be used: the module that keeps them does not answer"
_KEPT_SECONDS = 2.0  # of what the keys said: a module is asked so often at most, however many probes come
_ANSWER_SECONDS = 1.0


class Readiness:
    """Asks what every request needs: the database each time, the root keys at most every two seconds."""

    def __init__(self, db: Database, vault: Vault) -> None:
        self._db = db
        self._vault = vault
        self._asked_at = 0.0
        self._asking: asyncio.Task[bool] | None = None

    async def find_fault(self) -> str | None:
        """Return why requests cannot be answered, in words that tell nobody anything; None when they can."""
        if not await self._db.is_up():
            return NO_DATABASE
        return None if await self._can_use_keys() else NO_KEYS

    async def _can_use_keys(self) -> bool:
        """Ask beside the event loop, which a module that hangs must not hold up; while one question waits no other is asked."""
        asking, now = self._asking, time.monotonic()  # a process's own patience, no decision of the product
        if asking is None or (asking.done() and now - self._asked_at >= _KEPT_SECONDS):
            self._asked_at = now
            asking = self._asking = asyncio.create_task(asyncio.to_thread(self._vault.can_use_root))
        answered, _ = await asyncio.wait({asking}, timeout=_ANSWER_SECONDS)
        return bool(answered) and asking.result()
