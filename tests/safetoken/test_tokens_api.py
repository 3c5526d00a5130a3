"""Token administration over REST, by a real server, with `oathtool` as the device in the cardholder's hand."""

from __future__ import annotations

import secrets
import subprocess
from collections.abc import AsyncIterator
from dataclasses import dataclass
from itertools import count
from typing import Any

import asyncpg
import httpx
import oath
import pytest

from strongroom.access.model import SCOPES_OF, Scope, TenantKind
from tests.conftest import Database
from tests.safetoken.conftest import ACTOR, Bank
from tests.safetoken.served import Served
from tests.safetoken.test_enrolment import add, new_pan
from tests.safetoken.test_tenancy import other  # noqa: F401  # a fixture

TOKENS, AUTHENTICATIONS = "/api/v1/safetoken/tokens", "/api/v1/safetoken/authentications"
SEED = secrets.token_hex(20)
WRONG = "000000"


@dataclass
class Desk:
    """An issuer's support desk, and a shop where its cards are used; both over HTTP."""

    bank: Bank
    http: httpx.AsyncClient
    shop: httpx.AsyncClient
    pan: str

    async def call(self, method: str, path: str = "", status: int = 200, body: Any = None) -> Any:
        answer = await self.http.request(method, TOKENS + path, json=body)
        assert answer.status_code == status, answer.text
        return answer.json()

    async def give(self, serial: str, **device: Any) -> None:
        """Take a device into the stock, give it to the card's holder and activate it."""
        await self.call("POST", "", 201, {"serial": serial, "seed": SEED, **device})
        await self.call("POST", f"/{serial}/assign", body={"cardPan": self.pan})
        await self.call("POST", f"/{serial}/activate")

    async def begin(self) -> str:
        return (await self.begin_asked())[0]

    async def begin_asked(self) -> tuple[str, str]:
        """Begin a purchase; return it and the question for a device that signs."""
        purchase = {
            "cardPan": self.pan, "amount": "1500.00", "currency": "NGN", "merchantName": "Book Shop",
            "transactionRef": secrets.token_hex(8),
        }  # fmt: skip
        answer = await self.shop.post(AUTHENTICATIONS, json=purchase)
        assert (answer.status_code, answer.json()["tokenType"]) == (201, 1), answer.text
        return str(answer.json()["authenticationId"]), str(answer.json()["question"])

    async def type(self, purchase: str, code: str) -> str:
        return str((await self.shop.post(f"{AUTHENTICATIONS}/{purchase}/verify", json={"otp": code})).json()["status"])

    async def buy(self, code: str) -> str:
        return await self.type(await self.begin(), code)


@pytest.fixture
async def desk(served: Served, bank: Bank) -> AsyncIterator[Desk]:
    pan = new_pan(bank)
    await add(bank, CardPan=pan)
    merchant = await bank.house.merchants.create(ACTOR, "Book Shop")
    scopes = SCOPES_OF[TenantKind.MERCHANT]
    client = await bank.house.clients.create(ACTOR, merchant.id, "till", scopes)
    token = await bank.house.tokens.create_static(ACTOR, merchant.id, client.client_id, "till", scopes)
    shop_headers = {"authorization": f"Bearer {token.token.reveal()}"}
    async with (
        httpx.AsyncClient(base_url=served.url, headers=await bank.bearer(), trust_env=False, timeout=30) as http,
        httpx.AsyncClient(base_url=served.url, headers=shop_headers, trust_env=False, timeout=30) as shop,
    ):
        yield Desk(bank, http, shop, pan)


@pytest.fixture
async def now(shared_database: Database) -> int:
    owner = await asyncpg.connect(shared_database.dsn)
    found = await owner.fetchval("SELECT floor(extract(epoch FROM app_now()))::bigint")
    await owner.close()
    return int(found)


_serials = (f"D-{number:06d}" for number in count(1))


@pytest.fixture
def serial() -> str:
    return next(_serials)


