"""All SQL of cardholders. States are moved by the machine, never here."""

from __future__ import annotations

from typing import NamedTuple

import asyncpg

from strongroom.kit.db import Tx, columns
from strongroom.sca.cardholding.model import COOLING_OFF_SECONDS, REPLAY_SECONDS, CardholderTag

_COLUMNS = f"""issuer_id, id, pan_shown, data_key_sealed, details_sealed, phone_sealed,
               CASE WHEN phone_usable_from > app_now() THEN old_phone_sealed END AS old_phone_sealed,
               CASE WHEN phone_usable_from > app_now() THEN phone_usable_from END AS phone_usable_from,
               approved, created_at, created_at > app_now() - interval '{REPLAY_SECONDS} s' AS is_new"""


class NewRow(NamedTuple):
    """A row to be, and who makes it, in the order of the statement below."""

    id: str
    pan_hash: bytes
    pan_sealed: bytes
    pan_shown: str
    data_key_sealed: bytes
    details_sealed: bytes
    account_hash: bytes | None
    phone_hash: bytes
    phone_sealed: bytes
    approved: bool
    actor: str


async def add(tx: Tx, issuer_id: str, rows: list[NewRow]) -> set[str]:
    """Insert those whose cards are not enrolled, with their audit entries, in one statement; return their ids."""
    found = await tx.fetch(
        """
        WITH given AS (
            SELECT * FROM unnest($2::text[], $3::bytea[], $4::bytea[], $5::text[], $6::bytea[], $7::bytea[], $8::bytea[],
                                 $9::bytea[], $10::bytea[], $11::boolean[], $12::text[])
            AS t (id, pan_hash, pan_sealed, pan_shown, data_key, details, account_hash, phone_hash, phone_sealed, approved, actor)
        ), added AS (
            INSERT INTO cardholders (issuer_id, id, pan_hash, pan_sealed, pan_shown, data_key_sealed, details_sealed, account_hash,
                                     phone_hash, phone_sealed, approved)
            SELECT $1, id, pan_hash, pan_sealed, pan_shown, data_key, details, account_hash, phone_hash, phone_sealed, approved
            FROM given ON CONFLICT DO NOTHING RETURNING id
        ), noted AS (
            INSERT INTO audit_entries (tenant_id, actor, tag, subject)
            SELECT $1, actor, $13, id FROM given JOIN added USING (id)
        )
        SELECT id FROM added
        """,
        issuer_id, *columns(rows), str(CardholderTag.ENROLLED),
    )  # fmt: skip
    return {row[0] for row in found}


async def find_by_card(tx: Tx, issuer_id: str, pan_hash: bytes, *, lock: bool = False) -> asyncpg.Record | None:
    """Return the row of a card that is enrolled, sealed as it is; with `lock` nobody else changes it meanwhile."""
    return await tx.fetchrow(
        f"""SELECT {_COLUMNS} FROM cardholders WHERE issuer_id = $1 AND pan_hash = $2 AND state = 'active'
            {"FOR UPDATE" if lock else ""}""",
        issuer_id, pan_hash,
    )  # fmt: skip


async def find_by_id(tx: Tx, issuer_id: str, cardholder_id: str) -> asyncpg.Record | None:
    """Return the row of a cardholder who is still enrolled, sealed as it is."""
    return await tx.fetchrow(
        f"SELECT {_COLUMNS} FROM cardholders WHERE issuer_id = $1 AND id = $2 AND state = 'active'", issuer_id, cardholder_id
    )


async def find_approved(tx: Tx, issuer_id: str, cardholder_ids: list[str]) -> set[str]:
    """Return which of these cardholders are enrolled and approved."""
    rows = await tx.fetch(
        "SELECT id FROM cardholders WHERE issuer_id = $1 AND id = ANY($2::text[]) AND state = 'active' AND approved",
        issuer_id, cardholder_ids,
    )  # fmt: skip
    return {row[0] for row in rows}


async def hold_approved(tx: Tx, issuer_id: str, cardholder_id: str) -> bool | None:
    """Return whether an enrolled cardholder is approved; who changes or removes them waits for this transaction."""
    query = "SELECT approved FROM cardholders WHERE issuer_id = $1 AND id = $2 AND state = 'active' FOR SHARE"
    approved: bool | None = await tx.fetchval(query, issuer_id, cardholder_id)
    return approved


async def set_details(tx: Tx, issuer_id: str, cardholder_id: str, details_sealed: bytes, *, approved: bool) -> None:
    """Write what was sent about a cardholder."""
    await tx.execute(
        """UPDATE cardholders SET details_sealed = $3, approved = $4, changed_at = app_now() WHERE issuer_id = $1 AND id = $2""",
        issuer_id, cardholder_id, details_sealed, approved,
    )  # fmt: skip


async def set_phone(tx: Tx, issuer_id: str, cardholder_id: str, phone_hash: bytes, phone_sealed: bytes) -> None:
    """Write a new number that may be used after the cooling-off; until then codes go to the number that gets them now."""
    await tx.execute(
        f"""UPDATE cardholders SET phone_hash = $3, phone_sealed = $4, changed_at = app_now(),
              old_phone_sealed = CASE WHEN phone_usable_from > app_now() THEN old_phone_sealed ELSE phone_sealed END,
              phone_usable_from = app_now() + interval '{COOLING_OFF_SECONDS} s'
            WHERE issuer_id = $1 AND id = $2""",
        issuer_id, cardholder_id, phone_hash, phone_sealed,
    )  # fmt: skip
