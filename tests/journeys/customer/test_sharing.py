"""Sharing bank details: in one browser, in two, refused, ended."""

from __future__ import annotations

from playwright.async_api import Page, expect

from tests.journeys.customer import steps
from tests.journeys.customer.conftest import Axe, NewPage
from tests.journeys.customer.firm import Firm, Receiver


async def test_of_several_accounts_the_customer_shares_one_and_the_firm_gets_it_with_the_name_compared(
    page: Page, firm: Firm, receiver: Receiver, harbour: str, axe: Axe
) -> None:
    person = await firm.person("Mr Test Name")
    request_id = await firm.ask_to_share(person)
    await steps.come_from_app(page, firm, person)
    await page.click("main .card a.button")
    await axe(page)
    await page.click(steps.GO)
    await axe(page)
    await page.get_by_role("link", name="Harbour Building Society").click()
    await axe(page)
    await page.click(steps.PRESS)
    await page.wait_for_selector("#username")
    await steps.approve_at_bank(page, accounts=(1, 2))
    await steps.see(page, "Which account should")
    await axe(page)
    await page.click(steps.PRESS)
    await expect(page.locator(".problems")).to_be_focused()
    await page.get_by_label("ending 0202").check()
    await page.click(steps.PRESS)
    await steps.see(page, "Your bank details are shared")
    await axe(page)
    told = await receiver.types_of(request_id, last="customerAccountRequest.completed")
    assert told == ["customerAccountRequest.completed"]
    assert receiver.refused == []
    result = (await firm.get(f"customerAccountRequests/{request_id}"))["results"][0]
    assert result["account"]["accountNumber"].endswith("0202")
    assert result["nameMatch"]["outcome"] == "exact"
    assert result["reviewRequired"] is False
    await page.goto(f"{firm.house.base_url}/customer/consents")
    await expect(page.locator("main")).to_contain_text("Read once, then closed")
    await axe(page)


async def test_another_browser_must_enter_a_fresh_code_before_anything_is_shared(
    page: Page, new_page: NewPage, firm: Firm, harbour: str, axe: Axe
) -> None:
    person = await firm.person()
    request_id = await firm.ask_to_share(person)
    await steps.come_from_app(page, firm, person)
    share_id = await steps.agree_to_share(page, firm, request_id, harbour)
    other = await new_page()
    await other.goto(await steps.bank_address(page, firm))
    await steps.approve_at_bank(other, accounts=(2,))
    await steps.see(other, "One more code before we share")
    await axe(other)
    await page.goto(f"{firm.house.base_url}/customer/shares/{share_id}")
    await steps.see(page, "Enter the code in the other window")
    await axe(page)
    assert (await firm.get(f"customerAccountRequests/{request_id}"))["status"] == "authorising"
    [code] = await firm.codes(person)
    await other.fill("#code", "12")
    await other.click(steps.PRESS)
    await expect(other.locator(".problems")).to_contain_text("Enter the 6 digits")
    await other.fill("#code", "000000" if code != "000000" else "111111")
    await other.click(steps.PRESS)
    await expect(other.locator(".problems")).to_contain_text("You have 4 tries left")
    await other.fill("#code", code)
    await other.click(steps.PRESS)
    await steps.see(other, "Sharing is done")
    await axe(other)
    assert person.name not in await other.inner_text("body")
    await steps.see(page, "Your bank details are shared")
    await firm.wait_for(f"customerAccountRequests/{request_id}", "completed")


async def test_a_customer_says_no_at_the_bank_or_ends_the_access_and_nothing_is_shared(
    page: Page, firm: Firm, harbour: str, axe: Axe
) -> None:
    person = await firm.person()
    request_id = await firm.ask_to_share(person)
    await steps.come_from_app(page, firm, person)
    await steps.agree_to_share(page, firm, request_id, harbour)
    await steps.go_to_bank(page)
    await steps.sign_in_at_bank(page, "test")
    await steps.cancel_at_bank(page)
    await expect(page.locator("main .state.bad")).to_be_visible(timeout=40_000)
    await axe(page)
    await steps.agree_to_share(page, firm, request_id, harbour)
    await page.goto(f"{firm.house.base_url}/customer/consents")
    await page.get_by_role("link", name="End this access").click()
    await axe(page)
    await page.click(steps.PRESS)
    await steps.see(page, "Access is ended")
    await axe(page)
    found = await firm.get(f"customerAccountRequests/{request_id}")
    assert found["status"] == "requested"
    assert not found.get("results")
