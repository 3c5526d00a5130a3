"""SQL of signed messages that were seen."""

from __future__ import annotations

from datetime import datetime

from strongroom.kit.db import Tx


async def claim(
    tx: Tx, issuer_id: str, message_hash: bytes, created: datetime, expires: datetime, skew_seconds: int
) -> tuple[bool, bool]:
    """Keep a message that is in its time; return whether it is, and whether nobody kept it before."""
    row = await tx.fetchrow(
        """WITH judged AS (
             SELECT $3::timestamptz <= app_now() + make_interval(secs => $5::int) AND $4::timestamptz > app_now() AS in_time),
           claimed AS (
             INSERT INTO message_replays (issuer_id, message_hash, expires_at) SELECT $1, $2, $4 FROM judged WHERE in_time
             ON CONFLICT DO NOTHING RETURNING 1)
           SELECT in_time, EXISTS (SELECT FROM claimed) FROM judged""",
        issuer_id, message_hash, created, expires, skew_seconds,
    )  # fmt: skip
    assert row is not None  # noqa: S101  # `judged` is one row
    return row[0], row[1]


async def forget_old(tx: Tx) -> int:
    """Remove messages whose own time is over: they would be refused for that."""
    tag = await tx.execute("DELETE FROM message_replays WHERE expires_at < app_now() - interval '1 minute'")
    return int(tag.split()[1])
