"""Idempotency: one key, one caller, one request, one effect and one answer, for 24 hours."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import asyncpg
import msgspec
import pytest

from strongroom.kit.db import Database
from strongroom.kit.idempotency import KeyReused, Once, StillRunning, forget_old
from strongroom.kit.vault import Vault
from tests.funds.house import random_keys

TENANT = "frm-aaaaaaaaaaaaa"
DAY = 86_400


class Answer(msgspec.Struct, frozen=True):
    number: int


class Counter:
    """Work that must happen once: every call takes a new number in the same transaction."""

    def __init__(self, db: Database, vault: Vault) -> None:
        self.db, self.vault = db, vault

    async def work(
        self,
        key: str | None,
        *,
        caller: str = "client:a",
        body: bytes = b"{}",
        fails: bool = False,
        wait: asyncio.Event | None = None,
    ) -> Answer:
        once = Once(self.vault, caller, key, body)
        async with self.db.transaction(TENANT) as tx:
            if kept := await once.claim(tx, TENANT, Answer):
                return kept
            number = await tx.fetchval("INSERT INTO counted DEFAULT VALUES RETURNING number")
            if wait is not None:
                await wait.wait()
            if fails:
                raise ZeroDivisionError
            answer = Answer(number)
            await once.keep(tx, TENANT, answer)
            return answer

    async def effects(self) -> int:
        async with self.db.transaction(TENANT) as tx:
            return int(await tx.fetchval("SELECT count(*) FROM counted"))


@pytest.fixture
async def owner(database: Any) -> AsyncIterator[asyncpg.Connection]:
    connection = await asyncpg.connect(database.dsn)
    await connection.execute(
        "CREATE TABLE counted (number int GENERATED ALWAYS AS IDENTITY); GRANT ALL ON counted TO strongroom_app"
    )
    yield connection
    await connection.close()


@pytest.fixture
async def counter(database: Any, owner: asyncpg.Connection) -> AsyncIterator[Counter]:
    db = await Database.connect(database.app_dsn, size=24)
    yield Counter(db, Vault(random_keys()))
    await db.close()


async def pass_time(owner: asyncpg.Connection, seconds: int) -> None:
    await owner.execute("UPDATE clock_offset SET ahead = ahead + make_interval(secs => $1)", float(seconds))


async def test_fifty_simultaneous_requests_with_one_key_take_effect_once_and_get_one_answer(counter: Counter) -> None:
    answers = await asyncio.gather(*(counter.work("key") for _ in range(50)))
    assert set(answers) == {answers[0]}
    assert await counter.effects() == 1


async def test_without_a_key_every_request_takes_effect(counter: Counter) -> None:
    await asyncio.gather(*(counter.work(None) for _ in range(5)))
    assert await counter.effects() == 5


async def test_another_callers_same_key_is_another_key(counter: Counter) -> None:
    first, second = await counter.work("key", caller="client:a"), await counter.work("key", caller="client:b")
    assert first != second


async def test_a_key_with_another_request_is_refused(counter: Counter) -> None:
    await counter.work("key", body=b'{"amount": 1}')
    with pytest.raises(KeyReused):
        await counter.work("key", body=b'{"amount": 2}')
    assert await counter.effects() == 1


async def test_a_request_that_failed_leaves_its_key_free(counter: Counter) -> None:
    with pytest.raises(ZeroDivisionError):
        await counter.work("key", fails=True)
    await counter.work("key")
    assert await counter.effects() == 1


async def test_a_rival_that_is_still_working_is_waited_for_five_seconds_and_not_longer(counter: Counter) -> None:
    finish = asyncio.Event()
    first = asyncio.ensure_future(counter.work("key", wait=finish))
    await asyncio.sleep(0.1)
    waiting = asyncio.ensure_future(counter.work("key"))
    with pytest.raises(StillRunning):
        await waiting
    late = asyncio.ensure_future(counter.work("key"))
    await asyncio.sleep(0.1)
    finish.set()
    assert await late == await first
    assert await counter.effects() == 1


async def test_an_answer_is_kept_for_24_hours_and_sealed(counter: Counter, owner: asyncpg.Connection) -> None:
    first = await counter.work("the key itself")
    row = await owner.fetchrow("SELECT * FROM idempotency_keys")
    assert b"number" not in row["answer_sealed"]
    assert "the key itself" not in repr(dict(row))
    await pass_time(owner, DAY - 60)
    assert await counter.work("the key itself") == first
    await pass_time(owner, 61)
    assert await counter.work("the key itself") != first
    assert await counter.effects() == 2


async def test_fifty_simultaneous_requests_over_an_old_key_take_effect_once_more(
    counter: Counter, owner: asyncpg.Connection
) -> None:
    await counter.work("key")
    await pass_time(owner, DAY + 1)
    answers = await asyncio.gather(*(counter.work("key") for _ in range(50)))
    assert (len(set(answers)), await counter.effects()) == (1, 2)


async def test_old_keys_are_forgotten_and_fresh_ones_kept(counter: Counter, owner: asyncpg.Connection, database: Any) -> None:
    await counter.work("old")
    await pass_time(owner, DAY + 1)
    await counter.work("fresh")
    worker = await Database.connect(database.worker_dsn, role="strongroom_worker", size=1)
    async with worker.transaction() as tx:
        assert await forget_old(tx) == 1
    await worker.close()
    assert await owner.fetchval("SELECT count(*) FROM idempotency_keys") == 1
