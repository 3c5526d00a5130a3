"""Every quirk of the pretend banks, in a browser: a usable page at the end, the right webhook, a true state, and the debits agree.

The journeys run over the bank's own table, so that a quirk without a story here fails.
"""

from __future__ import annotations

import re
from contextlib import AsyncExitStack
from dataclasses import dataclass

import pytest
from playwright.async_api import Page, expect

from modelbank.quirks import PACKS, SHORT_SESSION_SECONDS, Pack, Quirk
from tests.journeys.customer import steps
from tests.journeys.customer.conftest import Axe, held_harbour
from tests.journeys.customer.firm import Firm, Receiver

PAID = ("creditRequest.completed", "creditRequest.received")
NOT_PAID = ("creditRequest.paymentFailed",)
SHARED = ("customerAccountRequest.completed",)
DECLINED = ("customerAccountRequest.declined",)
PLAIN_POUNDS = 100.0
JARGON = re.compile(r"\b(PSU|ASPSP|TPP|consent|redirect|null|None|undefined|error occurred|[A-Z]{2}[0-9]{2}|U0[0-9]{2})\b")


@dataclass(frozen=True, slots=True)
class Story:
    """How a journey with a quirk goes: by what it is chosen, what the customer does at the bank, and how it ends."""

    chosen_by: str  # amount, user or bank
    heading: str
    told: tuple[str, ...]
    status: str
    at_bank: str = "agree"  # or cancel, linger
    failure: str | None = None
    third_party: str | None = None


ARRIVED, GIVEN = "has been received", "Your bank details are shared"
SAID_NO, TOO_LATE = "You did not agree to share", "The time ran out"
PAYING = {
    Quirk.SWALLOWED: Story("user", ARRIVED, PAID, "received", at_bank="vanish"),
    Quirk.NO_ERROR: Story("user", "You stopped the payment", NOT_PAID, "requested", at_bank="cancel", failure="cancelled_at_bank"),
    Quirk.TWICE: Story("amount", ARRIVED, PAID, "received"),
    Quirk.SHORT_SESSION: Story("amount", "The time at", NOT_PAID, "requested", at_bank="linger", failure="timed_out"),
    Quirk.NAMELESS: Story("user", ARRIVED, PAID, "received", third_party="unknown"),
    Quirk.PARTY_ONLY: Story("amount", ARRIVED, PAID, "received", third_party="unknown"),
    Quirk.HTML_ERRORS: Story("amount", ARRIVED, PAID, "received"),
    Quirk.TOO_MANY: Story("bank", ARRIVED, PAID, "received"),
    Quirk.DOWN: Story("user", ARRIVED, PAID, "received"),
    Quirk.SLOW: Story("user", ARRIVED, PAID, "received"),
    Quirk.WRONG_SIGNATURE: Story("amount", ARRIVED, PAID, "received"),
    Quirk.CLOCK_SKEW: Story("bank", ARRIVED, PAID, "received"),
    Quirk.NO_FUNDS: Story("amount", "Not enough money", NOT_PAID, "requested", failure="insufficient_funds"),
    Quirk.OVER_LIMIT: Story("amount", "above your bank’s limit", NOT_PAID, "requested", failure="over_limit"),
    Quirk.LATE: Story("user", "turned the payment down", NOT_PAID, "requested", failure="rejected_by_bank"),
}
SHARING = {
    Quirk.SWALLOWED: Story("user", GIVEN, SHARED, "completed", at_bank="vanish"),
    Quirk.NO_ERROR: Story("user", SAID_NO, DECLINED, "requested", at_bank="cancel", failure="cancelled_at_bank"),
    Quirk.TWICE: Story("user", GIVEN, SHARED, "completed"),
    Quirk.SHORT_SESSION: Story("user", TOO_LATE, DECLINED, "requested", at_bank="linger", failure="timed_out"),
    Quirk.NAMELESS: Story("user", GIVEN, SHARED, "completed"),
    Quirk.PARTY_ONLY: Story("user", GIVEN, SHARED, "completed"),
    Quirk.HTML_ERRORS: Story("user", GIVEN, SHARED, "completed"),
    Quirk.TOO_MANY: Story("user", GIVEN, SHARED, "completed"),
}


