"""Group commit: writes share a commit, a poisoned one fails alone, and what was acknowledged is there."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import asyncpg
import pytest

from strongroom.kit.db import CommitUnknown, Database, Tx
from strongroom.kit.errors import TooMany
from strongroom.kit.groupcommit import GroupCommit

TENANTS = ("frm-aaaaaaaaaaaaa", "frm-bbbbbbbbbbbbb")
POISON = -1


@pytest.fixture
async def owner(database: Any) -> AsyncIterator[asyncpg.Connection]:
    connection = await asyncpg.connect(database.dsn)
    await connection.execute(
        """CREATE TABLE written (firm_id text, number int CHECK (number >= 0), batch int, PRIMARY KEY (firm_id, number));
           SELECT fence('written', 'firm_id', false); GRANT SELECT, INSERT ON written TO strongroom_app"""
    )
    yield connection
    await connection.close()


@pytest.fixture
async def app(database: Any, owner: asyncpg.Connection) -> AsyncIterator[Database]:
    db = await Database.connect(database.app_dsn, size=8)
    yield db
    await db.close()


class Writer:
    """Inserts a batch by one statement and remembers the batches."""

    def __init__(self) -> None:
        self.batches: list[tuple[str, int]] = []
        self.fails: BaseException | None = None

    async def __call__(self, tx: Tx, tenant: str, writes: list[int]) -> None:
        self.batches.append((tenant, len(writes)))
        await tx.execute(
            "INSERT INTO written (firm_id, number, batch) SELECT $1, number, $3 FROM unnest($2::int[]) AS number",
            tenant, writes, len(self.batches),
        )  # fmt: skip
        if self.fails is not None:
            raise self.fails


async def written(owner: asyncpg.Connection) -> dict[str, set[int]]:
    rows = await owner.fetch("SELECT firm_id, number FROM written")
    return {tenant: {row["number"] for row in rows if row["firm_id"] == tenant} for tenant in TENANTS}


async def test_of_forty_writes_exactly_the_two_poisoned_fail_and_nothing_acknowledged_is_lost(
    app: Database, owner: asyncpg.Connection
) -> None:
    writer = Writer()
    group = GroupCommit(app, writer)
    values = [POISON if n in {7, 33} else n for n in range(40)]
    outcomes = await asyncio.gather(*(group.submit(TENANTS[0], value) for value in values), return_exceptions=True)
    failed = {n for n, outcome in enumerate(outcomes) if outcome is not None}
    assert failed == {7, 33}
    assert all(isinstance(outcomes[n], asyncpg.CheckViolationError) for n in failed)
    assert (await written(owner))[TENANTS[0]] == set(range(40)) - {7, 33}


async def test_two_writes_of_one_key_in_a_batch_have_one_winner(app: Database, owner: asyncpg.Connection) -> None:
    group = GroupCommit(app, Writer())
    outcomes = await asyncio.gather(*(group.submit(TENANTS[0], n // 2) for n in range(40)), return_exceptions=True)
    assert sum(outcome is None for outcome in outcomes) == 20
    assert (await written(owner))[TENANTS[0]] == set(range(20))


async def test_many_writes_share_few_commits_and_a_batch_holds_one_tenant(app: Database, owner: asyncpg.Connection) -> None:
    writer = Writer()
    group = GroupCommit(app, writer)
    await asyncio.gather(*(group.submit(TENANTS[n % 2], n) for n in range(400)))
    assert len(writer.batches) < 40
    assert max(size for _, size in writer.batches) <= 64
    found = await written(owner)
    assert {tenant: len(numbers) for tenant, numbers in found.items()} == dict.fromkeys(TENANTS, 200)


async def test_a_single_write_waits_for_nobody(app: Database, owner: asyncpg.Connection) -> None:
    await asyncio.wait_for(GroupCommit(app, Writer()).submit(TENANTS[0], 1), 2)
    assert (await written(owner))[TENANTS[0]] == {1}


async def test_a_batch_whose_outcome_is_unknown_is_acknowledged_to_nobody_and_not_sent_again(
    app: Database, owner: asyncpg.Connection
) -> None:
    writer = Writer()
    writer.fails = CommitUnknown()
    group = GroupCommit(app, writer)
    outcomes = await asyncio.gather(*(group.submit(TENANTS[0], n) for n in range(10)), return_exceptions=True)
    assert all(isinstance(outcome, CommitUnknown) for outcome in outcomes)
    assert sum(size for _, size in writer.batches) == 10


async def test_a_caller_who_goes_away_harms_no_other(app: Database, owner: asyncpg.Connection) -> None:
    group = GroupCommit(app, Writer())
    tasks = [asyncio.ensure_future(group.submit(TENANTS[0], n)) for n in range(30)]
    await asyncio.sleep(0)
    for task in tasks[::3]:
        task.cancel()
    outcomes = await asyncio.gather(*tasks, return_exceptions=True)
    stayed = {n for n in range(30) if n % 3}
    assert {n for n, outcome in enumerate(outcomes) if outcome is None} >= stayed
    assert (await written(owner))[TENANTS[0]] >= stayed


async def test_a_queue_that_only_grows_is_refused(app: Database, owner: asyncpg.Connection) -> None:
    group = GroupCommit(app, Writer())
    outcomes = await asyncio.gather(*(group.submit(TENANTS[0], n) for n in range(2_500)), return_exceptions=True)
    refused = sum(isinstance(outcome, TooMany) for outcome in outcomes)
    assert refused > 0
    assert len((await written(owner))[TENANTS[0]]) == 2_500 - refused
