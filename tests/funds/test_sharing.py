"""Shares: begun, returned in this browser or another, proven, read once, chosen from, and the consent closed at the bank."""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import AsyncIterator
from dataclasses import replace
from typing import Any

import pytest

from strongroom.banking.port import Account, BankRefused, BankSilent, BankUnavailable, CustomerContext, Declined
from strongroom.funds.authentications import Shut, Wrong
from strongroom.funds.errors import RequestEnded, RequestFrozen, ShareAlreadyStarted, ShareLive
from strongroom.funds.leaving import Leaving
from strongroom.funds.model import Failure, SharedDetails
from strongroom.funds.share_proofs import Proven
from strongroom.funds.sharing import ConsentStanding
from strongroom.funds.states import ShareState
from strongroom.kit.errors import NotFound
from tests.funds.house import ELSEWHERE, HERE, House, open_house
from tests.funds.scripted_bank import CARD, CURRENT, LOST, SAVINGS, Hold

LEASE_OVER_SECONDS = 121
CONSENT_1 = "https://bank.example/authorise/consent-1"
NOBODY = b"a third browser".ljust(32, b"-")


@pytest.fixture
async def house(database: Any) -> AsyncIterator[House]:
    async with open_house(database) as opened:
        yield opened


# The way that goes well.


async def test_one_account_is_shared_with_its_name_matched_and_the_consent_closed(house: House) -> None:
    request_id = await house.ask_for_account(house.ann)
    begun = await house.begin_share(request_id)
    assert await house.sharing.bank_url(house.firm_id, house.ann, begun.share_id) == CONSENT_1
    assert await house.status(request_id) == "authorising"
    await house.come_back()
    await house.work()
    found = await house.account_requests.get(house.firm_id, request_id)
    (result,) = found.results
    assert found.status == "completed"
    assert (result.account.sort_code, result.account.account_number, result.account.bank) == ("203301", "41234567", "Mulberry Bank")
    assert (result.name_match.outcome, result.name_match.compared, result.review_required) == ("exact", ["Ann Example"], False)
    assert await house.steps.close_step() == 1
    assert house.bank.closed == ["consent-1"]
    assert await house.steps.close_step() == 0


async def test_the_firm_is_told_once_with_full_numbers_only_where_it_opted_in(house: House) -> None:
    request_id = await house.ask_for_account(house.ann)
    await house.share(request_id)
    ((name, data),) = await house.told()
    account = data["results"][0]["account"]
    assert (name, data["status"], data["id"]) == ("customerAccountRequest.completed", "completed", request_id)
    assert account == {"accountNumberLast4": "4567", "accountType": "current", "bank": "Mulberry Bank"}
    assert data["results"][0]["nameMatch"] == {"outcome": "exact", "score": 100, "compared": []}
    row = await house.owner.fetchrow("SELECT id, full_sealed FROM webhook_events")
    async with house.app.transaction(house.firm_id) as tx:
        keys = await house.vault.tenant(tx, house.firm_id)
    full = json.loads(keys.unseal("webhook_events", "full_sealed", row["id"], row["full_sealed"]))
    assert full["results"][0]["account"]["accountNumber"] == "41234567"
    assert full["results"][0]["nameMatch"]["compared"] == ["Ann Example"]


async def test_nothing_about_the_person_or_the_attempt_is_readable_in_the_row(house: House) -> None:
    house.bank.accounts = (CURRENT, SAVINGS)
    begun = await house.begin_share(await house.ask_for_account(house.ann))
    dumps = [repr(dict(await house.row(begun.share_id)))]
    await house.come_back()
    dumps.append(repr(dict(await house.row(begun.share_id))))
    await house.work()
    dumps.append(repr(dict(await house.row(begun.share_id))))
    await house.sharing.choose_account(house.firm_id, house.ann, begun.share_id, "2")
    dumps.append(repr(dict(await house.row(begun.share_id))))
    words = ("Ann Example", CURRENT.account_number, SAVINGS.account_number, "code-", "authorise", "192.0.2.7")  # no short ones:
    assert not [word for word in words if word in "".join(dumps)]  # a time or a sealed value holds any four digits now and then


async def test_an_ended_share_keeps_no_secret_of_the_attempt(house: House) -> None:
    row = await house.row(await house.share(await house.ask_for_account(house.ann)))
    await house.steps.close_step()
    assert [row[name] for name in ("return_sealed", "grant_sealed", "url_sealed", "accounts_sealed", "due_at")] == [None] * 5
    assert (await house.row(row["id"]))["memory_sealed"] is None


