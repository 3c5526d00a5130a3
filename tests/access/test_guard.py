import pytest
from litestar import Litestar, get, websocket
from litestar.connection import WebSocket

from strongroom.access.guard import ANY_SCOPE, Guard, Undeclared, refuse_undeclared
from strongroom.access.model import Scope
from strongroom.kit.edge import Edge
from strongroom.kit.http import Front
from strongroom.kit.problems import exception_handlers
from tests.access.conftest import BASE, House


@get("/declared", opt={"scope": Scope.FUNDS_READ}, sync_to_thread=False)
def declared() -> str:
    return "x"


@get("/any", opt={"scope": ANY_SCOPE}, sync_to_thread=False)
def anybody() -> str:
    return "x"


@get("/open", opt={"public": "a reason"}, sync_to_thread=False)
def opened() -> str:
    return "x"


@get("/page", opt={"session": "the portal checks it"}, sync_to_thread=False)
def page() -> str:
    return "x"


@get("/forgotten", sync_to_thread=False)
def forgotten() -> str:
    return "x"


@get("/misspelt", opt={"scope": "funds:raed"}, sync_to_thread=False)
def misspelt() -> str:
    return "x"


@get("/no-reason", opt={"public": ""}, sync_to_thread=False)
def no_reason() -> str:
    return "x"


@websocket("/socket")
async def socket(socket: WebSocket) -> None:  # type: ignore[type-arg]  # the framework leaves it open
    await socket.accept()


def test_declared_routes_are_accepted():
    refuse_undeclared(Litestar([declared, anybody, opened, page], openapi_config=None))


@pytest.mark.parametrize("handler", [forgotten, misspelt, no_reason, socket])
def test_an_application_with_an_undeclared_route_does_not_start(handler):
    with pytest.raises(Undeclared, match=str(next(iter(handler.paths)))):
        refuse_undeclared(Litestar([declared, handler], openapi_config=None))


async def test_a_route_without_a_declaration_is_closed_even_if_nobody_checked(house: House):
    import httpx  # noqa: PLC0415  # only this test speaks HTTP

    app = Litestar([forgotten, opened], guards=[Guard(house.tokens)], exception_handlers=exception_handlers(), openapi_config=None)
    transport = httpx.ASGITransport(Edge(app, Front(), over_https=True))
    async with httpx.AsyncClient(transport=transport, base_url=BASE) as web:
        assert (await web.get("/forgotten")).status_code == 403
        assert (await web.get("/open")).status_code == 200
        assert (await web.options("/open")).status_code == 204
