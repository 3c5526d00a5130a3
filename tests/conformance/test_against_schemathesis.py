"""Schemathesis, which knows only the official documents, tries the model bank: no server error, no answer off the document."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.conformance.rule import ORDERS
from tests.modelbank.conftest import Running, agree_payment, serving
from tests.modelbank.foreign_client import Browser, Tpp
from tests.modelbank.test_official_shapes import DOCUMENTS
from tests.rules.source import ROOT

SCHEMATHESIS = str(Path(sys.executable).with_name("schemathesis"))
CHECKS = (
    "not_a_server_error,status_code_conformance,content_type_conformance,response_headers_conformance,response_schema_conformance"
)
PAYMENTS = "^/domestic-payment(-consents|s)(/|$)"
EVERYTHING = "^/(?!.*/file$)"  # the document draws a statement's file as JSON, the standard's text as anything but
EVERY_PERMISSION = [
    "ReadAccountsDetail", "ReadBalances", "ReadBeneficiariesDetail", "ReadDirectDebits", "ReadOffers", "ReadParty",
    "ReadPartyPSU", "ReadProducts", "ReadScheduledPaymentsDetail", "ReadStandingOrdersDetail", "ReadStatementsDetail",
    "ReadTransactionsDetail", "ReadTransactionsCredits", "ReadTransactionsDebits",
]  # fmt: skip
LASTING = {"ExpirationDateTime": "2099-01-01T00:00:00+00:00"}
PHASES = ("--phases", "examples,fuzzing,stateful", "--max-examples", "8")
SEED, RUN_SECONDS = 20261127, 300

pytestmark = pytest.mark.skipif(not DOCUMENTS.is_dir(), reason="the official documents are not here")


def try_out(bank: Running, document: str, base: str, operations: str, party: dict[str, Any], folder: Path) -> int:
    """Let Schemathesis try the operations of a document and return how many it tried. Raise AssertionError with its report."""
    told = folder / "party.json"
    told.write_text(json.dumps(party))
    command = [SCHEMATHESIS, "run", str(DOCUMENTS / f"{document}-openapi-v4.0.json"), "--include-path-regex", operations]
    command += ["-u", f"https://localhost:{bank.api_port}/mulberry/open-banking/v4.0/{base}", "--checks", CHECKS]
    command += ["--tls-verify", str(bank.folder / "ca.crt"), "--request-cert", str(bank.folder / "tpp-transport.crt")]
    command += ["--request-cert-key", str(bank.folder / "tpp-transport.key"), "--seed", str(SEED)]
    command += ["--generation-database", "none", "--continue-on-failure", "--warnings", "off"]
    command += PHASES
    hooks = {"SCHEMATHESIS_HOOKS": "tests.conformance.schemathesis_hooks", "CONFORMANCE_THIRD_PARTY": str(told)}
    environment = os.environ | hooks | {"PYTHONPATH": str(ROOT)}
    done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False, timeout=RUN_SECONDS)
    assert done.returncode == 0, done.stdout[-60_000:] + done.stderr[-2000:]
    [tested] = re.findall(r"^  Tested: (\d+)$", done.stdout, re.MULTILINE)
    [followed] = re.findall(r"API Links: +(\d+) covered", done.stdout)
    assert int(followed) > 0
    return int(tested)


def third_party(
    tpp: Tpp, bank: Running, client: str, customer: str, ids: dict[str, str], members: dict[str, Any] | None = None
) -> dict[str, Any]:
    """Say whom to play: `ids` exist and stand in paths; `members` of `Data` make a body that the bank acts on, by path."""
    tokens = {"client": client, "customer": customer}
    key = str(bank.folder / tpp.about["signing_key"])
    return {"key": key, "header": tpp.jws_header(), **tokens, "ids": ids, "members": members or {}}


@pytest.fixture
async def parties(postgres: Any, tmp_path: Path) -> Any:
    with serving(tmp_path / "bank", postgres.dsn(f"schemathesis_{tmp_path.name}")) as bank:
        tpp, browser = Tpp(bank.folder, "mulberry"), Browser(bank.pages_port, "mulberry")
        yield bank, tpp, browser
        await tpp.close()
        await browser.close()


async def test_payments_stay_on_the_official_document(parties: tuple[Running, Tpp, Browser], tmp_path: Path) -> None:
    bank, tpp, browser = parties
    agreed = await agree_payment(tpp, browser)
    answer = await tpp.post(ORDERS, agreed.order, agreed.token)
    ids = {"ConsentId": agreed.consent_id, "DomesticPaymentId": answer.json()["Data"]["DomesticPaymentId"]}
    party = third_party(tpp, bank, await tpp.client_token("payments"), agreed.token, ids)
    assert try_out(bank, "payment-initiation", "pisp", PAYMENTS, party, tmp_path) == 6


async def test_accounts_stay_on_the_official_document(parties: tuple[Running, Tpp, Browser], tmp_path: Path) -> None:
    bank, tpp, browser = parties
    consent_id = await tpp.create_access_consent(EVERY_PERMISSION)
    back = await browser.agree(tpp.authorize_query(tpp.request_claims(consent_id, "accounts")))
    customer = (await tpp.exchange(back["code"])).json()["access_token"]
    [statement, *_] = (await tpp.get("aisp/accounts/mulberry-101/statements", customer)).json()["Data"]["Statement"]
    spare = await tpp.create_access_consent(EVERY_PERMISSION)
    ids = {"AccountId": "mulberry-101", "StatementId": statement["StatementId"], "ConsentId": spare}
    members = {"/account-access-consents": {"Permissions": EVERY_PERMISSION, **LASTING}}
    party = third_party(tpp, bank, await tpp.client_token("accounts"), customer, ids, members)
    assert try_out(bank, "account-info", "aisp", EVERYTHING, party, tmp_path) == 28


async def test_confirmation_of_funds_stays_on_the_official_document(parties: tuple[Running, Tpp, Browser], tmp_path: Path) -> None:
    bank, tpp, browser = parties
    consent_id, spare = [await tpp.create_funds_consent("99901040000101") for _ in range(2)]
    back = await browser.agree(tpp.authorize_query(tpp.request_claims(consent_id, "fundsconfirmations")))
    customer = (await tpp.exchange(back["code"])).json()["access_token"]
    account = {"SchemeName": "UK.OBIE.SortCodeAccountNumber", "Identification": "99901040000101"}
    members = {
        "/funds-confirmation-consents": {"DebtorAccount": account, **LASTING},
        "/funds-confirmations": {"ConsentId": consent_id, "InstructedAmount": {"Amount": "12.34", "Currency": "GBP"}},
    }
    client = await tpp.client_token("fundsconfirmations")
    party = third_party(tpp, bank, client, customer, {"ConsentId": spare}, members)
    assert try_out(bank, "confirmation-funds", "cbpii", EVERYTHING, party, tmp_path) == 4
