"""Customer account requests and shares."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, fields
from datetime import datetime
from typing import Any

import asyncpg

from strongroom.funds.model import AccountRequest, Page, Share
from strongroom.funds.states import AccountRequestState, ShareState
from strongroom.kit.db import Tx

_REQUEST = ", ".join(field.name for field in fields(AccountRequest))
_SHARE = ", ".join(field.name for field in fields(Share))
_ENDED_WITHOUT = "('declined', 'abandoned', 'closed', 'failed')"


@dataclass(frozen=True, slots=True)
class Standing:
    """How far a request has come: how many shares are under way, and which customers have shared."""

    under_way: int
    shared: frozenset[str]


def _request(row: asyncpg.Record) -> AccountRequest:
    return AccountRequest(**{**dict(row), "state": AccountRequestState(row["state"]), "asked": tuple(row["asked"])})


def _share(row: asyncpg.Record) -> Share:
    match = row["name_match"]
    parsed = {"agreed": json.loads(row["agreed"]), "name_match": json.loads(match) if match else None}
    return Share(**{**dict(row), **parsed, "state": ShareState(row["state"])})


async def add_request(
    tx: Tx,
    firm_id: str,
    request_id: str,
    *,
    case_id: str,
    customer_id: str | None,
    asked: list[str],
    expires_at: datetime | None,
    notify: bool,
) -> None:
    """Insert a request."""
    await tx.execute(
        """INSERT INTO account_requests (firm_id, id, case_id, customer_id, asked, expires_at, notify)
           VALUES ($1, $2, $3, $4, $5, $6, $7)""",
        firm_id, request_id, case_id, customer_id, asked, expires_at, notify,
    )  # fmt: skip


async def find_request(tx: Tx, firm_id: str, request_id: str, *, lock: bool = False) -> AccountRequest | None:
    """Return a request; with `lock`, neither it nor its shares move until the transaction ends (every move takes this lock)."""
    row = await tx.fetchrow(
        f"SELECT {_REQUEST} FROM account_requests WHERE firm_id = $1 AND id = $2 {'FOR UPDATE' if lock else ''}",
        firm_id,
        request_id,
    )
    return _request(row) if row else None


async def list_requests(tx: Tx, firm_id: str, page: Page) -> list[AccountRequest]:
    """Return one more than the page holds, newest first."""
    rows = await tx.fetch(
        f"""SELECT {_REQUEST} FROM account_requests WHERE firm_id = $1
            AND ($2::text IS NULL
                 OR (created_at, id) < (SELECT created_at, id FROM account_requests WHERE firm_id = $1 AND id = $2))
            AND ($3::text IS NULL OR case_id = $3) AND ($4::text IS NULL OR state = $4)
            AND ($5::timestamptz IS NULL OR created_at > $5) AND ($6::timestamptz IS NULL OR created_at < $6)
            AND ($7::text IS NULL OR case_id IN (SELECT id FROM cases WHERE firm_id = $1 AND case_ref = $7))
            ORDER BY created_at DESC, id DESC LIMIT $8""",
        firm_id, page.after, page.case_id, page.status, page.created_after, page.created_before, page.case_ref, page.limit + 1,
    )  # fmt: skip
    return [_request(row) for row in rows]


async def requests_for_customer(tx: Tx, firm_id: str, case_id: str, customer_id: str) -> list[AccountRequest]:
    """Return what a customer is asked to share in a case, newest first."""
    rows = await tx.fetch(
        f"""SELECT {_REQUEST} FROM account_requests WHERE firm_id = $1 AND case_id = $2 AND $3 = ANY(asked)
            ORDER BY created_at DESC, id DESC LIMIT 200""",
        firm_id, case_id, customer_id,
    )  # fmt: skip
    return [_request(row) for row in rows]


async def is_over(tx: Tx, firm_id: str, request_id: str) -> bool:
    """True when the request's time is over by the database's clock."""
    over: bool = await tx.fetchval(
        "SELECT coalesce(expires_at <= app_now(), false) FROM account_requests WHERE firm_id = $1 AND id = $2", firm_id, request_id
    )
    return over


async def freeze(tx: Tx, firm_id: str, request_id: str, failure_code: str, failure_message: str) -> bool:
    """Freeze a request that a customer does not recognise, also one that they have answered; False when it is frozen or over."""
    tag = await tx.execute(
        """UPDATE account_requests SET frozen_at = app_now(), changed_at = app_now(), last_failure_code = $3,
               last_failure_message = $4
           WHERE firm_id = $1 AND id = $2 AND frozen_at IS NULL AND state IN ('requested', 'authorising', 'completed')""",
        firm_id, request_id, failure_code, failure_message,
    )  # fmt: skip
    return tag == "UPDATE 1"


async def release(tx: Tx, firm_id: str, request_id: str) -> None:
    """Let a frozen request go on."""
    await tx.execute(
        "UPDATE account_requests SET frozen_at = NULL, changed_at = app_now() WHERE firm_id = $1 AND id = $2", firm_id, request_id
    )


async def note_failure(tx: Tx, firm_id: str, request_id: str, failure_code: str, failure_message: str) -> None:
    """Keep why the last attempt came to nothing; other customers' attempts may go on."""
    await tx.execute(
        """UPDATE account_requests SET last_failure_code = $3, last_failure_message = $4, changed_at = app_now()
           WHERE firm_id = $1 AND id = $2""",
        firm_id, request_id, failure_code, failure_message,
    )  # fmt: skip


