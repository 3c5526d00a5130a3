"""When to try again: the contract's schedule, what an answer means, and how far a receiver may slow us down."""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from http import HTTPStatus

# The pauses before each try: ten tries in 75 h 35 min.
PAUSES_SECONDS = (0, 5, 5 * 60, 30 * 60, 2 * 3600, 5 * 3600, 10 * 3600, 14 * 3600, 20 * 3600, 24 * 3600)
TRIES = len(PAUSES_SECONDS)
JITTER = 0.1
RETRY_AFTER_MAX_SECONDS = 24 * 3600
THROTTLE_SECONDS, THROTTLE_MAX_SECONDS = 5, 3600
_THROTTLING = frozenset({HTTPStatus.TOO_MANY_REQUESTS, HTTPStatus.BAD_GATEWAY, HTTPStatus.GATEWAY_TIMEOUT})
_SUCCESS = range(200, 300)
_random = secrets.SystemRandom()


@dataclass(frozen=True, slots=True)
class Attempt:
    """What one try brought: a status, or the reason why there is none."""

    duration_ms: int
    status: int | None = None
    failure: str | None = None
    retry_after_seconds: int = 0

    @property
    def succeeded(self) -> bool:
        """True for 2xx and for nothing else."""
        return self.status in _SUCCESS

    @property
    def gone(self) -> bool:
        """True when the receiver wants nothing more, ever."""
        return self.status == HTTPStatus.GONE

    @property
    def throttle_seconds(self) -> int:
        """For how long the whole endpoint is left alone; 0 when it is not."""
        if self.status not in _THROTTLING:
            return 0
        return min(max(THROTTLE_SECONDS, self.retry_after_seconds), THROTTLE_MAX_SECONDS)


def pause_after(tries: int, retry_after_seconds: int = 0) -> float | None:
    """Return the seconds to wait after `tries` failed tries, up to 10 % late; None when there is no try left."""
    if tries >= TRIES:
        return None
    wanted = max(PAUSES_SECONDS[tries], min(retry_after_seconds, RETRY_AFTER_MAX_SECONDS))
    return wanted * (1 + JITTER * _random.random())


def read_retry_after(headers: Mapping[str, str]) -> int:
    """Return the seconds that `Retry-After` asks for (RFC 9110 §10.2.3), a date being read against the answer's own; 0 for none."""
    text = headers.get("retry-after", "").strip()
    if text.isascii() and text.isdigit():
        return int(text[:9])
    try:
        return max(0, int((parsedate_to_datetime(text) - parsedate_to_datetime(headers["date"])).total_seconds()))
    except (KeyError, ValueError, TypeError, OverflowError):
        return 0
