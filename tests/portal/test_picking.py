"""The list of banks: whoever is in trouble says so, stays choosable, and is neither hidden nor moved out of its group."""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest

from strongroom.banking.health import HealthReport
from strongroom.banking.registry import BankListing
from strongroom.portal.accent import DARK, LIGHT, contrast, parse_colour
from strongroom.portal.brands import LINE_CONTRAST, brands_css
from strongroom.portal.pages import picking
from strongroom.portal.views.paying import BankList, InTrouble, OutOfReach
from tests.faults.town import COOKIE, open_town

SINCE = datetime(2026, 11, 21, 14, 5, tzinfo=UTC)
WELL = HealthReport(20, 0.0, None, None, None, 0.2, 0.5)
FAILING = replace(WELL, error_rate=0.5)
SLOW = replace(WELL, p50_seconds=9.0)
DOWN = replace(WELL, error_rate=1.0, unavailable_since=SINCE)


def bank(bank_id: str, health: HealthReport = WELL, reason: str | None = None) -> BankListing:
    since = health.unavailable_since or (SINCE if reason else None)
    return BankListing(bank_id, f"{bank_id.title()} Bank", None, reason, since, health)


def listed(*banks: BankListing, last: str | None = None, query: str = "") -> BankList:
    return picking.bank_list(banks, query, "/here", last, lambda bank_id: f"/{bank_id}")


@pytest.mark.parametrize(
    ("health", "trouble"), [(WELL, None), (FAILING, InTrouble.FAILING), (SLOW, InTrouble.SLOW), (DOWN, InTrouble.DOWN)]
)
def test_a_bank_in_trouble_says_so_and_can_be_chosen(health, trouble):
    reason = "not_answering" if health is DOWN else None
    [choice] = listed(bank("oak", health, reason)).most_used
    assert (choice.trouble, choice.out_of_reach, choice.url) == (trouble, None, "/oak")
    assert choice.since == (SINCE if health is DOWN else None)


def test_a_bank_that_the_operator_closed_cannot_be_chosen_whatever_its_health():
    [choice] = listed(bank("oak", FAILING, "Maintenance")).most_used
    assert (choice.out_of_reach, choice.trouble, choice.since) == (OutOfReach.MAINTENANCE, None, SINCE)


def test_trouble_moves_a_bank_down_its_own_group_and_into_no_other():
    most = [bank("a", SLOW), bank("b", reason="Maintenance"), bank("c"), bank("d", DOWN, "not_answering"), bank("e"), bank("f")]
    found = listed(*most, bank("g", FAILING), bank("h"))
    assert [one.id for one in found.most_used] == ["c", "e", "f", "a", "d", "b"]
    assert [one.id for one in found.others] == ["h", "g"]
    assert found.count == 8


def test_the_bank_of_last_time_stays_on_top_and_says_its_trouble():
    found = listed(bank("a"), bank("b", SLOW), last="b")
    assert found.last_used is not None
    assert (found.last_used.id, found.last_used.trouble) == ("b", InTrouble.SLOW)


def test_a_search_finds_banks_in_trouble_too():
    assert [one.id for one in listed(bank("ash"), bank("oak", DOWN, "not_answering"), query=" OAK ").most_used] == ["oak"]


def test_a_bank_without_a_logo_is_known_by_its_initials():
    looks = [picking.look_of(replace(bank("x"), name=name)) for name in ("Mulberry Bank", "Alder & Pike", "first direct", "1st")]
    assert [look.initials for look in looks] == ["MB", "AP", "FD", "1"]


@pytest.mark.parametrize("accent", ["#ffffff", "#000000", "#ffd400", "#7a1f4f", "#808080", "#24272d", "#f0eee8"])
def test_whatever_a_banks_colour_is_its_words_are_read_and_its_edge_is_seen(accent):
    light, dark = re.findall(r"--brand:(#\w+);--on-brand:(#\w+);--brand-line:(#\w+)", brands_css({"oak": accent}))
    for (fill, on_fill, line), ground in ((light, LIGHT), (dark, DARK)):
        assert contrast(parse_colour(fill), parse_colour(on_fill)) >= 4.5
        assert contrast(parse_colour(line), ground.surface) >= LINE_CONTRAST


async def test_nobody_agrees_at_a_bank_that_was_closed_while_they_read(database: Any):
    async with open_town(database) as town:
        registry: Any = town.house.registry
        registry.closed = frozenset({"mulberry"})
        opened = await town.open_session(town.alder.record)
        headers = {"cookie": f"{COOKIE}session={opened['session']}"}
        for here, back in (
            (f"/customer/pay/{town.alder.ids['waiting credit']}", ""),
            (f"/customer/share/{town.alder.ids['waiting account']}", "/bank"),
        ):
            answer = await town.http.post(f"{here}/check", data={"bank": "mulberry", "csrf": opened["csrf"]}, headers=headers)
            assert (answer.status_code, answer.headers["location"]) == (303, f"{here}{back}")
        assert await town.owner.fetchval("SELECT count(*) FROM payments") == 2, "the town's own, one a firm"
        assert await town.owner.fetchval("SELECT count(*) FROM shares") == 2
