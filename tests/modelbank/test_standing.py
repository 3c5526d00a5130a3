"""What stands about accounts: each under its permission, in its official shape, basic or in detail, of one account or of all."""

from __future__ import annotations

import csv
import itertools
from typing import Any

import pytest

from tests.modelbank.conftest import Running, agree_payment
from tests.modelbank.foreign_client import Browser, Tpp
from tests.modelbank.test_official_shapes import DOCUMENTS, check

ACCOUNT = "mulberry-101"
KINDS = {
    "beneficiaries": ("Beneficiary", "ReadBeneficiaries", True),
    "standing-orders": ("StandingOrder", "ReadStandingOrders", True),
    "direct-debits": ("DirectDebit", "ReadDirectDebits", False),
    "scheduled-payments": ("ScheduledPayment", "ReadScheduledPayments", True),
    "products": ("Product", "ReadProducts", False),
    "offers": ("Offer", "ReadOffers", False),
    "statements": ("Statement", "ReadStatements", True),
}

pytestmark = pytest.mark.skipif(not DOCUMENTS.is_dir(), reason="the official documents are not here")


async def share(tpp: Tpp, browser: Browser, *permissions: str, accounts: tuple[int, ...] = (0,)) -> str:
    consent_id = await tpp.create_access_consent(["ReadAccountsBasic", *permissions])
    back = await browser.agree(tpp.authorize_query(tpp.request_claims(consent_id, "accounts")), accounts=accounts)
    return str((await tpp.exchange(back["code"])).json()["access_token"])


async def look(tpp: Tpp, path: str, token: str, template: str | None = None) -> list[dict[str, Any]]:
    answer = await tpp.get(f"aisp{path}", token)
    assert answer.status_code == 200, answer.text
    check("account-info", template or path, answer)
    assert answer.json()["Links"]["Self"] == str(answer.request.url)
    [found] = answer.json()["Data"].values()
    return list(found)


def at_one(path: str) -> str:
    return "product" if path == "products" else path


@pytest.mark.parametrize("path", KINDS)
async def test_it_is_told_of_all_accounts_and_of_one(path: str, tpp: Tpp, browser: Browser) -> None:
    _, permission, has_levels = KINDS[path]
    token = await share(tpp, browser, f"{permission}Detail" if has_levels else permission, accounts=(0, 1))
    everything = await look(tpp, f"/{path}", token)
    assert len({one["AccountId"] for one in everything}) == 2
    one = await look(tpp, f"/accounts/{ACCOUNT}/{at_one(path)}", token, f"/accounts/{{AccountId}}/{at_one(path)}")
    assert one == [entry for entry in everything if entry["AccountId"] == ACCOUNT]


@pytest.mark.parametrize("path", [path for path, kind in KINDS.items() if kind[2]])
async def test_the_basic_permission_leaves_out_the_other_party_and_the_amounts(path: str, tpp: Tpp, browser: Browser) -> None:
    _, permission, _ = KINDS[path]
    [basic, *_] = await look(tpp, f"/{path}", await share(tpp, browser, f"{permission}Basic"))
    [detail, *_] = await look(tpp, f"/{path}", await share(tpp, browser, f"{permission}Basic", f"{permission}Detail"))
    assert detail.keys() - basic.keys() == {"StatementAmount" if path == "statements" else "CreditorAccount"}


@pytest.mark.parametrize("path", KINDS)
async def test_without_the_permission_it_is_forbidden(path: str, tpp: Tpp, browser: Browser) -> None:
    others = [permission for name, (_, permission, levels) in KINDS.items() if name != path for permission in (
        [f"{permission}Detail"] if levels else [permission]
    )]  # fmt: skip
    token = await share(tpp, browser, *others)
    for where in (f"/{path}", f"/accounts/{ACCOUNT}/{at_one(path)}"):
        assert (await tpp.get(f"aisp{where}", token)).status_code == 403


@pytest.mark.parametrize("path", KINDS)
async def test_an_account_that_was_not_shared_is_forbidden(path: str, tpp: Tpp, browser: Browser) -> None:
    _, permission, has_levels = KINDS[path]
    token = await share(tpp, browser, f"{permission}Detail" if has_levels else permission)
    answer = await tpp.get(f"aisp/accounts/mulberry-102/{at_one(path)}", token)
    assert (answer.status_code, answer.json()["Errors"][0]["ErrorCode"]) == (403, "AG01")


def signed(entry: dict[str, Any]) -> float:
    return (1 if entry["CreditDebitIndicator"] == "Credit" else -1) * float(entry["Amount"]["Amount"])


def closing(statement: dict[str, Any]) -> float:
    [amount] = statement["StatementAmount"]
    return signed(amount)


