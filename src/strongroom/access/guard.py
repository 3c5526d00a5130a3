"""The guard before every route: each declares the scope it needs or why it is public, or the process refuses to start.

`opt={"scope": Scope.FUNDS_READ}` needs that scope, `opt={"scope": ANY_SCOPE}` any valid token, `opt={"public": "why"}` none, and
`opt={"session": "who checks"}` marks a page whose face checks the customer's session itself, `opt={"certificate": "who checks"}` a
route whose face looks at the pinned certificate of the caller. `ENCODED_PAIR` beside a scope also takes, where the client's profile
allows it, a client's encoded id and secret for a token.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Iterator
from typing import Any, Final

from litestar import Litestar
from litestar.connection import ASGIConnection
from litestar.handlers import BaseRouteHandler, HTTPRouteHandler
from litestar.routes import HTTPRoute

from strongroom.access.authentication import ClientAuthentication
from strongroom.access.errors import InsufficientScope, InvalidClient, InvalidToken
from strongroom.access.model import Caller, Credentials, Scope
from strongroom.access.tokens import Tokens
from strongroom.kit.crypto import Secret
from strongroom.kit.errors import Forbidden
from strongroom.kit.http import facts

ANY_SCOPE: Final = "any"
ENCODED_PAIR: Final = {"encoded_pair": True}
_OPEN = ("public", "session", "certificate")
_LONGEST_PAIR = 500


class Undeclared(Exception):
    """Routes that say neither which scope they need nor why they need none."""


class Guard:
    """Give one to the application: `Litestar(guards=[Guard(tokens)])`, or to the layer of guards (`kit/guarded.py`)."""

    def __init__(self, tokens: Tokens, authentication: ClientAuthentication | None = None) -> None:
        """Judge tokens; with `authentication` also encoded pairs, on routes that take them."""
        self._tokens = tokens
        self._authentication = authentication

    async def __call__(self, connection: ASGIConnection[Any, Any, Any, Any], handler: BaseRouteHandler) -> None:
        """Let the request pass and set `request.user`. Raise InvalidToken or InsufficientScope."""
        needed = handler.opt.get("scope")
        if needed is None:
            if not _is_open(handler):
                raise Forbidden
            return
        token = read_bearer(connection.scope["headers"])
        caller = await self._tokens.find_caller(token, facts(connection.scope).certificate_hash) if token else None
        if caller is None and token and handler.opt.get("encoded_pair"):
            caller = await self._find_by_pair(connection, token)
        if caller is None:
            raise InvalidToken
        if needed != ANY_SCOPE and needed not in caller.scopes:
            raise InsufficientScope(f"This needs an access token with the scope {needed}")
        connection.scope["user"] = caller

    async def _find_by_pair(self, connection: ASGIConnection[Any, Any, Any, Any], pair: str) -> Caller | None:
        """Return who calls with an encoded id and secret; None unless they are right and the profile allows it. Raise TooMany."""
        client_id, colon, secret = _decoded(pair).partition(":")
        if self._authentication is None or not (client_id and colon):
            return None
        known = facts(connection.scope)
        credentials = Credentials(client_id, Secret(secret), certificate_hash=known.certificate_hash)
        try:
            client = await self._authentication.authenticate(credentials, known.client_address)
        except InvalidClient:
            return None
        if client.profile is None or not client.profile.allow_encoded_pair:
            return None
        return Caller(client.firm_id, client.id, client.scopes, "encoded-pair")


def caller_of(connection: ASGIConnection[Any, Any, Any, Any]) -> Caller:
    """Return who calls a guarded route, with its type."""
    caller = connection.scope["user"]
    assert isinstance(caller, Caller)  # noqa: S101  # the guard has set it, or the handler is not guarded and must not ask
    return caller


def read_bearer(headers: Any) -> str | None:
    """Return the token of the one Authorization header (RFC 6750 §2.1); tokens anywhere else do not count."""
    given = [value for name, value in headers if name == b"authorization"]
    if len(given) != 1:
        return None
    scheme, _, token = given[0].partition(b" ")
    return token.strip().decode("ascii", "replace") if scheme.lower() == b"bearer" else None


def undeclared(app: Litestar) -> Iterator[str]:
    """Yield the routes that declare nothing, or something that is no scope."""
    for route in app.routes:
        handlers = route.route_handlers if isinstance(route, HTTPRoute) else [route.route_handler]
        for handler in handlers:
            needed = handler.opt.get("scope")
            declares = isinstance(needed, Scope) or needed == ANY_SCOPE if needed is not None else _is_open(handler)
            if not declares:
                yield f"{route.path} ({handler})"


def refuse_undeclared(app: Litestar) -> None:
    """Raise Undeclared that lists every route without a declaration; call it before the application serves."""
    if routes := list(undeclared(app)):
        raise Undeclared("these routes declare neither a scope nor why they are public: " + ", ".join(routes))


def _decoded(pair: str) -> str:
    """Return what base64 says; an empty text for anything else, and for what no client's id and secret can be."""
    if len(pair) > _LONGEST_PAIR:
        return ""
    try:
        text = base64.b64decode(pair, validate=True).decode()
    except (binascii.Error, UnicodeDecodeError):
        return ""
    return "" if "\0" in text else text


def _is_open(handler: BaseRouteHandler) -> bool:
    """True when a handler says why it needs no token, or is the framework's own answer to OPTIONS, which shows nothing."""
    if any(isinstance(reason := handler.opt.get(name), str) and reason for name in _OPEN):
        return True
    return isinstance(handler, HTTPRouteHandler) and handler.http_methods == {"OPTIONS"} and not handler.include_in_schema
