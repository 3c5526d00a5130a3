from __future__ import annotations

import asyncio
import contextlib
import datetime as dt
import socket
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import httpcore
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from strongroom.kit.addresses import UnacceptableUrl, is_loopback, is_public, parse_url
from strongroom.kit.errors import Fault
from strongroom.kit.outbound import (
    MAX_ANSWER_BYTES,
    AddressForbidden,
    Outbound,
    Resolver,
    Unanswered,
    Unreachable,
    resolve_by_system,
)

PUBLIC = ["8.8.8.8", "1.1.1.1", "81.2.69.160", "172.15.0.1", "172.32.0.1", "100.128.0.1", "2606:4700::1111", "2a00::1"]

INSIDE = [
    # this host, private, shared, link-local, and the services that clouds answer inside
    *("0.0.0.0", "0.1.2.3", "127.0.0.1", "127.1.2.3", "127.255.255.255", "10.0.0.1", "10.255.255.255"),  # noqa: S104 - judged, not bound
    *("172.16.0.1", "172.31.255.255", "192.168.0.1", "192.168.255.255", "100.64.0.1", "100.100.100.200"),
    *("100.127.255.255", "169.254.0.1", "169.254.169.254", "169.254.170.2", "168.63.129.16", "192.0.0.192"),
    # documentation, benchmarking, relays, multicast, reserved, broadcast
    *("192.0.0.1", "192.0.2.1", "198.51.100.1", "203.0.113.1", "198.18.0.1", "198.19.255.255", "192.88.99.1"),
    *("192.31.196.1", "192.52.193.1", "192.175.48.1", "224.0.0.1", "239.255.255.255", "240.0.0.1", "255.255.255.255"),
    # IPv6: unspecified, loopback, unique local, link-local, site-local, multicast, documentation, discard
    *("::", "::1", "fc00::1", "fd00:ec2::254", "fdff::1", "fe80::1", "fe80::1%eth0", "febf::1", "fec0::1"),
    *("ff02::1", "ff05::1", "ff0e::1", "2001:db8::1", "3fff::1", "100::1", "5f00::1", "4000::1", "2001:2::1"),
    *("2001:10::1", "2001:20::1", "2620:4f:8000::1"),
    # IPv4 inside IPv6: mapped, compatible, translated, NAT64, 6to4, Teredo, ISATAP
    *("::ffff:127.0.0.1", "::ffff:10.0.0.1", "::ffff:8.8.8.8", "::ffff:a9fe:a9fe", "::127.0.0.1", "::8.8.8.8"),
    *("::ffff:0:127.0.0.1", "64:ff9b::127.0.0.1", "64:ff9b::8.8.8.8", "64:ff9b:1::10.0.0.1", "2002:7f00:1::"),
    *("2002:a00:1::1", "2002:808:808::1", "2001::1", "2001:0:7f00:1::", "2a00::5efe:10.0.0.1", "2a00::200:5efe:a00:1"),
    # no address at all
    *("", "localhost", "127.1", "2130706433", "0x7f000001", "0177.0.0.1", "8.8.8.8 ", "08.8.8.8", "::1%", "x"),
]

