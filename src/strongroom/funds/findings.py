"""Findings: what people establish about a payment where the bank cannot or does not tell, by two of them."""

from __future__ import annotations

import asyncpg

from strongroom.access.model import StaffMember
from strongroom.funds.errors import FindingOpen, SamePerson, TooNew
from strongroom.funds.model import AuditTag, Failure, Finding, FindingKind, Payment
from strongroom.funds.payment_moves import PaymentMoves
from strongroom.funds.states import FINDING, FindingEvent, PaymentEvent, PaymentState
from strongroom.funds.store import payments as payment_store
from strongroom.funds.store import reviews as store
from strongroom.kit import audit
from strongroom.kit.db import Database, Tx
from strongroom.kit.errors import Conflict, Invalid, NotFound
from strongroom.kit.ids import new_id
from strongroom.kit.vault import TenantKeys, Vault

MAX_NOTE_CHARACTERS = 500
MAX_LISTED = 500
_TABLE, _COLUMN = "payment_findings", "note_sealed"
_LOOK_AGAIN_SECONDS = 60
# What each finding needs, and the moves that it makes. Money that arrived was debited before, and the firm hears of both.
_ALLOWED = {
    FindingKind.DEBITED: (PaymentState.UNCONFIRMED,),
    FindingKind.NOT_DEBITED: (PaymentState.UNCONFIRMED,),
    FindingKind.RECEIVED: (PaymentState.UNCONFIRMED, PaymentState.EXECUTED),
}
_MOVES = {
    FindingKind.DEBITED: (PaymentEvent.FOUND_DEBITED,),
    FindingKind.NOT_DEBITED: (PaymentEvent.FOUND_NOT_DEBITED,),
    FindingKind.RECEIVED: (PaymentEvent.FOUND_DEBITED, PaymentEvent.FOUND_RECEIVED),
}


