"""The database: a commit whose outcome is unknown is no success, and a tenant's transaction sees that tenant only."""

from __future__ import annotations

import asyncio
import contextlib
import tempfile
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import asyncpg
import pytest

from strongroom.kit.db import CommitUnknown, Database, DatabaseDown, columns
from strongroom.kit.groupcommit import GroupCommit
from tests.kit.cutting_proxy import CuttingProxy, cutting_proxy

ONE, TWO = "frm-aaaaaaaaaaaaa", "frm-bbbbbbbbbbbbb"


@pytest.fixture
async def owner(database: Any) -> AsyncIterator[asyncpg.Connection]:
    connection = await asyncpg.connect(database.dsn)
    await connection.execute(
        """CREATE TABLE kept (firm_id text, number int, PRIMARY KEY (firm_id, number));
           SELECT fence('kept', 'firm_id', true); GRANT SELECT, INSERT ON kept TO strongroom_app, strongroom_worker"""
    )
    yield connection
    await connection.close()


@pytest.fixture
async def app(database: Any, owner: asyncpg.Connection) -> AsyncIterator[Database]:
    db = await Database.connect(database.app_dsn, size=4)
    yield db
    await db.close()


@pytest.fixture
async def cut(database: Any, owner: asyncpg.Connection) -> AsyncIterator[tuple[CuttingProxy, Database]]:
    """Yield a database behind a proxy that cuts."""
    with tempfile.TemporaryDirectory(prefix="cut") as folder:  # a socket's path has at most 107 bytes
        async with cutting_proxy(database.app_dsn, Path(folder)) as (proxy, dsn):
            db = await Database.connect(dsn, size=4)
            yield proxy, db
            proxy.cut_at = None
            await db.close()


async def keep(db: Database, number: int, tenant: str = ONE) -> None:
    async with db.transaction(tenant) as tx:
        await tx.execute("INSERT INTO kept VALUES ($1, $2)", tenant, number)


async def numbers(owner: asyncpg.Connection) -> set[int]:
    return {row[0] for row in await owner.fetch("SELECT number FROM kept")}


@pytest.mark.parametrize("delivered", [True, False], ids=["kept by the server", "lost on the way"])
async def test_a_connection_cut_at_the_commit_is_never_a_success(
    cut: tuple[CuttingProxy, Database], owner: asyncpg.Connection, *, delivered: bool
) -> None:
    proxy, db = cut
    proxy.cut_at, proxy.deliver = b"COMMIT", delivered
    for number in range(5):
        with pytest.raises(CommitUnknown):
            await keep(db, number)
    await asyncio.sleep(0.3)
    assert await numbers(owner) == (set(range(5)) if delivered else set())
    assert proxy.cuts == 5
    proxy.cut_at = None
    await keep(db, 100)
    assert 100 in await numbers(owner)


async def test_a_group_whose_commit_is_cut_acknowledges_nobody(
    cut: tuple[CuttingProxy, Database], owner: asyncpg.Connection
) -> None:
    proxy, db = cut

    async def write(tx: Any, tenant: str, batch: list[int]) -> None:
        await tx.execute("INSERT INTO kept SELECT $1, number FROM unnest($2::int[]) AS number", tenant, batch)

    group = GroupCommit(db, write)
    proxy.cut_at = b"COMMIT"
    outcomes = await asyncio.gather(*(group.submit(ONE, n) for n in range(40)), return_exceptions=True)
    assert all(isinstance(one, CommitUnknown) for one in outcomes)
    await asyncio.sleep(0.3)
    assert await numbers(owner) == set(range(40)), "the server kept them, and nobody was told so"


async def test_a_connection_cut_before_the_commit_means_that_nothing_was_done(
    cut: tuple[CuttingProxy, Database], owner: asyncpg.Connection
) -> None:
    proxy, db = cut
    proxy.cut_at = b"INSERT"
    with pytest.raises(DatabaseDown) as refused:
        await keep(db, 1)
    assert not isinstance(refused.value, CommitUnknown)
    await asyncio.sleep(0.3)
    assert await numbers(owner) == set()


async def test_a_commit_that_only_warns_is_no_success(app: Database, owner: asyncpg.Connection) -> None:
    """A standby that did not confirm answers with a warning; a deferred trigger warns in the same place here."""
    await owner.execute(
        """CREATE FUNCTION warn() RETURNS trigger LANGUAGE plpgsql AS
             $$ BEGIN RAISE WARNING 'canceling wait for synchronous replication' USING ERRCODE = '01000'; RETURN NULL; END $$;
           CREATE CONSTRAINT TRIGGER warns AFTER INSERT ON kept DEFERRABLE INITIALLY DEFERRED
             FOR EACH ROW EXECUTE FUNCTION warn()"""
    )
    with pytest.raises(CommitUnknown):
        await keep(app, 1)


async def test_a_constraint_that_is_broken_at_the_commit_is_an_error_and_not_unknown(
    app: Database, owner: asyncpg.Connection
) -> None:
    await owner.execute("ALTER TABLE kept ADD CONSTRAINT once UNIQUE (number) DEFERRABLE INITIALLY DEFERRED")
    await keep(app, 1)
    with pytest.raises(asyncpg.UniqueViolationError):
        await keep(app, 1, TWO)
    await keep(app, 2, TWO)


