"""A foreign issuer on a real TLS socket, and our lines to it in every wire form."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from strongroom.access.issuer_model import MessageSecurity, RemoteProtocol
from strongroom.issuing.model import Policy
from strongroom.issuing.port import RemoteIssuer
from strongroom.issuing.registry import RemoteIssuers
from tests.issuing.foreign_issuer import ForeignIssuer, open_issuer
from tests.issuing.pki import Pki


class Clock:
    """The breaker's time: stands still unless a test moves it."""

    def __init__(self) -> None:
        self.seconds = 1000.0

    def __call__(self) -> float:
        return self.seconds


@pytest.fixture(scope="session")
def pki(tmp_path_factory: pytest.TempPathFactory) -> Pki:
    return Pki(tmp_path_factory.mktemp("issuing"), "hub", "issuer", "next")


@pytest.fixture
async def issuer(pki: Pki) -> AsyncIterator[ForeignIssuer]:
    one = await open_issuer(pki)
    yield one
    await one.stop()


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
async def lines(pki: Pki, issuer: ForeignIssuer, clock: Clock) -> AsyncIterator[RemoteIssuers]:
    one = RemoteIssuers(pki.identity(), frozenset({issuer.host}), pki.signer(), clock=clock)
    yield one
    await one.close()


@pytest.fixture(params=[*RemoteProtocol, "signed soap"])
def policy(issuer: ForeignIssuer, pki: Pki, request: pytest.FixtureRequest) -> Policy:
    """Return a policy for every way in which an issuer is spoken to."""
    if request.param in set(RemoteProtocol):
        return Policy("iss-1", issuer.url, request.param)
    issuer.signer = pki.signer("issuer").current()
    signers = frozenset({pki.pin("issuer")})
    return Policy("iss-1", issuer.url, RemoteProtocol.SOAP, MessageSecurity.BODY, signers=signers)


@pytest.fixture
def line(lines: RemoteIssuers, policy: Policy) -> RemoteIssuer:
    return lines.line(policy)
