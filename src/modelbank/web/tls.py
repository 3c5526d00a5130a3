"""TLS for the bank's API: the client's certificate is optional at the handshake and handed to the application."""

from __future__ import annotations

import asyncio
import ssl
from pathlib import Path
from typing import Any

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol


class PeerProtocol(HttpToolsProtocol):
    """uvicorn's protocol, which also tells the application who is at the other end and how to hang up on them."""

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as uvicorn itself does
        """Put the client's certificate (DER, or None) and `abort` into the state of every request of this connection."""
        tls = transport.get_extra_info("ssl_object")
        certificate = tls.getpeercert(binary_form=True) if tls is not None else None
        self.app_state = {**self.app_state, "peer_certificate": certificate, "abort": transport.abort}
        super().connection_made(transport)


def server_context(certificate: Path, key: Path, client_ca: Path) -> ssl.SSLContext:
    """Make a TLS 1.2+ context that verifies a client's certificate when one is shown; which routes need one is theirs to say."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.load_cert_chain(certificate, key)
    context.load_verify_locations(client_ca)
    context.verify_mode = ssl.CERT_OPTIONAL
    context.set_ciphers("ECDHE+AESGCM:ECDHE+CHACHA20")
    return context


def context_factory(context: ssl.SSLContext) -> Any:
    """Wrap a context in the shape in which uvicorn wants it."""
    return lambda _config, _default: context
