"""SQL over many messages at once, of all tenants, as the worker: where codes go unused, what is paused, and the funnel."""

from __future__ import annotations

from datetime import datetime

import asyncpg

from strongroom.kit.db import Tx
from strongroom.notify.model import Pause, Scope, Step, Unused, WatchRules

_LOCK = 0x536D735761746368
_PAUSE = "id, scope, country, stops, numbers, users, began_at, ends_at"


async def lock_watch(tx: Tx) -> bool:
    """Let one worker at a time conclude anything; False when another does."""
    return bool(await tx.fetchval("SELECT pg_try_advisory_xact_lock($1)", _LOCK))


async def take_unused(tx: Tx, rules: WatchRules) -> list[Unused]:
    """Return the blocks of numbers and the countries where too few of the numbers that got a code used one.

    Only codes whose life ended within the window are counted, and of each block or country only those that were sent after its
    last pause. A code that certainly never arrived says nothing about its number.
    """
    rows = await tx.fetch(
        """
        WITH codes AS (
            SELECT country, prefix_hash, recipient_hash, used_at IS NOT NULL AS used, sent_at FROM messages
            WHERE urgent AND sent_at IS NOT NULL AND prefix_hash IS NOT NULL AND state IN ('sent', 'delivered')
              AND valid_until > app_now() - make_interval(secs => $1) AND valid_until <= app_now()
        ), scoped AS (
            SELECT 'prefix' AS scope, * FROM codes
            UNION ALL
            SELECT 'country', country, NULL, recipient_hash, used, sent_at FROM codes
        ), ends AS (
            SELECT scope, country, prefix_hash, max(coalesce(lifted_at, ends_at)) AS at FROM message_pauses GROUP BY 1, 2, 3
        )
        SELECT s.scope, s.country, s.prefix_hash, count(DISTINCT s.recipient_hash) AS numbers,
               count(DISTINCT s.recipient_hash) FILTER (WHERE s.used) AS users
        FROM scoped s LEFT JOIN ends ON (ends.scope, ends.country) = (s.scope, s.country)
         AND ends.prefix_hash IS NOT DISTINCT FROM s.prefix_hash
        WHERE ends.at IS NULL OR s.sent_at > ends.at
        GROUP BY 1, 2, 3
        HAVING count(DISTINCT s.recipient_hash) >= CASE s.scope WHEN 'prefix' THEN $2::int ELSE $3::int END
           AND count(DISTINCT s.recipient_hash) FILTER (WHERE s.used) * 100 < count(DISTINCT s.recipient_hash) * $4::int
        ORDER BY 1, 2, 3
        """,
        float(rules.window_seconds), rules.prefix_numbers, rules.country_numbers, rules.share_percent,
    )  # fmt: skip
    return [Unused(Scope(row[0]), row[1], row[2], row[3], row[4]) for row in rows]


async def add_pause(tx: Tx, pause_id: str, unused: Unused, *, stops: bool, seconds: int) -> None:
    """Insert a pause, or an alarm, that begins now."""
    await tx.execute(
        """INSERT INTO message_pauses (id, scope, country, prefix_hash, stops, numbers, users, ends_at)
           VALUES ($1, $2, $3, $4, $5, $6, $7, app_now() + make_interval(secs => $8))""",
        pause_id, unused.scope, unused.country, unused.prefix_hash, stops, unused.numbers, unused.users, float(seconds),
    )  # fmt: skip


async def list_pauses(tx: Tx) -> list[Pause]:
    """Return what is paused or told about now, newest first."""
    rows = await tx.fetch(
        f"""SELECT {_PAUSE} FROM message_pauses WHERE lifted_at IS NULL AND ends_at > app_now() ORDER BY began_at DESC, id"""
    )
    return [Pause(row[0], Scope(row[1]), *row[2:]) for row in rows]


async def lift(tx: Tx, pause_id: str, actor: str) -> Pause | None:
    """End a pause before its time; None when it is over or never was."""
    row = await tx.fetchrow(
        f"""UPDATE message_pauses SET lifted_at = app_now(), lifted_by = $2
            WHERE id = $1 AND lifted_at IS NULL AND ends_at > app_now() RETURNING {_PAUSE}""",
        pause_id, actor,
    )  # fmt: skip
    return Pause(row[0], Scope(row[1]), *row[2:]) if row else None


async def take_stock(tx: Tx, since: datetime, until: datetime) -> list[Step]:
    """Return what became of the messages that were asked for in a period. Refusals are counted by the hour in which they began."""
    rows = await tx.fetch(
        """
        WITH asked AS (
            SELECT purpose, country, coalesce(gateway, '') AS gateway, count(*) AS asked, count(sent_at) AS sent,
                   count(delivered_at) AS delivered, count(used_at) AS used
            FROM messages WHERE created_at >= $1 AND created_at < $2 GROUP BY 1, 2, 3
        ), refused AS (
            SELECT purpose, country, limited_by, sum(refused)::bigint AS refused FROM message_refusals
            WHERE hour >= date_trunc('hour', $1) AND hour < $2 GROUP BY 1, 2, 3
        ), summed AS (
            SELECT purpose, country, '' AS gateway, sum(refused)::bigint AS refused,
                   array_agg(limited_by ORDER BY limited_by) AS by, array_agg(refused ORDER BY limited_by) AS counts
            FROM refused GROUP BY 1, 2
        )
        SELECT purpose, country, gateway, coalesce(asked, 0) + coalesce(refused, 0) AS asked, coalesce(sent, 0) AS sent,
               coalesce(delivered, 0) AS delivered, coalesce(used, 0) AS used,
               coalesce(by, '{}') AS limited_by, coalesce(counts, '{}') AS counts
        FROM asked FULL JOIN summed USING (purpose, country, gateway) ORDER BY purpose, country, gateway
        """,
        since, until,
    )  # fmt: skip
    return [_step(row, dict(zip(row["limited_by"], row["counts"], strict=True))) for row in rows]


def _step(row: asyncpg.Record, refused: dict[str, int]) -> Step:
    return Step(row[0], row[1], row[2], row[3], row[4], row[5], row[6], refused)
