"""Whatever step of a payment a process dies at: one debit or none, and our state says which.

The kill points are generated: the journey is run once to count its steps, then once for every step with a process that dies
there, web and worker alike; what follows is left to fresh processes in virtual time.
"""

from __future__ import annotations

import contextlib
from dataclasses import dataclass
from typing import Any

import pytest

from strongroom.banking.port import BankUnavailable, PaymentStatus
from strongroom.funds.errors import PaymentAlreadyStarted, RequestEnded
from strongroom.funds.states import ENDED_WITHOUT_DEBIT
from tests.faults.kill import FreshKeyBank, Fuse, Killed, KillingDatabase, LedgerBank
from tests.faults.till import Till, open_till

AMOUNT = 10_000
RECOVERY_SECONDS = 60  # the promise: the state tells the truth within a minute of the restart


@dataclass(frozen=True)
class Journey:
    """What goes wrong at the bank besides the death of a process."""

    name: str
    loses: int = 0  # answers to the order
    down: int = 0  # calls that do not reach the bank when the order is to be sent
    settles: PaymentStatus = PaymentStatus.CREDITED
    told_again: bool = False  # the bank calls back twice


PLAIN = Journey("plain")
JOURNEYS = [
    PLAIN,
    Journey("lost answer", loses=1),
    Journey("two lost answers, pending", loses=2, settles=PaymentStatus.PENDING),
    Journey("bank down", down=1),
    Journey("executed, called back twice", settles=PaymentStatus.EXECUTED, told_again=True),
    Journey("rejected", settles=PaymentStatus.REJECTED),
]


async def travel(till: Till, bank: LedgerBank, journey: Journey, request_id: str, fuse: Fuse) -> None:
    """Go the whole way with processes that die when the fuse blows. Raises Killed then."""
    bank.settles_as, bank.loses, bank.fuse = journey.settles, journey.loses, fuse
    web, worker = till.web(KillingDatabase(till.house.app, fuse)), till.worker(KillingDatabase(till.house.worker, fuse))
    try:
        await till.begin(request_id, web=web)
        for _ in range(1 + journey.told_again):
            await till.come_back(web=web)
        for _ in range(journey.down):
            bank.next("submit_payment", BankUnavailable("down"))
        for _ in range(6):
            await worker.step()
            await till.house.pass_time(3)
    finally:
        bank.fuse = None
        bank._script.clear()


async def recover(till: Till, bank: LedgerBank) -> None:
    """Let fresh processes carry on for a minute, step by step as the clock goes."""
    bank.loses = 0
    for seconds in (1, 14, 15, 15, 15):
        await till.wait(seconds)


async def judge(till: Till, bank: LedgerBank, request_id: str) -> list[str]:
    """Return what is false: more than one debit, or a state that does not say what the bank's ledger says."""
    rows = await till.owner.fetch("SELECT id, state, amount_minor, end_to_end_id FROM payments WHERE request_id = $1", request_id)
    debits = [bank.debits[row["end_to_end_id"]] for row in rows if bank.debits[row["end_to_end_id"]]]
    status = await till.status(request_id)
    wrong = [f"{len(debits)} payments debited"] if len(debits) > 1 else []
    wrong += [f"{amount} debited instead of {AMOUNT}" for amount in debits if amount != AMOUNT]
    counted = await till.owner.fetchval("SELECT committed_minor FROM credit_requests WHERE id = $1", request_id)
    if counted != sum(row["amount_minor"] for row in rows if row["state"] not in {str(one) for one in ENDED_WITHOUT_DEBIT}):
        wrong.append(f"the request counts {counted} as taken")
    for row in rows:
        debited = bank.debits[row["end_to_end_id"]]
        if debited and row["state"] in {str(one) for one in ENDED_WITHOUT_DEBIT}:
            wrong.append(f"debited, yet {row['state']}")
        if not debited and row["state"] in {"executed", "credited", "processing", "submitting"}:
            wrong.append(f"nothing debited, yet {row['state']}")
    truth = {PaymentStatus.CREDITED: "received", PaymentStatus.EXECUTED: "completed", PaymentStatus.PENDING: "processing"}
    if debits and status != truth[bank.settles_as]:
        wrong.append(f"debited and {bank.settles_as}, yet the request is {status}")
    if status in {"completed", "received"} and not debits:
        wrong.append(f"{status} without a debit")
    return wrong


async def pay_again(till: Till, request_id: str) -> None:
    """Let the customer try once more, as they would; whatever still stands in the way says so."""
    with contextlib.suppress(PaymentAlreadyStarted, RequestEnded):
        await till.begin(request_id)
        await till.come_back()
        await till.work()


async def kill_at(till: Till, bank: LedgerBank, journey: Journey, at: int) -> tuple[Fuse, list[str]]:
    """Die at one step, recover, judge, let the customer try again, judge again."""
    request_id, fuse = await till.ask(AMOUNT), Fuse(at)
    with contextlib.suppress(Killed):
        await travel(till, bank, journey, request_id, fuse)
    await recover(till, bank)
    wrong = await judge(till, bank, request_id)
    await pay_again(till, request_id)
    await till.wait(901)  # and whatever was left at the bank runs out
    wrong += await judge(till, bank, request_id)
    await till.owner.execute("UPDATE payments SET due_at = NULL")  # the next one is looked at alone
    return fuse, [f"step {at} ({fuse.names[-1]}): {one}" for one in wrong]


async def kill_everywhere(till: Till, bank: LedgerBank, journey: Journey, every: int = 1) -> tuple[int, list[str]]:
    """Return how many kill points there are in a journey, and everything false that any of them led to."""
    counted, found = await kill_at(till, bank, journey, 0)
    for at in range(1, counted.count + 1, every):
        found += (await kill_at(till, bank, journey, at))[1]
    return counted.count, found


async def test_a_payment_whose_processes_die_at_any_step_debits_once_or_not_at_all(database: Any) -> None:
    bank = LedgerBank()
    async with open_till(database, bank) as till:
        count, found = await kill_everywhere(till, bank, JOURNEYS[1], every=2)
    assert found == []
    assert count > 60, "the steps are no longer counted"


@pytest.mark.soak
@pytest.mark.parametrize("journey", JOURNEYS, ids=lambda one: one.name)
async def test_every_kill_point_of_every_journey(database: Any, journey: Journey) -> None:
    bank = LedgerBank()
    async with open_till(database, bank) as till:
        _, found = await kill_everywhere(till, bank, journey)
    assert found == []


async def test_a_fresh_key_for_every_try_is_seen_to_debit_twice(database: Any) -> None:
    """The control: the same judges find the mistake that the keys from the row prevent."""
    bank = FreshKeyBank()
    async with open_till(database, bank) as till:
        _, found = await kill_at(till, bank, JOURNEYS[1], 0)
    assert any("debited instead" in one for one in found)


async def test_a_fresh_key_after_a_death_at_the_bank_is_seen_to_debit_twice(database: Any) -> None:
    """The control of the generated points: a process that dies between the debit and its record."""
    bank = FreshKeyBank()
    async with open_till(database, bank) as till:
        counted, _ = await kill_at(till, bank, PLAIN, 0)
        _, found = await kill_at(till, bank, PLAIN, 1 + counted.names.index("after submit_payment"))
    assert any("debited instead" in one for one in found)
