"""Every page of the customer's website in every state, with sample values: for the tests, and for `make screenshots`.

`PYTHONPATH=. python tests/portal/gallery.py --serve 8899` shows them; `--screenshots FOLDER` keeps pictures of them.
"""

from __future__ import annotations

import argparse
import asyncio
import base64
import contextlib
import itertools
import socket
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import uvicorn
from litestar import Litestar, Request, Response, get, post
from litestar.handlers import HTTPRouteHandler
from litestar.params import FromPath, FromQuery
from playwright.async_api import Page

from strongroom.kit.pages import REFERRER_NONE, REFERRER_SAME_ORIGIN, security_headers
from strongroom.portal import paths
from strongroom.portal.accent import accent_css
from strongroom.portal.brands import brands_css
from strongroom.portal.qr import qr_svg
from strongroom.portal.rendering import Pages
from strongroom.portal.views import handing_over, paying, plain, requests, sharing, signing_in
from strongroom.portal.views.frame import FieldProblem, FirmLook, Frame, View
from tests.browser import browsing

NOW = datetime(2026, 11, 21, 14, 5, 9, tzinfo=UTC)
UNTIL = NOW + timedelta(days=6, hours=2, minutes=54)
FIRM = FirmLook(id="frm-7h3k9d2m5q8wz", name="Harcourt & Lyle Solicitors")
LOGO_FIRM = FirmLook(id="frm-logo", name="Fenwick Wealth", logo_url="/gallery/logo.svg")
ACCENTS = {FIRM.id: "#7a1f3d", LOGO_FIRM.id: "#f2b705"}
LOGO = (
    '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 240 48" width="240" height="48">'
    '<path d="M4 40L20 8l16 32z" fill="#f2b705"/><path d="M20 8l16 32H20z" fill="#8a6a00"/>'
    '<text x="48" y="33" font-family="Georgia, serif" font-size="26" fill="#22252b">Fenwick Wealth</text></svg>'
)
LOGOS = {
    "mulberry-bank": '<circle cx="20" cy="20" r="13" fill="#7a1f4f"/><path d="M20 9v22M13 20h14" stroke="#fff" stroke-width="3"/>',
    "kestrel-bank": '<path d="M5 24 20 8l15 16-15-6z" fill="#a8410b"/><path d="M12 27l8-4 8 4-8 5z" fill="#2b2b2b"/>',
    "foxglove-bank": '<path d="M20 6q9 8 9 18H11q0-10 9-18z" fill="#5b3a8c"/><path d="M11 27h18v4H11z" fill="#5b3a8c"/>',
}
COLOURS = {
    "mulberry-bank": "#7a1f4f", "kestrel-bank": "#a8410b", "northgate-building-society": "#ffd400", "tidewater": "#0b5563",
    "copperfield-bank": "#b3592a", "eastfold": "#101014", "bramble": "#f4f4f4",
}  # fmt: skip

SIGNED_IN = Frame("en", "csrf-value", FIRM, session_seconds=300)
SIGNED_OUT = replace(SIGNED_IN, session_seconds=None)
NO_FIRM = replace(SIGNED_OUT, firm=None)

HOF_ID = "hof-7d3k1m9w5x2qc"
CSP_ID = "csp-2m9x4c7rt0vqa"
CAR_ID = "car-8p1z6f3hn5kye"
PAY_ID = "pay-5t8w2j9d4m6xb"
SHR_ID = "shr-3b7n1q8v5c2za"


@dataclass(frozen=True, slots=True)
class Sample:
    """One page in one state."""

    name: str
    frame: Frame
    view: View


