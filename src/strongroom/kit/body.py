"""Read the JSON body of a request: strictly, within limits, whatever its Content-Type says.

msgspec is fast and forgiving: it lets duplicate names pass and has no limit on depth. So a body is decoded twice, once into
plain values to count names and levels, once into the wanted shape. A colon is spent on every name; when the body holds no
more colons than names were found, no name was lost to a duplicate. Only otherwise (a colon inside a text, or a real
duplicate) the standard library's slower reader, which shows every pair, decides.
"""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any, Generic, NoReturn, TypeVar

import msgspec

from strongroom.kit.errors import FieldError, Invalid, Malformed, TooLarge

if TYPE_CHECKING:
    from collections.abc import Callable

MAX_BYTES = 65_536
MAX_DEPTH = 32
MAX_NAME_SHOWN = 64

_CONTAINERS = (dict, list)

V = TypeVar("V")
R = TypeVar("R")
T = TypeVar("T", bound="Shape")


class Unacceptable(ValueError):
    """A value reads but cannot be accepted; the message completes the sentence "this field …" and is safe to show."""


class Shape(msgspec.Struct, frozen=True, forbid_unknown_fields=True, rename="camel"):
    """The shape of a body: camelCase names outside, unknown names refused. Subclass with `kw_only=True` if need be."""


class Reader(Generic[T]):
    """Reads bodies of one shape. Build once per route; `read` costs about 5 µs for the body of a new case."""

    def __init__(self, shape: type[T], *, max_bytes: int = MAX_BYTES) -> None:
        self._decoder = msgspec.json.Decoder(shape)
        self._max_bytes = max_bytes

    def read(self, body: bytes) -> T:
        """Decode `body`. Raise TooLarge (413), Malformed (400) or Invalid (422, with a JSON pointer, RFC 6901)."""
        if len(body) > self._max_bytes:
            raise TooLarge(f"The body may have at most {self._max_bytes} bytes")
        _check_json(body)
        try:
            return self._decoder.decode(body)
        except msgspec.ValidationError as error:
            _refuse(str(error))
        except (msgspec.DecodeError, UnicodeDecodeError) as error:  # pragma: no cover - the first reading found it
            raise Malformed("The body is not JSON") from error


def parsed(pointer: str, parse: Callable[[V], R], value: V) -> R:
    """Return `parse(value)`. Raise Invalid that points at `pointer` when it raises Unacceptable."""
    try:
        return parse(value)
    except Unacceptable as error:
        raise _invalid(pointer, str(error)) from error


def _check_json(body: bytes) -> None:
    """Raise Malformed unless the body is JSON in UTF-8 without duplicate names, NUL characters or too many levels."""
    if not body.strip():
        raise Malformed("The body is empty; it must be a JSON object")
    try:
        body.decode()
        names, levels = _measure(msgspec.json.decode(body))
    except UnicodeDecodeError as error:
        raise Malformed("The body is not valid UTF-8") from error
    except RecursionError as error:
        raise _too_deep() from error
    except msgspec.ValidationError:  # a number beyond 64 bits: well formed, so the shape decides what to say about it
        names, levels = -1, 0
    except msgspec.DecodeError as error:
        raise Malformed(f"The body is not JSON: {str(error).removeprefix('JSON is malformed: ')}") from error
    if levels > MAX_DEPTH:
        raise _too_deep()
    if names != body.count(b":") or b"\\u0000" in body:
        _check_slowly(body)


def _measure(value: Any) -> tuple[int, int]:
    """Count the names and the levels of a decoded value, in loops rather than calls: this runs for every request."""
    names, levels, level = 0, 0, [value] if type(value) in _CONTAINERS else []
    while level:
        levels += 1
        below: list[Any] = []
        for item in level:
            if type(item) is dict:
                names += len(item)
                below += [inner for inner in item.values() if type(inner) in _CONTAINERS]
            else:
                below += [inner for inner in item if type(inner) in _CONTAINERS]
        level = below
    return names, levels


