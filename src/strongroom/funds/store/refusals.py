"""Amounts that banks' own limits have refused lately."""

from __future__ import annotations

from strongroom.kit.db import Tx


async def learn_refusal(tx: Tx, firm_id: str, bank_id: str, refused_minor: int, *, days: int) -> None:
    """Remember a refused amount for so many days; of several that have not expired the smallest is kept."""
    await tx.execute(
        """INSERT INTO bank_refusals AS known (firm_id, bank_id, refused_minor, expires_at)
           VALUES ($1, $2, $3, app_now() + make_interval(days => $4))
           ON CONFLICT (firm_id, bank_id) DO UPDATE SET expires_at = excluded.expires_at,
               refused_minor = CASE WHEN known.expires_at <= app_now() THEN excluded.refused_minor
                                    ELSE least(known.refused_minor, excluded.refused_minor) END""",
        firm_id, bank_id, refused_minor, days,
    )  # fmt: skip


async def forget_refusal(tx: Tx, firm_id: str, bank_id: str, paid_minor: int) -> None:
    """Forget a refused amount that the bank has now let through."""
    await tx.execute(
        "DELETE FROM bank_refusals WHERE firm_id = $1 AND bank_id = $2 AND refused_minor <= $3", firm_id, bank_id, paid_minor
    )


async def refusing_banks(tx: Tx, firm_id: str, amount_minor: int) -> frozenset[str]:
    """Return the banks that have lately refused this amount or less to this firm's customers."""
    rows = await tx.fetch(
        "SELECT bank_id FROM bank_refusals WHERE firm_id = $1 AND refused_minor <= $2 AND expires_at > app_now()",
        firm_id,
        amount_minor,
    )
    return frozenset(row["bank_id"] for row in rows)