@pytest.mark.parametrize("pack", PACKS, ids=lambda pack: pack.quirk)
async def test_a_payment_at_a_bank_with_a_quirk_ends_on_a_usable_page_and_in_a_true_state(
    pack: Pack, page: Page, firm: Firm, receiver: Receiver, axe: Axe
) -> None:
    story = PAYING[pack.quirk]
    async with AsyncExitStack() as held:
        bank = await held.enter_async_context(held_harbour(firm)) if story.chosen_by == "bank" else "mulberry"
        if story.chosen_by == "bank":
            await firm.set_bank(bank, quirks=[pack.quirk])
        pounds = pack.amount_minor / 100 if story.chosen_by == "amount" else PLAIN_POUNDS
        person = await firm.person()
        request_id = await firm.ask_to_pay(person, pounds)
        await steps.come_from_app(page, firm, person)
        payment_id = await steps.agree_to_pay(page, firm, request_id, bank)
        await steps.go_to_bank(page)
        await at_bank(page, firm, story, pack.username if story.chosen_by == "user" else "test")
        if story.at_bank == "vanish":
            assert await firm.debits(bank, payment_id) == []
            payment_id = await pay_again(page, firm)
        assert await receiver.types_of(request_id, last=story.told[-1]) == list(story.told)
    found = await firm.wait_for(f"creditRequests/{request_id}", story.status)
    await page.wait_for_url(f"**/payments/{payment_id}")
    await steps.see(page, story.heading)
    await look(page, axe)
    assert await firm.debits(bank, payment_id) == ([round(pounds * 100)] if story.told == PAID else [])
    if story.failure:
        assert found["lastFailure"]["code"] == story.failure
    if story.third_party:
        assert found["payment"]["thirdPartyPayer"] == story.third_party
    await go_on(page)


@pytest.mark.parametrize("quirk", SHARING, ids=str)
async def test_sharing_at_a_bank_with_a_quirk_ends_on_a_usable_page_and_in_a_true_state(
    quirk: Quirk, page: Page, firm: Firm, receiver: Receiver, axe: Axe
) -> None:
    story, [pack] = SHARING[quirk], [one for one in PACKS if one.quirk is quirk]
    person = await firm.person(pack.holder)
    request_id = await firm.ask_to_share(person)
    await steps.come_from_app(page, firm, person)
    await steps.agree_to_share(page, firm, request_id, "mulberry")
    await steps.go_to_bank(page)
    await at_bank(page, firm, story, pack.username)
    if story.at_bank == "vanish":
        await share_again(page, firm)
    assert await receiver.types_of(request_id, last=story.told[-1]) == list(story.told)
    found = await firm.wait_for(f"customerAccountRequests/{request_id}", story.status)
    await steps.see(page, story.heading)
    await look(page, axe)
    if story.failure:
        assert found["lastFailure"]["code"] == story.failure
    else:
        name = found["results"][0]["account"].get("accountName")
        assert name == {Quirk.NAMELESS: None, Quirk.SWALLOWED: "Test Name"}.get(quirk, pack.holder)
    await go_on(page)


async def at_bank(page: Page, firm: Firm, story: Story, username: str) -> None:
    """Do at the bank what the story wants."""
    match story.at_bank:
        case "agree":
            await steps.approve_at_bank(page, username)
        case "cancel":
            await steps.sign_in_at_bank(page, username)
            await steps.cancel_at_bank(page)
        case "linger":
            await steps.sign_in_at_bank(page, username)
            await firm.let_time_pass(page.url.split("/")[-1], SHORT_SESSION_SECONDS + 1)
            await page.click("button.primary")
            await steps.see(page, "You ran out of time")
            await page.click("main a.primary")
        case "vanish":
            await steps.approve_at_bank(page, username)
            await steps.see(page, "You can close this page")


async def pay_again(page: Page, firm: Firm) -> str:
    """Be the customer whom the bank kept: come back by oneself, choose again, and pay as somebody else."""
    await page.goto(f"{firm.house.base_url}/customer/actions")
    await page.click("main .card a.button")
    await steps.see(page, "Waiting for Mulberry Bank")
    await page.get_by_role("button", name="Choose another bank").click()
    await page.get_by_role("link", name="Mulberry Bank").click()
    await page.click(steps.PRESS)
    await page.wait_for_url("**/go")
    payment_id = page.url.split("/")[-2]
    await steps.go_to_bank(page)
    await steps.approve_at_bank(page)
    return payment_id


async def share_again(page: Page, firm: Firm) -> None:
    """Be the customer whom the bank kept: come back by oneself, choose again, and share as somebody else."""
    await page.goto(f"{firm.house.base_url}/customer/actions")
    await page.click("main .card a.button")
    await steps.see(page, "Waiting for your answer at Mulberry Bank")
    await page.get_by_role("button", name="Use another bank").click()
    await page.get_by_role("link", name="Mulberry Bank").click()
    await page.click(steps.PRESS)
    await steps.go_to_bank(page)
    await steps.approve_at_bank(page)


async def look(page: Page, axe: Axe) -> None:
    """Judge an end page: it speaks plainly, nothing is cut off, and no tool finds a barrier."""
    words = await page.inner_text("main")
    assert JARGON.findall(words) == []
    assert await page.evaluate("document.documentElement.scrollWidth <= document.documentElement.clientWidth")
    await axe(page)


async def go_on(page: Page) -> None:
    """Take the first way on, and find a page with a heading there."""
    await page.locator("main a.button, main form button.button, main .back a").first.click()
    await expect(page.get_by_role("heading", level=1)).not_to_be_empty()
    await expect(page.locator("main a, main button").first).to_be_visible()
