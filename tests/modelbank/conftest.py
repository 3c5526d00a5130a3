"""The real model bank: its own process, its own database, real HTTP and mutual TLS."""

from __future__ import annotations

import asyncio
import json
import os
import socket
import subprocess
import sys
import time
import uuid
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import httpx
import pytest

from modelbank.certificates import make_authority, make_client_certificate
from tests.modelbank.foreign_client import REDIRECT_URI, Browser, Tpp, consent_body

START_SECONDS = 60
QUICK = {"accepted_seconds": 0.2, "debited_seconds": 0.4, "credited_seconds": 0.6}


@dataclass(frozen=True)
class Running:
    """A model bank that runs."""

    folder: Path
    pages_port: int
    api_port: int
    process: subprocess.Popen[bytes]
    listening_uri: str = ""  # a second registered address, at which a test may listen

    async def control(self, path: str, order: dict[str, Any] | None = None) -> dict[str, Any]:
        async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{self.pages_port}/control/", trust_env=False) as client:
            answer = await (client.get(path) if order is None else client.post(path, json=order))
            assert answer.status_code == 200, answer.text
            content: dict[str, Any] = answer.json()
            return content

    async def debits(self, payment_id: str, bank: str = "mulberry") -> list[int]:
        """Return the amounts booked against the payer for one payment."""
        ledger = await self.control(f"ledger?bank={bank}")
        assert ledger["sum_minor"] == 0
        assert sum(account["balance_minor"] for account in ledger["accounts"]) == 0
        entries = [entry for entry in ledger["entries"] if entry["subject"] == payment_id and entry["kind"] == "debit"]
        return [entry["amount_minor"] for entry in entries if entry["role"] == "customer"]

    async def balance_of(self, username: str) -> int:
        """Return what a customer of one account has at Mulberry Bank."""
        accounts = (await self.control("ledger?bank=mulberry"))["accounts"]
        [balance] = [account["balance_minor"] for account in accounts if account["username"] == username]
        return int(balance)

    async def balance(self, account_id: str, bank: str = "mulberry") -> int:
        ledger = await self.control(f"ledger?bank={bank}")
        [balance] = [account["balance_minor"] for account in ledger["accounts"] if account["id"] == account_id]
        return int(balance)


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def enrol(folder: Path, dsn: str, pages_port: int, api_port: int) -> None:
    ports = ["--pages-port", str(pages_port), "--api-port", str(api_port)]
    command = [sys.executable, "-m", "modelbank", "enrol", "--out", str(folder), "--dsn", dsn, *ports]
    subprocess.run([*command, "--redirect-uri", REDIRECT_URI], check=True, capture_output=True)


def change_config(folder: Path, **changes: Any) -> None:
    path = folder / "modelbank.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), **changes}))


def start(folder: Path, pages_port: int, api_port: int) -> Running:
    command = [sys.executable, "-m", "modelbank", "serve", "--config", str(folder / "modelbank.json")]
    process = subprocess.Popen(command, env={**os.environ, "PYTHONWARNINGS": "error::RuntimeWarning"})
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline and process.poll() is None:
        try:
            if httpx.get(f"http://127.0.0.1:{pages_port}/health", trust_env=False).status_code == 200:
                return Running(folder, pages_port, api_port, process)
        except httpx.TransportError:
            time.sleep(0.05)
    process.kill()
    raise AssertionError("The model bank did not start.")


@pytest.fixture(scope="session")
def modelbank(postgres: Any, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    with serving(tmp_path_factory.mktemp("modelbank"), postgres.dsn(f"modelbank_{uuid.uuid4().hex}")) as running:
        yield running


@contextmanager
def serving(folder: Path, dsn: str) -> Iterator[Running]:
    """Run a model bank with two clients, whose payments progress quickly."""
    pages_port, api_port = free_port(), free_port()
    enrol(folder, dsn, pages_port, api_port)
    change_config(folder, schedule=QUICK, limits={"slow_seconds": 0.5, "down_seconds": 60})
    add_second_client(folder)
    listening_uri = f"http://localhost:{free_port()}/callback"
    add_redirect_uri(folder, listening_uri)
    running = replace(start(folder, pages_port, api_port), listening_uri=listening_uri)
    try:
        yield running
    finally:
        running.process.terminate()
        ended = running.process.wait(timeout=10)
    assert ended == 0


def add_redirect_uri(folder: Path, uri: str) -> None:
    clients = json.loads((folder / "modelbank.json").read_text())["clients"]
    change_config(folder, clients=[{**client, "redirect_uris": [*client["redirect_uris"], uri]} for client in clients])


def add_second_client(folder: Path) -> None:
    """Register another third party, with a transport certificate of its own and the same signing key."""
    subject = make_client_certificate(folder, make_authority(folder), "OTHERORG", "OtherSoftware", name="other")
    [client] = json.loads((folder / "modelbank.json").read_text())["clients"]
    other = {**client, "client_id": "other-client", "organisation_id": "OTHERORG", "certificate_subject": subject}
    change_config(folder, clients=[client, other])


@pytest.fixture
async def tpp(modelbank: Running) -> AsyncIterator[Tpp]:
    client = Tpp(modelbank.folder, "mulberry")
    yield client
    await client.close()


@pytest.fixture
async def other_tpp(modelbank: Running) -> AsyncIterator[Tpp]:
    client = Tpp(modelbank.folder, "mulberry", transport="other-transport", client_id="other-client")
    client.about = {**client.about, "org_id": "OTHERORG"}
    yield client
    await client.close()


@pytest.fixture
async def browser(modelbank: Running) -> AsyncIterator[Browser]:
    client = Browser(modelbank.pages_port, "mulberry")
    yield client
    await client.close()


@dataclass(frozen=True)
class Agreed:
    """A consent that the customer agreed to, with the token that came of it."""

    consent_id: str
    body: dict[str, Any]
    token: str

    @property
    def order(self) -> dict[str, Any]:
        data = {"ConsentId": self.consent_id, "Initiation": self.body["Data"]["Initiation"]}
        return {"Data": data, "Risk": self.body["Risk"]}


async def agree_payment(tpp: Tpp, browser: Browser, username: str = "alex", amount: str = "100.00", **more: Any) -> Agreed:
    body = consent_body(amount, **more)
    consent_id = await tpp.create_payment_consent(body)
    back = await browser.agree(tpp.authorize_query(tpp.request_claims(consent_id)), username)
    answer = await tpp.exchange(back["code"])
    assert answer.status_code == 200, answer.text
    return Agreed(consent_id, body, answer.json()["access_token"])


async def wait_for_status(tpp: Tpp, payment_id: str, *statuses: str) -> dict[str, Any]:
    token = await tpp.client_token("payments")
    data: dict[str, Any] = {}
    for _ in range(100):
        data = (await tpp.get(f"pisp/domestic-payments/{payment_id}", token)).json()["Data"]
        if data["Status"] in statuses:
            return data
        await asyncio.sleep(0.05)
    raise AssertionError(f"The payment stays {data['Status']}.")
