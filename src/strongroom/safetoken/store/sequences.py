"""SQL of sequences and their messages. States are moved by the machine, never here."""

from __future__ import annotations

from dataclasses import dataclass

import asyncpg

from strongroom.kit.db import Tx
from strongroom.safetoken.states import SequenceState

KEPT_SECONDS = 600  # after a sequence has ended: its source may still ask what became of it
_FORGOTTEN_AT_ONCE = 5  # sequences, each of which may have many messages
_COLUMNS = """id, state, version, answers_id, last_number, expires_at <= app_now() AS is_over,
              greatest(0, ceil(extract(epoch FROM expires_at - app_now())))::int AS left_seconds"""


@dataclass(frozen=True, slots=True)
class Sequence:
    """A sequence as stored. `answers_id` is the Identifier of the sequence of our answers, if the source offered one."""

    id: str
    state: SequenceState
    version: str
    answers_id: str | None
    last_number: int
    is_over: bool
    left_seconds: int

    @property
    def is_closed(self) -> bool:
        """True when it takes no new message."""
        return self.state is not SequenceState.OPEN

    @property
    def has_ended(self) -> bool:
        """True when nothing can be said on it any more."""
        return self.is_over or self.state is SequenceState.TERMINATED


async def add(
    tx: Tx,
    issuer_id: str,
    caller_id: str,
    *,
    sequence_id: str,
    version: str,
    opening_hash: bytes | None,
    answers_id: str | None,
    life_seconds: int,
    max_open: int,
) -> Sequence | None:
    """Open a sequence; the same request again finds the one that it opened.

    None when the client has too many, or an open one whose answers have this Identifier.
    """
    await tx.execute("SELECT pg_advisory_xact_lock(hashtextextended($1, 0))", f"message_sequences {issuer_id} {caller_id}")
    row = await tx.fetchrow(
        f"""INSERT INTO message_sequences (issuer_id, caller_id, id, version, opening_hash, answers_id, expires_at)
            SELECT $1, $2, $3, $4, $5, $6, app_now() + make_interval(secs => $7::int)
            WHERE (SELECT count(*) FROM message_sequences
                   WHERE issuer_id = $1 AND caller_id = $2 AND state = 'open' AND expires_at > app_now()) < $8
            ON CONFLICT DO NOTHING RETURNING {_COLUMNS}""",
        issuer_id, caller_id, sequence_id, version, opening_hash, answers_id, life_seconds, max_open,
    )  # fmt: skip
    if row is None:
        row = await tx.fetchrow(
            f"""SELECT {_COLUMNS} FROM message_sequences WHERE issuer_id = $1 AND caller_id = $2 AND opening_hash = $3
                AND state = 'open' AND last_number = 0 AND expires_at > app_now()""",
            issuer_id, caller_id, opening_hash,
        )  # fmt: skip
    return _sequence(row) if row else None


async def find(tx: Tx, issuer_id: str, caller_id: str, sequence_id: str, version: str) -> Sequence | None:
    """Return a client's own sequence."""
    row = await tx.fetchrow(
        f"SELECT {_COLUMNS} FROM message_sequences WHERE issuer_id = $1 AND caller_id = $2 AND id = $3 AND version = $4",
        issuer_id, caller_id, sequence_id, version,
    )  # fmt: skip
    return _sequence(row) if row else None


async def find_by_answers(tx: Tx, issuer_id: str, caller_id: str, answers_id: str) -> Sequence | None:
    """Return the client's open sequence whose answers go on the sequence of this Identifier."""
    row = await tx.fetchrow(
        f"""SELECT {_COLUMNS} FROM message_sequences
            WHERE issuer_id = $1 AND caller_id = $2 AND answers_id = $3 AND state = 'open' ORDER BY created_at DESC LIMIT 1""",
        issuer_id, caller_id, answers_id,
    )  # fmt: skip
    return _sequence(row) if row else None


async def take(tx: Tx, issuer_id: str, caller_id: str, sequence_id: str, version: str, number: int) -> Sequence | None:
    """Take the next number of an open sequence for one message; None when it is not the next, or the sequence takes none.

    Others with the same number wait here until the transaction ends, and then find it taken.
    """
    row = await tx.fetchrow(
        f"""UPDATE message_sequences SET last_number = $5, changed_at = app_now()
            WHERE issuer_id = $1 AND caller_id = $2 AND id = $3 AND version = $4 AND last_number = $5 - 1
              AND state = 'open' AND expires_at > app_now()
            RETURNING {_COLUMNS}""",
        issuer_id, caller_id, sequence_id, version, number,
    )  # fmt: skip
    return _sequence(row) if row else None


async def add_message(
    tx: Tx, issuer_id: str, sequence_id: str, number: int, message_hash: bytes, answer_sealed: bytes | None
) -> None:
    """Keep a message whose number was taken, with its answer if that is known by now."""
    await tx.execute(
        """INSERT INTO sequence_messages (issuer_id, sequence_id, number, message_hash, answer_sealed)
           VALUES ($1, $2, $3, $4, $5)""",
        issuer_id, sequence_id, number, message_hash, answer_sealed,
    )  # fmt: skip


async def set_answer(tx: Tx, issuer_id: str, sequence_id: str, number: int, answer_sealed: bytes) -> None:
    """Keep the answer of a message whose operation commits by itself."""
    await tx.execute(
        """UPDATE sequence_messages SET answer_sealed = $4
           WHERE issuer_id = $1 AND sequence_id = $2 AND number = $3 AND answer_sealed IS NULL""",
        issuer_id, sequence_id, number, answer_sealed,
    )  # fmt: skip


async def find_message(tx: Tx, issuer_id: str, sequence_id: str, number: int) -> tuple[bytes, bytes | None] | None:
    """Return the hash and the sealed answer of a message that was taken."""
    row = await tx.fetchrow(
        "SELECT message_hash, answer_sealed FROM sequence_messages WHERE issuer_id = $1 AND sequence_id = $2 AND number = $3",
        issuer_id, sequence_id, number,
    )  # fmt: skip
    return (row[0], row[1]) if row else None


async def forget_old(tx: Tx) -> int:
    """Remove some sequences that have ended a while ago, with their messages; return how many."""
    tag = await tx.execute(
        f"""DELETE FROM message_sequences WHERE (issuer_id, id) IN (
              SELECT issuer_id, id FROM message_sequences
              WHERE expires_at < app_now() - interval '{KEPT_SECONDS} s'
                 OR (state = 'terminated' AND changed_at < app_now() - interval '{KEPT_SECONDS} s')
              LIMIT {_FORGOTTEN_AT_ONCE})"""
    )
    return int(tag.split()[1])


def _sequence(row: asyncpg.Record) -> Sequence:
    return Sequence(
        row["id"], SequenceState(row["state"]), row["version"], row["answers_id"], row["last_number"], row["is_over"],
        row["left_seconds"],
    )  # fmt: skip
