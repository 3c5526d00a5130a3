"""Many payments in a bad world, from one seed: callbacks and answers are lost, doubled, delayed and in disorder, processes die.

    async with open_till(database, UnreliableBank(Random(7))) as till:
        wrong = await Simulation(till, Random(7)).run(200)

Time is the database's, moved by hand. A process that dies is a fuse (`kill.py`) that blows at a random step of web or worker; a
bank that dies loses the answers that were under way, and is away for a while. The ledger is the bank's own and durable. Which
faults come is the seed's choice; which of two workers is faster is the database's.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections import Counter
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from random import Random
from typing import Any

from strongroom.banking.port import (
    BankSilent,
    BankUnavailable,
    ConsentStatus,
    Grant,
    PaymentOrder,
    PaymentReport,
    PaymentStatus,
)
from strongroom.funds.errors import PaymentAlreadyStarted, RequestEnded
from strongroom.funds.payments import Begun
from strongroom.funds.states import PAYMENT
from strongroom.kit.errors import Fault
from tests.faults.kill import Fuse, Killed, KillingDatabase
from tests.faults.till import Till
from tests.funds.scripted_bank import HeldConsent, ScriptedBank

ACTS = frozenset({"request_payment", "exchange", "submit_payment"})  # a lost answer to these leaves it unknown what was done
_P = PaymentStatus
FATES: list[tuple[int, list[PaymentStatus]]] = [
    (12, [_P.PENDING, _P.EXECUTED, _P.CREDITED]),
    (2, [_P.EXECUTED, _P.CREDITED]),
    (2, [_P.PENDING, _P.REJECTED]),
    (1, [_P.REJECTED]),
    (1, [_P.PENDING, _P.HELD, _P.EXECUTED, _P.CREDITED]),
    (1, [_P.PENDING, _P.EXECUTED, _P.REJECTED]),
]
STEPS_OF_A_JOURNEY = 80  # about as many as `Fuse` counts; a fuse beyond the end kills nobody


@dataclass
class Order:
    """A payment in the bank's books."""

    end_to_end_id: str
    amount_minor: int
    fate: list[PaymentStatus]
    status: PaymentStatus
    asked_by: str  # the key that the connector asks by


@dataclass
class UnreliableBank(ScriptedBank):
    """A bank that debits for every key that it has not seen, and whose lines and processes fail by chance."""

    chance: Random = field(default_factory=Random)
    trouble: float = 0.0  # how likely a call goes wrong
    is_down: bool = False
    orders: dict[str, Order] = field(default_factory=dict)  # by the key they came with
    debits: Counter[str] = field(default_factory=Counter)  # pence by end-to-end id, less what was paid back
    slow: Callable[[float], Awaitable[None]] | None = None
    happened: Counter[str] = field(default_factory=Counter)

    def key_of(self, order: PaymentOrder) -> str:
        """Return the key that an order is sent with."""
        return order.submit_idempotency_key

    async def _do(self, method: str, act: Callable[[], Any]) -> Any:
        self.calls.append(method)
        if self.is_down:
            raise self._fault("down", "unreachable")
        wrong = self.chance.random() < self.trouble
        how = self.chance.choice(["refused", "request lost", "answer lost", "slow", "late answer"]) if wrong else ""
        self.happened[how] += 1
        if how == "refused":
            raise self._fault(how, "unreachable")
        if how == "request lost":
            raise self._fault(how, "answer_lost", acted=method in ACTS)
        if how in {"slow", "late answer"} and self.slow is not None:
            await self.slow(self.chance.choice([2.0, 9.0, 50.0]))  # the last is longer than a worker's lease
        answer = act()
        if how in {"answer lost", "late answer"}:
            raise self._fault(how, "answer_lost", acted=method in ACTS)
        return answer

    def _fault(self, how: str, code: str, *, acted: bool = False) -> Fault:
        self.happened[how] += 1
        return BankSilent(code) if acted else BankUnavailable(code)

    def _submit(self, memory: str, grant: Grant) -> PaymentReport:
        order = self._granted(memory, grant).order
        assert isinstance(order, PaymentOrder)
        key = self.key_of(order)
        if key not in self.orders:
            weights, fates = zip(*FATES, strict=True)
            [fate] = self.chance.choices(fates, weights)
            self.orders[key] = Order(order.end_to_end_id, order.amount_minor, list(fate[1:]), fate[0], order.submit_idempotency_key)
            self._book(self.orders[key])
        self.payments[order.submit_idempotency_key] = self.orders[key].status
        return super()._submit(memory, grant)

    def advance(self, part: float = 1.0) -> None:
        """Let some of the payments under way move on by one status."""
        for order in self.orders.values():
            if order.fate and self.chance.random() < part:
                was, order.status = order.status, order.fate.pop(0)
                self._book(order, was)
                self.payments[order.asked_by] = order.status

    def _book(self, order: Order, was: PaymentStatus | None = None) -> None:
        if order.status is _P.EXECUTED:
            self.debits[order.end_to_end_id] += order.amount_minor
        elif order.status is _P.REJECTED and was is _P.EXECUTED:
            self.debits[order.end_to_end_id] -= order.amount_minor


