"""The bank's own PostgreSQL: makes the database and the tables when they are not there yet."""

from __future__ import annotations

from pathlib import Path
from typing import Any, TypeAlias
from urllib.parse import urlsplit

import asyncpg

SCHEMA_NAME = "modelbank_3"  # a change of the tables takes the next number: pretend money needs no migration
SCHEMA = Path(__file__).with_name("schema.sql")
_LOCK = 7_100_001

Tx: TypeAlias = Any  # an asyncpg connection inside a transaction, or a pool for a single statement
Pool: TypeAlias = Any


async def open_pool(dsn: str, *, max_size: int = 10) -> Pool:
    """Connect, making the database and the tables first where they are missing."""
    await _ensure_database(dsn)
    pool = await asyncpg.create_pool(
        dsn, min_size=1, max_size=max_size, command_timeout=30, server_settings={"search_path": SCHEMA_NAME}
    )
    async with pool.acquire() as connection, connection.transaction():
        await connection.execute("SELECT pg_advisory_xact_lock($1)", _LOCK)
        await connection.execute(f"CREATE SCHEMA IF NOT EXISTS {SCHEMA_NAME}")
        await connection.execute(SCHEMA.read_text(encoding="utf-8"))
    return pool


async def _ensure_database(dsn: str) -> None:
    try:
        connection = await asyncpg.connect(dsn)
    except asyncpg.InvalidCatalogNameError:
        await _create_database(dsn)
    else:
        await connection.close()


async def _create_database(dsn: str) -> None:
    name = urlsplit(dsn).path.lstrip("/")
    connection = await asyncpg.connect(dsn, database="postgres")
    try:
        await connection.execute(f'CREATE DATABASE "{name.replace(chr(34), "")}"')
    except asyncpg.DuplicateDatabaseError:
        pass  # another process was faster
    finally:
        await connection.close()
