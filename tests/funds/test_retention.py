"""Erasing people: when the law lets go of their records, never before, never under a hold; and then nothing opens any more."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest

from strongroom.banking.port import PaymentStatus
from strongroom.funds.cases import Cases
from strongroom.funds.errors import NotErasable
from strongroom.funds.evidence import PaymentEvidence
from strongroom.funds.model import Page
from strongroom.funds.retention import Retention
from strongroom.kit.errors import Conflict, NotFound
from tests.faults.till import Till, open_till
from tests.funds.house import CLIENT

DAY, YEAR_DAYS, KEEP_DAYS = 86_400, 366, 2192


@pytest.fixture
async def till(database: Any) -> AsyncIterator[Till]:
    async with open_till(database) as opened:
        yield opened


@pytest.fixture
def retention(till: Till) -> Retention:
    return Retention(till.house.app, till.sessions, keep_days=KEEP_DAYS)


@pytest.fixture
def job(till: Till) -> Retention:
    return Retention(till.house.worker, till.sessions, keep_days=KEEP_DAYS)


def cases(till: Till) -> Cases:
    return Cases(till.house.app, till.house.vault, till.house.firms, till.house.customers)


async def close(till: Till) -> None:
    await cases(till).close(till.house.firm_id, CLIENT, till.house.case_id)


async def paid(till: Till) -> tuple[str, str]:
    till.bank.settles_as = PaymentStatus.CREDITED
    request_id = await till.ask(customer_id=till.house.ann)
    return request_id, await till.pay(request_id)


async def erased(till: Till) -> set[str]:
    return {row[0] for row in await till.owner.fetch("SELECT id FROM customers WHERE data_key_sealed IS NULL")}


async def test_nobody_is_erased_before_the_term_of_their_last_record(till: Till, job: Retention) -> None:
    await paid(till)
    await close(till)
    await till.house.pass_time((KEEP_DAYS - 1) * DAY)
    assert (await job.count_due(), await job.erase_due(), await erased(till)) == (0, 0, set())
    await till.house.pass_time(2 * DAY)
    assert (await job.count_due(), await job.erase_due()) == (2, 2)
    assert await erased(till) == {till.house.ann, till.house.ben}
    assert (await job.count_due(), await job.erase_due()) == (0, 0)


async def test_a_case_that_is_open_keeps_its_people_however_old_it_is(till: Till, job: Retention) -> None:
    await till.house.pass_time(9 * YEAR_DAYS * DAY)
    assert (await job.erase_due(), await erased(till)) == (0, set())


async def test_a_case_under_legal_hold_keeps_its_people_until_it_is_released(
    till: Till, retention: Retention, job: Retention
) -> None:
    await close(till)
    await retention.hold("operator:ann", till.house.firm_id, till.house.case_id)
    with pytest.raises(Conflict):
        await retention.hold("operator:ann", till.house.firm_id, till.house.case_id)
    await till.house.pass_time(9 * YEAR_DAYS * DAY)
    assert await job.erase_due() == 0
    with pytest.raises(NotErasable, match="legal hold"):
        await retention.erase("operator:ann", till.house.firm_id, till.house.ann)
    await retention.release("operator:ann", till.house.firm_id, till.house.case_id)
    assert await job.erase_due() == 2


async def test_who_asks_is_erased_at_once_where_no_record_must_be_kept(till: Till, retention: Retention) -> None:
    with pytest.raises(NotErasable, match="open"):
        await retention.erase("operator:ann", till.house.firm_id, till.house.ben)
    await paid(till)
    await close(till)
    with pytest.raises(NotErasable, match="must be kept until"):
        await retention.erase("operator:ann", till.house.firm_id, till.house.ann)
    await retention.erase("operator:ann", till.house.firm_id, till.house.ben)
    await retention.erase("operator:ann", till.house.firm_id, till.house.ben)
    assert await erased(till) == {till.house.ben}
    rows = await till.owner.fetch("SELECT actor, subject FROM audit_entries WHERE tag = 'funds:customer:erased'")
    assert [(row[0], row[1]) for row in rows] == [("operator:ann", till.house.ben)]


async def test_of_an_erased_person_the_records_stay_and_nothing_personal_opens(till: Till, job: Retention) -> None:
    request_id, payment_id = await paid(till)
    before = await till.owner.fetchrow("SELECT phone_hash, identity_hash FROM customers WHERE id = $1", till.house.ann)
    await close(till)
    await till.house.pass_time((KEEP_DAYS + 1) * DAY)
    await job.erase_due()
    firm = till.house.firm_id
    request = await till.requests.get(firm, request_id)
    assert (request.status, [str(one.status) for one in await till.requests.payments(firm, request_id)]) == (
        "received",
        ["received"],
    )
    (_, customers), *_ = [(case, held) for case, held in await cases(till).list_cases(firm, Page())]
    assert {one.id: one.personal.name for one in customers} == {till.house.ann: "", till.house.ben: ""}
    with pytest.raises(NotFound):
        await PaymentEvidence(till.house.app, till.house.customers).give("operator:ann", firm, payment_id)
    assert await till.owner.fetchval("SELECT count(*) FROM payment_evidence") == 1
    row = await till.owner.fetchrow("SELECT * FROM customers WHERE id = $1", till.house.ann)
    assert (row["personal_sealed"], row["phone_hash"], row["identity_hash"]) == (b"", b"", b"")
    for value in before.values():
        assert await till.owner.fetchval("SELECT count(*) FROM directory WHERE key_hash = $1", value) == 0


async def test_of_ten_erasures_at_once_one_is_recorded(till: Till, retention: Retention) -> None:
    await close(till)
    await asyncio.gather(*(retention.erase("operator:ann", till.house.firm_id, till.house.ann) for _ in range(10)))
    assert await till.owner.fetchval("SELECT count(*) FROM audit_entries WHERE tag = 'funds:customer:erased'") == 1


async def test_another_firm_erases_holds_and_releases_nothing(till: Till, retention: Retention) -> None:
    other = (await till.house.firms.create("operator:test", "Other & Co")).id
    await close(till)
    with pytest.raises(NotFound):
        await retention.erase("operator:ann", other, till.house.ann)
    for call in (retention.hold, retention.release):
        with pytest.raises(Conflict):
            await call("operator:ann", other, till.house.case_id)
    assert await erased(till) == set()