SLIP = paying.Slip(
    amount_minor=6_250_000,
    description="Deposit for 14 Larkfield Road",
    payee="Harcourt & Lyle Client Account",
    reference="HL22014 OKAFOR",
)
PROVIDER = paying.Provider(
    name="Strongroom Payments Ltd",
    role=paying.Role.OWN,
    address="1 Foundry Wharf, Leeds LS1 4AB",
    contact="care@strongroom.example",
    reference_number="700001",
    supervisor="Financial Conduct Authority",
)
AGENT = replace(PROVIDER, name="Brightwater Services Ltd", role=paying.Role.AGENT, principal="Strongroom Payments Ltd")
PRETEND = replace(PROVIDER, role=paying.Role.PRETEND)


def _bank(name: str, url: str = "", **more: Any) -> paying.BankChoice:
    bank_id = name.lower().replace(" ", "-").replace("&", "and")
    return paying.BankChoice(bank_id, name, url or paths.pay_check(CSP_ID, bank_id), look=_look(bank_id, name), **more)


def _look(bank_id: str, name: str) -> paying.BankLook:
    logo_url = paths.bank_logo(f"{bank_id}.svg") if bank_id in LOGOS else None
    return paying.BankLook(bank_id, name, logo_url, has_colour=bank_id in COLOURS)


OVER = paying.OverLimit(((paying.PayChannel.PERSONAL_APP, 2_500_000),))
BUSINESS_LOW = paying.OverLimit(
    ((paying.PayChannel.BUSINESS, 5_000_000),), (paying.PayChannel.PERSONAL_APP, paying.PayChannel.PERSONAL_WEB)
)
BY_CHANNEL = paying.OverLimit(
    ((paying.PayChannel.PERSONAL_WEB, 1_000_000), (paying.PayChannel.PERSONAL_APP, 2_500_000)), (paying.PayChannel.BUSINESS,)
)


SINCE = NOW - timedelta(hours=1, minutes=20)
LAST = _bank("Mulberry Bank")
MOST = (
    _bank("Kestrel Bank"),
    _bank("Northgate Building Society", over=OVER),
    _bank("Tidewater", trouble=paying.InTrouble.DOWN, since=SINCE),
)
OTHERS = (
    _bank("Alder & Pike Private Bank", over=BY_CHANNEL),
    _bank("Bramble", out_of_reach=paying.OutOfReach.MAINTENANCE, since=SINCE),
    _bank("Copperfield Bank", refused_lately=True),
    _bank("Dovecote", over=BUSINESS_LOW, trouble=paying.InTrouble.FAILING),
    _bank("Dunmore Savings", out_of_reach=paying.OutOfReach.NOT_OFFERED),
    _bank("Eastfold", trouble=paying.InTrouble.SLOW),
    _bank("Foxglove Bank"),
)
BANKS = paying.BankList(paths.pay(CSP_ID), "", LAST, MOST, OTHERS)
REST = (
    _bank("Gorse", trouble=paying.InTrouble.DOWN),
    _bank("Heron Bank", trouble=paying.InTrouble.FAILING),
    _bank("Ivy Mutual", out_of_reach=paying.OutOfReach.MAINTENANCE),
    _bank("Juniper", out_of_reach=paying.OutOfReach.NOT_OFFERED, since=SINCE),
)
ADDRESS = "https://pay.strongroom.example" + paths.phone_link("4k9w2m7x1q8r5t3z6c0v9b2n")
PHONE = handing_over.PhoneOffer(HOF_ID, ADDRESS, qr_svg(ADDRESS), 5)
CHECK = paying.CheckPay(CSP_ID, SLIP, LAST.id, LAST.name, date(2026, 11, 21), PROVIDER, look=LAST.look)
LIVE = paying.PaymentLive(PAY_ID, SLIP, LAST.name, paying.PayStage.AT_BANK, NOW, may_choose_another=True)
PAID = paying.Paid(PAY_ID, SLIP, LAST.name, paying.PayOutcome.EXECUTED, NOW, "MB-20261121-7741900")
NOT_PAID = paying.NotPaid(PAY_ID, CSP_ID, SLIP, LAST.id, LAST.name, paying.NotPaidBecause.CANCELLED, NOW)
RECEIPT = paying.Receipt(PAY_ID, SLIP, LAST.name, paying.PayOutcome.EXECUTED, NOW, PROVIDER, "MB-20261121-7741900", payer="4321")


