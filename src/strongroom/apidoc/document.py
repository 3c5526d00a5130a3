"""Builds the OpenAPI 3.1 document from the table of operations, the handlers and the shapes."""

from __future__ import annotations

import importlib.metadata
import inspect
from typing import Any, Final

from strongroom.access.guard import ANY_SCOPE
from strongroom.access.model import Scope
from strongroom.apidoc import examples as ex
from strongroom.apidoc.operation import Keyed, Operation, Tag
from strongroom.apidoc.operations import OPERATIONS
from strongroom.apidoc.parameters import parameters
from strongroom.apidoc.refusals import REQUEST_ID, refusal_answers, refusal_examples
from strongroom.apidoc.shapes import Schema, component_schemas, reference, schema_of_answer, schema_of_body
from strongroom.apidoc.texts import DELIVERY, EVENT_TEXTS, INTRODUCTION, TAG_TEXTS, TITLE
from strongroom.funds.schemas import AccountRequestOut, CreditRequestOut
from strongroom.webhooks.model import EventType
from strongroom.webhooks.schemas import EventOut

_JSON: Final = "application/json"
_FORM: Final = "application/x-www-form-urlencoded"
_SCOPES: Final = {
    Scope.FUNDS_READ: "Read cases, customers, requests, payments and events",
    Scope.FUNDS_WRITE: "Make and change cases, customers and requests, and let customers log in",
    Scope.WEBHOOKS_MANAGE: "Manage webhook endpoints, and read and replay deliveries",
}


def build_document() -> Schema:
    """Return the whole document, the same on every call and every machine."""
    return {
        "openapi": "3.1.0",
        "info": {
            "title": TITLE,
            "version": importlib.metadata.version("strongroom"),
            "summary": "Payments and bank details from customers, by open banking",
            "description": INTRODUCTION,
            "license": {"name": "Apache 2.0", "identifier": "Apache-2.0"},
        },
        "servers": [{"url": "/", "description": "Where you read this"}],
        "tags": [{"name": str(tag), "description": TAG_TEXTS[str(tag)]} for tag in Tag],
        "paths": _paths(),
        "webhooks": {str(kind): _webhook(kind) for kind in EventType},
        "components": {
            "schemas": component_schemas(OPERATIONS),
            "headers": _HEADERS,
            "examples": refusal_examples(OPERATIONS),
            "securitySchemes": _SECURITY,
        },
    }


def describe_operation(operation: Operation) -> Schema:
    """Return one operation."""
    text = inspect.getdoc(operation.handler.fn) or ""
    first = text.partition("\n")[0]
    described: Schema = {
        "operationId": operation.id,
        "tags": [str(operation.tag)],
        "summary": first.rstrip("."),
        "description": " ".join(text.split()) + _about_key(operation),
        "parameters": parameters(operation),
        "responses": _answers(operation),
        "security": _security(operation),
    }
    if not described["parameters"]:
        del described["parameters"]
    if operation.body is not None:
        described["requestBody"] = _body(operation)
    return described


def _paths() -> Schema:
    paths: Schema = {}
    for operation in OPERATIONS:
        paths.setdefault(operation.path, {})[operation.method] = describe_operation(operation)
    return paths


def _about_key(operation: Operation) -> str:
    if operation.keyed is Keyed.REFUSED:
        return " `Idempotency-Key` is refused here, because the answer holds a secret, which is never stored."
    return ""


def _security(operation: Operation) -> list[Schema]:
    if operation.oauth:
        return [{"clientBasic": []}, {}]
    needed = operation.handler.opt.get("scope")
    if needed is None:
        return []
    return [{"oauth2": [] if needed == ANY_SCOPE else [str(needed)]}, {"bearer": []}]


def _body(operation: Operation) -> Schema:
    assert operation.body is not None  # noqa: S101  # asked for operations with a body only
    content = {"schema": schema_of_body(operation.body), "examples": {"example": {"value": operation.body_example}}}
    media_types = [_JSON, _FORM] if operation.oauth else [_JSON]
    return {"required": operation.body_required, "content": dict.fromkeys(media_types, content)}


def _answers(operation: Operation) -> Schema:
    status = operation.handler.status_code
    headers: Schema = {"x-request-id": {"$ref": REQUEST_ID}}
    if operation.keyed is Keyed.ACCEPTED:
        headers["idempotent-replayed"] = {"$ref": "#/components/headers/Replayed"}
    answered: Schema = {"description": "Done", "headers": headers}
    if operation.answer is not None:
        answered["content"] = {
            _JSON: {"schema": schema_of_answer(operation.answer), "examples": {"example": {"value": operation.example}}}
        }
    if operation.links:
        answered["links"] = {link.to: _link(link.to, link.parameters, link.body) for link in operation.links}
    return {str(status): answered, **refusal_answers(operation)}


