"""Two Strongrooms, each a server in a process of its own with a database of its own: one is the hub, the other the issuer."""

from __future__ import annotations

import asyncio
import contextlib
import secrets
import signal
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import uuid4

import asyncpg
import httpx
import pytest

from strongroom.access.issuer_model import (
    CallerSecurity,
    Hosting,
    IssuerSettings,
    MessageSecurity,
    ReliableVersion,
    RemoteProtocol,
    SmsBy,
)
from strongroom.access.model import SCOPES_OF, TenantKind
from strongroom.embedded import EmbeddedPostgres
from strongroom.kit.crypto import Secret
from strongroom.sca.cardholding.model import Enrolled, Enrolment
from strongroom.sca.devices.model import NewToken
from strongroom.sca.devices.oath import code_at
from strongroom.wiring import House
from tests.conftest import TEMPLATE, Database
from tests.funds.firm_api import open_app
from tests.safetoken.authorities import Identity
from tests.safetoken.served import Served, restart, serve
from tests.safetoken.test_enrolment import luhn

ACTOR, SEED = "operator:test", b"12345678901234567890"
WAYS: dict[str, dict[str, Any]] = {
    "REST in XML": {"remote_protocol": "rest_xml"},
    "REST in JSON": {"remote_protocol": "rest_json"},
    "SOAP": {"remote_protocol": "soap"},
    "SOAP, Body signed": {"remote_protocol": "soap", "ws_security": "body"},
    "SOAP, Timestamp signed": {"remote_protocol": "soap", "ws_security": "timestamp"},
    "SOAP in sequences of 1.0": {"remote_protocol": "soap", "reliable": "1.0"},
    "SOAP in sequences of 1.1": {"remote_protocol": "soap", "reliable": "1.1"},
    "SOAP, Body signed, in sequences": {"remote_protocol": "soap", "ws_security": "body", "reliable": "1.1"},
    "messages by the hub": {"remote_protocol": "rest_xml", "sms_by": "hub"},
    "a stranger": {"remote_protocol": "rest_xml", "is_stranger": True},
}
SPOKEN = [name for name, way in WAYS.items() if way.keys() <= {"remote_protocol", "ws_security", "reliable"}]
_cards = iter(range(1_000_000, 9_000_000))
_phones = iter(range(2347_100_000_000, 2347_199_999_999))


@dataclass
class Side:
    """One Strongroom: its server, what a test does to it as its operator, and its database as the owner sees it."""

    served: Served
    house: House
    owner: asyncpg.Connection

    async def sent(self, issuer_id: str) -> list[str]:
        """Return the text messages of an issuer that wait on this side, oldest first."""
        rows = await self.owner.fetch(
            "SELECT id, text_sealed FROM messages WHERE tenant_id = $1 ORDER BY created_at, id", issuer_id
        )
        async with self.house.db.transaction(issuer_id) as tx:
            keys = await self.house.vault.tenant(tx, issuer_id)
        return [keys.unseal_text("messages", "text_sealed", row[0], row[1]) for row in rows]

    async def everything(self) -> str:
        """Return all that this side has written down: its log, and every row of its database."""
        tables = await self.owner.fetch(
            "SELECT relname FROM pg_class WHERE relnamespace = 'public'::regnamespace AND relkind = 'r'"
        )
        rows = [row[0] for (name,) in tables for row in await self.owner.fetch(f'SELECT t::text FROM "{name}" t')]
        return "\n".join([(self.served.folder / "serve.log").read_text(), *rows])


@dataclass
class Card:
    """A card of the issuer's, and the device of its holder."""

    pan: str
    holder: str
    phone: str
    serial: str = ""
    shown: int = 0

    def next_code(self) -> str:
        """Press the device's button."""
        self.shown += 1
        return code_at(SEED, self.shown - 1)


@dataclass
class Bank:
    """A bank as both sides know it, and the merchant's software that buys with its cards."""

    hub: Side
    issuer: Side
    merchant: httpx.AsyncClient
    at_hub: str  # its id there
    at_issuer: str
    prefix: str

    async def enrol(self, *, device: bool = True) -> Card:
        house, issuer_id = self.issuer.house, self.at_issuer
        pan, phone = luhn(f"{self.prefix}00{next(_cards)}"), str(next(_phones))
        enrolled = await house.cardholders.enrol(issuer_id, ACTOR, Enrolment(Secret(pan), phone, {}, approved=True))
        assert isinstance(enrolled, Enrolled)
        card = Card(pan, enrolled.cardholder_id, phone)
        if device:
            card.serial = f"D{pan[-8:]}"
            await house.otp_tokens.import_one(issuer_id, ACTOR, NewToken(card.serial, Secret(SEED.hex())))
            await house.otp_tokens.assign(issuer_id, ACTOR, card.serial, card.holder)
            await house.otp_tokens.activate(issuer_id, ACTOR, card.serial)
        return card

    async def begin(self, card: Card) -> dict[str, Any]:
        body = {
            "cardPan": card.pan, "amount": "1500.00", "currency": "NGN", "merchantName": "Book Shop",
            "transactionRef": secrets.token_hex(8), "channel": "WEB",
        }  # fmt: skip
        answer = await self.merchant.post("", json=body)
        assert answer.status_code == 201, answer.text
        made: dict[str, Any] = answer.json()
        return made

    async def verify(self, begun: dict[str, Any], otp: str) -> dict[str, Any]:
        answer = await self.merchant.post(f"/{begun['authenticationId']}/verify", json={"otp": otp})
        assert answer.status_code == 200, answer.text
        said: dict[str, Any] = answer.json()
        return said

    async def inner_code(self, begun: dict[str, Any]) -> str | None:
        """Return the contract's code, which the hub shows to the issuer alone."""
        return await self.hub.owner.fetchval("SELECT code FROM purchases WHERE id = $1", begun["authenticationId"])

    async def judged(self, card: Card) -> list[str]:
        """Return what the issuer's audit says about codes of a card."""
        rows = await self.issuer.owner.fetch(
            "SELECT tag FROM audit_entries WHERE subject = $1 AND tag LIKE 'sca:question:%' ORDER BY id", card.holder
        )
        return [row[0].rpartition(":")[2] for row in rows]

    def kill_issuer(self) -> None:
        """Kill the issuer's server, as the kernel does."""
        self.issuer.served.process.send_signal(signal.SIGKILL)
        self.issuer.served.process.wait(30)

    def restart_issuer(self) -> None:
        self.issuer.served = restart(self.issuer.served)


