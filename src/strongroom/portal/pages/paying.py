"""Paying: the list of actions, choosing a bank, agreeing, going there, coming back, what became of it, the receipt."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

from litestar import Response, get, post
from litestar.handlers import HTTPRouteHandler
from litestar.params import FromPath, FromQuery

from strongroom.banking.port import CustomerContext
from strongroom.funds.desk import Asked
from strongroom.funds.errors import (
    NoReceivingAccount,
    PartNotAllowed,
    PaymentAlreadyStarted,
    PaymentLive,
    RequestEnded,
    RequestFrozen,
)
from strongroom.funds.model import Failure, Payment
from strongroom.funds.payments import Agreement
from strongroom.funds.states import LIVE_BEFORE_EXCHANGE, PaymentState, RequestState
from strongroom.kit.clock import own_now
from strongroom.kit.errors import NotFound
from strongroom.kit.money import print_pounds
from strongroom.portal import paths
from strongroom.portal.pages import handing_over, picking, shaping
from strongroom.portal.rendering import LiveAnswer
from strongroom.portal.views.frame import FieldProblem
from strongroom.portal.views.paying import (
    CameBackElsewhere,
    CheckPay,
    ChooseBank,
    GoToBankToPay,
    NotPaid,
    Paid,
    Receipt,
)
from strongroom.portal.views.paying import (
    PaymentLive as PaymentLivePage,
)
from strongroom.portal.views.requests import Actions, Ended, Frozen, Kind, RequestOver, Unrecognised
from strongroom.portal.visit import AnyRequest, Visit

WORDING = "pay-2026-11b"  # the version of the text on the page where a customer agrees; change it with the text
_AT_BANK_SECONDS = 900
_OVER = frozenset({RequestState.EXPIRED, RequestState.CANCELLED})
_SESSION: dict[str, Any] = {"session": "the handler asks for it"}
_PASS: dict[str, Any] = {"session": "a session, or the browser's pass for this one attempt"}


@get(paths.ACTIONS, opt=_SESSION)
async def actions(request: AnyRequest) -> Response[Any]:
    """List what the customer is asked to do, firm by firm."""
    visit = Visit(request)
    seen = await visit.house.desk.everything(await visit.records())
    firms = {one.firm.id: one.firm for one in seen}
    only = next(iter(firms.values())) if len(firms) == 1 else None
    return await visit.page(Actions(shaping.firm_actions(seen)), firm=only)


@get("/customer/pay/{request_id:str}", opt=_SESSION)
async def choose_bank(request: AnyRequest, request_id: FromPath[str], q: FromQuery[str] = "") -> Response[Any]:
    """List the banks, most used first, those out of reach with the reason."""
    visit = Visit(request)
    asked = await visit.house.desk.credit_request(await visit.records(), request_id)
    if other := _elsewhere(asked):
        return await other(visit)
    last = await visit.house.desk.last_bank(asked.firm.id, asked.customer_id)
    refusing = await visit.house.desk.refusing_banks(asked.request, asked.request.outstanding_minor)
    banks = picking.bank_list(
        visit.house.registry.list_banks(), q[:60], paths.pay(request_id), last, lambda bank: paths.pay_check(request_id, bank),
        picking.Asking(asked.request.outstanding_minor, asked.request.currency, refusing),
    )  # fmt: skip
    phone = await handing_over.offer(visit, asked.firm.id, asked.customer_id, request_id)
    view = ChooseBank(
        request_id, shaping.slip(asked), banks, asked.request.expires_at, phone,
        shaping.paid_parts(asked, visit.house.registry), may_split=asked.request.allow_split,
    )  # fmt: skip
    return await visit.page(view, firm=asked.firm)


@get("/customer/pay/{request_id:str}/check", opt=_SESSION)
async def check(
    request: AnyRequest,
    request_id: FromPath[str],
    bank: FromQuery[str] = "",
    part: FromQuery[str] = "",
    unreachable: FromQuery[bool] = False,
) -> Response[Any]:
    """Show what the customer is about to agree to: all that is outstanding, or the part that they typed."""
    visit = Visit(request)
    asked = await visit.house.desk.credit_request(await visit.records(), request_id)
    if other := _elsewhere(asked):
        return await other(visit)
    return await _check_page(visit, asked, bank, part[:20], unreachable=unreachable)


@post("/customer/pay/{request_id:str}/check", status_code=303, opt=_SESSION)
async def agree(request: AnyRequest, request_id: FromPath[str]) -> Response[Any]:
    """Begin the payment at the bank. Pressed twice, the second press leads to the first one's payment."""
    visit = Visit(request)
    form = await visit.form()
    bank_id, typed = form.get("bank", ""), form.get("part", "")[:20]
    asked = await visit.house.desk.credit_request(await visit.records(), request_id)
    listing = visit.house.registry.get_listing(bank_id)
    part = shaping.read_part(asked, typed) if typed else asked.request.amount_minor
    if isinstance(part, FieldProblem) or listing.is_closed:  # or it has been paid meanwhile: that page tells
        return visit.go(paths.pay(request_id))
    try:
        begun = await visit.house.payments.begin(
            asked.firm.id,
            asked.customer_id,
            request_id,
            bank_id,
            Agreement(WORDING, listing.name, visit.address),
            CustomerContext(visit.address, visit.user_agent),
            part,
        )
    except PaymentAlreadyStarted as live:
        return visit.go(await _to_live(visit, asked, live.payment_id))
    except (RequestEnded, RequestFrozen, NoReceivingAccount, PartNotAllowed):
        return visit.go(paths.pay(request_id))
    if begun.failure not in {None, Failure.BANK_UNAVAILABLE}:  # the bank said no: that page tells why
        return visit.go(paths.payment(begun.payment_id))
    if begun.failure is not None:
        return visit.go(f"{paths.pay_check(request_id, bank_id)}&unreachable=true")
    visit.remember_pass("payment", asked.firm.id, begun.payment_id)
    await visit.pause(_AT_BANK_SECONDS)
    return visit.go(paths.payment(begun.payment_id, "go"))