async def test_an_erased_person_leaves_nothing_that_opens_and_the_request_still_shows(house: House) -> None:
    request_id = await house.ask_for_account(house.ann)
    await house.share(request_id)
    await house.owner.execute("UPDATE customers SET data_key_sealed = NULL WHERE id = $1", house.ann)
    (result,) = (await house.account_requests.get(house.firm_id, request_id)).results
    assert result.account.account_number is None


@pytest.mark.parametrize(("name", "outcome", "reviewed"), [("Zoë Quite-Else", "none", True), (None, "unavailable", True)])
async def test_a_name_that_does_not_match_opens_a_review(house: House, name: str | None, outcome: str, *, reviewed: bool) -> None:
    house.bank.accounts = (replace(CURRENT, name=name),)
    request_id = await house.ask_for_account(house.ann)
    await house.share(request_id)
    (result,) = (await house.account_requests.get(house.firm_id, request_id)).results
    assert (result.name_match.outcome, result.review_required) == (outcome, reviewed)
    assert await house.reviews() == ["name_mismatch"]


# One live share for each customer, and several customers at once.


async def test_of_many_clicks_at_once_one_share_is_live(house: House) -> None:
    request_id = await house.ask_for_account(house.ann)
    outcomes = await asyncio.gather(*(house.begin_share(request_id) for _ in range(20)), return_exceptions=True)
    live = [one for one in outcomes if not isinstance(one, BaseException)]
    assert len(live) == 1
    assert {one.share_id for one in outcomes if isinstance(one, ShareAlreadyStarted)} == {live[0].share_id}
    assert house.bank.count("request_access") == 1


async def test_a_customer_shares_once_for_a_request(house: House) -> None:
    request_id = await house.ask_for_account()
    share_id = await house.share(request_id)
    with pytest.raises(ShareAlreadyStarted) as refused:
        await house.begin_share(request_id)
    assert refused.value.share_id == share_id


async def test_the_request_is_completed_when_everybody_asked_has_shared(house: House) -> None:
    request_id = await house.ask_for_account()
    await house.share(request_id)
    assert await house.status(request_id) == "requested"
    assert await house.told() == []
    await house.share(request_id, house.ben)
    assert await house.status(request_id) == "completed"
    assert [name for name, _ in await house.told()] == ["customerAccountRequest.completed"]


async def test_the_request_stays_with_those_still_sharing_when_another_ends(house: House) -> None:
    request_id = await house.ask_for_account()
    anns = await house.begin_share(request_id)
    await house.begin_share(request_id, house.ben)
    await house.sharing.choose_another(house.firm_id, house.ann, anns.share_id)
    assert await house.status(request_id) == "authorising"
    await house.come_back()
    await house.work()
    assert await house.status(request_id) == "requested"


async def test_two_customers_who_finish_at_the_same_moment_complete_the_request_once(house: House) -> None:
    house.bank.accounts = (CURRENT, SAVINGS)
    for _ in range(5):
        request_id = await house.ask_for_account(notify=False)
        shares = []
        for customer in (house.ann, house.ben):
            shares.append((customer, (await house.begin_share(request_id, customer)).share_id))
            await house.come_back()
        await house.work(at_most=3)
        await asyncio.gather(*(house.sharing.choose_account(house.firm_id, who, share_id, "1") for who, share_id in shares))
        assert await house.status(request_id) == "completed"
    assert [name for name, _ in await house.told()] == ["customerAccountRequest.completed"] * 5


async def test_two_customers_who_stop_at_the_same_moment_leave_the_request_open(house: House) -> None:
    for _ in range(5):
        request_id = await house.ask_for_account(notify=False)
        shares = [(who, (await house.begin_share(request_id, who)).share_id) for who in (house.ann, house.ben)]
        await asyncio.gather(*(house.sharing.choose_another(house.firm_id, who, share_id) for who, share_id in shares))
        assert await house.status(request_id) == "requested"


async def test_only_who_was_asked_may_share(house: House) -> None:
    request_id = await house.ask_for_account(house.ann)
    with pytest.raises(NotFound):
        await house.begin_share(request_id, house.ben)


