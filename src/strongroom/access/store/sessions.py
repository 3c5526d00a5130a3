"""SQL of portal sessions. What makes a session alive is written once, in `ALIVE`."""

from __future__ import annotations

import asyncpg

from strongroom.access.model import Record, SessionKind
from strongroom.kit.db import Tx

IDLE_SECONDS = 5 * 60
LONGEST_SECONDS = 12 * 3600
TOUCH_SECONDS = 10

_IDLE_AT = f"greatest(active_at, coalesce(paused_until, active_at)) + interval '{IDLE_SECONDS} s'"
_END_AT = f"least({_IDLE_AT}, created_at + interval '{LONGEST_SECONDS} s')"
ALIVE = f"ended_at IS NULL AND app_now() < {_END_AT}"


async def add(tx: Tx, session_hash: bytes, session_id: str, kind: SessionKind, records: list[Record]) -> None:
    """Insert a session and what it covers."""
    await tx.execute(
        """WITH opened AS (INSERT INTO portal_sessions (session_hash, id, kind) VALUES ($1, $2, $3) RETURNING session_hash)
           INSERT INTO portal_session_records (session_hash, firm_id, customer_id, case_id)
           SELECT session_hash, firm_id, customer_id, case_id
           FROM opened, unnest($4::text[], $5::text[], $6::text[]) AS given (firm_id, customer_id, case_id)""",
        session_hash, session_id, str(kind),
        [record.firm_id for record in records], [record.customer_id for record in records], [record.case_id for record in records],
    )  # fmt: skip


async def add_for_phone(tx: Tx, opener_hash: bytes, hand_off_id: str, session_id: str) -> bool:
    """Insert the session of a phone whose hand-off was just confirmed: one request of what its opener covers, and as old as that.

    False when the opener is over. The opener stays locked until the transaction ends, so that whoever ends it sees this one too.
    """
    tag = await tx.execute(
        f"""WITH opener AS (SELECT session_hash, created_at FROM portal_sessions WHERE session_hash = $1 AND {ALIVE} FOR UPDATE),
                 opened AS (
                   INSERT INTO portal_sessions (session_hash, id, kind, opened_from_hash, created_at)
                   SELECT h.phone_session_hash, $3, '{SessionKind.PHONE}', o.session_hash, o.created_at
                   FROM opener o JOIN hand_offs h USING (session_hash) WHERE h.id = $2 RETURNING session_hash)
            INSERT INTO portal_session_records (session_hash, firm_id, customer_id, case_id, request_id)
            SELECT opened.session_hash, h.firm_id, h.customer_id, r.case_id, h.request_id
            FROM opened, hand_offs h JOIN portal_session_records r USING (session_hash, firm_id, customer_id) WHERE h.id = $2""",
        opener_hash, hand_off_id, session_id,
    )  # fmt: skip
    return tag == "INSERT 0 1"


async def find_alive(tx: Tx, session_hash: bytes, *, touch: bool) -> list[asyncpg.Record]:
    """Return the session with one row for each record it covers; nothing when it is over.

    `touch` counts as activity: it ends a pause and is written at most every ten seconds.
    """
    touching = f"""UPDATE portal_sessions SET active_at = app_now(), paused_until = NULL
                   WHERE session_hash = $1 AND {ALIVE}
                   AND (active_at < app_now() - interval '{TOUCH_SECONDS} s' OR paused_until IS NOT NULL) RETURNING session_hash"""
    return await tx.fetch(
        f"""WITH touched AS ({touching if touch else "SELECT session_hash FROM portal_sessions WHERE false"})
            SELECT s.id, s.kind, s.created_at, r.firm_id, r.customer_id, r.case_id, r.request_id,
                   CASE WHEN EXISTS (SELECT FROM touched)
                        THEN least({IDLE_SECONDS}, extract(epoch FROM s.created_at + interval '{LONGEST_SECONDS} s' - app_now()))
                        ELSE extract(epoch FROM {_END_AT} - app_now()) END::int AS seconds_left
            FROM portal_sessions s JOIN portal_session_records r USING (session_hash)
            WHERE s.session_hash = $1 AND {ALIVE} ORDER BY r.firm_id, r.customer_id""",
        session_hash,
    )


async def pause(tx: Tx, session_hash: bytes, seconds: int) -> bool:
    """Excuse inactivity for a while, never beyond the longest life; False when the session is over."""
    tag = await tx.execute(
        f"""UPDATE portal_sessions SET active_at = app_now(), paused_until = app_now() + make_interval(secs => $2::int)
            WHERE session_hash = $1 AND {ALIVE}""",
        session_hash, seconds,
    )  # fmt: skip
    return tag == "UPDATE 1"


async def end(tx: Tx, session_hash: bytes) -> bool:
    """End a session, and every phone's that was opened from it; False when it was over.

    Two statements: a phone's that was being opened has been waited for by the first, and is seen by the second alone.
    """
    tag = await tx.execute(
        "UPDATE portal_sessions SET ended_at = app_now() WHERE session_hash = $1 AND ended_at IS NULL", session_hash
    )
    await tx.execute(
        "UPDATE portal_sessions SET ended_at = app_now() WHERE opened_from_hash = $1 AND ended_at IS NULL", session_hash
    )
    return tag == "UPDATE 1"


async def end_all_of(tx: Tx, firm_id: str, customer_id: str) -> int:
    """End every session that covers a customer; return how many ended. Done twice, for the same reason."""
    ending = """UPDATE portal_sessions s SET ended_at = app_now() FROM portal_session_records r
                WHERE r.firm_id = $1 AND r.customer_id = $2 AND s.session_hash = r.session_hash AND s.ended_at IS NULL"""
    tags = [await tx.execute(ending, firm_id, customer_id) for _ in range(2)]
    return sum(int(tag.split()[1]) for tag in tags)


async def forget_old(tx: Tx) -> int:
    """Remove sessions two days after they began, a batch at a time; as the worker."""
    tag = await tx.execute(
        """DELETE FROM portal_sessions WHERE session_hash = ANY(ARRAY(
           SELECT session_hash FROM portal_sessions WHERE created_at < app_now() - interval '2 days' LIMIT 5000))"""
    )
    return int(tag.split()[1])
