"""The issuer's service in the OpenAPI document: made from the shapes that are read and written; SOAP has its WSDL."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final

import msgspec

from strongroom.safetoken.issuer_api import ADDRESS
from strongroom.safetoken.questions import AnswerOut, CardQuestionIn, Form, OtpQuestionIn, write_answer

Schema = dict[str, Any]
SHAPES: Final = [CardQuestionIn, OtpQuestionIn, AnswerOut]
SECURITY: Final[Schema] = {
    "hub": {"type": "mutualTLS", "description": "The certificate of a hub, pinned to the issuer; no token takes its place"}
}
_PAN: Final = "5061810000000152048"
_BANK: Final = {"name": "bank_id", "in": "path", "required": True, "schema": {"type": "integer"}, "description": "The BankId"}
_XML: Final = str(Form.XML).partition(";")[0]
_FAILED: Final = AnswerOut("10001")


def issuer_paths(refusals: Callable[..., Schema], wsdl: Schema) -> Schema:
    """Return the paths; `refusals` makes the answers for statuses of refusal, `wsdl` is the operation that shows the WSDL."""
    found = AnswerOut("90000", "2", "08012345678", "Enter your otp")
    validate = _operation(
        "validateCard", "Say whether a card has a token and how its holder is asked", CardQuestionIn, {"CardPan": _PAN}, found
    )
    judge = _operation(
        "authenticateOtp", "Judge a one-time password, once", OtpQuestionIn, {"UserId": _PAN, "Otp": "459235"}, AnswerOut("90000")
    )
    for operation in (validate, judge):
        operation["responses"] |= {**_in_both(refusals(400, 403, 413)), **refusals(422), **_failures()}
    asked = {"text/xml": {"schema": {"type": "string"}}, "application/soap+xml": {"schema": {"type": "string"}}}
    soap = {
        "operationId": "askIssuer",
        "summary": "Ask either question by SOAP 1.1 or 1.2",
        "security": [{"hub": []}],
        "parameters": [_BANK],
        "requestBody": {"required": True, "content": asked},
        "responses": {
            "200": {"description": "The answer", "content": asked},
            "500": {"description": "A SOAP Fault", "content": asked},
            **refusals(403, 503),
        },
    }
    return {
        f"{ADDRESS}/validatecard": {"post": validate},
        f"{ADDRESS}/authenticateotp": {"post": judge},
        f"{ADDRESS}/soap": {"post": soap, "get": {**wsdl, "parameters": [_BANK, *wsdl["parameters"]]}},
    }


def _operation(name: str, summary: str, question: type, example: Mapping[str, str], answer: AnswerOut) -> Schema:
    return {
        "operationId": name,
        "summary": summary,
        "description": "Without a Content-Type of JSON the question is XML; the answer has its form, or the one that Accept names.",
        "security": [{"hub": []}],
        "parameters": [_BANK],
        "requestBody": {"required": True, "content": _content(question, example, "RequestDetails")},
        "responses": {"200": {"description": "What it came to, by its code", "content": _said(answer)}},
    }


def _failures() -> Schema:
    texts = {"500": "A fault of ours", "503": "The service cannot answer safely just now"}
    return {status: {"description": text, "content": _said(_FAILED)} for status, text in texts.items()}


def _in_both(responses: Schema) -> Schema:
    """Say that the error object comes as XML too."""
    xml = {_XML: {"schema": {"type": "string"}, "example": "<Error><Code>Forbidden</Code><Description>…</Description></Error>"}}
    return {status: {**one, "content": {**one["content"], **xml}} for status, one in responses.items()}


def _said(answer: AnswerOut) -> Schema:
    return _content(AnswerOut, msgspec.to_builtins(answer), "Response")


def _content(shape: type, example: Mapping[str, str], root: str) -> Schema:
    as_json = {"schema": {"$ref": f"#/components/schemas/{shape.__name__}"}, "example": dict(example)}
    return {
        "application/json": as_json,
        _XML: {"schema": {"type": "string"}, "example": write_answer(example, Form.XML, root).decode()},
    }
