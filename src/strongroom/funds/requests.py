"""Credit requests (SafePay): made, listed, cancelled, sent again, frozen, expired."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import datetime

import msgspec

from strongroom.access.firms import Firms
from strongroom.funds.authentications import Authentications
from strongroom.funds.customers import Customers
from strongroom.funds.errors import AmountTooLarge, CaseClosed, NoReceivingAccount, PartlyPaid, PaymentLive, RequestEnded
from strongroom.funds.model import Actor, AuditTag, Case, CreditRequest, Failure, Page, Purpose, ReviewReason
from strongroom.funds.notices import Notices
from strongroom.funds.payment_moves import PaymentMoves
from strongroom.funds.receiving import CLIENT_MONEY, ReceivingAccounts
from strongroom.funds.references import distinct_reference, statement_reference
from strongroom.funds.results import Results, as_mapping
from strongroom.funds.schemas import CreditRequestOut, PaymentOut
from strongroom.funds.states import CREDIT_REQUEST, DEBITED, LIVE_BEFORE_EXCHANGE, PaymentEvent, RequestEvent, RequestState
from strongroom.funds.store import cases as case_store
from strongroom.funds.store import payments as payment_store
from strongroom.funds.store import requests as store
from strongroom.funds.store import reviews as review_store
from strongroom.kit import audit
from strongroom.kit.db import Database, Tx
from strongroom.kit.errors import FieldError, Invalid, NotFound, UnknownCursor
from strongroom.kit.groupcommit import GroupCommit
from strongroom.kit.idempotency import Once
from strongroom.kit.ids import new_id
from strongroom.notify.errors import refusal_of
from strongroom.notify.model import Limited, Queued
from strongroom.webhooks.events import Events
from strongroom.webhooks.model import EventType

_REFERENCE_TRIES = 20


@dataclass(frozen=True, slots=True)
class NewCreditRequest:
    """A request for an amount, checked for shape."""

    case_id: str
    reference: str
    description: str
    amount_minor: int
    customer_id: str | None = None
    receiving_account_id: str | None = None
    expires_at: datetime | None = None
    purpose: Purpose = Purpose.OTHER
    allow_split: bool = False
    notify: bool | None = None


class CreatedRequest(msgspec.Struct, frozen=True):
    """What the caller learns of a new request."""

    id: str


@dataclass(slots=True)
class _Ask:
    """A request on its way into the database; the batch that carries it says in `asked` whom it asks, once it is stored."""

    actor: Actor
    row: store.NewRequestRow
    automatic: bool  # whoever is asked may log in by that
    asked: list[str] | None = None


class CreditRequests:
    """Use cases over credit requests."""

    def __init__(
        self,
        db: Database,
        firms: Firms,
        customers: Customers,
        receiving: ReceivingAccounts,
        authentications: Authentications,
        notices: Notices,
        results: Results,
        moves: PaymentMoves,
        events: Events,
    ) -> None:
        self._db = db
        self._firms = firms
        self._customers = customers
        self._receiving = receiving
        self._authentications = authentications
        self._notices = notices
        self._results = results
        self._moves = moves
        self._events = events
        self._group: GroupCommit[_Ask] = GroupCommit(db, self._write_batch)

    async def create(self, firm_id: str, actor: Actor, new: NewCreditRequest, once: Once) -> CreatedRequest:
        """Ask for an amount. Raise NotFound, CaseClosed, NoReceivingAccount, AmountTooLarge or Invalid."""
        settings = await self._firms.get_settings(firm_id)
        if new.amount_minor > settings.max_amount_minor:
            raise AmountTooLarge(errors=(FieldError("/amount", "is more than this firm may ask for"),))
        ask = _Ask(actor, _row(actor, new), settings.automatic_customer_authentication)
        send = _wanted(new.notify, settings.notify_credit_requests)
        if not send and not once.keyed:
            await self._group.submit(firm_id, ask)
            if ask.asked is not None:
                return CreatedRequest(ask.row.id)
        async with self._db.transaction(firm_id) as tx:
            if answer := await once.claim(tx, firm_id, CreatedRequest):
                return answer
            await self._write_batch(tx, firm_id, [ask])
            created = CreatedRequest(ask.row.id if ask.asked is not None else await self._create_slowly(tx, firm_id, ask, new))
            if send:
                await self._notices.ask(tx, firm_id, ask.asked or [], client=actor.name)
            await once.keep(tx, firm_id, created)
            return created

    async def _write_batch(self, tx: Tx, firm_id: str, asks: list[_Ask]) -> None:
        """Store requests of one firm in one statement; what cannot be stored so is left with `asked` None."""
        found = {
            row["id"]: row for row in await store.add_requests(tx, firm_id, [one.row for one in asks], AuditTag.CREDIT_REQUESTED)
        }
        for ask in sorted(asks, key=lambda one: one.row.case_id):  # one order of locks for everybody
            row = found.get(ask.row.id)
            ask.asked = list(row["asked"]) if row else None
            for customer_id in row["new"] if row and ask.automatic else ():
                await self._authentications.allow(tx, firm_id, ask.actor, ask.row.case_id, customer_id)

    async def _create_slowly(self, tx: Tx, firm_id: str, ask: _Ask, new: NewCreditRequest) -> str:
        """Find out why a request could not be stored, and raise that, or store it under another statement reference."""
        await open_case(tx, firm_id, new.case_id)
        ask.asked = await asked_customers(tx, firm_id, new.case_id, new.customer_id)
        request_id = await self._insert(tx, firm_id, new, notify=new.notify is not False)
        await audit.record(tx, firm_id, ask.actor.name, AuditTag.CREDIT_REQUESTED, request_id, {"case": new.case_id})
        await self._invite(tx, firm_id, ask.actor, new.case_id, ask.asked, send=False)
        return request_id

    async def get(self, firm_id: str, request_id: str) -> CreditRequestOut:
        """Return a request as the API shows it. Raise NotFound."""
        async with self._db.transaction(firm_id) as tx:
            return await self._results.credit_request(tx, firm_id, request_id)

    async def list_requests(self, firm_id: str, page: Page) -> list[CreditRequestOut]:
        """Return one more request than the page holds, newest first. Raise UnknownCursor."""
        async with self._db.transaction(firm_id) as tx:
            found = await store.list_requests(tx, firm_id, page)
            if page.after and not found and await store.find_request(tx, firm_id, page.after) is None:
                raise UnknownCursor
            return [await self._results.of_credit_request(tx, one) for one in found]

    async def payments(self, firm_id: str, request_id: str) -> list[PaymentOut]:
        """Return every attempt to pay. Raise NotFound."""
        async with self._db.transaction(firm_id) as tx:
            if await store.find_request(tx, firm_id, request_id) is None:
                raise NotFound
            return [await self._results.of_payment(tx, one) for one in await payment_store.payments_of(tx, firm_id, request_id)]

    async def cancel(self, firm_id: str, actor: Actor, request_id: str) -> CreditRequestOut:
        """Withdraw a request; a payment whose code has not been used is closed and its code discarded.

        Cancelling twice is no error. Raise NotFound, RequestEnded, PartlyPaid, or PaymentLive when it is too late.
        """
        async with self._db.transaction(firm_id) as tx:
            request = await self._locked(tx, firm_id, request_id)
            if request.state is RequestState.CANCELLED:
                return await self._results.of_credit_request(tx, request)
            if request.state is RequestState.PARTLY_PAID:
                raise PartlyPaid
            await self._close_live_payment(tx, request)
            moved = await CREDIT_REQUEST.move(tx, firm_id, request_id, RequestEvent.CANCEL)
            if moved is None:
                raise RequestEnded
            await audit.record(tx, firm_id, actor.name, AuditTag.CREDIT_CANCELLED, request_id)
            return await self._tell(tx, firm_id, request_id, EventType.CREDIT_REQUEST_CANCELLED)

    async def resend(self, firm_id: str, actor: Actor, request_id: str) -> CreditRequestOut:
        """Send the text message again. Raise NotFound, RequestEnded, or where limits keep it from everybody TooManyMessages."""
        async with self._db.transaction(firm_id) as tx:
            request = await self._locked(tx, firm_id, request_id)
            waits = request.state in {RequestState.REQUESTED, RequestState.PARTLY_PAID}
            if not waits or request.frozen_at is not None:
                raise RequestEnded("Only a request that waits for its customer can be sent again")
            asked = await asked_customers(tx, firm_id, request.case_id, request.customer_id)
            refuse_if_kept_back(await self._invite(tx, firm_id, actor, request.case_id, asked, send=True, again=new_id("snd")))
            await audit.record(tx, firm_id, actor.name, AuditTag.CREDIT_RESENT, request_id)
            return await self._results.of_credit_request(tx, request)

    async def freeze(self, firm_id: str, customer_id: str, request_id: str) -> None:
        """The customer does not recognise the request: stop it, and tell the firm. Raise NotFound or PaymentLive."""
        async with self._db.transaction(firm_id) as tx:
            request = await self._locked(tx, firm_id, request_id)
            if request.customer_id not in {None, customer_id}:
                raise NotFound
            await self._close_live_payment(tx, request)
            if await store.freeze(tx, firm_id, request_id):
                await review_store.open_review(tx, firm_id, new_id("rev"), request_id, ReviewReason.UNRECOGNISED)
                await audit.record(tx, firm_id, f"customer:{customer_id}", AuditTag.UNRECOGNISED, request_id)
                await self._tell(tx, firm_id, request_id, EventType.CREDIT_REQUEST_PAYMENT_FAILED)

    async def expire_due(self) -> int:
        """End requests whose time is over; return how many. Of partly paid ones, which go on, the firm is told by a review."""
        async with self._db.transaction() as tx:
            for row in await store.claim_overdue_parts(tx, 50):
                await review_store.open_review(tx, row["firm_id"], new_id("rev"), row["id"], ReviewReason.PARTLY_PAID)
            rows = await store.claim_expired(tx, 50)
        for row in rows:
            async with self._db.transaction(row["firm_id"]) as tx:
                if await CREDIT_REQUEST.move(tx, row["firm_id"], row["id"], RequestEvent.EXPIRE):
                    await audit.record(tx, row["firm_id"], "system", AuditTag.CREDIT_EXPIRED, row["id"])
                    await self._tell(tx, row["firm_id"], row["id"], EventType.CREDIT_REQUEST_EXPIRED)
        return len(rows)

    async def tell_slow(self) -> int:
        """Tell firms of payments that have had no final status for two hours; return how many."""
        async with self._db.transaction() as tx:
            rows = await store.claim_slow(tx, 50)
            for row in rows:
                await self._tell(tx, row["firm_id"], row["id"], EventType.CREDIT_REQUEST_DELAYED)
        return len(rows)

    async def _insert(self, tx: Tx, firm_id: str, new: NewCreditRequest, *, notify: bool) -> str:
        """Store the request under a statement reference that no open request on the same account has."""
        account = await self._receiving.find_usable(tx, firm_id, new.receiving_account_id)
        if account is None:
            raise NoReceivingAccount
        if str(new.purpose) in CLIENT_MONEY and account.kind != "client":
            raise NoReceivingAccount("Deposits and completion money go only to a client account")
        request_id, met = new_id("csp"), set[str]()
        base = statement_reference(new.reference)
        for attempt in range(_REFERENCE_TRIES):
            if attempt:
                met |= await store.taken_references(tx, firm_id, account.id, base[:10])
            chosen = distinct_reference(new.reference, met)
            added = await store.add_request(
                tx,
                firm_id,
                request_id,
                case_id=new.case_id,
                customer_id=new.customer_id,
                reference=new.reference,
                statement_reference=chosen,
                description=new.description,
                amount_minor=new.amount_minor,
                purpose=new.purpose,
                allow_split=new.allow_split,
                receiving_account_id=account.id,
                expires_at=new.expires_at,
                notify=notify,
            )
            if added:
                return request_id
            met.add(chosen)
        raise Invalid(errors=(FieldError("/reference", "is in use by too many open requests"),))

    async def _invite(
        self, tx: Tx, firm_id: str, actor: Actor, case_id: str, asked: list[str], *, send: bool, again: str = ""
    ) -> list[Queued | Limited]:
        """Let the customers log in where the firm wants that by itself, and send them the link."""
        return await invite(
            self._firms, self._authentications, self._notices, tx, firm_id, actor, case_id, asked, send=send, again=again
        )

    async def _close_live_payment(self, tx: Tx, request: CreditRequest) -> None:
        live = await payment_store.find_live_payment(tx, request.firm_id, request.id, lock=True)
        if live is None or (request.state is RequestState.PARTLY_PAID and live.state in DEBITED):
            return
        if live.state not in LIVE_BEFORE_EXCHANGE:
            raise PaymentLive
        if await self._moves.move(tx, live, PaymentEvent.CHOSE_ANOTHER, failure=Failure.CHOSE_ANOTHER_BANK) is None:
            raise PaymentLive

    async def _locked(self, tx: Tx, firm_id: str, request_id: str) -> CreditRequest:
        request = await store.find_request(tx, firm_id, request_id, lock=True)
        if request is None:
            raise NotFound
        return request

    async def _tell(self, tx: Tx, firm_id: str, request_id: str, event: EventType) -> CreditRequestOut:
        data = await self._results.credit_request(tx, firm_id, request_id)
        await self._events.publish(tx, firm_id, event, request_id, as_mapping(data))
        return data


def _row(actor: Actor, new: NewCreditRequest) -> store.NewRequestRow:
    """Return a request as it is stored when nothing stands in its way."""
    return store.NewRequestRow(
        new_id("csp"), new.case_id, new.customer_id, new.reference, statement_reference(new.reference), new.description,
        new.amount_minor, str(new.purpose), new.allow_split, new.receiving_account_id, new.expires_at, new.notify is not False,
        str(new.purpose) in CLIENT_MONEY, actor.name, json.dumps({"case": new.case_id}),
    )  # fmt: skip


def _wanted(asked_for: bool | None, setting: bool) -> bool:
    """The call's own wish counts; without one the firm's setting."""
    return setting if asked_for is None else asked_for


async def open_case(tx: Tx, firm_id: str, case_id: str) -> Case:
    """Return an open case, kept open until the transaction ends. Raise NotFound or CaseClosed."""
    case = await case_store.find_case(tx, firm_id, case_id, lock=True)
    if case is None:
        raise NotFound("There is no such case here")
    if case.state != "open":
        raise CaseClosed
    return case


async def asked_customers(tx: Tx, firm_id: str, case_id: str, customer_id: str | None) -> list[str]:
    """Return whom a request asks: the named customer, who must be of the case, or all of the case's. Raise NotFound."""
    ids = [row["id"] for row in await case_store.customer_rows_of(tx, firm_id, [case_id])]
    if customer_id is None:
        return ids
    if customer_id not in ids:
        raise NotFound("There is no such customer in this case")
    return [customer_id]


async def invite(
    firms: Firms,
    authentications: Authentications,
    notices: Notices,
    tx: Tx,
    firm_id: str,
    actor: Actor,
    case_id: str,
    asked: list[str],
    *,
    send: bool,
    again: str = "",
) -> list[Queued | Limited]:
    """Let customers log in where the firm's setting says so, and send each the link; return what became of the messages."""
    firm = await firms.load(tx, firm_id)
    for customer_id in asked:
        if firm.settings.automatic_customer_authentication:
            await authentications.allow(tx, firm_id, actor, case_id, customer_id)
    return await notices.ask(tx, firm_id, asked, again=again, client=actor.name) if send else []


def refuse_if_kept_back(outcomes: list[Queued | Limited]) -> None:
    """Raise TooManyMessages or CountryNotServed when limits kept the message from everybody it was for."""
    limited = [outcome for outcome in outcomes if isinstance(outcome, Limited)]
    if limited and len(limited) == len(outcomes):
        raise refusal_of(min(limited, key=lambda one: one.retry_after_seconds))
