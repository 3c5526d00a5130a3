"""How a request may arrive: within a size beside its body, and within a time. The server itself knows limits for neither.

Nobody has been asked who they are when a head is read, so whatever of it is kept is a stranger's to make us keep.
"""

from __future__ import annotations

import asyncio
from http import HTTPStatus
from typing import Any, Final

import structlog
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

HEAD_BYTES_MAX: Final = 65_536  # the request line, headers, trailers and the framing of chunks, all together
ARRIVAL_SECONDS: Final = 60.0  # for the whole request, body included; 30 seconds between two are the server's own setting
_log = structlog.get_logger("http")


class HeadTooLarge(Exception):
    """A request's head is over the limit; the parser stops at it."""


class BoundedProtocol(HttpToolsProtocol):
    """Closes a connection whose request is too large beside its body (431), or too slow (408)."""

    arrival_seconds = ARRIVAL_SECONDS
    _beside_body = 0
    _is_arriving = True
    _head_bytes = 0
    _refusal = HTTPStatus.BAD_REQUEST
    _too_late: asyncio.TimerHandle | None = None

    def connection_made(self, transport: Any) -> None:
        """Begin to wait for a first request."""
        super().connection_made(transport)
        self._too_late = self.loop.call_later(self.arrival_seconds, self._end_slow)

    def connection_lost(self, exc: Exception | None) -> None:
        """Wait no more."""
        self._stop_waiting()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Read on; what is no part of a body counts, also where it never comes to a header."""
        self._beside_body += len(data)
        super().data_received(data)
        if self._beside_body > HEAD_BYTES_MAX and not self.transport.is_closing():
            self._refusal = HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE
            self.send_400_response(self._refusal.phrase)
        if not self._is_arriving:
            self._stop_waiting()
        elif self._too_late is None:
            self._too_late = self.loop.call_later(self.arrival_seconds, self._end_slow)

    def on_message_begin(self) -> None:
        """Begin a request."""
        self._is_arriving, self._head_bytes = True, 0
        super().on_message_begin()

    def on_header(self, name: bytes, value: bytes) -> None:
        """Take a header or a trailer. Raise HeadTooLarge."""
        self._head_bytes += len(name) + len(value)
        if self._head_bytes > HEAD_BYTES_MAX:
            self._refusal = HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE
            raise HeadTooLarge
        super().on_header(name, value)

    def on_body(self, body: bytes) -> None:
        """Take a part of the body; the application has its own limit for that."""
        self._beside_body -= len(body)
        super().on_body(body)

    def on_message_complete(self) -> None:
        """End a request; the next begins with nothing counted."""
        self._is_arriving, self._beside_body = False, 0
        super().on_message_complete()

    def send_400_response(self, msg: str) -> None:
        """Answer what is not let in, and hang up."""
        self._stop_waiting()
        if self._refusal is HTTPStatus.BAD_REQUEST:
            super().send_400_response(msg)
            return
        self._hang_up(self._refusal)

    def _end_slow(self) -> None:
        self._too_late = None
        if not self.transport.is_closing():
            self._hang_up(HTTPStatus.REQUEST_TIMEOUT)

    def _hang_up(self, status: HTTPStatus) -> None:
        """Close the connection, with an answer where none has begun."""
        _log.warning("a connection was closed", status=status.value)
        cycle: Any = self.cycle
        if cycle is None or cycle.response_complete or not cycle.response_started:
            head = f"HTTP/1.1 {status.value} {status.phrase}\r\ncontent-length: 0\r\nconnection: close\r\n\r\n"
            self.transport.write(head.encode())
        self.transport.close()

    def _stop_waiting(self) -> None:
        if self._too_late is not None:
            self._too_late.cancel()
            self._too_late = None
