"""Prism, a validating proxy of the official documents, between the connector and the model bank.

Prism speaks plain HTTP on both sides and the bank mutual TLS, so there are two small listeners of ours around it: a front that the
connector calls by HTTPS, and a back that calls the bank with the client's certificate. Neither changes a byte. Prism says in
`sl-violations` what was off the document, of the request and of the answer alike; the front keeps that. One Prism a document serves
every bank: the front names the bank in a header, which Prism passes on, and the back takes it off again.

`python -m tests.banking.validating_proxy FOLDER RECORD` stands between a running product and its model bank until it is ended: the
directory file in the folder leads through it, and the record gets a line for each call.
"""

from __future__ import annotations

import asyncio
import json
import os
import signal
import ssl
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import aiohttp
from aiohttp import web
from yarl import URL

from tests.modelbank.conftest import free_port
from tests.modelbank.test_official_shapes import DOCUMENTS
from tests.rules.source import ROOT

PRISM = ROOT / "tests" / "node" / "node_modules" / "@stoplight" / "prism-cli" / "dist" / "index.js"
FACES = {"pisp": "payment-initiation", "aisp": "account-info"}
STARTS_WITHIN_SECONDS = 60.0
Handler = Callable[[web.BaseRequest], Awaitable[web.StreamResponse]]
UNAVAILABLE = 503  # the bank that a test took down, which no document has; and a web page is the quirk of one that answers in HTML
BANK = "x-validated-bank"
_OF_ONE_HOP = frozenset({"connection", "content-length", "host", "keep-alive", "transfer-encoding", "accept-encoding"})


@dataclass
class Seen:
    """What passed through, and what Prism found wrong with it; with a record, both are lines of that file too."""

    passed: list[str] = field(default_factory=list)
    violations: list[str] = field(default_factory=list)
    record: Path | None = None

    def note(self, call: str, found: str | None, *, is_spoilt: bool) -> None:
        """Keep a call, and what was off the document. In a spoilt answer everything may be, in the request nothing."""
        self.passed.append(call)
        off = [one for one in json.loads(found or "[]") if one["location"][0] == "request" or not is_spoilt]
        if off:
            self.violations.append(f"{call}: {json.dumps(off)}")
        if self.record:
            with self.record.open("a") as file:
                file.write(json.dumps({"call": call, "off": off}) + "\n")


@asynccontextmanager
async def validating(folder: Path) -> AsyncIterator[tuple[Path, Seen]]:
    """Start Prism for the first model bank enrolled in a folder; yield a directory file that leads through it, and what it saw."""
    directory = json.loads((folder / "tpp.json").read_text())
    seen, front = Seen(), free_port()
    banks = [bank for bank in directory["banks"] if bank["id"] == "mulberry"]
    through = folder / "through-prism.json"
    through.write_text(json.dumps({**directory, "banks": _led_through(banks, front)}))
    async with _standing_between(folder, banks, front, seen):
        yield through, seen


def _led_through(banks: Iterable[dict[str, Any]], front: int) -> list[dict[str, Any]]:
    return [{**bank, "resource_base": f"https://localhost:{front}/{bank['id']}"} for bank in banks]


@asynccontextmanager
async def _standing_between(folder: Path, banks: Iterable[dict[str, Any]], front: int, seen: Seen) -> AsyncIterator[None]:
    async with AsyncExitStack() as stack:
        to_bank = await stack.enter_async_context(_session(folder))
        plain = await stack.enter_async_context(aiohttp.ClientSession(auto_decompress=False))
        prisms = {}
        for face, document in FACES.items():
            upstreams = {bank["id"]: f"{bank['issuer']}/open-banking/v4.0/{face}" for bank in banks}
            back = free_port()
            await stack.enter_async_context(_listening(back, _behind(to_bank, upstreams), None))
            prisms[face] = await stack.enter_async_context(
                prism(DOCUMENTS / f"{document}-openapi-v4.0.json", f"http://localhost:{back}")
            )
        served = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        served.load_cert_chain(folder / "server.crt", folder / "server.key")
        await stack.enter_async_context(_listening(front, _before(plain, prisms, seen), served))
        yield