async def test_another_customer_reaches_nothing_of_a_share(house: House) -> None:
    share_id = (await house.begin_share(await house.ask_for_account())).share_id
    for act in (
        house.sharing.bank_url(house.firm_id, house.ben, share_id),
        house.sharing.leave(house.firm_id, house.ben, share_id),
        house.sharing.choices(house.firm_id, house.ben, share_id),
        house.sharing.choose_account(house.firm_id, house.ben, share_id, "1"),
        house.sharing.choose_another(house.firm_id, house.ben, share_id),
        house.sharing.revoke(house.firm_id, house.ben, share_id),
        house.sharing.shared_account(house.firm_id, house.ben, share_id),
    ):
        with pytest.raises(NotFound):
            await act


# At the bank's door.


@pytest.mark.parametrize(
    ("fault", "failure"),
    [
        (BankUnavailable("down"), Failure.BANK_UNAVAILABLE),
        (BankSilent("lost"), Failure.BANK_UNAVAILABLE),
        (BankRefused("no"), Failure.REFUSED_BY_BANK),
    ],
)
async def test_a_bank_that_cannot_begin_ends_the_attempt_and_the_next_may_begin(
    house: House, fault: Exception, failure: Failure
) -> None:
    request_id = await house.ask_for_account(house.ann)
    house.bank.next("request_access", fault)
    begun = await house.begin_share(request_id)
    assert begun.failure == failure
    found = await house.account_requests.get(house.firm_id, request_id)
    assert found.last_failure is not None
    assert (found.status, found.last_failure.code) == ("requested", str(failure))
    assert [name for name, _ in await house.told()] == ["customerAccountRequest.declined"]
    assert (await house.begin_share(request_id)).failure is None


async def test_a_consent_that_was_made_after_the_customer_gave_up_is_closed_at_the_bank(house: House) -> None:
    request_id = await house.ask_for_account(house.ann)
    hold = house.bank.next("request_access", Hold())
    beginning = asyncio.create_task(house.begin_share(request_id))
    await hold.arrived.wait()
    ((_, share),) = await house.account_requests.for_customer(house.firm_id, house.case_id, house.ann)
    assert share is not None
    await house.sharing.choose_another(house.firm_id, house.ann, share.id)
    hold.go.set()
    assert (await beginning).failure is None
    assert await house.sharing.leave(house.firm_id, house.ann, share.id) == Leaving()
    await house.steps.close_step()
    assert house.bank.closed == ["consent-1"]


async def test_a_beginning_that_died_before_the_bank_answered_is_ended(house: House) -> None:
    request_id = await house.ask_for_account(house.ann)
    hold = house.bank.next("request_access", Hold())
    beginning = asyncio.create_task(house.begin_share(request_id))
    await hold.arrived.wait()
    beginning.cancel()
    await asyncio.wait({beginning})
    await house.pass_time(61)
    await house.work()
    assert await house.status(request_id) == "requested"


async def test_the_bank_address_is_given_until_the_customer_is_back(house: House) -> None:
    begun = await house.begin_share(await house.ask_for_account(house.ann))
    url = await house.sharing.bank_url(house.firm_id, house.ann, begun.share_id)
    assert (url, await house.sharing.leave(house.firm_id, house.ann, begun.share_id)) == (CONSENT_1, Leaving(CONSENT_1))
    await house.come_back()
    assert await house.sharing.bank_url(house.firm_id, house.ann, begun.share_id) is None
    assert await house.sharing.leave(house.firm_id, house.ann, begun.share_id) == Leaving()


async def test_a_request_to_share_is_pushed_anew_each_time_the_customer_leaves_and_another_browser_still_proves_itself(
    house: House,
) -> None:
    house.bank.wants_pushes = True
    begun = await house.begin_share(await house.ask_for_account(house.ann))

    async def leave() -> Leaving:
        return await house.sharing.leave(house.firm_id, house.ann, begun.share_id)

    house.bank.next("push_request", BankUnavailable("down"))
    assert await leave() == Leaving(failure=Failure.BANK_UNAVAILABLE)
    ways = [(await leave()).url for _ in range(2)]
    assert ways == [f"https://bank.example/pushed/consent-1/{number}" for number in (2, 3)]
    assert house.bank.count("request_access") == 1
    assert await house.come_back(browser=ELSEWHERE)
    assert await leave() == Leaving()


async def test_another_bank_may_be_chosen_until_the_accounts_are_read_and_the_code_is_then_discarded(house: House) -> None:
    request_id = await house.ask_for_account(house.ann)
    first = await house.begin_share(request_id)
    await house.come_back()
    for _ in range(2):
        await house.sharing.choose_another(house.firm_id, house.ann, first.share_id)
    await house.work()
    assert house.bank.count("exchange") == 0
    assert (await house.begin_share(request_id, bank="copse")).failure is None
    assert await house.told() == []


