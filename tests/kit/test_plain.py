"""Bodies as they come and answers as they go, through a real application and its guards."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest
from litestar import Litestar, Request, post
from litestar.connection import ASGIConnection
from litestar.handlers import BaseRouteHandler
from litestar.middleware import DefineMiddleware

from strongroom.kit.edge import Edge
from strongroom.kit.errors import Forbidden, Unauthorised
from strongroom.kit.guarded import Guarded
from strongroom.kit.http import Front
from strongroom.kit.plain import Ready, read_body
from strongroom.kit.problems import exception_handlers

LIMIT = 64
_Connection = ASGIConnection[Any, Any, Any, Any]


@post("/echo", opt={"name": "echo"}, status_code=200)
async def echo(request: Request[Any, Any, Any]) -> Ready:
    body = await read_body(request)
    return Ready(203, {"content-type": "text/xml; charset=utf-8", "x-size": str(len(body))}, body)


async def must_knock(connection: _Connection, handler: BaseRouteHandler) -> None:
    if "knocked" not in connection.headers:
        raise Unauthorised(f"knock at {handler.opt['name']}")


async def must_be_welcome(connection: _Connection, _: BaseRouteHandler) -> None:
    if "unwelcome" in connection.headers:
        raise Forbidden("you are not welcome")


@pytest.fixture
def edge() -> Edge:
    app = Litestar(
        [echo],
        middleware=[DefineMiddleware(Guarded, guards=(must_knock, must_be_welcome))],
        exception_handlers=exception_handlers(),
        openapi_config=None,
        request_max_body_size=LIMIT,
    )
    return Edge(app, Front(), over_https=True)


async def send(edge: Edge, content: bytes | AsyncIterator[bytes], *named: str) -> httpx.Response:
    transport = httpx.ASGITransport(edge)  # type: ignore[arg-type]  # the edge is an ASGI application
    async with httpx.AsyncClient(transport=transport, base_url="http://strongroom") as client:
        return await client.post("/echo", content=content, headers=dict.fromkeys(named, "yes"))


async def in_parts(*parts: bytes) -> AsyncIterator[bytes]:
    for part in parts:
        yield part


async def test_a_body_is_whole_however_it_came_and_the_answer_is_what_it_says(edge: Edge):
    for content in (b"abc", in_parts(b"a", b"", b"bc")):
        answer = await send(edge, content, "knocked")
        assert (answer.status_code, answer.content) == (203, b"abc")
        assert answer.headers.get_list("content-type") == ["text/xml; charset=utf-8"]
        assert (answer.headers["content-length"], answer.headers["x-size"]) == ("3", "3")
        assert answer.headers["x-content-type-options"] == "nosniff"


async def test_a_body_of_the_limit_is_read_and_one_byte_more_is_refused_announced_or_not(edge: Edge):
    assert (await send(edge, b"x" * LIMIT, "knocked")).status_code == 203
    assert (await send(edge, b"x" * (LIMIT + 1), "knocked")).status_code == 413
    assert (await send(edge, in_parts(b"x" * LIMIT, b"x"), "knocked")).status_code == 413


@pytest.mark.parametrize(
    ("headers", "messages", "status", "received"),
    [
        ([(b"content-length", b"65")], [], 413, 0),  # refused before anything is read
        ([], [{"type": "http.request", "body": b"ab", "more_body": True}, {"type": "http.disconnect"}], 500, 2),
    ],
)
async def test_a_part_of_a_body_is_never_taken_for_the_whole(
    edge: Edge, headers: list[tuple[bytes, bytes]], messages: list[Any], status: int, received: int
):
    sent: list[Any] = []
    waiting = iter(messages)
    count = 0

    async def receive() -> Any:
        nonlocal count
        count += 1
        return next(waiting)

    async def keep(message: Any) -> None:
        sent.append(message)

    scope: Any = {
        "type": "http", "method": "POST", "path": "/echo", "query_string": b"", "headers": [(b"knocked", b"yes"), *headers],
    }  # fmt: skip
    await asyncio.wait_for(edge(scope, receive, keep), 5)
    assert (sent[0]["status"], count) == (status, received)


async def test_guards_are_asked_in_their_order_and_the_routes_handlers_answer_for_them(edge: Edge):
    anonymous = await send(edge, b"x" * (LIMIT + 1), "unwelcome")
    assert (anonymous.status_code, anonymous.json()["detail"]) == (401, "knock at echo")
    assert anonymous.headers["content-type"] == "application/problem+json"
    assert (await send(edge, b"abc", "knocked", "unwelcome")).json()["detail"] == "you are not welcome"
