"""Tokens over one database, with an issuer and one of its cardholders."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import asyncpg

from strongroom.access.issuer_model import Issuer
from strongroom.access.issuers import Issuers
from strongroom.kit.crypto import Secret
from strongroom.kit.db import Database
from strongroom.kit.vault import Vault
from strongroom.notify.messages import Messages
from strongroom.notify.texts import Texts
from strongroom.sca.cardholding.cardholders import Cardholders
from strongroom.sca.cardholding.model import Enrolled, Enrolment
from strongroom.sca.devices.model import NewToken
from strongroom.sca.devices.otp_tokens import OtpTokens
from strongroom.sca.devices.states import TokenState
from strongroom.sca.devices.verification import Verification
from tests.access.conftest import random_keys

ACTOR = "client:cli-1"
SEED = b"12345678901234567890"


class Town:
    """Tokens over one database, with an issuer and one of its cardholders."""

    def __init__(self, db: Database, owner: asyncpg.Connection) -> None:
        vault = Vault(random_keys())
        self.db, self.owner = db, owner
        self.issuers = Issuers(db)
        self.cardholders = Cardholders(db, vault, self.issuers, Messages(db, vault), Texts())
        self.tokens = OtpTokens(db, vault, self.cardholders)
        self.verification = Verification(db, vault, self.cardholders)
        self.issuer: Issuer
        self.holder = ""

    async def enrol(self, pan: str) -> str:
        enrolment = Enrolment(pan=Secret(pan), phone="2347908516601", details={}, approved=True)
        enrolled = await self.cardholders.enrol(self.issuer.id, ACTOR, enrolment)
        assert isinstance(enrolled, Enrolled)
        return enrolled.cardholder_id

    async def stock(self, serial: str = "A1", **changes: Any) -> None:
        await self.tokens.import_one(self.issuer.id, ACTOR, NewToken(serial, Secret(SEED.hex()), **changes))

    async def give(self, serial: str = "A1", **changes: Any) -> None:
        await self.stock(serial, **changes)
        await self.hand_over(serial)

    async def give_signing(self, suite: str, serial: str = "A1") -> None:
        """Give the cardholder a device that signs questions."""
        await self.tokens.import_one(self.issuer.id, ACTOR, NewToken.of_suite(serial, Secret(SEED.hex()), suite))
        await self.hand_over(serial)

    async def hand_over(self, serial: str) -> None:
        await self.tokens.assign(self.issuer.id, ACTOR, serial, self.holder)
        await self.tokens.activate(self.issuer.id, ACTOR, serial)

    async def type(self, code: str, **more: Any) -> Any:
        return await self.verification.verify(self.issuer.id, ACTOR, self.holder, code, **more)

    async def state(self, serial: str = "A1") -> TokenState:
        return (await self.tokens.get(self.issuer.id, serial)).state

    async def ahead(self, **by: float) -> None:
        await self.owner.execute("UPDATE clock_offset SET ahead = ahead + $1", timedelta(**by))

    async def now(self) -> int:
        return int(await self.owner.fetchval("SELECT floor(extract(epoch FROM app_now()))::bigint"))
