"""Payment initiation: consents, funds confirmation, payments and their status (v4.0, domestic)."""

from __future__ import annotations

import hashlib
import json
import re
import uuid
from decimal import Decimal
from typing import Any

from msgspec import UNSET

from modelbank.config import Limits, Schedule
from modelbank.database import Pool, Tx
from modelbank.ledger import store as ledger
from modelbank.openbanking import store
from modelbank.openbanking.answers import REASONS, Answer, created, read, status_reason, timestamp
from modelbank.openbanking.consents import get_consent, state_of
from modelbank.openbanking.errors import Code, Refused, forbidden, not_found
from modelbank.openbanking.guard import Call
from modelbank.openbanking.schemas import PURPOSE_CODES, Amount, Initiation, PaymentConsentRequest, PaymentRequest
from modelbank.openbanking.store import Claimed, Consent, Payment, Step
from modelbank.quirks import LIMIT_MINOR, Quirk

BASE = "/open-banking/v4.0/pisp"
_INSTRUMENTS = ("UK.OBIE.FPS", "UK.OBIE.CHAPS", "UK.OBIE.BACS", "UK.OBIE.BalanceTransfer")
_SORT_CODE_ACCOUNT = re.compile(r"[0-9]{14}")
_IBAN = re.compile(r"[A-Z]{2}[0-9]{2}[A-Z0-9]{10,30}")
_MINOR = Decimal("0.01")


