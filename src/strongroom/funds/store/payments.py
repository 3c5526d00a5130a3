"""Payments."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import fields
from datetime import datetime
from typing import Any

import asyncpg

from strongroom.funds.model import Payment, Totals
from strongroom.funds.states import PaymentState
from strongroom.kit.db import Tx

_COLUMNS = ", ".join(field.name for field in fields(Payment))


def _payment(row: asyncpg.Record) -> Payment:
    values = {field.name: row[field.name] for field in fields(Payment)}
    return Payment(**{**values, "state": PaymentState(row["state"]), "agreed": json.loads(row["agreed"])})


async def add_payment(
    tx: Tx,
    firm_id: str,
    payment_id: str,
    *,
    request_id: str,
    customer_id: str,
    bank_id: str,
    amount_minor: int,
    instruction_id: str,
    end_to_end_id: str,
    consent_key: str,
    submit_key: str,
    agreed: Mapping[str, Any],
    state_hash: bytes,
    life_seconds: int,
    claim_seconds: int,
) -> bool:
    """Claim the one payment in flight of a request; False when another is. The entry that finds the bank's return comes too."""
    tag = await tx.execute(
        """WITH claimed AS (
               INSERT INTO payments (firm_id, id, request_id, customer_id, bank_id, amount_minor, instruction_id, end_to_end_id,
                   consent_key, submit_key, agreed, expires_at, due_at)
               VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11::jsonb,
                   app_now() + make_interval(secs => $13), app_now() + make_interval(secs => $14))
               ON CONFLICT (firm_id, request_id)
                   WHERE state NOT IN ('declined', 'abandoned', 'closed', 'failed', 'rejected', 'sent_back', 'executed', 'credited')
                   DO NOTHING
               RETURNING firm_id, id)
           INSERT INTO directory (kind, key_hash, tenant_id, object_id) SELECT 'payment_state', $12, firm_id, id FROM claimed""",
        firm_id, payment_id, request_id, customer_id, bank_id, amount_minor, instruction_id, end_to_end_id,
        consent_key, submit_key, json.dumps(agreed), state_hash, life_seconds, claim_seconds,
    )  # fmt: skip
    return tag == "INSERT 0 1"


async def find_payment(tx: Tx, firm_id: str, payment_id: str, *, lock: bool = False) -> Payment | None:
    """Return a payment."""
    row = await tx.fetchrow(
        f"SELECT {_COLUMNS} FROM payments WHERE firm_id = $1 AND id = $2 {'FOR UPDATE' if lock else ''}", firm_id, payment_id
    )
    return _payment(row) if row else None


async def find_live_payment(tx: Tx, firm_id: str, request_id: str, *, lock: bool = False) -> Payment | None:
    """Return the payment that is live for a request, else the last one that has moved money."""
    row = await tx.fetchrow(
        f"""SELECT {_COLUMNS} FROM payments WHERE firm_id = $1 AND request_id = $2
            AND state NOT IN ('declined', 'abandoned', 'closed', 'failed', 'rejected', 'sent_back')
            ORDER BY state IN ('executed', 'credited'), created_at DESC LIMIT 1 {'FOR UPDATE' if lock else ''}""",
        firm_id, request_id,
    )  # fmt: skip
    return _payment(row) if row else None


async def totals_of(tx: Tx, firm_id: str, request_id: str) -> Totals:
    """Add up the payments of a request."""
    row = await tx.fetchrow(
        """SELECT amount_minor, paid_minor, credited_minor, held_minor, in_flight_minor FROM credit_requests
           CROSS JOIN LATERAL (
               SELECT coalesce(sum(taken.amount_minor) FILTER (WHERE state IN ('executed', 'credited')), 0)::bigint AS paid_minor,
                      coalesce(sum(taken.amount_minor) FILTER (WHERE state = 'credited'), 0)::bigint AS credited_minor,
                      coalesce(sum(taken.amount_minor) FILTER (WHERE state = 'held'), 0)::bigint AS held_minor,
                      coalesce(sum(taken.amount_minor) FILTER (WHERE state NOT IN ('declined', 'abandoned', 'closed', 'failed',
                          'rejected', 'sent_back', 'executed', 'credited')), 0)::bigint AS in_flight_minor
               FROM payments taken WHERE taken.firm_id = credit_requests.firm_id AND taken.request_id = credit_requests.id) AS sums
           WHERE firm_id = $1 AND id = $2""",
        firm_id, request_id,
    )  # fmt: skip
    assert row is not None  # noqa: S101  # requests are never deleted
    return Totals(**dict(row))


async def payments_of(tx: Tx, firm_id: str, request_id: str) -> list[Payment]:
    """Return all attempts for a request, oldest first."""
    rows = await tx.fetch(
        f"SELECT {_COLUMNS} FROM payments WHERE firm_id = $1 AND request_id = $2 ORDER BY created_at, id LIMIT 500",
        firm_id,
        request_id,
    )
    return [_payment(row) for row in rows]


async def unconfirmed(tx: Tx, firm_id: str, limit: int) -> list[Payment]:
    """Return the payments about which people must decide, oldest first."""
    rows = await tx.fetch(
        f"SELECT {_COLUMNS} FROM payments WHERE firm_id = $1 AND state = 'unconfirmed' ORDER BY changed_at, id LIMIT $2",
        firm_id,
        limit,
    )
    return [_payment(row) for row in rows]


async def latest_payments(tx: Tx, firm_id: str, request_ids: list[str]) -> list[Payment]:
    """Return the newest attempt of each request."""
    rows = await tx.fetch(
        f"""SELECT DISTINCT ON (request_id) {_COLUMNS} FROM payments WHERE firm_id = $1 AND request_id = ANY($2::text[])
            ORDER BY request_id, created_at DESC""",
        firm_id, request_ids,
    )  # fmt: skip
    return [_payment(row) for row in rows]