HOSTILE_URLS = [
    # numbers in odd bases and shapes
    *("2130706433", "0x7f000001", "0x7F.0.0.1", "0177.0.0.1", "127.1", "127.0.1", "0", "127.0.0.1.", "0x", "1.1.1.1.1"),
    *("00000177.0.0.1", "127.0.0.0x1", "3232235777", "1.2.3.256", "4294967297", "127.0.0.01", "8.8.8.08"),
    # look-alikes that some mappings turn into digits and dots
    *("①②⑦.⓪.⓪.①", "127。0。0。1", "１２７.0.0.1", "127．0．0．1", "ⓛocalhost.com", "lo\u00adcalhost.com", "𝟏27.0.0.1"),
    *("٠.٠.٠.٠", "a\u200bb.com", "exa\u0000mple.com", "example。com", "\u202eexample.com", "☃.net", "-é.com"),
    # names without a domain, broken names
    *("localhost", "LOCALHOST", "intranet", "", ".", "..", "a..b", ".com", "a.com.", "-a.com", "a-.com", "a_b%2ecom"),
    *("%6c%6f%63alhost.com", "a b.com", "a\tb.com", "a\nb.com", "a.com\r\nHost:b", "x" * 64 + ".com", "a." * 130 + "com"),
    # user names, ports, brackets, backslashes
    *("user@a.com", "a.com@127.0.0.1", "user:pass@a.com", "@a.com", "a.com:80", "a.com:8443", "a.com:22", "a.com:0"),
    *("a.com:65979", "a.com:443:443", "a.com:", "a.com:+443", "a.com:４４３", "a.com:-1", "a.com\\@127.0.0.1", "a.com\\.b"),
    *("[::1", "::1", "[::1]x", "[]", "[a.com]", "[::1%25lo]", "[::1%lo]", "[v1.a]", "[127.0.0.1]", "[::1]:80", "a[::1]"),
    *("a.com/\\x", "a.com/ x", "a.com/\x7f", "a.com/é", "a.com/#x", "a.com#@127.0.0.1/", "a.com/\r\nX:y", "a.com?\\"),
]

HOSTILE_SCHEMES = [
    *("http://a.com/", "ftp://a.com/", "file:///etc/passwd", "gopher://a.com/", "//a.com/", "a.com", "https:a.com", ""),
    *("https:///a.com", "https:/a.com", " https://a.com", "https ://a.com", "javascript://a.com/", "data://a.com", "ws://a"),
    *("unix:///run/x.sock", "https+unix://a.com", "httpſ://a.com", "https://" + "a" * 3000 + ".com"),
]


NO_TRUST = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)


def door(  # loading the usual trust for every door would make these tests slow
    *,
    allow_loopback: bool = False,
    resolver: Resolver = resolve_by_system,
    network: httpcore.AsyncNetworkBackend | None = None,
    trust: ssl.SSLContext = NO_TRUST,
    timeout_seconds: float = 5,
) -> Outbound:
    return Outbound(allow_loopback=allow_loopback, resolver=resolver, network=network, trust=trust, timeout_seconds=timeout_seconds)


class Dialled(Exception):
    """The network was asked to connect; no test lets it."""


@dataclass
class Network(httpcore.AsyncNetworkBackend):
    """Opens nothing, or a real connection to wherever a test says, and remembers what it was asked for."""

    asked: list[tuple[str, int]] = field(default_factory=list)
    leads_to: int | None = None  # a local port
    refuses: tuple[str, ...] = ()
    timeouts: list[float | None] = field(default_factory=list)

    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,  # noqa: ARG002 - the signature is httpcore's
        socket_options: Iterable[httpcore.SOCKET_OPTION] | None = None,  # noqa: ARG002 - the signature is httpcore's
    ) -> httpcore.AsyncNetworkStream:
        self.asked.append((host, port))
        self.timeouts.append(timeout)
        if host in self.refuses:
            raise httpcore.ConnectError
        if self.leads_to is None:
            raise Dialled
        return await httpcore.AnyIOBackend().connect_tcp("127.0.0.1", self.leads_to, timeout)


def resolving(*answers: Sequence[str]) -> Callable[[str], Awaitable[Sequence[str]]]:
    """Resolve to the first answer at the first look, then to the next; the last one stays."""
    left = list(answers)

    async def resolve(host: str) -> Sequence[str]:
        return left.pop(0) if len(left) > 1 else left[0]

    return resolve


async def test_public_addresses_are_dialled_so_the_other_tests_can_fail() -> None:
    for address in PUBLIC:
        network = Network()
        async with door(resolver=resolving([address]), network=network) as outbound:
            with pytest.raises(Dialled):
                await outbound.send("POST", "https://hooks.example.com/x")
        assert network.asked == [(address, 443)]


@pytest.mark.parametrize("address", INSIDE)
async def test_a_name_that_leads_inside_opens_no_connection(address: str) -> None:
    network = Network()
    for answer in ([address], [*PUBLIC, address], [address, *PUBLIC]):
        async with door(resolver=resolving(answer), network=network) as outbound:
            with pytest.raises(AddressForbidden):
                await outbound.send("POST", "https://hooks.example.com/")
    assert network.asked == []


