"""The two questions and answers of the issuer's REST service, in XML and in JSON: shapes only.

What is written is what the contract shows: compact XML without a declaration or a namespace. What is read may have any root name,
any namespaces and members that we do not know.
"""

from __future__ import annotations

from collections.abc import Mapping
from xml.sax.saxutils import escape

import msgspec

from strongroom.issuing.connectors.answers import Unreadable
from strongroom.soap.reading import Element, XmlRefused, read

_MAX_DEPTH, _MAX_ELEMENTS = 8, 128


def write_xml(root: str, members: Mapping[str, str]) -> bytes:
    """Return compact XML, such as `<RequestDetails><CardPan>…</CardPan></RequestDetails>`."""
    inside = "".join(f"<{name}>{escape(value)}</{name}>" for name, value in members.items())
    return f"<{root}>{inside}</{root}>".encode()


def write_json(members: Mapping[str, str]) -> bytes:
    """Return the same members as a JSON object."""
    return msgspec.json.encode(members)


def read_xml(body: bytes) -> dict[str, str]:
    """Return the members of an XML answer by their local names; the first of each name counts. Raise Unreadable."""
    try:
        return _members(read(body))
    except XmlRefused as fault:
        raise Unreadable(str(fault)) from None


def read_json(body: bytes) -> dict[str, str]:
    """Return the members of a JSON answer; numbers become texts, other kinds are left out. Raise Unreadable."""
    try:
        value = msgspec.json.decode(body)
    except (msgspec.DecodeError, RecursionError):
        raise Unreadable("not JSON") from None
    if not isinstance(value, dict):
        raise Unreadable("not an object")
    inner = next((one for one in value.values() if isinstance(one, dict) and "ResponseCode" in one), value)
    return {name: str(one) for name, one in inner.items() if isinstance(one, str | int) and not isinstance(one, bool)}


def _members(root: Element) -> dict[str, str]:
    """Collect the leaves, shallow first. A text that a comment divides is refused: readers would not agree on what it says."""
    found: dict[str, str] = {}
    level, depth, seen = [root], 0, 0
    while level:
        depth, seen = depth + 1, seen + len(level)
        if depth > _MAX_DEPTH or seen > _MAX_ELEMENTS:
            raise Unreadable("too deep or too large")
        for element in level:
            if not element.elements:
                found.setdefault(element.local, element.text)
        level = [child for element in level for child in element.elements]
    return found
