"""Whether a bank has been answering lately: counted from the calls this process makes, forgotten by itself."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime

from strongroom.kit.metrics import BANK_CALLS

RECENT_CALLS = 50
FAILURES_IN_A_ROW = 5
HELD_OFF_SECONDS = 60.0  # after this long without a failure customers may try again


@dataclass(frozen=True, slots=True)
class HealthReport:
    """A bank's recent past: `error_rate` between 0 and 1 over the last 50 calls, times in UTC."""

    calls: int
    error_rate: float
    last_failure_at: datetime | None
    last_failure: str | None
    unavailable_since: datetime | None


class Health:
    """Remember the last calls to one bank.

    A bank is unavailable while its last five calls failed and the latest failure is under a minute old. Then customers
    are let through again: one answer clears it, one more failure brings it back with its first date.
    """

    def __init__(self, clock: Callable[[], float], bank_id: str = "") -> None:
        self._clock = clock
        self._bank_id = bank_id
        self._recent: deque[bool] = deque(maxlen=RECENT_CALLS)
        self._failures_in_a_row = 0
        self._failing_since = 0.0
        self._last_failure: tuple[float, str] | None = None

    def record_answer(self) -> None:
        """Note that the bank answered, whatever it said."""
        BANK_CALLS.labels(self._bank_id, "answered").inc()
        self._recent.append(True)
        self._failures_in_a_row = 0

    def record_failure(self, what: str) -> None:
        """Note that the bank could not be reached, fell silent or failed; `what` is a stable code."""
        BANK_CALLS.labels(self._bank_id, what).inc()
        now = self._clock()
        if self._failures_in_a_row == 0:
            self._failing_since = now
        self._recent.append(False)
        self._failures_in_a_row += 1
        self._last_failure = (now, what)

    def report(self) -> HealthReport:
        """Say how the bank has been."""
        failed_at, what = self._last_failure or (None, None)
        return HealthReport(
            calls=len(self._recent),
            error_rate=self._recent.count(False) / len(self._recent) if self._recent else 0.0,
            last_failure_at=None if failed_at is None else _utc(failed_at),
            last_failure=what,
            unavailable_since=_utc(self._failing_since) if self._is_held_off(failed_at) else None,
        )

    def _is_held_off(self, failed_at: float | None) -> bool:
        if failed_at is None or self._failures_in_a_row < FAILURES_IN_A_ROW:
            return False
        return self._clock() - failed_at < HELD_OFF_SECONDS


def _utc(seconds: float) -> datetime:
    return datetime.fromtimestamp(seconds, UTC)
