"""Account information beside the rules that tests/conformance tries: what the accounts hold, races, and a bank that breaks."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import asyncpg
import httpx
import pytest

from modelbank.banks import load_banks
from modelbank.config import load_config
from modelbank.gateway import Gateway
from modelbank.ledger.customers import CUSTOMERS
from modelbank.quirks import PACKS
from tests.conformance.sharing import EVERY_PERMISSION
from tests.modelbank.conftest import Running
from tests.modelbank.foreign_client import DETAILS, Browser, Tpp

ACCESS = "aisp/account-access-consents"
QUIRKED = {pack.username for pack in PACKS}
CALM = [customer for customer in CUSTOMERS if customer.username not in QUIRKED]
LISTS = (
    "accounts", "balances", "transactions", "beneficiaries", "direct-debits", "standing-orders", "products", "offers",
    "scheduled-payments", "statements",
)  # fmt: skip


async def agree(tpp: Tpp, browser: Browser, consent_id: str, username: str = "alex", count: int = 1) -> str:
    query = tpp.authorize_query(tpp.request_claims(consent_id, "accounts"))
    back = await browser.agree(query, username, tuple(range(count)))
    return str((await tpp.exchange(back["code"])).json()["access_token"])


@pytest.mark.parametrize("customer", CALM, ids=lambda customer: customer.username)
async def test_every_account_of_every_customer_has_something_of_each_kind(customer: Any, tpp: Tpp, browser: Browser) -> None:
    count = len(customer.accounts)
    token = await agree(tpp, browser, await tpp.create_access_consent(EVERY_PERMISSION), customer.username, count)
    for name in LISTS:
        [found] = (await tpp.get(f"aisp/{name}", token)).json()["Data"].values()
        assert len({entry["AccountId"] for entry in found}) == count, name
    for seed in customer.accounts:
        where = f"aisp/accounts/mulberry-{seed.suffix}"
        booked = (await tpp.get(f"{where}/transactions", token)).json()
        assert {entry["CreditDebitIndicator"] for entry in booked["Data"]["Transaction"]} == {"Credit", "Debit"}
        [statement, *_] = (await tpp.get(f"{where}/statements", token)).json()["Data"]["Statement"]
        listed = (await tpp.get(f"{where}/statements/{statement['StatementId']}/transactions", token)).json()
        assert listed["Data"]["Transaction"]
        assert len((await tpp.get(f"{where}/parties", token)).json()["Data"]["Party"]) == len(customer.names)


async def test_what_an_account_did_before_leaves_it_with_what_it_opened_with(modelbank: Running) -> None:
    ledger = await modelbank.control("ledger?bank=harbour")
    assert ledger["sum_minor"] == 0
    for customer in CUSTOMERS:
        for seed in customer.accounts:
            own = [entry for entry in ledger["entries"] if entry["account_id"] == f"harbour-{seed.suffix}"]
            before = [entry for entry in own if entry["kind"] in {"opening", "history"}]
            assert sum(entry["amount_minor"] for entry in before) == seed.opening_minor
            assert len(before) > 12 * len(seed.habits)


async def test_a_time_that_was_told_finds_its_transaction_from_both_sides(tpp: Tpp, browser: Browser) -> None:
    token = await agree(tpp, browser, await tpp.create_access_consent(EVERY_PERMISSION))
    last = (await tpp.get("aisp/transactions", token)).json()["Links"]["Last"]
    opening = (await tpp.http.get(last, headers={"authorization": f"Bearer {token}"})).json()["Data"]["Transaction"][-1]
    assert opening["TransactionInformation"] == "Opening balance"
    told = opening["BookingDateTime"]
    answer = await tpp.get(f"aisp/transactions?fromBookingDateTime={told}&toBookingDateTime={told}", token)
    assert answer.json()["Data"]["Transaction"] == [opening]


async def test_two_who_agree_again_at_once_both_get_a_token_and_the_one_before_ends(
    tpp: Tpp, browser: Browser, modelbank: Running
) -> None:
    consent_id = await tpp.create_access_consent(DETAILS)
    before = await agree(tpp, browser, consent_id)
    second = Browser(modelbank.pages_port, "mulberry")
    visitors = (browser, second)
    for visitor in visitors:
        await visitor.open(f"/authorize?{tpp.authorize_query(tpp.request_claims(consent_id, 'accounts'))}")
        await visitor.sign_in("alex")
    await asyncio.gather(*(visitor.submit({}) for visitor in visitors))
    after = [(await tpp.exchange(visitor.returned()["code"])).json()["access_token"] for visitor in visitors]
    await second.close()
    assert [(await tpp.get("aisp/accounts", token)).status_code for token in (before, *after)] == [401, 200, 200]


async def test_whoever_deletes_wins_over_whoever_agrees_again(tpp: Tpp, browser: Browser) -> None:
    for _ in range(5):
        consent_id = await tpp.create_access_consent(DETAILS)
        token = await agree(tpp, browser, consent_id)
        await browser.open(f"/authorize?{tpp.authorize_query(tpp.request_claims(consent_id, 'accounts'))}")
        await browser.sign_in("alex")
        client = await tpp.client_token("accounts")
        gone, _ = await asyncio.gather(tpp.delete(f"{ACCESS}/{consent_id}", client), browser.submit({}))
        assert gone.status_code == 204
        assert (await tpp.get(f"{ACCESS}/{consent_id}", client)).status_code == 400
        assert (await tpp.get("aisp/accounts", token)).status_code == 401


async def test_a_body_that_is_too_long_is_refused_with_an_interaction_id(tpp: Tpp) -> None:
    answer = await tpp.post(ACCESS, b" " * 70_000, await tpp.client_token("accounts"), x_fapi_interaction_id="mine")
    assert (answer.status_code, answer.headers["x-fapi-interaction-id"]) == (413, "mine")


@pytest.mark.parametrize(("part", "is_signed"), [("aisp/accounts", False), ("pisp/domestic-payments/one", True)])
async def test_a_bank_that_breaks_says_so_in_the_standards_words(
    part: str, is_signed: bool, modelbank: Running, tpp: Tpp, postgres: Any
) -> None:
    config = load_config(modelbank.folder / "modelbank.json")
    pool = await asyncpg.create_pool(config.dsn, min_size=0)
    await pool.close()
    gateway = Gateway(config, load_banks(config, modelbank.folder), pool).application()
    async with httpx.AsyncClient(transport=httpx.ASGITransport(gateway), base_url="https://bank.test") as client:
        answer = await client.get(f"/mulberry/open-banking/v4.0/{part}", headers={"x-fapi-interaction-id": "mine"})
    assert (answer.status_code, answer.headers["x-fapi-interaction-id"]) == (500, "mine")
    assert json.loads(answer.content)["Errors"][0]["ErrorCode"] == "U000"
    assert ("x-jws-signature" in answer.headers) is is_signed