@pytest.mark.parametrize("address", INSIDE)
async def test_an_inside_address_written_in_the_url_opens_no_connection(address: str) -> None:
    host = f"[{address}]" if ":" in address else address
    network = Network()
    async with door(resolver=resolving(["10.0.0.1"]), network=network) as outbound:
        with pytest.raises(AddressForbidden):
            await outbound.send("POST", f"https://{host}/")
    assert network.asked == []


@pytest.mark.parametrize("rest", HOSTILE_URLS)
async def test_a_hostile_url_is_refused_before_any_look(rest: str) -> None:
    url = f"https://{rest}" if "/" in rest else f"https://{rest}/"
    await assert_refused_unseen(url)


@pytest.mark.parametrize("url", HOSTILE_SCHEMES)
async def test_only_https_is_called(url: str) -> None:
    await assert_refused_unseen(url)


async def assert_refused_unseen(url: str) -> None:
    looked, network = [], Network()

    async def resolve(host: str) -> Sequence[str]:
        looked.append(host)
        return ["8.8.8.8"]

    async with door(resolver=resolve, network=network) as outbound:
        with pytest.raises(AddressForbidden) as caught:
            await outbound.send("POST", url)
    assert caught.value.message.startswith("the URL ")
    assert (looked, network.asked) == ([], [])
    with pytest.raises(UnacceptableUrl):
        parse_url(url)


def test_addresses_are_told_apart() -> None:
    assert len(set(INSIDE)) >= 70
    assert all(is_public(address) for address in PUBLIC)
    assert not any(is_public(address) for address in INSIDE)
    assert [address for address in INSIDE if is_loopback(address)] == ["127.0.0.1", "127.1.2.3", "127.255.255.255", "::1"]


def test_a_refusal_says_what_is_wrong_and_never_repeats_a_password() -> None:
    with pytest.raises(UnacceptableUrl, match="user name or password") as caught:
        parse_url("https://user:secret@a.com/")
    assert "secret" not in str(caught.value)


def test_usual_urls_are_taken_apart() -> None:
    target = parse_url("HTTPS://Hooks.Example.com:443/a/b?c=d&e=%20f")
    assert (target.scheme, target.host, target.port, target.path) == ("https", "hooks.example.com", 443, "/a/b?c=d&e=%20f")
    assert parse_url("https://bücher.example?x").host == "xn--bcher-kva.example"
    assert parse_url("https://bücher.example?x").path == "/?x"
    assert parse_url("https://[2606:4700::1111]/").host == "2606:4700::1111"
    assert parse_url("https://8.8.8.8").path == "/"


async def test_a_name_that_changes_its_mind_is_connected_to_what_was_judged() -> None:
    network = Network()
    rebinding = resolving(["8.8.8.8"], ["127.0.0.1"])
    async with door(resolver=rebinding, network=network) as outbound:
        with pytest.raises(Dialled):
            await outbound.send("POST", "https://rebind.example.com/")
        with pytest.raises(AddressForbidden):
            await outbound.send("POST", "https://rebind.example.com/")
    assert network.asked == [("8.8.8.8", 443)]


async def test_the_second_address_is_tried_when_the_first_refuses() -> None:
    network = Network(refuses=("8.8.8.8", "2a00::1"))
    async with door(resolver=resolving(["8.8.8.8", "1.1.1.1"]), network=network) as outbound:
        with pytest.raises(Dialled):
            await outbound.send("GET", "https://two.example.com/")
    async with door(resolver=resolving(["8.8.8.8", "2a00::1", "1.1.1.1"]), network=network) as outbound:
        with pytest.raises(Unreachable):
            await outbound.send("GET", "https://three.example.com/")
    assert [host for host, _ in network.asked] == ["8.8.8.8", "1.1.1.1", "8.8.8.8", "2a00::1"]
    assert network.timeouts == [5.0] * 4


