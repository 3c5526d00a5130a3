"""A merchant's gateway that calls the real application, and a remote issuer whose service is a foreign one."""

from __future__ import annotations

import contextlib
import secrets
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx

from strongroom.access.issuer_model import Hosting, Issuer, IssuerSettings
from strongroom.access.model import SCOPES_OF, TenantKind
from strongroom.kit.edge import Edge
from strongroom.wiring import House
from tests.funds.firm_api import open_app
from tests.issuing.foreign_issuer import CARD, ForeignIssuer, open_issuer
from tests.issuing.pki import Pki

ACTOR = "operator:test"
BASE = "http://pay.example.com"
AUTHENTICATIONS = "/api/v1/safetoken/authentications"


@dataclass
class Caller:
    """Somebody's software: every call carries its token and says which status it expects."""

    tenant_id: str
    client_id: str
    token: str
    http: httpx.AsyncClient

    async def call(self, method: str, path: str, status: int, body: Any = None) -> Any:
        content = {"content": body} if isinstance(body, bytes) else {"json": body} if body is not None else {}
        answer = await self.http.request(method, f"{AUTHENTICATIONS}{path}", **content)
        assert answer.status_code == status, answer.text
        return answer.json() if answer.content else None

    async def begin(self, status: int = 201, **changes: Any) -> Any:
        body = {
            "cardPan": CARD, "amount": "1500.00", "currency": "NGN", "merchantName": "Book Shop",
            "transactionRef": secrets.token_hex(8), "channel": "WEB",
        }  # fmt: skip
        return await self.call("POST", "", status, body | changes)

    async def verify_anyhow(self, authentication_id: str, otp: str) -> httpx.Response:
        """Have a code judged, whatever comes of it."""
        return await self.http.request("POST", f"{AUTHENTICATIONS}/{authentication_id}/verify", json={"otp": otp})

    async def verify(self, authentication_id: str, otp: str, status: int = 200) -> Any:
        return await self.call("POST", f"/{authentication_id}/verify", status, {"otp": otp})


@dataclass
class Shop:
    """The application, the foreign issuer, and who calls."""

    house: House
    service: ForeignIssuer
    issuer: Issuer
    merchant: Caller
    other: Caller
    bank: Caller


@contextlib.asynccontextmanager
async def open_shop(database: Any, pki: Pki, folder: Path, **chosen: str) -> AsyncIterator[Shop]:
    """Open the application, with settings of the test's own, two merchants and one remote issuer."""
    service = await open_issuer(pki)
    issuing = {f"issuing_{name}": str(pki.folder / file) for name, file in HUB_FILES.items()}
    async with contextlib.AsyncExitStack() as stack:
        house, edge = await stack.enter_async_context(open_app(database, folder, issuing_hosts=service.host, **issuing, **chosen))
        settings = IssuerSettings(hosting=Hosting.REMOTE, remote_url=service.url)
        issuer = await house.issuers.create(ACTOR, "Bank of Lagos", 8, ["506181"], settings)
        merchants = [await house.merchants.create(ACTOR, name) for name in ("Switch", "Other")]
        callers = [
            await stack.enter_async_context(open_caller(house, edge, tenant, kind))
            for tenant, kind in (
                (merchants[0].id, TenantKind.MERCHANT), (merchants[1].id, TenantKind.MERCHANT), (issuer.id, TenantKind.ISSUER),
            )
        ]  # fmt: skip
        yield Shop(house, service, issuer, *callers)
    await service.stop()


HUB_FILES = {"certificate": "hub.pem", "key": "hub.key", "ca": "ca.pem"}


@contextlib.asynccontextmanager
async def open_caller(house: House, edge: Edge, tenant_id: str, kind: TenantKind) -> AsyncIterator[Caller]:
    """Give a tenant a client with all of its scopes and a token."""
    client = await house.clients.create(ACTOR, tenant_id, "software", SCOPES_OF[kind])
    token = await house.tokens.create_static(ACTOR, tenant_id, client.client_id, "laptop", SCOPES_OF[kind])
    headers = {"authorization": f"Bearer {token.token.reveal()}"}
    transport = httpx.ASGITransport(edge)  # type: ignore[arg-type]  # the edge is an ASGI application
    async with httpx.AsyncClient(transport=transport, base_url=BASE, headers=headers) as http:
        yield Caller(tenant_id, client.client_id, token.token.reveal(), http)
