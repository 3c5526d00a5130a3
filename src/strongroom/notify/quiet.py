"""Quiet hours: when a firm wants no messages to be sent that nobody is waiting for."""

from __future__ import annotations

from datetime import UTC, datetime, time, timedelta
from zoneinfo import ZoneInfo


def quiet_until(now: datetime, start: str | None, end: str | None, zone: str) -> datetime | None:
    """Return when the quiet hours that `now` falls into are over, in UTC; None outside them.

    `start` and `end` are `HH:MM` in the zone and may span midnight; without both, or when they are equal, no hour is quiet.
    """
    if not start or not end or start == end:
        return None
    local = now.astimezone(ZoneInfo(zone))
    begins, ends = time.fromisoformat(start), time.fromisoformat(end)
    clock = local.time().replace(second=0, microsecond=0)
    is_quiet = begins <= clock < ends if begins < ends else clock >= begins or clock < ends
    if not is_quiet:
        return None
    over = local.replace(hour=ends.hour, minute=ends.minute, second=0, microsecond=0)
    return (over if clock < ends else over + timedelta(days=1)).astimezone(UTC)
