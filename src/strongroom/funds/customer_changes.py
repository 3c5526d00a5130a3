"""Changes of a customer's details; a changed phone waits, is told to the old number, and ends sessions."""

from __future__ import annotations

import asyncpg
import msgspec

from strongroom.access.sessions import Sessions
from strongroom.funds.customers import Customers, Opened
from strongroom.funds.model import Actor, AuditTag, Customer, Personal
from strongroom.funds.notices import Notices
from strongroom.funds.store import cases as store
from strongroom.funds.store import logins as login_store
from strongroom.kit import audit
from strongroom.kit.db import Database, Tx
from strongroom.kit.errors import NotFound

PHONE_COOLING_OFF_SECONDS = 24 * 3600


class CustomerChanges:
    """Use cases that change what is known of a customer."""

    def __init__(self, db: Database, customers: Customers, notices: Notices, sessions: Sessions) -> None:
        self._db = db
        self._customers = customers
        self._notices = notices
        self._sessions = sessions

    async def change(self, firm_id: str, actor: Actor, customer_id: str, changes: dict[str, str]) -> Customer:
        """Change details. A new phone receives no login codes until the cooling-off is over. Raise NotFound."""
        async with self._db.transaction(firm_id) as tx:
            row = await store.find_customer_row(tx, firm_id, customer_id, lock=True)
            if row is None:
                raise NotFound
            opener = await self._customers.opener(tx, firm_id)
            opener.key(row)  # of an erased person nothing can be changed
            before = opener.customer(row)
            after = msgspec.structs.replace(before.personal, **changes)
            new_phone = after.phone != before.personal.phone
            await self._write(tx, firm_id, opener, row, after, PHONE_COOLING_OFF_SECONDS if new_phone else None)
            tag = AuditTag.CUSTOMER_PHONE_CHANGED if new_phone else AuditTag.CUSTOMER_CHANGED
            await audit.record(tx, firm_id, actor.name, tag, customer_id, {"fields": sorted(changes)})
            if new_phone:
                await self._notices.tell_old_number(tx, before, before.personal.phone)
                await self._sessions.end_all_of(tx, firm_id, customer_id)
            return await self._customers.load(tx, firm_id, customer_id)

    async def _write(
        self, tx: Tx, firm_id: str, opener: Opened, row: asyncpg.Record, after: Personal, phone_wait_seconds: float | None
    ) -> None:
        identity = opener.identity_hash(after)
        await store.set_personal(
            tx,
            firm_id,
            row["id"],
            personal_sealed=opener.key(row).seal("customers", "personal_sealed", row["id"], after),
            phone_hash=opener.phone_hash(after.phone),
            identity_hash=identity,
            phone_wait_seconds=phone_wait_seconds,
        )
        await login_store.move_identity(tx, firm_id, row["id"], row["identity_hash"], identity)
