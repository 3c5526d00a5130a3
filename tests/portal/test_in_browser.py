"""The customer's pages in a real browser: accessibility, small screens, without JavaScript, and what JavaScript adds."""

from __future__ import annotations

import os
import re
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from gallery import Gallery, samples, serving
from playwright.async_api import Browser, BrowserContext, Locator, Page, Route, expect

from strongroom.portal import paths
from tests.browser import PROGRAM, browsing

AXE = Path(os.environ.get("STRONGROOM_TEST_AXE") or Path(__file__).parents[1] / "node" / "node_modules" / "axe-core" / "axe.min.js")
WCAG_22_AA = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]
LOOK = ["color-contrast", "link-in-text-block", "target-size", "scrollable-region-focusable"]  # what width and colour decide
NAMES = [sample.name for sample in samples()]

pytestmark = [pytest.mark.browser, pytest.mark.needs(PROGRAM)]


@pytest.fixture(scope="module")
async def site() -> AsyncIterator[str]:
    async with serving(Gallery()) as address:
        yield f"{address}/gallery/page"


@pytest.fixture(scope="module")
async def browser() -> AsyncIterator[Browser]:
    async with browsing() as started:
        yield started


@pytest.fixture(scope="module")
async def context(browser: Browser) -> AsyncIterator[BrowserContext]:
    made = await browser.new_context(reduced_motion="reduce")
    yield made
    await made.close()


@pytest.fixture
async def page(context: BrowserContext) -> AsyncIterator[Page]:
    made = await context.new_page()
    yield made
    await made.close()


@pytest.fixture(scope="module")
def axe() -> str:
    if not AXE.is_file():
        (pytest.fail if os.environ.get("CI") == "true" else pytest.skip)("needs axe-core: npm install in tests/node")
    return AXE.read_text("utf-8")


@pytest.mark.parametrize("name", NAMES)
async def test_axe_finds_nothing_and_nothing_is_too_wide_or_too_small(page: Page, site: str, axe: str, name: str) -> None:
    complaints: list[str] = []
    page.on("console", lambda message: complaints.append(message.text) if message.type == "error" else None)
    page.on("pageerror", lambda error: complaints.append(str(error)))
    await page.set_viewport_size({"width": 360, "height": 760})
    await page.goto(f"{site}/{name}", wait_until="domcontentloaded")  # a page that goes on by itself may never be loaded whole
    await page.evaluate(axe)
    assert await found_by_axe(page, {"type": "tag", "values": WCAG_22_AA}) == []
    for width, scheme in ((360, "dark"), (1280, "dark"), (1280, "light")):
        await page.set_viewport_size({"width": width, "height": 760})
        await page.emulate_media(color_scheme=scheme)
        assert await found_by_axe(page, {"type": "rule", "values": LOOK}) == [], f"{width} px, {scheme}"
    await page.set_viewport_size({"width": 320, "height": 640})
    assert await found_too_wide_or_too_small(page) == []
    assert complaints == []


async def found_by_axe(page: Page, only: dict[str, object]) -> list[str]:
    return await page.evaluate(
        """async (only) => {
            const { violations } = await axe.run(document, { runOnly: only, resultTypes: ["violations"] });
            return violations.flatMap((rule) => rule.nodes.map((node) => `${rule.id}: ${node.html}`));
        }""",
        only,
    )


async def test_axe_would_find_something(page: Page, site: str, axe: str) -> None:
    await page.goto(f"{site}/login")
    await page.evaluate("document.querySelector('label').remove()")
    await page.evaluate(axe)
    assert any(found.startswith("label:") for found in await found_by_axe(page, {"type": "tag", "values": WCAG_22_AA}))


async def found_too_wide_or_too_small(page: Page) -> list[str]:
    return await page.evaluate(
        """() => {
            for (const each of document.querySelectorAll("details")) each.open = true;
            const wide = document.documentElement.scrollWidth > 320 || document.body.scrollWidth > 320;
            const small = [...document.querySelectorAll("button, a.button, a.bank, summary, input:not([type=hidden])")]
                .filter((each) => each.checkVisibility())
                .filter((each) => Math.min(each.getBoundingClientRect().width, each.getBoundingClientRect().height) < 24);
            return [...(wide ? ["scrolls sideways"] : []), ...small.map((each) => each.outerHTML)];
        }"""
    )


