from __future__ import annotations

import asyncio
import itertools
import time

import pytest

from strongroom.kit.jobs import Runner
from strongroom.kit.outbound import Outbound
from strongroom.webhooks.events import Events
from strongroom.webhooks.jobs import jobs
from strongroom.webhooks.model import DeliveryOutcome, EventType
from strongroom.webhooks.schedule import PAUSES_SECONDS, Attempt, pause_after, read_retry_after
from tests.webhooks.conftest import FIRM, House
from tests.webhooks.receiver import OK, Got, Receiver, answer


async def test_the_first_try_comes_within_a_second_of_the_commit(house: House) -> None:
    async with Receiver() as receiver, house.running():
        await house.endpoint(receiver.url)
        for n in range(3):
            started = time.monotonic()
            await house.publish(f"csp-{n}")
            await receiver.wait_for(n + 1)
            assert time.monotonic() - started < 1


async def test_a_delivered_event_is_sent_once_and_listed_with_its_try(house: House) -> None:
    async with Receiver() as receiver:
        endpoint = await house.endpoint(receiver.url)
        event_id = await house.publish()
        await house.deliver()
        await house.deliver()
    [got] = receiver.got
    assert got.headers["webhook-id"] == event_id == got.event["id"]
    assert got.headers["content-type"] == "application/json"
    [delivery] = await house.events.deliveries_of(FIRM, event_id)
    assert (delivery.endpoint_id, delivery.outcome) == (endpoint.endpoint.id, DeliveryOutcome.DELIVERED)
    assert [(one.number, one.status, one.failure) for one in delivery.tries] == [(1, 204, None)]


@pytest.mark.parametrize("status", [301, 302, 307, 400, 401, 404, 418, 500, 503])
async def test_only_2xx_is_success_and_no_redirect_is_followed(house: House, status: int) -> None:
    async with Receiver() as trap, Receiver(says=lambda _: answer(status, f"location: {trap.url}\r\n")) as receiver:
        await house.endpoint(receiver.url)
        event_id = await house.publish()
        await house.deliver()
    assert len(receiver.got) == 1
    assert trap.connections == 0
    [delivery] = await house.events.deliveries_of(FIRM, event_id)
    assert delivery.outcome is None
    assert delivery.tries[0].status == status


async def test_the_schedule_is_kept_and_ends_after_the_tenth_try(house: House) -> None:
    async with Receiver(says=lambda _: answer(500)) as receiver:
        await house.endpoint(receiver.url)
        event_id = await house.publish()
        await house.deliver()
        for number, pause in enumerate(PAUSES_SECONDS[1:], 1):
            assert len(receiver.got) == number
            await house.pass_time(pause - 2)
            await house.deliver()
            assert len(receiver.got) == number, "too early"
            await house.pass_time(pause * 0.1 + 3)
            await house.deliver()
        assert len(receiver.got) == 10
        await house.pass_time(30 * 86400)
        await house.deliver()
    assert len(receiver.got) == 10
    assert len({(got.headers["webhook-id"], got.body) for got in receiver.got}) == 1
    assert len({got.headers["webhook-timestamp"] for got in receiver.got}) == 10
    [delivery] = await house.events.deliveries_of(FIRM, event_id)
    assert delivery.outcome is DeliveryOutcome.EXHAUSTED
    [endpoint] = await house.endpoints.list(FIRM)
    assert endpoint.failing_since is not None
    assert endpoint.is_enabled
    assert await house.owner.fetchval("SELECT count(*) FROM audit_entries WHERE tag = 'webhook:endpoint:failing'") == 1


def test_the_schedule_is_the_contracts() -> None:
    assert sum(PAUSES_SECONDS) == 75 * 3600 + 35 * 60 + 5
    assert [pause // 60 for pause in PAUSES_SECONDS[2:]] == [5, 30, 120, 300, 600, 840, 1200, 1440]
    for tries, pause in enumerate(PAUSES_SECONDS[1:], 1):
        pauses = [pause_after(tries) or 0 for _ in range(200)]
        assert pause <= min(pauses) < max(pauses) <= pause * 1.1
    assert pause_after(10) is None


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({}, 0),
        ({"retry-after": "120"}, 120),
        ({"retry-after": "-5"}, 0),
        ({"retry-after": "9" * 400}, 999_999_999),
        ({"retry-after": "١٢"}, 0),
        ({"retry-after": "Wed, 21 Oct 2026 07:30:00 GMT", "date": "Wed, 21 Oct 2026 07:28:00 GMT"}, 120),
        ({"retry-after": "Wed, 21 Oct 2026 07:30:00 GMT"}, 0),
        ({"retry-after": "soon", "date": "Wed, 21 Oct 2026 07:28:00 GMT"}, 0),
    ],
)
def test_retry_after_is_read_in_both_forms(headers: dict[str, str], seconds: int) -> None:
    assert read_retry_after(headers) == seconds


