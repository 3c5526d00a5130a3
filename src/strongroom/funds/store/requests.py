"""Credit requests."""

from __future__ import annotations

from dataclasses import fields
from datetime import datetime

import asyncpg

from strongroom.funds.model import CreditRequest, Page
from strongroom.funds.states import RequestState
from strongroom.kit.db import Tx

_COLUMNS = ", ".join(field.name for field in fields(CreditRequest))


def _request(row: asyncpg.Record) -> CreditRequest:
    return CreditRequest(**{**dict(row), "state": RequestState(row["state"])})


async def add_request(
    tx: Tx,
    firm_id: str,
    request_id: str,
    *,
    case_id: str,
    customer_id: str | None,
    reference: str,
    statement_reference: str,
    description: str,
    amount_minor: int,
    purpose: str,
    allow_split: bool,
    receiving_account_id: str,
    expires_at: datetime | None,
    notify: bool,
) -> bool:
    """Insert a request; False when its statement reference is taken by an open one on the same account."""
    tag = await tx.execute(
        """INSERT INTO credit_requests (firm_id, id, case_id, customer_id, reference, statement_reference, description,
               amount_minor, purpose, allow_split, receiving_account_id, expires_at, notify)
           VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13)
           ON CONFLICT (firm_id, receiving_account_id, statement_reference)
               WHERE state IN ('requested', 'authorising', 'processing', 'held') DO NOTHING""",
        firm_id, request_id, case_id, customer_id, reference, statement_reference, description,
        amount_minor, purpose, allow_split, receiving_account_id, expires_at, notify,
    )  # fmt: skip
    return tag == "INSERT 0 1"


async def taken_references(tx: Tx, firm_id: str, receiving_account_id: str, prefix: str) -> set[str]:
    """Return the statement references of open requests on an account that begin like this one."""
    rows = await tx.fetch(
        """SELECT statement_reference FROM credit_requests WHERE firm_id = $1 AND receiving_account_id = $2
           AND state IN ('requested', 'authorising', 'processing', 'held') AND starts_with(statement_reference, $3)
           LIMIT 10000""",
        firm_id, receiving_account_id, prefix,
    )  # fmt: skip
    return {row[0] for row in rows}


async def find_request(tx: Tx, firm_id: str, request_id: str, *, lock: bool = False) -> CreditRequest | None:
    """Return a request; with `lock`, it stays as it is until the transaction ends."""
    row = await tx.fetchrow(
        f"SELECT {_COLUMNS} FROM credit_requests WHERE firm_id = $1 AND id = $2 {'FOR UPDATE' if lock else ''}", firm_id, request_id
    )
    return _request(row) if row else None


async def list_requests(tx: Tx, firm_id: str, page: Page) -> list[CreditRequest]:
    """Return one more than the page holds, newest first."""
    rows = await tx.fetch(
        f"""SELECT {_COLUMNS} FROM credit_requests WHERE firm_id = $1
            AND ($2::text IS NULL OR (created_at, id) < (SELECT created_at, id FROM credit_requests WHERE firm_id = $1 AND id = $2))
            AND ($3::text IS NULL OR case_id = $3) AND ($4::text IS NULL OR state = $4)
            AND ($5::timestamptz IS NULL OR created_at > $5) AND ($6::timestamptz IS NULL OR created_at < $6)
            AND ($7::text IS NULL OR case_id IN (SELECT id FROM cases WHERE firm_id = $1 AND case_ref = $7))
            ORDER BY created_at DESC, id DESC LIMIT $8""",
        firm_id, page.after, page.case_id, page.status, page.created_after, page.created_before, page.case_ref, page.limit + 1,
    )  # fmt: skip
    return [_request(row) for row in rows]


async def requests_for_customer(tx: Tx, firm_id: str, case_id: str, customer_id: str) -> list[CreditRequest]:
    """Return what a customer is asked to pay in a case, open ones first."""
    rows = await tx.fetch(
        f"""SELECT {_COLUMNS} FROM credit_requests WHERE firm_id = $1 AND case_id = $2
            AND (customer_id IS NULL OR customer_id = $3) ORDER BY created_at DESC, id DESC LIMIT 200""",
        firm_id, case_id, customer_id,
    )  # fmt: skip
    return [_request(row) for row in rows]


async def freeze(tx: Tx, firm_id: str, request_id: str) -> bool:
    """Freeze a request that its customer does not recognise; False when it is frozen or under way."""
    tag = await tx.execute(
        """UPDATE credit_requests SET frozen_at = app_now(), changed_at = app_now()
           WHERE firm_id = $1 AND id = $2 AND frozen_at IS NULL AND state IN ('requested', 'authorising')""",
        firm_id, request_id,
    )  # fmt: skip
    return tag == "UPDATE 1"


async def claim_expired(tx: Tx, limit: int) -> list[asyncpg.Record]:
    """Lock requests whose time is over and that no payment keeps alive."""
    return await tx.fetch(
        """SELECT firm_id, id FROM credit_requests WHERE state = 'requested' AND expires_at <= app_now()
           ORDER BY expires_at LIMIT $1 FOR UPDATE SKIP LOCKED""",
        limit,
    )


async def claim_slow(tx: Tx, limit: int) -> list[asyncpg.Record]:
    """Mark requests that have had no final status for two hours; each is marked once."""
    return await tx.fetch(
        """UPDATE credit_requests SET delayed_at = app_now() WHERE (firm_id, id) IN (
               SELECT firm_id, id FROM credit_requests WHERE state = 'processing' AND delayed_at IS NULL
               AND submitted_at <= app_now() - interval '2 hours' LIMIT $1 FOR UPDATE SKIP LOCKED)
           RETURNING firm_id, id""",
        limit,
    )


async def is_over(tx: Tx, firm_id: str, request_id: str) -> bool:
    """True when the request's time is over by the database's clock."""
    over: bool = await tx.fetchval(
        "SELECT coalesce(expires_at <= app_now(), false) FROM credit_requests WHERE firm_id = $1 AND id = $2", firm_id, request_id
    )
    return over
