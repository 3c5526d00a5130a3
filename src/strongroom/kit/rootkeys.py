"""Root keys: kept outside the database by a keeper (a file, the environment, a hardware module), versioned, one of them active.

The file is JSON, `{"active": 2, "index": "<base64>", "keys": {"1": "<base64>", "2": "<base64>"}}`, readable by its owner only.
`index` is the key of the blind indexes; it does not rotate with the sealing keys.
"""

from __future__ import annotations

import base64
import json
import os
import secrets
import stat
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

from strongroom.kit.crypto import KEY_BYTES, Cipher, Key, derive


class RootKeysError(Exception):
    """Root keys are missing, malformed or readable by others; the message says what to do."""


class RootKeys(Protocol):
    """The root keys as they are now, wherever their bytes are."""

    @property
    def active(self) -> Cipher:
        """Return the key that wraps."""
        ...

    @property
    def keys(self) -> Mapping[int, Cipher]:
        """Return all keys by version; each opens what it wrapped."""
        ...

    def index_key(self, purpose: str) -> bytes:
        """Return the key of one blind index or one kind of keyed hash."""
        ...


@dataclass(frozen=True, slots=True)
class HeldKeys:
    """Root keys held in memory."""

    active: Key
    keys: dict[int, Key] = field(repr=False)
    index: bytes = field(repr=False)

    def index_key(self, purpose: str) -> bytes:
        """Return the key of one blind index or one kind of keyed hash."""
        return derive(self.index, purpose)


class RootKeyKeeper(Protocol):
    """Something that keeps root keys."""

    def load(self) -> RootKeys:
        """Return the keys as they are now. Raise RootKeysError."""
        ...


class FileKeeper:
    """Root keys in a file that only its owner can read."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def load(self) -> HeldKeys:
        """Return the keys as they are now. Raise RootKeysError."""
        try:
            mode = self.path.stat().st_mode
            text = self.path.read_text()
        except OSError as error:
            raise RootKeysError(
                f"the key file {self.path} cannot be read: {error.strerror}; `strongroom keys init` makes one"
            ) from error
        if mode & (stat.S_IRWXG | stat.S_IRWXO):
            raise RootKeysError(f"the key file {self.path} can be read by others: chmod 600 it")
        return parse_root_keys(text)

    def create(self) -> None:
        """Make a new file with one root key; an existing one is left alone."""
        if self.path.exists():
            return
        self._write({"active": 1, "index": _fresh(), "keys": {"1": _fresh()}})

    def rotate(self) -> int:
        """Add a new active root key and return its version. Old ones stay until every value has been wrapped anew."""
        loaded = self.load()
        version = max(loaded.keys) + 1
        document = json.loads(self.path.read_text())
        document["keys"][str(version)] = _fresh()
        document["active"] = version
        self._write(document)
        return version

    def retire(self, versions: set[int]) -> None:
        """Remove root keys that nothing needs any more; the active one always stays."""
        document = json.loads(self.path.read_text())
        document["keys"] = {v: k for v, k in document["keys"].items() if int(v) not in versions or int(v) == document["active"]}
        self._write(document)

    def _write(self, document: dict[str, Any]) -> None:
        """Replace the file in one step, so that a reader never meets half of it."""
        self.path.parent.mkdir(parents=True, exist_ok=True)
        fresh = self.path.with_suffix(".new")
        descriptor = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(descriptor, "w") as out:
            json.dump(document, out, indent=2)
            out.flush()
            os.fsync(out.fileno())
        fresh.replace(self.path)


class TextKeeper:
    """Root keys given as the same JSON in a setting, for platforms that hand secrets over in the environment."""

    def __init__(self, text: str) -> None:
        self._text = text

    def load(self) -> HeldKeys:
        """Return the keys. Raise RootKeysError."""
        return parse_root_keys(self._text)


def parse_root_keys(text: str) -> HeldKeys:
    """Read the JSON form. Raise RootKeysError, never with a key in its message."""
    try:
        document = json.loads(text)
        materials = {int(version): base64.b64decode(key, validate=True) for version, key in document["keys"].items()}
        index = base64.b64decode(document["index"], validate=True)
        active = int(document["active"])
        sizes = {len(index), len(materials[active]), *map(len, materials.values())}
    except (ValueError, KeyError, TypeError, AttributeError):
        raise RootKeysError("the root keys are not in the form that `strongroom keys init` writes") from None
    if sizes != {KEY_BYTES}:
        raise RootKeysError(f"every root key has {KEY_BYTES} bytes")
    keys = {version: Key(version, material) for version, material in materials.items()}
    return HeldKeys(keys[active], keys, index)


def _fresh() -> str:
    return base64.b64encode(secrets.token_bytes(KEY_BYTES)).decode()
