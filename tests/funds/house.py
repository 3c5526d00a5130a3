"""Everything of funds over one database, as a web process (`app`) and a worker have it, with a bank that follows a script.

async with open_house(database) as house:
    request_id = await house.ask_for_account()
    begun = await house.begin_share(request_id)
    ...
"""

from __future__ import annotations

import base64
import contextlib
import json
import secrets
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from typing import Any

import asyncpg
import msgspec

from strongroom.access.firms import Firms
from strongroom.access.sessions import Sessions
from strongroom.banking.port import CustomerContext
from strongroom.funds.account_requests import AccountRequests, NewAccountRequest
from strongroom.funds.authentications import Answer, Authentications, Right, Shut, Wrong
from strongroom.funds.cases import Cases
from strongroom.funds.customers import Customers
from strongroom.funds.model import Actor, Personal, Share
from strongroom.funds.notices import Notices
from strongroom.funds.payments import Agreement
from strongroom.funds.results import Results
from strongroom.funds.share_moves import ShareMoves
from strongroom.funds.share_proofs import ShareProofs
from strongroom.funds.share_seals import ShareSeals
from strongroom.funds.share_steps import ShareSteps
from strongroom.funds.sharing import BegunShare, Sharing
from strongroom.kit.db import Database, Tx
from strongroom.kit.idempotency import Once
from strongroom.kit.rootkeys import TextKeeper
from strongroom.kit.vault import Vault
from strongroom.notify.messages import Messages
from strongroom.notify.texts import Texts
from strongroom.sca.challenges import Challenges
from strongroom.sca.model import Locked, Matched, Purpose, Rejected
from strongroom.webhooks.events import Events, Sequencer
from tests.funds.scripted_bank import ScriptedBank, ScriptedRegistry

ANN = Personal("Ann Example", "ann@example.com", "1985-04-12", "447700900101")
BEN = Personal("Ben Other", "ben@example.com", "1979-11-30", "447700900102")
CLIENT = Actor("client:test")
BANK = "mulberry"
HERE, ELSEWHERE = b"the browser that began".ljust(32, b"-"), b"another browser".ljust(32, b"-")
AGREEMENT = Agreement("share-1", "Mulberry Bank", "192.0.2.7")


class Codes:
    """Strong authentication as funds sees it, over the real challenges; the wiring has its like."""

    def __init__(self, challenges: Challenges) -> None:
        self._challenges = challenges
        self.give_codes = challenges.give_codes
        self.supersede = challenges.supersede
        self.locked_seconds = challenges.locked_seconds

    async def begin_login(self, tx: Tx, tenant: str, subject_hash: bytes) -> str:
        return await self._challenges.begin(tx, tenant, Purpose.LOGIN, subject_hash)

    async def begin_share(self, tx: Tx, tenant: str, subject_hash: bytes) -> str:
        return await self._challenges.begin(tx, tenant, Purpose.SHARE, subject_hash)

    async def answer(self, tenant: str, challenge_id: str, typed: str) -> Answer:
        match await self._challenges.try_code(tenant, challenge_id, typed):
            case Matched() as matched:
                return Right(matched)
            case Rejected() as rejected:
                return Wrong(rejected.attempts_left)
            case Locked() as locked:
                return Shut(locked.seconds, just_now=locked.just_now)

    async def accept(self, tx: Tx, answer: Right) -> int | None:
        assert isinstance(answer.proof, Matched)
        accepted = await self._challenges.accept(tx, answer.proof)
        return None if isinstance(accepted, Rejected) else accepted.target


