"""Deliveries: prepare, send, record. The value changes its type at each step, so nothing is recorded that was not sent."""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass, field

import structlog
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from strongroom.kit import audit
from strongroom.kit.crypto import SealBroken, Secret
from strongroom.kit.db import Database, Tx
from strongroom.kit.ids import new_secret
from strongroom.kit.inflight import InFlight
from strongroom.kit.metrics import DELIVERIES
from strongroom.kit.outbound import AddressForbidden, Outbound, Unanswered, Unreachable
from strongroom.kit.vault import TenantKeys, Vault
from strongroom.webhooks.model import DeliveryOutcome, DisabledReason, Tag
from strongroom.webhooks.schedule import Attempt, pause_after, read_retry_after
from strongroom.webhooks.signature import sign
from strongroom.webhooks.store import deliveries as store
from strongroom.webhooks.store import endpoints
from strongroom.webhooks.store.deliveries import Claimed
from strongroom.webhooks.store.events import open_event

_ACTOR = "system:webhooks"
_AT_ONCE, _HANGING_AT_ONCE = 200, 600  # sockets of one worker
_RESERVED = 50  # of those at once, kept for endpoints whose last try went well
_BATCH, _UNPROVEN_BATCH = 100, 25
_WAIT_SECONDS = 0.25
_UNOPENED_PAUSE_SECONDS = 10
_log = structlog.get_logger("webhooks")


@dataclass(frozen=True, slots=True)
class Prepared:
    """A delivery signed and ready to go."""

    claimed: Claimed
    url: str = field(repr=False)
    headers: dict[str, str] = field(repr=False)
    body: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class Tried:
    """A delivery that was sent, or failed to be, and what came of it."""

    claimed: Claimed
    attempt: Attempt


class Deliveries:
    """Sends what is due to endpoints. Runs as the worker's role."""

    def __init__(self, db: Database, vault: Vault, outbound: Outbound | None = None, *, allow_loopback: bool = False) -> None:
        """Take a door of one's own, or open one to public addresses (in development to localhost too)."""
        self._db = db
        self._vault = vault
        self._outbound = outbound or Outbound(allow_loopback=allow_loopback)
        self._successes: list[Tried] = []
        self._recording = asyncio.Lock()
        self._flight = InFlight("webhook", _AT_ONCE, old_at_most=_HANGING_AT_ONCE)

    async def send_due(self) -> int:
        """Claim what is due and start sending it; return how many were claimed. Sending goes on after the return.

        When nothing can be claimed while some are in flight, one of them may make room or free its object's next event: so
        wait for that a moment and look again.
        """
        claimed = await self._start_due()
        if not claimed and self._flight.is_busy():
            await self._flight.wait(_WAIT_SECONDS)
            claimed = await self._start_due()
        return claimed

    async def finish(self) -> None:
        """Wait for what is being sent; call it after the job runner has stopped."""
        await self._flight.finish()

    async def _start_due(self) -> int:
        room = self._flight.room()
        if not room:
            return 0
        claimed = await self._claim(min(room, _BATCH), max(0, min(room - _RESERVED, _UNPROVEN_BATCH)))
        for prepared in claimed:
            self._flight.start(self._deliver(prepared))
        return len(claimed)

    async def _claim(self, at_most: int, unproven_at_most: int) -> list[Prepared]:
        async with self._db.transaction() as tx:
            claimed = await store.claim_due(tx, new_secret(16), at_most, unproven_at_most)
            return [prepared for one in claimed if (prepared := await self._prepare(tx, one))]

    async def _prepare(self, tx: Tx, claimed: Claimed) -> Prepared | None:
        """Open, render and sign; what does not open (a key rotated this very moment) is left for a while."""
        try:
            return _prepare(await self._vault.tenant(tx, claimed.firm_id), claimed)
        except SealBroken:
            _log.warning("delivery does not open", delivery=claimed.id)
            await store.give_back(tx, claimed, _UNOPENED_PAUSE_SECONDS)
            return None

    async def _deliver(self, prepared: Prepared) -> None:
        tried = await self._send(prepared)
        if tried.attempt.succeeded and tried.claimed.endpoint_is_well:
            await self._record_with_others(tried)
            return
        async with self._db.transaction() as tx:
            outcome = await _record(tx, tried)
        DELIVERIES.labels(outcome).inc()

    async def _record_with_others(self, tried: Tried) -> None:
        """Record a plain success together with those that came while an earlier batch was being recorded."""
        self._successes.append(tried)
        async with self._recording:
            if batch := self._successes:  # else somebody before us took ours along
                self._successes = []
                async with self._db.transaction() as tx:
                    held = await store.record_successes(tx, [(one.claimed, one.attempt) for one in batch])
                DELIVERIES.labels(DeliveryOutcome.DELIVERED).inc(held)

    async def _send(self, prepared: Prepared) -> Tried:
        """Send with nothing open. Every answer, and every lack of one, is a result."""
        started = time.perf_counter()
        status, failure, retry_after = None, None, 0
        try:
            answer = await self._outbound.send("POST", prepared.url, headers=prepared.headers, body=prepared.body)
            status, retry_after = answer.status, read_retry_after(answer.headers)
        except (AddressForbidden, Unreachable, Unanswered) as fault:
            failure = fault.code
        duration_ms = round(1000 * (time.perf_counter() - started))
        return Tried(prepared.claimed, Attempt(duration_ms, status, failure, retry_after))


