"""An issuer with the client that the document prints, calling the real application."""

from __future__ import annotations

import base64
import contextlib
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import uuid4

import asyncpg
import httpx
import pytest

from strongroom.access.issuer_model import Issuer
from strongroom.access.model import PRINTED_CLIENT_ID, SCOPES_OF, ClientProfile, TenantKind
from strongroom.embedded import EmbeddedPostgres
from strongroom.kit.crypto import Secret
from strongroom.kit.edge import Edge
from strongroom.wiring import House
from tests.conftest import TEMPLATE, Database
from tests.funds.firm_api import open_app
from tests.safetoken.served import Served, serve

ACTOR = "operator:test"
BASE = "http://pay.example.com"
PRINTED = ClientProfile(merchant_code="MX10003", requestor_id="123588975884", client_name="kL79ov", payable_id="359854")
PRINTED_BASIC = "Basic SUtJQTFCNzU5M0M0NDAyQkM1RTAwQzQ2QUM4QjFDMUNDMEI4NUVFQkIwODg6c2VjcmV0"
FORM = {"content-type": "application/x-www-form-urlencoded"}


@dataclass
class Bank:
    """An issuer, its client's credentials, and a connection to the application without any."""

    house: House
    issuer: Issuer
    client_id: str
    secret: str
    http: httpx.AsyncClient

    @property
    def basic(self) -> dict[str, str]:
        return basic(self.client_id, self.secret)

    async def token(self) -> str:
        answer = await self.http.post("/passport/oauth/token", content="grant_type=client_credentials", headers=self.basic | FORM)
        assert answer.status_code == 200, answer.text
        return str(answer.json()["access_token"])

    async def bearer(self) -> dict[str, str]:
        return {"authorization": f"Bearer {await self.token()}"}


def basic(client_id: str, secret: str) -> dict[str, str]:
    return {"authorization": "Basic " + base64.b64encode(f"{client_id}:{secret}".encode()).decode()}


@pytest.fixture(scope="session")
async def shared_database(postgres: EmbeddedPostgres, migrated: asyncpg.Connection) -> AsyncIterator[Database]:
    """Yield one database for the tests in this folder that have issuers of their own in it."""
    name = f"test_{uuid4().hex}"
    await migrated.execute(f"CREATE DATABASE {name} TEMPLATE {TEMPLATE} STRATEGY file_copy")
    yield Database(name, postgres.dsn(name), postgres.dsn(name, "strongroom_app"), postgres.dsn(name, "strongroom_worker"))
    await migrated.execute(f"DROP DATABASE {name} WITH (FORCE)")


@pytest.fixture(scope="session")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the folder of the application and of the server, which so have the same keys."""
    return tmp_path_factory.mktemp("application")


@pytest.fixture(scope="session")
async def application(shared_database: Database, folder: Path) -> AsyncIterator[tuple[House, Edge]]:
    async with open_app(shared_database, folder) as opened:
        yield opened


@pytest.fixture(scope="session")
def served(shared_database: Database, folder: Path, application: tuple[House, Edge]) -> Iterator[Served]:
    """Yield a server in a process of its own, over the same database and keys."""
    with serve(shared_database, folder) as running:
        yield running


@pytest.fixture(scope="session")
async def printed_bank(application: tuple[House, Edge]) -> AsyncIterator[Bank]:
    """Yield the document's bank: BankId 8 with the client that it prints."""
    house, edge = application
    issuer = await house.issuers.create(ACTOR, "Mango Bank", 8, ["506181"])
    await house.clients.create_printed(ACTOR, issuer.id, Secret("secret"), PRINTED)
    async with caller(edge) as http:
        yield Bank(house, issuer, PRINTED_CLIENT_ID, "secret", http)


@pytest.fixture
async def bank(application: tuple[House, Edge]) -> AsyncIterator[Bank]:
    """Yield a bank of the test's own, with cards of its own."""
    house, edge = application
    number = next_bank()
    issuer = await house.issuers.create(ACTOR, f"Bank {number}", number, [prefix_of(number)])
    async with open_bank(house, edge, issuer) as opened:
        yield opened


@contextlib.asynccontextmanager
async def open_bank(house: House, edge: Edge, issuer: Issuer, **profile: Any) -> AsyncIterator[Bank]:
    """Give an issuer a client, and yield both."""
    scopes = SCOPES_OF[TenantKind.ISSUER]
    made = await house.clients.create(ACTOR, issuer.id, "host", scopes, profile=ClientProfile(**profile))
    assert made.secret is not None
    async with caller(edge) as http:
        yield Bank(house, issuer, made.client_id, made.secret.reveal(), http)


_numbers = iter(range(100, 10_000))


def next_bank() -> int:
    return next(_numbers)


def prefix_of(bank_id: int) -> str:
    return f"5{bank_id:05d}"


def caller(edge: Edge) -> httpx.AsyncClient:
    return httpx.AsyncClient(transport=httpx.ASGITransport(edge), base_url=BASE)  # type: ignore[arg-type]  # an ASGI application
