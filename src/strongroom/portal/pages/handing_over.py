"""Going on with the phone: its code, its number, and the computer that follows. What the code may do is access/handoffs.py's."""

from __future__ import annotations

from typing import Any

from litestar import Response, get, post
from litestar.handlers import HTTPRouteHandler
from litestar.params import FromPath

from strongroom.access.handoffs import Confirmed, HandOff, HandOffStage, Landed, WrongNumber
from strongroom.kit.errors import NotFound
from strongroom.kit.pages import REFERRER_NONE
from strongroom.portal import paths
from strongroom.portal.pages import following
from strongroom.portal.qr import qr_svg
from strongroom.portal.rendering import LiveAnswer
from strongroom.portal.views.frame import FieldProblem
from strongroom.portal.views.handing_over import (
    FollowPhone,
    FollowStage,
    HandOffGone,
    HandOffGoneBecause,
    PhoneGone,
    PhoneGoneBecause,
    PhoneLanding,
    PhoneNumber,
    PhoneOffer,
    TypeNumber,
)
from strongroom.portal.visit import AnyRequest, Visit

_OPEN: dict[str, Any] = {"public": "a code leads here before anybody is known; only the browser that scanned it is answered"}
_SESSION: dict[str, Any] = {"session": "the handler asks for it"}
_ON_THE_PHONE_SECONDS = 900
_GONE = {
    HandOffStage.TOO_OLD: HandOffGoneBecause.TOO_OLD,
    HandOffStage.LOCKED: HandOffGoneBecause.LOCKED,
    HandOffStage.STOPPED: HandOffGoneBecause.STOPPED,
}


async def offer(visit: Visit, firm_id: str, customer_id: str, request_id: str) -> PhoneOffer | None:
    """Return a fresh code for a request, where this session may offer one."""
    made = await visit.house.hand_offs.offer(visit.session_id, firm_id, customer_id, request_id)
    if made is None:
        return None
    address = f"{visit.house.site.base_url}{paths.phone_link(made.token.reveal())}"
    return PhoneOffer(made.id, address, qr_svg(address), made.minutes)


@get("/customer/on-phone/{token:str}", opt=_OPEN)
async def land(request: AnyRequest, token: FromPath[str]) -> Response[Any]:
    """Show one button on the phone; nothing is used up yet, so previews burn nothing."""
    visit = Visit(request)
    landed = await visit.house.hand_offs.land(token, visit.browser, visit.session_id)
    if landed is None:
        return await visit.page(PhoneGone(PhoneGoneBecause.TOO_OLD), status=410, referrer=REFERRER_NONE)
    if landed.is_mine:
        return visit.go(paths.phone(landed.hand_off_id))
    if landed.is_own:  # the address was opened at the computer itself
        return visit.go(paths.bank_choice(landed.request_id))
    firm = await visit.house.firms.get(landed.firm_id)
    if not landed.is_usable:
        return await visit.page(PhoneGone(_why(landed)), status=410, referrer=REFERRER_NONE, firm=firm)
    view = PhoneLanding(paths.phone_link(token), following.kind_of(landed.request_id))
    return await visit.page(view, firm=firm, referrer=REFERRER_NONE)


@post("/customer/on-phone/{token:str}", status_code=303, opt=_OPEN)
async def scan(request: AnyRequest, token: FromPath[str]) -> Response[Any]:
    """Use the code up for this browser, and go to an address that holds no secret."""
    visit = Visit(request)
    await visit.form()
    hand_off_id = await visit.house.hand_offs.scan(token, visit.browser)
    if hand_off_id is None:
        landed = await visit.house.hand_offs.land(token, visit.browser, "")
        because = _why(landed) if landed else PhoneGoneBecause.TOO_OLD
        return await visit.page(PhoneGone(because), status=410, referrer=REFERRER_NONE)
    return visit.go(paths.phone(hand_off_id))


@get("/customer/phone/{hand_off_id:str}", opt=_OPEN)
async def show_number(request: AnyRequest, hand_off_id: FromPath[str]) -> Response[Any]:
    """Show the phone's number; once it was typed at the computer, go on signed in."""
    visit = Visit(request)
    found = await visit.house.hand_offs.on_phone(hand_off_id, visit.browser)
    if found is None:
        raise NotFound
    hand_off = found.hand_off
    if hand_off.stage is HandOffStage.CONFIRMED:
        visit.begin_session(found.session.reveal())
        return visit.go(paths.bank_choice(hand_off.request_id))
    firm = await visit.house.firms.get(hand_off.firm_id)
    if hand_off.stage is not HandOffStage.SCANNED:
        return await visit.page(PhoneGone(PhoneGoneBecause(hand_off.stage)), status=410, firm=firm)
    return await visit.page(PhoneNumber(hand_off_id, found.number, following.kind_of(hand_off.request_id)), firm=firm)


@get("/customer/phone/{hand_off_id:str}/status", opt=_OPEN)
async def number_status(request: AnyRequest, hand_off_id: FromPath[str]) -> Response[Any]:
    """Answer the script of the phone's page."""
    visit = Visit(request, may_name_browser=False)
    found = await visit.house.hand_offs.on_phone(hand_off_id, visit.browser)
    if found is None:
        raise NotFound
    is_waiting = found.hand_off.stage is HandOffStage.SCANNED
    return visit.json(visit.portal.pages.phone_answer("en", is_waiting=is_waiting))


