"""The resource server: every rule about headers, signatures, shapes and states is a refusal with the standard's own code."""

from __future__ import annotations

import copy
import json
import uuid
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import rsa

from tests.modelbank.conftest import Running, agree_payment, wait_for_status
from tests.modelbank.foreign_client import DETAILS, OB, Browser, Tpp, consent_body

STRANGERS_KEY = rsa.generate_private_key(public_exponent=65537, key_size=2048)
CONSENTS, ORDERS = "pisp/domestic-payment-consents", "pisp/domestic-payments"


def code(answer: Any) -> str:
    return f"{answer.status_code} {answer.json()['Errors'][0]['ErrorCode']}"


@pytest.mark.parametrize(
    ("expected", "header"),
    [
        ("400 U017", {"without": "ob_iss"}),
        ("400 U017", {"without": "ob_iat"}),
        ("400 U017", {"without": "ob_tan"}),
        ("400 U017", {"without": "crit"}),
        ("400 U017", {"without": "kid"}),
        ("400 U016", {"kid": "unknown"}),
        ("400 U016", {"alg": "RS256"}),
        ("400 U016", {"alg": "none"}),
        ("400 U016", {"ob_iss": "someone/else"}),
        ("400 U016", {"ob_tan": "elsewhere.example"}),
        ("400 U016", {"ob_iat": timedelta(hours=1)}),
        ("400 U016", {"ob_iat": "now"}),
        ("400 U016", {"b64": False}),
        ("400 U016", {"crit": [f"{OB}iat", f"{OB}iss"]}),
        ("400 U016", {"crit": ["b64", f"{OB}iat", f"{OB}iss", f"{OB}tan"]}),
        ("400 U016", {"typ": "JWT"}),
        ("400 U016", {"cty": "text/plain"}),
    ],
)
async def test_a_defect_in_a_signatures_header_is_named(tpp: Tpp, expected: str, header: dict[str, Any]) -> None:
    body = json.dumps(consent_body()).encode()
    signature = tpp.detached(body, tpp.jws_header(**header))
    answer = await tpp.post(CONSENTS, body, await tpp.client_token("payments"), x_jws_signature=signature)
    assert code(answer) == expected
    await tpp.verify_response(answer)


async def test_a_missing_malformed_or_false_signature_is_named(tpp: Tpp) -> None:
    body, token = json.dumps(consent_body()).encode(), await tpp.client_token("payments")
    signatures = {
        None: "400 U019",
        "": "400 U019",
        "rubbish": "400 U018",
        "bm90anNvbg..c2ln": "400 U018",
        tpp.detached(body).replace("..", "."): "400 U018",
        tpp.detached(body, key=STRANGERS_KEY): "400 U015",
        tpp.detached(body + b" "): "400 U015",
    }
    for signature, expected in signatures.items():
        assert code(await tpp.post(CONSENTS, body, token, x_jws_signature=signature)) == expected


def changed(path: str, value: Any) -> Callable[[dict[str, Any]], None]:
    def change(body: dict[str, Any]) -> None:
        *parents, last = path.split(".")
        for parent in parents:
            body = body[parent]
        if value is None:
            del body[last]
        else:
            body[last] = value

    return change


INITIATION = "Data.Initiation"


