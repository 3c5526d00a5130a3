"""Turns the document into what the page shows: chapters, operations, rows of fields, and ready commands."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from markupsafe import Markup, escape

from strongroom.apidoc.shapes import Schema

_CODE, _BOLD = re.compile(r"`([^`]+)`"), re.compile(r"\*\*([^*]+)\*\*")
_DEEPEST = 4


@dataclass(frozen=True, slots=True)
class Row:
    """One field or parameter."""

    name: str
    kind: str
    required: bool
    text: str
    depth: int = 0
    default: str = ""


@dataclass(frozen=True, slots=True)
class Answer:
    """One status with which an operation answers."""

    status: str
    text: str
    rows: list[Row]
    example: str


@dataclass(frozen=True, slots=True)
class Entry:
    """One operation or webhook."""

    id: str
    method: str
    path: str
    summary: str
    text: str
    needs: str
    parameters: list[Row]
    examples: dict[str, str]  # of the parameters in the address
    body: list[Row]
    body_example: str
    command: str
    answers: list[Answer]


@dataclass(frozen=True, slots=True)
class Chapter:
    """The operations of one tag."""

    name: str
    text: str
    entries: list[Entry] = field(default_factory=list)

    @property
    def anchor(self) -> str:
        """Where the chapter begins on the page."""
        return self.name.lower().replace(" ", "-")


class Book:
    """The document as the page shows it."""

    def __init__(self, document: Schema) -> None:
        self._document = document
        self.title = document["info"]["title"]
        self.version = document["info"]["version"]
        self.introduction = document["info"]["description"]
        chapters = {tag["name"]: Chapter(tag["name"], tag["description"]) for tag in document["tags"]}
        for path, methods in document["paths"].items():
            for method, operation in methods.items():
                chapters[operation["tags"][0]].entries.append(self._entry(path, method, operation))
        self.chapters = list(chapters.values())
        self.webhooks = [self._entry(name, "post", held["post"]) for name, held in document["webhooks"].items()]
        self.webhook_text = next(iter(document["webhooks"].values()))["post"]["description"]

    def _entry(self, path: str, method: str, operation: Schema) -> Entry:
        given = operation.get("parameters", [])
        content: Schema = next(iter(operation.get("requestBody", {}).get("content", {}).values()), {})
        example = _example(content)
        scopes = [scope for one in operation["security"] for names in one.values() for scope in names]
        return Entry(
            id=operation["operationId"],
            method=method.upper(),
            path=path,
            summary=operation["summary"],
            text=operation["description"],
            needs=", ".join(scopes) or ("any access token" if any("bearer" in one for one in operation["security"]) else ""),
            parameters=[self._parameter(one) for one in given],
            examples={one["name"]: str(one["example"]) for one in given if one["in"] == "path"},
            body=list(self._rows(content.get("schema", {}))),
            body_example=example,
            command=_command(method, path, given, example, needs_token=any("bearer" in one for one in operation["security"])),
            answers=[self._answer(status, held) for status, held in operation["responses"].items()],
        )

    def _parameter(self, given: Schema) -> Row:
        schema = given["schema"]
        where = {"path": "in the address", "query": "in the query", "header": "header"}[given["in"]]
        default = str(schema.get("default", ""))
        return Row(given["name"], f"{self._kind(schema)}, {where}", given["required"], given.get("description", ""), 0, default)

    def _answer(self, status: str, held: Schema) -> Answer:
        content: Schema = next(iter(held.get("content", {}).values()), {})
        rows = list(self._rows(content["schema"])) if content and status.startswith("2") else []
        return Answer(status, held["description"], rows, _example(content) if status.startswith("2") else "")

    def _rows(self, schema: Schema, depth: int = 0) -> Iterator[Row]:
        """Yield the fields of an object, those of objects inside it below them."""
        schema = self._resolved(schema)
        for part in schema.get("allOf", []):
            yield from self._rows(part, depth)
        for name, held in schema.get("properties", {}).items():
            default = json.dumps(held["default"]) if "default" in held and held["default"] is not None else ""
            text = self._resolved(held).get("description", "") if "$ref" not in held else ""
            yield Row(name, self._kind(held), name in schema.get("required", []), text, depth, default)
            if depth < _DEEPEST:
                yield from self._rows(self._inner(held), depth + 1)

    def _inner(self, schema: Schema) -> Schema:
        """Return what a field holds: the object itself, an array's items, or the one choice that is not null."""
        schema = self._resolved(schema)
        for choice in schema.get("anyOf", []):
            if "$ref" in choice:
                return self._resolved(choice)
        return self._inner(schema["items"]) if "items" in schema else schema

    def _resolved(self, schema: Schema) -> Schema:
        if "$ref" not in schema:
            return schema
        found: Schema = self._document["components"]["schemas"][schema["$ref"].rsplit("/", 1)[1]]
        return found

    def _kind(self, schema: Schema) -> str:
        """Say in words what a value is."""
        schema = self._resolved(schema)
        if "anyOf" in schema:
            return " or ".join(dict.fromkeys(self._kind(one) for one in schema["anyOf"]))
        if "const" in schema:
            return f"“{schema['const']}”"
        if "enum" in schema:
            return "one of " + ", ".join(f"“{one}”" for one in schema["enum"])
        words = {"string": "text", "integer": "whole number", "boolean": "true or false", "array": "list", "object": "object"}
        kind = str(schema.get("type", "anything"))
        return ", ".join([str(schema.get("format") or words.get(kind, kind)), *_bounds(schema)])


def marked(text: str) -> Markup:
    """Return a text as HTML: paragraphs, lists, `code` and **bold**; everything else is escaped."""
    blocks = [str(escape(block)) for block in text.split("\n\n")]
    return Markup("".join(_block(_BOLD.sub(r"<strong>\1</strong>", _CODE.sub(r"<code>\1</code>", block))) for block in blocks))  # noqa: S704  # escaped in the line above


def _block(text: str) -> str:
    if not text.startswith("- "):
        return f"<p>{text}</p>"
    return "<ul>" + "".join(f"<li>{line.removeprefix('- ')}</li>" for line in text.splitlines()) + "</ul>"


def _bounds(schema: Schema) -> Iterator[str]:
    if "maxLength" in schema:
        yield f"{schema.get('minLength', 0)}–{schema['maxLength']} characters"
    if "minimum" in schema and "maximum" in schema:
        yield f"{schema['minimum']:,}–{schema['maximum']:,}"
    if "maxItems" in schema:
        yield f"{schema.get('minItems', 0)}–{schema['maxItems']} entries"


def _example(content: Schema) -> str:
    for held in content.get("examples", {}).values():
        return json.dumps(held["value"], indent=2, ensure_ascii=False)
    return ""


def _command(method: str, path: str, parameters: list[dict[str, Any]], body: str, *, needs_token: bool) -> str:
    """Return a command for a shell that has $BASE_URL and $TOKEN."""
    for one in parameters:
        if one["in"] == "path":
            path = path.replace("{" + one["name"] + "}", str(one["example"]))
    parts = [f'curl "$BASE_URL{path}"']
    if method not in {"get", "post"} or (method == "post" and not body):
        parts[0] = f'curl -X {method.upper()} "$BASE_URL{path}"'
    if needs_token:
        parts.append('-H "Authorization: Bearer $TOKEN"')
    if body:
        parts.append(f"-d '{body}'")
    return " \\\n  ".join(parts)