def paying_samples() -> Iterator[Sample]:
    def page(name: str, view: View, frame: Frame = SIGNED_IN) -> Sample:
        return Sample(f"pay-{name}", frame, view)

    choose = paying.ChooseBank(CSP_ID, SLIP, BANKS, UNTIL, PHONE)
    yield page("choose-bank", choose)
    found = replace(BANKS, query="north", last_used=None, most_used=MOST[1:2], others=())
    yield page("choose-bank-found", replace(choose, banks=found))
    none = replace(BANKS, query="zebra", last_used=None, most_used=(), others=())
    yield page("choose-bank-not-found", replace(choose, banks=none, phone=None))
    rest = replace(BANKS, query="e", last_used=None, most_used=(), others=REST)
    yield page("choose-bank-unavailable", replace(choose, banks=rest, until=None, phone=replace(PHONE, minutes=1)))
    yield page("check", CHECK)
    yield page("check-refused-lately", replace(CHECK, refused_lately=True))
    yield page("check-limit", replace(CHECK, over=OVER, provider=AGENT))
    yield page("check-limit-channels", replace(CHECK, over=BY_CHANNEL))
    for trouble in paying.InTrouble:
        yield page(f"check-{trouble}", replace(CHECK, trouble=trouble))
    part = replace(SLIP, amount_minor=2_500_000, total_minor=SLIP.amount_minor, paid_minor=1_250_000)
    mine = (paying.PaidPart(1_250_000, LAST.name, SINCE, paths.payment(PAY_ID, "receipt")),)
    yield page("choose-bank-parts", replace(choose, slip=part, parts=mine, may_split=True))
    offer = paying.SplitOffer("25000.00", 62_500, 5_000_000)
    yield page("check-part", replace(CHECK, slip=part, split=offer, part="25000.00"))
    wrong = FieldProblem("part", "range")
    yield page("check-part-range", replace(CHECK, split=replace(offer, typed="90000"), part="62500.00", problems=(wrong,)))
    wrong = FieldProblem("part", "shape")
    yield page("check-part-shape", replace(CHECK, split=replace(offer, typed="half"), part="62500.00", problems=(wrong,)))
    yield page("check-unreachable", replace(CHECK, bank_unreachable=True, provider=PRETEND))
    going = paying.GoToBankToPay(PAY_ID, SLIP, LAST.name, "https://mulberry.example/authorise?request=1", LAST.look)
    yield page("go", going)
    yield page("go-held-up", replace(going, bank_url=paths.payment(PAY_ID, "bank"), held_up=True))
    for stage in paying.PayStage:
        another = stage in {paying.PayStage.AT_BANK, paying.PayStage.CHECKING}
        yield page(f"live-{stage}", replace(LIVE, stage=stage, may_choose_another=another))
    yield page("live-delayed-later", replace(LIVE, stage=paying.PayStage.DELAYED, may_choose_another=False, follows=False))
    for outcome in paying.PayOutcome:
        reason = "Payment under review" if outcome is paying.PayOutcome.HELD else None
        yield page(f"result-{outcome}", replace(PAID, outcome=outcome, reason=reason))
    yield page("result-executed-later", replace(PAID, follows=False))
    for because in paying.NotPaidBecause:
        reason = "Daily limit reached" if because is paying.NotPaidBecause.LIMIT else None
        yield page(f"not-paid-{because}", replace(NOT_PAID, because=because, reason=reason))
    yield page("result-part", replace(PAID, slip=part, rest_url=paths.pay(CSP_ID)))
    yield page("not-paid-part", replace(NOT_PAID, because=paying.NotPaidBecause.LIMIT, may_split=True))
    for outcome in paying.PayOutcome:
        known = outcome is not paying.PayOutcome.UNCONFIRMED
        payer, number = ("4321", RECEIPT.bank_payment_id) if known else (None, None)
        yield page(f"receipt-{outcome}", replace(RECEIPT, outcome=outcome, payer=payer, bank_payment_id=number))
    for state in paying.ElsewhereState:
        view = paying.CameBackElsewhere(state, paths.payment(PAY_ID, "status"))
        yield page(f"elsewhere-{state}", view, NO_FIRM)
    answer = (("code", "c0de"), ("state", "st4te"))
    yield page("hand-over", paying.ReturnHandOver(paths.BANK_RETURN, answer), NO_FIRM)


