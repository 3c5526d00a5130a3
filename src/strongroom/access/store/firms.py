"""SQL of firms."""

from __future__ import annotations

import asyncpg
import msgspec

from strongroom.access.model import Firm, FirmSettings
from strongroom.kit.db import Tx

_COLUMNS = "firm_id, name, settings::text AS settings, created_at"


async def add(tx: Tx, firm_id: str, name: str, settings: FirmSettings) -> None:
    """Insert a firm."""
    text = msgspec.json.encode(settings).decode()
    await tx.execute("INSERT INTO firms (firm_id, name, settings) VALUES ($1, $2, $3::jsonb)", firm_id, name, text)


async def find(tx: Tx, firm_id: str, *, for_update: bool = False) -> Firm | None:
    """Return a firm, locked when it is about to be changed."""
    lock = "FOR UPDATE" if for_update else ""
    row = await tx.fetchrow(f"SELECT {_COLUMNS} FROM firms WHERE firm_id = $1 {lock}", firm_id)
    return _firm(row) if row else None


async def find_all(tx: Tx) -> list[Firm]:
    """Return every firm; only the worker's role sees more than one."""
    return [_firm(row) for row in await tx.fetch(f"SELECT {_COLUMNS} FROM firms ORDER BY created_at, firm_id")]


async def change(tx: Tx, firm_id: str, name: str, settings: FirmSettings) -> None:
    """Write a firm's name and settings."""
    await tx.execute(
        "UPDATE firms SET name = $2, settings = $3::jsonb, changed_at = app_now() WHERE firm_id = $1",
        firm_id, name, msgspec.json.encode(settings).decode(),
    )  # fmt: skip


def _firm(row: asyncpg.Record) -> Firm:
    """Read a row. A setting that a newer version wrote is left aside, so that old processes run on beside new ones."""
    stored = msgspec.json.decode(row["settings"])
    known = {name: stored[name] for name in FirmSettings.__struct_fields__ if name in stored}
    return Firm(row["firm_id"], row["name"], msgspec.convert(known, FirmSettings), row["created_at"])