def oathtool(*arguments: str) -> str:
    command = ["oathtool", *arguments, SEED]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()


def pressed(times: int) -> str:
    return oathtool("--hotp", "-c", str(times))


@pytest.mark.needs("oathtool")
async def test_a_counting_device_from_enrolment_over_drift_and_lock_to_unlock(desk: Desk, serial: str) -> None:
    await desk.give(serial)
    assert await desk.buy(pressed(0)) == "authenticated"
    assert await desk.buy(pressed(60)) == "rejected", "pressed sixty times in a pocket"
    two = {"first": pressed(61), "second": pressed(62)}
    assert await desk.call("POST", f"/{serial}/resynchronise", body=two) == {
        "code": "90000", "description": "Successful", "attemptsLeft": None, "retryAfterSeconds": None,
    }  # fmt: skip
    assert await desk.buy(pressed(63)) == "authenticated"
    purchase = await desk.begin()
    assert [await desk.type(purchase, WRONG) for _ in range(5)] == [*["rejected"] * 4, "locked"]
    shown = await desk.call("GET", f"/{serial}")
    assert (shown["status"], shown["code"], shown["failures"]) == ("locked", "81002", 5)
    assert shown["lockedUntil"]
    assert (await desk.call("POST", f"/{serial}/resynchronise", body=two))["code"] == "81002"
    assert (await desk.call("POST", f"/{serial}/unlock"))["status"] == "active"
    assert await desk.buy(pressed(64)) == "authenticated"


@pytest.mark.needs("oathtool")
async def test_a_device_with_a_clock_that_runs_ahead_is_found_again(desk: Desk, serial: str, now: int) -> None:
    def shown(seconds: int) -> str:
        return oathtool("--totp=sha256", "-d", "8", f"--now=@{now + seconds}")

    await desk.give(serial, kind="totp", algorithm="sha256", digits=8, periodSeconds=30)
    assert await desk.buy(shown(0)) == "authenticated"
    assert await desk.buy(shown(600)) == "rejected"
    apart = {"first": shown(600), "second": shown(690)}
    assert (await desk.call("POST", f"/{serial}/resynchronise", body=apart))["code"] == "80001"
    in_a_row = {"first": shown(600), "second": shown(630)}
    assert (await desk.call("POST", f"/{serial}/resynchronise", body=in_a_row))["code"] == "90000"
    assert await desk.buy(shown(660)) == "authenticated"
    assert await desk.buy(shown(660)) == "rejected", "a code counts once"


async def test_a_device_that_signs_confirms_a_purchase_and_is_found_again_by_two_codes_for_one_question(
    desk: Desk, serial: str
) -> None:
    suite = "OCRA-1:HOTP-SHA512-8:C-QN08"

    def signed(question: str, times: int) -> str:
        return str(oath.str2ocrasuite(suite)(bytes.fromhex(SEED), C=times, Q=question))

    await desk.give(serial, kind="ocra", suite=suite)
    shown = await desk.call("GET", f"/{serial}")
    told = [shown[name] for name in ("kind", "suite", "algorithm", "digits", "periodSeconds")]
    assert told == ["ocra", suite, "sha512", 8, None]
    for times, status in ((0, "authenticated"), (50, "rejected")):
        purchase, question = await desk.begin_asked()
        assert await desk.type(purchase, signed(question, times)) == status
    two = {"first": signed("24682468", 50), "second": signed("24682468", 51), "question": "24682468"}
    unasked = {name: two[name] for name in ("first", "second")}
    assert (await desk.call("POST", f"/{serial}/resynchronise", 422, unasked))["errors"][0]["pointer"] == "/question"
    assert (await desk.call("POST", f"/{serial}/resynchronise", body={**two, "question": "13571357"}))["code"] == "80001"
    assert (await desk.call("POST", f"/{serial}/resynchronise", body=two))["code"] == "90000"
    purchase, question = await desk.begin_asked()
    assert await desk.type(purchase, signed(question, 52)) == "authenticated"


