"""Say how well two readings of a name agree, as a score from 0 to 100 from which each doubt takes its part."""

from __future__ import annotations

from typing import TYPE_CHECKING

from strongroom.funds.name_reading import Order, Organisation, Person, Reading, Word, readings

if TYPE_CHECKING:
    from collections.abc import Sequence

# What each doubt costs. At most 5 in all is still exact, at most 40 is close; two doubts of the 31 kind are too many.
MIDDLE_INITIAL, MIDDLE_MISSING, MIDDLE_TYPO, MIDDLE_DIFFERS = 2, 3, 10, 25
INITIAL, OTHER_ORDER, CUT, FORM_MISSING = 10, 12, 18, 12
TYPO, SHORT_FORM, KNOWN_BY_MIDDLE, PART_OF_SURNAME, TITLE_DIFFERS = 31, 32, 30, 32, 31
NO_GIVEN_NAME, GIVEN_DIFFERS, GENERATION_DIFFERS, FAMILY_DIFFERS, OTHER_KIND = 50, 70, 70, 90, 90

_SHORTEST_TYPO = 4  # in shorter words one letter makes another name: Amy, Ann, Lee, Lea
_SHORTEST_PREFIX = 3
_NICKNAMES = tuple(
    frozenset(group.split())
    for group in (
        "robert bob bobby rob robbie",
        "william bill billy will liam",
        "elizabeth liz lizzie beth betty eliza libby",
        "margaret maggie peggy meg",
        "richard dick rick ricky",
        "james jim jimmy jamie",
        "john jack johnny",
        "thomas tom tommy",
        "anthony tony",
        "edward ted ned eddie",
        "henry harry hank",
        "charles charlie chuck",
        "michael mike mick mickey",
        "catherine katherine kate kathy cathy katie",
        "mary molly polly",
        "sarah sally",
        "susan sue",
        "patricia pat trish",
        "patrick paddy",
        "alexander alexandra alex sandy sasha",
        "andrew andy drew",
        "david dave",
        "stephen steven steve",
        "joseph joe",
        "peter pete",
        "helen nell nellie",
        "theresa teresa terry tess",
        "rebecca becky",
        "christopher kit",
    )
)


def compare_people(one: Person, other: Person) -> int:
    """Return the score of the best pair of readings. Symmetric, apart from cut names."""
    doubts = 0
    if one.gender and other.gender and one.gender != other.gender:
        doubts += TITLE_DIFFERS
    if one.generation != other.generation:
        doubts += GENERATION_DIFFERS if one.generation and other.generation else INITIAL
    pairs = ((a, b) for a in readings(one) for b in readings(other) if _may_meet(a, b))
    last_words = {person.words[-1] for person in (one, other) if person.is_cut}
    best = min((_doubts(a, b, last_words) for a, b in pairs), default=100)
    return max(0, 100 - doubts - best)


def compare_organisations(one: Organisation, other: Organisation) -> int:
    """Return the score of two organisations: the same words, and the same legal form where both tell it."""
    missing = FORM_MISSING if one.form != other.form else 0
    if one.form and other.form and missing:
        return 100 - FAMILY_DIFFERS
    mine, theirs = "".join(one.words), "".join(other.words)
    if mine == theirs:
        return 100 - missing
    if min(len(mine), len(theirs)) >= _SHORTEST_TYPO and is_one_edit(mine, theirs):
        return 100 - missing - TYPO
    return 100 - FAMILY_DIFFERS


def is_one_edit(one: str, other: str) -> bool:
    """True when one letter is added, left out, replaced, or two neighbours are swapped; in linear time."""
    if one == other or abs(len(one) - len(other)) > 1:
        return False
    start = 0
    while start < min(len(one), len(other)) and one[start] == other[start]:
        start += 1
    a, b = one[start:], other[start:]
    return a[1:] == b[1:] or a[1:] == b or a == b[1:] or (a[:2] == b[1::-1] and a[2:] == b[2:])


def _may_meet(one: Reading, other: Reading) -> bool:
    """Two names both taken the wrong way round would only let a given name pass for a surname."""
    wrong_ways = {one.order, other.order}
    return wrong_ways != {Order.FAMILY_FIRST} and not (
        Order.FAMILY_FIRST in wrong_ways
        and any(r.order is Order.STATED and all(word.is_initial for word in r.given) for r in (one, other))
    )


