"""The OpenAPI 3.1 document of Safe Token's REST faces, made from the shapes that are read and written; SOAP has its WSDL."""

from __future__ import annotations

import importlib.metadata
from typing import Any, Final

import msgspec

from strongroom.access.model import PRINTED_CLIENT_ID, SCOPES_OF, TenantKind
from strongroom.safetoken.codes import CODES
from strongroom.safetoken.errors import RestError
from strongroom.safetoken.members import CardHolderIn
from strongroom.safetoken.openapi_issuer import SECURITY as HUB_SECURITY
from strongroom.safetoken.openapi_issuer import SHAPES as ISSUER_SHAPES
from strongroom.safetoken.openapi_issuer import issuer_paths
from strongroom.safetoken.openapi_purchases import SHAPES, purchase_paths
from strongroom.safetoken.openapi_tokens import SHAPES as TOKEN_SHAPES
from strongroom.safetoken.openapi_tokens import token_paths
from strongroom.safetoken.operations import NAMES
from strongroom.safetoken.passport import KeySet, PassportAnswer, PassportError
from strongroom.safetoken.postman import PRODUCTION, SANDBOX
from strongroom.safetoken.results import ResultOut
from strongroom.safetoken.samples import sample_json, sample_request

Schema = dict[str, Any]

_AT: Final = "#/components/schemas/"
_REFUSALS: Final = {
    400: "The request cannot be read",
    401: "No access token, or one that does not count",
    403: "Outside the resources of the client, or another issuer's BankId",
    404: "There is no such thing here",
    409: "Somebody else changes the same thing at this moment",
    413: "The request is too large",
    422: "A member is of the wrong kind",
    429: "Too many requests",
    500: "A fault of ours",
    503: "The service cannot answer safely just now",
}
_NOT_FOUND: Final = 404
_CODES: Final = "\n".join(f"- `{code.number}` {code.text}" for code in CODES)
_JWT: Final = "{access_token}"  # stands for a token
_ANSWER: Final = PassportAnswer(
    _JWT, "bearer", 43199, "profile", "MX10003", "123588975884", "kL79ov", "359854", "19800d56-3ac6-44c2-b318-8f2ece419840"
)


def build_document(base_url: str) -> Schema:
    """Return the document for one address."""
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Safe Token",
            "version": importlib.metadata.version("strongroom"),
            "description": f"Cardholders of issuers, and their one-time passwords. Codes of answers:\n\n{_CODES}",
            "license": {"name": "Apache 2.0", "identifier": "Apache-2.0"},
        },
        "servers": [{"url": base_url, "description": "Where you read this"}, {"url": SANDBOX}, {"url": PRODUCTION}],
        "paths": {
            "/passport/oauth/token": {"post": _token()},
            "/passport/oauth/jwks": {"get": _keys()},
            "/api/v1/safetoken": {"post": _cardholder(), "get": _wsdl("showWsdl")},
            "/api/v1/safetoken/reliable": {"post": _in_sequence(), "get": _wsdl("showReliableWsdl")},
            "/api/v1/safetoken/postman": {"get": _postman()},
            **purchase_paths(_refusals),
            **token_paths(_refusals),
            **issuer_paths(_refusals, _wsdl("showIssuerWsdl")),
        },
        "components": {"schemas": _schemas(), "securitySchemes": _security()},
    }


def document_json(base_url: str) -> bytes:
    """Return the document as JSON, indented, with a newline at the end."""
    return msgspec.json.format(msgspec.json.encode(build_document(base_url)), indent=2) + b"\n"


def _schemas() -> Schema:
    shapes = [RestError, PassportAnswer, PassportError, KeySet, CardHolderIn, ResultOut, *SHAPES, *TOKEN_SHAPES, *ISSUER_SHAPES]
    _, components = msgspec.json.schema_components(shapes, ref_template=f"{_AT}{{name}}")
    return dict(sorted(components.items()))


def _security() -> Schema:
    scopes = {
        str(scope): "A resource of the client" for kind in (TenantKind.ISSUER, TenantKind.MERCHANT) for scope in SCOPES_OF[kind]
    }
    flows = {"clientCredentials": {"tokenUrl": "/passport/oauth/token", "scopes": dict(sorted(scopes.items()))}}
    return {
        "basic": {"type": "http", "scheme": "basic", "description": "The client's id and secret"},
        "passport": {"type": "oauth2", "description": "An access token of /passport, as a bearer", "flows": flows},
        **HUB_SECURITY,
    }


