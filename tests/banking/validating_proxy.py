"""Prism, a validating proxy of the official documents, between the connector and the model bank.

Prism speaks plain HTTP on both sides and the bank mutual TLS, so there are two small listeners of ours around it: a front that the
connector calls by HTTPS, and a back that calls the bank with the client's certificate. Neither changes a byte. Prism says in
`sl-violations` what was off the document, of the request and of the answer alike; the front keeps that.
"""

from __future__ import annotations

import asyncio
import json
import os
import signal
import ssl
import sys
from collections.abc import AsyncIterator, Mapping
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
_OF_ONE_HOP = frozenset({"connection", "content-length", "host", "keep-alive", "transfer-encoding", "accept-encoding"})


@dataclass
class Seen:
    """What passed through, and what Prism found wrong with it."""

    passed: list[str] = field(default_factory=list)
    violations: list[str] = field(default_factory=list)


@asynccontextmanager
async def validating(folder: Path) -> AsyncIterator[tuple[Path, Seen]]:
    """Start Prism for the model bank enrolled in a folder; yield a directory file that leads through it, and what it saw."""
    directory = json.loads((folder / "tpp.json").read_text())
    [mulberry] = [bank for bank in directory["banks"] if bank["id"] == "mulberry"]
    seen = Seen()
    async with AsyncExitStack() as stack:
        to_bank = await stack.enter_async_context(_session(folder))
        plain = await stack.enter_async_context(aiohttp.ClientSession(auto_decompress=False))
        prisms = {}
        for face, document in FACES.items():
            upstream = f"{mulberry['issuer']}/open-banking/v4.0/{face}"
            back = await stack.enter_async_context(_listening(_forwarder(to_bank, {"": upstream}, None), None))
            prisms[face] = await stack.enter_async_context(_prism(document, back))
        served = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        served.load_cert_chain(folder / "server.crt", folder / "server.key")
        front = await stack.enter_async_context(_listening(_forwarder(plain, prisms, seen), served))
        banks = [{**mulberry, "resource_base": front}]
        through = folder / "through-prism.json"
        through.write_text(json.dumps({**directory, "banks": banks}))
        yield through, seen


def _session(folder: Path) -> aiohttp.ClientSession:
    context = ssl.create_default_context(cafile=str(folder / "ca.crt"))
    context.load_cert_chain(folder / "tpp-transport.crt", folder / "tpp-transport.key")
    return aiohttp.ClientSession(connector=aiohttp.TCPConnector(ssl=context), auto_decompress=False)


def _forwarder(client: aiohttp.ClientSession, targets: Mapping[str, str], seen: Seen | None) -> Any:
    """Return a handler that passes a request on, byte for byte, to the target that its first part names (`""` is all)."""

    async def forward(request: web.BaseRequest) -> web.StreamResponse:
        path = request.raw_path
        if "" not in targets:
            _, face, rest = path.split("/", 2)
            target = f"{targets[face]}/{rest}"
        else:
            target = targets[""] + path
        headers = {name: value for name, value in request.headers.items() if name.lower() not in _OF_ONE_HOP}
        body = await request.read()
        async with client.request(request.method, URL(target, encoded=True), headers=headers, data=body or None) as answer:
            content = await answer.read()
            if seen is not None:
                seen.passed.append(f"{request.method} {path}")
                if found := answer.headers.get("sl-violations"):
                    seen.violations.append(f"{request.method} {path} {answer.status}: {found}")
            kept = {name: value for name, value in answer.headers.items() if name.lower() not in _OF_ONE_HOP}
            return web.Response(status=answer.status, headers=kept, body=content)

    return forward


@asynccontextmanager
async def _listening(handler: Any, tls: ssl.SSLContext | None) -> AsyncIterator[str]:
    runner = web.ServerRunner(web.Server(handler))
    await runner.setup()
    port = free_port()
    await web.TCPSite(runner, "127.0.0.1", port, ssl_context=tls).start()
    yield f"{'https' if tls else 'http'}://localhost:{port}"
    await runner.cleanup()


@asynccontextmanager
async def _prism(document: str, upstream: str) -> AsyncIterator[str]:
    port = free_port()
    node = str(Path(sys.executable).with_name("node"))
    command = [node, str(PRISM), "proxy", str(DOCUMENTS / f"{document}-openapi-v4.0.json"), upstream, "--port", str(port)]
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