async def test_another_bank_cannot_be_chosen_while_the_code_is_being_used(house: House) -> None:
    begun = await house.begin_share(await house.ask_for_account(house.ann))
    await house.come_back()
    hold = house.bank.next("exchange", Hold())
    working = asyncio.create_task(house.steps.step())
    await hold.arrived.wait()
    with pytest.raises(ShareLive):
        await house.sharing.choose_another(house.firm_id, house.ann, begun.share_id)
    hold.go.set()
    await working
    assert (await house.find_share(begun.share_id)).state is ShareState.SHARED


# Coming back.


async def test_a_return_that_comes_twice_reads_once(house: House) -> None:
    await house.begin_share(await house.ask_for_account(house.ann))
    state, fields = house.bank.agree()
    await asyncio.gather(*(house.sharing.come_back(state, fields, HERE) for _ in range(5)))
    await asyncio.gather(*(house.steps.step() for _ in range(5)))
    await house.sharing.come_back(state, fields, ELSEWHERE)
    await house.work()
    assert (house.bank.count("exchange"), house.bank.count("read_accounts")) == (1, 1)


async def test_the_bank_is_told_who_came_back(house: House) -> None:
    await house.begin_share(await house.ask_for_account(house.ann))
    state, fields = house.bank.agree()
    await house.sharing.come_back(state, fields, HERE, CustomerContext("192.0.2.9", "Browser/1"))
    await house.work()
    assert house.bank.seen == [CustomerContext("192.0.2.9", "Browser/1")]


async def test_an_unknown_state_is_nobodys(house: House) -> None:
    assert await house.sharing.come_back("made-up", {"code": "x"}, HERE) is None


@pytest.mark.parametrize(
    ("code", "failure"),
    [
        ("cancelled", "cancelled_at_bank"),
        ("invalid_return", "invalid_return"),
        ("login_refused", "refused_by_bank"),
        ("not_finished", "timed_out"),
    ],
)
async def test_a_no_at_the_bank_declines_the_share_and_tells_the_firm(house: House, code: str, failure: str) -> None:
    request_id = await house.ask_for_account(house.ann)
    begun = await house.begin_share(request_id)
    house.bank.next("accept_return", Declined(code))
    await house.come_back()
    await house.work()
    share = await house.find_share(begun.share_id)
    assert (share.state, share.failure_code) == (ShareState.DECLINED, failure)
    ((name, data),) = await house.told()
    assert (name, data["lastFailure"]["code"], data["status"]) == ("customerAccountRequest.declined", failure, "requested")


async def test_a_return_that_never_comes_is_noticed_by_asking_the_bank(house: House) -> None:
    begun = await house.begin_share(await house.ask_for_account(house.ann))
    house.bank.decline()
    await house.pass_time(61)
    await house.work()
    assert (await house.find_share(begun.share_id)).state is ShareState.DECLINED


async def test_a_customer_who_never_comes_back_is_waited_for_and_then_given_up(house: House) -> None:
    begun = await house.begin_share(await house.ask_for_account(house.ann))
    house.bank.next("consent_report", BankUnavailable("down"))
    await house.pass_time(100)
    assert await house.work() == 1
    assert (await house.find_share(begun.share_id)).state is ShareState.AWAITING
    await house.pass_time(900)
    await house.work()
    share = await house.find_share(begun.share_id)
    assert (share.state, share.failure_code) == (ShareState.ABANDONED, "timed_out")
    await house.steps.close_step()
    assert house.bank.closed == ["consent-1"]


# In another browser.


async def _elsewhere(house: House) -> tuple[str, str]:
    request_id = await house.ask_for_account(house.ann, notify=False)
    begun = await house.begin_share(request_id)
    assert await house.come_back(browser=ELSEWHERE)
    return request_id, begun.share_id


async def _code(house: House) -> str:
    found = re.search(r"\b\d{6}\b", (await house.sent("login_code"))[-1])
    assert found is not None
    return found[0]


async def test_a_return_in_another_browser_reads_nothing_until_the_fresh_code_was_entered_there(house: House) -> None:
    request_id, share_id = await _elsewhere(house)
    await house.work()
    assert (await house.find_share(share_id)).state is ShareState.UNPROVEN
    assert house.bank.count("read_accounts") == 0
    assert await house.proofs.send_code(house.firm_id, share_id, ELSEWHERE)
    assert await house.proofs.enter(house.firm_id, share_id, ELSEWHERE, await _code(house)) == Proven(house.ann)
    await house.work()
    assert await house.status(request_id) == "completed"