# Without JavaScript


async def test_every_page_works_without_javascript(browser: Browser, site: str) -> None:
    context = await browser.new_context(java_script_enabled=False)
    page = await context.new_page()
    for name in NAMES:
        await page.goto(f"{site}/{name}")
        await expect(page.locator("h1")).to_be_visible()
        for leftover in ("[data-print]", "[data-go-on-note]", "[data-session-warning]", "[data-fragment-empty]"):
            for each in await page.locator(leftover).all():
                await expect(each).to_be_hidden()
    await context.close()


async def test_without_javascript_a_bank_is_found_by_a_form_and_a_code_can_be_asked_for(browser: Browser, site: str) -> None:
    context = await browser.new_context(java_script_enabled=False)
    page = await context.new_page()
    await page.goto(f"{site}/pay-choose-bank")
    await page.get_by_label("Find your bank").fill("north")
    async with page.expect_request(lambda request: "?q=north" in request.url) as asked:
        await page.get_by_role("button", name="Find").click()
    assert (await asked.value).method == "GET"
    await page.goto(f"{site}/code")
    await expect(page.get_by_text("You can ask for another code in 30 seconds")).to_be_visible()
    await expect(page.get_by_role("button", name="Send another code")).to_be_visible()
    await page.goto(f"{site}/grant")
    await expect(page.get_by_role("button", name="Continue to Fenwick Wealth")).to_be_visible()
    await page.goto(f"{site}/fragment")
    await expect(page.get_by_text("Nothing was paid.", exact=True)).to_be_visible()
    await context.close()


@pytest.mark.parametrize("name", ["pay-result-executed", "pay-live-checking", "share-live-reading"])
async def test_without_javascript_a_page_that_waits_looks_again_and_stays_where_it_is_read(
    browser: Browser, site: str, name: str
) -> None:
    loads: list[str] = []

    async def hurry(route: Route) -> None:
        loads.append(route.request.url)
        answer = await route.fetch()
        body, count = re.subn(r'"refresh" content="\d+"', '"refresh" content="1"', await answer.text())
        assert count == 1
        await route.fulfill(response=answer, body=body)

    context = await browser.new_context(java_script_enabled=False, viewport={"width": 360, "height": 300})
    page = await context.new_page()
    await page.route(f"{site}/{name}", hurry)
    await page.goto(f"{site}/{name}")
    await page.locator("footer").scroll_into_view_if_needed()
    before = await page.locator("h1").bounding_box()
    assert before is not None
    assert before["y"] < 0
    async with page.expect_request(lambda _: len(loads) == 2):
        pass
    await expect(page.locator("h1")).to_be_attached()
    assert await page.locator("h1").bounding_box() == before
    assert len(set(loads)) == 1
    await context.close()


@pytest.mark.parametrize(
    "name",
    [
        "pay-result-received",
        "pay-result-returned",
        "pay-result-executed-later",
        "pay-live-delayed-later",
        "share-live-at_bank-later",
    ],
)
async def test_what_is_final_or_was_looked_at_for_long_enough_looks_no_more_and_says_so(
    browser: Browser, site: str, name: str
) -> None:
    context = await browser.new_context(java_script_enabled=False)
    page = await context.new_page()
    await page.goto(f"{site}/{name}")
    assert await page.locator("meta[http-equiv=refresh]").count() == 0
    says = page.get_by_text(re.compile("has (now )?stopped|no longer looks"))
    assert await says.count() == name.endswith("-later")
    await context.close()


# What JavaScript adds


async def test_a_summary_of_problems_takes_the_focus_and_leads_to_the_field(page: Page, site: str) -> None:
    await page.goto(f"{site}/login-invalid")
    await expect(page.locator(".problems")).to_be_focused()
    await page.get_by_role("link", name="Enter an email address").click()
    await expect(page.locator("#email")).to_be_focused()
    await expect(page.locator("#email")).to_have_value("ada.okafor@example")


