"""SQL of messages, their receipts and texts."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from strongroom.kit.db import Tx
from strongroom.kit.jobs import NOTIFY
from strongroom.notify.model import REFUSED_LATER, Claimed, Due, Purpose, Reported
from strongroom.notify.port import Receipt

LEASE_SECONDS = 60


async def insert_message(
    tx: Tx,
    tenant_id: str,
    message_id: str,
    *,
    key_hash: bytes,
    recipient_hash: bytes,
    prefix_hash: bytes,
    country: str,
    recipient_sealed: bytes,
    text_sealed: bytes,
    purpose: Purpose,
    sender: str,
    no_log: bool,
    valid_until: datetime,
    not_before: datetime | None = None,
) -> bool:
    """Queue a message; False when its key was used before (a rival with the same key is waited for)."""
    tag = await tx.execute(
        """INSERT INTO messages (tenant_id, id, key_hash, recipient_hash, recipient_sealed, text_sealed, purpose, urgent,
                                 sender, no_log, valid_until, due_at, prefix_hash, country)
           VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, coalesce($12, app_now()), $13, $14)
           ON CONFLICT (tenant_id, key_hash) DO NOTHING""",
        tenant_id, message_id, key_hash, recipient_hash, recipient_sealed, text_sealed, purpose, purpose.is_code,
        sender, no_log, valid_until, not_before, prefix_hash, country,
    )  # fmt: skip
    return tag == "INSERT 0 1"


async def get_id_by_key(tx: Tx, tenant_id: str, key_hash: bytes) -> str:
    """Return the message that a key made."""
    return str(await tx.fetchval("SELECT id FROM messages WHERE tenant_id = $1 AND key_hash = $2", tenant_id, key_hash))


async def take_back(tx: Tx, tenant_id: str, message_id: str) -> None:
    """Remove a message that this very transaction queued."""
    await tx.execute("DELETE FROM messages WHERE tenant_id = $1 AND id = $2 AND state = 'queued'", tenant_id, message_id)


async def mark_used(tx: Tx, tenant_id: str, key_hash: bytes) -> tuple[str, str, str] | None:
    """Note that the code of a message was accepted; return purpose, country and gateway, or None when there is nothing to note."""
    row = await tx.fetchrow(
        """UPDATE messages SET used_at = app_now() WHERE tenant_id = $1 AND key_hash = $2 AND used_at IS NULL
           RETURNING purpose, country, coalesce(gateway, '')""",
        tenant_id, key_hash,
    )  # fmt: skip
    return (row[0], row[1], row[2]) if row else None


async def labels_of(tx: Tx, tenant_id: str, message_id: str) -> tuple[str, str, str]:
    """Return what a message is counted by: purpose, country and gateway."""
    row = await tx.fetchrow(
        "SELECT purpose, country, coalesce(gateway, '') FROM messages WHERE tenant_id = $1 AND id = $2", tenant_id, message_id
    )
    assert row is not None  # noqa: S101  # it was moved a moment ago
    return row[0], row[1], row[2]


async def wake_worker(tx: Tx) -> None:
    """Tell the workers when this transaction has committed."""
    await tx.execute(NOTIFY)


async def lock_due(tx: Tx, at_most: int) -> list[Due]:
    """Lock messages that are due, urgent ones first."""
    rows = await tx.fetch(
        """SELECT tenant_id, id, valid_until > app_now() + interval '1 second', tries, recipient_sealed,
                  CASE WHEN failure = $2 THEN gateway END
           FROM messages
           WHERE state = 'queued' AND due_at <= app_now() ORDER BY urgent DESC, due_at LIMIT $1 FOR UPDATE SKIP LOCKED""",
        at_most, REFUSED_LATER,
    )  # fmt: skip
    return [Due(*row) for row in rows]


async def read_claimed(tx: Tx, claim: str) -> list[Claimed]:
    """Return what was claimed under one claim."""
    rows = await tx.fetch(
        """SELECT tenant_id, id, claim, gateway, recipient_sealed, text_sealed, sender, no_log, valid_until, tries,
                  floor(extract(epoch FROM valid_until - app_now()))::int AS valid_seconds
           FROM messages WHERE claim = $1 AND state = 'sending' ORDER BY urgent DESC, created_at""",
        claim,
    )
    return [
        Claimed(
            tenant_id=row["tenant_id"],
            id=row["id"],
            claim=row["claim"],
            gateway=row["gateway"],
            recipient_sealed=row["recipient_sealed"],
            text_sealed=row["text_sealed"],
            sender=row["sender"],
            no_log=row["no_log"],
            valid_until=row["valid_until"],
            valid_seconds=max(1, row["valid_seconds"]),
            tries=row["tries"],
        )
        for row in rows
    ]


async def time_after(tx: Tx, seconds: float) -> datetime:
    """Return the database's time some seconds from now."""
    at: datetime = await tx.fetchval("SELECT app_now() + make_interval(secs => $1)", float(seconds))
    return at


async def lock_abandoned(tx: Tx, at_most: int) -> list[tuple[str, str, str]]:
    """Lock messages whose sender vanished; return tenant, id and claim."""
    rows = await tx.fetch(
        f"""SELECT tenant_id, id, claim FROM messages
            WHERE state = 'sending' AND claimed_at < app_now() - interval '{LEASE_SECONDS} seconds'
            ORDER BY due_at LIMIT $1 FOR UPDATE SKIP LOCKED""",
        at_most,
    )
    return [(row["tenant_id"], row["id"], row["claim"]) for row in rows]


