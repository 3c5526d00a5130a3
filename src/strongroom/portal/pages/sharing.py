"""Sharing bank details: what and why, choosing a bank, agreeing, going there, which account, what was shared, ending consents."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from litestar import Response, get, post
from litestar.handlers import HTTPRouteHandler
from litestar.params import FromPath, FromQuery

from strongroom.access.model import Firm, Session
from strongroom.banking.port import CustomerContext
from strongroom.funds.authentications import RESEND_AFTER_SECONDS, Shut, Wrong
from strongroom.funds.desk import AskedToShare
from strongroom.funds.errors import RequestEnded, RequestFrozen, ShareAlreadyStarted, ShareLive
from strongroom.funds.model import Failure, Share
from strongroom.funds.payments import Agreement
from strongroom.funds.states import AccountRequestState, ShareState
from strongroom.kit.clock import own_now
from strongroom.kit.errors import NotFound
from strongroom.portal import paths
from strongroom.portal.pages import handing_over, picking, shaping
from strongroom.portal.pages.signing_in import unreadable_code
from strongroom.portal.views.frame import FieldProblem
from strongroom.portal.views.requests import Ended, Frozen, Kind, RequestOver
from strongroom.portal.views.sharing import (
    ChooseAccount,
    ConsentItem,
    ConsentRevoked,
    Consents,
    GoToBankToShare,
    NotShared,
    RevokeConsent,
    ShareCheck,
    ShareChooseBank,
    Shared,
    SharedElsewhere,
    ShareWhy,
)
from strongroom.portal.views.sharing import (
    ShareLive as ShareLivePage,
)
from strongroom.portal.views.signing_in import CodeFor, EnterCode, Locked
from strongroom.portal.visit import AnyRequest, Visit

WORDING = "share-2026-11"  # the version of the text on the page where a customer agrees; change it with the text
_AT_BANK_SECONDS = 900
_CODE_MINUTES = 10
_OVER = frozenset({AccountRequestState.EXPIRED, AccountRequestState.CANCELLED})
_SESSION: dict[str, Any] = {"session": "the handler asks for it"}
_PASS: dict[str, Any] = {"session": "a session, or the browser's pass for this one attempt"}


@get("/customer/share/{request_id:str}", opt=_SESSION)
async def why(request: AnyRequest, request_id: FromPath[str]) -> Response[Any]:
    """Say what is to be shared, why, who sees it and for how long."""
    visit = Visit(request)
    asked = await visit.house.desk.account_request(await visit.records(), request_id)
    return await _elsewhere(visit, asked) or await visit.page(ShareWhy(request_id, asked.request.expires_at), firm=asked.firm)


@get("/customer/share/{request_id:str}/bank", opt=_SESSION)
async def choose_bank(request: AnyRequest, request_id: FromPath[str], q: FromQuery[str] = "") -> Response[Any]:
    """List the banks."""
    visit = Visit(request)
    asked = await visit.house.desk.account_request(await visit.records(), request_id)
    if other := await _elsewhere(visit, asked):
        return other
    last = await visit.house.desk.last_bank(asked.firm.id, asked.customer_id)
    here = paths.share(request_id, "bank")
    banks = picking.bank_list(
        visit.house.registry.list_banks(), q[:60], here, last, lambda bank: paths.share_check(request_id, bank)
    )
    phone = await handing_over.offer(visit, asked.firm.id, asked.customer_id, request_id)
    return await visit.page(ShareChooseBank(request_id, banks, phone), firm=asked.firm)


@get("/customer/share/{request_id:str}/check", opt=_SESSION)
async def check(
    request: AnyRequest, request_id: FromPath[str], bank: FromQuery[str] = "", unreachable: FromQuery[bool] = False
) -> Response[Any]:
    """Show what the customer is about to agree to."""
    visit = Visit(request)
    asked = await visit.house.desk.account_request(await visit.records(), request_id)
    if other := await _elsewhere(visit, asked):
        return other
    listing = visit.house.registry.get_listing(bank)
    view = ShareCheck(
        request_id, bank, listing.name, visit.house.site.provider, bank_unreachable=unreachable,
        trouble=picking.trouble_of(listing), look=picking.look_of(listing),
    )  # fmt: skip
    return await visit.page(view, firm=asked.firm)


@post("/customer/share/{request_id:str}/check", status_code=303, opt=_SESSION)
async def agree(request: AnyRequest, request_id: FromPath[str]) -> Response[Any]:
    """Begin the sharing at the bank."""
    visit = Visit(request)
    bank_id = (await visit.form()).get("bank", "")
    asked = await visit.house.desk.account_request(await visit.records(), request_id)
    listing = visit.house.registry.get_listing(bank_id)
    if listing.is_closed:
        return visit.go(paths.share(request_id, "bank"))
    try:
        begun = await visit.house.sharing.begin(
            asked.firm.id,
            asked.customer_id,
            request_id,
            bank_id,
            Agreement(WORDING, listing.name, visit.address),
            CustomerContext(visit.address, visit.user_agent),
            visit.browser_hash,
        )
    except ShareAlreadyStarted as live:
        share = await visit.house.sharing.get(asked.firm.id, live.share_id)
        return visit.go(paths.sharing(share.id, "go" if share.state is ShareState.AWAITING else ""))
    except (RequestEnded, RequestFrozen):
        return visit.go(paths.share(request_id))
    if begun.failure not in {None, Failure.BANK_UNAVAILABLE}:  # the bank said no: that page tells why
        return visit.go(paths.sharing(begun.share_id))
    if begun.failure is not None:
        return visit.go(f"{paths.share_check(request_id, bank_id)}&unreachable=true")
    visit.remember_pass("share", asked.firm.id, begun.share_id)
    await visit.pause(_AT_BANK_SECONDS)
    return visit.go(paths.sharing(begun.share_id, "go"))


@get("/customer/shares/{share_id:str}/go", opt=_SESSION)
async def go_to_bank(request: AnyRequest, share_id: FromPath[str], unreachable: FromQuery[bool] = False) -> Response[Any]:
    """Say where the customer is being sent."""
    visit = Visit(request)
    asked, share = await visit.house.desk.share(await visit.records(), share_id)
    if share.state is not ShareState.AWAITING:
        return visit.go(paths.sharing(share_id))
    url = await visit.house.sharing.bank_url(asked.firm.id, asked.customer_id, share_id)
    await visit.pause(_AT_BANK_SECONDS)
    bank = shaping.bank_look(visit.house.registry, share.bank_id)
    view = GoToBankToShare(share_id, bank.name, url or paths.sharing(share_id, "bank"), bank, held_up=unreachable)
    return await visit.page(view, firm=asked.firm)


@get("/customer/shares/{share_id:str}/bank", status_code=303, opt=_SESSION)
async def leave(request: AnyRequest, share_id: FromPath[str]) -> Response[Any]:
    """Send the customer to a bank that gives its address only now; where it gives none, say so and offer a way on."""
    visit = Visit(request)
    asked, _ = await visit.house.desk.share(await visit.records(), share_id)
    leaving = await visit.house.sharing.leave(asked.firm.id, asked.customer_id, share_id)
    if leaving.failure is not None:
        return visit.go(f"{paths.sharing(share_id, 'go')}?unreachable=true")
    await visit.pause(_AT_BANK_SECONDS)
    return visit.go(leaving.url or paths.sharing(share_id))


@get("/customer/shares/{share_id:str}", opt=_PASS)
async def show_share(request: AnyRequest, share_id: FromPath[str]) -> Response[Any]:
    """Show where a sharing stands. A browser that must prove itself is asked for a code, with or without a session."""
    visit = Visit(request)
    session = await visit.find_session(touch=not visit.is_by_itself)
    found = await _find(visit, session, share_id)
    if found is None:
        return await _without_session(visit, share_id)
    asked, share = found
    name = shaping.bank_name(visit.house.registry, share.bank_id)
    if share.state is ShareState.CHOOSING:
        return await visit.page(await _choices(visit, asked, share), firm=asked.firm)
    if share.state is ShareState.SHARED:
        details = await visit.house.sharing.shared_account(asked.firm.id, asked.customer_id, share_id)
        account = shaping.account_choice("", details)
        return await visit.page(Shared(share.request_id, account, name, share.shared_at or share.created_at), firm=asked.firm)
    if stage := shaping.share_stage(share):
        may_choose = share.state in {ShareState.AWAITING, ShareState.REQUESTING, ShareState.UNPROVEN}
        follows = shaping.is_followed(share.returned_at or share.created_at)
        return await visit.page(ShareLivePage(share_id, name, stage, share.created_at, may_choose, follows), firm=asked.firm)
    if asked.request.frozen_at is not None or asked.request.state in _OVER:
        return await _over(visit, asked)
    because = shaping.not_shared_because(share)
    view = NotShared(share.request_id, share.bank_id, name, because, share.ended_at or share.created_at)
    return await visit.page(view, firm=asked.firm)


@get("/customer/shares/{share_id:str}/status", opt=_PASS)
async def share_status(request: AnyRequest, share_id: FromPath[str]) -> Response[Any]:
    """Answer the live page's script."""
    visit = Visit(request)
    found = await _find(visit, await visit.find_session(touch=False), share_id)
    if found is None:
        share = await visit.house.sharing.get(_passed_firm(visit, share_id), share_id)
        return visit.json(visit.portal.pages.share_elsewhere_answer("en", shaping.share_elsewhere(share)))
    _, share = found
    name = shaping.bank_name(visit.house.registry, share.bank_id)
    return visit.json(visit.portal.pages.sharing_answer("en", shaping.share_stage(share), name))


