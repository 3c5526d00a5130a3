from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import AsyncIterator
from typing import Any

import httpx
import msgspec
import pytest
import uvicorn
from litestar import Litestar
from litestar.datastructures import State
from standardwebhooks import Webhook

from strongroom.access.clients import Clients
from strongroom.access.firms import Firms
from strongroom.access.guard import Guard, refuse_undeclared
from strongroom.access.model import FIRM_SCOPES, Scope
from strongroom.access.tokens import Tokens
from strongroom.kit.crypto import Secret
from strongroom.kit.edge import Edge
from strongroom.kit.http import Front
from strongroom.kit.problems import exception_handlers
from strongroom.webhooks.api import STATE, WebhooksApi, routes
from strongroom.webhooks.listener import Listener, ListeningRefused
from strongroom.webhooks.model import EventType
from tests.webhooks.conftest import House
from tests.webhooks.receiver import Receiver

ENDPOINTS, EVENTS = "/api/1.0/webhookEndpoints", "/api/1.0/events"


class Firm:
    """A firm's developer with an access token, before the real application."""

    def __init__(self, house: House, edge: Edge, firm_id: str, token: str) -> None:
        self.house, self.id, self.token = house, firm_id, token
        headers = {"authorization": f"Bearer {token}"}
        self.http = httpx.AsyncClient(transport=httpx.ASGITransport(edge), base_url="https://pay.example.com", headers=headers)

    async def call(self, method: str, path: str, status: int, body: Any = None, **headers: str) -> Any:
        content = None if body is None else msgspec.json.encode(body)
        answer = await self.http.request(method, path, content=content, headers=headers)
        assert answer.status_code == status, answer.text
        return answer.json() if answer.content else None

    async def publish(self, object_id: str = "csp-1", **extra: Any) -> str:
        return await self.house.publish(object_id, firm=self.id, **extra)


def make_edge(house: House) -> Edge:
    app = Litestar(
        routes(),
        guards=[Guard(Tokens(house.app, house.vault))],
        exception_handlers=exception_handlers(),
        state=State({STATE: WebhooksApi(house.vault, house.endpoints, house.events)}),
        openapi_config=None,
    )
    refuse_undeclared(app)
    return Edge(app, Front(), over_https=True)


async def make_firm(house: House, name: str, scopes: frozenset[Scope] = FIRM_SCOPES) -> Firm:
    firm = await Firms(house.app).create("tester", name)
    client = await Clients(house.app, house.vault).create("tester", firm.id, "developer", scopes)
    token = await Tokens(house.app, house.vault).create_static("tester", firm.id, client.client_id, "laptop", scopes)
    return Firm(house, make_edge(house), firm.id, token.token.reveal())


@pytest.fixture
async def firm(house: House) -> AsyncIterator[Firm]:
    firm = await make_firm(house, "Smith")
    yield firm
    await firm.http.aclose()


async def test_an_endpoint_is_made_listed_changed_rotated_disabled_and_deleted(firm: Firm) -> None:
    made = await firm.call("POST", ENDPOINTS, 201, {"url": "http://localhost:9/", "eventTypes": ["customer.opened"]})
    assert made["id"].startswith("whk-")
    assert made["secret"].startswith("whsec_")
    assert (made["status"], made["eventTypes"], made["includeAccountDetails"]) == ("enabled", ["customer.opened"], False)
    path = f"{ENDPOINTS}/{made['id']}"
    [listed] = (await firm.call("GET", ENDPOINTS, 200))["data"]
    assert "secret" not in listed
    assert listed == await firm.call("GET", path, 200)
    changed = await firm.call("PATCH", path, 200, {"description": "billing", "eventTypes": []})
    assert (changed["description"], changed["eventTypes"], changed["url"]) == ("billing", [], "http://localhost:9/")
    rotated = await firm.call("POST", f"{path}/rotate", 200)
    assert rotated["secret"] != made["secret"]
    assert rotated["oldSecretUntil"] is not None
    assert (await firm.call("POST", f"{path}/disable", 200))["disabledReason"] == "asked"
    assert (await firm.call("POST", f"{path}/test", 409))["code"] == "endpoint_disabled"
    assert (await firm.call("POST", f"{path}/enable", 200))["status"] == "enabled"
    assert (await firm.call("POST", f"{path}/test", 202))["id"].startswith("evt-")
    await firm.call("DELETE", path, 204)
    await firm.call("GET", path, 404)
    assert await firm.call("GET", ENDPOINTS, 200) == {"data": [], "next": None}


