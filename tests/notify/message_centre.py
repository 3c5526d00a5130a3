"""The foreign message centre: npm's smpp, what it says it has seen, and orders to it."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import signal
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

NODE = Path(__file__).parents[1] / "node"
ANSWERS_WITHIN_SECONDS = 20.0


class MessageCentre:
    """One running centre."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self._process = process
        self.port = 0

    async def next(self) -> dict[str, Any]:
        """Return the next thing that the centre has seen."""
        assert self._process.stdout
        async with asyncio.timeout(ANSWERS_WITHIN_SECONDS):
            seen: dict[str, Any] = json.loads(await self._process.stdout.readline())
        return seen

    async def order(self, **order: Any) -> None:
        """Have it do something."""
        assert self._process.stdin
        self._process.stdin.write(json.dumps(order).encode() + b"\n")
        await self._process.stdin.drain()

    async def kill(self) -> None:
        """End it as a power cut would."""
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self._process.pid, signal.SIGKILL)  # node is a child of the program that starts it
        await self._process.wait()


@contextlib.asynccontextmanager
async def running_centre(port: int = 0) -> AsyncIterator[MessageCentre]:
    """Run a centre, at a free port unless one is given."""
    pipe = asyncio.subprocess.PIPE
    process = await asyncio.create_subprocess_exec(
        "node", str(NODE / "message_centre.mjs"), str(port), stdin=pipe, stdout=pipe, cwd=NODE, start_new_session=True
    )
    centre = MessageCentre(process)
    try:
        centre.port = (await centre.next())["port"]
        yield centre
    finally:
        await centre.kill()
