"""Payments as the worker carries them on: every state and every word of the bank, lost answers, long silences, late news."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from typing import Any

import pytest

from strongroom.banking.port import (
    BankRefused,
    BankSilent,
    BankUnavailable,
    ConsentReport,
    ConsentStatus,
    Declined,
    PaymentStatus,
)
from strongroom.funds.errors import PaymentAlreadyStarted, RequestEnded
from strongroom.funds.model import Failure
from tests.faults.till import LEASE_OVER_SECONDS, Till, open_till
from tests.funds.scripted_bank import CURRENT, LOST, Hold

HOUR, DAY = 3600, 86_400
SILENT, DOWN, REFUSED = BankSilent("lost"), BankUnavailable("down"), BankRefused("invalid_token", "No.")


@pytest.fixture
async def till(database: Any) -> AsyncIterator[Till]:
    async with open_till(database) as opened:
        yield opened


async def returned(till: Till) -> tuple[str, str]:
    """Return (request, payment) of a customer who has just come back."""
    request_id = await till.ask()
    begun = await till.begin(request_id)
    await till.come_back()
    return request_id, begun.payment_id


async def submitted_into_silence(till: Till, answer: object = LOST) -> tuple[str, str]:
    """Return (request, payment) of an order whose answer was lost."""
    request_id, payment_id = await returned(till)
    till.bank.next("submit_payment", answer)
    await till.steps.step()
    assert await till.state(payment_id) == "submitting"
    return request_id, payment_id


# The way that goes well.


async def test_pending_executed_credited_each_tell_the_firm_once(till: Till) -> None:
    request_id, payment_id = await returned(till)
    await till.work()
    seen = []
    for word in (PaymentStatus.PENDING, PaymentStatus.PENDING, PaymentStatus.EXECUTED, PaymentStatus.CREDITED):
        till.bank.next("payment_report", word)
        await till.wait(10)
        seen.append((await till.state(payment_id), await till.status(request_id)))
    assert seen == [
        ("processing", "processing"),
        ("processing", "processing"),
        ("executed", "completed"),
        ("credited", "received"),
    ]
    assert await till.told() == ["creditRequest.completed", "creditRequest.received"]
    assert len(till.bank.payments) == 1


async def test_money_that_is_credited_at_once_tells_completed_and_then_received(till: Till) -> None:
    till.bank.settles_as = PaymentStatus.CREDITED
    request_id = await till.ask()
    payment_id = await till.pay(request_id)
    assert (await till.state(payment_id), await till.status(request_id)) == ("credited", "received")
    assert await till.told() == ["creditRequest.completed", "creditRequest.received"]
    with pytest.raises(RequestEnded):
        await till.begin(request_id)


async def test_executed_money_lets_no_second_payment_begin(till: Till) -> None:
    till.bank.settles_as = PaymentStatus.EXECUTED
    request_id = await till.ask()
    await till.pay(request_id)
    with pytest.raises(RequestEnded):
        await till.begin(request_id)


# A bank that says when to come again.


BUSY = BankUnavailable("http_429", retry_after_seconds=20)
SILENT_AND_BUSY = BankSilent("http_503", retry_after_seconds=20)


@pytest.mark.parametrize("fault", [BUSY, SILENT_AND_BUSY])
@pytest.mark.parametrize("method", ["submit_payment", "payment_report"])
async def test_a_bank_that_says_when_to_come_again_is_not_asked_sooner(till: Till, method: str, fault: Exception) -> None:
    _, payment_id = await returned(till)
    till.bank.next(method, fault)
    await till.work()
    await till.wait(2)  # after this the bank has been asked everything that a calm one would be asked
    asked = till.bank.count(method)
    await till.wait(15)
    assert till.bank.count(method) == asked
    await till.wait(6)
    assert till.bank.count(method) == asked + 1
    assert await till.state(payment_id) == "processing"
    assert len(till.bank.payments) == 1


async def test_a_busy_bank_is_asked_about_a_lost_answer_when_it_says(till: Till) -> None:
    _, payment_id = await submitted_into_silence(till)
    till.bank.next("submit_payment", BUSY)
    await till.wait(2)
    await till.wait(15)
    assert (till.bank.count("submit_payment"), await till.state(payment_id)) == (2, "submitting")
    await till.wait(6)
    assert (till.bank.count("submit_payment"), await till.state(payment_id)) == (3, "processing")
    assert len(till.bank.payments) == 1


async def test_a_bank_that_wants_a_day_of_patience_is_asked_again_after_an_hour(till: Till) -> None:
    await returned(till)
    till.bank.next("submit_payment", BankUnavailable("http_429", retry_after_seconds=DAY))
    await till.work()
    await till.wait(HOUR - 10)
    assert till.bank.count("submit_payment") == 1
    await till.wait(10)
    assert till.bank.count("submit_payment") == 2


async def test_a_code_that_would_die_while_a_busy_bank_is_waited_for_ends_the_attempt_as_soon_as_it_is_dead(till: Till) -> None:
    request_id, payment_id = await returned(till)
    till.bank.next("exchange", BankUnavailable("http_429", retry_after_seconds=HOUR))
    till.bank.next("exchange", BankUnavailable("http_429", retry_after_seconds=HOUR))
    await till.work()
    await till.wait(50)
    assert (till.bank.count("exchange"), await till.state(payment_id)) == (1, "returned")
    await till.wait(6)
    assert (till.bank.count("exchange"), await till.state(payment_id)) == (2, "abandoned")
    assert (await till.payment(payment_id)).failure_code == "bank_unavailable"
    assert await till.status(request_id) == "requested"


# The return and the code.


@pytest.mark.parametrize(
    ("told", "failure"),
    [
        (ConsentReport("any", ConsentStatus.REJECTED, "CUST"), Failure.CANCELLED_AT_BANK),
        (ConsentReport("any", ConsentStatus.REJECTED, "AM04"), Failure.INSUFFICIENT_FUNDS),
        (ConsentReport("any", ConsentStatus.AWAITING), Failure.NOT_COMPLETED),
        (BankUnavailable("down"), Failure.NOT_COMPLETED),
    ],
)
async def test_a_bank_that_sends_the_customer_back_without_a_word_is_asked_why(till: Till, told: object, failure: Failure) -> None:
    request_id, payment_id = await returned(till)
    till.bank.next("accept_return", Declined("unsaid"))
    till.bank.next("consent_report", told)
    await till.work()
    assert (await till.payment(payment_id)).failure_code == failure
    assert await till.status(request_id) == "requested"
    assert till.bank.payments == {}


@pytest.mark.parametrize(
    ("code", "failure"),
    [
        ("cancelled", Failure.CANCELLED_AT_BANK),
        ("insufficient_funds", Failure.INSUFFICIENT_FUNDS),
        ("invalid_return", Failure.INVALID_RETURN),
        ("bank_error", Failure.BANK_UNAVAILABLE),
        ("not_finished", Failure.TIMED_OUT),
        ("something_of_the_bank", Failure.REFUSED_BY_BANK),
    ],
)
async def test_what_was_declined_at_the_bank_ends_the_attempt_with_its_reason(till: Till, code: str, failure: Failure) -> None:
    request_id, payment_id = await returned(till)
    till.bank.next("accept_return", Declined(code))
    await till.work()
    payment = await till.payment(payment_id)
    assert (str(payment.state), payment.failure_code, await till.status(request_id)) == ("declined", str(failure), "requested")
    assert await till.told() == ["creditRequest.paymentFailed"]


async def test_a_bank_that_cannot_be_reached_gets_the_code_when_it_is_back(till: Till) -> None:
    _, payment_id = await returned(till)
    till.bank.next("exchange", DOWN)
    await till.steps.step()
    assert await till.state(payment_id) == "returned"
    await till.wait(3)
    assert (await till.state(payment_id), till.bank.count("exchange")) == ("processing", 2)


async def test_a_bank_that_stays_away_longer_than_a_code_lives_ends_the_attempt(till: Till) -> None:
    request_id, payment_id = await returned(till)
    for _ in range(2):
        till.bank.next("exchange", DOWN)
    await till.steps.step()
    await till.wait(56)
    assert (await till.state(payment_id), await till.status(request_id)) == ("abandoned", "requested")


@pytest.mark.parametrize("answer", [SILENT, LOST, REFUSED])
async def test_an_exchange_that_may_have_used_the_code_ends_the_attempt_and_is_not_tried_again(till: Till, answer: object) -> None:
    request_id, payment_id = await returned(till)
    till.bank.next("exchange", answer)
    await till.work()
    await till.wait(LEASE_OVER_SECONDS)
    assert (await till.state(payment_id), await till.status(request_id)) == ("abandoned", "requested")
    assert (till.bank.count("exchange"), till.bank.payments) == (1, {})


# The one sending.


async def test_no_other_worker_sends_while_an_order_is_under_way(till: Till) -> None:
    _, payment_id = await returned(till)
    hold = till.bank.next("submit_payment", Hold())
    sending = asyncio.ensure_future(till.steps.step())
    await hold.arrived.wait()
    await till.work()
    assert till.bank.count("submit_payment") == 1
    hold.go.set()
    await sending
    assert await till.state(payment_id) == "processing"


@pytest.mark.parametrize(
    ("code", "failure"),
    [
        ("AM04", Failure.INSUFFICIENT_FUNDS),
        ("insufficient_funds", Failure.INSUFFICIENT_FUNDS),
        ("AM21", Failure.OVER_LIMIT),
        ("no", Failure.REFUSED_BY_BANK),
    ],
)
async def test_a_clear_no_to_the_first_sending_ends_the_attempt(till: Till, code: str, failure: Failure) -> None:
    request_id, payment_id = await returned(till)
    till.bank.next("submit_payment", BankRefused(code, "No."))
    await till.work()
    payment = await till.payment(payment_id)
    assert (str(payment.state), payment.failure_code, await till.status(request_id)) == ("rejected", str(failure), "requested")


@pytest.mark.parametrize("answer", [LOST, DOWN])
async def test_a_lost_answer_is_asked_for_with_the_same_key_and_debits_once(till: Till, answer: object) -> None:
    request_id, payment_id = await submitted_into_silence(till, answer)
    assert await till.status(request_id) == "processing"
    for wait in (2, 10, HOUR):
        till.bank.next("submit_payment", SILENT)
        await till.wait(wait)
        assert await till.state(payment_id) == "submitting"
    await till.wait(HOUR)
    assert await till.state(payment_id) == "processing"
    assert till.bank.count("submit_payment") == 5
    assert list(till.bank.payments) == [await till.owner.fetchval("SELECT submit_key FROM payments")]


async def test_after_23_hours_the_key_is_never_sent_again_and_a_used_consent_makes_people_look(till: Till) -> None:
    request_id, payment_id = await submitted_into_silence(till)
    await till.wait(23 * HOUR + 1)
    assert till.bank.count("submit_payment") == 1
    assert await till.state(payment_id) == "unconfirmed"
    assert await till.house.reviews() == ["unconfirmed"]
    with pytest.raises(PaymentAlreadyStarted):
        await till.begin(request_id)
    await till.wait(10 * DAY)
    assert (await till.state(payment_id), till.bank.count("submit_payment")) == ("unconfirmed", 1)


async def test_after_23_hours_an_unused_consent_ends_the_payment_without_a_debit(till: Till) -> None:
    request_id, payment_id = await submitted_into_silence(till, SILENT)
    await till.wait(23 * HOUR + 1)
    assert (await till.state(payment_id), await till.status(request_id), till.bank.payments) == ("failed", "requested", {})
    assert till.bank.count("submit_payment") == 1


async def test_shortly_before_23_hours_the_key_is_still_sent(till: Till) -> None:
    _, payment_id = await submitted_into_silence(till)
    await till.wait(23 * HOUR - 60)
    assert (await till.state(payment_id), till.bank.count("submit_payment")) == ("processing", 2)


async def test_a_refused_asking_is_no_proof_that_nothing_was_sent(till: Till) -> None:
    request_id, payment_id = await submitted_into_silence(till, SILENT)
    till.bank.next("submit_payment", REFUSED)
    await till.wait(3)
    assert (await till.state(payment_id), await till.status(request_id)) == ("submitting", "processing")
    till.bank.next("submit_payment", REFUSED)
    till.bank.next("consent_report", ConsentReport("consent-1", ConsentStatus.CONSUMED))
    await till.wait(HOUR)
    assert await till.state(payment_id) == "unconfirmed"


async def test_a_bank_that_is_silent_for_five_days_leaves_it_to_people(till: Till) -> None:
    _, payment_id = await submitted_into_silence(till)
    till.bank.next("consent_report", SILENT)
    await till.wait(23 * HOUR + 1)
    assert await till.state(payment_id) == "submitting"
    till.bank.next("consent_report", SILENT)
    await till.wait(5 * DAY)
    assert (await till.state(payment_id), await till.house.reviews()) == ("unconfirmed", ["unconfirmed"])


# Asking where it stands.


async def test_a_poll_without_an_answer_changes_nothing_until_five_days_are_over(till: Till) -> None:
    request_id = await till.ask()
    payment_id = await till.pay(request_id)
    for answer in (SILENT, DOWN, REFUSED):
        till.bank.next("payment_report", answer)
        await till.wait(DAY)
        assert await till.state(payment_id) == "processing"
    till.bank.next("payment_report", SILENT)
    await till.wait(5 * DAY)
    assert (await till.state(payment_id), await till.house.reviews()) == ("unconfirmed", ["unconfirmed"])
    with pytest.raises(PaymentAlreadyStarted):
        await till.begin(request_id)


async def test_a_payment_that_is_pending_for_five_days_leaves_it_to_people(till: Till) -> None:
    payment_id = await till.pay(await till.ask())
    await till.wait(5 * DAY - 60)
    assert await till.state(payment_id) == "processing"
    await till.wait(HOUR)
    assert (await till.state(payment_id), await till.house.reviews()) == ("unconfirmed", ["unconfirmed"])


async def test_a_word_that_the_bank_takes_back_does_not_move_a_payment_back(till: Till) -> None:
    till.bank.settles_as = PaymentStatus.EXECUTED
    request_id = await till.ask()
    payment_id = await till.pay(request_id)
    till.bank.next("payment_report", PaymentStatus.PENDING)
    await till.wait(10)
    assert (await till.state(payment_id), await till.status(request_id)) == ("executed", "completed")


async def test_a_rejection_before_the_debit_lets_the_customer_pay_again(till: Till) -> None:
    request_id = await till.ask()
    payment_id = await till.pay(request_id)
    till.bank.next("payment_report", PaymentStatus.REJECTED)
    await till.wait(10)
    payment = await till.payment(payment_id)
    assert (str(payment.state), payment.failure_code) == ("rejected", str(Failure.REJECTED_BY_BANK))
    assert (await till.status(request_id), await till.told()) == ("requested", ["creditRequest.paymentFailed"])
    await till.begin(request_id)


async def test_a_rejection_after_the_debit_is_money_sent_back(till: Till) -> None:
    till.bank.settles_as = PaymentStatus.EXECUTED
    request_id = await till.ask()
    payment_id = await till.pay(request_id)
    till.bank.next("payment_report", PaymentStatus.REJECTED)
    await till.wait(10)
    assert (await till.state(payment_id), await till.status(request_id)) == ("sent_back", "returned")
    assert await till.told() == ["creditRequest.completed", "creditRequest.returned"]


@pytest.mark.parametrize(
    ("next_word", "state", "status"),
    [
        (PaymentStatus.EXECUTED, "executed", "completed"),
        (PaymentStatus.CREDITED, "credited", "received"),
        (PaymentStatus.REJECTED, "sent_back", "returned"),
    ],
)
async def test_held_money_is_told_and_goes_where_the_bank_says(
    till: Till, next_word: PaymentStatus, state: str, status: str
) -> None:
    request_id = await till.ask()
    payment_id = await till.pay(request_id)
    till.bank.next("payment_report", PaymentStatus.HELD)
    await till.wait(10)
    assert (await till.state(payment_id), await till.status(request_id)) == ("held", "held")
    till.bank.next("payment_report", next_word)
    await till.wait(10)
    assert (await till.state(payment_id), await till.status(request_id)) == (state, status)
    assert (await till.told())[0] == "creditRequest.held"


# Who paid.


@pytest.mark.parametrize(
    ("payer", "verdict", "reviews"),
    [
        (CURRENT, "no", []),
        (replace(CURRENT, name="Zoë Quite-Else"), "yes", ["third_party_payer"]),
        (replace(CURRENT, name=None), "unknown", ["unknown_payer"]),
        (None, "unknown", ["unknown_payer"]),
    ],
)
async def test_money_from_somebody_else_opens_one_review(till: Till, payer: Any, verdict: str, reviews: list[str]) -> None:
    till.bank.payer = payer
    till.bank.settles_as = PaymentStatus.EXECUTED
    payment_id = await till.pay(await till.ask())
    till.bank.next("payment_report", PaymentStatus.CREDITED)
    await till.wait(10)
    assert await till.state(payment_id) == "credited"
    assert await till.house.reviews() == reviews
    row = await till.owner.fetchrow("SELECT * FROM payments WHERE id = $1", payment_id)
    assert row["third_party_payer"] == verdict
    assert not [word for word in ("Ann", "Zo", "41234567", "203301") if word in repr(dict(row))]


# Workers that die or are many.


async def test_a_worker_that_died_with_the_code_in_its_hand_ends_the_attempt_and_sends_nothing(till: Till) -> None:
    request_id, payment_id = await returned(till)
    hold = till.bank.next("exchange", Hold())
    dying = asyncio.ensure_future(till.steps.step())
    await hold.arrived.wait()
    dying.cancel()
    await asyncio.wait({dying})
    await till.work()
    assert await till.state(payment_id) == "exchanging"
    await till.wait(LEASE_OVER_SECONDS)
    assert (await till.state(payment_id), await till.status(request_id), till.bank.payments) == ("abandoned", "requested", {})


async def test_a_worker_that_lost_its_lease_cannot_send_what_another_has_ended(till: Till) -> None:
    _, payment_id = await returned(till)
    hold = till.bank.next("exchange", Hold())
    slow = asyncio.ensure_future(till.steps.step())
    await hold.arrived.wait()
    await till.wait(LEASE_OVER_SECONDS)
    assert await till.state(payment_id) == "abandoned"
    hold.go.set()
    await slow
    assert (await till.state(payment_id), till.bank.payments) == ("abandoned", {})


async def test_a_worker_at_a_slow_bank_keeps_its_lease(till: Till) -> None:
    worker = till.worker(till.house.worker, renew_seconds=0.05)
    _, payment_id = await returned(till)
    hold = till.bank.next("submit_payment", Hold())
    sending = asyncio.ensure_future(worker.step())
    await hold.arrived.wait()
    for _ in range(5):
        await till.house.pass_time(30)
        await asyncio.sleep(0.2)
    await till.work()
    assert till.bank.count("submit_payment") == 1
    hold.go.set()
    await sending
    assert await till.state(payment_id) == "processing"


async def test_forty_payments_by_eight_lanes_debit_forty_times(till: Till) -> None:
    for _ in range(40):
        await till.begin(await till.ask())
        await till.come_back()

    async def lane() -> None:
        await till.work(at_most=100)

    await asyncio.gather(*(lane() for _ in range(8)))
    assert await till.owner.fetchval("SELECT count(*) FROM payments WHERE state = 'processing'") == 40
    assert (len(till.bank.payments), till.bank.count("submit_payment"), till.bank.count("exchange")) == (40, 40, 40)
