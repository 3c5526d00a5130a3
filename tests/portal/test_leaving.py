"""Leaving for a bank that wants the request pushed: the address of ours that pushes it, for its own customer, and its failures."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest

from strongroom.banking.port import BankRefused, BankUnavailable
from strongroom.portal import paths
from tests.faults.town import BANK, BASE_URL, COOKIE, Town, open_town

PAY, SHARE = "waiting credit", "waiting account"


class Customer:
    """A customer of Alder's, signed in."""

    def __init__(self, town: Town, session: dict[str, str]) -> None:
        self.town = town
        self.csrf = session["csrf"]
        cookies = {COOKIE + "session": session["session"]}
        self.http = httpx.AsyncClient(transport=town.http._transport, base_url=BASE_URL, cookies=cookies)  # the same application

    async def begins(self, kind: str) -> str:
        """Agree to pay or to share; return the address at which that is live."""
        request_id = self.town.alder.ids[kind]
        check = paths.pay_check(request_id) if kind == PAY else paths.share_check(request_id)
        agreed = await self.http.post(check, data={"csrf": self.csrf, "bank": BANK})
        return agreed.headers["location"].removesuffix("/go")


@pytest.fixture
async def town(database: Any) -> AsyncIterator[Town]:
    async with open_town(database) as opened:
        opened.bank.wants_pushes = True
        yield opened


@pytest.fixture
async def customer(town: Town) -> AsyncIterator[Customer]:
    one = Customer(town, await town.open_session(town.alder.record))
    yield one
    await one.http.aclose()


@pytest.mark.parametrize("kind", [PAY, SHARE])
async def test_the_link_leads_to_us_and_from_there_each_time_to_another_address_of_the_bank(
    town: Town, customer: Customer, kind: str
) -> None:
    live = await customer.begins(kind)
    page = await customer.http.get(f"{live}/go")
    assert f'href="{live}/bank"' in page.text
    assert f'content="30; url={live}/bank"' in page.text, "without JavaScript it goes on as well"
    assert "bank.example" not in page.text
    assert town.bank.count("push_request") == 0
    left = [await customer.http.get(f"{live}/bank") for _ in range(2)]
    consent = town.bank.newest().id
    assert [(one.status_code, one.headers["location"], one.headers["cache-control"]) for one in left] == [
        (303, f"https://bank.example/pushed/{consent}/{number}", "no-store") for number in (1, 2)
    ]


@pytest.mark.parametrize("kind", [PAY, SHARE])
@pytest.mark.parametrize("trouble", [BankUnavailable("http_503"), BankRefused("invalid_client")], ids=["away", "refused"])
async def test_a_bank_that_takes_no_request_leaves_a_page_that_waits_and_offers_two_ways_on(
    town: Town, customer: Customer, kind: str, trouble: Exception
) -> None:
    live = await customer.begins(kind)
    town.bank.next("push_request", trouble)
    left = await customer.http.get(f"{live}/bank")
    page = await customer.http.get(left.headers["location"])
    assert "We could not" in page.text
    assert f'href="{live}/bank"' in page.text
    assert f'action="{live}/another-bank"' in page.text
    assert "data-go-on" not in page.text
    assert "http-equiv" not in page.text
    assert (await customer.http.get(f"{live}/bank")).headers["location"].startswith("https://bank.example/pushed/")
    another = await customer.http.post(f"{live}/another-bank", data={"csrf": customer.csrf})
    assert another.status_code == 303
    assert (await customer.http.get(f"{live}/bank")).headers["location"] == live
    assert (await customer.http.get(f"{live}/go?unreachable=true")).headers["location"] == live


async def test_a_bank_that_wants_none_is_linked_to_and_reached_by_our_address_too(town: Town, customer: Customer) -> None:
    town.bank.wants_pushes = False
    live = await customer.begins(PAY)
    address = f"https://bank.example/authorise/{town.bank.newest().id}"
    assert f'href="{address}"' in (await customer.http.get(f"{live}/go")).text
    assert (await customer.http.get(f"{live}/bank")).headers["location"] == address
    assert town.bank.count("push_request") == 0


@pytest.mark.parametrize("kind", [PAY, SHARE])
async def test_nobody_else_makes_us_push_anything(town: Town, customer: Customer, kind: str) -> None:
    live = await customer.begins(kind)
    stranger = Customer(town, await town.open_session(town.beech.record))
    assert (await stranger.http.get(f"{live}/bank")).status_code == 404
    stranger.http.cookies.clear()
    nobody = await stranger.http.get(f"{live}/bank")
    assert "bank.example" not in nobody.headers.get("location", "")
    assert town.bank.count("push_request") == 0
    await stranger.http.aclose()
