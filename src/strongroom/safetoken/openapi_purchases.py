"""Purchase authentication in the OpenAPI document: made from the shapes that are read and written."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from strongroom.access.model import Scope
from strongroom.safetoken.openapi_operations import Schema, describe_operation
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

SHAPES: Final = [NewAuthenticationIn, VerifyIn, ProofIn, BegunOut, JudgedOut, AuthenticationOut, AuthenticationsOut, ProofUsedOut]
_ID: Final = {"name": "authentication_id", "in": "path", "required": True, "schema": {"type": "string", "maxLength": 40}}
_PURCHASE: Final = {
    "cardPan": "5061810000000152048", "amount": "1500.00", "currency": "NGN", "merchantName": "Book Shop",
    "transactionRef": "order-1", "channel": "WEB",
}  # fmt: skip
_PROOF: Final = {"proof": "{proof}", "reference": "payment-1"}
_ACTS: Final = [{"passport": [str(Scope.SAFETOKEN_AUTHENTICATE)]}]
_READS: Final = [*_ACTS, {"passport": [str(Scope.SAFETOKEN_TOKENS_READ)]}]
_AT_ALL: Final = (401, 403, 429, 500, 503)


def purchase_paths(refusals: Callable[..., Schema]) -> Schema:
    """Return the paths; `refusals` makes the answers for statuses of refusal."""
    one = f"{ADDRESS}/{{authentication_id}}"
    begin = describe_operation(
        "beginAuthentication", "Begin the authentication of a purchase", _ACTS, BegunOut, NewAuthenticationIn, status=201,
        text="The same transactionRef again begins nothing; with another amount it is 409. "
        "A card that is not enrolled begins alike.",
        example=_PURCHASE,
    )  # fmt: skip
    listed = describe_operation("listAuthentications", "List purchases, newest first", _READS, AuthenticationsOut)
    listed["parameters"] = _QUERY
    resend = describe_operation("resendOtp", "Send a fresh code, at most three times", _ACTS, BegunOut)
    verify = describe_operation(
        "verifyOtp", "Have the cardholder's code judged", _ACTS, JudgedOut, VerifyIn, example={"otp": "123456"}
    )
    found = describe_operation("getAuthentication", "Look at a purchase", _READS, AuthenticationOut)
    proof = describe_operation(
        "verifyProof", "Check a proof and use it up for one reference", _ACTS, ProofUsedOut, ProofIn, example=_PROOF
    )
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


_TIME: Final = {"type": "string", "format": "date-time"}
_QUERY: Final = [
    {"name": "limit", "in": "query", "schema": {"type": "integer", "minimum": 1, "maximum": PAGE_LIMIT, "default": 25}},
    {"name": "after", "in": "query", "description": "The `next` of the page before", "schema": {"type": "string", "maxLength": 40}},
    {"name": "status", "in": "query", "schema": {"type": "string", "enum": [str(one) for one in Listing]}},
    {"name": "createdAfter", "in": "query", "schema": _TIME},
    {"name": "createdBefore", "in": "query", "schema": _TIME},
]
