"""One way to move a payment: its state, its request's state, the firm's event and the audit entry, in one transaction."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from strongroom.funds.model import FAILURE_MESSAGES, AuditTag, Failure, Payment, ReviewReason
from strongroom.funds.results import Results, as_mapping
from strongroom.funds.states import (
    CREDIT_REQUEST,
    DEBITED,
    ENDED_WITHOUT_DEBIT,
    PAYMENT,
    REQUEST_FOLLOWS,
    PaymentEvent,
    PaymentState,
    RequestEvent,
    RequestState,
)
from strongroom.funds.store import payments as payment_store
from strongroom.funds.store import refusals as refusal_store
from strongroom.funds.store import requests as request_store
from strongroom.funds.store import reviews as review_store
from strongroom.kit import audit
from strongroom.kit.db import Tx
from strongroom.kit.machine import Moved
from strongroom.webhooks.events import Events
from strongroom.webhooks.model import EventType

_P = PaymentState

# Which columns of a payment get the present time when it reaches a state.
_TIMES: dict[PaymentState, tuple[str, ...]] = {
    _P.SUBMITTING: ("submitted_at",),
    _P.EXECUTED: ("executed_at",),
    _P.CREDITED: ("credited_at", "ended_at"),
    _P.SENT_BACK: ("ended_at",),
    **dict.fromkeys(ENDED_WITHOUT_DEBIT, ("ended_at",)),
}
_REQUEST_TIMES: dict[RequestState, tuple[str, ...]] = {
    RequestState.PROCESSING: ("submitted_at",),
    RequestState.COMPLETED: ("completed_at",),
    RequestState.RECEIVED: ("received_at",),
}
# What the firm is told when a payment reaches a state. Choosing another bank is the customer's own affair.
_EVENTS: dict[PaymentState, EventType] = {
    _P.EXECUTED: EventType.CREDIT_REQUEST_COMPLETED,
    _P.CREDITED: EventType.CREDIT_REQUEST_RECEIVED,
    _P.HELD: EventType.CREDIT_REQUEST_HELD,
    _P.SENT_BACK: EventType.CREDIT_REQUEST_RETURNED,
    _P.DECLINED: EventType.CREDIT_REQUEST_PAYMENT_FAILED,
    _P.ABANDONED: EventType.CREDIT_REQUEST_PAYMENT_FAILED,
    _P.FAILED: EventType.CREDIT_REQUEST_PAYMENT_FAILED,
    _P.REJECTED: EventType.CREDIT_REQUEST_PAYMENT_FAILED,
}
_LIMIT_KNOWN_DAYS = 30  # customers change, and banks change their limits
# Secrets that an ended attempt needs no more.
_CLEARED = {"return_sealed": None, "grant_sealed": None, "url_sealed": None}


class PaymentMoves:
    """Moves payments, and whatever follows a move."""

    def __init__(self, results: Results, events: Events) -> None:
        self._results = results
        self._events = events

    async def move(
        self,
        tx: Tx,
        payment: Payment,
        event: PaymentEvent,
        *,
        only_from: PaymentState | None = None,
        failure: Failure | None = None,
        sets: Mapping[str, Any] | None = None,
        times: Iterable[str] = (),
        actor: str = "system",
    ) -> Moved[PaymentState] | None:
        """Move a payment if its state allows the event; None when it does not, and then nothing at all was done.

        The request is locked first, as everybody does who touches both: else a cancellation and a move could wait for each other.
        """
        await self.lock_request(tx, payment)
        after = set(PAYMENT.ways(event).values())
        (target,) = after if len(after) == 1 else (_target(payment, event),)
        values = dict(sets or {})
        if target in PAYMENT.ends or target is PaymentState.UNCONFIRMED:
            values = _CLEARED | {"due_at": None} | values
        if failure is not None:
            values |= {"failure_code": str(failure), "failure_message": FAILURE_MESSAGES[failure]}
        moved = await PAYMENT.move(
            tx,
            payment.firm_id,
            payment.id,
            event,
            only_from=only_from or (payment.state if len(after) > 1 else None),
            sets={name: value for name, value in values.items() if name not in times},
            times=[*_TIMES.get(target, ()), *times],
        )
        if moved is not None:
            await self._follow(tx, payment, moved, failure, actor)
        return moved

    async def lock_request(self, tx: Tx, payment: Payment) -> None:
        """Lock the payment's request, and with it every other move of its payments, until the transaction ends."""
        await request_store.find_request(tx, payment.firm_id, payment.request_id, lock=True)

    async def _follow(self, tx: Tx, payment: Payment, moved: Moved[PaymentState], failure: Failure | None, actor: str) -> None:
        """Move the request along, tell the firm, write the audit, and end the question that the move answers."""
        if moved.after in ENDED_WITHOUT_DEBIT:
            await request_store.release_part(tx, payment.firm_id, payment.request_id, payment.amount_minor)
        request_event = REQUEST_FOLLOWS.get(moved.after)
        if moved.after in DEBITED:  # of a request that is paid in parts this may be one
            totals = await payment_store.totals_of(tx, payment.firm_id, payment.request_id)
            request_event = totals.event_for(moved.after)
        if request_event is not None:
            await self._follow_request(tx, payment, request_event, failure)
        await self._learn_limit(tx, payment, moved.after, failure)
        await audit.record(
            tx,
            payment.firm_id,
            actor,
            AuditTag.PAYMENT_MOVED,
            payment.id,
            {"before": moved.before, "after": moved.after} | ({"failure": str(failure)} if failure else {}),
        )
        if moved.before is PaymentState.UNCONFIRMED:
            await review_store.close_review(tx, payment.firm_id, payment.request_id, ReviewReason.UNCONFIRMED, resolved_by=actor)
        if event_type := _event_type(moved.after, request_event):
            data = await self._results.credit_request(tx, payment.firm_id, payment.request_id)
            await self._events.publish(tx, payment.firm_id, event_type, payment.request_id, as_mapping(data))

    async def _learn_limit(self, tx: Tx, payment: Payment, after: PaymentState, failure: Failure | None) -> None:
        """Learn from a bank that refuses an amount, and from one that lets it through."""
        firm_id, bank_id = payment.firm_id, payment.bank_id
        if failure is Failure.OVER_LIMIT:
            await refusal_store.learn_refusal(tx, firm_id, bank_id, payment.amount_minor, days=_LIMIT_KNOWN_DAYS)
        elif after is PaymentState.EXECUTED:
            await refusal_store.forget_refusal(tx, firm_id, bank_id, payment.amount_minor)

    async def _follow_request(self, tx: Tx, payment: Payment, event: RequestEvent, failure: Failure | None) -> None:
        ways = set(CREDIT_REQUEST.ways(event).values())
        sets: dict[str, Any] = {}
        if failure is not None and failure is not Failure.CHOSE_ANOTHER_BANK:
            sets = {"last_failure_code": str(failure), "last_failure_message": FAILURE_MESSAGES[failure]}
        times = [name for state in ways for name in _REQUEST_TIMES.get(state, ())]
        await CREDIT_REQUEST.move(
            tx, payment.firm_id, payment.request_id, event, sets=sets, times=times, detail={"payment": payment.id}
        )


def _event_type(reached: PaymentState, request_event: RequestEvent | None) -> EventType | None:
    """Return what the firm is told: of a part that it is one, and of money received only when all of it is."""
    if reached is PaymentState.EXECUTED and request_event is not RequestEvent.PAYMENT_EXECUTED:
        return EventType.CREDIT_REQUEST_PARTLY_PAID
    if reached is PaymentState.CREDITED and request_event is None:
        return None
    return _EVENTS.get(reached)


def _target(payment: Payment, event: PaymentEvent) -> PaymentState:
    """Return where an event leads from the state that was read; the move itself makes sure that it still holds."""
    return PAYMENT.ways(event).get(payment.state, payment.state)
