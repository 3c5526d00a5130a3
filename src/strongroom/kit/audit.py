"""Audit: entries appended by the work itself, chained afterwards by a sealer, provable against roots kept outside the database."""

from __future__ import annotations

import base64
import hashlib
import json
import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import Any

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from strongroom.kit.crypto import join_parts
from strongroom.kit.db import Database, Tx, columns
from strongroom.kit.rootkeys import RootKeys

_BATCH = 5_000
_SEALER_LOCK = 0x417564697431


@dataclass(frozen=True, slots=True)
class Entry:
    """One audit entry as read back."""

    tenant: str
    id: int
    at: str  # as PostgreSQL prints it in UTC, to the microsecond
    actor: str
    tag: str
    subject: str
    detail: str  # canonical JSON

    def digest(self, previous: bytes) -> bytes:
        """Return the link of the chain after `previous`."""
        parts = (self.tenant, str(self.id), self.at, self.actor, self.tag, self.subject, self.detail)
        return hashlib.sha512(previous + join_parts(*(part.encode() for part in parts))).digest()


@dataclass(frozen=True, slots=True)
class Finding:
    """Something wrong with the audit trail."""

    tenant: str
    sequence: int
    entry_id: int | None
    what: str


async def record(tx: Tx, tenant: str, actor: str, tag: StrEnum, subject: str, detail: Mapping[str, Any] | None = None) -> None:
    """Append one entry in the caller's transaction. `detail` holds nothing personal and no secret."""
    await tx.execute(
        "INSERT INTO audit_entries (tenant_id, actor, tag, subject, detail) VALUES ($1, $2, $3, $4, $5::jsonb)",
        tenant, actor, str(tag), subject, json.dumps(detail or {}),
    )  # fmt: skip


@dataclass(frozen=True, slots=True)
class Noted:
    """An entry to be: who did what to what. `detail` holds nothing personal and no secret."""

    actor: str
    tag: StrEnum
    subject: str
    detail: Mapping[str, Any] = field(default_factory=dict)


async def record_many(tx: Tx, tenant: str, entries: Sequence[Noted]) -> None:
    """Append entries in the caller's transaction, by one statement; none without entries."""
    if not entries:
        return
    await tx.execute(
        """INSERT INTO audit_entries (tenant_id, actor, tag, subject, detail)
           SELECT $1, n.actor, n.tag, n.subject, n.detail::jsonb FROM unnest($2::text[], $3::text[], $4::text[], $5::text[])
           AS n (actor, tag, subject, detail)""",
        tenant, *columns([(one.actor, str(one.tag), one.subject, json.dumps(one.detail)) for one in entries]),
    )  # fmt: skip


_ENTRY_COLUMNS = """tenant_id, id, to_char(at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US') AS at,
                    actor, tag, subject, detail::text AS detail"""


async def seal_entries(db: Database) -> int:
    """Chain what has been committed since the last time; return how many entries were sealed.

    Only entries of transactions that are certainly over are taken, so a slow transaction's entry is never skipped. One
    sealer works at a time; another finds the lock taken and does nothing.
    """
    async with db.transaction() as tx:
        if not await tx.fetchval("SELECT pg_try_advisory_xact_lock($1)", _SEALER_LOCK):
            return 0
        horizon = await tx.fetchval("SELECT pg_snapshot_xmin(pg_current_snapshot())::text")
        rows = await tx.fetch(
            f"""SELECT {_ENTRY_COLUMNS}, transaction_id::text AS xid FROM audit_entries
                WHERE transaction_id >= (SELECT sealed_below FROM audit_progress) AND transaction_id < $1::text::xid8
                ORDER BY transaction_id, id LIMIT {_BATCH + 1}""",
            horizon,
        )
        below = horizon
        if len(rows) > _BATCH:  # stop before a transaction that the limit may have cut in two
            below = rows[-1]["xid"]
            rows = [row for row in rows if row["xid"] != below] or _refuse_giant(below)
        await _append_links(tx, [_entry(row) for row in rows])
        await tx.execute("UPDATE audit_progress SET sealed_below = $1::text::xid8", below)
        return len(rows)