def test_retry_after_lengthens_a_pause_but_not_for_ever() -> None:
    assert 3600 <= (pause_after(1, 3600) or 0) <= 3960
    assert (pause_after(1, 999_999_999) or 0) <= 24 * 3600 * 1.1
    assert (pause_after(5, 1) or 0) >= PAUSES_SECONDS[5]
    assert Attempt(1, 429, retry_after_seconds=10**6).throttle_seconds == 3600
    assert Attempt(1, 500, retry_after_seconds=10**6).throttle_seconds == 0


@pytest.mark.parametrize("status", [429, 502, 504])
async def test_a_throttling_answer_keeps_the_whole_endpoint_quiet_for_as_long_as_it_asks(house: House, status: int) -> None:
    said = [answer(status, "retry-after: 600\r\n")]
    async with Receiver(says=lambda _: said.pop() if said else OK) as receiver:
        await house.endpoint(receiver.url)
        await house.publish("csp-1")
        await house.deliver()
        await house.publish("csp-2")
        await house.deliver()
        assert len(receiver.got) == 1
        await house.pass_time(595)
        await house.deliver()
        assert len(receiver.got) == 1
        await house.pass_time(70)
        await house.deliver()
    assert [got.event["data"]["id"] for got in receiver.got] == ["csp-1", "csp-2", "csp-1"] or [
        got.event["data"]["id"] for got in receiver.got
    ] == ["csp-1", "csp-1", "csp-2"]


async def test_410_disables_the_endpoint_and_drops_what_was_on_its_way(house: House) -> None:
    async with Receiver(says=lambda _: answer(410)) as receiver:
        await house.endpoint(receiver.url)
        first = await house.publish("csp-1")
        second = await house.publish("csp-1")
        await house.deliver()
        await house.publish("csp-1")
        await house.deliver()
    assert len(receiver.got) == 1
    [endpoint] = await house.endpoints.list(FIRM)
    assert str(endpoint.disabled_reason) == "gone"
    for event_id in (first, second):
        [delivery] = await house.events.deliveries_of(FIRM, event_id)
        assert delivery.outcome is DeliveryOutcome.DROPPED


async def test_events_of_one_object_arrive_in_order_though_the_first_needs_retries(house: House) -> None:
    failures = [answer(500), answer(500)]
    async with Receiver(says=lambda got: failures.pop() if failures and got.event["data"]["id"] == "csp-1" else OK) as receiver:
        await house.endpoint(receiver.url)
        for _ in range(3):
            await house.publish("csp-1")
        await house.publish("csp-2")
        await house.deliver()
        seen = [(got.event["data"]["id"], got.event["sequence"]) for got in receiver.got]
        assert sorted(seen) == [("csp-1", 1), ("csp-2", 1)]  # the other object does not wait
        await house.pass_time(6)
        await house.deliver()
        await house.pass_time(331)
        await house.deliver()
    assert [got.event["sequence"] for got in receiver.got if got.event["data"]["id"] == "csp-1"] == [1, 1, 1, 2, 3]


async def test_per_object_order_holds_under_load_with_several_workers(house: House) -> None:
    dice = itertools.count()
    async with Receiver(says=lambda _: answer(500) if next(dice) % 7 == 3 else OK) as receiver:
        for path in ("/one", "/two"):
            await house.endpoint(receiver.url + path)
        await asyncio.gather(*(write(house, f"csp-{n}") for n in range(6)), *(work(house) for _ in range(3)))
        for _ in range(60):
            await asyncio.gather(work(house), work(house))
            await house.pass_time(400)
    assert await house.owner.fetchval("SELECT count(*) FROM webhook_deliveries WHERE outcome = 'delivered'") == 96
    for path, n in itertools.product(("/one", "/two"), range(6)):
        order = [got.event["sequence"] for got in receiver.got if got.path == path and got.event["data"]["id"] == f"csp-{n}"]
        assert set(order) == set(range(1, 9))
        assert order == sorted(order)


async def write(house: House, object_id: str) -> None:
    for _ in range(8):
        await house.publish(object_id)


async def work(house: House) -> None:
    deliveries = house.deliveries()
    for _ in range(10):
        done = await house.sequencer.run() + await deliveries.send_due()
        if not done:
            break
    await deliveries.finish()


