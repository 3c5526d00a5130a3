"""The product's own listener for mutual TLS: OpenSSL verifies an optional client certificate, and the application is told of it.

Certificates rotate by writing their files anew: connections that come later are met with what the files then say. The identity of
a caller is the certificate whose key they proved to hold, never another one that they sent along.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
import ssl
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import structlog
import uvicorn

from strongroom.kit.arrival import BoundedProtocol

_CIPHERS = "ECDHE+AESGCM:ECDHE+CHACHA20"  # for TLS 1.2; those of 1.3 are all good (Mozilla's intermediate list)
_LOOK_AGAIN_SECONDS = 5.0
_log = structlog.get_logger("tls")


class CertificateFilesError(Exception):
    """The files of the listener cannot be used; the message says which and why."""


@dataclass(frozen=True, slots=True)
class CertificateFiles:
    """Our certificate with its chain, its key, and the authorities that callers' certificates come from; all PEM."""

    certificate: Path
    key: Path
    client_authorities: Path

    def stamps(self) -> tuple[tuple[int, int], ...]:
        """Return what changes when a file is written anew. Raise CertificateFilesError."""
        try:
            found = [path.stat() for path in (self.certificate, self.key, self.client_authorities)]
        except OSError as error:
            raise CertificateFilesError(f"{error.filename}: {error.strerror}") from error
        return tuple((one.st_mtime_ns, one.st_size) for one in found)

    def make_context(self) -> ssl.SSLContext:
        """Return a context as the files say now. Raise CertificateFilesError."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        context.set_ciphers(_CIPHERS)
        context.set_alpn_protocols(["http/1.1"])
        context.options |= ssl.OP_NO_TICKET | ssl.OP_NO_RENEGOTIATION | ssl.OP_NO_COMPRESSION
        context.num_tickets = 0  # each connection proves its certificate anew
        context.verify_mode = ssl.CERT_OPTIONAL
        try:
            context.load_cert_chain(self.certificate, self.key)
            context.load_verify_locations(self.client_authorities)
        except OSError as error:  # also what ssl raises
            raise CertificateFilesError(
                f"{self.certificate}, {self.key} or {self.client_authorities} cannot be used: {error.strerror or error}"
            ) from error
        return context


class Rotation:
    """Gives every new connection the certificates that the files have now; files that cannot be used change nothing."""

    def __init__(self, files: CertificateFiles) -> None:
        """Read the files. Raise CertificateFilesError."""
        self._files = files
        self._stamps = files.stamps()
        self._current = files.make_context()
        self._looked_at = time.monotonic()
        self.context = files.make_context()
        self.context.sni_callback = self._choose

    def _choose(self, connection: Any, _name: str | None, _context: ssl.SSLContext) -> None:
        """Answer OpenSSL's question, asked once a handshake whether or not the caller named a server."""
        if time.monotonic() - self._looked_at >= _LOOK_AGAIN_SECONDS:
            self.look()
        connection.context = self._current

    def look(self) -> None:
        """Read the files if they have changed."""
        self._looked_at = time.monotonic()
        try:
            stamps = self._files.stamps()
            if stamps != self._stamps:
                self._current = self._files.make_context()
                self._stamps = stamps
                _log.info("the certificates of the TLS listener were read anew")
        except CertificateFilesError as error:
            _log.error("the certificates of the TLS listener cannot be read; the old ones stay", reason=str(error))


class CertifiedProtocol(BoundedProtocol):
    """Tells the application which certificate the caller proved to hold (the ASGI TLS extension)."""

    _tls: dict[object, object]

    def connection_made(self, transport: Any) -> None:
        """Read the caller's own certificate off the finished handshake; what else they sent counts for nothing."""
        super().connection_made(transport)
        shown = transport.get_extra_info("ssl_object").getpeercert(binary_form=True)
        self._tls = {"client_cert_chain": [ssl.DER_cert_to_PEM_cert(shown)] if shown else []}

    def on_message_begin(self) -> None:
        """Begin a request with the certificate in its scope."""
        super().on_message_begin()
        self.scope["extensions"] = {"tls": self._tls}


class Servers(uvicorn.Server):
    """A server that takes others with it: they begin when it does, and end with it."""

    def __init__(self, config: uvicorn.Config, others: list[uvicorn.Server]) -> None:
        super().__init__(config)
        self._others = others
        self._running: list[asyncio.Future[None]] = []

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Begin to listen, and let the others begin."""
        await super().startup(sockets)
        self._running = [asyncio.ensure_future(other.serve()) for other in self._others]

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Let every server finish what it began."""
        for other in self._others:
            other.should_exit = True
        await super().shutdown(sockets)
        await asyncio.gather(*self._running)


class Follower(uvicorn.Server):
    """A server that leaves signals to another."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Capture none."""
        yield
