"""Purchase authentication in the OpenAPI document: made from the shapes that are read and written."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

import msgspec

from strongroom.access.model import Scope
from strongroom.safetoken.purchase_schemas import (
    AuthenticationOut,
    AuthenticationsOut,
    BegunOut,
    JudgedOut,
    NewAuthenticationIn,
    ProofIn,
    ProofUsedOut,
    VerifyIn,
)
from strongroom.safetoken.purchases_api import ADDRESS, PAGE_LIMIT
from strongroom.sca.purchasing.states import Listing

Schema = dict[str, Any]
SHAPES: Final = [NewAuthenticationIn, VerifyIn, ProofIn, BegunOut, JudgedOut, AuthenticationOut, AuthenticationsOut, ProofUsedOut]
_ID: Final = {"name": "authentication_id", "in": "path", "required": True, "schema": {"type": "string", "maxLength": 40}}
_ACTS: Final = [{"passport": [str(Scope.SAFETOKEN_AUTHENTICATE)]}]
_READS: Final = [*_ACTS, {"passport": [str(Scope.SAFETOKEN_TOKENS_READ)]}]
_AT_ALL: Final = (401, 403, 429, 500, 503)


def purchase_paths(refusals: Callable[..., Schema]) -> Schema:
    """Return the paths; `refusals` makes the answers for statuses of refusal."""
    one = f"{ADDRESS}/{{authentication_id}}"
    begin = _operation(
        "beginAuthentication", "Begin the authentication of a purchase", _ACTS, 201, BegunOut, NewAuthenticationIn,
        "The same transactionRef again begins nothing; with another amount it is 409. A card that is not enrolled begins alike.",
    )  # fmt: skip
    listed = _operation("listAuthentications", "List purchases, newest first", _READS, 200, AuthenticationsOut)
    listed["parameters"] = _QUERY
    resend = _operation("resendOtp", "Send a fresh code, at most three times", _ACTS, 200, BegunOut)
    verify = _operation("verifyOtp", "Have the cardholder's code judged", _ACTS, 200, JudgedOut, VerifyIn)
    found = _operation("getAuthentication", "Look at a purchase", _READS, 200, AuthenticationOut)
    proof = _operation("verifyProof", "Check a proof and use it up for one reference", _ACTS, 200, ProofUsedOut, ProofIn)
    for operation in (resend, verify, found):
        operation["parameters"] = [_ID]
    for operation, statuses in (
        (begin, (400, 409, 413, 422)), (listed, (422,)), (resend, (404, 409)), (verify, (400, 404, 409, 413, 422)),
        (found, (404,)), (proof, (400, 409, 413, 422)),
    ):  # fmt: skip
        operation["responses"] |= refusals(*sorted((*_AT_ALL, *statuses)))
    return {
        ADDRESS: {"post": begin, "get": listed},
        f"{one}/otp": {"post": resend},
        f"{one}/verify": {"post": verify},
        one: {"get": found},
        f"{ADDRESS}/proofs/verify": {"post": proof},
    }


def _operation(
    name: str, summary: str, security: list[Schema], status: int, answer: type, body: type | None = None, text: str = ""
) -> Schema:
    described: Schema = {
        "operationId": name,
        "summary": summary,
        "security": security,
        "responses": {str(status): {"description": "Done", "content": _content(answer)}},
    }
    if text:
        described["description"] = text
    if body is not None:
        described["requestBody"] = {"required": True, "content": _content(body)}
    return described


def _content(shape: type) -> Schema:
    held: Schema = {"schema": {"$ref": f"#/components/schemas/{shape.__name__}"}}
    if shape in _EXAMPLES:
        held["example"] = msgspec.to_builtins(_EXAMPLES[shape])
    return {"application/json": held}


_EXAMPLES: Final[dict[type, Schema]] = {
    NewAuthenticationIn: {
        "cardPan": "5061810000000152048", "amount": "1500.00", "currency": "NGN", "merchantName": "Book Shop",
        "transactionRef": "order-1", "channel": "WEB",
    },
    VerifyIn: {"otp": "123456"},
    ProofIn: {"proof": "{proof}", "reference": "payment-1"},
}  # fmt: skip
_TIME: Final = {"type": "string", "format": "date-time"}
_QUERY: Final = [
    {"name": "limit", "in": "query", "schema": {"type": "integer", "minimum": 1, "maximum": PAGE_LIMIT, "default": 25}},
    {"name": "after", "in": "query", "description": "The `next` of the page before", "schema": {"type": "string", "maxLength": 40}},
    {"name": "status", "in": "query", "schema": {"type": "string", "enum": [str(one) for one in Listing]}},
    {"name": "createdAfter", "in": "query", "schema": _TIME},
    {"name": "createdBefore", "in": "query", "schema": _TIME},
]
