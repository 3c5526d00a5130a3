"""HEAD, as monitors and previewers ask: what GET would answer, without the body, and without doing anything."""

from __future__ import annotations

import asyncio
import http.client
import re
import socket
from collections.abc import AsyncIterator, Iterator
from typing import Any

import httpx
import pytest
import uvicorn
from litestar.routes import HTTPRoute

from strongroom.app import make_edge
from strongroom.banking.port import CustomerContext
from strongroom.funds.model import Actor
from strongroom.funds.states import PaymentState
from strongroom.kit.arrival import BoundedProtocol
from tests.faults.town import AGREEMENT, BANK, COOKIE, Firm, Town, open_town

ACTING = {"/customer/return", "/customer/grant/{token}"}  # by GET: the bank's answer is taken, a browser gets its handle
OFFERING = {
    "/customer/pay/{request_id}",
    "/customer/share/{request_id}/bank",
}  # a fresh code for a phone, as often as they are asked
NOBODYS = {"x-request-id", "date"}
IDS = {
    "case_id": ("case",), "customer_id": ("customer",), "request_id": ("waiting credit", "waiting account"),
    "authentication_id": ("authentication",), "endpoint_id": ("endpoint",), "event_id": ("event",), "payment_id": ("payment",),
    "share_id": ("share",), "consent_id": ("share",), "hand_off_id": ("hand_off",),
}  # fmt: skip


@pytest.fixture
async def town(database: Any) -> AsyncIterator[Town]:
    async with open_town(database) as opened:
        yield opened


def routes_of(town: Town) -> dict[str, set[str]]:
    """Return the methods of every address."""
    found: dict[str, set[str]] = {}
    for route in town.app.routes:
        assert isinstance(route, HTTPRoute)
        for handler in route.route_handlers:
            found.setdefault(re.sub(r":\w+}", "}", route.path), set()).update(str(one) for one in handler.http_methods)
    return found


def addresses_of(template: str, firm: Firm) -> Iterator[str]:
    """Yield an address with a firm's own ids, for each kind of id that fits; a word where no id does."""
    [name, *_] = re.findall(r"{(\w+)}", template) or [""]
    for kind in IDS.get(name, ("",)):
        yield re.sub(r"{\w+}", firm.ids[kind] if kind else "word", template)


async def ask(town: Town, method: str, url: str, session: str) -> httpx.Response:
    headers = {"cookie": f"{COOKIE}session={session}; {COOKIE}browser={'b' * 43}"}
    if url.startswith("/api/1.0"):
        headers = town.alder.bearer()
    town.http.cookies.clear()
    return await town.http.request(method, url, headers=headers)


async def contents(town: Town) -> dict[str, str]:
    """Return what every table holds, in short; when tokens and sessions were last used is left to the tests of that."""
    names = await town.owner.fetch("SELECT tablename FROM pg_tables WHERE schemaname = 'public' ORDER BY 1")
    tables = [row["tablename"] for row in names]
    sums = [f"(SELECT '{one}' AS name, md5(string_agg(t::text, ' ' ORDER BY t::text)) AS sum FROM {one} t)" for one in tables]
    return {row["name"]: row["sum"] for row in await town.owner.fetch(" UNION ALL ".join(sums))}


async def test_whatever_is_read_by_get_has_a_head_and_what_acts_has_none(town: Town) -> None:
    for path, methods in routes_of(town).items():
        if "GET" in methods and path != "/sms/reports/{gateway}":
            assert ("HEAD" in methods) == (path not in ACTING), path
    refused = await town.http.head("/customer/return")
    assert (refused.status_code, refused.content) == (405, b"")
    assert refused.headers["allow"] == "GET, OPTIONS, POST"
    assert (await town.http.options("/api/1.0/cases")).headers["allow"] == "GET, HEAD, OPTIONS, POST"