def _prepare(keys: TenantKeys, claimed: Claimed) -> Prepared:
    row, endpoint_id = claimed.row, claimed.endpoint_id
    event = open_event(keys, row, with_details=row["include_account_details"])
    body = event.body()
    secrets = [
        Secret(keys.unseal_text("webhook_endpoints", "secret_sealed", endpoint_id, sealed))
        for sealed in (row["secret_sealed"], row["old_secret_sealed"])
        if sealed is not None
    ]
    signing_key = None
    if row["signing_key_sealed"] is not None:
        material = keys.unseal("webhook_endpoints", "signing_key_sealed", endpoint_id, row["signing_key_sealed"])
        signing_key = Ed25519PrivateKey.from_private_bytes(material)
    return Prepared(
        claimed,
        keys.unseal_text("webhook_endpoints", "url_sealed", endpoint_id, row["url_sealed"]),
        {
            "content-type": "application/json",
            "user-agent": "Strongroom-Webhooks/1.0",
            **sign(event.id, row["now"], body, secrets, signing_key),
        },
        body,
    )


async def _record(tx: Tx, tried: Tried) -> str:
    """Write down a try, if its claim still holds, and act on it; return how the metrics call it."""
    claimed, attempt = tried.claimed, tried.attempt
    outcome, pause_seconds = _judge(claimed, attempt)
    if not await store.record_try(tx, claimed, attempt, outcome=outcome, pause_seconds=pause_seconds):
        return "lost"
    if outcome is not None:
        await store.release_successor(tx, claimed)
    if attempt.gone:
        await _disable(tx, claimed)
    elif not attempt.succeeded:
        await store.note_failure(tx, claimed, attempt.throttle_seconds)
    elif not claimed.endpoint_is_well:
        await store.note_success(tx, claimed)
    if outcome is DeliveryOutcome.EXHAUSTED and await store.note_failing(tx, claimed):
        await audit.record(tx, claimed.firm_id, _ACTOR, Tag.ENDPOINT_FAILING, claimed.endpoint_id, {"delivery": claimed.id})
    return str(outcome or "retry")


def _judge(claimed: Claimed, attempt: Attempt) -> tuple[DeliveryOutcome | None, float]:
    """Return how a delivery ends, or None and the pause before the next try."""
    if attempt.succeeded:
        return DeliveryOutcome.DELIVERED, 0
    if attempt.gone:
        return DeliveryOutcome.DROPPED, 0
    pause = pause_after(claimed.tries + 1, attempt.retry_after_seconds)
    return (DeliveryOutcome.EXHAUSTED, 0) if pause is None else (None, pause)


async def _disable(tx: Tx, claimed: Claimed) -> None:
    """Stop sending to an endpoint that answered 410."""
    if await endpoints.disable(tx, claimed.firm_id, claimed.endpoint_id, DisabledReason.GONE):
        detail = {"reason": DisabledReason.GONE}
        await audit.record(tx, claimed.firm_id, _ACTOR, Tag.ENDPOINT_DISABLED, claimed.endpoint_id, detail)
