"""Send text messages: claim, call a gateway with nothing open, record. What nobody knows is asked about, never sent again."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import structlog

from strongroom.kit.crypto import SealBroken
from strongroom.kit.db import Database, Tx
from strongroom.kit.ids import new_secret
from strongroom.kit.inflight import InFlight
from strongroom.kit.metrics import MESSAGE_FUNNEL
from strongroom.kit.metrics import MESSAGES as MESSAGE_OUTCOMES
from strongroom.kit.vault import Vault
from strongroom.notify.model import REFUSED_LATER, Claimed, Due, Reported
from strongroom.notify.port import Asks, Found, Gateway, Outgoing, Receipt, Refused, Route, Sent, Silent, Unavailable
from strongroom.notify.routing import Routing
from strongroom.notify.states import MESSAGES, RECEIPT_EVENTS, MessageEvent
from strongroom.notify.store import messages as store

SEND_TIMEOUT_SECONDS = 20.0  # well below the lease
_RETRY_SECONDS = (2, 4, 8, 15, 30, 60)
_ASKS = 6
_BATCH = 50
_TEXTS_DAYS, _MESSAGES_DAYS = 7, 400
_log = structlog.get_logger("notify")


@dataclass(frozen=True, slots=True)
class Carried:
    """What came of handing a message to the gateways, ready to be recorded."""

    event: MessageEvent
    sent: Sent | None = None
    failure: str | None = None
    retry_after_seconds: int = 0


class Sender:
    """Sends what is queued, through the first gateway that takes it. Runs as the worker's role."""

    def __init__(self, db: Database, vault: Vault, gateways: Sequence[Gateway | Route], *, at_once: int = 50) -> None:
        self._db = db
        self._vault = vault
        self._routing = Routing(gateways)
        self._gateways = self._routing.gateways
        self._flight = InFlight("message", at_once, old_at_most=4 * at_once)

    async def send_due(self) -> int:
        """Claim what is due and start sending it; return how many were claimed. Sending goes on after the return."""
        if not (room := self._flight.room()):
            await self._flight.wait(1)
            return 0
        claimed, handled = await self._claim(min(room, _BATCH))
        for message, outgoing in claimed:
            self._flight.start(self._send(message, outgoing))
        return handled

    async def finish(self) -> None:
        """Wait for what is being sent; call it after the job runner has stopped."""
        await self._flight.finish()

    async def settle(self) -> int:
        """Put what a vanished worker left into doubt, ask gateways about what is in doubt, apply receipts."""
        async with self._db.transaction() as tx:
            lost = await store.lock_abandoned(tx, _BATCH)
            for tenant_id, message_id, claim in lost:
                await _doubt(tx, tenant_id, message_id, claim)
        return len(lost) + await self._ask() + await self._apply_receipts()

    async def forget_old(self) -> int:
        """Erase texts and numbers after a week and messages after 400 days; return how many rows changed."""
        async with self._db.transaction() as tx:
            return await store.forget_old(tx, texts_days=_TEXTS_DAYS, messages_days=_MESSAGES_DAYS)

    async def _claim(self, at_most: int) -> tuple[list[tuple[Claimed, Outgoing]], int]:
        claim = new_secret(16)
        async with self._db.transaction() as tx:
            due = await store.lock_due(tx, at_most)
            for message in due:
                await self._take(tx, claim, message)
            messages = await store.read_claimed(tx, claim) if due else []
            return [(message, opened) for message in messages if (opened := await self._open(tx, message))], len(due)

    async def _take(self, tx: Tx, claim: str, due: Due) -> None:
        """Claim one message for a gateway, or end what is too late or leads nowhere."""
        if not due.is_alive:
            await MESSAGES.move(tx, due.tenant_id, due.id, MessageEvent.OUTLIVED, sets={"text_sealed": None})
            MESSAGE_OUTCOMES.labels("outlived").inc()
            return
        number = await self._number_of(tx, due)
        gateway = (
            next(iter(self._gateways)) if number is None else self._routing.choose(number, due.tries, refused_by=due.refused_by)
        )
        sets = {"claim": claim if gateway else None, "gateway": gateway}
        await MESSAGES.move(tx, due.tenant_id, due.id, MessageEvent.CLAIMED, sets=sets, times=("claimed_at",))
        if gateway is None:
            ended = {"failure": REFUSED_LATER if due.refused_by else "no_gateway", "text_sealed": None}
            await MESSAGES.move(tx, due.tenant_id, due.id, MessageEvent.REFUSED, sets=ended)
            MESSAGE_OUTCOMES.labels("no_gateway").inc()

    async def _number_of(self, tx: Tx, due: Due) -> str | None:
        """Return a message's number; None when it does not open yet: it is claimed for any gateway and `_open` sends it back."""
        keys = await self._vault.tenant(tx, due.tenant_id)
        try:
            return keys.unseal_text("messages", "recipient_sealed", due.id, due.recipient_sealed)
        except SealBroken:
            return None

    async def _open(self, tx: Tx, message: Claimed) -> Outgoing | None:
        """Unseal a message; one whose key this process has not seen yet (a rotation) goes back for a moment."""
        keys = await self._vault.tenant(tx, message.tenant_id)
        try:
            to = keys.unseal_text("messages", "recipient_sealed", message.id, message.recipient_sealed)
            text = keys.unseal_text("messages", "text_sealed", message.id, message.text_sealed)
        except SealBroken:
            _log.warning("message does not open", message=message.id)
            due_at = await store.time_after(tx, 10)
            await MESSAGES.move(tx, message.tenant_id, message.id, MessageEvent.NOT_TAKEN, sets={"due_at": due_at})
            return None
        return Outgoing(message.id, to, text, message.sender, message.valid_until, message.valid_seconds, message.no_log)

    async def _send(self, message: Claimed, outgoing: Outgoing) -> None:
        carried = await _carry(self._gateways[message.gateway], outgoing)
        self._routing.note(message.gateway, carried.event)
        rounds, before_the_end = divmod(message.tries + 1, self._routing.count(outgoing.to))
        async with self._db.transaction() as tx:
            await _record(tx, message, carried, rounds=rounds, pause=not before_the_end)
        MESSAGE_OUTCOMES.labels(str(carried.event)).inc()

    async def _ask(self) -> int:
        claim = new_secret(16)
        asking = [name for name, gateway in self._gateways.items() if isinstance(gateway, Asks)]
        async with self._db.transaction() as tx:
            doubtful = await store.claim_doubtful(tx, claim, _BATCH, asking, asks=_ASKS)
        for tenant_id, message_id, name in doubtful:
            gateway = self._gateways[name]
            assert isinstance(gateway, Asks)  # noqa: S101  # only these were claimed
            found = await _ask_one(gateway, message_id)
            async with self._db.transaction() as tx:
                await _settle(tx, tenant_id, message_id, claim, found)
        return len(doubtful)

    async def _apply_receipts(self) -> int:
        async with self._db.transaction() as tx:
            receipts = await store.take_matched_receipts(tx, _BATCH)
            for reported in receipts:
                await _apply(tx, reported)
                MESSAGE_OUTCOMES.labels(str(reported.receipt)).inc()
        return len(receipts)


