"""The pretend banks' pages in a real browser: axe (WCAG 2.2 AA) finds nothing, narrow phones fit, the answer posts itself."""

from __future__ import annotations

import asyncio
import os
import subprocess
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from playwright.async_api import Browser, Page

from tests.browser import PROGRAM, browsing
from tests.modelbank.conftest import Running
from tests.modelbank.foreign_client import DETAILS, Tpp, consent_body

AXE = Path(os.environ.get("STRONGROOM_TEST_AXE") or Path(__file__).parents[1] / "node" / "node_modules" / "axe-core" / "axe.min.js")
WCAG_22_AA = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]

pytestmark = [pytest.mark.browser, pytest.mark.needs(PROGRAM)]


@pytest.fixture(scope="module")
async def chromium() -> AsyncIterator[Browser]:
    async with browsing() as started:
        yield started


@pytest.fixture(scope="module")
def axe() -> str:
    if not AXE.is_file():
        (pytest.fail if os.environ.get("CI") == "true" else pytest.skip)("needs axe-core: npm install in tests/node")
    return AXE.read_text("utf-8")


async def check(page: Page, axe: str) -> None:
    """Check the page as it stands, in light and dark, and that 320 pixels are enough for it."""
    await page.evaluate("for (const each of document.querySelectorAll('details')) each.open = true")
    await page.evaluate(axe)
    for scheme in ("light", "dark"):
        await page.emulate_media(color_scheme=scheme, reduced_motion="reduce")
        found = await page.evaluate(
            """async (values) => {
                const { violations } = await axe.run(document, { runOnly: { type: "tag", values } });
                return violations.flatMap((rule) => rule.nodes.map((node) => `${rule.id}: ${node.html}`));
            }""",
            WCAG_22_AA,
        )
        assert found == [], f"{page.url} in {scheme}"
    assert not await page.evaluate("document.documentElement.scrollWidth > document.documentElement.clientWidth"), page.url


@pytest.mark.parametrize("bank", ["mulberry", "harbour"])
async def test_axe_finds_nothing_and_nothing_is_too_wide(modelbank: Running, chromium: Browser, axe: str, bank: str) -> None:
    tpp = Tpp(modelbank.folder, bank)
    site = f"http://{bank}.localhost:{modelbank.pages_port}"
    page = await chromium.new_page(viewport={"width": 320, "height": 640}, bypass_csp=True)
    lobby = f"http://localhost:{modelbank.pages_port}"
    addresses = [f"{lobby}/", f"{lobby}/quirks", *(f"{site}/{name}" for name in ("", "testers", "quirks", "nowhere"))]
    for address in addresses:
        await page.goto(address)
        await check(page, axe)
    asked = [
        (await tpp.create_payment_consent(consent_body("62500.00")), "payments", "test"),
        (await tpp.create_payment_consent(consent_body("62500.00")), "payments", "poor"),
        (await tpp.create_access_consent(DETAILS), "accounts", "test"),
        (
            await tpp.create_funds_consent("99901040000202" if bank == "mulberry" else "99902041000202"),
            "fundsconfirmations",
            "test",
        ),
        (await tpp.create_funds_consent("99901040000301"), "fundsconfirmations", "test"),
    ]
    for consent_id, scope, username in asked:
        await page.goto(f"{site}/authorize?{await tpp.pushed_query(tpp.request_claims(consent_id, scope))}")
        await check(page, axe)
        await page.fill("#username", username)
        await page.fill("#password", "wrong")
        await page.click("form >> nth=0 >> button")
        await check(page, axe)
        await page.fill("#password", "pretend")
        await page.click("form >> nth=0 >> button")
        await check(page, axe)
        if await page.locator("input[name=account]").count() == 0:
            continue
        await page.check("input[name=account]:enabled >> nth=0")
        await page.click("form >> nth=0 >> button")
        await check(page, axe)
    await page.close()
    await tpp.close()


async def scan(page: Page, folder: Path) -> str:
    """Read the code on a page with a foreign reader, from a picture of it."""
    await page.locator(".qr").screenshot(path=folder / "code.png")
    process = await asyncio.create_subprocess_exec("zbarimg", "--quiet", "--raw", str(folder / "code.png"), stdout=subprocess.PIPE)
    read, _ = await process.communicate()
    return read.decode().strip()


@pytest.mark.needs("zbarimg")
async def test_a_phone_that_scans_the_code_answers_and_axe_finds_nothing(
    modelbank: Running, chromium: Browser, axe: str, tpp: Tpp, tmp_path: Path
) -> None:
    consent_id = await tpp.create_payment_consent(consent_body())
    auth_req_id = await tpp.ask_backchannel(consent_id)
    site = f"http://mulberry.localhost:{modelbank.pages_port}"
    page = await chromium.new_page(viewport={"width": 320, "height": 640}, bypass_csp=True)
    for path in ("/phone", "/phone?consent=unknown", f"/decoupled/{consent_id}"):
        await page.goto(f"{site}{path}")
        await check(page, axe)
    phone = await chromium.new_page(viewport={"width": 320, "height": 640})
    await phone.goto(await scan(page, tmp_path))
    await phone.click("text=Fill this in for me")
    await phone.click("form >> nth=0 >> button")
    await phone.check("input[name=account] >> nth=0")
    await phone.click("form >> nth=0 >> button")
    await phone.click("form >> nth=0 >> button")
    await phone.wait_for_selector("h1:text-is('Done')")
    await check(phone, axe)
    assert (await tpp.poll(auth_req_id)).status_code == 200
    await page.close()
    await phone.close()


async def test_the_answer_posts_itself_from_a_page_with_a_strict_policy(modelbank: Running, chromium: Browser, tpp: Tpp) -> None:
    claims = tpp.request_claims(await tpp.create_payment_consent(consent_body()))
    page = await chromium.new_page()
    complaints: list[str] = []
    page.on("console", lambda message: complaints.append(message.text) if "Content Security" in message.text else None)
    await page.goto(f"http://mulberry.localhost:{modelbank.pages_port}/authorize?{tpp.authorize_query(claims)}")
    await page.click("text=Fill this in for me")
    await page.click("form >> nth=0 >> button")
    await page.check("input[name=account] >> nth=0")
    await page.click("form >> nth=0 >> button")
    async with page.expect_request(lambda request: request.url == claims["redirect_uri"]) as posted:
        await page.click("form >> nth=0 >> button", no_wait_after=True)
    request = await posted.value
    assert request.method == "POST"
    assert claims["state"] in (request.post_data or "")
    assert complaints == []
    await page.close()
