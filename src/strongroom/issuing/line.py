"""One issuer's line: its connector within three seconds, behind a breaker, and the one rule for asking again."""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable
from typing import Protocol, TypeVar

from strongroom.issuing.breaker import Breaker
from strongroom.issuing.model import LIMIT_SECONDS, Deadline, Policy
from strongroom.issuing.port import CardPrompt, CardRefused, IssuerSilent, IssuerUnavailable, Verdict
from strongroom.kit.crypto import Secret
from strongroom.kit.metrics import ISSUER_CALLS

FIRST_TRY_SECONDS = 1.5  # what issuers are advised to answer within; what is left is for the second try

T = TypeVar("T")


class Connector(Protocol):
    """A way to write and read the two questions; it raises IssuerUnavailable or IssuerSilent."""

    async def validate_card(self, pan: Secret, deadline: Deadline) -> CardPrompt | CardRefused:
        """Ask once whether the card has a token."""
        ...

    async def authenticate_otp(self, user_id: Secret, otp: Secret, deadline: Deadline) -> Verdict:
        """Have a code judged once."""
        ...

    async def close(self) -> None:
        """End what is open at the issuer."""
        ...


class Line:
    """A remote issuer as the product sees it (`port.RemoteIssuer`)."""

    def __init__(
        self,
        policy: Policy,
        connector: Connector,
        *,
        limit_seconds: float = LIMIT_SECONDS,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._policy = policy
        self._connector = connector
        self._limit_seconds = limit_seconds
        self._breaker = Breaker(clock)

    async def close(self) -> None:
        """End what is open at the issuer."""
        await self._connector.close()

    async def validate_card(self, pan: Secret) -> CardPrompt | CardRefused:
        """Ask whether the card has a token; ask a second time only where that cannot make the issuer send two messages."""
        deadline = Deadline(self._limit_seconds)
        try:
            return await self._call(
                "validate", lambda: self._connector.validate_card(pan, deadline.sooner(self._first_try_seconds()))
            )
        except IssuerUnavailable as error:
            if error.code != "unreachable" or not deadline.left_seconds():
                raise
        except IssuerSilent:
            if self._policy.sends_sms or not deadline.left_seconds():
                raise
        return await self._call("validate", lambda: self._connector.validate_card(pan, deadline))

    async def authenticate_otp(self, user_id: Secret, otp: Secret) -> Verdict:
        """Have a code judged, once: whatever comes of it, it is not sent again."""
        deadline = Deadline(self._limit_seconds)
        return await self._call("authenticate", lambda: self._connector.authenticate_otp(user_id, otp, deadline))

    async def _call(self, what: str, call: Callable[[], Awaitable[T]]) -> T:
        if not self._breaker.lets_through():
            ISSUER_CALLS.labels(self._policy.issuer_id, what, "held_off").inc()
            raise IssuerUnavailable("held_off", "The issuer has not been answering and is left alone for a moment")
        try:
            answer = await call()
        except (IssuerUnavailable, IssuerSilent) as error:
            self._breaker.record_failure()
            ISSUER_CALLS.labels(self._policy.issuer_id, what, error.code).inc()
            raise
        self._breaker.record_answer()
        ISSUER_CALLS.labels(self._policy.issuer_id, what, "answered").inc()
        return answer

    def _first_try_seconds(self) -> float:
        """A first try that cannot be followed by another has all the time."""
        return self._limit_seconds if self._policy.sends_sms else min(FIRST_TRY_SECONDS, self._limit_seconds / 2)
