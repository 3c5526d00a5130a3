"""SQL of events, their feed, and the creation of deliveries."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import asyncpg

from strongroom.kit.db import Tx, columns
from strongroom.kit.jobs import NOTIFY
from strongroom.kit.vault import TenantKeys
from strongroom.webhooks.model import Delivery, DeliveryOutcome, Event, EventType, Try

_SEQUENCER_LOCK = 0x576562486F6F
_EVENT_COLUMNS = "id, type, object_id, sequence, feed_position, created_at, data_sealed, full_sealed"


async def insert_event(
    tx: Tx,
    firm_id: str,
    event_id: str,
    *,
    event_type: EventType,
    object_id: str,
    data_sealed: bytes,
    full_sealed: bytes | None,
    only_endpoint_id: str | None,
) -> None:
    """Count the object's next event, write it, and tell the workers, all in one statement."""
    await tx.execute(
        f"""WITH counted AS (
                INSERT INTO webhook_sequences AS held (firm_id, object_id, last_sequence) VALUES ($1, $4, 1)
                ON CONFLICT (firm_id, object_id) DO UPDATE SET last_sequence = held.last_sequence + 1
                RETURNING last_sequence
            ), written AS (
                INSERT INTO webhook_events (firm_id, id, type, object_id, sequence, data_sealed, full_sealed, only_endpoint_id)
                SELECT $1, $2, $3, $4, last_sequence, $5, $6, $7 FROM counted RETURNING id
            )
            {NOTIFY} FROM written""",
        firm_id, event_id, event_type, object_id, data_sealed, full_sealed, only_endpoint_id,
    )  # fmt: skip


async def wake_worker(tx: Tx) -> None:
    """Tell the workers when this transaction has committed."""
    await tx.execute(NOTIFY)


async def lock_sequencer(tx: Tx) -> bool:
    """Become the only sequencer until the transaction ends; False when another is."""
    return bool(await tx.fetchval("SELECT pg_try_advisory_xact_lock($1)", _SEQUENCER_LOCK))


async def number_events(tx: Tx, at_most: int) -> list[tuple[str, str]]:
    """Give each visible event without a position its firm's next one, in the order of arrival; return firms and events."""
    rows = await tx.fetch(
        """WITH fresh AS (
               SELECT firm_id, id, row_number() OVER (PARTITION BY firm_id ORDER BY arrival) AS n,
                      count(*) OVER (PARTITION BY firm_id) AS of_firm
               FROM (SELECT firm_id, id, arrival FROM webhook_events WHERE feed_position IS NULL
                     ORDER BY arrival LIMIT $1) AS newest
           ), heads AS (
               INSERT INTO webhook_feeds AS held (firm_id, last_position)
               SELECT firm_id, count(*) FROM fresh GROUP BY firm_id ORDER BY firm_id
               ON CONFLICT (firm_id) DO UPDATE SET last_position = held.last_position + EXCLUDED.last_position
               RETURNING held.firm_id, held.last_position
           )
           UPDATE webhook_events AS event SET feed_position = heads.last_position - fresh.of_firm + fresh.n
           FROM fresh JOIN heads USING (firm_id)
           WHERE event.firm_id = fresh.firm_id AND event.id = fresh.id
           RETURNING event.firm_id, event.id""",
        at_most,
    )
    return [(row["firm_id"], row["id"]) for row in rows]


async def create_deliveries(tx: Tx, events: Sequence[tuple[str, str]], endpoint_id: str | None = None) -> int:
    """Queue events (pairs of firm and event) for the endpoints that want them; return how many deliveries that makes.

    A delivery is due at once unless an earlier one of the same object is open at its endpoint. What is open is locked first,
    so that it cannot end between our look and our commit: whoever ends it afterwards sees its successor and makes it due.
    """
    if not events:
        return 0
    await tx.execute(
        """SELECT FROM webhook_deliveries AS open
           WHERE open.outcome IS NULL AND (open.firm_id, open.object_id) IN (
               SELECT event.firm_id, event.object_id FROM unnest($1::text[], $2::text[]) AS given(firm_id, id)
               JOIN webhook_events AS event ON event.firm_id = given.firm_id AND event.id = given.id)
           ORDER BY open.place FOR UPDATE""",
        *columns(events),
    )
    tag = await tx.execute(
        """WITH wanted AS (
               SELECT event.firm_id, endpoint.id AS endpoint_id, event.id AS event_id, event.object_id, event.feed_position,
                      row_number() OVER (PARTITION BY event.firm_id, endpoint.id, event.object_id
                                         ORDER BY event.feed_position) AS n
               FROM unnest($1::text[], $2::text[]) AS given(firm_id, id)
               JOIN webhook_events AS event ON event.firm_id = given.firm_id AND event.id = given.id
               JOIN webhook_endpoints AS endpoint ON endpoint.firm_id = event.firm_id
               WHERE endpoint.disabled_at IS NULL AND endpoint.deleted_at IS NULL
                 AND ($3::text IS NULL OR endpoint.id = $3)
                 AND CASE WHEN event.only_endpoint_id IS NOT NULL THEN event.only_endpoint_id = endpoint.id
                          ELSE endpoint.event_types = '{}' OR event.type = ANY(endpoint.event_types) END
           ), placed AS (
               SELECT wanted.*, before.id AS before_id FROM wanted LEFT JOIN LATERAL (
                   SELECT id FROM webhook_deliveries AS earlier
                   WHERE earlier.firm_id = wanted.firm_id AND earlier.endpoint_id = wanted.endpoint_id
                     AND earlier.object_id = wanted.object_id AND earlier.outcome IS NULL AND wanted.n = 1
                   ORDER BY earlier.place DESC LIMIT 1 FOR UPDATE
               ) AS before ON true
           )
           INSERT INTO webhook_deliveries (firm_id, id, endpoint_id, event_id, object_id, due_at)
           SELECT firm_id, 'dlv-' || left(replace(gen_random_uuid()::text, '-', ''), 26), endpoint_id, event_id, object_id,
                  CASE WHEN n = 1 AND before_id IS NULL THEN app_now() END
           FROM placed ORDER BY feed_position""",
        *columns(events), endpoint_id,
    )  # fmt: skip
    return int(tag.split()[2])


