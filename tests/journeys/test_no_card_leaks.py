"""After enrolments, devices and purchases no card number, code, seed or telephone number stands in anything that was written."""

from __future__ import annotations

import asyncio
import json
import random
import re
import secrets
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import quote

import asyncpg
import httpx
import pytest

from strongroom.safetoken.samples import SAMPLE, sample_request
from strongroom.sca.devices.oath import code_at
from tests.journeys.canaries import Canaries, control, dump_of, files_of, whole, written_by
from tests.journeys.conftest import House
from tests.safetoken.test_enrolment import luhn

WAIT_SECONDS = 60.0
XML = {"content-type": "text/xml", "soapaction": "AddCardHolder"}
ENROL, TOKENS, AUTHENTICATIONS = "/api/v1/safetoken", "/api/v1/safetoken/tokens", "/api/v1/safetoken/authentications"


@dataclass
class Day:
    """An issuer's software and a merchant's till before the running product; everything secret that they hold is a canary."""

    house: House
    issuer: httpx.AsyncClient
    till: httpx.AsyncClient
    canaries: Canaries = field(default_factory=Canaries)
    refusals: list[httpx.Response] = field(default_factory=list)
    cards: list[str] = field(default_factory=list)

    async def take_token(self, client: httpx.AsyncClient, client_id: str, secret: str, name: str) -> None:
        answer = await client.post("/passport/oauth/token", auth=(client_id, secret), data={"grant_type": "client_credentials"})
        client.headers["authorization"] = f"Bearer {self.canaries.add(name, answer.json()['access_token'])}"

    async def enrol(self, form: str) -> str:
        """Enrol a card of a person who exists nowhere else, by SOAP or JSON."""
        number = len(self.cards)
        pan = self.canaries.add(f"card {number}", luhn(f"506181{random.randrange(10**11):011d}"))
        phone = self.canaries.add(f"phone {number}", f"23480{random.randrange(10**8):08d}")
        self.canaries.add(f"phone {number} without its end", phone[:-4])
        person = {
            "CardPan": pan, "PrimaryMobileNumber": phone, "SecondaryMobileNumber": phone,
            "AccountNumber": self.canaries.add(f"account {number}", f"{random.randrange(10**9, 10**10)}"),
            "LastName": self.canaries.add(f"name {number}", f"Featherstone{secrets.token_hex(4)}"),
            "Email": self.canaries.add(f"e-mail {number}", f"quillon.{secrets.token_hex(6)}@example.com"),
        }  # fmt: skip
        if form == "json":
            answer = await self.issuer.post(ENROL, json={**SAMPLE, **person})
            assert answer.json()["ResponseCode"] == "90000", answer.text
        else:
            body = sample_request(members={**SAMPLE, **person})
            answer = await self.issuer.post(
                ENROL, content=body, headers={"content-type": "text/xml", "soapaction": "AddCardHolder"}
            )
            assert ">90000<" in answer.text, answer.text
        self.cards.append(pan)
        return pan

    async def give_device(self, pan: str) -> bytes:
        """Give a card's holder a device; return its seed."""
        seed = secrets.token_bytes(20)
        serial = f"L-{secrets.token_hex(4)}"
        self.canaries.add(f"seed of {serial}", seed.hex())
        made = await self.issuer.post(TOKENS, json={"serial": serial, "seed": seed.hex()})
        assert made.status_code == 201, made.text
        self.refusals.append(made)
        for move, body in (("assign", {"cardPan": pan}), ("activate", None)):
            self.refusals.append(await self.issuer.post(f"{TOKENS}/{serial}/{move}", json=body))
        wrong = {"first": self._code("000001"), "second": self._code("000002")}
        self.refusals.append(await self.issuer.post(f"{TOKENS}/{serial}/resynchronise", json=wrong))
        return seed

    def _code(self, code: str) -> str:
        return self.canaries.add(f"code {len(self.canaries.texts)}", code)

    async def buy(self, pan: str, code: str | None) -> None:
        """Buy with wrong codes first, then with the right one: a device's, or by message."""
        purchase = {
            "cardPan": pan, "amount": "1500.00", "currency": "NGN", "merchantName": "Book Shop",
            "transactionRef": secrets.token_hex(8),
        }  # fmt: skip
        began = await self.till.post(AUTHENTICATIONS, json=purchase)
        assert began.status_code == 201, began.text
        self.refusals.append(began)
        verify = f"{AUTHENTICATIONS}/{began.json()['authenticationId']}/verify"
        right = code or await self._sent_to(pan)
        for _ in range(2):
            self.refusals.append(await self.till.post(verify, json={"otp": self._code(f"{random.randrange(10**6):06d}")}))
        judged = await self.till.post(verify, json={"otp": self._code(right)})
        assert judged.json()["status"] == "authenticated", judged.text
        proof = self.canaries.add(f"proof {len(self.canaries.texts)}", judged.json()["proof"])
        self.refusals.append(
            await self.till.post(f"{AUTHENTICATIONS}/proofs/verify", json={"proof": proof, "reference": "order-1"})
        )
        self.refusals.append(
            await self.till.post(f"{AUTHENTICATIONS}/proofs/verify", json={"proof": proof, "reference": "order-2"})
        )

    async def _sent_to(self, pan: str) -> str:
        phone = self.canaries.texts[f"phone {self.cards.index(pan)}"]
        for _ in range(round(WAIT_SECONDS / 0.2)):
            for message in (await self.till.get(f"{self.house.inbox_url}/messages", params={"to": phone})).json():
                if found := re.search(r"\b\d{6}\b", message["text"]):
                    return found[0]
            await asyncio.sleep(0.2)
        raise AssertionError("no code came")

    async def go_wrong(self) -> None:
        """Send what is refused, with what must not be found in every place."""

        def soap(**changes: str) -> str:
            return sample_request(members={**SAMPLE, **changes})

        texts = [*self.cards, *(text for name, text in self.canaries.texts.items() if name.startswith(("phone", "seed", "code")))]
        for text in texts:
            path, amount = quote(text, safe=""), {"amount": text, "currency": text, "merchantName": text}
            self.refusals += [
                await self.issuer.post(ENROL, content=soap(CardPan=f"{text}1"), headers=XML),
                await self.issuer.post(ENROL, content=soap(BankId="7777", City=text), headers=XML),
                await self.issuer.post(ENROL, content=f"<a><b>{text}</a>", headers=XML),
                await self.issuer.post(ENROL, json={**SAMPLE, "CardPan": [text]}),
                await self.issuer.post(TOKENS, json={"serial": text, "seed": text}),
                await self.issuer.post(f"{TOKENS}/find", json={"cardPan": f"{text}x"}),
                await self.issuer.get(f"{TOKENS}/{path}"),
                await self.till.post(AUTHENTICATIONS, json={"cardPan": text, **amount}),
                await self.till.post(AUTHENTICATIONS, content=f'{{"cardPan": "{text}'),
                await self.till.get(f"{AUTHENTICATIONS}/{path}?q={path}"),
                await self.till.post(f"{AUTHENTICATIONS}/proofs/verify", json={"proof": text, "reference": "order-1"}),
            ]


