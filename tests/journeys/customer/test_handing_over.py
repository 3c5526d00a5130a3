"""From the computer to the phone in two real browsers: begun at 1280 pixels, paid at 360, and both end on the same page."""

from __future__ import annotations

import re

import asyncpg
from playwright.async_api import Page, expect

from strongroom.portal.qr import qr_svg
from tests.journeys.customer import steps
from tests.journeys.customer.conftest import Axe, NewPage
from tests.journeys.customer.firm import Firm

COMPUTER, PHONE = 1280, 360


async def read_code(computer: Page) -> str:
    """Return what the code on the page holds: the address beside it, which is drawn here again and must give the same code."""
    address = await computer.locator("[data-phone-address]").inner_text()
    drawn = re.search(r'd="([^"]+)"', qr_svg(address))
    assert drawn is not None
    assert await computer.locator(".qr svg path").get_attribute("d") == drawn[1]
    return address


async def open_on_phone(phone: Page, address: str) -> str:
    """Scan, press the button, and return the number that the phone shows."""
    await phone.goto(address)
    await steps.see(phone, "Go on with this phone?")
    await phone.click(steps.PRESS)
    await steps.see(phone, "Type this number")
    return await phone.locator(".big-number").inner_text()


async def test_a_payment_begun_at_the_computer_is_paid_on_the_phone_and_both_show_the_result(
    new_page: NewPage, firm: Firm, axe: Axe
) -> None:
    computer, phone, thief = await new_page(width=COMPUTER), await new_page(width=PHONE), await new_page(width=PHONE)
    person = await firm.person()
    request_id = await firm.ask_to_pay(person)
    await firm.ask_to_pay(person, description="Something else")
    await steps.come_from_app(computer, firm, person)
    await computer.goto(f"{firm.house.base_url}/customer/pay/{request_id}")
    await expect(computer.locator(".hand-off .state")).to_have_text("Waiting for your phone")
    assert await computer.locator(".bank-mark img").first.evaluate("image => image.complete && image.naturalWidth > 0")
    await axe(computer)
    address = await read_code(computer)
    number = await open_on_phone(phone, address)
    await axe(phone)
    await thief.goto(address)
    await steps.see(thief, "This code has been used")
    await axe(thief)

    await steps.see(computer, "A phone has scanned your code")  # the page with the banks went on by itself
    await axe(computer)
    await computer.fill("#number", f"{(int(number) + 1) % 10_000:04d}")
    await computer.click(steps.PRESS)
    await expect(computer.locator(".problems")).to_contain_text("2 tries left")
    await axe(computer)
    await computer.fill("#number", f"{number[:2]} {number[2:]}")
    await computer.get_by_role("button", name="Go on with that phone").click()
    await steps.see(computer, "Continue on your phone")
    await axe(computer)

    await steps.see(phone, "Choose your bank")  # and so did the phone
    await expect(phone.locator(".hand-off")).to_have_count(0)
    await axe(phone)
    await phone.get_by_role("link", name="Mulberry Bank").click()
    await expect(phone.locator(".bank-head")).to_contain_text("Mulberry Bank")
    await phone.click(steps.PRESS)
    await expect(computer.locator("main .state")).to_contain_text("You are at Mulberry Bank on your phone")
    await phone.wait_for_selector("#username")
    await steps.approve_at_bank(phone)

    for page in (computer, phone):
        await expect(page.locator("main .state.good")).to_be_visible(timeout=40_000)
        await expect(page.locator("main")).to_contain_text("£100.00")
        await axe(page)
    assert computer.url == phone.url
    assert re.search(r"/customer/payments/pay-\w+$", phone.url)
    await firm.wait_for(f"creditRequests/{request_id}", "received")
    assert await firm.debits("mulberry", phone.url.split("/")[-1]) == [100_00]
    await phone.goto(f"{firm.house.base_url}/customer/actions")
    await expect(phone.locator("main")).not_to_contain_text("Something else")
    await thief.goto(address)
    await steps.see(thief, "This code has been used")


async def test_it_works_without_javascript_on_both_screens(new_page: NewPage, firm: Firm) -> None:
    computer, phone = await new_page(scripts=False, width=COMPUTER), await new_page(scripts=False, width=PHONE)
    person = await firm.person()
    request_id = await firm.ask_to_pay(person)
    await steps.sign_in(computer, firm, person)
    await computer.goto(f"{firm.house.base_url}/customer/pay/{request_id}")
    number = await open_on_phone(phone, await read_code(computer))
    await computer.get_by_role("link", name="I have scanned it").click()
    await computer.fill("#number", number)
    await computer.get_by_role("button", name="Go on with that phone").click()
    await steps.see(phone, "Choose your bank")  # by the page's own refresh
    await phone.get_by_role("link", name="Mulberry Bank").click()
    await phone.click(steps.PRESS)
    await steps.go_to_bank(phone)
    await steps.approve_at_bank(phone)
    await phone.locator("main form button, main a.primary").first.click()  # the bank's way back, by hand
    await phone.wait_for_url(f"{firm.house.base_url}/customer/payments/*")
    await steps.see(computer, "£100.00")  # paid, and perhaps received by now: the page that says so goes on by itself no more
    await firm.wait_for(f"creditRequests/{request_id}", "received")
    for page in (computer, phone):
        await page.reload()
        await steps.see(page, "Your £100.00 has been received")


async def test_bank_details_are_shared_on_the_phone_while_the_computer_follows(
    new_page: NewPage, firm: Firm, axe: Axe, harbour: str
) -> None:
    computer, phone = await new_page(width=COMPUTER), await new_page(width=PHONE)
    person = await firm.person()
    request_id = await firm.ask_to_share(person)
    await steps.come_from_app(computer, firm, person)
    await computer.goto(f"{firm.house.base_url}/customer/share/{request_id}/bank")
    number = await open_on_phone(phone, await read_code(computer))
    await steps.see(computer, "A phone has scanned your code")
    await computer.fill("#number", number)
    await computer.get_by_role("button", name="Go on with that phone").click()
    await steps.see(phone, "Where is your account?")
    await axe(phone)
    await steps.agree_to_share(phone, firm, request_id, harbour)
    await steps.go_to_bank(phone)
    await steps.approve_at_bank(phone)
    for page in (computer, phone):
        await expect(page.locator("main .state.good")).to_be_visible(timeout=40_000)
    assert computer.url == phone.url


async def test_a_code_that_is_too_old_says_so_in_plain_words(new_page: NewPage, firm: Firm, axe: Axe) -> None:
    computer, phone = await new_page(width=COMPUTER), await new_page(width=PHONE)
    person = await firm.person()
    request_id = await firm.ask_to_pay(person)
    await steps.come_from_app(computer, firm, person)
    await computer.goto(f"{firm.house.base_url}/customer/pay/{request_id}")
    address = await read_code(computer)
    connection = await asyncpg.connect(firm.house.postgres_dsn)
    await connection.execute(
        "UPDATE hand_offs SET created_at = created_at - interval '5 minutes' WHERE request_id = $1", request_id
    )
    await connection.close()
    await phone.goto(address)
    await steps.see(phone, "This code is too old")
    await axe(phone)
    await expect(computer.locator(".hand-off .state")).to_contain_text("This code is too old", timeout=40_000)
    await computer.reload()
    assert await read_code(computer) != address
