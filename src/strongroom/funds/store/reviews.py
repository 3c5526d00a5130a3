"""What people look at: reviews, and findings about payments."""

from __future__ import annotations

import asyncpg

from strongroom.funds.model import ReviewReason
from strongroom.kit.db import Tx


async def open_review(tx: Tx, firm_id: str, review_id: str, subject_id: str, reason: ReviewReason) -> bool:
    """Open a review for the firm's staff unless the same one is open."""
    tag = await tx.execute(
        """INSERT INTO reviews (firm_id, id, subject_id, reason) VALUES ($1, $2, $3, $4)
           ON CONFLICT (firm_id, subject_id, reason) WHERE resolved_at IS NULL DO NOTHING""",
        firm_id, review_id, subject_id, reason,
    )  # fmt: skip
    return tag == "INSERT 0 1"


async def close_review(tx: Tx, firm_id: str, subject_id: str, reason: ReviewReason, *, resolved_by: str) -> None:
    """End a review whose question has been answered otherwise."""
    await tx.execute(
        """UPDATE reviews SET resolved_at = app_now(), resolved_by = $4
           WHERE firm_id = $1 AND subject_id = $2 AND reason = $3 AND resolved_at IS NULL""",
        firm_id, subject_id, reason, resolved_by,
    )  # fmt: skip


async def resolve(tx: Tx, firm_id: str, review_id: str, *, resolved_by: str, note_sealed: bytes) -> asyncpg.Record | None:
    """Resolve an open review; return (subject_id, reason), or None when there is no such open one."""
    return await tx.fetchrow(
        """UPDATE reviews SET resolved_at = app_now(), resolved_by = $3, note_sealed = $4
           WHERE firm_id = $1 AND id = $2 AND resolved_at IS NULL RETURNING subject_id, reason""",
        firm_id, review_id, resolved_by, note_sealed,
    )  # fmt: skip


async def open_reviews(tx: Tx, firm_id: str, limit: int) -> list[asyncpg.Record]:
    """Return (id, subject_id, reason, created_at) of what is open, oldest first."""
    return await tx.fetch(
        """SELECT id, subject_id, reason, created_at FROM reviews WHERE firm_id = $1 AND resolved_at IS NULL
           ORDER BY created_at, id LIMIT $2""",
        firm_id, limit,
    )  # fmt: skip


async def add_finding(
    tx: Tx, firm_id: str, finding_id: str, *, payment_id: str, kind: str, note_sealed: bytes, proposed_by: str
) -> bool:
    """Insert a proposed finding; False when another about the same payment waits for its second person."""
    tag = await tx.execute(
        """INSERT INTO payment_findings (firm_id, id, payment_id, kind, note_sealed, proposed_by) VALUES ($1, $2, $3, $4, $5, $6)
           ON CONFLICT (firm_id, payment_id) WHERE state = 'proposed' DO NOTHING""",
        firm_id, finding_id, payment_id, kind, note_sealed, proposed_by,
    )  # fmt: skip
    return tag == "INSERT 0 1"


async def find_finding(tx: Tx, firm_id: str, finding_id: str) -> asyncpg.Record | None:
    """Return a finding's row with its payment's request."""
    return await tx.fetchrow(f"{_FINDINGS} WHERE finding.firm_id = $1 AND finding.id = $2", firm_id, finding_id)


async def open_findings(tx: Tx, firm_id: str, limit: int) -> list[asyncpg.Record]:
    """Return the findings that wait for a second person, oldest first."""
    return await tx.fetch(
        f"{_FINDINGS} WHERE finding.firm_id = $1 AND finding.state = 'proposed' ORDER BY finding.created_at, finding.id LIMIT $2",
        firm_id, limit,
    )  # fmt: skip


_FINDINGS = """SELECT finding.firm_id, finding.id, finding.payment_id, payment.request_id, finding.kind, finding.note_sealed,
                      finding.proposed_by, finding.created_at
               FROM payment_findings AS finding
               JOIN payments AS payment ON payment.firm_id = finding.firm_id AND payment.id = finding.payment_id"""
