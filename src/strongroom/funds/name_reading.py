"""Read a holder's name as people and banks write it: into people with words, titles and order, or an organisation."""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass, replace
from enum import StrEnum
from itertools import takewhile

MAX_TEXT = 350  # what a bank may send as a name (UK Open Banking); the rest is not looked at
MAX_HOLDERS = 8
MAX_WORDS = 10
CUT_LENGTHS = frozenset({17, 18, 39, 40})  # names cut at 18 or 40 characters, where the last may have been a space


@dataclass(frozen=True, slots=True)
class Word:
    """One word of a name, folded to plain lower case; `umlauted` spells ä, ö, ü, ø, å with two letters."""

    plain: str
    umlauted: str
    parts: tuple[str, ...]  # more than one when it was hyphenated

    @property
    def is_initial(self) -> bool:
        """True for a single letter."""
        return len(self.plain) == 1


class Order(StrEnum):
    """Which way round a name is taken to be written."""

    STATED = "stated"  # a comma, or initials at the end, say which words are the surname
    FAMILY_LAST = "family_last"
    FAMILY_FIRST = "family_first"


@dataclass(frozen=True, slots=True)
class Reading:
    """One way to understand a person's words."""

    given: tuple[Word, ...]
    family: tuple[Word, ...]
    order: Order


@dataclass(frozen=True, slots=True)
class Person:
    """A person's words, and what stood around them."""

    words: tuple[Word, ...]
    family_words: int = 0  # how many leading words stood before a comma
    gender: str = ""  # "m" or "f" when the title says so
    generation: str = ""  # "junior" or "senior"
    is_cut: bool = False  # the last word may have lost its end


@dataclass(frozen=True, slots=True)
class Organisation:
    """A company, charity, estate: anything that is not simply a person."""

    words: tuple[str, ...]
    form: str = ""  # ltd, plc, llp …


@dataclass(frozen=True, slots=True)
class Holder:
    """One holder: the piece of text as it was given, and what it was read as."""

    text: str
    read_as: Person | Organisation


_MALE = frozenset({"mr", "master", "sir", "lord"})
_FEMALE = frozenset({"mrs", "ms", "miss", "madam", "dame", "lady"})
_TITLES = _MALE | _FEMALE | {"mx", "dr", "prof", "professor", "rev", "reverend", "revd", "hon", "capt", "col", "cllr"}
_TITLES_BEHIND = frozenset({"mr", "mrs", "ms", "miss", "mx", "dr", "prof", "rev"})
_GENERATIONS = {"jr": "junior", "jnr": "junior", "junior": "junior", "ii": "junior"}
_GENERATIONS |= {"sr": "senior", "snr": "senior", "senior": "senior"}
_HONOURS = frozenset({"esq", "obe", "mbe", "cbe", "kbe", "phd", "md", "bsc", "msc", "qc", "kc", "jp"})
_MARKS = _HONOURS | _GENERATIONS.keys()
_FORMS = {"ltd": "ltd", "limited": "ltd", "plc": "plc", "llp": "llp", "lp": "lp", "inc": "inc", "incorporated": "inc"}
_FORMS |= {"cic": "cic", "gmbh": "gmbh", "cyf": "ltd", "cyfyngedig": "ltd", "llc": "llc", "bv": "bv"}
_BODY_WORDS = (
    "solicitors solicitor conveyancers conveyancing trust trustees trustee charity parish club association society "
    "partners partnership council university school foundation estate executors executor deceased decd company "
    "holdings group services properties developments"
)
_BODIES = frozenset(_BODY_WORDS.split())

_LETTERS = str.maketrans(
    {"ø": "o", "ł": "l", "đ": "d", "ð": "d", "þ": "th", "æ": "ae", "œ": "oe", "ı": "i", "ħ": "h", "ŋ": "n", "ŧ": "t"}
)
_UMLAUTS = str.maketrans({"ä": "ae", "ö": "oe", "ü": "ue", "ø": "oe", "å": "aa"})
_APOSTROPHES = dict.fromkeys(map(ord, "'`\u2018\u2019\u02bc\u02bb\u00b4\uff07"))
_HYPHENS = dict.fromkeys(map(ord, "\u2010\u2011\u2012\u2013\u2014\u2212\uff0d"), "-")
_TRADING = re.compile(r"\bt/a\b|\btrading as\b", re.IGNORECASE)
_JOINT = re.compile(r"[&+;/]|\b(?:and|und|et)\b", re.IGNORECASE)


def read_holders(text: str, *, by_bank: bool) -> tuple[Holder, ...]:
    """Read the one or several holders in `text`; empty when it holds no name (blank, masked, only a title).

    Banks cut names at 18 or 40 characters, so with `by_bank` the last word of such a text may have lost its end.
    """
    text = _tidied(text)
    if "*" in text:
        return ()
    is_cut = by_bank and len(text) in CUT_LENGTHS
    text = _TRADING.split(text, maxsplit=1)[0]
    words = _words(text)
    if organisation := _organisation(words):
        return (Holder(text.strip(), organisation),)
    pieces = [piece.strip() for piece in _JOINT.split(text)[:MAX_HOLDERS]]
    people = _with_shared_names([_person(piece) for piece in pieces])
    if is_cut and people:
        people[-1] = replace(people[-1], is_cut=True)
    return tuple(Holder(piece, person) for piece, person in zip(pieces, people, strict=True) if person.words)


