"""All SQL of tokens. States are moved by the machine, never here."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import asyncpg

from strongroom.kit.db import Tx, columns
from strongroom.sca.devices.model import ANSWERED_KEPT, ASKED_SECONDS, Algorithm, Kind, Match, NewToken, Token
from strongroom.sca.devices.states import TokenState
from strongroom.sca.devices.suites import read_suite
from strongroom.sca.model import FIRST_LOCK_SECONDS, MAX_ATTEMPTS, MAX_LOCK_SECONDS

_IS_OVER = "(state = 'locked' AND locked_until <= app_now())"  # the row says so when the next code comes
_COLUMNS = f"""issuer_id, id, serial, CASE WHEN {_IS_OVER} THEN 'active' ELSE state END AS state, {_IS_OVER} AS is_lock_over,
               kind, algorithm, digits, period_seconds, suite, cardholder_id,
               CASE WHEN {_IS_OVER} THEN 0 ELSE failures END AS failures,
               CASE WHEN state = 'locked' AND NOT {_IS_OVER} THEN locked_until END AS locked_until,
               unblock_asked_by, unblock_asked_at, created_at"""


async def add(tx: Tx, issuer_id: str, token_id: str, new: NewToken, seed_sealed: bytes) -> bool:
    """Insert a token; False when the issuer has its serial."""
    tag = await tx.execute(
        """INSERT INTO otp_tokens (issuer_id, id, serial, kind, algorithm, digits, period_seconds, seed_sealed, counter, suite)
           VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10) ON CONFLICT (issuer_id, serial) DO NOTHING""",
        issuer_id, token_id, new.serial, new.kind, new.algorithm, new.digits, new.period_seconds, seed_sealed, new.counter,
        new.suite.text if new.suite else None,
    )  # fmt: skip
    return tag == "INSERT 0 1"


@dataclass(frozen=True, slots=True)
class NewRow:
    """A token to be inserted, its seed sealed."""

    new: NewToken
    id: str
    seed_sealed: bytes = field(repr=False)


async def add_many(tx: Tx, issuer_id: str, rows: list[NewRow], *, actor: str, tag: str) -> set[str]:
    """Insert tokens with an audit entry each, by one statement; return the serials that the issuer did not have."""
    found = await tx.fetch(
        """WITH given AS (
               SELECT * FROM unnest($2::text[], $3::text[], $4::text[], $5::text[], $6::int[], $7::int[], $8::bytea[], $9::bigint[],
                                    $12::text[])
               AS g (id, serial, kind, algorithm, digits, period_seconds, seed_sealed, counter, suite)
           ), added AS (
               INSERT INTO otp_tokens (issuer_id, id, serial, kind, algorithm, digits, period_seconds, seed_sealed, counter, suite)
               SELECT $1, given.* FROM given ORDER BY serial ON CONFLICT (issuer_id, serial) DO NOTHING RETURNING id, serial
           ), recorded AS (
               INSERT INTO audit_entries (tenant_id, actor, tag, subject, detail) SELECT $1, $10, $11, id, '{}' FROM added
           )
           SELECT serial FROM added""",
        issuer_id,
        [row.id for row in rows], [row.new.serial for row in rows], [row.new.kind for row in rows],
        [row.new.algorithm for row in rows], [row.new.digits for row in rows], [row.new.period_seconds for row in rows],
        [row.seed_sealed for row in rows], [row.new.counter for row in rows],
        actor, tag, [row.new.suite.text if row.new.suite else None for row in rows],
    )  # fmt: skip
    return {row["serial"] for row in found}


async def find_serials(tx: Tx, issuer_id: str, serials: list[str]) -> set[str]:
    """Return which of these serials the issuer has."""
    rows = await tx.fetch("SELECT serial FROM otp_tokens WHERE issuer_id = $1 AND serial = ANY($2::text[])", issuer_id, serials)
    return {row["serial"] for row in rows}


async def find_seeds(tx: Tx, issuer_id: str, serials: list[str]) -> dict[str, tuple[str, bytes]]:
    """Return id and sealed seed by serial."""
    query = "SELECT serial, id, seed_sealed FROM otp_tokens WHERE issuer_id = $1 AND serial = ANY($2::text[])"
    return {row["serial"]: (row["id"], row["seed_sealed"]) for row in await tx.fetch(query, issuer_id, serials)}


async def find_by_serial(tx: Tx, issuer_id: str, serial: str) -> Token | None:
    """Return a token and keep others from changing it until the transaction ends."""
    row = await tx.fetchrow(f"SELECT {_COLUMNS} FROM otp_tokens WHERE issuer_id = $1 AND serial = $2 FOR UPDATE", issuer_id, serial)
    return _token(row) if row else None


async def find_held(tx: Tx, issuer_id: str, cardholder_id: str) -> Token | None:
    """Return the token that a cardholder has now."""
    row = await tx.fetchrow(
        f"""SELECT {_COLUMNS} FROM otp_tokens WHERE issuer_id = $1 AND cardholder_id = $2
            AND state IN ('assigned', 'active', 'locked', 'blocked')""",
        issuer_id, cardholder_id,
    )  # fmt: skip
    return _token(row) if row else None


async def list_tokens(
    tx: Tx, issuer_id: str, *, state: TokenState | None, cardholder_id: str | None, after: str | None, limit: int
) -> list[Token]:
    """Return tokens in the order of their serials, after one of them."""
    rows = await tx.fetch(
        f"""SELECT {_COLUMNS} FROM otp_tokens
            WHERE issuer_id = $1 AND ($2::text IS NULL OR CASE WHEN {_IS_OVER} THEN 'active' ELSE state END = $2)
            AND ($3::text IS NULL OR cardholder_id = $3) AND ($4::text IS NULL OR serial > $4) ORDER BY serial LIMIT $5""",
        issuer_id, state, cardholder_id, after, limit,
    )  # fmt: skip
    return [_token(row) for row in rows]


async def is_listed(tx: Tx, issuer_id: str, serial: str) -> bool:
    """True when the issuer has a token with this serial."""
    return bool(
        await tx.fetchval("SELECT EXISTS (SELECT 1 FROM otp_tokens WHERE issuer_id = $1 AND serial = $2)", issuer_id, serial)
    )


async def is_lock_over(tx: Tx, issuer_id: str, token_id: str) -> bool:
    """True when a token is locked and its time is over by the database's clock; nobody else changes it meanwhile."""
    row = await tx.fetchrow(
        """SELECT 1 FROM otp_tokens WHERE issuer_id = $1 AND id = $2 AND state = 'locked' AND locked_until <= app_now()
           FOR UPDATE""",
        issuer_id, token_id,
    )  # fmt: skip
    return row is not None