def _check_slowly(body: bytes) -> None:
    """Look at every name and text. Numbers stay texts, so that none is too long to look at."""
    try:
        value = _SLOW.decode(body.decode())
    except RecursionError as error:
        raise _too_deep() from error
    except json.JSONDecodeError as error:
        raise Malformed("The body is not JSON") from error
    if _measure(value)[1] > MAX_DEPTH:
        raise _too_deep()


def _distinct(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for name, value in pairs:
        if name in found:
            raise Malformed(f"The name `{name[:MAX_NAME_SHOWN]}` stands twice in one object")
        if "\0" in name or (isinstance(value, str) and "\0" in value) or _holds_nul(value):
            raise Malformed("The body holds a NUL character, which no text may contain")
        found[name] = value
    return found


def _holds_nul(value: Any) -> bool:
    """True when a list directly holds a text with a NUL; objects inside it have been looked at on their own."""
    if not isinstance(value, list):
        return False
    return any("\0" in item if isinstance(item, str) else _holds_nul(item) for item in value)


_SLOW = json.JSONDecoder(object_pairs_hook=_distinct, parse_int=str, parse_float=str)


def _too_deep() -> Malformed:
    return Malformed(f"The body may be nested at most {MAX_DEPTH} levels deep")


_MESSAGE = re.compile(r"(?P<what>.*?)(?: - at `(?P<path>[^`]*)`)?", re.DOTALL)
_FIELD = re.compile(r"Object (?P<fault>contains unknown|missing required) field `(?P<name>.*)`", re.DOTALL)
_STEP = re.compile(r"\.([^.\[]+)|\[(\d+)\]")
_TYPES = re.compile(r"Expected `([^`]+)`, got `(\w+)`")
_SIZE = re.compile(r"Expected `(str|array|object)` of length (<=|>=|==) (\d+)")
_RANGE = re.compile(r"Expected `\w+` (<=|>=|<|>) (\S+)")
_WORDS = {
    "str": "text",
    "int": "a whole number",
    "float": "a number",
    "bool": "true or false",
    "object": "an object",
    "array": "a list",
    "null": "null",
}
_BOUNDS = {"<=": "at most", ">=": "at least", "==": "exactly", "<": "less than", ">": "more than"}
_UNITS = {"str": "characters", "array": "entries", "object": "names"}


def _refuse(message: str) -> NoReturn:
    """Turn msgspec's message into a pointer and a sentence of ours."""
    whole = _MESSAGE.fullmatch(message)
    what, path = (whole["what"], whole["path"] or "$") if whole else (message, "$")
    pointer = "".join(f"/{_escaped(name or index)}" for name, index in _STEP.findall(path.partition("[...]")[0]))
    if field := _FIELD.fullmatch(what):
        pointer += f"/{_escaped(field['name'][:MAX_NAME_SHOWN])}"
        raise _invalid(pointer, "is required" if field["fault"].startswith("missing") else "is not a known field")
    raise _invalid(pointer, _sentence(what))


def _escaped(token: str) -> str:
    return token.replace("~", "~0").replace("/", "~1")


def _sentence(what: str) -> str:
    if found := _TYPES.fullmatch(what):
        wanted = " or ".join(_WORDS.get(word, word) for word in found[1].split(" | "))
        return f"must be {wanted}, not {_WORDS.get(found[2], found[2])}"
    if found := _SIZE.fullmatch(what):
        return f"must have {_BOUNDS[found[2]]} {found[3]} {_UNITS[found[1]]}"
    if found := _RANGE.fullmatch(what):
        return f"must be {_BOUNDS[found[1]]} {found[2]}"
    if what.startswith("Invalid enum value"):
        return "is not one of the accepted values"
    if "matching regex" in what:
        return "has the wrong form"
    return "has a value that cannot be accepted"


def _invalid(pointer: str, sentence: str) -> Invalid:
    return Invalid(f"{pointer or 'The body'} {sentence}", errors=(FieldError(pointer, sentence),))
