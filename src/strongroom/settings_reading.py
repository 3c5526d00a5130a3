"""Settings as they are read once at start, from the environment and an optional file, and as they are told to people.

Every field is `STRONGROOM_<NAME>` in the environment, or `<name>` in the TOML or JSON file that `STRONGROOM_SETTINGS_FILE` names.
The environment wins. Whatever is missing, unknown or unsafe is told in one go.
"""

from __future__ import annotations

import json
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, get_args

import msgspec

from strongroom.kit.crypto import Secret
from strongroom.settings import FIELDS, PREFIX, Settings, SettingsError, meaning_of
from strongroom.settings_faults import contradictions, unsafe

FILE_VARIABLE = "STRONGROOM_SETTINGS_FILE"
_FOR_TESTS = "STRONGROOM_TEST_"  # the test suite's own variables, which are no settings


@dataclass(frozen=True, slots=True)
class Explained:
    """One setting as `strongroom settings explain` shows it."""

    name: str
    variable: str
    meaning: str
    default: str
    value: str
    source: str


def load_settings(environ: Mapping[str, str]) -> Settings:
    """Return the settings. Raise SettingsError that lists everything missing, unknown, malformed or unsafe."""
    values, _, faults = _gather(environ)
    converted: dict[str, Any] = {}
    for name, field in FIELDS.items():
        if name not in values:
            if field.default is msgspec.NODEFAULT:
                faults.append(f"{PREFIX}{name.upper()} is missing: {meaning_of(name)}")
            continue
        try:
            converted[name] = _convert(name, values[name])
        except msgspec.ValidationError as error:
            faults.append(f"{PREFIX}{name.upper()} cannot be used: {error}")
    if faults:
        raise SettingsError(faults)
    settings = Settings(**converted)
    settings = msgspec.structs.replace(settings, base_url=settings.base_url.rstrip("/"))
    if faults := [*contradictions(settings), *(unsafe(settings) if settings.is_production else ())]:
        raise SettingsError(faults)
    return settings


def explain(environ: Mapping[str, str]) -> list[Explained]:
    """Return every setting with its meaning, default, value (secrets masked) and where the value came from."""
    values, sources, _ = _gather(environ)
    return [
        Explained(
            name,
            f"{PREFIX}{name.upper()}",
            meaning_of(name),
            _show_default(name),
            _show(name, values[name]) if name in values else _show_default(name),
            sources.get(name, "default" if field.default is not msgspec.NODEFAULT else "missing"),
        )
        for name, field in FIELDS.items()
    ]


def _gather(environ: Mapping[str, str]) -> tuple[dict[str, Any], dict[str, str], list[str]]:
    """Return raw values, where each came from, and faults."""
    values: dict[str, Any] = {}
    sources: dict[str, str] = {}
    faults: list[str] = []
    if path := environ.get(FILE_VARIABLE):
        for name, value in _read_file(Path(path), faults).items():
            if name in FIELDS:
                values[name], sources[name] = value, path
            else:
                faults.append(f"{path}: there is no setting {name!r}")
    for variable, text in environ.items():
        if not variable.startswith(PREFIX) or variable == FILE_VARIABLE or variable.startswith(_FOR_TESTS):
            continue
        name = variable.removeprefix(PREFIX).lower()
        if name not in FIELDS:
            faults.append(f"{variable}: there is no such setting")
        elif text:
            values[name], sources[name] = text, "environment"
    return values, sources, faults


def _read_file(path: Path, faults: list[str]) -> dict[str, Any]:
    try:
        text = path.read_text()
        document = json.loads(text) if path.suffix == ".json" else tomllib.loads(text)
    except OSError as error:
        faults.append(f"{path} cannot be read: {error.strerror}")
        return {}
    except ValueError:
        faults.append(f"{path} is neither TOML nor JSON")
        return {}
    if not isinstance(document, dict):
        faults.append(f"{path} must hold names and values")
        return {}
    return document


def _convert(name: str, value: Any) -> Any:
    """Return a raw value as its field's type. Raise msgspec.ValidationError."""
    for wrapper in (Secret, Path):
        if _holds(name, wrapper):
            return wrapper(str(value))
    return msgspec.convert(value, FIELDS[name].type, strict=False)


def _holds(name: str, kind: type) -> bool:
    """True when a field's type is `kind`, or `kind` or None."""
    declared = get_args(FIELDS[name].type)[0]
    return kind in (declared, *get_args(declared))


def _show(name: str, value: object) -> str:
    return "[secret]" if _holds(name, Secret) else str(value)


def _show_default(name: str) -> str:
    default = FIELDS[name].default
    if default is msgspec.NODEFAULT:
        return "(required)"
    return "(none)" if default is None else str(default)