async def test_a_name_without_or_with_too_many_addresses_is_not_connected() -> None:
    async def fail(host: str) -> Sequence[str]:
        raise socket.gaierror

    for resolver, refusal in (
        (fail, Unreachable),
        (resolving([]), Unreachable),
        (resolving([f"8.8.8.{i}" for i in range(17)]), AddressForbidden),
    ):
        async with door(resolver=resolver, network=Network()) as outbound:
            with pytest.raises(refusal):
                await outbound.send("GET", "https://none.example.com/")


Handler = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


@dataclass
class Server:
    port: int
    requests: list[bytes]


@contextlib.asynccontextmanager
async def serving(answer: bytes | Handler, *, tls: ssl.SSLContext | None = None, host: str = "127.0.0.1") -> AsyncIterator[Server]:
    """Serve one kind of answer on a real socket; count every connection, even one that says nothing."""
    found = Server(0, [])

    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        place = len(found.requests)
        found.requests.append(b"")
        with contextlib.suppress(asyncio.IncompleteReadError, ConnectionError, ssl.SSLError):
            found.requests[place] = await reader.readuntil(b"\r\n\r\n")
            if isinstance(answer, bytes):
                writer.write(answer)
                await writer.drain()
            else:
                await answer(reader, writer)
        writer.close()

    server = await asyncio.start_server(handle, host, 0, ssl=tls)
    found.port = server.sockets[0].getsockname()[1]
    try:
        yield found
    finally:
        server.close()


OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nX-Kind: real\r\nConnection: close\r\n\r\nok"


async def test_development_reaches_localhost_and_production_does_not() -> None:
    async with serving(OK) as server, door(allow_loopback=True) as outbound:
        for host in ("127.0.0.1", "localhost", "hooks.localhost"):
            answer = await outbound.send("POST", f"http://{host}:{server.port}/x?y", headers={"X-A": "b"}, body=b"{}")
            assert (answer.status, answer.headers["x-kind"], answer.body) == (200, "real", b"ok")
        assert server.requests[0].startswith(b"POST /x?y HTTP/1.1\r\n")
        assert f"host: 127.0.0.1:{server.port}\r\n".encode() in server.requests[0].lower()
        assert b"\r\nx-a: b\r\n" in server.requests[0].lower()
        async with Outbound() as production:
            for host in ("127.0.0.1", "localhost", "hooks.localhost"):
                for scheme in ("http", "https"):
                    with pytest.raises(AddressForbidden):
                        await production.send("POST", f"{scheme}://{host}:{server.port}/")
        assert len(server.requests) == 3


ODD_LOOPBACK = [
    *("[::ffff:127.0.0.1]", "[::ffff:7f00:1]", "0.0.0.0", "[::]", "2130706433", "0x7f.1", "0x7f000001", "127.1"),  # noqa: S104 - dialled, not bound
    *("0177.0.0.1", "0", "①②⑦.0.0.1", "127。0。0。1", "user@127.0.0.1", "[::127.0.0.1]", "[64:ff9b::7f00:1]"),
]


@pytest.mark.parametrize("host", ODD_LOOPBACK)
async def test_even_development_refuses_other_spellings_of_this_host(host: str) -> None:
    async with serving(OK, host="0.0.0.0") as server, door(allow_loopback=True) as outbound:  # noqa: S104 - so that each spelling would arrive
        with pytest.raises(AddressForbidden):
            await outbound.send("GET", f"http://{host}:{server.port}/")
        assert server.requests == []


async def test_the_spellings_would_arrive_so_the_test_above_can_fail() -> None:
    arrived = []
    async with serving(OK, host="0.0.0.0") as server:  # noqa: S104 - the control of the test above
        for host in ("::ffff:127.0.0.1", "0.0.0.0", "2130706433", "0x7f.1", "127.1", "0"):  # noqa: S104 - an address to dial
            with contextlib.suppress(OSError):
                _, writer = await asyncio.open_connection(host, server.port)
                arrived.append(host)
                writer.close()
    assert len(arrived) >= 4


