"""Migrations: plain SQL files applied in order, once, under one lock; what was applied may never change afterwards."""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from pathlib import Path

import asyncpg

_NAME = re.compile(r"(\d{4})_[a-z0-9_]+\.sql")
_LOCK = 0x5374726F6E67  # "Strong"
_HERE = Path(__file__).resolve()


class MigrationError(Exception):
    """A migration that cannot be applied; the message says which and why."""


@dataclass(frozen=True, slots=True)
class Migration:
    """One file: its number, name, text and the digest by which a later change is noticed."""

    number: int
    name: str
    sql: str

    @property
    def digest(self) -> str:
        """SHA-512 of the text."""
        return hashlib.sha512(self.sql.encode()).hexdigest()


def migrations_folder() -> Path:
    """Return the folder of SQL files: in the installed package, or at the root of a checkout."""
    packaged = _HERE.parents[1] / "migrations"
    return packaged if packaged.is_dir() else _HERE.parents[3] / "migrations"


def read_migrations(folder: Path | None = None) -> list[Migration]:
    """Return all migrations in order. Raise MigrationError on a number used twice or a wrong name.

    A number may be missing: changes that are made side by side take theirs beforehand. One that comes later than a higher one
    is applied when it comes, so such changes must not build on each other's tables.
    """
    found: list[Migration] = []
    for path in sorted((folder or migrations_folder()).glob("*.sql")):
        match = _NAME.fullmatch(path.name)
        if not match or (found and int(match[1]) == found[-1].number):
            raise MigrationError(f"{path.name}: migrations are named 0001_what.sql, each with a number of its own")
        found.append(Migration(int(match[1]), path.name, path.read_text()))
    return found


async def migrate(dsn: str, *, folder: Path | None = None) -> list[str]:
    """Apply what is missing as the owner of the database; return the names applied.

    Several processes may call this at once: one works, the others wait and find nothing to do.
    """
    connection = await asyncpg.connect(dsn)
    try:
        await connection.execute("SELECT pg_advisory_lock($1)", _LOCK)
        await connection.execute(
            "CREATE TABLE IF NOT EXISTS schema_migrations "
            "(number int PRIMARY KEY, name text NOT NULL, digest text NOT NULL, applied_at timestamptz NOT NULL DEFAULT now())"
        )
        return [migration.name for migration in read_migrations(folder) if await _apply(connection, migration)]
    finally:
        await connection.close()


async def missing_migrations(dsn: str) -> list[str]:
    """Return the names of migrations that the database lacks; a process refuses to start while there are any."""
    connection = await asyncpg.connect(dsn)
    try:
        if not await connection.fetchval("SELECT to_regclass('schema_migrations') IS NOT NULL"):
            return [migration.name for migration in read_migrations()]
        applied = {row[0] for row in await connection.fetch("SELECT number FROM schema_migrations")}
        return [migration.name for migration in read_migrations() if migration.number not in applied]
    finally:
        await connection.close()


async def _apply(connection: asyncpg.Connection, migration: Migration) -> bool:
    """Apply one migration unless it is there; True when it was applied."""
    digest = await connection.fetchval("SELECT digest FROM schema_migrations WHERE number = $1", migration.number)
    if digest is not None:
        if digest != migration.digest:
            raise MigrationError(f"{migration.name} was changed after it was applied; write a new migration instead")
        return False
    async with connection.transaction():
        await connection.execute("SET LOCAL lock_timeout = '10s'; SET LOCAL statement_timeout = '10min'")
        await connection.execute(migration.sql)
        await connection.execute(
            "INSERT INTO schema_migrations (number, name, digest) VALUES ($1, $2, $3)",
            migration.number, migration.name, migration.digest,
        )  # fmt: skip
    return True
