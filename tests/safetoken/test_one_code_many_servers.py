"""One code, sixteen clients at once, four servers: accepted exactly once. Two hundred guesses at once: five compared."""

from __future__ import annotations

import asyncio
import contextlib
import secrets
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import asyncpg
import httpx
import oath
import pytest

from strongroom.access.issuer_model import IssuerSettings
from strongroom.access.model import SCOPES_OF, TenantKind
from strongroom.kit.crypto import Secret
from strongroom.sca.cardholding.model import Enrolled, Enrolment
from strongroom.sca.devices.model import NewToken
from strongroom.sca.devices.oath import code_at
from strongroom.sca.purchasing.model import AuditTag
from strongroom.wiring import House
from tests.funds.firm_api import open_app
from tests.safetoken.served import beside, serve
from tests.safetoken.test_enrolment import luhn

ACTOR, SEED = "operator:test", b"12345678901234567890"
CLIENTS, CODES_PER_CARD = 16, 5  # a card begins five purchases in ten minutes
AUTHENTICATIONS = "/api/v1/safetoken/authentications"


@dataclass
class Desk:
    """Four servers, the merchant's software at each, and the database as its owner sees it."""

    house: House
    issuer_id: str
    tills: list[httpx.AsyncClient]
    owner: asyncpg.Connection

    async def enrol(self, number: int, suite: str | None = None) -> tuple[str, str]:
        """Enrol a card whose holder has a device; return the card number and the device's serial."""
        pan, serial = luhn(f"506181{number:09d}"), f"D{number}"
        enrolled = await self.house.cardholders.enrol(
            self.issuer_id, ACTOR, Enrolment(Secret(pan), "2347908516601", {}, approved=True)
        )
        assert isinstance(enrolled, Enrolled)
        seed = Secret(SEED.hex())
        new = NewToken.of_suite(serial, seed, suite) if suite else NewToken(serial, seed)
        await self.house.otp_tokens.import_one(self.issuer_id, ACTOR, new)
        await self.house.otp_tokens.assign(self.issuer_id, ACTOR, serial, enrolled.cardholder_id)
        await self.house.otp_tokens.activate(self.issuer_id, ACTOR, serial)
        return pan, serial

    async def begin(self, pan: str) -> str:
        return (await self.begin_asked(pan))[0]

    async def begin_asked(self, pan: str) -> tuple[str, str | None]:
        """Begin a purchase; return it and the question for a device that signs."""
        body = {
            "cardPan": pan, "amount": "1500.00", "currency": "NGN", "merchantName": "Book Shop",
            "transactionRef": secrets.token_hex(8), "channel": "WEB",
        }  # fmt: skip
        answer = await self.tills[0].post(AUTHENTICATIONS, json=body)
        assert answer.status_code == 201, answer.text
        assert answer.json()["tokenType"] == 1
        return str(answer.json()["authenticationId"]), answer.json()["question"]

    async def at_once(self, purchase_id: str, codes: list[str]) -> list[httpx.Response]:
        """Send the codes in the same moment, in turn to each server."""
        path = f"{AUTHENTICATIONS}/{purchase_id}/verify"
        return await asyncio.gather(
            *(self.tills[n % len(self.tills)].post(path, json={"otp": code}) for n, code in enumerate(codes))
        )

    async def accepted(self, purchase_id: str) -> int:
        """Return how often the audit says that a code was accepted for a purchase."""
        query = "SELECT count(*) FROM audit_entries WHERE subject = $1 AND tag = $2"
        return int(await self.owner.fetchval(query, purchase_id, str(AuditTag.AUTHENTICATED)))


@pytest.fixture
async def desk(database: Any, tmp_path: Path) -> AsyncIterator[Desk]:
    async with contextlib.AsyncExitStack() as stack:
        house, _ = await stack.enter_async_context(open_app(database, tmp_path))
        issuer = await house.issuers.create(ACTOR, "Bank of Lagos", 8, ["506181"], IssuerSettings())
        merchant = await house.merchants.create(ACTOR, "Switch")
        await house.merchants.change(ACTOR, merchant.id, {"begins_per_minute": 6000})
        client = await house.clients.create(ACTOR, merchant.id, "gateway", SCOPES_OF[TenantKind.MERCHANT])
        token = await house.tokens.create_static(ACTOR, merchant.id, client.client_id, "gateway", SCOPES_OF[TenantKind.MERCHANT])
        first = stack.enter_context(serve(database, tmp_path))
        second = stack.enter_context(beside(first))
        third = stack.enter_context(beside(second))
        fourth = stack.enter_context(beside(third))
        headers = {"authorization": f"Bearer {token.token.reveal()}"}
        tills = [
            await stack.enter_async_context(httpx.AsyncClient(base_url=one.url, headers=headers, timeout=60, trust_env=False))
            for one in (first, second, third, fourth)
        ]
        owner = await asyncpg.connect(database.dsn)
        stack.push_async_callback(owner.close)
        yield Desk(house, issuer.id, tills, owner)


async def send_each_code_at_once(desk: Desk, cards: int) -> None:
    for number in range(cards):
        pan, serial = await desk.enrol(number)
        for counter in range(CODES_PER_CARD):
            purchase_id = await desk.begin(pan)
            answers = await desk.at_once(purchase_id, [code_at(SEED, counter)] * CLIENTS)
            assert {answer.status_code for answer in answers} <= {200, 409}
            assert await desk.accepted(purchase_id) == 1
            used = await desk.owner.fetchrow("SELECT state, counter FROM otp_tokens WHERE serial = $1", serial)
            assert tuple(used) == ("active", counter + 1)


async def test_one_code_by_sixteen_clients_at_four_servers_is_accepted_exactly_once(desk: Desk) -> None:
    await send_each_code_at_once(desk, cards=2)


async def test_one_code_for_a_question_by_sixteen_clients_at_four_servers_is_accepted_exactly_once(desk: Desk) -> None:
    suite = "OCRA-1:HOTP-SHA1-6:QN08"
    pan, _ = await desk.enrol(0, suite)
    for _ in range(CODES_PER_CARD):
        purchase_id, question = await desk.begin_asked(pan)
        code = str(oath.str2ocrasuite(suite)(SEED, Q=question))
        answers = await desk.at_once(purchase_id, [code] * CLIENTS)
        assert {answer.status_code for answer in answers} <= {200, 409}
        assert await desk.accepted(purchase_id) == 1
    assert await desk.owner.fetchval("SELECT cardinality(answered_hashes) FROM otp_tokens") == CODES_PER_CARD


@pytest.mark.soak
async def test_a_thousand_codes_by_sixteen_clients_are_each_accepted_exactly_once(desk: Desk) -> None:
    await send_each_code_at_once(desk, cards=200)


async def test_of_two_hundred_wrong_codes_at_four_servers_five_are_compared_and_the_right_one_is_refused(desk: Desk) -> None:
    pan, _ = await desk.enrol(0)
    purchase_id, other = await desk.begin(pan), await desk.begin(pan)
    right = {code_at(SEED, counter) for counter in range(20)}
    answers = await desk.at_once(purchase_id, [code for n in range(200) if (code := f"{n:06d}") not in right])
    assert {answer.status_code for answer in answers} <= {200, 409}
    assert await desk.owner.fetchval("SELECT charges FROM otp_tokens") == 5
    [refused] = await desk.at_once(other, [code_at(SEED, 0)])
    assert refused.json()["status"] == "locked"
    assert await desk.owner.fetchval("SELECT code FROM purchases WHERE id = $1", other) == "81002"
    assert await desk.accepted(purchase_id) == await desk.accepted(other) == 0