async def test_development_over_http_still_keeps_to_loopback() -> None:
    network = Network()
    async with door(allow_loopback=True, resolver=resolving(["8.8.8.8"]), network=network) as outbound:
        for url in ("http://a.example.com/", "http://a.example.com:8080/", "https://a.example.com:8443/"):
            with pytest.raises(AddressForbidden):
                await outbound.send("GET", url)
    for address in ("10.0.0.1", "169.254.169.254", "::ffff:127.0.0.1"):
        async with door(allow_loopback=True, resolver=resolving([address]), network=network) as outbound:
            with pytest.raises(AddressForbidden):
                await outbound.send("GET", "https://a.example.com/")
    assert network.asked == []


async def test_a_redirect_is_an_answer_and_is_not_followed() -> None:
    async with serving(OK) as inside:
        moved = f"HTTP/1.1 307 Moved\r\nLocation: http://127.0.0.1:{inside.port}/\r\nContent-Length: 0\r\n\r\n".encode()
        async with serving(moved) as server, door(allow_loopback=True) as outbound:
            answer = await outbound.send("POST", f"http://127.0.0.1:{server.port}/")
        assert answer.status == 307
        assert inside.requests == []


async def test_proxies_of_the_environment_are_not_used(monkeypatch: pytest.MonkeyPatch) -> None:
    async with serving(OK) as proxy, serving(OK) as server:
        for name in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "http_proxy", "https_proxy", "all_proxy"):
            monkeypatch.setenv(name, f"http://127.0.0.1:{proxy.port}")
        async with door(allow_loopback=True) as outbound:
            await outbound.send("GET", f"http://127.0.0.1:{server.port}/")
        assert (len(proxy.requests), len(server.requests)) == (0, 1)