def signing_in_samples() -> Iterator[Sample]:
    yield Sample("start", SIGNED_OUT, signing_in.Start())
    yield Sample("start-no-firm", NO_FIRM, signing_in.Start())
    yield Sample("start-logo", replace(SIGNED_OUT, firm=LOGO_FIRM), signing_in.Start())
    yield Sample("login", SIGNED_OUT, signing_in.WhoYouAre())
    problems = (FieldProblem("email", "invalid"), FieldProblem("dob", "invalid"))
    yield Sample("login-invalid", SIGNED_OUT, signing_in.WhoYouAre("ada.okafor@example", "31", "2", "1985", problems))
    problems = (FieldProblem("email", "missing"), FieldProblem("dob", "missing"))
    yield Sample("login-missing", SIGNED_OUT, signing_in.WhoYouAre(problems=problems))
    code = signing_in.EnterCode(paths.CODE, paths.CODE_AGAIN, valid_minutes=10)
    yield Sample("code", SIGNED_OUT, replace(code, resend_in_seconds=30))
    yield Sample("code-resent", SIGNED_OUT, replace(code, resent=True, resend_in_seconds=1))
    yield Sample("code-unsent", SIGNED_OUT, replace(code, unsent=True, resend_in_seconds=1))
    for problem in (
        FieldProblem("code", "missing"),
        FieldProblem("code", "shape"),
        FieldProblem("code", "expired"),
        FieldProblem("code", "wrong", 3),
        FieldProblem("code", "wrong", 1),
    ):
        name = "-".join(("code", problem.problem, *([str(problem.count)] if problem.count else [])))
        minutes = 1 if problem.count == 1 else 10
        yield Sample(name, SIGNED_OUT, replace(code, problems=(problem,), valid_minutes=minutes))
    yield Sample("locked", SIGNED_OUT, signing_in.Locked(NOW + timedelta(minutes=15)))
    yield Sample("grant", replace(SIGNED_OUT, firm=LOGO_FIRM), signing_in.GrantLanding(paths.grant("continue")))
    yield Sample("grant-gone", NO_FIRM, signing_in.GrantGone())
    yield Sample("signed-out", SIGNED_OUT, signing_in.SignedOut())
    for kept in signing_in.Kept:
        yield Sample(f"session-ended-{kept}", SIGNED_OUT, signing_in.SessionEnded(kept))


PAY_CARD = requests.PayCard(CSP_ID, SLIP.description, SLIP.amount_minor, requests.CardState.OPEN, paths.pay(CSP_ID), UNTIL)
SHARE_CARD = requests.ShareCard(CAR_ID, requests.CardState.OPEN, paths.share(CAR_ID), UNTIL)
SEARCHES = requests.PayCard(
    "csp-4d8k2q6w1n9ty", "Property searches", 45_000, requests.CardState.OPEN, paths.pay("csp-4d8k2q6w1n9ty")
)


def _over(*states: requests.CardState) -> Iterator[requests.PayCard | requests.ShareCard]:
    for number, state in enumerate(states):
        at = NOW - timedelta(days=3 * number + 1)
        yield replace(SEARCHES, state=state, at=at)
        yield replace(SHARE_CARD, state=state, at=None if state is requests.CardState.EXPIRED else at)