@get("/customer/payments/{payment_id:str}/go", opt=_SESSION)
async def go_to_bank(request: AnyRequest, payment_id: FromPath[str], unreachable: FromQuery[bool] = False) -> Response[Any]:
    """Say where the customer is being sent; the link, and after a while the page itself, goes on."""
    visit = Visit(request)
    asked, payment = await visit.house.desk.payment(await visit.records(), payment_id)
    if payment.state is not PaymentState.AWAITING:
        return visit.go(paths.payment(payment_id))
    url = await visit.house.payments.bank_url(asked.firm.id, asked.customer_id, payment_id)
    await visit.pause(_AT_BANK_SECONDS)
    bank = shaping.bank_look(visit.house.registry, payment.bank_id)
    view = GoToBankToPay(
        payment_id, shaping.slip(asked, payment.amount_minor), bank.name, url or paths.payment(payment_id, "bank"), bank,
        held_up=unreachable,
    )  # fmt: skip
    return await visit.page(view, firm=asked.firm)


@get("/customer/payments/{payment_id:str}/bank", status_code=303, opt=_SESSION)
async def leave(request: AnyRequest, payment_id: FromPath[str]) -> Response[Any]:
    """Send the customer to a bank that gives its address only now; where it gives none, say so and offer a way on."""
    visit = Visit(request)
    asked, _ = await visit.house.desk.payment(await visit.records(), payment_id)
    leaving = await visit.house.payments.leave(asked.firm.id, asked.customer_id, payment_id)
    if leaving.failure is not None:
        return visit.go(f"{paths.payment(payment_id, 'go')}?unreachable=true")
    await visit.pause(_AT_BANK_SECONDS)
    return visit.go(leaving.url or paths.payment(payment_id))


@get("/customer/payments/{payment_id:str}", opt=_PASS)
async def show_payment(request: AnyRequest, payment_id: FromPath[str]) -> Response[Any]:
    """Show where a payment stands: live, or what became of it."""
    visit = Visit(request)
    session = await visit.find_session(touch=not visit.is_by_itself)
    if session is None:
        return await _show_without_session(visit, payment_id)
    try:
        asked, payment = await visit.house.desk.payment(session.records, payment_id)
    except NotFound:
        return await _show_without_session(visit, payment_id)
    name = shaping.bank_name(visit.house.registry, payment.bank_id)
    slip = shaping.slip(asked, payment.amount_minor)
    stage = shaping.pay_stage(payment, asked.request)
    if stage is not None:
        live = PaymentLivePage(
            payment_id, slip, name, stage, payment.created_at, may_choose_another=payment.state in LIVE_BEFORE_EXCHANGE,
            follows=shaping.is_followed(payment.changed_at),
        )  # fmt: skip
        return await visit.page(live, firm=asked.firm)
    if outcome := shaping.pay_outcome(payment):
        rest_url = paths.pay(payment.request_id) if asked.request.state is RequestState.PARTLY_PAID else None
        paid = Paid(
            payment_id, slip, name, outcome, shaping.paid_at(payment), payment.bank_payment_id, rest_url=rest_url,
            follows=shaping.is_followed(payment.changed_at),
        )  # fmt: skip
        return await visit.page(paid, firm=asked.firm)
    if asked.request.frozen_at is not None or asked.request.state in _OVER:
        return await _over(visit, asked)
    because = shaping.not_paid_because(payment)
    not_paid = NotPaid(
        payment_id, payment.request_id, slip, payment.bank_id, name, because, payment.ended_at or payment.created_at,
        may_split=asked.request.allow_split,
    )  # fmt: skip
    return await visit.page(not_paid, firm=asked.firm)


