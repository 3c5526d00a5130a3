"""The table of quirks: each is chosen in three ways, told to testers in four, and strikes as it says."""

from __future__ import annotations

import html
import subprocess
import sys
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from modelbank.config import load_config
from modelbank.ledger.customers import CUSTOMERS
from modelbank.quirks import EARLY_SECONDS, LIMIT_MINOR, PACKS, SKEW_SECONDS, Pack, Quirk, chosen
from tests.modelbank.conftest import Running, agree_payment, wait_for_status
from tests.modelbank.foreign_client import Browser, Tpp, consent_body

ORDERS = "pisp/domestic-payments"


@pytest.fixture
async def with_quirk(modelbank: Running) -> AsyncIterator[Any]:
    async def choose(*quirks: str) -> None:
        await modelbank.control("bank", {"bank": "mulberry", "quirks": list(quirks)})

    yield choose
    await choose()


async def verifies(tpp: Tpp, answer: httpx.Response) -> bool:
    try:
        await tpp.verify_response(answer)
    except AssertionError:
        return False
    return True


def test_every_quirk_stands_in_the_table_once_with_a_user_and_an_amount_of_its_own() -> None:
    assert [pack.quirk for pack in PACKS] == list(Quirk)
    assert len({pack.username for pack in PACKS} | {pack.amount_minor for pack in PACKS}) == 2 * len(PACKS)
    assert {pack.username for pack in PACKS} <= {customer.username for customer in CUSTOMERS}
    assert all(pack.happens and pack.mirrors for pack in PACKS)


@pytest.mark.parametrize("pack", PACKS, ids=lambda pack: pack.quirk)
def test_a_quirk_is_chosen_by_bank_by_amount_or_by_user_name_and_by_nothing_else(pack: Pack) -> None:
    assert chosen([pack.quirk], 100_00, "alex") == {pack.quirk}
    assert chosen([], pack.amount_minor, "alex") == {pack.quirk}
    assert chosen([], 100_00, pack.username) == {pack.quirk}
    assert chosen([], pack.amount_minor + 100, "alex") == chosen([], None, None) == frozenset()


@pytest.mark.parametrize("host", ["localhost", "mulberry.localhost"])
def test_the_page_for_testers_lists_every_quirk_and_the_front_page_leads_there(modelbank: Running, host: str) -> None:
    address, headers = f"http://127.0.0.1:{modelbank.pages_port}", {"host": f"{host}:{modelbank.pages_port}"}
    text = html.unescape(httpx.get(f"{address}/quirks", headers=headers, trust_env=False).text)
    for pack in PACKS:
        for told in (pack.quirk, pack.username, f"£{pack.amount_minor // 100}.{pack.amount_minor % 100:02d}", pack.mirrors):
            assert told in text
    assert "with <code>state</code> alone" in text
    assert 'href="/quirks"' in httpx.get(f"{address}/", headers=headers, trust_env=False).text


async def test_the_page_says_which_quirks_everybody_meets_now(modelbank: Running, with_quirk: Any) -> None:
    await with_quirk("slow", "late")
    async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{modelbank.pages_port}", trust_env=False) as client:
        text = (await client.get("/quirks")).text
    assert "<strong>mulberry</strong> now fails for everybody: <code>slow</code>, <code>late</code>" in text
    assert "<strong>harbour</strong> now fails" not in text


def test_the_control_interface_and_the_command_list_the_same_table(modelbank: Running) -> None:
    listed = httpx.get(f"http://127.0.0.1:{modelbank.pages_port}/control/quirks", trust_env=False).json()["quirks"]
    assert [(one["quirk"], one["username"], one["amount_minor"]) for one in listed] == [
        (pack.quirk, pack.username, pack.amount_minor) for pack in PACKS
    ]
    printed = subprocess.run([sys.executable, "-m", "modelbank", "quirks"], capture_output=True, text=True, check=True).stdout
    assert [line.split()[0] for line in printed.splitlines()] == [pack.quirk for pack in PACKS]


def test_a_bank_is_enrolled_with_quirks_and_unknown_ones_are_refused(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "modelbank", "enrol", "--out", str(tmp_path)]
    subprocess.run([*command, "--quirk", "harbour=slow", "--quirk", "harbour=late"], check=True, capture_output=True)
    banks = {bank.id: bank.quirks for bank in load_config(tmp_path / "modelbank.json").banks}
    assert banks == {"mulberry": (), "harbour": (Quirk.SLOW, Quirk.LATE)}
    for wrong in ("harbour", "harbour=other", "other=slow"):
        refused = subprocess.run([*command, "--quirk", wrong], capture_output=True, text=True, check=False)
        assert (refused.returncode, "is no BANK=QUIRK" in refused.stderr) == (2, True)


def test_levers_refuse_a_quirk_that_does_not_exist(modelbank: Running) -> None:
    address = f"http://127.0.0.1:{modelbank.pages_port}/control/bank"
    assert httpx.post(address, json={"bank": "mulberry", "quirks": ["other"]}, trust_env=False).status_code == 400


async def test_whoever_cancels_is_sent_back_with_the_state_alone(tpp: Tpp, browser: Browser) -> None:
    consent_id = await tpp.create_payment_consent(consent_body("700.02"))
    await browser.open(f"/authorize?{tpp.authorize_query(tpp.request_claims(consent_id))}")
    await browser.sign_in("alex")
    await browser.submit({}, form=1)
    assert set(browser.returned()) == {"state"}


