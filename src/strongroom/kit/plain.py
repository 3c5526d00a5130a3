"""A body as it came and an answer as it goes, for busy handlers: the framework's `RawBody` and `Response` cost four times as much.

They serve every shape of body and answer; these two serve bytes.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any, cast

from litestar import Request
from litestar.exceptions.http_exceptions import InternalServerException, RequestEntityTooLarge

if TYPE_CHECKING:
    from litestar.types import Receive, Scope, Send


async def read_body(request: Request[Any, Any, Any]) -> bytes:
    """Return the whole body, within the limit of its route. Raise RequestEntityTooLarge, or InternalServerException for a part."""
    at_most = request.route_handler.resolve_request_max_body_size() or math.inf
    if _announced_bytes(request.scope["headers"]) > at_most:
        raise RequestEntityTooLarge
    body = b""
    while True:
        message: Any = await request.receive()
        if message["type"] == "http.disconnect":
            raise InternalServerException("client disconnected prematurely")
        body += cast("bytes", message.get("body", b""))
        if len(body) > at_most:
            raise RequestEntityTooLarge
        if not message.get("more_body", False):
            return body


class Ready:
    """An answer that is bytes already; as the declared result of a handler the framework sends it as it is."""

    __slots__ = ("_body", "_headers", "_status")

    def __init__(self, status: int, headers: Mapping[str, str], body: bytes) -> None:
        """Take the headers beside Content-Length, their names in lower case."""
        self._status = status
        self._headers = headers
        self._body = body

    async def __call__(self, _: Scope, __: Receive, send: Send) -> None:
        """Send it."""
        headers = [(name.encode("latin-1"), value.encode("latin-1")) for name, value in self._headers.items()]
        headers.append((b"content-length", str(len(self._body)).encode()))
        await send({"type": "http.response.start", "status": self._status, "headers": headers})
        await send({"type": "http.response.body", "body": self._body, "more_body": False})


def _announced_bytes(headers: Iterable[tuple[bytes, bytes]]) -> int:
    """Return what Content-Length says; 0 where there is none, or none that the server let through."""
    announced = next((value for name, value in headers if name == b"content-length"), b"")
    return int(announced) if announced.isdigit() else 0
