"""Moves payments along their planned statuses, and the money with them."""

from __future__ import annotations

import asyncio
import json
import logging

import asyncpg

from modelbank.database import Pool, Tx
from modelbank.ledger import store as ledger
from modelbank.ledger.customers import IN_FLIGHT, OTHER_BANKS
from modelbank.openbanking import store
from modelbank.openbanking.store import DueStep

log = logging.getLogger("modelbank")
_TICK_SECONDS = 0.25


async def keep_moving(pool: Pool) -> None:
    """Move payments on until cancelled; a database that is away for a while is tried again."""
    while True:
        try:
            await advance_all(pool)
        except (asyncpg.PostgresError, asyncpg.InterfaceError, asyncpg.InternalClientError, OSError) as trouble:
            log.warning("payments could not be moved on: %s", trouble)
        await asyncio.sleep(_TICK_SECONDS)


async def advance_all(pool: Pool) -> int:
    """Move on every payment whose time has come, and return how many steps were done."""
    done = 0
    while await _advance_one(pool):
        done += 1
    return done


async def _advance_one(pool: Pool) -> bool:
    async with pool.acquire() as connection, connection.transaction():
        step = await store.take_due_step(connection)
        if step is None:
            return False
        if await store.finish_step(connection, step):
            await _move_money(connection, step)
        return True


async def _move_money(tx: Tx, step: DueStep) -> None:
    match step.status:
        case "ACSC":
            await _debit(tx, step)
        case "ACCC":
            await _credit(tx, step)
        case "RJCT":
            await ledger.release(tx, step.payment.bank, step.payment.account_id, step.payment.amount_minor)


async def _debit(tx: Tx, step: DueStep) -> None:
    payment = step.payment
    await ledger.release(tx, payment.bank, payment.account_id, payment.amount_minor)
    lines = [(payment.account_id, -payment.amount_minor), (IN_FLIGHT, payment.amount_minor)]
    await ledger.post_journal(tx, payment.bank, "debit", payment.id, _text(step), lines, step.due_at)


async def _credit(tx: Tx, step: DueStep) -> None:
    """Credit the payee: at this bank, at the other pretend bank, or at a real bank that nobody here can see."""
    payment = step.payment
    creditor = json.loads(step.request)["Data"]["Initiation"]["CreditorAccount"]
    payee = await ledger.find_account_by_number(tx, creditor["Identification"])
    here = payee is not None and payee.bank == payment.bank
    target = payee.id if payee is not None and here else OTHER_BANKS
    lines = [(IN_FLIGHT, -payment.amount_minor), (target, payment.amount_minor)]
    await ledger.post_journal(tx, payment.bank, "credit", payment.id, _text(step), lines, step.due_at)
    if payee is not None and not here:
        lines = [(OTHER_BANKS, -payment.amount_minor), (payee.id, payment.amount_minor)]
        await ledger.post_journal(tx, payee.bank, "arrival", payment.id, _text(step), lines, step.due_at)


def _text(step: DueStep) -> str:
    initiation = json.loads(step.request)["Data"]["Initiation"]
    return f"{initiation['CreditorAccount']['Name']} {initiation['EndToEndIdentification']}"[:200]
