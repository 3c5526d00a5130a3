"""`strongroom webhooks listen`: for developers whose machine nobody can reach. Pulls the feed and passes every event on.

Each event is shown, and where a local address is given it is posted there, signed like a real webhook with a secret that
lives as long as the command.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass, field

import httpx
import msgspec

from strongroom.kit.crypto import Secret
from strongroom.webhooks.signature import generate_secret, sign

_PAGE = 100
_FORWARD_SECONDS = 15.0


class ListeningRefused(Exception):
    """The system did not let us read the feed; the message says why."""


class _Page(msgspec.Struct):
    data: list[msgspec.Raw]
    next: int


class _Envelope(msgspec.Struct, rename="camel"):
    id: str
    type: str
    feed_position: int


@dataclass(slots=True)
class Listener:
    """Follows one firm's feed."""

    base_url: str
    access_token: Secret
    forward_to: str | None = None
    show: Callable[[str], None] = print
    every_seconds: float = 1.0
    secret: Secret = field(default_factory=generate_secret)

    async def run(self, *, after: int | None = None, stopping: asyncio.Event | None = None) -> int:
        """Follow the feed from a position (None: from now on) until `stopping` is set; return the last position seen.

        Raise ListeningRefused when the access token does not let us read.
        """
        headers = {"authorization": f"Bearer {self.access_token.reveal()}"}
        async with httpx.AsyncClient(base_url=self.base_url, headers=headers, trust_env=False) as client:
            position = await self._end(client) if after is None else after
            self._greet()
            while stopping is None or not stopping.is_set():
                page = await self._read(client, position)
                for event in page.data:
                    await self._pass_on(bytes(event))
                position = page.next
                if not page.data:
                    await asyncio.sleep(self.every_seconds)
        return position

    def _greet(self) -> None:
        if self.forward_to:
            self.show(f"Passing events on to {self.forward_to}, signed with {self.secret.reveal()}")
        else:
            self.show("Listening; nothing is passed on")

    async def _end(self, client: httpx.AsyncClient) -> int:
        """Return the feed's last position at this moment."""
        position = 0
        while (page := await self._read(client, position)).data:
            position = page.next
        return position

    async def _read(self, client: httpx.AsyncClient, after: int) -> _Page:
        """Read one page; a system that cannot be reached or is overloaded is asked again after a while."""
        while True:
            try:
                answer = await client.get("/api/1.0/events", params={"after": after, "limit": _PAGE})
            except httpx.TransportError as error:
                self.show(f"{self.base_url} cannot be reached ({type(error).__name__}); trying again")
            else:
                if answer.is_success:
                    return msgspec.json.decode(answer.content, type=_Page)
                if answer.status_code < httpx.codes.INTERNAL_SERVER_ERROR and answer.status_code != httpx.codes.TOO_MANY_REQUESTS:
                    raise ListeningRefused(f"the feed answered {answer.status_code}: {answer.text[:300]}")
            await asyncio.sleep(2 * self.every_seconds)

    async def _pass_on(self, body: bytes) -> None:
        event = msgspec.json.decode(body, type=_Envelope)
        result = await self._forward(event.id, body) if self.forward_to else body.decode()
        self.show(f"{event.feed_position} {event.type} {event.id} {result}")

    async def _forward(self, event_id: str, body: bytes) -> str:
        """Post one event to the local address once and tell what came back."""
        now = int(time.time())  # this machine's clock: the signature is for this machine alone
        headers = {"content-type": "application/json", **sign(event_id, now, body, [self.secret])}
        try:
            async with httpx.AsyncClient(timeout=_FORWARD_SECONDS, trust_env=False) as client:
                answer = await client.post(self.forward_to or "", content=body, headers=headers)
        except httpx.HTTPError as error:
            return f"→ {type(error).__name__}"
        return f"→ {answer.status_code}"
