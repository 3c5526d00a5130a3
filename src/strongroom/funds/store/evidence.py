"""What banks signed about payments."""

from __future__ import annotations

import asyncpg

from strongroom.kit.db import Tx


async def add_evidence(tx: Tx, firm_id: str, payment_id: str, bank_status: str, answer_sealed: bytes) -> None:
    """Keep the first answer of a bank that says this word about a payment; a later one with the same word adds nothing."""
    await tx.execute(
        """INSERT INTO payment_evidence (firm_id, payment_id, bank_status, answer_sealed) VALUES ($1, $2, $3, $4)
           ON CONFLICT (firm_id, payment_id, bank_status) DO NOTHING""",
        firm_id, payment_id, bank_status, answer_sealed,
    )  # fmt: skip


async def evidence_of(tx: Tx, firm_id: str, payment_id: str) -> list[asyncpg.Record]:
    """Return (answer_sealed, received_at) of a payment, oldest first."""
    return await tx.fetch(
        """SELECT answer_sealed, received_at FROM payment_evidence WHERE firm_id = $1 AND payment_id = $2
           ORDER BY received_at, bank_status""",
        firm_id, payment_id,
    )  # fmt: skip