@post("/customer/shares/{share_id:str}/another-bank", status_code=303, opt=_SESSION)
async def choose_another(request: AnyRequest, share_id: FromPath[str]) -> Response[Any]:
    """Close a sharing before anything is read, and choose again."""
    visit = Visit(request)
    await visit.form()
    asked, share = await visit.house.desk.share(await visit.records(), share_id)
    try:
        await visit.house.sharing.choose_another(asked.firm.id, asked.customer_id, share_id)
    except ShareLive:
        return visit.go(paths.sharing(share_id))
    return visit.go(paths.share(share.request_id, "bank"))


@post("/customer/shares/{share_id:str}/account", status_code=303, opt=_SESSION)
async def choose_account(request: AnyRequest, share_id: FromPath[str]) -> Response[Any]:
    """Share the account that the customer picked."""
    visit = Visit(request)
    picked = (await visit.form()).get("account", "")
    asked, share = await visit.house.desk.share(await visit.records(), share_id)
    if not picked:
        view = await _choices(visit, asked, share, (FieldProblem("account", "missing"),))
        return await visit.page(view, firm=asked.firm, status=422)
    try:
        await visit.house.sharing.choose_account(asked.firm.id, asked.customer_id, share_id, picked)
    except RequestEnded:
        return visit.go(paths.share(share.request_id))
    return visit.go(paths.sharing(share_id))