async def events_after(tx: Tx, firm_id: str, position: int, limit: int) -> list[asyncpg.Record]:
    """Return the events behind a position, oldest first."""
    return await tx.fetch(
        f"""SELECT {_EVENT_COLUMNS} FROM webhook_events
            WHERE firm_id = $1 AND feed_position > $2 ORDER BY feed_position LIMIT $3""",
        firm_id, position, limit,
    )  # fmt: skip


async def last_position(tx: Tx, firm_id: str) -> int:
    """Return the position of the feed's newest event; 0 while it has none."""
    return await tx.fetchval("SELECT last_position FROM webhook_feeds WHERE firm_id = $1", firm_id) or 0


async def events_between(tx: Tx, firm_id: str, after: int, through: int, limit: int) -> list[tuple[str, int]]:
    """Return ids and positions of the events in a stretch of the feed, oldest first."""
    rows = await tx.fetch(
        """SELECT id, feed_position FROM webhook_events
           WHERE firm_id = $1 AND feed_position > $2 AND feed_position <= $3 ORDER BY feed_position LIMIT $4""",
        firm_id, after, through, limit,
    )  # fmt: skip
    return [(row["id"], row["feed_position"]) for row in rows]


async def find_event(tx: Tx, firm_id: str, event_id: str) -> asyncpg.Record | None:
    """Return one numbered event."""
    return await tx.fetchrow(
        f"SELECT {_EVENT_COLUMNS} FROM webhook_events WHERE firm_id = $1 AND id = $2 AND feed_position IS NOT NULL",
        firm_id, event_id,
    )  # fmt: skip


def open_event(keys: TenantKeys, row: Any, *, with_details: bool = False) -> Event:
    """Unseal an event in one of its two renderings."""
    column = "full_sealed" if with_details and row["full_sealed"] is not None else "data_sealed"
    return Event(
        id=row["id"],
        type=EventType(row["type"]),
        at=row["created_at"],
        sequence=row["sequence"],
        feed_position=row["feed_position"],
        data=keys.unseal("webhook_events", column, row["id"], row[column]),
    )


async def deliveries_of(tx: Tx, firm_id: str, event_id: str) -> list[Delivery]:
    """Return an event's deliveries with their tries, oldest first."""
    rows = await tx.fetch(
        "SELECT id, endpoint_id, outcome, due_at, created_at FROM webhook_deliveries "
        "WHERE firm_id = $1 AND event_id = $2 ORDER BY place LIMIT 1000",
        firm_id, event_id,
    )  # fmt: skip
    tries: dict[str, list[Try]] = {row["id"]: [] for row in rows}
    for row in await tx.fetch(
        """SELECT delivery_id, try, at, status, failure, duration_ms FROM webhook_tries
           WHERE firm_id = $1 AND delivery_id = ANY($2::text[]) ORDER BY try""",
        firm_id, list(tries),
    ):  # fmt: skip
        tries[row["delivery_id"]].append(Try(row["try"], row["at"], row["status"], row["failure"], row["duration_ms"]))
    return [
        Delivery(
            id=row["id"],
            endpoint_id=row["endpoint_id"],
            outcome=DeliveryOutcome(row["outcome"]) if row["outcome"] else None,
            next_try_at=row["due_at"],
            created_at=row["created_at"],
            tries=tuple(tries[row["id"]]),
        )
        for row in rows
    ]


async def endpoint_exists(tx: Tx, firm_id: str, endpoint_id: str) -> bool:
    """True when the firm has the endpoint."""
    return bool(
        await tx.fetchval(
            "SELECT true FROM webhook_endpoints WHERE firm_id = $1 AND id = $2 AND deleted_at IS NULL", firm_id, endpoint_id
        )
    )


async def forget_old(tx: Tx, *, days: int) -> int:
    """Remove old events without open deliveries, a batch at a time, with all that belongs to them; return how many events."""
    rows = await tx.fetch(
        """SELECT firm_id, id FROM webhook_events AS event
           WHERE created_at < app_now() - make_interval(days => $1) AND feed_position IS NOT NULL
             AND NOT EXISTS (SELECT FROM webhook_deliveries AS open WHERE open.firm_id = event.firm_id
                             AND open.event_id = event.id AND open.outcome IS NULL)
           ORDER BY created_at LIMIT 500""",
        days,
    )
    if not rows:
        return 0
    firms_and_events = columns(rows)
    await tx.execute(
        """WITH gone AS (
               DELETE FROM webhook_deliveries AS delivery USING unnest($1::text[], $2::text[]) AS old(firm_id, id)
               WHERE delivery.firm_id = old.firm_id AND delivery.event_id = old.id RETURNING delivery.firm_id, delivery.id
           )
           DELETE FROM webhook_tries AS try USING gone WHERE try.firm_id = gone.firm_id AND try.delivery_id = gone.id""",
        *firms_and_events,
    )
    await tx.execute(
        """DELETE FROM webhook_events AS event USING unnest($1::text[], $2::text[]) AS old(firm_id, id)
           WHERE event.firm_id = old.firm_id AND event.id = old.id""",
        *firms_and_events,
    )
    return len(rows)
