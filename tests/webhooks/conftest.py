"""Events as the application writes them and as the worker sees them, over a real database."""

from __future__ import annotations

import asyncio
import contextlib
import secrets
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import asyncpg
import pytest

from strongroom.kit.crypto import Key
from strongroom.kit.db import Database
from strongroom.kit.jobs import Runner
from strongroom.kit.outbound import Outbound
from strongroom.kit.rootkeys import HeldKeys
from strongroom.kit.vault import Vault
from strongroom.webhooks.deliveries import Deliveries
from strongroom.webhooks.endpoints import Created, Endpoints
from strongroom.webhooks.events import Events, Sequencer
from strongroom.webhooks.jobs import jobs
from strongroom.webhooks.model import EventType

FIRM = "frm-smith"


class KeysInHand:
    """A keeper of fresh root keys."""

    def __init__(self) -> None:
        self._keys = HeldKeys(key := Key.generate(), {1: key}, secrets.token_bytes(32))

    def load(self) -> HeldKeys:
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
    endpoints: Endpoints
    outbound: Outbound
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

    async def endpoint(self, url: str, *, firm: str = FIRM, **extra: Any) -> Created:
        return await self.endpoints.create(firm, url=url, actor="tester", **extra)

    def deliveries(self, outbound: Outbound | None = None) -> Deliveries:
        return Deliveries(self.worker, self.vault, outbound or self.outbound)

    async def deliver(self) -> None:
        """Number and send all that is due now, to the end."""
        while await self.sequencer.run():
            pass
        deliveries = self.deliveries()
        while await deliveries.send_due():
            await deliveries.finish()

    @contextlib.asynccontextmanager
    async def running(self) -> AsyncIterator[Deliveries]:
        """Run the jobs as a worker does."""
        deliveries = self.deliveries()
        stopping = asyncio.Event()
        runner = asyncio.create_task(Runner(self.worker, jobs(Events(self.worker, self.vault), deliveries)).run(stopping))
        await asyncio.sleep(0.2)  # until it listens
        try:
            yield deliveries
        finally:
            stopping.set()
            await runner
            for task in list(deliveries._flight._started):
                task.cancel()
            await deliveries.finish()

    async def pass_time(self, seconds: float) -> None:
        await self.owner.execute("UPDATE clock_offset SET ahead = ahead + make_interval(secs => $1)", float(seconds))


@pytest.fixture
async def house(database: Any) -> AsyncIterator[House]:
    app = await Database.connect(database.dsn, role="strongroom_app", size=20)
    worker = await Database.connect(database.dsn, role="strongroom_worker", size=16)
    owner = await asyncpg.create_pool(database.dsn, min_size=1, max_size=4)
    vault = Vault(KeysInHand())
    events, outbound = Events(app, vault), Outbound(allow_loopback=True, timeout_seconds=3)
    endpoints = Endpoints(app, vault, events, allow_loopback=True)
    house = House(app, worker, owner, vault, events, Sequencer(worker), endpoints, outbound)
    for firm in (FIRM, "frm-other"):  # as making a firm does
        async with app.transaction(firm) as tx:
            await vault.tenant(tx, firm)
    yield house
    await outbound.aclose()
    for closing in house.closing:
        await closing.aclose()
    for closing in (app, worker, owner):
        await closing.close()
