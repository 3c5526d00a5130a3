"""Readiness: a warning while the root keys cannot be used, and never a burden to the module that keeps them."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from strongroom.kit.crypto import Cipher
from strongroom.kit.db import Database
from strongroom.kit.errors import Unavailable
from strongroom.kit.metrics import REGISTRY
from strongroom.kit.readiness import NO_KEYS, Readiness
from strongroom.kit.rootkeys import FileKeeper, RootKeys
from strongroom.kit.vault import Vault
from tests.funds.house import random_keys


@dataclass
class SlowKey:
    """A root key in a module that answers, hangs or is away as a test says, and counts who asks."""

    real: Cipher
    hung: threading.Event = field(default_factory=threading.Event)  # set: answers
    is_away: bool = False
    asked: int = 0

    @property
    def version(self) -> int:
        return self.real.version

    def encrypt(self, nonce: bytes, data: bytes, associated: bytes) -> bytes:
        self.asked += 1
        self.hung.wait(20)
        if self.is_away:
            raise Unavailable
        return self.real.encrypt(nonce, data, associated)

    def decrypt(self, nonce: bytes, data: bytes, associated: bytes) -> bytes:
        return self.real.decrypt(nonce, data, associated)

    def fingerprint(self) -> str:
        return self.real.fingerprint()


class SlowKeeper:
    """Keeps one such key."""

    def __init__(self) -> None:
        self._root = random_keys().load()
        self.active = SlowKey(self._root.active)
        self.active.hung.set()

    @property
    def keys(self) -> Mapping[int, Cipher]:
        return {self.active.version: self.active}

    def index_key(self, purpose: str) -> bytes:
        return self._root.index_key(purpose)

    def load(self) -> RootKeys:
        return self


@pytest.fixture
async def db(database: Any) -> AsyncIterator[Database]:
    made = await Database.connect(database.app_dsn, size=4)
    yield made
    await made.close()


def usable() -> float | None:
    return REGISTRY.get_sample_value("strongroom_root_keys_usable")


async def test_any_number_of_probes_ask_the_module_once_in_two_seconds(db: Database) -> None:
    keeper = SlowKeeper()
    readiness = Readiness(db, Vault(keeper))
    assert usable() == 1, "nobody is alarmed before anybody has asked"
    for _ in range(5):
        assert await asyncio.gather(*(readiness.find_warning() for _ in range(4))) == [None] * 4
    assert keeper.active.asked == 1
    keeper.active.is_away = True
    assert await readiness.find_warning() is None, "for two seconds what was said holds"
    await asyncio.sleep(2.1)
    assert await readiness.find_warning() == NO_KEYS
    assert keeper.active.asked == 2
    assert usable() == 0
    keeper.active.is_away = False
    await asyncio.sleep(2.1)
    assert await readiness.find_warning() is None
    assert usable() == 1


async def test_a_module_that_hangs_is_warned_of_within_a_second_and_is_asked_by_one_alone(db: Database) -> None:
    keeper = SlowKeeper()
    readiness = Readiness(db, Vault(keeper))
    keeper.active.hung.clear()
    async with asyncio.timeout(5):
        for _ in range(2):
            assert set(await asyncio.gather(*(readiness.find_warning() for _ in range(8)))) == {NO_KEYS}
    assert keeper.active.asked == 1
    keeper.active.hung.set()
    await asyncio.sleep(0.1)
    assert await readiness.find_warning() is None


async def test_keys_in_memory_serve_on_while_their_file_is_away(db: Database, tmp_path: Path) -> None:
    keeper = FileKeeper(tmp_path / "keys.json")
    keeper.create()
    vault = Vault(keeper)
    keeper.path.unlink()
    vault._root_loaded_at -= 60
    assert await Readiness(db, vault).find_warning() is None
