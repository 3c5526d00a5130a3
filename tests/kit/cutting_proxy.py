"""A proxy before PostgreSQL that cuts a connection when it has seen a word, before or after the server has seen it."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import parse_qs, urlsplit


@dataclass
class CuttingProxy:
    """Passes bytes between clients and one server's socket."""

    server: str
    cut_at: bytes | None = None
    deliver: bool = True  # whether the server still gets the message at which the connection is cut
    cuts: int = 0
    _writers: list[asyncio.StreamWriter] = field(default_factory=list)
    _tasks: set[asyncio.Task[None]] = field(default_factory=set)

    async def accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Join a client to the server."""
        server_reader, server_writer = await asyncio.open_unix_connection(self.server)
        self._writers += [writer, server_writer]
        for work in (self._forward(reader, server_writer, writer), self._back(server_reader, writer)):
            task = asyncio.ensure_future(work)
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    async def _forward(self, reader: asyncio.StreamReader, server: asyncio.StreamWriter, client: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError):
            while data := await reader.read(65_536):
                if self.cut_at and self.cut_at in data:
                    self.cuts += 1
                    client.transport.abort()
                    if self.deliver:
                        server.write(data)
                        await server.drain()
                        await asyncio.sleep(0.2)
                    break
                server.write(data)
                await server.drain()
        server.close()

    async def _back(self, reader: asyncio.StreamReader, client: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError):
            while data := await reader.read(65_536):
                client.write(data)
                await client.drain()
        client.close()

    def close(self) -> None:
        """Let go of everything."""
        for writer in self._writers:
            writer.transport.abort()


@contextlib.asynccontextmanager
async def cutting_proxy(dsn: str, folder: Path) -> AsyncIterator[tuple[CuttingProxy, str]]:
    """Yield the proxy and the DSN that leads through it."""
    parts = urlsplit(dsn)
    behind = parse_qs(parts.query)["host"][0]
    proxy = CuttingProxy(f"{behind}/.s.PGSQL.5432")
    server = await asyncio.start_unix_server(proxy.accept, folder / ".s.PGSQL.5432")
    try:
        yield proxy, parts._replace(query=f"host={folder}").geturl()
    finally:
        server.close()
        proxy.close()
