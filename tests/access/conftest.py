from __future__ import annotations

import base64
import json
import secrets
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import quote

import asyncpg
import httpx
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import NameOID
from joserfc import jwt
from joserfc.jwk import ECKey, OKPKey, RSAKey
from litestar import Litestar, Request, get
from litestar.datastructures import State

from strongroom.access.api import STATE, AccessApi, routes
from strongroom.access.authentication import ClientAuthentication
from strongroom.access.clients import Clients
from strongroom.access.firms import Firms
from strongroom.access.guard import Guard, caller_of, refuse_undeclared
from strongroom.access.handoffs import HandOffs
from strongroom.access.model import FIRM_SCOPES, Firm, NewClient, Scope
from strongroom.access.sessions import Sessions
from strongroom.access.staff import Staff
from strongroom.access.tokens import Tokens
from strongroom.kit.db import Database
from strongroom.kit.edge import Edge
from strongroom.kit.http import Front
from strongroom.kit.problems import exception_handlers
from strongroom.kit.rootkeys import TextKeeper
from strongroom.kit.vault import Vault
from tests.moments import with_moments

BASE = "https://pay.example.com"
ACTOR = "operator:test"
ALL = FIRM_SCOPES


def random_keys() -> TextKeeper:
    fresh = [base64.b64encode(secrets.token_bytes(32)).decode() for _ in range(2)]
    return TextKeeper(json.dumps({"active": 1, "index": fresh[0], "keys": {"1": fresh[1]}}))


@dataclass
class House:
    """Everything of access over one database pool, as one process has it."""

    db: Database
    vault: Vault
    firms: Firms = field(init=False)
    clients: Clients = field(init=False)
    tokens: Tokens = field(init=False)
    staff: Staff = field(init=False)
    sessions: Sessions = field(init=False)
    hand_offs: HandOffs = field(init=False)
    authentication: ClientAuthentication = field(init=False)

    def __post_init__(self) -> None:
        self.firms = Firms(self.db)
        self.clients = Clients(self.db, self.vault)
        self.tokens = Tokens(self.db, self.vault)
        self.staff = Staff(self.db, self.vault)
        self.sessions = Sessions(self.db, self.vault)
        self.hand_offs = HandOffs(self.db, self.vault, self.sessions)
        self.authentication = ClientAuthentication(self.db, self.vault, BASE)

    def app(self) -> Edge:
        @get("/write", opt={"scope": Scope.FUNDS_WRITE})
        async def write(request: Request[Any, Any, Any]) -> str:
            return caller_of(request).actor

        api = AccessApi(BASE, self.authentication, self.tokens, self.firms)
        app = Litestar(
            [*routes(), write],
            guards=[Guard(self.tokens)],
            exception_handlers=exception_handlers(),
            state=State({STATE: api}),
            openapi_config=None,
        )
        refuse_undeclared(app)
        return Edge(app, Front(trusted_proxy="192.0.2.1"), over_https=True)

    def client(self, address: str = "192.0.2.9") -> httpx.AsyncClient:
        return httpx.AsyncClient(transport=httpx.ASGITransport(self.app(), client=(address, 1)), base_url=BASE)


@pytest.fixture
async def house(database: Any) -> AsyncIterator[House]:
    db = await Database.connect(database.app_dsn, size=24)
    yield House(db, Vault(random_keys()))
    await db.close()


@pytest.fixture
async def other_process(database: Any, house: House) -> AsyncIterator[House]:
    db = await Database.connect(database.app_dsn, size=2)
    yield House(db, house.vault)
    await db.close()


@pytest.fixture
async def owner(database: Any) -> AsyncIterator[asyncpg.Connection]:
    connection = await asyncpg.connect(database.dsn)
    yield connection
    await connection.close()


async def move_clock(owner: asyncpg.Connection, **ahead: float) -> None:
    await owner.execute("UPDATE clock_offset SET ahead = $1", timedelta(**ahead))


@pytest.fixture
async def firm(house: House) -> Firm:
    return await house.firms.create(ACTOR, "Mulberry & Co")


@pytest.fixture
async def api_client(house: House, firm: Firm) -> NewClient:
    return await house.clients.create(ACTOR, firm.id, "case system", ALL)


@pytest.fixture
async def web(house: House) -> AsyncIterator[httpx.AsyncClient]:
    async with house.client() as client:
        yield client


def secret_of(client: NewClient) -> str:
    assert client.secret is not None
    return client.secret.reveal()


def grant(client: NewClient, **more: Any) -> dict[str, Any]:
    return {"grant_type": "client_credentials", "client_id": client.client_id, "client_secret": secret_of(client), **more}


async def token_of(web: httpx.AsyncClient, client: NewClient, **more: Any) -> str:
    answer = await web.post("/token", json=grant(client, **more))
    assert answer.status_code == 200, answer.text
    return str(answer.json()["access_token"])


def bearer(token: str) -> dict[str, str]:
    return {"authorization": f"Bearer {token}"}


@dataclass
class Signer:
    """A client's private key, and the assertions it signs."""

    algorithm: str
    key: Any

    @classmethod
    def make(cls, algorithm: str) -> Signer:
        parameters = {"kid": "one", "use": "sig"}
        if algorithm == "PS256":
            return cls(algorithm, RSAKey.generate_key(2048, parameters))
        if algorithm == "ES256":
            return cls(algorithm, ECKey.generate_key("P-256", parameters))
        return cls(algorithm, OKPKey.generate_key("Ed25519", parameters))

    @property
    def public(self) -> dict[str, Any]:
        return {"keys": [self.key.as_dict(private=False)]}

    def claims(self, client_id: str, **changes: Any) -> dict[str, Any]:
        now = datetime.now(UTC).timestamp()
        claims = {"iss": client_id, "sub": client_id, "aud": f"{BASE}/token", "exp": int(now + 60), "iat": int(now)}
        claims |= {"jti": secrets.token_urlsafe(), **with_moments(changes)}
        return {name: value for name, value in claims.items() if value is not None}

    def sign(self, claims: dict[str, Any], **header: Any) -> str:
        return jwt.encode({"alg": self.algorithm, "kid": "one", **header}, claims, self.key, algorithms=[self.algorithm])


def assertion_form(assertion: str, **more: str) -> dict[str, str]:
    kind = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
    return {"grant_type": "client_credentials", "client_assertion_type": kind, "client_assertion": assertion, **more}


def make_certificate() -> x509.Certificate:
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "client")])
    now = datetime.now(UTC)
    builder = x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(key.public_key())
    builder = builder.serial_number(x509.random_serial_number()).not_valid_before(now).not_valid_after(now + timedelta(days=1))
    return builder.sign(key, hashes.SHA256())


def shown(certificate: x509.Certificate) -> dict[str, str]:
    return {"client-cert": quote(certificate.public_bytes(Encoding.PEM))}