async def claim_expired(tx: Tx, limit: int) -> list[asyncpg.Record]:
    """Lock requests whose time is over and that no share keeps alive."""
    return await tx.fetch(
        """SELECT firm_id, id FROM account_requests WHERE state = 'requested' AND expires_at <= app_now()
           ORDER BY expires_at LIMIT $1 FOR UPDATE SKIP LOCKED""",
        limit,
    )


async def standing(tx: Tx, firm_id: str, request_id: str) -> Standing:
    """Count a request's shares; true only while the request is locked."""
    row = await tx.fetchrow(
        f"""SELECT count(*) FILTER (WHERE state <> 'shared') AS under_way,
                   coalesce(array_agg(customer_id) FILTER (WHERE state = 'shared'), '{{}}') AS shared
            FROM shares WHERE firm_id = $1 AND request_id = $2 AND state NOT IN {_ENDED_WITHOUT}""",
        firm_id, request_id,
    )  # fmt: skip
    assert row is not None  # noqa: S101  # an aggregate always has one row
    return Standing(row["under_way"], frozenset(row["shared"]))


async def add_share(
    tx: Tx,
    firm_id: str,
    share_id: str,
    *,
    request_id: str,
    customer_id: str,
    bank_id: str,
    browser_hash: bytes,
    agreed: Mapping[str, Any],
    state_hash: bytes,
    life_seconds: int,
    claim_seconds: int,
) -> datetime | None:
    """Claim a customer's one live share of a request; None when another is live or done.

    Return until when the bank is to let us read: long enough for every step, and soon over if the consent cannot be closed.
    The entry by which the bank's return is found comes too.
    """
    access_until: datetime | None = await tx.fetchval(
        f"""WITH claimed AS (
                INSERT INTO shares (firm_id, id, request_id, customer_id, bank_id, browser_hash, agreed, expires_at, due_at)
                VALUES ($1, $2, $3, $4, $5, $6, $7::jsonb,
                    app_now() + make_interval(secs => $9), app_now() + make_interval(secs => $10))
                ON CONFLICT (firm_id, request_id, customer_id) WHERE state NOT IN {_ENDED_WITHOUT} DO NOTHING
                RETURNING firm_id, id, expires_at),
            found AS (INSERT INTO directory (kind, key_hash, tenant_id, object_id)
                      SELECT 'share_state', $8, firm_id, id FROM claimed)
            SELECT expires_at + interval '1 hour' FROM claimed""",
        firm_id, share_id, request_id, customer_id, bank_id, browser_hash, json.dumps(agreed), state_hash,
        life_seconds, claim_seconds,
    )  # fmt: skip
    return access_until


async def find_share(tx: Tx, firm_id: str, share_id: str) -> Share | None:
    """Return a share; whoever must have it stay as it is locks its request."""
    row = await tx.fetchrow(f"SELECT {_SHARE} FROM shares WHERE firm_id = $1 AND id = $2", firm_id, share_id)
    return _share(row) if row else None


async def find_live_share(tx: Tx, firm_id: str, request_id: str, customer_id: str) -> Share | None:
    """Return a customer's share that is live or done, for a request."""
    row = await tx.fetchrow(
        f"""SELECT {_SHARE} FROM shares WHERE firm_id = $1 AND request_id = $2 AND customer_id = $3
            AND state NOT IN {_ENDED_WITHOUT}""",
        firm_id, request_id, customer_id,
    )  # fmt: skip
    return _share(row) if row else None


async def shares_of(tx: Tx, firm_id: str, request_id: str) -> list[Share]:
    """Return all attempts for a request, oldest first."""
    rows = await tx.fetch(
        f"SELECT {_SHARE} FROM shares WHERE firm_id = $1 AND request_id = $2 ORDER BY created_at, id LIMIT 500", firm_id, request_id
    )
    return [_share(row) for row in rows]


