from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from strongroom.kit.errors import Invalid
from strongroom.notify.gsm import Encoding, encoding_of, segments_of, to_gsm
from strongroom.notify.texts import CATALOGUE, PLACEHOLDERS, Template, Texts, check_wording, fill
from tests.notify.conftest import FIRM, House

VALUES = {"firm": "Smith & Jones", "link": "pay.smith-jones.co.uk/customer", "code": "123456", "host": "pay.smith-jones.co.uk"}
VALUES |= {"time": "24 hours", "amount": "NGN 9,999,999.99", "payee": "A Book Shop with a Name of Sixty Characters, as Long as One"}


def values_of(template: Template, **changed: str) -> dict[str, str]:
    return {name: (VALUES | changed)[name] for name in PLACEHOLDERS[template]}


@pytest.mark.parametrize(
    ("text", "encoding", "segments"),
    [
        ("a" * 160, "gsm7", 1),
        ("a" * 161, "gsm7", 2),
        ("a" * 306, "gsm7", 2),
        ("a" * 307, "gsm7", 3),
        ("€" * 80, "gsm7", 1),
        ("€" * 81, "gsm7", 2),
        ("a" * 152 + "€" + "a" * 152, "gsm7", 3),  # the euro sign takes two places and is not cut in two
        ("ł" * 70, "ucs2", 1),
        ("ł" * 71, "ucs2", 2),
        ("😀" * 35, "ucs2", 1),
        ("😀" * 36, "ucs2", 2),
        ("", "gsm7", 1),
    ],
)
def test_segments_are_counted_as_networks_charge_them(text: str, encoding: str, segments: int) -> None:
    assert (encoding_of(text), segments_of(text)) == (encoding, segments)


@given(st.text())
def test_any_text_can_be_written_in_the_alphabet_of_messages(text: str) -> None:
    assert encoding_of(to_gsm(text)) is Encoding.GSM7


def test_signs_that_cost_dear_are_replaced() -> None:
    assert to_gsm("O’Brien – Łódź… ₦5") == "O'Brien - Lódz... NGN5".replace("ó", "o")


@pytest.mark.parametrize("template", Template)
def test_the_catalogue_passes_its_own_rules_and_fits_one_segment(template: Template) -> None:
    check_wording(template, CATALOGUE[template])
    assert segments_of(fill(template, CATALOGUE[template], values_of(template))) == 1


def test_the_catalogue_says_what_was_agreed() -> None:
    assert fill(Template.REQUEST_LINK, CATALOGUE[Template.REQUEST_LINK], values_of(Template.REQUEST_LINK, link="s-j.uk/c")) == (
        "Smith & Jones asks you to take an action. Go to s-j.uk/c or type it. "
        "Not expecting this? Call Smith & Jones on a number you already have."
    )


def test_a_login_code_comes_first_and_is_bound_to_its_host_in_the_last_line() -> None:
    lines = fill(Template.LOGIN_CODE, CATALOGUE[Template.LOGIN_CODE], values_of(Template.LOGIN_CODE)).splitlines()
    assert lines[0].startswith("123456 ")
    assert lines[-1] == "@pay.smith-jones.co.uk #123456"


def test_a_long_firms_name_is_cut_at_a_word_so_that_the_text_stays_one_segment() -> None:
    firm = "Featherstonehaugh, Cholmondeley & Marjoribanks Conveyancing Solicitors LLP"
    for template in Template:
        text = fill(template, CATALOGUE[template], values_of(template, firm=firm, link="http://localhost:8080/customer"))
        assert segments_of(text) == 1
        assert "Feathersto" in text


def test_a_firms_name_cannot_smuggle_a_line_or_a_placeholder_into_a_text() -> None:
    text = fill(
        Template.LOGIN_CODE, CATALOGUE[Template.LOGIN_CODE], values_of(Template.LOGIN_CODE, firm="Evil\n@evil.example #{code}")
    )
    assert text.splitlines()[-1] == "@pay.smith-jones.co.uk #123456"
    assert len(text.splitlines()) == 2


@pytest.mark.parametrize(
    ("template", "wording", "reason"),
    [
        (Template.REQUEST_LINK, "{firm} asks you: {link} {amount}", "exactly"),
        (Template.REQUEST_LINK, "{firm} asks you", "exactly"),
        (Template.REQUEST_LINK, "{firm.__class__} {link}", "exactly"),
        (Template.REQUEST_LINK, "{firm!r} {link}", "exactly"),
        (Template.REQUEST_LINK, "{firm} {link} {", "exactly"),
        (Template.REQUEST_LINK, "{firm}: pay your deposit at {link}", "banks"),
        (Template.REQUEST_LINK, "{firm} – {link}", "alphabet"),
        (Template.REQUEST_LINK, "{firm} {link}" + "x" * 300, "characters"),
        (Template.LOGIN_CODE, "Your code for {firm} is {code}\n@{host} #{code}", "begin"),
        (Template.LOGIN_CODE, "{code} for {firm} on {host}", "end"),
    ],
)
def test_an_unsafe_wording_is_refused_with_its_reason(template: Template, wording: str, reason: str) -> None:
    with pytest.raises(Invalid, match=reason):
        check_wording(template, wording)


async def test_a_firm_may_have_its_own_wording_and_go_back(house: House) -> None:
    texts = Texts()
    wanted = values_of(Template.REQUEST_LINK)
    async with house.app.transaction(FIRM) as tx:
        before = await texts.write(tx, FIRM, Template.REQUEST_LINK, wanted)
        await texts.set_wording(tx, FIRM, Template.REQUEST_LINK, "Hello from {firm}: please open {link}")
        assert await texts.write(tx, FIRM, Template.REQUEST_LINK, wanted) == (
            "Hello from Smith & Jones: please open pay.smith-jones.co.uk/customer"
        )
        await texts.set_wording(tx, FIRM, Template.REQUEST_LINK, None)
        assert await texts.write(tx, FIRM, Template.REQUEST_LINK, wanted) == before


def test_a_missing_or_stray_value_is_a_mistake_of_ours() -> None:
    with pytest.raises(ValueError, match="exactly"):
        fill(Template.REQUEST_LINK, CATALOGUE[Template.REQUEST_LINK], {"firm": "x"})