async def test_a_sender_killed_again_and_again_loses_nothing(house: House) -> None:
    async with Receiver() as receiver:
        await house.endpoint(receiver.url)
        ids = [await house.publish(f"csp-{n % 3}") for n in range(12)]
        kills = 0
        for step in range(400):
            if await house.owner.fetchval("SELECT count(*) = $1 FROM webhook_deliveries WHERE outcome = 'delivered'", len(ids)):
                if kills > 20:
                    break
                ids += [await house.publish(f"csp-{n}") for n in range(3)]  # a quick machine delivers between the kills
            kills += await kill_after(house, step % 25)
            await house.pass_time(46)  # the lease of what the dead one held
        assert kills > 20
        await house.deliver()
    assert {got.headers["webhook-id"] for got in receiver.got} == set(ids)
    assert await house.owner.fetchval("SELECT count(*) FROM webhook_deliveries WHERE outcome = 'delivered'") == len(ids)
    for name in range(3):
        order = [got.event["sequence"] for got in receiver.got if got.event["data"]["id"] == f"csp-{name}"]
        assert order == sorted(order)


async def test_an_answer_that_comes_after_the_lease_was_lost_is_not_recorded_over_the_newer_try(house: House) -> None:
    gate = asyncio.Event()
    async with Receiver() as receiver:
        await house.endpoint(receiver.url)
        await house.publish("csp-warm")
        await house.deliver()
        receiver.says, receiver.gate = lambda _: answer(500), gate
        event_id = await house.publish()
        await house.sequencer.run()
        slow = house.deliveries(Outbound(allow_loopback=True))
        await slow.send_due()
        await receiver.wait_for(2)
        await house.pass_time(46)
        receiver.gate = None
        await house.deliver()  # another worker tries, and fails
        gate.set()
        await slow.finish()
    [delivery] = await house.events.deliveries_of(FIRM, event_id)
    assert [one.number for one in delivery.tries] == [1]
    assert delivery.outcome is None


async def kill_after(house: House, steps: int) -> bool:
    """Let a sender take some steps of the event loop, then cut it off wherever it is; True when it was cut."""
    deliveries = house.deliveries()

    async def work() -> None:
        await house.sequencer.run()
        await deliveries.send_due()
        await deliveries.finish()

    task = asyncio.create_task(work())
    for _ in range(steps * 4):
        await asyncio.sleep(0)
    await asyncio.sleep(0.0005 * steps)
    alive = [task, *deliveries._flight._started]
    cut = [one for one in alive if one.cancel()]
    await asyncio.gather(*alive, return_exceptions=True)
    return bool(cut)


async def test_an_outage_of_72_hours_loses_nothing(house: House) -> None:
    up = False
    async with Receiver(says=lambda _: OK if up else answer(503)) as receiver:
        await house.endpoint(receiver.url)
        ids = []
        for hour in range(72):
            if hour % 9 == 0:
                ids += [await house.publish("csp-1"), await house.publish(f"csp-{hour}")]
            await house.deliver()
            await house.pass_time(3600)
        assert await house.owner.fetchval("SELECT count(*) FROM webhook_deliveries WHERE outcome IS NOT NULL") == 0
        up, failed = True, len(receiver.got)
        for _ in range(30):
            await house.deliver()
            await house.pass_time(3600)
    assert {got.headers["webhook-id"] for got in receiver.got[failed:]} == set(ids)
    [endpoint] = await house.endpoints.list(FIRM)
    assert endpoint.failing_since is None


async def test_five_hundred_hanging_endpoints_leave_a_healthy_one_fast(house: House) -> None:
    house.outbound = Outbound(allow_loopback=True)
    house.closing.append(house.outbound)
    async with Receiver(says=lambda _: None) as hanging, Receiver() as healthy:
        for n in range(500):
            await house.endpoint(f"{hanging.url}/{n}", firm=f"frm-{n // 20}")
        await house.endpoint(healthy.url)
        async with house.running():
            alone = [await time_one(house, healthy) for _ in range(5)]
            for n in range(75):
                await house.publish(f"csp-{n % 3}", firm=f"frm-{n // 3}")
            beside = [await time_one(house, healthy) for _ in range(20)]
    assert hanging.connections >= 450
    assert sorted(beside)[10] < 1 + 2 * sorted(alone)[2], (alone, beside)
    assert max(beside) < 5 + 2 * max(alone), (alone, beside)


async def time_one(house: House, receiver: Receiver) -> float:
    """Publish one event and return the seconds until it has arrived."""
    started, before = time.monotonic(), len(receiver.got)
    await house.publish(f"csp-{before}")
    await receiver.wait_for(before + 1, 15)
    taken = time.monotonic() - started
    await asyncio.sleep(0.2)
    return taken


async def test_an_endpoint_that_never_proved_itself_gets_one_request_at_a_time(house: House) -> None:
    async with Receiver(says=lambda _: None) as receiver:
        await house.endpoint(receiver.url)
        for n in range(10):
            await house.publish(f"csp-{n}")
        async with house.running():
            await asyncio.sleep(0.6)
    assert receiver.most_at_once == 1


