"""Every example of the document that the product implements, run unchanged against the running product.

Only the placeholders are filled in (addresses, token, client) and the printed ids replaced by those that the answers before gave.
"""

from __future__ import annotations

import ast
import json
import re
import subprocess
import sys
from dataclasses import dataclass, field
from typing import Any

import pytest

from tests.journeys.conftest import House
from tests.rules.source import ROOT

SEED = ROOT.parent / "shared" / "product" / "seed-safe-capital.txt"
PYTHON = re.compile(r"^import requests.*?(?=^(?:BASE_URL=|curl ))", re.DOTALL | re.MULTILINE)
SHELL = re.compile(r"^(?:BASE_URL=\"\".*?Bearer \$\{TOKEN\}\"$|curl .*?^ *\}'$)", re.DOTALL | re.MULTILINE)
COUNT = 5  # token, case, customer account request, credit request, login grant
CASE, CUSTOMER = "cse-07gs337", "cst-118ecp7"
ID = r"{}-[0-9a-hjkmnp-tv-z]{{13}}"

pytestmark = pytest.mark.skipif(not SEED.exists(), reason="the document that the examples come from is not here")


@dataclass
class Visitor:
    """A developer who follows the document, with what the answers so far have told."""

    house: House
    token: str = ""
    ids: dict[str, str] = field(default_factory=dict)

    def python(self, example: str) -> str:
        """Run a Python example; return what it prints."""
        return self._run([sys.executable, "-c", self._filled(example)])

    def shell(self, example: str) -> str:
        """Run a shell example; return what it prints."""
        return self._run(["bash", "-c", self._filled(example)])

    def learn(self, answer: dict[str, Any]) -> None:
        """Keep the ids of the new case for the examples that follow."""
        self.ids = {CASE: answer["id"], CUSTOMER: answer["customers"][0]["id"]}

    def _filled(self, example: str) -> str:
        house = self.house
        blanks = {
            "base_url = ''": f"base_url = '{house.base_url}'",
            "client_id = ''": f"client_id = '{house.client_id}'",
            "client_secret = ''": f"client_secret = '{house.client_secret}'",
            "token = ''": f"token = '{self.token}'",
            'BASE_URL=""': f'BASE_URL="{house.base_url}"',
            'CLIENT_ID=""': f'CLIENT_ID="{house.client_id}"',
            'CLIENT_SECRET=""': f'CLIENT_SECRET="{house.client_secret}"',
            "<system_url>": house.base_url,
            "<yourtoken>": self.token,
            **self.ids,
        }
        for blank, value in blanks.items():
            example = example.replace(blank, value)
        return example

    def _run(self, command: list[str]) -> str:
        done = subprocess.run(command, check=False, capture_output=True, text=True, timeout=60)
        assert done.returncode == 0, done.stderr
        return done.stdout.strip()


@pytest.fixture(scope="module")
def document() -> str:
    return SEED.read_text()


@pytest.fixture
def visitor(house: House) -> Visitor:
    return Visitor(house)


def fetch_token(house: House) -> str:
    """Return a token by the document's own first example in shell, whose last but one line prints it."""
    [example, *_] = SHELL.findall(SEED.read_text())
    return Visitor(house).shell(example).splitlines()[0]


def test_the_document_has_as_many_examples_as_are_run(document: str) -> None:
    assert len(PYTHON.findall(document)) == len(SHELL.findall(document)) == COUNT
    assert document.count("import requests") == COUNT
    assert len(re.findall(r"^ *curl ", document, re.MULTILINE)) == COUNT + 1  # the first example calls twice


@pytest.mark.needs("curl")
@pytest.mark.needs("jq")
def test_every_python_example_runs_unchanged(document: str, visitor: Visitor) -> None:
    token, case, account_request, credit_request, grant = PYTHON.findall(document)
    assert visitor.python(token) == "token check response: 200"
    visitor.token = fetch_token(visitor.house)
    visitor.learn(check_case(ast.literal_eval(visitor.python(case))))
    check_id("car", ast.literal_eval(visitor.python(account_request)))
    check_id("csp", ast.literal_eval(visitor.python(credit_request)))
    check_grant(ast.literal_eval(visitor.python(grant)))


@pytest.mark.needs("curl")
@pytest.mark.needs("jq")
def test_every_curl_example_runs_unchanged_without_a_content_type(document: str, visitor: Visitor) -> None:
    token, case, account_request, credit_request, grant = SHELL.findall(document)
    assert all("Content-Type" not in example for example in (case, account_request, credit_request, grant))
    visitor.token, confirmed = visitor.shell(token).splitlines()
    assert json.loads(confirmed)["status"] == "ok"
    visitor.learn(check_case(json.loads(visitor.shell(case))))
    check_id("car", json.loads(visitor.shell(account_request)))
    check_id("csp", json.loads(visitor.shell(credit_request)))
    check_grant(json.loads(visitor.shell(grant)))


@pytest.mark.needs("curl")
@pytest.mark.needs("jq")
def test_the_worked_example_runs_twice(document: str, visitor: Visitor) -> None:
    visitor.token = fetch_token(visitor.house)
    case = PYTHON.findall(document)[1]
    first, second = (check_case(ast.literal_eval(visitor.python(case))) for _ in range(2))
    assert first["id"] != second["id"]


@pytest.mark.needs("curl")
@pytest.mark.needs("jq")
def test_an_example_with_a_wrong_token_is_seen_to_fail(document: str, visitor: Visitor) -> None:
    visitor.token = "wrong"
    assert json.loads(visitor.shell(SHELL.findall(document)[1]))["status"] == 401


def check_case(answer: dict[str, Any]) -> dict[str, Any]:
    assert set(answer) == {"id", "customers"}
    assert re.fullmatch(ID.format("cse"), answer["id"])
    [customer] = answer["customers"]
    assert set(customer) == {"id"}
    assert re.fullmatch(ID.format("cst"), customer["id"])
    return answer


def check_id(prefix: str, answer: dict[str, Any]) -> None:
    assert set(answer) == {"id"}
    assert re.fullmatch(ID.format(prefix), answer["id"])


def check_grant(answer: dict[str, Any]) -> None:
    assert set(answer) == {"grantToken"}
    assert answer["grantToken"].isalnum()