class Payments:
    """The resources under /pisp."""

    def __init__(self, pool: Pool, schedule: Schedule, limits: Limits) -> None:
        self._pool = pool
        self._schedule = schedule
        self._limits = limits

    async def create_consent(self, call: Call) -> Answer:
        """Keep a consent that awaits the customer; the same key again finds the same consent."""
        asked: PaymentConsentRequest = call.typed
        amount_minor = check_initiation(asked.data.initiation)
        _check_purpose(asked.risk.payment_purpose_code)
        async with self._pool.acquire() as connection, connection.transaction():
            claimed = await self._claim(connection, call, "domestic-payment-consents", f"dpc-{uuid.uuid4()}")
            if claimed.is_new:
                await store.add_consent(
                    connection,
                    claimed.resource_id,
                    call.bank.id,
                    call.client.id,
                    "payments",
                    call.content,
                    amount_minor=amount_minor,
                )
            consent = await get_consent(connection, call, "payments", claimed.resource_id)
        return created(_consent_content(consent), f"{BASE}/domestic-payment-consents/{consent.id}")

    async def read_consent(self, call: Call) -> Answer:
        """Tell where a consent stands."""
        consent = await get_consent(self._pool, call, "payments", call.request.values["ConsentId"])
        return read(_consent_content(consent), f"{BASE}/domestic-payment-consents/{consent.id}")

    async def confirm_funds(self, call: Call) -> Answer:
        """Tell whether the chosen account has the money now. Nothing is set aside."""
        consent = await get_consent(self._pool, call, "payments", call.request.values["ConsentId"])
        if consent.id != call.consent_id:
            raise forbidden("The token is for another consent.")
        if consent.status != "AUTH":
            raise Refused(Code.CONSENT_STATUS, "The consent is not authorised.", "ConsentId")
        [account] = await ledger.list_accounts(self._pool, call.bank.id, consent.account_ids)
        result = {
            "FundsAvailableDateTime": timestamp(await ledger.now(self._pool)),
            "FundsAvailable": Quirk.NO_FUNDS not in call.quirks and account.available_minor >= (consent.amount_minor or 0),
        }
        path = f"{BASE}/domestic-payment-consents/{consent.id}/funds-confirmation"
        return read({"Data": {"FundsAvailableResult": result}}, path)

    async def create_payment(self, call: Call) -> Answer:
        """Use up the consent and receive the payment, once; the same key again finds the same payment as it stands now."""
        asked: PaymentRequest = call.typed
        if asked.data.consent_id != call.consent_id:
            await self._check_foreign(call, asked.data.consent_id)
        async with self._pool.acquire() as connection, connection.transaction():
            claimed = await self._claim(connection, call, "domestic-payments", str(uuid.uuid4()))
            if claimed.is_new:
                await self._receive(connection, call, claimed.resource_id, asked.data.initiation.instruction_identification)
            content = await _payment_content(connection, await _get_payment(connection, call, claimed.resource_id), call.quirks)
        return created(content, f"{BASE}/domestic-payments/{claimed.resource_id}")

    async def read_payment(self, call: Call) -> Answer:
        """Tell where a payment stands."""
        payment = await _get_payment(self._pool, call, call.request.values["DomesticPaymentId"])
        return read(await _payment_content(self._pool, payment, call.quirks), f"{BASE}/domestic-payments/{payment.id}")

    async def read_details(self, call: Call) -> Answer:
        """Tell every status that a payment has had; RCVD is no status of this resource."""
        payment = await _get_payment(self._pool, call, call.request.values["DomesticPaymentId"])
        steps = await store.list_done_steps(self._pool, payment.id)
        details = [_detail(payment, step) for step in steps if step["status"] != "RCVD"]
        return read({"Data": {"PaymentStatus": details}}, f"{BASE}/domestic-payments/{payment.id}/payment-details")

    async def _claim(self, tx: Tx, call: Call, endpoint: str, resource_id: str) -> Claimed:
        body_hash = hashlib.sha256(json.dumps(call.content, sort_keys=True).encode()).digest()
        claimed = await store.claim_key(
            tx,
            call.bank.id,
            call.client.id,
            endpoint,
            call.idempotency_key,
            body_hash,
            resource_id,
            self._limits.idempotency_seconds,
        )
        if claimed.body_hash != body_hash:
            raise Refused(Code.HEADER_INVALID, "This idempotency key was used for another body.", "x-idempotency-key")
        return claimed

    async def _check_foreign(self, call: Call, consent_id: str) -> None:
        await get_consent(self._pool, call, "payments", consent_id)
        raise forbidden("The token is for another consent.")

    async def _receive(self, tx: Tx, call: Call, payment_id: str, instruction_id: str) -> None:
        consent = await get_consent(tx, call, "payments", call.consent_id)
        _check_same(consent, call.content)
        if not await store.consume_consent(tx, consent.id):
            raise Refused(Code.CONSENT_STATUS, "The consent is not authorised, or was used before.", "Data.ConsentId")
        plan = await self._plan(tx, consent, call.quirks)
        if not await store.add_payment(tx, payment_id, consent, instruction_id, plan):
            message = "A payment with this InstructionIdentification exists."
            raise Refused(Code.ALREADY_EXISTS, message, "Data.Initiation.InstructionIdentification", 409)

    async def _plan(self, tx: Tx, consent: Consent, quirks: frozenset[Quirk]) -> list[Step]:
        """Set the money aside and plan the payment's way; without money, or over the limit, it is rejected at once."""
        assert consent.amount_minor is not None  # noqa: S101  # every payment consent has an amount
        if Quirk.OVER_LIMIT in quirks and consent.amount_minor > LIMIT_MINOR:
            return [Step("RJCT", 0, "AM14")]
        if Quirk.NO_FUNDS in quirks or not await ledger.reserve(tx, consent.bank, consent.account_ids[0], consent.amount_minor):
            return [Step("RJCT", 0, "AM04")]
        return plan_steps(self._schedule, fails_late=Quirk.LATE in quirks)


def plan_steps(schedule: Schedule, *, fails_late: bool) -> list[Step]:
    """Return the statuses of a payment whose money is set aside."""
    start = [Step("RCVD", 0), Step("ACSP", schedule.accepted_seconds)]
    if fails_late:
        return [*start, Step("RJCT", schedule.debited_seconds, "DS04")]
    return [*start, Step("ACSC", schedule.debited_seconds), Step("ACCC", schedule.credited_seconds)]


async def _get_payment(tx: Tx, call: Call, payment_id: str) -> Payment:
    payment = await store.find_payment(tx, call.bank.id, payment_id)
    if payment is None:
        raise not_found("DomesticPaymentId")
    if payment.client_id != call.client.id:
        raise forbidden("The payment is another client's.")
    return payment


