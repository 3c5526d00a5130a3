"""Confirmation of funds: a consent for one account, and yes or no to an amount, as the official document draws them."""

from __future__ import annotations

import asyncio
import uuid
from datetime import datetime, timedelta
from typing import Any

import pytest

from tests.modelbank.conftest import Running, agree_payment
from tests.modelbank.foreign_client import Browser, Tpp
from tests.modelbank.test_official_shapes import DOCUMENTS, check

CONSENTS, QUESTIONS = "cbpii/funds-confirmation-consents", "cbpii/funds-confirmations"
COF = "confirmation-funds"
POOR, JOINT = "99901040000301", "99901040000801"  # the customer `poor` has £3.20


def account(identification: str = POOR, **more: Any) -> dict[str, Any]:
    return {"SchemeName": "UK.OBIE.SortCodeAccountNumber", "Identification": identification, **more}


def asked(**data: Any) -> dict[str, Any]:
    return {"Data": {"DebtorAccount": account(), **data}}


def question(consent_id: str, amount: str = "3.20", **data: Any) -> dict[str, Any]:
    money = {"Amount": amount, "Currency": "GBP"}
    return {"Data": {"ConsentId": consent_id, "Reference": uuid.uuid4().hex, "InstructedAmount": money, **data}}


async def allow(tpp: Tpp, browser: Browser, username: str = "poor", number: str = POOR, **data: Any) -> tuple[str, str]:
    """Let the customer agree; return the consent and its token."""
    consent_id = await tpp.create_funds_consent(number, **data)
    back = await browser.agree(tpp.authorize_query(tpp.request_claims(consent_id, "fundsconfirmations")), username)
    answer = await tpp.exchange(back["code"])
    assert answer.json()["scope"] == "openid fundsconfirmations"
    return consent_id, answer.json()["access_token"]


def code(answer: Any) -> str:
    return f"{answer.status_code} {answer.json()['Errors'][0]['ErrorCode']}" if answer.content else str(answer.status_code)


@pytest.mark.skipif(not DOCUMENTS.is_dir(), reason="the official documents are not here")
async def test_answers_are_on_the_specification(tpp: Tpp, browser: Browser) -> None:
    token, one = await tpp.client_token("fundsconfirmations"), "/funds-confirmation-consents/{ConsentId}"
    for content in (asked(ExpirationDateTime="2099-01-01T00:00:00"), {}):
        check(COF, "/funds-confirmation-consents", await tpp.post(CONSENTS, content, token))
    for wrong in ("no-token", await tpp.client_token("accounts")):
        check(COF, "/funds-confirmation-consents", await tpp.post(CONSENTS, asked(), wrong))
    check(COF, "/funds-confirmation-consents", await tpp.post(CONSENTS, asked(), token, content_type="text/plain"))
    consent_id, customer = await allow(tpp, browser)
    check(COF, one, await tpp.get(f"{CONSENTS}/{consent_id}", token))
    check(COF, one, await tpp.get(f"{CONSENTS}/unknown", token))
    for content in (question(consent_id), question("unknown"), {}):
        check(COF, "/funds-confirmations", await tpp.post(QUESTIONS, content, customer))
    check(COF, "/funds-confirmations", await tpp.post(QUESTIONS, question(consent_id), token))
    for _ in range(2):
        check(COF, one, await tpp.delete(f"{CONSENTS}/{consent_id}", token))


@pytest.mark.parametrize(("amount", "available"), [("3.20", True), ("3.21", False), ("0.01", True), ("9999999999999.99", False)])
async def test_the_answer_is_whether_the_amount_could_be_spent(amount: str, available: bool, tpp: Tpp, browser: Browser) -> None:
    consent_id, customer = await allow(tpp, browser)
    sent = question(consent_id, amount)
    told = (await tpp.post(QUESTIONS, sent, customer, x_jws_signature=None, x_idempotency_key=None)).json()["Data"]
    assert told["FundsAvailable"] is available
    assert told.items() >= sent["Data"].items()


