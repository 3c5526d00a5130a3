"""Credit requests."""

from __future__ import annotations

from dataclasses import fields
from datetime import datetime
from typing import NamedTuple

import asyncpg

from strongroom.funds.model import CreditRequest, Page
from strongroom.funds.states import RequestState
from strongroom.kit.db import Tx, columns

_COLUMNS = ", ".join(field.name for field in fields(CreditRequest))


def _request(row: asyncpg.Record) -> CreditRequest:
    return CreditRequest(**{**dict(row), "state": RequestState(row["state"])})


class NewRequestRow(NamedTuple):
    """A request to be stored, and its entry in the audit."""

    id: str
    case_id: str
    customer_id: str | None
    reference: str
    statement_reference: str
    description: str
    amount_minor: int
    purpose: str
    allow_split: bool
    receiving_account_id: str | None  # None: the firm's default account
    expires_at: datetime | None
    notify: bool
    needs_client_account: bool
    actor: str
    detail: str


async def add_requests(tx: Tx, firm_id: str, rows: list[NewRequestRow], audit_tag: str) -> list[asyncpg.Record]:
    """Insert requests with their audit entries in one statement, and hold their cases open until the transaction ends.

    Only those are stored whose case is open, whose customer is of the case, whose account may receive now and whose statement
    reference is free. Return them: `id`, `asked` (customers, in the case's order) and `new` (those of them who may not log in yet).
    """
    return await tx.fetch(
        """
        WITH given AS (
            SELECT * FROM unnest($3::text[], $4::text[], $5::text[], $6::text[], $7::text[], $8::text[], $9::bigint[], $10::text[],
                                 $11::bool[], $12::text[], $13::timestamptz[], $14::bool[], $15::bool[], $16::text[], $17::text[])
            AS g (id, case_id, customer_id, reference, statement_reference, description, amount_minor, purpose,
                  allow_split, wanted_account_id, expires_at, notify, needs_client_account, actor, detail)
        ), held AS (
            SELECT id FROM cases WHERE firm_id = $1 AND id = ANY($4::text[]) AND state = 'open' ORDER BY id FOR SHARE
        ), fit AS (
            SELECT given.*, account.id AS receiving_account_id FROM given JOIN held ON held.id = given.case_id
            JOIN receiving_accounts account ON account.firm_id = $1 AND account.state = 'approved'
                AND account.usable_from <= app_now() AND (account.kind = 'client' OR NOT given.needs_client_account)
                AND (account.id = given.wanted_account_id OR (given.wanted_account_id IS NULL AND account.is_default))
            WHERE given.customer_id IS NULL OR EXISTS (SELECT FROM customers WHERE customers.firm_id = $1
                AND customers.id = given.customer_id AND customers.case_id = given.case_id)
        ), added AS (
            INSERT INTO credit_requests (firm_id, id, case_id, customer_id, reference, statement_reference, description,
                amount_minor, purpose, allow_split, receiving_account_id, expires_at, notify)
            SELECT $1, id, case_id, customer_id, reference, statement_reference, description,
                amount_minor, purpose, allow_split, receiving_account_id, expires_at, notify FROM fit
            ON CONFLICT (firm_id, receiving_account_id, statement_reference)
                WHERE state IN ('requested', 'authorising', 'processing', 'partlyPaid', 'held') DO NOTHING
            RETURNING id, case_id, customer_id
        ), recorded AS (
            INSERT INTO audit_entries (tenant_id, actor, tag, subject, detail)
            SELECT $1, fit.actor, $2, fit.id, fit.detail::jsonb FROM fit JOIN added ON added.id = fit.id
        )
        SELECT added.id, whom.asked, whom.new FROM added CROSS JOIN LATERAL (
            SELECT array_agg(customer.id ORDER BY position) AS asked,
                   coalesce(array_agg(customer.id ORDER BY position) FILTER (WHERE allowed.id IS NULL), '{}') AS new
            FROM customers customer LEFT JOIN authentications allowed
                ON allowed.firm_id = $1 AND allowed.customer_id = customer.id AND allowed.state <> 'revoked'
            WHERE customer.firm_id = $1 AND customer.case_id = added.case_id
            AND (added.customer_id IS NULL OR customer.id = added.customer_id)
        ) AS whom
        """,
        firm_id, audit_tag, *columns(rows),
    )  # fmt: skip


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
               WHERE state IN ('requested', 'authorising', 'processing', 'partlyPaid', 'held') DO NOTHING""",
        firm_id, request_id, case_id, customer_id, reference, statement_reference, description,
        amount_minor, purpose, allow_split, receiving_account_id, expires_at, notify,
    )  # fmt: skip
    return tag == "INSERT 0 1"


async def taken_references(tx: Tx, firm_id: str, receiving_account_id: str, prefix: str) -> set[str]:
    """Return the statement references of open requests on an account that begin like this one."""
    rows = await tx.fetch(
        """SELECT statement_reference FROM credit_requests WHERE firm_id = $1 AND receiving_account_id = $2
           AND state IN ('requested', 'authorising', 'processing', 'partlyPaid', 'held') AND starts_with(statement_reference, $3)
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
           WHERE firm_id = $1 AND id = $2 AND frozen_at IS NULL AND state IN ('requested', 'authorising', 'partlyPaid')""",
        firm_id, request_id,
    )  # fmt: skip
    return tag == "UPDATE 1"


async def release(tx: Tx, firm_id: str, request_id: str) -> None:
    """Let a frozen request go on."""
    await tx.execute(
        "UPDATE credit_requests SET frozen_at = NULL, changed_at = app_now() WHERE firm_id = $1 AND id = $2", firm_id, request_id
    )


async def claim_expired(tx: Tx, limit: int) -> list[asyncpg.Record]:
    """Lock requests whose time is over and that no payment keeps alive."""
    return await tx.fetch(
        """SELECT firm_id, id FROM credit_requests WHERE state = 'requested' AND expires_at <= app_now()
           ORDER BY expires_at LIMIT $1 FOR UPDATE SKIP LOCKED""",
        limit,
    )


async def commit_part(tx: Tx, firm_id: str, request_id: str, part_minor: int) -> bool:
    """Count a payment that begins into what is committed; False when it would exceed the amount."""
    tag = await tx.execute(
        """UPDATE credit_requests SET committed_minor = committed_minor + $3
           WHERE firm_id = $1 AND id = $2 AND committed_minor + $3 <= amount_minor""",
        firm_id, request_id, part_minor,
    )  # fmt: skip
    return tag == "UPDATE 1"


async def release_part(tx: Tx, firm_id: str, request_id: str, part_minor: int) -> None:
    """Take a payment that ended without a debit out of what is committed."""
    await tx.execute(
        "UPDATE credit_requests SET committed_minor = committed_minor - $3 WHERE firm_id = $1 AND id = $2",
        firm_id,
        request_id,
        part_minor,
    )


async def claim_overdue_parts(tx: Tx, limit: int) -> list[asyncpg.Record]:
    """Lock partly paid requests whose time is over and of which no review has told the firm yet."""
    return await tx.fetch(
        """SELECT firm_id, id FROM credit_requests request WHERE state = 'partlyPaid' AND expires_at <= app_now()
           AND NOT EXISTS (SELECT FROM reviews WHERE reviews.firm_id = request.firm_id AND subject_id = request.id
                           AND reason = 'partly_paid')
           ORDER BY expires_at LIMIT $1 FOR UPDATE SKIP LOCKED""",
        limit,
    )


async def claim_slow(tx: Tx, limit: int) -> list[asyncpg.Record]:
    """Mark requests that have had no final status for two hours; each is marked once."""
    return await tx.fetch(
        """WITH whole AS (
               SELECT firm_id, id FROM credit_requests WHERE state = 'processing' AND delayed_at IS NULL
               AND submitted_at <= app_now() - interval '2 hours' LIMIT $1 FOR UPDATE SKIP LOCKED
           ), part AS (
               SELECT firm_id, id FROM credit_requests request WHERE state = 'partlyPaid' AND delayed_at IS NULL AND EXISTS (
                   SELECT FROM payments WHERE payments.firm_id = request.firm_id AND request_id = request.id
                   AND payments.state IN ('submitting', 'processing') AND payments.submitted_at <= app_now() - interval '2 hours')
               LIMIT $1 FOR UPDATE SKIP LOCKED
           )
           UPDATE credit_requests SET delayed_at = app_now()
           WHERE (firm_id, id) IN (SELECT firm_id, id FROM whole UNION ALL SELECT firm_id, id FROM part)
           RETURNING firm_id, id""",
        limit,
    )


async def is_over(tx: Tx, firm_id: str, request_id: str) -> bool:
    """True when the request's time is over by the database's clock."""
    over: bool = await tx.fetchval(
        "SELECT coalesce(expires_at <= app_now(), false) FROM credit_requests WHERE firm_id = $1 AND id = $2", firm_id, request_id
    )
    return over
