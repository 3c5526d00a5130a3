from __future__ import annotations

from decimal import Decimal

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from strongroom.kit.money import (
    UnacceptableAmount,
    parse_pounds,
    parse_pounds_text,
    pounds_number,
    print_pounds,
    show_pounds,
)


class Wanted(msgspec.Struct):
    amount: msgspec.Raw


def parse(token: str) -> int:
    return parse_pounds(msgspec.json.decode(f'{{"amount": {token} }}', type=Wanted).amount)


@pytest.mark.parametrize(
    ("token", "pence"),
    [
        ("100.0", 10000),
        ("100", 10000),
        ("100.00", 10000),
        ('"100.00"', 10000),
        ('"100"', 10000),
        ('"\\u0031.5"', 150),
        ("0.01", 1),
        ("0", 0),
        ("0.29", 29),
        ("1.1", 110),
        ("4.35", 435),
        ("1000000.00", 100000000),
        ("999999999.99", 99999999999),
        ('"007"', 700),
    ],
)
def test_a_plain_decimal_is_read_as_exact_pence(token: str, pence: int) -> None:
    assert parse(token) == pence


@pytest.mark.parametrize(
    ("token", "reason"),
    [
        ("100.005", "more than two decimals"),
        ("100.000", "more than two decimals"),
        ("1e2", "plain digits"),
        ("1E400", "plain digits"),
        ("1.0e0", "plain digits"),
        ("-1", "negative"),
        ("-0", "negative"),
        ("-0.0", "negative"),
        ("1000000000", "nine digits"),
        ("9" * 100_000, "too long"),
        ("0." + "0" * 100_000, "too long"),
        ("null", "number of pounds"),
        ("true", "number of pounds"),
        ("[]", "number of pounds"),
        ("{}", "number of pounds"),
        ('""', "plain digits"),
        ('"NaN"', "plain digits"),
        ('"Infinity"', "plain digits"),
        ('"1e5"', "plain digits"),
        ('" 100"', "plain digits"),
        ('"100 "', "plain digits"),
        ('"100\\n"', "plain digits"),
        ('"1_000"', "plain digits"),
        ('"1,000"', "plain digits"),
        ('"+1"', "plain digits"),
        ('"-1"', "negative"),
        ('"1."', "plain digits"),
        ('".5"', "plain digits"),
        ('"0x10"', "plain digits"),
        ('"£1"', "plain digits"),
        ('"١٠٠"', "plain digits"),
        ('"\uff11\uff10"', "plain digits"),
        ('"1²"', "plain digits"),
        ('"\\ud835"', "number of pounds"),
    ],
)
def test_anything_else_is_refused_with_a_sentence(token: str, reason: str) -> None:
    raw = msgspec.Raw(token.encode())
    with pytest.raises(UnacceptableAmount, match=reason):
        parse_pounds(raw)


@pytest.mark.parametrize("token", ["NaN", "Infinity", "-Infinity", "01", "1.", ".5", "+1", "0x1"])
def test_what_is_no_json_number_never_reaches_the_field(token: str) -> None:
    with pytest.raises(msgspec.DecodeError):
        parse(token)


def test_a_raw_token_that_is_no_json_is_refused_all_the_same() -> None:
    for token in (b"", b"NaN", b"Infinity", b"\xff", b'"\xff"', b'"', b"1\xff"):
        with pytest.raises(ValueError, match=r"^must be"):
            parse_pounds(msgspec.Raw(token))


@given(st.integers(min_value=0, max_value=99_999_999_999))
def test_what_is_printed_reads_back_as_the_same_pence(minor: int) -> None:
    assert parse(print_pounds(minor)) == minor
    assert parse(f'"{print_pounds(minor)}"') == minor
    assert Decimal(print_pounds(minor)) * 100 == minor


@given(st.text(max_size=20))
def test_no_text_is_read_as_anything_but_the_decimal_it_shows(text: str) -> None:
    try:
        minor = parse_pounds_text(text)
    except UnacceptableAmount:
        return
    assert Decimal(text) * 100 == minor
    assert text.isascii()


def test_people_see_a_pound_sign_and_thousands() -> None:
    assert show_pounds(6250000) == "£62,500.00"
    assert show_pounds(5) == "£0.05"
    assert show_pounds(-123456) == "-£1,234.56"
    assert print_pounds(-5) == "-0.05"


def test_an_answer_prints_a_json_number_with_two_decimals() -> None:
    assert msgspec.json.encode(Wanted(amount=pounds_number(10000))) == b'{"amount":100.00}'
