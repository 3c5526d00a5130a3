"""Hosted logins: nobody learns who exists, no number of tries gets further than five, and a phone opens its own records only."""

from __future__ import annotations

import asyncio
import re
from collections import Counter
from collections.abc import AsyncIterator
from typing import Any

import pytest
from msgspec.structs import replace

from strongroom.funds.authentications import RESEND_AFTER_SECONDS, Shut, Welcome, Wrong
from strongroom.funds.errors import AuthenticationExists
from tests.faults.till import Till, open_till
from tests.funds.house import ANN, CLIENT

BROWSER = "the browser"


@pytest.fixture
async def till(database: Any) -> AsyncIterator[Till]:
    async with open_till(database) as opened:
        await opened.ask(customer_id=opened.house.ann)  # a request lets its customer log in
        yield opened


async def begin(till: Till, browser: str = BROWSER, email: str = ANN.email, born: str = ANN.date_of_birth) -> None:
    assert await till.logins.begin(browser, email, born, None)
    await till.login_jobs.dispatch()


async def codes(till: Till) -> list[tuple[str, str]]:
    """Return (firm, code) of every login code sent, oldest first."""
    found = []
    for row in await till.owner.fetch("SELECT * FROM messages WHERE purpose = 'login_code' ORDER BY created_at, id"):
        async with till.house.app.transaction(row["tenant_id"]) as tx:
            keys = await till.house.vault.tenant(tx, row["tenant_id"])
        text = keys.unseal_text("messages", "text_sealed", row["id"], row["text_sealed"])
        (code,) = set(re.findall(r"\b\d{6}\b", text))
        found.append((row["tenant_id"], code))
    return found


async def newest_code(till: Till) -> str:
    return (await codes(till))[-1][1]


def wrong(code: str, by: int = 1) -> str:
    return f"{(int(code) + by) % 1_000_000:06d}"


async def test_a_right_code_opens_a_session_over_the_customers_record_and_tells_the_firm(till: Till) -> None:
    await begin(till)
    welcome = await till.logins.enter(BROWSER, await newest_code(till))
    assert isinstance(welcome, Welcome)
    assert welcome.records == ((till.house.firm_id, till.house.case_id, till.house.ann),)
    assert await till.told() == ["customer.opened"]


async def test_the_message_whose_code_was_entered_is_noted_as_used(till: Till) -> None:
    await begin(till)
    older = await newest_code(till)
    await begin(till)
    assert isinstance(await till.logins.enter(BROWSER, older), Wrong)
    assert await till.owner.fetchval("SELECT count(used_at) FROM messages") == 0
    await till.logins.enter(BROWSER, await newest_code(till))
    rows = await till.owner.fetch("SELECT used_at IS NOT NULL FROM messages WHERE purpose = 'login_code' ORDER BY created_at")
    assert rows == [(False,), (True,)]


async def test_one_right_code_by_two_hundred_at_once_opens_one_session(till: Till) -> None:
    await begin(till)
    code = await newest_code(till)
    outcomes = await asyncio.gather(*(till.logins.enter(BROWSER, code) for _ in range(200)))
    assert sum(isinstance(one, Welcome) for one in outcomes) == 1
    assert await till.owner.fetchval("SELECT count(*) FROM portal_sessions") == 1


async def test_two_hundred_wrong_codes_at_once_lock_the_login_once_and_tell_the_firm_once(till: Till) -> None:
    await begin(till)
    code = await newest_code(till)
    outcomes = await asyncio.gather(*(till.logins.enter(BROWSER, wrong(code, 1 + n)) for n in range(200)))
    assert Counter(type(one) for one in outcomes) == {Wrong: 4, Shut: 196}
    assert isinstance(await till.logins.enter(BROWSER, code), Shut)
    assert (await till.told()) == ["customerAuthentication.locked"]
    assert (await till.logins.waiting(BROWSER)).locked_seconds in range(880, 901)


async def test_a_locked_person_gets_in_again_when_the_lock_is_over(till: Till) -> None:
    await begin(till)
    code = await newest_code(till)
    for n in range(5):
        await till.logins.enter(BROWSER, wrong(code, 1 + n))
    await begin(till)
    assert len(await codes(till)) == 1, "no code is sent while locked"
    await till.house.pass_time(901)
    await begin(till)
    assert isinstance(await till.logins.enter(BROWSER, await newest_code(till)), Welcome)
    row = await till.owner.fetchrow("SELECT state FROM authentications")
    assert row["state"] == "verified"


async def test_neither_a_resend_nor_a_new_login_gives_new_tries(till: Till) -> None:
    await begin(till)
    tries = 0
    for turn in range(12):
        outcome = await till.logins.enter(BROWSER if turn % 2 else "another browser", "000000")
        tries += isinstance(outcome, Wrong)
        if turn % 3 == 0:
            await begin(till, "another browser")
        else:
            await till.house.pass_time(RESEND_AFTER_SECONDS + 1)
            await till.logins.resend(BROWSER, None)
            await till.login_jobs.dispatch()
    budget = await till.owner.fetchrow("SELECT charges, locked_until FROM attempt_budgets")
    assert (budget["charges"], budget["locked_until"] is not None) == (5, True)


