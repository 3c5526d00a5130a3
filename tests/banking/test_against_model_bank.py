"""The connector against the model bank as it ships: another program, another JOSE library, a real customer at its pages."""

from __future__ import annotations

import asyncio
import html
import re
import socket
import sys
import time
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from urllib.parse import urlsplit
from uuid import uuid4

import asyncpg
import httpx
import pytest

from strongroom.banking.port import AccessOrder, Code, ConsentStatus, CustomerContext, Declined, PaymentOrder, PaymentStatus
from strongroom.banking.registry import Registry

REDIRECT_URI = "http://localhost:8000/callback"
STARTS_WITHIN_SECONDS = 30.0
HIDDEN = re.compile(r'<input type="hidden" name="([^"]+)" value="([^"]*)">')
ACCOUNT = re.compile(r'name="account" value="([^"]+)"')


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@pytest.fixture(scope="module")
async def model_bank(postgres, tmp_path_factory) -> AsyncIterator[Path]:
    """Run `modelbank enrol` and `modelbank serve` with a database of its own; yield the directory file for our side."""
    folder, pages = tmp_path_factory.mktemp("modelbank"), free_port()
    database = f"modelbank_{uuid4().hex[:12]}"
    owner = await asyncpg.connect(postgres.dsn())
    await owner.execute(f"CREATE DATABASE {database}")
    command = [sys.executable, "-m", "modelbank"]
    ports = ["--pages-port", str(pages), "--api-port", str(free_port())]
    enrolling = ["enrol", "--out", str(folder), *ports, "--redirect-uri", REDIRECT_URI, "--dsn", postgres.dsn(database)]
    assert await (await asyncio.create_subprocess_exec(*command, *enrolling)).wait() == 0
    with (folder / "log").open("w") as log:
        serving = ["serve", "--config", str(folder / "modelbank.json")]
        bank = await asyncio.create_subprocess_exec(*command, *serving, stderr=log, stdout=log)
    try:
        if not await is_healthy(bank, pages):
            pytest.fail(f"the model bank did not start: {last_words(folder / 'log')}")
        yield folder / "tpp.json"
    finally:
        if bank.returncode is None:
            bank.terminate()
            await asyncio.wait_for(bank.wait(), 15)
        await owner.execute(f"DROP DATABASE {database} WITH (FORCE)")
        await owner.close()


async def is_healthy(bank: asyncio.subprocess.Process, port: int) -> bool:
    """Wait until the program answers; False when it ended or took too long."""
    until = time.monotonic() + STARTS_WITHIN_SECONDS
    async with httpx.AsyncClient(trust_env=False) as http:
        while bank.returncode is None and time.monotonic() < until:
            try:
                return (await http.get(f"http://127.0.0.1:{port}/health")).status_code == 200
            except httpx.TransportError:
                await asyncio.sleep(0.1)
    return False


def last_words(log: Path) -> str:
    return log.read_text()[-2000:]


class Customer:
    """A person with a browser without JavaScript."""

    def __init__(self, username: str) -> None:
        self.username = username

    async def agrees(self, url: str) -> dict[str, str]:
        """Go the whole way and return the fields that the bank posts to us."""
        async with self.browser(url) as browser:
            page = await self.signs_in(browser, url)
            page = await self.sends(browser, page, account=ACCOUNT.findall(page.text)[0])
            return self.left_with(await self.sends(browser, page))

    async def cancels(self, url: str) -> dict[str, str]:
        async with self.browser(url) as browser:
            page = await self.signs_in(browser, url)
            action = re.findall(r'action="([^"]*/cancel/[^"]+)"', page.text)[0]
            csrf = dict(HIDDEN.findall(page.text))["csrf"]
            return self.left_with(await browser.post(action, data={"csrf": csrf}))

    def browser(self, url: str) -> httpx.AsyncClient:
        parts = urlsplit(url)  # the bank's host name leads to this machine in browsers, not in every resolver
        return httpx.AsyncClient(
            base_url=f"http://127.0.0.1:{parts.port}", headers={"host": parts.netloc}, follow_redirects=True, trust_env=False
        )

    async def signs_in(self, browser: httpx.AsyncClient, url: str) -> httpx.Response:
        parts = urlsplit(url)
        page = await browser.get(f"{parts.path}?{parts.query}")
        assert page.status_code == 200, page.text
        return await self.sends(browser, page, username=self.username, password="pretend")

    async def sends(self, browser: httpx.AsyncClient, page: httpx.Response, **fields: str) -> httpx.Response:
        csrf = dict(HIDDEN.findall(page.text))["csrf"]
        return await browser.post(page.url.path, data={"csrf": csrf, **fields})

    def left_with(self, page: httpx.Response) -> dict[str, str]:
        assert REDIRECT_URI in page.text
        return {html.unescape(name): html.unescape(value) for name, value in HIDDEN.findall(page.text)}


