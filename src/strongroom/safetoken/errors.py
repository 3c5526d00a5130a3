"""The error object of Safe Token's REST faces: `{"code","description","errors"}` for every 4xx and 5xx, as the document has it."""

from __future__ import annotations

from http import HTTPStatus
from typing import Any

import msgspec
import structlog
from litestar import Request, Response
from litestar.exceptions import HTTPException
from litestar.types import ExceptionHandlersMap

from strongroom.kit.errors import FieldError, Refusal
from strongroom.kit.problems import Broken, allowed_methods, refusal_headers, to_refusal

_JSON = "application/json"
_log = structlog.get_logger("safetoken")


class RestError(msgspec.Struct, frozen=True):
    """The object; `errors` names the members that cannot be accepted, or is null."""

    code: str
    description: str
    errors: tuple[FieldError, ...] | None = None


def describe(refusal: Refusal) -> RestError:
    """Return the object that tells a refusal: its code is the name of the status, such as `Unauthorized`."""
    name = HTTPStatus(refusal.status).phrase.title().replace(" ", "")
    return RestError(name, refusal.detail, refusal.errors or None)


def answer_rest(_: Request[Any, Any, Any], error: Exception) -> Response[bytes]:
    """Answer any exception with the object; log it when it is a fault of ours."""
    refusal = to_refusal(error)
    if isinstance(refusal, Broken):
        log_fault(error)
    headers = {**refusal_headers(refusal), **allowed_methods(error)}
    return Response(msgspec.json.encode(describe(refusal)), status_code=refusal.status, headers=headers, media_type=_JSON)


def log_fault(error: Exception) -> None:
    """Log an exception that is a fault of ours."""
    _log.error("a request failed", exc_info=error)


def rest_errors() -> ExceptionHandlersMap:
    """Return the exception handlers of a REST route of Safe Token: `exception_handlers=rest_errors()`."""
    return {Refusal: answer_rest, HTTPException: answer_rest, Exception: answer_rest}
