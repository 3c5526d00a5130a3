from __future__ import annotations

import asyncio

import pytest

from strongroom.kit.db import Database
from strongroom.notify.model import Limited, LimitedBy, Purpose, Queued
from tests.notify.conftest import FIRM, PHONE, House


async def test_of_fifty_simultaneous_messages_to_one_number_exactly_five_are_queued(house: House) -> None:
    outcomes = await asyncio.gather(*(house.queue(firm=f"frm-{n % 7}") for n in range(50)))
    assert sum(isinstance(outcome, Queued) for outcome in outcomes) == 5
    assert {outcome for outcome in outcomes if isinstance(outcome, Limited)} == {Limited(LimitedBy.NUMBER)}
    assert await house.owner.fetchval("SELECT count(*) FROM messages") == 5


async def test_the_five_in_ten_minutes_slide_and_are_not_reset_by_the_turn_of_a_window(house: House) -> None:
    for _ in range(5):
        assert isinstance(await house.queue(), Queued)
        await house.pass_time(60)
    await house.pass_time(299)  # the first is 599 s old
    assert await house.queue() == Limited(LimitedBy.NUMBER)
    await house.pass_time(2)
    assert isinstance(await house.queue(), Queued)
    assert await house.queue() == Limited(LimitedBy.NUMBER)  # the second is only 541 s old


async def test_the_eleventh_message_of_a_day_is_limited(house: House) -> None:
    for _ in range(10):
        assert isinstance(await house.queue(), Queued)
        await house.pass_time(3600)
    assert await house.queue() == Limited(LimitedBy.NUMBER)
    await house.pass_time(14 * 3600)
    assert isinstance(await house.queue(), Queued)


async def test_a_limited_message_leaves_no_row(house: House) -> None:
    for _ in range(7):
        await house.queue()
    assert await house.owner.fetchval("SELECT count(*) FROM messages") == 5


async def test_the_same_key_queues_once_and_answers_the_same_message(house: House) -> None:
    outcomes = await asyncio.gather(*(house.queue(key="challenge 7") for _ in range(12)))
    assert len(set(outcomes)) == 1
    assert await house.owner.fetchval("SELECT count(*) FROM messages") == 1
    assert await house.owner.fetchval("SELECT cardinality(used_at) FROM message_numbers") == 1


async def test_a_rolled_back_use_case_sends_nothing_and_has_used_one_of_the_limit_all_the_same(house: House) -> None:
    until = await house.time(60)

    async def use_case() -> None:
        async with house.app.transaction(FIRM) as tx:
            await house.messages.queue(tx, FIRM, to=PHONE, text="x", purpose=Purpose.NOTICE, valid_until=until, key="k")
            raise RuntimeError

    with pytest.raises(RuntimeError):
        await use_case()
    assert await house.owner.fetchval("SELECT count(*) FROM messages") == 0
    assert await house.owner.fetchval("SELECT cardinality(used_at) FROM message_numbers") == 1


async def test_number_and_text_are_nowhere_in_the_clear(house: House) -> None:
    for _ in range(6):  # one too many, so that a refusal is noted too
        await house.queue(text="123456 is your code")
    for table in ("messages", "message_numbers", "rate_windows", "message_refusals", "history"):
        dump = str(await house.owner.fetch(f"SELECT t::text FROM {table} t"))
        assert dump != "[]" or table == "history"
        assert PHONE not in dump
        assert PHONE[:-4] not in dump
        assert "123456" not in dump
        assert PHONE.encode().hex() not in dump
        assert PHONE[:-4].encode().hex() not in dump


async def test_one_firm_cannot_see_anothers_messages(house: House, database: object) -> None:
    await house.queue()
    async with house.app.transaction("frm-other") as tx:
        assert await tx.fetchval("SELECT count(*) FROM messages") == 0
    async with house.app.transaction() as tx:
        assert await tx.fetchval("SELECT count(*) FROM messages") == 0
    assert isinstance(house.app, Database)


async def test_a_number_must_be_digits(house: House) -> None:
    with pytest.raises(ValueError, match=r"E\.164"):
        await house.queue(to="+447700900123")