@pytest.fixture
async def ours(model_bank):
    async with Registry(model_bank) as registry:
        yield registry.get_bank("mulberry")


@pytest.fixture
def our_order(order: PaymentOrder) -> PaymentOrder:
    unique = uuid4().hex
    return replace(
        order,
        instruction_id=unique,
        end_to_end_id=unique[:31],
        consent_idempotency_key=f"c-{unique}",
        submit_idempotency_key=f"s-{unique}",
        back=replace(order.back, redirect_uri=REDIRECT_URI, state=uuid4().hex),
    )


async def until_final(ours, memory: str, payment_id: str):
    for _ in range(60):
        report = await ours.payment_report(memory, payment_id)
        if report.status in {PaymentStatus.CREDITED, PaymentStatus.REJECTED}:
            return report
        await asyncio.sleep(0.25)
    pytest.fail("the payment never ended")


async def paid(ours, order: PaymentOrder, username: str):
    authorising = await ours.request_payment(order)
    code = await ours.accept_return(authorising.memory, await Customer(username).agrees(authorising.url))
    assert isinstance(code, Code), code
    grant = await ours.exchange(authorising.memory, code)
    return authorising.memory, grant, await ours.submit_payment(authorising.memory, grant)


async def test_a_customer_pays_and_the_payment_is_credited(ours, our_order):
    memory, grant, report = await paid(ours, our_order, "alex")
    assert report.status is PaymentStatus.PENDING
    assert (await ours.submit_payment(memory, grant)).bank_payment_id == report.bank_payment_id
    final = await until_final(ours, memory, report.bank_payment_id)
    assert final.status is PaymentStatus.CREDITED
    assert final.payer is not None
    assert final.payer.name == "Alex Morgan"
    assert (await ours.consent_report(memory)).status is ConsentStatus.CONSUMED


async def test_a_payment_rejected_late_says_so(ours, our_order):
    memory, _, report = await paid(ours, replace(our_order, purpose="fees"), "late")
    final = await until_final(ours, memory, report.bank_payment_id)
    assert (final.status, bool(final.reason_code)) == (PaymentStatus.REJECTED, True)


@pytest.mark.parametrize(("username", "code"), [("alex", "cancelled"), ("poor", "insufficient_funds")])
async def test_a_customer_who_says_no_is_declined(ours, our_order, username, code):
    authorising = await ours.request_payment(our_order)
    ended = await ours.accept_return(authorising.memory, await Customer(username).cancels(authorising.url))
    assert isinstance(ended, Declined)
    assert ended.code == code
    assert (await ours.consent_report(authorising.memory)).status is ConsentStatus.REJECTED


@pytest.mark.parametrize(("username", "name"), [("alex", "Alex Morgan"), ("noname", "Noor Amin"), ("joint", "Sam Patel")])
async def test_a_customer_shares_an_account_and_the_consent_is_closed(ours, our_order, username, name):
    authorising = await ours.request_access(AccessOrder(datetime.now(UTC) + timedelta(hours=1), our_order.back))
    code = await ours.accept_return(authorising.memory, await Customer(username).agrees(authorising.url))
    grant = await ours.exchange(authorising.memory, code)
    (account,) = await ours.read_accounts(authorising.memory, grant, CustomerContext("192.0.2.7", "Browser"))
    assert name in (account.name or "")
    assert (len(account.sort_code or ""), len(account.account_number or "")) == (6, 8)
    assert account.can_receive
    await ours.close_access(authorising.memory)
    await ours.close_access(authorising.memory)
    assert (await ours.consent_report(authorising.memory)).status is ConsentStatus.GONE