async def claim_doubtful(tx: Tx, claim: str, at_most: int, gateways: Sequence[str], *, asks: int) -> list[tuple[str, str, str]]:
    """Claim messages in doubt to ask their gateway, ever more rarely; return tenant, id and gateway."""
    rows = await tx.fetch(
        """UPDATE messages SET claim = $1, tries = tries + 1, due_at = app_now() + interval '20 seconds' * power(4, tries)
           WHERE (tenant_id, id) IN (
               SELECT tenant_id, id FROM messages
               WHERE state = 'unknown' AND due_at <= app_now() AND gateway = ANY($3::text[]) AND tries < $4
               ORDER BY due_at LIMIT $2 FOR UPDATE SKIP LOCKED)
           RETURNING tenant_id, id, gateway""",
        claim, at_most, list(gateways), asks,
    )  # fmt: skip
    return [(row["tenant_id"], row["id"], row["gateway"]) for row in rows]


async def is_alive(tx: Tx, tenant_id: str, message_id: str) -> bool:
    """True while a message is worth sending."""
    return bool(
        await tx.fetchval("SELECT valid_until > app_now() FROM messages WHERE tenant_id = $1 AND id = $2", tenant_id, message_id)
    )


async def insert_receipt(tx: Tx, gateway: str, provider_id: str, receipt: Receipt) -> None:
    """Keep a receipt; the same one again changes nothing."""
    await tx.execute(
        "INSERT INTO message_receipts (gateway, provider_id, receipt) VALUES ($1, $2, $3) ON CONFLICT DO NOTHING",
        gateway, provider_id, receipt,
    )  # fmt: skip


async def take_matched_receipts(tx: Tx, at_most: int) -> list[Reported]:
    """Take the receipts whose message is known by now, oldest first."""
    rows = await tx.fetch(
        """WITH matched AS (
               SELECT r.gateway, r.provider_id, r.receipt, r.received_at, m.tenant_id, m.id, m.tries, m.no_log,
                      m.text_sealed IS NOT NULL AS has_text
               FROM message_receipts r JOIN messages m ON m.gateway = r.gateway AND m.provider_id = r.provider_id
               ORDER BY r.received_at LIMIT $1
           ), taken AS (
               DELETE FROM message_receipts r USING matched
               WHERE (r.gateway, r.provider_id, r.receipt) = (matched.gateway, matched.provider_id, matched.receipt)
               RETURNING r.gateway, r.provider_id, r.receipt
           )
           SELECT matched.* FROM matched JOIN taken USING (gateway, provider_id, receipt) ORDER BY received_at""",
        at_most,
    )
    return [
        Reported(row["tenant_id"], row["id"], Receipt(row["receipt"]), row["tries"], row["has_text"], row["no_log"]) for row in rows
    ]


async def forget_old(tx: Tx, *, texts_days: int, messages_days: int) -> int:
    """Erase what old messages said and to whom, then the messages, a batch at a time; return how many rows changed."""
    tags = [
        await tx.execute(
            """UPDATE messages SET text_sealed = NULL WHERE (tenant_id, id) IN (
                   SELECT tenant_id, id FROM messages WHERE no_log AND text_sealed IS NOT NULL AND state <> 'queued'
                   AND created_at > app_now() - interval '30 days' AND valid_until < app_now() - interval '1 hour' LIMIT 1000)"""
        ),
        await tx.execute(
            """UPDATE messages SET text_sealed = NULL, recipient_sealed = NULL WHERE (tenant_id, id) IN (
                   SELECT tenant_id, id FROM messages WHERE recipient_sealed IS NOT NULL AND state <> 'queued'
                   AND created_at < app_now() - make_interval(days => $1) ORDER BY created_at LIMIT 1000)""",
            texts_days,
        ),
        await tx.execute(
            """DELETE FROM messages WHERE (tenant_id, id) IN (
                   SELECT tenant_id, id FROM messages WHERE created_at < app_now() - make_interval(days => $1)
                   ORDER BY created_at LIMIT 1000)""",
            messages_days,
        ),
        await tx.execute("DELETE FROM message_receipts WHERE received_at < app_now() - interval '7 days'"),
        await tx.execute("DELETE FROM message_numbers WHERE used_at[1] < app_now() - interval '2 days'"),
        *[
            await tx.execute(f"DELETE FROM {table} WHERE {column} < app_now() - make_interval(days => $1)", messages_days)
            for table, column in (("message_refusals", "hour"), ("message_pauses", "ends_at"))
        ],
    ]
    return sum(int(tag.split()[1]) for tag in tags)


async def find_text(tx: Tx, tenant_id: str, template: str) -> str | None:
    """Return a tenant's own wording, if it has one."""
    text: str | None = await tx.fetchval(
        "SELECT text FROM message_texts WHERE tenant_id = $1 AND template = $2", tenant_id, template
    )
    return text


async def upsert_text(tx: Tx, tenant_id: str, template: str, text: str) -> None:
    """Keep a tenant's own wording."""
    await tx.execute(
        """INSERT INTO message_texts (tenant_id, template, text) VALUES ($1, $2, $3)
           ON CONFLICT (tenant_id, template) DO UPDATE SET text = EXCLUDED.text, changed_at = app_now()""",
        tenant_id, template, text,
    )  # fmt: skip


async def delete_text(tx: Tx, tenant_id: str, template: str) -> None:
    """Go back to the catalogue's wording."""
    await tx.execute("DELETE FROM message_texts WHERE tenant_id = $1 AND template = $2", tenant_id, template)