async def sealed_columns(tx: Tx, firm_id: str, payment_id: str) -> asyncpg.Record | None:
    """Return what is sealed in a payment's row."""
    return await tx.fetchrow(
        """SELECT memory_sealed, url_sealed, return_sealed, grant_sealed, payer_sealed
           FROM payments WHERE firm_id = $1 AND id = $2""",
        firm_id, payment_id,
    )  # fmt: skip


async def find_by_state(tx: Tx, state_hash: bytes) -> tuple[str, str] | None:
    """Return (firm, payment) that the bank's return belongs to."""
    row = await tx.fetchrow("SELECT tenant_id, object_id FROM directory WHERE kind = 'payment_state' AND key_hash = $1", state_hash)
    return (row[0], row[1]) if row else None


async def claim_due(tx: Tx, *, lease_seconds: int) -> asyncpg.Record | None:
    """Take the payment that has been due longest, for as long as the lease; another worker skips it."""
    return await tx.fetchrow(
        """UPDATE payments SET due_at = lease.until, lease_until = lease.until, tries = tries + 1
           FROM (SELECT app_now() + make_interval(secs => $1) AS until) AS lease
           WHERE (firm_id, id) = (SELECT firm_id, id FROM payments WHERE due_at <= app_now() ORDER BY due_at LIMIT 1
                                  FOR UPDATE SKIP LOCKED)
           RETURNING firm_id, id, state, lease_until""",
        lease_seconds,
    )


async def renew_lease(tx: Tx, firm_id: str, payment_id: str, lease_until: datetime, *, lease_seconds: int) -> datetime | None:
    """Prolong a lease that still holds and return its new end; None when it lapsed or somebody made the payment due."""
    found: datetime | None = await tx.fetchval(
        """UPDATE payments SET due_at = lease.until, lease_until = lease.until
           FROM (SELECT app_now() + make_interval(secs => $4) AS until) AS lease
           WHERE firm_id = $1 AND id = $2 AND lease_until = $3 AND due_at > app_now() RETURNING lease_until""",
        firm_id, payment_id, lease_until, lease_seconds,
    )  # fmt: skip
    return found


async def set_due(tx: Tx, firm_id: str, payment_id: str, *, state: str, in_seconds: float | None) -> None:
    """Say when a payment is to be looked at next (None: never), if it is still in the state that was judged."""
    await tx.execute(
        """UPDATE payments SET due_at = app_now() + make_interval(secs => $4::float8), lease_until = NULL
           WHERE firm_id = $1 AND id = $2 AND state = $3""",
        firm_id, payment_id, state, in_seconds,
    )  # fmt: skip


async def note_bank_status(tx: Tx, firm_id: str, payment_id: str, bank_status: str) -> None:
    """Keep the bank's own word, for people."""
    await tx.execute(
        "UPDATE payments SET bank_status = $3 WHERE firm_id = $1 AND id = $2 AND bank_status IS DISTINCT FROM $3",
        firm_id, payment_id, bank_status,
    )  # fmt: skip


async def ages(tx: Tx, firm_id: str, payment_id: str) -> asyncpg.Record:
    """Return how long ago things happened to a payment, in seconds by the database's clock (None: never)."""
    row = await tx.fetchrow(
        """SELECT extract(epoch FROM app_now() - created_at)::float8 AS created,
                  extract(epoch FROM app_now() - returned_at)::float8 AS returned,
                  extract(epoch FROM app_now() - first_submitted_at)::float8 AS first_submitted,
                  extract(epoch FROM app_now() - changed_at)::float8 AS changed,
                  expires_at <= app_now() AS expired
           FROM payments WHERE firm_id = $1 AND id = $2""",
        firm_id, payment_id,
    )  # fmt: skip
    assert row is not None  # noqa: S101  # payments are never deleted
    return row


async def receipts(tx: Tx, firm_id: str, payment_id: str) -> list[asyncpg.Record]:
    """Return every move of a payment with its time."""
    return await tx.fetch(
        "SELECT before, after, event, at FROM history WHERE tenant_id = $1 AND object_id = $2 ORDER BY position",
        firm_id,
        payment_id,
    )


async def last_bank(tx: Tx, firm_id: str, customer_id: str) -> str | None:
    """Return the bank at which a customer last came to an agreement."""
    found: str | None = await tx.fetchval(
        """SELECT bank_id FROM payments WHERE firm_id = $1 AND customer_id = $2 AND consent_id IS NOT NULL
           ORDER BY created_at DESC LIMIT 1""",
        firm_id, customer_id,
    )  # fmt: skip
    return found


async def note_report(
    tx: Tx,
    firm_id: str,
    payment_id: str,
    *,
    bank_payment_id: str,
    bank_status: str,
    payer_sealed: bytes | None,
    third_party_payer: str | None,
) -> None:
    """Keep what the bank said; what it does not repeat is not forgotten."""
    await tx.execute(
        """UPDATE payments SET bank_payment_id = $3, bank_status = $4,
               payer_sealed = coalesce($5, payer_sealed), third_party_payer = coalesce($6, third_party_payer)
           WHERE firm_id = $1 AND id = $2""",
        firm_id, payment_id, bank_payment_id, bank_status, payer_sealed, third_party_payer,
    )  # fmt: skip


async def count_live(tx: Tx) -> list[tuple[str, int]]:
    """Count the payments that somebody still looks after, by state, over all firms."""
    rows = await tx.fetch("SELECT state, count(*) FROM payments WHERE due_at IS NOT NULL GROUP BY state")
    return [(row[0], row[1]) for row in rows]
