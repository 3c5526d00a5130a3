"""Payments as the worker carries them on: verify and use the code, submit once, ask until the bank has said its last word.

Each step takes the payment that has been due longest, under a lease. A payment found in a state that only a claim leaves behind
(its worker died) is never sent on blindly: it is ended where no money can have moved, and asked about where it can.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from typing import Any

import msgspec

from strongroom.banking.port import (
    BankRefused,
    BankSilent,
    BankUnavailable,
    Code,
    ConsentStatus,
    Declined,
    Grant,
    PaymentReport,
    PaymentStatus,
    wait_seconds,
)
from strongroom.banking.registry import Registry
from strongroom.funds.customers import Customers
from strongroom.funds.declines import why_declined
from strongroom.funds.evidence import PaymentEvidence
from strongroom.funds.model import Failure, Payer, Payment, ReviewReason, failure_for
from strongroom.funds.names import find_third_party
from strongroom.funds.payment_moves import PaymentMoves
from strongroom.funds.states import PAYMENT, PaymentEvent, PaymentState
from strongroom.funds.store import payments as store
from strongroom.funds.store import reviews as review_store
from strongroom.kit.db import Database, Tx
from strongroom.kit.errors import Unavailable
from strongroom.kit.ids import new_id
from strongroom.kit.metrics import PAYMENTS_LIVE
from strongroom.kit.vault import Vault

_LEASE_SECONDS = 45  # a worker that lives renews it, however slow the bank; what a dead one left is found within a minute
_RENEW_SECONDS = 15.0
_CODE_LIFE_SECONDS = 55  # banks' codes live a minute
_ASK_SAME_KEY_SECONDS = 23 * 3600  # after 24 h the same key may debit twice
_GIVE_UP_SECONDS = 5 * 24 * 3600
_HOUR_SECONDS, _DAY_SECONDS = 3600, 86_400
_UNUSED = frozenset({ConsentStatus.AUTHORISED, ConsentStatus.REJECTED})


class PaymentSteps:
    """The worker's part of payments."""

    def __init__(
        self,
        db: Database,
        vault: Vault,
        registry: Registry,
        customers: Customers,
        moves: PaymentMoves,
        evidence: PaymentEvidence,
        *,
        renew_seconds: float = _RENEW_SECONDS,
    ) -> None:
        self._db = db
        self._vault = vault
        self._registry = registry
        self._customers = customers
        self._moves = moves
        self._evidence = evidence
        self._renew_seconds = renew_seconds

    async def step(self) -> int:
        """Carry one due payment one step on; return 1, or 0 when none is due."""
        async with self._db.transaction() as tx:
            claimed = await store.claim_due(tx, lease_seconds=_LEASE_SECONDS)
        if claimed is None:
            return 0
        async with self._db.transaction(claimed["firm_id"]) as tx:
            payment = await store.find_payment(tx, claimed["firm_id"], claimed["id"])
        if payment is not None:
            async with self._lease_kept(payment, claimed["lease_until"]):
                await self._dispatch(payment)
        return 1

    async def count_live(self) -> int:
        """Set the gauge of payments that have not ended; no work, so 0 is returned."""
        async with self._db.transaction() as tx:
            counted = await store.count_live(tx)
        PAYMENTS_LIVE.clear()
        for state, count in counted:
            PAYMENTS_LIVE.labels(state).set(count)
        return 0

    @contextlib.asynccontextmanager
    async def _lease_kept(self, payment: Payment, lease: Any) -> AsyncIterator[None]:
        """Renew the lease for as long as the step is under way, so that no other worker takes a payment from a slow bank's hand."""
        renewing = asyncio.ensure_future(self._renew(payment, lease))
        try:
            yield
        finally:
            renewing.cancel()
            await asyncio.gather(renewing, return_exceptions=True)

    async def _renew(self, payment: Payment, lease: Any) -> None:
        while lease is not None:
            await asyncio.sleep(self._renew_seconds)
            with contextlib.suppress(Unavailable):  # without the database the lease may lapse; every claim is guarded besides
                async with self._db.transaction(payment.firm_id) as tx:
                    lease = await store.renew_lease(tx, payment.firm_id, payment.id, lease, lease_seconds=_LEASE_SECONDS)

    async def _dispatch(self, payment: Payment) -> None:
        match payment.state:
            case PaymentState.REQUESTING:  # its claim was never recorded; no money can have moved
                await self._end(payment, PaymentEvent.CONSENT_FAILED, Failure.BANK_UNAVAILABLE)
            case PaymentState.AWAITING:
                await self._watch_consent(payment)
            case PaymentState.RETURNED:
                await self._use_return(payment)
            case PaymentState.EXCHANGING:  # the worker died between claim and record: the code may be used, nothing was sent
                await self._end(payment, PaymentEvent.CODE_LOST, Failure.NOT_COMPLETED)
            case PaymentState.AUTHORISED:
                await self._submit(payment)
            case PaymentState.SUBMITTING:
                await self._ask_by_sending(payment)
            case PaymentState.PROCESSING | PaymentState.EXECUTED | PaymentState.HELD:
                await self._poll(payment)
            case PaymentState.UNCONFIRMED:
                await self._ask_again(payment)
            case _:
                await self._later(payment, None)

    async def _watch_consent(self, payment: Payment) -> None:
        """Never wait for the return alone: ask the bank, and end the attempt when its time is over."""
        memory = await self._memory(payment)
        report = fault = None
        try:
            report = await self._registry.get_bank(payment.bank_id).consent_report(memory)
        except (BankUnavailable, BankSilent, BankRefused) as silence:
            fault = silence
        if report and report.status is ConsentStatus.REJECTED:
            failure = failure_for(report.reason_code, Failure.CANCELLED_AT_BANK)
            await self._end(payment, PaymentEvent.AUTHORISATION_DECLINED, failure)
            return
        async with self._db.transaction(payment.firm_id) as tx:
            expired = (await store.ages(tx, payment.firm_id, payment.id))["expired"]
        if expired:  # without its code nothing can be submitted, so no debit can follow
            await self._end(payment, PaymentEvent.TIMED_OUT, Failure.TIMED_OUT)
        else:
            await self._later(payment, wait_seconds(fault, 30))

    async def _use_return(self, payment: Payment) -> None:
        """Claim the code, verify what came back, exchange it once."""
        fields = await self._claim_return(payment)
        if fields is None:
            return
        bank = self._registry.get_bank(payment.bank_id)
        memory = await self._memory(payment)
        try:
            outcome = await bank.accept_return(memory, fields)
            if isinstance(outcome, Declined):
                failure = await why_declined(bank, memory, outcome)
                await self._end(payment, PaymentEvent.AUTHORISATION_DECLINED, failure)
                return
            await self._record_grant(payment, await self._exchange(payment, memory, outcome))
        except BankUnavailable as fault:
            await self._keep_code(payment, fault)
        except (BankSilent, BankRefused):
            await self._end(payment, PaymentEvent.CODE_LOST, Failure.NOT_COMPLETED)

    async def _exchange(self, payment: Payment, memory: str, code: Code) -> Grant:
        return await self._registry.get_bank(payment.bank_id).exchange(memory, code)

    async def _claim_return(self, payment: Payment) -> dict[str, str] | None:
        """Claim the code; None when somebody else has it or the customer chose another bank."""
        async with self._db.transaction(payment.firm_id) as tx:
            moved = await self._moves.move(tx, payment, PaymentEvent.CODE_CLAIMED)
            if moved is None:
                return None
            sealed = await store.sealed_columns(tx, payment.firm_id, payment.id)
            keys = await self._vault.tenant(tx, payment.firm_id)
        assert sealed is not None  # noqa: S101  # the row was just moved
        text = keys.unseal("payments", "return_sealed", payment.id, sealed["return_sealed"])
        return msgspec.json.decode(text, type=dict[str, str])

    async def _record_grant(self, payment: Payment, grant: Grant) -> None:
        async with self._db.transaction(payment.firm_id) as tx:
            keys = await self._vault.tenant(tx, payment.firm_id)
            sealed = keys.seal("payments", "grant_sealed", payment.id, msgspec.json.encode(grant))
            await self._moves.move(tx, payment, PaymentEvent.GRANTED, sets={"grant_sealed": sealed, "return_sealed": None})
        await self._dispatch_fresh(payment)

    async def _keep_code(self, payment: Payment, fault: BankUnavailable) -> None:
        """The bank certainly did nothing: try again while the code lives, then end."""
        async with self._db.transaction(payment.firm_id) as tx:
            age = (await store.ages(tx, payment.firm_id, payment.id))["returned"]
            if age < _CODE_LIFE_SECONDS:
                await self._moves.move(tx, payment, PaymentEvent.CODE_KEPT)
                in_seconds = min(wait_seconds(fault, 2), _CODE_LIFE_SECONDS - age)
                await store.set_due(tx, payment.firm_id, payment.id, state=PaymentState.RETURNED, in_seconds=in_seconds)
            else:
                await self._moves.move(tx, payment, PaymentEvent.CODE_LOST, failure=Failure.BANK_UNAVAILABLE)

    async def _submit(self, payment: Payment) -> None:
        """Claim the one sending of this payment, then send it."""
        async with self._db.transaction(payment.firm_id) as tx:
            moved = await self._moves.move(tx, payment, PaymentEvent.SUBMIT_CLAIMED, times=["first_submitted_at"])
        if moved is None:
            return
        memory, grant = await self._memory(payment), await self._grant(payment)
        try:
            report = await self._registry.get_bank(payment.bank_id).submit_payment(memory, grant)
        except (BankUnavailable, BankSilent) as fault:
            await self._later(payment, wait_seconds(fault, 2), state=PaymentState.SUBMITTING)
        except BankRefused as refusal:  # the first sending and a clear no: nothing was debited
            failure = failure_for(refusal.code, Failure.REFUSED_BY_BANK)
            await self._end(payment, PaymentEvent.BANK_REJECTED, failure, state=PaymentState.SUBMITTING)
        else:
            await self._record(payment, report)

    async def _ask_by_sending(self, payment: Payment) -> None:
        """Ask about a lost answer: the identical body with the identical key, only while the bank still knows the key."""
        async with self._db.transaction(payment.firm_id) as tx:
            age = (await store.ages(tx, payment.firm_id, payment.id))["first_submitted"]
        if age >= _ASK_SAME_KEY_SECONDS:
            await self._ask_consent(payment, give_up=age >= _GIVE_UP_SECONDS)
            return
        memory, grant = await self._memory(payment), await self._grant(payment)
        try:
            report = await self._registry.get_bank(payment.bank_id).submit_payment(memory, grant)
        except (BankUnavailable, BankSilent) as fault:
            await self._later(payment, wait_seconds(fault, _back_off(age)))
        except BankRefused:  # the grant may be over, or the first sending is still under way: the consent can tell part of it
            await self._ask_consent(payment, may_be_under_way=True)
        else:
            await self._record(payment, report)

    async def _ask_consent(self, payment: Payment, *, give_up: bool = False, may_be_under_way: bool = False) -> None:
        """Ask what became of the consent: used or gone means that people must look, unused that nothing was sent.

        Unused is believed only when no sending can still be under way at a slow bank: after the time of the same key.
        """
        status = await self._consent_status(payment)
        if status in _UNUSED and not may_be_under_way:
            await self._end(payment, PaymentEvent.NEVER_SUBMITTED, Failure.NOT_COMPLETED)
        elif status in {ConsentStatus.CONSUMED, ConsentStatus.GONE} or give_up:
            await self._unconfirmed(payment)
        else:
            await self._later(payment, 300)

    async def _consent_status(self, payment: Payment) -> ConsentStatus:
        """Ask where the consent stands; unknown when the bank does not say."""
        memory = await self._memory(payment)
        try:
            return (await self._registry.get_bank(payment.bank_id).consent_report(memory)).status
        except (BankUnavailable, BankSilent, BankRefused):
            return ConsentStatus.UNKNOWN

    async def _poll(self, payment: Payment) -> None:
        """Ask where a submitted payment stands."""
        async with self._db.transaction(payment.firm_id) as tx:
            age = (await store.ages(tx, payment.firm_id, payment.id))["first_submitted"]
        report = fault = None
        try:
            memory = await self._memory(payment)
            report = await self._registry.get_bank(payment.bank_id).payment_report(memory, payment.bank_payment_id or "")
        except (BankUnavailable, BankSilent, BankRefused) as silence:
            fault = silence
        if report is not None:
            await self._record(payment, report)
        elif age >= _GIVE_UP_SECONDS:
            await self._give_up(payment)
        else:
            await self._later(payment, wait_seconds(fault, _back_off(age)))

    async def _ask_again(self, payment: Payment) -> None:
        """People must look, and the bank may know meanwhile: ask hourly for a day, then daily, until somebody has decided."""
        async with self._db.transaction(payment.firm_id) as tx:
            ages = await store.ages(tx, payment.firm_id, payment.id)
        await self._later(payment, _HOUR_SECONDS if ages["changed"] < _DAY_SECONDS else _DAY_SECONDS)
        if payment.bank_payment_id is None:
            key_is_over = ages["first_submitted"] >= _ASK_SAME_KEY_SECONDS
            if key_is_over and await self._consent_status(payment) in _UNUSED:
                await self._end(payment, PaymentEvent.NEVER_SUBMITTED, Failure.NOT_COMPLETED)
            return
        with contextlib.suppress(BankUnavailable, BankSilent, BankRefused):
            memory = await self._memory(payment)
            report = await self._registry.get_bank(payment.bank_id).payment_report(memory, payment.bank_payment_id)
            if report.status is not PaymentStatus.PENDING:  # pending tells nothing new: it would only be unconfirmed again
                await self._record(payment, report)

    async def _record(self, payment: Payment, report: PaymentReport) -> None:
        """Write down the bank's answer and move as far as it says, never back."""
        async with self._db.transaction(payment.firm_id) as tx:
            await self._moves.lock_request(tx, payment)
            await self._note(tx, payment, report)
            for event in _steps_for(report.status):
                now = await store.find_payment(tx, payment.firm_id, payment.id, lock=True)
                if now is not None and now.state in PAYMENT.ways(event):
                    rejected = failure_for(report.reason_code, Failure.REJECTED_BY_BANK)
                    failure = rejected if event is PaymentEvent.BANK_REJECTED else None
                    await self._moves.move(tx, now, event, failure=failure)
            now = await store.find_payment(tx, payment.firm_id, payment.id)
            assert now is not None  # noqa: S101  # payments are never deleted
            age = (await store.ages(tx, payment.firm_id, payment.id))["first_submitted"]
            if now.state not in PAYMENT.ends:
                over = age >= _GIVE_UP_SECONDS
                await store.set_due(tx, now.firm_id, now.id, state=now.state, in_seconds=None if over else _back_off(age))
        if now.state is PaymentState.PROCESSING and over_time(age):
            await self._unconfirmed(now)

    async def _note(self, tx: Tx, payment: Payment, report: PaymentReport) -> None:
        """Keep the bank's payment id, its word, its evidence, and who paid."""
        if report.evidence is not None:
            await self._evidence.keep(tx, payment, report.bank_status, report.evidence)
        payer_sealed, verdict = None, None
        if report.payer is not None:
            customer = await self._customers.load(tx, payment.firm_id, payment.customer_id)
            verdict = str(find_third_party(customer.personal.name, report.payer.name))
            payer = Payer(report.payer.name, report.payer.sort_code, (report.payer.account_number or "")[-4:] or None)
            key = await self._customers.load_key(tx, payment.firm_id, payment.customer_id)
            payer_sealed = key.seal("payments", "payer_sealed", payment.id, payer)
        await store.note_report(
            tx,
            payment.firm_id,
            payment.id,
            bank_payment_id=report.bank_payment_id,
            bank_status=report.bank_status,
            payer_sealed=payer_sealed,
            third_party_payer=verdict,
        )
        if report.status in {PaymentStatus.EXECUTED, PaymentStatus.CREDITED} and verdict != "no":
            reason = ReviewReason.THIRD_PARTY_PAYER if verdict == "yes" else ReviewReason.UNKNOWN_PAYER
            await review_store.open_review(tx, payment.firm_id, new_id("rev"), payment.request_id, reason)

    async def _give_up(self, payment: Payment) -> None:
        if payment.state is PaymentState.PROCESSING:
            await self._unconfirmed(payment)
        else:
            await self._later(payment, None)

    async def _unconfirmed(self, payment: Payment) -> None:
        async with self._db.transaction(payment.firm_id) as tx:
            if await self._moves.move(tx, payment, PaymentEvent.BANK_SILENT):
                await store.set_due(tx, payment.firm_id, payment.id, state=PaymentState.UNCONFIRMED, in_seconds=_HOUR_SECONDS)
                await review_store.open_review(tx, payment.firm_id, new_id("rev"), payment.request_id, ReviewReason.UNCONFIRMED)

    async def _end(self, payment: Payment, event: PaymentEvent, failure: Failure, *, state: PaymentState | None = None) -> None:
        """End an attempt from which no debit can follow."""
        async with self._db.transaction(payment.firm_id) as tx:
            now = await store.find_payment(tx, payment.firm_id, payment.id) if state else payment
            if now is not None:
                await self._moves.move(tx, now, event, failure=failure)

    async def _later(self, payment: Payment, in_seconds: float | None, *, state: PaymentState | None = None) -> None:
        async with self._db.transaction(payment.firm_id) as tx:
            await store.set_due(tx, payment.firm_id, payment.id, state=state or payment.state, in_seconds=in_seconds)

    async def _dispatch_fresh(self, payment: Payment) -> None:
        """Go on at once with a payment that has just moved."""
        async with self._db.transaction(payment.firm_id) as tx:
            now = await store.find_payment(tx, payment.firm_id, payment.id)
        if now is not None and now.state is PaymentState.AUTHORISED:
            await self._submit(now)

    async def _memory(self, payment: Payment) -> str:
        async with self._db.transaction(payment.firm_id) as tx:
            sealed = await store.sealed_columns(tx, payment.firm_id, payment.id)
            keys = await self._vault.tenant(tx, payment.firm_id)
        assert sealed is not None  # noqa: S101  # every payment past `requesting` has a memory
        return keys.unseal_text("payments", "memory_sealed", payment.id, sealed["memory_sealed"])

    async def _grant(self, payment: Payment) -> Grant:
        async with self._db.transaction(payment.firm_id) as tx:
            sealed = await store.sealed_columns(tx, payment.firm_id, payment.id)
            keys = await self._vault.tenant(tx, payment.firm_id)
        assert sealed is not None  # noqa: S101  # every payment past `authorised` has a grant
        return msgspec.json.decode(keys.unseal("payments", "grant_sealed", payment.id, sealed["grant_sealed"]), type=Grant)


def _steps_for(status: PaymentStatus) -> list[PaymentEvent]:
    """Return the events that a status stands for; credited money was executed first, and the firm hears of both."""
    return {
        PaymentStatus.PENDING: [PaymentEvent.BANK_TOOK_IT],
        PaymentStatus.EXECUTED: [PaymentEvent.BANK_EXECUTED],
        PaymentStatus.CREDITED: [PaymentEvent.BANK_EXECUTED, PaymentEvent.BANK_CREDITED],
        PaymentStatus.HELD: [PaymentEvent.BANK_HELD],
        PaymentStatus.REJECTED: [PaymentEvent.BANK_REJECTED],
    }[status]


def over_time(age_seconds: float) -> bool:
    """True when a bank has had five days."""
    return age_seconds >= _GIVE_UP_SECONDS


def _back_off(age_seconds: float) -> float:
    """Return how long to wait before asking again: seconds at first, an hour in the end."""
    for below, wait in ((30, 1), (300, 5), (3600, 60), (86_400, 600)):
        if age_seconds < below:
            return wait
    return 3600