@dataclass
class UnkeyedBank(UnreliableBank):
    """The control: every sending has a key of its own."""

    def key_of(self, order: PaymentOrder) -> str:
        return f"{order.submit_idempotency_key} {len(self.orders)}"


@dataclass
class Simulation:
    """Customers who pay at such a bank, and processes that die."""

    till: Till
    chance: Random
    bank: UnreliableBank
    asked: dict[str, int] = field(default_factory=dict)  # amount by request
    returns: list[tuple[str, dict[str, str]]] = field(default_factory=list)  # callbacks that are on their way
    happened: Counter[str] = field(default_factory=Counter)

    async def run(self, count: int, *, at_once: int = 12) -> list[str]:
        """Ask for so many payments, a few at a time, and return everything that is false in the end."""
        self.bank.chance, self.bank.slow = self.chance, self._pass_time
        for first in range(0, count, at_once):
            await self._ask_some(min(at_once, count - first))
            self.bank.trouble = self.chance.choice([0.0, 0.1, 0.3])
            for _ in range(at_once * 4):
                await self._something_happens()
            await self._customers_try_again()
            for _ in range(at_once * 2):
                await self._something_happens()
        await self._settle()
        return await self._judge()

    async def _ask_some(self, count: int) -> None:
        for _ in range(count):
            amount = self.chance.randrange(1, 500_000)
            request_id = await self.till.ask(amount)
            self.asked[request_id] = amount
            await self._customer_begins(request_id)

    async def _something_happens(self) -> None:
        if self.bank.is_down:
            self.bank.is_down = self.chance.random() < 0.7  # away for three events or so
        roll = self.chance.random()
        if roll < 0.35:
            await self._some_return()
        elif roll < 0.75:
            await self._worker_steps()
        elif roll < 0.85:
            await self._pass_time(self.chance.choice([1.0, 5.0, 20.0, 62.0]))
        elif roll < 0.97:
            self.bank.advance(0.5)
        else:
            self.bank.is_down = True
            self.happened["bank died"] += 1

    async def _customer_begins(self, request_id: str) -> None:
        """Press the button; the web process may die, and the customer may never come back, come twice, or say no."""
        web, kill = self._web()
        begun: Begun | None = None
        with contextlib.suppress(Killed, PaymentAlreadyStarted, RequestEnded):
            begun = await self.till.begin(request_id, web=web)
        self.happened["web died"] += kill.has_blown
        url = begun and (await self.till.leave(begun)).url
        if not url:
            return
        consent = self._consent_at(url)
        if self.chance.random() < 0.1:
            consent.status = ConsentStatus.REJECTED
            self._send_back({"state": consent.state, "error": "access_denied"})
        else:
            consent.status = ConsentStatus.AUTHORISED
            self._send_back({"state": consent.state, "code": f"code-{consent.id}"})

    def _send_back(self, fields: dict[str, str]) -> None:
        times = self.chance.choices(["lost", "once", "twice", "with a forgery"], [1, 7, 2, 1])[0]
        self.happened[f"callback {times}"] += 1
        if times != "lost":
            self.returns += [(fields["state"], fields)] * (2 if times == "twice" else 1)
        if times == "with a forgery":
            self.returns.append((fields["state"], {"state": fields["state"], "code": "code-of-somebody-else"}))

    async def _some_return(self) -> None:
        """Deliver a callback, not the oldest, perhaps twice in the same moment."""
        if not self.returns:
            return
        state, fields = self.returns.pop(self.chance.randrange(len(self.returns)))
        coming = [self._come_back(state, fields) for _ in range(self.chance.choice([1, 1, 2]))]
        await asyncio.gather(*coming)

    async def _come_back(self, state: str, fields: dict[str, str]) -> None:
        web, kill = self._web()
        with contextlib.suppress(Killed):
            await web.come_back(state, fields)
        self.happened["web died"] += kill.has_blown

    async def _worker_steps(self) -> None:
        """Let one to three workers take what is due, each with its own death somewhere or nowhere."""
        await asyncio.gather(*(self._one_worker() for _ in range(self.chance.choice([1, 1, 2, 3]))))

    async def _one_worker(self) -> None:
        fuse = self._fuse()
        worker = self.till.worker(KillingDatabase(self.till.house.worker, fuse))
        with contextlib.suppress(Killed):
            await worker.step()
        self.happened["worker died"] += fuse.has_blown

    def _web(self) -> tuple[Any, Fuse]:
        fuse = self._fuse()
        return self.till.web(KillingDatabase(self.till.house.app, fuse)), fuse

    def _fuse(self) -> Fuse:
        return Fuse(self.chance.randrange(1, STEPS_OF_A_JOURNEY) if self.chance.random() < 0.25 else 0)

    def _consent_at(self, url: str) -> HeldConsent:
        return self.bank.consents[url.rsplit("/", 1)[-1]]

    async def _customers_try_again(self) -> None:
        for request_id in list(self.asked)[-24:]:
            if self.chance.random() < 0.5:
                await self._customer_begins(request_id)

    async def _pass_time(self, seconds: float) -> None:
        await self.till.house.pass_time(seconds)

    async def _settle(self) -> None:
        """The bank answers again, what is on its way arrives, and a day passes."""
        self.bank.trouble, self.bank.is_down = 0.0, False
        while self.returns:
            await self._some_return()
        for seconds in (1, 62, 62, 300, 301, 901, 901, 3601, 3601, 86_400):
            self.bank.advance()
            await self._pass_time(seconds)
            while await self.till.steps.step():
                pass

    async def _judge(self) -> list[str]:
        """Return every request whose state is not what the bank's ledger says, and every payment that is stuck."""
        rows = await self.till.owner.fetch("SELECT request_id, id, state, end_to_end_id FROM payments")
        told = await self.till.owner.fetch(
            "SELECT object_id, count(*) FROM webhook_events WHERE type = 'creditRequest.completed' GROUP BY object_id"
        )
        times_told = {row["object_id"]: row["count"] for row in told}
        net: Counter[str] = Counter()
        for row in rows:
            net[row["request_id"]] += self.bank.debits[row["end_to_end_id"]]
        ends = {str(state) for state in PAYMENT.ends} | {"credited"}
        wrong = [f"{row['id']} is stuck in {row['state']}" for row in rows if row["state"] not in ends]
        for request_id, amount in self.asked.items():
            status = await self.till.status(request_id)
            paid = status in {"completed", "received"}
            if net[request_id] != (amount if paid else 0):
                wrong.append(f"{request_id} of {amount}: {net[request_id]} debited, yet {status}")
            if paid and times_told.get(request_id) != 1:
                wrong.append(f"{request_id} is {status} and was told {times_told.get(request_id, 0)} times")
            self.happened[status] += 1
        return wrong