async def test_statements_are_of_months_that_are_over_and_lead_to_their_transactions(tpp: Tpp, browser: Browser) -> None:
    seen = ("ReadTransactionsDetail", "ReadTransactionsCredits", "ReadTransactionsDebits")
    token = await share(tpp, browser, "ReadStatementsDetail", *seen)
    statements = await look(tpp, "/statements", token)
    assert 1 <= len(statements) <= 12
    assert statements == sorted(statements, key=lambda one: one["StartDateTime"], reverse=True)
    assert all(newer["StartDateTime"] > older["EndDateTime"] for newer, older in itertools.pairwise(statements))
    last, before = statements[:2]
    one = "/accounts/{AccountId}/statements/{StatementId}"
    where = f"/accounts/{ACCOUNT}/statements/{last['StatementId']}"
    assert await look(tpp, where, token, one) == [last]
    booked = await look(tpp, f"{where}/transactions", token, f"{one}/transactions")
    assert closing(last) - closing(before) == pytest.approx(sum(signed(entry) for entry in booked))
    for path in ("", "/transactions"):
        assert (await tpp.get(f"aisp/accounts/{ACCOUNT}/statements/unknown{path}", token)).status_code == 400
    early = last["StartDateTime"]
    assert [one["StatementId"] for one in await look(tpp, f"/statements?fromStatementDateTime={early}", token, "/statements")] == [
        last["StatementId"]
    ]
    older = await look(
        tpp,
        f"/accounts/{ACCOUNT}/statements?toStatementDateTime={early}",
        token,
        "/accounts/{AccountId}/statements",
    )
    assert older == statements[1:]
    blind = await share(tpp, browser, "ReadStatementsDetail")
    assert (await tpp.get(f"aisp{where}/transactions", blind)).status_code == 403


async def test_a_statement_is_a_file_whose_lines_add_up(modelbank: Running, tpp: Tpp, browser: Browser) -> None:
    agreed = await agree_payment(tpp, browser, "alex", "17.05")
    assert (await tpp.post("pisp/domestic-payments", agreed.order, agreed.token)).status_code == 201
    await modelbank.control("clock", {"advance_seconds": 32 * 86_400})
    tpp.tokens.clear()
    token = await share(tpp, browser, "ReadStatementsDetail")
    newest, *_ = await look(tpp, f"/accounts/{ACCOUNT}/statements", token, "/accounts/{AccountId}/statements")
    path = f"aisp/accounts/{ACCOUNT}/statements/{newest['StatementId']}/file"
    answer = await tpp.get(path, token, accept="text/csv")
    assert answer.headers["content-type"] == "text/csv; charset=utf-8"
    assert answer.headers["content-disposition"] == f'attachment; filename="{newest["StatementId"]}.csv"'
    lines = list(csv.DictReader(answer.text.splitlines()))
    booked = sum(float(line["Amount"]) for line in lines if line["Amount"])
    assert float(lines[0]["Balance"]) + booked == pytest.approx(float(lines[-1]["Balance"]))
    assert float(lines[-1]["Balance"]) == closing(newest)
    assert ("Wren Conveyancing E2E-1", "-17.05") in [(line["Description"], line["Amount"]) for line in lines]


async def test_a_statement_file_needs_detail_and_an_accepted_form(tpp: Tpp, browser: Browser) -> None:
    token = await share(tpp, browser, "ReadStatementsDetail")
    newest, *_ = await look(tpp, "/statements", token)
    path = f"aisp/accounts/{ACCOUNT}/statements/{newest['StatementId']}/file"
    check(
        "account-info", "/accounts/{AccountId}/statements/{StatementId}/file", await tpp.get(path, token, accept="application/pdf")
    )
    assert [(await tpp.get(path, token, accept=kind)).status_code for kind in ("text/*", "*/*", "application/json")] == [
        200,
        200,
        406,
    ]
    assert (await tpp.get(path.replace(newest["StatementId"], "unknown"), token)).status_code == 400
    basic = await share(tpp, browser, "ReadStatementsBasic")
    assert (await tpp.get(path, basic)).status_code == 403


@pytest.mark.parametrize("moment", ["0000-01-01T00:00:00Z", "2026-02-30T00:00:00Z", "yesterday"])
async def test_a_time_that_is_none_is_refused(moment: str, tpp: Tpp, browser: Browser) -> None:
    token = await share(tpp, browser, "ReadStatementsDetail", "ReadTransactionsDetail", "ReadTransactionsCredits")
    for path in (f"transactions?fromBookingDateTime={moment}", f"statements?fromStatementDateTime={moment}"):
        answer = await tpp.get(f"aisp/{path}", token)
        assert (answer.status_code, answer.json()["Errors"][0]["ErrorCode"]) == (400, "U003")
    content = {"Data": {"Permissions": ["ReadAccountsBasic"], "ExpirationDateTime": moment.replace("%2B", "+")}, "Risk": {}}
    answer = await tpp.post("aisp/account-access-consents", content, await tpp.client_token("accounts"))
    assert answer.status_code == 400
