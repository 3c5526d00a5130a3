"""A firm's server: a real socket that keeps what it gets and answers as it is told, also in the ways that no server should."""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Self

Answer = bytes | None  # None: never answer


@dataclass(frozen=True, slots=True)
class Got:
    """One request as received."""

    path: str
    headers: dict[str, str]
    body: bytes

    @property
    def event(self) -> Any:
        return json.loads(self.body)


def answer(status: int, headers: str = "", body: bytes = b"") -> bytes:
    return f"HTTP/1.1 {status} X\r\ncontent-length: {len(body)}\r\n{headers}\r\n".encode() + body


OK = answer(204)


@dataclass
class Receiver:
    """Listens on localhost. `says` decides by request; by default every one is answered 204."""

    says: Callable[[Got], Answer] = lambda _: OK
    gate: asyncio.Event | None = None  # while set, answers wait for it
    got: list[Got] = field(default_factory=list)
    connections: int = 0
    at_once: int = 0
    most_at_once: int = 0
    _server: asyncio.Server | None = None
    _writers: list[asyncio.StreamWriter] = field(default_factory=list)
    _tasks: set[asyncio.Task[None]] = field(default_factory=set)

    @property
    def url(self) -> str:
        assert self._server is not None
        return f"http://localhost:{self._server.sockets[0].getsockname()[1]}"

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0, backlog=1000)
        return self

    async def __aexit__(self, *_: object) -> None:
        assert self._server is not None
        self._server.close()
        for task in self._tasks:
            task.cancel()

    async def wait_for(self, count: int, seconds: float = 5) -> list[Got]:
        async with asyncio.timeout(seconds):
            while len(self.got) < count:  # noqa: ASYNC110  # many tests look for many things; one event would not do
                await asyncio.sleep(0.005)
        return self.got

    def hang_up(self) -> None:
        """Close every connection once what was written has gone out."""
        for writer in self._writers:
            writer.close()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        self.connections += 1
        self._writers.append(writer)
        with contextlib.suppress(OSError, asyncio.IncompleteReadError, asyncio.CancelledError):
            while head := await reader.readuntil(b"\r\n\r\n"):
                await self._answer(head, reader, writer)
        writer.close()
        self._tasks.discard(task)

    async def _answer(self, head: bytes, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        first, *lines = head.decode().splitlines()
        headers = {name.lower(): value for name, _, value in (line.partition(": ") for line in lines if line)}
        body = await reader.readexactly(int(headers.get("content-length", 0)))
        got = Got(first.split(" ")[1], headers, body)
        self.got.append(got)
        self.at_once += 1
        self.most_at_once = max(self.most_at_once, self.at_once)
        try:
            if self.gate:
                await self.gate.wait()
            said = self.says(got)
            if said is None:
                await asyncio.Event().wait()
                return
            writer.write(said)
            await writer.drain()
        finally:
            self.at_once -= 1