async def test_where_no_more_messages_may_be_sent_the_newest_code_counts_on(house: House) -> None:
    _, share_id = await _elsewhere(house)
    sent = [await house.proofs.send_code(house.firm_id, share_id, ELSEWHERE, "192.0.2.7") for _ in range(7)]
    assert sent == [True] * 5 + [False] * 2
    assert await house.proofs.enter(house.firm_id, share_id, ELSEWHERE, await _code(house)) == Proven(house.ann)
    assert await house.owner.fetchval("SELECT count(used_at) FROM messages") == 1


async def test_the_bank_code_is_exchanged_at_once_so_that_a_slow_reader_of_messages_succeeds(house: House) -> None:
    request_id, share_id = await _elsewhere(house)
    await house.work()
    assert house.bank.count("exchange") == 1
    await house.pass_time(500)
    await house.proofs.send_code(house.firm_id, share_id, ELSEWHERE)
    await house.proofs.enter(house.firm_id, share_id, ELSEWHERE, await _code(house))
    await house.work()
    assert await house.status(request_id) == "completed"
    assert house.bank.count("exchange") == 1


@pytest.mark.parametrize("browser", [HERE, NOBODY])
async def test_the_code_works_in_no_other_browser_than_the_one_that_came_back(house: House, browser: bytes) -> None:
    _, share_id = await _elsewhere(house)
    assert not await house.proofs.send_code(house.firm_id, share_id, browser)
    await house.proofs.send_code(house.firm_id, share_id, ELSEWHERE)
    code = await _code(house)
    for _ in range(6):
        assert await house.proofs.enter(house.firm_id, share_id, browser, code) == Wrong(0)
    assert (await house.find_share(share_id)).state is ShareState.UNPROVEN
    assert not await house.owner.fetchval("SELECT sum(attempts) FROM challenges")  # nor can it use up the tries of the right one


async def test_a_code_proves_only_the_share_that_it_was_sent_for(house: House) -> None:
    _, first = await _elsewhere(house)
    await house.proofs.send_code(house.firm_id, first, ELSEWHERE)
    code = await _code(house)
    _, second = await _elsewhere(house)
    assert await house.proofs.enter(house.firm_id, second, ELSEWHERE, code) == Wrong(0)
    await house.proofs.send_code(house.firm_id, second, ELSEWHERE)
    assert isinstance(await house.proofs.enter(house.firm_id, second, ELSEWHERE, code), Wrong)


async def test_the_newest_code_wins_and_a_used_one_is_used(house: House) -> None:
    _, share_id = await _elsewhere(house)
    await house.proofs.send_code(house.firm_id, share_id, ELSEWHERE)
    older = await _code(house)
    await house.proofs.send_code(house.firm_id, share_id, ELSEWHERE)
    newer = await _code(house)
    if older != newer:
        assert isinstance(await house.proofs.enter(house.firm_id, share_id, ELSEWHERE, older), Wrong)
    assert await house.owner.fetchval("SELECT count(*) FROM challenges WHERE superseded_at IS NOT NULL") == 1
    tries = await asyncio.gather(*(house.proofs.enter(house.firm_id, share_id, ELSEWHERE, newer) for _ in range(3)))
    assert sum(isinstance(one, Proven) for one in tries) == 1


async def test_five_wrong_codes_lock_and_a_new_code_gives_no_new_tries(house: House) -> None:
    _, share_id = await _elsewhere(house)
    await house.proofs.send_code(house.firm_id, share_id, ELSEWHERE)
    wrong = f"{(int(await _code(house)) + 1) % 1_000_000:06d}"
    outcomes = [await house.proofs.enter(house.firm_id, share_id, ELSEWHERE, wrong) for _ in range(5)]
    assert isinstance(outcomes[-1], Shut)
    assert not await house.proofs.send_code(house.firm_id, share_id, ELSEWHERE)
    assert await house.proofs.locked_seconds(house.firm_id, share_id, ELSEWHERE)


