"""Signing in and out: start, who you are, the code, the firm's app, staying, leaving."""

from __future__ import annotations

from datetime import date, timedelta
from typing import Any

from litestar import Response, get, post
from litestar.handlers import HTTPRouteHandler
from litestar.params import FromPath, FromQuery

from strongroom.access.model import Firm
from strongroom.funds.authentications import Shut, Waiting, Wrong
from strongroom.funds.contacts import parse_born_on, parse_email
from strongroom.funds.errors import GrantSpent
from strongroom.kit.body import Unacceptable
from strongroom.kit.clock import own_now
from strongroom.kit.errors import TooMany
from strongroom.kit.head import ACTS
from strongroom.kit.pages import REFERRER_NONE
from strongroom.portal import paths
from strongroom.portal.rendering import LiveAnswer
from strongroom.portal.views.frame import FieldProblem
from strongroom.portal.views.signing_in import (
    EnterCode,
    GrantGone,
    GrantLanding,
    Locked,
    SignedOut,
    Start,
    WhoYouAre,
)
from strongroom.portal.visit import AnyRequest, Visit

_CODE_MINUTES = 10
_CODE_SHORTEST, _CODE_LONGEST = 6, 8
_OPEN: dict[str, Any] = {"public": "before anybody is known"}
_SESSION: dict[str, Any] = {"session": "the handler asks for it"}


@get(paths.START, opt=_OPEN)
async def start(request: AnyRequest, firm: FromQuery[str | None] = None) -> Response[Any]:
    """Show who asks, what for and how to check it."""
    visit = Visit(request)
    if await visit.find_session() is not None:
        return visit.go(paths.ACTIONS)
    return await visit.page(Start(), firm=await known_firm(visit, firm))


@get(paths.LOGIN, opt=_OPEN)
async def ask_who(request: AnyRequest) -> Response[Any]:
    """Ask for e-mail and date of birth; whoever is signed in has answered that."""
    visit = Visit(request)
    if await visit.find_session() is not None:
        return visit.go(paths.ACTIONS)
    return await visit.page(WhoYouAre(), firm=await known_firm(visit, None))


@post(paths.LOGIN, status_code=303, opt=_OPEN)
async def take_who(request: AnyRequest) -> Response[Any]:
    """Take e-mail and date of birth; the next page is the same whoever they are."""
    visit = Visit(request)
    form = await visit.form()
    email, born, problems = _read_person(form)
    if problems:
        view = WhoYouAre(
            form.get("email", "")[:254], form.get("day", "")[:10], form.get("month", "")[:10], form.get("year", "")[:10], problems
        )
        return await visit.page(view, status=422, firm=await known_firm(visit, None))
    if not await visit.house.authentications.begin(visit.browser, email, born, visit.address):
        raise TooMany(retry_after_seconds=600)
    return visit.go(paths.CODE)


@get(paths.CODE, opt=_OPEN)
async def ask_code(request: AnyRequest, resent: FromQuery[bool] = False, unsent: FromQuery[bool] = False) -> Response[Any]:
    """Ask for the code."""
    visit = Visit(request)
    waiting = await visit.house.authentications.waiting(visit.browser)
    if not waiting.is_open:
        return visit.go(paths.LOGIN)
    return await _code_page(visit, waiting, resent=resent, unsent=unsent)


@post(paths.CODE, status_code=303, opt=_OPEN)
async def take_code(request: AnyRequest) -> Response[Any]:
    """Take the code; a right one opens a session."""
    visit = Visit(request)
    typed = (await visit.form()).get("code", "")
    if unread := unreadable_code(typed):
        waiting = await visit.house.authentications.waiting(visit.browser)
        return await _code_page(visit, waiting, problems=(unread,))
    outcome = await visit.house.authentications.enter(visit.browser, typed)
    if isinstance(outcome, Wrong):
        waiting = await visit.house.authentications.waiting(visit.browser)
        problem = FieldProblem("code", "wrong", outcome.tries_left) if outcome.tries_left else FieldProblem("code", "expired")
        return await _code_page(visit, waiting, problems=(problem,))
    if isinstance(outcome, Shut):
        return await _locked(visit, outcome.seconds)
    visit.begin_session(outcome.session.reveal())
    return visit.go(paths.ACTIONS)


@post(paths.CODE_AGAIN, status_code=303, opt=_OPEN)
async def send_again(request: AnyRequest) -> Response[Any]:
    """Send another code, when it is time and within limits, whoever it is."""
    visit = Visit(request)
    await visit.form()
    is_asked = await visit.house.authentications.resend(visit.browser, visit.address)
    return visit.go(f"{paths.CODE}?{'resent' if is_asked else 'unsent'}=true")