@get("/customer/shares/{share_id:str}/code", opt=_PASS)
async def ask_code(
    request: AnyRequest, share_id: FromPath[str], resent: FromQuery[bool] = False, unsent: FromQuery[bool] = False
) -> Response[Any]:
    """Ask for the fresh code that finishes the sharing in this browser."""
    return await _code_page(Visit(request), share_id, resent=resent, unsent=unsent)


@post("/customer/shares/{share_id:str}/code", status_code=303, opt=_PASS)
async def take_code(request: AnyRequest, share_id: FromPath[str]) -> Response[Any]:
    """Take the fresh code; a right one lets the sharing go on."""
    visit = Visit(request)
    typed = (await visit.form()).get("code", "")
    firm_id = _passed_firm(visit, share_id)
    if unread := unreadable_code(typed):
        return await _code_page(visit, share_id, problems=(unread,))
    outcome = await visit.house.proofs.enter(firm_id, share_id, visit.browser_hash, typed)
    if isinstance(outcome, Shut):
        return await _locked(visit, outcome.seconds)
    if isinstance(outcome, Wrong):
        problem = FieldProblem("code", "wrong", outcome.tries_left) if outcome.tries_left else FieldProblem("code", "expired")
        return await _code_page(visit, share_id, problems=(problem,))
    return visit.go(paths.sharing(share_id))


