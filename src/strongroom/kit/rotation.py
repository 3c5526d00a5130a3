"""Rotation of keys while everything runs: a new root key wraps every tenant's keys anew, and tenants may get a new key too."""

from __future__ import annotations

from collections import Counter

from strongroom.kit.crypto import key_version
from strongroom.kit.db import Database
from strongroom.kit.vault import Vault


async def count_wrapped(worker_db: Database) -> dict[int, int]:
    """Return how many tenants' keys each root key wraps; needs the worker's role, which sees all tenants."""
    async with worker_db.transaction() as tx:
        rows = await tx.fetch("SELECT key_sealed FROM tenant_keys")
    return dict(Counter(key_version(row[0]) for row in rows))


async def rewrap_all(worker_db: Database, vault: Vault, *, new_keys: bool) -> int:
    """Wrap every tenant's keys with the active root key, one tenant a transaction; return how many keys were wrapped anew.

    With `new_keys` every tenant also gets a new active key; values sealed with the old ones are sealed anew when next written.
    """
    async with worker_db.transaction() as tx:
        tenants = [row[0] for row in await tx.fetch("SELECT DISTINCT tenant_id FROM tenant_keys ORDER BY tenant_id")]
    wrapped = 0
    for tenant in tenants:
        async with worker_db.transaction(tenant) as tx:
            wrapped += await vault.rewrap(tx, tenant)
            if new_keys:
                await vault.add_key(tx, tenant)
    return wrapped
