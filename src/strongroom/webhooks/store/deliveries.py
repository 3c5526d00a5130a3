"""SQL of sending: claims that are fair between endpoints, and the record of every try."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import asyncpg

from strongroom.kit.db import Tx, columns
from strongroom.webhooks.model import DeliveryOutcome
from strongroom.webhooks.schedule import Attempt

LEASE_SECONDS = 45  # three times the longest try
HANGING_SECONDS = 1
AT_ONCE, AT_ONCE_UNPROVEN = 16, 1


@dataclass(frozen=True, slots=True)
class Claimed:
    """A delivery that this worker, and no other, may try until its lease ends; `row` also holds its event and endpoint."""

    firm_id: str
    id: str
    endpoint_id: str
    claim: str
    tries: int
    endpoint_is_well: bool
    row: Any = field(repr=False)


async def claim_due(tx: Tx, claim: str, at_most: int, unproven_at_most: int) -> list[Claimed]:
    """Claim due deliveries: first one of each endpoint, then a second, and so on; proven endpoints before others.

    The endpoints with something due are found by leaping over the index, so that a backlog costs nothing. Per endpoint at
    most 16 are tried at once, 1 while its last try failed, and none more while one has been hanging for a second. An
    object's events follow each other because a successor is not due before its predecessor has ended.
    """
    rows = await tx.fetch(
        f"""WITH RECURSIVE waiting AS (
               (SELECT firm_id, endpoint_id FROM webhook_deliveries
                WHERE outcome IS NULL AND due_at IS NOT NULL ORDER BY firm_id, endpoint_id LIMIT 1)
               UNION ALL
               SELECT following.firm_id, following.endpoint_id FROM waiting CROSS JOIN LATERAL (
                   SELECT firm_id, endpoint_id FROM webhook_deliveries AS next
                   WHERE outcome IS NULL AND due_at IS NOT NULL
                     AND (next.firm_id, next.endpoint_id) > (waiting.firm_id, waiting.endpoint_id)
                   ORDER BY firm_id, endpoint_id LIMIT 1) AS following
           ), room AS (
               SELECT endpoint.firm_id, endpoint.id, endpoint.proven,
                      greatest(0, CASE WHEN endpoint.proven THEN {AT_ONCE} ELSE {AT_ONCE_UNPROVEN} END - flying.count) AS free
               FROM waiting
               JOIN webhook_endpoints AS endpoint ON endpoint.firm_id = waiting.firm_id AND endpoint.id = waiting.endpoint_id
               CROSS JOIN LATERAL (
                   SELECT count(*), bool_or(claimed_at < app_now() - interval '{HANGING_SECONDS} seconds') AS hanging
                   FROM webhook_deliveries AS held
                   WHERE held.firm_id = endpoint.firm_id AND held.endpoint_id = endpoint.id
                     AND held.claim IS NOT NULL AND held.due_at > app_now()) AS flying
               WHERE endpoint.disabled_at IS NULL AND endpoint.deleted_at IS NULL
                 AND coalesce(endpoint.throttled_until <= app_now(), true) AND NOT coalesce(flying.hanging, false)
           ), due AS (
               SELECT room.proven, found.firm_id, found.id, found.due_at,
                      row_number() OVER (PARTITION BY found.firm_id, found.endpoint_id ORDER BY found.due_at) AS turn
               FROM room CROSS JOIN LATERAL (
                   SELECT firm_id, endpoint_id, id, due_at FROM webhook_deliveries AS ready
                   WHERE ready.firm_id = room.firm_id AND ready.endpoint_id = room.id
                     AND ready.outcome IS NULL AND ready.due_at <= app_now()
                   ORDER BY ready.due_at LIMIT room.free) AS found
           ), ranked AS (
               SELECT *, row_number() OVER (PARTITION BY proven ORDER BY turn, due_at) AS rank FROM due
           ), picked AS (
               SELECT delivery.firm_id, delivery.id FROM (
                   SELECT * FROM ranked WHERE proven OR rank <= $3 ORDER BY proven DESC, turn, due_at LIMIT $2) AS first
               JOIN webhook_deliveries AS delivery ON delivery.firm_id = first.firm_id AND delivery.id = first.id
               WHERE delivery.outcome IS NULL AND delivery.due_at <= app_now()
               FOR UPDATE OF delivery SKIP LOCKED
           ), claimed AS (
               UPDATE webhook_deliveries AS delivery
               SET claim = $1, claimed_at = app_now(), due_at = app_now() + interval '{LEASE_SECONDS} seconds'
               FROM picked WHERE delivery.firm_id = picked.firm_id AND delivery.id = picked.id
               RETURNING delivery.firm_id, delivery.id, delivery.endpoint_id, delivery.event_id, delivery.tries, delivery.place
           )
           SELECT claimed.firm_id, claimed.id AS delivery_id, claimed.endpoint_id, claimed.tries,
                  endpoint.proven AND endpoint.failing_since IS NULL AND endpoint.throttled_until IS NULL AS is_well,
                  endpoint.url_sealed, endpoint.secret_sealed, endpoint.include_account_details, endpoint.signing_key_sealed,
                  CASE WHEN endpoint.old_secret_until > app_now() THEN endpoint.old_secret_sealed END AS old_secret_sealed,
                  event.id, event.type, event.sequence, event.feed_position, event.created_at,
                  event.data_sealed, event.full_sealed, extract(epoch FROM app_now())::bigint AS now
           FROM claimed
           JOIN webhook_endpoints AS endpoint ON endpoint.firm_id = claimed.firm_id AND endpoint.id = claimed.endpoint_id
           JOIN webhook_events AS event ON event.firm_id = claimed.firm_id AND event.id = claimed.event_id
           ORDER BY claimed.place""",
        claim, at_most, unproven_at_most,
    )  # fmt: skip
    return [_claimed(row, claim) for row in rows]


def _claimed(row: asyncpg.Record, claim: str) -> Claimed:
    return Claimed(row["firm_id"], row["delivery_id"], row["endpoint_id"], claim, row["tries"], row["is_well"], row)


async def give_back(tx: Tx, claimed: Claimed, seconds: float) -> None:
    """Return a claimed delivery that was not tried."""
    await tx.execute(
        """UPDATE webhook_deliveries SET claim = NULL, due_at = app_now() + make_interval(secs => $4)
           WHERE firm_id = $1 AND id = $2 AND claim = $3 AND outcome IS NULL""",
        claimed.firm_id, claimed.id, claimed.claim, seconds,
    )  # fmt: skip


async def record_try(tx: Tx, claimed: Claimed, attempt: Attempt, *, outcome: DeliveryOutcome | None, pause_seconds: float) -> bool:
    """Write down a try and what follows from it; False when the claim was lost meanwhile, and then nothing is written."""
    tag = await tx.execute(
        """WITH mine AS (
               UPDATE webhook_deliveries SET tries = tries + 1, claim = NULL, outcome = $4,
                   due_at = CASE WHEN $4::text IS NULL THEN app_now() + make_interval(secs => $5) END,
                   ended_at = CASE WHEN $4::text IS NOT NULL THEN app_now() END
               WHERE firm_id = $1 AND id = $2 AND claim = $3 AND outcome IS NULL
               RETURNING firm_id, id, tries, claimed_at
           )
           INSERT INTO webhook_tries (firm_id, delivery_id, try, at, status, failure, duration_ms)
           SELECT firm_id, id, tries, claimed_at, $6, $7, $8 FROM mine""",
        claimed.firm_id, claimed.id, claimed.claim, outcome, pause_seconds,
        attempt.status, attempt.failure, attempt.duration_ms,
    )  # fmt: skip
    return tag == "INSERT 0 1"


async def record_successes(tx: Tx, done: Sequence[tuple[Claimed, Attempt]]) -> int:
    """Write down successful tries of well endpoints together and free their successors; return how many claims still held.

    Rows are locked in the order of their places, as everybody does who locks several.
    """
    arguments = columns([(one.firm_id, one.id, one.claim, attempt.status, attempt.duration_ms) for one, attempt in done])
    rows = await tx.fetch(
        """WITH done AS (
               SELECT * FROM unnest($1::text[], $2::text[], $3::text[], $4::int[], $5::int[])
                   AS given(firm_id, id, claim, status, duration_ms)
           ), held AS (
               SELECT delivery.firm_id, delivery.id FROM webhook_deliveries AS delivery
               JOIN done USING (firm_id, id, claim) WHERE delivery.outcome IS NULL ORDER BY delivery.place FOR UPDATE OF delivery
           ), mine AS (
               UPDATE webhook_deliveries AS delivery SET tries = tries + 1, claim = NULL, outcome = 'delivered', due_at = NULL,
                   ended_at = app_now()
               FROM held WHERE delivery.firm_id = held.firm_id AND delivery.id = held.id
               RETURNING delivery.firm_id, delivery.id, delivery.tries, delivery.claimed_at
           )
           INSERT INTO webhook_tries (firm_id, delivery_id, try, at, status, duration_ms)
           SELECT mine.firm_id, mine.id, mine.tries, mine.claimed_at, done.status, done.duration_ms
           FROM mine JOIN done USING (firm_id, id) RETURNING firm_id, delivery_id""",
        *arguments,
    )
    if rows:
        await _release_successors(tx, columns(rows))
    return len(rows)


async def release_successor(tx: Tx, claimed: Claimed) -> None:
    """Make the next event of the same object due, now that its predecessor has ended."""
    await _release_successors(tx, [[claimed.firm_id], [claimed.id]])


async def _release_successors(tx: Tx, ended: list[list[str]]) -> None:
    """Make the next event due of every object whose delivery has ended. A statement of its own, to see what others committed."""
    await tx.execute(
        """UPDATE webhook_deliveries AS delivery SET due_at = app_now()
           FROM unnest($1::text[], $2::text[]) AS given(firm_id, id)
           JOIN webhook_deliveries AS ended ON ended.firm_id = given.firm_id AND ended.id = given.id
           CROSS JOIN LATERAL (
               SELECT later.firm_id, later.id FROM webhook_deliveries AS later
               WHERE later.firm_id = ended.firm_id AND later.endpoint_id = ended.endpoint_id
                 AND later.object_id = ended.object_id AND later.outcome IS NULL
               ORDER BY later.place LIMIT 1) AS next
           WHERE delivery.firm_id = next.firm_id AND delivery.id = next.id AND delivery.due_at IS NULL""",
        *ended,
    )


async def note_success(tx: Tx, claimed: Claimed) -> None:
    """Mark an endpoint well again."""
    await tx.execute(
        """UPDATE webhook_endpoints SET proven = true, failing_since = NULL, throttled_until = NULL
           WHERE firm_id = $1 AND id = $2 AND disabled_at IS NULL
             AND NOT (proven AND failing_since IS NULL AND throttled_until IS NULL)""",
        claimed.firm_id, claimed.endpoint_id,
    )  # fmt: skip


async def note_failure(tx: Tx, claimed: Claimed, throttle_seconds: int) -> None:
    """Mark an endpoint unproven and leave it alone for as long as it asked."""
    await tx.execute(
        """UPDATE webhook_endpoints SET proven = false, throttled_until = CASE WHEN $3 > 0
               THEN greatest(throttled_until, app_now() + make_interval(secs => $3)) ELSE throttled_until END
           WHERE firm_id = $1 AND id = $2 AND (proven OR $3 > 0)""",
        claimed.firm_id, claimed.endpoint_id, throttle_seconds,
    )  # fmt: skip


async def note_failing(tx: Tx, claimed: Claimed) -> bool:
    """Mark an endpoint as failing; True when it was not before."""
    tag = await tx.execute(
        "UPDATE webhook_endpoints SET failing_since = app_now() WHERE firm_id = $1 AND id = $2 AND failing_since IS NULL",
        claimed.firm_id, claimed.endpoint_id,
    )  # fmt: skip
    return tag == "UPDATE 1"