async def test_account_details_cannot_be_had_through_the_api(firm: Firm) -> None:
    refused = await firm.call("POST", ENDPOINTS, 403, {"url": "http://localhost:9/", "includeAccountDetails": True})
    assert refused["code"] == "takes_two_people"
    assert "two members of your staff" in refused["detail"]
    made = await firm.call("POST", ENDPOINTS, 201, {"url": "http://localhost:9/"})
    await firm.call("PATCH", f"{ENDPOINTS}/{made['id']}", 403, {"includeAccountDetails": True, "description": "x"})
    assert (await firm.call("GET", f"{ENDPOINTS}/{made['id']}", 200))["description"] == ""
    await firm.call("PATCH", f"{ENDPOINTS}/{made['id']}", 200, {"includeAccountDetails": False})


@pytest.mark.parametrize(
    ("body", "pointer"),
    [
        ({"url": "http://localhost:9/", "secret": "mine"}, "/secret"),
        ({"url": "https://10.0.0.1/"}, "/url"),
        ({"url": "http://localhost:9/", "eventTypes": ["all"]}, "/eventTypes/0"),
        ({}, "/url"),
        ({"url": "http://localhost:9/", "description": "x" * 201}, "/description"),
    ],
)
async def test_a_wrong_endpoint_is_refused_by_the_name_of_the_field(firm: Firm, body: Any, pointer: str) -> None:
    refused = await firm.call("POST", ENDPOINTS, 422, body)
    assert refused["errors"][0]["pointer"].startswith(pointer.removesuffix("/0"))


async def test_an_answer_with_a_secret_takes_no_idempotency_key(firm: Firm) -> None:
    await firm.call("POST", ENDPOINTS, 422, {"url": "http://localhost:9/"}, **{"idempotency-key": "k"})


async def test_the_feed_is_read_page_by_page_and_ends_where_it_goes_on(firm: Firm) -> None:
    ids = [await firm.publish(f"csp-{n}") for n in range(5)]
    await firm.house.sequencer.run()
    first = await firm.call("GET", f"{EVENTS}?limit=3", 200)
    assert [event["id"] for event in first["data"]] == ids[:3]
    second = await firm.call("GET", f"{EVENTS}?after={first['next']}&limit=3", 200)
    assert [event["id"] for event in second["data"]] == ids[3:]
    assert await firm.call("GET", f"{EVENTS}?after={second['next']}", 200) == {"data": [], "next": 5}
    assert await firm.call("GET", f"{EVENTS}/{ids[0]}", 200) == first["data"][0]
    for wrong in ("-1", "x", "99999999999999999999"):
        await firm.call("GET", f"{EVENTS}?after={wrong}", 422)
    assert (await firm.call("GET", f"{EVENTS}?after=6", 422))["code"] == "unknown_cursor"