def check_initiation(initiation: Initiation) -> int:
    """Return the amount in pence. Raise Refused for what the shape allows and this bank does not support."""
    amount_minor = check_amount(initiation.instructed_amount, "Data.Initiation.InstructedAmount")
    if initiation.local_instrument is not UNSET and initiation.local_instrument not in _INSTRUMENTS:
        raise Refused(Code.INSTRUMENT_UNSUPPORTED, "Not supported.", "Data.Initiation.LocalInstrument")
    creditor = initiation.creditor_account
    check_account("Data.Initiation.CreditorAccount", creditor.scheme_name, creditor.identification)
    if initiation.debtor_account is not UNSET:
        debtor = initiation.debtor_account
        check_account("Data.Initiation.DebtorAccount", debtor.scheme_name, debtor.identification)
    return amount_minor


def check_amount(amount: Amount, path: str) -> int:
    """Return an amount in pence. Raise Refused for another currency, for parts of a penny and for nothing."""
    if amount.currency != "GBP":
        raise Refused(Code.CURRENCY_UNSUPPORTED, "Only GBP.", f"{path}.Currency")
    value = Decimal(amount.amount)
    if value <= 0 or value != value.quantize(_MINOR):
        raise Refused(Code.FIELD_INVALID, "Pounds and pence, above zero.", f"{path}.Amount")
    return int(value / _MINOR)


def check_account(path: str, scheme: str, identification: str) -> None:
    """Refuse an account that is not written as its scheme wants it, and schemes that this bank does not know."""
    patterns = {"UK.OBIE.SortCodeAccountNumber": _SORT_CODE_ACCOUNT, "UK.OBIE.IBAN": _IBAN}
    if scheme not in patterns:
        raise Refused(Code.SCHEME_UNSUPPORTED, "Use sort code and account number, or IBAN.", f"{path}.SchemeName")
    if not patterns[scheme].fullmatch(identification):
        raise Refused(Code.ACCOUNT_UNSUPPORTED, "This is no account of that scheme.", f"{path}.Identification")


def _check_purpose(code: object) -> None:
    if code is not UNSET and code not in PURPOSE_CODES:
        raise Refused(Code.FIELD_INVALID, "No such purpose.", "Risk.PaymentPurposeCode")


def _check_same(consent: Consent, content: dict[str, Any]) -> None:
    agreed = consent.content
    if content["Data"]["Initiation"] != agreed["Data"]["Initiation"]:
        raise Refused(Code.CONSENT_MISMATCH, "The payment differs from what the customer agreed.", "Data.Initiation")
    if content["Risk"] != agreed["Risk"]:
        raise Refused(Code.CONSENT_MISMATCH, "The payment differs from what the customer agreed.", "Risk")


def _consent_content(consent: Consent) -> dict[str, Any]:
    content = consent.content
    return {"Data": content["Data"] | state_of(consent), "Risk": content["Risk"]}


async def _payment_content(tx: Tx, payment: Payment, quirks: frozenset[Quirk]) -> dict[str, Any]:
    consent = await store.find_consent(tx, payment.bank, "payments", payment.consent_id)
    assert consent is not None  # noqa: S101  # a payment's consent is never deleted
    [account] = await ledger.list_accounts(tx, payment.bank, [payment.account_id])
    is_named = quirks.isdisjoint({Quirk.NAMELESS, Quirk.PARTY_ONLY})
    payer = {"SchemeName": "UK.OBIE.SortCodeAccountNumber", "Identification": account.identification}
    payer |= {"Name": account.holder} if is_named else {}
    data = {
        "DomesticPaymentId": payment.id,
        "ConsentId": payment.consent_id,
        "CreationDateTime": timestamp(payment.created_at),
        "Status": payment.status,
        "StatusUpdateDateTime": timestamp(payment.status_at),
        **status_reason(payment.reason_code),
        "Initiation": consent.content["Data"]["Initiation"],
        "Debtor": payer,
    }
    if is_named and consent.content["Data"].get("ReadRefundAccount") == "Yes":
        data["Refund"] = {"Account": payer}
    return {"Data": data}


def _detail(payment: Payment, step: dict[str, Any]) -> dict[str, Any]:
    detail = {"LocalInstrument": "UK.OBIE.FPS", "Status": step["status"]}
    if step["reason_code"]:
        detail |= {"StatusReason": step["reason_code"], "StatusReasonDescription": REASONS[step["reason_code"]]}
    return {
        "PaymentTransactionId": f"{payment.id}-{step['place']}",
        "Status": step["status"],
        "StatusUpdateDateTime": timestamp(step["due_at"]),
        "StatusDetail": detail,
    }
