"""Paying in parts: one at a time, at any bank, on any day, and together never more than was asked for."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import asyncpg
import pytest

from strongroom.banking.port import Account, BankUnavailable, PaymentStatus
from strongroom.funds.errors import PartlyPaid, PartNotAllowed, PaymentAlreadyStarted, RequestEnded
from tests.faults.till import Till, open_till
from tests.funds.house import CLIENT
from tests.funds.scripted_bank import LOST

TOTAL = 100_000


@pytest.fixture
async def till(database: Any) -> AsyncIterator[Till]:
    async with open_till(database) as opened:
        opened.bank.settles_as = PaymentStatus.EXECUTED
        yield opened


async def parts(till: Till, request_id: str) -> tuple[str, list[str]]:
    """Return the request's status and what is paid, in flight and outstanding, as the API prints them."""
    shown = await till.requests.get(till.house.firm_id, request_id)
    assert shown.partly_paid is not None
    one = shown.partly_paid
    return shown.status, [bytes(each).decode() for each in (one.paid, one.in_flight, one.outstanding)]


async def test_parts_add_up_and_the_last_one_completes(till: Till) -> None:
    request_id = await till.ask(TOTAL, allow_split=True)
    await till.pay(request_id, 30_000)
    assert await parts(till, request_id) == ("partlyPaid", ["300.00", "0.00", "700.00"])
    await till.begin(request_id, part=50_000)
    assert await parts(till, request_id) == ("partlyPaid", ["300.00", "500.00", "200.00"])
    await till.come_back()
    await till.work()
    await till.pay(request_id)
    assert await parts(till, request_id) == ("completed", ["1000.00", "0.00", "0.00"])
    assert [one for one in await till.told() if one.startswith("creditRequest")] == [
        "creditRequest.partlyPaid", "creditRequest.partlyPaid", "creditRequest.completed",
    ]  # fmt: skip
    amounts = [bytes(one.amount).decode() for one in await till.requests.payments(till.house.firm_id, request_id)]
    assert amounts == ["300.00", "500.00", "200.00"]


async def test_money_is_received_when_every_part_is(till: Till) -> None:
    request_id = await till.ask(TOTAL, allow_split=True)
    till.bank.settles_as = PaymentStatus.CREDITED
    await till.pay(request_id, 60_000)
    assert (await parts(till, request_id))[0] == "partlyPaid"
    await till.pay(request_id)
    assert (await parts(till, request_id))[0] == "received"
    assert (await till.told())[-2:] == ["creditRequest.completed", "creditRequest.received"]


@pytest.mark.parametrize("part", [TOTAL + 1, 999, 0, -5])
async def test_a_part_of_another_size_than_is_allowed_is_refused_and_nothing_is_claimed(till: Till, part: int) -> None:
    request_id = await till.ask(TOTAL, allow_split=True)
    with pytest.raises(PartNotAllowed):
        await till.begin(request_id, part=part)
    assert await parts(till, request_id) == ("requested", ["0.00", "0.00", "1000.00"])
    assert till.bank.count("request_payment") == 0


async def test_a_request_that_may_not_be_split_takes_no_part(till: Till) -> None:
    request_id = await till.ask(TOTAL)
    with pytest.raises(PartNotAllowed):
        await till.begin(request_id, part=50_000)
    await till.pay(request_id, TOTAL)
    assert await till.status(request_id) == "completed"
    assert (await till.requests.get(till.house.firm_id, request_id)).partly_paid is None


async def test_what_is_left_may_be_smaller_than_the_smallest_part(till: Till) -> None:
    request_id = await till.ask(TOTAL, allow_split=True)
    await till.pay(request_id, TOTAL - 1)
    await till.pay(request_id)
    assert (await parts(till, request_id))[0] == "completed"


async def test_a_part_that_fails_is_outstanding_again_and_says_why(till: Till) -> None:
    request_id = await till.ask(TOTAL, allow_split=True)
    await till.pay(request_id, 40_000)
    till.bank.next("request_payment", BankUnavailable("down"))
    await till.begin(request_id, part=40_000)
    assert await parts(till, request_id) == ("partlyPaid", ["400.00", "0.00", "600.00"])
    shown = await till.requests.get(till.house.firm_id, request_id)
    assert shown.last_failure is not None
    assert shown.last_failure.code == "bank_unavailable"


async def test_of_fifty_simultaneous_parts_one_is_in_flight_and_the_sum_never_exceeds_the_amount(till: Till) -> None:
    request_id, rounds = await till.ask(TOTAL, allow_split=True), 0
    while (await parts(till, request_id))[0] != "completed":
        outcomes = await asyncio.gather(*(till.begin(request_id, part=40_000) for _ in range(50)), return_exceptions=True)
        won = [one for one in outcomes if not isinstance(one, BaseException)]
        assert all(isinstance(one, PaymentAlreadyStarted | PartNotAllowed) for one in outcomes if isinstance(one, BaseException))
        assert len(won) == (1 if rounds < 2 else 0)
        if not won:
            await till.begin(request_id)
        await till.come_back()
        await till.work()
        rounds += 1
    debited = await till.owner.fetchval("SELECT sum(amount_minor) FROM payments WHERE state = 'executed'")
    assert (rounds, debited, len(till.bank.payments)) == (3, TOTAL, 3)


