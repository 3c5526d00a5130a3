"""Limits on messages as a firm's software and a customer's browser meet them."""

from __future__ import annotations

import asyncio
import re
from collections import Counter
from pathlib import Path
from typing import Any

import asyncpg
import httpx
import pytest

from strongroom.kit.edge import Edge
from tests.funds.firm_api import ANN, open_app, open_firm

LIMITS: dict[str, tuple[dict[str, str], str, int, str]] = {
    "number": ({}, "447300000001", 429, "600"),
    "prefix": ({"sms_per_prefix_hour": "5"}, "44730000{n:04d}", 429, "3600"),
    "country": ({"sms_per_home_country_day": "5"}, "4473{n:04d}0000", 429, "86400"),
    "client": ({"sms_per_client_hour": "5"}, "4473{n:04d}0000", 429, "3600"),
    "tenant": ({"sms_per_tenant_hour": "5"}, "4473{n:04d}0000", 429, "3600"),
}


@pytest.mark.parametrize("limit", LIMITS)
async def test_of_sixteen_messages_asked_for_again_at_once_as_many_are_sent_as_the_limit_says_and_the_rest_are_told_when(
    database: Any, tmp_path: Path, limit: str
) -> None:
    settings, phone, status, seconds = LIMITS[limit]
    async with open_app(database, tmp_path, **settings) as (house, edge), open_firm(house, edge, "Smith") as firm:
        wanted = []
        for n in range(16):
            case_id, _ = await firm.open_case(f"REF-{n}", ANN | {"phone": phone.format(n=n), "email": f"ann{n}@example.com"})
            made = await firm.post("/customerAccountRequests", 201, {"caseId": case_id, "notify": False})
            wanted.append(f"/customerAccountRequests/{made['id']}/resend")
        answers = await asyncio.gather(*(firm.send("POST", path) for path in wanted))
    assert Counter(answer.status_code for answer in answers) == {200: 5, status: 11}
    refused = [answer for answer in answers if answer.status_code == status]
    assert {answer.json()["code"] for answer in refused} == {"too_many_messages"}
    assert {answer.headers["retry-after"] for answer in refused} == {seconds}
    assert not any(phone.format(n=n) in answer.text for n, answer in enumerate(answers))


async def test_a_number_of_a_country_that_is_not_served_is_refused_for_good_and_the_request_itself_is_made(
    database: Any, tmp_path: Path
) -> None:
    async with open_app(database, tmp_path, sms_countries="GB") as (house, edge), open_firm(house, edge, "Smith") as firm:
        case_id, _ = await firm.open_case("REF-1", ANN | {"phone": "+353 85 123 4567"})
        request_id = await firm.ask(case_id)
        refused = await firm.send("POST", f"/creditRequests/{request_id}/resend")
        assert (refused.status_code, refused.json()["code"]) == (409, "country_not_served")
        [authentication] = (await firm.get("/customerAuthentications"))["data"]
        assert "invitedAt" not in authentication


class Browser:
    """A browser at a network address, that asks for a code."""

    def __init__(self, edge: Edge, address: str) -> None:
        transport = httpx.ASGITransport(edge, client=(address, 40_000))  # type: ignore[arg-type]  # an ASGI application
        self.http = httpx.AsyncClient(transport=transport, base_url="http://pay.example.com")

    async def ask(self, n: int = 0) -> httpx.Response:
        form = await self.http.get("/customer/login")
        [csrf] = set(re.findall(r'name="csrf" value="([^"]+)"', form.text))
        person = {"csrf": csrf, "email": f"nobody{n}@example.com", "day": "1", "month": "2", "year": "1980"}
        return await self.http.post("/customer/login", data=person)


async def test_a_browser_whose_address_asks_for_too_many_codes_sees_a_page_that_says_when_whoever_it_names(
    database: Any, tmp_path: Path
) -> None:
    async with open_app(database, tmp_path, sms_per_address_hour="5") as (_, edge):
        answers = await asyncio.gather(*(Browser(edge, "192.0.2.7").ask(n) for n in range(16)))
        assert Counter(answer.status_code for answer in answers) == {303: 5, 429: 11}
        page = next(answer for answer in answers if answer.status_code == 429)
        assert page.headers["retry-after"] == "3600"
        assert "Please wait until" in page.text
        assert 'href="/customer"' in page.text
        assert (await Browser(edge, "192.0.2.8").ask()).status_code == 303
    owner = await asyncpg.connect(database.dsn)
    rows = await owner.fetch("SELECT limited_by, purpose, country, refused FROM message_refusals")
    await owner.close()
    assert rows == [("address", "login_code", "ZZ", 11)]


async def test_a_browser_that_asks_again_too_soon_is_told_that_no_code_was_sent(database: Any, tmp_path: Path) -> None:
    async with open_app(database, tmp_path) as (_, edge):
        browser = Browser(edge, "192.0.2.7")
        assert (await browser.ask()).status_code == 303
        form = await browser.http.get("/customer/code")
        [csrf] = set(re.findall(r'name="csrf" value="([^"]+)"', form.text))
        answer = await browser.http.post("/customer/code/again", data={"csrf": csrf})
        assert answer.headers["location"] == "/customer/code?unsent=true"
        assert "We could not send a code just now" in (await browser.http.get(answer.headers["location"])).text
