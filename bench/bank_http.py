"""Compare HTTP clients for a bank: a JSON POST over mutual TLS to a server on this machine.

python bench/bank_http.py [--calls 2000] [--at-once 8]
"""

from __future__ import annotations

import argparse
import asyncio
import multiprocessing
import resource
import socket
import ssl
import statistics
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp
import httpcore
import httpx
import uvicorn

sys.path.insert(0, str(Path(__file__).parents[1] / "tests" / "banking"))

from foreign_bank import Certificates

Post = Callable[[], Awaitable[int]]
BODY = b'{"Data":{"Initiation":{' + b",".join(b'"Field%d":"value"' % n for n in range(60)) + b"}}}"
ANSWER = BODY * 2
ROUNDS = 5


async def answer(scope: Any, receive: Any, send: Any) -> None:
    if scope["type"] != "http":
        return
    while (await receive()).get("more_body"):
        pass
    headers = [(b"content-type", b"application/json"), (b"content-length", str(len(ANSWER)).encode())]
    await send({"type": "http.response.start", "status": 201, "headers": headers})
    await send({"type": "http.response.body", "body": ANSWER})


def serve(folder: str, port: int) -> None:
    uvicorn.run(
        answer,
        port=port,
        log_level="error",
        ssl_certfile=f"{folder}/server.pem",
        ssl_keyfile=f"{folder}/server.key",
        ssl_ca_certs=f"{folder}/ca.pem",
        ssl_cert_reqs=ssl.CERT_REQUIRED,
        timeout_keep_alive=60,
    )


def context(folder: Path) -> ssl.SSLContext:
    made = ssl.create_default_context(cafile=str(folder / "ca.pem"))
    made.load_cert_chain(folder / "transport.pem", folder / "transport.key")
    return made


@asynccontextmanager
async def with_httpx(tls: ssl.SSLContext, url: str) -> AsyncIterator[Post]:
    async with httpx.AsyncClient(verify=tls, trust_env=False) as client:

        async def post() -> int:
            async with client.stream("POST", url, content=BODY, headers={"content-type": "application/json"}) as reply:
                return sum([len(part) async for part in reply.aiter_raw()])

        yield post


@asynccontextmanager
async def with_httpcore(tls: ssl.SSLContext, url: str) -> AsyncIterator[Post]:
    """Time the layer beneath httpx by itself, to see where its time goes."""
    async with httpcore.AsyncConnectionPool(ssl_context=tls, max_connections=50) as pool:

        async def post() -> int:
            headers = {"host": "localhost", "content-type": "application/json", "content-length": str(len(BODY))}
            async with pool.stream("POST", url, headers=headers, content=BODY) as reply:
                return sum([len(part) async for part in reply.aiter_stream()])

        yield post


@asynccontextmanager
async def with_aiohttp(tls: ssl.SSLContext, url: str) -> AsyncIterator[Post]:
    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(ssl=tls), auto_decompress=False) as client:

        async def post() -> int:
            async with client.post(url, data=BODY, headers={"content-type": "application/json"}) as reply:
                return sum([len(part) async for part in reply.content.iter_any()])

        yield post


async def measure(make: Any, tls: ssl.SSLContext, url: str, calls: int, at_once: int) -> tuple[float, float, float]:
    """Return calls a second, the median in ms, and this process's CPU per call in µs."""
    times: list[float] = []

    async def caller(post: Post) -> None:
        for _ in range(calls // at_once):
            began = time.perf_counter()
            assert await post() == len(ANSWER)
            times.append(time.perf_counter() - began)

    async with make(tls, url) as post:
        await asyncio.gather(*(post() for _ in range(at_once)))  # connections made
        cpu, began = cpu_seconds(), time.perf_counter()
        await asyncio.gather(*(caller(post) for _ in range(at_once)))
        took, burnt = time.perf_counter() - began, cpu_seconds() - cpu
    return len(times) / took, statistics.median(times) * 1e3, burnt / len(times) * 1e6


async def measure_first(make: Any, tls: ssl.SSLContext, url: str) -> float:
    """Return the median in ms of a first call: a new connection with its handshake."""
    times = []
    for _ in range(30):
        async with make(tls, url) as post:
            began = time.perf_counter()
            await post()
            times.append(time.perf_counter() - began)
    return statistics.median(times) * 1e3


def cpu_seconds() -> float:
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def wait_until_open(port: int) -> None:
    while True:
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.05)


def main() -> None:
    options = argparse.ArgumentParser()
    options.add_argument("--calls", type=int, default=2000)
    options.add_argument("--at-once", type=int, default=8)
    chosen = options.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        Certificates(folder)
        port = free_port()
        server = multiprocessing.get_context("spawn").Process(target=serve, args=(name, port), daemon=True)
        server.start()
        wait_until_open(port)
        url, tls = f"https://localhost:{port}/", context(folder)
        print(f"{len(BODY)} bytes sent, {len(ANSWER)} back, {chosen.at_once} at once, medians of {ROUNDS}")
        for label, make in (
            (f"httpx {httpx.__version__}", with_httpx),
            (f"httpcore {httpcore.__version__}", with_httpcore),
            (f"aiohttp {aiohttp.__version__}", with_aiohttp),
        ):
            rounds = [asyncio.run(measure(make, tls, url, chosen.calls, chosen.at_once)) for _ in range(ROUNDS)]
            rate, middle, cpu = (statistics.median(column) for column in zip(*rounds, strict=True))
            first = asyncio.run(measure_first(make, tls, url))
            print(f"{label:16} {rate:7.0f} calls/s  p50 {middle:6.2f} ms  {cpu:6.0f} µs CPU/call  first call {first:6.2f} ms")
        server.terminate()
        server.join()


if __name__ == "__main__":
    main()
