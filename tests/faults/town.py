"""A town: the whole web application over one database, with two firms that each have one of everything.

async with open_town(database) as town:
    answer = await town.http.get("/api/1.0/cases", headers=town.alder.bearer())

Every text that a firm keeps to itself is made up for it alone, so that finding it in an answer to another is a leak.
"""

from __future__ import annotations

import base64
import contextlib
import json
import secrets
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import asyncpg
import httpx
from litestar import Litestar

from strongroom.access.model import FIRM_SCOPES, Record, SessionKind, StaffMember
from strongroom.app import make_app, make_edge
from strongroom.banking.health import HealthReport
from strongroom.banking.port import CustomerContext
from strongroom.banking.registry import BankListing
from strongroom.funds.account_requests import NewAccountRequest
from strongroom.funds.model import Actor, Personal
from strongroom.funds.payments import Agreement
from strongroom.funds.receiving import NewReceivingAccount
from strongroom.funds.requests import NewCreditRequest
from strongroom.kit.db import Database
from strongroom.kit.idempotency import Once
from strongroom.kit.rootkeys import RootKeyKeeper
from strongroom.kit.vault import Vault
from strongroom.settings_reading import load_settings
from strongroom.wiring import APP_ROLE, WORKER_ROLE, House, assemble
from tests.funds.scripted_bank import ScriptedBank, ScriptedRegistry

BANK = "mulberry"
BASE_URL = "https://pay.example"
COOKIE = "__Host-strongroom-"
LONG_AGO = datetime(2026, 1, 1, tzinfo=UTC)
AGREEMENT = Agreement("test-1", "Mulberry Bank", "192.0.2.7")
BROWSER = "b" * 43


class TownRegistry(ScriptedRegistry):
    """The scripted banks, as the pages list them."""

    closed: frozenset[str] = frozenset()  # by the operator

    def get_listing(self, bank_id: str) -> BankListing:
        """Return a bank as pages show it. Raise NotFound."""
        self.get_bank(bank_id)
        return next(one for one in self.list_banks() if one.bank_id == bank_id)

    def list_banks(self) -> tuple[BankListing, ...]:
        """Return every bank, all of them well."""
        well = HealthReport(0, 0.0, None, None, None)
        reasons = {one: "Maintenance" if one in self.closed else None for one in self.banks}
        return tuple(BankListing(one, f"{one.title()} Bank", None, reason, None, well) for one, reason in reasons.items())

    def find_logo(self, name: str) -> None:
        """Find none: the scripted banks have no logo."""

    def published_keys(self) -> dict[str, list[dict[str, Any]]]:
        """Return no keys: the scripted banks check no signatures."""
        return {"keys": []}

    async def close(self) -> None:
        """Do as the real one does at the end."""


@dataclass
class Firm:
    """A firm with one of everything; `ids` by kind, `private` what nobody else may ever read."""

    name: str
    person: Personal
    second: Personal
    id: str = ""
    secret: str = field(default="", repr=False)
    ids: dict[str, str] = field(default_factory=dict)
    private: set[str] = field(default_factory=set)
    tokens: dict[str, str] = field(default_factory=dict, repr=False)

    @property
    def record(self) -> Record:
        """What a session of its first customer covers."""
        return Record(self.id, self.ids["customer"], self.ids["case"])

    def bearer(self, token: str = "all") -> dict[str, str]:
        """Return the header that carries one of its tokens."""
        return {"authorization": f"Bearer {self.tokens[token]}"}