async def test_a_code_entered_while_the_bank_is_slow_goes_on_when_the_grant_comes(house: House) -> None:
    request_id, share_id = await _elsewhere(house)
    hold = house.bank.next("exchange", Hold())
    working = asyncio.create_task(house.steps.step())
    await hold.arrived.wait()
    await house.proofs.send_code(house.firm_id, share_id, ELSEWHERE)
    assert isinstance(await house.proofs.enter(house.firm_id, share_id, ELSEWHERE, await _code(house)), Proven)
    assert await house.steps.step() == 0
    hold.go.set()
    await working
    await house.work()
    assert await house.status(request_id) == "completed"


async def test_an_unproven_share_whose_exchange_was_lost_ends_whether_proven_or_not(house: House) -> None:
    _, share_id = await _elsewhere(house)
    house.bank.next("exchange", LOST)
    await house.work()
    share = await house.find_share(share_id)
    assert (share.state, share.failure_code) == (ShareState.ABANDONED, "not_completed")


async def test_a_worker_that_died_with_the_code_of_an_unproven_share_leaves_it_ended(house: House) -> None:
    _, share_id = await _elsewhere(house)
    hold = house.bank.next("exchange", Hold())
    working = asyncio.create_task(house.steps.step())
    await hold.arrived.wait()
    working.cancel()
    await asyncio.wait({working})
    await house.pass_time(LEASE_OVER_SECONDS)
    await house.work()
    assert (await house.find_share(share_id)).state is ShareState.ABANDONED
    assert house.bank.count("exchange") == 1


async def test_a_bank_that_was_away_is_asked_again_while_the_code_lives(house: House) -> None:
    _, share_id = await _elsewhere(house)
    house.bank.next("exchange", BankUnavailable("down"))
    await house.work()
    await house.pass_time(3)
    await house.work()
    assert house.bank.count("exchange") == 2
    assert (await house.row(share_id))["grant_sealed"] is not None


async def test_a_code_nobody_enters_ends_the_share(house: House) -> None:
    request_id, share_id = await _elsewhere(house)
    await house.work()
    await house.pass_time(901)
    await house.work()
    share = await house.find_share(share_id)
    assert (share.state, share.failure_code) == (ShareState.ABANDONED, "timed_out")
    assert await house.status(request_id) == "requested"
    assert (await house.row(share_id))["grant_sealed"] is None


async def test_a_number_changed_a_moment_ago_gets_no_code(house: House) -> None:
    _, share_id = await _elsewhere(house)
    await house.owner.execute("UPDATE customers SET phone_usable_from = app_now() + interval '1 hour'")
    assert not await house.proofs.send_code(house.firm_id, share_id, ELSEWHERE)


# Reading.


async def test_a_code_is_kept_while_the_bank_is_away_and_given_up_when_it_is_old(house: House) -> None:
    begun = await house.begin_share(await house.ask_for_account(house.ann))
    house.bank.next("accept_return", BankUnavailable("no keys"))
    house.bank.next("exchange", BankUnavailable("down"))
    await house.come_back()
    await house.work()
    await house.pass_time(3)
    await house.work()
    assert (await house.find_share(begun.share_id)).state is ShareState.RETURNED
    house.bank.next("exchange", BankUnavailable("down"))
    await house.pass_time(60)
    await house.work()
    share = await house.find_share(begun.share_id)
    assert (share.state, share.failure_code) == (ShareState.FAILED, "bank_unavailable")


@pytest.mark.parametrize("fault", [LOST, BankSilent("lost"), BankRefused("invalid_grant")])
async def test_a_code_that_may_be_used_is_never_tried_again(house: House, fault: Any) -> None:
    begun = await house.begin_share(await house.ask_for_account(house.ann))
    house.bank.next("exchange", fault)
    await house.come_back()
    await house.work()
    await house.pass_time(60)
    await house.work()
    assert house.bank.count("exchange") == 1
    assert (await house.find_share(begun.share_id)).failure_code == "not_completed"


async def test_a_worker_that_died_while_reading_leaves_an_end_and_nothing_shared(house: House) -> None:
    begun = await house.begin_share(await house.ask_for_account(house.ann))
    await house.come_back()
    hold = house.bank.next("read_accounts", Hold())
    working = asyncio.create_task(house.steps.step())
    await hold.arrived.wait()
    working.cancel()
    await asyncio.wait({working})
    await house.pass_time(LEASE_OVER_SECONDS)
    await house.work()
    share = await house.find_share(begun.share_id)
    assert (share.state, share.failure_code) == (ShareState.FAILED, "not_completed")
    assert house.bank.count("exchange") == 1


