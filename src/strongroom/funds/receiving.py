"""Receiving accounts: proposed by one member of staff, approved by another, usable after a cooling-off; never by API."""

from __future__ import annotations

from dataclasses import dataclass, field

import asyncpg
import msgspec

from strongroom.access.model import StaffMember
from strongroom.funds.errors import SamePerson
from strongroom.funds.model import AccountKind, AuditTag, ReceivingAccount
from strongroom.funds.states import RECEIVING, ReceivingEvent
from strongroom.funds.store import receiving as store
from strongroom.kit import audit
from strongroom.kit.db import Database, Tx
from strongroom.kit.errors import Conflict, NotFound
from strongroom.kit.ids import new_id
from strongroom.kit.vault import Vault

CLIENT_MONEY = frozenset({"deposit", "completion"})


class _Details(msgspec.Struct, frozen=True):
    """What is sealed of an account."""

    sort_code: str
    account_number: str


@dataclass(frozen=True, slots=True)
class NewReceivingAccount:
    """An account to be proposed; the numbers have been checked for shape."""

    account_name: str
    sort_code: str = field(repr=False)
    account_number: str = field(repr=False)
    kind: AccountKind = AccountKind.CLIENT


class ReceivingAccounts:
    """Use cases over receiving accounts. Members of staff are given as authenticated, never by name."""

    def __init__(self, db: Database, vault: Vault, *, cooling_off_seconds: float) -> None:
        self._db = db
        self._vault = vault
        self._cooling_off_seconds = cooling_off_seconds

    async def propose(self, proposer: StaffMember, new: NewReceivingAccount) -> str:
        """Propose an account; return its id."""
        account_id = new_id("rac")
        async with self._db.transaction(proposer.firm_id) as tx:
            keys = await self._vault.tenant(tx, proposer.firm_id)
            details = msgspec.json.encode(_Details(new.sort_code, new.account_number))
            await store.add_account(
                tx,
                proposer.firm_id,
                account_id,
                kind=new.kind,
                account_name=new.account_name,
                details_sealed=keys.seal("receiving_accounts", "details_sealed", account_id, details),
                last4=new.account_number[-4:],
                proposed_by=proposer.id,
            )
            await audit.record(
                tx, proposer.firm_id, f"staff:{proposer.id}", AuditTag.RECEIVING_PROPOSED, account_id, {"kind": new.kind}
            )
        return account_id

    async def approve(self, approver: StaffMember, account_id: str) -> ReceivingAccount:
        """Approve what somebody else proposed. The first approved account becomes the default.

        The cooling-off counts from the approval, or from when the approver was made if that is later: whoever makes an
        approver to approve for them waits all the same. Raise NotFound, SamePerson or Conflict.
        """
        async with self._db.transaction(approver.firm_id) as tx:
            row = await store.find_account(tx, approver.firm_id, account_id)
            if row is None:
                raise NotFound
            if row["proposed_by"] == approver.id:
                raise SamePerson
            moved = await RECEIVING.move(
                tx, approver.firm_id, account_id, ReceivingEvent.APPROVE, sets={"approved_by": approver.id}, times=["usable_from"]
            )
            if moved is None:
                raise Conflict("Only a proposed account can be approved")
            await store.usable_from(
                tx, approver.firm_id, account_id,
                cooling_off_seconds=self._cooling_off_seconds, not_before=approver.created_at,
            )  # fmt: skip
            if not await store.has_default(tx, approver.firm_id):
                await store.set_default(tx, approver.firm_id, account_id)
            await audit.record(tx, approver.firm_id, f"staff:{approver.id}", AuditTag.RECEIVING_APPROVED, account_id)
            return await self.load(tx, approver.firm_id, account_id)

    async def decline(self, approver: StaffMember, account_id: str) -> None:
        """Decline a proposal. Raise NotFound or Conflict."""
        await self._end(approver, account_id, ReceivingEvent.DECLINE, AuditTag.RECEIVING_DECLINED)

    async def retire(self, member: StaffMember, account_id: str) -> None:
        """Let an approved account receive no more. Raise NotFound or Conflict."""
        await self._end(member, account_id, ReceivingEvent.RETIRE, AuditTag.RECEIVING_RETIRED)

    async def make_default(self, member: StaffMember, account_id: str) -> None:
        """Make an approved account the one that requests take when they name none."""
        async with self._db.transaction(member.firm_id) as tx:
            await store.clear_default(tx, member.firm_id)
            if not await store.set_default(tx, member.firm_id, account_id):
                raise Conflict("Only an approved account can be the default")

    async def list_accounts(self, firm_id: str) -> list[ReceivingAccount]:
        """Return all accounts of a firm."""
        async with self._db.transaction(firm_id) as tx:
            return [await self._opened(tx, row) for row in await store.list_accounts(tx, firm_id)]

    async def load(self, tx: Tx, firm_id: str, account_id: str) -> ReceivingAccount:
        """Return an account. Raise NotFound."""
        row = await store.find_account(tx, firm_id, account_id)
        if row is None:
            raise NotFound
        return await self._opened(tx, row)

    async def find_usable(self, tx: Tx, firm_id: str, account_id: str | None) -> ReceivingAccount | None:
        """Return the named account, or the default, if money may be sent to it now."""
        row = await store.find_usable(tx, firm_id, account_id)
        return await self._opened(tx, row) if row else None

    async def _opened(self, tx: Tx, row: asyncpg.Record) -> ReceivingAccount:
        keys = await self._vault.tenant(tx, row["firm_id"])
        details = msgspec.json.decode(
            keys.unseal("receiving_accounts", "details_sealed", row["id"], row["details_sealed"]), type=_Details
        )
        return ReceivingAccount(
            row["firm_id"], row["id"], row["state"], AccountKind(row["kind"]), row["account_name"],
            details.sort_code, details.account_number, row["account_number_last4"], row["is_default"],
            row["proposed_by"], row["approved_by"], row["usable_from"], row["is_usable"], row["created_at"],
        )  # fmt: skip

    async def _end(self, member: StaffMember, account_id: str, event: ReceivingEvent, tag: AuditTag) -> None:
        async with self._db.transaction(member.firm_id) as tx:
            if await RECEIVING.move(tx, member.firm_id, account_id, event) is None:
                if await store.find_account(tx, member.firm_id, account_id) is None:
                    raise NotFound
                raise Conflict("The account's state does not allow this")
            await audit.record(tx, member.firm_id, f"staff:{member.id}", tag, account_id)