async def _carry(gateway: Gateway, outgoing: Outgoing) -> Carried:
    """Hand a message to one gateway. Which one was written down with the claim, so that after a crash the right one is asked."""
    try:
        async with asyncio.timeout(SEND_TIMEOUT_SECONDS):
            return Carried(MessageEvent.TAKEN, await gateway.send(outgoing))
    except Refused as fault:
        return Carried(MessageEvent.REFUSED, failure=fault.code)
    except Silent as fault:
        return Carried(MessageEvent.GATEWAY_SILENT, failure=fault.code)
    except TimeoutError:
        return Carried(MessageEvent.GATEWAY_SILENT, failure="timeout")
    except Unavailable as fault:
        return Carried(MessageEvent.NOT_TAKEN, failure=fault.code, retry_after_seconds=fault.retry_after_seconds)


async def _ask_one(gateway: Asks, message_id: str) -> Found:
    try:
        async with asyncio.timeout(SEND_TIMEOUT_SECONDS):
            return await gateway.ask(message_id)
    except (Unavailable, Silent, Refused, TimeoutError):
        return Found.NOT_KNOWN


async def _record(tx: Tx, message: Claimed, carried: Carried, *, rounds: int, pause: bool) -> None:
    """Write down what happened, if the message is still this claim's. `rounds`: how often all gateways were tried."""
    sets: dict[str, object] = {"failure": carried.failure}
    if carried.sent:
        sent = carried.sent
        sets |= {"provider_id": sent.provider_id, "segments": sent.segments, "encoding": str(sent.encoding)}
        sets |= {"cost_micros": sent.cost_micros}
    if carried.event is MessageEvent.NOT_TAKEN:
        seconds = max(carried.retry_after_seconds, _RETRY_SECONDS[min(rounds, len(_RETRY_SECONDS)) - 1]) if pause else 0
        sets |= {"due_at": await store.time_after(tx, seconds), "tries": message.tries + 1}
    elif carried.event is MessageEvent.GATEWAY_SILENT:
        sets |= {"due_at": await store.time_after(tx, _RETRY_SECONDS[0]), "tries": 0}
    elif message.no_log and not (carried.sent and carried.sent.may_come_back):
        sets |= {"text_sealed": None}
    step = "sent" if carried.event is MessageEvent.TAKEN else None
    await _move(tx, message.tenant_id, message.id, carried.event, step=step, sets=sets, where={"claim": message.claim})


