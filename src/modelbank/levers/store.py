"""All SQL of what testers asked for: a bank's levers, the quirks that are chosen, and how often one has struck."""

from __future__ import annotations

from dataclasses import dataclass

from modelbank.banks import Bank
from modelbank.database import Tx
from modelbank.quirks import DISTURBED_ANSWERS, EARLY_SECONDS, Quirk, chosen


@dataclass(frozen=True, slots=True)
class Switches:
    """How a bank is told to misbehave. `quirks` of None leaves those of the configuration."""

    down: bool = False
    delay_seconds: float = 0.0
    drop_answers: int = 0
    headless: bool | None = None
    quirks: list[str] | None = None


async def get_switches(tx: Tx, bank: str) -> Switches:
    """Return a bank's levers as they stand."""
    row = await tx.fetchrow("SELECT down, delay_seconds, drop_answers, headless, quirks FROM switches WHERE bank = $1", bank)
    return Switches() if row is None else Switches(**row)


async def set_switches(tx: Tx, bank: str, switches: Switches) -> None:
    """Set every lever of a bank."""
    await tx.execute(
        """
        INSERT INTO switches (bank, down, delay_seconds, drop_answers, headless, quirks) VALUES ($1, $2, $3, $4, $5, $6)
        ON CONFLICT (bank) DO UPDATE SET down = $2, delay_seconds = $3, drop_answers = $4, headless = $5, quirks = $6
        """,
        bank,
        switches.down,
        switches.delay_seconds,
        switches.drop_answers,
        switches.headless,
        switches.quirks,
    )


async def take_drop(tx: Tx, bank: str) -> bool:
    """Use up one of the answers that a tester wants lost; False when none is wanted."""
    row = await tx.fetchrow(
        "UPDATE switches SET drop_answers = drop_answers - 1 WHERE bank = $1 AND drop_answers > 0 RETURNING 1", bank
    )
    return row is not None


async def find_quirks(tx: Tx, bank: Bank, amount_minor: int | None, username: str | None) -> frozenset[Quirk]:
    """Find the quirks of a visit: its bank's, its amount's, and those of whoever has signed in."""
    of_bank = (await get_switches(tx, bank.id)).quirks
    return chosen(bank.config.quirks if of_bank is None else of_bank, amount_minor, username)


@dataclass(frozen=True, slots=True)
class Agreed:
    """A consent to which a customer agreed, with its quirks and how long ago that was."""

    consent_id: str
    quirks: frozenset[Quirk]
    seconds_ago: float


async def find_agreed(tx: Tx, bank: Bank, resource_id: str) -> Agreed | None:
    """Find the quirks that go with a consent, or a payment of one; None before the customer has agreed."""
    row = await tx.fetchrow(
        """
        SELECT id, amount_minor, username, quirks, extract(epoch FROM app_now() - authorised_at)::float8 AS seconds_ago
        FROM consents LEFT JOIN switches USING (bank)
        WHERE id = coalesce((SELECT consent_id FROM payments WHERE payments.id = $1), $1)
          AND bank = $2 AND authorised_at IS NOT NULL
        """,
        resource_id,
        bank.id,
    )
    if row is None:
        return None
    of_bank = bank.config.quirks if row["quirks"] is None else row["quirks"]
    return Agreed(row["id"], chosen(of_bank, row["amount_minor"], row["username"]), row["seconds_ago"])


async def disturb(tx: Tx, consent_id: str) -> bool:
    """Count an answer that is to be disturbed; False once enough were."""
    row = await tx.fetchrow(
        "UPDATE consents SET disturbed = disturbed + 1 WHERE id = $1 AND disturbed < $2 RETURNING 1",
        consent_id,
        DISTURBED_ANSWERS,
    )
    return row is not None


async def comes_too_early(tx: Tx, consent_id: str) -> bool:
    """True for the first request about a consent, and for each that comes before its time; each sets the time anew."""
    row = await tx.fetchrow(
        """
        UPDATE consents SET welcome_at = app_now() + make_interval(secs => $2)
        WHERE id = $1 AND (welcome_at IS NULL OR welcome_at > app_now()) RETURNING 1
        """,
        consent_id,
        float(EARLY_SECONDS),
    )
    return row is not None
