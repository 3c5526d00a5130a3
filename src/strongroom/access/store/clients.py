"""SQL of API clients, their secrets and their assertions."""

from __future__ import annotations

import json
from collections.abc import Iterable
from datetime import datetime
from typing import Any

import asyncpg
import msgspec

from strongroom.access.model import ApiClient, ClientProfile, ClientSecret, KnownClient, Scope
from strongroom.kit.db import Tx


async def add(
    tx: Tx,
    firm_id: str,
    client_id: str,
    name: str,
    scopes: Iterable[Scope],
    keys: dict[str, Any] | None,
    certificate_hash: bytes | None,
    profile: ClientProfile | None,
) -> None:
    """Insert a client."""
    await tx.execute(
        """INSERT INTO api_clients (firm_id, id, name, scopes, keys, certificate_hash, profile)
           VALUES ($1, $2, $3, $4, $5::jsonb, $6, $7::jsonb)""",
        firm_id, client_id, name, sorted(scopes), json.dumps(keys) if keys else None, certificate_hash, _profile_text(profile),
    )  # fmt: skip


async def list_in_directory(tx: Tx, firm_id: str, client_id: str, key_hash: bytes) -> None:
    """Let the client be found before its firm is known."""
    await tx.execute(
        "INSERT INTO directory (kind, key_hash, tenant_id, object_id) VALUES ('client', $3, $1, $2)", firm_id, client_id, key_hash
    )


async def strike_from_directory(tx: Tx, firm_id: str, client_id: str) -> None:
    """Let the client and its access tokens be found no more."""
    await tx.execute("DELETE FROM directory WHERE kind = 'client' AND tenant_id = $1 AND object_id = $2", firm_id, client_id)


async def find_firm(tx: Tx, key_hash: bytes) -> str | None:
    """Return the firm of a client that may be used."""
    firm: str | None = await tx.fetchval("SELECT tenant_id FROM directory WHERE kind = 'client' AND key_hash = $1", key_hash)
    return firm


async def find_known(tx: Tx, firm_id: str, client_id: str) -> KnownClient | None:
    """Return what is needed to judge the client's credentials: only secrets that are valid now."""
    row = await tx.fetchrow(
        """SELECT c.scopes, c.keys::text AS keys, c.certificate_hash, c.profile::text AS profile, app_now() AS read_at,
                  array(SELECT s.secret_hash FROM client_secrets s WHERE s.firm_id = c.firm_id AND s.client_id = c.id
                        AND (s.expires_at IS NULL OR s.expires_at > app_now())) AS secret_hashes
           FROM api_clients c WHERE c.firm_id = $1 AND c.id = $2 AND c.disabled_at IS NULL""",
        firm_id, client_id,
    )  # fmt: skip
    if row is None:
        return None
    return KnownClient(
        firm_id,
        client_id,
        _scopes(row["scopes"]),
        tuple(row["secret_hashes"]),
        json.loads(row["keys"]) if row["keys"] else None,
        row["certificate_hash"],
        row["read_at"],
        _profile(row["profile"]),
    )


async def find(tx: Tx, firm_id: str, client_id: str) -> ApiClient | None:
    """Return a client."""
    found = await _fetch(tx, firm_id, client_id)
    return found[0] if found else None


async def find_all(tx: Tx, firm_id: str) -> list[ApiClient]:
    """Return a firm's clients, oldest first."""
    return await _fetch(tx, firm_id, None)


async def disable(tx: Tx, firm_id: str, client_id: str) -> bool:
    """Mark a client as disabled; False when it was not there or is disabled already."""
    tag = await tx.execute(
        "UPDATE api_clients SET disabled_at = app_now() WHERE firm_id = $1 AND id = $2 AND disabled_at IS NULL", firm_id, client_id
    )
    return tag == "UPDATE 1"


async def set_keys(tx: Tx, firm_id: str, client_id: str, keys: dict[str, Any]) -> bool:
    """Replace the public keys of a client that has some."""
    tag = await tx.execute(
        "UPDATE api_clients SET keys = $3::jsonb WHERE firm_id = $1 AND id = $2 AND disabled_at IS NULL AND keys IS NOT NULL",
        firm_id, client_id, json.dumps(keys),
    )  # fmt: skip
    return tag == "UPDATE 1"


async def set_profile(tx: Tx, firm_id: str, client_id: str, profile: ClientProfile) -> bool:
    """Replace the profile of a client."""
    tag = await tx.execute(
        "UPDATE api_clients SET profile = $3::jsonb WHERE firm_id = $1 AND id = $2 AND disabled_at IS NULL",
        firm_id, client_id, _profile_text(profile),
    )  # fmt: skip
    return tag == "UPDATE 1"


