"""All SQL about customers, accounts and the ledger. Amounts are pence; a debit is negative."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from modelbank.database import Tx


@dataclass(frozen=True, slots=True)
class Customer:
    """A pretend person, or two with one login."""

    username: str
    names: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Account:
    """An account as the ledger stands now."""

    bank: str
    id: str
    role: str
    username: str | None
    type_code: str
    nickname: str
    holder: str
    sort_code: str
    number: str
    balance_minor: int
    reserved_minor: int
    opened_at: datetime

    @property
    def available_minor(self) -> int:
        """What may still be spent: the balance less the payments on their way."""
        return self.balance_minor - self.reserved_minor

    @property
    def identification(self) -> str:
        """Sort code and account number in one, as UK.OBIE.SortCodeAccountNumber wants it."""
        return self.sort_code + self.number


_ACCOUNT = "bank, id, role, username, type_code, nickname, holder, sort_code, number, balance_minor, reserved_minor, opened_at"


async def now(tx: Tx) -> datetime:
    """Return the bank's time."""
    moment: datetime = await tx.fetchval("SELECT app_now()")
    return moment


async def advance_clock(tx: Tx, seconds: float) -> float:
    """Move the bank's clock forward and return how far it now is ahead."""
    ahead: float = await tx.fetchval("UPDATE clock SET offset_seconds = offset_seconds + $1 RETURNING offset_seconds", seconds)
    return ahead


async def add_customer(tx: Tx, bank: str, username: str, names: Sequence[str]) -> None:
    """Add a customer unless they are there."""
    await tx.execute(
        "INSERT INTO customers (bank, username, names) VALUES ($1, $2, $3) ON CONFLICT DO NOTHING", bank, username, list(names)
    )


async def add_account(tx: Tx, account: Account, position: int) -> None:
    """Open an account, with nothing in it, unless it is there."""
    await tx.execute(
        """
        INSERT INTO accounts (bank, id, role, username, type_code, nickname, holder, sort_code, number, opened_at, position)
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11) ON CONFLICT DO NOTHING
        """,
        account.bank,
        account.id,
        account.role,
        account.username,
        account.type_code,
        account.nickname,
        account.holder,
        account.sort_code,
        account.number,
        account.opened_at,
        position,
    )


async def find_customer(tx: Tx, bank: str, username: str) -> Customer | None:
    """Find a customer by user name."""
    row = await tx.fetchrow("SELECT username, names FROM customers WHERE bank = $1 AND username = $2", bank, username)
    return None if row is None else Customer(row["username"], tuple(row["names"]))


async def list_customer_accounts(tx: Tx, bank: str, username: str) -> list[Account]:
    """List a customer's accounts in the order in which they opened them."""
    rows = await tx.fetch(f"SELECT {_ACCOUNT} FROM accounts WHERE bank = $1 AND username = $2 ORDER BY position", bank, username)
    return [Account(**row) for row in rows]


async def list_accounts(tx: Tx, bank: str, ids: Sequence[str] | None = None) -> list[Account]:
    """List accounts of a bank: all of them, or those with these ids."""
    rows = await tx.fetch(
        f"SELECT {_ACCOUNT} FROM accounts WHERE bank = $1 AND ($2::text[] IS NULL OR id = ANY($2)) ORDER BY position",
        bank,
        None if ids is None else list(ids),
    )
    return [Account(**row) for row in rows]


async def has_account(tx: Tx, bank: str, account_id: str) -> bool:
    """Tell whether a customer of the bank has an account with this id."""
    return bool(
        await tx.fetchval(
            "SELECT EXISTS (SELECT FROM accounts WHERE bank = $1 AND id = $2 AND role = 'customer')", bank, account_id
        )
    )


async def find_account_by_number(tx: Tx, identification: str) -> Account | None:
    """Find an account at any of the pretend banks by its sort code and number, 14 digits together."""
    row = await tx.fetchrow(f"SELECT {_ACCOUNT} FROM accounts WHERE sort_code || number = $1", identification)
    return None if row is None else Account(**row)


async def reserve(tx: Tx, bank: str, account_id: str, amount_minor: int) -> bool:
    """Set money aside for a payment; False when there is not enough that is not set aside already."""
    row = await tx.fetchrow(
        """
        UPDATE accounts SET reserved_minor = reserved_minor + $3
        WHERE bank = $1 AND id = $2 AND balance_minor - reserved_minor >= $3 RETURNING 1
        """,
        bank,
        account_id,
        amount_minor,
    )
    return row is not None


async def release(tx: Tx, bank: str, account_id: str, amount_minor: int) -> None:
    """Give back what was set aside."""
    await tx.execute(
        "UPDATE accounts SET reserved_minor = reserved_minor - $3 WHERE bank = $1 AND id = $2", bank, account_id, amount_minor
    )


