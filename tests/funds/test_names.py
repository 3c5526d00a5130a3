from __future__ import annotations

import time
from pathlib import Path

import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from strongroom.funds.name_comparison import is_one_edit
from strongroom.funds.names import NameMatch, Outcome, ThirdParty, find_third_party, match_names

GUIDE = Path(__file__).parents[2] / "docs" / "integrate" / "name-matching.md"
CUT_LENGTHS = {17, 18, 39, 40}


def cases() -> list[list[str]]:
    """The rows of the guide's table of cases."""
    table = GUIDE.read_text("utf-8").partition("| customer | account holder |")[2].partition("\n\n")[0]
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in table.splitlines()[2:]]


@pytest.mark.parametrize("row", cases(), ids=lambda row: " / ".join(row[:2]))
def test_the_guide_says_what_happens(row: list[str]) -> None:
    customer, holder, outcome, score, third_party, why = row
    match = match_names(customer, holder)
    assert (match.outcome, match.score) == (outcome, int(score)), why
    assert find_third_party(customer, holder) == third_party


def test_the_guide_has_cases_of_every_outcome() -> None:
    found = cases()
    assert len(found) > 50
    assert {row[2] for row in found} == set(Outcome)
    assert {row[4] for row in found} == set(ThirdParty)


def test_the_holders_are_listed_as_the_bank_wrote_them() -> None:
    match = match_names("Beth Morgan", "Mr A  MORGAN\u200b &\tMRS B MORGAN")
    assert match.compared == ("Mr A MORGAN", "MRS B MORGAN")


def test_several_texts_of_the_bank_are_compared_and_blank_ones_passed_over() -> None:
    match = match_names("Alex Morgan", [None, "", "BETH MORGAN", "ALEX MORGAN", "ALEX MORGAN"])
    assert match == NameMatch(Outcome.EXACT, 100, ("BETH MORGAN", "ALEX MORGAN"))
    assert match_names("Alex Morgan", []).outcome is Outcome.UNAVAILABLE
    assert match_names("Alex Morgan", None).outcome is Outcome.UNAVAILABLE
    assert match_names("***", "ALEX MORGAN").outcome is Outcome.UNAVAILABLE


def test_review_is_required_when_nothing_agrees_or_nothing_is_known() -> None:
    assert not match_names("Alex Morgan", "ALEX MORGAN").review_required
    assert not match_names("Alex Morgan", "MR A MORGAN").review_required
    assert match_names("Alex Morgan", "BETH MORGAN").review_required
    assert match_names("Alex Morgan", None).review_required


def test_any_customer_of_the_case_may_pay() -> None:
    assert find_third_party(["Alex Morgan", "Beth Stone"], "B STONE") is ThirdParty.NO
    assert find_third_party(["Alex Morgan", "Beth Stone"], "CARL STONE") is ThirdParty.YES
    assert find_third_party(["Alex Morgan", "***"], "ALEX MORGAN") is ThirdParty.NO
    assert find_third_party(["Alex Morgan", "***"], "CARL STONE") is ThirdParty.UNKNOWN
    assert find_third_party([], "CARL STONE") is ThirdParty.UNKNOWN


def test_a_customers_own_name_is_never_taken_as_cut() -> None:
    assert match_names("MR CHRISTOPHER MON", "CHRISTOPHER MONTGOMERY").outcome is Outcome.NONE


@pytest.mark.parametrize("name", ["Jack Ma", "John Senior", "Jane Lord", "Charlotte Church", "Alex Bank", "Yo Yo Ma"])
def test_a_surname_that_is_also_another_word_stays_a_surname(name: str) -> None:
    assert match_names(name, f"MR {name.upper()}").outcome is Outcome.EXACT
    given, _, family = name.rpartition(" ")
    assert match_names(name, f"{family}, {given}").outcome is Outcome.EXACT


GIVEN = st.sampled_from("alex beth carl dora emil josé søren anne-marie li a j robert bob".split())  # noqa: SIM905 - a word list reads better
FAMILY = st.sampled_from("morgan morgen stone smith-jones o'brien müller mueller ng lee kjær de church".split())  # noqa: SIM905 - a word list reads better
TITLE = st.sampled_from(["", "mr ", "mrs ", "dr "])
PEOPLE = st.builds(lambda t, g, m, f: f"{t}{g} {m}{f}", TITLE, GIVEN, st.sampled_from(["", "kim ", "k "]), FAMILY)
JUNK = st.text(max_size=80) | st.text(alphabet="aB &,-'.*/é\u0301\u200bø1+;\x00", max_size=80)