@dataclass
class Town:
    """The application, its two firms, and the database as its owner sees it."""

    house: House
    jobs: House  # as the worker has it
    app: Litestar
    owner: asyncpg.Pool
    http: httpx.AsyncClient
    bank: ScriptedBank
    alder: Firm
    beech: Firm

    async def open_session(self, *records: Record, kind: SessionKind = SessionKind.GRANT) -> dict[str, str]:
        """Open a session over records; return its cookie and, as `csrf`, the secret of its forms."""
        async with self.house.db.transaction(records[0].firm_id) as tx:
            session_id = (await self.house.sessions.open(tx, kind, records)).reveal()
        return {"session": session_id, "csrf": self.house.vault.hash("csrf", session_id).hex()[:64]}

    async def age_session(self, session_id: str) -> None:
        """Let a session have been left alone for an hour."""
        await self.owner.execute(
            "UPDATE portal_sessions SET created_at = created_at - interval '1 hour', active_at = active_at - interval '1 hour' "
            "WHERE session_hash = $1",
            self.house.vault.hash("portal session", session_id),
        )

    def passes(self, firm: Firm) -> dict[str, str]:
        """Return the cookies that let a browser see the state of a firm's own two attempts."""
        return {kind: self._pass(kind, f"{firm.id}.{firm.ids[kind]}.{int(time.time()) + 3600}") for kind in ("payment", "share")}

    def _pass(self, kind: str, text: str) -> str:
        return f"{text}.{self.house.vault.hash('attempt pass', kind, text).hex()[:64]}"


@contextlib.asynccontextmanager
async def open_town(database: Any, keeper: RootKeyKeeper | None = None) -> AsyncIterator[Town]:
    """Open the application in this process, over two firms."""
    fresh = [base64.b64encode(secrets.token_bytes(32)).decode() for _ in range(2)]
    settings = load_settings(
        {
            "STRONGROOM_ENVIRONMENT": "test",
            "STRONGROOM_BASE_URL": BASE_URL,
            "STRONGROOM_DATABASE_URL": database.app_dsn,
            "STRONGROOM_KEYS": json.dumps({"active": 1, "index": fresh[0], "keys": {"1": fresh[1]}}),
            "STRONGROOM_AUDIT_ROOTS_FILE": "unused.jsonl",
            "STRONGROOM_SMS_GATEWAY": "inbox",
            "STRONGROOM_INBOX_URL": "http://127.0.0.1:9",
            "STRONGROOM_RECEIVING_COOLING_OFF_SECONDS": "0",
        }
    )
    bank = ScriptedBank()
    registry: Any = TownRegistry({BANK: bank})
    vault = Vault(keeper or settings.keeper())
    db = await Database.connect(database.app_dsn, role=APP_ROLE, size=8)
    worker_db = await Database.connect(database.worker_dsn, role=WORKER_ROLE, size=4)
    owner = await asyncpg.create_pool(database.dsn, min_size=1, max_size=3)
    house, jobs = assemble(settings, db, vault, registry), assemble(settings, worker_db, vault, registry)
    app = make_app(house)
    edge: Any = make_edge(house, app)  # httpx and the framework write the same protocol in different types
    transport = httpx.ASGITransport(edge, client=("192.0.2.7", 4711))
    try:
        async with httpx.AsyncClient(transport=transport, base_url=BASE_URL) as http:
            town = Town(house, jobs, app, owner, http, bank, _alder(), _beech())
            for firm in (town.alder, town.beech):
                await _furnish(town, firm)
            await jobs.events.sequencer().run()
            yield town
    finally:
        await owner.close()
        await worker_db.close()
        await db.close()


def _alder() -> Firm:
    return Firm(
        "Alder Partners",
        Personal("Agnes Alderman", "agnes.alderman@example.com", "1971-02-03", "447700900111"),
        Personal("Aron Alderson", "aron.alderson@example.com", "1972-03-04", "447700900112"),
    )


def _beech() -> Firm:
    return Firm(
        "Beech Partners",
        Personal("Bettina Beechcroft", "bettina.beechcroft@example.com", "1981-04-05", "447700900121"),
        Personal("Boris Beechworth", "boris.beechworth@example.com", "1982-05-06", "447700900122"),
    )


async def _furnish(town: Town, firm: Firm) -> None:
    """Give a firm one of everything that there is."""
    firm.id = (await town.house.firms.create("operator:test", firm.name)).id
    await _let_in(town.house, firm)
    await _open_case(town.house, firm)
    await _ask(town.house, firm)
    await _tell(town.house, firm)
    await _go_to_bank(town, firm)
    await _go_on_with_a_phone(town, firm)
    firm.private |= {*firm.ids.values(), firm.secret, *firm.tokens.values()}
    for person in (firm.person, firm.second):
        firm.private |= {person.name, person.email, person.date_of_birth, person.phone, person.phone.replace("44", "0", 1)}


