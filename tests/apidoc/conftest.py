"""A firm whose developer reads the document, over a database of the test's own."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from strongroom.kit.edge import Edge
from strongroom.wiring import House
from tests.funds.conftest import application
from tests.funds.firm_api import Firm, open_firm

__all__ = ["application"]


@pytest.fixture
async def firm(application: tuple[House, Edge]) -> AsyncIterator[Firm]:  # the fixture named above
    async with open_firm(*application, "Smith & Sons") as firm:
        yield firm
