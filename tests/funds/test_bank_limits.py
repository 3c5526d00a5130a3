"""A bank that refuses an amount for its limit teaches it: the firm's next customers are warned, for a while, and nobody else."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import pytest

from strongroom.banking.port import BankRefused, Declined, PaymentReport, PaymentStatus
from strongroom.funds.desk import Desk
from strongroom.funds.store import requests as request_store
from strongroom.kit.db import Database
from tests.faults.till import Till, open_till
from tests.funds.house import BANK

DAY = 86_400


@pytest.fixture
async def till(database: Any) -> AsyncIterator[Till]:
    async with open_till(database) as opened:
        yield opened


async def warned_of(till: Till, amount_minor: int) -> set[str]:
    """Return the banks that a customer asked for this amount is warned of."""
    house = till.house
    request_id = await till.ask(amount_minor)
    async with house.app.transaction(house.firm_id) as tx:
        request = await request_store.find_request(tx, house.firm_id, request_id)
    assert request is not None
    return set(
        await Desk(house.app, house.firms, house.customers, till.receiving, house.results).refusing_banks(request, amount_minor)
    )


async def refuse(till: Till, amount_minor: int) -> str:
    """Let the bank refuse an amount for its limit before anything else; return the payment's id."""
    till.bank.next("request_payment", BankRefused("AM14", "Too much."))
    return (await till.begin(await till.ask(amount_minor))).payment_id


async def test_a_refused_amount_warns_of_that_bank_for_this_amount_and_more_but_not_for_less(till: Till) -> None:
    payment_id = await refuse(till, 2_500_000)
    assert (await till.payment(payment_id)).failure_code == "over_limit"
    assert await warned_of(till, 2_500_000) == await warned_of(till, 9_000_000) == {BANK}
    assert await warned_of(till, 2_499_999) == set()


@pytest.mark.parametrize("call", ["accept_return", "submit_payment", "payment_report"])
async def test_a_limit_is_learned_wherever_on_the_way_the_bank_names_it(till: Till, call: str) -> None:
    request_id = await till.ask(1_000_000)
    if call == "payment_report":
        till.bank.next("submit_payment", PaymentStatus.PENDING)
        payment_id = await till.pay(request_id)
        till.bank.next("payment_report", PaymentReport("bank-consent-1", PaymentStatus.REJECTED, "RJCT", reason_code="AM21"))
        await till.wait(5)
    else:
        refusal = Declined("over_limit") if call == "accept_return" else BankRefused("AM02", "Too much.")
        till.bank.next(call, refusal)
        payment_id = await till.pay(request_id)
    assert (await till.payment(payment_id)).failure_code == "over_limit"
    assert await warned_of(till, 1_000_000) == {BANK}


async def test_the_smallest_refused_amount_counts_and_is_forgotten_after_thirty_days(till: Till) -> None:
    await refuse(till, 3_000_000)
    await refuse(till, 1_000_000)
    await refuse(till, 2_000_000)
    assert await warned_of(till, 1_000_000) == {BANK}
    await till.house.pass_time(30 * DAY + 1)
    assert await warned_of(till, 9_000_000) == set()
    await refuse(till, 2_000_000)
    assert await warned_of(till, 1_999_999) == set()


async def test_a_bank_that_lets_such_an_amount_through_is_not_warned_of_any_more(till: Till) -> None:
    await refuse(till, 1_000_000)
    till.bank.next("submit_payment", PaymentStatus.EXECUTED)
    await till.pay(await till.ask(1_500_000))
    assert await warned_of(till, 9_000_000) == set()


async def test_another_refusal_than_for_a_limit_teaches_nothing(till: Till) -> None:
    till.bank.next("request_payment", BankRefused("AC04", "Closed."))
    await till.begin(await till.ask(1_000_000))
    assert await warned_of(till, 1_000_000) == set()


async def test_one_firms_refusals_are_no_other_firms_to_see(till: Till, database: Any) -> None:
    await refuse(till, 1_000_000)
    db: Database = till.house.app
    async with db.transaction("another-firm") as tx:
        assert await tx.fetch("SELECT * FROM bank_refusals") == []
