"""Every answer fits the official OpenAPI documents (v4.0 Update 4), which lie beside the project where it is developed."""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path
from typing import Any

import httpx
import pytest
from jsonschema import Draft4Validator

from tests.modelbank.conftest import agree_payment, wait_for_status
from tests.modelbank.foreign_client import Browser, Tpp, consent_body

DOCUMENTS = Path(__file__).parents[2].parent / "shared" / "standards" / "uk-open-banking"
EVERYTHING = [
    "ReadAccountsDetail", "ReadBalances", "ReadParty", "ReadPartyPSU", "ReadTransactionsDetail", "ReadTransactionsCredits",
    "ReadTransactionsDebits",
]  # fmt: skip

pytestmark = pytest.mark.skipif(not DOCUMENTS.is_dir(), reason="the official documents are not here")


@cache
def document(name: str) -> dict[str, Any]:
    content: dict[str, Any] = json.loads((DOCUMENTS / f"{name}-openapi-v4.0.json").read_text())
    return content


def check(name: str, template: str, answer: httpx.Response) -> None:
    """Check status, headers and body of an answer against the document's operation."""
    content = document(name)
    operation = content["paths"][template][answer.request.method.lower()]
    described = resolve(content, operation["responses"][str(answer.status_code)])
    for header, about in described.get("headers", {}).items():
        assert not about.get("required") or header in answer.headers, header
    if "content" not in described:
        assert answer.content == b""
        return
    schema = described["content"]["application/json; charset=utf-8"]["schema"]
    assert answer.headers["content-type"] == "application/json; charset=utf-8"
    Draft4Validator({**content, **schema}).validate(answer.json())


def resolve(content: dict[str, Any], part: dict[str, Any]) -> dict[str, Any]:
    while "$ref" in part:
        reference, part = part["$ref"], content
        for step in reference.removeprefix("#/").split("/"):
            part = part[step]
    return part


async def test_payment_answers_are_on_the_specification(tpp: Tpp, browser: Browser) -> None:
    pis, token = "payment-initiation", await tpp.client_token("payments")
    consents, orders = "/domestic-payment-consents", "/domestic-payments"
    check(pis, consents, await tpp.post(f"pisp{consents}", consent_body(), token))
    check(pis, consents, await tpp.post(f"pisp{consents}", {}, token))
    check(pis, consents, await tpp.post(f"pisp{consents}", {}, "no-token"))
    check(pis, consents, await tpp.post(f"pisp{consents}", {}, await tpp.client_token("accounts")))
    check(pis, consents, await tpp.post(f"pisp{consents}", {}, token, content_type="text/plain"))
    agreed = await agree_payment(tpp, browser, "late")
    one = f"{consents}/{{ConsentId}}"
    check(pis, one, await tpp.get(f"pisp{consents}/{agreed.consent_id}", token))
    check(pis, one, await tpp.get(f"pisp{consents}/unknown", token))
    funds = f"pisp{consents}/{agreed.consent_id}/funds-confirmation"
    check(pis, f"{one}/funds-confirmation", await tpp.get(funds, agreed.token))
    answer = await tpp.post(f"pisp{orders}", agreed.order, agreed.token)
    check(pis, orders, answer)
    payment_id = answer.json()["Data"]["DomesticPaymentId"]
    await wait_for_status(tpp, payment_id, "RJCT")
    check(pis, f"{orders}/{{DomesticPaymentId}}", await tpp.get(f"pisp{orders}/{payment_id}", token))
    details = await tpp.get(f"pisp{orders}/{payment_id}/payment-details", token)
    check(pis, f"{orders}/{{DomesticPaymentId}}/payment-details", details)


async def test_account_answers_are_on_the_specification(tpp: Tpp, browser: Browser) -> None:
    ais, token = "account-info", await tpp.client_token("accounts")
    content = {"Data": {"Permissions": EVERYTHING, "ExpirationDateTime": "2099-01-01T00:00:00+00:00"}, "Risk": {}}
    answer = await tpp.post("aisp/account-access-consents", content, token)
    check(ais, "/account-access-consents", answer)
    consent_id = answer.json()["Data"]["ConsentId"]
    back = await browser.agree(tpp.authorize_query(tpp.request_claims(consent_id, "accounts")), "joint")
    customer = (await tpp.exchange(back["code"])).json()["access_token"]
    one = "/accounts/{AccountId}"
    for template in ("/accounts", "/balances", "/transactions", "/party", one):
        check(ais, template, await tpp.get("aisp" + template.format(AccountId="mulberry-801"), customer))
    for part in ("balances", "transactions", "party", "parties"):
        check(ais, f"{one}/{part}", await tpp.get(f"aisp/accounts/mulberry-801/{part}", customer))
    check(ais, one, await tpp.get("aisp/accounts/foobar", customer))
    check(ais, "/accounts", await tpp.get("aisp/accounts", token))
    path = f"aisp/account-access-consents/{consent_id}"
    check(ais, "/account-access-consents/{ConsentId}", await tpp.get(path, token))
    check(ais, "/account-access-consents/{ConsentId}", await tpp.delete(path, token))
    check(ais, "/account-access-consents/{ConsentId}", await tpp.get(path, token))
