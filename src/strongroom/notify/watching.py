"""The conversion watch: where codes are sent and nobody uses them, somebody is paid for the sending. See decision 19."""

from __future__ import annotations

from datetime import datetime

import structlog

from strongroom.kit import audit
from strongroom.kit.db import Database, Tx
from strongroom.kit.errors import NotFound
from strongroom.kit.ids import new_id
from strongroom.kit.metrics import MESSAGE_WATCH
from strongroom.notify.model import AuditTag, Pause, Scope, Step, Unused, WatchRules
from strongroom.notify.store import watch as store

_HUB = "hub"  # the tenant of what is nobody's own
_WATCH = "system:watch"
_log = structlog.get_logger("notify")


class Watch:
    """Looks over the messages of all tenants; runs as the worker's role."""

    def __init__(self, db: Database, rules: WatchRules | None = None) -> None:
        self._db = db
        self._rules = rules or WatchRules()

    async def look(self) -> int:
        """Pause the blocks of numbers whose codes go unused, and tell of such countries, or pause them; return how many."""
        if not self._rules.share_percent:
            return 0
        async with self._db.transaction() as tx:
            found = await store.take_unused(tx, self._rules) if await store.lock_watch(tx) else []
            for unused in found:
                await self._pause(tx, unused)
        for unused in found:
            self._tell(unused)
        return len(found)

    async def list_pauses(self) -> list[Pause]:
        """Return what is paused or told about now, newest first."""
        async with self._db.transaction() as tx:
            return await store.list_pauses(tx)

    async def lift(self, actor: str, pause_id: str) -> Pause:
        """End a pause; what was sent before does not count against the numbers again. Raise NotFound."""
        async with self._db.transaction() as tx:
            lifted = await store.lift(tx, pause_id, actor)
            if lifted is None:
                raise NotFound("No such pause is in force")
            await audit.record(tx, _HUB, actor, AuditTag.LIFTED, pause_id, {"scope": lifted.scope, "country": lifted.country})
        return lifted

    async def take_stock(self, since: datetime, until: datetime) -> list[Step]:
        """Return the funnel of a period: asked, sent, delivered, used, refused, per purpose, country and gateway."""
        async with self._db.transaction() as tx:
            return await store.take_stock(tx, since, until)

    async def _pause(self, tx: Tx, unused: Unused) -> None:
        pause_id, stops = new_id("mps"), self._stops(unused)
        await store.add_pause(tx, pause_id, unused, stops=stops, seconds=self._rules.pause_seconds)
        counted = {"scope": unused.scope, "country": unused.country, "numbers": unused.numbers, "users": unused.users}
        await audit.record(tx, _HUB, _WATCH, AuditTag.PAUSED if stops else AuditTag.ALARMED, pause_id, counted)

    def _stops(self, unused: Unused) -> bool:
        return unused.scope is Scope.PREFIX or self._rules.country_stops

    def _tell(self, unused: Unused) -> None:
        outcome = "paused" if self._stops(unused) else "alarmed"
        MESSAGE_WATCH.labels(unused.scope, unused.country, outcome).inc()
        _log.warning(
            "codes go unused", scope=str(unused.scope), country=unused.country, outcome=outcome, count=unused.numbers,
            seconds=self._rules.pause_seconds,
        )  # fmt: skip
