"""All SQL of strong authentication."""

from __future__ import annotations

import asyncpg

from strongroom.kit.db import Tx
from strongroom.sca.model import FIRST_LOCK_SECONDS, MAX_ATTEMPTS, MAX_LOCK_SECONDS


async def add_challenge(
    tx: Tx, tenant: str, challenge_id: str, purpose: str, subject_hash: bytes, *, code_hashes: list[bytes], life_seconds: int
) -> None:
    """Insert an open challenge."""
    await tx.execute(
        """INSERT INTO challenges (tenant_id, id, purpose, subject_hash, code_hashes, max_attempts, expires_at)
           VALUES ($1, $2, $3, $4, $5, $6, app_now() + make_interval(secs => $7))""",
        tenant, challenge_id, purpose, subject_hash, code_hashes, MAX_ATTEMPTS, life_seconds,
    )  # fmt: skip


async def set_codes(tx: Tx, tenant: str, challenge_id: str, code_hashes: list[bytes]) -> bool:
    """Give an open challenge its codes; False when it is no longer open or has them already."""
    tag = await tx.execute(
        """UPDATE challenges SET code_hashes = $3 WHERE tenant_id = $1 AND id = $2 AND code_hashes = '{}'
           AND used_at IS NULL AND superseded_at IS NULL AND expires_at > app_now()""",
        tenant, challenge_id, code_hashes,
    )  # fmt: skip
    return tag == "UPDATE 1"


async def supersede(tx: Tx, tenant: str, challenge_id: str) -> None:
    """Close a challenge because a newer one takes its place."""
    await tx.execute(
        """UPDATE challenges SET superseded_at = app_now()
           WHERE tenant_id = $1 AND id = $2 AND superseded_at IS NULL AND used_at IS NULL""",
        tenant, challenge_id,
    )  # fmt: skip


async def charge(tx: Tx, tenant: str, challenge_id: str) -> asyncpg.Record | None:
    """Pay for one try of an open challenge and of its subject's budget; None when either refuses.

    The last try of the budget sets the lock in the same statement; each lock in a row lasts twice as long.
    """
    return await tx.fetchrow(
        """
        WITH open AS (
            SELECT * FROM challenges
            WHERE tenant_id = $1 AND id = $2 AND attempts < max_attempts
              AND used_at IS NULL AND superseded_at IS NULL AND expires_at > app_now()
            FOR UPDATE
        ), budget AS (
            INSERT INTO attempt_budgets AS held (tenant_id, subject_hash, charges, failures)
            SELECT tenant_id, subject_hash, 1, 1 FROM open
            ON CONFLICT (tenant_id, subject_hash) DO UPDATE SET
                charges = held.charges + 1,
                failures = CASE WHEN held.failures >= $3 THEN 1 ELSE held.failures + 1 END,
                level = CASE WHEN held.failures + 1 = $3 THEN held.level + 1 ELSE held.level END,
                locked_by = CASE WHEN held.failures + 1 = $3 THEN held.charges + 1 END,
                locked_until = CASE WHEN held.failures + 1 = $3
                    THEN app_now() + make_interval(secs => least($4 * 2 ^ least(held.level, 12), $5)) END,
                changed_at = app_now()
            WHERE held.locked_until IS NULL OR held.locked_until <= app_now()
            RETURNING charges, failures, locked_until
        )
        UPDATE challenges AS c SET attempts = c.attempts + 1 FROM open, budget
        WHERE c.tenant_id = open.tenant_id AND c.id = open.id
        RETURNING c.subject_hash, c.code_hashes, c.attempts, c.max_attempts, budget.charges, budget.failures,
                  ceil(extract(epoch FROM budget.locked_until - app_now()))::int AS lock_seconds
        """,
        tenant, challenge_id, MAX_ATTEMPTS, float(FIRST_LOCK_SECONDS), float(MAX_LOCK_SECONDS),
    )  # fmt: skip


async def accept(tx: Tx, tenant: str, challenge_id: str, *, attempt: int) -> bool:
    """Use the challenge up; False when another was first, or a lock came in between that this try did not set."""
    tag = await tx.execute(
        """UPDATE challenges SET used_at = app_now() WHERE tenant_id = $1 AND id = $2
           AND used_at IS NULL AND superseded_at IS NULL AND expires_at > app_now()
           AND (attempts < max_attempts OR $3::int = max_attempts)""",
        tenant, challenge_id, attempt,
    )  # fmt: skip
    return tag == "UPDATE 1"


async def restore_budget(tx: Tx, tenant: str, subject_hash: bytes, *, charge_number: int) -> bool:
    """Forgive a subject after a right answer; False when a lock stands that another try set."""
    tag = await tx.execute(
        """UPDATE attempt_budgets SET failures = 0, level = 0, locked_until = NULL, locked_by = NULL, changed_at = app_now()
           WHERE tenant_id = $1 AND subject_hash = $2
           AND (locked_until IS NULL OR locked_until <= app_now() OR locked_by = $3)""",
        tenant, subject_hash, charge_number,
    )  # fmt: skip
    return tag == "UPDATE 1"


async def locked_seconds(tx: Tx, tenant: str, subject_hash: bytes) -> int:
    """Return for how many seconds a subject is still locked; 0 when it is not."""
    found: int | None = await tx.fetchval(
        """SELECT ceil(extract(epoch FROM locked_until - app_now()))::int FROM attempt_budgets
           WHERE tenant_id = $1 AND subject_hash = $2 AND locked_until > app_now()""",
        tenant, subject_hash,
    )  # fmt: skip
    return found or 0


async def subject_of(tx: Tx, tenant: str, challenge_id: str) -> asyncpg.Record | None:
    """Return a challenge's subject and the tries left."""
    return await tx.fetchrow(
        "SELECT subject_hash, max_attempts - attempts AS attempts_left FROM challenges WHERE tenant_id = $1 AND id = $2",
        tenant, challenge_id,
    )  # fmt: skip


async def forget_old(tx: Tx) -> int:
    """Remove challenges that ended long ago, and budgets that have long been quiet."""
    tag = await tx.execute("DELETE FROM challenges WHERE created_at < app_now() - interval '7 days'")
    await tx.execute(
        """DELETE FROM attempt_budgets
           WHERE changed_at < app_now() - interval '30 days' AND (locked_until IS NULL OR locked_until < app_now())"""
    )
    return int(tag.split()[1])
