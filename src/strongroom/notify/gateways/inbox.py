"""The development gateway: hands messages to the local inbox program, which shows them as a phone would."""

from __future__ import annotations

import httpx

from strongroom.notify.gsm import encoding_of, segments_of
from strongroom.notify.port import Found, Outgoing, Refused, Sent, Silent, Unavailable

_TIMEOUT = httpx.Timeout(5, connect=2)


class InboxGateway:
    """Sends to the inbox. Repeating a message is harmless there, since the inbox knows each by its id."""

    name = "inbox"

    def __init__(self, inbox_url: str, *, production: bool) -> None:
        """Take the inbox's address. Raise ValueError in production, where messages must reach phones."""
        if production:
            raise ValueError("the inbox gateway sends nothing to anybody and is refused in production")
        self._client = httpx.AsyncClient(base_url=inbox_url, timeout=_TIMEOUT, trust_env=False)

    async def close(self) -> None:
        """Close connections."""
        await self._client.aclose()

    async def send(self, message: Outgoing) -> Sent:
        """Post the message. Raise Refused, Unavailable or Silent."""
        body = {"id": message.id, "to": message.to, "text": message.text, "from": message.sender}
        try:
            answer = await self._client.post("/messages", json=body)
        except (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout) as error:
            raise Unavailable("inbox_down") from error
        except httpx.HTTPError as error:
            raise Silent("inbox_silent") from error
        if answer.is_server_error:
            raise Silent("inbox_failed")
        if not answer.is_success:
            raise Refused("inbox_refused")
        return Sent(message.id, segments_of(message.text), encoding_of(message.text), 0)

    async def ask(self, message_id: str) -> Found:
        """Look a message up."""
        try:
            answer = await self._client.get(f"/messages/{message_id}")
        except httpx.HTTPError as error:
            raise Unavailable("inbox_down") from error
        if answer.status_code == httpx.codes.NOT_FOUND:
            return Found.NEVER_SEEN
        return Found.TAKEN if answer.is_success else Found.NOT_KNOWN
