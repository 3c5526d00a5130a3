"""An issuer that keeps its tokens here, asked by a hub over a real database."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import asyncpg
import pytest

from strongroom.access.issuer_model import Issuer, IssuerSettings
from strongroom.access.issuers import Issuers
from strongroom.issuing.port import CardPrompt, IssuerCode
from strongroom.kit.crypto import Secret
from strongroom.kit.db import Database
from strongroom.kit.vault import Vault
from strongroom.notify.messages import Messages
from strongroom.notify.texts import Texts
from strongroom.sca.answering.model import Hub
from strongroom.sca.answering.questions import Questions
from strongroom.sca.cardholding.cardholders import Cardholders
from strongroom.sca.cardholding.model import Enrolled, Enrolment
from strongroom.sca.challenges import Challenges
from strongroom.sca.devices.model import NewToken
from strongroom.sca.devices.oath import code_at
from strongroom.sca.devices.otp_tokens import OtpTokens
from strongroom.sca.devices.verification import Verification
from tests.access.conftest import random_keys

ACTOR, SEED, PAN, PHONE = "client:cli-1", b"12345678901234567890", "5061810000000152048", "2347908516601"


class Desk:
    """One issuer with one cardholder, the hub that asks, and a look into everything as the database's owner."""

    def __init__(self, db: Database, owner: asyncpg.Connection, vault: Vault | None = None) -> None:
        self.db, self.owner, self.vault = db, owner, vault or Vault(random_keys())
        self.issuers, self.texts = Issuers(db), Texts()
        messages, texts = Messages(db, self.vault), self.texts
        self.cardholders = Cardholders(db, self.vault, self.issuers, messages, texts)
        self.tokens = OtpTokens(db, self.vault, self.cardholders)
        self.verification, self.challenges = Verification(db, self.vault, self.cardholders), Challenges(db, self.vault)
        self.answer_within(messages)
        self.issuer: Issuer
        self.hub: Hub
        self.holder = ""

    def answer_within(self, messages: Messages) -> None:
        """Let the questions be answered with other limits on messages."""
        self.questions = Questions(
            self.db, self.vault, self.cardholders, self.verification, self.challenges, messages, self.texts
        )  # fmt: skip

    async def open(self, **settings: Any) -> None:
        self.issuer = await self.issuers.create(ACTOR, "Bank of Lagos", 8, ["506181"], IssuerSettings(**settings))
        self.hub = Hub(self.issuer, b"h" * 32)
        self.holder = await self.enrol(PAN)

    async def set(self, **changes: Any) -> None:
        self.issuer = await self.issuers.change(ACTOR, self.issuer.id, changes)
        self.hub = Hub(self.issuer, b"h" * 32)

    async def enrol(self, pan: str, *, approved: bool = True, account: str | None = None, phone: str = PHONE) -> str:
        enrolment = Enrolment(Secret(pan), phone, {}, approved, Secret(account) if account else None)
        enrolled = await self.cardholders.enrol(self.issuer.id, ACTOR, enrolment)
        assert isinstance(enrolled, Enrolled)
        return enrolled.cardholder_id

    async def give(self, serial: str = "A1", holder: str | None = None, *, active: bool = True, suite: str | None = None) -> None:
        seed = Secret(SEED.hex())
        new = NewToken.of_suite(serial, seed, suite) if suite else NewToken(serial, seed)
        await self.tokens.import_one(self.issuer.id, ACTOR, new)
        await self.tokens.assign(self.issuer.id, ACTOR, serial, holder or self.holder)
        if active:
            await self.tokens.activate(self.issuer.id, ACTOR, serial)

    async def ask(self, pan: str = PAN) -> CardPrompt | IssuerCode:
        answer = await self.questions.validate_card(self.hub, Secret(pan))
        return answer if isinstance(answer, CardPrompt) else answer.code

    async def type(self, code: str, user_id: str = PAN) -> IssuerCode:
        return (await self.questions.authenticate_otp(self.hub, Secret(user_id), Secret(code))).code

    async def sent(self) -> list[str]:
        """Return the text messages that wait, oldest first."""
        rows = await self.owner.fetch(
            "SELECT id, text_sealed FROM messages WHERE tenant_id = $1 ORDER BY created_at, id", self.issuer.id
        )
        async with self.db.transaction(self.issuer.id) as tx:
            keys = await self.vault.tenant(tx, self.issuer.id)
        return [keys.unseal_text("messages", "text_sealed", row[0], row[1]) for row in rows]

    async def code(self) -> str:
        """Return the code of the newest message."""
        return (await self.sent())[-1].split(" ")[0]

    async def pass_time(self, seconds: float) -> None:
        await self.owner.execute("UPDATE clock_offset SET ahead = ahead + make_interval(secs => $1)", float(seconds))


def shown(counter: int = 0) -> str:
    """Return what the device shows."""
    return code_at(SEED, counter)


def wrong(code: str) -> str:
    return f"{(int(code) + 1) % 1_000_000:06d}"


@pytest.fixture
async def desk(database: Any) -> AsyncIterator[Desk]:
    db, owner = await Database.connect(database.app_dsn), await asyncpg.connect(database.dsn)
    one = Desk(db, owner)
    await one.open()
    yield one
    await owner.close()
    await db.close()
