"""The circuit breaker of one issuer: after failures in a row calls fail at once, then one at a time is let through to try."""

from __future__ import annotations

from collections.abc import Callable

FAILURES_IN_A_ROW = 5
HELD_OFF_SECONDS = 30.0


class Breaker:
    """Counts the calls of this process to one issuer. `clock` counts seconds and never goes back."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._failures_in_a_row = 0
        self._closed_until = 0.0

    def lets_through(self) -> bool:
        """True when a call may be made. While the issuer fails, one call in each half minute is let through."""
        if self._failures_in_a_row < FAILURES_IN_A_ROW:
            return True
        if self._clock() < self._closed_until:
            return False
        self._closed_until = self._clock() + HELD_OFF_SECONDS  # this one tries; the others go on waiting
        return True

    def record_answer(self) -> None:
        """Note that the issuer answered, whatever it said."""
        self._failures_in_a_row = 0

    def record_failure(self) -> None:
        """Note that the issuer could not be reached or gave no usable answer."""
        self._failures_in_a_row += 1
        if self._failures_in_a_row >= FAILURES_IN_A_ROW:
            self._closed_until = self._clock() + HELD_OFF_SECONDS
