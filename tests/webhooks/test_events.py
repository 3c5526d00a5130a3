from __future__ import annotations

import asyncio
import json
from decimal import Decimal

import msgspec
import pytest

from strongroom.kit.errors import NotFound
from strongroom.webhooks.model import EventType, merge
from tests.webhooks.conftest import FIRM, House


async def test_the_body_is_as_the_contract_has_it(house: House) -> None:
    event_id = await house.publish(data={"id": "csp-1", "amount": msgspec.Raw(b"100.00"), "status": "completed"})
    await house.sequencer.run()
    [event] = await house.events.events_after(FIRM, 0)
    body = json.loads(event.body(), parse_float=Decimal)
    assert list(body) == ["id", "type", "timestamp", "sequence", "feedPosition", "data"]
    assert body["id"] == event_id
    assert body["type"] == "creditRequest.completed"
    assert body["timestamp"].endswith("Z")
    assert (body["sequence"], body["feedPosition"]) == (1, 1)
    assert body["data"] == {"id": "csp-1", "amount": Decimal("100.00"), "status": "completed"}
    assert b'"amount":100.00' in event.body()
    assert event.body() == (await house.events.get(FIRM, event_id)).body()


async def test_sequences_of_an_object_have_no_gap_though_writers_race_and_fail(house: House) -> None:
    async def write(n: int) -> None:
        async with house.app.transaction(FIRM) as tx:
            await house.events.publish(tx, FIRM, EventType.PING, "csp-1", {"n": n})
            if n % 3 == 0:
                raise RuntimeError

    await asyncio.gather(*(write(n) for n in range(30)), return_exceptions=True)
    await house.publish("csp-2")
    rows = await house.owner.fetch("SELECT sequence FROM webhook_events WHERE object_id = 'csp-1' ORDER BY sequence")
    assert [row["sequence"] for row in rows] == list(range(1, 21))
    assert await house.owner.fetchval("SELECT sequence FROM webhook_events WHERE object_id = 'csp-2'") == 1


async def test_the_feed_never_skips_an_event_that_commits_late(house: House) -> None:
    may_commit, wrote = asyncio.Event(), asyncio.Event()

    async def slow_writer() -> None:
        async with house.app.transaction(FIRM) as tx:
            await house.events.publish(tx, FIRM, EventType.CREDIT_REQUEST_COMPLETED, "csp-slow", {})
            wrote.set()
            await may_commit.wait()

    slow = asyncio.create_task(slow_writer())
    await wrote.wait()
    await house.publish("csp-fast")
    await house.sequencer.run()
    seen = await house.events.events_after(FIRM, 0)
    assert [event.feed_position for event in seen] == [1]
    may_commit.set()
    await slow
    await house.sequencer.run()
    assert [event.feed_position for event in await house.events.events_after(FIRM, 1)] == [2]


async def test_a_reader_that_follows_the_feed_sees_every_event_once_and_each_object_in_order(house: House) -> None:
    done = asyncio.Event()

    async def write(n: int) -> None:
        for step in range(6):
            async with house.app.transaction(FIRM) as tx:
                await house.events.publish(tx, FIRM, EventType.CUSTOMER_OPENED, f"cau-{n % 5}", {"step": step})
                await asyncio.sleep(0.001 * (n % 4))

    async def number() -> None:
        while not done.is_set():
            await asyncio.gather(house.sequencer.run(), house.sequencer.run())
            await asyncio.sleep(0)

    async def read() -> list[tuple[int, int, str]]:
        seen: list[tuple[int, int, str]] = []
        while len(seen) < 72:
            page = await house.events.events_after(FIRM, seen[-1][0] if seen else 0, 7)
            seen.extend((event.feed_position, event.sequence, event.id) for event in page)
        return seen

    numbering = asyncio.create_task(number())
    reading = asyncio.create_task(read())
    await asyncio.gather(*(write(n) for n in range(12)))
    async with asyncio.timeout(20):
        seen = await reading
    done.set()
    await numbering
    assert [position for position, _, _ in seen] == list(range(1, 73))
    objects = {row["id"]: row["object_id"] for row in await house.owner.fetch("SELECT id, object_id FROM webhook_events")}
    for name in set(objects.values()):
        sequences = [sequence for _, sequence, event_id in seen if objects[event_id] == name]
        assert sequences == sorted(sequences)


async def test_firms_have_feeds_of_their_own(house: House) -> None:
    mine = await house.publish()
    await house.publish(firm="frm-other")
    await house.sequencer.run()
    for firm in (FIRM, "frm-other"):
        assert [event.feed_position for event in await house.events.events_after(firm, 0)] == [1]
    with pytest.raises(NotFound):
        await house.events.get("frm-other", mine)
    with pytest.raises(NotFound):
        await house.events.deliveries_of("frm-other", mine)
    with pytest.raises(NotFound):
        await house.events.replay("frm-other", mine, actor="tester")


async def test_events_lie_sealed(house: House) -> None:
    await house.publish(data={"account": {"last4": "5678"}}, sensitive={"account": {"accountNumber": "12345678"}})
    dump = str(await house.owner.fetch("SELECT event::text FROM webhook_events AS event"))
    assert "5678" not in dump.replace(b"5678".hex(), "5678")


async def test_the_feed_shows_no_account_details(house: House) -> None:
    await house.publish(data={"account": {"last4": "5678"}}, sensitive={"account": {"accountNumber": "12345678"}})
    await house.sequencer.run()
    [event] = await house.events.events_after(FIRM, 0)
    assert json.loads(event.data) == {"account": {"last4": "5678"}}


def test_one_object_is_laid_over_another() -> None:
    assert merge({"a": {"b": 1, "c": 2}, "d": 3}, {"a": {"c": 4}, "e": 5}) == {"a": {"b": 1, "c": 4}, "d": 3, "e": 5}


async def test_a_body_of_twenty_kilobytes_is_a_mistake_of_ours(house: House) -> None:
    with pytest.raises(ValueError, match="bytes"):
        await house.publish(data={"note": "x" * 20_000})
    assert await house.owner.fetchval("SELECT count(*) FROM webhook_events") == 0


async def test_old_events_go_after_ninety_days(house: House) -> None:
    await house.publish()
    await house.sequencer.run()
    await house.pass_time(91 * 86400)
    new = await house.publish()
    await house.sequencer.run()
    assert await house.sequencer.forget_old() == 1
    [event] = await house.events.events_after(FIRM, 0)
    assert (event.id, event.feed_position, event.sequence) == (new, 2, 2)
