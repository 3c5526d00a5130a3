"""The bank misbehaves as testers ask, by customer or by lever, and never debits twice for it."""

from __future__ import annotations

import asyncio
import subprocess
import sys
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx
import pytest

from tests.modelbank.conftest import Running, agree_payment, enrol, wait_for_status
from tests.modelbank.foreign_client import Browser, Tpp, consent_body

ORDERS = "pisp/domestic-payments"
CALM = {"down": False, "delay_seconds": 0, "drop_answers": 0, "headless": False, "quirks": []}


@pytest.fixture
async def lever(modelbank: Running) -> AsyncIterator[Any]:
    async def pull(**changes: Any) -> dict[str, Any]:
        return await modelbank.control("bank", {"bank": "mulberry", **changes})

    yield pull
    await pull(**CALM)


async def test_a_slow_customer_makes_the_answers_about_them_slow(tpp: Tpp, browser: Browser) -> None:
    agreed = await agree_payment(tpp, browser, "slow")
    began = time.monotonic()
    answer = await tpp.get(f"pisp/domestic-payment-consents/{agreed.consent_id}", await tpp.client_token("payments"))
    assert answer.status_code == 200
    assert time.monotonic() - began >= 0.5


async def test_the_api_is_down_for_a_minute_for_the_customer_who_brings_that(
    modelbank: Running, tpp: Tpp, browser: Browser
) -> None:
    agreed = await agree_payment(tpp, browser, "down")
    refused = await tpp.post(ORDERS, agreed.order, agreed.token, x_idempotency_key="down")
    assert refused.status_code == 503
    assert 0 < int(refused.headers["retry-after"]) <= 61
    await modelbank.control("clock", {"advance_seconds": 61})
    answer = await tpp.post(ORDERS, agreed.order, agreed.token, x_idempotency_key="down")
    assert answer.status_code == 201


async def test_a_bank_that_is_down_says_so_everywhere(tpp: Tpp, browser: Browser, lever: Any) -> None:
    await lever(down=True)
    assert (await tpp.http.get(".well-known/openid-configuration")).status_code == 503
    assert (await tpp.post_token(grant_type="client_credentials", scope="payments")).status_code == 503
    assert (await browser.open("/authorize?client_id=any")).status_code == 503


async def test_a_lost_answer_is_asked_for_again_with_the_same_key(
    modelbank: Running, tpp: Tpp, browser: Browser, lever: Any
) -> None:
    agreed = await agree_payment(tpp, browser)
    await lever(drop_answers=1)
    with pytest.raises(httpx.TransportError):
        await tpp.post(ORDERS, agreed.order, agreed.token, x_idempotency_key="lost")
    answer = await tpp.post(ORDERS, agreed.order, agreed.token, x_idempotency_key="lost")
    assert answer.status_code == 201
    payment_id = answer.json()["Data"]["DomesticPaymentId"]
    await wait_for_status(tpp, payment_id, "ACCC")
    assert await modelbank.debits(payment_id) == [-100_00]


async def test_a_swallowed_customer_never_comes_back_though_the_consent_stands(tpp: Tpp, browser: Browser, lever: Any) -> None:
    await lever(quirks=["swallowed"])
    consent_id = await tpp.create_payment_consent(consent_body())
    await browser.open(f"/authorize?{tpp.authorize_query(tpp.request_claims(consent_id))}")
    await browser.sign_in("alex")
    await browser.choose()
    page = await browser.submit({})
    assert "You can close this page" in page.text
    consent = await tpp.get(f"pisp/domestic-payment-consents/{consent_id}", await tpp.client_token("payments"))
    assert consent.json()["Data"]["Status"] == "AUTH"


async def test_a_doubled_return_reaches_the_client_before_the_browser_does(
    modelbank: Running, tpp: Tpp, browser: Browser, lever: Any
) -> None:
    await lever(quirks=["twice"])
    received: list[bytes] = []

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        received.append(await reader.readuntil(b"state="))
        received.append(await reader.read(1000))
        writer.write(b"HTTP/1.1 204 No Content\r\nconnection: close\r\n\r\n")
        writer.close()

    consent_id = await tpp.create_payment_consent(consent_body())
    claims = tpp.request_claims(consent_id, redirect_uri=modelbank.listening_uri)
    async with await asyncio.start_server(answer, "localhost", urlsplit(modelbank.listening_uri).port):
        await browser.agree(tpp.authorize_query(claims), back_to=modelbank.listening_uri)
    assert claims["state"].encode() in received[1]


def test_levers_refuse_what_they_do_not_know(modelbank: Running) -> None:
    address = f"http://127.0.0.1:{modelbank.pages_port}/control"
    for path, order in (("bank", {"bank": "other"}), ("bank", {"bank": "mulberry", "x": 1}), ("clock", {"advance_seconds": -1})):
        assert httpx.post(f"{address}/{path}", json=order, trust_env=False).status_code == 400
    assert httpx.post(f"{address}/bank", data={"bank": "mulberry"}, trust_env=False).status_code == 400
    assert httpx.get(f"{address}/ledger?bank=other", trust_env=False).status_code == 404


def test_a_foreign_host_name_gets_no_answer(modelbank: Running) -> None:
    address = f"http://127.0.0.1:{modelbank.pages_port}/control/payments"
    assert httpx.get(address, headers={"host": "rebound.example"}, trust_env=False).status_code == 421


def test_each_bank_answers_under_its_own_host_name(modelbank: Running) -> None:
    address = f"http://127.0.0.1:{modelbank.pages_port}/testers"
    for bank, name in (("mulberry", "Mulberry Bank"), ("harbour", "Harbour Building Society")):
        host = f"{bank}.localhost:{modelbank.pages_port}"
        assert name in httpx.get(address, headers={"host": host}, trust_env=False).text


def test_enrolling_again_keeps_every_key(tmp_path: Path) -> None:
    enrol(tmp_path, "postgresql://localhost/any", 8100, 8101)
    keys = {path.name: path.read_bytes() for path in tmp_path.iterdir() if path.suffix in {".key", ".crt"}}
    before = (tmp_path / "tpp.json").read_text()
    enrol(tmp_path, "postgresql://localhost/any", 9100, 8101)
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir() if path.suffix in {".key", ".crt"}} == keys
    assert (tmp_path / "tpp.json").read_text() == before
    assert all(path.stat().st_mode & 0o077 == 0 for path in tmp_path.glob("*.key"))


def test_a_taken_port_is_named(modelbank: Running) -> None:
    command = [sys.executable, "-m", "modelbank", "serve", "--config", str(modelbank.folder / "modelbank.json")]
    second = subprocess.run(command, capture_output=True, text=True, timeout=20, check=False)
    assert second.returncode == 3
    assert f"Port {modelbank.pages_port} is taken." in second.stderr
