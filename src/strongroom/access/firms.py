"""Use cases over firms: made, listed and changed by the operator; their settings are read by nearly every request."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from strongroom.access.changes import changed_settings
from strongroom.access.model import AuditTag, Firm, FirmSettings
from strongroom.access.store import firms as store
from strongroom.kit import audit
from strongroom.kit.db import Database, Tx
from strongroom.kit.errors import NotFound
from strongroom.kit.ids import is_id, new_id
from strongroom.kit.recent import Recent


class Firms:
    """Use cases over firms."""

    def __init__(self, db: Database) -> None:
        self._db = db
        self._recent: Recent[str, Firm] = Recent()

    async def create(self, actor: str, name: str, settings: FirmSettings | None = None) -> Firm:
        """Make a firm."""
        firm_id = new_id("frm")
        async with self._db.transaction(firm_id) as tx:
            await store.add(tx, firm_id, name, settings or FirmSettings())
            await audit.record(tx, firm_id, actor, AuditTag.FIRM_CREATED, firm_id)
        return await self.get(firm_id)

    async def get(self, firm_id: str) -> Firm:
        """Return a firm as it was at most half a second ago. Raise NotFound."""
        firm = await self._recent.get(firm_id, lambda: self._read(firm_id)) if is_id(firm_id) else None
        if firm is None:
            raise NotFound
        return firm

    async def load(self, tx: Tx, firm_id: str) -> Firm:
        """Return a firm within the caller's transaction, so that no second connection is waited for. Raise NotFound."""
        firm = self._recent.find(firm_id) or await store.find(tx, firm_id)
        if firm is None:
            raise NotFound
        return firm

    async def find(self, firm_id: str) -> Firm | None:
        """Return a firm, or None; for ids that anybody may have typed."""
        if not is_id(firm_id):
            return None
        try:
            return await self.get(firm_id)
        except NotFound:
            return None

    async def get_settings(self, firm_id: str) -> FirmSettings:
        """Return a firm's settings as they were at most half a second ago. Raise NotFound."""
        return (await self.get(firm_id)).settings

    async def change(self, actor: str, firm_id: str, changes: Mapping[str, Any], *, name: str | None = None) -> Firm:
        """Change some settings, and the name if given. Raise NotFound, or Invalid that names what cannot be accepted."""
        await self.get(firm_id)
        async with self._db.transaction(firm_id) as tx:
            firm = await store.find(tx, firm_id, for_update=True)
            if firm is None:
                raise NotFound
            settings = changed_settings(firm.settings, changes)
            await store.change(tx, firm_id, name or firm.name, settings)
            detail = {"changed": sorted([*changes, *(["name"] if name else [])])}
            await audit.record(tx, firm_id, actor, AuditTag.FIRM_CHANGED, firm_id, detail)
        self._recent.drop(firm_id)
        return await self.get(firm_id)

    async def _read(self, firm_id: str) -> Firm | None:
        async with self._db.transaction(firm_id) as tx:
            return await store.find(tx, firm_id)


async def list_firms(worker_db: Database) -> list[Firm]:
    """Return every firm, oldest first; needs the worker's role, because the application sees one firm at a time."""
    async with worker_db.transaction() as tx:
        return await store.find_all(tx)
