"""Limits on how often: one counter per thing and window, raised and judged by a single statement. In doubt the answer is no."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from strongroom.kit.db import Database, Tx
from strongroom.kit.groupcommit import GroupCommit


@dataclass(frozen=True, slots=True)
class Limit:
    """At most `at_most` uses in `window_seconds`, counted per key in windows that slide by halves."""

    name: str
    at_most: int
    window_seconds: int


@dataclass(slots=True)
class _Use:
    """One use asked for, and what came of it."""

    key_hash: bytes
    granted: bool = False


class SharedLimit:
    """A limit that many requests use at once: those in flight are counted by one statement and one commit.

    A counter that each request raises by itself makes all of them wait for each other's commits, and PostgreSQL look at
    every version of its row. What is granted is the same.
    """

    def __init__(self, db: Database, limit: Limit) -> None:
        self._limit = limit
        self._group: GroupCommit[_Use] = GroupCommit(db, self._take, lanes=1)

    async def take(self, tenant: str, key_hash: bytes) -> bool:
        """Use one and keep that; False when the limit is reached (and then nothing was used)."""
        use = _Use(key_hash)
        await self._group.submit(tenant, use)
        return use.granted

    async def _take(self, tx: Tx, _: str, uses: list[_Use]) -> None:
        for key_hash, count in sorted(Counter(use.key_hash for use in uses).items()):
            left = count if await take(tx, self._limit, key_hash, count) else 0
            for use in (use for use in uses if use.key_hash == key_hash):
                use.granted = left > 0 or await take(tx, self._limit, key_hash)
                left -= use.granted


async def take(tx: Tx, limit: Limit, key_hash: bytes, uses: int = 1) -> bool:
    """Use one, or several together; False when the limit would be passed (and then nothing was used).

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
            SELECT $1, $2, now.start, $5::int FROM now, weight WHERE weight.carried + $5 <= $4::int
            ON CONFLICT (name, key_hash, window_start) DO UPDATE SET used = held.used + $5
            WHERE held.used + (SELECT carried FROM weight) + $5 <= $4::int
            RETURNING true
            """,
            limit.name,
            key_hash,
            limit.window_seconds,
            limit.at_most,
            uses,
        )  # fmt: skip
    )


@dataclass(frozen=True, slots=True)
class Used:
    """One use of a limit by one key."""

    limit: Limit
    key_hash: bytes


async def take_all(tx: Tx, uses: Sequence[Used]) -> list[Limit]:
    """Use one of each limit, no two of the same name, by one statement; return those that are reached: empty when all allowed it.

    Where one is reached the others were used all the same: the caller rolls back. Rows are locked in one order for everybody.
    """
    granted = await tx.fetch(
        """
        WITH asked AS (
            SELECT * FROM unnest($1::text[], $2::bytea[], $3::int[], $4::int[]) AS a (name, key_hash, at_most, seconds)
        ), now AS (
            SELECT app_now() AS at
        ), placed AS (
            SELECT asked.*, now.at, to_timestamp(floor(extract(epoch FROM now.at) / seconds) * seconds) AS start FROM asked, now
        ), weighed AS (
            SELECT placed.*, floor(coalesce(before.used, 0) * (1 - extract(epoch FROM at - start) / seconds)) AS carried
            FROM placed LEFT JOIN rate_windows AS before ON (before.name, before.key_hash) = (placed.name, placed.key_hash)
             AND before.window_start = placed.start - make_interval(secs => placed.seconds)
        )
        INSERT INTO rate_windows AS held (name, key_hash, window_start, used)
        SELECT name, key_hash, start, 1 FROM weighed WHERE carried < at_most ORDER BY name, key_hash
        ON CONFLICT (name, key_hash, window_start) DO UPDATE SET used = held.used + 1
        WHERE held.used < (SELECT at_most - carried FROM weighed WHERE weighed.name = held.name)
        RETURNING name
        """,
        [use.limit.name for use in uses],
        [use.key_hash for use in uses],
        [use.limit.at_most for use in uses],
        [use.limit.window_seconds for use in uses],
    )
    names = {row["name"] for row in granted}
    return [use.limit for use in uses if use.limit.name not in names]


async def forget_old(tx: Tx) -> int:
    """Remove counters that no window can reach any more."""
    tag = await tx.execute("DELETE FROM rate_windows WHERE window_start < app_now() - interval '3 days'")
    return int(tag.split()[1])
