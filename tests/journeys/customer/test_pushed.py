"""A bank that takes pushed requests alone: its addresses live a minute and work once, and the customer need not know."""

from __future__ import annotations

import httpx
import pytest
from playwright.async_api import Page, expect

from tests.journeys.customer import steps
from tests.journeys.customer.conftest import Axe, NewPage
from tests.journeys.customer.firm import Firm

PENCE = 100_00
HARBOUR = "Harbour Building Society"


async def back_from_bank(page: Page) -> None:
    """Press "Back" at the bank, and find the way there as it was."""
    await page.go_back()
    await expect(page.locator(steps.GO)).to_have_text(f"Go to {HARBOUR} now")


@pytest.mark.parametrize("scripts", [True, False], ids=["with scripts", "without"])
async def test_a_customer_who_goes_back_and_there_again_pays_once(
    new_page: NewPage, firm: Firm, harbour: str, *, scripts: bool
) -> None:
    page = await new_page(scripts=scripts)
    person = await firm.person()
    request_id = await firm.ask_to_pay(person)
    await steps.sign_in(page, firm, person)
    payment_id = await steps.agree_to_pay(page, firm, request_id, harbour)
    used = await steps.bank_address(page, firm)
    assert "request_uri=urn" in used
    assert [await knock(used) for _ in range(2)] == [303, 400]
    visits = set()
    for _ in range(2):
        await steps.go_to_bank(page)
        visits.add(page.url)
        await back_from_bank(page)
    await steps.go_to_bank(page)
    assert page.url not in visits
    await steps.approve_at_bank(page)
    if not scripts:
        await page.locator("main form button, main a.primary").first.click()  # the bank's way back, by hand
    await firm.wait_for(f"creditRequests/{request_id}", "received")
    await page.goto(f"{firm.house.base_url}/customer/payments/{payment_id}/bank")  # a bookmark
    await steps.see(page, "Your £100.00 has been received")
    assert await firm.debits(harbour, payment_id) == [PENCE]


async def test_a_customer_who_goes_back_and_there_again_shares_once(page: Page, firm: Firm, harbour: str) -> None:
    person = await firm.person()
    request_id = await firm.ask_to_share(person)
    await steps.come_from_app(page, firm, person)
    await steps.agree_to_share(page, firm, request_id, harbour)
    await steps.go_to_bank(page)
    await back_from_bank(page)
    other_tab = await page.context.new_page()
    await other_tab.goto(page.url)
    await steps.go_to_bank(other_tab)
    await steps.approve_at_bank(other_tab)
    await steps.see(other_tab, "Your bank details are shared")
    await page.click(steps.GO)  # in the tab that was left
    await steps.see(page, "Your bank details are shared")
    await page.goto(f"{firm.house.base_url}/customer/consents")
    await expect(page.locator("main")).to_contain_text("Read once, then closed")
    found = await firm.get(f"customerAccountRequests/{request_id}")
    assert len(found["results"]) == 1


async def test_a_bank_that_takes_no_request_just_now_leaves_a_way_on_and_nothing_is_lost(
    page: Page, firm: Firm, harbour: str, axe: Axe
) -> None:
    person = await firm.person()
    paid, shared = await firm.ask_to_pay(person), await firm.ask_to_share(person)
    await steps.come_from_app(page, firm, person)
    payment_id = await steps.agree_to_pay(page, firm, paid, harbour)
    await firm.set_bank(harbour, down=True)
    for _ in range(2):
        await page.click(steps.GO)
        await steps.see(page, f"We could not send you to {HARBOUR}")
        await expect(page.locator("main")).to_contain_text("Nothing was paid.")
    await axe(page)
    await page.get_by_role("button", name="Choose another bank").click()
    await steps.see(page, "Choose your bank")
    await firm.set_bank(harbour, down=False)
    await steps.agree_to_share(page, firm, shared, harbour)
    await firm.set_bank(harbour, down=True)
    await page.click(steps.GO)
    await expect(page.locator("main")).to_contain_text("Nothing was shared.")
    await axe(page)
    await firm.set_bank(harbour, down=False)
    await steps.go_to_bank(page)  # "Try again"
    await steps.approve_at_bank(page)
    await steps.see(page, "Your bank details are shared")
    assert await firm.debits(harbour, payment_id) == []


async def knock(address: str) -> int:
    """Return the status of a bank's page, which somebody else asks for: its name leads here in browsers, not in every resolver."""
    url = httpx.URL(address)
    async with httpx.AsyncClient(trust_env=False) as http:
        return (await http.get(url.copy_with(host="127.0.0.1"), headers={"host": url.netloc.decode()})).status_code