@get("/customer/handed-over/{hand_off_id:str}", opt=_SESSION)
async def follow(request: AnyRequest, hand_off_id: FromPath[str]) -> Response[Any]:
    """Follow the phone at the computer, as far as the page on which it ends."""
    visit = Visit(request)
    hand_off = await _hand_off(visit, hand_off_id)
    return await _type_number(visit, hand_off) if hand_off.stage is HandOffStage.SCANNED else await _follow(visit, hand_off)


@get("/customer/handed-over/{hand_off_id:str}/status", opt=_SESSION)
async def follow_status(request: AnyRequest, hand_off_id: FromPath[str]) -> Response[Any]:
    """Answer the scripts at the computer. It is no activity of a person, so it keeps no session alive."""
    visit = Visit(request)
    session = await visit.session(touch=False)
    hand_off = await visit.house.hand_offs.on_computer(hand_off_id, visit.session_id)
    if hand_off is None:
        raise NotFound
    pages, here = visit.portal.pages, paths.handed_over(hand_off_id)
    if hand_off.stage is HandOffStage.OFFERED:
        return visit.json(pages.follow_answer("en", FollowStage.NOT_SCANNED, ""))
    if hand_off.stage is HandOffStage.TOO_OLD and hand_off.scanned_at is None:  # no load by script: it would count as activity
        return visit.json(pages.old_code_answer("en"))
    if hand_off.stage is not HandOffStage.CONFIRMED:
        return visit.json(LiveAnswer("", final=True, next=here))
    found = await following.look(visit.house, session.records, hand_off)
    if found.end_url:
        return visit.json(LiveAnswer("", final=True, next=found.end_url))
    return visit.json(pages.follow_answer("en", found.stage, found.bank_name))


@post("/customer/handed-over/{hand_off_id:str}", status_code=303, opt=_SESSION)
async def take_number(request: AnyRequest, hand_off_id: FromPath[str]) -> Response[Any]:
    """Take the number that the phone shows."""
    visit = Visit(request)
    typed = (await visit.form()).get("number", "")[:20]
    hand_off = await _hand_off(visit, hand_off_id)
    if not any(one.isdigit() for one in typed):
        return await _type_number(visit, hand_off, FieldProblem("number", "missing"))
    outcome = await visit.house.hand_offs.confirm(hand_off_id, visit.session_id, typed)
    if isinstance(outcome, WrongNumber) and outcome.tries_left:
        return await _type_number(visit, hand_off, FieldProblem("number", "wrong", outcome.tries_left))
    if isinstance(outcome, Confirmed):
        await visit.pause(_ON_THE_PHONE_SECONDS)
    return visit.go(paths.handed_over(hand_off_id))


@post("/customer/handed-over/{hand_off_id:str}/stop", status_code=303, opt=_SESSION)
async def stop(request: AnyRequest, hand_off_id: FromPath[str]) -> Response[Any]:
    """Go on at the computer instead: the phone is signed out."""
    visit = Visit(request)
    await visit.form()
    await visit.session()
    stopped = await visit.house.hand_offs.stop(hand_off_id, visit.session_id)
    if stopped is None:
        raise NotFound
    return visit.go(paths.bank_choice(stopped.request_id))


def routes() -> list[HTTPRouteHandler]:
    """Return the handlers of this file."""
    return [land, scan, show_number, number_status, follow, follow_status, take_number, stop]


async def _hand_off(visit: Visit, hand_off_id: str) -> HandOff:
    """Return a hand-off of this very session. Raise SignedOut or NotFound."""
    await visit.session()
    found = await visit.house.hand_offs.on_computer(hand_off_id, visit.session_id)
    if found is None:
        raise NotFound
    return found


async def _type_number(visit: Visit, hand_off: HandOff, *problems: FieldProblem) -> Response[Any]:
    view = TypeNumber(hand_off.id, following.kind_of(hand_off.request_id), problems)
    firm = await visit.house.firms.get(hand_off.firm_id)
    return await visit.page(view, firm=firm, status=422 if problems else 200)


async def _follow(visit: Visit, hand_off: HandOff) -> Response[Any]:
    firm = await visit.house.firms.get(hand_off.firm_id)
    kind = following.kind_of(hand_off.request_id)
    if because := _GONE.get(hand_off.stage):
        view = HandOffGone(because, kind, paths.bank_choice(hand_off.request_id))
        return await visit.page(view, firm=firm, status=410)
    if hand_off.stage is HandOffStage.OFFERED:
        return await visit.page(FollowPhone(hand_off.id, kind, FollowStage.NOT_SCANNED), firm=firm)
    found = await following.look(visit.house, await visit.records(), hand_off)
    if found.end_url:
        return visit.go(found.end_url)
    await visit.pause(_ON_THE_PHONE_SECONDS)
    return await visit.page(FollowPhone(hand_off.id, kind, found.stage, found.bank_name, found.attempt_url), firm=firm)


def _why(landed: Landed) -> PhoneGoneBecause:
    return PhoneGoneBecause.USED if landed.is_used else PhoneGoneBecause.TOO_OLD