async def test_a_worker_that_comes_late_changes_nothing(house: House) -> None:
    begun = await house.begin_share(await house.ask_for_account(house.ann))
    await house.come_back()
    hold = house.bank.next("read_accounts", Hold())
    working = asyncio.create_task(house.steps.step())
    await hold.arrived.wait()
    await house.pass_time(LEASE_OVER_SECONDS)
    await house.work()
    hold.go.set()
    await working
    assert (await house.find_share(begun.share_id)).state is ShareState.FAILED
    assert (await house.row(begun.share_id))["details_sealed"] is None


async def test_reading_is_tried_again_with_the_same_grant(house: House) -> None:
    request_id = await house.ask_for_account(house.ann)
    await house.begin_share(request_id)
    house.bank.next("read_accounts", BankUnavailable("down"))
    house.bank.next("read_accounts", BankSilent("garbled"))
    await house.come_back()
    for _ in range(3):
        await house.work()
        await house.pass_time(10)
    assert await house.status(request_id) == "completed"
    assert (house.bank.count("exchange"), house.bank.count("read_accounts")) == (1, 3)


@pytest.mark.parametrize(("asked", "waited"), [(20, 20), (86_400, 60)])
async def test_a_bank_that_says_when_to_come_again_is_not_asked_sooner_nor_for_long_while_the_customer_waits(
    house: House, asked: int, waited: int
) -> None:
    request_id = await house.ask_for_account(house.ann)
    await house.begin_share(request_id)
    house.bank.next("read_accounts", BankUnavailable("http_429", retry_after_seconds=asked))
    await house.come_back()
    await house.work()
    await house.pass_time(waited - 5)
    await house.work()
    assert house.bank.count("read_accounts") == 1
    await house.pass_time(5)
    await house.work()
    assert await house.status(request_id) == "completed"


async def test_reading_is_given_up_after_some_tries(house: House) -> None:
    begun = await house.begin_share(await house.ask_for_account(house.ann))
    await house.come_back()
    for _ in range(8):
        house.bank.next("read_accounts", BankUnavailable("down"))
        await house.work()
        await house.pass_time(20)
    share = await house.find_share(begun.share_id)
    assert (share.state, share.failure_code) == (ShareState.FAILED, "bank_unavailable")
    assert house.bank.count("read_accounts") == 6


@pytest.mark.parametrize("accounts", [(), (CARD,), (replace(CURRENT, sort_code=None),), (replace(CURRENT, can_receive=False),)])
async def test_without_an_account_that_can_receive_the_share_fails(house: House, accounts: tuple[Account, ...]) -> None:
    house.bank.accounts = accounts
    request_id = await house.ask_for_account(house.ann)
    share = await house.find_share(await house.share(request_id))
    assert (share.state, share.failure_code) == (ShareState.FAILED, "no_suitable_account")
    assert await house.status(request_id) == "requested"
    await house.steps.close_step()
    assert house.bank.closed == ["consent-1"]


async def test_an_account_known_by_its_iban_alone_is_enough(house: House) -> None:
    house.bank.accounts = (CARD, Account("acc-9", "Ann Example", iban="GB33BUKB20201555555555"))
    request_id = await house.ask_for_account(house.ann)
    await house.share(request_id)
    (result,) = (await house.account_requests.get(house.firm_id, request_id)).results
    assert (result.account.iban, result.account.account_number_last4) == ("GB33BUKB20201555555555", "5555")


# Choosing.


async def _choosing(house: House) -> tuple[str, str]:
    house.bank.accounts = (CURRENT, CARD, SAVINGS, replace(CURRENT, account_id="again"))
    request_id = await house.ask_for_account(house.ann)
    return request_id, await house.share(request_id)


async def test_of_several_accounts_the_customer_picks_one_and_the_rest_is_forgotten(house: House) -> None:
    request_id, share_id = await _choosing(house)
    choices = await house.sharing.choices(house.firm_id, house.ann, share_id)
    assert [(one.id, one.details.account_number) for one in choices] == [("1", "41234567"), ("2", "47654321")]
    assert await house.status(request_id) == "authorising"
    await house.steps.close_step()
    assert house.bank.closed == ["consent-1"]
    for _ in range(2):
        await house.sharing.choose_account(house.firm_id, house.ann, share_id, "2")
    (result,) = (await house.account_requests.get(house.firm_id, request_id)).results
    assert (result.account.account_number, result.name_match.outcome) == ("47654321", "exact")
    assert (await house.row(share_id))["accounts_sealed"] is None


