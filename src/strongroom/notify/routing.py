"""Which gateway carries a message: those for its number, in the operator's order; one that keeps failing rests a while."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence

from strongroom.notify.port import Gateway, Route
from strongroom.notify.states import MessageEvent

FAILURES_IN_A_ROW = 3
REST_SECONDS = 15.0


class Routing:
    """The routes of one worker process. Resting is remembered here alone: each process finds out for itself."""

    def __init__(self, gateways: Sequence[Gateway | Route], *, clock: Callable[[], float] = time.monotonic) -> None:
        self._routes = [one if isinstance(one, Route) else Route(one) for one in gateways]
        self._clock = clock
        self._failures: dict[str, int] = {}
        self._rests_until: dict[str, float] = {}
        self.gateways = {route.gateway.name: route.gateway for route in self._routes}

    def choose(self, to: str, tries: int, *, refused_by: str | None = None) -> str | None:
        """Return the gateway for the next try, by turns; None when none carries to this number.

        What one gateway refused only after it had taken it (`refused_by`) goes to others alone, and only while one of them has
        not had its turn: a report of that refusal may come again and must not be taken for a second one.
        """
        carrying = self._carrying(to)
        if refused_by is not None and tries >= len(carrying):
            return None
        names = self._awake([name for name in carrying if name != refused_by])
        return names[tries % len(names)] if names else None

    def count(self, to: str) -> int:
        """Return how many gateways carry to a number."""
        return len(self._carrying(to))

    def note(self, name: str, event: MessageEvent) -> None:
        """Note what came of a try. A refused message says nothing against its gateway."""
        if event not in (MessageEvent.NOT_TAKEN, MessageEvent.GATEWAY_SILENT):
            self._failures.pop(name, None)
            self._rests_until.pop(name, None)
            return
        self._failures[name] = self._failures.get(name, 0) + 1
        if self._failures[name] >= FAILURES_IN_A_ROW:
            self._rests_until[name] = self._clock() + REST_SECONDS

    def _carrying(self, to: str) -> list[str]:
        return [route.gateway.name for route in self._routes if route.carries(to)]

    def _awake(self, names: list[str]) -> list[str]:
        """Leave out those that rest; when all do, none may be spared."""
        now = self._clock()
        return [name for name in names if self._rests_until.get(name, now) <= now] or names
