"""A firm with an approved receiving account, calling the real application."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from strongroom.kit.edge import Edge
from strongroom.wiring import House
from tests.funds.firm_api import Firm, open_app, open_firm


@pytest.fixture
async def application(database: Any, tmp_path: Path) -> AsyncIterator[tuple[House, Edge]]:
    async with open_app(database, tmp_path) as opened:
        yield opened


@pytest.fixture
async def firm(application: tuple[House, Edge]) -> AsyncIterator[Firm]:
    async with open_firm(*application, "Smith & Sons") as firm:
        yield firm


@pytest.fixture
async def other_firm(application: tuple[House, Edge]) -> AsyncIterator[Firm]:
    async with open_firm(*application, "Other & Co") as firm:
        yield firm
