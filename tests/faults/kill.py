"""Kill points, generated: a database and a bank that count every step at which a process may die, and die at the one named.

    fuse = Fuse()                      counts only
    fuse = Fuse(7)                     the seventh step raises Killed
    web = till.web(KillingDatabase(till.house.app, fuse))

A step is the moment before a transaction, before each statement, before the commit, after the commit, before a call to the
bank and after the bank has acted. `Killed` is what the cancelling of a task raises, so that nothing catches it but what
would also run when a task is cancelled; the transaction that it leaves is rolled back as PostgreSQL does for a dead client.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections import Counter
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from typing import Any

from strongroom.banking.port import BankSilent, Grant, PaymentOrder, PaymentReport, PaymentStatus
from strongroom.kit.db import Database
from tests.funds.scripted_bank import ScriptedBank


class Killed(asyncio.CancelledError):
    """The process died here."""


@dataclass
class Fuse:
    """Counts steps; at the named one the process dies."""

    at: int = 0
    count: int = 0
    names: list[str] = field(default_factory=list)

    @property
    def has_blown(self) -> bool:
        """True when the process has died."""
        return bool(self.at) and self.count >= self.at

    def step(self, name: str) -> None:
        """Pass one step. Raise Killed at the named one and at every later one: what is dead stays dead."""
        self.count += 1
        self.names.append(name)
        if self.at and self.count >= self.at:
            raise Killed(name)


class KillingDatabase:
    """A database that a process may die over."""

    def __init__(self, db: Database, fuse: Fuse) -> None:
        self._db = db
        self._fuse = fuse

    @contextlib.asynccontextmanager
    async def transaction(self, tenant: str | None = None) -> AsyncIterator[Any]:
        self._fuse.step("begin")
        async with self._db.transaction(tenant) as tx:
            yield _KillingTx(tx, self._fuse)
            self._fuse.step("before commit")
        self._fuse.step("after commit")


class _KillingTx:
    """A transaction in which every statement is a step."""

    def __init__(self, tx: Any, fuse: Fuse) -> None:
        self._tx = tx
        self._fuse = fuse

    def __getattr__(self, name: str) -> Callable[..., Any]:
        run = getattr(self._tx, name)

        async def counted(*values: Any, **named: Any) -> Any:
            self._fuse.step(f"{name}: {' '.join(str(values[0]).split())[:40]}")
            return await run(*values, **named)

        return counted


@dataclass
class LedgerBank(ScriptedBank):
    """A bank with a ledger: every order with a key that it has not seen debits once, whatever the consent says.

    It is more generous than a real bank on purpose: only the key stands between a second sending and a second debit.
    `loses` answers of orders are lost after the debit. The fuse is the process that calls; None calls without dying.
    """

    debits: Counter[str] = field(default_factory=Counter)  # pence by end-to-end id
    keys_seen: set[str] = field(default_factory=set)
    loses: int = 0
    fuse: Fuse | None = None

    def key_of(self, order: PaymentOrder) -> str:
        """Return the key that an order is sent with."""
        return order.submit_idempotency_key

    async def _do(self, method: str, act: Callable[[], Any]) -> Any:
        self._pass(f"before {method}")
        answer = await super()._do(method, act)
        self._pass(f"after {method}")
        if method == "submit_payment" and self.loses > 0:
            self.loses -= 1
            raise BankSilent("answer_lost")
        return answer

    def _pass(self, name: str) -> None:
        if self.fuse is not None:
            self.fuse.step(name)

    def _submit(self, memory: str, grant: Grant) -> PaymentReport:
        order = self._granted(memory, grant).order
        assert isinstance(order, PaymentOrder)
        key = self.key_of(order)
        if key not in self.keys_seen and self.settles_as is not PaymentStatus.REJECTED:
            self.keys_seen.add(key)
            self.debits[order.end_to_end_id] += order.amount_minor
        return super()._submit(memory, grant)


@dataclass
class FreshKeyBank(LedgerBank):
    """The control: a connector that makes a fresh key for every sending. Everything that uses it must be seen to fail."""

    sendings: int = 0

    def key_of(self, order: PaymentOrder) -> str:
        self.sendings += 1
        return f"{order.submit_idempotency_key} {self.sendings}"
