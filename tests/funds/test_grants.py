"""Login grants: looked at by any number of robots, used by one person once, in thirty seconds."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest

from strongroom.funds.errors import CaseClosed, GrantSpent
from strongroom.kit.crypto import Secret
from strongroom.kit.errors import NotFound
from tests.faults.till import Till, open_till
from tests.funds.house import BEN, CLIENT


@pytest.fixture
async def till(database: Any) -> AsyncIterator[Till]:
    async with open_till(database) as opened:
        yield opened


async def issue(till: Till) -> str:
    return await till.grants.issue(till.house.firm_id, CLIENT, till.house.case_id, till.house.ann)


async def race(till: Till, trials: int, uses: int = 200) -> None:
    """Use each grant many times at once, through several browsers: one session each."""
    for trial in range(1, trials + 1):
        grant = await issue(till)
        handles = [(await till.grants.open(grant))[1] for _ in range(4)]
        outcomes = await asyncio.gather(*(till.grants.use(grant, handles[n % 4]) for n in range(uses)), return_exceptions=True)
        assert [type(one) for one in outcomes if not isinstance(one, GrantSpent)] == [Secret]
        assert await till.owner.fetchval("SELECT count(*) FROM portal_sessions") == trial


async def test_two_hundred_simultaneous_uses_of_one_grant_open_one_session(till: Till) -> None:
    await race(till, trials=3)


@pytest.mark.soak
async def test_a_thousand_grants_used_two_hundred_times_each_open_a_thousand_sessions(till: Till) -> None:
    await race(till, trials=1_000)


async def test_the_session_is_for_the_grants_customer_and_case_alone(till: Till) -> None:
    grant = await issue(till)
    firm_id, handle = await till.grants.open(grant)
    session = await till.sessions.get((await till.grants.use(grant, handle)).reveal())
    (record,) = session.records
    assert (record.firm_id, record.customer_id, record.case_id) == (firm_id, till.house.ann, till.house.case_id)
    assert not session.covers(till.house.firm_id, till.house.ben)
    assert (await till.told()) == ["customer.opened"]


async def test_looking_at_the_link_burns_nothing(till: Till) -> None:
    grant = await issue(till)
    for _ in range(20):
        await till.grants.open(grant)
    _, handle = await till.grants.open(grant)
    assert await till.grants.use(grant, handle)


async def test_a_grant_opens_for_thirty_seconds_and_its_handle_for_two_minutes(till: Till) -> None:
    grant, late = await issue(till), await issue(till)
    await till.house.pass_time(29)
    _, handle = await till.grants.open(grant)
    await till.house.pass_time(2)
    with pytest.raises(GrantSpent):
        await till.grants.open(late)
    await till.house.pass_time(110)
    assert await till.grants.use(grant, handle)


async def test_a_handle_does_not_last_longer_than_two_minutes(till: Till) -> None:
    grant = await issue(till)
    _, handle = await till.grants.open(grant)
    await till.house.pass_time(121)
    with pytest.raises(GrantSpent):
        await till.grants.use(grant, handle)


async def test_a_grant_without_its_browsers_handle_opens_nothing(till: Till) -> None:
    first, second = await issue(till), await issue(till)
    _, of_first = await till.grants.open(first)
    for grant, handle in ((second, of_first), (first, "forged"), ("forged", of_first), (first.swapcase(), of_first)):
        with pytest.raises(GrantSpent):
            await till.grants.use(grant, handle)
    with pytest.raises(GrantSpent):
        await till.grants.open("forged")
    assert await till.owner.fetchval("SELECT count(*) FROM portal_sessions") == 0


async def test_a_used_grant_neither_opens_nor_works_again(till: Till) -> None:
    grant = await issue(till)
    _, handle = await till.grants.open(grant)
    await till.grants.use(grant, handle)
    with pytest.raises(GrantSpent):
        await till.grants.open(grant)
    with pytest.raises(GrantSpent):
        await till.grants.use(grant, handle)


async def test_a_case_closed_meanwhile_lets_nobody_in_and_burns_nothing(till: Till) -> None:
    grant = await issue(till)
    _, handle = await till.grants.open(grant)
    await till.house.cases.close(till.house.firm_id, CLIENT, till.house.case_id)
    with pytest.raises(GrantSpent):
        await till.grants.use(grant, handle)
    assert await till.owner.fetchval("SELECT count(*) FROM portal_sessions") == 0
    with pytest.raises(CaseClosed):
        await issue(till)


async def test_grants_are_issued_only_for_the_firms_own_case_and_customer(till: Till) -> None:
    other = (await till.house.firms.create("operator:test", "Other & Co")).id
    case_id, (customer_id,) = await till.house.open_case(BEN, ref="REF-2")
    for firm, case, customer in (
        (other, till.house.case_id, till.house.ann),
        (till.house.firm_id, case_id, till.house.ann),
        (till.house.firm_id, till.house.case_id, customer_id),
        (till.house.firm_id, "cse-none", till.house.ann),
    ):
        with pytest.raises(NotFound):
            await till.grants.issue(firm, CLIENT, case, customer)


async def test_a_grant_leaves_no_trace_of_itself_in_the_database(till: Till) -> None:
    grant = await issue(till)
    _, handle = await till.grants.open(grant)
    session = await till.grants.use(grant, handle)
    for table in ("login_grants", "grant_handles", "directory", "audit_entries", "portal_sessions", "webhook_events"):
        dump = repr([dict(row) for row in await till.owner.fetch(f"SELECT * FROM {table}")])
        assert not [secret for secret in (grant, handle, session.reveal()) if secret in dump]