@pytest.mark.parametrize(
    ("expected", "path", "value"),
    [
        ("400 U004", "Risk", None),
        ("400 U004", f"{INITIATION}.InstructionIdentification", None),
        ("400 U004", f"{INITIATION}.CreditorAccount.Name", None),
        ("400 U005", "Extra", "x"),
        ("400 U005", "Data.Extra", "x"),
        ("400 U005", "Risk.Extra", "x"),
        ("400 U005", f"{INITIATION}.CreditorAccount.Extra", "x"),
        ("400 U002", f"{INITIATION}.InstructionIdentification", "x" * 36),
        ("400 U002", f"{INITIATION}.InstructionIdentification", ""),
        ("400 U002", f"{INITIATION}.EndToEndIdentification", 7),
        ("400 U002", f"{INITIATION}.InstructedAmount.Amount", "0.00"),
        ("400 U002", f"{INITIATION}.InstructedAmount.Amount", "100.005"),
        ("400 U002", f"{INITIATION}.InstructedAmount.Amount", "-1.00"),
        ("400 U002", f"{INITIATION}.InstructedAmount.Amount", "1e400"),
        ("400 U002", f"{INITIATION}.InstructedAmount.Amount", "١٠٠"),  # digits of another script
        ("400 U002", f"{INITIATION}.InstructedAmount.Amount", "1.00\n"),
        ("400 U002", f"{INITIATION}.InstructedAmount.Amount", 100),
        ("400 U002", f"{INITIATION}.InstructedAmount.Currency", "pounds"),
        ("400 U023", f"{INITIATION}.InstructedAmount.Currency", "EUR"),
        ("400 U026", f"{INITIATION}.LocalInstrument", "UK.OBIE.SWIFT"),
        ("400 U002", f"{INITIATION}.LocalInstrument", "FPS"),
        ("400 U027", f"{INITIATION}.CreditorAccount.SchemeName", "UK.OBIE.PAN"),
        ("400 U021", f"{INITIATION}.CreditorAccount.Identification", "2000005577991"),
        ("400 U002", f"{INITIATION}.RemittanceInformation.Unstructured", ["x" * 141]),
        ("400 U002", f"{INITIATION}.RemittanceInformation.Unstructured", "text"),
        ("400 U002", "Data.ReadRefundAccount", "yes"),
        ("400 U002", "Risk.PaymentContextCode", "Other"),
        ("400 U002", "Risk.PaymentPurposeCode", "ZZZZ"),
        ("400 U002", "Risk.DeliveryAddress", {"Country": "United Kingdom"}),
        ("400 U002", "Data.SCASupportData", {"AppliedAuthenticationApproach": "none"}),
    ],
)
async def test_a_consent_of_the_wrong_shape_is_refused(tpp: Tpp, expected: str, path: str, value: Any) -> None:
    body = copy.deepcopy(consent_body())
    changed(path, value)(body)
    answer = await tpp.post(CONSENTS, body, await tpp.client_token("payments"))
    assert code(answer) == expected
    assert "Path" in answer.json()["Errors"][0]


@pytest.mark.parametrize(
    "body",
    [
        b'{"a":"\\u0000"}',
        b'{"\\u0000":1}',
        b"",
        b"[]",
        b"null",
        b"{",
        b'{"Data":{},"Data":{}}',
        b'{"Data":NaN}',
        b"\xff",
        b"[" * 5000,
    ],
)
async def test_a_body_that_is_no_json_object_is_refused(tpp: Tpp, body: bytes) -> None:
    assert code(await tpp.post(CONSENTS, body, await tpp.client_token("payments"))) == "400 U010"


async def test_an_id_that_cannot_be_kept_is_the_address_of_nothing(tpp: Tpp) -> None:
    answer = await tpp.get(f"{CONSENTS}/%00", await tpp.client_token("payments"))
    assert (answer.status_code, answer.content) == (404, b"")


async def test_null_is_no_value(tpp: Tpp) -> None:
    body = json.dumps(consent_body()).replace('"Risk": {}', '"Risk": {"PaymentContextCode": null}').encode()
    assert code(await tpp.post(CONSENTS, body, await tpp.client_token("payments"))) == "400 U002"


async def test_headers_are_demanded(tpp: Tpp) -> None:
    token = await tpp.client_token("payments")
    cases: dict[int, dict[str, str | None]] = {
        401: {"authorization": None},
        406: {"accept": "text/html"},
        415: {"content-type": "text/plain"},
    }
    for status, headers in cases.items():
        answer = await tpp.post(CONSENTS, consent_body(), token, **headers)
        assert (answer.status_code, answer.content) == (status, b"")
        assert answer.headers["x-fapi-interaction-id"]
    assert code(await tpp.post(CONSENTS, consent_body(), token, x_idempotency_key=None)) == "400 U007"
    assert code(await tpp.post(CONSENTS, consent_body(), token, x_idempotency_key="k" * 41)) == "400 U006"


