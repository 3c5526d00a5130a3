"""Read a request's JSON: no duplicate members, no NaN, and exactly the shape that the standard draws."""

from __future__ import annotations

import json
import re
from typing import Any, NoReturn

import msgspec

from modelbank.openbanking.errors import Code, Refused
from modelbank.openbanking.times import Moment, NotATime
from modelbank.web.texts import holds_nul

_WHERE = re.compile(r" - at `\$?(?P<path>[^`]*)`$")
_MEMBER = re.compile(r"(?:unknown|required) field `(?P<name>[^`]*)`")
_MAX_DEPTH = 32


def parse_json(body: bytes) -> dict[str, Any]:
    """Return a JSON object. Raise Refused (U010) when it is none, or says a member twice."""
    try:
        content = json.loads(body.decode("utf-8"), object_pairs_hook=_object, parse_constant=_constant)
    except RecursionError:
        raise Refused(Code.FORMAT_INVALID, "The body is nested too deeply.") from None
    except ValueError as wrong:
        raise Refused(Code.FORMAT_INVALID, f"The body is not JSON: {str(wrong)[:200]}") from wrong
    if not isinstance(content, dict) or _depth(content) > _MAX_DEPTH:
        raise Refused(Code.FORMAT_INVALID, "The body must be a JSON object of reasonable depth.")
    if holds_nul(content):
        raise Refused(Code.FORMAT_INVALID, "No text holds the character NUL.")
    return content


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    members = dict(pairs)
    if len(members) != len(pairs):
        raise ValueError("a member comes twice")
    return members


def _constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is no number of JSON")


def _depth(value: Any) -> int:
    if isinstance(value, dict):
        return 1 + max(map(_depth, value.values()), default=0)
    if isinstance(value, list):
        return 1 + max(map(_depth, value), default=0)
    return 0


def check_shape(content: dict[str, Any], shape: type[Any]) -> Any:
    """Return the content as a typed value. Raise Refused with the code and path of the first thing that is wrong."""
    try:
        return msgspec.convert(content, shape, strict=True, dec_hook=_special)
    except msgspec.ValidationError as wrong:
        raise _refusal(str(wrong), is_time=isinstance(wrong.__cause__, NotATime)) from wrong


def _special(kind: type[Any], value: Any) -> Any:
    """Read what JSON has no type for."""
    assert kind is Moment  # noqa: S101  # the shapes have no other
    return Moment(value)


def _refusal(text: str, *, is_time: bool) -> Refused:
    where = _WHERE.search(text)
    path = where["path"].lstrip(".") if where else ""
    message = _WHERE.sub("", text)
    if member := _MEMBER.search(text):
        path = f"{path}.{member['name']}".lstrip(".")
        code = Code.FIELD_UNEXPECTED if "unknown field" in text else Code.FIELD_MISSING
    else:
        code = Code.DATE_INVALID if is_time else Code.FIELD_INVALID
    return Refused(code, f"{message}."[:500], path[:500] or None)
