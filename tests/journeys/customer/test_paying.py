"""Paying, from the firm's call to the money's arrival, in a real browser at a real (pretend) bank."""

from __future__ import annotations

import asyncio

import pytest
from playwright.async_api import Page, expect

from tests.journeys.conftest import record_of
from tests.journeys.customer import steps
from tests.journeys.customer.conftest import Axe, NewPage
from tests.journeys.customer.firm import Firm, Receiver

PENCE = 100_00


async def test_a_customer_signs_in_and_pays_and_the_firm_is_told_twice(
    page: Page, firm: Firm, receiver: Receiver, axe: Axe
) -> None:
    person = await firm.person()
    request_id = await firm.ask_to_pay(person)
    await steps.sign_in(page, firm, person)
    await axe(page)
    await page.click("main .card a.button")
    await axe(page)
    await page.get_by_role("link", name="Mulberry Bank").click()
    await expect(page.get_by_role("button", name="Pay £100.00 with Mulberry Bank")).to_be_visible()
    await axe(page)
    await page.click(steps.PRESS)
    await page.wait_for_selector("#username")  # goes on by itself
    await steps.approve_at_bank(page)
    await expect(page.locator("main .state.good")).to_be_visible(timeout=40_000)
    payment_id = page.url.split("/")[-1]
    await steps.see(page, "Your £100.00 has been received")  # by itself, from "You have paid"
    await axe(page)
    await page.click(steps.GO)
    await expect(page.locator("main")).to_contain_text("Account ending 0201 at Mulberry Bank")
    await axe(page)
    told = await receiver.types_of(request_id, last="creditRequest.received")
    assert told == ["creditRequest.completed", "creditRequest.received"]
    assert receiver.refused == []
    assert await firm.debits("mulberry", payment_id) == [PENCE]
    result = await firm.get(f"creditRequests/{request_id}")
    assert result["payment"]["thirdPartyPayer"] == "no"
    prism = record_of(firm.house.folder)  # without Prism or the documents there is none
    assert not prism.exists() or "POST /mulberry/pisp/domestic-payments 201" in prism.read_text()


async def test_a_customer_of_the_firms_app_pays_by_a_login_grant(page: Page, firm: Firm, receiver: Receiver) -> None:
    person = await firm.person()
    request_id = await firm.ask_to_pay(person)
    await steps.come_from_app(page, firm, person)
    payment_id = await steps.agree_to_pay(page, firm, request_id)
    await steps.go_to_bank(page)
    await steps.approve_at_bank(page)
    told = await receiver.types_of(request_id, last="creditRequest.received")
    assert told == ["creditRequest.completed", "creditRequest.received"]
    assert await firm.debits("mulberry", payment_id) == [PENCE]


async def test_everything_works_without_javascript(new_page: NewPage, firm: Firm) -> None:
    page = await new_page(scripts=False)
    person = await firm.person()
    request_id = await firm.ask_to_pay(person)
    await steps.sign_in(page, firm, person)
    await page.click("main .card a.button")
    await page.fill("#q", "mulb")
    await page.click("main .search button")
    await page.get_by_role("link", name="Mulberry Bank").click()
    await page.click(steps.PRESS)
    await steps.go_to_bank(page)
    await steps.approve_at_bank(page)
    await page.locator("main form button, main a.primary").first.click()  # the bank's way back, by hand
    await page.wait_for_url(f"{firm.house.base_url}/customer/payments/*")
    await firm.wait_for(f"creditRequests/{request_id}", "received")
    await steps.see(page, "received")  # by itself, without JavaScript too
    await page.click(steps.GO)
    await steps.see(page, "Receipt")


@pytest.mark.parametrize(
    ("username", "failure", "says"),
    [
        ("test", "cancelled_at_bank", "Nothing was paid"),
        ("poor", "insufficient_funds", "Nothing was paid"),
        ("late", "rejected_by_bank", "Nothing was paid"),
    ],
)
async def test_a_payment_that_fails_says_why_and_can_be_tried_again(
    page: Page, firm: Firm, axe: Axe, username: str, failure: str, says: str
) -> None:
    person = await firm.person()
    request_id = await firm.ask_to_pay(person)
    await steps.come_from_app(page, firm, person)
    payment_id = await steps.agree_to_pay(page, firm, request_id)
    await steps.go_to_bank(page)
    if username == "late":
        await steps.approve_at_bank(page, username)
    else:
        await steps.sign_in_at_bank(page, username)
        await steps.cancel_at_bank(page)
    await expect(page.locator("main .state")).to_have_text(says, timeout=40_000)
    await axe(page)
    assert await firm.debits("mulberry", payment_id) == []
    request = await firm.wait_for(f"creditRequests/{request_id}", "requested")
    assert request["lastFailure"]["code"] == failure
    await page.goto(f"{firm.house.base_url}/customer/pay/{request_id}")
    await steps.see(page, "Choose your bank")


