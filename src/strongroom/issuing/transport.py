"""The one seam to issuers: HTTPS with our certificate, to listed hosts only, and every failure put into one of two words.

Issuers live on private lines, so the rule that webhooks follow (public addresses only) would shut them out. What an issuer's
policy may name is therefore on a list of the operator's, looked at before anything is resolved. No redirects, no cookies, no
proxies from the environment, 64 KiB of answer.
"""

from __future__ import annotations

import asyncio
import hashlib
import ssl
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self
from urllib.parse import urlsplit

import aiohttp

from strongroom.issuing.model import Deadline
from strongroom.issuing.port import IssuerSilent, IssuerUnavailable
from strongroom.kit.errors import Fault

MAX_ANSWER_BYTES = 65_536
HTTPS_PORT = 443
KEPT_SECONDS = 4.0  # shorter than services keep an idle connection, so that a request does not meet one just closed
OK, CLIENT_FAULTS, SERVER_FAULTS = 200, 400, 500


@dataclass(frozen=True, slots=True)
class Identity:
    """Who we are to issuers, and whom we believe: files in PEM. `ca` None means the system's authorities."""

    certificate: Path
    key: Path
    ca: Path | None = None


@dataclass(frozen=True, slots=True)
class Answer:
    """What came back: status, headers by lower-case name, the exact bytes."""

    status: int
    headers: Mapping[str, str] = field(repr=False)
    body: bytes = field(repr=False)


class PinMissed(ssl.SSLCertVerificationError):
    """The service showed a certificate that is trusted and is not one of those pinned for this issuer."""


class _Progress:
    """How far a request has come: once there is a connection, it may have been sent."""

    is_connected = False


class Transport:
    """Connections to all issuers. Close it, or use it as an async context."""

    def __init__(self, identity: Identity | None, allowed_hosts: frozenset[str]) -> None:
        """`allowed_hosts` are `host` (port 443) or `host:port`. Without an identity nobody is called."""
        self._identity = identity
        self._allowed = allowed_hosts
        self._contexts: dict[tuple[frozenset[bytes], int], ssl.SSLContext] = {}
        self._session: aiohttp.ClientSession | None = None

    async def close(self) -> None:
        """Close every connection."""
        if self._session is not None:
            await self._session.close()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_exception: object) -> None:
        await self.close()

    async def post(
        self, url: str, body: bytes, headers: Mapping[str, str], *, pinned: frozenset[bytes], deadline: Deadline
    ) -> Answer:
        """Send one request and read the whole answer, of any status. Raise IssuerUnavailable or IssuerSilent."""
        self._judge(url)
        context = self._context(pinned)
        progress = _Progress()
        try:
            async with asyncio.timeout(deadline.left_seconds()):
                return await self._exchange(url, body, headers, context, progress)
        except (aiohttp.ClientError, OSError, asyncio.IncompleteReadError) as error:  # OSError: time-outs and TLS too
            raise _fault(progress, "answer_lost" if progress.is_connected else "unreachable") from error

    async def _exchange(
        self, url: str, body: bytes, headers: Mapping[str, str], context: ssl.SSLContext, progress: _Progress
    ) -> Answer:
        sending = self._open_session().post(
            url, data=body, headers=dict(headers), ssl=context, allow_redirects=False, trace_request_ctx=progress
        )
        async with sending as response:
            received = bytearray()
            async for part in response.content.iter_any():
                received += part
                if len(received) > MAX_ANSWER_BYTES:
                    raise _fault(progress, "answer_too_large")
            return Answer(response.status, {name.lower(): value for name, value in response.headers.items()}, bytes(received))

    def _judge(self, url: str) -> None:
        """Raise IssuerUnavailable unless the URL is https to a host on the operator's list."""
        try:
            parts = urlsplit(url)
            host, port = (parts.hostname or "").lower(), parts.port or HTTPS_PORT
        except ValueError:
            raise IssuerUnavailable("address_forbidden", "the issuer's URL cannot be read") from None
        named = host if port == HTTPS_PORT else f"{host}:{port}"
        if parts.scheme != "https" or parts.username or parts.password or named not in self._allowed:
            raise IssuerUnavailable("address_forbidden", "the issuer's URL is not https to a host on the list of issuers' hosts")

    def _context(self, pinned: frozenset[bytes]) -> ssl.SSLContext:
        """Return the TLS side of us for one set of pins; a certificate that was renewed on disk is taken up by itself."""
        if self._identity is None:
            raise IssuerUnavailable("no_certificate", "no certificate is set for calling issuers")
        try:
            renewed = self._identity.certificate.stat().st_mtime_ns
            context = self._contexts.get((pinned, renewed))
            if context is None:
                self._contexts = {key: held for key, held in self._contexts.items() if key[1] == renewed}
                context = self._contexts[pinned, renewed] = client_context(self._identity, pinned)
        except OSError as error:  # ssl.SSLError is one
            raise IssuerUnavailable("no_certificate", "the certificate for calling issuers cannot be read") from error
        return context

    def _open_session(self) -> aiohttp.ClientSession:
        """Return the session, made with the first call, because it belongs to the running loop."""
        if self._session is None:
            trace = aiohttp.TraceConfig()
            trace.on_connection_create_end.append(_note_connection)
            trace.on_connection_reuseconn.append(_note_connection)
            self._session = aiohttp.ClientSession(
                connector=aiohttp.TCPConnector(limit=200, limit_per_host=50, keepalive_timeout=KEPT_SECONDS),
                cookie_jar=aiohttp.DummyCookieJar(),
                headers={"User-Agent": "Strongroom", "Accept-Encoding": "identity"},
                auto_decompress=False,
                timeout=aiohttp.ClientTimeout(total=None),
                trace_configs=[trace],
                trust_env=False,
            )
        return self._session


def client_context(identity: Identity, pinned: frozenset[bytes]) -> ssl.SSLContext:
    """Build the TLS side of a client that shows our certificate and, where pins are given, accepts those certificates only."""
    context = ssl.create_default_context(cafile=None if identity.ca is None else str(identity.ca))
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.load_cert_chain(identity.certificate, identity.key)
    if pinned:

        class Pinned(ssl.SSLObject):
            """A TLS connection that is open only once the other side's certificate was found among the pins."""

            def do_handshake(self) -> None:
                """Finish the handshake. Raise PinMissed before a byte of ours is sent."""
                super().do_handshake()
                shown = self.getpeercert(binary_form=True)
                if shown is None or hashlib.sha256(shown).digest() not in pinned:
                    raise PinMissed("the certificate is not one that is pinned for this issuer")

        context.sslobject_class = Pinned
    return context


async def _note_connection(_session: aiohttp.ClientSession, context: Any, _parameters: object) -> None:
    context.trace_request_ctx.is_connected = True


def _fault(progress: _Progress, code: str) -> Fault:
    if progress.is_connected:
        return IssuerSilent(code, "The issuer did not give a usable answer")
    return IssuerUnavailable(code, "The issuer cannot be reached just now")
