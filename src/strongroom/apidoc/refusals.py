"""What an operation may answer instead of what was asked for: which refusals, gathered by status, with headers and examples."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import groupby
from typing import Any, Final

import msgspec

from strongroom.access.errors import InsufficientScope, InvalidToken
from strongroom.access.guard import ANY_SCOPE
from strongroom.access.schemas import OAuthError
from strongroom.apidoc.operation import Keyed, Operation, Part
from strongroom.apidoc.shapes import Schema, reference
from strongroom.kit.errors import Invalid, Malformed, NotFound, Refusal, TooLarge, Unauthorised, Unavailable, UnknownCursor
from strongroom.kit.idempotency import KeyReused, StillRunning
from strongroom.kit.problems import PROBLEM_TYPE, Broken, Busy, Overloaded, Problem, describe

REQUEST_ID: Final = "#/components/headers/RequestId"
RETRY_AFTER: Final = "#/components/headers/RetryAfter"
AUTHENTICATE: Final = "#/components/headers/Authenticate"
_EXAMPLES: Final = "#/components/examples/"
_EXAMPLE_ID: Final = "req-6b8d0f2h4k6mp"


def refusal_answers(operation: Operation) -> Schema:
    """Return the answers by status with which an operation refuses."""
    ordered = sorted(set(_refusals(operation)), key=lambda one: (one.status, one.code))
    return {
        str(status): _answer(list(of_status), status, oauth=operation.oauth)
        for status, of_status in groupby(ordered, key=lambda one: one.status)
    }


def refusal_examples(operations: Iterable[Operation]) -> Schema:
    """Return an example of every refusal, by its code."""
    examples: Schema = {}
    for operation in operations:
        for one in _refusals(operation):
            if operation.oauth and one is not Broken:
                told = {"error": _oauth_code(one), "error_description": one.title}
                examples[f"oauth_{one.code}"] = {"value": told}
            else:
                examples[one.code] = {"value": _problem(one)}
    return dict(sorted(examples.items()))


def _refusals(operation: Operation) -> list[type[Refusal]]:
    found = [*operation.refuses, Broken, Unavailable]
    if operation.oauth:
        return [*operation.refuses, Broken]
    needed = operation.handler.opt.get("scope")
    if needed is not None:
        found += [InvalidToken, Overloaded, Malformed]
        found += [] if needed == ANY_SCOPE else [InsufficientScope]
    if operation.body is not None:
        found += [Malformed, TooLarge, Invalid]
    if operation.path_parameters or _names_an_id(operation.body):
        found.append(NotFound)
    if operation.keyed is not Keyed.IGNORED or operation.method == "get" or operation.path_parameters:
        found += [Invalid] if operation.body is not None or _has_query(operation) else []
    if "after" in operation.handler.fn.__annotations__:
        found.append(UnknownCursor)
    if operation.keyed is Keyed.ACCEPTED:
        found += [StillRunning, KeyReused]
    if operation.method != "get":
        found.append(Busy)
    return found


def _has_query(operation: Operation) -> bool:
    return {"limit", "after"} & set(operation.handler.fn.__annotations__) != set()


def _names_an_id(body: type | Part | None) -> bool:
    return (
        body is not None
        and not isinstance(body, Part)
        and any(field.encode_name.endswith("Id") for field in msgspec.structs.fields(body))
    )


def _answer(refusals: list[type[Refusal]], status: int, *, oauth: bool) -> Schema:
    said = "\n".join(f"- `{one.code}`: {one.title}" for one in refusals)
    headers = {"x-request-id": {"$ref": REQUEST_ID}}
    if status == Unauthorised.status:
        headers["www-authenticate"] = {"$ref": AUTHENTICATE}
    if status in {429, 503}:
        headers["retry-after"] = {"$ref": RETRY_AFTER}
    if oauth and status != Broken.status:
        examples = {one.code: {"$ref": f"{_EXAMPLES}oauth_{one.code}"} for one in refusals}
        return {"description": said, "headers": headers, "content": _content("application/json", OAuthError, examples)}
    examples = {one.code: {"$ref": f"{_EXAMPLES}{one.code}"} for one in refusals}
    return {"description": said, "headers": headers, "content": _content(PROBLEM_TYPE, Problem, examples)}


def _content(media_type: str, shape: type, examples: Schema) -> Schema:
    return {media_type: {"schema": reference(shape), "examples": examples}}


def _oauth_code(refusal: type[Refusal]) -> str:
    return "temporarily_unavailable" if refusal.status in {429, 503} else refusal.code


def _problem(refusal: type[Refusal]) -> Any:
    return msgspec.json.decode(msgspec.json.encode(describe(refusal(), _EXAMPLE_ID)))
