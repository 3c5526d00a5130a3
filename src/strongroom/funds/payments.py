"""Payments as the customer makes them: begin at a bank, come back, choose another, look at what became of it.

Claim, call, record: a payment is claimed by its row (one live attempt per request), the bank is called with nothing open, and a
second transaction records the answer. What happens after the return is the worker's (`payment_steps`).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import msgspec

from strongroom.banking.port import (
    Authorising,
    BankRefused,
    BankSilent,
    BankUnavailable,
    CustomerContext,
    Payee,
    PaymentOrder,
    ReturnAddress,
)
from strongroom.banking.registry import Registry
from strongroom.funds.customers import Customers
from strongroom.funds.errors import (
    NoReceivingAccount,
    PartNotAllowed,
    PaymentAlreadyStarted,
    PaymentLive,
    RequestEnded,
    RequestFrozen,
)
from strongroom.funds.leaving import Leaving, Way, leave
from strongroom.funds.model import Actor, AuditTag, CreditRequest, Failure, Payment, ReceivingAccount, failure_for
from strongroom.funds.payment_moves import PaymentMoves
from strongroom.funds.receiving import ReceivingAccounts
from strongroom.funds.states import CREDIT_REQUEST, PaymentEvent, PaymentState, RequestEvent, RequestState
from strongroom.funds.store import payments as store
from strongroom.funds.store import requests as request_store
from strongroom.kit import audit
from strongroom.kit.db import Database, Tx
from strongroom.kit.errors import NotFound
from strongroom.kit.ids import new_id, new_secret
from strongroom.kit.jobs import NOTIFY
from strongroom.kit.vault import Vault

LIFE_SECONDS = 900  # how long a customer may take at the bank
_CLAIM_SECONDS = 60  # a consent that was not recorded by then never will be
_MAX_RETURN_FIELDS = 20
_MAX_RETURN_LENGTH = 16_384


@dataclass(frozen=True, slots=True)
class Begun:
    """A payment whose customer is to be sent to the bank, or why the bank could not begin it."""

    payment_id: str
    failure: Failure | None = None


@dataclass(frozen=True, slots=True)
class Agreement:
    """What the customer agreed to on the page before the bank (compliance 3): kept as it was."""

    wording: str  # version of the page's text
    bank_name: str
    address: str | None = field(repr=False, default=None)  # IP address


@dataclass(frozen=True, slots=True)
class _Claim:
    """A claimed payment with what the bank must be told."""

    payment_id: str
    order: PaymentOrder


class Payments:
    """Use cases of the customer at the bank."""

    def __init__(
        self,
        db: Database,
        vault: Vault,
        registry: Registry,
        customers: Customers,
        receiving: ReceivingAccounts,
        moves: PaymentMoves,
        *,
        return_url: str,
    ) -> None:
        self._db = db
        self._vault = vault
        self._registry = registry
        self._customers = customers
        self._receiving = receiving
        self._moves = moves
        self._return_url = return_url

    async def begin(
        self,
        firm_id: str,
        customer_id: str,
        request_id: str,
        bank_id: str,
        agreement: Agreement,
        context: CustomerContext,
        part_minor: int | None = None,
    ) -> Begun:
        """Claim the payment, make its consent at the bank, and say where to send the customer.

        `part_minor` is what is to be paid now, in pence; without it, all that is outstanding. Raise NotFound, RequestEnded,
        RequestFrozen, NoReceivingAccount, PartNotAllowed or PaymentAlreadyStarted (with the live one's id).
        """
        bank = self._registry.get_bank(bank_id)
        claim = await self._claim(firm_id, customer_id, request_id, bank_id, agreement, context, part_minor)
        try:
            authorising = await bank.request_payment(claim.order)
        except (BankUnavailable, BankSilent):
            return await self._failed(firm_id, claim.payment_id, Failure.BANK_UNAVAILABLE)
        except BankRefused as refusal:
            return await self._failed(firm_id, claim.payment_id, failure_for(refusal.code, Failure.REFUSED_BY_BANK))
        return await self._record_consent(firm_id, claim.payment_id, authorising)

    async def come_back(self, state: str, fields: Mapping[str, str]) -> tuple[str, str] | None:
        """Record what came back from the bank, whichever browser brought it; return (firm, payment), or None when unknown.

        A second return changes nothing. The fields are a hint until the worker has verified them.
        """
        async with self._db.transaction() as tx:
            found = await store.find_by_state(tx, self._state_hash(state))
        if found is None:
            return None
        firm_id, payment_id = found
        kept = {name: value for name, value in list(fields.items())[:_MAX_RETURN_FIELDS] if len(value) <= _MAX_RETURN_LENGTH}
        async with self._db.transaction(firm_id) as tx:
            keys = await self._vault.tenant(tx, firm_id)
            sealed = keys.seal("payments", "return_sealed", payment_id, msgspec.json.encode(kept))
            payment = await store.find_payment(tx, firm_id, payment_id)
            if payment and payment.state is PaymentState.AWAITING:
                moved = await self._moves.move(
                    tx, payment, PaymentEvent.CAME_BACK, sets={"return_sealed": sealed, "tries": 0}, times=["returned_at", "due_at"]
                )
                if moved:
                    await tx.execute(NOTIFY)
        return firm_id, payment_id

    async def choose_another(self, firm_id: str, customer_id: str, payment_id: str) -> None:
        """Close a payment before its code is used, so that another bank can be chosen.

        Raise NotFound, or PaymentLive once the code has been claimed. A payment that has ended is no error.
        """
        async with self._db.transaction(firm_id) as tx:
            payment = await store.find_payment(tx, firm_id, payment_id)
            if payment is None or payment.customer_id != customer_id:
                raise NotFound
            moved = await self._moves.move(tx, payment, PaymentEvent.CHOSE_ANOTHER, failure=Failure.CHOSE_ANOTHER_BANK)
            if moved is None:
                now = await store.find_payment(tx, firm_id, payment_id)
                if now is not None and now.ended_at is None:
                    raise PaymentLive

    async def get(self, firm_id: str, payment_id: str) -> Payment:
        """Return a payment. Raise NotFound."""
        async with self._db.transaction(firm_id) as tx:
            payment = await store.find_payment(tx, firm_id, payment_id)
        if payment is None:
            raise NotFound
        return payment

    async def bank_url(self, firm_id: str, customer_id: str, payment_id: str) -> str | None:
        """Return the bank's address for the customer of a waiting payment; None once they have come back or it has ended.

        None, too, where the bank gives one only as the customer leaves (`leave`).
        """
        way = await self._way(firm_id, customer_id, payment_id)
        return way.url if way else None

    async def leave(self, firm_id: str, customer_id: str, payment_id: str) -> Leaving:
        """Say where to send the customer of a waiting payment at this moment. Raise NotFound."""
        return await leave(self._registry, await self._way(firm_id, customer_id, payment_id))

    async def _way(self, firm_id: str, customer_id: str, payment_id: str) -> Way | None:
        async with self._db.transaction(firm_id) as tx:
            payment = await store.find_payment(tx, firm_id, payment_id)
            if payment is None or payment.customer_id != customer_id:
                raise NotFound
            sealed = await store.sealed_columns(tx, firm_id, payment_id)
            keys = await self._vault.tenant(tx, firm_id)
        if payment.state is not PaymentState.AWAITING or sealed is None:
            return None
        url, memory = (
            keys.unseal_text("payments", column, payment_id, sealed[column]) if sealed[column] else None
            for column in ("url_sealed", "memory_sealed")
        )
        return Way(payment.bank_id, url, memory)

    async def _claim(
        self,
        firm_id: str,
        customer_id: str,
        request_id: str,
        bank_id: str,
        agreement: Agreement,
        context: CustomerContext,
        part_minor: int | None,
    ) -> _Claim:
        """Win the one payment in flight of the request, or say who has it."""
        payment_id, state = new_id("pay"), new_secret()
        async with self._db.transaction(firm_id) as tx:
            request = await self._open_request(tx, firm_id, customer_id, request_id)
            account = await self._receiving.find_usable(tx, firm_id, request.receiving_account_id)
            if account is None:
                raise NoReceivingAccount
            amount_minor = await self._part(tx, request, part_minor)
            order = self._order(request, account, payment_id, state, context, amount_minor)
            claimed = await store.add_payment(
                tx,
                firm_id,
                payment_id,
                request_id=request_id,
                customer_id=customer_id,
                bank_id=bank_id,
                amount_minor=amount_minor,
                instruction_id=order.instruction_id,
                end_to_end_id=order.end_to_end_id,
                consent_key=order.consent_idempotency_key,
                submit_key=order.submit_idempotency_key,
                agreed=self._agreed(request, account, agreement, amount_minor),
                state_hash=self._state_hash(state),
                life_seconds=LIFE_SECONDS,
                claim_seconds=_CLAIM_SECONDS,
            )
            if not claimed:
                await self._refuse_second(tx, firm_id, request_id)
            if not await request_store.commit_part(tx, firm_id, request_id, amount_minor):
                raise PartNotAllowed
            await CREDIT_REQUEST.move(
                tx, firm_id, request_id, RequestEvent.PAYMENT_BEGUN, sets={"delayed_at": None}, detail={"payment": payment_id}
            )
            await audit.record(
                tx,
                firm_id,
                f"customer:{customer_id}",
                AuditTag.PAYMENT_AGREED,
                payment_id,
                {"request": request_id, "bank": bank_id},
            )
        return _Claim(payment_id, order)

    async def _open_request(self, tx: Tx, firm_id: str, customer_id: str, request_id: str) -> CreditRequest:
        """Lock the request and make sure that this customer may pay it now."""
        request = await request_store.find_request(tx, firm_id, request_id, lock=True)
        if request is None or request.customer_id not in {None, customer_id}:
            raise NotFound
        customer = await self._customers.load(tx, firm_id, customer_id)
        if customer.case_id != request.case_id:
            raise NotFound
        if request.frozen_at is not None:
            raise RequestFrozen
        if request.state in {RequestState.AUTHORISING, RequestState.PROCESSING}:
            await self._refuse_second(tx, firm_id, request_id)
        if request.state is RequestState.PARTLY_PAID:  # what has begun may be finished, however late
            return request
        if request.state is not RequestState.REQUESTED:
            raise RequestEnded
        if await request_store.is_over(tx, firm_id, request_id):
            raise RequestEnded("The request has expired")
        return request

    async def _refuse_second(self, tx: Tx, firm_id: str, request_id: str) -> None:
        live = await store.find_live_payment(tx, firm_id, request_id)
        if live is None:
            raise RequestEnded
        raise PaymentAlreadyStarted(live.id)

    async def _part(self, tx: Tx, request: CreditRequest, part_minor: int | None) -> int:
        """Return what is to be paid now. Raise PartNotAllowed, or what `_refuse_second` raises when nothing is outstanding."""
        outstanding = request.outstanding_minor
        if outstanding == 0:
            await self._refuse_second(tx, request.firm_id, request.id)
        if part_minor is None or part_minor == outstanding:
            return outstanding
        if not request.allow_split or not request.least_part_minor <= part_minor <= outstanding:
            raise PartNotAllowed
        return part_minor

    def _order(
        self,
        request: CreditRequest,
        account: ReceivingAccount,
        payment_id: str,
        state: str,
        context: CustomerContext,
        amount_minor: int,
    ) -> PaymentOrder:
        """Tell the bank what to do; every key follows from the payment's id, so that it is the same however often it is sent."""
        bare = payment_id.removeprefix("pay-")
        return PaymentOrder(
            instruction_id=f"SR{bare}",
            end_to_end_id=f"SR{bare}",
            consent_idempotency_key=f"consent-{bare}",
            submit_idempotency_key=f"submit-{bare}",
            amount_minor=amount_minor,
            currency=request.currency,
            payee=Payee(account.account_name, account.sort_code, account.account_number),
            reference=request.statement_reference,
            purpose=request.purpose,
            back=ReturnAddress(self._return_url, state),
            customer=context,
        )

    def _agreed(self, request: CreditRequest, account: ReceivingAccount, agreement: Agreement, amount_minor: int) -> dict[str, Any]:
        """Return the agreement as it is kept for good; the address only as a keyed hash that can be compared."""
        address = self._vault.hash("address", agreement.address or "").hex()[:32]
        return {
            "wording": agreement.wording,
            "bank": agreement.bank_name,
            "amountMinor": amount_minor,
            "currency": request.currency,
            "payee": account.account_name,
            "receivingAccount": account.id,
            "reference": request.statement_reference,
            "addressHash": address,
        }

    async def _record_consent(self, firm_id: str, payment_id: str, authorising: Authorising) -> Begun:
        """Record the consent; the customer may have chosen another bank meanwhile, which the payment's page tells."""
        async with self._db.transaction(firm_id) as tx:
            keys = await self._vault.tenant(tx, firm_id)
            payment = await store.find_payment(tx, firm_id, payment_id)
            if payment is None:
                raise NotFound
            texts = {"memory_sealed": authorising.memory} | ({"url_sealed": authorising.url} if authorising.url else {})
            sealed = {column: keys.seal_text("payments", column, payment_id, text) for column, text in texts.items()}
            await self._moves.move(tx, payment, PaymentEvent.CONSENT_MADE, sets={"consent_id": authorising.consent_id, **sealed})
        return Begun(payment_id)

    async def _failed(self, firm_id: str, payment_id: str, failure: Failure) -> Begun:
        async with self._db.transaction(firm_id) as tx:
            payment = await store.find_payment(tx, firm_id, payment_id)
            if payment is not None:
                await self._moves.move(tx, payment, PaymentEvent.CONSENT_FAILED, failure=failure)
        return Begun(payment_id, failure)

    def _state_hash(self, state: str) -> bytes:
        return self._vault.hash("bank return state", state)


def actor_of(customer_id: str) -> Actor:
    """Return the name under which a customer acts in the audit."""
    return Actor(f"customer:{customer_id}")
