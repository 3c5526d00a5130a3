"""One house for each test."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from tests.issuing.pki import Pki
from tests.sca.purchasing.house import House, open_house


@pytest.fixture(scope="session")
def pki(tmp_path_factory: pytest.TempPathFactory) -> Pki:
    return Pki(tmp_path_factory.mktemp("purchasing"), "hub", "issuer")


@pytest.fixture
async def house(database, pki) -> AsyncIterator[House]:
    async with open_house(database, pki) as one:
        yield one