async def test_choosing_another_bank_and_pressing_twice_or_back_leads_to_one_debit(page: Page, firm: Firm, harbour: str) -> None:
    person = await firm.person()
    request_id = await firm.ask_to_pay(person)
    await steps.come_from_app(page, firm, person)
    first = await steps.agree_to_pay(page, firm, request_id)
    other_tab = await page.context.new_page()
    await other_tab.goto(f"{firm.house.base_url}/customer/pay/{request_id}/check?bank={harbour}")
    await steps.see(other_tab, "Waiting for Mulberry Bank")
    await other_tab.get_by_role("button", name="Choose another bank").click()
    await steps.see(other_tab, "Choose your bank")
    await other_tab.goto(f"{firm.house.base_url}/customer/pay/{request_id}/check?bank={harbour}")
    form = await other_tab.evaluate("Object.fromEntries(new FormData(document.querySelector('main form')))")
    address = other_tab.url.split("?")[0]
    presses = [other_tab.request.post(address, form=form, max_redirects=0) for _ in range(5)]
    led_to = {(await press).headers["location"].removesuffix("/go") for press in asyncio.as_completed(presses)}
    assert len(led_to) == 1
    second = led_to.pop().split("/")[-1]
    assert second != first
    await other_tab.goto(f"{firm.house.base_url}/customer/payments/{second}/go")
    await steps.go_to_bank(other_tab)
    await steps.approve_at_bank(other_tab)
    await firm.wait_for(f"creditRequests/{request_id}", "completed", "received")
    await other_tab.goto(f"{firm.house.base_url}/customer/pay/{request_id}/check?bank=mulberry")  # a bookmark, or "back"
    assert other_tab.url.endswith(f"/payments/{second}")
    assert await firm.debits("harbour", second) == [PENCE]
    assert await firm.debits("mulberry", first) == []


async def test_a_payment_that_comes_back_in_another_browser_goes_on_and_tells_no_names(
    page: Page, new_page: NewPage, firm: Firm, axe: Axe
) -> None:
    person = await firm.person()
    request_id = await firm.ask_to_pay(person)
    await steps.come_from_app(page, firm, person)
    payment_id = await steps.agree_to_pay(page, firm, request_id)
    other = await new_page()
    await other.goto(await steps.bank_address(page, firm))
    await steps.approve_at_bank(other)
    await steps.see(other, "Your bank has answered")  # by itself, from "is being checked"
    await axe(other)
    text = await other.inner_text("body")
    assert "100.00" not in text
    assert person.name not in text
    assert (await other.goto(f"{firm.house.base_url}/customer/payments/{payment_id}/receipt")) is not None
    await steps.see(other, "Who are you?")
    await firm.wait_for(f"creditRequests/{request_id}", "received")
    assert await firm.debits("mulberry", payment_id) == [PENCE]


async def test_a_bank_that_never_sends_the_customer_back_leaves_no_debit_and_a_way_on(
    page: Page, firm: Firm, harbour: str, axe: Axe
) -> None:
    await firm.set_bank(harbour, quirks=["swallowed"])
    person = await firm.person()
    request_id = await firm.ask_to_pay(person)
    await steps.come_from_app(page, firm, person)
    payment_id = await steps.agree_to_pay(page, firm, request_id, harbour)
    await steps.go_to_bank(page)
    await steps.approve_at_bank(page)
    await page.wait_for_url("**/return/*")
    await page.goto(f"{firm.house.base_url}/customer/actions")
    await page.click("main .card a.button")
    await steps.see(page, "Waiting for Harbour Building Society")
    await axe(page)
    await page.get_by_role("button", name="Choose another bank").click()
    await steps.see(page, "Choose your bank")
    assert await firm.debits(harbour, payment_id) == []