def request_samples() -> Iterator[Sample]:
    state = requests.CardState
    open_cards = (PAY_CARD, SHARE_CARD)
    firm = requests.FirmActions(FIRM.id, FIRM.name, open_cards)
    yield Sample("actions", SIGNED_IN, requests.Actions((firm,)))
    last_minute = replace(SIGNED_IN, session_seconds=59)
    one = replace(firm, open=(replace(PAY_CARD, state=state.UNFINISHED),), over=tuple(_over(state.DONE)))
    yield Sample("actions-session-ending", last_minute, requests.Actions((one,)))
    partly = replace(firm, open=(replace(PAY_CARD, state=state.PARTLY_PAID, amount_minor=1_250_000),))
    yield Sample("actions-partly-paid", SIGNED_IN, requests.Actions((partly,)))
    unfinished = tuple(replace(card, state=state.UNFINISHED) for card in open_cards)
    underway = tuple(replace(card, state=state.IN_PROGRESS) for card in open_cards)
    yield Sample("actions-in-progress", SIGNED_IN, requests.Actions((replace(firm, open=underway + unfinished),)))
    over = tuple(_over(state.DONE, state.RECEIVED, state.RETURNED, state.FROZEN, state.EXPIRED, state.CANCELLED))
    yield Sample("actions-done", SIGNED_IN, requests.Actions((replace(firm, open=(), over=over),)))
    yield Sample("actions-nothing", SIGNED_IN, requests.Actions((replace(firm, open=()),)))
    other = requests.FirmActions(LOGO_FIRM.id, LOGO_FIRM.name, (SEARCHES,), over[:2])
    yield Sample("actions-several-firms", replace(SIGNED_IN, firm=None), requests.Actions((firm, other)))
    pay, share = requests.Kind.PAY, requests.Kind.SHARE
    view = requests.Unrecognised(CSP_ID, pay, paths.pay(CSP_ID), SLIP.description, SLIP.amount_minor)
    yield Sample("unrecognised-pay", SIGNED_IN, view)
    yield Sample("unrecognised-share", SIGNED_IN, requests.Unrecognised(CAR_ID, share, paths.share(CAR_ID)))
    for kind in requests.Kind:
        yield Sample(f"frozen-{kind}", SIGNED_IN, requests.Frozen(kind, NOW))
        for ended in requests.Ended:
            yield Sample(f"request-{ended}-{kind}", SIGNED_IN, requests.RequestOver(kind, ended, NOW))


ACCOUNTS = tuple(
    sharing.AccountChoice(str(number), name, "204512", ending, kind)
    for number, (name, ending, kind) in enumerate(
        (
            ("A OKAFOR", "4321", sharing.AccountType.CURRENT),
            ("A OKAFOR & J OKAFOR", "8807", sharing.AccountType.SAVINGS),
            (None, "1175", sharing.AccountType.E_MONEY),
            ("OKAFOR BOOKS LTD", "6620", sharing.AccountType.OTHER),
        )
    )
)


