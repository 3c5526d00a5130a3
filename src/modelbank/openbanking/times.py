"""Times as clients write them: every way of ISO 8601 in a body; in a query the zone is ignored (Read/Write profile v4.0)."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from modelbank.openbanking.errors import Code, Refused

_ISO = re.compile(r"(?P<day>[0-9W-]{7,10})(?P<time>T[0-9:.,]{2,20})?(?P<zone>Z|[+-][0-9:]{2,5})?")
_RFC_3339 = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}(\.[0-9]+)?(Z|[+-][0-9]{2}:[0-9]{2})")
_MIDNIGHT_AFTER = re.compile(r"T24(:?00){0,2}([.,]0+)?")


class NotATime(ValueError):
    """The text is no time of ISO 8601, or one that no calendar holds."""


class Moment:
    """A time in a request: as it was written, and what it means; without a zone it is UTC.

    No dataclass, which msgspec would take for a JSON object.
    """

    __slots__ = ("at", "text")

    def __init__(self, text: object) -> None:
        """Read a time. Raise TypeError when it is no text, NotATime when it is none."""
        if not isinstance(text, str):
            raise TypeError("Expected a text.")
        parts = _parts(text)
        self.text = text
        self.at = _at(parts["day"] + (parts["time"] or ""), parts["zone"] or "Z")

    @property
    def told(self) -> str:
        """Return the time for an answer, where it must have a zone: as it was written, if it had one."""
        return self.text if _RFC_3339.fullmatch(self.text) else self.at.isoformat()


@dataclass(frozen=True, slots=True)
class Period:
    """A time between two moments, both included, in UTC; None where it is open."""

    since: datetime | None
    until: datetime | None

    def within(self, other: Period) -> Period:
        """Return what two periods have in common, which may be nothing."""
        since = max((moment for moment in (self.since, other.since) if moment), default=None)
        return Period(since, min((moment for moment in (self.until, other.until) if moment), default=None))

    def holds(self, since: datetime, until: datetime) -> bool:
        """Tell whether a time lies whole within this period."""
        return (self.since is None or since >= self.since) and (self.until is None or until <= self.until)


def period_of_query(query: Mapping[str, str], since: str, until: str) -> Period:
    """Return the period that two parameters name. Raise Refused (U003)."""
    return Period(_read_parameter(query, since), _read_parameter(query, until))


def period_of_body(data: Mapping[str, str], since: str, until: str) -> Period:
    """Return the period that two members name, which were read before."""
    first, last = [Moment(data[name]).at if name in data else None for name in (since, until)]
    return Period(first, last)


def _read_parameter(query: Mapping[str, str], name: str) -> datetime | None:
    if name not in query:
        return None
    try:
        parts = _parts(query[name].replace(" ", "+"))  # a plus that was not encoded
        return _at(parts["day"] + (parts["time"] or ""), "Z")
    except NotATime as wrong:
        raise Refused(Code.DATE_INVALID, str(wrong), name) from wrong


def _parts(text: str) -> re.Match[str]:
    found = _ISO.fullmatch(text.upper())
    if found is None or (found["zone"] and not found["time"]):
        raise NotATime("This is no date and time.")
    return found


def _at(local: str, zone: str) -> datetime:
    begun = _MIDNIGHT_AFTER.sub("T00:00", local)
    try:
        moment = datetime.fromisoformat(begun + (zone if "T" in begun else "T00:00" + zone))
        return moment.astimezone(UTC) + timedelta(days=begun != local)
    except (ValueError, OverflowError) as wrong:
        raise NotATime("There is no such date and time.") from wrong
