"""Payment evidence: what the bank signed about a payment, kept sealed and given as a file that a third party can check."""

from __future__ import annotations

import msgspec

from strongroom.banking.evidence import FORMAT, Answer, EvidenceFile
from strongroom.funds.customers import Customers
from strongroom.funds.model import AuditTag, Payment
from strongroom.funds.store import evidence as store
from strongroom.funds.store import payments as payment_store
from strongroom.kit import audit
from strongroom.kit.db import Database, Tx
from strongroom.kit.errors import Conflict, NotFound
from strongroom.kit.money import print_pounds

_TABLE, _COLUMN = "payment_evidence", "answer_sealed"


class PaymentEvidence:
    """Use cases over what banks signed. It is sealed with the customer's key: erased with the person, and not before."""

    def __init__(self, db: Database, customers: Customers) -> None:
        self._db = db
        self._customers = customers

    async def keep(self, tx: Tx, payment: Payment, bank_status: str, answer: bytes) -> None:
        """Keep a signed answer in the caller's transaction. Raise NotFound when the person has been erased."""
        key = await self._customers.load_key(tx, payment.firm_id, payment.customer_id)
        sealed = key.seal(_TABLE, _COLUMN, payment.id, msgspec.json.decode(answer, type=Answer))
        await store.add_evidence(tx, payment.firm_id, payment.id, bank_status, sealed)

    async def give(self, actor: str, firm_id: str, payment_id: str) -> EvidenceFile:
        """Return the evidence of a payment; the audit keeps to whom. Raise NotFound, or Conflict when the bank signed nothing."""
        async with self._db.transaction(firm_id) as tx:
            payment = await payment_store.find_payment(tx, firm_id, payment_id)
            if payment is None:
                raise NotFound
            rows = await store.evidence_of(tx, firm_id, payment_id)
            if not rows:
                raise Conflict("The bank has signed nothing about this payment yet")
            key = await self._customers.load_key(tx, firm_id, payment.customer_id)
            answers = [
                msgspec.structs.replace(key.unseal(_TABLE, _COLUMN, payment.id, row[0], Answer), received_at=row[1]) for row in rows
            ]
            await audit.record(tx, firm_id, actor, AuditTag.EVIDENCE_GIVEN, payment_id)
        return EvidenceFile(
            format=FORMAT,
            payment_id=payment.id,
            bank_id=payment.bank_id,
            bank_payment_id=payment.bank_payment_id,
            end_to_end_identification=payment.end_to_end_id,
            amount=print_pounds(payment.amount_minor),
            currency="GBP",
            answers=answers,
        )
