"""The audit: every edit, deletion, insertion, reordering and truncation is found, and sealing makes no request wait."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any

import asyncpg
import pytest

from strongroom.kit import audit
from strongroom.kit.db import Database
from strongroom.kit.rootkeys import RootKeys
from tests.funds.house import random_keys

ONE, TWO = "frm-aaaaaaaaaaaaa", "frm-bbbbbbbbbbbbb"
ENTRIES = 7


class Tag(StrEnum):
    DONE = "test:done"


@dataclass
class Trail:
    """Audit trails of two firms, sealed and exported."""

    app: Database
    worker: Database
    owner: asyncpg.Connection
    root: RootKeys
    file: Path

    async def write(self, tenant: str, subject: str) -> None:
        async with self.app.transaction(tenant) as tx:
            await audit.record(tx, tenant, "client:a", Tag.DONE, subject, {"b": 1, "a": [1, "é"]})

    async def seal(self) -> int:
        return await audit.seal_entries(self.worker)

    async def seal_all(self, count: int) -> int:
        """Seal until so many entries have been; a transaction of any other test of the cluster holds sealing up while it lasts."""
        sealed = 0
        async with asyncio.timeout(60):
            while sealed < count:
                sealed += await self.seal()
                await asyncio.sleep(0.02)
        return sealed

    async def export(self) -> bool:
        return await audit.export_root(self.worker, self.root, self.file)

    async def findings(self) -> list[audit.Finding]:
        return await audit.verify(self.worker, self.root, self.file)

    async def ids(self, tenant: str = ONE) -> list[int]:
        return [row[0] for row in await self.owner.fetch("SELECT id FROM audit_entries WHERE tenant_id = $1 ORDER BY id", tenant)]


@pytest.fixture
async def trail(database: Any, tmp_path: Path) -> AsyncIterator[Trail]:
    app = await Database.connect(database.app_dsn, size=24)
    worker = await Database.connect(database.worker_dsn, role="strongroom_worker", size=4)
    owner = await asyncpg.connect(database.dsn)
    opened = Trail(app, worker, owner, random_keys().load(), tmp_path / "roots.jsonl")
    for n in range(ENTRIES):
        await opened.write(ONE, f"subject {n}")
        await opened.write(TWO, f"subject {n}")
    assert await opened.seal_all(2 * ENTRIES) == 2 * ENTRIES
    assert await opened.export()
    yield opened
    await app.close()
    await worker.close()
    await owner.close()


async def test_an_untouched_trail_has_no_findings_and_goes_on(trail: Trail) -> None:
    assert await trail.findings() == []
    assert not await trail.export(), "nothing is new"
    await trail.write(ONE, "later")
    assert await trail.findings() == [], "what is not sealed yet is no finding"
    assert await trail.seal_all(1) == 1
    assert await trail.export()
    assert await trail.findings() == []


@pytest.mark.parametrize("place", [0, 3, -1], ids=["first", "middle", "last"])
@pytest.mark.parametrize("column", ["actor = 'x'", "tag = 'x'", "subject = 'x'", "detail = '{}'", "at = at + interval '1 us'"])
async def test_an_edited_row_is_found_wherever_it_stands(trail: Trail, place: int, column: str) -> None:
    edited = (await trail.ids())[place]
    await trail.owner.execute(f"UPDATE audit_entries SET {column} WHERE id = $1", edited)
    found = await trail.findings()
    assert [(one.tenant, one.entry_id, one.what) for one in found] == [(ONE, edited, "an entry was altered or moved")]


@pytest.mark.parametrize("place", [0, 3, -1], ids=["first", "middle", "last"])
async def test_a_deleted_row_is_found_wherever_it_stood(trail: Trail, place: int) -> None:
    deleted = (await trail.ids())[place]
    await trail.owner.execute("DELETE FROM audit_entries WHERE id = $1", deleted)
    assert (ONE, deleted, "an entry was deleted") in [(one.tenant, one.entry_id, one.what) for one in await trail.findings()]


@pytest.mark.parametrize("place", [0, 3, -1], ids=["first", "middle", "last"])
async def test_a_row_deleted_with_its_link_is_found(trail: Trail, place: int) -> None:
    deleted = (await trail.ids())[place]
    await trail.owner.execute("DELETE FROM audit_entries WHERE id = $1", deleted)
    await trail.owner.execute("DELETE FROM audit_seals WHERE entry_id = $1 AND tenant_id = $2", deleted, ONE)
    assert ONE in {one.tenant for one in await trail.findings()}


async def test_an_inserted_row_is_found(trail: Trail) -> None:
    await trail.owner.execute(
        """INSERT INTO audit_entries (tenant_id, actor, tag, subject, transaction_id) SELECT $1, 'x', 'x', 'x', min(transaction_id)
           FROM audit_entries""",
        ONE,
    )
    assert [one.what for one in await trail.findings()] == ["an entry was inserted behind the sealer"]


async def test_two_rows_that_changed_places_are_found(trail: Trail) -> None:
    first, second = (await trail.ids())[2:4]
    await trail.owner.execute(
        "UPDATE audit_seals SET entry_id = CASE entry_id WHEN $1 THEN -1 ELSE $1 END WHERE entry_id IN ($1, $2) AND tenant_id = $3",
        first, second, ONE,
    )  # fmt: skip
    await trail.owner.execute("UPDATE audit_seals SET entry_id = $1 WHERE entry_id = -1", second)
    assert {one.entry_id for one in await trail.findings()} >= {first, second}


async def test_a_truncated_trail_is_found_by_the_exported_root(trail: Trail) -> None:
    for table in ("audit_seals", "audit_entries"):
        column = "entry_id" if table == "audit_seals" else "id"
        await trail.owner.execute(f"DELETE FROM {table} WHERE tenant_id = $1 AND {column} > $2", ONE, (await trail.ids())[3])
        if table == "audit_seals":
            continue
    found = await trail.findings()
    assert [(one.tenant, one.sequence) for one in found] == [(ONE, ENTRIES)]
    assert "root exported" in found[0].what


async def test_a_trail_that_is_gone_altogether_is_found(trail: Trail) -> None:
    await trail.owner.execute("DELETE FROM audit_seals WHERE tenant_id = $1", ONE)
    await trail.owner.execute("DELETE FROM audit_entries WHERE tenant_id = $1", ONE)
    assert {one.tenant for one in await trail.findings()} == {ONE}


async def test_a_chain_computed_anew_after_an_edit_is_found_by_the_exported_root(trail: Trail) -> None:
    """Whoever owns the database can compute every link; what was exported they cannot change."""
    await trail.owner.execute("UPDATE audit_entries SET actor = 'x' WHERE id = $1", (await trail.ids())[0])
    await trail.owner.execute("DELETE FROM audit_seals")
    await trail.owner.execute("UPDATE audit_progress SET sealed_below = '0'")
    await trail.seal_all(2 * ENTRIES)
    found = await trail.findings()
    assert [(one.tenant, one.sequence) for one in found] == [(ONE, ENTRIES)]


@pytest.mark.parametrize("field", ["at", "root", "heads", "signature"])
async def test_a_forged_root_is_found(trail: Trail, field: str) -> None:
    root = json.loads(trail.file.read_text())
    other = {"at": "2020-01-01T00:00:00Z", "root": "00" * 64, "heads": {}, "signature": "AA" * 43 + "AA=="}
    trail.file.write_text(json.dumps(root | {field: other[field]}) + "\n")
    assert "not genuine" in (await trail.findings())[0].what


async def test_an_entry_of_a_slow_transaction_is_sealed_later_and_not_skipped(trail: Trail) -> None:
    async with trail.app.transaction(ONE) as slow:
        await audit.record(slow, ONE, "client:slow", Tag.DONE, "slow")
        await trail.write(ONE, "quick")
        await trail.seal()
    assert await trail.seal_all(2) == 2
    assert await trail.findings() == []
    sealed = await trail.owner.fetchval("SELECT count(*) FROM audit_seals WHERE tenant_id = $1", ONE)
    assert sealed == ENTRIES + 2


async def test_several_sealers_at_once_make_one_chain(trail: Trail) -> None:
    await asyncio.gather(*(trail.write(ONE, f"more {n}") for n in range(50)))
    counts = await asyncio.gather(*(trail.seal() for _ in range(4)))
    assert sum(counts) + await trail.seal_all(50 - sum(counts)) == 50
    assert await trail.findings() == []


async def test_sealing_makes_no_request_wait(trail: Trail) -> None:
    async with trail.worker.transaction() as tx:  # a sealer in the middle of its work, with every lock it ever holds
        await tx.fetchval("SELECT pg_advisory_xact_lock($1)", audit._SEALER_LOCK)
        await tx.execute("UPDATE audit_progress SET sealed_below = sealed_below")
        await tx.execute("INSERT INTO audit_seals VALUES ($1, 1000, 1000000, '')", TWO)
        began = time.monotonic()
        await asyncio.wait_for(asyncio.gather(*(trail.write(ONE, f"while sealing {n}") for n in range(50))), 4)
        assert time.monotonic() - began < 4


async def test_neither_the_web_nor_the_worker_may_change_the_past(trail: Trail) -> None:
    for db in (trail.app, trail.worker):
        for statement in ("UPDATE audit_entries SET actor = 'x'", "DELETE FROM audit_entries", "DELETE FROM audit_seals"):
            with pytest.raises(asyncpg.InsufficientPrivilegeError):
                await run(db, statement)


async def run(db: Database, statement: str) -> None:
    async with db.transaction(ONE) as tx:
        await tx.execute(statement)


def test_the_merkle_root_is_that_of_rfc_6962() -> None:
    leaves = [bytes([n]) for n in range(7)]
    roots = [audit.merkle_root(leaves[:n]) for n in range(8)]
    assert len(set(roots)) == 8
    swapped = [leaves[1], leaves[0], *leaves[2:]]
    assert audit.merkle_root(swapped) != roots[7]


@pytest.mark.soak
async def test_tampering_is_found_among_a_hundred_thousand_rows(trail: Trail) -> None:
    await trail.owner.execute(
        """INSERT INTO audit_entries (tenant_id, actor, tag, subject, transaction_id)
           SELECT $1, 'a', 'b', n::text, (n / 1000)::text::xid8 FROM generate_series(1, 100000) n""",
        TWO,
    )
    await trail.owner.execute("DELETE FROM audit_seals")
    await trail.owner.execute("UPDATE audit_progress SET sealed_below = '0'")
    trail.file.unlink()
    while await trail.seal():
        pass
    await trail.export()
    assert await trail.findings() == []
    edited = await trail.owner.fetchval("UPDATE audit_entries SET subject = 'x' WHERE subject = '54321' RETURNING id")
    assert [one.entry_id for one in await trail.findings()] == [edited]
