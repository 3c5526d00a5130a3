"""The least of HTTP that the bank needs: a request, an answer, a table of routes, and an ASGI application around them."""

from __future__ import annotations

import logging
import re
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from http.cookies import CookieError, SimpleCookie
from typing import Any
from urllib.parse import parse_qsl

import msgspec

log = logging.getLogger("modelbank")

MAX_BODY_BYTES = 64 * 1024
MAX_FIELDS = 60


class BadRequest(Exception):
    """The request is not what HTTP or a form allows; the text says what is wrong."""


@dataclass(frozen=True, slots=True)
class Request:
    """One request, read whole. Header names are in lower case; `values` are the parts of the path that a route names."""

    method: str
    path: str
    query_string: str
    headers: Mapping[str, str]
    body: bytes
    certificate: bytes | None = None  # DER, verified by the TLS layer
    values: Mapping[str, str] = field(default_factory=dict)

    def query(self) -> dict[str, str]:
        """Return the query's parameters. Raise BadRequest when one comes twice (RFC 6749 §3.1)."""
        return _fields(self.query_string)

    def form(self) -> dict[str, str]:
        """Return a form's fields. Raise BadRequest when one comes twice or the body is no form."""
        return _fields(self._form_text())

    def form_list(self, name: str) -> list[str]:
        """Return every value of a field that may come several times."""
        return [value for key, value in _pairs(self._form_text()) if key == name]

    def form_without(self, *names: str) -> dict[str, str]:
        """Return a form's fields except those that may come several times."""
        return _unique([pair for pair in _pairs(self._form_text()) if pair[0] not in names])

    def cookie(self, name: str) -> str | None:
        """Return a cookie's value, if the browser sent it."""
        try:
            morsel = SimpleCookie(self.headers.get("cookie", "")).get(name)
        except CookieError:
            return None
        return None if morsel is None else morsel.value

    def _form_text(self) -> str:
        if self.headers.get("content-type", "").split(";")[0].strip().lower() != "application/x-www-form-urlencoded":
            raise BadRequest("The body must be a form.")
        try:
            return self.body.decode("ascii")
        except UnicodeDecodeError:
            raise BadRequest("The form is not URL-encoded.") from None


def _pairs(text: str) -> list[tuple[str, str]]:
    if "%00" in text:  # NUL, which cannot be kept
        raise BadRequest("The parameters cannot be read.")
    try:
        return parse_qsl(text, keep_blank_values=True, max_num_fields=MAX_FIELDS, errors="strict")
    except ValueError:
        raise BadRequest("The parameters cannot be read.") from None


def _unique(pairs: list[tuple[str, str]]) -> dict[str, str]:
    fields = dict(pairs)
    if len(fields) != len(pairs):
        raise BadRequest("A parameter comes more than once.")
    return fields


def _fields(text: str) -> dict[str, str]:
    return _unique(_pairs(text))


@dataclass(frozen=True, slots=True)
class Response:
    """One answer. `dropped` closes the connection without a word, as a failing network would."""

    status: int = 200
    body: bytes = b""
    headers: tuple[tuple[str, str], ...] = ()
    dropped: bool = False

    def with_headers(self, *headers: tuple[str, str]) -> Response:
        """Return the same answer with more headers."""
        return replace(self, headers=(*self.headers, *headers))


def json_response(status: int, content: Any, *headers: tuple[str, str]) -> Response:
    """Answer with JSON."""
    media_type = ("content-type", "application/json; charset=utf-8")
    return Response(status, msgspec.json.encode(content), (media_type, *headers))


Handler = Callable[[Request], Awaitable[Response]]


@dataclass(frozen=True, slots=True)
class Found:
    """A route for this method and path, with the values in the path."""

    target: Any
    values: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class WrongMethod:
    """The path is known, the method is not among its own."""

    allowed: tuple[str, ...]


class Routes:
    """A table of (method, path with `{names}`, target)."""

    def __init__(self, table: Sequence[tuple[str, str, Any]]) -> None:
        self._table = [(method, _pattern(path), target) for method, path, target in table]

    def find(self, method: str, path: str) -> Found | WrongMethod | None:
        """Find the target for a method and a path; None when the path is unknown."""
        allowed = []
        for known, pattern, target in self._table:
            if match := pattern.fullmatch(path):
                if known == method:
                    return Found(target, match.groupdict())
                allowed.append(known)
        return WrongMethod(tuple(allowed)) if allowed else None


def _pattern(path: str) -> re.Pattern[str]:
    return re.compile(re.sub(r"\{(\w+)\}", r"(?P<\1>[^/\0]+)", path))


class Application:
    """An ASGI application around one handler, which never lets an exception reach the client.

    `failed` answers what the handler cannot: a body that is too long (413), and a crash (500).
    """

    def __init__(self, handle: Handler, failed: Callable[[Request, int], Response]) -> None:
        self._handle = handle
        self._failed = failed

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        """Serve one request."""
        if scope["type"] != "http":
            return
        body = await _read_body(receive)
        if body is None:
            await _send(scope, send, self._failed(_request(scope, b""), 413))
            return
        request = _request(scope, body)
        try:
            response = await self._handle(request)
        except BadRequest as wrong:
            response = Response(400, str(wrong).encode(), (("content-type", "text/plain; charset=utf-8"),))
        except Exception:  # the outermost handler: whatever happened, the client gets an answer and the log the cause
            log.exception("a request failed: %s %s", request.method, request.path)
            response = self._failed(request, 500)
        await _send(scope, send, response)


async def _read_body(receive: Any) -> bytes | None:
    chunks = b""
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            return None
        chunk: bytes = message.get("body", b"")
        chunks += chunk
        if len(chunks) > MAX_BODY_BYTES:
            return None
        if not message.get("more_body", False):
            return chunks


def _request(scope: Any, body: bytes) -> Request:
    headers: dict[str, str] = {}
    for name, value in scope["headers"]:
        key, text = name.decode("latin-1").lower(), value.decode("latin-1")
        headers[key] = f"{headers[key]}{'; ' if key == 'cookie' else ', '}{text}" if key in headers else text
    return Request(
        method=scope["method"],
        path=scope["path"],
        query_string=scope["query_string"].decode("latin-1"),
        headers=headers,
        body=body,
        certificate=scope.get("state", {}).get("peer_certificate"),
    )


async def _send(scope: Any, send: Any, response: Response) -> None:
    if response.dropped:
        scope["state"]["abort"]()
        return
    length = [] if response.status in {204, 304} else [(b"content-length", str(len(response.body)).encode())]
    headers = [(name.lower().encode(), value.encode("latin-1")) for name, value in response.headers]
    await send({"type": "http.response.start", "status": response.status, "headers": headers + length})
    await send({"type": "http.response.body", "body": response.body})