def sharing_samples() -> Iterator[Sample]:
    def page(name: str, view: View) -> Sample:
        return Sample(f"share-{name}", SIGNED_IN, view)

    yield page("why", sharing.ShareWhy(CAR_ID, UNTIL))
    banks = replace(
        BANKS,
        search_url=paths.share(CAR_ID, "bank"),
        most_used=(_bank("Kestrel Bank"), _bank("Northgate Building Society")),
    )
    yield page("choose-bank", sharing.ShareChooseBank(CAR_ID, banks, PHONE))
    check = sharing.ShareCheck(CAR_ID, LAST.id, LAST.name, PROVIDER, look=LAST.look)
    yield page("check", check)
    yield page("check-unreachable", replace(check, bank_unreachable=True, provider=AGENT))
    for trouble in paying.InTrouble:
        yield page(f"check-{trouble}", replace(check, trouble=trouble))
    going = sharing.GoToBankToShare(SHR_ID, LAST.name, "https://mulberry.example/authorise?request=2", LAST.look)
    yield page("go", going)
    yield page("go-held-up", replace(going, bank_url=paths.sharing(SHR_ID, "bank"), held_up=True))
    for stage in sharing.ShareStage:
        may_choose = stage is not sharing.ShareStage.READING
        yield page(f"live-{stage}", sharing.ShareLive(SHR_ID, LAST.name, stage, NOW, may_choose_another=may_choose))
    yield page(
        "live-at_bank-later",
        sharing.ShareLive(SHR_ID, LAST.name, sharing.ShareStage.AT_BANK, NOW, may_choose_another=True, follows=False),
    )
    for state in sharing.ShareElsewhereState:
        yield Sample(f"share-elsewhere-{state}", SIGNED_OUT, sharing.SharedElsewhere(state, paths.sharing(SHR_ID, "status")))
    choose = sharing.ChooseAccount(SHR_ID, LAST.name, ACCOUNTS)
    yield page("choose-account", choose)
    yield page("choose-account-missing", replace(choose, problems=(FieldProblem("account", "missing"),)))
    yield page(
        "fresh-code",
        signing_in.EnterCode(
            paths.sharing(SHR_ID, "code"), paths.sharing(SHR_ID, "code-again"), 10, 30, purpose=signing_in.CodeFor.FINISH_SHARING
        ),
    )
    yield page("done", sharing.Shared(CAR_ID, ACCOUNTS[0], LAST.name, NOW))
    for because in sharing.NotSharedBecause:
        yield page(f"not-{because}", sharing.NotShared(CAR_ID, LAST.id, LAST.name, because, NOW))
    consents = tuple(
        sharing.ConsentItem(f"cns-{number}", FIRM.name, LAST.name, NOW - timedelta(days=number), state)
        for number, state in enumerate(sharing.ConsentState)
    )
    used = replace(consents[1], ended_at=NOW, ending="4321")
    yield page("consents", sharing.Consents((consents[0], used, *consents[2:])))
    yield page("consents-none", sharing.Consents(()))
    yield page("revoke", sharing.RevokeConsent(consents[0]))
    yield page("revoked", sharing.ConsentRevoked(consents[0], NOW))


def handing_over_samples() -> Iterator[Sample]:
    for kind in requests.Kind:
        request_id = CSP_ID if kind is requests.Kind.PAY else CAR_ID
        yield Sample(f"phone-landing-{kind}", SIGNED_OUT, handing_over.PhoneLanding(paths.phone_link("4k9w2m7x"), kind))
        yield Sample(f"phone-number-{kind}", SIGNED_OUT, handing_over.PhoneNumber(HOF_ID, "4821", kind))
        yield Sample(f"type-number-{kind}", SIGNED_IN, handing_over.TypeNumber(HOF_ID, kind))
        for stage in handing_over.FollowStage:
            failed = stage is handing_over.FollowStage.FAILED
            url = (paths.payment(PAY_ID) if kind is requests.Kind.PAY else paths.sharing(SHR_ID)) if failed else ""
            yield Sample(f"follow-phone-{kind}-{stage}", SIGNED_IN, handing_over.FollowPhone(HOF_ID, kind, stage, LAST.name, url))
        for gone in handing_over.HandOffGoneBecause:
            view = handing_over.HandOffGone(gone, kind, paths.bank_choice(request_id))
            yield Sample(f"hand-off-gone-{kind}-{gone}", SIGNED_IN, view)
    for problem in (FieldProblem("number", "missing"), FieldProblem("number", "wrong", 2), FieldProblem("number", "wrong", 1)):
        name = "-".join(("type-number", problem.problem, *([str(problem.count)] if problem.count else [])))
        yield Sample(name, SIGNED_IN, handing_over.TypeNumber(HOF_ID, requests.Kind.PAY, (problem,)))
    for because in handing_over.PhoneGoneBecause:
        yield Sample(f"phone-gone-{because}", SIGNED_OUT, handing_over.PhoneGone(because))


