"""All SQL of purchases. States are moved by the machine, never here."""

from __future__ import annotations

from dataclasses import fields
from datetime import datetime

import asyncpg

from strongroom.issuing.port import IssuerCode
from strongroom.kit.db import Tx
from strongroom.sca.purchasing.model import Purchase
from strongroom.sca.purchasing.states import PurchaseState

_COLUMNS = ", ".join(field.name for field in fields(Purchase))


def _purchase(row: asyncpg.Record) -> Purchase:
    values = {field.name: row[field.name] for field in fields(Purchase)}
    return Purchase(**{**values, "state": PurchaseState(row["state"])})


async def claim_reference(
    tx: Tx, tenant_id: str, client_id: str, reference_hash: bytes, *, fingerprint_hash: bytes, purchase_id: str
) -> bool:
    """Take a client's reference for one purchase; False when it was taken before. A rival in flight is waited for."""
    tag = await tx.execute(
        """INSERT INTO purchase_references (tenant_id, client_id, reference_hash, fingerprint_hash, purchase_id)
           VALUES ($1, $2, $3, $4, $5) ON CONFLICT DO NOTHING""",
        tenant_id, client_id, reference_hash, fingerprint_hash, purchase_id,
    )  # fmt: skip
    return tag == "INSERT 0 1"


async def find_reference(tx: Tx, tenant_id: str, client_id: str, reference_hash: bytes) -> tuple[str, bytes] | None:
    """Return the purchase that a reference began, and the fingerprint of what was asked."""
    row = await tx.fetchrow(
        """SELECT purchase_id, fingerprint_hash FROM purchase_references
           WHERE tenant_id = $1 AND client_id = $2 AND reference_hash = $3""",
        tenant_id, client_id, reference_hash,
    )  # fmt: skip
    return (row[0], row[1]) if row else None


async def add(
    tx: Tx,
    issuer_id: str,
    purchase_id: str,
    *,
    merchant_id: str,
    client_id: str,
    reference: str,
    amount_minor: int,
    currency: str,
    payee: str,
    channel: str,
    card_hash: bytes,
    card_shown: str,
    card_reference: str,
    proof_id: str,
    life_seconds: int,
) -> None:
    """Insert a purchase whose card is being looked up."""
    await tx.execute(
        """INSERT INTO purchases (issuer_id, id, merchant_id, client_id, reference, amount_minor, currency, payee, channel,
               card_hash, card_shown, card_reference, proof_id, expires_at)
           VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13,
               app_now() + make_interval(secs => $14))""",
        issuer_id, purchase_id, merchant_id, client_id, reference, amount_minor, currency, payee, channel,
        card_hash, card_shown, card_reference, proof_id, life_seconds,
    )  # fmt: skip


async def find(tx: Tx, tenant_id: str, purchase_id: str) -> Purchase | None:
    """Return a purchase of an issuer or of a merchant: whichever of the two the tenant is."""
    row = await tx.fetchrow(
        f"SELECT {_COLUMNS} FROM purchases WHERE (issuer_id = $1 OR merchant_id = $1) AND id = $2", tenant_id, purchase_id
    )
    return _purchase(row) if row else None


async def find_by_proof(tx: Tx, tenant_id: str, purchase_id: str, proof_id: str) -> Purchase | None:
    """Return the authenticated purchase of a merchant that a proof is for."""
    row = await tx.fetchrow(
        f"""SELECT {_COLUMNS} FROM purchases
            WHERE merchant_id = $1 AND id = $2 AND proof_id = $3 AND authenticated_at IS NOT NULL""",
        tenant_id, purchase_id, proof_id,
    )  # fmt: skip
    return _purchase(row) if row else None


async def listed(
    tx: Tx,
    tenant_id: str,
    *,
    states: list[str] | None,
    after: str | None,
    created_after: datetime | None,
    created_before: datetime | None,
    limit: int,
) -> list[Purchase]:
    """Return purchases of an issuer or merchant, newest first, beginning after the one named."""
    side = _side(tenant_id)
    rows = await tx.fetch(
        f"""SELECT {_COLUMNS} FROM purchases
            WHERE {side} = $1 AND ($2::text[] IS NULL OR state = ANY($2))
            AND ($3::text IS NULL OR (created_at, id) < (SELECT created_at, id FROM purchases WHERE {side} = $1 AND id = $3))
            AND ($4::timestamptz IS NULL OR created_at >= $4) AND ($5::timestamptz IS NULL OR created_at < $5)
            ORDER BY created_at DESC, id DESC LIMIT $6""",
        tenant_id, states, after, created_after, created_before, limit,
    )  # fmt: skip
    return [_purchase(row) for row in rows]


async def is_listed(tx: Tx, tenant_id: str, purchase_id: str) -> bool:
    """True when an issuer or merchant has this purchase in its list."""
    found: bool = await tx.fetchval(
        f"SELECT EXISTS (SELECT 1 FROM purchases WHERE {_side(tenant_id)} = $1 AND id = $2)", tenant_id, purchase_id
    )
    return found


