"""A till: the house of funds with money in it, as web processes and workers have it, over one database and one scripted bank.

    async with open_till(database) as till:
        request_id = await till.ask(10_000)
        begun = await till.begin(request_id)
        await till.come_back()
        await till.work()

Every web process and worker is built anew by `till.web(db)` and `till.worker(db)`, so that a test can give each a database
that fails where it says.
"""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import asyncpg

from strongroom.access.model import StaffMember
from strongroom.access.sessions import Sessions
from strongroom.banking.port import CustomerContext
from strongroom.funds.authentications import Authentications
from strongroom.funds.evidence import PaymentEvidence
from strongroom.funds.grants import LoginGrants
from strongroom.funds.leaving import Leaving
from strongroom.funds.model import AccountKind, Payment
from strongroom.funds.notices import Notices
from strongroom.funds.payment_moves import PaymentMoves
from strongroom.funds.payment_steps import PaymentSteps
from strongroom.funds.payments import Agreement, Begun, Payments
from strongroom.funds.receiving import NewReceivingAccount, ReceivingAccounts
from strongroom.funds.requests import CreditRequests, NewCreditRequest
from strongroom.kit.db import Database
from strongroom.kit.rootkeys import TextKeeper
from tests.funds.house import BANK, CLIENT, House, open_house
from tests.funds.scripted_bank import ScriptedBank

AGREEMENT = Agreement("pay-1", "Mulberry Bank", "192.0.2.7")
LONG_AGO = datetime(2026, 1, 1, tzinfo=UTC)
LEASE_OVER_SECONDS = 61


@dataclass
class Till:
    """The use cases of paying, and what a test asks of them."""

    house: House
    receiving: ReceivingAccounts = field(init=False)
    moves: PaymentMoves = field(init=False)
    payments: Payments = field(init=False)
    steps: PaymentSteps = field(init=False)
    requests: CreditRequests = field(init=False)
    jobs: CreditRequests = field(init=False)  # as the worker has them
    logins: Authentications = field(init=False)
    login_jobs: Authentications = field(init=False)
    sessions: Sessions = field(init=False)
    grants: LoginGrants = field(init=False)

    def __post_init__(self) -> None:
        house = self.house
        self.receiving = ReceivingAccounts(house.app, house.vault, cooling_off_seconds=0)
        self.moves = PaymentMoves(house.results, house.events)
        self.payments, self.steps = self.web(house.app), self.worker(house.worker)
        self.logins, self.login_jobs = self._logins(house.app), self._logins(house.worker)
        self.requests, self.jobs = self._requests(house.app, self.logins), self._requests(house.worker, self.login_jobs)
        self.sessions = Sessions(house.app, house.vault)
        self.grants = LoginGrants(house.app, house.vault, self.sessions, self.logins)

    def web(self, db: Any) -> Payments:
        """Return the customer's use cases over a database, as another web process has them."""
        house = self.house
        return Payments(
            db, house.vault, house.registry, house.customers, self.receiving, self.moves, return_url="https://pay.example/return"
        )

    def worker(self, db: Any, **more: Any) -> PaymentSteps:
        """Return a worker's use cases over a database."""
        house = self.house
        evidence = PaymentEvidence(db, house.customers)
        return PaymentSteps(db, house.vault, house.registry, house.customers, self.moves, evidence, **more)

    def _notices(self) -> Notices:
        house = self.house
        return Notices(house.firms, house.customers, house.messages, house.texts, "https://pay.example/customer")

    def _logins(self, db: Database) -> Authentications:
        house = self.house
        return Authentications(
            db, house.vault, house.firms, house.customers, house.codes, Sessions(db, house.vault), self._notices(), house.messages,
            house.texts, house.events, host="pay.example",
        )  # fmt: skip

    def _requests(self, db: Database, logins: Authentications) -> CreditRequests:
        house = self.house
        return CreditRequests(
            db, house.firms, house.customers, self.receiving, logins, self._notices(), house.results, self.moves, house.events
        )

    @property
    def bank(self) -> ScriptedBank:
        """The bank that `begin` goes to."""
        return self.house.bank

    @property
    def owner(self) -> asyncpg.Pool:
        """The database as its owner sees it."""
        return self.house.owner

    async def add_account(self, kind: AccountKind = AccountKind.CLIENT) -> str:
        """Let one member of staff propose an account and another approve it."""
        account = NewReceivingAccount("Smith & Sons Client Account", "200052", "55779911", kind)
        account_id = await self.receiving.propose(self.member("avery"), account)
        await self.receiving.approve(self.member("robin"), account_id)
        return account_id

    def member(self, name: str, created_at: datetime = LONG_AGO) -> StaffMember:
        """Return a member of staff, as authenticated."""
        return StaffMember(self.house.firm_id, f"stf-{name}", name, f"{name}@example.com", created_at)

    async def ask(self, amount_minor: int = 10_000, *, customer_id: str | None = None, **more: Any) -> str:
        """Ask for an amount; return the request's id."""
        new = NewCreditRequest(self.house.case_id, "PAY001.1", "Opening fee", amount_minor, customer_id, notify=False, **more)
        return (await self.requests.create(self.house.firm_id, CLIENT, new, self.house.once())).id

    async def begin(
        self,
        request_id: str,
        *,
        web: Payments | None = None,
        customer_id: str | None = None,
        bank: str = BANK,
        part: int | None = None,
    ) -> Begun:
        """Choose a bank and agree on the page before it."""
        return await (web or self.payments).begin(
            self.house.firm_id, customer_id or self.house.ann, request_id, bank, AGREEMENT, CustomerContext(), part
        )

    async def leave(self, begun: Begun, *, web: Payments | None = None) -> Leaving:
        """Go on to the bank."""
        return await (web or self.payments).leave(self.house.firm_id, self.house.ann, begun.payment_id)

    async def come_back(self, *, web: Payments | None = None) -> None:
        """Let the customer agree at the bank and come back."""
        state, fields = self.bank.agree()
        assert await (web or self.payments).come_back(state, fields) is not None

    async def work(self, *, at_most: int = 20) -> None:
        """Do what is due now."""
        for _ in range(at_most):
            if not await self.steps.step():
                return

    async def wait(self, seconds: float) -> None:
        """Let time pass, then do what is due."""
        await self.house.pass_time(seconds)
        await self.work()

    async def pay(self, request_id: str, part: int | None = None) -> str:
        """Go the whole way until the bank has the payment; return the payment's id."""
        begun = await self.begin(request_id, part=part)
        await self.come_back()
        await self.work()
        return begun.payment_id

    async def payment(self, payment_id: str) -> Payment:
        """Return a payment."""
        return await self.payments.get(self.house.firm_id, payment_id)

    async def state(self, payment_id: str) -> str:
        """Return where a payment stands."""
        return str((await self.payment(payment_id)).state)

    async def status(self, request_id: str) -> str:
        """Return what the firm sees of a request."""
        return (await self.requests.get(self.house.firm_id, request_id)).status

    async def told(self) -> list[str]:
        """Return the types of all events so far."""
        return [name for name, _ in await self.house.told()]


@contextlib.asynccontextmanager
async def open_till(database: Any, bank: ScriptedBank | None = None, keys: TextKeeper | None = None) -> AsyncIterator[Till]:
    """Open a till whose firm has one usable receiving account."""
    async with open_house(database, keys) as house:
        if bank is not None:
            house.bank = bank
            house.registry.banks[BANK] = bank
        till = Till(house)
        await till.add_account()
        yield till
