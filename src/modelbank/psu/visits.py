"""A customer's visit, step by step: sign in, choose, agree or refuse, go back.

Every step is safe to repeat, to reload and to go back to.
"""

from __future__ import annotations

import asyncio
import hmac
import secrets
from dataclasses import dataclass
from typing import Any

import httpx
import msgspec

from modelbank.banks import Bank
from modelbank.config import Config
from modelbank.database import Pool
from modelbank.jose.keys import half_hash
from modelbank.ledger import store as ledger
from modelbank.ledger.customers import PASSWORD
from modelbank.ledger.store import Account
from modelbank.levers import store as levers
from modelbank.oauth import returns
from modelbank.oauth import store as oauth_store
from modelbank.oauth.backchannel import store as backchannel_store
from modelbank.oauth.errors import RequestRefused
from modelbank.oauth.pushed import PushEndpoint
from modelbank.oauth.requests import AuthorisationRequest, read_request, returning_request
from modelbank.oauth.returns import Posted, Return
from modelbank.openbanking import store
from modelbank.openbanking.schemas import Initiation
from modelbank.openbanking.store import Consent
from modelbank.psu.decisions import NOT_IDENTIFIED, Decision, Decisions
from modelbank.psu.rendering import leave, page, see_other
from modelbank.psu.words import TESTERS, clusters
from modelbank.quirks import SKEW_SECONDS, Quirk
from modelbank.web.asgi import Request, Response

MOST_WRONG_LOGINS = 5
_TWICE_TIMEOUT_SECONDS = 10


@dataclass(frozen=True, slots=True)
class Place:
    """Where a request for a page arrived: which bank, and under which prefix its addresses begin."""

    bank: Bank
    prefix: str
    request: Request

    @property
    def cookie(self) -> str:
        """Return the cookie's name, which differs from bank to bank because ports share cookies."""
        return f"{self.bank.id}_visit"

    @property
    def browser(self) -> str:
        """Return the browser's secret, or a new one."""
        known = self.request.cookie(self.cookie)
        return known if known and len(known) == 43 else secrets.token_urlsafe(32)  # noqa: PLR2004  # 256 bits in base64url

    @property
    def csrf(self) -> str:
        """Return the proof that a form of ours was really ours."""
        return half_hash(f"form:{self.request.cookie(self.cookie) or ''}")

    def path(self, step: str, visit_id: str) -> str:
        """Return the address of a step."""
        return f"{self.prefix}/{step}/{visit_id}"


@dataclass(frozen=True, slots=True)
class Visit:
    """A visit with the decision that it is for."""

    place: Place
    decision: Decision

    @property
    def id(self) -> str:
        """Return the last part of the addresses of its pages."""
        return self.decision.authorisation.id

    @property
    def has_ended(self) -> bool:
        """True once there is an answer."""
        return self.decision.authorisation.outcome is not None

    @property
    def next_step(self) -> str:
        """Return the step that the customer has to take now."""
        authorisation = self.decision.authorisation
        if self.has_ended:
            return "return"
        if authorisation.username is None:
            return "sign-in"
        return "confirm" if authorisation.account_ids else "accounts"

    def path(self, step: str) -> str:
        """Return the address of a step."""
        return self.place.path(step, self.id)