class Findings:
    """Use cases of a firm's staff. Members are given as authenticated, never by name."""

    def __init__(self, db: Database, vault: Vault, moves: PaymentMoves) -> None:
        self._db = db
        self._vault = vault
        self._moves = moves

    async def propose(self, proposer: StaffMember, payment_id: str, kind: FindingKind, note: str) -> str:
        """Say what was found, and in `note` where it was seen; return the finding's id.

        Raise NotFound, Invalid, FindingOpen, or Conflict when the payment stands where this cannot be found.
        """
        if not 0 < len(note.strip()) <= MAX_NOTE_CHARACTERS:
            raise Invalid(f"Say in 1 to {MAX_NOTE_CHARACTERS} characters where it was seen, such as the statement and its line")
        finding_id = new_id("fnd")
        async with self._db.transaction(proposer.firm_id) as tx:
            _check(await self._payment(tx, proposer.firm_id, payment_id), kind)
            keys = await self._vault.tenant(tx, proposer.firm_id)
            added = await store.add_finding(
                tx,
                proposer.firm_id,
                finding_id,
                payment_id=payment_id,
                kind=kind,
                note_sealed=keys.seal_text(_TABLE, _COLUMN, finding_id, note.strip()),
                proposed_by=proposer.id,
            )
            if not added:
                raise FindingOpen
            detail = {"payment": payment_id, "kind": kind}
            await audit.record(tx, proposer.firm_id, proposer.actor, AuditTag.FINDING_PROPOSED, finding_id, detail)
        return finding_id

    async def approve(self, approver: StaffMember, finding_id: str) -> Payment:
        """Approve what somebody else found, and move the payment; return it.

        Raise NotFound, SamePerson, TooNew when the approver was made after it was proposed, or Conflict when it is decided
        or the bank has answered meanwhile.
        """
        async with self._db.transaction(approver.firm_id) as tx:
            finding = await self._load(tx, approver.firm_id, finding_id)
            if finding.proposed_by == approver.id:
                raise SamePerson
            if approver.created_at > finding.created_at:
                raise TooNew
            payment = await self._payment(tx, approver.firm_id, finding.payment_id)
            await self._moves.lock_request(tx, payment)
            await self._decide(tx, approver, finding, FindingEvent.APPROVE, AuditTag.FINDING_APPROVED)
            await self._move(tx, approver, finding)
            return await self._payment(tx, approver.firm_id, payment.id)

    async def decline(self, decider: StaffMember, finding_id: str) -> None:
        """Decline a finding, or take back one's own. Raise NotFound or Conflict."""
        async with self._db.transaction(decider.firm_id) as tx:
            finding = await self._load(tx, decider.firm_id, finding_id)
            await self._decide(tx, decider, finding, FindingEvent.DECLINE, AuditTag.FINDING_DECLINED)

    async def list_open(self, firm_id: str) -> list[Finding]:
        """Return the findings that wait for a second person, oldest first, at most 500."""
        async with self._db.transaction(firm_id) as tx:
            rows = await store.open_findings(tx, firm_id, MAX_LISTED)
            keys = await self._vault.tenant(tx, firm_id)
        return [_finding(keys, row) for row in rows]

    async def list_unconfirmed(self, firm_id: str) -> list[Payment]:
        """Return the payments of which the bank cannot tell what became of them, oldest first, at most 500."""
        async with self._db.transaction(firm_id) as tx:
            return await payment_store.unconfirmed(tx, firm_id, MAX_LISTED)

    async def _move(self, tx: Tx, approver: StaffMember, finding: Finding) -> None:
        for event in _MOVES[finding.kind]:
            payment = await self._payment(tx, finding.firm_id, finding.payment_id)
            if payment.state is PaymentState.EXECUTED and event is PaymentEvent.FOUND_DEBITED:
                continue
            failure = Failure.NOT_DEBITED if event is PaymentEvent.FOUND_NOT_DEBITED else None
            if await self._moves.move(tx, payment, event, failure=failure, actor=approver.actor) is None:
                raise Conflict(f"The payment is {payment.state} meanwhile; decline this finding")
        if finding.kind is FindingKind.DEBITED:  # the bank may still tell that the money has arrived
            await payment_store.set_due(
                tx, finding.firm_id, finding.payment_id, state=PaymentState.EXECUTED, in_seconds=_LOOK_AGAIN_SECONDS
            )

    async def _decide(self, tx: Tx, member: StaffMember, finding: Finding, event: FindingEvent, tag: AuditTag) -> None:
        if await FINDING.move(tx, finding.firm_id, finding.id, event, sets={"decided_by": member.id}) is None:
            raise Conflict("This finding has been decided")
        await audit.record(tx, finding.firm_id, member.actor, tag, finding.id, {"payment": finding.payment_id})

    async def _load(self, tx: Tx, firm_id: str, finding_id: str) -> Finding:
        row = await store.find_finding(tx, firm_id, finding_id)
        if row is None:
            raise NotFound
        return _finding(await self._vault.tenant(tx, firm_id), row)

    async def _payment(self, tx: Tx, firm_id: str, payment_id: str) -> Payment:
        payment = await payment_store.find_payment(tx, firm_id, payment_id)
        if payment is None:
            raise NotFound
        return payment


def _check(payment: Payment, kind: FindingKind) -> None:
    if payment.state not in _ALLOWED[kind]:
        allowed = " or ".join(_ALLOWED[kind])
        raise Conflict(f"This can be found only of a payment that is {allowed}; this one is {payment.state}")


def _finding(keys: TenantKeys, row: asyncpg.Record) -> Finding:
    note = keys.unseal_text(_TABLE, _COLUMN, row["id"], row["note_sealed"])
    return Finding(
        row["firm_id"], row["id"], row["payment_id"], row["request_id"], FindingKind(row["kind"]), note, row["proposed_by"],
        row["created_at"],
    )  # fmt: skip