def plain_samples() -> Iterator[Sample]:
    details = plain.FirmDetails(
        "Harcourt & Lyle LLP", "OC300001", "3 Abbey Row, York YO1 7HU", "Solicitors Regulation Authority", "600001"
    )
    site = "https://pay.strongroom.example/"
    yield Sample("genuine-firm", SIGNED_OUT, plain.Genuine(site, details))
    yield Sample("genuine", NO_FIRM, plain.Genuine(site))
    yield Sample("help", NO_FIRM, plain.Help())
    yield Sample("privacy", NO_FIRM, plain.Privacy("Strongroom Payments Ltd", "privacy@strongroom.example"))
    yield Sample("not-found", NO_FIRM, plain.NotFound("req-6h2k8w4q"))
    yield Sample("trouble", NO_FIRM, plain.Trouble("req-6h2k8w4q"))
    yield Sample("too-many", NO_FIRM, plain.TooMany(NOW + timedelta(minutes=10)))
    yield Sample("out-of-date", NO_FIRM, plain.OutOfDate())
    yield Sample("fragment", NO_FIRM, plain.FragmentReturn(paths.ACTIONS))


def samples() -> list[Sample]:
    return [
        *signing_in_samples(),
        *request_samples(),
        *paying_samples(),
        *sharing_samples(),
        *handing_over_samples(),
        *plain_samples(),
    ]


class Gallery:
    """A small server that shows every sample with the real headers."""

    def __init__(self, pages: Pages | None = None) -> None:
        self.pages = pages or Pages()
        self.samples = {sample.name: sample for sample in samples()}

    def html(self, name: str) -> str:
        sample = self.samples[name]
        return self.pages.render(sample.frame, sample.view)

    def app(self) -> Litestar:
        @get("/gallery", sync_to_thread=False)
        def index() -> Response[str]:
            links = "".join(f'<li><a href="/gallery/page/{name}">{name}</a>' for name in self.samples)
            return Response(f"<!doctype html><title>Gallery</title><ol>{links}</ol>", media_type="text/html")

        @get("/gallery/page/{name:str}", sync_to_thread=False)
        def show(name: FromPath[str]) -> Response[str]:
            referrer = REFERRER_NONE if name.startswith(("grant", "phone-landing", "phone-gone")) else REFERRER_SAME_ORIGIN
            headers = security_headers(over_https=False, referrer=referrer)
            return Response(self.html(name), media_type="text/html", headers=headers)

        @get("/gallery/logo.svg", sync_to_thread=False)
        def logo() -> Response[str]:
            return Response(LOGO, media_type="image/svg+xml")

        @get("/customer/firm/{file:str}", sync_to_thread=False)
        def firm(file: FromPath[str]) -> Response[str]:
            return Response(accent_css(ACCENTS[file.removesuffix(".css")]), media_type="text/css")

        @get(["/customer/payments/{id:str}/status", "/customer/shares/{id:str}/status"])
        async def status(shown: FromQuery[str] = "") -> dict[str, Any]:
            answer = self.pages.payment_answer("en", paying.PayStage.CHECKING, LAST.name)
            return {"text": "" if shown else answer.text, "final": False}

        @get(["/customer/phone/{id:str}/status", "/customer/handed-over/{id:str}/status"])
        async def phone_status() -> dict[str, Any]:
            return {"text": "", "final": False}

        @post(paths.EXTEND)
        async def extend(request: Request[Any, Any, Any]) -> dict[str, int]:
            return {"seconds": 300}

        @post([paths.grant("continue"), paths.BANK_RETURN], status_code=204)
        async def pressed() -> None:
            """Leave the page that pressed its own button where it is."""

        routes = [index, show, logo, *_bank_looks(), firm, status, phone_status, extend, pressed, self.pages.assets.route()]
        return Litestar(routes, openapi_config=None)


