"""Why nothing was paid or shared: the page says what happened, and not what happens more often."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any

import pytest

from strongroom.banking.port import BankRefused, BankSilent, BankUnavailable, CustomerContext, Declined
from strongroom.funds.model import Failure
from strongroom.portal.pages import shaping
from strongroom.portal.texts import load_texts
from strongroom.portal.views.paying import NotPaidBecause
from strongroom.portal.views.sharing import NotSharedBecause
from tests.faults.town import AGREEMENT, BANK, COOKIE, Town, open_town

OF_SHARING_ALONE = {Failure.NO_SUITABLE_ACCOUNT}
OF_PAYING_ALONE = {
    Failure.INSUFFICIENT_FUNDS, Failure.OVER_LIMIT, Failure.REJECTED_BY_BANK, Failure.NOT_DEBITED,
}  # fmt: skip


@pytest.fixture
async def town(database: Any) -> AsyncIterator[Town]:
    async with open_town(database) as opened:
        yield opened


def test_every_failure_has_words_of_its_own() -> None:
    paying, sharing = dict(shaping._BECAUSE), dict(shaping._NOT_SHARED)
    assert paying.keys() == set(Failure) - OF_SHARING_ALONE
    assert sharing.keys() == set(Failure) - OF_PAYING_ALONE
    assert sorted(paying.values()) == sorted(NotPaidBecause)
    assert sorted(sharing.values()) == sorted(NotSharedBecause)


def test_only_a_bank_that_gave_no_answer_is_said_to_have_given_none() -> None:
    entries = load_texts()["en"]._entries
    said = {key for key, text in entries.items() if key.startswith(("not_paid", "not_shared")) and "answer" in text}
    about = {key.rsplit(".", maxsplit=1)[1] for key in said}
    assert about == {"bank_down", "unverified"}


async def test_each_way_in_which_sharing_ends_is_told_as_it_was(town: Town) -> None:
    bank = town.bank
    bank.next("exchange", BankSilent("answer_lost"))
    assert await share(town, comes_back=True) == "Sharing was not finished"
    bank.next("accept_return", Declined("invalid_return"))
    assert await share(town, comes_back=True) == "We could not be sure of the answer"
    bank.next("accept_return", Declined("bank_error"))
    assert await share(town, comes_back=True) == "It did not work at Mulberry Bank just now"
    bank.next("accept_return", Declined("cancelled"))
    assert await share(town, comes_back=True) == "You did not agree to share"
    bank.next("accept_return", Declined("refused"))
    assert await share(town, comes_back=True) == "Mulberry Bank did not share your details"
    assert await share(town, another=True) == "You went on with another bank"
    assert await share(town, late=timedelta(hours=2)) == "The time ran out"


async def test_each_way_in_which_paying_ends_is_told_as_it_was(town: Town) -> None:
    bank = town.bank
    bank.next("exchange", BankSilent("answer_lost"))
    assert await pay(town, comes_back=True) == "The payment was not finished"
    bank.next("accept_return", Declined("invalid_return"))
    assert await pay(town, comes_back=True) == "We could not trust the answer that came back"
    bank.next("accept_return", Declined("bank_error"))
    assert await pay(town, comes_back=True) == "Mulberry Bank could not do this just now"
    bank.next("accept_return", Declined("cancelled"))
    assert await pay(town, comes_back=True) == "You stopped the payment"
    bank.next("submit_payment", BankRefused("refused"))
    assert await pay(town, comes_back=True) == "Mulberry Bank did not accept the payment"
    assert await pay(town, another=True) == "You chose to use another bank"
    assert await pay(town, late=timedelta(hours=2)) == "The time at Mulberry Bank ran out"


async def test_a_bank_that_refuses_before_anybody_is_sent_there_is_not_called_silent(town: Town) -> None:
    session = await town.open_session(town.alder.record)
    where, cookies = (
        f"/customer/share/{town.alder.ids['waiting account']}/check",
        {"cookie": f"{COOKIE}session={session['session']}"},
    )
    for fault, leads in (
        (BankRefused("refused"), "/customer/shares/shr-"),
        (BankUnavailable("down"), f"{where}?bank={BANK}&unreach"),
    ):
        town.bank.next("request_access", fault)
        answer = await town.http.post(where, data={"csrf": session["csrf"], "bank": BANK}, headers=cookies)
        assert answer.headers["location"].startswith(leads)


async def share(town: Town, *, comes_back: bool = False, another: bool = False, late: timedelta | None = None) -> str:
    """Share once and return what the page says."""
    house, alder = town.house, town.alder
    await town.owner.execute("UPDATE shares SET due_at = NULL")
    begun = await house.sharing.begin(
        alder.id, alder.ids["customer"], alder.ids["waiting account"], BANK, AGREEMENT, CustomerContext(), b"b" * 32
    )
    if comes_back:
        await house.sharing.come_back(*town.bank.agree(), b"b" * 32)
    if another:
        await house.sharing.choose_another(alder.id, alder.ids["customer"], begun.share_id)
    if late:
        await town.owner.execute(
            "UPDATE shares SET expires_at = expires_at - $1::interval, due_at = app_now() WHERE id = $2", late, begun.share_id
        )
    if comes_back or late:
        assert await town.jobs.share_steps.step() == 1
    return await heading(town, f"/customer/shares/{begun.share_id}")


async def pay(town: Town, *, comes_back: bool = False, another: bool = False, late: timedelta | None = None) -> str:
    """Pay once and return what the page says."""
    house, alder = town.house, town.alder
    await town.owner.execute("UPDATE payments SET due_at = NULL")
    begun = await house.payments.begin(
        alder.id, alder.ids["customer"], alder.ids["waiting credit"], BANK, AGREEMENT, CustomerContext()
    )
    if comes_back:
        await house.payments.come_back(*town.bank.agree())
    if another:
        await house.payments.choose_another(alder.id, alder.ids["customer"], begun.payment_id)
    if late:
        await town.owner.execute(
            "UPDATE payments SET expires_at = expires_at - $1::interval, due_at = app_now() WHERE id = $2", late, begun.payment_id
        )
    if comes_back or late:
        assert await town.jobs.payment_steps.step() == 1
    return await heading(town, f"/customer/payments/{begun.payment_id}")


async def heading(town: Town, url: str) -> str:
    session = (await town.open_session(town.alder.record))["session"]
    page = await town.http.get(url, headers={"cookie": f"{COOKIE}session={session}"})
    found = re.search(r'<h1 data-part="title">(.*?)</h1>', page.text)
    assert found is not None
    return found[1]
