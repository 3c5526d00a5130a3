"""Requests that are too large beside their body, or too slow: answered shortly, and nothing of them is kept."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator, Iterable
from typing import Any

import pytest
import uvicorn

from strongroom.kit.arrival import HEAD_BYTES_MAX, BoundedProtocol
from strongroom.kit.listener import Follower

START = b"POST / HTTP/1.1\r\nHost: x\r\n"
CHUNKED = START + b"Transfer-Encoding: chunked\r\n\r\n"
MEGABYTE = 1_000_000


class Hasty(BoundedProtocol):
    arrival_seconds = 1.0


async def count_body(_scope: Any, receive: Any, send: Any) -> None:
    """Answer with the size of the body."""
    size, more = 0, True
    while more:
        message = await receive()
        if message["type"] == "http.disconnect":
            return
        size, more = size + len(message.get("body", b"")), message.get("more_body", False)
    text = str(size).encode()
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", str(len(text)).encode())]})
    await send({"type": "http.response.body", "body": text})


@pytest.fixture
async def port() -> AsyncIterator[int]:
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        server = Follower(uvicorn.Config(count_body, http=Hasty, log_config=None, lifespan="off", ws="none"))
        running = asyncio.create_task(server.serve([listening]))
        while not server.started:  # noqa: ASYNC110  # the server's own mark, there is no event
            await asyncio.sleep(0.01)
        yield listening.getsockname()[1]
        server.should_exit = True
        await running


async def say(port: int, parts: Iterable[bytes]) -> tuple[str, int]:
    """Send what is taken of the parts; return the first line of the answer and its end, and how many bytes were taken."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    taken, answer = 0, b""
    try:
        for part in parts:
            writer.write(part)
            await writer.drain()
            taken += len(part)
        answer = await asyncio.wait_for(reader.read(4096), 5)
    except ConnectionError:
        pass
    finally:
        writer.close()
    return answer.decode().partition("\r\n")[0].removeprefix("HTTP/1.1 ") + answer.decode()[-3:].strip(), taken


async def test_a_request_of_the_usual_kind_is_answered_and_the_connection_goes_on(port: int) -> None:
    whole = START + b"X-Token: " + b"a" * 16_000 + b"\r\nContent-Length: 3\r\n\r\nabc"
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    for _ in range(12):  # more than one head's worth in all
        writer.write(whole)
        assert (await reader.readuntil(b"\r\n\r\n")).startswith(b"HTTP/1.1 200")
        assert await reader.readexactly(1) == b"3"
    writer.close()


async def test_a_large_body_counts_for_nothing_here_however_it_is_sent(port: int) -> None:
    body = b"b" * 4_000_000
    assert (await say(port, [START + b"Content-Length: 4000000\r\n\r\n", body]))[0] == "200 OK000"
    chunks = b"".join(b"f4240\r\n" + b"c" * MEGABYTE + b"\r\n" for _ in range(4))
    assert (await say(port, [CHUNKED, chunks, b"0\r\n\r\n"]))[0] == "200 OK000"


@pytest.mark.parametrize(
    "parts",
    [
        [START, *[b"X: " + b"a" * 8_000 + b"\r\n"] * 5_000],
        [START + b"X: ", *[b"a" * 8_000] * 5_000],
        [START + b"X: " + b"a" * (HEAD_BYTES_MAX + 1) + b"\r\n\r\n"],
        [CHUNKED + b"3\r\nabc\r\n0\r\n", *[b"X: " + b"a" * 8_000 + b"\r\n"] * 5_000],
        [CHUNKED + b"3\r\nabc\r\n0\r\nX: ", *[b"a" * 8_000] * 5_000],
        [CHUNKED + b"3;x=", *[b"a" * 8_000] * 5_000],
    ],
    ids=[
        "many headers",
        "a header without an end",
        "one header at once",
        "trailers",
        "a trailer without an end",
        "a chunk's extension",
    ],
)
async def test_what_is_no_body_is_taken_up_to_a_limit_and_no_more_is_read(port: int, parts: list[bytes]) -> None:
    answer, taken = await say(port, parts)
    assert answer[:3] in ("431", "400", "")  # nothing where the connection was closed before the answer was read
    assert taken < 20_000_000 or len(parts) == 1


@pytest.mark.parametrize("parts", [[], [b"POST"], [START], [START + b"Content-Length: 9\r\n\r\nabc"]])
async def test_a_request_that_does_not_come_is_not_waited_for(port: int, parts: list[bytes]) -> None:
    answer, _ = await say(port, parts)
    assert answer.startswith("408")


async def test_a_request_that_trickles_in_is_not_waited_for_longer(port: int) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    for part in (b"P", b"O", b"S", b"T", b" "):
        writer.write(part)
        await asyncio.sleep(0.3)
    assert (await reader.read(12)) == b"HTTP/1.1 408"
    writer.close()