async def make_database(postgres: EmbeddedPostgres, migrated: asyncpg.Connection) -> Database:
    name = f"test_{uuid4().hex}"
    await migrated.execute(f"CREATE DATABASE {name} TEMPLATE {TEMPLATE} STRATEGY file_copy")
    return Database(name, postgres.dsn(name), postgres.dsn(name, "strongroom_app"), postgres.dsn(name, "strongroom_worker"))


@contextlib.asynccontextmanager
async def open_side(database: Database, folder: Path, **settings: str) -> AsyncIterator[Side]:
    async with open_app(database, folder) as (house, _):
        owner = await asyncpg.connect(database.dsn)
        with serve(database, folder, **settings) as served:
            side = Side(served, house, owner)
            yield side
            side.served.process.terminate()
            side.served.process.wait(30)
        await owner.close()


@pytest.fixture(scope="session")
async def banks(
    postgres: EmbeddedPostgres, migrated: asyncpg.Connection, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[dict[str, Bank]]:
    """Yield a bank for every way that the two sides speak in; each side has pinned the other."""
    databases = [await make_database(postgres, migrated) for _ in range(2)]
    folders = [tmp_path_factory.mktemp(name) for name in ("hub", "issuer")]
    async with open_side(databases[1], folders[1]) as issuer:
        served = issuer.served
        shown = served.authority.issue("the hub")
        issuing = {
            "issuing_certificate": str(shown.certificate_file), "issuing_key": str(shown.key_file),
            "issuing_ca": str(served.authority.file), "issuing_hosts": served.tls_url.removeprefix("https://"),
        }  # fmt: skip
        async with open_side(databases[0], folders[0], **issuing) as hub, open_merchant(hub) as merchant:
            yield {
                name: await open_bank(hub, issuer, merchant, number, shown, way) for number, (name, way) in enumerate(WAYS.items())
            }
    for database in databases:
        await migrated.execute(f"DROP DATABASE {database.name} WITH (FORCE)")


async def open_bank(
    hub: Side, issuer: Side, merchant: httpx.AsyncClient, number: int, shown: Identity, way: dict[str, Any]
) -> Bank:
    """Make the bank on both sides, with what this way of speaking asks of each; before a server has heard of either."""
    bank_id, prefix, answers = 8 + number, f"5061{number:02d}", issuer.served.identity.hash
    security, sms_by = way.get("ws_security", "off"), way.get("sms_by", "issuer")
    pins = [] if way.get("is_stranger") else [shown.hash]
    at_issuer = IssuerSettings(
        hub_certificate_hashes=tuple(pins), hub_security=CallerSecurity(security), sms_by=SmsBy(sms_by),
        hub_signer_hashes=(hub.served.identity.hash,),
    )  # fmt: skip
    protocol = RemoteProtocol(way["remote_protocol"])
    url = f"{issuer.served.tls_url}/issuer/{bank_id}{'/soap' if protocol is RemoteProtocol.SOAP else ''}"
    at_hub = IssuerSettings(
        hosting=Hosting.REMOTE, remote_url=url, remote_protocol=protocol, ws_security=MessageSecurity(security),
        reliable=ReliableVersion(way.get("reliable", "none")),
        sms_by=SmsBy(sms_by), remote_certificate_hashes=(answers,), remote_signer_hashes=(answers,),
    )  # fmt: skip
    made = [
        await side.house.issuers.create(ACTOR, f"Bank {bank_id}", bank_id, [prefix], settings)
        for side, settings in ((hub, at_hub), (issuer, at_issuer))
    ]
    return Bank(hub, issuer, merchant, made[0].id, made[1].id, prefix)


@contextlib.asynccontextmanager
async def open_merchant(hub: Side) -> AsyncIterator[httpx.AsyncClient]:
    house, scopes = hub.house, SCOPES_OF[TenantKind.MERCHANT]
    merchant = await house.merchants.create(ACTOR, "Switch")
    client = await house.clients.create(ACTOR, merchant.id, "software", scopes)
    token = await house.tokens.create_static(ACTOR, merchant.id, client.client_id, "laptop", scopes)
    headers = {"authorization": f"Bearer {token.token.reveal()}"}
    base = f"{hub.served.url}/api/v1/safetoken/authentications"
    async with httpx.AsyncClient(base_url=base, headers=headers, trust_env=False, timeout=30) as http:
        yield http


async def until_blocked(owner: asyncpg.Connection) -> None:
    """Wait until a server's statement waits for a lock in this database."""
    waiting = """SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"""
    for _ in range(1000):
        if await owner.fetchval(waiting):
            return
        await asyncio.sleep(0.01)
    raise AssertionError("nothing waits for a lock")
