"""Customer authentications, login grants and hosted logins."""

from __future__ import annotations

import json
from typing import Any

import asyncpg

from strongroom.funds.model import Authentication, Page
from strongroom.funds.states import AuthenticationState
from strongroom.kit.db import Tx

PORTAL = "portal"  # the tenant of logins, which belong to a person before they belong to a firm

_AUTHENTICATION = "firm_id, id, case_id, customer_id, state, invited_at, verified_at, created_at"


def _authentication(row: asyncpg.Record) -> Authentication:
    return Authentication(**{**dict(row), "state": AuthenticationState(row["state"])})


async def add_authentication(tx: Tx, firm_id: str, auth_id: str, case_id: str, customer_id: str) -> bool:
    """Insert an authentication unless the customer has one; False when they do."""
    tag = await tx.execute(
        """INSERT INTO authentications (firm_id, id, case_id, customer_id) VALUES ($1, $2, $3, $4)
           ON CONFLICT (firm_id, customer_id) WHERE state <> 'revoked' DO NOTHING""",
        firm_id, auth_id, case_id, customer_id,
    )  # fmt: skip
    return tag == "INSERT 0 1"


async def find_authentication(tx: Tx, firm_id: str, auth_id: str) -> Authentication | None:
    """Return an authentication."""
    row = await tx.fetchrow(f"SELECT {_AUTHENTICATION} FROM authentications WHERE firm_id = $1 AND id = $2", firm_id, auth_id)
    return _authentication(row) if row else None


async def find_authentication_of(tx: Tx, firm_id: str, customer_id: str) -> Authentication | None:
    """Return a customer's authentication that is not revoked."""
    row = await tx.fetchrow(
        f"SELECT {_AUTHENTICATION} FROM authentications WHERE firm_id = $1 AND customer_id = $2 AND state <> 'revoked'",
        firm_id, customer_id,
    )  # fmt: skip
    return _authentication(row) if row else None


async def list_authentications(tx: Tx, firm_id: str, page: Page) -> list[Authentication]:
    """Return one more than the page holds, newest first."""
    rows = await tx.fetch(
        f"""SELECT {_AUTHENTICATION} FROM authentications WHERE firm_id = $1
            AND ($2::text IS NULL
                 OR (created_at, id) < (SELECT created_at, id FROM authentications WHERE firm_id = $1 AND id = $2))
            AND ($3::text IS NULL OR case_id = $3) AND ($4::text IS NULL OR state = $4)
            AND ($5::timestamptz IS NULL OR created_at > $5) AND ($6::timestamptz IS NULL OR created_at < $6)
            AND ($7::text IS NULL OR case_id IN (SELECT id FROM cases WHERE firm_id = $1 AND case_ref = $7))
            ORDER BY created_at DESC, id DESC LIMIT $8""",
        firm_id, page.after, page.case_id, page.status, page.created_after, page.created_before, page.case_ref, page.limit + 1,
    )  # fmt: skip
    return [_authentication(row) for row in rows]


async def mark_invited(tx: Tx, firm_id: str, customer_id: str) -> None:
    """Note that the link was sent."""
    await tx.execute(
        "UPDATE authentications SET invited_at = app_now() WHERE firm_id = $1 AND customer_id = $2 AND state <> 'revoked'",
        firm_id, customer_id,
    )  # fmt: skip


async def add_identity(tx: Tx, firm_id: str, customer_id: str, identity_hash: bytes) -> None:
    """Let a login find this customer by e-mail and date of birth."""
    await tx.execute(
        """INSERT INTO directory (kind, key_hash, tenant_id, object_id) VALUES ('identity', $1, $2, $3)
           ON CONFLICT DO NOTHING""",
        identity_hash, firm_id, customer_id,
    )  # fmt: skip


async def remove_identity(tx: Tx, firm_id: str, customer_id: str, identity_hash: bytes) -> None:
    """Let no login find this customer any more."""
    await tx.execute(
        "DELETE FROM directory WHERE kind = 'identity' AND key_hash = $1 AND tenant_id = $2 AND object_id = $3",
        identity_hash, firm_id, customer_id,
    )  # fmt: skip


async def move_identity(tx: Tx, firm_id: str, customer_id: str, old_hash: bytes, new_hash: bytes) -> None:
    """Follow a change of e-mail or date of birth, where a login could find the customer before."""
    if old_hash == new_hash:
        return
    await tx.execute(
        """WITH gone AS (DELETE FROM directory WHERE kind = 'identity' AND key_hash = $1 AND tenant_id = $3 AND object_id = $4
                         RETURNING 1)
           INSERT INTO directory (kind, key_hash, tenant_id, object_id) SELECT 'identity', $2, $3, $4 FROM gone
           ON CONFLICT DO NOTHING""",
        old_hash, new_hash, firm_id, customer_id,
    )  # fmt: skip


async def customers_behind(tx: Tx, identity_hash: bytes) -> list[tuple[str, str]]:
    """Return (firm, customer) of everybody with this e-mail and date of birth who may log in; at most 200."""
    rows = await tx.fetch(
        """SELECT tenant_id, object_id FROM directory WHERE kind = 'identity' AND key_hash = $1
           ORDER BY tenant_id, object_id LIMIT 200""",
        identity_hash,
    )  # fmt: skip
    return [(row[0], row[1]) for row in rows]


async def add_grant(tx: Tx, firm_id: str, grant_hash: bytes, case_id: str, customer_id: str) -> None:
    """Insert a login grant and the entry by which it is found before the firm is known."""
    await tx.execute(
        """WITH found AS (INSERT INTO directory (kind, key_hash, tenant_id, object_id) VALUES ('grant', $2, $1, $4))
           INSERT INTO login_grants (firm_id, grant_hash, case_id, customer_id) VALUES ($1, $2, $3, $4)""",
        firm_id, grant_hash, case_id, customer_id,
    )  # fmt: skip