async def test_money_on_its_way_is_spent_and_an_answer_sets_nothing_aside(modelbank: Running, tpp: Tpp, browser: Browser) -> None:
    consent_id, customer = await allow(tpp, browser, "joint", JOINT)
    accounts = (await modelbank.control("ledger?bank=mulberry"))["accounts"]
    [has] = [one["available_minor"] for one in accounts if one["id"] == "mulberry-801"]
    everything = f"{has // 100}.{has % 100:02d}"
    for _ in range(2):
        assert (await tpp.post(QUESTIONS, question(consent_id, everything), customer)).json()["Data"]["FundsAvailable"] is True
    agreed = await agree_payment(tpp, browser, "joint", "1.00")
    assert (await tpp.post("pisp/domestic-payments", agreed.order, agreed.token)).status_code == 201
    assert (await tpp.post(QUESTIONS, question(consent_id, everything), customer)).json()["Data"]["FundsAvailable"] is False


@pytest.mark.parametrize(
    ("expected", "content"),
    [
        ("400 U004", {"Data": {}}),
        ("400 U004", {"Data": {"DebtorAccount": {"SchemeName": "UK.OBIE.SortCodeAccountNumber"}}}),
        ("400 U005", {**asked(), "Risk": {}}),
        ("400 U005", asked(Permissions=[])),
        ("400 U002", {"Data": {"DebtorAccount": account(SchemeName="SortCode")}}),
        ("400 U002", {"Data": {"DebtorAccount": account(Name="")}}),
        ("400 U021", {"Data": {"DebtorAccount": account("9990104000030")}}),
        ("400 U027", {"Data": {"DebtorAccount": account("4444333322221111", SchemeName="UK.OBIE.PAN")}}),
        ("400 U003", asked(ExpirationDateTime="tomorrow")),
        ("400 U003", asked(ExpirationDateTime="2020-01-01T00:00:00Z")),
    ],
)
async def test_a_consent_of_the_wrong_shape_is_refused(expected: str, content: dict[str, Any], tpp: Tpp) -> None:
    assert code(await tpp.post(CONSENTS, content, await tpp.client_token("fundsconfirmations"))) == expected


async def test_a_question_of_the_wrong_shape_is_refused(tpp: Tpp, browser: Browser) -> None:
    consent_id, customer = await allow(tpp, browser)
    cases = {
        "400 U011": {"ConsentId": "unknown"},
        "400 U002": {"Reference": "r" * 36},
        "400 U023": {"InstructedAmount": {"Amount": "1.00", "Currency": "EUR"}},
        "400 U005": {"Extra": "x"},
    }
    for expected, data in cases.items():
        assert code(await tpp.post(QUESTIONS, question(consent_id, **data), customer)) == expected
    for amount in ("0.00", "1.005", "-1.00", "1e3"):
        assert code(await tpp.post(QUESTIONS, question(consent_id, amount), customer)) == "400 U002"


async def test_a_reference_serves_one_question_however_many_ask_at_once(tpp: Tpp, browser: Browser) -> None:
    consent_id, customer = await allow(tpp, browser)
    sent = question(consent_id)
    answers = await asyncio.gather(*(tpp.post(QUESTIONS, sent, customer) for _ in range(8)))
    assert sorted(code(answer) for answer in answers if answer.status_code != 201) == ["400 U013"] * 7


async def test_each_endpoint_wants_its_own_kind_of_token_and_scope(tpp: Tpp, browser: Browser) -> None:
    consent_id, customer = await allow(tpp, browser)
    other_id, _ = await allow(tpp, browser)
    client, payments = await tpp.client_token("fundsconfirmations"), await tpp.client_token("payments")
    assert code(await tpp.post(CONSENTS, asked(), customer)) == "403 AG01"
    assert code(await tpp.post(CONSENTS, asked(), payments)) == "403 AG01"
    assert code(await tpp.post(QUESTIONS, question(consent_id), client)) == "403 AG01"
    assert code(await tpp.post(QUESTIONS, question(other_id), customer)) == "403 AG01"
    assert code(await tpp.get("aisp/accounts", customer)) == "403 AG01"
    assert code(await tpp.get(f"{CONSENTS}/{consent_id}", "invented")) == "401"


async def test_another_clients_consent_is_forbidden(tpp: Tpp, other_tpp: Tpp, browser: Browser) -> None:
    consent_id, _ = await allow(tpp, browser)
    token = await other_tpp.client_token("fundsconfirmations")
    assert code(await other_tpp.get(f"{CONSENTS}/{consent_id}", token)) == "403 AG01"
    assert code(await other_tpp.delete(f"{CONSENTS}/{consent_id}", token)) == "403 AG01"


