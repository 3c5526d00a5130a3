"""Whole journeys at the model bank, by a foreign client and a browser without JavaScript."""

from __future__ import annotations

import asyncio
from typing import Any

from tests.modelbank.conftest import Agreed, Running, agree_payment, wait_for_status
from tests.modelbank.foreign_client import DETAILS, Browser, Tpp, consent_body, half_hash


async def pay(tpp: Tpp, agreed: Agreed) -> dict[str, Any]:
    answer = await tpp.post("pisp/domestic-payments", agreed.order, agreed.token)
    assert answer.status_code == 201, answer.text
    data: dict[str, Any] = answer.json()["Data"]
    return data


async def test_a_payment_is_agreed_submitted_debited_once_and_credited(modelbank: Running, tpp: Tpp, browser: Browser) -> None:
    before = await modelbank.balance("mulberry-101")
    agreed = await agree_payment(tpp, browser)
    payment = await pay(tpp, agreed)
    assert payment["Status"] == "RCVD"
    assert payment["Refund"]["Account"]["Name"] == "Alex Morgan"
    assert payment["Debtor"]["Name"] == "Alex Morgan"
    await wait_for_status(tpp, payment["DomesticPaymentId"], "ACCC")
    assert await modelbank.debits(payment["DomesticPaymentId"]) == [-100_00]
    assert await modelbank.balance("mulberry-101") == before - 100_00
    consent = await tpp.get(f"pisp/domestic-payment-consents/{agreed.consent_id}", await tpp.client_token("payments"))
    assert consent.json()["Data"]["Status"] == "COND"
    await tpp.verify_response(consent)


async def test_the_return_vouches_for_code_state_nonce_and_intent(tpp: Tpp, browser: Browser) -> None:
    consent_id = await tpp.create_payment_consent(consent_body())
    claims = tpp.request_claims(consent_id)
    back = await browser.agree(tpp.authorize_query(claims))
    assert back["state"] == claims["state"]
    id_token = await tpp.verify(back["id_token"])
    assert id_token["c_hash"] == half_hash(back["code"])
    assert id_token["s_hash"] == half_hash(claims["state"])
    assert id_token["nonce"] == claims["nonce"]
    assert id_token["acr"] == "urn:openbanking:psd2:sca"
    assert id_token["openbanking_intent_id"] == id_token["sub"] == consent_id


async def test_accounts_are_shared_read_and_closed(tpp: Tpp, browser: Browser) -> None:
    consent_id = await tpp.create_access_consent(DETAILS)
    query = tpp.authorize_query(tpp.request_claims(consent_id, "accounts"))
    back = await browser.agree(query, "test", accounts=(0, 2))
    token = (await tpp.exchange(back["code"])).json()["access_token"]
    accounts = (await tpp.get("aisp/accounts", token)).json()["Data"]["Account"]
    assert [account["AccountId"] for account in accounts] == ["mulberry-201", "mulberry-203"]
    assert accounts[0]["Account"][0]["Name"] == "Test Name"
    balance = await tpp.get("aisp/accounts/mulberry-203/balances", token)
    assert balance.json()["Data"]["Balance"][0]["Amount"] == {"Amount": "8250.00", "Currency": "GBP"}
    client_token = await tpp.client_token("accounts")
    path = f"aisp/account-access-consents/{consent_id}"
    assert (await tpp.get(path, client_token)).json()["Data"]["Status"] == "AUTH"
    assert (await tpp.delete(path, client_token)).status_code == 204
    assert (await tpp.get(path, client_token)).json()["Errors"][0]["ErrorCode"] == "U011"
    assert (await tpp.get("aisp/accounts", token)).status_code == 401


async def test_a_customer_who_says_no_ends_the_consent(tpp: Tpp, browser: Browser) -> None:
    consent_id = await tpp.create_payment_consent(consent_body())
    claims = tpp.request_claims(consent_id)
    await browser.open(f"/authorize?{tpp.authorize_query(claims)}")
    await browser.sign_in("alex")
    await browser.submit({}, form=1)
    back = browser.returned()
    assert (back["error"], back["state"]) == ("access_denied", claims["state"])
    consent = await tpp.get(f"pisp/domestic-payment-consents/{consent_id}", await tpp.client_token("payments"))
    assert consent.json()["Data"]["Status"] == "RJCT"
    assert consent.json()["Data"]["StatusReason"][0]["StatusReasonCode"] == "CUST"


async def test_a_customer_without_enough_money_is_refused_at_the_bank(tpp: Tpp, browser: Browser) -> None:
    consent_id = await tpp.create_payment_consent(consent_body("3.21"))
    await browser.open(f"/authorize?{tpp.authorize_query(tpp.request_claims(consent_id))}")
    page = await browser.sign_in("poor")
    assert "There is not enough money" in page.text
    await browser.submit({})
    assert browser.returned()["error_description"].startswith("AM04")


async def test_a_late_rejection_comes_after_acsp_and_moves_no_money(modelbank: Running, tpp: Tpp, browser: Browser) -> None:
    before = await modelbank.balance_of("late")
    payment = await pay(tpp, await agree_payment(tpp, browser, "late"))
    data = await wait_for_status(tpp, payment["DomesticPaymentId"], "RJCT")
    assert data["StatusReason"][0]["StatusReasonCode"] == "DS04"
    assert await modelbank.debits(payment["DomesticPaymentId"]) == []
    assert await modelbank.balance_of("late") == before
    path = f"pisp/domestic-payments/{payment['DomesticPaymentId']}/payment-details"
    details = (await tpp.get(path, await tpp.client_token("payments"))).json()["Data"]["PaymentStatus"]
    assert [entry["Status"] for entry in details] == ["ACSP", "RJCT"]


async def test_twenty_posts_with_one_key_make_one_payment_and_one_debit(modelbank: Running, tpp: Tpp, browser: Browser) -> None:
    agreed = await agree_payment(tpp, browser)
    posts = [tpp.post("pisp/domestic-payments", agreed.order, agreed.token, x_idempotency_key="same") for _ in range(20)]
    answers = await asyncio.gather(*posts)
    assert {answer.status_code for answer in answers} == {201}
    [payment_id] = {answer.json()["Data"]["DomesticPaymentId"] for answer in answers}
    await wait_for_status(tpp, payment_id, "ACCC")
    again = await tpp.post("pisp/domestic-payments", agreed.order, agreed.token, x_idempotency_key="same")
    assert (again.status_code, again.json()["Data"]["Status"]) == (201, "ACCC")
    assert await modelbank.debits(payment_id) == [-100_00]
