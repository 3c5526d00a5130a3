"""SQL of issuers, and of the look-up tables that tell which issuer a BankId, a card or a hub's certificate leads to."""

from __future__ import annotations

from collections.abc import Iterable

import asyncpg
import msgspec

from strongroom.access.issuer_model import Issuer, IssuerSettings
from strongroom.kit.db import Tx

_SELECT = """SELECT issuer_id, bank_id, name, settings::text AS settings, created_at,
                    array(SELECT prefix FROM issuer_card_ranges r WHERE r.issuer_id = i.issuer_id ORDER BY prefix) AS prefixes
             FROM issuers i"""


async def add(tx: Tx, issuer_id: str, bank_id: int, name: str, settings: IssuerSettings) -> bool:
    """Insert an issuer; False when another has the BankId."""
    tag = await tx.execute(
        "INSERT INTO issuer_bank_ids (bank_id, issuer_id) VALUES ($2, $1) ON CONFLICT DO NOTHING", issuer_id, bank_id
    )
    if tag != "INSERT 0 1":
        return False
    await tx.execute(
        "INSERT INTO issuers (issuer_id, bank_id, name, settings) VALUES ($1, $2, $3, $4::jsonb)",
        issuer_id, bank_id, name, msgspec.json.encode(settings).decode(),
    )  # fmt: skip
    return True


async def add_card_ranges(tx: Tx, issuer_id: str, prefixes: Iterable[str]) -> list[str]:
    """Give card prefixes to an issuer; return those that another issuer has."""
    wanted = sorted(set(prefixes))
    await tx.execute(
        "INSERT INTO issuer_card_ranges (prefix, issuer_id) SELECT unnest($2::text[]), $1 ON CONFLICT DO NOTHING", issuer_id, wanted
    )
    rows = await tx.fetch(
        "SELECT prefix FROM issuer_card_ranges WHERE prefix = ANY($2::text[]) AND issuer_id <> $1 ORDER BY prefix",
        issuer_id,
        wanted,
    )
    return [row[0] for row in rows]


async def remove_card_ranges(tx: Tx, issuer_id: str, prefixes: Iterable[str]) -> int:
    """Take card prefixes from an issuer; return how many it had."""
    tag = await tx.execute(
        "DELETE FROM issuer_card_ranges WHERE issuer_id = $1 AND prefix = ANY($2::text[])", issuer_id, sorted(set(prefixes))
    )
    return int(tag.split()[1])


async def set_hubs(tx: Tx, issuer_id: str, certificate_hashes: Iterable[bytes]) -> None:
    """Let exactly these certificates call an issuer's service."""
    await tx.execute("DELETE FROM issuer_hubs WHERE issuer_id = $1", issuer_id)
    await tx.execute(
        "INSERT INTO issuer_hubs (certificate_hash, issuer_id) SELECT DISTINCT unnest($2::bytea[]), $1",
        issuer_id, [*certificate_hashes],
    )  # fmt: skip


async def find(tx: Tx, issuer_id: str, *, for_update: bool = False) -> Issuer | None:
    """Return an issuer, locked when it is about to be changed."""
    lock = "FOR UPDATE" if for_update else ""
    row = await tx.fetchrow(f"{_SELECT} WHERE issuer_id = $1 {lock}", issuer_id)
    return _issuer(row) if row else None


async def find_all(tx: Tx) -> list[Issuer]:
    """Return every issuer, oldest first; only the worker's role sees more than one."""
    return [_issuer(row) for row in await tx.fetch(f"{_SELECT} ORDER BY created_at, issuer_id")]


async def change(tx: Tx, issuer_id: str, name: str, settings: IssuerSettings) -> None:
    """Write an issuer's name and settings."""
    await tx.execute(
        "UPDATE issuers SET name = $2, settings = $3::jsonb, changed_at = app_now() WHERE issuer_id = $1",
        issuer_id, name, msgspec.json.encode(settings).decode(),
    )  # fmt: skip


async def find_by_bank_id(tx: Tx, bank_id: int) -> str | None:
    """Return the issuer of a BankId."""
    found: str | None = await tx.fetchval("SELECT issuer_id FROM issuer_bank_ids WHERE bank_id = $1", bank_id)
    return found


async def read_card_ranges(tx: Tx) -> dict[str, str]:
    """Return every card prefix with its issuer."""
    return {row[0]: row[1] for row in await tx.fetch("SELECT prefix, issuer_id FROM issuer_card_ranges")}


async def find_by_hub(tx: Tx, certificate_hash: bytes) -> list[str]:
    """Return the issuers whose service a certificate may call."""
    rows = await tx.fetch("SELECT issuer_id FROM issuer_hubs WHERE certificate_hash = $1 ORDER BY issuer_id", certificate_hash)
    return [row[0] for row in rows]


def _issuer(row: asyncpg.Record) -> Issuer:
    """Read a row. A setting that a newer version wrote is left aside, so that old processes run on beside new ones."""
    stored = msgspec.json.decode(row["settings"])
    known = {name: stored[name] for name in IssuerSettings.__struct_fields__ if name in stored}
    settings = msgspec.convert(known, IssuerSettings)
    return Issuer(row["issuer_id"], row["bank_id"], row["name"], tuple(row["prefixes"]), settings, row["created_at"])
