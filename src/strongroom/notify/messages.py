"""Queue text messages: in the caller's transaction, once per key, within the limits of number, address and tenant."""

from __future__ import annotations

import re
from datetime import datetime

from strongroom.kit import limits
from strongroom.kit.db import Database, Tx
from strongroom.kit.ids import new_id
from strongroom.kit.vault import Vault
from strongroom.notify import store
from strongroom.notify.model import TENANT_SHARDS, Limited, MessageLimits, Purpose, Queued
from strongroom.notify.port import Receipt

_NUMBER = re.compile(r"[1-9][0-9]{6,14}")  # E.164 without +
_TEXT_MAX = 1000


class Messages:
    """The door to everybody's phone."""

    def __init__(self, vault: Vault, allowed: MessageLimits | None = None) -> None:
        self._vault = vault
        self._allowed = allowed or MessageLimits()

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
        sender: str = "",
        no_log: bool | None = None,
        not_before: datetime | None = None,
    ) -> Queued | Limited:
        """Queue one message, to be sent at once after the commit (or from `not_before` on) and never after `valid_until`.

        `to` is E.164 digits without +. The same `key` again queues nothing and answers the first message. `address` is the
        network address of whoever caused it, where there is one. `no_log` (default: for codes) drops the text once sent.
        Whoever queues several messages in one transaction does so in order of their numbers.
        """
        if not _NUMBER.fullmatch(to) or not 0 < len(text) <= _TEXT_MAX:
            raise ValueError("a message goes to E.164 digits without + and has a text")
        number_hash = self._vault.hash("message number", to)
        key_hash = self._vault.hash("message key", tenant_id, key)
        message_id = new_id("msg")
        keys = await self._vault.tenant(tx, tenant_id)
        is_new = await store.insert_message(
            tx,
            tenant_id,
            message_id,
            key_hash=key_hash,
            recipient_hash=number_hash,
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
        if limited := await self._take(tx, tenant_id, number_hash, address):
            await store.take_back(tx, tenant_id, message_id)
            return limited
        await store.wake_worker(tx)
        return Queued(message_id)

    async def _take(self, tx: Tx, tenant_id: str, number_hash: bytes, address: str | None) -> Limited | None:
        """Use one of every limit; the number last, because its count is the one that a person feels."""
        if address is not None and not await limits.take(tx, self._allowed.address, self._vault.hash("message address", address)):
            return Limited("address")
        shard = str(number_hash[0] % TENANT_SHARDS)
        if not await limits.take(tx, self._allowed.tenant, self._vault.hash("message tenant", tenant_id, shard)):
            return Limited("tenant")
        return None if await store.take_number(tx, number_hash) else Limited("number")


class Receipts:
    """What gateways say later. A late or repeated receipt never takes a message back."""

    def __init__(self, db: Database) -> None:
        self._db = db

    async def take(self, gateway: str, provider_id: str, receipt: Receipt) -> None:
        """Keep one receipt; a job applies it, since the gateway may be faster than our record of its answer."""
        async with self._db.transaction() as tx:
            await store.insert_receipt(tx, gateway, provider_id, receipt)
            await store.wake_worker(tx)
