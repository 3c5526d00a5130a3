from __future__ import annotations

from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from strongroom.funds.contacts import Email, UnacceptableContact, parse_born_on, parse_email, parse_phone

TODAY = date(2026, 3, 1)


def test_an_address_is_kept_as_given_and_compared_without_case() -> None:
    assert parse_email("Docs@Example.COM") == Email("Docs@Example.COM", "docs@example.com")
    assert parse_email("docs@example.com").normal == parse_email("DOCS@EXAMPLE.COM").normal


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("a@bücher.de", "a@xn--bcher-kva.de"),
        ("jose\u0301@example.com", "jos\u00e9@example.com"),
        ("É@example.com", "é@example.com"),
    ],
)
def test_spellings_of_one_address_have_one_normal_form(one: str, other: str) -> None:
    assert parse_email(one).normal == parse_email(other).normal


@pytest.mark.parametrize("text", ["o'brien+law@mail.example.co.uk", "a@sandbox.test", "x_y-z@example.org"])
def test_usual_addresses_are_accepted(text: str) -> None:
    assert parse_email(text).given == text


@pytest.mark.parametrize(
    "text",
    [
        "",
        "a",
        "@",
        "a@",
        "@b.com",
        "a@b",
        "a@@b.com",
        "a b@c.com",
        " a@b.com",
        "a@b.com ",
        "a@b.com\n",
        "a..b@c.com",
        "Mary <a@b.com>",
        '"a"@b.com',
        "a@[127.0.0.1]",
        "a@localhost",
        "a@b.com,c@d.com",
        "a\0@b.com",
        "a@b..com",
        "x" * 65 + "@b.com",
        "a@" + "b" * 300 + ".com",
        "a@" + "b." * 100_000 + "com",
        "a\u202e@b.com",
    ],
)
def test_what_is_no_address_is_refused(text: str) -> None:
    with pytest.raises(UnacceptableContact):
        parse_email(text)


@pytest.mark.parametrize(
    ("text", "digits"),
    [
        ("447300000001", "447300000001"),
        ("+447300000001", "447300000001"),
        ("00447300000001", "447300000001"),
        ("07300000001", "447300000001"),
        ("07300 000 001", "447300000001"),
        ("+44 (0)7300 000001", "447300000001"),
        ("+44 7300-000-001", "447300000001"),
        (" 07700 900123 ", "447700900123"),
        ("+353 86 123 4567", "353861234567"),
        ("353861234567", "353861234567"),
        ("+1 (202) 555-0143", "12025550143"),
        ("020 7946 0018", "442079460018"),
    ],
)
def test_a_number_becomes_its_e164_digits(text: str, digits: str) -> None:
    assert parse_phone(text) == digits


@pytest.mark.parametrize(
    "text",
    [
        "",
        " ",
        "+",
        "0",
        "7300000001x",
        "07300",
        "447300000",
        "07300" + " " * 30 + "000001",
        "073000000012345",
        "+9991234567",
        "phone",
        "+44",
        "447300000001;ext=5",
        "tel:+447300000001",
        "٠٧٣٠٠٠٠٠٠٠١",
        "\uff10\uff17\uff13\uff10\uff10000001",
        "++447300000001",
        "44+7300000001",
        "0900 123 4567",
        "+44 800 111 1234",
        "0" * 33,
        "4" * 100_000,
        "07300000001\n",
        "07300\t000001",
        "(" * 30,
    ],
)
def test_what_is_no_number_for_text_messages_is_refused(text: str) -> None:
    with pytest.raises(UnacceptableContact):
        parse_phone(text)


@given(st.text(alphabet="0123456789+ ()-.", max_size=20))
def test_a_normal_number_stays_the_same(text: str) -> None:
    try:
        digits = parse_phone(text)
    except UnacceptableContact:
        return
    assert digits.isascii()
    assert digits.isdigit()
    assert parse_phone(digits) == digits
    assert parse_phone(f"+{digits}") == digits


@pytest.mark.parametrize(
    ("text", "born_on"),
    [
        ("1980-01-01", date(1980, 1, 1)),
        ("2000-02-29", date(2000, 2, 29)),
        ("2010-03-01", date(2010, 3, 1)),
        ("1905-03-02", date(1905, 3, 2)),
    ],
)
def test_a_date_of_birth_from_16_to_120_years_ago_is_read(text: str, born_on: date) -> None:
    assert parse_born_on(text, TODAY) == born_on


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("2010-03-02", "age from 16 to 120"),
        ("1905-03-01", "age from 16 to 120"),
        ("1066-10-14", "age from 16 to 120"),
        ("2026-03-01", "in the past"),
        ("2999-01-01", "in the past"),
        ("2001-02-29", "does not exist"),
        ("1980-13-01", "does not exist"),
        ("0000-01-01", "does not exist"),
        ("1980-1-1", "YYYY-MM-DD"),
        ("19800101", "YYYY-MM-DD"),
        ("1980-W01-1", "YYYY-MM-DD"),
        ("01/01/1980", "YYYY-MM-DD"),
        ("1980-01-01T00:00:00Z", "YYYY-MM-DD"),
        ("1980-01-01\n", "YYYY-MM-DD"),
        ("١٩٨٠-٠١-٠١", "YYYY-MM-DD"),
        ("", "YYYY-MM-DD"),
    ],
)
def test_any_other_date_is_refused_with_its_reason(text: str, reason: str) -> None:
    with pytest.raises(UnacceptableContact, match=reason):
        parse_born_on(text, TODAY)


def test_who_was_born_on_a_leap_day_turns_16_on_the_first_of_march() -> None:
    with pytest.raises(UnacceptableContact):
        parse_born_on("2008-02-29", date(2024, 2, 28))
    assert parse_born_on("2004-02-29", date(2021, 3, 1)) == date(2004, 2, 29)


def test_no_refusal_repeats_what_was_given() -> None:
    for parse, text in ((parse_email, "secret@@x"), (parse_phone, "+99912345678")):
        with pytest.raises(UnacceptableContact) as caught:
            parse(text)
        assert text not in str(caught.value)
