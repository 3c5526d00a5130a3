"""Open the pretend customers' accounts with their first money and what they did since, once."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

from modelbank.database import Tx
from modelbank.ledger import store
from modelbank.ledger.customers import (
    CUSTOMERS,
    IN_FLIGHT,
    OTHER_BANKS,
    OWN_FUNDS,
    RECEIVING,
    RECEIVING_HOLDER,
    SeedAccount,
    account_number,
    sort_code,
)
from modelbank.ledger.store import Account, Movement

_OPEN_FOR = timedelta(days=400)
_NOON = 12
_OWN = ((OWN_FUNDS, "own_funds", 1), (IN_FLIGHT, "in_flight", 2), (OTHER_BANKS, "other_banks", 3))


async def open_bank(tx: Tx, bank: str, bank_name: str, place: int) -> None:
    """Make a bank's own accounts and its customers; what exists already stays as it is."""
    opened_at = await store.now(tx) - _OPEN_FOR
    for account_id, role, suffix in _OWN:
        seed = SeedAccount(suffix, "CACC", account_id, 0)
        await store.add_account(tx, _account(bank, place, seed, account_id, role, None, bank_name, opened_at), suffix)
    for customer in CUSTOMERS:
        await store.add_customer(tx, bank, customer.username, customer.names)
        for seed in customer.accounts:
            await _open(tx, bank, place, seed, customer.username, customer.holder, opened_at)
    await _open(tx, bank, place, RECEIVING, None, RECEIVING_HOLDER, opened_at)


async def _open(tx: Tx, bank: str, place: int, seed: SeedAccount, username: str | None, holder: str, opened_at: datetime) -> None:
    account_id = f"{bank}-{seed.suffix}"
    await store.add_account(tx, _account(bank, place, seed, account_id, "customer", username, holder, opened_at), seed.suffix)
    lines = [(OWN_FUNDS, -seed.opening_minor), (account_id, seed.opening_minor)]
    is_new = await store.post_journal(tx, bank, "opening", account_id, "Opening balance", lines, opened_at)
    if is_new and username is not None:
        await store.post_history(tx, bank, account_id, OWN_FUNDS, list(_history(seed, opened_at, await store.now(tx))))


def _history(seed: SeedAccount, opened_at: datetime, now: datetime) -> Iterator[Movement]:
    """Return what an account did in each whole month between two times."""
    month = _month_after(opened_at)
    while (following := _month_after(month)) <= now:
        for habit in seed.habits:
            yield Movement(habit.text, habit.amount_minor, month.replace(day=habit.day, hour=_NOON))
        month = following


def _month_after(moment: datetime) -> datetime:
    first = moment.astimezone(UTC).replace(day=1, hour=0, minute=0, second=0, microsecond=0)
    return (first + timedelta(days=32)).replace(day=1)


def _account(
    bank: str, place: int, seed: SeedAccount, account_id: str, role: str, username: str | None, holder: str, opened_at: datetime
) -> Account:
    return Account(
        bank=bank,
        id=account_id,
        role=role,
        username=username,
        type_code=seed.type_code,
        nickname=seed.nickname,
        holder=holder,
        sort_code=sort_code(place),
        number=account_number(place, seed.suffix),
        balance_minor=0,
        reserved_minor=0,
        opened_at=opened_at,
    )