def _token() -> Schema:
    form = {
        "type": "object",
        "properties": {"grant_type": {"type": "string", "enum": ["client_credentials"]}, "scope": {"type": "string"}},
        "required": ["grant_type"],
    }
    wrong = RestError("Unauthorized", "Bad credentials")
    return {
        "operationId": "issuePassportToken",
        "summary": "Get an access token",
        "description": f"It lasts twelve hours. The client that the document prints is `{PRINTED_CLIENT_ID}`.",
        "security": [{"basic": []}],
        "requestBody": {
            "required": True,
            "content": {"application/x-www-form-urlencoded": {"schema": form, "example": {"grant_type": "client_credentials"}}},
        },
        "responses": {
            "200": _answer("The token", PassportAnswer, _ANSWER),
            "400": _answer("The request is malformed", PassportError, PassportError("invalid_request", "Missing grant type")),
            "401": _answer("The credentials are wrong", RestError, wrong),
            **_refusals(429, 500, 503),
        },
    }


def _keys() -> Schema:
    return {
        "operationId": "showPassportKeys",
        "summary": "Read the public keys that sign access tokens and proofs",
        "security": [],
        "responses": {"200": _answer("A JWK set (RFC 7517)", KeySet, KeySet([])), **_refusals(500, 503)},
    }


def _cardholder() -> Schema:
    example = sample_json()
    reference = {"$ref": f"{_AT}{CardHolderIn.__name__}"}
    content: Schema = {media: {"schema": reference, "example": example} for media in ("application/json", "text/json")}
    content["text/xml"] = {"schema": {"type": "string", "description": "SOAP 1.1, as the WSDL says"}, "example": sample_request()}
    action = {
        "name": "SOAPAction",
        "in": "header",
        "required": False,
        "description": "Which operation; without it AddCardHolder. All but AddCardHolder are extensions of this product",
        "schema": {"type": "string", "enum": list(NAMES), "default": NAMES[0]},
    }
    answers = _answer("What it came to: also a refused enrolment is 200, with a code", ResultOut, ResultOut("90000", None))
    answers["content"]["text/xml"] = {"schema": {"type": "string"}}
    return {
        "operationId": "addCardHolder",
        "summary": "Enrol a cardholder",
        "description": "An identical request within 24 hours gets the same answer. A card number in a description is masked.",
        "security": _enrolling(),
        "parameters": [action],
        "requestBody": {"required": True, "content": content},
        "responses": {"200": answers, **_refusals(*(status for status in _REFUSALS if status != _NOT_FOUND))},
    }


def _enrolling() -> list[Schema]:
    return [{"passport": [str(scope)]} for scope in sorted(SCOPES_OF[TenantKind.ISSUER]) if scope.endswith("enrol")]


def _in_sequence() -> Schema:
    envelope = {"text/xml": {"schema": {"type": "string"}}, "application/soap+xml": {"schema": {"type": "string"}}}
    return {
        "operationId": "receiveInSequence",
        "summary": "Send a message of a sequence of WS-ReliableMessaging",
        "description": "The operations of the other address, by SOAP only, each taking effect once and in order.",
        "security": _enrolling(),
        "requestBody": {"required": True, "content": envelope},
        "responses": {
            "200": {"description": "The answer, or an answer about the sequence", "content": envelope},
            "202": {"description": "Taken; there is nothing to answer"},
            "500": {"description": "A SOAP Fault", "content": envelope},
            **_refusals(*(status for status in _REFUSALS if status not in (_NOT_FOUND, 500))),
        },
    }


def _wsdl(operation_id: str) -> Schema:
    asked = {
        "name": "wsdl", "in": "query", "required": True, "allowEmptyValue": True, "schema": {"type": "string", "maxLength": 0}
    }  # fmt: skip
    said = {"description": "The WSDL", "content": {"text/xml": {"schema": {"type": "string"}}}}
    return {
        "operationId": operation_id,
        "summary": "Read the WSDL",
        "security": [],
        "parameters": [asked],
        "responses": {"200": said, "404": _refusal("Something else was asked for"), **_refusals(500)},
    }


def _postman() -> Schema:
    said = {"description": "A collection in Postman's format 2.1", "content": {"application/json": {"schema": {"type": "object"}}}}
    return {
        "operationId": "showPostman",
        "summary": "Read the Postman collection",
        "security": [],
        "responses": {"200": said, **_refusals(500)},
    }


def _answer(text: str, shape: type, example: object) -> Schema:
    held = {"schema": {"$ref": f"{_AT}{shape.__name__}"}, "example": msgspec.to_builtins(example)}
    return {"description": text, "content": {"application/json": held}}


def _refusals(*statuses: int) -> Schema:
    return {str(status): _refusal(_REFUSALS[status]) for status in statuses}


def _refusal(text: str) -> Schema:
    return {"description": text, "content": {"application/json": {"schema": {"$ref": f"{_AT}{RestError.__name__}"}}}}
