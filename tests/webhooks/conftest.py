"""Events as the application writes them and as the worker sees them, over a real database."""

from __future__ import annotations

import secrets
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import asyncpg
import pytest

from strongroom.kit.crypto import Key
from strongroom.kit.db import Database
from strongroom.kit.rootkeys import RootKeys
from strongroom.kit.vault import Vault
from strongroom.webhooks.events import Events, Sequencer
from strongroom.webhooks.model import EventType

FIRM = "frm-smith"


class KeysInHand:
    """A keeper of fresh root keys."""

    def __init__(self) -> None:
        self._keys = RootKeys(key := Key.generate(), {1: key}, secrets.token_bytes(32))

    def load(self) -> RootKeys:
        return self._keys


@dataclass
class House:
    """The database as the application and as the worker, and the events of firms."""

    app: Database
    worker: Database
    owner: asyncpg.Pool
    vault: Vault
    events: Events
    sequencer: Sequencer
    closing: list[Any] = field(default_factory=list)

    async def publish(
        self,
        object_id: str = "csp-1",
        event_type: EventType = EventType.CREDIT_REQUEST_COMPLETED,
        *,
        firm: str = FIRM,
        data: Mapping[str, Any] | None = None,
        sensitive: Mapping[str, Any] | None = None,
    ) -> str:
        async with self.app.transaction(firm) as tx:
            return await self.events.publish(tx, firm, event_type, object_id, data or {"id": object_id}, sensitive=sensitive)

    async def pass_time(self, seconds: float) -> None:
        await self.owner.execute("UPDATE clock_offset SET ahead = ahead + make_interval(secs => $1)", float(seconds))


@pytest.fixture
async def house(database: Any) -> AsyncIterator[House]:
    app = await Database.connect(database.dsn, role="strongroom_app", size=20)
    worker = await Database.connect(database.dsn, role="strongroom_worker", size=16)
    owner = await asyncpg.create_pool(database.dsn, min_size=1, max_size=4)
    vault = Vault(KeysInHand())
    house = House(app, worker, owner, vault, Events(app, vault), Sequencer(worker))
    for firm in (FIRM, "frm-other"):  # as making a firm does
        async with app.transaction(firm) as tx:
            await vault.tenant(tx, firm)
    yield house
    for closing in (*house.closing, app, worker, owner):
        await closing.close()
