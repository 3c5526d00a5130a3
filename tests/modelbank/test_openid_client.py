"""npm's openid-client as a foreign third party: it finds nothing wrong with our bank, and goes the whole way in every manner."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from tests.modelbank.conftest import Running
from tests.modelbank.foreign_client import DETAILS, REDIRECT_URI, Browser, Tpp, consent_body

NODE = Path(__file__).parents[1] / "node"
SHARING = {"kind": "accounts", "consent": {"Data": {"Permissions": DETAILS}, "Risk": {}}}
HYBRID = {"manner": "hybrid", "push": False, "authentication": "private_key_jwt"}
WAYS = {
    "hybrid": HYBRID,
    "hybrid, pushed": HYBRID | {"push": True},
    "hybrid, by certificate": HYBRID | {"authentication": "tls_client_auth"},
    "signed response": HYBRID | {"manner": "jarm"},
    "signed response, pushed": HYBRID | {"manner": "jarm", "push": True},
}


def payment() -> dict[str, Any]:
    return {"kind": "payments", "consent": consent_body("12.34")}


class ForeignClient:
    """A process of the foreign library; each step is a line in and a line out."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self._process = process

    async def step(self, order: dict[str, Any]) -> dict[str, Any]:
        said = await self.say(order)
        assert "error" not in said, said["error"]
        return said

    async def say(self, order: dict[str, Any]) -> dict[str, Any]:
        assert self._process.stdin
        assert self._process.stdout
        self._process.stdin.write(json.dumps(order).encode() + b"\n")
        async with asyncio.timeout(60):
            line = await self._process.stdout.readline()
        found: dict[str, Any] = json.loads(line)
        return found


@pytest.fixture(scope="module")
async def foreign(modelbank: Running) -> AsyncIterator[ForeignClient]:
    folder, known = modelbank.folder, Tpp(modelbank.folder, "mulberry")
    await known.close()
    process = await asyncio.create_subprocess_exec(
        "node", str(NODE / "foreign_client.mjs"), stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE, cwd=NODE
    )
    assert process.stdin
    me = {
        "issuer": known.issuer, "client_id": known.client_id, "kid": known.kid, "redirect_uri": REDIRECT_URI,
        "signer": f"{known.about['org_id']}/{known.about['software_id']}",
        "signing_key": str(folder / known.about["signing_key"]), "ca": str(folder / known.about["ca"]),
        "certificate": str(folder / "tpp-transport.crt"), "key": str(folder / "tpp-transport.key"),
    }  # fmt: skip
    process.stdin.write(json.dumps(me).encode() + b"\n")
    yield ForeignClient(process)
    process.stdin.close()
    await process.wait()


def query(url: str) -> str:
    return url.partition("?")[2]


@pytest.mark.parametrize("way", WAYS)
async def test_a_payment_goes_the_whole_way(way: str, foreign: ForeignClient, browser: Browser, modelbank: Running):
    began = await foreign.step({"begin": payment() | WAYS[way]})
    assert ("request_uri" in began["url"], "request=" in began["url"]) == (WAYS[way]["push"], not WAYS[way]["push"])
    returned = await browser.agree(query(began["url"]))
    assert ("response" in returned) == (WAYS[way]["manner"] == "jarm")
    done = await foreign.step({"finish": returned})
    assert done["intent"] == done["consent_id"] == began["consent_id"]
    assert done["acr"] == "urn:openbanking:psd2:sca"
    for _ in range(100):
        if debits := await modelbank.debits(done["payment_id"]):
            break
        await asyncio.sleep(0.05)
    assert debits == [-1234]


@pytest.mark.parametrize("way", WAYS)
async def test_accounts_are_shared(way: str, foreign: ForeignClient, browser: Browser):
    began = await foreign.step({"begin": SHARING | WAYS[way]})
    done = await foreign.step({"finish": await browser.agree(query(began["url"]), accounts=(0, 1))})
    assert done["intent"] == began["consent_id"]
    assert done["accounts"] == 2


async def test_a_payment_is_agreed_on_a_phone_while_the_client_asks(foreign: ForeignClient, browser: Browser, modelbank: Running):
    began = await foreign.step({"decouple": payment() | {"words": "TILL 7"}})
    done = asyncio.create_task(foreign.step({"collect": True}))
    await asyncio.sleep(began["interval"] + 1)  # the foreign library asks by its own clock, and is told to wait
    assert "TILL 7" in (await browser.open(f"/phone?consent={began['consent_id']}")).text
    await browser.answer_on_phone(began["consent_id"])
    paid = await done
    assert paid["intent"] == began["consent_id"]
    await modelbank.control("clock", {"advance_seconds": 10})
    assert await modelbank.debits(paid["payment_id"]) == [-1234]


async def test_a_customer_who_says_no_on_the_phone_is_told_to_the_client(foreign: ForeignClient, browser: Browser):
    began = await foreign.step({"decouple": payment() | {"words": "TILL 7"}})
    await browser.open(f"/phone?consent={began['consent_id']}")
    await browser.submit({}, form=1)
    assert "access_denied" in (await foreign.say({"collect": True}))["error"]


@pytest.mark.parametrize("way", ["hybrid", "signed response"])
async def test_a_customer_who_says_no_comes_back_with_that(way: str, foreign: ForeignClient, browser: Browser):
    began = await foreign.step({"begin": payment() | WAYS[way]})
    await browser.open(f"/authorize?{query(began['url'])}")
    await browser.submit({}, form=1)
    said = await foreign.say({"finish": browser.returned()})
    assert "access_denied" in said["error"]


@pytest.mark.parametrize("changed", ["state", "code"])
async def test_the_foreign_client_would_notice_what_somebody_changed(changed: str, foreign: ForeignClient, browser: Browser):
    began = await foreign.step({"begin": payment() | HYBRID})
    returned = await browser.agree(query(began["url"]))
    said = await foreign.say({"finish": {**returned, changed: returned[changed][:-2] + "zz"}})
    assert "error" in said
