"""SQL of staff: the attempt is charged before anything is compared, and a code's step is accepted by one statement only."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime

from strongroom.kit.db import Tx


@dataclass(frozen=True, slots=True)
class StaffRow:
    """A person as stored."""

    id: str
    email_sealed: bytes = field(repr=False)
    name_sealed: bytes = field(repr=False)
    created_at: datetime


@dataclass(frozen=True, slots=True)
class Charged:
    """An attempt that was charged and may now be judged."""

    row: StaffRow
    charge: int
    locked_now: bool  # this attempt was the last one before a lock; it counts all the same
    password_hash: str = field(repr=False)
    totp_seed_sealed: bytes = field(repr=False)
    now: datetime


async def add(
    tx: Tx,
    firm_id: str,
    staff_id: str,
    email_hash: bytes,
    email_sealed: bytes,
    name_sealed: bytes,
    password_hash: str,
    totp_seed_sealed: bytes,
) -> bool:
    """Insert a person; False when the firm has one with this e-mail address."""
    tag = await tx.execute(
        """INSERT INTO staff_members (firm_id, id, email_hash, email_sealed, name_sealed, password_hash, totp_seed_sealed)
           VALUES ($1, $2, $3, $4, $5, $6, $7) ON CONFLICT DO NOTHING""",
        firm_id, staff_id, email_hash, email_sealed, name_sealed, password_hash, totp_seed_sealed,
    )  # fmt: skip
    return tag == "INSERT 0 1"


async def charge(
    tx: Tx, firm_id: str, email_hash: bytes, *, at_most: int, lock_seconds: int, longest_lock_seconds: int
) -> Charged | None:
    """Count an attempt, locking the person when it is the last one allowed; None when there is nobody or they are locked.

    Each lock since the last success is twice as long as the one before.
    """
    row = await tx.fetchrow(
        """UPDATE staff_members SET
             charges = charges + 1,
             attempts = CASE WHEN attempts + 1 >= $3 THEN 0 ELSE attempts + 1 END,
             lockouts = CASE WHEN attempts + 1 >= $3 THEN lockouts + 1 ELSE lockouts END,
             locked_by_charge = CASE WHEN attempts + 1 >= $3 THEN charges + 1 ELSE NULL END,
             locked_until = CASE WHEN attempts + 1 >= $3
               THEN app_now() + make_interval(secs => least($5::float8, $4::float8 * power(2, least(lockouts, 20)))) ELSE NULL END
           WHERE firm_id = $1 AND email_hash = $2 AND state = 'active' AND (locked_until IS NULL OR locked_until <= app_now())
           RETURNING id, email_sealed, name_sealed, created_at, charges, locked_until IS NOT NULL AS locked_now,
                     password_hash, totp_seed_sealed, app_now() AS now""",
        firm_id, email_hash, at_most, float(lock_seconds), float(longest_lock_seconds),
    )  # fmt: skip
    if row is None:
        return None
    person = StaffRow(row["id"], row["email_sealed"], row["name_sealed"], row["created_at"])
    return Charged(person, row["charges"], row["locked_now"], row["password_hash"], row["totp_seed_sealed"], row["now"])


async def accept_step(tx: Tx, firm_id: str, staff_id: str, step: int, charge_number: int) -> bool:
    """Accept a code's step, once ever (RFC 6238 §5.2), and forgive what was charged; False when it was used or a lock fell."""
    tag = await tx.execute(
        """UPDATE staff_members SET totp_last_step = $3, attempts = 0, lockouts = 0, locked_until = NULL, locked_by_charge = NULL
           WHERE firm_id = $1 AND id = $2 AND state = 'active' AND totp_last_step < $3
             AND (locked_until IS NULL OR locked_until <= app_now() OR locked_by_charge = $4)""",
        firm_id, staff_id, step, charge_number,
    )  # fmt: skip
    return tag == "UPDATE 1"


async def find_all(tx: Tx, firm_id: str) -> list[tuple[StaffRow, str]]:
    """Return a firm's staff with their states, oldest first."""
    rows = await tx.fetch(
        "SELECT id, email_sealed, name_sealed, created_at, state FROM staff_members WHERE firm_id = $1 ORDER BY created_at, id",
        firm_id,
    )
    return [(StaffRow(row["id"], row["email_sealed"], row["name_sealed"], row["created_at"]), row["state"]) for row in rows]