def _doubts(one: Reading, other: Reading, cut: set[Word]) -> int:
    order = OTHER_ORDER if Order.FAMILY_FIRST in (one.order, other.order) else 0
    family = _family_doubts(one.family, other.family, cut)
    return order + family + _given_doubts(one.given, other.given, cut)


def _family_doubts(one: tuple[Word, ...], other: tuple[Word, ...], cut: set[Word]) -> int:
    if _same(one, other):
        return 0
    mine, theirs = _joined(one), _joined(other)
    if _is_cut(one, other, cut, _SHORTEST_PREFIX):
        return CUT
    if min(len(mine), len(theirs)) >= _SHORTEST_TYPO and is_one_edit(mine, theirs):
        return TYPO
    parts, others = _parts(one), _parts(other)
    shared = parts & others
    return PART_OF_SURNAME if shared and shared in (parts, others) else FAMILY_DIFFERS


def _given_doubts(one: tuple[Word, ...], other: tuple[Word, ...], cut: set[Word]) -> int:
    if not one or not other:
        return NO_GIVEN_NAME if one or other else 0
    if _same(one, other):
        return 0
    first = _first_name_doubts(one[0], other[0], cut)
    if first is not None:
        return first + _middle_doubts(one[1:], other[1:], cut)
    if _knows(one[0], other[1:]) or _knows(other[0], one[1:]):
        return KNOWN_BY_MIDDLE
    if _are_initials(one, other) or _are_initials(other, one):
        return TYPO
    return GIVEN_DIFFERS


def _first_name_doubts(one: Word, other: Word, cut: set[Word]) -> int | None:
    if _same((one,), (other,)):
        return 0
    shorter, longer = sorted((one, other), key=lambda word: len(word.plain))
    if longer.plain.startswith(shorter.plain):
        if shorter.is_initial:
            return INITIAL
        if shorter in cut:
            return CUT
        if len(shorter.plain) >= _SHORTEST_PREFIX:
            return SHORT_FORM
    if not shorter.is_initial and len(longer.plain) >= _SHORTEST_TYPO and is_one_edit(one.plain, other.plain):
        return TYPO
    return SHORT_FORM if any({one.plain, other.plain} <= group for group in _NICKNAMES) else None


def _middle_doubts(one: tuple[Word, ...], other: tuple[Word, ...], cut: set[Word]) -> int:
    if _same(one, other):
        return 0
    doubts = 0 if len(one) == len(other) else MIDDLE_MISSING
    for mine, theirs in zip(one, other, strict=False):
        doubt = _first_name_doubts(mine, theirs, cut)
        by_kind = {0: 0, INITIAL: MIDDLE_INITIAL, CUT: MIDDLE_INITIAL, None: MIDDLE_DIFFERS}
        doubts = max(doubts, by_kind.get(doubt, MIDDLE_TYPO))
    return doubts


def _same(one: Sequence[Word], other: Sequence[Word]) -> bool:
    mine, theirs = ({_joined(words), "".join(word.umlauted for word in words)} for words in (one, other))
    return not mine.isdisjoint(theirs)


def _joined(words: Sequence[Word]) -> str:
    return "".join(word.plain for word in words)


def _parts(words: Sequence[Word]) -> set[str]:
    return {part for word in words for part in word.parts if len(part) > 1}


def _is_cut(one: tuple[Word, ...], other: tuple[Word, ...], cut: set[Word], shortest: int) -> bool:
    for words, whole in ((one, _joined(other)), (other, _joined(one))):
        text = _joined(words)
        if words[-1] in cut and len(text) >= shortest and whole.startswith(text):
            return True
    return False


def _knows(word: Word, middles: Sequence[Word]) -> bool:
    return not word.is_initial and any(_same((word,), (middle,)) for middle in middles)


def _are_initials(run: tuple[Word, ...], names: tuple[Word, ...]) -> bool:
    """True for "AJ" beside "Alex James"."""
    return len(run) == 1 < len(names) and run[0].plain == "".join(word.plain[0] for word in names)