@post("/customer/shares/{share_id:str}/code-again", status_code=303, opt=_PASS)
async def send_again(request: AnyRequest, share_id: FromPath[str]) -> Response[Any]:
    """Send another fresh code."""
    visit = Visit(request)
    await visit.form()
    is_sent = await visit.house.proofs.send_code(_passed_firm(visit, share_id), share_id, visit.browser_hash, visit.address)
    return visit.go(f"{paths.sharing(share_id, 'code')}?{'resent' if is_sent else 'unsent'}=true")


@get(paths.CONSENTS, opt=_SESSION)
async def consents(request: AnyRequest) -> Response[Any]:
    """List every consent of this customer."""
    visit = Visit(request)
    session = await visit.session()
    return await visit.page(Consents(tuple(await _consents(visit, session))), firm=await _only_firm(visit, session))


@get("/customer/consents/{consent_id:str}/revoke", opt=_SESSION)
async def ask_revoke(request: AnyRequest, consent_id: FromPath[str]) -> Response[Any]:
    """Ask whether a consent is to be ended."""
    visit = Visit(request)
    item = await _consent(visit, consent_id)
    return await visit.page(RevokeConsent(item), firm=await _only_firm(visit, await visit.session()))


@post("/customer/consents/{consent_id:str}/revoke", status_code=200, opt=_SESSION)
async def revoke(request: AnyRequest, consent_id: FromPath[str]) -> Response[Any]:
    """End a consent, at the bank too."""
    visit = Visit(request)
    await visit.form()
    asked, _ = await visit.house.desk.share(await visit.records(), consent_id)
    try:
        await visit.house.sharing.revoke(asked.firm.id, asked.customer_id, consent_id)
    except ShareLive:
        return visit.go(paths.sharing(consent_id))
    return await visit.page(ConsentRevoked(await _consent(visit, consent_id), own_now()), firm=asked.firm)


def routes() -> list[HTTPRouteHandler]:
    """Return the handlers of this file."""
    return [
        why, choose_bank, check, agree, go_to_bank, leave, show_share, share_status, choose_another, choose_account, ask_code,
        take_code, send_again, consents, ask_revoke, revoke,
    ]  # fmt: skip


async def _elsewhere(visit: Visit, asked: AskedToShare) -> Response[Any] | None:
    """Answer when the request cannot be met now: frozen, over, being shared or shared already."""
    request, latest = asked.request, asked.latest
    if request.frozen_at is not None:
        return await _over(visit, asked)
    if latest is not None and (latest.ended_at is None or latest.state is ShareState.SHARED):
        return visit.go(paths.sharing(latest.id, "go" if latest.state is ShareState.AWAITING else ""))
    return await _over(visit, asked) if request.state in _OVER else None


async def _over(visit: Visit, asked: AskedToShare) -> Response[Any]:
    """Say that a request was stopped, taken back, or expired."""
    request = asked.request
    if request.frozen_at is not None:
        return await visit.page(Frozen(Kind.SHARE, request.frozen_at), firm=asked.firm)
    is_late = request.state is AccountRequestState.EXPIRED
    at = request.expires_at if is_late and request.expires_at else request.changed_at
    view = RequestOver(Kind.SHARE, Ended.EXPIRED if is_late else Ended.CANCELLED, at)
    return await visit.page(view, firm=asked.firm, status=410)


