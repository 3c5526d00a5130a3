"""The translator of refusals into RFC 9457 problem+json, and of everything else that may go wrong into a refusal."""

from __future__ import annotations

from typing import Any

import asyncpg
import msgspec
import structlog
from litestar import Request, Response
from litestar.connection import ASGIConnection
from litestar.exceptions import HTTPException, ValidationException
from litestar.handlers import BaseRouteHandler
from litestar.types import ExceptionHandlersMap

from strongroom.kit.errors import (
    Conflict,
    FieldError,
    Forbidden,
    Invalid,
    Malformed,
    NotFound,
    Refusal,
    TooLarge,
    TooMany,
    Unauthorised,
    Unavailable,
)
from strongroom.kit.http import facts

PROBLEM_TYPE = "application/problem+json"
_TYPE_PREFIX = "urn:strongroom:problem:"
_RETRY_SECONDS = 1
_log = structlog.get_logger("http")


class MethodNotAllowed(Refusal):
    """The address exists, and not for this method; the `Allow` header says for which."""

    code, status, title = "method_not_allowed", 405, "This address does not accept this method"


class CodedBody(Refusal):
    """The body is compressed (RFC 9110 §15.5.16): nobody here unpacks what a stranger packed."""

    code, status, title = "coded_body", 415, "Bodies are read as they are: send this one without a Content-Encoding"


class Busy(Conflict):
    """Another request holds what this one needs; nothing was done."""

    code, title = "busy", "Another request is working on the same thing; try again shortly"


class Overloaded(Unavailable):
    """The database took too long and was stopped; nothing was done."""

    code, title = "overloaded", "The service is too busy to answer; nothing was done"


class Broken(Refusal):
    """A fault of ours. The answer names the request and nothing else."""

    code, status, title = "internal_error", 500, "Something went wrong on our side; quote the request id when you ask about it"


class Problem(msgspec.Struct, frozen=True, omit_defaults=True):
    """RFC 9457's members, and ours: `code`, `request_id` and, for invalid input, `errors`."""

    type: str
    title: str
    status: int
    detail: str
    code: str
    request_id: str
    errors: tuple[FieldError, ...] = ()


_BY_STATUS: dict[int, type[Refusal]] = {
    400: Malformed,
    401: Unauthorised,
    403: Forbidden,
    404: NotFound,
    405: MethodNotAllowed,
    413: TooLarge,
    429: TooMany,
    503: Unavailable,
}


def describe(refusal: Refusal, request_id: str) -> Problem:
    """Return the problem that tells a refusal."""
    return Problem(
        f"{_TYPE_PREFIX}{refusal.code}", refusal.title, refusal.status, refusal.detail, refusal.code, request_id, refusal.errors
    )


def refusal_headers(refusal: Refusal) -> dict[str, str]:
    """Return the headers that a refusal's status asks for (RFC 9110 §10.2.3, §11.6.1)."""
    headers: dict[str, str] = {}
    if refusal.status == Unauthorised.status:
        headers["www-authenticate"] = 'Bearer realm="strongroom"'
    if refusal.status == CodedBody.status:
        headers["accept-encoding"] = "identity"
    if refusal.status in (TooMany.status, Unavailable.status) or refusal.retry_after_seconds:
        headers["retry-after"] = str(refusal.retry_after_seconds or _RETRY_SECONDS)
    return headers


def allowed_methods(error: Exception) -> dict[str, str]:
    """Return the `Allow` header that belongs to a method which an address does not accept, and nothing otherwise."""
    allow = (error.headers or {}).get("allow") if isinstance(error, HTTPException) else None
    return {"allow": ", ".join(sorted(set(allow.split(", "))))} if allow else {}


async def refuse_coded_body(connection: ASGIConnection[Any, Any, Any, Any], _: BaseRouteHandler) -> None:
    """Let a request pass whose body is not compressed; a guard, after the one that asks who calls. Raise CodedBody."""
    for name, value in connection.scope["headers"]:
        if name == b"content-encoding" and value.strip().lower() not in (b"", b"identity"):
            raise CodedBody


def to_refusal(error: Exception) -> Refusal:
    """Return the refusal that answers an exception; Broken for what nobody foresaw."""
    if isinstance(error, Refusal):
        return error
    if isinstance(error, HTTPException):
        return _from_framework(error)
    return _from_database(error)


def answer_problem(request: Request[Any, Any, Any], error: Exception) -> Response[bytes]:
    """Answer any exception with problem+json; log it when it is a fault of ours."""
    refusal = to_refusal(error)
    if isinstance(refusal, Broken):
        _log.error("a request failed", exc_info=error)
    headers = {**refusal_headers(refusal), **allowed_methods(error)}
    body = msgspec.json.encode(describe(refusal, facts(request.scope).request_id))
    return Response(body, status_code=refusal.status, headers=headers, media_type=PROBLEM_TYPE)


def exception_handlers() -> ExceptionHandlersMap:
    """Return the handlers for the application; a face with answers of its own overrides `Refusal` in its router."""
    return {Refusal: answer_problem, HTTPException: answer_problem, Exception: answer_problem}


def _from_database(error: Exception) -> Refusal:
    """Translate what the database refuses."""
    if isinstance(error, asyncpg.CharacterNotInRepertoireError):
        return Malformed("The address holds a NUL character, which no text may contain")
    if isinstance(error, asyncpg.LockNotAvailableError):
        return Busy(retry_after_seconds=_RETRY_SECONDS)
    if isinstance(error, asyncpg.QueryCanceledError | asyncpg.DeadlockDetectedError | asyncpg.SerializationError):
        return Overloaded(retry_after_seconds=_RETRY_SECONDS)
    if isinstance(error, asyncpg.InsufficientResourcesError | asyncpg.OperatorInterventionError):
        return Unavailable(retry_after_seconds=_RETRY_SECONDS)
    return Broken()


def _from_framework(error: HTTPException) -> Refusal:
    """Translate what the web framework refuses. Its own texts may quote the request, so only ours are shown."""
    if isinstance(error, ValidationException):
        return _from_validation(error)
    if error.status_code in _BY_STATUS:
        return _BY_STATUS[error.status_code]()
    return Broken() if error.status_code >= Broken.status else Malformed()


def _from_validation(error: ValidationException) -> Refusal:
    """Name the parameters of the address or header that do not read."""
    entries = error.extra if isinstance(error.extra, list) else []
    names = [str(entry.get("key", ""))[:64] for entry in entries if isinstance(entry, dict)]
    errors = tuple(FieldError(f"/{name}", "this parameter cannot be accepted") for name in names if name)
    if errors:
        return Invalid(f"Parameters that cannot be accepted: {', '.join(name for name in names if name)}", errors=errors)
    return Invalid("A parameter is missing or cannot be accepted")