@pytest.mark.parametrize(
    ("body", "said"),
    [
        ({"kind": "ocra"}, "/suite"),
        ({"kind": "ocra", "suite": "OCRA-1:HOTP-SHA1-6:QN08-PSHA1"}, "has the cardholder's PIN in its codes"),
        ({"kind": "ocra", "suite": "OCRA-2:HOTP-SHA1-6:QN08"}, "/suite"),
        ({"kind": "ocra", "suite": "OCRA-1:HOTP-SHA1-6:QN08", "digits": 8}, "/digits"),
        ({"kind": "hotp", "suite": "OCRA-1:HOTP-SHA1-6:QN08"}, "/suite"),
    ],
)
async def test_a_suite_that_no_token_may_have_is_refused_with_the_reason(desk: Desk, serial: str, body: Any, said: str) -> None:
    refusal = await desk.call("POST", "", 422, {"serial": serial, "seed": SEED} | body)
    assert said in str(refusal)
    assert SEED not in str(refusal)


async def test_a_token_is_nobodys_then_somebodys_then_blocked(desk: Desk, serial: str) -> None:
    made = await desk.call("POST", "", 201, {"serial": serial, "seed": SEED})
    assert (made["status"], made["code"], made["cardholderId"]) == ("imported", None, None)
    assert (await desk.call("POST", "/find", 404, {"cardPan": desk.pan}))["code"] == "82003"
    given = await desk.call("POST", f"/{serial}/assign", body={"cardPan": desk.pan})
    assert (given["status"], given["code"]) == ("assigned", "81003")
    assert (await desk.call("POST", f"/{serial}/block", 409))["code"] == "81003"
    assert (await desk.call("POST", "/find", body={"cardPan": desk.pan}))["serial"] == serial
    await desk.call("POST", f"/{serial}/activate")
    assert (await desk.call("POST", f"/{serial}/block"))["code"] == "81001"
    for move in ("unlock", "block", "activate", "unassign"):
        refused = await desk.call("POST", f"/{serial}/{move}", 409)
        assert (refused["code"], refused["description"]) == ("81001", "Token Has been blocked")
    assert (await desk.call("POST", f"/{serial}/retire"))["status"] == "retired"
    refused = await desk.call("POST", f"/{serial}/activate", 409)
    assert (refused["code"], refused["description"]) == ("Conflict", "The token is retired, and that does not allow this")


async def test_a_broken_device_is_replaced_in_one_step(desk: Desk, serial: str) -> None:
    spare = next(_serials)
    await desk.give(serial)
    await desk.call("POST", "", 201, {"serial": spare, "seed": SEED})
    replaced = await desk.call("POST", f"/{serial}/replace", body={"by": spare})
    assert (replaced["serial"], replaced["status"]) == (spare, "assigned")
    assert (await desk.call("GET", f"/{serial}"))["status"] == "retired"
    await desk.call("POST", f"/{spare}/unassign")
    assert (await desk.call("POST", f"/{spare}/replace", 409, {"by": serial}))["code"] == "Conflict"


async def test_the_contracts_codes_tell_why_a_token_cannot_be_given(desk: Desk, serial: str) -> None:
    await desk.give(serial)
    stranger, spare = new_pan(desk.bank), next(_serials)
    assert (await desk.call("POST", f"/{serial}/assign", 404, {"cardPan": stranger}))["code"] == "82001"
    await add(desk.bank, CardPan=stranger)
    assert (await desk.call("POST", f"/{serial}/assign", 409, {"cardPan": stranger}))["code"] == "83001"
    assert (await desk.call("POST", f"/{spare}/assign", 404, {"cardPan": stranger}))["code"] == "82003"
    assert (await desk.call("POST", "", 409, {"serial": serial, "seed": SEED}))["code"] == "Conflict"


