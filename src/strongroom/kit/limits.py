"""Limits on how often: one counter per thing and window, raised and judged by a single statement. In doubt the answer is no."""

from __future__ import annotations

from dataclasses import dataclass

from strongroom.kit.db import Tx


@dataclass(frozen=True, slots=True)
class Limit:
    """At most `at_most` uses in `window_seconds`, counted per key in windows that slide by halves."""

    name: str
    at_most: int
    window_seconds: int


async def take(tx: Tx, limit: Limit, key_hash: bytes) -> bool:
    """Use one; False when the limit is reached (and then nothing was used).

    The window is sliding: uses of the window before count in proportion to how much of it still lies within reach.
    """
    return bool(
        await tx.fetchval(
            """
            WITH now AS (
                SELECT app_now() AS at, to_timestamp(floor(extract(epoch FROM app_now()) / $3::int) * $3::int) AS start
            ), before AS (
                SELECT coalesce(sum(used), 0) AS used FROM rate_windows, now
                WHERE name = $1 AND key_hash = $2 AND window_start = now.start - make_interval(secs => $3::int)
            ), weight AS (
                SELECT floor(before.used * (1 - extract(epoch FROM now.at - now.start) / $3::int)) AS carried FROM now, before
            )
            INSERT INTO rate_windows AS held (name, key_hash, window_start, used)
            SELECT $1, $2, now.start, 1 FROM now, weight WHERE weight.carried < $4::int
            ON CONFLICT (name, key_hash, window_start) DO UPDATE SET used = held.used + 1
            WHERE held.used + (SELECT carried FROM weight) < $4::int
            RETURNING true
            """,
            limit.name,
            key_hash,
            limit.window_seconds,
            limit.at_most,
        )  # fmt: skip
    )


async def forget_old(tx: Tx) -> int:
    """Remove counters that no window can reach any more."""
    tag = await tx.execute("DELETE FROM rate_windows WHERE window_start < app_now() - interval '3 days'")
    return int(tag.split()[1])
