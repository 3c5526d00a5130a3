"""The line to a bank: mutual TLS, and one of two words for everything that can go wrong on it."""

from __future__ import annotations

import asyncio
import dataclasses
import inspect

import aiohttp
import pytest
from foreign_bank import Certificates, Reply

from strongroom.banking.health import Health
from strongroom.banking.port import BankSilent, BankUnavailable
from strongroom.banking.transport import BROKEN, NEVER_SENT, Channel, Request, Timeouts, client_context


@pytest.fixture
async def channel(certificates):
    one = open_channel(certificates)
    yield one
    await one.close()


def open_channel(certificates: Certificates, ca: str = "ca.pem", name: str = "transport") -> Channel:
    folder = certificates.folder
    context = client_context(folder / f"{name}.pem", folder / f"{name}.key", folder / ca)
    return Channel(context, Timeouts(0.5, 1.0), Health(lambda: 0.0))


def asks(bank, path: str = "/x") -> Request:
    return Request("GET", bank.issuer + path)


def acts(bank, path: str = "/x") -> Request:
    return dataclasses.replace(asks(bank, path), method="POST", body=b"{}", acts=True)


def exceptions_of_the_library() -> list[type[Exception]]:
    found = [value for _, value in inspect.getmembers(aiohttp, inspect.isclass) if issubclass(value, Exception)]
    other_people = (aiohttp.WebSocketError, aiohttp.WSMessageTypeError, aiohttp.EofStream)
    found = [error for error in found if not issubclass(error, (*other_people, Warning))]
    assert len(found) > 20
    return found


@pytest.mark.parametrize("error", exceptions_of_the_library())
def test_every_exception_of_the_library_is_mapped(error):
    assert issubclass(error, (*NEVER_SENT, *BROKEN))


def test_only_failures_before_sending_count_as_never_sent():
    sent = (
        aiohttp.ServerDisconnectedError, aiohttp.SocketTimeoutError, aiohttp.ClientPayloadError, aiohttp.ClientOSError,
        aiohttp.ClientResponseError, aiohttp.ServerTimeoutError,
    )  # fmt: skip
    assert not any(issubclass(error, NEVER_SENT) for error in sent)


async def test_the_bank_sees_our_certificate(bank, channel, certificates):
    await channel.send(asks(bank, "/.well-known/openid-configuration"))
    assert bank.asked[0].certificate


async def test_a_bank_with_a_certificate_of_another_authority_is_never_spoken_to(bank, certificates, tmp_path):
    stranger = Certificates(tmp_path)
    (certificates.folder / "stranger.pem").write_bytes((tmp_path / "ca.pem").read_bytes())
    channel = open_channel(certificates, ca="stranger.pem")
    with pytest.raises(BankUnavailable):
        await channel.send(acts(bank))
    assert bank.asked == []
    await channel.close()
    assert stranger.folder == tmp_path


async def test_a_redirect_is_an_answer_and_not_followed(bank, other_bank, channel):
    bank.answers[("GET", "/x")] = lambda _: Reply(302, b"", {"location": f"{other_bank.issuer}/x"})
    assert (await channel.send(asks(bank))).status == 302
    assert other_bank.asked == []


async def test_a_banks_cookies_are_not_kept(bank, channel):
    bank.answers[("GET", "/x")] = lambda _: Reply(200, b"", {"set-cookie": "a=b; Path=/"})
    for _ in range(2):
        await channel.send(asks(bank))
    assert "cookie" not in bank.asked[-1].headers


async def test_proxies_of_the_environment_are_ignored(bank, certificates, monkeypatch):
    for name in ("HTTPS_PROXY", "https_proxy", "ALL_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    channel = open_channel(certificates)
    assert (await channel.send(asks(bank, "/.well-known/openid-configuration"))).status == 200
    await channel.close()


@pytest.mark.parametrize(("size", "fits"), [(1024 * 1024, True), (1024 * 1024 + 1, False)])
async def test_an_answer_of_more_than_one_mebibyte_is_given_up(bank, channel, size, fits):
    bank.answers[("GET", "/x")] = lambda _: Reply(200, b"x" * size)
    if fits:
        assert len((await channel.send(asks(bank))).body) == size
        return
    with pytest.raises(BankUnavailable):
        await channel.send(asks(bank))


async def test_an_answer_that_drips_is_given_up(certificates, channel):
    """Each byte is in time, the whole never is: only a limit over everything ends it."""

    async def drip(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: 1000\r\n\r\n")
            for _ in range(50):
                writer.write(b" ")
                await writer.drain()
                await asyncio.sleep(0.1)
        except ConnectionError:
            pass
        finally:
            writer.close()

    server = await asyncio.start_server(drip, "127.0.0.1", 0, ssl=certificates.server_context())
    url = f"https://localhost:{server.sockets[0].getsockname()[1]}/"
    began = asyncio.get_running_loop().time()
    with pytest.raises(BankSilent):
        await channel.send(Request("POST", url, body=b"{}", acts=True))
    assert asyncio.get_running_loop().time() - began < 2.5
    server.close()


async def test_a_host_that_accepts_no_connection_did_nothing(channel):
    silent = await asyncio.start_server(lambda _reader, _writer: None, "127.0.0.1", 0)
    port = silent.sockets[0].getsockname()[1]
    with pytest.raises(BankUnavailable):  # it takes the connection but never shakes hands
        await channel.send(Request("POST", f"https://localhost:{port}/", body=b"{}", acts=True))
    silent.close()


def test_bodies_and_headers_do_not_show_in_a_repr():
    assert "secret" not in repr(Request("POST", "https://bank.example/", {"authorization": "secret"}, b"secret"))
