"""A real inbox on a real port, gateways that misbehave on purpose, and a worker's view of the database."""

from __future__ import annotations

import asyncio
import contextlib
import secrets
import socket
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

import asyncpg
import pytest
import uvicorn

from strongroom.inbox import create_inbox
from strongroom.kit.crypto import Key
from strongroom.kit.db import Database
from strongroom.kit.rootkeys import HeldKeys
from strongroom.kit.vault import Vault
from strongroom.notify.gsm import Encoding
from strongroom.notify.messages import Messages
from strongroom.notify.model import Limited, Purpose, Queued
from strongroom.notify.port import Outgoing, Sent
from strongroom.notify.sending import Sender

FIRM = "frm-smith"
PHONE = "447700900123"


class KeysInHand:
    """A keeper of fresh root keys."""

    def __init__(self) -> None:
        self._keys = HeldKeys(key := Key.generate(), {1: key}, secrets.token_bytes(32))

    def load(self) -> HeldKeys:
        return self._keys


@dataclass
class House:
    """The database as the application and as the worker, and the door to phones."""

    app: Database
    worker: Database
    owner: asyncpg.Pool
    vault: Vault
    messages: Messages

    async def queue(self, *, to: str = PHONE, text: str = "Hello", firm: str = FIRM, **extra: Any) -> Queued | Limited:
        values: dict[str, Any] = {"purpose": Purpose.NOTICE, "key": secrets.token_hex(8), "valid_until": await self.time(600)}
        async with self.app.transaction(firm) as tx:
            return await self.messages.queue(tx, firm, to=to, text=text, **(values | extra))

    async def time(self, seconds: float) -> datetime:
        at: datetime = await self.owner.fetchval("SELECT app_now() + make_interval(secs => $1)", float(seconds))
        return at

    async def pass_time(self, seconds: float) -> None:
        await self.owner.execute("UPDATE clock_offset SET ahead = ahead + make_interval(secs => $1)", float(seconds))

    async def state(self, message: Queued | Limited) -> str:
        assert isinstance(message, Queued)
        return str(await self.owner.fetchval("SELECT state FROM messages WHERE id = $1", message.message_id))

    def sender(self, *gateways: Any) -> Sender:
        return Sender(self.worker, self.vault, gateways)

    async def send(self, *gateways: Any) -> int:
        """Send what is due now, to the end."""
        sender = self.sender(*gateways)
        count = await sender.send_due()
        await sender.finish()
        return count


@dataclass
class Phone:
    """A gateway that does what it is told and remembers what it carried."""

    name: str = "phone"
    raises: Exception | None = None
    hangs: bool = False
    may_come_back: bool = False
    carried: list[Outgoing] = field(default_factory=list)

    async def send(self, message: Outgoing) -> Sent:
        if self.hangs:
            await asyncio.Event().wait()
        if self.raises:
            raise self.raises
        self.carried.append(message)
        return Sent(f"{self.name}-{message.id}", 1, Encoding.GSM7, may_come_back=self.may_come_back)


@pytest.fixture
async def house(database: Any) -> AsyncIterator[House]:
    app = await Database.connect(database.dsn, role="strongroom_app", size=20)
    worker = await Database.connect(database.dsn, role="strongroom_worker", size=8)
    owner = await asyncpg.create_pool(database.dsn, min_size=1, max_size=4)
    vault = Vault(KeysInHand())
    yield House(app, worker, owner, vault, Messages(app, vault))
    for closing in (app, worker, owner):
        await closing.close()


@contextlib.asynccontextmanager
async def running_inbox(file: Path) -> AsyncIterator[str]:
    """Run the inbox program and yield its address."""
    sock = socket.create_server(("127.0.0.1", 0))
    server = uvicorn.Server(uvicorn.Config(create_inbox(file, production=False), log_level="warning", lifespan="off"))
    task = asyncio.create_task(server.serve([sock]))
    try:
        yield f"http://127.0.0.1:{sock.getsockname()[1]}"
    finally:
        server.should_exit = True
        await task


@pytest.fixture
async def inbox_url(tmp_path: Path) -> AsyncIterator[str]:
    async with running_inbox(tmp_path / "inbox.jsonl") as url:
        yield url