async def test_the_list_of_banks_narrows_while_typing(page: Page, site: str) -> None:
    await page.goto(f"{site}/pay-choose-bank")
    search = page.get_by_label("Find your bank")
    await search.press_sequentially("bank")
    await expect(page.locator("[data-bank]:visible")).to_have_count(5)
    await expect(page.locator("[data-search-count]")).to_have_text("5 banks found")
    await search.fill("foxg")
    await expect(page.locator("[data-search-count]")).to_have_text("1 bank found")
    await expect(page.get_by_role("heading", name="Most used")).to_be_hidden()
    await search.fill("zzz")
    await expect(page.locator("[data-search-count]")).to_contain_text("No bank of that name")
    await search.fill("")
    await expect(page.locator("[data-bank]:visible")).to_have_count(11)


async def test_a_double_click_pays_once(page: Page, site: str) -> None:
    posts: list[str] = []

    async def answer(route: Route) -> None:
        posts.append(route.request.method)
        await route.fulfill(status=204)

    await page.goto(f"{site}/pay-check")
    await page.route("**/check", answer)
    button = page.get_by_role("button", name="Pay £62,500.00 with Mulberry Bank")
    await button.evaluate("(each) => { each.click(); each.click(); each.click(); }")
    await expect(button).to_have_attribute("aria-disabled", "true")
    assert posts == ["POST"]


async def test_a_live_page_shows_the_state_and_loads_itself_anew_when_it_is_final(page: Page, site: str) -> None:
    answers = iter(
        [
            '{"text": "Asking Mulberry Bank what happened", "final": false}',
            '{"text": "Mulberry Bank has answered", "final": true}',
        ]
    )
    await page.clock.install()
    await page.route("**/status", lambda route: route.fulfill(body=next(answers), content_type="application/json"))
    await page.goto(f"{site}/pay-live-at_bank")
    state = page.locator("[data-live] .state")
    await expect(state).to_have_text("Mulberry Bank has not told us yet")
    await page.clock.run_for(2000)
    await expect(state).to_have_text("Asking Mulberry Bank what happened")
    await page.clock.run_for(2500)
    await expect(state).to_have_text("Mulberry Bank has answered")
    async with page.expect_navigation():
        await page.clock.run_for(1000)


async def top_of(element: Locator) -> float:
    return float(await element.evaluate("each => each.getBoundingClientRect().top"))


@pytest.mark.parametrize(
    ("becomes", "heading", "says"),
    [
        ("pay-result-received", "Your £62,500.00 has been received", ""),
        ("pay-result-executed-later", "You have paid £62,500.00", "This page has stopped looking by itself"),
    ],
)
async def test_a_paid_page_is_brought_up_to_date_in_place_and_then_asks_no_more(
    page: Page, site: str, becomes: str, heading: str, says: str
) -> None:
    asked: list[str] = []

    async def tell(route: Route) -> None:
        asked.append(route.request.url)
        await route.fulfill(json={"text": "", "final": len(asked) == 2})

    async def renew(route: Route) -> None:
        is_script = route.request.resource_type == "xhr"
        fresh = Gallery().html(becomes).replace("MB-20261121", "MB-20261122")
        await (route.fulfill(body=fresh, content_type="text/html") if is_script else route.continue_())

    await page.clock.install()
    await page.set_viewport_size({"width": 360, "height": 300})
    await page.route("**/status?shown=executed", tell)
    await page.route(f"{site}/pay-result-executed", renew)
    await page.goto(f"{site}/pay-result-executed")
    await page.evaluate("window.kept = true")
    state, receipt = page.locator("[data-part=state]"), page.get_by_role("link", name="See your receipt")
    await receipt.focus()
    top = await top_of(receipt)
    await page.clock.run_for(2000)
    await expect(state).to_have_text("Paid from your account")
    await page.clock.run_for(3000)
    await expect(page.locator("[data-part=following]")).to_contain_text(says)
    await expect(page.locator("[data-part=following]")).not_to_contain_text("looks again by itself")
    await expect(page.get_by_role("heading", level=1)).to_have_text(heading)
    await expect(page).to_have_title(re.compile(heading))
    await expect(page.locator(".facts")).to_contain_text("MB-20261122")
    await expect(state).to_have_text("Received" if "received" in heading else "Paid from your account")
    await expect(receipt).to_be_focused()
    assert abs(await top_of(receipt) - top) < 1
    assert await page.evaluate("window.kept")
    await page.clock.run_for(60_000)
    assert len(asked) == 2