async def test_deliveries_are_shown_and_replayed(firm: Firm) -> None:
    async with Receiver() as receiver:
        made = await firm.call("POST", ENDPOINTS, 201, {"url": receiver.url})
        ids = [await firm.publish(f"csp-{n}") for n in range(2)]
        await firm.house.deliver()
        [delivery] = (await firm.call("GET", f"{EVENTS}/{ids[0]}/deliveries", 200))["data"]
        assert (delivery["endpointId"], delivery["status"], delivery["nextTryAt"]) == (made["id"], "delivered", None)
        assert delivery["tries"][0]["status"] == 204
        assert await firm.call("POST", f"{EVENTS}/{ids[0]}/replay", 202) == {"deliveries": 1, "next": None}
        again = {"after": 0, "through": 2, "endpointId": made["id"]}
        assert await firm.call("POST", f"{EVENTS}/replay", 202, again) == {"deliveries": 2, "next": None}
        await firm.house.deliver()
    assert sorted(got.headers["webhook-id"] for got in receiver.got) == sorted([*ids, ids[0], *ids])


async def test_another_firm_gets_404_for_everything(firm: Firm, house: House) -> None:
    made = await firm.call("POST", ENDPOINTS, 201, {"url": "http://localhost:9/"})
    event_id = await firm.publish()
    await house.sequencer.run()
    other = await make_firm(house, "Other")
    path = f"{ENDPOINTS}/{made['id']}"
    for method, address in (
        ("GET", path),
        ("DELETE", path),
        *(("POST", f"{path}/{verb}") for verb in ("rotate", "disable", "enable", "test")),
        ("GET", f"{EVENTS}/{event_id}"),
        ("GET", f"{EVENTS}/{event_id}/deliveries"),
        ("POST", f"{EVENTS}/{event_id}/replay"),
    ):
        await other.call(method, address, 404)
    await other.call("PATCH", path, 404, {"description": "mine"})
    assert (await other.call("GET", EVENTS, 200))["data"] == []
    await other.http.aclose()


async def test_a_token_without_the_scope_reads_the_feed_and_manages_nothing(house: House) -> None:
    reader = await make_firm(house, "Reader", frozenset({Scope.FUNDS_READ}))
    await reader.call("GET", EVENTS, 200)
    await reader.call("GET", ENDPOINTS, 403)
    await reader.call("POST", ENDPOINTS, 403, {"url": "http://localhost:9/"})
    await reader.call("POST", f"{EVENTS}/replay", 403, {"after": 0, "through": 1})
    reader.http.headers.pop("authorization")
    await reader.call("GET", EVENTS, 401)
    await reader.http.aclose()


@contextlib.asynccontextmanager
async def served(house: House) -> AsyncIterator[str]:
    sock = socket.create_server(("127.0.0.1", 0))
    server = uvicorn.Server(uvicorn.Config(make_edge(house), log_level="warning", lifespan="off"))  # type: ignore[arg-type]  # the edge is an ASGI application
    task = asyncio.create_task(server.serve([sock]))
    try:
        yield f"http://127.0.0.1:{sock.getsockname()[1]}"
    finally:
        server.should_exit = True
        await task


async def test_the_listener_passes_events_on_signed_with_its_own_secret(firm: Firm, house: House) -> None:
    await firm.publish("csp-before")
    await house.sequencer.run()
    shown: list[str] = []
    stopping = asyncio.Event()
    async with served(house) as url, Receiver() as receiver:
        listener = Listener(url, Secret(firm.token), receiver.url, shown.append, every_seconds=0.05)
        running = asyncio.create_task(listener.run(stopping=stopping))
        while not shown:  # noqa: ASYNC110  # the greeting comes once it knows where the feed ends
            await asyncio.sleep(0.01)
        wanted = await firm.publish("csp-after", event_type=EventType.CUSTOMER_OPENED)
        await house.sequencer.run()
        [got] = await receiver.wait_for(1)
        stopping.set()
        assert await running == 2
    assert Webhook(listener.secret.reveal()).verify(got.body, got.headers)["id"] == wanted
    assert "→ 204" in shown[-1]
    assert firm.token not in " ".join(shown)


async def test_the_listener_says_so_when_it_may_not_read(house: House) -> None:
    async with served(house) as url:
        with pytest.raises(ListeningRefused, match="401"):
            await Listener(url, Secret("nonsense"), show=lambda _: None).run()
