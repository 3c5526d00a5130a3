"""SQL of our signing keys."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime

from strongroom.kit.db import Tx


@dataclass(frozen=True, slots=True)
class KeyRow:
    """A key as stored."""

    kid: str
    purpose: str
    key_sealed: bytes = field(repr=False)
    signs: bool  # its time to sign has come; of several the newest does
    signs_from: datetime
    shown_until: datetime | None


async def lock(tx: Tx, tenant: str, purpose: str) -> None:
    """Let one process at a time make a key for one purpose."""
    await tx.execute("SELECT pg_advisory_xact_lock(hashtextextended($1, 0))", f"signing_keys {tenant} {purpose}")


async def find_shown(tx: Tx, tenant: str) -> list[KeyRow]:
    """Return the keys whose public half is shown, in the order in which they sign."""
    rows = await tx.fetch(
        """SELECT kid, purpose, key_sealed, signs_from <= app_now() AS signs, signs_from, shown_until FROM signing_keys
           WHERE tenant_id = $1 AND (shown_until IS NULL OR shown_until > app_now()) ORDER BY signs_from, kid""",
        tenant,
    )
    return [KeyRow(*row) for row in rows]


async def add(tx: Tx, tenant: str, kid: str, purpose: str, key_sealed: bytes, lead_seconds: int) -> None:
    """Insert a key that signs after a lead, during which everybody may fetch its public half."""
    await tx.execute(
        """INSERT INTO signing_keys (tenant_id, kid, purpose, key_sealed, signs_from)
           VALUES ($1, $2, $3, $4, app_now() + make_interval(secs => $5::int))""",
        tenant, kid, purpose, key_sealed, lead_seconds,
    )  # fmt: skip


async def retire_others(tx: Tx, tenant: str, kid: str, purpose: str, seconds: int) -> None:
    """Stop showing the keys before this one, some time after it signs: as long as what they signed may live."""
    await tx.execute(
        """UPDATE signing_keys SET shown_until = least(shown_until, app_now() + make_interval(secs => $4::int))
           WHERE tenant_id = $1 AND purpose = $3 AND kid <> $2""",
        tenant, kid, purpose, seconds,
    )  # fmt: skip
