"""Token administration in the OpenAPI document: made from the shapes that are read and written."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from strongroom.access.model import Scope
from strongroom.safetoken.openapi_operations import Schema, describe_operation
from strongroom.safetoken.token_schemas import (
    AssignIn,
    NewTokenIn,
    ReplaceIn,
    ResynchronisedOut,
    ResynchroniseIn,
    TokenOut,
    TokensOut,
)
from strongroom.safetoken.tokens_api import ADDRESS, PAGE_LIMIT
from strongroom.sca.devices.states import TokenState

SHAPES: Final = [NewTokenIn, AssignIn, ReplaceIn, ResynchroniseIn, TokenOut, TokensOut, ResynchronisedOut]
_READS: Final = [{"passport": [str(Scope.SAFETOKEN_TOKENS_READ)]}]
_CHANGES: Final = [{"passport": [str(Scope.SAFETOKEN_TOKENS)]}]
_AT_ALL: Final = (401, 403, 429, 500, 503)
_WITH_BODY: Final = (400, 413, 422)
_SERIAL: Final = {
    "name": "serial", "in": "path", "required": True, "description": "The number printed on the device",
    "schema": {"type": "string", "maxLength": 64},
}  # fmt: skip
_QUERY: Final = [
    {"name": "limit", "in": "query", "schema": {"type": "integer", "minimum": 1, "maximum": PAGE_LIMIT, "default": 25}},
    {"name": "after", "in": "query", "description": "The `next` of the page before", "schema": {"type": "string", "maxLength": 64}},
    {"name": "status", "in": "query", "schema": {"type": "string", "enum": [str(one) for one in TokenState]}},
]
_MOVES: Final = {
    "unassign": ("unassignToken", "Take a token back into the stock"),
    "activate": ("activateToken", "Let an assigned token's codes count"),
    "block": ("blockToken", "Let no code count until two people unblock it, which they do at the operator's desk"),
    "unlock": ("unlockToken", "End a lock before its time"),
    "retire": ("retireToken", "Let a token never count again"),
}
_CARD: Final = {"cardPan": "5061810000000152048"}


def token_paths(refusals: Callable[..., Schema]) -> Schema:
    """Return the paths; `refusals` makes the answers for statuses of refusal."""
    one = f"{ADDRESS}/{{serial}}"
    listed = describe_operation("listTokens", "List tokens by serial, all or those of a status", _READS, TokensOut)
    listed["parameters"] = _QUERY
    listed["responses"] |= refusals(*sorted((*_AT_ALL, 422)))
    new = describe_operation(
        "importToken", "Take one token into the stock", _CHANGES, TokenOut, NewTokenIn, status=201,
        example={"serial": "A-1000", "seed": "00" * 20},
    )  # fmt: skip
    new["responses"] |= refusals(*sorted((*_AT_ALL, *_WITH_BODY, 409)))
    found = describe_operation("findToken", "Return the token of a card's holder", _READS, TokenOut, AssignIn, example=_CARD)
    found["responses"] |= refusals(*sorted((*_AT_ALL, *_WITH_BODY, 404)))
    shown = describe_operation("getToken", "Return a token", _READS, TokenOut)
    shown["parameters"] = [_SERIAL]
    shown["responses"] |= refusals(*sorted((*_AT_ALL, 404)))
    paths = {
        ADDRESS: {"get": listed, "post": new},
        f"{ADDRESS}/find": {"post": found},
        one: {"get": shown},
        **{f"{one}/{move}": {"post": describe_operation(*said, _CHANGES, TokenOut)} for move, said in _MOVES.items()},
        f"{one}/assign": {
            "post": describe_operation("assignToken", "Give a token to a card's holder", _CHANGES, TokenOut, AssignIn)
        },
        f"{one}/replace": {
            "post": describe_operation(
                "replaceToken", "Retire a holder's token and give them another", _CHANGES, TokenOut, ReplaceIn
            )
        },
        f"{one}/resynchronise": {
            "post": describe_operation(
                "resynchroniseToken",
                "Find a device that drifted, by two codes in a row",
                _CHANGES,
                ResynchronisedOut,
                ResynchroniseIn,
            )
        },
    }
    examples = {"assign": _CARD, "replace": {"by": "A-1001"}, "resynchronise": {"first": "123456", "second": "654321"}}
    for move in (*_MOVES, *examples):
        operation = paths[f"{one}/{move}"]["post"]
        operation["parameters"] = [_SERIAL]
        statuses = (*_AT_ALL, 404, 409, *(_WITH_BODY if move in examples else ()))
        operation["responses"] |= refusals(*sorted(statuses))
        if move in examples:
            operation["requestBody"]["content"]["application/json"]["example"] = examples[move]
    return paths