def _refuse_giant(xid: str) -> list[Any]:
    """Refuse the impossible: one transaction with more entries than a batch would stall the sealer."""
    raise AssertionError(f"transaction {xid} wrote more than {_BATCH} audit entries")


async def _append_links(tx: Tx, entries: list[Entry]) -> None:
    """Extend each tenant's chain by its entries."""
    heads: dict[str, tuple[int, bytes]] = {}
    links: list[tuple[str, int, int, bytes]] = []
    for entry in entries:
        if entry.tenant not in heads:
            heads[entry.tenant] = await _head(tx, entry.tenant)
        sequence, previous = heads[entry.tenant]
        heads[entry.tenant] = (sequence + 1, entry.digest(previous))
        links.append((entry.tenant, sequence + 1, entry.id, heads[entry.tenant][1]))
    await tx.executemany("INSERT INTO audit_seals (tenant_id, sequence, entry_id, chain_hash) VALUES ($1, $2, $3, $4)", links)


async def _head(tx: Tx, tenant: str) -> tuple[int, bytes]:
    """Return the last sequence and link of a tenant's chain."""
    row = await tx.fetchrow(
        "SELECT sequence, chain_hash FROM audit_seals WHERE tenant_id = $1 ORDER BY sequence DESC LIMIT 1", tenant
    )
    return (row["sequence"], row["chain_hash"]) if row else (0, b"")


def signing_key(root: RootKeys) -> Ed25519PrivateKey:
    """Return the key that signs audit roots; derived, so that it needs no keeping of its own."""
    return Ed25519PrivateKey.from_private_bytes(root.index_key("audit roots"))


async def export_root(db: Database, root: RootKeys, file: Path) -> bool:
    """Append the signed Merkle root over all chains' heads to a file outside the database; False when nothing is new."""
    async with db.transaction() as tx:
        rows = await tx.fetch(
            "SELECT DISTINCT ON (tenant_id) tenant_id, sequence, chain_hash FROM audit_seals ORDER BY tenant_id, sequence DESC"
        )
        at = await tx.fetchval("""SELECT to_char(app_now() AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS"Z"')""")
    heads = {row["tenant_id"]: [row["sequence"], row["chain_hash"].hex()] for row in rows}
    leaves = [
        join_parts(tenant.encode(), str(head[0]).encode(), bytes.fromhex(str(head[1]))) for tenant, head in sorted(heads.items())
    ]
    merkle = merkle_root(leaves).hex()
    last = last_root(file)
    if last and last["root"] == merkle:
        return False
    body = {"at": at, "root": merkle, "heads": heads}
    signature = signing_key(root).sign(_canonical(body))
    _append_line(file, json.dumps(body | {"signature": base64.b64encode(signature).decode()}, sort_keys=True))
    return True


def merkle_root(leaves: list[bytes]) -> bytes:
    """Return the root of a Merkle tree as in RFC 6962 §2.1, with SHA-512."""
    if not leaves:
        return hashlib.sha512(b"").digest()
    if len(leaves) == 1:
        return hashlib.sha512(b"\x00" + leaves[0]).digest()
    split = 1 << ((len(leaves) - 1).bit_length() - 1)
    return hashlib.sha512(b"\x01" + merkle_root(leaves[:split]) + merkle_root(leaves[split:])).digest()


def read_roots(file: Path) -> Iterator[dict[str, Any]]:
    """Yield the exported roots, oldest first."""
    if file.exists():
        with file.open() as lines:
            for line in lines:
                yield json.loads(line)


def last_root(file: Path) -> dict[str, Any] | None:
    """Return the newest exported root."""
    last = None
    for last in read_roots(file):  # noqa: B007  # the loop runs to the end on purpose
        pass
    return last


