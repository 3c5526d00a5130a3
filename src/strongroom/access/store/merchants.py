"""SQL of merchants."""

from __future__ import annotations

import asyncpg
import msgspec

from strongroom.access.issuer_model import Merchant, MerchantSettings
from strongroom.kit.db import Tx

_COLUMNS = "merchant_id, name, settings::text AS settings, created_at"


async def add(tx: Tx, merchant_id: str, name: str, settings: MerchantSettings) -> None:
    """Insert a merchant."""
    text = msgspec.json.encode(settings).decode()
    await tx.execute("INSERT INTO merchants (merchant_id, name, settings) VALUES ($1, $2, $3::jsonb)", merchant_id, name, text)


async def find(tx: Tx, merchant_id: str, *, for_update: bool = False) -> Merchant | None:
    """Return a merchant, locked when it is about to be changed."""
    lock = "FOR UPDATE" if for_update else ""
    row = await tx.fetchrow(f"SELECT {_COLUMNS} FROM merchants WHERE merchant_id = $1 {lock}", merchant_id)
    return _merchant(row) if row else None


async def find_all(tx: Tx) -> list[Merchant]:
    """Return every merchant; only the worker's role sees more than one."""
    return [_merchant(row) for row in await tx.fetch(f"SELECT {_COLUMNS} FROM merchants ORDER BY created_at, merchant_id")]


async def change(tx: Tx, merchant_id: str, name: str, settings: MerchantSettings) -> None:
    """Write a merchant's name and settings."""
    await tx.execute(
        "UPDATE merchants SET name = $2, settings = $3::jsonb, changed_at = app_now() WHERE merchant_id = $1",
        merchant_id, name, msgspec.json.encode(settings).decode(),
    )  # fmt: skip


def _merchant(row: asyncpg.Record) -> Merchant:
    """Read a row. A setting that a newer version wrote is left aside, so that old processes run on beside new ones."""
    stored = msgspec.json.decode(row["settings"])
    known = {name: stored[name] for name in MerchantSettings.__struct_fields__ if name in stored}
    return Merchant(row["merchant_id"], row["name"], msgspec.convert(known, MerchantSettings), row["created_at"])