@given(PEOPLE | JUNK, PEOPLE | JUNK)
def test_comparing_is_symmetric_for_names_that_name_one_person(one: str, other: str) -> None:
    assume(not ({len(" ".join(one.split())), len(" ".join(other.split()))} & CUT_LENGTHS))
    there, back = match_names(one, other), match_names(other, one)
    assume(len(there.compared) < 2 and len(back.compared) < 2)
    assert (there.outcome, there.score) == (back.outcome, back.score)


@given(PEOPLE | JUNK)
def test_a_name_is_exactly_itself_or_no_name_at_all(name: str) -> None:
    match = match_names(name, name)
    assert match.outcome in (Outcome.EXACT, Outcome.UNAVAILABLE)


@settings(suppress_health_check=[HealthCheck.filter_too_much])  # by chance a run draws many names that begin with a title
@given(PEOPLE, TITLE)
def test_case_titles_and_spaces_change_nothing(name: str, title: str) -> None:
    assume(not name.startswith(("mr ", "mrs ", "dr ")))
    assume(len(f"{title}{name}") not in CUT_LENGTHS)
    assert match_names(name, f"  {title.upper()} {name.upper()} ").outcome is Outcome.EXACT


LETTERS = st.text(alphabet="abcdefghijklmnopqrstuvwxyzéöłñ", min_size=2, max_size=12)


@given(LETTERS, LETTERS, LETTERS)
def test_different_surnames_are_never_exact(given_name: str, family: str, other: str) -> None:
    outcome = match_names(f"{given_name} {family}", f"{given_name} {other}").outcome
    if outcome is Outcome.EXACT:
        assert folded(family) & folded(other)


@given(LETTERS, LETTERS, LETTERS)
def test_different_given_names_are_never_exact(family: str, one: str, other: str) -> None:
    if match_names(f"{one} {family}", f"{other} {family}").outcome is Outcome.EXACT:
        assert folded(one) & folded(other)


def folded(word: str) -> set[str]:
    plain = word.translate(str.maketrans("éöłñ", "eoln"))
    return {plain, word.replace("ö", "oe").translate(str.maketrans("éłñ", "eln"))}


@given(PEOPLE, JUNK)
def test_any_text_gets_a_score_in_range_and_an_outcome_that_fits(name: str, junk: str) -> None:
    match = match_names(name, junk)
    assert 0 <= match.score <= 100
    assert (match.outcome is Outcome.EXACT) == (match.score >= 95)
    assert (match.outcome is Outcome.CLOSE) == (60 <= match.score < 95)
    assert all(text == text.strip() and "\0" not in text for text in match.compared)


@pytest.mark.parametrize(
    "text",
    [
        "a " * 500_000,
        "&" * 500_000,
        "a b & " * 200_000,
        "a and " * 200_000,
        "-" * 500_000,
        "'" * 500_000,
        "a\u0301" * 500_000,
        "\ufdfa" * 500_000,
        "ab cd ef gh ij kl mn op qr st & " * 20_000,
        ", " * 500_000,
        "mr " * 500_000,
        "\u200b" * 500_000,
        "t/a " * 100_000,
    ],
)
def test_a_hostile_text_costs_little_and_answers_stay_small(text: str) -> None:
    started = time.process_time()
    match = match_names(text, [text] * 100)
    assert time.process_time() - started < 1
    assert sum(map(len, match.compared)) <= 8 * 350


@pytest.mark.parametrize(("one", "other"), [("ab", "ba"), ("abc", "ac"), ("ac", "abc"), ("abc", "abd"), ("abcd", "acbd")])
def test_one_edit_is_found(one: str, other: str) -> None:
    assert is_one_edit(one, other)


@pytest.mark.parametrize(("one", "other"), [("abc", "abc"), ("abc", "ade"), ("abcd", "badc"), ("abc", "abcde"), ("", "ab")])
def test_no_edit_and_two_edits_are_not_one(one: str, other: str) -> None:
    assert not is_one_edit(one, other)
