"""The schemas of the document, made from the Structs that the handlers really read and write."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Final

import msgspec

from strongroom.access.schemas import OAuthError
from strongroom.apidoc.operation import Operation, Page, Part
from strongroom.kit.problems import Problem
from strongroom.webhooks.schemas import EventOut

_AT: Final = "#/components/schemas/"
_SUFFIXES: Final = ("Out", "In")
_NO_NUL: Final = "^[^\\u0000]*$"
_RFC_3339: Final = {"type": "string", "format": "date-time"}

Schema = dict[str, Any]


def reference(shape: type) -> Schema:
    """Return a reference to a shape's schema."""
    return {"$ref": f"{_AT}{public_name(shape.__name__)}"}


def public_name(name: str) -> str:
    """Return the name of a shape for readers: `CreditRequestOut` → `CreditRequest`."""
    for suffix in _SUFFIXES:
        if name.endswith(suffix):
            return name.removesuffix(suffix)
    return name


def schema_of_answer(answer: type | Page) -> Schema:
    """Return the schema of an answer; a page of a list stands where it is used."""
    if not isinstance(answer, Page):
        return reference(answer)
    following: Schema = {"type": "null"} if answer.next is None else {"type": "integer" if answer.next is int else "string"}
    if answer.next is not None and not answer.always:
        following = {"anyOf": [following, {"type": "null"}], "description": "The `after` of the next page; null on the last"}
    return {
        "type": "object",
        "properties": {"data": {"type": "array", "items": reference(answer.item)}, "next": following},
        "required": ["data", "next"],
    }


def schema_of_body(body: type | Part) -> Schema:
    """Return the schema of a body."""
    return {"$ref": f"{_AT}{body.name}"} if isinstance(body, Part) else reference(body)


def component_schemas(operations: Iterable[Operation]) -> Schema:
    """Return every schema that the operations refer to, by name."""
    parts: dict[str, Part] = {}
    shapes: dict[str, type] = {one.__name__: one for one in (Problem, OAuthError, EventOut)}
    for operation in operations:
        for used in (operation.body, operation.answer):
            if isinstance(used, Part):
                parts[used.name] = used
            elif used is not None:
                shape = used.item if isinstance(used, Page) else used
                shapes[shape.__name__] = shape
    made = {public_name(name): _tidied(schema, name) for name, schema in _made(shapes.values()).items()}
    made |= {name: _part(part) for name, part in parts.items()}
    return dict(sorted(made.items()))


def _made(shapes: Iterable[type]) -> Mapping[str, Schema]:
    _, components = msgspec.json.schema_components(shapes, ref_template=f"{_AT}{{name}}")
    return components


def _part(part: Part) -> Schema:
    """Return the schema of some fields of a shape, none of them null."""
    whole = _made([part.shape])[part.shape.__name__]
    properties = {name: _without_null(whole["properties"][name]) for name in part.fields}
    if "grant_type" in properties:
        properties["grant_type"] = {"type": "string", "enum": ["client_credentials"]}
    return {"type": "object", "title": part.name, "properties": properties, "required": list(part.required)}


def _tidied(schema: Schema, name: str) -> Schema:
    """Rename references; in answers leave out null where a field that is not known is left out."""
    tidy: Schema = _renamed(schema)
    if "title" in tidy:
        tidy["title"] = public_name(tidy["title"])
    if not name.endswith("In"):
        tidy["properties"] = {
            field: _without_null(held) if "default" in held else held for field, held in tidy.get("properties", {}).items()
        }
    else:
        _say_format(tidy)
        _forbid_nul(tidy)
    return tidy


def _say_format(schema: Schema) -> None:
    """Say of a time in a body that it is one: msgspec names the format of a time only when it must have an offset."""
    for name, held in schema.get("properties", {}).items():
        if name.endswith("At") and "anyOf" in held:
            held["anyOf"] = [_RFC_3339, {"type": "null"}]


def _forbid_nul(schema: Any) -> None:
    """Say of every text in a body that it holds no NUL character, which the reader refuses before it looks at the shape."""
    if isinstance(schema, list):
        for one in schema:
            _forbid_nul(one)
    elif isinstance(schema, dict):
        if schema.get("type") == "string" and not {"enum", "pattern", "format"} & schema.keys():
            schema["pattern"] = _NO_NUL
        for name, held in schema.items():
            if name not in {"default", "examples"}:
                _forbid_nul(held)


def _without_null(schema: Schema) -> Schema:
    """Return the schema of a field that is left out rather than null."""
    kept = {name: value for name, value in schema.items() if name not in {"anyOf", "default"}}
    choices = [one for one in schema.get("anyOf", []) if one != {"type": "null"}]
    if len(choices) == 1:
        return {**kept, **choices[0]}
    return {**kept, "anyOf": choices} if choices else kept


def _renamed(value: Any) -> Any:
    if isinstance(value, dict):
        return {
            key: f"{_AT}{public_name(held.removeprefix(_AT))}" if key == "$ref" else _renamed(held) for key, held in value.items()
        }
    return [_renamed(one) for one in value] if isinstance(value, list) else value
