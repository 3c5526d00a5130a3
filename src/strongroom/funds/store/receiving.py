"""Receiving accounts."""

from __future__ import annotations

import asyncpg

from strongroom.kit.db import Tx

_COLUMNS = """firm_id, id, state, kind, account_name, details_sealed, account_number_last4, is_default, proposed_by, approved_by,
              usable_from, created_at, state = 'approved' AND usable_from <= app_now() AS is_usable"""


async def add_account(
    tx: Tx, firm_id: str, account_id: str, *, kind: str, account_name: str, details_sealed: bytes, last4: str, proposed_by: str
) -> None:
    """Insert a proposed account."""
    await tx.execute(
        """INSERT INTO receiving_accounts (firm_id, id, kind, account_name, details_sealed, account_number_last4, proposed_by)
           VALUES ($1, $2, $3, $4, $5, $6, $7)""",
        firm_id, account_id, kind, account_name, details_sealed, last4, proposed_by,
    )  # fmt: skip


async def find_account(tx: Tx, firm_id: str, account_id: str) -> asyncpg.Record | None:
    """Return an account's row."""
    return await tx.fetchrow(f"SELECT {_COLUMNS} FROM receiving_accounts WHERE firm_id = $1 AND id = $2", firm_id, account_id)


async def find_usable(tx: Tx, firm_id: str, account_id: str | None) -> asyncpg.Record | None:
    """Return the named account, or the default one, if money may be sent to it now."""
    return await tx.fetchrow(
        f"""SELECT {_COLUMNS} FROM receiving_accounts WHERE firm_id = $1 AND state = 'approved' AND usable_from <= app_now()
            AND (id = $2 OR ($2 IS NULL AND is_default))""",
        firm_id, account_id,
    )  # fmt: skip


async def list_accounts(tx: Tx, firm_id: str) -> list[asyncpg.Record]:
    """Return all accounts of a firm, newest first."""
    return await tx.fetch(f"SELECT {_COLUMNS} FROM receiving_accounts WHERE firm_id = $1 ORDER BY created_at DESC, id", firm_id)


async def clear_default(tx: Tx, firm_id: str) -> None:
    """Make no account the default, so that another can become it."""
    await tx.execute("UPDATE receiving_accounts SET is_default = false WHERE firm_id = $1 AND is_default", firm_id)


async def set_default(tx: Tx, firm_id: str, account_id: str) -> bool:
    """Make an approved account the default."""
    tag = await tx.execute(
        "UPDATE receiving_accounts SET is_default = true WHERE firm_id = $1 AND id = $2 AND state = 'approved'", firm_id, account_id
    )
    return tag == "UPDATE 1"


async def has_default(tx: Tx, firm_id: str) -> bool:
    """True when the firm has a default account."""
    found: bool = await tx.fetchval(
        "SELECT EXISTS (SELECT 1 FROM receiving_accounts WHERE firm_id = $1 AND is_default AND state = 'approved')", firm_id
    )
    return found


async def usable_from(tx: Tx, firm_id: str, account_id: str, *, cooling_off_seconds: float, not_before: object) -> None:
    """Set from when an approved account may be used: after the cooling-off, counted from the later of now and `not_before`."""
    await tx.execute(
        """UPDATE receiving_accounts SET usable_from = greatest(app_now(), $4::timestamptz) + make_interval(secs => $3)
           WHERE firm_id = $1 AND id = $2""",
        firm_id, account_id, cooling_off_seconds, not_before,
    )  # fmt: skip
