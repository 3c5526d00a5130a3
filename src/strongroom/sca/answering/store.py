"""All SQL of questions."""

from __future__ import annotations

from strongroom.kit.db import Tx
from strongroom.sca.answering.model import Asked


async def find(tx: Tx, issuer_id: str, user_hash: bytes, *, lock: bool = False) -> Asked | None:
    """Return what a UserId was last asked about."""
    row = await tx.fetchrow(
        f"""SELECT cardholder_id, token_serial, challenge_id FROM card_questions WHERE issuer_id = $1 AND user_hash = $2
            {"FOR UPDATE" if lock else ""}""",
        issuer_id, user_hash,
    )  # fmt: skip
    return Asked(row["cardholder_id"], row["token_serial"], row["challenge_id"]) if row else None


async def find_many(tx: Tx, issuer_id: str, user_hashes: list[bytes]) -> dict[bytes, Asked]:
    """Return what each UserId was last asked about; those that nobody asked about are missing."""
    rows = await tx.fetch(
        """SELECT user_hash, cardholder_id, token_serial, challenge_id FROM card_questions
           WHERE issuer_id = $1 AND user_hash = ANY($2::bytea[])""",
        issuer_id, user_hashes,
    )  # fmt: skip
    return {row["user_hash"]: Asked(row["cardholder_id"], row["token_serial"], row["challenge_id"]) for row in rows}


async def put(tx: Tx, issuer_id: str, user_hash: bytes, asked: Asked) -> None:
    """Remember a question; a newer one about the same UserId takes the place of the one before."""
    await tx.execute(
        """INSERT INTO card_questions (issuer_id, user_hash, cardholder_id, token_serial, challenge_id)
           VALUES ($1, $2, $3, $4, $5)
           ON CONFLICT (issuer_id, user_hash) DO UPDATE SET cardholder_id = EXCLUDED.cardholder_id,
             token_serial = EXCLUDED.token_serial, challenge_id = EXCLUDED.challenge_id, asked_at = app_now()""",
        issuer_id, user_hash, asked.cardholder_id, asked.token_serial, asked.challenge_id,
    )  # fmt: skip


async def forget_old(tx: Tx) -> int:
    """Remove questions that were asked long ago; as the worker."""
    tag = await tx.execute("DELETE FROM card_questions WHERE asked_at < app_now() - interval '7 days'")
    return int(tag.split()[1])
