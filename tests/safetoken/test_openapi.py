"""The OpenAPI document of Safe Token: valid, complete, and true of the routes and their answers."""

from __future__ import annotations

import os
import re
from typing import Any

import httpx
import pytest
from jsonschema import Draft202012Validator
from litestar.routes import HTTPRoute
from openapi_spec_validator import OpenAPIV31SpecValidator

from strongroom.app import make_app
from strongroom.kit.edge import Edge
from strongroom.safetoken.openapi import build_document, document_json
from strongroom.safetoken.postman import SANDBOX
from strongroom.wiring import House
from tests.rules.source import ROOT
from tests.safetoken.conftest import BASE, FORM, Bank
from tests.safetoken.test_enrolment import members

DOCUMENT = build_document(SANDBOX)
KEPT = ROOT / "docs" / "integrate" / "safetoken-openapi.json"
OURS = re.compile(r"^/(passport|issuer|api/v1/safetoken)")


def test_the_document_is_valid_and_the_kept_file_is_it() -> None:
    assert list(OpenAPIV31SpecValidator(DOCUMENT).iter_errors()) == []
    if os.environ.get("UPDATE_DOCS"):
        KEPT.write_bytes(document_json(SANDBOX))
    assert KEPT.read_bytes() == document_json(SANDBOX), "run with UPDATE_DOCS=1"


def test_every_route_is_documented_and_nothing_else(application: tuple[House, Edge]) -> None:
    routes = {
        (method.lower(), re.sub(r"\{(\w+):(?:str|int)\}", r"{\1}", route.path))
        for route in make_app(application[0]).routes
        if isinstance(route, HTTPRoute) and OURS.match(route.path)
        for handler in route.route_handlers
        for method in handler.http_methods - {"OPTIONS", "HEAD"}
    }
    assert routes == {(method, path) for path, methods in DOCUMENT["paths"].items() for method in methods}


async def test_it_is_served_beside_the_other_document(bank: Bank) -> None:
    assert (await bank.http.get("/api/doc/safetoken.json")).content == document_json(BASE)
    assert "/api/doc/safetoken.json" in (await bank.http.get("/api/doc")).text


def faults(answer: httpx.Response, path: str, method: str = "post") -> list[str]:
    described = DOCUMENT["paths"][path][method]["responses"][str(answer.status_code)]
    media = answer.headers["content-type"].partition(";")[0]
    schema: Any = {**described["content"][media]["schema"], "components": DOCUMENT["components"]}
    return [error.message for error in Draft202012Validator(schema).iter_errors(answer.json())]


@pytest.mark.parametrize("body", ["grant_type=client_credentials", "grant_type=x", ""])
async def test_answers_of_the_passport_are_as_documented(bank: Bank, body: str) -> None:
    answer = await bank.http.post("/passport/oauth/token", content=body, headers=bank.basic | FORM)
    assert faults(answer, "/passport/oauth/token") == []
    answer = await bank.http.post("/passport/oauth/token", content=body, headers=FORM)
    assert (answer.status_code, faults(answer, "/passport/oauth/token")) == (401, [])


@pytest.mark.parametrize(
    ("changes", "status"), [({}, 200), ({"CardPan": "1"}, 200), ({"BankId": "7777"}, 403), ({"City": []}, 422)]
)
async def test_answers_to_json_are_as_documented(bank: Bank, changes: dict[str, Any], status: int) -> None:
    answer = await bank.http.post("/api/v1/safetoken", json={**members(bank), **changes}, headers=await bank.bearer())
    assert (answer.status_code, faults(answer, "/api/v1/safetoken")) == (status, [])


def test_every_example_is_as_its_schema_says() -> None:
    for methods in DOCUMENT["paths"].values():
        for operation in methods.values():
            for held in (operation.get("requestBody", {}), *operation["responses"].values()):
                for content in held.get("content", {}).values():
                    schema = {**content["schema"], "components": DOCUMENT["components"]}
                    for example in [content["example"]] if "example" in content else []:
                        assert list(Draft202012Validator(schema).iter_errors(example)) == []
