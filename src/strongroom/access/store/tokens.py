"""SQL of access tokens."""

from __future__ import annotations

from dataclasses import dataclass

import asyncpg

from strongroom.access.model import AccessToken, Scope
from strongroom.kit.db import Tx, columns

_COLUMNS = "id, firm_id, client_id, kind, name, scopes, certificate_hash, created_at, expires_at, revoked_at"


@dataclass(frozen=True, slots=True)
class NewToken:
    """A row to be."""

    token_hash: bytes
    id: str
    client_id: str
    kind: str
    name: str | None
    scopes: str  # joined by spaces, so that a batch's rows are plain columns
    certificate_hash: bytes | None
    lifetime_seconds: int | None


async def add(tx: Tx, firm_id: str, tokens: list[NewToken]) -> None:
    """Insert tokens of one firm."""
    rows = [(t.token_hash, t.id, t.client_id, t.kind, t.name, t.scopes, t.certificate_hash, t.lifetime_seconds) for t in tokens]
    await tx.execute(
        """INSERT INTO access_tokens (firm_id, token_hash, id, client_id, kind, name, scopes, certificate_hash, expires_at)
           SELECT $1, token_hash, id, client_id, kind, name, string_to_array(scopes, ' '), certificate_hash,
                  app_now() + make_interval(secs => lifetime)
           FROM unnest($2::bytea[], $3::text[], $4::text[], $5::text[], $6::text[], $7::text[], $8::bytea[], $9::int[])
                AS given (token_hash, id, client_id, kind, name, scopes, certificate_hash, lifetime)""",
        firm_id, *columns(rows),
    )  # fmt: skip


async def find_live(tx: Tx, token_hash: bytes) -> tuple[AccessToken, float | None] | None:
    """Return a token that counts now, and how many seconds it still will; its client must still be in the directory."""
    row = await tx.fetchrow(
        f"""SELECT {_COLUMNS}, extract(epoch FROM expires_at - app_now())::float8 AS seconds_left FROM access_tokens t
            WHERE token_hash = $1 AND revoked_at IS NULL AND (expires_at IS NULL OR expires_at > app_now())
            AND EXISTS (SELECT FROM directory d
                        WHERE d.kind = 'client' AND d.tenant_id = t.firm_id AND d.object_id = t.client_id)""",
        token_hash,
    )
    return (_token(row), row["seconds_left"]) if row else None


async def revoke_held(tx: Tx, firm_id: str, client_id: str, token_hash: bytes) -> str | None:
    """Revoke a token that its own client shows; return its id, None when it is not a live token of this client."""
    revoked: str | None = await tx.fetchval(
        """UPDATE access_tokens SET revoked_at = app_now()
           WHERE token_hash = $3 AND firm_id = $1 AND client_id = $2 AND revoked_at IS NULL RETURNING id""",
        firm_id, client_id, token_hash,
    )  # fmt: skip
    return revoked


async def revoke(tx: Tx, firm_id: str, token_id: str) -> bytes | None:
    """Revoke a token by its id; return its hash, None when it is not a live token of this firm."""
    revoked: bytes | None = await tx.fetchval(
        """UPDATE access_tokens SET revoked_at = app_now()
           WHERE firm_id = $1 AND id = $2 AND revoked_at IS NULL RETURNING token_hash""",
        firm_id, token_id,
    )  # fmt: skip
    return revoked


async def find_static(tx: Tx, firm_id: str) -> list[AccessToken]:
    """Return a firm's static tokens, oldest first."""
    rows = await tx.fetch(
        f"SELECT {_COLUMNS} FROM access_tokens WHERE firm_id = $1 AND kind = 'static' ORDER BY created_at, id", firm_id
    )
    return [_token(row) for row in rows]


async def forget_old(tx: Tx) -> int:
    """Remove issued tokens a day after their end, a batch at a time; as the worker."""
    tag = await tx.execute(
        """DELETE FROM access_tokens WHERE token_hash = ANY(ARRAY(
           SELECT token_hash FROM access_tokens WHERE kind = 'issued' AND expires_at < app_now() - interval '1 day' LIMIT 5000))"""
    )
    return int(tag.split()[1])


def _token(row: asyncpg.Record) -> AccessToken:
    return AccessToken(
        row["id"],
        row["firm_id"],
        row["client_id"],
        row["kind"],
        row["name"],
        frozenset(Scope(name) for name in row["scopes"]),
        row["certificate_hash"],
        row["created_at"],
        row["expires_at"],
        row["revoked_at"],
    )
