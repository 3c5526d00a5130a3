"""A real browser, the demo firm's API, its webhook receiver, and a bank that one test at a time may disturb."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from playwright.async_api import Browser, Page

from tests.browser import PROGRAM, browsing
from tests.conftest import locked
from tests.journeys.conftest import House
from tests.journeys.customer.firm import Firm, Receiver, receiving

AXE = Path(__file__).parents[2] / "node/node_modules/axe-core/axe.min.js"
RULES = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]

NewPage = Callable[..., Awaitable[Page]]
Axe = Callable[[Page], Awaitable[None]]


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark everything in this folder: it needs a browser."""
    for item in items:
        if Path(__file__).parent in item.path.parents:
            item.add_marker(pytest.mark.browser)
            item.add_marker(pytest.mark.needs(PROGRAM))


@pytest.fixture(scope="session")
async def chromium() -> AsyncIterator[Browser]:
    """Start one browser for all tests of a worker."""
    async with browsing() as browser:
        yield browser


@pytest.fixture
async def new_page(chromium: Browser) -> AsyncIterator[NewPage]:
    """Give a page in a browser of its own, with its own cookies; a fault of a script fails the test."""
    contexts, faults = [], []

    async def make(*, scripts: bool = True, width: int = 360) -> Page:
        context = await chromium.new_context(
            viewport={"width": width, "height": 740}, java_script_enabled=scripts, reduced_motion="reduce"
        )
        context.set_default_timeout(30_000)
        contexts.append(context)
        page = await context.new_page()
        page.on("pageerror", lambda error: faults.append(str(error)))
        return page

    yield make
    for context in contexts:
        await context.close()
    assert faults == []


@pytest.fixture
async def page(new_page: NewPage) -> Page:
    """Give the customer's phone."""
    return await new_page()


@pytest.fixture
async def firm(house: House) -> AsyncIterator[Firm]:
    """Give the demo firm with a token."""
    made = Firm(house)
    await made.sign_in()
    yield made
    await made.http.aclose()


@pytest.fixture
async def receiver(firm: Firm) -> AsyncIterator[Receiver]:
    """Listen where the firm has its webhooks sent."""
    with receiving() as made:
        endpoint = await firm.post("webhookEndpoints", url=made.url)
        made.secret = endpoint["secret"]
        yield made
        await firm.http.delete(f"/api/1.0/webhookEndpoints/{endpoint['id']}")


@pytest.fixture
async def harbour(firm: Firm) -> AsyncIterator[str]:
    """Hold the second bank, so that its switches disturb nobody else's journey; afterwards it is as before."""
    async with held_harbour(firm) as bank:
        yield bank


@asynccontextmanager
async def held_harbour(firm: Firm) -> AsyncIterator[str]:
    """Hold the second bank for as long as the block runs."""
    lock = locked("harbour")
    await asyncio.to_thread(lock.__enter__)
    try:
        yield "harbour"
    finally:
        await firm.set_bank("harbour", down=False, delay_seconds=0, drop_answers=0, quirks=[])
        lock.__exit__(None, None, None)


@pytest.fixture(scope="session")
def axe() -> Axe:
    """Give a check that WCAG 2.2 AA's rules, as far as a tool can judge them, find nothing on a page."""
    if not AXE.is_file():
        (pytest.fail if os.environ.get("CI") == "true" else pytest.skip)("needs axe-core: npm install in tests/node")
    script = AXE.read_text("utf-8")

    async def check(page: Page) -> None:
        await page.wait_for_load_state()  # a click has only begun to lead here
        await page.wait_for_selector("main")
        await page.evaluate(f"() => {{ {script}; window.axe = axe; }}")
        result = await page.evaluate("rules => axe.run({ runOnly: { type: 'tag', values: rules } })", RULES)
        found = [(one["id"], [node["target"] for node in one["nodes"]]) for one in result["violations"]]
        assert found == [], page.url

    return check