def verify_root(root: dict[str, Any], key: Ed25519PublicKey) -> bool:
    """True when an exported root's signature and Merkle root are right."""
    body = {name: root[name] for name in ("at", "root", "heads")}
    leaves = [
        join_parts(tenant.encode(), str(head[0]).encode(), bytes.fromhex(head[1])) for tenant, head in sorted(root["heads"].items())
    ]
    try:
        key.verify(base64.b64decode(root["signature"]), _canonical(body))
    except InvalidSignature:
        return False
    return bool(merkle_root(leaves).hex() == root["root"])


async def verify(db: Database, root: RootKeys, file: Path) -> list[Finding]:
    """Check every chain link by link, and every exported root against the chains. An empty list means: untouched."""
    findings: list[Finding] = []
    async with db.transaction() as tx:
        tenants = [row[0] for row in await tx.fetch("SELECT tenant_id FROM audit_entries UNION SELECT tenant_id FROM audit_seals")]
        sealed_below = await tx.fetchval("SELECT sealed_below::text FROM audit_progress")
        links: dict[str, dict[int, bytes]] = {}
        for tenant in tenants:
            links[tenant] = await _verify_chain(tx, tenant, sealed_below, findings)
    key = signing_key(root).public_key()
    for exported in read_roots(file):
        if not verify_root(exported, key):
            findings.append(Finding("", 0, None, f"the exported root of {exported.get('at')} is not genuine"))
            continue
        for tenant, (sequence, link) in exported["heads"].items():
            held = links.get(tenant, {}).get(sequence)
            if held is None or held.hex() != link:
                findings.append(Finding(tenant, sequence, None, f"the chain differs from the root exported at {exported['at']}"))
    return findings


async def _verify_chain(tx: Tx, tenant: str, sealed_below: str, findings: list[Finding]) -> dict[int, bytes]:
    """Walk one chain; return its links as recomputed."""
    rows = await tx.fetch(
        f"""SELECT {_ENTRY_COLUMNS.replace("tenant_id, id", "coalesce(e.tenant_id, s.tenant_id) AS tenant_id, e.id")},
                   s.sequence, s.entry_id, s.chain_hash, e.transaction_id < $2::text::xid8 AS due
            FROM (SELECT * FROM audit_entries WHERE tenant_id = $1) e
            FULL JOIN (SELECT * FROM audit_seals WHERE tenant_id = $1) s ON s.entry_id = e.id
            ORDER BY s.sequence NULLS LAST, e.id""",
        tenant, sealed_below,
    )  # fmt: skip
    links: dict[int, bytes] = {}
    previous = b""
    expected = 1
    for row in rows:
        if row["sequence"] is None:
            if row["due"]:
                findings.append(Finding(tenant, 0, row["id"], "an entry was inserted behind the sealer"))
            continue
        if row["sequence"] != expected:
            findings.append(Finding(tenant, expected, None, "a link of the chain is missing"))
        if row["id"] is None:
            findings.append(Finding(tenant, row["sequence"], row["entry_id"], "an entry was deleted"))
        elif _entry(row).digest(previous) != row["chain_hash"]:
            findings.append(Finding(tenant, row["sequence"], row["id"], "an entry was altered or moved"))
        previous = links[row["sequence"]] = row["chain_hash"]
        expected = row["sequence"] + 1
    return links


def _entry(row: Any) -> Entry:
    return Entry(row["tenant_id"], row["id"], row["at"], row["actor"], row["tag"], row["subject"], row["detail"])


def _canonical(body: Mapping[str, Any]) -> bytes:
    return json.dumps(body, sort_keys=True, separators=(",", ":")).encode()


def _append_line(file: Path, line: str) -> None:
    """Append durably."""
    file.parent.mkdir(parents=True, exist_ok=True)
    with file.open("a") as out:
        out.write(line + "\n")
        out.flush()
        os.fsync(out.fileno())