def _side(tenant_id: str) -> str:
    return "merchant_id" if tenant_id.startswith("mer-") else "issuer_id"


async def sealed_columns(tx: Tx, issuer_id: str, purchase_id: str) -> asyncpg.Record:
    """Return what is sealed in a purchase's row."""
    row = await tx.fetchrow(
        "SELECT user_id_sealed, phone_sealed FROM purchases WHERE issuer_id = $1 AND id = $2", issuer_id, purchase_id
    )
    assert row is not None  # noqa: S101  # purchases are never deleted while they are open
    return row


async def is_expired(tx: Tx, issuer_id: str, purchase_id: str) -> bool:
    """True when a purchase's time is over by the database's clock."""
    return bool(
        await tx.fetchval("SELECT expires_at <= app_now() FROM purchases WHERE issuer_id = $1 AND id = $2", issuer_id, purchase_id)
    )


async def count_resend(tx: Tx, issuer_id: str, purchase_id: str, *, at_most: int) -> int | None:
    """Use up one sending of an open purchase and return which it was; None when it is not open or was sent often enough."""
    number: int | None = await tx.fetchval(
        """UPDATE purchases SET resends = resends + 1, changed_at = app_now()
           WHERE issuer_id = $1 AND id = $2 AND state IN ('pending', 'rejected') AND resends < $3 AND expires_at > app_now()
           RETURNING resends""",
        issuer_id, purchase_id, at_most,
    )  # fmt: skip
    return number


async def set_challenge(tx: Tx, issuer_id: str, purchase_id: str, challenge_id: str) -> None:
    """Let a newer challenge, whose code is sent, take the place of the one before."""
    await tx.execute(
        "UPDATE purchases SET challenge_id = $3, code = nullif(code, $4) WHERE issuer_id = $1 AND id = $2",
        issuer_id, purchase_id, challenge_id, IssuerCode.UNKNOWN_ERROR,
    )  # fmt: skip


async def remember_code(tx: Tx, issuer_id: str, code_hash: bytes, purchase_id: str) -> bool:
    """Note that a code is about to be sent to the issuer; False when it was sent before and not refused."""
    tag = await tx.execute(
        "INSERT INTO forwarded_codes (issuer_id, code_hash, purchase_id) VALUES ($1, $2, $3) ON CONFLICT DO NOTHING",
        issuer_id, code_hash, purchase_id,
    )  # fmt: skip
    return tag == "INSERT 0 1"


async def drop_code(tx: Tx, issuer_id: str, code_hash: bytes, purchase_id: str) -> None:
    """Forget a code that the issuer certainly refused: it may be the right one another time."""
    await tx.execute(
        "DELETE FROM forwarded_codes WHERE issuer_id = $1 AND code_hash = $2 AND purchase_id = $3",
        issuer_id,
        code_hash,
        purchase_id,
    )


async def use_proof(tx: Tx, issuer_id: str, purchase_id: str, reference_hash: bytes) -> datetime | None:
    """Use a purchase's proof for one reference, once; the same reference again gets the same answer. None: used for another."""
    used: datetime | None = await tx.fetchval(
        """UPDATE purchases SET proof_reference_hash = $3, proof_used_at = coalesce(proof_used_at, app_now())
           WHERE issuer_id = $1 AND id = $2 AND (proof_reference_hash IS NULL OR proof_reference_hash = $3)
           RETURNING proof_used_at""",
        issuer_id, purchase_id, reference_hash,
    )  # fmt: skip
    return used


async def is_proof_alive(tx: Tx, issuer_id: str, purchase_id: str, *, seconds: int) -> bool:
    """True while a purchase's proof may be used, by the database's clock."""
    return bool(
        await tx.fetchval(
            """SELECT authenticated_at + make_interval(secs => $3) > app_now() FROM purchases WHERE issuer_id = $1 AND id = $2""",
            issuer_id,
            purchase_id,
            seconds,
        )  # fmt: skip
    )


async def take_overdue(tx: Tx, *, claim_seconds: int, limit: int) -> list[tuple[str, str, PurchaseState]]:
    """Return purchases whose time, or whose question to an issuer, is over; another worker skips them. As the worker."""
    rows = await tx.fetch(
        """SELECT issuer_id, id, state FROM purchases
           WHERE (state IN ('pending', 'rejected') AND expires_at <= app_now())
              OR (state IN ('asking', 'judging') AND claimed_at <= app_now() - make_interval(secs => $1))
           LIMIT $2 FOR UPDATE SKIP LOCKED""",
        claim_seconds, limit,
    )  # fmt: skip
    return [(row[0], row[1], PurchaseState(row[2])) for row in rows]


async def forget_codes(tx: Tx) -> int:
    """Remove codes that were sent to issuers long ago, a batch at a time; as the worker."""
    tag = await tx.execute(
        """DELETE FROM forwarded_codes WHERE ctid = ANY(ARRAY(
           SELECT ctid FROM forwarded_codes WHERE created_at < app_now() - interval '30 days' LIMIT 5000))"""
    )
    return int(tag.split()[1])
