"""Idempotency: one key, one caller, 24 hours, one answer. The key's row is the first write of the working transaction."""

from __future__ import annotations

from typing import TypeVar

import asyncpg
import msgspec

from strongroom.kit.crypto import same
from strongroom.kit.db import Tx
from strongroom.kit.errors import Conflict, Invalid
from strongroom.kit.vault import Vault

T = TypeVar("T")

KEY_MAX_LENGTH = 255
_KEEP = "24 hours"


class StillRunning(Conflict):
    """The first request with this key has not finished within five seconds."""

    code, title = (
        "idempotency_running",
        "The first request with this Idempotency-Key is still running; try again shortly",
    )


class KeyReused(Invalid):
    """The key was used for another request."""

    code, title = "idempotency_key_reused", "This Idempotency-Key was used for a different request"


class Once:
    """One request that must take effect once. Without a key it lets everything pass."""

    def __init__(self, vault: Vault, caller_id: str = "", key: str | None = None, request: bytes = b"") -> None:
        self.replayed = False
        self._vault = vault
        self._caller_id = caller_id
        self._key_hash = vault.hash("idempotency key", caller_id, key) if key is not None else None
        self._fingerprint = vault.hash("idempotency request", request)

    @property
    def keyed(self) -> bool:
        """True when the caller sent a key."""
        return self._key_hash is not None

    async def claim(self, tx: Tx, tenant: str, answer_type: type[T]) -> T | None:
        """Claim the key, or return the answer that was given to it before.

        A rival that is still working is waited for by the unique index (the lock timeout, 5 s). Raise StillRunning or KeyReused.
        """
        if self._key_hash is None:
            return None
        for _ in range(2):  # a second turn when the row found was over its 24 hours and has just been removed
            if await self._insert(tx, tenant):
                return None
            row = await tx.fetchrow(
                f"""SELECT fingerprint_hash, answer_sealed, created_at > app_now() - interval '{_KEEP}' AS fresh
                    FROM idempotency_keys WHERE tenant_id = $1 AND caller_id = $2 AND key_hash = $3""",
                tenant, self._caller_id, self._key_hash,
            )  # fmt: skip
            if row is None:
                continue
            if row["fresh"]:
                return await self._replay(tx, tenant, row, answer_type)
            await tx.execute(
                f"""DELETE FROM idempotency_keys WHERE tenant_id = $1 AND caller_id = $2 AND key_hash = $3
                    AND created_at <= app_now() - interval '{_KEEP}'""",
                tenant, self._caller_id, self._key_hash,
            )  # fmt: skip
        raise StillRunning

    async def keep(self, tx: Tx, tenant: str, answer: object) -> None:
        """Keep the answer, sealed, in the same transaction."""
        if self._key_hash is None:
            return
        keys = await self._vault.tenant(tx, tenant)
        sealed = keys.seal("idempotency_keys", "answer_sealed", self._row(), msgspec.json.encode(answer))
        await tx.execute(
            "UPDATE idempotency_keys SET answer_sealed = $4 WHERE tenant_id = $1 AND caller_id = $2 AND key_hash = $3",
            tenant, self._caller_id, self._key_hash, sealed,
        )  # fmt: skip

    async def _insert(self, tx: Tx, tenant: str) -> bool:
        try:
            tag = await tx.execute(
                """INSERT INTO idempotency_keys (tenant_id, caller_id, key_hash, fingerprint_hash)
                   VALUES ($1, $2, $3, $4) ON CONFLICT DO NOTHING""",
                tenant, self._caller_id, self._key_hash, self._fingerprint,
            )  # fmt: skip
        except asyncpg.LockNotAvailableError:
            raise StillRunning from None
        return tag == "INSERT 0 1"

    async def _replay(self, tx: Tx, tenant: str, row: asyncpg.Record, answer_type: type[T]) -> T:
        if not same(row["fingerprint_hash"], self._fingerprint):
            raise KeyReused
        if row["answer_sealed"] is None:
            raise StillRunning
        keys = await self._vault.tenant(tx, tenant)
        self.replayed = True
        text = keys.unseal("idempotency_keys", "answer_sealed", self._row(), row["answer_sealed"])
        return msgspec.json.decode(text, type=answer_type)

    def _row(self) -> str:
        return (self._key_hash or b"").hex()


async def forget_old(tx: Tx) -> int:
    """Remove keys older than 24 hours, a batch at a time; return how many."""
    tag = await tx.execute(
        f"""DELETE FROM idempotency_keys WHERE ctid = ANY(ARRAY(
            SELECT ctid FROM idempotency_keys WHERE created_at < app_now() - interval '{_KEEP}' LIMIT 5000))"""
    )
    return int(tag.split()[1])
