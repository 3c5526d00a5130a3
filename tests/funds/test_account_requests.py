"""Customer account requests: asked, shown, withdrawn, frozen, expired, erased."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest

from strongroom.funds.account_requests import NewAccountRequest
from strongroom.funds.errors import CaseClosed, RequestEnded, RequestFrozen, ShareLive
from strongroom.funds.model import Page
from strongroom.funds.states import ShareState
from strongroom.kit.errors import NotFound
from tests.funds.house import BEN, CLIENT, House, open_house
from tests.funds.scripted_bank import Hold


@pytest.fixture
async def house(database: Any) -> AsyncIterator[House]:
    async with open_house(database) as opened:
        yield opened


async def test_without_a_customer_everybody_of_the_case_is_asked_in_order(house: House) -> None:
    found = await house.account_requests.get(house.firm_id, await house.ask_for_account())
    assert found.asked == [house.ann, house.ben]
    assert (found.status, found.customer_id, found.results) == ("requested", None, [])


async def test_a_named_customer_is_asked_alone_and_must_be_of_the_case(house: House) -> None:
    found = await house.account_requests.get(house.firm_id, await house.ask_for_account(house.ben))
    assert (found.asked, found.customer_id) == ([house.ben], house.ben)
    _, (stranger,) = await house.open_case(BEN, ref="REF-2")
    with pytest.raises(NotFound):
        await house.ask_for_account(stranger)


async def test_a_closed_case_takes_no_request(house: House) -> None:
    await house.cases.close(house.firm_id, CLIENT, house.case_id)
    with pytest.raises(CaseClosed):
        await house.ask_for_account()


async def test_each_customer_asked_gets_one_message_unless_the_call_says_no(house: House) -> None:
    await house.ask_for_account(notify=False)
    assert await house.sent("login_link") == []
    await house.ask_for_account()
    assert len(await house.sent("login_link")) == 2


async def test_the_same_idempotency_key_makes_one_request(house: House) -> None:
    new = NewAccountRequest(house.case_id)
    made = [await house.account_requests.create(house.firm_id, CLIENT, new, house.once("key", b"body")) for _ in range(2)]
    assert made[0] == made[1]
    assert len(await house.account_requests.list_requests(house.firm_id, Page())) == 1


async def test_a_list_goes_newest_first_and_gives_one_more_than_the_page_holds(house: House) -> None:
    ids = [await house.ask_for_account(house.ann, notify=False) for _ in range(4)]
    first = await house.account_requests.list_requests(house.firm_id, Page(limit=2))
    assert [one.id for one in first] == ids[:0:-1]
    rest = await house.account_requests.list_requests(house.firm_id, Page(limit=2, after=first[1].id))
    assert [one.id for one in rest] == [ids[1], ids[0]]


@pytest.mark.parametrize("page", [Page(status="cancelled"), Page(case_ref="REF-9"), Page(case_id="cse-nothing000")])
async def test_a_list_is_filtered(house: House, page: Page) -> None:
    await house.ask_for_account(notify=False)
    assert await house.account_requests.list_requests(house.firm_id, page) == []


async def test_another_firm_sees_nothing(house: House) -> None:
    request_id = await house.ask_for_account(notify=False)
    other = (await house.firms.create("operator:test", "Other")).id
    assert await house.account_requests.list_requests(other, Page()) == []
    for act in (
        house.account_requests.get(other, request_id),
        house.account_requests.cancel(other, CLIENT, request_id),
        house.account_requests.resend(other, CLIENT, request_id),
        house.account_requests.freeze(other, house.ann, request_id),
    ):
        with pytest.raises(NotFound):
            await act


async def test_cancelling_closes_what_is_live_discards_the_code_and_may_be_repeated(house: House) -> None:
    request_id = await house.ask_for_account()
    begun = await house.begin_share(request_id)
    await house.come_back()
    for _ in range(2):
        assert (await house.account_requests.cancel(house.firm_id, CLIENT, request_id)).status == "cancelled"
    row = await house.row(begun.share_id)
    assert (row["state"], row["return_sealed"], row["due_at"]) == ("closed", None, None)
    await house.work()
    assert house.bank.count("exchange") == 0
    with pytest.raises(RequestEnded):
        await house.begin_share(request_id)


async def test_cancelling_is_refused_while_the_accounts_are_being_read(house: House) -> None:
    request_id = await house.ask_for_account()
    await house.begin_share(request_id)
    await house.come_back()
    hold = house.bank.next("exchange", Hold())
    working = asyncio.create_task(house.steps.step())
    await hold.arrived.wait()
    with pytest.raises(ShareLive):
        await house.account_requests.cancel(house.firm_id, CLIENT, request_id)
    hold.go.set()
    await working
    assert (await house.account_requests.cancel(house.firm_id, CLIENT, request_id)).status == "cancelled"


async def test_what_one_customer_shared_stays_when_the_rest_is_cancelled(house: House) -> None:
    request_id = await house.ask_for_account()
    await house.share(request_id)
    cancelled = await house.account_requests.cancel(house.firm_id, CLIENT, request_id)
    assert [result.customer_id for result in cancelled.results] == [house.ann]


async def test_a_completed_request_cannot_be_cancelled_or_sent_again(house: House) -> None:
    request_id = await house.ask_for_account(house.ann)
    await house.share(request_id)
    with pytest.raises(RequestEnded):
        await house.account_requests.cancel(house.firm_id, CLIENT, request_id)
    with pytest.raises(RequestEnded):
        await house.account_requests.resend(house.firm_id, CLIENT, request_id)


async def test_sending_again_reaches_only_those_who_have_not_shared(house: House) -> None:
    request_id = await house.ask_for_account(notify=False)
    await house.share(request_id)
    await house.account_requests.resend(house.firm_id, CLIENT, request_id)
    assert len(await house.sent("login_link")) == 1


async def test_a_request_expires_with_an_event_and_a_live_share_keeps_it_alive(house: House) -> None:
    request_id = await house.ask_for_account(expires_at=await house.at(60))
    await house.begin_share(request_id)
    await house.pass_time(120)
    assert await house.jobs.expire_due() == 0
    assert await house.status(request_id) == "authorising"
    await house.pass_time(900)
    await house.work()
    assert await house.jobs.expire_due() == 1
    assert await house.status(request_id) == "expired"
    assert [name for name, _ in await house.told()][-1] == "customerAccountRequest.expired"


async def test_an_expired_request_cannot_be_answered_even_before_the_job_has_seen_it(house: House) -> None:
    request_id = await house.ask_for_account(expires_at=await house.at(60))
    await house.pass_time(61)
    with pytest.raises(RequestEnded):
        await house.begin_share(request_id)


async def test_a_request_not_recognised_is_frozen_reviewed_and_told_once(house: House) -> None:
    request_id = await house.ask_for_account()
    begun = await house.begin_share(request_id, house.ben)
    for _ in range(2):
        await house.account_requests.freeze(house.firm_id, house.ann, request_id)
    assert (await house.find_share(begun.share_id)).state is ShareState.CLOSED
    with pytest.raises(RequestFrozen):
        await house.begin_share(request_id, house.ben)
    ((name, data),) = await house.told()
    assert (name, data["frozen"], data["lastFailure"]["code"]) == ("customerAccountRequest.declined", True, "not_recognised")
    assert await house.reviews() == ["unrecognised"]


async def test_what_is_being_read_when_a_request_is_frozen_is_thrown_away(house: House) -> None:
    request_id = await house.ask_for_account(house.ann)
    begun = await house.begin_share(request_id)
    await house.come_back()
    hold = house.bank.next("read_accounts", Hold())
    working = asyncio.create_task(house.steps.step())
    await hold.arrived.wait()
    await house.account_requests.freeze(house.firm_id, house.ann, request_id)
    hold.go.set()
    await working
    row = await house.row(begun.share_id)
    assert (row["state"], row["details_sealed"], row["accounts_sealed"]) == ("failed", None, None)


async def test_a_completed_request_can_still_be_frozen(house: House) -> None:
    request_id = await house.ask_for_account(house.ann)
    await house.share(request_id)
    await house.account_requests.freeze(house.firm_id, house.ann, request_id)
    found = await house.account_requests.get(house.firm_id, request_id)
    assert (found.status, found.frozen) == ("completed", True)


async def test_shared_details_are_destroyed_after_their_time_and_the_request_still_shows(house: House) -> None:
    request_id = await house.ask_for_account(house.ann)
    share_id = await house.share(request_id)
    assert await house.jobs.erase_old(after_days=90) == 0
    await house.pass_time(90 * 86_400)
    assert await house.jobs.erase_old(after_days=90) == 1
    assert (await house.row(share_id))["details_sealed"] is None
    (result,) = (await house.account_requests.get(house.firm_id, request_id)).results
    assert (result.account.account_number, result.name_match.outcome, result.name_match.compared) == (None, "exact", [])


async def test_a_customer_sees_what_they_are_asked_with_their_latest_attempt(house: House) -> None:
    request_id = await house.ask_for_account()
    await house.ask_for_account(house.ben)
    begun = await house.begin_share(request_id)
    ((request, share),) = await house.account_requests.for_customer(house.firm_id, house.case_id, house.ann)
    assert request.id == request_id
    assert share is not None
    assert share.id == begun.share_id