@get("/customer/payments/{payment_id:str}/status", opt=_PASS)
async def payment_status(request: AnyRequest, payment_id: FromPath[str], shown: FromQuery[str] = "") -> Response[Any]:
    """Answer the script of a live page, or of one that shows an outcome. No person is active there: it keeps no session alive."""
    visit = Visit(request)
    session = await visit.find_session(touch=False)
    firm_id = visit.find_pass("payment", payment_id)
    if session is not None:
        try:
            asked, payment = await visit.house.desk.payment(session.records, payment_id)
        except NotFound:
            pass
        else:
            if shown:
                is_old = shaping.pay_outcome(payment) != shown or not shaping.is_followed(payment.changed_at)
                return visit.json(LiveAnswer("", final=is_old))
            name = shaping.bank_name(visit.house.registry, payment.bank_id)
            return visit.json(visit.portal.pages.payment_answer("en", shaping.pay_stage(payment, asked.request), name))
    if firm_id is None:
        raise NotFound
    payment = await visit.house.payments.get(firm_id, payment_id)
    return visit.json(visit.portal.pages.elsewhere_answer("en", shaping.elsewhere_state(payment)))


@post("/customer/payments/{payment_id:str}/another-bank", status_code=303, opt=_SESSION)
async def choose_another(request: AnyRequest, payment_id: FromPath[str]) -> Response[Any]:
    """Close a payment whose code has not been used, and choose again."""
    visit = Visit(request)
    await visit.form()
    asked, payment = await visit.house.desk.payment(await visit.records(), payment_id)
    try:
        await visit.house.payments.choose_another(asked.firm.id, asked.customer_id, payment_id)
    except PaymentLive:
        return visit.go(paths.payment(payment_id))
    return visit.go(paths.pay(payment.request_id))


@get("/customer/payments/{payment_id:str}/receipt", opt=_SESSION)
async def receipt(request: AnyRequest, payment_id: FromPath[str]) -> Response[Any]:
    """Show the receipt of a payment that the bank took on."""
    visit = Visit(request)
    asked, payment = await visit.house.desk.payment(await visit.records(), payment_id)
    outcome = shaping.pay_outcome(payment)
    if outcome is None:
        return visit.go(paths.payment(payment_id))
    payer = await visit.house.desk.payer(payment)
    view = Receipt(
        payment_id,
        shaping.slip(asked, payment.amount_minor),
        shaping.bank_name(visit.house.registry, payment.bank_id),
        outcome,
        shaping.paid_at(payment),
        visit.house.site.provider,
        payment.bank_payment_id,
        payer.account_number_last4 if payer else None,
    )
    return await visit.page(view, firm=asked.firm)


@get("/customer/unrecognised/{request_id:str}", opt=_SESSION)
async def ask_unrecognised(request: AnyRequest, request_id: FromPath[str]) -> Response[Any]:
    """Ask whether a request is really to be frozen."""
    visit = Visit(request)
    records = await visit.records()
    if request_id.startswith("csp-"):
        asked = await visit.house.desk.credit_request(records, request_id)
        if asked.request.frozen_at is not None or asked.request.state in _OVER:
            return await _over(visit, asked)
        view = Unrecognised(
            request_id, Kind.PAY, paths.ACTIONS, asked.request.description, asked.request.amount_minor, asked.request.currency
        )
        return await visit.page(view, firm=asked.firm)
    to_share = await visit.house.desk.account_request(records, request_id)
    if to_share.request.frozen_at is not None:
        return await visit.page(Frozen(Kind.SHARE, to_share.request.frozen_at), firm=to_share.firm)
    return await visit.page(Unrecognised(request_id, Kind.SHARE, paths.ACTIONS), firm=to_share.firm)


