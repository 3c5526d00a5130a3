"""Limits: exact under any concurrency, sliding, and a refused use is not counted."""

from __future__ import annotations

import asyncio
import contextlib
import random
from collections.abc import AsyncIterator
from typing import Any

import asyncpg
import pytest

from strongroom.kit.db import Database
from strongroom.kit.limits import Limit, SharedLimit, Used, forget_old, take, take_all

TEN = Limit("tries", 10, 600)
ANN, BEN = b"ann", b"ben"


@pytest.fixture
async def app(database: Any) -> AsyncIterator[Database]:
    db = await Database.connect(database.app_dsn, size=24)
    yield db
    await db.close()


@pytest.fixture
async def owner(database: Any) -> AsyncIterator[asyncpg.Connection]:
    connection = await asyncpg.connect(database.dsn)
    ahead = await connection.fetchval("SELECT 600 - extract(epoch FROM app_now())::numeric % 600")
    await pass_time(connection, float(ahead))  # to the beginning of a window
    yield connection
    await connection.close()


async def pass_time(owner: asyncpg.Connection, seconds: float) -> None:
    await owner.execute("UPDATE clock_offset SET ahead = ahead + make_interval(secs => $1)", seconds)


async def use(db: Database, key: bytes = ANN, limit: Limit = TEN) -> bool:
    async with db.transaction() as tx:
        return await take(tx, limit, key)


async def uses(db: Database, count: int) -> int:
    return sum(await asyncio.gather(*(use(db) for _ in range(count))))


async def test_of_fifty_simultaneous_uses_exactly_ten_pass(app: Database, owner: asyncpg.Connection) -> None:
    assert await uses(app, 50) == 10
    assert not await use(app)
    assert await owner.fetchval("SELECT used FROM rate_windows") == 10


async def test_several_uses_together_pass_all_or_not_at_all(app: Database, owner: asyncpg.Connection) -> None:
    async with app.transaction() as tx:
        assert await take(tx, TEN, ANN, 7)
        assert not await take(tx, TEN, ANN, 4)
        assert not await take(tx, TEN, BEN, 11)
        assert await take(tx, TEN, ANN, 3)
    assert await owner.fetch("SELECT key_hash, used FROM rate_windows") == [(ANN, 10)]


async def test_a_shared_limit_grants_what_is_left_to_fifty_in_two_processes_and_counts_them_together(
    app: Database, owner: asyncpg.Connection
) -> None:
    here, there = SharedLimit(app, TEN), SharedLimit(app, TEN)
    uses = (limit.take("firm-a", key) for _ in range(25) for limit in (here, there) for key in (ANN, BEN))
    assert sum(await asyncio.gather(*uses)) == 20
    assert not await here.take("firm-b", ANN), "whoever asks, the key is the same"
    assert await owner.fetch("SELECT key_hash, used FROM rate_windows ORDER BY 1") == [(ANN, 10), (BEN, 10)]


async def test_another_key_and_another_limit_count_for_themselves(app: Database, owner: asyncpg.Connection) -> None:
    await uses(app, 20)
    assert await use(app, BEN)
    assert await use(app, ANN, Limit("other", 1, 600))


async def test_the_window_slides(app: Database, owner: asyncpg.Connection) -> None:
    await uses(app, 10)
    await pass_time(owner, 601)
    assert await uses(app, 20) <= 1, "at the beginning of a window the one before counts nearly in full"
    await pass_time(owner, 300)
    assert await uses(app, 20) in {4, 5}
    await pass_time(owner, 1200)
    assert await uses(app, 20) == 10


async def test_a_use_that_is_rolled_back_is_not_counted(app: Database, owner: asyncpg.Connection) -> None:
    async def fails() -> None:
        async with app.transaction() as tx:
            await take(tx, TEN, ANN)
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        await fails()
    assert await uses(app, 20) == 10


async def test_a_limit_of_nothing_lets_nothing_pass(app: Database, owner: asyncpg.Connection) -> None:
    assert not await use(app, ANN, Limit("closed", 0, 600))


async def test_counters_out_of_reach_are_forgotten(app: Database, owner: asyncpg.Connection, database: Any) -> None:
    await use(app)
    await pass_time(owner, 4 * 86_400)
    await use(app, BEN)
    worker = await Database.connect(database.worker_dsn, role="strongroom_worker", size=1)
    async with worker.transaction() as tx:
        assert await forget_old(tx) == 1
    await worker.close()


async def use_all(db: Database, *used: Used) -> list[str]:
    """Use one of each and keep that, or nothing; return the names of the limits that are reached."""
    names: list[str] = []
    with contextlib.suppress(Undone):
        async with db.transaction() as tx:
            names = [limit.name for limit in await take_all(tx, used)]
            if names:
                raise Undone
    return names


class Undone(Exception):
    """What was used is given back."""


THREE, MANY = Limit("few", 3, 600), Limit("many", 1000, 600)


async def test_of_several_limits_at_once_the_smallest_decides_and_the_others_are_not_used_by_what_it_refuses(
    app: Database, owner: asyncpg.Connection
) -> None:
    wanted = [Used(THREE, ANN), Used(TEN, ANN), Used(MANY, BEN)]
    outcomes = await asyncio.gather(*(use_all(app, *random.sample(wanted, 3)) for _ in range(16)))
    assert sorted(outcomes) == [[]] * 3 + [["few"]] * 13
    assert await owner.fetch("SELECT name, used FROM rate_windows ORDER BY name") == [("few", 3), ("many", 3), ("tries", 3)]


async def test_several_limits_at_once_slide_as_one_does(app: Database, owner: asyncpg.Connection) -> None:
    assert [await use_all(app, Used(TEN, ANN)) for _ in range(11)] == [[]] * 10 + [["tries"]]
    await pass_time(owner, 900)  # half of the next window: half of the ten still count
    assert [await use_all(app, Used(TEN, ANN)) for _ in range(6)].count([]) in {5, 6}
    assert await use_all(app, Used(TEN, ANN)) == ["tries"]


async def test_every_limit_that_is_reached_is_named(app: Database, owner: asyncpg.Connection) -> None:
    for _ in range(3):
        await use_all(app, Used(THREE, ANN))
    assert await use_all(app, Used(THREE, ANN), Used(Limit("none", 0, 60), ANN), Used(TEN, ANN)) == ["few", "none"]
