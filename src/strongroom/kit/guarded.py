"""Guards before every route, as one layer: the framework's own way copies the route's handler for each guard of each request."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from typing import TYPE_CHECKING, Any

from litestar.connection import ASGIConnection
from litestar.handlers import BaseRouteHandler

if TYPE_CHECKING:
    from litestar.types import ASGIApp, Receive, Scope, Send

Guarding = Callable[[ASGIConnection[Any, Any, Any, Any], BaseRouteHandler], Awaitable[None]]


class Guarded:
    """`Litestar(middleware=[DefineMiddleware(Guarded, guards=…)])`: each is called as the framework would, in their order.

    What one raises is answered as what a handler raises, by the route's own exception handlers.
    """

    def __init__(self, app: ASGIApp, guards: Sequence[Guarding]) -> None:
        self._app = app
        self._guards = tuple(guards)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Let a request pass to its route that every guard lets pass."""
        connection: ASGIConnection[Any, Any, Any, Any] = ASGIConnection(scope, receive)
        handler: Any = scope["route_handler"]
        for guard in self._guards:
            await guard(connection, handler)
        await self._app(scope, receive, send)
