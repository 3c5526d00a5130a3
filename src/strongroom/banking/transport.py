"""The one seam to a bank: HTTP over mutual TLS, with a limit on everything and every failure put into our words.

What decides the word is whether the bank may have acted. A connection that was never made did nothing: BankUnavailable.
Once a request that acts is on its way, only a readable answer ends the doubt: everything else is BankSilent.
"""

from __future__ import annotations

import asyncio
import ssl
import time
import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from pathlib import Path
from types import MappingProxyType

import aiohttp
from yarl import URL

from strongroom.banking.health import Health
from strongroom.banking.port import BankSilent, BankUnavailable

MAX_ANSWER_BYTES = 1024 * 1024
MAX_RETRY_AFTER_SECONDS = 86_400
SERVER_FAILED = 500
NEVER_SENT = (
    aiohttp.ClientConnectorError,  # TLS that failed, too
    aiohttp.ConnectionTimeoutError,  # of the connection or of the wait for a free one
    aiohttp.InvalidURL,
)
BROKEN = (aiohttp.ClientError, aiohttp.http.HttpProcessingError, OSError)  # OSError: time-outs too


@dataclass(frozen=True, slots=True)
class Timeouts:
    """How long a bank may take: to accept a connection, and to finish its whole answer."""

    connect_seconds: float = 5.0
    answer_seconds: float = 20.0


@dataclass(frozen=True, slots=True)
class Request:
    """One request to a bank. `acts` says that doing it twice, or not knowing whether it was done, matters."""

    method: str
    url: str
    headers: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}), repr=False)
    body: bytes | None = field(default=None, repr=False)
    acts: bool = False


@dataclass(frozen=True, slots=True)
class Answer:
    """What came back: status, headers by lower-case name, and the exact bytes of the body."""

    status: int
    headers: Mapping[str, str] = field(repr=False)
    body: bytes = field(repr=False)

    @property
    def retry_after_seconds(self) -> int:
        """How long the bank asks us to wait, 0 if it does not say; at most a day (RFC 9110 §10.2.3)."""
        text = self.headers.get("retry-after", "").strip()
        seconds = int(text) if text.isascii() and text.isdigit() and len(text) < 10 else _seconds_until(text)  # noqa: PLR2004 - digits
        return max(0, min(seconds, MAX_RETRY_AFTER_SECONDS))


def client_context(certificate: Path, key: Path, ca: Path | None) -> ssl.SSLContext:
    """Build the TLS side of a client: its own certificate, TLS 1.2 at least, `ca` or else the system's authorities."""
    context = ssl.create_default_context(cafile=None if ca is None else str(ca))
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.load_cert_chain(certificate, key)
    return context


class Channel:
    """A line to one bank. Its calls are counted and timed in `health`."""

    def __init__(self, context: ssl.SSLContext, timeouts: Timeouts, health: Health) -> None:
        self._context = context
        self._timeouts = timeouts
        self._health = health
        self._session: aiohttp.ClientSession | None = None

    async def close(self) -> None:
        """Close the connections."""
        if self._session is not None:
            await self._session.close()

    async def send(self, request: Request) -> Answer:
        """Send and read the whole answer, of any status.

        Raise BankUnavailable when the request was certainly not carried out or only asks, BankSilent when it may have been.
        """
        began_at = time.perf_counter()
        try:
            answer = await self._exchange(request)
        except NEVER_SENT as error:
            raise self._fault(request, "unreachable", sent=False) from error
        except BROKEN as error:
            raise self._fault(request, "answer_lost", sent=True) from error
        if answer.status >= SERVER_FAILED:
            self._health.record_failure(f"http_{answer.status}")
        else:
            self._health.record_answer(time.perf_counter() - began_at)
        return answer

    def _open(self) -> aiohttp.ClientSession:
        """Return the session, made at the first call, when there is a loop that it can belong to."""
        if self._session is None or self._session.closed:
            connector = aiohttp.TCPConnector(ssl=self._context, limit=50, keepalive_timeout=4.0, use_dns_cache=False)
            self._session = aiohttp.ClientSession(
                connector=connector,
                cookie_jar=aiohttp.DummyCookieJar(),  # a bank's cookies would tie one customer's requests to another's
                timeout=aiohttp.ClientTimeout(connect=self._timeouts.connect_seconds, sock_read=self._timeouts.answer_seconds),
                auto_decompress=False,
                trust_env=False,
            )
        return self._session

    async def _exchange(self, request: Request) -> Answer:
        headers = {
            "accept": "application/json",
            "accept-encoding": "identity",  # the signature covers the exact bytes, and the size cap counts them
            "user-agent": "strongroom",
            "x-fapi-interaction-id": str(uuid.uuid4()),
            **request.headers,
        }
        limit_seconds = self._timeouts.connect_seconds + self._timeouts.answer_seconds
        async with (
            asyncio.timeout(limit_seconds),
            self._open().request(
                request.method, URL(request.url, encoded=True), headers=headers, data=request.body, allow_redirects=False
            ) as response,
        ):
            named = {name.lower(): value for name, value in response.headers.items()}
            return Answer(response.status, MappingProxyType(named), await self._read(request, response))

    async def _read(self, request: Request, response: aiohttp.ClientResponse) -> bytes:
        body = bytearray()
        async for part in response.content.iter_any():
            body += part
            if len(body) > MAX_ANSWER_BYTES:
                raise self._fault(request, "answer_too_large", sent=True)
        return bytes(body)

    def _fault(self, request: Request, code: str, *, sent: bool) -> BankUnavailable | BankSilent:
        self._health.record_failure(code)
        return fault_for(request, code, sent=sent)


def fault_for(request: Request, code: str, *, sent: bool = True, retry_after_seconds: int = 0) -> BankUnavailable | BankSilent:
    """Choose the word for a request that came to nothing: silent if it acts and was sent, else unavailable."""
    if request.acts and sent:
        return BankSilent(code, "The bank did not give a usable answer", retry_after_seconds=retry_after_seconds)
    return BankUnavailable(code, "The bank cannot be reached just now", retry_after_seconds=retry_after_seconds)


def _seconds_until(http_date: str) -> int:
    try:
        at = parsedate_to_datetime(http_date)
    except ValueError:
        return 0
    aware = at if at.tzinfo else at.replace(tzinfo=UTC)
    return int((aware - datetime.now(UTC)).total_seconds())
