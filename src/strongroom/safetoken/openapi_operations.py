"""One operation of Safe Token's REST faces as the OpenAPI document has it: JSON in, JSON out, under a scope."""

from __future__ import annotations

from typing import Any

import msgspec

Schema = dict[str, Any]


def describe_operation(
    name: str,
    summary: str,
    security: list[Schema],
    answer: type,
    body: type | None = None,
    *,
    status: int = 200,
    text: str = "",
    example: object = None,
) -> Schema:
    """Return an operation whose shapes stand among the document's schemas; `example` is one of a body."""
    described: Schema = {
        "operationId": name,
        "summary": summary,
        "security": security,
        "responses": {str(status): {"description": "Done", "content": _content(answer)}},
    }
    if text:
        described["description"] = text
    if body is not None:
        described["requestBody"] = {"required": True, "content": _content(body, example)}
    return described


def _content(shape: type, example: object = None) -> Schema:
    held: Schema = {"schema": {"$ref": f"#/components/schemas/{shape.__name__}"}}
    if example is not None:
        held["example"] = msgspec.to_builtins(example)
    return {"application/json": held}
