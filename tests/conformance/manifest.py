"""Reads the official functional conformance suite's manifests, which lie beside the project where it is developed.

A manifest is a list of tests with `$names`: of the test's own parameters, of what earlier tests kept, or of a body in `data.json`.
"""

from __future__ import annotations

import json
import re
import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

FOLDER = Path(__file__).parents[2].parent / "shared" / "standards" / "uk-open-banking" / "fcs"
_NAME = re.compile(r"\$([A-Za-z][A-Za-z0-9_-]*)")
_FUNCTION = re.compile(r"\$fn:(\w+)\((.*)\)")
# Go writes a layout as one certain moment; these are its parts, the zones first.
_LAYOUT = (
    ("Z07:00", "Z"), ("-07:00", "+00:00"), ("2006", "%Y"), ("01", "%m"), ("02", "%d"), ("15", "%H"), ("04", "%M"), ("05", "%S"),
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Script:
    """One official test."""

    id: str
    said: Mapping[str, Any]

    @property
    def is_mandatory(self) -> bool:
        return bool(self.said["uriImplementation"] == "mandatory")

    @property
    def is_post(self) -> bool:
        return bool(self.said["method"] == "post")

    @property
    def parameters(self) -> Mapping[str, str]:
        parameters: Mapping[str, str] = self.said.get("parameters", {})
        return parameters

    @property
    def endpoint(self) -> str:
        """Return the first part of the address: what a bank implements, or does not."""
        return str(self.said["uri"]).split("/")[1]

    def names(self, kept: Mapping[str, str]) -> dict[str, str]:
        """Return what every `$name` of this test means: functions are called once, then the other parameters refer to them."""
        called = {name: _call(found) for name, value in self.parameters.items() if (found := _FUNCTION.fullmatch(value))}
        known = {**kept, **called}
        return known | {name: substitute(value, known) for name, value in self.parameters.items() if name not in called}


@dataclass(frozen=True, slots=True)
class Suite:
    """The payment manifest with its assertions and bodies."""

    scripts: tuple[Script, ...]
    assertions: Mapping[str, Any]
    bodies: Mapping[str, Any]

    def body(self, script: Script, names: Mapping[str, str]) -> bytes:
        """Return a test's body without white space, as the official suite sends and signs it."""
        reference = names[script.said["body"].removeprefix("$")].removeprefix("$")
        return json.dumps(substitute(self.bodies[reference]["body"], names), separators=(",", ":")).encode()


def load_suite() -> Suite:
    """Read the manifest of payments for v4.0."""
    scripts = _read("ob_4.0_payment_fca.json")["scripts"]
    return Suite(
        tuple(Script(said["id"], said) for said in scripts),
        _read("assertions.json")["references"],
        _read("data.json")["references"],
    )


def _read(name: str) -> dict[str, Any]:
    content: dict[str, Any] = json.loads((FOLDER / name).read_text(encoding="utf-8"))
    return content


def substitute(value: Any, names: Mapping[str, str]) -> Any:
    """Return a value in which every known `$name` is replaced; an unknown one stays, so that it is seen."""
    if isinstance(value, dict):
        return {name: substitute(part, names) for name, part in value.items()}
    if isinstance(value, list):
        return [substitute(part, names) for part in value]
    if isinstance(value, str):
        return _NAME.sub(lambda found: names.get(found[1], found[0]), value)
    return value


def _call(found: re.Match[str]) -> str:
    match found[1]:
        case "instructionIdentificationID":
            return uuid.uuid4().hex
        case "nextDayDate" | "nextDayDateTime":
            return _next_day(found[2])
    raise ValueError(f"The manifest calls {found[1]}, which this runner does not know.")


def _next_day(layout: str) -> str:
    for go, ours in _LAYOUT:
        layout = layout.replace(go, ours)
    return (datetime.now(UTC) + timedelta(days=1)).strftime(layout)