HOSTILE: dict[str, bytes | None] = {
    "nothing at all": b"",
    "no HTTP": b"SSH-2.0-OpenSSH_9.2\r\n\r\n",
    "a status beyond numbers": b"HTTP/1.1 9999 X\r\n\r\n",
    "endless headers": b"HTTP/1.1 200 X\r\n" + b"a: b\r\n" * 40_000,
    "a broken chunk": b"HTTP/1.1 200 X\r\ntransfer-encoding: chunked\r\n\r\nzz\r\n",
    "less than promised": b"HTTP/1.1 200 X\r\ncontent-length: 100\r\n\r\nshort",
    "two lengths": b"HTTP/1.1 200 X\r\ncontent-length: 1\r\ncontent-length: 2\r\n\r\nab",
    "never": None,
}


@pytest.mark.parametrize("name", HOSTILE)
async def test_a_hostile_answer_is_a_failed_try_and_nothing_worse(house: House, name: str) -> None:
    said = HOSTILE[name]

    def says(got: Got) -> bytes | None:
        if said is not None:
            asyncio.get_running_loop().call_soon(receiver.hang_up)
        return said

    async with Receiver(says=says) as receiver:
        await house.endpoint(receiver.url)
        event_id = await house.publish()
        await house.deliver()
    [delivery] = await house.events.deliveries_of(FIRM, event_id)
    assert delivery.outcome is None
    assert delivery.tries[0].status is None
    assert delivery.tries[0].failure in {"broken_answer", "timed_out", "unreachable"}


async def test_an_answer_without_end_is_capped(house: House) -> None:
    flood = b"HTTP/1.1 200 X\r\ntransfer-encoding: chunked\r\n\r\n" + (b"ffff\r\n" + b"x" * 65_535 + b"\r\n") * 400
    async with Receiver(says=lambda _: flood) as receiver:
        await house.endpoint(receiver.url)
        event_id = await house.publish()
        started = time.monotonic()
        await house.deliver()
        assert time.monotonic() - started < 2
    [delivery] = await house.events.deliveries_of(FIRM, event_id)
    assert delivery.outcome is DeliveryOutcome.DELIVERED  # it said 200; what follows is not read


async def test_a_closed_port_is_a_failed_try(house: House) -> None:
    async with Receiver() as receiver:
        url = receiver.url
    await house.endpoint(url)
    event_id = await house.publish()
    await house.deliver()
    [delivery] = await house.events.deliveries_of(FIRM, event_id)
    assert [(one.status, one.failure) for one in delivery.tries] == [(None, "unreachable")]


async def test_a_stopping_worker_finishes_what_it_is_sending(house: House) -> None:
    async with Receiver(says=lambda _: None) as receiver:
        await house.endpoint(receiver.url)
        await house.publish()
        deliveries = house.deliveries()
        stopping = asyncio.Event()
        runner = asyncio.create_task(Runner(house.worker, jobs(Events(house.worker, house.vault), deliveries)).run(stopping))
        await receiver.wait_for(1)
        stopping.set()
        await runner
        await deliveries.finish()
    assert await house.owner.fetchval("SELECT failure FROM webhook_tries") == "timed_out"


async def test_replay_sends_one_event_or_a_range_again(house: House) -> None:
    async with Receiver() as one, Receiver() as two:
        first = await house.endpoint(one.url)
        await house.endpoint(two.url, event_types=[EventType.CUSTOMER_OPENED])
        ids = [await house.publish(f"csp-{n}") for n in range(4)]
        await house.deliver()
        replayed = await house.events.replay(FIRM, ids[1], actor="tester")
        assert (replayed.deliveries, replayed.next_position) == (1, None)
        await house.deliver()
        assert [got.headers["webhook-id"] for got in one.got[4:]] == [ids[1]]
        again = await house.events.replay_range(FIRM, after=1, through=3, actor="tester", endpoint_id=first.endpoint.id)
        assert again.deliveries == 2
        await house.deliver()
    assert {got.headers["webhook-id"] for got in one.got[5:]} == set(ids[1:3])
    assert two.got == []
    assert len(await house.events.deliveries_of(FIRM, ids[1])) == 3


async def test_the_database_shows_nothing_of_url_and_secret(house: House) -> None:
    made = await house.endpoint("http://localhost:9/hook?token=canary-in-the-url")
    dump = str(await house.owner.fetch("SELECT endpoint::text FROM webhook_endpoints AS endpoint"))
    for secret in ("canary-in-the-url", made.secret.reveal().removeprefix("whsec_")):
        assert secret not in dump
        assert secret.encode().hex() not in dump
    assert made.secret.reveal() not in repr(made)
    assert "canary" not in repr(made)
