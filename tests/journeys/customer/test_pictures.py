"""`make screenshots`: the README's pictures, and the pretend banks' and the inbox's pages, taken along a real payment."""

from __future__ import annotations

import asyncio
import base64
import subprocess
from pathlib import Path

import pytest
from playwright.async_api import Page, expect

from modelbank.quirks import PACKS, SHORT_SESSION_SECONDS, Quirk
from tests.journeys.customer import steps
from tests.journeys.customer import test_checkout as checkout
from tests.journeys.customer.conftest import NewPage
from tests.journeys.customer.firm import Firm
from tests.rules.source import ROOT

FOLDER = ROOT / "docs" / "screenshots"
QUALITY, README_QUALITY = 20, 70


@pytest.mark.screenshots
async def test_the_readme_shows_a_payment_as_it_looks(new_page: NewPage, firm: Firm) -> None:
    page = await new_page()
    person = await firm.person()
    request_id = await firm.ask_to_pay(person)
    await steps.sign_in(page, firm, person)
    await _readme(page, "start")
    await page.goto(f"{firm.house.base_url}/customer/pay/{request_id}/check?bank=mulberry")
    await _readme(page, "check")
    await steps.agree_to_pay(page, firm, request_id)
    await steps.go_to_bank(page)
    await steps.approve_at_bank(page)
    await firm.wait_for(f"creditRequests/{request_id}", "received")
    await page.wait_for_url(f"{firm.house.base_url}/customer/payments/*")
    await page.reload()
    await steps.see(page, "received")
    await _readme(page, "paid")
    await page.goto(f"{firm.house.inbox_url}/?to={person.phone}")
    await expect(page.locator("body")).to_contain_text("asks you to take an action")
    await _readme(page, "inbox")


@pytest.mark.screenshots
@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [360, 1280])
async def test_both_banks_and_the_inbox_are_pictured(new_page: NewPage, firm: Firm, harbour: str, width: int, scheme: str) -> None:
    folder = FOLDER / f"bank-{width}-{scheme}"
    page = await new_page(width=width)
    await page.emulate_media(color_scheme="dark" if scheme == "dark" else "light")
    person = await firm.person()
    paid, shared = await firm.ask_to_pay(person), await firm.ask_to_share(person)
    await steps.come_from_app(page, firm, person)
    await steps.agree_to_pay(page, firm, paid)
    await _along_the_bank(page, folder, "mulberry-pay")
    await steps.agree_to_share(page, firm, shared, harbour)
    await _along_the_bank(page, folder, "harbour-share")
    addresses = {
        "banks": firm.house.modelbank_url,
        "quirks": f"{firm.house.modelbank_url}/quirks",
        "inbox": f"{firm.house.inbox_url}/?to={person.phone}",
    }
    for name, address in addresses.items():
        await page.goto(address)
        await _picture(page, folder / f"{name}.webp", QUALITY)


@pytest.mark.screenshots
@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [360, 1280])
async def test_the_banks_ends_that_lead_nowhere_are_pictured(new_page: NewPage, firm: Firm, width: int, scheme: str) -> None:
    folder, page = FOLDER / f"bank-{width}-{scheme}", await new_page(width=width)
    await page.emulate_media(color_scheme="dark" if scheme == "dark" else "light")
    person = await firm.person()
    await steps.come_from_app(page, firm, person)
    swallowed = next(pack.username for pack in PACKS if pack.quirk is Quirk.SWALLOWED)
    await steps.agree_to_pay(page, firm, await firm.ask_to_pay(person))
    await steps.go_to_bank(page)
    await steps.approve_at_bank(page, swallowed)
    await steps.see(page, "You can close this page")
    await _picture(page, folder / "mulberry-swallowed.webp", QUALITY)
    await steps.agree_to_pay(page, firm, await firm.ask_to_pay(person))
    await steps.go_to_bank(page)
    await steps.sign_in_at_bank(page, next(pack.username for pack in PACKS if pack.quirk is Quirk.SHORT_SESSION))
    await firm.let_time_pass(page.url.split("/")[-1], SHORT_SESSION_SECONDS + 1)
    await page.click("button.primary")
    await steps.see(page, "You ran out of time")
    await _picture(page, folder / "mulberry-ran-out.webp", QUALITY)


@pytest.mark.screenshots
@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [360, 1280])
async def test_the_shop_is_pictured(new_page: NewPage, firm: Firm, width: int, scheme: str) -> None:
    folder = FOLDER / f"shop-{width}-{scheme}"
    card = {"light": "sms", "dark": "totp" if width == 360 else "hotp"}[scheme]  # a device shows a code once
    page, before = await new_page(width=width), await checkout.codes_sent(firm.house)
    await page.emulate_media(color_scheme="dark" if scheme == "dark" else "light")
    await page.goto(checkout.report(firm.house)["checkout_url"])
    await _picture(page, folder / "basket.webp", QUALITY)
    await checkout.begin(page, firm.house, card)
    await _picture(page, folder / "question.webp", QUALITY)
    await checkout.type_code(page, "000000")
    await page.wait_for_selector("#fault")
    await _picture(page, folder / "wrong.webp", QUALITY)
    if card == "sms":
        code = await checkout.next_code(firm.house, before)
    else:
        command = (await page.inner_text("pre")).split()
        shown = await asyncio.to_thread(subprocess.run, command, capture_output=True, text=True, check=True)
        code = shown.stdout.split()[0]
    await checkout.type_code(page, code)
    await expect(page.locator("h1")).to_have_text("Thank you")
    await page.click("summary")
    await _picture(page, folder / "thanks.webp", QUALITY)
    await page.goto(f"{checkout.report(firm.house)['checkout_url']}/purchases/pur-0000000000000")
    await _picture(page, folder / "stopped.webp", QUALITY)


async def _along_the_bank(page: Page, folder: Path, name: str) -> None:
    """Picture each step at the bank, and agree."""
    await steps.go_to_bank(page)
    await _picture(page, folder / f"{name}-sign-in.webp", QUALITY)
    await steps.sign_in_at_bank(page, "test")
    await _picture(page, folder / f"{name}-accounts.webp", QUALITY)
    await page.check("#account-1")
    await page.click("button.primary")
    await page.wait_for_selector("form[action*='/confirm/']")
    await _picture(page, folder / f"{name}-confirm.webp", QUALITY)
    await page.click("form[action*='/confirm/'] button.primary")
    await page.wait_for_url("**/customer/**")


async def _readme(page: Page, name: str) -> None:
    await _picture(page, FOLDER / f"readme-{name}.webp", README_QUALITY)


async def _picture(page: Page, file: Path, quality: int) -> None:
    """Take the whole page as WebP, which only the DevTools protocol offers."""
    file.parent.mkdir(parents=True, exist_ok=True)
    await page.wait_for_selector("h1")
    await page.wait_for_load_state()  # a click has only begun to lead here
    session = await page.context.new_cdp_session(page)
    size = (await session.send("Page.getLayoutMetrics"))["cssContentSize"]
    clip = {"x": 0, "y": 0, "width": size["width"], "height": size["height"], "scale": 1}
    options = {"format": "webp", "quality": quality, "clip": clip, "captureBeyondViewport": True}
    picture = await session.send("Page.captureScreenshot", options)
    await session.detach()
    file.write_bytes(base64.b64decode(picture["data"]))  # noqa: ASYNC240  # a few kilobytes, and nobody waits
