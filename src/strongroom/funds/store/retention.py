"""Who may be erased, and erasing them."""

from __future__ import annotations

import asyncpg

from strongroom.kit.db import Tx

# Payment and consent records of a person: the attempts to pay or to share, whatever became of them.
_RECORDS = """(SELECT max(changed_at) FROM (
                   SELECT changed_at FROM payments WHERE firm_id = person.firm_id AND customer_id = person.id
                   UNION ALL
                   SELECT changed_at FROM shares WHERE firm_id = person.firm_id AND customer_id = person.id) AS records)"""


async def erasable(tx: Tx, *, days: int, limit: int) -> list[tuple[str, str]]:
    """Return (firm, customer) of people whose case was closed that long ago, as were all their records, and is not held."""
    rows = await tx.fetch(
        f"""SELECT person.firm_id, person.id FROM cases AS held
            JOIN customers AS person ON person.firm_id = held.firm_id AND person.case_id = held.id
            WHERE held.state = 'closed' AND held.held_at IS NULL AND held.changed_at <= app_now() - make_interval(days => $1)
            AND person.data_key_sealed IS NOT NULL
            AND coalesce({_RECORDS} <= app_now() - make_interval(days => $1), true)
            ORDER BY held.changed_at LIMIT $2""",
        days, limit,
    )  # fmt: skip
    return [(row[0], row[1]) for row in rows]


async def find_person(tx: Tx, firm_id: str, customer_id: str, *, days: int) -> asyncpg.Record | None:
    """Lock a customer and their case; return what decides about erasing them.

    `state` and `held_at` are the case's, `erasable_from` is when the last payment or consent record comes of age (None: there
    is none), `is_of_age` whether it has.
    """
    return await tx.fetchrow(
        f"""SELECT person.data_key_sealed IS NULL AS is_erased, person.identity_hash, held.state, held.held_at,
                   {_RECORDS} + make_interval(days => $3) AS erasable_from,
                   coalesce({_RECORDS} + make_interval(days => $3) <= app_now(), true) AS is_of_age
            FROM customers AS person JOIN cases AS held ON held.firm_id = person.firm_id AND held.id = person.case_id
            WHERE person.firm_id = $1 AND person.id = $2 FOR UPDATE""",
        firm_id, customer_id, days,
    )  # fmt: skip


async def erase(tx: Tx, firm_id: str, customer_id: str) -> bool:
    """Destroy a person's key, details and look-up hashes; False when that was done before."""
    tag = await tx.execute(
        """UPDATE customers SET data_key_sealed = NULL, personal_sealed = '', phone_hash = '', identity_hash = '',
               erased_at = app_now(), changed_at = app_now()
           WHERE firm_id = $1 AND id = $2 AND data_key_sealed IS NOT NULL""",
        firm_id, customer_id,
    )  # fmt: skip
    return tag == "UPDATE 1"


async def hold(tx: Tx, firm_id: str, case_id: str) -> bool:
    """Put a case under legal hold; False when there is no such case or it is held already."""
    tag = await tx.execute(
        "UPDATE cases SET held_at = app_now() WHERE firm_id = $1 AND id = $2 AND held_at IS NULL", firm_id, case_id
    )
    return tag == "UPDATE 1"


async def release(tx: Tx, firm_id: str, case_id: str) -> bool:
    """End a legal hold; False when there is none."""
    tag = await tx.execute(
        "UPDATE cases SET held_at = NULL WHERE firm_id = $1 AND id = $2 AND held_at IS NOT NULL", firm_id, case_id
    )
    return tag == "UPDATE 1"