class Visits:
    """The steps, each answering one address."""

    def __init__(self, config: Config, pool: Pool) -> None:
        self._config = config
        self._pool = pool
        self._pushes = PushEndpoint(pool)
        self._decisions = Decisions(pool)

    async def begin(self, place: Place) -> Response:
        """Read the client's request and begin a visit (`/authorize`)."""
        params = place.request.query() if place.request.method == "GET" else place.request.form()
        try:
            params = await self._pushes.resolve(place.bank, params)
            asked = read_request(place.bank, params)
            await self._check_intent(place.bank, asked)
        except RequestRefused as refused:
            return self._refuse_request(place, params, refused)
        browser, visit_id = place.browser, secrets.token_urlsafe(16)
        await oauth_store.add_authorisation(
            self._pool, visit_id, place.bank.id, asked, browser, self._config.limits.session_seconds
        )
        if await self._is_headless(place.bank):
            return await self._agree_unasked(place, visit_id, browser)
        return _at_sign_in(place, visit_id, browser)

    async def begin_on_phone(self, place: Place, consent_id: str) -> Response | None:
        """Begin a visit for the decoupled request about a consent; None when there is none that waits."""
        browser, visit_id = place.browser, secrets.token_urlsafe(16)
        seconds = self._config.limits.session_seconds
        if not await backchannel_store.begin_visit(self._pool, visit_id, place.bank.id, consent_id, browser, seconds):
            return None
        if await self._is_headless(place.bank):
            return await self._agree_unasked(place, visit_id, browser)
        return _at_sign_in(place, visit_id, browser)

    async def sign_in(self, place: Place) -> Response:
        """Ask who it is."""
        visit = await self._visit(place)
        if isinstance(visit, Response):
            return visit
        if visit.has_ended:
            return self._finished(visit)
        if place.request.method == "GET":
            return self._sign_in_page(visit, place.request.query().get("as", ""), error=None)
        return await self._check_login(visit)

    async def accounts(self, place: Place) -> Response:
        """Ask for the account to pay from, or for those to share."""
        visit = await self._visit(place)
        if isinstance(visit, Response):
            return visit
        if visit.next_step not in {"accounts", "confirm"}:
            return self._at_next_step(visit)
        decision = visit.decision
        offered = decision.offered(await self._decisions.list_owned(decision))
        if place.request.method == "GET":
            return self._accounts_page(visit, offered, error=None)
        chosen = place.request.form_list("account")
        usable = {account.id for account in offered if decision.is_enough(account)}
        if not chosen or not set(chosen) <= usable or (decision.takes_one and len(chosen) != 1):
            return self._accounts_page(visit, offered, error="Choose an account to go on.")
        await self._decisions.choose(decision, chosen)
        return see_other(visit.path("confirm"))

    async def confirm(self, place: Place) -> Response:
        """Show everything once more and take the customer's word."""
        visit = await self._visit(place)
        if isinstance(visit, Response):
            return visit
        if visit.next_step != "confirm":
            return self._at_next_step(visit)
        decision = visit.decision
        chosen = await ledger.list_accounts(self._pool, place.bank.id, decision.authorisation.account_ids)
        if decision.is_payment and not decision.is_enough(chosen[0]):
            return see_other(visit.path("accounts"))
        if place.request.method == "GET":
            return self._page("confirm.html", visit, accounts=chosen)
        await self._decisions.grant(decision, chosen)
        return see_other(visit.path("return"))

    async def cancel(self, place: Place) -> Response:
        """Take no for an answer."""
        visit = await self._visit(place)
        if isinstance(visit, Response):
            return visit
        await self._decisions.cancel(visit.decision)
        return see_other(visit.path("return"))

    async def go_back(self, place: Place) -> Response:
        """Send the customer back to the client with the outcome; safe to reload."""
        visit = await self._visit(place)
        if isinstance(visit, Response):
            return visit
        if not visit.has_ended:
            return self._at_next_step(visit)
        if visit.decision.authorisation.is_decoupled:
            return self._done(visit)
        quirks = await self._quirks(visit)
        if Quirk.SWALLOWED in quirks:
            return self._page("stopped.html", visit, title="You can close this page", text=_SWALLOWED, way_on=None)
        way = await self._way_back(visit, quirks)
        if Quirk.TWICE in quirks:
            await _send_ahead(way)
        return self._leave(visit, way)

    # -- beginning ------------------------------------------------------------------------------------------------

    async def _check_intent(self, bank: Bank, asked: AuthorisationRequest) -> None:
        consent = await store.find_consent(self._pool, bank.id, asked.resource_scope, asked.consent_id)
        if consent is None or consent.client_id != asked.client.id:
            raise RequestRefused("invalid_request", "U011: There is no such consent.", returnable=True)
        if consent.status != "AWAU" and not consent.may_be_renewed:
            raise RequestRefused("invalid_request", "U009: The consent does not await a customer.", returnable=True)

    def _refuse_request(self, place: Place, params: dict[str, str], refused: RequestRefused) -> Response:
        if not refused.returnable:
            return page(
                "stopped.html",
                bank=place.bank,
                prefix=place.prefix,
                status=400,
                title="This request cannot be trusted",
                text=f"Nothing has happened. The company that sent you here made a mistake: {refused.description}",
                way_on=None,
            )
        redirect_uri, state, mode = returning_request(place.bank, params)
        fields = {"error": refused.code, "error_description": refused.description} | ({"state": state} if state else {})
        way = returns.make_return(place.bank, params["client_id"], redirect_uri, mode, fields)
        client = place.bank.clients[params["client_id"]].config.name
        return leave(way, bank=place.bank, prefix=place.prefix, granted=False, client=client)

    async def _is_headless(self, bank: Bank) -> bool:
        lever = (await levers.get_switches(self._pool, bank.id)).headless
        return self._config.headless if lever is None else lever

    async def _agree_unasked(self, place: Place, visit_id: str, browser: str) -> Response:
        """Agree for the configured customer, as conformance tests need it."""
        await oauth_store.note_login(self._pool, visit_id, self._config.headless_customer)
        visit = await self._load(place, visit_id, browser)
        assert visit is not None  # noqa: S101  # it was made a moment ago
        await self._decisions.make_unasked(visit.decision)
        done = await self._load(place, visit_id, browser)
        assert done is not None  # noqa: S101  # as above
        if done.decision.authorisation.is_decoupled:
            return self._done(done)
        return self._leave(done, await self._way_back(done, await self._quirks(done)))

    # -- finding the visit ----------------------------------------------------------------------------------------

    async def _visit(self, place: Place) -> Visit | Response:
        """Return the visit if this browser began it and, for a form, if the form is ours; else the page that says why not."""
        visit = await self._load(place, place.request.values["visit"], place.request.cookie(place.cookie) or "")
        if visit is None:
            return self._stopped(place, 404, "We cannot find this page", _LOST)
        if place.request.method == "POST":
            given = place.request.form_without("account").get("csrf", "")
            if not hmac.compare_digest(given.encode(), place.csrf.encode()):
                return self._stopped(place, 403, "This form is out of date", _LOST)
        if visit.decision.authorisation.expired and not visit.has_ended:
            await self._decisions.run_out(visit.decision)
            return self._page("stopped.html", visit, title="You ran out of time", text=_TOO_LATE, way_on=visit.path("return"))
        return visit

    async def _load(self, place: Place, visit_id: str, browser: str) -> Visit | None:
        decision = await self._decisions.find(place.bank, visit_id, browser)
        return None if decision is None else Visit(place, decision)

    # -- signing in -----------------------------------------------------------------------------------------------

    async def _check_login(self, visit: Visit) -> Response:
        form = visit.place.request.form()
        username = form.get("username", "").strip().lower()
        customer = await ledger.find_customer(self._pool, visit.place.bank.id, username)
        if customer is not None and hmac.compare_digest(form.get("password", "").encode(), PASSWORD.encode()):
            if objection := visit.decision.objection_to(username):
                return self._sign_in_page(visit, username, error=objection)
            await self._decisions.identify(visit.decision, username)
            if Quirk.SHORT_SESSION in await self._quirks(visit, username):
                await oauth_store.shorten_session(self._pool, visit.id, self._config.limits.short_session_seconds)
            return see_other(visit.path("confirm" if visit.decision.is_renewal else "accounts"))
        if await oauth_store.note_wrong_login(self._pool, visit.id, MOST_WRONG_LOGINS):
            error = "That user name and password do not go together. Check them and try again."
            return self._sign_in_page(visit, username, error=error)
        await self._decisions.refuse(visit.decision, NOT_IDENTIFIED)
        return self._page("stopped.html", visit, title="Too many tries", text=_LOCKED, way_on=visit.path("return"))

    def _sign_in_page(self, visit: Visit, username: str, *, error: str | None) -> Response:
        filled = PASSWORD if username in TESTERS and error is None else ""
        return self._page(
            "sign-in.html",
            visit,
            username=username[:64],
            filled=filled,
            password=PASSWORD,
            error=error,
            testers=TESTERS.values(),
        )

    # -- going back -----------------------------------------------------------------------------------------------

    async def _quirks(self, visit: Visit, username: str | None = None) -> frozenset[Quirk]:
        """Find what strikes here: `username` has just signed in, else whoever had before."""
        who = username or visit.decision.authorisation.username
        return await levers.find_quirks(self._pool, visit.place.bank, visit.decision.consent.amount_minor, who)

    async def _way_back(self, visit: Visit, quirks: frozenset[Quirk]) -> Return:
        bank, authorisation = visit.place.bank, visit.decision.authorisation
        if not visit.decision.is_granted:
            return returns.refused(bank, authorisation, says_why=Quirk.NO_ERROR not in quirks)
        code = secrets.token_urlsafe(32)
        await oauth_store.add_code(self._pool, authorisation.id, code, self._config.limits.code_seconds)
        return returns.granted(bank, authorisation, code, SKEW_SECONDS if Quirk.CLOCK_SKEW in quirks else 0)

    def _leave(self, visit: Visit, way: Return) -> Response:
        place = visit.place
        return leave(way, bank=place.bank, prefix=place.prefix, granted=visit.decision.is_granted, **self._about(visit))

    def _done(self, visit: Visit) -> Response:
        """End a visit on a phone, from where nobody is sent back."""
        return self._page("done.html", visit, granted=visit.decision.is_granted)

    # -- pages ----------------------------------------------------------------------------------------------------

    def _at_next_step(self, visit: Visit) -> Response:
        return self._finished(visit) if visit.has_ended else see_other(visit.path(visit.next_step))

    def _finished(self, visit: Visit) -> Response:
        way_on = visit.path("return")
        return self._page("stopped.html", visit, title="You have already answered", text=_ANSWERED, way_on=way_on)

    def _accounts_page(self, visit: Visit, offered: list[Account], *, error: str | None) -> Response:
        enough = {account.id: visit.decision.is_enough(account) for account in offered}
        return self._page("accounts.html", visit, accounts=offered, enough=enough, error=error)

    def _stopped(self, place: Place, status: int, title: str, text: str) -> Response:
        return page("stopped.html", bank=place.bank, prefix=place.prefix, status=status, title=title, text=text, way_on=None)

    def _page(self, template: str, visit: Visit, **content: Any) -> Response:
        """Render a step. Its form may lead on to the client: browsers hold a form to that through every redirect."""
        authorisation = visit.decision.authorisation
        return page(
            template,
            bank=visit.place.bank,
            prefix=visit.place.prefix,
            form_targets=() if authorisation.is_decoupled else (returns.origin(authorisation.redirect_uri),),
            visit_id=visit.id,
            csrf=visit.place.csrf,
            **(self._about(visit) | content),
        )

    def _about(self, visit: Visit) -> dict[str, Any]:
        authorisation, consent, wanted = visit.decision.authorisation, visit.decision.consent, visit.decision.wanted
        client = visit.place.bank.clients[authorisation.client_id].config.name
        about: dict[str, Any] = {"client": client, "kind": consent.kind, "username": authorisation.username}
        about |= {"decoupled": authorisation.is_decoupled, "binding_message": wanted and wanted.binding_message}
        match consent.kind:
            case "payments":
                return about | {"amount_minor": consent.amount_minor, **_payee(consent)}
            case "accounts":
                return about | {"clusters": clusters(consent.permissions), "until": consent.expires_at}
        return about | {"named": consent.content["Data"]["DebtorAccount"]["Identification"], "until": consent.expires_at}