async def test_the_newest_code_wins_and_a_superseded_one_is_refused(till: Till) -> None:
    await begin(till)
    old = await newest_code(till)
    assert not await till.logins.resend(BROWSER, None), "too soon"
    await till.house.pass_time(RESEND_AFTER_SECONDS + 1)
    assert await till.logins.resend(BROWSER, None)
    await till.login_jobs.dispatch()
    new = await newest_code(till)
    if old != new:
        assert isinstance(await till.logins.enter(BROWSER, old), Wrong)
    assert isinstance(await till.logins.enter(BROWSER, new), Welcome)


async def test_a_code_is_no_good_in_another_browser(till: Till) -> None:
    await begin(till)
    code = await newest_code(till)
    assert await till.logins.enter("another browser", code) == Wrong(0)
    await begin(till, "another browser")
    assert isinstance(await till.logins.enter(BROWSER, code), Welcome)


async def test_a_phone_opens_only_the_records_that_hold_its_number(till: Till) -> None:
    house = till.house
    first = house.firm_id
    other = (await house.firms.create("operator:test", "Other & Co")).id
    house.firm_id = other
    case_id, (elsewhere,) = await house.open_case(replace(ANN, phone="447700900199"), ref="REF-9")
    await till.logins.create(other, CLIENT, case_id, elsewhere, house.once())
    house.firm_id = first
    await begin(till)
    by_firm = dict(await codes(till))
    assert set(by_firm) == {first, other}
    welcome = await till.logins.enter(BROWSER, by_firm[other])
    assert isinstance(welcome, Welcome)
    assert [record[0] for record in welcome.records] == [other]
    await begin(till, "second")
    welcome = await till.logins.enter("second", dict(await codes(till))[first])
    assert isinstance(welcome, Welcome)
    assert [record[0] for record in welcome.records] == [first]


async def test_an_unknown_identity_writes_the_same_rows_gets_the_same_answers_and_no_message(till: Till) -> None:
    shapes, answers = [], []
    for browser, email, address in (("known", ANN.email, "192.0.2.1"), ("unknown", "nobody@example.com", "192.0.2.2")):
        before = await counts(till)
        assert await till.logins.begin(browser, email, ANN.date_of_birth, address)
        shapes.append(await counts(till) - before)
        await till.login_jobs.dispatch()
        answers.append([await till.logins.enter(browser, one) for one in ("12345", "", "abcdef", "9" * 100, "000000", "000000")])
    assert shapes[0] == shapes[1]
    assert [shape(one) for one in answers[0]] == [shape(one) for one in answers[1]]
    assert len(await codes(till)) == 1


def shape(answer: object) -> tuple[str, object]:
    """Return an answer without the second in which it was given."""
    return (type(answer).__name__, answer.tries_left if isinstance(answer, Wrong) else None)


async def counts(till: Till) -> Counter[str]:
    """Return how many rows every table has."""
    tables = await till.owner.fetch("SELECT tablename FROM pg_tables WHERE schemaname = 'public'")
    return Counter({row[0]: await till.owner.fetchval(f"SELECT count(*) FROM {row[0]}") for row in tables})


async def test_codes_for_one_identity_and_tries_from_one_address_are_limited(till: Till) -> None:
    for n in range(15):
        await begin(till, f"browser {n}")
    assert len(await codes(till)) == 5, "the phone's own limit comes before the identity's"
    taken = await asyncio.gather(*(till.logins.begin("x", f"{n}@example.com", "1980-01-01", "198.51.100.1") for n in range(50)))
    assert sum(taken) == 30


async def test_of_fifty_simultaneous_invitations_one_is_made(till: Till) -> None:
    house = till.house
    outcomes = await asyncio.gather(
        *(till.logins.create(house.firm_id, CLIENT, house.case_id, house.ben, house.once()) for _ in range(50)),
        return_exceptions=True,
    )
    refused = [one for one in outcomes if isinstance(one, AuthenticationExists)]
    assert len(refused) == 49


async def test_a_revoked_customer_is_logged_out_and_gets_no_code(till: Till) -> None:
    await begin(till)
    welcome = await till.logins.enter(BROWSER, await newest_code(till))
    assert isinstance(welcome, Welcome)
    auth_id = await till.owner.fetchval("SELECT id FROM authentications")
    await till.logins.revoke(till.house.firm_id, CLIENT, auth_id)
    assert await till.sessions.find(welcome.session.reveal()) is None
    await begin(till)
    assert len(await codes(till)) == 1


async def test_two_workers_send_one_code(till: Till) -> None:
    assert await till.logins.begin(BROWSER, ANN.email, ANN.date_of_birth, None)
    await asyncio.gather(*(till.login_jobs.dispatch() for _ in range(6)))
    assert len(await codes(till)) == 1
