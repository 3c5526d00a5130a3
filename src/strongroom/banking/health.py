"""Whether a bank has been answering lately: counted from the calls this process makes, forgotten by itself."""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum

from strongroom.kit.metrics import BANK_CALL_SECONDS, BANK_CALLS, watch_bank

RECENT_CALLS = 50
RECENT_SECONDS = 15 * 60.0  # what is older says nothing about now
FAILURES_IN_A_ROW = 5
HELD_OFF_SECONDS = 60.0  # after this long without a failure customers may try again
JUDGED_CALLS = 5  # fewer calls are no rate
HIGH_ERROR_RATE = 0.2
SLOW_P50_SECONDS = 4.0  # half of its answers take longer: at some calls a payment that is a quarter of a minute of waiting


class Trouble(StrEnum):
    """What customers are told before they choose a bank; the worst that is so."""

    DOWN = "down"
    FAILING = "failing"
    SLOW = "slow"


@dataclass(frozen=True, slots=True)
class HealthReport:
    """A bank's last 50 calls of the last 15 minutes: `error_rate` between 0 and 1, times in UTC, seconds of its answers."""

    calls: int
    error_rate: float
    last_failure_at: datetime | None
    last_failure: str | None
    unavailable_since: datetime | None
    p50_seconds: float | None = None  # None until it has answered
    p99_seconds: float | None = None

    @property
    def trouble(self) -> Trouble | None:
        """Return what customers should know."""
        if self.unavailable_since is not None:
            return Trouble.DOWN
        if self.calls < JUDGED_CALLS:
            return None
        if self.error_rate >= HIGH_ERROR_RATE:
            return Trouble.FAILING
        return Trouble.SLOW if (self.p50_seconds or 0) >= SLOW_P50_SECONDS else None


@dataclass(frozen=True, slots=True)
class _Call:
    at: float
    seconds: float | None  # None: it failed


class Health:
    """Remember the last calls to one bank.

    A bank is unavailable while its last five calls failed and the latest failure is under a minute old. Then customers
    are let through again: one answer clears it, one more failure brings it back with its first date.
    """

    def __init__(self, clock: Callable[[], float], bank_id: str = "") -> None:
        self._clock = clock
        self._bank_id = bank_id
        self._calls: deque[_Call] = deque(maxlen=RECENT_CALLS)
        self._failures_in_a_row = 0
        self._failing_since = 0.0
        self._last_failure: tuple[float, str] | None = None
        watch_bank(bank_id, lambda: self.report().error_rate, lambda: self.report().p50_seconds, lambda: self.report().p99_seconds)

    def record_answer(self, seconds: float = 0.0) -> None:
        """Note that the bank answered, whatever it said, and how long it took."""
        BANK_CALLS.labels(self._bank_id, "answered").inc()
        BANK_CALL_SECONDS.labels(self._bank_id).observe(seconds)
        self._calls.append(_Call(self._clock(), seconds))
        self._failures_in_a_row = 0

    def record_failure(self, what: str) -> None:
        """Note that the bank could not be reached, fell silent or failed; `what` is a stable code."""
        BANK_CALLS.labels(self._bank_id, what).inc()
        now = self._clock()
        if self._failures_in_a_row == 0:
            self._failing_since = now
        self._calls.append(_Call(now, None))
        self._failures_in_a_row += 1
        self._last_failure = (now, what)

    def report(self) -> HealthReport:
        """Say how the bank has been."""
        failed_at, what = self._last_failure or (None, None)
        since = self._clock() - RECENT_SECONDS
        recent = [call for call in self._calls if call.at > since]
        answered = [call.seconds for call in recent if call.seconds is not None]
        return HealthReport(
            calls=len(recent),
            error_rate=(len(recent) - len(answered)) / len(recent) if recent else 0.0,
            last_failure_at=None if failed_at is None else _utc(failed_at),
            last_failure=what,
            unavailable_since=_utc(self._failing_since) if self._is_held_off(failed_at) else None,
            p50_seconds=_rank(answered, 0.50),
            p99_seconds=_rank(answered, 0.99),
        )

    def _is_held_off(self, failed_at: float | None) -> bool:
        if failed_at is None or self._failures_in_a_row < FAILURES_IN_A_ROW:
            return False
        return self._clock() - failed_at < HELD_OFF_SECONDS


def _rank(seconds: Iterable[float], share: float) -> float | None:
    """Return the time within which this share of the calls was answered (nearest rank); None without any."""
    ordered = sorted(seconds)
    return ordered[max(0, math.ceil(share * len(ordered)) - 1)] if ordered else None


def _utc(seconds: float) -> datetime:
    return datetime.fromtimestamp(seconds, UTC)
