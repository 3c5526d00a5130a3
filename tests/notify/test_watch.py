"""The conversion watch: where codes go unused a block of numbers is paused, a country told about, and an operator lifts it."""

from __future__ import annotations

import asyncio
import json
from dataclasses import replace
from typing import Any

import pytest
from structlog.testing import capture_logs

from strongroom.kit.errors import NotFound
from strongroom.kit.metrics import MESSAGE_WATCH
from strongroom.notify.model import Limited, LimitedBy, Pause, Purpose, Queued, Scope, WatchRules
from strongroom.notify.port import Receipt
from strongroom.notify.watching import Watch
from tests.notify.conftest import FIRM, House, Phone

RULES = WatchRules(prefix_numbers=6, country_numbers=20, share_percent=50, pause_seconds=1800)
LIFE = 300
WHO = "operator:alice"


class Watched:
    """A house whose codes are watched."""

    def __init__(self, house: House) -> None:
        self.house = house
        self.phone = Phone()
        self.sent = 0

    def watch(self, **changes: Any) -> Watch:
        return Watch(self.house.worker, replace(RULES, **changes))

    async def send(self, *numbers: str, used: int = 0) -> None:
        """Send a code to each number and let the first so many be used."""
        for count, number in enumerate(numbers):
            self.sent += 1
            key = f"code {self.sent}"
            until = await self.house.time(LIFE)
            assert isinstance(
                await self.house.queue(to=number, purpose=Purpose.LOGIN_CODE, key=key, valid_until=until), Queued
            )  # fmt: skip
            await self.house.send(self.phone)
            if count < used:
                async with self.house.app.transaction(FIRM) as tx:
                    await self.house.messages.note_used(tx, FIRM, key)

    async def outlive(self) -> None:
        await self.house.pass_time(LIFE + 1)

    async def may_send(self, number: str, purpose: Purpose = Purpose.LOGIN_CODE) -> bool:
        return isinstance(await self.house.queue(to=number, purpose=purpose), Queued)


@pytest.fixture
def watched(house: House) -> Watched:
    return Watched(house)


def row(count: int, start: int = 0) -> list[str]:
    return [f"44770090{n:04d}" for n in range(start, start + count)]


def apart(count: int) -> list[str]:
    return [f"4477{n:04d}0000" for n in range(count)]


async def test_a_block_of_numbers_whose_codes_nobody_uses_is_paused_and_its_neighbours_are_not(watched: Watched) -> None:
    await watched.send(*row(6))
    assert await watched.watch().look() == 0  # they are still alive
    await watched.outlive()
    assert await watched.watch().look() == 1
    assert await watched.house.queue(to="447700905555", purpose=Purpose.LOGIN_CODE) == Limited(LimitedBy.PAUSED)
    assert not await watched.may_send("447700905555", Purpose.LOGIN_LINK)
    assert await watched.may_send("447700915555")
    [pause] = await watched.watch().list_pauses()
    assert (pause.scope, pause.country, pause.stops, pause.numbers, pause.users) == (Scope.PREFIX, "GB", True, 6, 0)


async def test_a_paused_number_is_told_when_to_come_back_and_the_pause_ends_by_itself(watched: Watched) -> None:
    await watched.send(*row(6))
    await watched.outlive()
    await watched.watch().look()
    limited = await watched.house.queue(to="447700905555", purpose=Purpose.LOGIN_CODE)
    assert isinstance(limited, Limited)
    assert 1790 <= limited.retry_after_seconds <= 1800
    await watched.house.pass_time(1801)
    assert await watched.may_send("447700905555")
    assert await watched.watch().look() == 0  # what was sent before the pause does not count again
    assert await watched.watch().list_pauses() == []


async def test_a_notice_that_warns_somebody_passes_every_pause(watched: Watched) -> None:
    await watched.send(*row(6))
    await watched.outlive()
    await watched.watch().look()
    assert await watched.may_send("447700905555", Purpose.NOTICE)


async def test_too_few_numbers_conclude_nothing_however_many_codes_they_got(watched: Watched) -> None:
    for _ in range(4):
        await watched.send(*row(5))
    await watched.outlive()
    assert await watched.watch().look() == 0


async def test_where_enough_use_their_codes_nothing_is_paused(watched: Watched) -> None:
    await watched.send(*row(6), used=3)
    await watched.outlive()
    assert await watched.watch().look() == 0
    assert await watched.watch(share_percent=51).look() == 1


