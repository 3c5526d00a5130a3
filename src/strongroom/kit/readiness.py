"""Whether requests can be answered: for load balancers, which send them elsewhere, and for people who watch.

A module that is away makes nobody unready: all servers share it, each has the keys of its firms in memory, and a balancer that had
taken them all out would have made a small fault a total one.
"""

from __future__ import annotations

import asyncio
import time

from strongroom.kit.db import Database
from strongroom.kit.metrics import ROOT_KEYS_USABLE
from strongroom.kit.vault import Vault

NO_DATABASE = "The database does not answer"
NO_KEYS = "The root keys cannot be used just now: firms that this process has not served yet are refused"
_KEPT_SECONDS = 2.0  # of what the keys said: a module is asked so often at most, however many probes come
_ANSWER_SECONDS = 1.0


class Readiness:
    """Asks for what requests need: the database each time, the root keys at most every two seconds."""

    def __init__(self, db: Database, vault: Vault) -> None:
        self._db = db
        self._vault = vault
        self._asked_at = 0.0
        self._asking: asyncio.Task[bool] | None = None

    async def find_fault(self) -> str | None:
        """Return why no request can be answered, None when they can."""
        return None if await self._db.is_up() else NO_DATABASE

    async def find_warning(self) -> str | None:
        """Return why some requests cannot be answered, None when all can; the metric says the same."""
        is_usable = await self._can_use_keys()
        ROOT_KEYS_USABLE.set(is_usable)
        return None if is_usable else NO_KEYS

    async def _can_use_keys(self) -> bool:
        """Ask beside the event loop, which a module that hangs must not hold up; while one question waits no other is asked."""
        asking, now = self._asking, time.monotonic()  # a process's own patience, no decision of the product
        if asking is None or (asking.done() and now - self._asked_at >= _KEPT_SECONDS):
            self._asked_at = now
            asking = self._asking = asyncio.create_task(asyncio.to_thread(self._vault.can_use_root))
        answered, _ = await asyncio.wait({asking}, timeout=_ANSWER_SECONDS)
        return bool(answered) and asking.result()
