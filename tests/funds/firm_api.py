"""The real application over a test's own database, and firms whose developers call its API without a network."""

from __future__ import annotations

import contextlib
import secrets
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
import msgspec

from strongroom.access.model import FIRM_SCOPES, Scope, StaffMember
from strongroom.app import make_app, make_edge
from strongroom.funds.model import AccountKind
from strongroom.funds.receiving import NewReceivingAccount
from strongroom.kit.crypto import Secret
from strongroom.kit.edge import Edge
from strongroom.kit.rootkeys import FileKeeper
from strongroom.settings_reading import load_settings
from strongroom.wiring import House, build

API = "/api/1.0"
ANN = {"name": "Ann Example", "email": "ann@example.com", "dateOfBirth": "1985-04-12", "phone": "447700900101"}
BEN = {"name": "Ben Other", "email": "ben@example.com", "dateOfBirth": "1979-11-30", "phone": "07700 900102"}
_OPERATOR = "operator:test"


@dataclass(frozen=True, slots=True)
class Firm:
    """A firm's developer: every call carries the firm's token and says which status it expects."""

    house: House
    id: str
    client_id: str
    client_secret: str
    token: str
    http: httpx.AsyncClient

    async def call(self, method: str, path: str, status: int, body: Any = None, **headers: str) -> Any:
        answer = await self.send(method, path, body, **headers)
        assert answer.status_code == status, answer.text
        return answer.json() if answer.content else None

    async def send(self, method: str, path: str, body: Any = None, **headers: str) -> httpx.Response:
        content = body if body is None or isinstance(body, bytes) else msgspec.json.encode(body)
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        return await self.http.request(method, f"{API}{path}", content=content, headers=named)

    async def get(self, path: str, status: int = 200) -> Any:
        return await self.call("GET", path, status)

    async def post(self, path: str, status: int, body: Any = None, **headers: str) -> Any:
        return await self.call("POST", path, status, body, **headers)

    async def open_case(self, ref: str = "REF-1", *people: dict[str, str]) -> tuple[str, list[str]]:
        made = await self.post("/cases", 201, {"caseRef": ref, "customers": list(people or (ANN,))})
        return made["id"], [one["id"] for one in made["customers"]]

    async def ask(self, case_id: str, **more: Any) -> str:
        body = {"caseId": case_id, "reference": "PAY001.1", "description": "Case Opening Fee", "amount": 100.0, **more}
        made: dict[str, str] = await self.post("/creditRequests", 201, body)
        return made["id"]


@contextlib.asynccontextmanager
async def open_app(database: Any, folder: Path, **settings: str) -> AsyncIterator[tuple[House, Edge]]:
    """Build the application as `strongroom serve` does, over a database of its own."""
    FileKeeper(folder / "keys.json").create()
    house = await build(load_settings(environment(database, folder, **settings)))
    try:
        yield house, make_edge(house, make_app(house))
    finally:
        await house.close()


def environment(database: Any, folder: Path, **settings: str) -> dict[str, str]:
    """Return the settings of the application as a process gets them."""
    return {
        "STRONGROOM_ENVIRONMENT": "development",
        "STRONGROOM_BASE_URL": "http://pay.example.com",
        "STRONGROOM_DATABASE_URL": database.dsn,
        "STRONGROOM_KEYS_FILE": str(folder / "keys.json"),
        "STRONGROOM_SMS_GATEWAY": "inbox",
        "STRONGROOM_INBOX_URL": "http://127.0.0.1:9",
        "STRONGROOM_WEBHOOK_ALLOW_LOOPBACK": "true",
        "STRONGROOM_RECEIVING_COOLING_OFF_SECONDS": "0",
        "STRONGROOM_AUDIT_ROOTS_FILE": str(folder / "audit-roots.jsonl"),
        **{f"STRONGROOM_{name.upper()}": value for name, value in settings.items()},
    }


@contextlib.asynccontextmanager
async def open_firm(
    house: House, edge: Edge, name: str, *, scopes: frozenset[Scope] = FIRM_SCOPES, receives: bool = True
) -> AsyncIterator[Firm]:
    """Make a firm with a client, a token and, unless told otherwise, an approved client account."""
    firm = await house.firms.create(_OPERATOR, name)
    client = await house.clients.create(_OPERATOR, firm.id, "developer", scopes)
    token = await house.tokens.create_static(_OPERATOR, firm.id, client.client_id, "laptop", scopes)
    if receives:
        await approve_account(house, firm.id)
    headers = {"authorization": f"Bearer {token.token.reveal()}"}
    assert client.secret is not None
    transport = httpx.ASGITransport(edge)  # type: ignore[arg-type]  # the edge is an ASGI application
    async with httpx.AsyncClient(transport=transport, base_url="http://pay.example.com", headers=headers) as http:
        yield Firm(house, firm.id, client.client_id, client.secret.reveal(), token.token.reveal(), http)


async def approve_account(house: House, firm_id: str) -> str:
    """Let one person propose a client account and another approve it; return its id."""
    proposer, approver = await _member(house, firm_id, "Avery"), await _member(house, firm_id, "Robin")
    account_id = await house.receiving.propose(
        proposer, NewReceivingAccount("Client Account", "200052", "55779911", AccountKind.CLIENT)
    )
    await house.receiving.approve(approver, account_id)
    return account_id


async def _member(house: House, firm_id: str, name: str) -> StaffMember:
    """Add a person, taken as authenticated: how people authenticate is shown in tests/access."""
    email = f"{name.lower()}@{firm_id}.example.com"
    added = await house.staff.create(_OPERATOR, firm_id, name, email, Secret(secrets.token_urlsafe(18)))
    return StaffMember(firm_id, added.id, name, email, datetime.now(UTC))
