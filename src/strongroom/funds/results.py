"""The public form of requests and payments: what GET answers and what events carry, made in one place so that they agree."""

from __future__ import annotations

import msgspec

from strongroom.funds.customers import Customers
from strongroom.funds.model import AccountRequest, CreditRequest, Payer, Payment, Share, SharedDetails
from strongroom.funds.schemas import (
    AccountRequestOut,
    CreditRequestOut,
    FailureOut,
    NameMatchOut,
    Out,
    PartsOut,
    PayerOut,
    PaymentOut,
    SharedAccountOut,
    ShareResultOut,
    print_known_time,
    print_time,
)
from strongroom.funds.states import PAYMENT_PUBLIC, ShareState
from strongroom.funds.store import payments as payment_store
from strongroom.funds.store import requests as request_store
from strongroom.funds.store import shares as share_store
from strongroom.kit.db import Tx
from strongroom.kit.errors import NotFound
from strongroom.kit.money import pounds_number
from strongroom.kit.vault import PersonKey


class Results:
    """Reads and shapes; decides nothing."""

    def __init__(self, customers: Customers) -> None:
        self._customers = customers

    async def credit_request(self, tx: Tx, firm_id: str, request_id: str) -> CreditRequestOut:
        """Return a credit request as GET answers it. Raise NotFound."""
        request = await request_store.find_request(tx, firm_id, request_id)
        if request is None:
            raise NotFound
        return await self.of_credit_request(tx, request)

    async def of_credit_request(self, tx: Tx, request: CreditRequest) -> CreditRequestOut:
        """Shape a credit request with the payment that is live or has fulfilled it."""
        live = await payment_store.find_live_payment(tx, request.firm_id, request.id)
        return CreditRequestOut(
            id=request.id,
            case_id=request.case_id,
            customer_id=request.customer_id,
            status=str(request.state),
            amount=pounds_number(request.amount_minor),
            currency=request.currency,
            reference=request.reference,
            statement_reference=request.statement_reference,
            description=request.description,
            purpose=request.purpose,
            allow_split=request.allow_split,
            receiving_account_id=request.receiving_account_id,
            frozen=request.frozen_at is not None,
            expires_at=print_time(request.expires_at),
            last_failure=_failure(request.last_failure_code, request.last_failure_message),
            partly_paid=await self._parts(tx, request) if request.allow_split else None,
            payment=await self.of_payment(tx, live) if live else None,
            created_at=print_known_time(request.created_at),
            submitted_at=print_time(request.submitted_at),
            completed_at=print_time(request.completed_at),
            received_at=print_time(request.received_at),
        )

    async def _parts(self, tx: Tx, request: CreditRequest) -> PartsOut:
        totals = await payment_store.totals_of(tx, request.firm_id, request.id)
        return PartsOut(
            paid=pounds_number(totals.paid_minor),
            in_flight=pounds_number(totals.in_flight_minor),
            outstanding=pounds_number(totals.outstanding_minor),
        )

    async def of_payment(self, tx: Tx, payment: Payment) -> PaymentOut:
        """Shape a payment."""
        payer = await self.payer(tx, payment)
        return PaymentOut(
            id=payment.id,
            credit_request_id=payment.request_id,
            customer_id=payment.customer_id,
            bank=payment.bank_id,
            status=PAYMENT_PUBLIC[payment.state],
            amount=pounds_number(payment.amount_minor),
            bank_payment_id=payment.bank_payment_id,
            bank_status=payment.bank_status,
            end_to_end_id=payment.end_to_end_id,
            failure=_failure(payment.failure_code, payment.failure_message),
            payer=PayerOut(
                account_name=payer.account_name, sort_code=payer.sort_code, account_number_last4=payer.account_number_last4
            )
            if payer
            else None,
            third_party_payer=payment.third_party_payer,
            created_at=print_known_time(payment.created_at),
            returned_at=print_time(payment.returned_at),
            submitted_at=print_time(payment.submitted_at),
            completed_at=print_time(payment.executed_at),
            received_at=print_time(payment.credited_at),
            ended_at=print_time(payment.ended_at),
        )

    async def payer(self, tx: Tx, payment: Payment) -> Payer | None:
        """Return who paid, as far as the bank told; None once the customer has been erased."""
        sealed = await payment_store.sealed_columns(tx, payment.firm_id, payment.id)
        if sealed is None or sealed["payer_sealed"] is None:
            return None
        key = await self._find_key(tx, payment.firm_id, payment.customer_id)
        return key.unseal("payments", "payer_sealed", payment.id, sealed["payer_sealed"], Payer) if key else None

    async def of_account_request(self, tx: Tx, request: AccountRequest, *, full: bool) -> AccountRequestOut:
        """Shape a customer account request; `full` shows whole account numbers."""
        shares = await share_store.shares_of(tx, request.firm_id, request.id)
        results = [await self._share(tx, share, full=full) for share in shares if share.state is ShareState.SHARED]
        return AccountRequestOut(
            id=request.id,
            case_id=request.case_id,
            customer_id=request.customer_id,
            status=str(request.state),
            asked=list(request.asked),
            results=results,
            frozen=request.frozen_at is not None,
            expires_at=print_time(request.expires_at),
            last_failure=_failure(request.last_failure_code, request.last_failure_message),
            created_at=print_known_time(request.created_at),
            completed_at=print_time(request.completed_at),
        )

    async def find_shared_details(self, tx: Tx, share: Share) -> SharedDetails | None:
        """Open the account that was shared; None when it has been erased, alone or with the person."""
        sealed = await share_store.sealed_columns(tx, share.firm_id, share.id)
        if sealed is None or sealed["details_sealed"] is None:
            return None
        key = await self._find_key(tx, share.firm_id, share.customer_id)
        return key.unseal("shares", "details_sealed", share.id, sealed["details_sealed"], SharedDetails) if key else None

    async def _find_key(self, tx: Tx, firm_id: str, customer_id: str) -> PersonKey | None:
        try:
            return await self._customers.load_key(tx, firm_id, customer_id)
        except NotFound:
            return None

    async def _share(self, tx: Tx, share: Share, *, full: bool) -> ShareResultOut:
        details = await self.find_shared_details(tx, share) or SharedDetails()
        match = share.name_match or {"outcome": "unavailable", "score": 0}
        return ShareResultOut(
            customer_id=share.customer_id,
            account=_account(details, full=full),
            name_match=NameMatchOut(
                outcome=match["outcome"], score=match["score"], compared=list(details.compared) if full else []
            ),
            review_required=bool(share.review_required),
            shared_at=print_time(share.shared_at) or "",
        )


def _account(details: SharedDetails, *, full: bool) -> SharedAccountOut:
    last4 = (details.account_number or details.iban or "")[-4:] or None
    if not full:
        return SharedAccountOut(account_number_last4=last4, account_type=details.account_type, bank=details.bank)
    return SharedAccountOut(
        account_name=details.account_name,
        sort_code=details.sort_code,
        account_number=details.account_number,
        account_number_last4=last4,
        iban=details.iban,
        account_type=details.account_type,
        bank=details.bank,
    )


def _failure(code: str | None, message: str | None) -> FailureOut | None:
    return FailureOut(code=code, message=message or "") if code else None


def as_mapping(out: Out) -> dict[str, msgspec.Raw]:
    """Return an answer as names and raw values, so that an event carries the very tokens that GET prints (amounts above all)."""
    return msgspec.json.decode(msgspec.json.encode(out), type=dict[str, msgspec.Raw])
