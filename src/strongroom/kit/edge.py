"""The outermost layer of the web process, as light as ASGI allows: request id, headers, one log line and metrics per request.

It is also the last handler: what the application lets through is answered with 500 and a request id, and nothing more.
"""

from __future__ import annotations

import functools
import time
from typing import TYPE_CHECKING, Any

import msgspec
import structlog

from strongroom.kit.http import Facts, Front, keep_facts
from strongroom.kit.metrics import REQUEST_SECONDS, REQUESTS
from strongroom.kit.problems import PROBLEM_TYPE, Broken, describe

if TYPE_CHECKING:
    from litestar.types import ASGIApp, Message, Receive, Scope, Send

_METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})
_UNMATCHED = "(none)"  # addresses that no route knows are anybody's text, so they are neither logged nor counted apart
_QUIET_ROUTES = frozenset({"/health/live", "/health/ready", "/metrics"})
_HSTS = (b"strict-transport-security", b"max-age=63072000; includeSubDomains")
_DEFAULTS = (
    (b"cache-control", b"no-store"),
    (b"content-security-policy", b"default-src 'none'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'"),
    (b"cross-origin-opener-policy", b"same-origin"),
    (b"cross-origin-resource-policy", b"same-origin"),
    (b"referrer-policy", b"no-referrer"),
    (b"x-content-type-options", b"nosniff"),
    (b"x-frame-options", b"DENY"),
)  # each only where the application has not set its own
_log = structlog.get_logger("http")
_count = functools.lru_cache(maxsize=4096)(REQUESTS.labels)
_time = functools.lru_cache(maxsize=1024)(REQUEST_SECONDS.labels)


class Edge:
    """Wraps the whole application; give this to the server."""

    def __init__(self, app: ASGIApp, front: Front, *, over_https: bool) -> None:
        self._app = app
        self._front = front
        self._defaults = (*_DEFAULTS, _HSTS) if over_https else _DEFAULTS

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        known: Any = scope
        if known["type"] != "http":
            await self._app(scope, receive, send)
            return
        found = self._front.read(known)
        keep_facts(known, found)
        structlog.contextvars.clear_contextvars()
        structlog.contextvars.bind_contextvars(request_id=found.request_id)
        await _Exchange(self._app, found, self._defaults).run(scope, receive, send)


class _Exchange:
    """One request and its answer."""

    def __init__(self, app: ASGIApp, found: Facts, defaults: tuple[tuple[bytes, bytes], ...]) -> None:
        self._app = app
        self._facts = found
        self._defaults = defaults
        self._status = 0
        self._started_at = time.perf_counter()

    async def run(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def answer(message: Message) -> None:
            if message["type"] == "http.response.start":
                self._status = message["status"]
                message["headers"] = self._complete(list(message["headers"]))
            await send(message)

        try:
            await self._app(scope, receive, answer)
        except Exception as error:  # noqa: BLE001  # the outermost handler: one of the two places that may
            _log.error("a request failed beyond its handler", exc_info=error)
            if not self._status:
                await self._apologise(answer)
        finally:
            self._report(scope)

    def _complete(self, headers: list[tuple[bytes, bytes]]) -> list[tuple[bytes, bytes]]:
        """Add the request id, and every default that the application has not set."""
        present = {name.lower() for name, _ in headers}
        headers.append((b"x-request-id", self._facts.request_id.encode()))
        headers.extend(default for default in self._defaults if default[0] not in present)
        return headers

    async def _apologise(self, answer: Send) -> None:
        refusal = Broken()
        body = msgspec.json.encode(describe(refusal, self._facts.request_id))
        headers = [(b"content-type", PROBLEM_TYPE.encode()), (b"content-length", str(len(body)).encode())]
        await answer({"type": "http.response.start", "status": refusal.status, "headers": headers})
        await answer({"type": "http.response.body", "body": body, "more_body": False})

    def _report(self, scope: Any) -> None:
        """Count the request and write its line, by the route's template: an address may hold a grant or a name."""
        seconds = time.perf_counter() - self._started_at
        route = scope.get("path_template") or _UNMATCHED
        method = scope["method"] if scope["method"] in _METHODS else "OTHER"
        status = self._status or 499  # the caller went away before an answer
        _count(method, route, status).inc()
        _time(route).observe(seconds)
        if route in _QUIET_ROUTES:
            return
        caller = scope.get("user")
        who = {"firm_id": caller.firm_id, "client_id": caller.client_id} if hasattr(caller, "client_id") else {}
        milliseconds = round(seconds * 1000, 1)
        _log.info("request", method=method, route=route, status=status, milliseconds=milliseconds, **who)