async def add_secret(tx: Tx, firm_id: str, client_id: str, secret_id: str, secret_hash: bytes) -> None:
    """Insert a secret."""
    await tx.execute(
        "INSERT INTO client_secrets (firm_id, client_id, id, secret_hash) VALUES ($1, $2, $3, $4)",
        firm_id, client_id, secret_id, secret_hash,
    )  # fmt: skip


async def retire_secrets(tx: Tx, firm_id: str, client_id: str, overlap_seconds: int) -> int:
    """Let the present secrets expire after the overlap, those that would sooner at their own time; return how many there were."""
    tag = await tx.execute(
        """UPDATE client_secrets SET expires_at = least(expires_at, app_now() + make_interval(secs => $3::int))
           WHERE firm_id = $1 AND client_id = $2 AND (expires_at IS NULL OR expires_at > app_now())""",
        firm_id, client_id, overlap_seconds,
    )  # fmt: skip
    return int(tag.split()[1])


async def expire_secret(tx: Tx, firm_id: str, client_id: str, secret_id: str) -> bool:
    """Let one secret expire now."""
    tag = await tx.execute(
        """UPDATE client_secrets SET expires_at = app_now()
           WHERE firm_id = $1 AND client_id = $2 AND id = $3 AND (expires_at IS NULL OR expires_at > app_now())""",
        firm_id, client_id, secret_id,
    )  # fmt: skip
    return tag == "UPDATE 1"


async def find_secrets(tx: Tx, firm_id: str, client_id: str) -> list[ClientSecret]:
    """Return the names and times of the secrets that are valid now."""
    rows = await tx.fetch(
        """SELECT id, created_at, expires_at FROM client_secrets
           WHERE firm_id = $1 AND client_id = $2 AND (expires_at IS NULL OR expires_at > app_now()) ORDER BY created_at""",
        firm_id, client_id,
    )  # fmt: skip
    return [ClientSecret(row["id"], row["created_at"], row["expires_at"]) for row in rows]


async def lock(tx: Tx, firm_id: str, client_id: str) -> bool:
    """Hold a usable client for the rest of the transaction; False when there is none."""
    return bool(
        await tx.fetchval(
            "SELECT true FROM api_clients WHERE firm_id = $1 AND id = $2 AND disabled_at IS NULL FOR UPDATE", firm_id, client_id
        )
    )


async def claim_assertion(tx: Tx, firm_id: str, client_id: str, jti_hash: bytes, expires_at: datetime) -> bool:
    """Use up an assertion; False when it was used before."""
    tag = await tx.execute(
        """INSERT INTO client_assertions (firm_id, client_id, jti_hash, expires_at) VALUES ($1, $2, $3, $4)
           ON CONFLICT DO NOTHING""",
        firm_id, client_id, jti_hash, expires_at,
    )  # fmt: skip
    return tag == "INSERT 0 1"


async def forget_assertions(tx: Tx) -> int:
    """Remove assertions that have expired, a batch at a time; as the worker."""
    tag = await tx.execute(
        """DELETE FROM client_assertions WHERE ctid = ANY(ARRAY(
           SELECT ctid FROM client_assertions WHERE expires_at < app_now() - interval '1 hour' LIMIT 5000))"""
    )
    return int(tag.split()[1])


async def _fetch(tx: Tx, firm_id: str, client_id: str | None) -> list[ApiClient]:
    rows = await tx.fetch(
        """SELECT firm_id, id, name, scopes, keys IS NOT NULL AS uses_keys, certificate_hash IS NOT NULL AS uses_certificate,
                  created_at, disabled_at, profile::text AS profile
           FROM api_clients WHERE firm_id = $1 AND ($2::text IS NULL OR id = $2) ORDER BY created_at, id""",
        firm_id, client_id,
    )  # fmt: skip
    return [_client(row) for row in rows]


def _client(row: asyncpg.Record) -> ApiClient:
    return ApiClient(
        row["firm_id"],
        row["id"],
        row["name"],
        _scopes(row["scopes"]),
        row["uses_keys"],
        row["uses_certificate"],
        row["created_at"],
        row["disabled_at"],
        _profile(row["profile"]),
    )


def _profile_text(profile: ClientProfile | None) -> str | None:
    return msgspec.json.encode(profile).decode() if profile else None


def _profile(text: str | None) -> ClientProfile | None:
    return msgspec.json.decode(text, type=ClientProfile) if text else None


def _scopes(names: Iterable[str]) -> frozenset[Scope]:
    return frozenset(Scope(name) for name in names)