async def find_firm_of_grant(tx: Tx, grant_hash: bytes) -> str | None:
    """Return the firm that a grant belongs to."""
    found: str | None = await tx.fetchval("SELECT tenant_id FROM directory WHERE kind = 'grant' AND key_hash = $1", grant_hash)
    return found


async def open_grant(tx: Tx, firm_id: str, grant_hash: bytes, handle_hash: bytes, *, life_seconds: int) -> bool:
    """Give a browser a handle on a grant that is unused and in time; False when it is not."""
    tag = await tx.execute(
        """INSERT INTO grant_handles (firm_id, handle_hash, grant_hash)
           SELECT firm_id, $3, grant_hash FROM login_grants WHERE firm_id = $1 AND grant_hash = $2
           AND used_at IS NULL AND issued_at > app_now() - make_interval(secs => $4)
           AND (SELECT count(*) FROM grant_handles h WHERE h.firm_id = $1 AND h.grant_hash = $2) < 50""",
        firm_id, grant_hash, handle_hash, life_seconds,
    )  # fmt: skip
    return tag == "INSERT 0 1"


async def use_grant(
    tx: Tx, firm_id: str, grant_hash: bytes, handle_hash: bytes, *, handle_life_seconds: int
) -> asyncpg.Record | None:
    """Use a grant up through a handle that is in time; one of any number of simultaneous uses gets the row."""
    return await tx.fetchrow(
        """UPDATE login_grants AS g SET used_at = app_now()
           WHERE g.firm_id = $1 AND g.grant_hash = $2 AND g.used_at IS NULL AND EXISTS (
               SELECT 1 FROM grant_handles h WHERE h.firm_id = $1 AND h.grant_hash = $2 AND h.handle_hash = $3
               AND h.opened_at > app_now() - make_interval(secs => $4))
           RETURNING g.case_id, g.customer_id""",
        firm_id, grant_hash, handle_hash, handle_life_seconds,
    )  # fmt: skip


async def forget_old_grants(tx: Tx) -> int:
    """Remove grants of yesterday and the entries that led to them."""
    rows = await tx.fetch("DELETE FROM login_grants WHERE issued_at < app_now() - interval '1 day' RETURNING grant_hash")
    await tx.execute(
        "DELETE FROM directory WHERE kind = 'grant' AND key_hash = ANY($1::bytea[])", [row["grant_hash"] for row in rows]
    )
    return len(rows)


async def add_hosted_login(tx: Tx, browser_hash: bytes, identity_hash: bytes, challenge_id: str) -> None:
    """Insert one browser's login; a job looks the person up and sends codes."""
    await tx.execute(
        """INSERT INTO hosted_logins (tenant_id, browser_hash, identity_hash, challenge_id, dispatch_due_at)
           VALUES ($1, $2, $3, $4, app_now())""",
        PORTAL, browser_hash, identity_hash, challenge_id,
    )  # fmt: skip


async def newest_login(tx: Tx, browser_hash: bytes, *, lock: bool = False) -> asyncpg.Record | None:
    """Return the newest login of a browser that has not ended, with how long ago its code was asked for."""
    return await tx.fetchrow(
        f"""SELECT browser_hash, identity_hash, challenge_id, covers, created_at,
                   extract(epoch FROM app_now() - created_at)::float8 AS age_seconds
            FROM hosted_logins WHERE tenant_id = $1 AND browser_hash = $2 AND ended_at IS NULL
            AND created_at > app_now() - interval '30 minutes'
            ORDER BY created_at DESC LIMIT 1 {'FOR UPDATE' if lock else ''}""",
        PORTAL, browser_hash,
    )  # fmt: skip


async def claim_dispatch(tx: Tx, limit: int) -> list[asyncpg.Record]:
    """Take logins whose codes are to be sent; they are locked until this transaction ends."""
    return await tx.fetch(
        """UPDATE hosted_logins SET dispatch_due_at = NULL, sent_at = app_now()
           WHERE (tenant_id, browser_hash, challenge_id) IN (
               SELECT tenant_id, browser_hash, challenge_id FROM hosted_logins WHERE dispatch_due_at <= app_now()
               ORDER BY dispatch_due_at LIMIT $1 FOR UPDATE SKIP LOCKED)
           RETURNING browser_hash, identity_hash, challenge_id""",
        limit,
    )


async def set_covers(tx: Tx, browser_hash: bytes, challenge_id: str, covers: list[list[list[str]]]) -> None:
    """Note which customers each code that was sent stands for."""
    await tx.execute(
        "UPDATE hosted_logins SET covers = $4::jsonb WHERE tenant_id = $1 AND browser_hash = $2 AND challenge_id = $3",
        PORTAL, browser_hash, challenge_id, json.dumps(covers),
    )  # fmt: skip


async def end_login(tx: Tx, browser_hash: bytes, challenge_id: str) -> None:
    """Mark a login as over."""
    await tx.execute(
        "UPDATE hosted_logins SET ended_at = app_now() WHERE tenant_id = $1 AND browser_hash = $2 AND challenge_id = $3",
        PORTAL, browser_hash, challenge_id,
    )  # fmt: skip


async def forget_old_logins(tx: Tx) -> int:
    """Remove logins of last week."""
    tag = await tx.execute("DELETE FROM hosted_logins WHERE created_at < app_now() - interval '7 days'")
    return int(tag.split()[1])


def covers_of(row: Any) -> list[list[tuple[str, str, str]]]:
    """Read the covers of a login: per code, the (firm, case, customer) records it opens."""
    return [[(one[0], one[1], one[2]) for one in group] for group in json.loads(row["covers"])]