def readings(person: Person) -> list[Reading]:
    """Return the ways in which a person's words may be given names and a surname."""
    words = person.words
    if person.family_words:
        return [Reading(words[person.family_words :], words[: person.family_words], Order.STATED)]
    if len(words) == 1:
        return [Reading((), words, Order.STATED)]
    found = []
    leading = len(words) - len(list(takewhile(lambda word: word.is_initial, reversed(words))))
    if 0 < leading < len(words) and not words[0].is_initial:
        found.append(Reading(words[leading:], words[:leading], Order.STATED))
    for count in range(1, min(4, len(words) - 1) + 1):
        found.append(Reading(words[:-count], words[-count:], Order.FAMILY_LAST))
        found.append(Reading(words[count:], words[:count], Order.FAMILY_FIRST))
    return found


def _tidied(text: str) -> str:
    """Cap the length, drop invisible characters, make every space and hyphen the plain one."""
    kinds = ((char, unicodedata.category(char)) for char in text[:MAX_TEXT])
    visible = (" " if kind == "Cc" else char for char, kind in kinds if kind not in ("Cf", "Cs", "Co", "Cn"))
    return " ".join("".join(visible).translate(_HYPHENS).split())


def _words(text: str) -> tuple[Word, ...]:
    lowered = unicodedata.normalize("NFC", text[:MAX_TEXT].translate(_APOSTROPHES).casefold())
    spaced = "".join(char if _belongs(char) else " " for char in lowered)
    found = (_word(piece.strip("-")) for piece in spaced.split()[: MAX_WORDS * MAX_HOLDERS])
    return tuple(word for word in found if word.plain)


def _belongs(char: str) -> bool:
    return char == "-" or char.isalpha() or unicodedata.combining(char) > 0


def _word(piece: str) -> Word:
    plain = _folded(piece)
    parts = tuple(part for part in plain.split("-") if part)
    return Word("".join(parts), _folded(piece.translate(_UMLAUTS)).replace("-", ""), parts)


def _folded(text: str) -> str:
    decomposed = unicodedata.normalize("NFKD", text.translate(_LETTERS))
    return "".join(char for char in decomposed if char == "-" or char.isalpha())


def _organisation(words: tuple[Word, ...]) -> Organisation | None:
    plain = [word.plain for word in words if word.plain not in {"the", "and"}]
    forms = [_FORMS[word] for word in plain if word in _FORMS]
    own = tuple(word for word in plain[: MAX_WORDS * 2] if word not in _FORMS)
    if not own or not (forms or _BODIES.intersection(own)):
        return None
    return Organisation(own, forms[-1] if forms else "")


def _person(piece: str) -> Person:
    before, comma, after = piece.partition(",")
    front = _stripped(_words(before), keep=2)
    back = _stripped(_words(after), keep=0)
    if back.words and not front.words:  # "Lord, Jane": a title before a comma is a surname
        front = Person(_words(before))
    words = (front.words + back.words)[:MAX_WORDS]
    return Person(
        words,
        family_words=len(front.words) if comma and len(front.words) < len(words) else 0,
        gender=front.gender or back.gender,
        generation=front.generation or back.generation,
    )


def _stripped(words: tuple[Word, ...], *, keep: int) -> Person:
    """Take titles, honours and generations off both ends, leaving `keep` words that may be a surname: John Senior."""
    gender, generation = "", ""
    while words and words[0].plain in _TITLES:
        gender, words = gender or _gender(words[0].plain), words[1:]
    while len(words) > 1 and words[-1].plain in _TITLES_BEHIND:
        gender, words = gender or _gender(words[-1].plain), words[:-1]
    while len(words) > keep and words[-1].plain in _MARKS:
        generation, words = generation or _GENERATIONS.get(words[-1].plain, ""), words[:-1]
    return Person(words, gender=gender, generation=generation)


def _gender(title: str) -> str:
    if title in _MALE:
        return "m"
    return "f" if title in _FEMALE else ""


def _with_shared_names(people: list[Person]) -> list[Person]:
    """Give the surname that is written once ("MR A & MRS B MORGAN", "MORGAN A & B") to every holder it belongs to."""
    return [replace(person, words=person.words + _shared(people, index)) for index, person in enumerate(people)]


def _shared(people: list[Person], index: int) -> tuple[Word, ...]:
    if len(people[index].words) > 1:
        return ()
    for later in people[index + 1 :]:
        if len(later.words) > 1:
            return later.words[: later.family_words] or later.words[-1:]
        if not people[index].words and later.words:
            return later.words
    for earlier in reversed(people[:index]):
        if len(earlier.words) > 1 and people[index].words and (earlier.family_words or earlier.words[-1].is_initial):
            return earlier.words[:1]
    return ()