async def test_the_interaction_id_is_played_back_or_minted_on_every_answer(tpp: Tpp) -> None:
    token, mine = await tpp.client_token("payments"), str(uuid.uuid4())
    for path in (CONSENTS, f"{CONSENTS}/unknown", "pisp/unknown"):
        answer = await tpp.get(path, token, x_fapi_interaction_id=mine)
        assert answer.headers["x-fapi-interaction-id"] == mine
        answer = await tpp.get(path, token)
        uuid.UUID(answer.headers["x-fapi-interaction-id"])


async def test_what_does_not_exist_is_told_apart(tpp: Tpp) -> None:
    token = await tpp.client_token("payments")
    assert code(await tpp.get(f"{CONSENTS}/unknown", token)) == "400 U011"
    assert code(await tpp.get(f"{ORDERS}/unknown", token)) == "400 U011"
    assert (await tpp.get("pisp/foobar", token)).status_code == 404
    answer = await tpp.get(CONSENTS, token)
    assert (answer.status_code, answer.headers["allow"], answer.content) == (405, "POST", b"")


async def test_the_wrong_kind_of_token_is_forbidden(tpp: Tpp, browser: Browser) -> None:
    agreed = await agree_payment(tpp, browser)
    payments, accounts = await tpp.client_token("payments"), await tpp.client_token("accounts")
    assert (await tpp.post(CONSENTS, consent_body(), accounts)).status_code == 403
    assert (await tpp.post(CONSENTS, consent_body(), agreed.token)).status_code == 403
    assert (await tpp.post(ORDERS, agreed.order, payments)).status_code == 403
    assert (await tpp.get(f"{CONSENTS}/{agreed.consent_id}/funds-confirmation", payments)).status_code == 403
    assert (await tpp.get("aisp/accounts", accounts)).status_code == 403
    assert (await tpp.get("aisp/accounts", agreed.token)).status_code == 403


async def test_another_clients_resources_are_forbidden(tpp: Tpp, other_tpp: Tpp, browser: Browser) -> None:
    agreed = await agree_payment(tpp, browser)
    answer = await tpp.post(ORDERS, agreed.order, agreed.token)
    payment_id = answer.json()["Data"]["DomesticPaymentId"]
    access_id = await tpp.create_access_consent(DETAILS)
    payments, accounts = await other_tpp.client_token("payments"), await other_tpp.client_token("accounts")
    for path in (f"{CONSENTS}/{agreed.consent_id}", f"{ORDERS}/{payment_id}", f"{ORDERS}/{payment_id}/payment-details"):
        assert (await other_tpp.get(path, payments)).status_code == 403
    assert (await other_tpp.get(f"aisp/account-access-consents/{access_id}", accounts)).status_code == 403
    assert (await other_tpp.delete(f"aisp/account-access-consents/{access_id}", accounts)).status_code == 403


async def test_a_payment_is_exactly_what_was_agreed(tpp: Tpp, browser: Browser) -> None:
    agreed = await agree_payment(tpp, browser)
    for path, value in (
        (f"{INITIATION}.InstructedAmount.Amount", "100.01"),
        (f"{INITIATION}.CreditorAccount.Name", "Someone Else"),
        ("Risk.ContractPresentIndicator", True),
    ):
        order = copy.deepcopy(agreed.order)
        changed(path, value)(order)
        assert code(await tpp.post(ORDERS, order, agreed.token)) == "400 U008"
    stranger = await agree_payment(tpp, browser)
    assert (await tpp.post(ORDERS, agreed.order, stranger.token)).status_code == 403
    assert (await tpp.post(ORDERS, agreed.order, agreed.token)).status_code == 201


async def test_a_consent_serves_one_payment(tpp: Tpp, browser: Browser) -> None:
    agreed = await agree_payment(tpp, browser)
    assert (await tpp.post(ORDERS, agreed.order, agreed.token)).status_code == 201
    assert code(await tpp.post(ORDERS, agreed.order, agreed.token)) == "400 U009"
    answer = await tpp.get(f"{CONSENTS}/{agreed.consent_id}/funds-confirmation", agreed.token)
    assert code(answer) == "400 U009"