async def ask(tx: Tx, issuer_id: str, token_id: str, question: str) -> None:
    """Note which question a token was asked; the one before may be answered no more."""
    await tx.execute(
        """UPDATE otp_tokens SET question = $3, question_asked_at = app_now(), changed_at = app_now()
           WHERE issuer_id = $1 AND id = $2""",
        issuer_id, token_id, question,
    )  # fmt: skip


async def charge(tx: Tx, issuer_id: str, token_id: str, cardholder_id: str) -> asyncpg.Record | None:
    """Pay for one try at an active token of this cardholder; None when it is not active or not theirs.

    The last try of the budget sets the lock's end in the same statement; each lock in a row lasts twice as long.
    """
    return await tx.fetchrow(
        """
        UPDATE otp_tokens SET charges = charges + 1, failures = failures + 1, changed_at = app_now(),
            lock_level = lock_level + (failures + 1 = $4)::int,
            locked_by = CASE WHEN failures + 1 = $4 THEN charges + 1 END,
            locked_until = CASE WHEN failures + 1 = $4
                THEN app_now() + make_interval(secs => least($5 * 2 ^ least(lock_level, 12), $6)) END
        WHERE issuer_id = $1 AND id = $2 AND cardholder_id = $3 AND state = 'active' AND failures < $4
        RETURNING seed_sealed, counter, drift_steps, charges, $4 - failures AS attempts_left,
                  floor(extract(epoch FROM app_now()))::bigint AS now_seconds,
                  ceil(extract(epoch FROM locked_until - app_now()))::int AS lock_seconds, answered_hashes,
                  CASE WHEN question_asked_at > app_now() - make_interval(secs => $7) THEN question END AS question
        """,
        issuer_id, token_id, cardholder_id, MAX_ATTEMPTS, float(FIRST_LOCK_SECONDS), float(MAX_LOCK_SECONDS), float(ASKED_SECONDS),
    )  # fmt: skip


async def charge_many(tx: Tx, issuer_id: str, wanted: Sequence[tuple[str, str | None]]) -> list[tuple[Token, asyncpg.Record]]:
    """Pay for one try of each cardholder, at the token named or at any of theirs, by one statement; return those paid for.

    Left out are tokens that take a closer look: not active or not the one named, signing devices, those that somebody holds just
    now (nobody waits for another's try here, so that no two batches wait for each other), and those that this try would lock.
    """
    rows = await tx.fetch(
        f"""
        WITH wanted AS (SELECT * FROM unnest($2::text[], $3::text[]) AS w (holder, serial)),
        free AS (
            SELECT held.id FROM otp_tokens AS held JOIN wanted ON wanted.holder = held.cardholder_id
            WHERE held.issuer_id = $1 AND held.state = 'active' AND held.suite IS NULL AND held.failures + 1 < $4
              AND held.serial = coalesce(wanted.serial, held.serial)
            ORDER BY held.id FOR UPDATE OF held SKIP LOCKED
        )
        UPDATE otp_tokens SET charges = charges + 1, failures = failures + 1, changed_at = app_now()
        WHERE issuer_id = $1 AND id IN (SELECT id FROM free)
        RETURNING {_COLUMNS}, seed_sealed, counter, drift_steps, charges, $4 - failures AS attempts_left,
                  floor(extract(epoch FROM app_now()))::bigint AS now_seconds, NULL::int AS lock_seconds, answered_hashes,
                  NULL::text AS question
        """,
        issuer_id, *columns(wanted), MAX_ATTEMPTS,
    )  # fmt: skip
    return [(_token(row), row) for row in rows]


