from __future__ import annotations

import json
import time
from enum import StrEnum
from typing import Annotated

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from strongroom.kit.body import MAX_BYTES, MAX_DEPTH, Reader, Shape, parsed
from strongroom.kit.errors import Invalid, Malformed, Refusal, TooLarge
from strongroom.kit.money import parse_pounds


class Purpose(StrEnum):
    FEES = "fees"


class NewCustomer(Shape, frozen=True):
    name: Annotated[str, msgspec.Meta(min_length=1, max_length=140)]
    email: str
    date_of_birth: str
    phone: str


class NewCase(Shape, frozen=True):
    case_ref: Annotated[str, msgspec.Meta(min_length=1, max_length=64)]
    customers: Annotated[list[NewCustomer], msgspec.Meta(min_length=1, max_length=20)]


class Anything(Shape, frozen=True):
    case_id: str = ""
    amount: msgspec.Raw = msgspec.Raw(b"0")
    count: Annotated[int, msgspec.Meta(ge=1, lt=50)] = 1
    purpose: Purpose = Purpose.FEES
    notify: bool | None = None
    labels: dict[str, str] = {}  # noqa: RUF012 - msgspec copies an empty default
    tree: object = None
    code: Annotated[str, msgspec.Meta(pattern="^[a-z]+$")] = "a"


CASE = {
    "caseRef": "SC00001.0",
    "customers": [{"name": "Test Name", "email": "docs@example.com", "dateOfBirth": "1980-01-01", "phone": "447300000001"}],
}
cases = Reader(NewCase)
anything = Reader(Anything)


def refused(body: bytes | str, reader: Reader[NewCase] | Reader[Anything] = anything) -> Refusal:
    with pytest.raises(Refusal) as caught:
        reader.read(body.encode() if isinstance(body, str) else body)
    return caught.value


def only_error(body: str, reader: Reader[NewCase] | Reader[Anything] = anything) -> tuple[str, str]:
    refusal = refused(body, reader)
    assert isinstance(refusal, Invalid)
    (error,) = refusal.errors
    assert error.detail in str(refusal)
    return error.pointer, error.detail


def test_the_case_of_the_worked_example_is_read() -> None:
    case = cases.read(json.dumps(CASE).encode())
    assert case.customers[0].date_of_birth == "1980-01-01"


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"  \n",
        b"{",
        b"{}x",
        b"{'a':1}",
        b'{"caseId":"a\x01"}',
        b'{"amount":NaN}',
        b'{"amount":Infinity}',
        b'{"amount":01}',
        b'{"amount":+1}',
        b"\xef\xbb\xbf{}",
        '{"caseId":"x"}'.encode("utf-16"),
        b'{"tree":"\\ud800"}',
    ],
)
def test_what_is_not_json_is_malformed(body: bytes) -> None:
    assert isinstance(refused(body), Malformed)


@pytest.mark.parametrize("place", [b'{"caseId":"%b"}', b'{"amount":"%b"}', b'{"%b":1}'])
@pytest.mark.parametrize("bad", [b"\xff", b"\xc0\xaf", b"\xed\xa0\x80", b"\xf4\x90\x80\x80"])
def test_bytes_that_are_not_utf8_are_malformed_wherever_they_stand(place: bytes, bad: bytes) -> None:
    assert str(refused(place % bad)) == "The body is not valid UTF-8"


@pytest.mark.parametrize(
    "body",
    [
        '{"amount":1,"amount":2}',
        '{"amount":1,"am\\u006funt":2}',
        '{"tree":{"a":[{"b":1,"b":1}]}}',
        '{"tree":{"":1,"":1}}',
        '{"caseId":"a:b","amount":1,"amount":2}',
        '{"amount":' + "1" * 5000 + ',"amount":2}',
    ],
)
def test_a_name_that_stands_twice_is_refused(body: str) -> None:
    refusal = refused(body)
    assert isinstance(refusal, Malformed)
    assert "stands twice" in str(refusal)


def test_a_colon_inside_a_text_is_no_duplicate() -> None:
    assert anything.read(b'{"caseId":"http://a:80/::", "labels":{"a:b":"\\u003a:"}}').case_id == "http://a:80/::"


@given(
    st.recursive(
        st.none() | st.integers() | st.text(alphabet=':"\\{}[],a0\u00e9\u2028', max_size=6),
        lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(':"\\ab', max_size=3), inner, max_size=3),
        max_leaves=12,
    )
)
def test_no_well_formed_body_is_taken_for_one_with_duplicates(tree: object) -> None:
    anything.read(json.dumps({"tree": tree}).encode())
    anything.read(json.dumps({"tree": tree}, ensure_ascii=False).encode())


