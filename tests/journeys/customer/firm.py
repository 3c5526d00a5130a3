"""The firm's side of a journey: its API, its webhook receiver, and what the pretend bank and the inbox say to testers."""

from __future__ import annotations

import asyncio
import json
import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from uuid import uuid4

import httpx
import standardwebhooks

from tests.journeys.conftest import House

WAIT_SECONDS = 40.0
TRY_EVERY_SECONDS = 0.2


@dataclass(frozen=True, slots=True)
class Person:
    """A customer of a case, as the firm knows them; nobody else has this phone."""

    name: str
    email: str
    born: tuple[str, str, str]  # day, month, year
    phone: str
    case_id: str
    customer_id: str


class Firm:
    """The demo firm's API client, or another firm's."""

    def __init__(self, house: House, client_id: str = "", client_secret: str = "") -> None:
        self.house = house
        self.http = httpx.AsyncClient(base_url=house.base_url, timeout=30)
        self._client = {"client_id": client_id or house.client_id, "client_secret": client_secret or house.client_secret}

    async def sign_in(self) -> None:
        """Take a token."""
        answer = await self.http.post("/token", json={"grant_type": "client_credentials", **self._client})
        self.http.headers["Authorization"] = f"Bearer {answer.raise_for_status().json()['access_token']}"

    async def post(self, path: str, **body: Any) -> dict[str, Any]:
        """Make something."""
        return self._read(await self.http.post(f"/api/1.0/{path}", json=body))

    async def get(self, path: str) -> dict[str, Any]:
        """Look at something."""
        return self._read(await self.http.get(f"/api/1.0/{path}"))

    async def person(self, name: str = "Test Name", like: Person | None = None) -> Person:
        """Make a case with a customer; `like` gives the same person as another firm knows them."""
        digits = f"{uuid4().int % 10**8:08d}"
        phone = like.phone if like else f"447400{digits[2:]}"
        email = like.email if like else f"someone-{digits}@example.com"
        customer = {"name": name, "email": email, "dateOfBirth": "1980-01-31", "phone": phone}
        case = await self.post("cases", caseRef=f"J{digits}", customers=[customer])
        customer_id = (await self.get(f"cases/{case['id']}"))["customers"][0]["id"]
        return Person(name, email, ("31", "1", "1980"), phone, case["id"], customer_id)

    async def ask_to_pay(
        self, person: Person, amount: float = 100.0, description: str = "Case Opening Fee", *, allow_split: bool = False
    ) -> str:
        """Ask for money; return the request's id."""
        made = await self.post(
            "creditRequests",
            caseId=person.case_id,
            reference="PAY001.1",
            description=description,
            amount=amount,
            allowSplit=allow_split,
        )
        return str(made["id"])

    async def ask_to_share(self, person: Person) -> str:
        """Ask for bank details; return the request's id."""
        return str((await self.post("customerAccountRequests", caseId=person.case_id))["id"])

    async def grant(self, person: Person) -> str:
        """Return the address that the firm's own app would open."""
        body = {"grant_type": "customer_login", "caseId": person.case_id, "customerId": person.customer_id}
        token = (await self.post("customerLoginGrant", **body))["grantToken"]
        return f"{self.house.base_url}/customer/grant/{token}"

    async def wait_for(self, path: str, *states: str) -> dict[str, Any]:
        """Look until the status is one of these."""
        found: dict[str, Any] = {}
        for _ in range(round(WAIT_SECONDS / TRY_EVERY_SECONDS)):
            found = await self.get(path)
            if found["status"] in states:
                return found
            await asyncio.sleep(TRY_EVERY_SECONDS)
        raise AssertionError(f"{path} is {found.get('status')}, not {states}")

    async def events(self, kind: str) -> list[dict[str, Any]]:
        """Return every event of a kind that the firm was ever told of, read page by page."""
        found, after = [], 0
        while page := (read := await self.get(f"events?limit=100&after={after}"))["data"]:
            found += [event for event in page if event["type"] == kind]
            after = read["next"]
        return found

    async def codes(self, person: Person, count: int = 1) -> list[str]:
        """Return the codes that a phone received, oldest first, once there are so many."""
        codes: list[str] = []
        for _ in range(round(WAIT_SECONDS / TRY_EVERY_SECONDS)):
            messages = (await self.http.get(f"{self.house.inbox_url}/messages", params={"to": person.phone})).json()
            codes = [found[0] for message in messages if (found := re.match(r"\d{6}", message["text"]))]
            if len(codes) >= count:
                return codes
            await asyncio.sleep(TRY_EVERY_SECONDS)
        raise AssertionError(f"{len(codes)} codes came, not {count}")

    async def debits(self, bank: str, payment_id: str) -> list[int]:
        """Return what the bank's ledger took from its customers for a payment, in pence."""
        ledger = (await self.http.get(f"{self.house.modelbank_url}/control/ledger", params={"bank": bank})).json()
        mark = f"SR{payment_id.removeprefix('pay-')}"
        lines = [line for line in ledger["entries"] if mark in line["text"] and line["role"] == "customer"]
        return [-line["amount_minor"] for line in lines]

    async def set_bank(self, bank: str, **switches: Any) -> None:
        """Turn the pretend bank's switches."""
        answer = await self.http.post(f"{self.house.modelbank_url}/control/bank", json={"bank": bank, **switches})
        answer.raise_for_status()

    async def let_time_pass(self, visit: str, seconds: float) -> None:
        """Let one customer's visit at the pretend bank grow older, and nothing else."""
        order = {"advance_seconds": seconds, "visit": visit}
        (await self.http.post(f"{self.house.modelbank_url}/control/clock", json=order)).raise_for_status()

    def _read(self, answer: httpx.Response) -> dict[str, Any]:
        assert answer.is_success, answer.text
        found: dict[str, Any] = answer.json()
        return found


@dataclass
class Receiver:
    """A firm's webhook receiver, which believes nothing that the public library does not verify."""

    secret: str = ""
    url: str = ""
    seen: list[dict[str, Any]] = field(default_factory=list)
    refused: list[str] = field(default_factory=list)

    def take(self, body: bytes, headers: dict[str, str]) -> bool:
        """Keep an event that verifies."""
        try:
            event = standardwebhooks.Webhook(self.secret).verify(body, headers)
        except standardwebhooks.WebhookVerificationError as error:
            self.refused.append(str(error))
            return False
        self.seen.append(event if isinstance(event, dict) else json.loads(body))
        return True

    async def types_of(self, object_id: str, last: str) -> list[str]:
        """Return the types of an object's events, in order, once the last one has come."""
        types: list[str] = []
        for _ in range(round(WAIT_SECONDS / TRY_EVERY_SECONDS)):
            types = [event["type"] for event in self.seen if event["data"]["id"] == object_id]
            if last in types:
                return types
            await asyncio.sleep(TRY_EVERY_SECONDS)
        raise AssertionError(f"only {types} came; refused: {self.refused}")


@contextmanager
def receiving() -> Iterator[Receiver]:
    """Listen on loopback for as long as the block runs."""
    receiver = Receiver()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["content-length"]))
            is_good = receiver.take(body, {name.lower(): value for name, value in self.headers.items()})
            self.send_response(204 if is_good else 400)
            self.end_headers()

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002  # the base class's name
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    receiver.url = f"http://127.0.0.1:{server.server_port}/hooks"
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield receiver
    finally:
        server.shutdown()
        server.server_close()