async def test_an_instruction_serves_one_payment(tpp: Tpp, browser: Browser) -> None:
    first = await agree_payment(tpp, browser)
    instruction = first.body["Data"]["Initiation"]["InstructionIdentification"]
    second = await agree_payment(tpp, browser, InstructionIdentification=instruction)
    assert (await tpp.post(ORDERS, first.order, first.token)).status_code == 201
    assert code(await tpp.post(ORDERS, second.order, second.token)) == "409 U029"


async def test_funds_are_confirmed_without_being_set_aside(tpp: Tpp, browser: Browser) -> None:
    agreed = await agree_payment(tpp, browser)
    for _ in range(2):
        answer = await tpp.get(f"{CONSENTS}/{agreed.consent_id}/funds-confirmation", agreed.token)
        assert answer.json()["Data"]["FundsAvailableResult"]["FundsAvailable"] is True
        await tpp.verify_response(answer)


async def test_money_that_is_gone_since_the_customer_agreed_rejects_the_payment(
    modelbank: Running, tpp: Tpp, browser: Browser
) -> None:
    before = await modelbank.balance("mulberry-301")
    first, second = [await agree_payment(tpp, browser, "poor", "1.70") for _ in range(2)]
    assert (await tpp.post(ORDERS, first.order, first.token)).json()["Data"]["Status"] == "RCVD"
    data = (await tpp.post(ORDERS, second.order, second.token)).json()["Data"]
    assert (data["Status"], data["StatusReason"][0]["StatusReasonCode"]) == ("RJCT", "AM04")
    answer = await tpp.get(f"{CONSENTS}/{first.consent_id}", await tpp.client_token("payments"))
    assert answer.json()["Data"]["Status"] == "COND"
    await modelbank.control("clock", {"advance_seconds": 10})
    assert await modelbank.balance("mulberry-301") == before - 170


async def test_an_idempotency_key_serves_one_body_for_a_day(modelbank: Running, tpp: Tpp) -> None:
    token, body, key = await tpp.client_token("payments"), consent_body(), uuid.uuid4().hex
    first = await tpp.post(CONSENTS, body, token, x_idempotency_key=key)
    again = await tpp.post(CONSENTS, body, token, x_idempotency_key=key)
    assert again.status_code == 201
    assert again.json()["Data"]["ConsentId"] == first.json()["Data"]["ConsentId"]
    assert code(await tpp.post(CONSENTS, consent_body("7.00"), token, x_idempotency_key=key)) == "400 U006"
    await modelbank.control("clock", {"advance_seconds": 86_401})
    tpp.tokens.clear()
    later = await tpp.post(CONSENTS, body, await tpp.client_token("payments"), x_idempotency_key=key)
    assert later.json()["Data"]["ConsentId"] != first.json()["Data"]["ConsentId"]


async def test_money_paid_to_the_other_pretend_bank_arrives_there(modelbank: Running, tpp: Tpp, browser: Browser) -> None:
    before = await modelbank.balance("harbour-901", "harbour")
    payee = {"SchemeName": "UK.OBIE.SortCodeAccountNumber", "Identification": "99902041000901", "Name": "Client Account"}
    agreed = await agree_payment(tpp, browser, CreditorAccount=payee)
    payment_id = (await tpp.post(ORDERS, agreed.order, agreed.token)).json()["Data"]["DomesticPaymentId"]
    await wait_for_status(tpp, payment_id, "ACCC")
    assert await modelbank.balance("harbour-901", "harbour") == before + 100_00
    assert await modelbank.debits(payment_id) == [-100_00]


@pytest.mark.parametrize(
    "permissions",
    [
        [],
        ["ReadBalances"],
        ["ReadAccountsDetail", "ReadTransactionsDetail"],
        ["ReadAccountsDetail", "ReadTransactionsCredits"],
        ["ReadAccountsDetail", "ReadEverything"],
    ],
)
async def test_permissions_that_do_not_go_together_are_refused(tpp: Tpp, permissions: list[str]) -> None:
    content = {"Data": {"Permissions": permissions}, "Risk": {}}
    answer = await tpp.post("aisp/account-access-consents", content, await tpp.client_token("accounts"))
    assert code(answer) == "400 U002"


