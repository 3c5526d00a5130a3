"""Use cases over merchants: gateways and switches that ask for purchases to be authenticated."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from strongroom.access.changes import changed_settings
from strongroom.access.issuer_model import Merchant, MerchantSettings
from strongroom.access.model import AuditTag
from strongroom.access.store import merchants as store
from strongroom.kit import audit
from strongroom.kit.db import Database
from strongroom.kit.errors import NotFound
from strongroom.kit.ids import is_id, new_id
from strongroom.kit.recent import Recent


class Merchants:
    """Use cases over merchants."""

    def __init__(self, db: Database) -> None:
        self._db = db
        self._recent: Recent[str, Merchant] = Recent()

    async def create(self, actor: str, name: str, settings: MerchantSettings | None = None) -> Merchant:
        """Make a merchant."""
        merchant_id = new_id("mer")
        async with self._db.transaction(merchant_id) as tx:
            await store.add(tx, merchant_id, name, settings or MerchantSettings())
            await audit.record(tx, merchant_id, actor, AuditTag.MERCHANT_CREATED, merchant_id)
        return await self.get(merchant_id)

    async def get(self, merchant_id: str) -> Merchant:
        """Return a merchant as it was at most half a second ago. Raise NotFound."""
        merchant = await self._recent.get(merchant_id, lambda: self._read(merchant_id)) if is_id(merchant_id) else None
        if merchant is None:
            raise NotFound
        return merchant

    async def change(self, actor: str, merchant_id: str, changes: Mapping[str, Any], *, name: str | None = None) -> Merchant:
        """Change some settings, and the name if given. Raise NotFound, or Invalid that names what cannot be accepted."""
        await self.get(merchant_id)
        async with self._db.transaction(merchant_id) as tx:
            merchant = await store.find(tx, merchant_id, for_update=True)
            if merchant is None:
                raise NotFound
            settings = changed_settings(merchant.settings, changes)
            await store.change(tx, merchant_id, name or merchant.name, settings)
            detail = {"changed": sorted([*changes, *(["name"] if name else [])])}
            await audit.record(tx, merchant_id, actor, AuditTag.MERCHANT_CHANGED, merchant_id, detail)
        self._recent.drop(merchant_id)
        return await self.get(merchant_id)

    async def _read(self, merchant_id: str) -> Merchant | None:
        async with self._db.transaction(merchant_id) as tx:
            return await store.find(tx, merchant_id)


async def list_merchants(worker_db: Database) -> list[Merchant]:
    """Return every merchant, oldest first; needs the worker's role."""
    async with worker_db.transaction() as tx:
        return await store.find_all(tx)