async def test_a_task_cancelled_while_committing_commits_first(app: Database, owner: asyncpg.Connection) -> None:
    await owner.execute(
        """CREATE FUNCTION slow() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN PERFORM pg_sleep(0.4); RETURN NULL; END $$;
           CREATE CONSTRAINT TRIGGER slows AFTER INSERT ON kept DEFERRABLE INITIALLY DEFERRED
             FOR EACH ROW EXECUTE FUNCTION slow()"""
    )
    task = asyncio.ensure_future(keep(app, 1))
    await asyncio.sleep(0.2)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert await numbers(owner) == {1}
    await keep(app, 2)


async def test_an_exception_rolls_back_and_the_connection_goes_on(app: Database, owner: asyncpg.Connection) -> None:
    async def fails() -> None:
        async with app.transaction(ONE) as tx:
            await tx.execute("INSERT INTO kept VALUES ($1, 1)", ONE)
            raise ZeroDivisionError

    for _ in range(20):
        with pytest.raises(ZeroDivisionError):
            await fails()
    assert await numbers(owner) == set()
    await keep(app, 2)


async def test_a_transaction_sees_and_writes_its_own_tenant_only(app: Database) -> None:
    await keep(app, 1, ONE)
    for tenant in (TWO, None):
        async with app.transaction(tenant) as tx:
            assert await tx.fetch("SELECT * FROM kept") == []
    async with app.transaction(ONE) as tx:
        assert len(await tx.fetch("SELECT * FROM kept")) == 1

    async def write_for_another() -> None:
        async with app.transaction(ONE) as tx:
            await tx.execute("INSERT INTO kept VALUES ($1, 2)", TWO)

    with pytest.raises(asyncpg.InsufficientPrivilegeError):
        await write_for_another()


async def test_a_transaction_that_went_on_after_an_error_is_no_success(app: Database, owner: asyncpg.Connection) -> None:
    async def go_on() -> None:
        async with app.transaction(ONE) as tx:
            await tx.execute("INSERT INTO kept VALUES ($1, 1)", ONE)
            with contextlib.suppress(asyncpg.UniqueViolationError):
                await tx.execute("INSERT INTO kept VALUES ($1, 1)", ONE)

    with pytest.raises(CommitUnknown):
        await go_on()
    assert await numbers(owner) == set()


async def test_the_tenant_of_one_transaction_is_not_the_next_ones(app: Database) -> None:
    for n in range(40):
        async with app.transaction(ONE if n % 2 else None) as tx:
            assert await tx.fetchval("SELECT app_tenant()") == (ONE if n % 2 else None)


@pytest.mark.parametrize("tenant", ["'; DROP TABLE kept; --", "A", "", "x" * 41, "a'b", "a b"])
async def test_a_tenant_that_could_be_sql_is_refused(app: Database, tenant: str) -> None:
    with pytest.raises(ValueError, match="tenant id"):
        await keep(app, 1, tenant)


async def test_a_server_that_is_not_there_is_said_to_be_down(tmp_path: Path) -> None:
    with pytest.raises(DatabaseDown):
        await Database.connect(f"postgresql://nobody@/none?host={tmp_path}", size=1)


async def test_what_is_written_apart_stays_when_the_transaction_around_it_is_rolled_back(
    app: Database, owner: asyncpg.Connection
) -> None:
    await owner.execute("CREATE TABLE noted (number int); GRANT INSERT, SELECT ON noted TO strongroom_app")

    async def use_case() -> None:
        async with app.transaction(ONE) as tx:
            await tx.execute("INSERT INTO noted VALUES (1)")
            async with app.apart() as other:
                await other.execute("INSERT INTO noted VALUES (2)")
            raise RuntimeError

    with pytest.raises(RuntimeError):
        await use_case()
    assert await owner.fetch("SELECT number FROM noted") == [(2,)]


async def test_nobody_who_holds_a_connection_waits_for_one_that_others_like_it_hold(app: Database) -> None:
    everybody_is_in = asyncio.Barrier(4)  # as many as the pool has connections

    async def use_case() -> int:
        async with app.transaction(ONE):
            await everybody_is_in.wait()
            async with app.apart() as other:
                return int(await other.fetchval("SELECT 7"))

    async with asyncio.timeout(4):  # before the wait for a connection gives up
        assert await asyncio.gather(*(use_case() for _ in range(4))) == [7] * 4


async def test_a_killed_backend_is_down_and_the_next_transaction_works(app: Database, owner: asyncpg.Connection) -> None:
    async def die() -> None:
        async with app.transaction(ONE) as tx:
            pid = await tx.fetchval("SELECT pg_backend_pid()")
            await owner.execute("SELECT pg_terminate_backend($1)", pid)
            await asyncio.sleep(0.1)
            await tx.execute("INSERT INTO kept VALUES ($1, 1)", ONE)

    with pytest.raises(DatabaseDown):
        await die()
    await keep(app, 2)
    assert await app.is_up()


def test_rows_turn_into_columns() -> None:
    assert columns([(1, "a"), (2, "b")]) == [[1, 2], ["a", "b"]]
