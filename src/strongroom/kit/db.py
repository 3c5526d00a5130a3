"""PostgreSQL: one pool, transactions that carry a tenant, and honesty about commits whose outcome is unknown."""

from __future__ import annotations

import asyncio
import contextlib
import re
from collections.abc import AsyncIterator, Sequence
from typing import Any, Protocol

import asyncpg
from asyncpg.pool import PoolConnectionProxy

from strongroom.kit.errors import Unavailable

_TENANT = re.compile(r"[a-z0-9-]{1,40}")
_OPEN_TIMEOUT_SECONDS = 5.0
_STATEMENT_TIMEOUT_MS = 15_000
_SIDE_POOL_SIZE = 4
_LOCK_TIMEOUT_MS = 5_000  # the contract's "the second waits up to 5 s"


class CommitUnknown(Unavailable):
    """The connection was lost while committing: the work may or may not be kept, and must not be reported as done."""

    code, status, title = (
        "outcome_unknown",
        503,
        "It is not known whether the request was carried out; ask before repeating it",
    )


class DatabaseDown(Unavailable):
    """PostgreSQL cannot be reached; nothing was done."""

    code, title = "database_unavailable", "The service cannot reach its database"


class Tx(Protocol):
    """An open transaction, as store functions see it."""

    async def execute(self, query: str, *args: Any, timeout: float | None = None) -> str:
        """Run a statement and return its tag."""
        ...

    async def executemany(self, command: str, args: Any, *, timeout: float | None = None) -> None:
        """Run a statement once per row of arguments."""
        ...

    async def fetch(self, query: str, *args: Any, timeout: float | None = None) -> list[asyncpg.Record]:
        """Return all rows."""
        ...

    async def fetchrow(self, query: str, *args: Any, timeout: float | None = None) -> asyncpg.Record | None:
        """Return the first row, or None."""
        ...

    async def fetchval(self, query: str, *args: Any, column: int = 0, timeout: float | None = None) -> Any:
        """Return one value of the first row, or None."""
        ...


async def _keep_settings(_: object) -> None:
    """Leave a returned connection as it is: transactions set only local values, so there is nothing to reset."""


class Database:
    """A pool of connections under one database role."""

    def __init__(self, pool: asyncpg.Pool, side_pool: asyncpg.Pool) -> None:
        self._pool = pool
        self._side_pool = side_pool

    @classmethod
    async def connect(cls, dsn: str, *, role: str = "strongroom_app", size: int = 16) -> Database:
        """Open a pool whose connections act as `role`. Raise DatabaseDown when PostgreSQL does not answer."""
        try:
            return cls(await _open_pool(dsn, role, 1, size), await _open_pool(dsn, role, 0, _SIDE_POOL_SIZE))
        except (OSError, asyncpg.PostgresError, asyncpg.InterfaceError, TimeoutError) as error:
            raise DatabaseDown from error

    async def close(self) -> None:
        """Close the pools, waiting for transactions in flight."""
        await self._side_pool.close()
        await self._pool.close()

    @contextlib.asynccontextmanager
    async def transaction(self, tenant: str | None = None) -> AsyncIterator[Tx]:
        """Open a transaction for one tenant (None: only tables without a tenant show rows).

        Leaving normally commits; an exception rolls back. Raise CommitUnknown when the commit's answer is lost, and
        DatabaseDown when PostgreSQL goes away earlier.
        """
        async with self._connection() as connection, _transacting(connection, tenant) as tx:
            yield tx

    @contextlib.asynccontextmanager
    async def apart(self) -> AsyncIterator[Tx]:
        """Open a transaction that commits by itself while the caller's goes on, and stays when that is rolled back.

        For counters that many share: nobody holds one while they work. Its connections are few and its own (made when needed),
        so that nobody who has a connection waits for one that others like them have. Never touch a row that the caller's own
        transaction has written: each would wait for the other. Raise DatabaseDown.
        """
        async with self._connection(self._side_pool) as connection, _transacting(connection, None) as tx:
            yield tx

    @contextlib.asynccontextmanager
    async def reading(self) -> AsyncIterator[Tx]:
        """Open a connection for one SELECT on tables without a tenant: it is its own transaction, in one round trip for three.

        Never for a write: whether that was committed could not be told. Raise DatabaseDown.
        """
        async with self._connection() as connection:
            yield connection

    @contextlib.asynccontextmanager
    async def _connection(self, pool: asyncpg.Pool | None = None) -> AsyncIterator[PoolConnectionProxy[Any]]:
        """Take a connection of the pool. Raise DatabaseDown when there is none in time, or when it is lost."""
        try:
            async with (pool or self._pool).acquire(timeout=_OPEN_TIMEOUT_SECONDS) as connection:
                yield connection
        except (
            OSError,
            asyncpg.PostgresConnectionError,
            asyncpg.InterfaceError,
            asyncpg.CannotConnectNowError,
            asyncpg.AdminShutdownError,
            asyncpg.CrashShutdownError,
            asyncpg.TooManyConnectionsError,
            TimeoutError,
        ) as error:
            raise DatabaseDown from error

    async def is_up(self) -> bool:
        """True when a statement is answered within a second."""
        try:
            async with asyncio.timeout(1), self.transaction() as tx:
                return bool(await tx.fetchval("SELECT true"))
        except (DatabaseDown, TimeoutError):
            return False

    @contextlib.asynccontextmanager
    async def _listener(self) -> AsyncIterator[PoolConnectionProxy[Any]]:
        """Lend a connection for listening. Raise DatabaseDown."""
        try:
            async with self._pool.acquire(timeout=_OPEN_TIMEOUT_SECONDS) as connection:
                yield connection
        except (OSError, asyncpg.InterfaceError, asyncpg.PostgresConnectionError, TimeoutError) as error:
            raise DatabaseDown from error

    @contextlib.asynccontextmanager
    async def listen(self, channel: str, wake: asyncio.Event) -> AsyncIterator[None]:
        """Set `wake` whenever `channel` is notified. A lost connection only costs promptness, never work."""
        async with self._listener() as connection:

            def heard(*_: object) -> None:
                wake.set()

            await connection.add_listener(channel, heard)
            try:
                yield
            finally:
                with contextlib.suppress(asyncpg.InterfaceError, asyncpg.PostgresError, OSError):
                    await connection.remove_listener(channel, heard)