async def test_a_deleted_consent_is_gone_with_its_token(tpp: Tpp, browser: Browser) -> None:
    consent_id, customer = await allow(tpp, browser)
    token = await tpp.client_token("fundsconfirmations")
    assert (await tpp.delete(f"{CONSENTS}/{consent_id}", token)).status_code == 204
    assert code(await tpp.get(f"{CONSENTS}/{consent_id}", token)) == "400 U011"
    assert code(await tpp.post(QUESTIONS, question(consent_id), customer)) == "401"


async def test_no_answer_follows_the_end_of_a_consent_that_ends_at_the_same_time(tpp: Tpp, browser: Browser) -> None:
    consent_id, customer = await allow(tpp, browser)
    token = await tpp.client_token("fundsconfirmations")
    asking = [tpp.post(QUESTIONS, question(consent_id), customer) for _ in range(8)]
    gone, *answers = await asyncio.gather(tpp.delete(f"{CONSENTS}/{consent_id}", token), *asking)
    assert gone.status_code == 204
    assert {code(answer) for answer in answers if answer.status_code != 201} <= {"401", "400 U011"}


async def test_an_expired_consent_is_told_and_answers_nothing(modelbank: Running, tpp: Tpp, browser: Browser) -> None:
    now = datetime.fromisoformat((await modelbank.control("clock", {"advance_seconds": 0}))["now"])
    soon = (now + timedelta(hours=1)).isoformat()
    consent_id, customer = await allow(tpp, browser, ExpirationDateTime=soon)
    assert (await tpp.post(QUESTIONS, question(consent_id), customer)).status_code == 201
    await modelbank.control("clock", {"advance_seconds": 3_601})
    tpp.tokens.clear()
    token = await tpp.client_token("fundsconfirmations")
    assert (await tpp.get(f"{CONSENTS}/{consent_id}", token)).json()["Data"]["Status"] == "EXPD"
    assert code(await tpp.post(QUESTIONS, question(consent_id), customer)) == "400 U009"


async def test_a_customer_is_asked_about_the_named_account_alone(tpp: Tpp, browser: Browser) -> None:
    claims = tpp.request_claims(await tpp.create_funds_consent("99901040000202"), "fundsconfirmations")
    await browser.open(f"/authorize?{tpp.authorize_query(claims)}")
    assert "never how much you have" in browser.page.text
    await browser.sign_in("test")
    assert "40000202" in browser.page.text
    assert "40000201" not in browser.page.text
    await browser.choose()
    assert "Yes or no" in browser.page.text


async def test_a_customer_who_does_not_own_the_account_cannot_agree(tpp: Tpp, browser: Browser) -> None:
    consent_id = await tpp.create_funds_consent(POOR)
    claims = tpp.request_claims(consent_id, "fundsconfirmations")
    await browser.open(f"/authorize?{tpp.authorize_query(claims)}")
    await browser.sign_in("alex")
    assert "not one of your accounts" in browser.page.text
    await browser.submit({})
    assert browser.returned()["error"] == "access_denied"
    answer = await tpp.get(f"{CONSENTS}/{consent_id}", await tpp.client_token("fundsconfirmations"))
    data = answer.json()["Data"]
    assert (data["Status"], data["StatusReason"][0]["StatusReasonCode"]) == ("RJCT", "U037")


async def test_a_headless_bank_agrees_for_its_customers_account_alone(modelbank: Running, tpp: Tpp, browser: Browser) -> None:
    await modelbank.control("bank", {"bank": "mulberry", "headless": True})
    try:
        outcomes = {}
        for identification in ("99901040000102", "99901040000301"):
            consent_id = await tpp.create_funds_consent(identification)
            claims = tpp.request_claims(consent_id, "fundsconfirmations", response_mode="fragment")
            await browser.open(f"/authorize?{tpp.authorize_query(claims)}")
            outcomes[identification] = "code" in browser.returned()
    finally:
        await modelbank.control("bank", {"bank": "mulberry", "headless": False})
    assert outcomes == {"99901040000102": True, "99901040000301": False}
