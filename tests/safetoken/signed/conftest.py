"""A bank whose software must sign the Body."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from tests.safetoken.authorities import Identity
from tests.safetoken.conftest import Bank
from tests.safetoken.served import Served
from tests.safetoken.signed.bank import SigningBank, open_signing


@pytest.fixture(scope="session")
def signer(served: Served) -> Identity:
    return served.authority.issue("a bank that signs")


@pytest.fixture
async def signing(served: Served, bank: Bank, signer: Identity) -> AsyncIterator[SigningBank]:
    """Yield a bank whose software must sign the Body."""
    async with open_signing(served, bank, signer) as opened:
        yield opened
