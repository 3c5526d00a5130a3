"""SQL of the limits that stand before a message: how often a number was written to, what is paused, what was refused."""

from __future__ import annotations

from strongroom.kit.db import Tx
from strongroom.notify.model import LimitedBy, Rate

BURST, BURST_SECONDS = 5, 600
DAY_AT_MOST = 10  # as many times are remembered of a number


async def take_number(tx: Tx, number_hash: bytes, rate: Rate) -> bool:
    """Note one message to a number; False when it had 5 in the last 10 minutes, or as many as it may in an hour or a day.

    The row holds the last ten times, so the windows slide exactly; rivals wait for it and then see each other's.
    """
    return bool(
        await tx.fetchval(
            f"""INSERT INTO message_numbers AS held (number_hash, used_at) VALUES ($1, ARRAY[app_now()])
                ON CONFLICT (number_hash) DO UPDATE SET used_at = (app_now() || held.used_at)[1:{DAY_AT_MOST}]
                WHERE coalesce(held.used_at[{BURST}] <= app_now() - interval '{BURST_SECONDS} seconds', true)
                  AND coalesce(held.used_at[$2::int] <= app_now() - interval '1 hour', true)
                  AND coalesce(held.used_at[$3::int] <= app_now() - interval '24 hours', true)
                RETURNING true""",
            number_hash, rate.hour, rate.day,
        )
    )  # fmt: skip


async def paused_seconds(tx: Tx, country: str, prefix_hash: bytes) -> int:
    """Return for how many seconds no message may go to a number of this country and block; 0 when nothing is paused."""
    seconds: int | None = await tx.fetchval(
        """SELECT ceil(extract(epoch FROM max(ends_at) - app_now()))::int FROM message_pauses
           WHERE stops AND lifted_at IS NULL AND ends_at > app_now()
             AND CASE scope WHEN 'country' THEN country = $1 ELSE prefix_hash = $2 END""",
        country, prefix_hash,
    )  # fmt: skip
    return seconds or 0


async def count_refusal(tx: Tx, limited_by: LimitedBy, purpose: str, country: str) -> None:
    """Count one message that was refused."""
    await tx.execute(
        """INSERT INTO message_refusals AS held (hour, limited_by, purpose, country, refused)
           VALUES (date_trunc('hour', app_now()), $1, $2, $3, 1)
           ON CONFLICT (hour, limited_by, purpose, country) DO UPDATE SET refused = held.refused + 1""",
        limited_by, purpose, country,
    )  # fmt: skip
