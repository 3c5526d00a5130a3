"""How the website answers refusals: a page that says what happened and what to do next, never a problem document."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import asyncpg
import structlog
from litestar import Response
from litestar.exceptions import HTTPException
from litestar.types import ExceptionHandlersMap

from strongroom.kit.clock import own_now
from strongroom.kit.errors import Gone, NotFound, Refusal, TooMany
from strongroom.kit.http import facts
from strongroom.kit.problems import refusal_headers, to_refusal
from strongroom.portal import paths
from strongroom.portal.views.frame import View
from strongroom.portal.views.plain import NotFound as NotFoundPage
from strongroom.portal.views.plain import OutOfDate, Trouble
from strongroom.portal.views.plain import TooMany as TooManyPage
from strongroom.portal.views.signing_in import Kept, SessionEnded
from strongroom.portal.visit import AnyRequest, FormTooOld, SignedOut, Visit

_SERVER_FAULT = 500
_BAD_ADDRESS = frozenset({400, 404, 405, 410, 422})  # typed, shortened or changed by hand
_log = structlog.get_logger("portal")


def answer_page(request: AnyRequest, error: Exception) -> Response[Any]:
    """Show the page that an exception stands for."""
    # An address with characters that PostgreSQL cannot hold (a zero byte) names nothing.
    refusal = NotFound() if isinstance(error, asyncpg.CharacterNotInRepertoireError) else to_refusal(error)
    visit = Visit(request)
    if isinstance(refusal, SignedOut) and not visit.had_session:
        return visit.go(paths.LOGIN)
    if refusal.status >= _SERVER_FAULT:
        _log.error("a page failed", exc_info=error)
    view = _view(refusal, facts(request.scope).request_id, visit)
    return visit.page_for(None, view, status=refusal.status, headers=refusal_headers(refusal))


def handlers() -> ExceptionHandlersMap:
    """Return the handlers for every page."""
    return {Refusal: answer_page, HTTPException: answer_page, Exception: answer_page}


def _view(refusal: Refusal, reference: str, visit: Visit) -> View:
    if isinstance(refusal, SignedOut):
        return SessionEnded(_kept(visit))
    if isinstance(refusal, FormTooOld):
        return OutOfDate()
    if isinstance(refusal, TooMany):
        return TooManyPage(own_now() + timedelta(seconds=refusal.retry_after_seconds or 60))
    if isinstance(refusal, NotFound | Gone) or refusal.status in _BAD_ADDRESS:
        return NotFoundPage(reference)
    if refusal.status < _SERVER_FAULT:
        return OutOfDate()
    return Trouble(reference)


def _kept(visit: Visit) -> Kept:
    """Say which of the customer's doings outlives the session."""
    if visit.has_pass("payment"):
        return Kept.PAYMENT
    return Kept.SHARING if visit.has_pass("share") else Kept.NOTHING
