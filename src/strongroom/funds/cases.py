"""Cases: opened with their customers in one call, changed, listed and closed."""

from __future__ import annotations

import json
from dataclasses import dataclass, fields

import asyncpg
import msgspec

from strongroom.access.firms import Firms
from strongroom.funds.customers import CreatedCustomer, Customers, Opened
from strongroom.funds.errors import CaseClosed, CaseRefTaken, PaymentLive
from strongroom.funds.model import Actor, AuditTag, Case, Customer, Page, Personal
from strongroom.funds.states import CASE, CaseEvent
from strongroom.funds.store import cases as store
from strongroom.kit import audit
from strongroom.kit.db import Database, Tx
from strongroom.kit.errors import NotFound, UnknownCursor
from strongroom.kit.groupcommit import GroupCommit
from strongroom.kit.idempotency import Once
from strongroom.kit.ids import new_id
from strongroom.kit.vault import TenantKeys, Vault

_CASE_COLUMNS = len(fields(Case))


class CreatedCase(msgspec.Struct, frozen=True):
    """What the caller learns of a new case; the customers are in the order given."""

    id: str
    customers: list[CreatedCustomer]


@dataclass(frozen=True, slots=True)
class WholeCase:
    """A case with its customers and the ids of its requests, newest first."""

    case: Case
    customers: list[Customer]
    credit_request_ids: list[str]
    account_request_ids: list[str]


@dataclass(frozen=True, slots=True)
class _Write:
    """One case ready to be stored."""

    case: store.NewCaseRow
    customers: list[store.NewCustomerRow]
    audit: store.NewAuditRow


async def _write_batch(tx: Tx, firm_id: str, writes: list[_Write]) -> None:
    """Store several cases of one firm in one statement."""
    await store.add_cases(
        tx, firm_id, [w.case for w in writes], [row for w in writes for row in w.customers], [w.audit for w in writes]
    )


class Cases:
    """Use cases over cases."""

    def __init__(self, db: Database, vault: Vault, firms: Firms, customers: Customers) -> None:
        self._db = db
        self._vault = vault
        self._firms = firms
        self._customers = customers
        self._group: GroupCommit[_Write] = GroupCommit(db, _write_batch)

    async def create(self, firm_id: str, actor: Actor, case_ref: str, people: list[Personal], once: Once) -> CreatedCase:
        """Open a case with its customers. Raise CaseRefTaken where the firm keeps references unique."""
        settings = await self._firms.get_settings(firm_id)
        keys = self._vault.cached(firm_id) or await self._load_keys(firm_id)
        created, write = self._prepare(keys, actor, case_ref, people, unique=settings.unique_case_ref)
        try:
            if not once.keyed:
                await self._group.submit(firm_id, write)
                return created
            async with self._db.transaction(firm_id) as tx:
                if answer := await once.claim(tx, firm_id, CreatedCase):
                    return answer
                await _write_batch(tx, firm_id, [write])
                await once.keep(tx, firm_id, created)
        except asyncpg.UniqueViolationError:
            raise await self._ref_taken(firm_id, case_ref) from None
        return created

    async def get(self, firm_id: str, case_id: str) -> WholeCase:
        """Return a case with its customers and the ids of its requests. Raise NotFound."""
        async with self._db.transaction(firm_id) as tx:
            rows = await store.find_whole_case(tx, firm_id, case_id)
            opener = await self._customers.opener(tx, firm_id)
        if not rows:
            raise NotFound
        case = Case(*rows[0][:_CASE_COLUMNS])
        customers = [opener.customer(row) for row in rows if row["id"] is not None]
        return WholeCase(case, customers, rows[0]["credit_request_ids"], rows[0]["account_request_ids"])

    async def list_cases(self, firm_id: str, page: Page) -> list[tuple[Case, list[Customer]]]:
        """Return one more case than the page holds, newest first, each with its customers. Raise UnknownCursor."""
        async with self._db.transaction(firm_id) as tx:
            cases = await store.list_cases(tx, firm_id, page)
            if page.after and not cases and await store.find_case(tx, firm_id, page.after) is None:
                raise UnknownCursor
            opener = await self._customers.opener(tx, firm_id)
            by_case: dict[str, list[Customer]] = {case.id: [] for case in cases}
            for row in await store.customer_rows_of(tx, firm_id, list(by_case)):
                by_case[row["case_id"]].append(opener.customer(row))
            return [(case, by_case[case.id]) for case in cases]

    async def rename(self, firm_id: str, actor: Actor, case_id: str, case_ref: str) -> None:
        """Change the reference of an open case. Raise NotFound, CaseClosed or CaseRefTaken."""
        settings = await self._firms.get_settings(firm_id)
        try:
            async with self._db.transaction(firm_id) as tx:
                unique = case_ref if settings.unique_case_ref else None
                if not await store.set_case_ref(tx, firm_id, case_id, case_ref, unique):
                    raise NotFound if await store.find_case(tx, firm_id, case_id) is None else CaseClosed
                await audit.record(tx, firm_id, actor.name, AuditTag.CASE_CHANGED, case_id)
        except asyncpg.UniqueViolationError:
            raise await self._ref_taken(firm_id, case_ref) from None

    async def close(self, firm_id: str, actor: Actor, case_id: str) -> None:
        """Close a case; closing a closed one is no error. Raise NotFound, or PaymentLive while requests are open."""
        async with self._db.transaction(firm_id) as tx:
            if await CASE.move(tx, firm_id, case_id, CaseEvent.CLOSE) is None:
                if await store.find_case(tx, firm_id, case_id) is None:
                    raise NotFound
                return
            if await store.count_live_requests(tx, firm_id, case_id):
                raise PaymentLive("The case has requests that are still open; cancel them or let them end first")
            await audit.record(tx, firm_id, actor.name, AuditTag.CASE_CLOSED, case_id)

    def _prepare(
        self, keys: TenantKeys, actor: Actor, case_ref: str, people: list[Personal], *, unique: bool
    ) -> tuple[CreatedCase, _Write]:
        """Choose the ids and seal everything, so that the write itself is one statement."""
        case_id = new_id("cse")
        opener = Opened(self._vault, keys)
        sealed = [opener.seal_new(case_id, position, personal) for position, personal in enumerate(people)]
        entry = (actor.name, str(AuditTag.CASE_CREATED), case_id, json.dumps({"customers": len(people)}))
        write = _Write((case_id, case_ref, case_ref if unique else None), [one.row() for one in sealed], entry)
        return CreatedCase(case_id, [CreatedCustomer(one.id) for one in sealed]), write

    async def _load_keys(self, firm_id: str) -> TenantKeys:
        async with self._db.transaction(firm_id) as tx:
            return await self._vault.tenant(tx, firm_id)

    async def _ref_taken(self, firm_id: str, case_ref: str) -> CaseRefTaken:
        """Name the case that holds the reference."""
        async with self._db.transaction(firm_id) as tx:
            holder = await store.find_case_by_unique_ref(tx, firm_id, case_ref)
        return CaseRefTaken(f"Another case has this reference: {holder}")
