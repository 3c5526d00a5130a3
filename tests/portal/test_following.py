"""The page after paying, as the server sees it: what it follows, for how long, and that looking by itself is no activity."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest

from strongroom.banking.port import CustomerContext, PaymentStatus
from tests.faults.town import AGREEMENT, BANK, COOKIE, Town, open_town

BY_ITSELF = {"sec-fetch-site": "same-origin", "sec-fetch-mode": "navigate"}
BY_HAND = {**BY_ITSELF, "sec-fetch-user": "?1"}


class Paying:
    """A customer of Alder who has paid, and a bank that says how the payment stands."""

    def __init__(self, town: Town, payment_id: str, session: str) -> None:
        self.town = town
        self.url = f"/customer/payments/{payment_id}"
        self.session = session
        self._id = payment_id

    async def look(self, path: str = "", **headers: str) -> httpx.Response:
        cookies = {"cookie": f"{COOKIE}session={self.session}"}
        return await self.town.http.get(self.url + path, headers=cookies | headers)

    async def becomes(self, status: PaymentStatus) -> None:
        """Let the bank say that the payment stands so, and the worker ask."""
        self.town.bank.next("payment_report", status)
        await self.town.owner.execute("UPDATE payments SET due_at = app_now() WHERE id = $1", self._id)
        assert await self.town.jobs.payment_steps.step() == 1

    async def time_passes(self, minutes: int) -> None:
        await self.town.owner.execute(
            "UPDATE payments SET changed_at = changed_at - make_interval(mins => $2) WHERE id = $1", self._id, minutes
        )


@pytest.fixture
async def paying(database: Any) -> AsyncIterator[Paying]:
    async with open_town(database) as town:
        house, alder = town.house, town.alder
        begun = await house.payments.begin(
            alder.id, alder.ids["customer"], alder.ids["waiting credit"], BANK, AGREEMENT, CustomerContext()
        )
        state, fields = town.bank.agree()
        town.bank.settles_as = PaymentStatus.EXECUTED
        await house.payments.come_back(state, fields)
        await town.owner.execute("UPDATE payments SET due_at = app_now() + interval '1 day' WHERE id <> $1", begun.payment_id)
        assert await town.jobs.payment_steps.step() == 1
        yield Paying(town, begun.payment_id, (await town.open_session(alder.record))["session"])


def says_outcome(page: httpx.Response) -> str:
    found = re.search(r'<h1 data-part="title">(.*?)</h1>', page.text)
    assert found is not None
    return re.sub("<.*?>", "", found[1])


async def test_a_paid_page_follows_until_the_money_is_received_and_then_is_final(paying: Paying) -> None:
    page = await paying.look()
    assert says_outcome(page) == "You have paid £100.00"
    assert f'data-live="{paying.url}/status?shown=executed"' in page.text
    assert 'http-equiv="refresh" content="30"' in page.text
    assert (await paying.look("/status?shown=executed")).json() == {"text": "", "final": False}
    await paying.becomes(PaymentStatus.CREDITED)
    assert (await paying.look("/status?shown=executed")).json()["final"] is True
    page = await paying.look()
    assert says_outcome(page) == "Your £100.00 has been received"
    for follows in ("data-live", "refresh", "looks again", "looking"):
        assert follows not in page.text


async def test_a_payment_on_hold_is_followed_to_its_end_too(paying: Paying) -> None:
    await paying.becomes(PaymentStatus.HELD)
    assert (await paying.look("/status?shown=executed")).json()["final"] is True
    assert f'data-live="{paying.url}/status?shown=held"' in (await paying.look()).text
    await paying.becomes(PaymentStatus.REJECTED)
    assert (await paying.look("/status?shown=held")).json()["final"] is True
    page = await paying.look()
    assert says_outcome(page) == "Your payment was sent back"
    assert "data-live" not in page.text


async def test_after_a_quarter_of_an_hour_the_page_stops_and_says_so_until_something_changes(paying: Paying) -> None:
    await paying.time_passes(14)
    assert (await paying.look("/status?shown=executed")).json()["final"] is False
    await paying.time_passes(2)
    assert (await paying.look("/status?shown=executed")).json()["final"] is True
    page = await paying.look()
    assert "This page has stopped looking by itself" in page.text
    assert f'href="{paying.url}">Check again' in page.text
    for follows in ("data-live", "refresh"):
        assert follows not in page.text
    await paying.becomes(PaymentStatus.HELD)
    assert "This page looks again by itself" in (await paying.look()).text


@pytest.mark.parametrize(("headers", "is_active"), [(BY_ITSELF, False), (BY_HAND, True), ({}, True)])
async def test_a_page_that_looks_by_itself_keeps_no_session_alive(paying: Paying, headers: dict[str, str], is_active: bool) -> None:
    await paying.town.owner.execute("UPDATE portal_sessions SET active_at = active_at - interval '200 s'")
    left = re.search(r'data-session-seconds="(\d+)"', (await paying.look(**headers)).text)
    assert left is not None
    assert (int(left[1]) > 290) == is_active
    assert int(left[1]) > 290 or 50 < int(left[1]) <= 100