async def _find(visit: Visit, session: Session | None, share_id: str) -> tuple[AskedToShare, Share] | None:
    """Return a share that the session covers."""
    if session is None:
        return None
    try:
        return await visit.house.desk.share(session.records, share_id)
    except NotFound:
        return None


async def _without_session(visit: Visit, share_id: str) -> Response[Any]:
    """Ask the browser that came back for its proof; afterwards say that it went on, without a name."""
    firm_id = visit.find_pass("share", share_id)
    if firm_id is None:
        await visit.session()
        raise NotFound
    share = await visit.house.sharing.get(firm_id, share_id)
    if share.state is ShareState.UNPROVEN:
        return visit.go(paths.sharing(share_id, "code"))
    if share.state in {ShareState.REQUESTING, ShareState.AWAITING}:
        await visit.session()
    view = SharedElsewhere(shaping.share_elsewhere(share), paths.sharing(share_id, "status"))
    return await visit.page(view, firm=await visit.house.firms.find(firm_id))


async def _choices(visit: Visit, asked: AskedToShare, share: Share, problems: tuple[FieldProblem, ...] = ()) -> ChooseAccount:
    offered = await visit.house.sharing.choices(asked.firm.id, asked.customer_id, share.id)
    accounts = tuple(shaping.account_choice(one.id, one.details) for one in offered)
    return ChooseAccount(share.id, shaping.bank_name(visit.house.registry, share.bank_id), accounts, problems)


async def _code_page(
    visit: Visit, share_id: str, *, resent: bool = False, unsent: bool = False, problems: tuple[FieldProblem, ...] = ()
) -> Response[Any]:
    firm_id = _passed_firm(visit, share_id)
    if seconds := await visit.house.proofs.locked_seconds(firm_id, share_id, visit.browser_hash):
        return await _locked(visit, seconds)
    view = EnterCode(
        paths.sharing(share_id, "code"),
        paths.sharing(share_id, "code-again"),
        _CODE_MINUTES,
        RESEND_AFTER_SECONDS,
        resent=resent,
        unsent=unsent,
        purpose=CodeFor.FINISH_SHARING,
        problems=problems,
    )
    return await visit.page(view, status=422 if problems else 200, firm=await visit.house.firms.find(firm_id))


async def _locked(visit: Visit, seconds: int) -> Response[Any]:
    return await visit.page(Locked(own_now() + timedelta(seconds=seconds)), status=429)


def _passed_firm(visit: Visit, share_id: str) -> str:
    """Return the firm of the share that this browser came back with. Raise NotFound."""
    firm_id = visit.find_pass("share", share_id)
    if firm_id is None:
        raise NotFound
    return firm_id


async def _only_firm(visit: Visit, session: Session) -> Firm | None:
    """Return the firm in whose name a page speaks that shows everything; None where there are several."""
    firms = {record.firm_id for record in session.records}
    return await visit.house.firms.find(firms.pop()) if len(firms) == 1 else None


async def _consents(visit: Visit, session: Session) -> list[ConsentItem]:
    items = []
    for record in session.records:
        firm = await visit.house.firms.get(record.firm_id)
        found = await visit.house.sharing.consents(record.firm_id, record.customer_id)
        seen = [one for one in found if record.request_id in {None, one.request_id}]
        items += [shaping.consent_item(one, firm.settings.logo_text or firm.name) for one in seen]
    return items


async def _consent(visit: Visit, consent_id: str) -> ConsentItem:
    items = await _consents(visit, await visit.session())
    found = next((item for item in items if item.id == consent_id), None)
    if found is None:
        raise NotFound
    return found
