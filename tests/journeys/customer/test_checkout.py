"""The pretend shop of `make run`: one purchase with each card, and what a cardholder sees when it does not go well."""

from __future__ import annotations

import asyncio
import json
import re
import subprocess
from typing import Any

import httpx
import pytest
from playwright.async_api import Page, expect

from tests.journeys.conftest import House
from tests.journeys.customer.conftest import Axe, NewPage

WAIT_SECONDS = 60.0
POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; form-action 'self'; "
    "base-uri 'none'; frame-ancestors 'none'; require-trusted-types-for 'script'"
)


def report(house: House) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((house.folder / "dev.json").read_text())
    return found


async def begin(page: Page, house: House, card: str) -> None:
    """Fill the basket and choose a card."""
    await page.goto(report(house)["checkout_url"])
    await page.check(f"input[value={card}]")
    await page.click("button")
    await page.wait_for_url("**/purchases/*")


async def type_code(page: Page, code: str) -> None:
    await page.fill("#otp", code)
    await page.click("button:has-text('Confirm')")


async def heading(page: Page, text: str) -> None:
    await expect(page.locator("h1")).to_have_text(text)


async def codes_sent(house: House) -> list[str]:
    """Return the codes for purchases that messages brought, the newest last."""
    async with httpx.AsyncClient(trust_env=False) as client:
        messages = (await client.get(f"{house.inbox_url}/messages")).json()
    return [found[0] for message in messages if (found := re.search(r"^\d{6}(?= is your code to pay)", message["text"]))]


async def next_code(house: House, before: list[str]) -> str:
    """Return the code that comes after those that had come before."""
    for _ in range(round(WAIT_SECONDS / 0.2)):
        codes = await codes_sent(house)
        if len(codes) > len(before):
            return codes[-1]
        await asyncio.sleep(0.2)
    raise AssertionError("no code came")


@pytest.mark.parametrize("scripts", [True, False])
async def test_a_purchase_is_confirmed_by_a_message(scripts: bool, new_page: NewPage, house: House, axe: Axe) -> None:
    page, before = await new_page(scripts=scripts), await codes_sent(house)
    await begin(page, house, "sms")
    await heading(page, "Confirm your purchase")
    await next_code(house, before)
    before = await codes_sent(house)
    await type_code(page, "")
    await expect(page.locator("#fault")).to_have_text("Type the code to go on.")
    await page.click("button:has-text('Send another')")
    await expect(page.locator("[role=status]")).to_contain_text("Another message")
    code = await next_code(house, before)
    await type_code(page, f"{(int(code) + 1) % 1_000_000:06d}")
    await expect(page.locator("#fault")).to_have_text("That code is not right.")
    if scripts:
        await axe(page)
        await page.emulate_media(color_scheme="dark")
        await axe(page)
    await type_code(page, f" {code[:3]} {code[3:]} ")
    await heading(page, "Thank you")
    await page.click("summary")
    await expect(page.locator("details")).to_contain_text("checked and used up for this order")
    await expect(page.locator("details")).to_contain_text("1500.00")
    if scripts:
        await axe(page)
    await page.reload()
    await heading(page, "Thank you")


@pytest.mark.needs("oathtool")
async def test_a_purchase_is_confirmed_by_a_device_until_it_is_locked(new_page: NewPage, house: House, axe: Axe) -> None:
    page = await new_page()
    await begin(page, house, "hotp")
    command = (await page.inner_text("pre")).split()
    assert command[0] == "oathtool"
    shown = await asyncio.to_thread(subprocess.run, command, capture_output=True, text=True, check=True)
    await axe(page)
    await type_code(page, shown.stdout.split()[0])
    await heading(page, "Thank you")
    await begin(page, house, "hotp")
    for _ in range(4):
        await type_code(page, "000000")
        await expect(page.locator("#fault")).to_be_visible()
    await type_code(page, "000000")
    await heading(page, "Too many wrong codes")
    await axe(page)
    await page.click("a.button")
    await heading(page, "Your basket")
    await axe(page)


async def test_what_is_not_there_says_so_and_leads_back(page: Page, house: House, axe: Axe) -> None:
    base = report(house)["checkout_url"]
    for path, text in (("/purchases/pur-0000000000000", "This purchase is not known"), ("/nothing", "There is no such page")):
        await page.goto(base + path)
        await heading(page, text)
        await axe(page)
        await expect(page.locator("a.button")).to_have_text("Back to the basket")


async def test_the_pages_have_the_strict_policy_and_the_basket_asks_for_a_card(house: House) -> None:
    async with httpx.AsyncClient(base_url=report(house)["checkout_url"], trust_env=False) as client:
        shown = await client.get("/")
        assert shown.headers["content-security-policy"] == POLICY
        for card in report(house)["safetoken_cards"]:
            assert card["pan"] not in shown.text
            assert not card["seed"] or card["seed"] not in shown.text
        asked = await client.post("/pay", data={"card": "none"})
        assert asked.status_code == 422
        assert "Choose a card to pay with." in asked.text