def _session(folder: Path) -> aiohttp.ClientSession:
    context = ssl.create_default_context(cafile=str(folder / "ca.crt"))
    context.load_cert_chain(folder / "tpp-transport.crt", folder / "tpp-transport.key")
    return aiohttp.ClientSession(connector=aiohttp.TCPConnector(ssl=context), auto_decompress=False)


def _before(client: aiohttp.ClientSession, prisms: Mapping[str, str], seen: Seen) -> Handler:
    """Return a handler that gives a request to the Prism of its document: the path is `/BANK/FACE/…`."""

    async def forward(request: web.BaseRequest) -> web.StreamResponse:
        _, bank, face, rest = request.raw_path.split("/", 3)
        answer = await _passed_on(client, request, f"{prisms[face]}/{rest}", {BANK: bank})
        spoilt = answer.status == UNAVAILABLE or answer.content_type == "text/html"
        seen.note(f"{request.method} {request.path} {answer.status}", answer.headers.get("sl-violations"), is_spoilt=spoilt)
        return answer

    return forward


def _behind(client: aiohttp.ClientSession, upstreams: Mapping[str, str]) -> Handler:
    """Return a handler that gives a request to the bank."""

    async def forward(request: web.BaseRequest) -> web.StreamResponse:
        return await _passed_on(client, request, upstreams[request.headers[BANK]] + request.raw_path, {})

    return forward


async def _passed_on(client: aiohttp.ClientSession, request: web.BaseRequest, url: str, more: Mapping[str, str]) -> web.Response:
    """Pass a request on, byte for byte, and its answer back; a lost connection is lost for the caller too."""
    left_out = _OF_ONE_HOP | {BANK}
    headers = {name: value for name, value in request.headers.items() if name.lower() not in left_out}
    body = await request.read()
    target = URL(url, encoded=True)
    try:
        async with client.request(request.method, target, headers={**headers, **more}, data=body or None) as answer:
            content = await answer.read()
    except aiohttp.ClientError:
        if request.transport:
            request.transport.abort()
        raise
    kept = {name: value for name, value in answer.headers.items() if name.lower() not in _OF_ONE_HOP}
    return web.Response(status=answer.status, headers=kept, body=content)


@asynccontextmanager
async def _listening(port: int, handler: Handler, tls: ssl.SSLContext | None) -> AsyncIterator[None]:
    runner = web.ServerRunner(web.Server(handler))
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", port, ssl_context=tls).start()
    yield
    await runner.cleanup()


@asynccontextmanager
async def prism(document: Path, upstream: str, *options: str) -> AsyncIterator[str]:
    """Run Prism between the caller and an upstream; yield its address."""
    port = free_port()
    node = str(Path(sys.executable).with_name("node"))
    command = [node, str(PRISM), "proxy", str(document), upstream, "--port", str(port), *options]
    quiet = asyncio.subprocess.DEVNULL
    process = await asyncio.create_subprocess_exec(
        *command, "--verboseLevel", "fatal", stdout=quiet, stderr=quiet, start_new_session=True
    )
    try:
        await asyncio.wait_for(_answering(port), STARTS_WITHIN_SECONDS)
        yield f"http://127.0.0.1:{port}"
    finally:
        os.killpg(process.pid, signal.SIGTERM)  # node is a child of the program that starts it
        await process.wait()


async def _answering(port: int) -> None:
    while True:
        try:
            _, writer = await asyncio.open_connection("127.0.0.1", port)
        except OSError:
            await asyncio.sleep(0.1)
        else:
            writer.close()
            return


async def _serve(folder: Path, record: Path) -> None:
    """Lead every bank of a running product through Prism, until ended. The product reads its directory again by itself."""
    file, front, ended = folder / "tpp.json", free_port(), asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, ended.set)
    directory = json.loads(file.read_text())
    fresh = file.with_suffix(".through")
    fresh.write_text(json.dumps({**directory, "banks": _led_through(directory["banks"], front)}))
    fresh.chmod(0o600)
    fresh.replace(file)
    async with _standing_between(folder, directory["banks"], front, Seen(record=record)):
        await asyncio.to_thread(record.touch)
        await ended.wait()


if __name__ == "__main__":
    asyncio.run(_serve(Path(sys.argv[1]), Path(sys.argv[2])))
