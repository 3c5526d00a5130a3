"""Limits before a text message: each by itself, exact however many ask at once, and what is refused is counted."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import Any

import pytest

from strongroom.kit.metrics import MESSAGES_REFUSED
from strongroom.notify.countries import country_of, prefix_of
from strongroom.notify.errors import CountryNotServed, TooManyMessages, refusal_of
from strongroom.notify.limiting import network_of
from strongroom.notify.messages import Messages
from strongroom.notify.model import Limited, LimitedBy, MessageLimits, Purpose, Queued, Rate
from tests.notify.conftest import PHONE, House

FEW = Rate(5, 5)
WIDE = MessageLimits(
    number=Rate(10, 10), prefix=Rate(1000, 1000), country=Rate(1000, 1000), home_country=Rate(1000, 1000), address=Rate(1000, 1000),
    client=Rate(1000, 1000), tenant=Rate(1000, 1000),
)  # fmt: skip


def far_apart(n: int) -> str:
    """Return a British number in a block of its own."""
    return f"4477{n:04d}0000"


def in_a_row(n: int) -> str:
    return f"44770090{n:04d}"


def as_usual(n: int) -> dict[str, Any]:
    """Return a message that shares nothing with the others but its country."""
    return {"to": far_apart(n), "firm": f"frm-{n}", "address": f"192.0.2.{n}", "client": f"client:cli-{n}"}


SHARED: dict[LimitedBy, tuple[dict[str, Any], Any]] = {
    LimitedBy.PREFIX: ({"prefix": FEW}, lambda n: as_usual(n) | {"to": in_a_row(n)}),
    LimitedBy.COUNTRY: ({"home_country": FEW}, as_usual),
    LimitedBy.ADDRESS: ({"address": FEW}, lambda n: as_usual(n) | {"address": "198.51.100.7"}),
    LimitedBy.CLIENT: ({"client": FEW}, lambda n: as_usual(n) | {"client": "client:cli-1"}),
    LimitedBy.TENANT: ({"tenant": FEW}, lambda n: as_usual(n) | {"firm": "frm-1"}),
    LimitedBy.NUMBER: ({"number": FEW}, lambda n: as_usual(n) | {"to": PHONE}),
}


def limit(house: House, **changes: Any) -> None:
    house.messages = Messages(house.app, house.vault, replace(WIDE, **changes))


async def queue(house: House, *messages: dict[str, Any]) -> list[Queued | Limited]:
    return await asyncio.gather(*(house.queue(**message) for message in messages))


@pytest.mark.parametrize("by", SHARED)
async def test_of_sixteen_simultaneous_messages_exactly_as_many_pass_as_the_limit_says(house: House, by: LimitedBy) -> None:
    changes, message = SHARED[by]
    limit(house, **changes)
    outcomes = await queue(house, *(message(n) for n in range(16)))
    assert sum(isinstance(outcome, Queued) for outcome in outcomes) == 5
    assert {outcome for outcome in outcomes if isinstance(outcome, Limited)} == {Limited(by)}
    assert await house.owner.fetchval("SELECT count(*) FROM messages") == 5
    assert await house.owner.fetch("SELECT limited_by, refused FROM message_refusals") == [(by, 11)]


@pytest.mark.parametrize("by", SHARED)
async def test_what_is_refused_by_one_limit_uses_nothing_of_the_others(house: House, by: LimitedBy) -> None:
    changes, message = SHARED[by]
    limit(house, **changes)
    await queue(house, *(message(n) for n in range(16)))
    used = await house.owner.fetch("SELECT name, sum(used) FROM rate_windows GROUP BY name")
    assert {count for _, count in used} == {5}


@pytest.mark.parametrize("by", [one for one in SHARED if one is not LimitedBy.NUMBER])
async def test_an_hour_later_the_days_limit_still_holds_and_says_so(house: House, by: LimitedBy) -> None:
    changes, message = SHARED[by]
    limit(house, **dict.fromkeys(changes, Rate(5, 8)))
    first = await queue(house, *(message(n) for n in range(6)))
    assert [one.retry_after_seconds for one in first if isinstance(one, Limited)] == [3600]
    await house.pass_time(7200)
    later = await queue(house, *(message(n) for n in range(6, 12)))
    assert sum(isinstance(one, Queued) for one in later) == 3
    assert {one.retry_after_seconds for one in later if isinstance(one, Limited)} == {86_400}


async def test_a_number_has_limits_of_the_hour_and_of_the_day_too(house: House) -> None:
    limit(house, number=Rate(2, 3))
    assert [isinstance(await house.queue(), Queued) for _ in range(3)] == [True, True, False]
    await house.pass_time(3601)
    assert [isinstance(await house.queue(), Queued) for _ in range(2)] == [True, False]
    await house.pass_time(86_400)
    assert isinstance(await house.queue(), Queued)


async def test_a_home_country_has_the_larger_limit_and_every_country_its_own(house: House) -> None:
    limit(house, country=Rate(1, 1), home_country=Rate(3, 3), home_countries=frozenset({"GB"}))
    outcomes = await queue(house, *(as_usual(n) for n in range(5)))
    assert sum(isinstance(one, Queued) for one in outcomes) == 3
    for country in ("353851234567", "2348012345678"):
        assert isinstance(await house.queue(to=country), Queued)
        assert await house.queue(to=f"{country[:-5]}99999") == Limited(LimitedBy.COUNTRY)


async def test_a_message_goes_to_no_country_but_those_of_the_operator_and_of_the_tenant(house: House) -> None:
    limit(house, countries=frozenset({"GB", "NG"}))
    irish = await house.queue(to="353851234567")
    assert irish == Limited(LimitedBy.NOT_SERVED)
    assert await house.queue(countries=("NG",)) == Limited(LimitedBy.NOT_SERVED)
    assert isinstance(await house.queue(countries=("NG", "GB")), Queued)
    assert await house.queue(to="881612345678") == Limited(LimitedBy.NOT_SERVED)  # a network of no country
    assert await house.owner.fetchval("SELECT count(*) FROM rate_windows WHERE used > 1") == 0  # refused before it is counted


async def test_a_large_limit_is_split_and_never_passed(house: House) -> None:
    limit(house, tenant=Rate(8000, 8000))
    await queue(house, *(as_usual(n) | {"firm": "frm-1"} for n in range(40)))
    rows = await house.owner.fetch("SELECT used FROM rate_windows WHERE name = 'sms tenant hour'")
    assert len(rows) > 1
    assert sum(row["used"] for row in rows) == 40
    await house.owner.execute("UPDATE rate_windows SET used = 1000 WHERE name = 'sms tenant hour'")
    outcomes = await queue(house, *(as_usual(n) | {"firm": "frm-1"} for n in range(40)))
    assert set(outcomes) == {Limited(LimitedBy.TENANT)}


async def test_an_address_may_be_counted_before_anybody_knows_whose_number_it_would_be(house: House) -> None:
    limit(house, address=FEW)
    asked = await asyncio.gather(*(house.messages.take_address("2001:db8::1", Purpose.LOGIN_CODE) for _ in range(16)))
    assert asked.count(None) == 5
    assert await house.messages.take_address("2001:db8:0:0:ffff::9", Purpose.LOGIN_CODE) == Limited(LimitedBy.ADDRESS)
    assert await house.messages.take_address("2001:db8:0:1::1", Purpose.LOGIN_CODE) is None
    assert await house.queue(address="2001:db8::7") == Limited(LimitedBy.ADDRESS)


async def test_a_refusal_is_counted_by_limit_purpose_and_country(house: House) -> None:
    metric = MESSAGES_REFUSED.labels("number", Purpose.LOGIN_CODE, "GB")
    before = metric._value.get()  # what /metrics shows
    for _ in range(7):
        await house.queue(purpose=Purpose.LOGIN_CODE)
    assert metric._value.get() - before == 2  # as above
    rows = await house.owner.fetch("SELECT limited_by, purpose, country, refused FROM message_refusals")
    assert rows == [("number", "login_code", "GB", 2)]


async def test_many_messages_with_everything_in_common_wait_for_no_deadlock(house: House) -> None:
    limit(house)
    numbers = [far_apart(1), in_a_row(1), "2348012345678", "353851234567"]
    until = await house.time(600)

    async def several(n: int) -> int:
        async with house.app.transaction(f"frm-{n % 2}") as tx:
            turn = [numbers[(n + k) % 4] for k in range(4)]  # each in another order
            outcomes = [
                await house.messages.queue(
                    tx, f"frm-{n % 2}", to=to, text="x", purpose=Purpose.NOTICE, valid_until=until, key=f"{n} {to}"
                )
                for to in turn
            ]
        return sum(isinstance(one, Queued) for one in outcomes)

    async with asyncio.timeout(20):
        assert sum(await asyncio.gather(*(several(n) for n in range(16)))) == 20  # five to each number


def test_a_known_caller_is_told_when_to_come_back_and_not_which_limit_it_was() -> None:
    refusal = refusal_of(Limited(LimitedBy.PREFIX, 3600))
    assert isinstance(refusal, TooManyMessages)
    assert (refusal.code, refusal.status, refusal.retry_after_seconds) == ("too_many_messages", 429, 3600)
    assert "prefix" not in refusal.detail
    assert isinstance(refusal_of(Limited(LimitedBy.NOT_SERVED)), CountryNotServed)


@pytest.mark.parametrize(
    ("number", "country"),
    [
        ("447300000001", "GB"), ("447700900123", "GB"), ("447911123456", "GG"), ("12042345678", "CA"), ("18765551234", "JM"),
        ("77012345678", "KZ"), ("881612345678", "001"), ("2107123456", "ZZ"), ("1999999999", "US"),
    ],
)  # fmt: skip
def test_a_number_tells_its_country(number: str, country: str) -> None:
    assert country_of(number) == country


def test_a_block_is_the_number_without_its_last_four_digits() -> None:
    assert prefix_of("447700900123") == prefix_of("447700909999") == "44770090"


@pytest.mark.parametrize(("address", "counted"), [("192.0.2.7", "192.0.2.7"), ("2001:db8::7", "2001:db8::/64")])
def test_of_ipv6_a_network_counts_as_one_address(address: str, counted: str) -> None:
    assert network_of(address) == counted
