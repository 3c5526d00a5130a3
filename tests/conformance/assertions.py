"""Judges an answer by the official suite's assertions: a status, headers, and values at gjson paths."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

import httpx

from tests.conformance.manifest import substitute

_STEPS = re.compile(r"\.(?![^\[]*\])")
_FIRST_WITH = re.compile(r'#\[(\w+)="([^"]*)"\]')


def unmet(assertion: Mapping[str, Any], answer: httpx.Response, names: Mapping[str, str]) -> list[str]:
    """Return what the answer lacks of one assertion, in words."""
    expect = assertion["expect"]
    found = list(_unmatched(expect.get("matches", ()), answer, names))
    if expect.get("status-code", answer.status_code) != answer.status_code:
        found.append(f"status {answer.status_code} instead of {expect['status-code']}")
    return found


def _unmatched(matches: Any, answer: httpx.Response, names: Mapping[str, str]) -> Iterator[str]:
    for match in matches:
        said = {name.lower(): value for name, value in match.items()}
        wanted = substitute(said["value"], names) if "value" in said else None
        header = said.get("header-present") or said.get("header")
        if "json-not-present" in said:
            if find(answer, said["json-not-present"]) is not None:
                yield f"{said['json-not-present']} is there"
            continue
        seen = answer.headers.get(header) if header else find(answer, said["json"])
        if seen is None or wanted not in (None, seen):
            yield f"{header or said['json']} is {seen!r} instead of {wanted or 'anything'}"


def find(answer: httpx.Response, path: str) -> str | None:
    """Return the text at a gjson path: members, and the first element of a list that has a member of some value."""
    try:
        place: Any = answer.json()
    except ValueError:
        return None
    for step in _STEPS.split(path):
        if (chosen := _FIRST_WITH.fullmatch(step)) and isinstance(place, list):
            place = next((entry for entry in place if entry.get(chosen[1]) == chosen[2]), None)
        else:
            place = place.get(step) if isinstance(place, dict) else None
    if isinstance(place, bool):
        return str(place).lower()
    return None if place is None else str(place)
