"""Migrations: applied once by one of many, in order, whole or not at all, and never changed afterwards."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from uuid import uuid4

import asyncpg
import pytest

from strongroom.embedded import EmbeddedPostgres
from strongroom.kit.migrate import MigrationError, migrate, missing_migrations, read_migrations


@pytest.fixture
async def empty(postgres: EmbeddedPostgres) -> AsyncIterator[str]:
    name = f"empty_{uuid4().hex}"
    owner = await asyncpg.connect(postgres.dsn())
    await owner.execute(f"CREATE DATABASE {name}")
    yield postgres.dsn(name)
    await owner.execute(f"DROP DATABASE {name} WITH (FORCE)")
    await owner.close()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "0001_first.sql").write_text("CREATE TABLE first (n int)")
    (tmp_path / "0002_second.sql").write_text("INSERT INTO first VALUES (1)")
    return tmp_path


async def fetch(dsn: str, query: str) -> list[asyncpg.Record]:
    connection = await asyncpg.connect(dsn)
    rows: list[asyncpg.Record] = await connection.fetch(query)
    await connection.close()
    return rows


async def test_ten_processes_at_once_apply_each_migration_once(empty: str, folder: Path) -> None:
    applied = await asyncio.gather(*(migrate(empty, folder=folder) for _ in range(10)))
    assert sorted(name for names in applied for name in names) == ["0001_first.sql", "0002_second.sql"]
    assert len(await fetch(empty, "SELECT n FROM first")) == 1


async def test_a_migration_that_fails_leaves_nothing_of_itself(empty: str, folder: Path) -> None:
    (folder / "0003_third.sql").write_text("CREATE TABLE third (n int); SELECT 1 / 0")
    with pytest.raises(asyncpg.DivisionByZeroError):
        await migrate(empty, folder=folder)
    assert [row[0] for row in await fetch(empty, "SELECT number FROM schema_migrations ORDER BY number")] == [1, 2]
    assert (await fetch(empty, "SELECT to_regclass('third') IS NULL"))[0][0]
    (folder / "0003_third.sql").write_text("CREATE TABLE third (n int)")
    assert await migrate(empty, folder=folder) == ["0003_third.sql"]


async def test_a_migration_changed_after_it_was_applied_is_refused(empty: str, folder: Path) -> None:
    await migrate(empty, folder=folder)
    (folder / "0001_first.sql").write_text("CREATE TABLE first (n bigint)")
    with pytest.raises(MigrationError, match="was changed"):
        await migrate(empty, folder=folder)


async def test_a_migration_that_comes_after_a_higher_one_is_applied_when_it_comes(empty: str, folder: Path) -> None:
    (folder / "0004_fourth.sql").write_text("CREATE TABLE fourth (n int)")
    assert (await migrate(empty, folder=folder))[-1] == "0004_fourth.sql"
    (folder / "0003_third.sql").write_text("CREATE TABLE third (n int)")
    assert await migrate(empty, folder=folder) == ["0003_third.sql"]


@pytest.mark.parametrize("name", ["0002_twice.sql", "0003-third.sql", "3_third.sql", "0003_Third.sql"])
def test_a_number_used_twice_or_a_wrong_name_is_refused(folder: Path, name: str) -> None:
    (folder / name).write_text("SELECT 1")
    with pytest.raises(MigrationError):
        read_migrations(folder)


async def test_an_empty_database_lacks_all_and_a_migrated_one_nothing(empty: str) -> None:
    assert await missing_migrations(empty) == [one.name for one in read_migrations()]
    await migrate(empty)
    assert await missing_migrations(empty) == []
    assert await migrate(empty) == []