async def test_the_way_to_the_bank_goes_on_by_itself_and_can_be_stopped(page: Page, site: str) -> None:
    await page.route("https://mulberry.example/**", lambda route: route.fulfill(body="bank"))
    await page.clock.install()
    await page.goto(f"{site}/pay-go")
    await expect(page.get_by_text("Going there by itself in 6 seconds")).to_be_visible()
    await page.get_by_role("button", name="Wait here").click()
    await page.clock.run_for(10_000)
    await expect(page.get_by_text("We will wait")).to_be_visible()
    await page.goto(f"{site}/pay-go")
    async with page.expect_navigation(url="https://mulberry.example/**"):
        await page.clock.run_for(7000)


async def test_the_session_s_end_is_announced_a_minute_before_and_can_be_put_off(page: Page, site: str) -> None:
    await page.clock.install()
    await page.goto(f"{site}/actions")
    warning = page.locator("[data-session-warning]")
    await page.clock.run_for(235_000)
    await expect(warning).to_be_hidden()
    await page.clock.run_for(10_000)
    await expect(warning).to_contain_text("You will be signed out in less than a minute")
    async with page.expect_response(f"**{paths.EXTEND}") as extended:
        await page.get_by_role("button", name="Stay signed in").click()
    assert "csrf=csrf-value" in ((await extended.value).request.post_data or "")
    await expect(warning).to_be_hidden()
    await page.clock.run_for(200_000)
    await expect(warning).to_be_hidden()
    async with page.expect_navigation():
        await page.clock.run_for(101_000)


async def test_another_code_can_be_asked_for_when_the_seconds_have_passed(page: Page, site: str) -> None:
    await page.clock.install()
    await page.goto(f"{site}/code")
    again = page.get_by_role("button", name="Send another code")
    await expect(again).to_be_hidden()
    await page.clock.run_for(29_100)
    await expect(page.get_by_text("in 1 second.")).to_be_visible()
    await page.clock.run_for(2000)
    await expect(again).to_be_visible()


async def test_the_firm_s_app_leads_on_by_itself(page: Page, site: str) -> None:
    async with page.expect_request(lambda request: request.method == "POST") as pressed:
        await page.goto(f"{site}/grant", wait_until="commit")
    assert (await pressed.value).url.endswith(paths.grant("continue"))
    assert "referer" not in await (await pressed.value).all_headers()


async def test_a_bank_s_fragment_is_posted_and_leaves_the_address(page: Page, site: str) -> None:
    async with page.expect_request(lambda request: request.method == "POST") as posted:
        await page.goto(f"{site}/fragment#code=abc&state=s%261&id_token=x.y.z", wait_until="commit")
    body = (await posted.value).post_data or ""
    assert body == "csrf=csrf-value&code=abc&state=s%261&id_token=x.y.z"
    assert "#" not in page.url


async def test_a_receipt_prints_without_what_only_a_screen_can_do(page: Page, site: str) -> None:
    await page.goto(f"{site}/pay-receipt-executed")
    await expect(page.get_by_role("button", name="Print or save as PDF")).to_be_visible()
    await page.emulate_media(media="print", color_scheme="dark")
    for hidden in ("[data-print]", ".sign-out", ".bottom nav", ".back"):
        await expect(page.locator(hidden).first).to_be_hidden()
    await expect(page.get_by_text("pay-5t8w2j9d4m6xb")).to_be_visible()
    assert await page.evaluate("getComputedStyle(document.body).color") == "rgb(0, 0, 0)"
    printed = await page.pdf(format="A4")
    assert printed.count(b"/Type /Page\n") == 1
