"""The only door to addresses that others chose: webhooks and the like reach the public Internet or nothing.

The name is resolved once, every address it has is judged, and the connection is opened to one of those very addresses; TLS
still verifies the name. So a name that changes its mind between the look and the leap gains nothing. Redirects are answers
like any other; proxies named in the environment are not used; no cookies are kept.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Self

import httpcore
import httpx

from strongroom.kit.addresses import HTTPS_PORT, LOCALHOST, Target, UnacceptableUrl, is_address, is_loopback, is_public, parse_url
from strongroom.kit.errors import Fault

if TYPE_CHECKING:
    import ssl
    from types import TracebackType

MAX_SECONDS = 15.0
MAX_ANSWER_BYTES = 65_536
MAX_CONNECTIONS = 1000
MAX_ORIGINS = 500  # idle ones are forgotten beyond that
MAX_ADDRESSES = 16  # judged of one name; a name with more is refused
MAX_TRIES = 2  # addresses tried of one name
CONNECT_SECONDS = 5.0  # for each address, so that a silent one leaves time for the next
KEPT_SECONDS = 5.0

Resolver = Callable[[str], Awaitable[Sequence[str]]]


class AddressForbidden(Fault):
    """The URL or the address behind it is not one that we call. Nothing was connected."""


class Unreachable(Fault):
    """The name does not resolve, or no trusted connection could be opened. Nothing was sent."""


class Unanswered(Fault):
    """The request may have arrived; the answer did not come whole within the time."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What came back. `headers` have lower-case names; a body beyond 64 KiB is cut and says so."""

    status: int
    headers: Mapping[str, str]
    body: bytes
    is_cut: bool = False


async def resolve_by_system(host: str) -> Sequence[str]:
    """Return the addresses of an absolute name (the machine's search domains do not apply). Raise OSError."""
    found = await asyncio.get_running_loop().getaddrinfo(f"{host}.", None, type=socket.SOCK_STREAM)
    return [str(sockaddr[0]) for *_, sockaddr in found]


class Outbound:
    """A door that keeps connections for a few seconds. `allow_loopback` is for development: it adds localhost, no more.

    Tests pass a `resolver`, the `network` that opens sockets, and the `trust` that TLS verifies against.
    """

    def __init__(
        self,
        *,
        allow_loopback: bool = False,
        resolver: Resolver = resolve_by_system,
        network: httpcore.AsyncNetworkBackend | None = None,
        trust: ssl.SSLContext | None = None,
        timeout_seconds: float = MAX_SECONDS,
    ) -> None:
        self._allow_loopback = allow_loopback
        self._timeout_seconds = min(timeout_seconds, MAX_SECONDS)
        self._trust = trust or httpx.create_ssl_context(trust_env=False)
        self._network = _Judge(resolver, network or httpcore.AnyIOBackend(), allow_loopback=allow_loopback)
        self._pools: dict[tuple[str, str, int], httpcore.AsyncConnectionPool] = {}

    async def send(self, method: str, url: str, *, headers: Mapping[str, str] | None = None, body: bytes = b"") -> Answer:
        """Send one request and return the answer, whatever its status. Raise AddressForbidden, Unreachable or Unanswered."""
        target = self._judge_url(url)
        try:
            async with asyncio.timeout(self._timeout_seconds):
                return await self._exchange(method, target, headers or {}, body)
        except (httpcore.ConnectError, httpcore.ConnectTimeout, httpcore.PoolTimeout) as error:
            raise Unreachable("unreachable", f"no trusted connection to {target.host} could be opened") from error
        except TimeoutError as error:
            raise Unanswered("timed_out", f"no answer from {target.host} in {self._timeout_seconds:g} seconds") from error
        except (httpcore.NetworkError, httpcore.ProtocolError, httpcore.TimeoutException) as error:
            raise Unanswered("broken_answer", f"the answer from {target.host} broke off or made no sense") from error

    async def aclose(self) -> None:
        """Close every kept connection."""
        for pool in self._pools.values():
            await pool.aclose()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        await self.aclose()

    def _pool_of(self, target: Target) -> httpcore.AsyncConnectionPool:
        """Return the connections of one origin; a pool for all would be searched whole for every request."""
        origin = (target.scheme, target.host, target.port)
        if origin not in self._pools:
            if len(self._pools) >= MAX_ORIGINS:
                self._pools = {other: pool for other, pool in self._pools.items() if pool.connections}
            self._pools[origin] = httpcore.AsyncConnectionPool(
                ssl_context=self._trust,
                max_connections=MAX_CONNECTIONS,
                keepalive_expiry=KEPT_SECONDS,
                network_backend=self._network,
            )
        return self._pools[origin]

    def _judge_url(self, url: str) -> Target:
        try:
            return parse_url(url, allow_loopback=self._allow_loopback)
        except UnacceptableUrl as error:
            raise AddressForbidden("address_forbidden", f"the URL {error}") from error

    async def _exchange(self, method: str, target: Target, headers: Mapping[str, str], body: bytes) -> Answer:
        url = httpcore.URL(scheme=target.scheme.encode(), host=target.host.encode(), port=target.port, target=target.path.encode())
        sent = {"host": _host_header(target), "accept-encoding": "identity", "content-length": str(len(body))} | {
            name.lower(): value for name, value in headers.items()
        }
        pairs = [(name.encode("ascii"), value.encode("latin-1")) for name, value in sent.items()]
        limits = {"timeout": {"connect": min(CONNECT_SECONDS, self._timeout_seconds)}}
        async with self._pool_of(target).stream(method, url, headers=pairs, content=body, extensions=limits) as response:
            received, is_cut = await _read(response)
            got = {name.decode("latin-1").lower(): value.decode("latin-1") for name, value in response.headers}
            return Answer(response.status, got, received, is_cut)