async def test_a_head_is_answered_as_its_get_without_a_body_and_changes_nothing(town: Town) -> None:
    session = (await town.open_session(town.alder.record))["session"]
    seen = set()
    for path in (path for path, methods in routes_of(town).items() if "HEAD" in methods):
        for url in addresses_of(path, town.alder):
            got = await ask(town, "GET", url, session)
            before = await contents(town)
            head = await ask(town, "HEAD", url, session)
            changed = {table for table, held in (await contents(town)).items() if held != before[table]}
            assert changed == ({"hand_offs"} if path in OFFERING and got.is_success else set()), url  # counted as for GET
            assert (head.status_code, head.content) == (got.status_code, b""), url
            varies = NOBODYS | ({"content-length"} if path in OFFERING or path == "/metrics" else set())
            assert told(head, varies) == told(got, varies), url
            seen.add(head.status_code)
    assert {200, 303, 401, 404, 410} <= seen


def told(answer: httpx.Response, varies: set[str]) -> list[tuple[str, str]]:
    return sorted((name, value) for name, value in answer.headers.multi_items() if name not in varies)


async def test_a_head_uses_up_no_grant_no_code_and_no_answer_of_a_bank(town: Town) -> None:
    house, alder = town.house, town.alder
    grant = await house.grants.issue(alder.id, Actor("client:test"), alder.ids["case"], alder.ids["customer"])
    begun = await house.payments.begin(
        alder.id, alder.ids["customer"], alder.ids["waiting credit"], BANK, AGREEMENT, CustomerContext()
    )
    state, fields = town.bank.agree()
    computer = (await town.open_session(alder.record))["session"]
    offer = await house.hand_offs.offer(computer, alder.id, alder.ids["customer"], alder.ids["waiting credit"])
    assert offer is not None
    for _ in range(60):  # more often than a grant may be opened
        assert (await town.http.head(f"/customer/grant/{grant}")).status_code == 405
    assert (await town.http.head("/customer/return", params=fields)).status_code == 405
    assert (await town.http.head(f"/customer/on-phone/{offer.token.reveal()}")).status_code == 200
    assert (await house.payments.get(alder.id, begun.payment_id)).state is PaymentState.AWAITING
    assert await house.hand_offs.scan(offer.token.reveal(), "p" * 43) == offer.id
    assert (await town.http.get(f"/customer/grant/{grant}")).status_code == 200
    assert (await town.http.get("/customer/return", params=fields)).status_code == 303
    assert (await house.payments.get(alder.id, begun.payment_id)).state is PaymentState.RETURNED
    assert state == fields["state"]


async def test_on_the_wire_a_head_has_no_body_and_the_connection_goes_on(town: Town) -> None:
    listener = socket.create_server(("127.0.0.1", 0))
    edge: Any = make_edge(town.house, town.app)
    server = uvicorn.Server(uvicorn.Config(edge, http=BoundedProtocol, log_config=None, lifespan="off"))
    running = asyncio.create_task(server.serve([listener]))
    try:
        head, got = await asyncio.to_thread(both, listener.getsockname()[1], "/customer/help")
    finally:
        server.should_exit = True
        await running
    assert head[0] == got[0] == 200
    assert head[1]["content-length"] == got[1]["content-length"] == str(len(got[2]))
    assert head[2] == b""


def both(port: int, path: str) -> list[tuple[int, dict[str, str], bytes]]:
    """Ask by HEAD and then by GET, over one connection."""
    connection, answers = http.client.HTTPConnection("127.0.0.1", port, timeout=10), []
    for method in ("HEAD", "GET"):
        connection.request(method, path)
        answer = connection.getresponse()
        answers.append((answer.status, {name.lower(): value for name, value in answer.getheaders()}, answer.read()))
    connection.close()
    return answers


async def test_a_head_keeps_no_session_alive(town: Town) -> None:
    session = (await town.open_session(town.alder.record))["session"]
    await town.owner.execute("UPDATE portal_sessions SET active_at = active_at - interval '200 s'")
    at = "SELECT max(active_at) FROM portal_sessions"
    before = await town.owner.fetchval(at)
    assert (await ask(town, "HEAD", "/customer/actions", session)).status_code == 200
    assert await town.owner.fetchval(at) == before
    assert (await ask(town, "GET", "/customer/actions", session)).status_code == 200
    assert await town.owner.fetchval(at) > before