async def post_journal(
    tx: Tx, bank: str, kind: str, subject: str, text: str, lines: Sequence[tuple[str, int]], booked_at: datetime
) -> bool:
    """Book one journal and move the balances; False when this kind was booked for this subject before."""
    row = await tx.fetchrow(
        """
        WITH line AS (SELECT * FROM unnest($6::text[], $7::bigint[]) AS line (account_id, amount_minor)),
        journal AS (
            INSERT INTO journals (bank, kind, subject, text, booked_at) VALUES ($1, $2, $3, $4, $5)
            ON CONFLICT DO NOTHING RETURNING id
        ),
        entry AS (
            INSERT INTO entries (journal_id, bank, account_id, amount_minor)
            SELECT journal.id, $1, line.account_id, line.amount_minor FROM journal, line
        ),
        moved AS (
            UPDATE accounts SET balance_minor = balance_minor + line.amount_minor
            FROM journal, line WHERE accounts.bank = $1 AND accounts.id = line.account_id
        )
        SELECT id FROM journal
        """,
        bank,
        kind,
        subject,
        text,
        booked_at,
        [account_id for account_id, _ in lines],
        [amount_minor for _, amount_minor in lines],
    )
    return row is not None


@dataclass(frozen=True, slots=True)
class Movement:
    """Money that came in or, below zero, went out."""

    text: str
    amount_minor: int
    booked_at: datetime


async def post_history(tx: Tx, bank: str, account_id: str, against: str, movements: Sequence[Movement]) -> None:
    """Book what an account did before the bank was started, each against one of the bank's own accounts."""
    await tx.execute(
        """
        WITH movement AS (
            SELECT $2 || ' ' || place AS subject, text, amount_minor, booked_at
            FROM unnest($4::text[], $5::bigint[], $6::timestamptz[]) WITH ORDINALITY
                AS movement (text, amount_minor, booked_at, place)
        ),
        journal AS (
            INSERT INTO journals (bank, kind, subject, text, booked_at)
            SELECT $1, 'history', subject, text, booked_at FROM movement ORDER BY booked_at
            RETURNING id, subject
        ),
        line AS (
            SELECT id, account_id, amount_minor * side AS amount_minor FROM journal JOIN movement USING (subject)
            CROSS JOIN (VALUES ($2, 1), ($3, -1)) AS both_sides (account_id, side)
        ),
        entry AS (
            INSERT INTO entries (journal_id, bank, account_id, amount_minor) SELECT id, $1, account_id, amount_minor FROM line
        )
        UPDATE accounts SET balance_minor = balance_minor + total
        FROM (SELECT account_id, sum(amount_minor)::bigint AS total FROM line GROUP BY account_id) AS sums
        WHERE accounts.bank = $1 AND accounts.id = sums.account_id
        """,
        bank,
        account_id,
        against,
        [movement.text for movement in movements],
        [movement.amount_minor for movement in movements],
        [movement.booked_at for movement in movements],
    )


async def list_entries(tx: Tx, bank: str) -> list[dict[str, Any]]:
    """List every entry of a bank's ledger, oldest first."""
    rows = await tx.fetch(
        """
        SELECT journal_id, kind, subject, text, booked_at, account_id, amount_minor, role, sort_code, number
        FROM entries JOIN journals ON journals.id = journal_id JOIN accounts ON accounts.id = account_id AND accounts.bank = $1
        WHERE entries.bank = $1 ORDER BY journal_id, amount_minor
        """,
        bank,
    )
    return [dict(row) for row in rows]


@dataclass(frozen=True, slots=True)
class Entry:
    """A booked movement of one account's money."""

    journal_id: int
    account_id: str
    amount_minor: int
    text: str
    booked_at: datetime


async def list_booked(
    tx: Tx,
    bank: str,
    account_ids: Sequence[str],
    since: datetime | None,
    until: datetime | None,
    directions: Sequence[bool],
    limit: int,
    offset: int,
) -> tuple[list[Entry], int]:
    """List the booked entries of some accounts, newest first, and count them all. A direction is True for credits.

    Times are compared as answers tell them: to the millisecond.
    """
    rows = await tx.fetch(
        """
        SELECT journal_id, account_id, amount_minor, text, booked_at, count(*) OVER () AS total
        FROM entries JOIN journals ON journals.id = journal_id
        WHERE entries.bank = $1 AND account_id = ANY($2) AND (amount_minor > 0) = ANY($5::bool[])
          AND ($3::timestamptz IS NULL OR date_trunc('milliseconds', booked_at) >= $3)
          AND ($4::timestamptz IS NULL OR date_trunc('milliseconds', booked_at) <= $4)
        ORDER BY booked_at DESC, journal_id DESC, account_id LIMIT $6 OFFSET $7
        """,
        bank,
        list(account_ids),
        since,
        until,
        list(directions),
        limit,
        offset,
    )
    return [Entry(*list(row)[:-1]) for row in rows], rows[0]["total"] if rows else 0


async def get_balance_at(tx: Tx, account: Account, moment: datetime) -> int:
    """Return what an account held at the end of a millisecond."""
    balance: int = await tx.fetchval(
        """
        SELECT coalesce(sum(amount_minor), 0)::bigint FROM entries JOIN journals ON journals.id = journal_id
        WHERE entries.bank = $1 AND account_id = $2 AND date_trunc('milliseconds', booked_at) <= $3
        """,
        account.bank,
        account.id,
        moment,
    )
    return balance