@post("/customer/unrecognised/{request_id:str}", status_code=200, opt=_SESSION)
async def freeze(request: AnyRequest, request_id: FromPath[str]) -> Response[Any]:
    """Freeze the request and tell the firm."""
    visit = Visit(request)
    await visit.form()
    records = await visit.records()
    now = own_now()
    if request_id.startswith("csp-"):
        asked = await visit.house.desk.credit_request(records, request_id)
        try:
            await visit.house.requests.freeze(asked.firm.id, asked.customer_id, request_id)
        except PaymentLive:
            return visit.go(paths.pay(request_id))
        return await visit.page(Frozen(Kind.PAY, now), firm=asked.firm)
    to_share = await visit.house.desk.account_request(records, request_id)
    await visit.house.account_requests.freeze(to_share.firm.id, to_share.customer_id, request_id)
    return await visit.page(Frozen(Kind.SHARE, now), firm=to_share.firm)


def routes() -> list[HTTPRouteHandler]:
    """Return the handlers of this file."""
    return [
        actions, choose_bank, check, agree, go_to_bank, leave, show_payment, payment_status, choose_another, receipt,
        ask_unrecognised, freeze,
    ]  # fmt: skip


def _elsewhere(asked: Asked) -> Callable[[Visit], Awaitable[Response[Any]]] | None:
    """Return how to answer when the request cannot be paid now: frozen, over, or already being paid."""
    request, latest = asked.request, asked.latest

    async def over(visit: Visit) -> Response[Any]:
        return await _over(visit, asked)

    async def live(visit: Visit) -> Response[Any]:
        assert latest is not None  # noqa: S101  # chosen only when there is one
        return visit.go(await _to_live(visit, asked, latest.id))

    if request.frozen_at is not None or request.state in _OVER:
        return over
    if request.state is RequestState.PARTLY_PAID:
        return live if latest is not None and shaping.is_under_way(latest) else None
    if request.state is not RequestState.REQUESTED and latest is not None:
        return live
    return None


async def _check_page(visit: Visit, asked: Asked, bank_id: str, typed: str, *, unreachable: bool) -> Response[Any]:
    request, listing = asked.request, visit.house.registry.get_listing(bank_id)
    offer = shaping.split_offer(asked, listing, typed)
    read = shaping.read_part(asked, typed) if offer and typed else request.outstanding_minor
    problems = (read,) if isinstance(read, FieldProblem) else ()
    amount = request.outstanding_minor if isinstance(read, FieldProblem) else read
    view = CheckPay(
        request.id, shaping.slip(asked, amount), bank_id, listing.name, own_now().date(), visit.house.site.provider,
        over=picking.over_limit(listing, amount),
        refused_lately=bank_id in await visit.house.desk.refusing_banks(request, amount),
        split=offer, part=print_pounds(amount) if request.allow_split else "", problems=problems, bank_unreachable=unreachable,
        trouble=picking.trouble_of(listing), look=picking.look_of(listing),
    )  # fmt: skip
    return await visit.page(view, firm=asked.firm, status=422 if problems else 200)


async def _over(visit: Visit, asked: Asked) -> Response[Any]:
    """Say that a request was stopped, taken back, or expired."""
    request = asked.request
    if request.frozen_at is not None:
        return await visit.page(Frozen(Kind.PAY, request.frozen_at), firm=asked.firm)
    is_late = request.state is RequestState.EXPIRED
    at = request.expires_at if is_late and request.expires_at else request.changed_at
    view = RequestOver(Kind.PAY, Ended.EXPIRED if is_late else Ended.CANCELLED, at)
    return await visit.page(view, firm=asked.firm, status=410)


async def _to_live(visit: Visit, asked: Asked, payment_id: str) -> str:
    """Return where a live payment of this customer is shown; another customer's is not theirs to see."""
    payment = await visit.house.payments.get(asked.firm.id, payment_id)
    if payment.customer_id != asked.customer_id:
        return paths.ACTIONS
    return paths.payment(payment_id)


async def _show_without_session(visit: Visit, payment_id: str) -> Response[Any]:
    """Show the state of the one payment that this browser came back with, without names or amounts."""
    firm_id = visit.find_pass("payment", payment_id)
    if firm_id is None:
        await visit.session()  # says that the session has ended, or asks to sign in
        raise NotFound
    payment: Payment = await visit.house.payments.get(firm_id, payment_id)
    view = CameBackElsewhere(shaping.elsewhere_state(payment), paths.payment(payment_id, "status"))
    return await visit.page(view, firm=await visit.house.firms.find(firm_id))
