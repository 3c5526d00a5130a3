"""Pages without login, wrong addresses, and forms with mistakes."""

from __future__ import annotations

import pytest
from playwright.async_api import Page, expect

from tests.journeys.customer import steps
from tests.journeys.customer.conftest import Axe
from tests.journeys.customer.firm import Firm

NOT_FOUND = 404


@pytest.mark.parametrize(
    ("address", "heading"),
    [
        ("/", "See what you are asked to do"),
        ("/customer/genuine", "Is this genuine?"),
        ("/customer/help", "Help"),
        ("/customer/privacy", "Cookies and privacy"),
        ("/customer/actions", "Who are you?"),
        ("/customer/return", "Back from your bank"),
    ],
)
async def test_a_page_is_there_without_login(page: Page, firm: Firm, axe: Axe, address: str, heading: str) -> None:
    await page.goto(f"{firm.house.base_url}{address}")
    await steps.see(page, heading)
    await axe(page)


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [360, 1280])
async def test_the_apis_documentation_can_be_read_by_everybody(page: Page, firm: Firm, axe: Axe, width: int, scheme: str) -> None:
    await page.set_viewport_size({"width": width, "height": 900})
    await page.emulate_media(color_scheme=scheme)  # type: ignore[arg-type]  # one of the two
    await page.goto(f"{firm.house.base_url}/api/doc")
    await axe(page)
    assert await page.evaluate("document.documentElement.scrollWidth") <= width


async def test_how_to_check_a_firm_is_told_with_its_registered_name_and_colour(page: Page, firm: Firm, axe: Axe) -> None:
    await page.goto(f"{firm.house.base_url}/customer/genuine?firm={firm.house.firm_id}")
    await expect(page.locator("main")).to_contain_text("Finch Solicitors LLP")
    await expect(page.locator("main")).not_to_contain_text("Regulated by")
    accent = await page.evaluate("getComputedStyle(document.documentElement).getPropertyValue('--accent').trim()")
    assert accent == "#1b5e52"
    await axe(page)


@pytest.mark.parametrize(
    "address",
    [
        "/customer/nowhere", "/customer/pay/csp-nowhere", "/customer/payments/pay-nowhere", "/customer/pay/%00",
        "/customer/return?state=unknown", "/customer/consents/shr-nowhere/revoke", "/customer/unrecognised/xx",
    ],
)  # fmt: skip
async def test_a_wrong_address_is_a_page_with_a_reference_and_the_way_back(page: Page, firm: Firm, axe: Axe, address: str) -> None:
    await steps.come_from_app(page, firm, await firm.person())
    answer = await page.goto(f"{firm.house.base_url}{address}")
    assert answer is not None
    assert answer.status == NOT_FOUND
    await steps.see(page, "There is no such page")
    await expect(page.locator("main")).to_contain_text("req-")
    await axe(page)


async def test_what_was_typed_stays_beside_what_is_wrong_with_it(page: Page, firm: Firm, axe: Axe) -> None:
    await page.goto(f"{firm.house.base_url}/customer/login")
    await page.fill("#email", "ada@example")
    await page.fill("[name=day]", "31")
    await page.fill("[name=month]", "2")
    await page.click(steps.PRESS)
    await expect(page).to_have_title("Error: Who are you? – Strongroom")
    await expect(page.locator(".problems")).to_be_focused()
    await expect(page.locator("#email")).to_have_value("ada@example")
    await expect(page.locator("[name=day]")).to_have_value("31")
    await axe(page)


async def test_a_form_from_somewhere_else_does_nothing(page: Page, firm: Firm) -> None:
    await steps.come_from_app(page, firm, await firm.person())
    answer = await page.request.post(f"{firm.house.base_url}/customer/sign-out", form={})
    assert answer.status == 403  # Forbidden
    await page.goto(f"{firm.house.base_url}/customer/actions")
    await steps.see(page, "What you are asked to do")