async def test_the_database_itself_refuses_more_than_the_amount(till: Till) -> None:
    request_id = await till.ask(TOTAL, allow_split=True)
    for wrong in (TOTAL + 1, -1):
        with pytest.raises(asyncpg.CheckViolationError):
            await till.owner.execute("UPDATE credit_requests SET committed_minor = $2 WHERE id = $1", request_id, wrong)


async def test_a_part_that_nobody_knows_about_stays_counted_and_blocks_the_next(till: Till) -> None:
    request_id = await till.ask(TOTAL, allow_split=True)
    await till.pay(request_id, 40_000)
    till.bank.next("submit_payment", LOST)
    payment_id = await till.pay(request_id, 30_000)
    for _ in range(60):
        till.bank.next("submit_payment", LOST)
    await till.wait(24 * 3600)
    assert await till.state(payment_id) == "unconfirmed"
    assert await parts(till, request_id) == ("partlyPaid", ["400.00", "300.00", "300.00"])
    with pytest.raises(PaymentAlreadyStarted):
        await till.begin(request_id, part=30_000)


async def test_a_held_part_holds_the_request_until_the_bank_lets_it_go(till: Till) -> None:
    request_id = await till.ask(TOTAL, allow_split=True)
    await till.pay(request_id, 40_000)
    till.bank.settles_as = PaymentStatus.HELD
    await till.pay(request_id, 30_000)
    assert await parts(till, request_id) == ("held", ["400.00", "300.00", "300.00"])
    with pytest.raises(RequestEnded):
        await till.begin(request_id, part=30_000)
    till.bank.next("payment_report", PaymentStatus.EXECUTED)
    await till.wait(3600)
    assert await parts(till, request_id) == ("partlyPaid", ["700.00", "0.00", "300.00"])


async def test_a_part_that_is_sent_back_returns_the_request_to_people(till: Till) -> None:
    request_id = await till.ask(TOTAL, allow_split=True)
    await till.pay(request_id, 40_000)
    till.bank.next("payment_report", PaymentStatus.REJECTED)
    await till.wait(3600)
    assert await parts(till, request_id) == ("returned", ["0.00", "0.00", "1000.00"])
    with pytest.raises(RequestEnded):
        await till.begin(request_id)


async def test_a_partly_paid_request_is_not_withdrawn_and_its_case_stays_open(till: Till) -> None:
    request_id = await till.ask(TOTAL, allow_split=True)
    await till.pay(request_id, 40_000)
    with pytest.raises(PartlyPaid):
        await till.requests.cancel(till.house.firm_id, CLIENT, request_id)
    await till.begin(request_id, part=30_000)
    with pytest.raises(PartlyPaid):
        await till.requests.cancel(till.house.firm_id, CLIENT, request_id)
    assert await parts(till, request_id) == ("partlyPaid", ["400.00", "300.00", "300.00"])


async def test_a_partly_paid_request_never_expires_silently_and_can_be_finished(till: Till) -> None:
    soon = await till.owner.fetchval("SELECT app_now() + interval '1 day'")
    request_id = await till.ask(TOTAL, allow_split=True, expires_at=soon)
    await till.pay(request_id, 40_000)
    await till.house.pass_time(2 * 24 * 3600)
    for _ in range(2):
        assert await till.jobs.expire_due() == 0
    reviews = await till.owner.fetch("SELECT subject_id FROM reviews WHERE reason = 'partly_paid'")
    assert [row[0] for row in reviews] == [request_id]
    await till.pay(request_id)
    assert (await parts(till, request_id))[0] == "completed"


async def test_a_part_without_a_final_word_for_two_hours_is_told_once(till: Till) -> None:
    request_id = await till.ask(TOTAL, allow_split=True)
    await till.pay(request_id, 40_000)
    await till.house.pass_time(7200)
    assert await till.jobs.tell_slow() == 0
    till.bank.settles_as = PaymentStatus.PENDING
    await till.pay(request_id, 30_000)
    assert await till.jobs.tell_slow() == 0
    await till.house.pass_time(7200)
    assert [await till.jobs.tell_slow() for _ in range(2)] == [1, 0]
    assert (await till.told())[-1] == "creditRequest.delayed"


async def test_each_part_is_judged_for_who_paid_it(till: Till) -> None:
    request_id = await till.ask(TOTAL, allow_split=True)
    await till.pay(request_id, 40_000)
    till.bank.payer = Account("acc-9", "Somebody Else", "203301", "49999999")
    await till.pay(request_id)
    paid = await till.requests.payments(till.house.firm_id, request_id)
    assert [one.third_party_payer for one in paid] == ["no", "yes"]