@dataclass
class House:
    """The use cases of one firm, and what a test asks of them."""

    app: Database
    worker: Database
    owner: asyncpg.Pool
    vault: Vault
    bank: ScriptedBank
    firm_id: str = ""
    case_id: str = ""
    ann: str = ""
    ben: str = ""
    firms: Firms = field(init=False)
    customers: Customers = field(init=False)
    cases: Cases = field(init=False)
    events: Events = field(init=False)
    account_requests: AccountRequests = field(init=False)
    sharing: Sharing = field(init=False)
    proofs: ShareProofs = field(init=False)
    steps: ShareSteps = field(init=False)
    jobs: AccountRequests = field(init=False)  # as the worker has them

    def __post_init__(self) -> None:
        vault = self.vault
        self.registry = ScriptedRegistry({BANK: self.bank, "copse": ScriptedBank()})
        self.firms, self.customers, self.events = Firms(self.app), Customers(self.app, vault), Events(self.app, vault)
        self.cases = Cases(self.app, vault, self.firms, self.customers)
        self.messages, self.texts, self.codes = Messages(self.app, vault), Texts(), Codes(Challenges(self.app, vault))
        self.results, self.seals = Results(self.customers), ShareSeals(vault, self.customers)
        self.share_moves = ShareMoves(self.customers, self.seals, self.results, self.events)
        self.sharing = Sharing(
            self.app, vault, self.registry, self.seals, self.results, self.share_moves, return_url="https://pay.example/return"
        )
        self.proofs = ShareProofs(
            self.app, vault, self.firms, self.customers, self.codes, self.messages, self.texts, self.share_moves, host="pay.example"
        )
        self.steps = ShareSteps(self.worker, self.registry, self.seals, self.share_moves)
        self.account_requests, self.jobs = self._requests(self.app), self._requests(self.worker)

    def _requests(self, db: Database) -> AccountRequests:
        notices = Notices(self.firms, self.customers, self.messages, self.texts, "https://pay.example/customer")
        authentications = Authentications(
            db, self.vault, self.firms, self.customers, self.codes, Sessions(db, self.vault), notices, self.messages, self.texts,
            self.events, host="pay.example",
        )  # fmt: skip
        return AccountRequests(db, self.firms, authentications, notices, self.results, self.share_moves)

    def once(self, key: str | None = None, request: bytes = b"") -> Once:
        return Once(self.vault, "client:test", key, request)

    async def open_case(self, *people: Personal, ref: str = "REF-1") -> tuple[str, list[str]]:
        created = await self.cases.create(self.firm_id, CLIENT, ref, list(people), self.once())
        return created.id, [one.id for one in created.customers]

    async def pass_time(self, seconds: float) -> None:
        await self.owner.execute("UPDATE clock_offset SET ahead = ahead + make_interval(secs => $1)", float(seconds))

    async def at(self, seconds: float) -> Any:
        return await self.owner.fetchval("SELECT app_now() + make_interval(secs => $1)", float(seconds))

    async def work(self, *, at_most: int = 20) -> int:
        """Do everything that is due for shares now, without closing consents."""
        return sum([await self.steps.step() for _ in range(at_most)])

    async def ask_for_account(self, customer_id: str | None = None, **more: Any) -> str:
        new = NewAccountRequest(self.case_id, customer_id, **more)
        return (await self.account_requests.create(self.firm_id, CLIENT, new, self.once())).id

    async def begin_share(self, request_id: str, customer_id: str = "", *, browser: bytes = HERE, bank: str = BANK) -> BegunShare:
        return await self.sharing.begin(
            self.firm_id, customer_id or self.ann, request_id, bank, AGREEMENT, CustomerContext(), browser
        )

    async def come_back(self, *, browser: bytes = HERE) -> bool:
        """Let the customer agree at the bank and come back; True when a code is needed."""
        state, fields = self.bank.agree()
        came = await self.sharing.come_back(state, fields, browser)
        assert came is not None
        return came.needs_code

    async def share(self, request_id: str, customer_id: str = "") -> str:
        """Go the whole way in one browser; return the share's id."""
        begun = await self.begin_share(request_id, customer_id)
        assert not await self.come_back()
        await self.work()
        return begun.share_id

    async def find_share(self, share_id: str) -> Share:
        return await self.sharing.get(self.firm_id, share_id)

    async def row(self, share_id: str) -> asyncpg.Record:
        found = await self.owner.fetchrow("SELECT * FROM shares WHERE id = $1", share_id)
        assert found is not None
        return found

    async def status(self, request_id: str) -> str:
        return (await self.account_requests.get(self.firm_id, request_id)).status

    async def told(self) -> list[tuple[str, dict[str, Any]]]:
        """Return type and data of every event so far."""
        await Sequencer(self.worker).run()
        return [(str(one.type), msgspec.json.decode(one.data)) for one in await self.events.events_after(self.firm_id, 0)]

    async def sent(self, purpose: str) -> list[str]:
        """Return the texts of the messages queued for a purpose, oldest first."""
        rows = await self.owner.fetch("SELECT id, text_sealed FROM messages WHERE purpose = $1 ORDER BY created_at, id", purpose)
        async with self.app.transaction(self.firm_id) as tx:
            keys = await self.vault.tenant(tx, self.firm_id)
        return [keys.unseal_text("messages", "text_sealed", row["id"], row["text_sealed"]) for row in rows]

    async def reviews(self) -> list[str]:
        return [row["reason"] for row in await self.owner.fetch("SELECT reason FROM reviews ORDER BY created_at")]


def random_keys() -> TextKeeper:
    fresh = [base64.b64encode(secrets.token_bytes(32)).decode() for _ in range(2)]
    return TextKeeper(json.dumps({"active": 1, "index": fresh[0], "keys": {"1": fresh[1]}}))


@contextlib.asynccontextmanager
async def open_house(database: Any, keys: TextKeeper | None = None) -> AsyncIterator[House]:
    """Open a house with one firm, whose one case has the customers Ann and Ben."""
    app = await Database.connect(database.app_dsn, size=24)
    worker = await Database.connect(database.worker_dsn, role="strongroom_worker", size=8)
    owner = await asyncpg.create_pool(database.dsn, min_size=1, max_size=4)
    house = House(app, worker, owner, Vault(keys or random_keys()), ScriptedBank())
    house.firm_id = (await house.firms.create("operator:test", "Smith & Sons")).id
    house.case_id, (house.ann, house.ben) = await house.open_case(ANN, BEN)
    try:
        yield house
    finally:
        await app.close()
        await worker.close()
        await owner.close()