@pytest.mark.parametrize("head", ["Content-Length: 10000000", "Transfer-Encoding: chunked", "X-Until: the end"])
async def test_a_long_answer_is_cut(head: str) -> None:
    async def pour(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(f"HTTP/1.1 200 OK\r\n{head}\r\n\r\n".encode())
        for _ in range(1000):
            writer.write((b"2710\r\n" if "chunked" in head else b"") + b"x" * 10_000 + (b"\r\n" if "chunked" in head else b""))
            await writer.drain()

    async with serving(pour) as server, door(allow_loopback=True) as outbound:
        answer = await outbound.send("GET", f"http://127.0.0.1:{server.port}/")
    assert answer.is_cut
    assert answer.body == b"x" * MAX_ANSWER_BYTES


async def test_a_compressed_answer_is_not_unpacked() -> None:
    bomb = b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 4\r\nConnection: close\r\n\r\n\x1f\x8b\x08\x00"
    async with serving(bomb) as server, door(allow_loopback=True) as outbound:
        answer = await outbound.send("GET", f"http://127.0.0.1:{server.port}/")
    assert answer.body == b"\x1f\x8b\x08\x00"
    assert b"accept-encoding: identity" in server.requests[0].lower()


async def say_nothing(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await reader.read()


async def drip(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n")
    for _ in range(1000):
        writer.write(b"x")
        await writer.drain()
        await asyncio.sleep(0.02)


async def drip_headers(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while True:
        writer.write(b"HTTP/1.1 100 Continue\r\n\r\n")
        await writer.drain()
        await asyncio.sleep(0.02)


@pytest.mark.parametrize("handler", [say_nothing, drip, drip_headers])
async def test_the_whole_exchange_has_one_limit_of_time(handler: Handler) -> None:
    started = asyncio.get_running_loop().time()
    async with serving(handler) as server, door(allow_loopback=True, timeout_seconds=0.3) as outbound:
        with pytest.raises(Unanswered) as caught:
            await outbound.send("GET", f"http://127.0.0.1:{server.port}/")
    assert caught.value.code == "timed_out"
    assert asyncio.get_running_loop().time() - started < 3


async def test_a_resolver_that_hangs_is_limited_too() -> None:
    async def hang(host: str) -> Sequence[str]:
        await asyncio.sleep(60)
        return ["8.8.8.8"]

    async with door(resolver=hang, timeout_seconds=0.1, network=Network()) as outbound:
        with pytest.raises(Unanswered):
            await outbound.send("GET", "https://slow.example.com/")


@pytest.mark.parametrize(
    "answer",
    [
        b"",
        b"\x15\x03\x01garbage\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\nConnection: close\r\n\r\nhalf",
        b"HTTP/1.1 200 OK\r\n" + b"X-Long: " + b"x" * 200_000 + b"\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n",
        b"HTTP/1.1 999999 OK\r\n\r\n",
    ],
)
async def test_an_answer_that_makes_no_sense_is_no_answer(answer: bytes) -> None:
    async with serving(answer) as server, door(allow_loopback=True) as outbound:
        with pytest.raises(Unanswered) as caught:
            await outbound.send("GET", f"http://127.0.0.1:{server.port}/")
    assert "garbage" not in str(caught.value)


async def test_a_closed_port_is_unreachable() -> None:
    async with serving(OK) as server:
        port = server.port
    async with door(allow_loopback=True) as outbound:
        with pytest.raises(Unreachable):
            await outbound.send("GET", f"http://127.0.0.1:{port}/")


async def test_headers_cannot_be_split() -> None:
    async with serving(OK) as server, door(allow_loopback=True) as outbound:
        with pytest.raises(Fault):
            await outbound.send("GET", f"http://127.0.0.1:{server.port}/", headers={"x-a": "b\r\nx-c: d"})
    assert not any(b"x-c" in request for request in server.requests)


@dataclass
class Certified:
    server: ssl.SSLContext
    trust: ssl.SSLContext


@pytest.fixture(scope="module")
def certified(tmp_path_factory: pytest.TempPathFactory) -> Certified:
    """Return a server's TLS for hooks.example.com, signed by itself, and a trust in exactly that."""
    folder: Path = tmp_path_factory.mktemp("tls")
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "hooks.example.com")])
    now = dt.datetime.now(dt.UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - dt.timedelta(days=1))
        .not_valid_after(now + dt.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("hooks.example.com")]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    pem = folder / "server.pem"
    pem.write_bytes(
        certificate.public_bytes(serialization.Encoding.PEM)
        + key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )
    server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server.load_cert_chain(pem)
    return Certified(server, ssl.create_default_context(cafile=str(pem)))


async def test_tls_verifies_the_name_though_the_connection_is_by_address(certified: Certified) -> None:
    async with serving(OK, tls=certified.server) as server:
        network = Network(leads_to=server.port)
        async with door(resolver=resolving(["8.8.8.8"]), network=network, trust=certified.trust) as outbound:
            answer = await outbound.send("POST", "https://hooks.example.com/in", body=b"x")
            assert answer.body == b"ok"
            with pytest.raises(Unreachable):
                await outbound.send("POST", "https://other.example.com/in", body=b"x")
            with pytest.raises(Unreachable):
                await outbound.send("POST", "https://8.8.8.8/in", body=b"x")
        async with Outbound(resolver=resolving(["8.8.8.8"]), network=network) as untrusting:
            with pytest.raises(Unreachable):
                await untrusting.send("POST", "https://hooks.example.com/in", body=b"x")
    assert [request[:8] for request in server.requests if request] == [b"POST /in"]
    assert b"host: hooks.example.com\r\n" in server.requests[0].lower()


async def test_a_kept_connection_is_used_again() -> None:
    async def twice(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 204 OK\r\n\r\n")

    async with serving(twice) as server, door(allow_loopback=True) as outbound:
        statuses = [(await outbound.send("GET", f"http://127.0.0.1:{server.port}/")).status for _ in range(2)]
    assert statuses == [200, 204]
    assert len(server.requests) == 1


async def test_a_cancelled_call_leaves_the_door_usable() -> None:
    async with serving(say_nothing) as silent, serving(OK) as server, door(allow_loopback=True) as outbound:
        task = asyncio.create_task(outbound.send("GET", f"http://127.0.0.1:{silent.port}/"))
        await asyncio.sleep(0.05)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert (await outbound.send("GET", f"http://127.0.0.1:{server.port}/")).status == 200