def _bank_looks() -> list[HTTPRouteHandler]:
    @get(paths.BRANDS_CSS, sync_to_thread=False)
    def brands() -> Response[str]:
        return Response(brands_css(COLOURS), media_type="text/css")

    @get("/customer/bank-logo/{file:str}", sync_to_thread=False)
    def bank_logo(file: FromPath[str]) -> Response[str]:
        drawn = LOGOS[file.removesuffix(".svg")]
        svg = f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 40 40">{drawn}</svg>'
        return Response(svg, media_type="image/svg+xml")

    return [brands, bank_logo]


@asynccontextmanager
async def serving(gallery: Gallery, port: int = 0) -> AsyncIterator[str]:
    """Serve the gallery on loopback for as long as the block runs; gives the address."""
    listener = socket.socket()
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    listener.bind(("127.0.0.1", port))
    server = uvicorn.Server(uvicorn.Config(gallery.app(), log_level="warning", lifespan="off"))
    running = asyncio.create_task(server.serve([listener]))
    while not server.started:  # noqa: ASYNC110 -- uvicorn offers a flag, no event
        await asyncio.sleep(0.01)
    try:
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"
    finally:
        server.should_exit = True
        await running


STILL = {"grant", "fragment", "pay-hand-over"}  # pages that go on by themselves: pictured as they are without JavaScript
WEBP_QUALITY = 20
SCALES = {360: 0.75, 1280: 0.5}  # of the pictures by width: text stays legible, and the wide ones hold much empty paper


async def _serve(port: int) -> None:
    async with serving(Gallery(), port) as address:
        print(f"{address}/gallery")  # noqa: T201 -- what whoever started it wants to know
        await asyncio.Event().wait()


def pictured(scheme: str) -> list[str]:
    """Return what is pictured: in light every page in every state, in dark every page once, because its states differ in words."""
    shown = samples() if scheme == "light" else {sample.view.template: sample for sample in reversed(samples())}.values()
    return [sample.name for sample in shown]


async def picture(folder: Path, names: list[str]) -> None:
    gallery = Gallery()
    async with serving(gallery) as address, browsing() as browser:
        for width, scheme in itertools.product((360, 1280), ("light", "dark")):
            into = folder / f"portal-{width}-{scheme}"
            into.mkdir(parents=True, exist_ok=True)
            for still in (False, True):
                context = await browser.new_context(
                    viewport={"width": width, "height": 720}, color_scheme=scheme, java_script_enabled=not still
                )
                page = await context.new_page()
                for name in names or pictured(scheme):
                    if (name in STILL) == still:
                        await page.goto(f"{address}/gallery/page/{name}")
                        (into / f"{name}.webp").write_bytes(await webp(page, SCALES[width]))
                await context.close()


async def webp(page: Page, scale: float) -> bytes:
    """Take the whole page as WebP, which only the DevTools protocol offers: a fifth of a PNG."""
    session = await page.context.new_cdp_session(page)
    size = (await session.send("Page.getLayoutMetrics"))["cssContentSize"]
    clip = {"x": 0, "y": 0, "width": size["width"], "height": size["height"], "scale": scale}
    options = {"format": "webp", "quality": WEBP_QUALITY, "clip": clip, "captureBeyondViewport": True}
    picture = await session.send("Page.captureScreenshot", options)
    await session.detach()
    return base64.b64decode(picture["data"])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--serve", type=int, metavar="PORT", help="show the gallery until stopped")
    parser.add_argument("--screenshots", type=Path, metavar="FOLDER", help="keep pictures of every page there")
    parser.add_argument("names", nargs="*", help="only these pages")
    arguments = parser.parse_args()
    with contextlib.suppress(KeyboardInterrupt):
        if arguments.screenshots:
            asyncio.run(picture(arguments.screenshots, arguments.names))
        else:
            asyncio.run(_serve(arguments.serve or 0))


if __name__ == "__main__":
    main()
