"""Events: written with the work that they tell of, numbered after the commit, read as a feed, replayed when asked."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from strongroom.kit import audit
from strongroom.kit.db import Database, Tx
from strongroom.kit.errors import NotFound, UnknownCursor
from strongroom.kit.ids import new_id
from strongroom.kit.vault import Vault
from strongroom.webhooks.model import Delivery, Event, EventType, Tag, encode_data, merge
from strongroom.webhooks.store import events as store

FEED_MAX = 500
REPLAY_MAX = 1_000
_BATCH = 1_000
_KEEP_DAYS = 90


@dataclass(frozen=True, slots=True)
class Replayed:
    """What a replay queued; `next_position` is where to go on when the range was longer than one call takes."""

    deliveries: int
    next_position: int | None


class Events:
    """Writes events and reads a firm's feed."""

    def __init__(self, db: Database, vault: Vault) -> None:
        self._db = db
        self._vault = vault

    def sequencer(self) -> Sequencer:
        """Return what numbers the events; it works only where the database role is the worker's."""
        return Sequencer(self._db)

    async def publish(
        self,
        tx: Tx,
        firm_id: str,
        event_type: EventType,
        object_id: str,
        data: Mapping[str, Any],
        *,
        sensitive: Mapping[str, Any] | None = None,
        only_endpoint_id: str | None = None,
    ) -> str:
        """Write one event in the caller's transaction, wake the workers, and return the event's id.

        `data` is the object as GET returns it, without full account details; `sensitive` is laid over it for the endpoints
        that may have them. The object's sequence is counted here, under a lock that lasts until the caller's commit.
        Raise ValueError when the body would reach 20 kB.
        """
        event_id = new_id("evt")
        keys = await self._vault.tenant(tx, firm_id)
        full = None if sensitive is None else encode_data(merge(data, sensitive))
        await store.insert_event(
            tx,
            firm_id,
            event_id,
            event_type=event_type,
            object_id=object_id,
            data_sealed=keys.seal("webhook_events", "data_sealed", event_id, encode_data(data)),
            full_sealed=None if full is None else keys.seal("webhook_events", "full_sealed", event_id, full),
            only_endpoint_id=only_endpoint_id,
        )
        return event_id

    async def events_after(self, firm_id: str, position: int, limit: int = 100) -> list[Event]:
        """Return the events behind a position of the feed, oldest first, at most `limit` (ceiling 500).

        Positions have no gaps and appear in order, so a reader that keeps the last one it saw misses nothing. Raise UnknownCursor
        for a position that the feed has not reached: whoever waited there would miss what comes before it.
        """
        async with self._db.transaction(firm_id) as tx:
            rows = await store.events_after(tx, firm_id, position, min(limit, FEED_MAX))
            if not rows and position > await store.last_position(tx, firm_id):
                raise UnknownCursor
            keys = await self._vault.tenant(tx, firm_id)
            return [store.open_event(keys, row) for row in rows]

    async def get(self, firm_id: str, event_id: str) -> Event:
        """Return one event. Raise NotFound, also in the instant before it has a position."""
        async with self._db.transaction(firm_id) as tx:
            row = await store.find_event(tx, firm_id, event_id)
            if row is None:
                raise NotFound
            return store.open_event(await self._vault.tenant(tx, firm_id), row)

    async def deliveries_of(self, firm_id: str, event_id: str) -> list[Delivery]:
        """Return an event's deliveries with all tries, oldest first. Raise NotFound."""
        async with self._db.transaction(firm_id) as tx:
            if await store.find_event(tx, firm_id, event_id) is None:
                raise NotFound
            return await store.deliveries_of(tx, firm_id, event_id)

    async def replay(self, firm_id: str, event_id: str, *, actor: str, endpoint_id: str | None = None) -> Replayed:
        """Send one event again, to one endpoint or to all that want it. Raise NotFound."""
        async with self._db.transaction(firm_id) as tx:
            if await store.find_event(tx, firm_id, event_id) is None:
                raise NotFound
            return await self._replay(tx, firm_id, [event_id], actor, event_id, endpoint_id)

    async def replay_range(self, firm_id: str, *, after: int, through: int, actor: str, endpoint_id: str | None = None) -> Replayed:
        """Send again what lies behind position `after` up to and with `through`, at most 1,000 events a call."""
        async with self._db.transaction(firm_id) as tx:
            found = await store.events_between(tx, firm_id, after, through, REPLAY_MAX)
            ids = [event_id for event_id, _ in found]
            replayed = await self._replay(tx, firm_id, ids, actor, f"{after}-{through}", endpoint_id)
        last = found[-1][1] if len(found) == REPLAY_MAX else through
        return Replayed(replayed.deliveries, last if last < through else None)

    async def _replay(self, tx: Tx, firm_id: str, ids: list[str], actor: str, subject: str, endpoint_id: str | None) -> Replayed:
        if endpoint_id is not None and not await store.endpoint_exists(tx, firm_id, endpoint_id):
            raise NotFound
        count = await store.create_deliveries(tx, [(firm_id, event_id) for event_id in ids], endpoint_id)
        await audit.record(tx, firm_id, actor, Tag.EVENTS_REPLAYED, subject, {"deliveries": count, "endpoint": endpoint_id})
        await store.wake_worker(tx)
        return Replayed(count, None)


class Sequencer:
    """Numbers committed events and queues their deliveries; one works at a time. Runs as the worker's role."""

    def __init__(self, db: Database) -> None:
        self._db = db

    async def run(self) -> int:
        """Give the next positions to events that have none; return how many. A rival finds the lock taken and does nothing.

        An event gets its position when it is visible, never before: whoever reads up to a position has seen all below it.
        """
        async with self._db.transaction() as tx:
            if not await store.lock_sequencer(tx):
                return 0
            numbered = await store.number_events(tx, _BATCH)
            if numbered and await store.create_deliveries(tx, numbered):
                await store.wake_worker(tx)
            return len(numbered)

    async def forget_old(self) -> int:
        """Remove events of more than 90 days that nobody waits for, with their deliveries; return how many."""
        async with self._db.transaction() as tx:
            return await store.forget_old(tx, days=_KEEP_DAYS)