def _link(to: str, names: dict[str, str] | None, body: dict[str, Any] | None) -> Schema:
    link: Schema = {"operationId": to}
    if names:
        link["parameters"] = {name: f"$response.body#{pointer}" for name, pointer in names.items()}
    if body:
        link["requestBody"] = {name: f"$response.body#{pointer}" for name, pointer in body.items()}
    return link


def _webhook(kind: EventType) -> Schema:
    """Return what is sent for one kind of event."""
    data, example = _event_data(kind)
    schema = {
        "allOf": [
            reference(EventOut),
            {"type": "object", "properties": {"type": {"const": str(kind)}, "data": data}, "required": ["type", "data"]},
        ]
    }
    name = "".join(word.title() if at else word for at, word in enumerate(str(kind).split(".")))
    return {
        "post": {
            "operationId": f"on{name[0].upper()}{name[1:]}",
            "tags": [str(Tag.EVENTS)],
            "summary": EVENT_TEXTS[kind],
            "description": DELIVERY,
            "parameters": _WEBHOOK_HEADERS,
            "requestBody": {
                "required": True,
                "content": {_JSON: {"schema": schema, "examples": {"example": {"value": ex.event(str(kind), example)}}}},
            },
            "responses": {
                "2XX": {"description": "Received"},
                "410": {"description": "Send nothing more to this endpoint"},
                "default": {"description": "Not received: sent again later"},
            },
            "security": [],
        }
    }


def _event_data(kind: EventType) -> tuple[Schema, Schema]:
    """Return the schema and an example of an event's data: the object as GET returns it."""
    subject, _, what = str(kind).partition(".")
    if subject == "creditRequest":
        shown = {"completed": ex.PAID, "cancelled": ex.CANCELLED}.get(what, ex.CREDIT_REQUEST_OUT)
        return reference(CreditRequestOut), shown
    if subject == "customerAccountRequest":
        return reference(AccountRequestOut), ex.SHARED if what == "completed" else ex.ACCOUNT_REQUEST_OUT
    names = ("id", "caseId", "customerId", "status") if subject == "customerAuthentication" else ("id",)
    example = {"id": ex.CUSTOMER if subject == "customer" else ex.ENDPOINT}
    if subject == "customerAuthentication":
        example = {"id": ex.AUTHENTICATION, "caseId": ex.CASE, "customerId": ex.CUSTOMER, "status": "locked"}
    return {"type": "object", "properties": {name: {"type": "string"} for name in names}, "required": [*names]}, example


def _header(description: str, schema: Schema, *, required: bool = True) -> Schema:
    return {"description": description, "required": required, "schema": schema}


def _sent_header(name: str, description: str, example: str) -> Schema:
    schema = {"type": "string"}
    return {"name": name, "in": "header", "required": True, "description": description, "schema": schema, "example": example}


_HEADERS: Final = {
    "RequestId": _header("Names this request in our logs", {"type": "string", "minLength": 8, "maxLength": 64}),
    "Replayed": _header(
        "`true` when this is the answer to an earlier request with the same key", {"const": "true"}, required=False
    ),
    "RetryAfter": _header("Seconds to wait", {"type": "string", "pattern": "^[0-9]+$"}),
    "Authenticate": _header("How to authenticate", {"type": "string"}),
}
_SECURITY: Final = {
    "oauth2": {
        "type": "oauth2",
        "description": "An access token by client credentials",
        "flows": {"clientCredentials": {"tokenUrl": "/token", "scopes": {str(name): text for name, text in _SCOPES.items()}}},
    },
    "bearer": {
        "type": "http",
        "scheme": "bearer",
        "description": "An access token from `/token`, or a long-lived one that your operator made",
    },
    "clientBasic": {
        "type": "http",
        "scheme": "basic",
        "description": "The client's id and secret (RFC 6749 §2.3.1); they may be given in the body instead",
    },
}
_WEBHOOK_HEADERS: Final = [
    _sent_header("webhook-id", "The event's id, the same on every try", ex.EVENT),
    _sent_header("webhook-timestamp", "When this try was made, in seconds since 1970", "1772443874"),
    _sent_header(
        "webhook-signature",
        "One or more signatures with spaces between: `v1,` and HMAC-SHA-256, `v1a,` and Ed25519, over "
        "`{webhook-id}.{webhook-timestamp}.{body}`; accept the event when one of them is right",
        "v1,K5oZfzN95Z9UVu1EsfQmfVNQhnkZ2pj9o9NDN/H/pI4=",
    ),
]