async def _move(tx: Tx, tenant_id: str, message_id: str, event: MessageEvent, *, step: str | None, **more: Any) -> None:
    """Move a message; where that is a step of the funnel (sent, delivered) note its time and count it."""
    moved = await MESSAGES.move(tx, tenant_id, message_id, event, times=(f"{step}_at",) if step else (), **more)
    if moved and step:
        MESSAGE_FUNNEL.labels(step, *await store.labels_of(tx, tenant_id, message_id)).inc()


async def _apply(tx: Tx, reported: Reported) -> None:
    """Act on a receipt. What was not taken after all is due at once, for another gateway; this one's id names it no more."""
    event, sets = RECEIPT_EVENTS[reported.receipt], dict[str, object]()
    if reported.receipt is Receipt.NOT_TAKEN:
        sets |= {"failure": REFUSED_LATER}
        if reported.has_text:
            sets |= {"provider_id": None, "tries": reported.tries + 1, "due_at": await store.time_after(tx, 0)}
        else:
            event = MessageEvent.RECEIPT_FAILED
    elif reported.no_log:
        sets |= {"text_sealed": None}
    step = "delivered" if event is MessageEvent.RECEIPT_DELIVERED else None
    await _move(tx, reported.tenant_id, reported.message_id, event, step=step, sets=sets)


async def _doubt(tx: Tx, tenant_id: str, message_id: str, claim: str) -> None:
    """Put a message whose sender vanished into doubt, to be asked about at once."""
    sets = {"due_at": await store.time_after(tx, 0), "tries": 0, "failure": "sender_lost"}
    await MESSAGES.move(tx, tenant_id, message_id, MessageEvent.GATEWAY_SILENT, sets=sets, where={"claim": claim})


async def _settle(tx: Tx, tenant_id: str, message_id: str, claim: str, found: Found) -> None:
    """Act on a gateway's answer: taken is sent, never seen may be sent (while it is worth it), not known stays in doubt."""
    if found is Found.TAKEN:
        await _move(tx, tenant_id, message_id, MessageEvent.TAKEN, step="sent", where={"claim": claim})
    elif found is Found.NEVER_SEEN:
        alive = await store.is_alive(tx, tenant_id, message_id)
        event = MessageEvent.NOT_TAKEN if alive else MessageEvent.OUTLIVED
        sets = {"due_at": await store.time_after(tx, 0), "tries": 0}
        await MESSAGES.move(tx, tenant_id, message_id, event, sets=sets, where={"claim": claim})
