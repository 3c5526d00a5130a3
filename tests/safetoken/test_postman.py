"""The Postman collection, run as Postman's own command-line tool runs it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import httpx

from strongroom.safetoken.postman import PRODUCTION, SANDBOX
from tests.rules.source import ROOT
from tests.safetoken.conftest import Bank
from tests.safetoken.served import Served

NEWMAN = ROOT / "tests" / "node" / "node_modules" / "newman" / "bin" / "newman.js"


def fetched(served: Served, folder: Path) -> tuple[Path, dict[str, Any]]:
    answer = httpx.get(f"{served.url}/api/v1/safetoken/postman", trust_env=False)
    assert answer.headers["content-type"] == "application/json"
    path = folder / "collection.json"
    path.write_bytes(answer.content)
    return path, answer.json()


def newman(collection: Path, **variables: str) -> dict[str, Any]:
    report = collection.with_name("report.json")
    given = [part for name, value in variables.items() for part in ("--env-var", f"{name}={value}")]
    command = [str(Path(sys.executable).with_name("node")), str(NEWMAN), "run", str(collection), *given]
    command += ["--reporters", "json", "--reporter-json-export", str(report)]
    environment = {name: value for name, value in os.environ.items() if not name.lower().endswith("_proxy")}
    subprocess.run(command, capture_output=True, timeout=120, check=False, env=environment)
    run: dict[str, Any] = json.loads(report.read_text())["run"]
    return run


def test_every_request_runs_and_every_answer_says_what_it_should(served: Served, printed_bank: Bank, tmp_path: Path):
    path, collection = fetched(served, tmp_path)
    for _ in range(2):  # what it enrols it removes, so that it may be run again
        run = newman(path, baseUrl=served.url)
        assert run["failures"] == [], [failure["error"]["message"] for failure in run["failures"]]
        assert run["stats"]["requests"]["total"] == len(collection["item"])
        assert run["stats"]["assertions"]["total"] >= 2 * len(collection["item"]) - 1


def test_a_wrong_answer_is_seen_to_fail(served: Served, printed_bank: Bank, tmp_path: Path):
    path, _ = fetched(served, tmp_path)
    assert newman(path, baseUrl=served.url, clientSecret="guess")["failures"]


def test_its_variables_hold_the_documents_two_addresses(served: Served, tmp_path: Path):
    variables = {one["key"]: one["value"] for one in fetched(served, tmp_path)[1]["variable"]}
    assert (variables["sandbox"], variables["production"], variables["baseUrl"]) == (SANDBOX, PRODUCTION, "{{sandbox}}")
