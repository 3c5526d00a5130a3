"""Runs the bank: one process, two listeners. Pages over http, the API over mutual TLS."""

from __future__ import annotations

import asyncio
import contextlib
import signal
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import uvicorn

from modelbank.banks import load_banks
from modelbank.config import Config
from modelbank.database import Pool, open_pool
from modelbank.gateway import Gateway
from modelbank.ledger.opening import open_bank
from modelbank.openbanking.progress import keep_moving
from modelbank.psu.site import Site
from modelbank.web.tls import PeerProtocol, context_factory, server_context

_BACKLOG = 512


class PortTaken(Exception):
    """Something else listens there already."""


class _Server(uvicorn.Server):
    """A server that leaves signals to us: there are two of them in this process."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


async def serve(config: Config, folder: Path) -> None:
    """Serve until SIGINT or SIGTERM. Raise PortTaken before anything has begun."""
    sockets = [_listen(config.host, config.pages_port), _listen(config.host, config.api_port)]
    pool = await open_pool(config.dsn)
    try:
        await _open_banks(config, pool)
        await _run(config, folder, pool, sockets)
    finally:
        await pool.close()


def _listen(host: str, port: int) -> socket.socket:
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((host, port))
    except OSError as taken:
        listener.close()
        raise PortTaken(f"Port {port} is taken.") from taken
    return listener


async def _open_banks(config: Config, pool: Pool) -> None:
    async with pool.acquire() as connection, connection.transaction():
        for place, bank in enumerate(config.banks):
            await open_bank(connection, bank.id, bank.name, place)


async def _run(config: Config, folder: Path, pool: Pool, sockets: list[socket.socket]) -> None:
    banks = load_banks(config, folder)
    tls = server_context(folder / config.tls.certificate, folder / config.tls.key, folder / config.tls.client_ca)
    pages = _Server(_settings(Site(config, banks, pool).application()))
    api = _Server(_settings(Gateway(config, banks, pool).application(), ssl_context_factory=context_factory(tls)))
    _stop_on_signals(pages, api)
    serving = asyncio.gather(pages.serve([sockets[0]]), api.serve([sockets[1]]))
    mover = asyncio.create_task(keep_moving(pool))
    mover.add_done_callback(lambda _: _end(pages, api))  # a bank whose money stands still must not go on answering
    try:
        await serving
    finally:
        if not mover.cancel():
            mover.result()
        with contextlib.suppress(asyncio.CancelledError):
            await mover


def _settings(application: Any, **more: Any) -> uvicorn.Config:
    return uvicorn.Config(
        application,
        http=PeerProtocol,
        lifespan="off",
        log_level="warning",
        access_log=False,
        server_header=False,
        backlog=_BACKLOG,
        timeout_graceful_shutdown=5,
        **more,
    )


def _stop_on_signals(*servers: uvicorn.Server) -> None:
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, _end, *servers)


def _end(*servers: uvicorn.Server) -> None:
    for server in servers:
        server.should_exit = True