@pytest.fixture
async def day(house: House) -> AsyncIterator[Day]:
    """Go through a day of it once."""
    report: dict[str, Any] = json.loads((house.folder / "dev.json").read_text())
    async with (
        httpx.AsyncClient(base_url=house.base_url, timeout=30) as issuer,
        httpx.AsyncClient(base_url=house.base_url, timeout=30) as till,
    ):
        made = Day(house, issuer, till)
        await made.take_token(issuer, report["safetoken_client_id"], report["safetoken_client_secret"], "issuer's token")
        shop = (
            report["safetoken_merchant_client_id"],
            made.canaries.add("till's secret", report["safetoken_merchant_client_secret"]),
        )
        await made.take_token(till, *shop, "till's token")
        by_message, by_device = await made.enrol("soap"), await made.enrol("json")
        seed = await made.give_device(by_device)
        await made.buy(by_message, None)
        await made.buy(by_device, code_at(seed, 0))
        await made.go_wrong()
        yield made


async def test_no_card_code_seed_or_telephone_number_stands_in_logs_dump_metrics_or_answers(day: Day, tmp_path: Path) -> None:
    places = dict(written_by(day.house))
    places["dump"] = dump_of(day.house, tmp_path)
    places["metrics"] = (await day.till.get("/metrics")).content
    canaries = Canaries({name: text for name, text in day.canaries.texts.items() if not name.startswith("proof")})
    found = [one for where, content in places.items() for one in canaries.found_in(where, content)]
    told_back = Canaries({name: text for name, text in canaries.texts.items() if not name.startswith(("code", "till", "issuer"))})
    for answer in day.refusals:
        where = f"{answer.request.method} {answer.request.url.path[:40]} → {answer.status_code}"
        found += told_back.found_in(where, answer.content)
    assert not found, "\n".join(found[:50])
    control(canaries, {"dump": places["dump"][-10_000:]})


async def test_not_even_the_databases_files_hold_a_card_a_seed_or_a_telephone_number(day: Day) -> None:
    connection = await asyncpg.connect(day.house.postgres_dsn)
    await connection.execute("CHECKPOINT")
    kept = await connection.fetchval("SELECT count(*) FROM cardholders WHERE created_at > now() - interval '1 hour'")
    await connection.close()
    assert kept >= len(day.cards)
    texts = {name: text for name, text in day.canaries.texts.items() if name.startswith(("card", "seed", "phone", "name"))}
    files = await asyncio.to_thread(lambda: dict(files_of(day.house)))
    found = [
        (where, name)
        for where, content in files.items()
        for name, text in texts.items()
        if text.encode() in content and re.search(whole(text.encode(), digits=text.isdigit()), content)
    ]
    assert found == []