async def accept_many(tx: Tx, issuer_id: str, matches: Sequence[Match]) -> set[str]:
    """Move the counters past matched codes and forgive the failures, by one statement; return the tokens that it did so for.

    No two matches are of one token. Left out are those that take a closer look: used up by another, locked, or held by somebody.
    """
    rows = await tx.fetch(
        """
        WITH matched AS (
            SELECT * FROM unnest($2::text[], $3::text[], $4::bigint[], $5::bigint[], $6::int[])
            AS m (id, holder, counter, next_counter, drift_steps)
        ), free AS (
            SELECT matched.* FROM otp_tokens AS held JOIN matched USING (id)
            WHERE held.issuer_id = $1 AND held.state = 'active' AND held.suite IS NULL
              AND held.cardholder_id = matched.holder AND held.counter <= matched.counter
            ORDER BY held.id FOR UPDATE OF held SKIP LOCKED
        )
        UPDATE otp_tokens AS used SET counter = free.next_counter, drift_steps = free.drift_steps, failures = 0, lock_level = 0,
            locked_until = NULL, locked_by = NULL, changed_at = app_now()
        FROM free WHERE used.issuer_id = $1 AND used.id = free.id
        RETURNING used.id
        """,
        issuer_id,
        *columns(
            [(m.charged.token.id, m.charged.token.cardholder_id, m.counter, m.next_after(1), m.drift_after(1)) for m in matches]
        ),
    )  # fmt: skip
    return {row[0] for row in rows}


async def accept(
    tx: Tx,
    issuer_id: str,
    token_id: str,
    cardholder_id: str,
    *,
    counter: int,
    next_counter: int,
    drift_steps: int,
    charge_number: int,
    question_hash: bytes | None,
) -> TokenState | None:
    """Move the counter past a matched code, remember its question and forgive the failures; return the state the token is in.

    None when another used the code or answered the question first, or when a lock stands that another try set.
    """
    state: str | None = await tx.fetchval(
        """
        UPDATE otp_tokens SET counter = $5, drift_steps = $6, failures = 0, lock_level = 0, locked_until = NULL, locked_by = NULL,
            changed_at = app_now(),
            answered_hashes = CASE WHEN $8::bytea IS NULL THEN answered_hashes ELSE ($8::bytea || answered_hashes)[1:$9] END
        WHERE issuer_id = $1 AND id = $2 AND cardholder_id = $3 AND counter <= $4
          AND ($8::bytea IS NULL OR $8 <> ALL(answered_hashes))
          AND (state = 'active' OR (state = 'locked' AND locked_by = $7))
        RETURNING state
        """,
        issuer_id, token_id, cardholder_id, counter, next_counter, drift_steps, charge_number, question_hash, ANSWERED_KEPT,
    )  # fmt: skip
    return TokenState(state) if state else None


async def give_back(tx: Tx, issuer_id: str, token_id: str) -> None:
    """Take back the charge that this very transaction made, and the lock that it set; nobody has seen either."""
    await tx.execute(
        """UPDATE otp_tokens SET failures = failures - 1, lock_level = lock_level - (locked_by IS NOT NULL)::int,
             locked_until = NULL, locked_by = NULL
           WHERE issuer_id = $1 AND id = $2""",
        issuer_id, token_id,
    )  # fmt: skip


async def locked_seconds(tx: Tx, issuer_id: str, token_id: str) -> int:
    """Return for how many seconds a token is still locked; 0 when it is not."""
    found: int | None = await tx.fetchval(
        """SELECT ceil(extract(epoch FROM locked_until - app_now()))::int FROM otp_tokens
           WHERE issuer_id = $1 AND id = $2 AND state = 'locked' AND locked_until > app_now()""",
        issuer_id, token_id,
    )  # fmt: skip
    return found or 0


async def ask_unblock(tx: Tx, issuer_id: str, token_id: str, asked_by: str) -> bool:
    """Note who asks for a blocked token to be unblocked; False when it is not blocked or somebody has asked."""
    tag = await tx.execute(
        """UPDATE otp_tokens SET unblock_asked_by = $3, unblock_asked_at = app_now(), changed_at = app_now()
           WHERE issuer_id = $1 AND id = $2 AND state = 'blocked' AND unblock_asked_by IS NULL""",
        issuer_id, token_id, asked_by,
    )  # fmt: skip
    return tag == "UPDATE 1"


def _token(row: asyncpg.Record) -> Token:
    return Token(
        row["issuer_id"], row["id"], row["serial"], TokenState(row["state"]), Kind(row["kind"]), Algorithm(row["algorithm"]),
        row["digits"], row["period_seconds"], read_suite(row["suite"]) if row["suite"] else None, row["cardholder_id"],
        row["failures"], row["locked_until"], row["unblock_asked_by"], row["unblock_asked_at"], row["created_at"],
        is_lock_over=row["is_lock_over"],
    )  # fmt: skip