async def shares_of_customer(tx: Tx, firm_id: str, customer_id: str) -> list[Share]:
    """Return all attempts of a customer, newest first."""
    rows = await tx.fetch(
        f"SELECT {_SHARE} FROM shares WHERE firm_id = $1 AND customer_id = $2 ORDER BY created_at DESC, id LIMIT 200",
        firm_id, customer_id,
    )  # fmt: skip
    return [_share(row) for row in rows]


async def latest_shares(tx: Tx, firm_id: str, customer_id: str, request_ids: list[str]) -> list[Share]:
    """Return a customer's newest attempt for each request."""
    rows = await tx.fetch(
        f"""SELECT DISTINCT ON (request_id) {_SHARE} FROM shares
            WHERE firm_id = $1 AND customer_id = $2 AND request_id = ANY($3::text[]) ORDER BY request_id, created_at DESC""",
        firm_id, customer_id, request_ids,
    )  # fmt: skip
    return [_share(row) for row in rows]


async def sealed_columns(tx: Tx, firm_id: str, share_id: str) -> asyncpg.Record | None:
    """Return what is sealed in a share's row."""
    return await tx.fetchrow(
        """SELECT memory_sealed, url_sealed, return_sealed, grant_sealed, accounts_sealed, details_sealed
           FROM shares WHERE firm_id = $1 AND id = $2""",
        firm_id, share_id,
    )  # fmt: skip


async def find_by_state(tx: Tx, state_hash: bytes) -> tuple[str, str] | None:
    """Return (firm, share) that the bank's return belongs to."""
    row = await tx.fetchrow("SELECT tenant_id, object_id FROM directory WHERE kind = 'share_state' AND key_hash = $1", state_hash)
    return (row[0], row[1]) if row else None


async def claim_due(tx: Tx, *, lease_seconds: int) -> asyncpg.Record | None:
    """Take the share that has been due longest, for as long as the lease; another worker skips it."""
    return await tx.fetchrow(
        """UPDATE shares SET due_at = app_now() + make_interval(secs => $1), lease_until = app_now() + make_interval(secs => $1),
               tries = tries + 1
           WHERE (firm_id, id) = (SELECT firm_id, id FROM shares WHERE due_at <= app_now() ORDER BY due_at LIMIT 1
                                  FOR UPDATE SKIP LOCKED)
           RETURNING firm_id, id, state""",
        lease_seconds,
    )


async def set_due(tx: Tx, firm_id: str, share_id: str, *, state: str, in_seconds: float | None) -> None:
    """Say when a share is to be looked at next (None: never), if it is still in the state that was judged."""
    await tx.execute(
        """UPDATE shares SET due_at = app_now() + make_interval(secs => $4::float8), lease_until = NULL
           WHERE firm_id = $1 AND id = $2 AND state = $3""",
        firm_id, share_id, state, in_seconds,
    )  # fmt: skip


async def extend(tx: Tx, firm_id: str, share_id: str, seconds: float) -> None:
    """Give the customer this much time for the next thing that only they can do."""
    await tx.execute(
        "UPDATE shares SET expires_at = app_now() + make_interval(secs => $3::float8) WHERE firm_id = $1 AND id = $2",
        firm_id, share_id, seconds,
    )  # fmt: skip


async def ages(tx: Tx, firm_id: str, share_id: str) -> asyncpg.Record:
    """Return how long ago things happened to a share, in seconds by the database's clock (None: never)."""
    row = await tx.fetchrow(
        """SELECT extract(epoch FROM app_now() - returned_at)::float8 AS returned,
                  extract(epoch FROM app_now() - ended_at)::float8 AS ended, expires_at <= app_now() AS expired
           FROM shares WHERE firm_id = $1 AND id = $2""",
        firm_id, share_id,
    )  # fmt: skip
    assert row is not None  # noqa: S101  # shares are never deleted
    return row


async def may_prove(tx: Tx, firm_id: str, share_id: str, browser_hash: bytes) -> bool:
    """True when a share waits for a fresh code, to be entered in this very browser."""
    found: bool = await tx.fetchval(
        "SELECT EXISTS (SELECT 1 FROM shares WHERE firm_id = $1 AND id = $2 AND browser_hash = $3 AND state = 'unproven')",
        firm_id, share_id, browser_hash,
    )  # fmt: skip
    return found


async def bind_challenge(tx: Tx, firm_id: str, share_id: str, browser_hash: bytes, challenge_id: str) -> bool:
    """Name the one challenge that proves a share; only for the browser that came back, only while it is unproven."""
    tag = await tx.execute(
        """UPDATE shares SET challenge_id = $4 WHERE firm_id = $1 AND id = $2 AND browser_hash = $3 AND state = 'unproven'""",
        firm_id, share_id, browser_hash, challenge_id,
    )  # fmt: skip
    return tag == "UPDATE 1"