async def _let_in(house: House, firm: Firm) -> None:
    """Make a client with a secret, a token for every single scope, one for all and one that has been revoked."""
    client = await house.clients.create("operator:test", firm.id, f"{firm.name} client", FIRM_SCOPES)
    firm.ids["client"] = client.client_id
    firm.secret = client.secret.reveal() if client.secret else ""
    wanted = {str(scope): [scope] for scope in FIRM_SCOPES} | {"all": [*FIRM_SCOPES], "revoked": [*FIRM_SCOPES]}
    for name, scopes in wanted.items():
        made = await house.tokens.create_static("operator:test", firm.id, client.client_id, name, scopes)
        firm.tokens[name] = made.token.reveal()
        firm.ids["token"] = made.id
    await house.tokens.revoke("operator:test", firm.id, firm.ids["token"])  # the last is the one named so


async def _open_case(house: House, firm: Firm) -> None:
    key = Once(house.vault, "client:test")
    ref = f"{firm.name} matter 7"
    made = await house.cases.create(firm.id, Actor("client:test"), ref, [firm.person, firm.second], key)
    firm.ids |= {"case": made.id, "customer": made.customers[0].id, "second": made.customers[1].id}
    proposer, approver = (StaffMember(firm.id, f"stf-{one}", one, f"{one}@example.com", LONG_AGO) for one in ("avery", "robin"))
    account = NewReceivingAccount(f"{firm.name} Client Account", "200052", "55779911")
    firm.ids["receiving"] = await house.receiving.propose(proposer, account)
    await house.receiving.approve(approver, firm.ids["receiving"])
    firm.private |= {ref, account.account_name}


async def _ask(house: House, firm: Firm) -> None:
    """Ask the first customer for money and an account; that lets them log in as well. A second of each waits untouched."""
    who, case, customer = Actor("client:test"), firm.ids["case"], firm.ids["customer"]
    reference = firm.name.upper()[:5] + "771"
    for kind in ("credit", "waiting credit"):
        new = NewCreditRequest(case, reference, f"{firm.name} opening fee", 10_000, customer, notify=False)
        firm.ids[kind] = (await house.requests.create(firm.id, who, new, Once(house.vault))).id
    for kind in ("account", "waiting account"):
        ask = NewAccountRequest(case, customer, notify=False)
        firm.ids[kind] = (await house.account_requests.create(firm.id, who, ask, Once(house.vault))).id
    new_login = await house.authentications.create(firm.id, who, case, firm.ids["second"], Once(house.vault))
    firm.ids["authentication"] = new_login.id
    await house.grants.issue(firm.id, who, case, customer)
    firm.private |= {reference, f"{firm.name} opening fee"}


async def _tell(house: House, firm: Firm) -> None:
    host = firm.name.split()[0].lower()
    made = await house.endpoints.create(
        firm.id, url=f"https://hooks.{host}.example/in", actor="client:test", description=f"{host} till"
    )
    firm.ids["endpoint"] = made.endpoint.id
    firm.ids["event"] = await house.endpoints.test(firm.id, made.endpoint.id)
    firm.private |= {f"hooks.{host}.example", f"{host} till", made.secret.reveal()}


async def _go_to_bank(town: Town, firm: Firm) -> None:
    """Begin to pay and to share, so that there are attempts at the bank."""
    house, customer = town.house, firm.ids["customer"]
    paying = await house.payments.begin(firm.id, customer, firm.ids["credit"], BANK, AGREEMENT, CustomerContext())
    firm.ids["payment"] = paying.payment_id
    firm.private.add(town.bank.newest().state)
    browser = house.vault.hash("share browser", BROWSER)
    sharing = await house.sharing.begin(firm.id, customer, firm.ids["account"], BANK, AGREEMENT, CustomerContext(), browser)
    firm.ids["share"] = sharing.share_id
    firm.private.add(town.bank.newest().state)


async def _go_on_with_a_phone(town: Town, firm: Firm) -> None:
    """Offer the waiting request to a phone."""
    computer = (await town.open_session(firm.record))["session"]
    offer = await town.house.hand_offs.offer(computer, firm.id, firm.ids["customer"], firm.ids["waiting credit"])
    assert offer is not None
    firm.ids["hand_off"] = offer.id
    firm.private.add(offer.token.reveal())
