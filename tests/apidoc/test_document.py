"""The document says what the application does: every route, every answer, every example."""

from __future__ import annotations

import json
import re
from typing import Any

import httpx
import pytest
import yaml
from jsonschema import Draft202012Validator
from litestar.routes import HTTPRoute
from openapi_spec_validator import OpenAPIV31SpecValidator
from referencing import Registry, Resource
from referencing.jsonschema import DRAFT202012

from strongroom.apidoc.document import build_document
from strongroom.apidoc.operation import Operation, camel
from strongroom.apidoc.operations import OPERATIONS
from strongroom.apidoc.pages import document_json
from strongroom.apidoc.parameters import example_of
from strongroom.app import make_app
from strongroom.kit.db import Database
from strongroom.kit.edge import Edge
from strongroom.webhooks.events import Sequencer
from strongroom.webhooks.model import EventType
from strongroom.wiring import House
from tests.funds.firm_api import Firm
from tests.rules.source import ROOT

DOCUMENT = build_document()
KEPT = ROOT / "docs" / "integrate" / "openapi.json"
API = re.compile(r"/api/1\.0/|^/token$|^/oauth/|/\.well-known/oauth")
JUST_BEFORE = {"addCustomer": "createAuthentication"}  # a request lets all customers log in, so this one comes after it
LAST = ("closeCase", "revokeToken", "deleteEndpoint")  # nothing of what they end is needed by other examples afterwards


def test_the_document_is_valid_openapi() -> None:
    assert list(OpenAPIV31SpecValidator(DOCUMENT).iter_errors()) == []


def test_a_broken_document_is_seen_to_be_invalid() -> None:
    assert list(OpenAPIV31SpecValidator({**DOCUMENT, "info": {"title": 7}}).iter_errors())


def test_the_kept_file_is_the_document() -> None:
    assert KEPT.read_bytes() == document_json(), "run: strongroom openapi > docs/integrate/openapi.json"


def test_every_route_of_the_api_is_documented_and_nothing_else(application: tuple[House, Edge]) -> None:
    app = make_app(application[0])
    routes = {
        (method.lower(), re.sub(r"\{(\w+):str\}", lambda found: "{" + camel(found[1]) + "}", route.path))
        for route in app.routes
        if isinstance(route, HTTPRoute) and API.search(route.path)
        for handler in route.route_handlers
        for method in handler.http_methods - {"OPTIONS", "HEAD"}
    }
    assert routes == {(operation.method, operation.path) for operation in OPERATIONS}


def test_operation_ids_are_distinct_and_every_link_leads_somewhere() -> None:
    ids = [operation.id for operation in OPERATIONS]
    assert len(ids) == len(set(ids))
    assert {link.to for operation in OPERATIONS for link in operation.links} <= set(ids)


def test_every_event_is_documented() -> None:
    assert set(DOCUMENT["webhooks"]) == set(EventType)


@pytest.mark.parametrize("kind", EventType)
def test_an_example_of_an_event_is_as_its_schema_says(kind: EventType) -> None:
    content = DOCUMENT["webhooks"][kind]["post"]["requestBody"]["content"]["application/json"]
    assert faults(content["schema"], content["examples"]["example"]["value"]) == []


@pytest.mark.parametrize("operation", OPERATIONS, ids=lambda operation: operation.id)
def test_examples_of_an_operation_are_as_its_schemas_say(operation: Operation) -> None:
    described = described_as(operation)
    for held in (described.get("requestBody", {}), *described["responses"].values()):
        for content in held.get("content", {}).values():
            for example in content["examples"].values():
                assert faults(content["schema"], shown(example)) == []


async def test_every_example_runs_and_every_answer_is_as_documented(
    firm: Firm, application: tuple[House, Edge], database: Any
) -> None:
    story = Story(firm, await Database.connect(database.worker_dsn, role="strongroom_worker", size=2))
    for operation in sorted(OPERATIONS, key=turn):
        await story.play(operation)
    await story.worker.close()


async def test_the_document_is_served_as_a_page_as_json_and_as_yaml(firm: Firm) -> None:
    as_json = await firm.http.get("/api/doc.json")
    as_yaml = await firm.http.get("/api/doc.yaml")
    assert as_json.headers["content-type"] == "application/json"
    assert as_yaml.headers["content-type"] == "application/yaml"
    assert as_json.json() == yaml.safe_load(as_yaml.text) == json.loads(document_json())