async def share(tpp: Tpp, browser: Browser, permissions: list[str], username: str = "alex") -> str:
    consent_id = await tpp.create_access_consent(permissions)
    back = await browser.agree(tpp.authorize_query(tpp.request_claims(consent_id, "accounts")), username)
    token: str = (await tpp.exchange(back["code"])).json()["access_token"]
    return token


async def test_an_access_consent_that_expires_ends_its_token(modelbank: Running, tpp: Tpp, browser: Browser) -> None:
    past = {"Data": {"Permissions": DETAILS, "ExpirationDateTime": "2020-01-01T00:00:00Z"}, "Risk": {}}
    answer = await tpp.post("aisp/account-access-consents", past, await tpp.client_token("accounts"))
    assert code(answer) == "400 U003"
    token = await share(tpp, browser, DETAILS)
    assert (await tpp.get("aisp/accounts", token)).status_code == 200
    await modelbank.control("clock", {"advance_seconds": 86_401})
    assert (await tpp.get("aisp/accounts", token)).status_code == 401


async def test_only_what_was_agreed_is_shown(tpp: Tpp, browser: Browser) -> None:
    token = await share(tpp, browser, ["ReadAccountsBasic"])
    [account] = (await tpp.get("aisp/accounts", token)).json()["Data"]["Account"]
    assert "Account" not in account
    assert (await tpp.get(f"aisp/accounts/{account['AccountId']}", token)).status_code == 200
    for path in ("balances", "transactions", "party", f"accounts/{account['AccountId']}/parties"):
        assert (await tpp.get(f"aisp/{path}", token)).status_code == 403
    assert code(await tpp.get("aisp/accounts/mulberry-102", token)) == "403 AG01"
    assert (await tpp.get("aisp/accounts/mulberry-101/foobar", token)).status_code == 404


async def test_a_name_that_the_account_lacks_is_told_by_the_party(tpp: Tpp, browser: Browser) -> None:
    token = await share(tpp, browser, DETAILS, "noname")
    [account] = (await tpp.get("aisp/accounts", token)).json()["Data"]["Account"]
    assert "Name" not in account["Account"][0]
    party = (await tpp.get(f"aisp/accounts/{account['AccountId']}/party", token)).json()["Data"]["Party"]
    assert party["FullLegalName"] == "Noor Amin"


async def test_a_joint_account_has_two_parties(tpp: Tpp, browser: Browser) -> None:
    token = await share(tpp, browser, DETAILS, "joint")
    [account] = (await tpp.get("aisp/accounts", token)).json()["Data"]["Account"]
    assert account["Account"][0]["Name"] == "Sam Patel & Jo Patel"
    parties = (await tpp.get(f"aisp/accounts/{account['AccountId']}/parties", token)).json()["Data"]["Party"]
    assert [(party["Name"], party["PartyType"]) for party in parties] == [("Sam Patel", "Joint"), ("Jo Patel", "Joint")]


async def test_transactions_show_one_direction_when_one_was_agreed(tpp: Tpp, browser: Browser) -> None:
    permissions = ["ReadAccountsDetail", "ReadTransactionsBasic", "ReadTransactionsCredits"]
    token = await share(tpp, browser, permissions)
    found = (await tpp.get("aisp/transactions", token)).json()["Data"]["Transaction"]
    assert {entry["CreditDebitIndicator"] for entry in found} == {"Credit"}
    assert "TransactionInformation" not in found[0]
    later = await tpp.get("aisp/transactions?fromBookingDateTime=2100-01-01T00:00:00Z", token)
    assert later.json()["Data"]["Transaction"] == []
    assert code(await tpp.get("aisp/transactions?fromBookingDateTime=soon", token)) == "400 U003"
    assert code(await tpp.get("aisp/transactions?page=1&page=2", token)) == "400 U002"