async def test_only_an_offered_account_can_be_picked(house: House) -> None:
    _, share_id = await _choosing(house)
    with pytest.raises(NotFound):
        await house.sharing.choose_account(house.firm_id, house.ann, share_id, "3")


async def test_of_two_picks_at_once_one_counts(house: House) -> None:
    _, share_id = await _choosing(house)
    await asyncio.gather(*(house.sharing.choose_account(house.firm_id, house.ann, share_id, pick) for pick in ("1", "2")))
    moves = await house.owner.fetch("SELECT event FROM history WHERE object_id = $1 AND event = 'chosen'", share_id)
    assert len(moves) == 1


async def test_a_customer_who_never_picks_has_fifteen_minutes(house: House) -> None:
    request_id, share_id = await _choosing(house)
    await house.pass_time(890)
    await house.work()
    assert (await house.find_share(share_id)).state is ShareState.CHOOSING
    await house.pass_time(20)
    await house.work()
    assert (await house.find_share(share_id)).state is ShareState.ABANDONED
    assert (await house.row(share_id))["accounts_sealed"] is None
    assert await house.status(request_id) == "requested"
    with pytest.raises(RequestEnded):
        await house.sharing.choose_account(house.firm_id, house.ann, share_id, "1")


async def test_a_frozen_request_offers_nothing_to_pick(house: House) -> None:
    request_id, share_id = await _choosing(house)
    await house.account_requests.freeze(house.firm_id, house.ann, request_id)
    assert await house.sharing.choices(house.firm_id, house.ann, share_id) == []
    with pytest.raises(RequestEnded):
        await house.sharing.choose_account(house.firm_id, house.ann, share_id, "1")
    with pytest.raises(RequestFrozen):
        await house.begin_share(request_id)


# Consents.


@pytest.mark.parametrize("fault", [BankUnavailable("down"), BankSilent("lost"), BankRefused("no")])
async def test_closing_a_consent_is_tried_again_until_the_bank_has_done_it(house: House, fault: Exception) -> None:
    await house.share(await house.ask_for_account(house.ann))
    house.bank.next("close_access", fault)
    assert await house.steps.close_step() == 1
    assert await house.steps.close_step() == 0
    await house.pass_time(11)
    assert await house.steps.close_step() == 1
    assert house.bank.closed == ["consent-1"]


async def test_a_bank_that_left_the_directory_does_not_stop_the_others_consents(house: House) -> None:
    request_id = await house.ask_for_account()
    await house.share(request_id)
    await house.share(request_id, house.ben)
    await house.owner.execute("UPDATE shares SET bank_id = 'gone' WHERE customer_id = $1", house.ann)
    assert [await house.steps.close_step() for _ in range(3)] == [1, 1, 0]
    assert house.bank.closed == ["consent-2"]


async def test_a_customer_sees_their_consents_and_ends_one(house: House) -> None:
    await house.share(await house.ask_for_account(house.ann))
    live = await house.begin_share(await house.ask_for_account(house.ann))
    active, used = await house.sharing.consents(house.firm_id, house.ann)
    assert (active.standing, used.standing, used.ending, used.bank_name) == ("active", "used", "4567", "Mulberry Bank")
    ended = await house.sharing.revoke(house.firm_id, house.ann, live.share_id)
    assert ended.standing is ConsentStanding.REVOKED
    while await house.steps.close_step():
        pass
    assert sorted(house.bank.closed) == ["consent-1", "consent-2"]
    assert await house.sharing.consents(house.firm_id, house.ben) == []


async def test_the_agreement_is_kept_as_it_was_without_the_address(house: House) -> None:
    begun = await house.begin_share(await house.ask_for_account(house.ann))
    agreed = (await house.find_share(begun.share_id)).agreed
    assert (agreed["wording"], agreed["bank"], agreed["what"]) == (
        "share-1", "Mulberry Bank", ["accountName", "sortCode", "accountNumber"],
    )  # fmt: skip
    assert re.fullmatch("[0-9a-f]{32}", agreed["addressHash"])


async def test_the_customer_sees_what_they_shared(house: House) -> None:
    share_id = await house.share(await house.ask_for_account(house.ann))
    shared = await house.sharing.shared_account(house.firm_id, house.ann, share_id)
    assert isinstance(shared, SharedDetails)
    assert (shared.account_number, repr(shared)) == ("41234567", "SharedDetails([sealed])")
