"""The one seam to a bank: HTTP over mutual TLS, with a limit on everything and every failure put into our words.

What decides the word is whether the bank may have acted. A connection that was never made did nothing: BankUnavailable.
Once a request that acts is on its way, only a readable answer ends the doubt: everything else is BankSilent.
"""

from __future__ import annotations

import asyncio
import ssl
import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from pathlib import Path
from types import MappingProxyType

import httpx

from strongroom.banking.health import Health
from strongroom.banking.port import BankSilent, BankUnavailable

MAX_ANSWER_BYTES = 1024 * 1024
MAX_RETRY_AFTER_SECONDS = 86_400
SERVER_FAILED = 500
NEVER_SENT = (
    httpx.ConnectError,
    httpx.ConnectTimeout,
    httpx.PoolTimeout,
    httpx.ProxyError,
    httpx.UnsupportedProtocol,
    httpx.InvalidURL,
)
BROKEN = (httpx.HTTPError, httpx.StreamError, httpx.CookieConflict, OSError)  # OSError: TLS and time-outs too


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
    """A line to one bank. Its calls are counted in `health`."""

    def __init__(self, context: ssl.SSLContext, timeouts: Timeouts, health: Health) -> None:
        self._timeouts = timeouts
        self._health = health
        self._http = httpx.AsyncClient(
            verify=context,
            trust_env=False,
            follow_redirects=False,
            timeout=httpx.Timeout(timeouts.answer_seconds, connect=timeouts.connect_seconds),
            limits=httpx.Limits(max_connections=50, max_keepalive_connections=10, keepalive_expiry=4.0),
        )

    async def close(self) -> None:
        """Close the connections."""
        await self._http.aclose()

    async def send(self, request: Request) -> Answer:
        """Send and read the whole answer, of any status.

        Raise BankUnavailable when the request was certainly not carried out or only asks, BankSilent when it may have been.
        """
        try:
            answer = await self._exchange(request)
        except NEVER_SENT as error:
            raise self._fault(request, "unreachable", sent=False) from error
        except BROKEN as error:
            raise self._fault(request, "answer_lost", sent=True) from error
        if answer.status >= SERVER_FAILED:
            self._health.record_failure(f"http_{answer.status}")
        else:
            self._health.record_answer()
        return answer

    async def _exchange(self, request: Request) -> Answer:
        headers = {
            "accept": "application/json",
            "accept-encoding": "identity",  # the signature covers the exact bytes, and the size cap counts them
            "x-fapi-interaction-id": str(uuid.uuid4()),
            **request.headers,
        }
        limit_seconds = self._timeouts.connect_seconds + self._timeouts.answer_seconds
        async with (
            asyncio.timeout(limit_seconds),
            self._http.stream(request.method, request.url, headers=headers, content=request.body) as response,
        ):
            self._http.cookies.clear()  # a bank's cookies would tie one customer's requests to another's
            body = await self._read(request, response)
            return Answer(response.status_code, MappingProxyType(dict(response.headers)), body)

    async def _read(self, request: Request, response: httpx.Response) -> bytes:
        body = bytearray()
        async for part in response.aiter_raw():
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