async def test_a_bank_out_of_reach_is_greyed_with_the_reason_until_it_answers_again(
    page: Page, firm: Firm, harbour: str, axe: Axe
) -> None:
    await firm.set_bank(harbour, down=True)
    person = await firm.person()
    request_id = await firm.ask_to_pay(person)
    await steps.come_from_app(page, firm, person)
    await page.goto(f"{firm.house.base_url}/customer/pay/{request_id}/check?bank={harbour}")
    for _ in range(5):
        await page.click(steps.PRESS)
        await expect(page.locator("main")).to_contain_text("We could not reach Harbour Building Society. Nothing was paid.")
    await page.goto(f"{firm.house.base_url}/customer/pay/{request_id}")
    await expect(page.locator(".bank.out")).to_contain_text("Not answering since")
    await axe(page)
    await firm.set_bank(harbour, down=False)
    await steps.agree_to_pay(page, firm, request_id, harbour)
    await page.goto(f"{firm.house.base_url}/customer/pay/{request_id}")
    await page.get_by_role("button", name="Choose another bank").click()
    await expect(page.get_by_role("link", name="Harbour Building Society")).to_be_visible()


async def test_a_request_taken_back_or_not_recognised_while_the_customer_looks_is_never_paid(
    page: Page, firm: Firm, axe: Axe
) -> None:
    person = await firm.person()
    taken_back, strange = await firm.ask_to_pay(person), await firm.ask_to_pay(person, description="Something else")
    await steps.come_from_app(page, firm, person)
    payment_id = await steps.agree_to_pay(page, firm, taken_back)
    await firm.post(f"creditRequests/{taken_back}/cancel")
    await steps.go_to_bank(page)
    await steps.approve_at_bank(page)
    await steps.see(page, "This request was cancelled")
    await axe(page)
    assert await firm.debits("mulberry", payment_id) == []
    await page.goto(f"{firm.house.base_url}/customer/pay/{strange}/check?bank=mulberry")
    other_tab = await page.context.new_page()
    await other_tab.goto(f"{firm.house.base_url}/customer/unrecognised/{strange}")
    await axe(other_tab)
    await other_tab.click(steps.PRESS)
    await steps.see(other_tab, "We have stopped it")
    await page.click(steps.PRESS)
    await steps.see(page, "We have stopped it")
    await axe(page)


async def test_a_customer_pays_in_parts_at_two_banks_with_a_running_total_and_a_receipt_each(
    page: Page, firm: Firm, receiver: Receiver, axe: Axe, harbour: str
) -> None:
    person = await firm.person()
    request_id = await firm.ask_to_pay(person, allow_split=True)
    await steps.come_from_app(page, firm, person)
    await page.goto(f"{firm.house.base_url}/customer/pay/{request_id}/check?bank=mulberry")
    await page.get_by_text("Pay a part now", exact=True).click()
    await page.fill("#part", "half")
    await page.get_by_role("button", name="Change the amount").click()
    await expect(page.locator(".problems")).to_contain_text("Enter an amount in pounds")
    await axe(page)
    await page.fill("#part", "£40")
    await page.get_by_role("button", name="Change the amount").click()
    await page.get_by_role("button", name="Pay £40.00 with Mulberry Bank").click()
    await page.wait_for_selector("#username")
    await steps.approve_at_bank(page)
    await steps.see(page, "£40.00")
    first = page.url.split("/")[-1]
    assert (await firm.wait_for(f"creditRequests/{request_id}", "partlyPaid"))["partlyPaid"] == {
        "paid": 40.0, "inFlight": 0.0, "outstanding": 60.0,
    }  # fmt: skip
    await page.reload()
    await axe(page)
    await page.get_by_role("link", name="Pay the rest").click()
    await expect(page.locator("main")).to_contain_text("£60.00")
    await expect(page.get_by_role("link", name="see the receipt")).to_have_count(1)
    await axe(page)
    await page.goto(f"{firm.house.base_url}/customer/pay/{request_id}/check?bank={harbour}")
    await page.get_by_role("button", name="Pay £60.00 with").click()
    await page.wait_for_selector("#username")
    await steps.approve_at_bank(page)
    await firm.wait_for(f"creditRequests/{request_id}", "completed", "received")
    second = page.url.split("/")[-1]
    assert await firm.debits("mulberry", first) == [40_00]
    assert await firm.debits(harbour, second) == [60_00]
    told = await receiver.types_of(request_id, last="creditRequest.received")
    assert told == ["creditRequest.partlyPaid", "creditRequest.completed", "creditRequest.received"]