async def test_a_session_is_over_five_minutes_after_signing_in_and_not_before(
    modelbank: Running, tpp: Tpp, browser: Browser
) -> None:
    for seconds, title in ((290, "Check and pay"), (301, "You ran out of time")):
        consent_id = await tpp.create_payment_consent(consent_body())
        await browser.open(f"/authorize?{tpp.authorize_query(tpp.request_claims(consent_id))}")
        page = await browser.sign_in("hurried")
        await modelbank.control("clock", {"advance_seconds": seconds, "visit": page.url.path.split("/")[-1]})
        assert title in (await browser.choose()).text


def test_time_does_not_pass_for_a_visit_that_does_not_exist(modelbank: Running) -> None:
    address = f"http://127.0.0.1:{modelbank.pages_port}/control/clock"
    order = {"advance_seconds": 10, "visit": "nobodys"}
    assert httpx.post(address, json=order, trust_env=False).status_code == 404


async def test_errors_come_as_a_web_page_twice_and_nothing_is_done(modelbank: Running, tpp: Tpp, browser: Browser) -> None:
    agreed = await agree_payment(tpp, browser, amount="700.07")
    for _ in range(2):
        refused = await tpp.post(ORDERS, agreed.order, agreed.token, x_idempotency_key="html")
        assert (refused.status_code, refused.headers["content-type"]) == (400, "text/html; charset=utf-8")
    answer = await tpp.post(ORDERS, agreed.order, agreed.token, x_idempotency_key="html")
    assert answer.status_code == 201


async def test_whoever_does_not_wait_is_told_to_wait_anew(modelbank: Running, tpp: Tpp, browser: Browser) -> None:
    agreed = await agree_payment(tpp, browser, "busy")
    for _ in range(3):
        refused = await tpp.post(ORDERS, agreed.order, agreed.token, x_idempotency_key="busy")
        assert (refused.status_code, refused.headers["retry-after"]) == (429, str(EARLY_SECONDS))
    await modelbank.control("clock", {"advance_seconds": EARLY_SECONDS})
    answer = await tpp.post(ORDERS, agreed.order, agreed.token, x_idempotency_key="busy")
    assert answer.status_code == 201


async def test_two_answers_do_not_verify_though_the_payment_is_made_once(modelbank: Running, tpp: Tpp, browser: Browser) -> None:
    agreed = await agree_payment(tpp, browser, "forged")
    answers = [await tpp.post(ORDERS, agreed.order, agreed.token, x_idempotency_key="forged") for _ in range(3)]
    assert [await verifies(tpp, answer) for answer in answers] == [False, False, True]
    [payment_id] = {answer.json()["Data"]["DomesticPaymentId"] for answer in answers}
    await wait_for_status(tpp, payment_id, "ACCC")
    assert await modelbank.debits(payment_id) == [-100_00]


async def test_what_the_bank_signs_is_ahead_of_time(tpp: Tpp, browser: Browser) -> None:
    consent_id = await tpp.create_payment_consent(consent_body())
    back = await browser.agree(tpp.authorize_query(tpp.request_claims(consent_id)), "ahead")
    claims = await tpp.verify(back["id_token"], options={"verify_iat": False})
    assert SKEW_SECONDS - 5 <= claims["iat"] - time.time() <= SKEW_SECONDS + 1


async def test_funds_are_confirmed_by_no_and_the_payment_is_rejected(modelbank: Running, tpp: Tpp, browser: Browser) -> None:
    agreed = await agree_payment(tpp, browser, "nofunds")
    asked = await tpp.get(f"pisp/domestic-payment-consents/{agreed.consent_id}/funds-confirmation", agreed.token)
    assert asked.json()["Data"]["FundsAvailableResult"]["FundsAvailable"] is False
    answer = await tpp.post(ORDERS, agreed.order, agreed.token, x_idempotency_key="funds")
    data = answer.json()["Data"]
    assert (data["Status"], data["StatusReason"][0]["StatusReasonCode"]) == ("RJCT", "AM04")
    assert await modelbank.debits(data["DomesticPaymentId"]) == []


@pytest.mark.parametrize(("amount_minor", "status"), [(LIMIT_MINOR, "RCVD"), (LIMIT_MINOR + 1, "RJCT")])
async def test_a_payment_above_the_limit_is_rejected_and_one_at_the_limit_is_not(
    tpp: Tpp, browser: Browser, amount_minor: int, status: str
) -> None:
    agreed = await agree_payment(tpp, browser, "limited", f"{amount_minor // 100}.{amount_minor % 100:02d}")
    answer = await tpp.post(ORDERS, agreed.order, agreed.token, x_idempotency_key=f"limit-{amount_minor}")
    assert answer.json()["Data"]["Status"] == status


@pytest.mark.parametrize(("username", "party"), [("nameless", 404), ("noname", 200)])
async def test_accounts_and_payers_have_no_name_and_the_party_endpoint_may_tell_it(
    tpp: Tpp, browser: Browser, username: str, party: int
) -> None:
    agreed = await agree_payment(tpp, browser, username)
    answer = await tpp.post(ORDERS, agreed.order, agreed.token, x_idempotency_key=username)
    data = answer.json()["Data"]
    assert ("Name" in data["Debtor"], "Refund" in data) == (False, False)
    consent_id = await tpp.create_access_consent(["ReadAccountsDetail", "ReadParty"])
    back = await browser.agree(tpp.authorize_query(tpp.request_claims(consent_id, "accounts")), username)
    token = (await tpp.exchange(back["code"])).json()["access_token"]
    [account] = (await tpp.get("aisp/accounts", token)).json()["Data"]["Account"]
    assert "Name" not in account["Account"][0]
    for name in ("party", "parties"):
        assert (await tpp.get(f"aisp/accounts/{account['AccountId']}/{name}", token)).status_code == party
