"""Customers: how their details are sealed and opened, found, added and changed."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import lru_cache

import asyncpg
import msgspec

from strongroom.funds.contacts import parse_email
from strongroom.funds.errors import CaseClosed, CustomersFull
from strongroom.funds.model import ERASED, MAX_CUSTOMERS, Actor, AuditTag, Customer, Personal
from strongroom.funds.store import cases as store
from strongroom.kit import audit
from strongroom.kit.db import Database, Tx
from strongroom.kit.errors import NotFound
from strongroom.kit.idempotency import Once
from strongroom.kit.ids import new_id
from strongroom.kit.vault import PersonKey, TenantKeys, Vault


@dataclass(frozen=True, slots=True)
class SealedCustomer:
    """A new customer, ready to be stored."""

    id: str
    case_id: str
    position: int
    data_key_sealed: bytes = field(repr=False)
    personal_sealed: bytes = field(repr=False)
    phone_hash: bytes = field(repr=False)
    identity_hash: bytes = field(repr=False)

    def row(self) -> store.NewCustomerRow:
        """Return the row's columns in the order of the store."""
        return (
            self.id, self.case_id, self.position, self.data_key_sealed, self.personal_sealed, self.phone_hash, self.identity_hash,
        )  # fmt: skip


class CreatedCustomer(msgspec.Struct, frozen=True):
    """What the caller learns of a new customer."""

    id: str


class Opened:
    """Opens and seals the rows of customers of one firm."""

    def __init__(self, vault: Vault, keys: TenantKeys) -> None:
        self._vault = vault
        self._keys = keys

    def key(self, row: asyncpg.Record) -> PersonKey:
        """Return the customer's own key. Raise NotFound when the person has been erased."""
        if row["data_key_sealed"] is None:
            raise NotFound("This customer's details have been erased")
        return self._keys.person("customers", row["id"], row["data_key_sealed"])

    def customer(self, row: asyncpg.Record) -> Customer:
        """Return the customer; of one who has been erased, nothing but the ids."""
        is_erased = row["data_key_sealed"] is None
        personal = ERASED if is_erased else self._personal(row)
        return Customer(
            self._keys.tenant, row["id"], row["case_id"], personal, row["opened_at"], row["created_at"], row["phone_usable_from"]
        )

    def _personal(self, row: asyncpg.Record) -> Personal:
        return self.key(row).unseal("customers", "personal_sealed", row["id"], row["personal_sealed"], Personal)

    def seal_new(self, case_id: str, position: int, personal: Personal) -> SealedCustomer:
        """Give a new customer an id and a key of their own, and seal what is known of them."""
        customer_id = new_id("cst")
        key, wrapped = self._keys.new_person("customers", customer_id)
        sealed = key.seal("customers", "personal_sealed", customer_id, personal)
        return SealedCustomer(
            customer_id, case_id, position, wrapped, sealed, self.phone_hash(personal.phone), self.identity_hash(personal)
        )

    def phone_hash(self, phone: str) -> bytes:
        """Return the keyed hash of a phone number."""
        return self._vault.hash("phone", phone)

    def identity_hash(self, personal: Personal) -> bytes:
        """Return the keyed hash by which a login finds this person."""
        return identity_hash(self._vault, personal.email, personal.date_of_birth)


def identity_hash(vault: Vault, email: str, date_of_birth: str) -> bytes:
    """Return the keyed hash of an e-mail address (compared case-insensitively) and a date of birth (`YYYY-MM-DD`)."""
    return vault.hash("identity", _normal_email(email), date_of_birth)


@lru_cache(maxsize=256)
def _normal_email(email: str) -> str:
    """Return the form in which addresses are compared; remembered for a moment, since it was read just before."""
    return parse_email(email).normal


class Customers:
    """Use cases over customers."""

    def __init__(self, db: Database, vault: Vault) -> None:
        self._db = db
        self._vault = vault

    async def opener(self, tx: Tx, firm_id: str) -> Opened:
        """Return what opens and seals this firm's customers."""
        return Opened(self._vault, await self._vault.tenant(tx, firm_id))

    async def load(self, tx: Tx, firm_id: str, customer_id: str) -> Customer:
        """Return a customer. Raise NotFound."""
        row = await store.find_customer_row(tx, firm_id, customer_id)
        if row is None:
            raise NotFound
        return (await self.opener(tx, firm_id)).customer(row)

    async def load_key(self, tx: Tx, firm_id: str, customer_id: str) -> PersonKey:
        """Return the key that seals everything about a customer. Raise NotFound."""
        row = await store.find_customer_row(tx, firm_id, customer_id)
        if row is None:
            raise NotFound
        return (await self.opener(tx, firm_id)).key(row)

    async def of_case(self, tx: Tx, firm_id: str, case_id: str) -> list[Customer]:
        """Return the customers of a case in the order in which they were given."""
        opener = await self.opener(tx, firm_id)
        return [opener.customer(row) for row in await store.customer_rows_of(tx, firm_id, [case_id])]

    async def get(self, firm_id: str, customer_id: str) -> Customer:
        """Return a customer. Raise NotFound."""
        async with self._db.transaction(firm_id) as tx:
            return await self.load(tx, firm_id, customer_id)

    async def list_of_case(self, firm_id: str, case_id: str) -> list[Customer]:
        """Return a case's customers. Raise NotFound when there is no such case."""
        async with self._db.transaction(firm_id) as tx:
            if await store.find_case(tx, firm_id, case_id) is None:
                raise NotFound
            return await self.of_case(tx, firm_id, case_id)

    async def add(self, firm_id: str, actor: Actor, case_id: str, personal: Personal, once: Once) -> CreatedCustomer:
        """Add a customer to an open case. Raise NotFound, CaseClosed or CustomersFull."""
        async with self._db.transaction(firm_id) as tx:
            if answer := await once.claim(tx, firm_id, CreatedCustomer):
                return answer
            case = await store.find_case(tx, firm_id, case_id, lock=True)
            if case is None:
                raise NotFound
            if case.state != "open":
                raise CaseClosed
            position = await store.next_position(tx, firm_id, case_id)
            if position >= MAX_CUSTOMERS:
                raise CustomersFull
            sealed = (await self.opener(tx, firm_id)).seal_new(case_id, position, personal)
            await store.add_customers(tx, firm_id, [sealed.row()])
            await audit.record(tx, firm_id, actor.name, AuditTag.CUSTOMER_ADDED, sealed.id, {"case": case_id})
            created = CreatedCustomer(sealed.id)
            await once.keep(tx, firm_id, created)
            return created