class _Judge(httpcore.AsyncNetworkBackend):
    """Opens connections only to addresses that it has judged, by address and not by name."""

    def __init__(self, resolver: Resolver, network: httpcore.AsyncNetworkBackend, *, allow_loopback: bool) -> None:
        self._resolver = resolver
        self._network = network
        self._allow_loopback = allow_loopback

    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[httpcore.SOCKET_OPTION] | None = None,
    ) -> httpcore.AsyncNetworkStream:
        """Resolve, judge every address, connect to the first that answers."""
        addresses = await self._resolve(host)
        for address in addresses:
            if not self._may_connect(address, port):
                raise AddressForbidden("address_forbidden", f"{host} leads to an address that is not public")
        *earlier, last = addresses[:MAX_TRIES]
        for address in earlier:
            with contextlib.suppress(httpcore.ConnectError, httpcore.ConnectTimeout):
                return await self._network.connect_tcp(address, port, timeout, local_address, socket_options)
        return await self._network.connect_tcp(last, port, timeout, local_address, socket_options)

    async def _resolve(self, host: str) -> list[str]:
        if is_address(host):
            return [host]
        if host == "localhost" or host.endswith(".localhost"):
            return list(LOCALHOST)
        try:
            found = list(dict.fromkeys(await self._resolver(host)))
        except (OSError, UnicodeError) as error:
            raise Unreachable("unresolved", f"the name {host} does not resolve") from error
        if not found:
            raise Unreachable("unresolved", f"the name {host} does not resolve")
        if len(found) > MAX_ADDRESSES:
            raise AddressForbidden("address_forbidden", f"{host} has more than {MAX_ADDRESSES} addresses")
        return found

    def _may_connect(self, address: str, port: int) -> bool:
        if self._allow_loopback and is_loopback(address):
            return True
        return port == HTTPS_PORT and is_public(address)


def _host_header(target: Target) -> str:
    host = f"[{target.host}]" if ":" in target.host else target.host
    default = HTTPS_PORT if target.scheme == "https" else 80
    return host if target.port == default else f"{host}:{target.port}"


async def _read(response: httpcore.Response) -> tuple[bytes, bool]:
    received = bytearray()
    async for part in response.aiter_stream():
        received += part
        if len(received) > MAX_ANSWER_BYTES:
            return bytes(received[:MAX_ANSWER_BYTES]), True
    return bytes(received), False