@pytest.mark.parametrize(
    ("body", "pointer"),
    [
        ({"seed": "00"}, "/seed"),
        ({"serial": "with/slash"}, "/serial"),
        ({"kind": "pigeon"}, "/kind"),
        ({"digits": 5}, "/digits"),
        ({"colour": "red"}, "/colour"),
    ],
)
async def test_what_cannot_be_a_token_is_named_and_no_seed_repeated(desk: Desk, serial: str, body: Any, pointer: str) -> None:
    said = await desk.call("POST", "", 422, {"serial": serial, "seed": SEED} | body)
    assert pointer in str(said["errors"])
    assert SEED not in str(said)


async def test_the_list_goes_on_page_by_page_and_by_status(desk: Desk) -> None:
    wanted = [next(_serials) for _ in range(5)]
    for one in wanted:
        await desk.call("POST", "", 201, {"serial": one, "seed": SEED})
    await desk.call("POST", f"/{wanted[3]}/retire")
    first = await desk.call("GET", "?limit=3")
    rest = await desk.call("GET", f"?limit=3&after={first['next']}")
    assert [one["serial"] for one in first["data"] + rest["data"]] == wanted
    assert rest["next"] is None
    assert [one["serial"] for one in (await desk.call("GET", "?status=retired"))["data"]] == [wanted[3]]
    assert (await desk.call("GET", "?status=lost", 422))["errors"][0]["pointer"] == "/status"
    await desk.call("GET", "?after=D-none", 422)


async def test_no_answer_and_no_row_holds_a_seed(desk: Desk, serial: str, shared_database: Database) -> None:
    await desk.give(serial)
    told = [
        await desk.call("GET", f"/{serial}"),
        await desk.call("GET"),
        await desk.call("POST", "/find", body={"cardPan": desk.pan}),
    ]
    owner = await asyncpg.connect(shared_database.dsn)
    rows = await owner.fetch("SELECT t::text FROM otp_tokens t UNION ALL SELECT a::text FROM audit_entries a")
    await owner.close()
    seen = f"{told} {rows}".lower()
    assert SEED not in seen
    assert desk.pan not in seen


async def test_strangers_learn_and_change_nothing(desk: Desk, serial: str, other: Bank) -> None:  # noqa: F811  # the fixture
    await desk.give(serial)
    before = await desk.call("GET", f"/{serial}")
    bodies = {"assign": {"cardPan": desk.pan}, "replace": {"by": serial}, "resynchronise": {"first": "1", "second": "2"}}
    paths = [(f"/{serial}/{move}", bodies.get(move)) for move in (
        "assign", "unassign", "activate", "block", "unlock", "retire", "replace", "resynchronise",
    )]  # fmt: skip
    paths.append(("/find", {"cardPan": desk.pan}))
    reading = await desk.bank.house.clients.create(ACTOR, desk.bank.issuer.id, "reader", [Scope.SAFETOKEN_TOKENS_READ])
    reader = await desk.bank.house.tokens.create_static(
        ACTOR, desk.bank.issuer.id, reading.client_id, "reader", [Scope.SAFETOKEN_TOKENS_READ]
    )
    callers = {
        "nobody": {}, "a merchant": dict(desk.shop.headers), "another issuer": await other.bearer(),
        "one who may only read": {"authorization": f"Bearer {reader.token.reveal()}"},
    }  # fmt: skip
    async with httpx.AsyncClient(base_url=str(desk.http.base_url), trust_env=False, timeout=30) as anybody:
        for who, headers in callers.items():
            for path, body in paths:
                if who == "one who may only read" and path == "/find":
                    continue
                answer = await anybody.post(TOKENS + path, json=body, headers=headers)
                assert answer.status_code in {401, 403, 404, 422}, (who, path, answer.text)
                assert before["cardholderId"] not in answer.text
            shown = await anybody.get(f"{TOKENS}/{serial}", headers=headers)
            assert shown.status_code == (
                200 if who == "one who may only read" else {"nobody": 401, "a merchant": 403}.get(who, 404)
            )
    assert await desk.call("GET", f"/{serial}") == before
