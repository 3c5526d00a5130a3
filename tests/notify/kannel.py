"""Debian's Kannel, set up as the operator's guide prints it, and our address for what it reports."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import socket
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path

import uvicorn
from litestar import Litestar
from litestar.datastructures import State

from strongroom.kit.edge import Edge
from strongroom.kit.http import Front
from strongroom.kit.problems import exception_handlers
from strongroom.notify.api import STATE, NotifyApi, routes
from strongroom.notify.gateways.configured import open_routes
from strongroom.notify.gateways.http import HttpGateway
from strongroom.notify.messages import Receipts
from tests.modelbank.conftest import free_port
from tests.notify.conftest import House
from tests.notify.message_centre import MessageCentre
from tests.operate.guide import block, fill

STARTS_WITHIN_SECONDS = 20.0
PASSWORD = "sendsms-password"


@dataclass
class Kannel:
    """Both of its programs, the gateway of ours that sends to it, and the address that it reports to."""

    folder: Path
    centre_port: int
    admin_port: int = field(default_factory=free_port)
    box_port: int = field(default_factory=free_port)
    send_port: int = field(default_factory=free_port)
    report_port: int = field(default_factory=free_port)
    _boxes: list[asyncio.subprocess.Process] = field(default_factory=list)

    def gateway(self) -> HttpGateway:
        """Open the gateway that the guide prints."""
        file = self.folder / "sms.toml"
        printed = fill(
            block("messages.md", "toml", 'name = "kannel"'),
            (":13013", f":{self.send_port}"), ("…", PASSWORD), ("https://pay.example.com", f"http://127.0.0.1:{self.report_port}"),
        )  # fmt: skip
        file.write_text(printed)
        file.chmod(0o600)
        [route] = open_routes(file, f"http://127.0.0.1:{self.report_port}", production=True)
        assert isinstance(route.gateway, HttpGateway)
        return route.gateway

    async def start(self, centre: MessageCentre) -> None:
        """Start bearerbox and smsbox, and wait until the centre has their bind and messages are taken."""
        file = self.folder / "kannel.conf"
        file.write_text(
            fill(
                block("messages.md", "ini", "group = sendsms-user"),
                ("13000", str(self.admin_port)), ("13001", str(self.box_port)), ("13013", str(self.send_port)),
                ("10.0.0.7", "127.0.0.1"), ("2775", str(self.centre_port)), ("smsc-password = …", "smsc-password = secret12"),
                ("…", PASSWORD), ("/var/log/kannel", str(self.folder)), ("reconnect-delay = 5", "reconnect-delay = 1"),
                ("http-queue-delay = 10", "http-queue-delay = 1"),
            )
        )  # fmt: skip
        for program, port in (("bearerbox", self.admin_port), ("smsbox", self.send_port)):
            quiet = asyncio.subprocess.DEVNULL
            self._boxes.append(
                await asyncio.create_subprocess_exec(program, str(file), stdout=quiet, stderr=quiet, start_new_session=True)
            )
            async with asyncio.timeout(STARTS_WITHIN_SECONDS):
                await _answering(port)
        assert (await centre.next())["good"]

    async def kill(self) -> None:
        """End both as a power cut would."""
        for process in self._boxes:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            await process.wait()
        self._boxes.clear()

    def said(self) -> str:
        """Return all that Kannel wrote into its logs."""
        return "".join((self.folder / f"{box}.log").read_text(errors="replace") for box in ("bearerbox", "smsbox"))

    @contextlib.asynccontextmanager
    async def reporting(self, house: House, gateway: HttpGateway) -> AsyncIterator[None]:
        """Serve our address for reports."""
        api = NotifyApi(Receipts(house.app), {gateway.name: gateway})
        app = Litestar(
            route_handlers=routes(), exception_handlers=exception_handlers(), state=State({STATE: api}), openapi_config=None
        )
        config = uvicorn.Config(Edge(app, Front(), over_https=False), log_level="warning", lifespan="off", access_log=False)
        server = uvicorn.Server(config)
        task = asyncio.create_task(server.serve([socket.create_server(("127.0.0.1", self.report_port))]))
        try:
            yield
        finally:
            server.should_exit = True
            await task


async def _answering(port: int) -> None:
    while True:
        try:
            _, writer = await asyncio.open_connection("127.0.0.1", port)
        except OSError:
            await asyncio.sleep(0.05)
        else:
            writer.close()
            return