@given(st.text(':"\\ab', max_size=3), st.text(':"\\ab', max_size=6), st.booleans())
def test_every_duplicate_is_found_whatever_the_texts_hold(name: str, text: str, ascii_only: bool) -> None:
    pair = f"{json.dumps(name, ensure_ascii=ascii_only)}:{json.dumps(text)}"
    assert isinstance(refused(f'{{"tree":{{{pair} , {pair}}}}}'), Malformed)


@pytest.mark.parametrize("body", ['{"caseId":"\\u0000"}', '{"tree":{"\\u0000":1}}', '{"tree":[["x",["a\\u0000"]]]}'])
def test_a_nul_character_is_refused_because_the_database_cannot_keep_it(body: str) -> None:
    assert "NUL" in str(refused(body))


def test_an_escaped_backslash_before_u0000_is_no_nul() -> None:
    assert anything.read(b'{"caseId":"\\\\u0000"}').case_id == "\\u0000"


def nested(levels: int) -> str:
    return '{"tree":' + "[" * (levels - 1) + "]" * (levels - 1) + "}"


def test_the_stated_depth_passes_and_one_more_is_refused() -> None:
    anything.read(nested(MAX_DEPTH).encode())
    for levels in (MAX_DEPTH + 1, 900, 2000, 30_000):
        assert "levels deep" in str(refused(nested(levels)))
    assert "levels deep" in str(refused('{"caseId":":",' + nested(MAX_DEPTH + 1)[1:]))
    assert "levels deep" in str(refused('{"amount":' + "9" * 5000 + "," + nested(MAX_DEPTH + 1)[1:]))


def test_a_body_over_the_limit_is_refused_before_it_is_read() -> None:
    with pytest.raises(TooLarge, match="65536 bytes"):
        anything.read(b"[" * (MAX_BYTES + 1))


def test_an_unknown_field_is_named_with_its_place() -> None:
    assert only_error('{"nmae":1}') == ("/nmae", "is not a known field")
    body = json.dumps({**CASE, "customers": [{**CASE["customers"][0], "a/b~c": 1}]})  # type: ignore[dict-item]  # a made-up body
    assert only_error(body, cases) == ("/customers/0/a~1b~0c", "is not a known field")
    assert only_error('{"x` - at `$.y":1}')[1] == "is not a known field"
    assert len(only_error(f'{{"{"x" * 9000}":1}}')[0]) < 100


def test_a_missing_field_is_named_with_its_place() -> None:
    assert only_error(json.dumps({"customers": CASE["customers"]}), cases) == ("/caseRef", "is required")
    assert only_error('{"caseRef":"a","customers":[{}]}', cases) == ("/customers/0/name", "is required")


@pytest.mark.parametrize(
    ("body", "pointer", "sentence"),
    [
        ("[]", "", "must be an object, not a list"),
        ('"x"', "", "must be an object, not text"),
        ("7", "", "must be an object, not a whole number"),
        ('{"caseId":1}', "/caseId", "must be text, not a whole number"),
        ('{"caseId":null}', "/caseId", "must be text, not null"),
        ('{"notify":"yes"}', "/notify", "must be true or false or null, not text"),
        ('{"purpose":"rent"}', "/purpose", "is not one of the accepted values"),
        ('{"count":0}', "/count", "must be at least 1"),
        ('{"count":50}', "/count", "must be at most 49"),
        ('{"count":1e400}', "/count", "has a value that cannot be accepted"),
        ('{"labels":{"a":1}}', "/labels", "must be text, not a whole number"),
        ('{"code":"A"}', "/code", "has the wrong form"),
    ],
)
def test_a_wrong_value_is_refused_with_its_place_and_a_sentence(body: str, pointer: str, sentence: str) -> None:
    assert only_error(body) == (pointer, sentence)


def test_lengths_are_told_in_characters_and_entries() -> None:
    assert only_error('{"caseRef":"","customers":[]}', cases)[1] == "must have at least 1 characters"
    assert only_error('{"caseRef":"a","customers":[]}', cases)[1] == "must have at least 1 entries"


def test_a_refused_amount_points_at_its_field() -> None:
    for token in ("100.005", "1e2", "1e400", "9" * 5000, '"x"', "-0.0", "null"):
        body = anything.read(f'{{"amount":{token}}}'.encode())
        with pytest.raises(Invalid) as caught:
            parsed("/amount", parse_pounds, body.amount)
        assert caught.value.errors[0].pointer == "/amount"
    assert parsed("/amount", parse_pounds, anything.read(b'{"amount": 100.0 }').amount) == 10000


def test_reading_the_body_of_the_worked_example_costs_little() -> None:
    body = json.dumps(CASE).encode()
    best = min(_microseconds(body) for _ in range(7))
    assert best < 40, f"{best:.1f} µs; about 5 are usual; the bound leaves room for a busy machine"


def _microseconds(body: bytes) -> float:
    started = time.perf_counter()
    for _ in range(500):
        cases.read(body)
    return (time.perf_counter() - started) / 500 * 1e6
