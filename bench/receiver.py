"""A webhook receiver that costs next to nothing: it counts, answers 200, and tells at GET what it saw.

python -m bench.receiver PORT
"""

from __future__ import annotations

import asyncio
import json
import sys
import time

import uvloop

_HEADERS_END = b"\r\n\r\n"


class Seen:
    """What came so far."""

    count = 0
    first_at = last_at = 0.0

    @classmethod
    def note(cls) -> None:
        cls.last_at = time.monotonic()
        cls.first_at = cls.first_at or cls.last_at
        cls.count += 1


class Receiver(asyncio.Protocol):
    """One connection."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = transport
        self._held = b""

    def data_received(self, data: bytes) -> None:
        self._held += data
        while _HEADERS_END in self._held:
            head, _, rest = self._held.partition(_HEADERS_END)
            length = next((int(line[15:]) for line in head.split(b"\r\n") if line[:15].lower() == b"content-length:"), 0)
            if len(rest) < length:
                return
            self._held = rest[length:]
            self._answer(is_post=head.startswith(b"POST"))

    def _answer(self, *, is_post: bool) -> None:
        if is_post:
            Seen.note()
        body = b"" if is_post else json.dumps({"count": Seen.count, "seconds": Seen.last_at - Seen.first_at}).encode()
        self._transport.write(b"HTTP/1.1 200 OK\r\ncontent-length: %d\r\n\r\n" % len(body) + body)  # type: ignore[attr-defined]  # a socket's


async def main() -> None:
    server = await asyncio.get_running_loop().create_server(Receiver, "127.0.0.1", int(sys.argv[1]))
    await server.serve_forever()


if __name__ == "__main__":
    uvloop.run(main())