async def test_one_who_lets_many_codes_lie_weighs_no_more_than_one(watched: Watched) -> None:
    await watched.send(*row(6), used=3)
    for _ in range(4):
        await watched.send(*row(1, start=5))
    await watched.outlive()
    assert await watched.watch().look() == 0


async def test_what_never_arrived_or_was_never_sent_says_nothing_about_its_numbers(watched: Watched) -> None:
    await watched.send(*row(6))
    async with watched.house.worker.transaction() as tx:
        for (provider_id,) in await tx.fetch("SELECT provider_id FROM messages"):
            await tx.execute("INSERT INTO message_receipts VALUES ('phone', $1, $2)", provider_id, Receipt.FAILED)
    await watched.house.sender(watched.phone).settle()
    for number in row(6, start=6):
        await watched.house.queue(to=number, purpose=Purpose.LOGIN_CODE)
    await watched.outlive()
    assert await watched.watch().look() == 0


async def test_what_lies_before_the_window_is_forgotten(watched: Watched) -> None:
    await watched.send(*row(6))
    await watched.house.pass_time(LIFE + 3601)
    assert await watched.watch().look() == 0


async def test_a_country_is_told_about_once_and_goes_on(watched: Watched) -> None:
    await watched.send(*apart(20))
    await watched.outlive()
    assert await watched.watch().look() == 1
    assert await watched.watch().look() == 0
    assert await watched.may_send("447700905555")
    [alarm] = await watched.watch().list_pauses()
    assert (alarm.scope, alarm.country, alarm.stops) == (Scope.COUNTRY, "GB", False)


async def test_a_country_is_paused_where_the_operator_wants_that(watched: Watched) -> None:
    await watched.send(*apart(20))
    await watched.outlive()
    assert await watched.watch(country_stops=True).look() == 1
    assert not await watched.may_send("447700905555")
    assert await watched.may_send("353851234567")


async def test_whoever_holds_a_few_numbers_stops_no_country_even_where_countries_are_paused(watched: Watched) -> None:
    for _ in range(5):
        await watched.send(*apart(8))  # forty codes that nobody uses
    await watched.outlive()
    assert await watched.watch(country_stops=True).look() == 0


async def test_an_operator_lifts_a_pause_and_old_codes_do_not_bring_it_back(watched: Watched) -> None:
    await watched.send(*row(6))
    await watched.outlive()
    watch = watched.watch()
    await watch.look()
    [pause] = await watch.list_pauses()
    lifted = await watch.lift(WHO, pause.id)
    assert isinstance(lifted, Pause)
    assert await watched.may_send("447700905555")
    assert await watch.look() == 0
    with pytest.raises(NotFound):
        await watch.lift(WHO, pause.id)
    await watched.send(*row(6, start=100))
    await watched.outlive()
    assert await watch.look() == 1  # new ones do


async def test_a_pause_and_its_end_stand_in_the_audit_the_metrics_and_the_log_and_no_number_does(watched: Watched) -> None:
    metric = MESSAGE_WATCH.labels("prefix", "GB", "paused")
    before = metric._value.get()  # what /metrics shows
    await watched.send(*row(6))
    await watched.outlive()
    with capture_logs() as lines:
        await watched.watch().look()
    [pause] = await watched.watch().list_pauses()
    await watched.watch().lift(WHO, pause.id)
    assert metric._value.get() - before == 1  # as above
    entries = await watched.house.owner.fetch("SELECT tag, actor, subject, detail FROM audit_entries ORDER BY id")
    assert [(one["tag"], one["actor"], one["subject"]) for one in entries] == [
        ("notify:messages:paused", "system:watch", pause.id), ("notify:messages:lifted", WHO, pause.id),
    ]  # fmt: skip
    assert json.loads(entries[0]["detail"]) == {"scope": "prefix", "country": "GB", "numbers": 6, "users": 0}
    assert [(line["event"], line["country"], line["outcome"], line["count"]) for line in lines] == [
        ("codes go unused", "GB", "paused", 6)
    ]
    rows = await watched.house.owner.fetch("SELECT t::text FROM message_pauses t")
    for said in (str(lines), str(entries), str(rows)):
        assert "44770090" not in said


async def test_several_workers_pause_a_block_once(watched: Watched) -> None:
    await watched.send(*row(6))
    await watched.outlive()
    assert sum(await asyncio.gather(*(watched.watch().look() for _ in range(8)))) == 1
    assert await watched.house.owner.fetchval("SELECT count(*) FROM message_pauses") == 1


async def test_a_watch_that_is_switched_off_does_nothing(watched: Watched) -> None:
    await watched.send(*row(6))
    await watched.outlive()
    assert await watched.watch(share_percent=0).look() == 0
