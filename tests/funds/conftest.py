"""A firm with an approved receiving account, calling the real application."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any
from uuid import uuid4

import asyncpg
import pytest

from strongroom.embedded import EmbeddedPostgres
from strongroom.kit.edge import Edge
from strongroom.wiring import House
from tests.conftest import TEMPLATE, Database
from tests.funds.firm_api import Firm, open_app, open_firm


@pytest.fixture
async def application(database: Any, tmp_path: Path) -> AsyncIterator[tuple[House, Edge]]:
    """Yield an application over a database of the test's own."""
    async with open_app(database, tmp_path) as opened:
        yield opened


@pytest.fixture(scope="session")
async def shared_database(postgres: EmbeddedPostgres, migrated: asyncpg.Connection) -> AsyncIterator[Database]:
    """Yield one database for all tests of the API in this worker: each has firms of its own in it."""
    name = f"test_{uuid4().hex}"
    await migrated.execute(f"CREATE DATABASE {name} TEMPLATE {TEMPLATE} STRATEGY file_copy")
    yield Database(name, postgres.dsn(name), postgres.dsn(name, "strongroom_app"), postgres.dsn(name, "strongroom_worker"))
    await migrated.execute(f"DROP DATABASE {name} WITH (FORCE)")


@pytest.fixture(scope="session")
async def shared_application(
    shared_database: Database, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[tuple[House, Edge]]:
    """Yield one application for all tests of the API in this worker."""
    async with open_app(shared_database, tmp_path_factory.mktemp("application")) as opened:
        yield opened


@pytest.fixture
async def firm(shared_application: tuple[House, Edge]) -> AsyncIterator[Firm]:
    async with open_firm(*shared_application, "Smith & Sons") as firm:
        yield firm


@pytest.fixture
async def other_firm(shared_application: tuple[House, Edge]) -> AsyncIterator[Firm]:
    async with open_firm(*shared_application, "Other & Co") as firm:
        yield firm
