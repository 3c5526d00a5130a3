"""Sources of reliable messages, in every dialect."""

from __future__ import annotations

import pytest

from tests.safetoken.conftest import Bank
from tests.safetoken.reliable.by_hand import DIALECTS, Source


@pytest.fixture(params=DIALECTS, ids=lambda dialect: dialect.name)
async def source(request: pytest.FixtureRequest, bank: Bank) -> Source:
    """Return a source in one dialect, without a sequence yet."""
    return Source(bank, request.param, await bank.bearer(), bank.http)
