"""Queue text messages: in the caller's transaction, once per key, within limits; and note when the code of one was used."""

from __future__ import annotations

import re
from datetime import datetime

from strongroom.kit.db import Database, Tx
from strongroom.kit.ids import new_id
from strongroom.kit.metrics import MESSAGE_FUNNEL
from strongroom.kit.vault import Vault
from strongroom.notify.limiting import Limiting, Wanted
from strongroom.notify.model import Limited, MessageLimits, Purpose, Queued
from strongroom.notify.port import Receipt
from strongroom.notify.store import messages as store

_NUMBER = re.compile(r"[1-9][0-9]{6,14}")  # E.164 without +
_TEXT_MAX = 1000


class Messages:
    """The door to everybody's phone."""

    def __init__(self, db: Database, vault: Vault, allowed: MessageLimits | None = None) -> None:
        self._vault = vault
        self._limiting = Limiting(db, vault, allowed or MessageLimits())

    async def queue(
        self,
        tx: Tx,
        tenant_id: str,
        *,
        to: str,
        text: str,
        purpose: Purpose,
        valid_until: datetime,
        key: str,
        address: str | None = None,
        client: str | None = None,
        countries: tuple[str, ...] = (),
        sender: str = "",
        no_log: bool | None = None,
        not_before: datetime | None = None,
    ) -> Queued | Limited:
        """Queue one message, to be sent at once after the commit (or from `not_before` on) and never after `valid_until`.

        `to` is E.164 digits without +. The same `key` again queues nothing and answers the first message. `address` is the
        network address of whoever caused it, and `client` the software that did, where there is one. `countries` (ISO 3166) are
        the only ones that the tenant lets messages go to. `no_log` (default: for codes) drops the text once sent.
        """
        if not _NUMBER.fullmatch(to) or not 0 < len(text) <= _TEXT_MAX:
            raise ValueError("a message goes to E.164 digits without + and has a text")
        marks = self._limiting.marks(to)
        key_hash = self._key_hash(tenant_id, key)
        message_id = new_id("msg")
        keys = await self._vault.tenant(tx, tenant_id)
        is_new = await store.insert_message(
            tx,
            tenant_id,
            message_id,
            key_hash=key_hash,
            recipient_hash=marks.number_hash,
            prefix_hash=marks.prefix_hash,
            country=marks.country,
            recipient_sealed=keys.seal_text("messages", "recipient_sealed", message_id, to),
            text_sealed=keys.seal_text("messages", "text_sealed", message_id, text),
            purpose=purpose,
            sender=sender,
            no_log=purpose.is_code if no_log is None else no_log,
            valid_until=valid_until,
            not_before=not_before,
        )
        if not is_new:
            return Queued(await store.get_id_by_key(tx, tenant_id, key_hash))
        MESSAGE_FUNNEL.labels("asked", purpose, marks.country, "").inc()
        if limited := await self._limiting.take(Wanted(tenant_id, to, purpose, countries, address, client), marks):
            await store.take_back(tx, tenant_id, message_id)
            return limited
        await store.wake_worker(tx)
        return Queued(message_id)

    async def take_address(self, address: str, purpose: Purpose) -> Limited | None:
        """Use one of what a network address may ask for, where it is asked before anybody knows whose number it would be."""
        return await self._limiting.take_address(address, purpose)

    async def note_used(self, tx: Tx, tenant_id: str, key: str) -> None:
        """Note that the code of the message that `key` queued was accepted; the transaction must be the tenant's own."""
        if found := await store.mark_used(tx, tenant_id, self._key_hash(tenant_id, key)):
            MESSAGE_FUNNEL.labels("used", *found).inc()

    def _key_hash(self, tenant_id: str, key: str) -> bytes:
        return self._vault.hash("message key", tenant_id, key)


class Receipts:
    """What gateways say later. A late or repeated receipt never takes a message back."""

    def __init__(self, db: Database) -> None:
        self._db = db

    async def take(self, gateway: str, provider_id: str, receipt: Receipt) -> None:
        """Keep one receipt; a job applies it, since the gateway may be faster than our record of its answer."""
        async with self._db.transaction() as tx:
            await store.insert_receipt(tx, gateway, provider_id, receipt)
            await store.wake_worker(tx)
