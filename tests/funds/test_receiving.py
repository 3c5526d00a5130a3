"""Receiving accounts: two people, a cooling-off that making an approver restarts, and requests bound to what was approved."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest

from strongroom.funds.errors import NoReceivingAccount, SamePerson
from strongroom.funds.model import AccountKind, Purpose, ReceivingAccount
from strongroom.funds.receiving import NewReceivingAccount, ReceivingAccounts
from strongroom.kit.errors import Conflict, NotFound
from tests.faults.till import Till, open_till

NEW = NewReceivingAccount("Smith & Sons Second Account", "200053", "12345678")
DAY = 86_400


@pytest.fixture
async def till(database: Any) -> AsyncIterator[Till]:
    async with open_till(database) as opened:
        yield opened


def cooling(till: Till) -> ReceivingAccounts:
    return ReceivingAccounts(till.house.app, till.house.vault, cooling_off_seconds=DAY)


async def test_nobody_approves_what_they_proposed(till: Till) -> None:
    account_id = await till.receiving.propose(till.member("avery"), NEW)
    with pytest.raises(SamePerson):
        await till.receiving.approve(till.member("avery"), account_id)
    assert (await till.receiving.approve(till.member("robin"), account_id)).is_usable


async def test_of_many_simultaneous_approvals_one_counts(till: Till) -> None:
    account_id = await till.receiving.propose(till.member("avery"), NEW)
    outcomes = await asyncio.gather(
        *(till.receiving.approve(till.member(f"approver{n}"), account_id) for n in range(20)), return_exceptions=True
    )
    assert sum(isinstance(one, ReceivingAccount) for one in outcomes) == 1
    assert sum(isinstance(one, Conflict) for one in outcomes) == 19


async def test_an_approved_account_waits_for_its_cooling_off(till: Till) -> None:
    receiving = cooling(till)
    account_id = await receiving.propose(till.member("avery"), NEW)
    assert not (await receiving.approve(till.member("robin"), account_id)).is_usable
    with pytest.raises(NoReceivingAccount):
        await till.ask(receiving_account_id=account_id)
    await till.house.pass_time(DAY + 1)
    await till.ask(receiving_account_id=account_id)


async def test_an_approver_who_was_made_for_it_waits_all_the_same(till: Till) -> None:
    receiving = cooling(till)
    account_id = await receiving.propose(till.member("avery"), NEW)
    tomorrow = await till.house.at(DAY / 2)
    await receiving.approve(till.member("fresh", created_at=tomorrow), account_id)
    await till.house.pass_time(DAY + 60)
    with pytest.raises(NoReceivingAccount):
        await till.ask(receiving_account_id=account_id)
    await till.house.pass_time(DAY / 2)
    await till.ask(receiving_account_id=account_id)


async def test_client_money_goes_only_to_a_client_account(till: Till) -> None:
    office = await till.add_account(AccountKind.OFFICE)
    with pytest.raises(NoReceivingAccount):
        await till.ask(receiving_account_id=office, purpose=Purpose.DEPOSIT)
    await till.ask(receiving_account_id=office, purpose=Purpose.FEES)


async def test_a_declined_or_retired_account_takes_no_request_and_comes_back_no_more(till: Till) -> None:
    robin = till.member("robin")
    declined = await till.receiving.propose(till.member("avery"), NEW)
    await till.receiving.decline(robin, declined)
    retired = await till.add_account()
    await till.receiving.retire(robin, retired)
    for account_id in (declined, retired):
        with pytest.raises(NoReceivingAccount):
            await till.ask(receiving_account_id=account_id)
        with pytest.raises(Conflict):
            await till.receiving.approve(robin, account_id)
    with pytest.raises(NotFound):
        await till.receiving.approve(robin, "rac-none")


async def test_another_firm_sees_and_uses_nothing(till: Till) -> None:
    (account,) = await till.receiving.list_accounts(till.house.firm_id)
    till.house.firm_id = (await till.house.firms.create("operator:test", "Other & Co")).id
    assert await till.receiving.list_accounts(till.house.firm_id) == []
    for use in (till.receiving.approve, till.receiving.retire, till.receiving.decline):
        with pytest.raises(NotFound):
            await use(till.member("robin"), account.id)


async def test_the_number_is_sealed_and_prints_masked(till: Till) -> None:
    (account,) = await till.receiving.list_accounts(till.house.firm_id)
    row = await till.owner.fetchrow("SELECT * FROM receiving_accounts")
    assert account.account_number == "55779911"
    assert not [word for word in ("55779911", "200052") if word in repr(dict(row)) + repr(account)]
