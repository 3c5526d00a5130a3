"""Payments as the customer makes them: one live attempt, a return from any browser, another bank, and what must never happen."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest

from strongroom.banking.port import BankRefused, BankSilent, BankUnavailable
from strongroom.funds.errors import NoReceivingAccount, PaymentAlreadyStarted, PaymentLive, RequestEnded, RequestFrozen
from strongroom.funds.leaving import Leaving
from strongroom.funds.model import Failure
from strongroom.kit.errors import NotFound
from tests.faults.till import LEASE_OVER_SECONDS, Till, open_till
from tests.funds.house import BEN, CLIENT
from tests.funds.scripted_bank import LOST, Hold

LIFE_SECONDS = 901


@pytest.fixture
async def till(database: Any) -> AsyncIterator[Till]:
    async with open_till(database) as opened:
        yield opened


# One live payment for each request.


async def test_of_fifty_simultaneous_clicks_one_payment_is_live(till: Till) -> None:
    request_id = await till.ask()
    outcomes = await asyncio.gather(*(till.begin(request_id) for _ in range(50)), return_exceptions=True)
    live = [one for one in outcomes if not isinstance(one, BaseException)]
    refused = [one for one in outcomes if isinstance(one, PaymentAlreadyStarted)]
    assert (len(live), len(refused)) == (1, 49)
    assert {one.payment_id for one in refused} == {live[0].payment_id}
    assert till.bank.count("request_payment") == 1
    assert await till.owner.fetchval("SELECT count(*) FROM payments") == 1


async def test_the_customer_is_sent_to_the_bank_with_the_amount_that_was_asked_for(till: Till) -> None:
    request_id = await till.ask(12_345)
    begun = await till.begin(request_id)
    order = till.bank.newest().order
    assert (order.amount_minor, order.currency, order.payee.account_number) == (12_345, "GBP", "55779911")  # type: ignore[union-attr]  # a payment order
    assert await till.status(request_id) == "authorising"
    url = await till.payments.bank_url(till.house.firm_id, till.house.ann, begun.payment_id)
    assert url == "https://bank.example/authorise/consent-1"
    assert (await till.leave(begun)).url == url
    assert till.bank.count("push_request") == 0


async def test_a_customer_of_another_case_finds_nothing_to_pay(till: Till) -> None:
    _, (other,) = await till.house.open_case(BEN, ref="REF-2")
    request_id = await till.ask()
    with pytest.raises(NotFound):
        await till.begin(request_id, customer_id=other)
    own = await till.ask(customer_id=till.house.ann)
    with pytest.raises(NotFound):
        await till.begin(own, customer_id=till.house.ben)
    begun = await till.begin(own)
    for use in (till.payments.bank_url, till.payments.leave, till.payments.choose_another):
        with pytest.raises(NotFound):
            await use(till.house.firm_id, till.house.ben, begun.payment_id)


async def test_nothing_is_paid_to_an_account_that_is_no_longer_approved(till: Till) -> None:
    request_id = await till.ask()
    (account,) = await till.receiving.list_accounts(till.house.firm_id)
    await till.receiving.retire(till.member("robin"), account.id)
    with pytest.raises(NoReceivingAccount):
        await till.begin(request_id)
    assert (await till.status(request_id), till.bank.calls) == ("requested", [])


async def test_an_ended_expired_or_frozen_request_cannot_be_paid(till: Till) -> None:
    cancelled, frozen = await till.ask(), await till.ask()
    expiring = await till.ask(expires_at=await till.house.at(60))
    await till.requests.cancel(till.house.firm_id, CLIENT, cancelled)
    await till.requests.freeze(till.house.firm_id, till.house.ann, frozen)
    await till.house.pass_time(61)
    for request_id, refusal in ((cancelled, RequestEnded), (frozen, RequestFrozen), (expiring, RequestEnded)):
        with pytest.raises(refusal):
            await till.begin(request_id)
    assert till.bank.calls == []


# The consent.


@pytest.mark.parametrize(
    ("trouble", "failure"),
    [
        (BankUnavailable("down"), Failure.BANK_UNAVAILABLE),
        (BankSilent("lost"), Failure.BANK_UNAVAILABLE),
        (LOST, Failure.BANK_UNAVAILABLE),
        (BankRefused("no", "No."), Failure.REFUSED_BY_BANK),
    ],
)
async def test_a_consent_that_fails_ends_the_attempt_and_another_may_follow(till: Till, trouble: object, failure: Failure) -> None:
    request_id = await till.ask()
    till.bank.next("request_payment", trouble)
    begun = await till.begin(request_id)
    assert (begun.failure, await till.state(begun.payment_id)) == (failure, "failed")
    assert await till.leave(begun) == Leaving()
    assert await till.status(request_id) == "requested"
    assert await till.told() == ["creditRequest.paymentFailed"]
    await till.pay(request_id)
    assert len(till.bank.payments) == 1


async def test_a_process_that_dies_while_making_the_consent_leaves_a_request_that_can_be_paid(till: Till) -> None:
    request_id = await till.ask()
    hold = till.bank.next("request_payment", Hold())
    dying = asyncio.ensure_future(till.begin(request_id))
    await hold.arrived.wait()
    dying.cancel()
    await asyncio.wait({dying})
    with pytest.raises(PaymentAlreadyStarted):
        await till.begin(request_id)
    await till.wait(LEASE_OVER_SECONDS)
    assert await till.status(request_id) == "requested"
    await till.pay(request_id)


async def test_a_consent_answered_after_another_bank_was_chosen_sends_nobody_to_the_bank(till: Till) -> None:
    request_id = await till.ask()
    hold = till.bank.next("request_payment", Hold())
    slow = asyncio.ensure_future(till.begin(request_id))
    await hold.arrived.wait()
    payment_id = await till.owner.fetchval("SELECT id FROM payments")
    await till.payments.choose_another(till.house.firm_id, till.house.ann, payment_id)
    hold.go.set()
    begun = await slow
    assert (await till.leave(begun), await till.state(payment_id)) == (Leaving(), "closed")


# Leaving for a bank that wants the request pushed.


async def test_a_pushed_request_is_made_anew_each_time_the_customer_leaves_and_the_consent_once(till: Till) -> None:
    till.bank.wants_pushes = True
    request_id = await till.ask()
    begun = await till.begin(request_id)
    assert await till.payments.bank_url(till.house.firm_id, till.house.ann, begun.payment_id) is None
    ways = [(await till.leave(begun)).url for _ in range(3)]
    assert ways == [f"https://bank.example/pushed/consent-1/{number}" for number in (1, 2, 3)]
    assert till.bank.count("request_payment") == 1
    await till.payments.come_back(*till.bank.agree())
    assert await till.leave(begun) == Leaving()
    await till.work()
    assert (len(till.bank.payments), till.bank.count("push_request")) == (1, 3)


async def test_of_customers_leaving_at_once_each_gets_a_request_and_one_return_counts(till: Till) -> None:
    till.bank.wants_pushes = True
    begun = await till.begin(await till.ask())
    ways = await asyncio.gather(*(till.leave(begun) for _ in range(16)))
    assert len({way.url for way in ways}) == 16
    came_back = till.bank.agree()
    await asyncio.gather(*(till.payments.come_back(*came_back) for _ in range(16)))
    await till.work()
    assert (till.bank.count("exchange"), len(till.bank.payments)) == (1, 1)


@pytest.mark.parametrize(
    ("trouble", "failure"),
    [(BankUnavailable("down"), Failure.BANK_UNAVAILABLE), (BankRefused("invalid_request"), Failure.REFUSED_BY_BANK)],
)
async def test_a_push_that_fails_leaves_the_payment_to_be_tried_again_or_closed(
    till: Till, trouble: Exception, failure: Failure
) -> None:
    till.bank.wants_pushes = True
    request_id = await till.ask()
    begun = await till.begin(request_id)
    till.bank.next("push_request", trouble)
    assert await till.leave(begun) == Leaving(failure=failure)
    assert (await till.state(begun.payment_id), await till.told()) == ("awaiting", [])
    assert (await till.leave(begun)).url
    await till.payments.choose_another(till.house.firm_id, till.house.ann, begun.payment_id)
    assert await till.leave(begun) == Leaving()
    await till.pay(request_id)
    assert len(till.bank.payments) == 1


async def test_no_connection_is_held_while_a_bank_takes_its_time_with_a_push(till: Till) -> None:
    till.bank.wants_pushes = True
    begun = await till.begin(await till.ask())
    holds = [till.bank.next("push_request", Hold()) for _ in range(30)]
    leaving = [asyncio.ensure_future(till.leave(begun)) for _ in holds]
    await asyncio.gather(*(hold.arrived.wait() for hold in holds))
    assert await till.state(begun.payment_id) == "awaiting"
    for hold in holds:
        hold.go.set()
    assert all(way.url for way in await asyncio.gather(*leaving))


# The return.


async def test_a_return_that_comes_twice_late_or_after_the_end_changes_nothing(till: Till) -> None:
    begun = await till.begin(await till.ask())
    state, fields = till.bank.agree()
    for _ in range(2):
        assert await till.payments.come_back(state, fields) == (till.house.firm_id, begun.payment_id)
    await till.work()
    assert await till.state(begun.payment_id) == "processing"
    await till.payments.come_back(state, {"error": "access_denied", "state": state})
    await till.work()
    assert await till.state(begun.payment_id) == "processing"
    assert (till.bank.count("exchange"), len(till.bank.payments)) == (1, 1)


async def test_twenty_returns_at_once_use_the_code_once(till: Till) -> None:
    begun = await till.begin(await till.ask())
    state, fields = till.bank.agree()
    await asyncio.gather(*(till.payments.come_back(state, fields) for _ in range(20)))
    await asyncio.gather(*(till.steps.step() for _ in range(8)))
    await till.work()
    assert await till.state(begun.payment_id) == "processing"
    assert (till.bank.count("exchange"), till.bank.count("submit_payment"), len(till.bank.payments)) == (1, 1, 1)


async def test_a_forged_state_leads_nowhere_and_a_forged_code_pays_nothing(till: Till) -> None:
    request_id = await till.ask()
    begun = await till.begin(request_id)
    assert await till.payments.come_back("forged", {"code": "x"}) is None
    state, _ = till.bank.agree()
    await till.payments.come_back(state, {"state": state, "code": "code-of-somebody-else"})
    await till.work()
    assert (await till.state(begun.payment_id), await till.status(request_id)) == ("declined", "requested")
    assert till.bank.count("exchange") == 0


async def test_a_return_that_never_comes_ends_without_a_debit(till: Till) -> None:
    request_id = await till.ask()
    begun = await till.begin(request_id)
    state, fields = till.bank.agree()
    await till.wait(LIFE_SECONDS)
    assert (await till.state(begun.payment_id), await till.status(request_id)) == ("abandoned", "requested")
    await till.payments.come_back(state, fields)
    await till.wait(LEASE_OVER_SECONDS)
    assert (await till.state(begun.payment_id), till.bank.count("exchange"), till.bank.payments) == ("abandoned", 0, {})


async def test_a_refusal_at_the_bank_is_noticed_without_a_return(till: Till) -> None:
    request_id = await till.ask()
    begun = await till.begin(request_id)
    till.bank.decline()
    await till.wait(LEASE_OVER_SECONDS)
    payment = await till.payment(begun.payment_id)
    assert (str(payment.state), payment.failure_code, await till.status(request_id)) == (
        "declined",
        str(Failure.CANCELLED_AT_BANK),
        "requested",
    )


async def test_a_flood_of_fields_in_a_return_is_cut_and_kept_sealed(till: Till) -> None:
    begun = await till.begin(await till.ask())
    state, fields = till.bank.agree()
    flood = fields | {"long": "x" * 100_000} | {f"more{n}": "y" for n in range(500)}
    await till.payments.come_back(state, flood)
    row = await till.owner.fetchrow("SELECT return_sealed FROM payments WHERE id = $1", begun.payment_id)
    assert len(row["return_sealed"]) < 1_000
    assert fields["code"].encode() not in row["return_sealed"]
    await till.work()
    assert await till.state(begun.payment_id) == "processing"


# Another bank, and cancelling.


async def test_another_bank_may_be_chosen_until_the_code_is_claimed_and_the_old_code_is_never_used(till: Till) -> None:
    request_id = await till.ask()
    first = await till.begin(request_id)
    state, fields = till.bank.agree()
    await till.payments.come_back(state, fields)
    await till.payments.choose_another(till.house.firm_id, till.house.ann, first.payment_id)
    assert await till.status(request_id) == "requested"
    second = await till.begin(request_id, bank="copse")
    await till.payments.come_back(state, fields)
    await till.work()
    assert (await till.state(first.payment_id), await till.state(second.payment_id)) == ("closed", "awaiting")
    assert (till.bank.count("exchange"), till.bank.payments) == (0, {})
    assert await till.told() == []


async def test_choosing_another_bank_and_claiming_the_code_have_one_winner(till: Till) -> None:
    for _ in range(10):
        request_id = await till.ask()
        begun = await till.begin(request_id)
        await till.come_back()
        before = till.bank.count("exchange")
        choice, _ = await asyncio.gather(
            till.payments.choose_another(till.house.firm_id, till.house.ann, begun.payment_id),
            till.steps.step(),
            return_exceptions=True,
        )
        used = till.bank.count("exchange") - before
        assert (await till.state(begun.payment_id) == "closed") == (choice is None) == (used == 0)
        assert choice is None or isinstance(choice, PaymentLive)


async def test_another_bank_cannot_be_chosen_once_the_code_is_claimed(till: Till) -> None:
    request_id = await till.ask()
    begun = await till.begin(request_id)
    await till.come_back()
    hold = till.bank.next("exchange", Hold())
    step = asyncio.ensure_future(till.steps.step())
    await hold.arrived.wait()
    with pytest.raises(PaymentLive):
        await till.payments.choose_another(till.house.firm_id, till.house.ann, begun.payment_id)
    hold.go.set()
    await step
    assert await till.state(begun.payment_id) == "processing"


async def test_cancelling_wins_only_before_the_code_is_claimed(till: Till) -> None:
    request_id = await till.ask()
    await till.begin(request_id)
    await till.come_back()
    hold = till.bank.next("exchange", Hold())
    step = asyncio.ensure_future(till.steps.step())
    await hold.arrived.wait()
    with pytest.raises(PaymentLive):
        await till.requests.cancel(till.house.firm_id, CLIENT, request_id)
    hold.go.set()
    await step
    assert await till.status(request_id) == "processing"
    with pytest.raises(PaymentLive):
        await till.requests.cancel(till.house.firm_id, CLIENT, request_id)


async def test_cancelling_and_claiming_the_code_have_one_winner(till: Till) -> None:
    for _ in range(10):
        request_id = await till.ask()
        await till.begin(request_id)
        await till.come_back()
        debits = len(till.bank.payments)
        outcome, _ = await asyncio.gather(
            till.requests.cancel(till.house.firm_id, CLIENT, request_id), till.steps.step(), return_exceptions=True
        )
        await till.work()
        cancelled = not isinstance(outcome, BaseException)
        assert (await till.status(request_id) == "cancelled") == cancelled == (len(till.bank.payments) == debits)
        assert cancelled or isinstance(outcome, PaymentLive)


async def test_whoever_has_the_request_never_waits_for_one_who_has_its_payment(till: Till) -> None:
    """A cancellation takes the request and then its payment; a step that took them the other way round would be its deadlock."""
    request_id = await till.ask()
    begun = await till.begin(request_id)
    await till.come_back()
    hold = till.bank.next("exchange", Hold())
    step = asyncio.ensure_future(till.steps.step())
    await hold.arrived.wait()
    async with till.owner.acquire() as owner, owner.transaction():
        await owner.execute("SELECT FROM credit_requests WHERE id = $1 FOR UPDATE", request_id)
        hold.go.set()
        while not await owner.fetchval("SELECT count(*) FROM pg_stat_activity WHERE pg_backend_pid() = ANY(pg_blocking_pids(pid))"):  # noqa: ASYNC110  # only the database knows
            await asyncio.sleep(0.01)
        await owner.execute("SELECT FROM payments WHERE id = $1 FOR UPDATE NOWAIT", begun.payment_id)
    await step
    assert await till.state(begun.payment_id) == "processing"


async def test_a_live_payment_of_an_expiring_request_is_waited_for(till: Till) -> None:
    request_id = await till.ask(expires_at=await till.house.at(60))
    payment_id = await till.pay(request_id)
    await till.house.pass_time(61)
    await till.jobs.expire_due()
    assert (await till.state(payment_id), await till.status(request_id)) == ("processing", "processing")


async def test_an_ended_payment_keeps_no_secret_of_the_attempt(till: Till) -> None:
    begun = await till.begin(await till.ask())
    await till.come_back()
    await till.payments.choose_another(till.house.firm_id, till.house.ann, begun.payment_id)
    row = await till.owner.fetchrow("SELECT * FROM payments WHERE id = $1", begun.payment_id)
    assert [row[name] for name in ("return_sealed", "grant_sealed", "url_sealed", "due_at")] == [None] * 4
