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
from tests.modelbank.foreign_client import DETAILS, Browser, Tpp
from tests.modelbank.test_official_shapes import DOCUMENTS
from tests.rules.source import ROOT

SCHEMATHESIS = str(Path(sys.executable).with_name("schemathesis"))
CHECKS = (
    "not_a_server_error,status_code_conformance,content_type_conformance,response_headers_conformance,response_schema_conformance"
)
PAYMENTS = "^/domestic-payment(-consents|s)(/|$)"
ACCOUNTS = "^/(account-access-consents.*|accounts|accounts/{AccountId}|(.*/)?(balances|transactions|party|parties))$"
PHASES = ("--phases", "examples,fuzzing", "--max-examples", "8")
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
    return int(tested)


def third_party(tpp: Tpp, bank: Running, client: str, customer: str, ids: dict[str, str]) -> dict[str, Any]:
    key = str(bank.folder / tpp.about["signing_key"])
    return {"key": key, "header": tpp.jws_header(), "client": client, "customer": customer, "ids": ids}


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
    consent_id = await tpp.create_access_consent(DETAILS)
    back = await browser.agree(tpp.authorize_query(tpp.request_claims(consent_id, "accounts")))
    customer = (await tpp.exchange(back["code"])).json()["access_token"]
    ids = {"AccountId": "mulberry-101"}
    party = third_party(tpp, bank, await tpp.client_token("accounts"), customer, ids)
    assert try_out(bank, "account-info", "aisp", ACCOUNTS, party, tmp_path) == 13