@get("/customer/grant/{token:str}", opt={**_OPEN, **ACTS})
async def open_grant(request: AnyRequest, token: FromPath[str]) -> Response[Any]:
    """Show one button; nothing is used up yet, so previews and prefetching burn nothing. A browser gets a handle on it."""
    visit = Visit(request)
    try:
        firm_id, handle = await visit.house.grants.open(token)
    except GrantSpent:
        return await visit.page(GrantGone(), status=410, referrer=REFERRER_NONE)
    visit.hold_grant(handle)
    firm = await visit.house.firms.get(firm_id)
    return await visit.page(GrantLanding(paths.grant(token)), firm=firm, referrer=REFERRER_NONE)


@post("/customer/grant/{token:str}", status_code=303, opt=_OPEN)
async def use_grant(request: AnyRequest, token: FromPath[str]) -> Response[Any]:
    """Use the grant up and open its session, then go to an address that holds no secret."""
    visit = Visit(request)
    await visit.form()
    try:
        session = await visit.house.grants.use(token, visit.take_grant_handle())
    except GrantSpent:
        if await visit.find_session() is not None:  # the button was pressed twice
            return visit.go(paths.ACTIONS)
        return await visit.page(GrantGone(), status=410, referrer=REFERRER_NONE)
    visit.begin_session(session.reveal())
    return visit.go(paths.ACTIONS)


@post(paths.EXTEND, status_code=200, opt=_SESSION)
async def extend(request: AnyRequest) -> Response[Any]:
    """Stay signed in."""
    visit = Visit(request)
    await visit.form()
    await visit.session()
    if "application/json" in request.headers.get("accept", ""):
        return visit.json(LiveAnswer("", final=False))
    return visit.go(paths.ACTIONS)


@post(paths.SIGN_OUT, status_code=200, opt=_SESSION)
async def sign_out(request: AnyRequest) -> Response[Any]:
    """Sign out."""
    visit = Visit(request)
    await visit.form()
    await visit.end_session()
    return visit.go("/customer/signed-out")


@get("/customer/signed-out", opt=_OPEN)
async def signed_out(request: AnyRequest) -> Response[Any]:
    """Say that they are signed out."""
    return await Visit(request).page(SignedOut())


def routes() -> list[HTTPRouteHandler]:
    """Return the handlers of this file."""
    return [start, ask_who, take_who, ask_code, take_code, send_again, open_grant, use_grant, extend, sign_out, signed_out]


async def known_firm(visit: Visit, firm_id: str | None) -> Firm | None:
    """Return the firm whose name a page without session bears: the one named, or the only one there is."""
    wanted = firm_id or visit.house.site.only_firm_id
    return await visit.house.firms.find(wanted) if wanted else None


def unreadable_code(typed: str) -> FieldProblem | None:
    """Return why what was typed cannot be a code; it costs no try."""
    if not typed.strip():
        return FieldProblem("code", "missing")
    digits = sum(c.isdigit() for c in typed)
    return None if _CODE_SHORTEST <= digits <= _CODE_LONGEST else FieldProblem("code", "shape")


async def _code_page(
    visit: Visit, waiting: Waiting, *, resent: bool = False, unsent: bool = False, problems: tuple[FieldProblem, ...] = ()
) -> Response[Any]:
    if waiting.locked_seconds:
        return await _locked(visit, waiting.locked_seconds)
    view = EnterCode(
        paths.CODE,
        paths.CODE_AGAIN,
        _CODE_MINUTES,
        waiting.can_resend_in_seconds,
        resent=resent,
        unsent=unsent,
        problems=problems,
    )
    return await visit.page(view, status=422 if problems else 200, firm=await known_firm(visit, None))


async def _locked(visit: Visit, seconds: int) -> Response[Any]:
    opens_at = own_now() + timedelta(seconds=seconds)
    return await visit.page(Locked(opens_at), status=429, firm=await known_firm(visit, None))


def _read_person(form: dict[str, str]) -> tuple[str, str, tuple[FieldProblem, ...]]:
    """Return e-mail, date of birth as `YYYY-MM-DD`, and what is wrong with them."""
    problems = []
    email = form.get("email", "").strip()
    try:
        parse_email(email)
    except Unacceptable:
        problems.append(FieldProblem("email", "invalid" if email else "missing"))
    born = ""
    parts = [form.get(name, "").strip() for name in ("year", "month", "day")]
    try:
        year, month, day = (int(part) for part in parts)
        born = parse_born_on(date(year, month, day).isoformat(), own_now().date()).isoformat()
    except (ValueError, Unacceptable):
        problems.append(FieldProblem("dob", "invalid" if any(parts) else "missing"))
    return email, born, tuple(problems)
