from __future__ import annotations

import re
from itertools import islice

import pytest
from hypothesis import given
from hypothesis import strategies as st

from strongroom.funds.references import candidates, distinct_reference, is_statement_reference, statement_reference

CARRIED = re.compile(r"[A-Za-z0-9&\-./](?:[A-Za-z0-9 &\-./]{0,16}[A-Za-z0-9&\-./])?")
REFERENCES = st.text(min_size=1, max_size=35)


@pytest.mark.parametrize(
    ("reference", "shown"),
    [
        ("PAY001.1", "PAY001.1"),
        ("Smith & Sons", "Smith & Sons"),
        ("SC-2024/000123 deposit payment", "SC-2024/000123 dep"),
        ("PAY_001#2", "PAY-001 2"),
        ("  padded  ", "padded"),
        ("a" * 17 + " b", "a" * 17),
        ("Zoë Straße Łódź", "Zoe Strasse Lodz"),
        ("ref\u00a0no\t7", "ref no 7"),
        ("日本", "PAYMENT"),
        ("***", "PAYMENT"),
        ("A\0B", "A B"),
    ],
)
def test_a_reference_is_shown_in_what_faster_payments_carry(reference: str, shown: str) -> None:
    assert statement_reference(reference) == shown


@given(REFERENCES)
def test_every_reference_can_be_carried_and_stays_the_same_when_derived_again(reference: str) -> None:
    shown = statement_reference(reference)
    assert CARRIED.fullmatch(shown)
    assert is_statement_reference(shown)
    assert statement_reference(shown) == shown


def test_a_taken_reference_gets_the_next_free_number_within_18_characters() -> None:
    assert distinct_reference("PAY001.1", []) == "PAY001.1"
    assert distinct_reference("PAY001.1", {"PAY001.1"}) == "PAY001.1-2"
    assert distinct_reference("PAY001.1", {"pay001.1", "Pay001.1-2"}) == "PAY001.1-3"
    assert distinct_reference("A" * 35, {"A" * 18}) == "A" * 16 + "-2"
    assert distinct_reference("A" * 15 + " BCD", {"A" * 15 + " BC"}) == "A" * 15 + "-2"


@given(REFERENCES)
def test_a_thousand_requests_with_one_reference_all_differ(reference: str) -> None:
    found = list(islice(candidates(reference), 1000))
    assert len({candidate.upper() for candidate in found}) == 1000
    assert all(is_statement_reference(candidate) for candidate in found)


@given(REFERENCES, st.sets(REFERENCES.map(statement_reference), max_size=20))
def test_a_distinct_reference_is_never_among_the_taken(reference: str, taken: set[str]) -> None:
    taken |= {statement_reference(reference).swapcase()}
    shown = distinct_reference(reference, taken)
    assert shown.upper() not in {other.upper() for other in taken}
    assert CARRIED.fullmatch(shown)


@pytest.mark.parametrize("text", ["", " A", "A ", "A" * 19, "A_B", "é", "A\n"])
def test_what_a_bank_would_change_is_no_statement_reference(text: str) -> None:
    assert not is_statement_reference(text)