async def find_challenge(tx: Tx, firm_id: str, share_id: str, browser_hash: bytes) -> str | None:
    """Return the challenge that this browser must pass."""
    found: str | None = await tx.fetchval(
        "SELECT challenge_id FROM shares WHERE firm_id = $1 AND id = $2 AND browser_hash = $3 AND state = 'unproven'",
        firm_id, share_id, browser_hash,
    )  # fmt: skip
    return found


async def take_return(tx: Tx, firm_id: str, share_id: str) -> bytes | None:
    """Claim the code of an unproven share by taking it out of the row; None when it is gone or the share has moved on."""
    taken: bytes | None = await tx.fetchval(
        """WITH held AS (SELECT firm_id, id, return_sealed FROM shares WHERE firm_id = $1 AND id = $2 AND state = 'unproven'
                         AND return_sealed IS NOT NULL FOR UPDATE)
           UPDATE shares AS s SET return_sealed = NULL FROM held WHERE s.firm_id = held.firm_id AND s.id = held.id
           RETURNING held.return_sealed""",
        firm_id, share_id,
    )  # fmt: skip
    return taken


async def keep_held(
    tx: Tx, firm_id: str, share_id: str, *, return_sealed: bytes | None = None, grant_sealed: bytes | None = None
) -> bool:
    """Put a code back, or keep the grant that it was exchanged for, unless the share has ended meanwhile."""
    tag = await tx.execute(
        """UPDATE shares SET return_sealed = $3, grant_sealed = $4 WHERE firm_id = $1 AND id = $2
           AND state IN ('unproven', 'returned') AND return_sealed IS NULL AND grant_sealed IS NULL""",
        firm_id, share_id, return_sealed, grant_sealed,
    )  # fmt: skip
    return tag == "UPDATE 1"


async def note_late_consent(tx: Tx, firm_id: str, share_id: str, consent_id: str, memory_sealed: bytes) -> None:
    """Keep a consent that was made for a share which has ended meanwhile, so that it is closed at the bank."""
    await tx.execute(
        f"""UPDATE shares SET consent_id = $3, memory_sealed = $4, consent_open = true, close_due_at = app_now()
            WHERE firm_id = $1 AND id = $2 AND consent_id IS NULL AND state IN {_ENDED_WITHOUT}""",
        firm_id, share_id, consent_id, memory_sealed,
    )  # fmt: skip


async def close_soon(tx: Tx, firm_id: str, share_id: str) -> None:
    """Have an open consent closed at the bank now."""
    await tx.execute(
        "UPDATE shares SET close_due_at = app_now() WHERE firm_id = $1 AND id = $2 AND consent_open", firm_id, share_id
    )


async def claim_close_due(tx: Tx, *, lease_seconds: int) -> asyncpg.Record | None:
    """Take the consent that has waited longest to be closed, for as long as the lease."""
    return await tx.fetchrow(
        """UPDATE shares SET close_due_at = app_now() + make_interval(secs => $1)
           WHERE (firm_id, id) = (SELECT firm_id, id FROM shares WHERE close_due_at <= app_now() ORDER BY close_due_at LIMIT 1
                                  FOR UPDATE SKIP LOCKED)
           RETURNING firm_id, id, bank_id, memory_sealed, extract(epoch FROM app_now() - created_at)::float8 AS age_seconds""",
        lease_seconds,
    )


async def set_close_due(tx: Tx, firm_id: str, share_id: str, in_seconds: float) -> None:
    """Try to close the consent again later."""
    await tx.execute(
        """UPDATE shares SET close_due_at = app_now() + make_interval(secs => $3::float8)
           WHERE firm_id = $1 AND id = $2 AND consent_open""",
        firm_id, share_id, in_seconds,
    )  # fmt: skip


async def mark_closed(tx: Tx, firm_id: str, share_id: str) -> bool:
    """Note that the bank holds no consent any more, and forget what was needed to speak of it."""
    tag = await tx.execute(
        """UPDATE shares SET consent_open = false, close_due_at = NULL, memory_sealed = NULL
           WHERE firm_id = $1 AND id = $2 AND consent_open""",
        firm_id, share_id,
    )  # fmt: skip
    return tag == "UPDATE 1"


async def erase_old(tx: Tx, *, days: int, limit: int) -> list[asyncpg.Record]:
    """Destroy shared account details of a certain age; return whose."""
    return await tx.fetch(
        """UPDATE shares SET details_sealed = NULL WHERE (firm_id, id) IN (
               SELECT firm_id, id FROM shares WHERE details_sealed IS NOT NULL
               AND shared_at <= app_now() - make_interval(days => $1) LIMIT $2 FOR UPDATE SKIP LOCKED)
           RETURNING firm_id, id""",
        days, limit,
    )  # fmt: skip