async def _open_pool(dsn: str, role: str, min_size: int, max_size: int) -> asyncpg.Pool:
    return await asyncpg.create_pool(
        dsn,
        min_size=min_size,
        max_size=max_size,
        timeout=_OPEN_TIMEOUT_SECONDS,
        reset=_keep_settings,
        server_settings={
            "role": role,
            "application_name": f"strongroom {role}",
            "statement_timeout": str(_STATEMENT_TIMEOUT_MS),
            "lock_timeout": str(_LOCK_TIMEOUT_MS),
            "idle_in_transaction_session_timeout": "60000",
            "jit": "off",
        },
    )


@contextlib.asynccontextmanager
async def _transacting(connection: PoolConnectionProxy[Any], tenant: str | None) -> AsyncIterator[Tx]:
    await connection.execute(_begin(tenant))
    try:
        yield connection
    except BaseException:
        await _roll_back(connection)
        raise
    await _commit(connection)


def _begin(tenant: str | None) -> str:
    """Return BEGIN with the tenant set, as one message and so one round trip; the tenant's shape makes quoting safe."""
    if tenant is None:
        return "BEGIN"
    if not _TENANT.fullmatch(tenant):
        raise ValueError("a tenant id has only a-z, 0-9 and -")
    return f"BEGIN; SET LOCAL strongroom.tenant = '{tenant}'"


async def _commit(connection: PoolConnectionProxy[Any]) -> None:
    """Commit, never cancelled half-way; a warning with the commit (a standby that did not confirm) is not a success."""
    warnings: list[str] = []

    def note(_: object, message: Any) -> None:
        if message.severity_en == "WARNING" and message.sqlstate == "01000":
            warnings.append(str(message.message))

    connection.add_log_listener(note)
    committing = asyncio.ensure_future(connection.execute("COMMIT"))
    try:
        tag = await asyncio.shield(committing)
    except asyncio.CancelledError:
        await asyncio.wait({committing})
        raise
    except (
        OSError,
        asyncpg.PostgresConnectionError,
        asyncpg.InterfaceError,
        asyncpg.OperatorInterventionError,
    ) as error:
        raise CommitUnknown from error
    finally:
        with contextlib.suppress(asyncpg.InterfaceError):  # a lost connection has left the pool, and its listeners with it
            connection.remove_log_listener(note)
    if warnings or tag != "COMMIT":
        raise CommitUnknown


async def _roll_back(connection: PoolConnectionProxy[Any]) -> None:
    """Roll back without hiding the reason; a dead connection has rolled back by itself."""
    with contextlib.suppress(OSError, asyncpg.PostgresError, asyncpg.InterfaceError):
        await asyncio.shield(connection.execute("ROLLBACK"))


def columns(rows: Sequence[Sequence[Any]]) -> list[list[Any]]:
    """Turn rows into columns, the shape that `unnest` takes."""
    return [list(column) for column in zip(*rows, strict=True)]


async def act_for(tx: Tx, tenant: str) -> None:
    """Let the transaction act for another tenant: a login spans firms, and each part of it stays behind that firm's fence."""
    await tx.execute("SELECT set_config('strongroom.tenant', $1, true)", tenant)