async def test_the_page_shows_every_operation_and_event_and_takes_nothing_from_elsewhere(firm: Firm) -> None:
    page = await firm.http.get("/api/doc")
    assert page.headers["content-type"] == "text/html; charset=utf-8"
    assert "script-src 'self'" in page.headers["content-security-policy"]
    assert all(f'id="{operation.id}"' in page.text for operation in OPERATIONS)
    assert all(f"<code>{kind}</code>" in page.text for kind in EventType)
    assert not re.search(r"(?:src|href)=\"(?:https?:)?//", page.text)
    assert not re.search(r"<style|style=|<script>|\son\w+=", page.text)
    for address in re.findall(r'(?:src|href)="(/api/doc/static/[^"]+)"', page.text):
        assert (await firm.http.get(address)).status_code == 200


def turn(operation: Operation) -> tuple[bool, float]:
    """Return when an example is played: in the document's order, with the exceptions above."""
    places = [one.id for one in OPERATIONS]
    before = JUST_BEFORE.get(operation.id)
    return operation.id in LAST, places.index(before) - 0.5 if before else places.index(operation.id)


class Story:
    """Plays the examples in their order; ids of the document stand for the ids that the answers give."""

    def __init__(self, firm: Firm, worker: Database) -> None:
        self.firm, self.worker = firm, worker
        self.known = {"{client_id}": firm.client_id, "{client_secret}": firm.client_secret}

    async def play(self, operation: Operation) -> None:
        await Sequencer(self.worker).run()  # so that the feed has what happened so far
        path = operation.path
        for name in operation.path_parameters:
            path = path.replace(f"{{{name}}}", self.real(example_of(operation, name)))
        answer = await self.send(operation, path)
        assert answer.status_code == operation.handler.status_code, f"{operation.id}: {answer.text}"
        if operation.answer is None:
            assert answer.content == b""
            return
        content = described_as(operation)["responses"][str(answer.status_code)]["content"]["application/json"]
        assert faults(content["schema"], answer.json()) == [], operation.id
        self.learn(operation.example, answer.json())

    async def send(self, operation: Operation, path: str) -> httpx.Response:
        body = self.filled(operation.body_example) if operation.body_example is not None else None
        headers = {"authorization": ""} if operation.oauth else {}
        request = self.firm.http.build_request(operation.method.upper(), path, json=body, headers=headers)
        if operation.oauth:
            del request.headers["authorization"]
        return await self.firm.http.send(request)

    def learn(self, example: Any, answer: Any) -> None:
        """Remember which real text stands where the example has an id or a blank."""
        if isinstance(example, dict) and isinstance(answer, dict):
            for name in example.keys() & answer.keys():
                self.learn(example[name], answer[name])
        elif isinstance(example, list) and isinstance(answer, list):
            for one, other in zip(example, answer, strict=False):
                self.learn(one, other)
        elif isinstance(example, str) and re.fullmatch(r"[a-z]{3}-[0-9a-z]{13}|\{\w+\}", example):
            self.known[example] = answer

    def filled(self, value: Any) -> Any:
        text = json.dumps(value)
        for example, real in self.known.items():
            text = text.replace(example, real)
        return json.loads(text)

    def real(self, example: str) -> str:
        return self.known[example]


def described_as(operation: Operation) -> dict[str, Any]:
    described: dict[str, Any] = DOCUMENT["paths"][operation.path][operation.method]
    return described


def shown(example: dict[str, Any]) -> Any:
    """Return an example's value, from where it is kept if it is kept elsewhere."""
    if "$ref" in example:
        return DOCUMENT["components"]["examples"][example["$ref"].rsplit("/", 1)[1]]["value"]
    return example["value"]


def faults(schema: dict[str, Any], value: Any) -> list[str]:
    """Return what is wrong with a value, fields that the schema does not know included."""
    registry = Registry().with_resource("urn:doc", Resource(contents=DOCUMENT, specification=DRAFT202012))
    rooted = json.loads(json.dumps(schema).replace('"#/', '"urn:doc#/'))
    errors = Draft202012Validator(rooted, registry=registry).iter_errors(value)
    return [f"{error.json_path}: {error.message}" for error in errors] + unknown(schema, value)


def unknown(schema: dict[str, Any], value: Any) -> list[str]:
    """Return the fields of a value that its schema does not name."""
    if "$ref" in schema:
        schema = DOCUMENT["components"]["schemas"][schema["$ref"].rsplit("/", 1)[1]]
    if "anyOf" in schema or "allOf" in schema:
        return []
    if isinstance(value, list):
        return [fault for one in value for fault in unknown(schema.get("items", {}), one)]
    if not isinstance(value, dict) or "properties" not in schema:
        return []
    fields = schema["properties"]
    return [f"{name} is not documented" for name in value.keys() - fields.keys()] + [
        fault for name in value.keys() & fields.keys() for fault in unknown(fields[name], value[name])
    ]
