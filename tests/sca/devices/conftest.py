"""One town for each test."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import asyncpg
import pytest

from strongroom.kit.db import Database
from tests.sca.devices.town import ACTOR, Town


@pytest.fixture
async def town(database: Any) -> AsyncIterator[Town]:
    db = await Database.connect(database.app_dsn, size=16)
    owner = await asyncpg.connect(database.dsn)
    town = Town(db, owner)
    town.issuer = await town.issuers.create(ACTOR, "Mango Bank", 8, ["506181"])
    town.holder = await town.enrol("5061810000000152048")
    yield town
    await owner.close()
    await db.close()
