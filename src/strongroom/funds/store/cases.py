"""Cases and customers."""

from __future__ import annotations

import asyncpg

from strongroom.funds.model import Case, Page
from strongroom.kit.db import Tx, columns

NewCaseRow = tuple[str, str, str | None]  # id, case_ref, unique_ref
NewCustomerRow = tuple[str, str, int, bytes, bytes, bytes, bytes]
# id, case_id, position, data_key_sealed, personal_sealed, phone_hash, identity_hash
NewAuditRow = tuple[str, str, str, str]  # actor, tag, subject, detail

_CASE = "firm_id, id, case_ref, state, created_at, changed_at"


async def add_cases(
    tx: Tx, firm_id: str, cases: list[NewCaseRow], customers: list[NewCustomerRow], audit: list[NewAuditRow]
) -> None:
    """Insert cases, their customers and the audit entries in one statement, so that many cases cost one round trip."""
    await tx.execute(
        """
        WITH case_rows AS (
            INSERT INTO cases (firm_id, id, case_ref, unique_ref)
            SELECT $1, * FROM unnest($2::text[], $3::text[], $4::text[])
        ), customer_rows AS (
            INSERT INTO customers (firm_id, id, case_id, position, data_key_sealed, personal_sealed, phone_hash, identity_hash)
            SELECT $1, * FROM unnest($5::text[], $6::text[], $7::int[], $8::bytea[], $9::bytea[], $10::bytea[], $11::bytea[])
        )
        INSERT INTO audit_entries (tenant_id, actor, tag, subject, detail)
        SELECT $1, actor, tag, subject, detail::jsonb
        FROM unnest($12::text[], $13::text[], $14::text[], $15::text[]) AS a (actor, tag, subject, detail)
        """,
        firm_id, *columns(cases), *columns(customers), *columns(audit),
    )  # fmt: skip


async def add_customers(tx: Tx, firm_id: str, rows: list[NewCustomerRow]) -> None:
    """Insert customers of an existing case."""
    await tx.execute(
        """INSERT INTO customers (firm_id, id, case_id, position, data_key_sealed, personal_sealed, phone_hash, identity_hash)
           SELECT $1, * FROM unnest($2::text[], $3::text[], $4::int[], $5::bytea[], $6::bytea[], $7::bytea[], $8::bytea[])""",
        firm_id, *columns(rows),
    )  # fmt: skip


async def find_case(tx: Tx, firm_id: str, case_id: str, *, lock: bool = False) -> Case | None:
    """Return a case; with `lock`, no one can close it until the transaction ends."""
    row = await tx.fetchrow(
        f"SELECT {_CASE} FROM cases WHERE firm_id = $1 AND id = $2 {'FOR SHARE' if lock else ''}", firm_id, case_id
    )
    return Case(*row) if row else None


async def find_case_by_unique_ref(tx: Tx, firm_id: str, case_ref: str) -> str | None:
    """Return the id of the case that holds a unique reference."""
    found: str | None = await tx.fetchval("SELECT id FROM cases WHERE firm_id = $1 AND unique_ref = $2", firm_id, case_ref)
    return found


async def list_cases(tx: Tx, firm_id: str, page: Page) -> list[Case]:
    """Return one more case than the page holds, newest first."""
    rows = await tx.fetch(
        f"""SELECT {_CASE} FROM cases WHERE firm_id = $1
            AND ($2::text IS NULL OR (created_at, id) < (SELECT created_at, id FROM cases WHERE firm_id = $1 AND id = $2))
            AND ($3::text IS NULL OR case_ref = $3) AND ($4::text IS NULL OR state = $4)
            AND ($5::timestamptz IS NULL OR created_at > $5) AND ($6::timestamptz IS NULL OR created_at < $6)
            ORDER BY created_at DESC, id DESC LIMIT $7""",
        firm_id, page.after, page.case_ref, page.status, page.created_after, page.created_before, page.limit + 1,
    )  # fmt: skip
    return [Case(*row) for row in rows]


async def set_case_ref(tx: Tx, firm_id: str, case_id: str, case_ref: str, unique_ref: str | None) -> bool:
    """Change an open case's reference."""
    tag = await tx.execute(
        """UPDATE cases SET case_ref = $3, unique_ref = $4, changed_at = app_now()
           WHERE firm_id = $1 AND id = $2 AND state = 'open'""",
        firm_id, case_id, case_ref, unique_ref,
    )  # fmt: skip
    return tag == "UPDATE 1"


