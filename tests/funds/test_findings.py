"""What people decide: payments that no bank can tell about, money seen on a statement, and reviews."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from strongroom.banking.port import BankSilent, BankUnavailable, ConsentReport, ConsentStatus, PaymentStatus
from strongroom.commands.reviews import REASONS
from strongroom.funds.errors import FindingOpen, PaymentAlreadyStarted, RequestFrozen, SamePerson, TooNew
from strongroom.funds.findings import Findings
from strongroom.funds.model import FindingKind, ReviewReason
from strongroom.funds.reviews import Reviews
from strongroom.kit.errors import Conflict, Invalid, NotFound
from tests.faults.till import Till, open_till
from tests.funds.scripted_bank import LOST

HOUR, DAY = 3600, 86_400
SEEN = "client account, statement of 14 November, line 3"


@pytest.fixture
async def till(database: Any) -> AsyncIterator[Till]:
    async with open_till(database) as opened:
        yield opened


@pytest.fixture
def findings(till: Till) -> Findings:
    return Findings(till.house.app, till.house.vault, till.moves)


@pytest.fixture
def reviews(till: Till) -> Reviews:
    return Reviews(till.house.app, till.house.vault)


async def unconfirmed(till: Till) -> tuple[str, str]:
    """Return (request, payment) whose bank knows no more than that the consent was used."""
    request_id = await till.ask()
    begun = await till.begin(request_id)
    await till.come_back()
    till.bank.next("submit_payment", LOST)
    await till.steps.step()
    await till.wait(DAY)  # the key has run out, so only the consent can be asked
    await till.wait(2 * HOUR)
    assert await till.state(begun.payment_id) == "unconfirmed"
    return request_id, begun.payment_id


async def approved(till: Till, findings: Findings, payment_id: str, kind: FindingKind) -> None:
    finding = await findings.propose(till.member("avery"), payment_id, kind, SEEN)
    await findings.approve(till.member("robin"), finding)


# Payments that no bank can tell about.


async def test_two_people_who_found_the_debit_complete_the_request_and_the_bank_is_asked_on(till: Till, findings: Findings) -> None:
    request_id, payment_id = await unconfirmed(till)
    await approved(till, findings, payment_id, FindingKind.DEBITED)
    assert (await till.state(payment_id), await till.status(request_id)) == ("executed", "completed")
    assert await till.told() == ["creditRequest.completed"]
    with pytest.raises(Exception, match="end"):
        await till.begin(request_id)


async def test_two_people_who_found_nothing_taken_let_the_customer_pay_anew(till: Till, findings: Findings) -> None:
    request_id, payment_id = await unconfirmed(till)
    with pytest.raises(PaymentAlreadyStarted):
        await till.begin(request_id)
    await approved(till, findings, payment_id, FindingKind.NOT_DEBITED)
    payment = await till.payment(payment_id)
    assert (str(payment.state), payment.failure_code, await till.status(request_id)) == ("failed", "not_debited", "requested")
    assert await till.told() == ["creditRequest.paymentFailed"]
    assert (await till.begin(request_id)).failure is None


async def test_money_that_two_people_saw_arrive_is_completed_and_then_received(till: Till, findings: Findings) -> None:
    request_id, payment_id = await unconfirmed(till)
    await approved(till, findings, payment_id, FindingKind.RECEIVED)
    assert (await till.state(payment_id), await till.status(request_id)) == ("credited", "received")
    assert await till.told() == ["creditRequest.completed", "creditRequest.received"]


async def test_a_completed_payment_that_two_people_saw_arrive_is_received(till: Till, findings: Findings) -> None:
    till.bank.settles_as = PaymentStatus.EXECUTED
    request_id = await till.ask()
    payment_id = await till.pay(request_id)
    await approved(till, findings, payment_id, FindingKind.RECEIVED)
    assert (await till.state(payment_id), await till.status(request_id)) == ("credited", "received")
    assert await till.told() == ["creditRequest.completed", "creditRequest.received"]


async def test_one_person_alone_moves_nothing(till: Till, findings: Findings) -> None:
    request_id, payment_id = await unconfirmed(till)
    finding = await findings.propose(till.member("avery"), payment_id, FindingKind.NOT_DEBITED, SEEN)
    with pytest.raises(SamePerson):
        await findings.approve(till.member("avery"), finding)
    assert (await till.state(payment_id), await till.status(request_id)) == ("unconfirmed", "processing")


async def test_whoever_was_added_after_the_proposal_cannot_approve_it(till: Till, findings: Findings) -> None:
    _, payment_id = await unconfirmed(till)
    finding = await findings.propose(till.member("avery"), payment_id, FindingKind.NOT_DEBITED, SEEN)
    with pytest.raises(TooNew):
        await findings.approve(till.member("quinn", created_at=datetime.now(UTC) + timedelta(days=9)), finding)
    assert await till.state(payment_id) == "unconfirmed"


@pytest.mark.parametrize("kind", list(FindingKind))
async def test_nothing_can_be_found_of_a_payment_whose_bank_still_answers(
    till: Till, findings: Findings, kind: FindingKind
) -> None:
    payment_id = await till.pay(await till.ask())
    with pytest.raises(Conflict, match="processing"):
        await findings.propose(till.member("avery"), payment_id, kind, SEEN)


async def test_what_was_seen_must_be_said_and_is_kept_sealed(till: Till, findings: Findings) -> None:
    _, payment_id = await unconfirmed(till)
    for note in ("", "  ", "x" * 501):
        with pytest.raises(Invalid):
            await findings.propose(till.member("avery"), payment_id, FindingKind.DEBITED, note)
    await findings.propose(till.member("avery"), payment_id, FindingKind.DEBITED, SEEN)
    assert [one.note for one in await findings.list_open(till.house.firm_id)] == [SEEN]
    assert SEEN.encode() not in await till.owner.fetchval("SELECT note_sealed FROM payment_findings")


async def test_only_one_finding_about_a_payment_waits_at_a_time(till: Till, findings: Findings) -> None:
    _, payment_id = await unconfirmed(till)
    members = [till.member(name) for name in ("avery", "robin")]
    made = await asyncio.gather(
        *(findings.propose(member, payment_id, FindingKind.DEBITED, SEEN) for member in members for _ in range(5)),
        return_exceptions=True,
    )
    assert sorted(type(one).__name__ for one in made) == ["FindingOpen"] * 9 + ["str"]
    (finding,) = [one for one in made if isinstance(one, str)]
    await findings.decline(till.member("avery"), finding)
    assert await findings.propose(till.member("avery"), payment_id, FindingKind.RECEIVED, SEEN)
    with pytest.raises(FindingOpen):
        await findings.propose(till.member("robin"), payment_id, FindingKind.DEBITED, SEEN)


async def test_of_ten_approvals_and_declines_at_once_one_counts(till: Till, findings: Findings) -> None:
    _, payment_id = await unconfirmed(till)
    finding = await findings.propose(till.member("avery"), payment_id, FindingKind.DEBITED, SEEN)
    decided = await asyncio.gather(
        *(findings.approve(till.member("robin"), finding) for _ in range(5)),
        *(findings.decline(till.member("sam"), finding) for _ in range(5)),
        return_exceptions=True,
    )
    assert sum(not isinstance(one, BaseException) for one in decided) == 1
    assert all(isinstance(one, Conflict) for one in decided if isinstance(one, BaseException))
    assert await till.told() in (["creditRequest.completed"], [])


async def test_a_bank_that_answers_first_wins_over_a_finding(till: Till, findings: Findings) -> None:
    request_id, payment_id = await unconfirmed(till)
    finding = await findings.propose(till.member("avery"), payment_id, FindingKind.NOT_DEBITED, SEEN)
    await till.owner.execute("UPDATE payments SET bank_payment_id = 'bank-consent-1' WHERE id = $1", payment_id)
    till.bank.next("payment_report", PaymentStatus.CREDITED)
    await till.wait(HOUR)
    with pytest.raises(Conflict, match="credited meanwhile"):
        await findings.approve(till.member("robin"), finding)
    assert (await till.state(payment_id), await till.status(request_id)) == ("credited", "received")
    await findings.decline(till.member("robin"), finding)
    assert await findings.list_open(till.house.firm_id) == []


async def test_another_firms_staff_sees_and_decides_nothing(till: Till, findings: Findings) -> None:
    _, payment_id = await unconfirmed(till)
    finding = await findings.propose(till.member("avery"), payment_id, FindingKind.DEBITED, SEEN)
    other = await till.house.firms.create("operator:test", "Other & Co")
    stranger = till.member("robin")
    stranger = type(stranger)(other.id, stranger.id, stranger.name, stranger.email, stranger.created_at)
    for call in (
        findings.approve(stranger, finding),
        findings.decline(stranger, finding),
        findings.propose(stranger, payment_id, FindingKind.DEBITED, SEEN),
    ):
        with pytest.raises(NotFound):
            await call
    assert await findings.list_open(other.id) == await findings.list_unconfirmed(other.id) == []


async def test_the_audit_names_both_people(till: Till, findings: Findings) -> None:
    _, payment_id = await unconfirmed(till)
    await approved(till, findings, payment_id, FindingKind.DEBITED)
    rows = await till.owner.fetch("SELECT tag, actor FROM audit_entries WHERE actor LIKE 'staff:%' AND tag LIKE 'funds:payment%'")
    assert {(row[0], row[1]) for row in rows} == {
        ("funds:payment_finding:proposed", "staff:stf-avery"),
        ("funds:payment_finding:approved", "staff:stf-robin"),
        ("funds:payment:moved", "staff:stf-robin"),
    }


# The bank is asked on.


async def test_an_unconfirmed_payment_is_asked_about_hourly_for_a_day_and_then_daily(till: Till) -> None:
    _, payment_id = await unconfirmed(till)
    before = till.bank.count("consent_report")
    for _ in range(48):
        await till.wait(HOUR / 2)
    assert till.bank.count("consent_report") - before in range(21, 25)
    before = till.bank.count("consent_report")
    for _ in range(7 * 4):
        await till.wait(DAY / 4)
    assert till.bank.count("consent_report") - before in {6, 7, 8}
    assert await till.state(payment_id) == "unconfirmed"


async def test_a_consent_that_turns_out_unused_after_the_key_ran_out_was_never_submitted(till: Till) -> None:
    request_id, payment_id = await unconfirmed(till)
    till.bank.next("consent_report", ConsentReport("consent-1", ConsentStatus.AUTHORISED))
    await till.wait(HOUR)
    assert (await till.state(payment_id), await till.status(request_id)) == ("failed", "requested")


@pytest.mark.parametrize("answer", [BankSilent("lost"), BankUnavailable("down"), PaymentStatus.PENDING])
async def test_a_bank_that_still_cannot_tell_leaves_the_payment_to_people(till: Till, answer: object) -> None:
    _, payment_id = await unconfirmed(till)
    await till.owner.execute("UPDATE payments SET bank_payment_id = 'bank-consent-1' WHERE id = $1", payment_id)
    till.bank.next("payment_report", answer)
    await till.wait(HOUR)
    assert (await till.state(payment_id), await till.told()) == ("unconfirmed", [])


# Reviews.


async def test_the_answer_to_an_unconfirmed_payment_ends_its_review(till: Till, findings: Findings, reviews: Reviews) -> None:
    _, payment_id = await unconfirmed(till)
    (review,) = await reviews.list_open(till.house.firm_id)
    with pytest.raises(Conflict, match="Two people"):
        await reviews.resolve(till.member("avery"), review.id, "looked")
    assert [one.reason for one in await reviews.list_open(till.house.firm_id)] == ["unconfirmed"]
    await approved(till, findings, payment_id, FindingKind.NOT_DEBITED)
    assert await reviews.list_open(till.house.firm_id) == []


async def test_a_review_is_resolved_once_with_a_note_that_is_sealed(till: Till, reviews: Reviews) -> None:
    till.bank.settles_as, till.bank.payer = PaymentStatus.EXECUTED, None
    await till.pay(await till.ask())
    (review,) = await reviews.list_open(till.house.firm_id)
    assert review.reason == "unknown_payer"
    with pytest.raises(Conflict, match="released"):
        await reviews.resolve(till.member("avery"), review.id, "statement seen", release=True)
    await reviews.resolve(till.member("avery"), review.id, "statement seen")
    with pytest.raises(NotFound):
        await reviews.resolve(till.member("robin"), review.id, "again")
    row = await till.owner.fetchrow("SELECT resolved_by, note_sealed FROM reviews")
    assert row["resolved_by"] == "staff:stf-avery"
    assert b"statement" not in row["note_sealed"]


async def test_every_reason_that_the_database_knows_is_told_to_people(till: Till) -> None:
    check = await till.owner.fetchval("SELECT pg_get_constraintdef(oid) FROM pg_constraint WHERE conname = 'reviews_reason_check'")
    assert set(re.findall(r"'(\w+)'", check)) == set(ReviewReason) == REASONS.keys()


async def test_a_request_that_was_not_recognised_can_be_released(till: Till, reviews: Reviews) -> None:
    request_id = await till.ask()
    await till.requests.freeze(till.house.firm_id, till.house.ann, request_id)
    with pytest.raises(RequestFrozen):
        await till.begin(request_id)
    (review,) = await reviews.list_open(till.house.firm_id)
    await reviews.resolve(till.member("avery"), review.id, "spoke to her; she had forgotten", release=True)
    assert (await till.begin(request_id)).failure is None
