"""SQL of endpoints."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

import asyncpg

from strongroom.kit.db import Tx
from strongroom.webhooks.model import DisabledReason, EventType

_COLUMNS = """id, url_sealed, description, event_types, include_account_details, signing_key_sealed IS NOT NULL AS has_signing_key,
              CASE WHEN old_secret_until > app_now() THEN old_secret_until END AS old_secret_until,
              disabled_reason, failing_since, created_at"""


async def count_and_lock(tx: Tx, firm_id: str) -> int:
    """Return how many endpoints a firm has; nobody else can add one before this transaction ends."""
    await tx.execute("SELECT pg_advisory_xact_lock(hashtextextended('webhook endpoints ' || $1, 0))", firm_id)
    count: int = await tx.fetchval("SELECT count(*) FROM webhook_endpoints WHERE firm_id = $1 AND deleted_at IS NULL", firm_id)
    return count


async def insert_endpoint(
    tx: Tx,
    firm_id: str,
    endpoint_id: str,
    *,
    url_sealed: bytes,
    description: str,
    event_types: Sequence[EventType],
    secret_sealed: bytes,
    signing_key_sealed: bytes | None,
) -> None:
    """Write a new endpoint."""
    await tx.execute(
        """INSERT INTO webhook_endpoints (firm_id, id, url_sealed, description, event_types, secret_sealed, signing_key_sealed)
           VALUES ($1, $2, $3, $4, $5, $6, $7)""",
        firm_id, endpoint_id, url_sealed, description, list(event_types), secret_sealed, signing_key_sealed,
    )  # fmt: skip


async def find_endpoint(tx: Tx, firm_id: str, endpoint_id: str) -> asyncpg.Record | None:
    """Return one endpoint that is not deleted."""
    return await tx.fetchrow(
        f"SELECT {_COLUMNS} FROM webhook_endpoints WHERE firm_id = $1 AND id = $2 AND deleted_at IS NULL", firm_id, endpoint_id
    )


async def lock_endpoint(tx: Tx, firm_id: str, endpoint_id: str) -> None:
    """Keep others from changing an endpoint until this transaction ends."""
    await tx.execute("SELECT FROM webhook_endpoints WHERE firm_id = $1 AND id = $2 FOR UPDATE", firm_id, endpoint_id)


async def list_endpoints(tx: Tx, firm_id: str) -> list[asyncpg.Record]:
    """Return a firm's endpoints, newest first."""
    return await tx.fetch(
        f"""SELECT {_COLUMNS} FROM webhook_endpoints
            WHERE firm_id = $1 AND deleted_at IS NULL ORDER BY created_at DESC, id""",
        firm_id,
    )


async def update_endpoint(
    tx: Tx,
    firm_id: str,
    endpoint_id: str,
    *,
    url_sealed: bytes | None,
    description: str | None,
    event_types: Sequence[EventType] | None,
) -> None:
    """Change what is given. A new address loses the right to account details, which two people gave to the old one."""
    await tx.execute(
        """UPDATE webhook_endpoints SET
               url_sealed = coalesce($3, url_sealed),
               include_account_details = include_account_details AND $3::bytea IS NULL,
               proven = proven AND $3::bytea IS NULL,
               description = coalesce($4, description),
               event_types = coalesce($5::text[], event_types),
               changed_at = app_now()
           WHERE firm_id = $1 AND id = $2 AND deleted_at IS NULL""",
        firm_id, endpoint_id, url_sealed, description, None if event_types is None else list(event_types),
    )  # fmt: skip


async def rotate_secret(tx: Tx, firm_id: str, endpoint_id: str, secret_sealed: bytes, overlap_seconds: int) -> datetime | None:
    """Put a new secret before the present one, which stays valid for a while; return until when, None when there is none."""
    until: datetime | None = await tx.fetchval(
        """UPDATE webhook_endpoints SET old_secret_sealed = secret_sealed, secret_sealed = $3,
               old_secret_until = app_now() + make_interval(secs => $4), changed_at = app_now()
           WHERE firm_id = $1 AND id = $2 AND deleted_at IS NULL RETURNING old_secret_until""",
        firm_id, endpoint_id, secret_sealed, overlap_seconds,
    )  # fmt: skip
    return until


async def disable(tx: Tx, firm_id: str, endpoint_id: str, reason: DisabledReason) -> bool:
    """Disable an endpoint and drop what was on its way; False when it was not enabled."""
    tag = await tx.execute(
        """UPDATE webhook_endpoints SET disabled_at = app_now(), disabled_reason = $3, proven = false, changed_at = app_now()
           WHERE firm_id = $1 AND id = $2 AND deleted_at IS NULL AND disabled_at IS NULL""",
        firm_id, endpoint_id, reason,
    )  # fmt: skip
    await _drop_deliveries(tx, firm_id, endpoint_id)
    return tag == "UPDATE 1"


async def enable(tx: Tx, firm_id: str, endpoint_id: str) -> bool:
    """Enable an endpoint with a clean slate; False when it was enabled."""
    tag = await tx.execute(
        """UPDATE webhook_endpoints SET disabled_at = NULL, disabled_reason = NULL, failing_since = NULL, throttled_until = NULL,
               changed_at = app_now()
           WHERE firm_id = $1 AND id = $2 AND deleted_at IS NULL AND disabled_at IS NOT NULL""",
        firm_id, endpoint_id,
    )  # fmt: skip
    return tag == "UPDATE 1"


async def delete(tx: Tx, firm_id: str, endpoint_id: str) -> bool:
    """Delete an endpoint with its secrets; its past deliveries stay listed. False when there is none."""
    tag = await tx.execute(
        """UPDATE webhook_endpoints SET deleted_at = app_now(), secret_sealed = '', old_secret_sealed = NULL,
               signing_key_sealed = NULL, url_sealed = '', description = ''
           WHERE firm_id = $1 AND id = $2 AND deleted_at IS NULL""",
        firm_id, endpoint_id,
    )  # fmt: skip
    await _drop_deliveries(tx, firm_id, endpoint_id)
    return tag == "UPDATE 1"


async def set_account_details(tx: Tx, firm_id: str, endpoint_id: str, *, included: bool) -> bool:
    """Set whether an endpoint gets account details; False when there is none or it is so already."""
    tag = await tx.execute(
        """UPDATE webhook_endpoints SET include_account_details = $3, changed_at = app_now()
           WHERE firm_id = $1 AND id = $2 AND deleted_at IS NULL AND include_account_details <> $3""",
        firm_id, endpoint_id, included,
    )  # fmt: skip
    return tag == "UPDATE 1"


async def _drop_deliveries(tx: Tx, firm_id: str, endpoint_id: str) -> None:
    """End all open deliveries, in the order in which everybody locks them."""
    await tx.execute(
        """WITH open AS (
               SELECT firm_id, id FROM webhook_deliveries
               WHERE firm_id = $1 AND endpoint_id = $2 AND outcome IS NULL ORDER BY place FOR UPDATE
           )
           UPDATE webhook_deliveries AS delivery SET outcome = 'dropped', due_at = NULL, claim = NULL, ended_at = app_now()
           FROM open WHERE delivery.firm_id = open.firm_id AND delivery.id = open.id""",
        firm_id, endpoint_id,
    )  # fmt: skip