async def count_live_requests(tx: Tx, firm_id: str, case_id: str) -> int:
    """Count the case's requests that have not come to an end."""
    count: int = await tx.fetchval(
        """SELECT (SELECT count(*) FROM credit_requests WHERE firm_id = $1 AND case_id = $2
                   AND state IN ('requested', 'authorising', 'processing', 'partlyPaid', 'held'))
                + (SELECT count(*) FROM account_requests WHERE firm_id = $1 AND case_id = $2
                   AND state IN ('requested', 'authorising'))""",
        firm_id, case_id,
    )  # fmt: skip
    return count


_CUSTOMER = """customers.id, customers.case_id, data_key_sealed, personal_sealed, opened_at, customers.created_at, phone_hash,
               identity_hash, nullif(phone_usable_from, '-infinity') AS phone_usable_from"""


async def find_customer_row(tx: Tx, firm_id: str, customer_id: str, *, lock: bool = False) -> asyncpg.Record | None:
    """Return a customer's row, sealed as it is."""
    return await tx.fetchrow(
        f"SELECT {_CUSTOMER} FROM customers WHERE firm_id = $1 AND id = $2 {'FOR UPDATE' if lock else ''}", firm_id, customer_id
    )


async def customer_rows_of(tx: Tx, firm_id: str, case_ids: list[str]) -> list[asyncpg.Record]:
    """Return the customers of cases, in the order in which they were given."""
    return await tx.fetch(
        f"SELECT {_CUSTOMER} FROM customers WHERE firm_id = $1 AND case_id = ANY($2::text[]) ORDER BY case_id, position",
        firm_id, case_ids,
    )  # fmt: skip


async def next_position(tx: Tx, firm_id: str, case_id: str) -> int:
    """Lock a case and return the position of its next customer."""
    await tx.fetchval("SELECT 1 FROM cases WHERE firm_id = $1 AND id = $2 FOR UPDATE", firm_id, case_id)
    position: int = await tx.fetchval(
        "SELECT coalesce(max(position) + 1, 0) FROM customers WHERE firm_id = $1 AND case_id = $2", firm_id, case_id
    )
    return position


async def set_personal(
    tx: Tx,
    firm_id: str,
    customer_id: str,
    *,
    personal_sealed: bytes,
    phone_hash: bytes,
    identity_hash: bytes,
    phone_wait_seconds: float | None,
) -> None:
    """Write a customer's changed details; a changed phone waits before it may receive login codes."""
    await tx.execute(
        """UPDATE customers SET personal_sealed = $3, phone_hash = $4, identity_hash = $5, changed_at = app_now(),
           phone_usable_from = CASE WHEN $6::float8 IS NULL THEN phone_usable_from
                                    ELSE app_now() + make_interval(secs => $6::float8) END
           WHERE firm_id = $1 AND id = $2""",
        firm_id, customer_id, personal_sealed, phone_hash, identity_hash, phone_wait_seconds,
    )  # fmt: skip


async def mark_opened(tx: Tx, firm_id: str, customer_id: str) -> bool:
    """Note that a customer opened the website for the first time; False when it was noted before."""
    tag = await tx.execute(
        "UPDATE customers SET opened_at = app_now() WHERE firm_id = $1 AND id = $2 AND opened_at IS NULL", firm_id, customer_id
    )
    return tag == "UPDATE 1"


async def find_whole_case(tx: Tx, firm_id: str, case_id: str) -> list[asyncpg.Record]:
    """Return a case in one round trip: a row per customer, each beginning with the case's columns as `Case` takes them.

    The first row also holds `credit_request_ids` and `account_request_ids`, newest first, at most 500 of each.
    """
    return await tx.fetch(
        f"""SELECT held.firm_id, held.id AS held_id, held.case_ref, held.state, held.created_at AS held_created_at,
                   held.changed_at AS held_changed_at, {_CUSTOMER},
                   CASE WHEN row_number() OVER (ORDER BY position) = 1 THEN
                       ARRAY(SELECT id FROM credit_requests WHERE firm_id = $1 AND case_id = $2
                             ORDER BY created_at DESC, id DESC LIMIT 500) END AS credit_request_ids,
                   CASE WHEN row_number() OVER (ORDER BY position) = 1 THEN
                       ARRAY(SELECT id FROM account_requests WHERE firm_id = $1 AND case_id = $2
                             ORDER BY created_at DESC, id DESC LIMIT 500) END AS account_request_ids
            FROM cases AS held LEFT JOIN customers ON customers.firm_id = held.firm_id AND customers.case_id = held.id
            WHERE held.firm_id = $1 AND held.id = $2 ORDER BY position""",
        firm_id, case_id,
    )  # fmt: skip
