"""A line between a client and the server that loses, doubles and cuts, and remembers what was answered to which bytes."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field
from urllib.parse import urlsplit


@dataclass
class LossyLine:
    """Carries one request a connection. `mishaps` befall requests with a Sequence header in turn; then all goes well.

    `request`: it never arrives. `reply`: the answer never does. `double`: it arrives twice. `kill`: the server is killed while it
    works on it, and started again.
    """

    server: str
    mishaps: list[str] = field(default_factory=list)
    kill: Callable[[], Awaitable[None]] | None = None
    answers: dict[bytes, set[bytes]] = field(default_factory=dict)
    carried: int = 0
    port: int = 0

    @contextlib.asynccontextmanager
    async def open(self) -> AsyncIterator[str]:
        server = await asyncio.start_server(self._carry, "127.0.0.1", 0)
        self.port = server.sockets[0].getsockname()[1]
        yield f"http://127.0.0.1:{self.port}"
        server.close()

    async def _carry(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError, asyncio.IncompleteReadError):
            head, body = await self._read(reader)
            mishap = self.mishaps.pop(0) if self.mishaps and b"MessageNumber" in body else ""
            self.carried += 1
            answer = b""
            if mishap == "kill" and self.kill:
                asked = asyncio.ensure_future(self._ask(head, body))
                await asyncio.sleep(0.003 * (self.carried % 5))
                await self.kill()
                await asyncio.wait([asked])
            elif mishap != "request":
                for _ in range(2 if mishap == "double" else 1):
                    answer = await self._ask(head, body)
            if mishap not in ("request", "reply", "kill"):
                writer.write(answer)
                await writer.drain()
        writer.close()

    async def _ask(self, head: bytes, body: bytes) -> bytes:
        place = urlsplit(self.server)
        reader, writer = await asyncio.open_connection(place.hostname, place.port)
        first, _, rest = head.partition(b"\r\n")
        kept = [line for line in rest.split(b"\r\n") if not line.lower().startswith(b"connection:")]
        writer.write(b"\r\n".join([first, b"Connection: close", *kept]) + body)
        answer = await reader.read()
        writer.close()
        if b"MessageNumber" in body and b"ResponseCode" in answer:  # and not only what has arrived
            self.answers.setdefault(body, set()).add(answer.partition(b"\r\n\r\n")[2])
        return answer

    async def _read(self, reader: asyncio.StreamReader) -> tuple[bytes, bytes]:
        head = await reader.readuntil(b"\r\n\r\n")
        length = next(int(line[15:]) for line in head.split(b"\r\n") if line.lower().startswith(b"content-length:"))
        return head, await reader.readexactly(length)