def _at_sign_in(place: Place, visit_id: str, browser: str) -> Response:
    cookie = f"{place.cookie}={browser}; Path=/; HttpOnly; SameSite=Lax"
    return see_other(place.path("sign-in", visit_id)).with_headers(("set-cookie", cookie))


def _payee(consent: Consent) -> dict[str, Any]:
    initiation = msgspec.convert(consent.content["Data"]["Initiation"], Initiation)
    remittance = initiation.remittance_information
    return {
        "payee": initiation.creditor_account.name,
        "payee_account": initiation.creditor_account.identification,
        "payee_scheme": initiation.creditor_account.scheme_name,
        "reference": (remittance.reference if remittance else None) or initiation.end_to_end_identification,
    }


async def _send_ahead(way: Return) -> None:
    """Deliver the return once from here, so that the browser's own is the second: a quirk that testers may ask for."""
    if not isinstance(way, Posted):
        return
    async with httpx.AsyncClient(timeout=_TWICE_TIMEOUT_SECONDS, trust_env=False) as client:
        try:
            await client.post(way.url, data=dict(way.fields))
        except httpx.HTTPError:
            await asyncio.sleep(0)  # the first of two returns got lost, which is as good a test


_SWALLOWED = "Your answer is kept, but this bank does not send you back: a tester has asked it to behave like that."
_LOST = "It belongs to another browser, or it is too old. Go back to the company that sent you here and start again."
_TOO_LATE = "Nothing has happened: for your safety the page waits only a few minutes. You can go back and start again."
_LOCKED = "Nothing has happened. The user name and password did not go together five times."
_ANSWERED = "There is nothing more to do here. Going back in your browser does not change your answer."
