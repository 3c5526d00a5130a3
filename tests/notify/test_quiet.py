from __future__ import annotations

from datetime import UTC, datetime

import pytest

from strongroom.notify.quiet import quiet_until


def at(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


@pytest.mark.parametrize(
    ("now", "start", "end", "over"),
    [
        ("2026-01-10T22:30:00", "21:00", "08:00", "2026-01-11T08:00:00"),
        ("2026-01-11T07:59:59", "21:00", "08:00", "2026-01-11T08:00:00"),
        ("2026-01-11T08:00:00", "21:00", "08:00", None),
        ("2026-01-10T20:59:00", "21:00", "08:00", None),
        ("2026-01-10T12:30:00", "12:00", "13:00", "2026-01-10T13:00:00"),
        ("2026-07-10T20:30:00", "21:00", "08:00", "2026-07-11T07:00:00"),  # London is an hour ahead in summer
        ("2026-01-10T22:30:00", None, "08:00", None),
        ("2026-01-10T22:30:00", "08:00", "08:00", None),
    ],
)
def test_messages_wait_until_the_quiet_hours_of_the_firm_are_over(now: str, start: str | None, end: str, over: str | None) -> None:
    assert quiet_until(at(now), start, end, "Europe/London") == (at(over) if over else None)
