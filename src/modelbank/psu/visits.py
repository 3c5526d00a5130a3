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
from modelbank.database import Pool, Tx
from modelbank.jose.keys import half_hash
from modelbank.ledger import store as ledger
from modelbank.ledger.customers import PASSWORD
from modelbank.ledger.store import Account
from modelbank.levers import store as levers
from modelbank.oauth import returns
from modelbank.oauth import store as oauth_store
from modelbank.oauth.backchannel import store as backchannel_store
from modelbank.oauth.backchannel.store import Wanted
from modelbank.oauth.errors import RequestRefused
from modelbank.oauth.pushed import PushEndpoint
from modelbank.oauth.requests import RESOURCE_SCOPES, AuthorisationRequest, read_request, returning_request
from modelbank.oauth.returns import Posted, Return
from modelbank.oauth.store import Authorisation
from modelbank.openbanking import store
from modelbank.openbanking.answers import REASONS
from modelbank.openbanking.schemas import Initiation
from modelbank.openbanking.store import Consent
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
    """A visit with the consent that it is about."""

    place: Place
    authorisation: Authorisation
    consent: Consent
    wanted: Wanted | None = None  # on a phone

    @property
    def is_payment(self) -> bool:
        """True when money is asked for."""
        return self.consent.kind == "payments"

    @property
    def takes_one(self) -> bool:
        """True when exactly one account must be chosen; to share, one or several."""
        return self.consent.kind != "accounts"

    @property
    def next_step(self) -> str:
        """Return the step that the customer has to take now."""
        if self.authorisation.outcome is not None:
            return "return"
        if self.authorisation.username is None:
            return "sign-in"
        return "confirm" if self.authorisation.account_ids else "accounts"


class Visits:
    """The steps, each answering one address."""

    def __init__(self, config: Config, pool: Pool) -> None:
        self._config = config
        self._pool = pool
        self._pushes = PushEndpoint(pool)

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
        if visit.authorisation.outcome is not None:
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
        owned = await ledger.list_customer_accounts(self._pool, place.bank.id, visit.authorisation.username or "")
        offered = _offered(visit, owned)
        if place.request.method == "GET":
            return self._accounts_page(visit, offered, error=None)
        chosen = place.request.form_list("account")
        usable = {account.id for account in offered if _is_enough(visit, account)}
        if not chosen or not set(chosen) <= usable or (visit.takes_one and len(chosen) != 1):
            return self._accounts_page(visit, offered, error="Choose an account to go on.")
        await oauth_store.note_accounts(self._pool, visit.authorisation.id, chosen)
        return see_other(place.path("confirm", visit.authorisation.id))

    async def confirm(self, place: Place) -> Response:
        """Show everything once more and take the customer's word."""
        visit = await self._visit(place)
        if isinstance(visit, Response):
            return visit
        if visit.next_step != "confirm":
            return self._at_next_step(visit)
        chosen = await ledger.list_accounts(self._pool, place.bank.id, visit.authorisation.account_ids)
        if visit.is_payment and not _is_enough(visit, chosen[0]):
            return see_other(place.path("accounts", visit.authorisation.id))
        if place.request.method == "GET":
            return self._page("confirm.html", visit, accounts=chosen)
        await self._grant(visit, chosen)
        return see_other(place.path("return", visit.authorisation.id))

    async def cancel(self, place: Place) -> Response:
        """Take no for an answer. Without enough money in any account, that is the reason given."""
        visit = await self._visit(place)
        if isinstance(visit, Response):
            return visit
        await self._refuse(visit, await self._reason(visit))
        return see_other(place.path("return", visit.authorisation.id))

    async def go_back(self, place: Place) -> Response:
        """Send the customer back to the client with the outcome; safe to reload."""
        visit = await self._visit(place)
        if isinstance(visit, Response):
            return visit
        if visit.authorisation.outcome is None:
            return self._at_next_step(visit)
        if visit.authorisation.is_decoupled:
            return self._page("done.html", visit, granted=visit.authorisation.outcome == "granted")
        quirks = await self._quirks(visit)
        if Quirk.SWALLOWED in quirks:
            return self._page("stopped.html", visit, title="You can close this page", text=_SWALLOWED, way_on=None)
        way = await self._way_back(place.bank, visit.authorisation, quirks)
        if Quirk.TWICE in quirks:
            await _send_ahead(way)
        granted = visit.authorisation.outcome == "granted"
        return leave(way, bank=place.bank, prefix=place.prefix, granted=granted, **self._about(visit))

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
        username = self._config.headless_customer
        await oauth_store.note_login(self._pool, visit_id, username)
        visit = await self._load(place, visit_id, browser)
        assert visit is not None  # noqa: S101  # it was made a moment ago
        owned = await ledger.list_customer_accounts(self._pool, place.bank.id, username)
        await self._agree_or_refuse(visit, owned)
        done = await self._load(place, visit_id, browser)
        assert done is not None  # noqa: S101  # as above
        granted = done.authorisation.outcome == "granted"
        if done.authorisation.is_decoupled:
            return self._page("done.html", done, granted=granted)
        way = await self._way_back(place.bank, done.authorisation, await self._quirks(done))
        return leave(way, bank=place.bank, prefix=place.prefix, granted=granted, **self._about(done))

    async def _agree_or_refuse(self, visit: Visit, owned: list[Account]) -> None:
        usable = _offered(visit, owned) if visit.consent.kind == "fundsconfirmations" else owned
        if not usable:
            await self._refuse(visit, "U037")
            return
        enough = [account for account in usable if _is_enough(visit, account)] or usable
        chosen = enough[:1] if visit.takes_one else owned
        await self._grant(visit, chosen)

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
        if visit.authorisation.expired and visit.authorisation.outcome is None:
            await oauth_store.finish_authorisation(
                self._pool, visit.authorisation.id, "refused", "access_denied", f"U036: {REASONS['U036']}"
            )
            await store.note_reason(self._pool, visit.consent.id, "U036", REASONS["U036"])
            way_on = place.path("return", visit.authorisation.id)
            return self._page("stopped.html", visit, title="You ran out of time", text=_TOO_LATE, way_on=way_on)
        return visit

    async def _load(self, place: Place, visit_id: str, browser: str) -> Visit | None:
        authorisation = await oauth_store.find_authorisation(self._pool, place.bank.id, visit_id, browser)
        if authorisation is None:
            return None
        [kind] = set(RESOURCE_SCOPES) & set(authorisation.scope.split())
        consent = await store.find_consent(self._pool, place.bank.id, kind, authorisation.consent_id)
        asked_by = authorisation.asked_by
        wanted = None if asked_by is None else await backchannel_store.get_wanted(self._pool, asked_by)
        return None if consent is None else Visit(place, authorisation, consent, wanted)

    # -- signing in -----------------------------------------------------------------------------------------------

    async def _check_login(self, visit: Visit) -> Response:
        form = visit.place.request.form()
        username = form.get("username", "").strip().lower()
        customer = await ledger.find_customer(self._pool, visit.place.bank.id, username)
        if customer is not None and hmac.compare_digest(form.get("password", "").encode(), PASSWORD.encode()):
            if visit.wanted is not None and visit.wanted.username not in {None, username}:
                return self._sign_in_page(visit, username, error="This request is for another customer. Sign in as that one.")
            if visit.consent.may_be_renewed and visit.consent.username != username:
                return self._sign_in_page(visit, username, error="This was agreed to by another customer. Sign in as that one.")
            await oauth_store.note_login(self._pool, visit.authorisation.id, username)
            if Quirk.SHORT_SESSION in await self._quirks(visit, username):
                seconds = self._config.limits.short_session_seconds
                await oauth_store.shorten_session(self._pool, visit.authorisation.id, seconds)
            if not visit.consent.may_be_renewed:
                return see_other(visit.place.path("accounts", visit.authorisation.id))
            await oauth_store.note_accounts(self._pool, visit.authorisation.id, visit.consent.account_ids)
            return see_other(visit.place.path("confirm", visit.authorisation.id))
        if await oauth_store.note_wrong_login(self._pool, visit.authorisation.id, MOST_WRONG_LOGINS):
            error = "That user name and password do not go together. Check them and try again."
            return self._sign_in_page(visit, username, error=error)
        await self._refuse(visit, "U037")
        way_on = visit.place.path("return", visit.authorisation.id)
        return self._page("stopped.html", visit, title="Too many tries", text=_LOCKED, way_on=way_on)

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

    # -- deciding -------------------------------------------------------------------------------------------------

    async def _grant(self, visit: Visit, chosen: list[Account]) -> None:
        """Grant, once, and end what was granted before. What stopped waiting meanwhile ends the visit as refused."""
        authorisation = visit.authorisation
        async with self._pool.acquire() as connection, connection.transaction():
            if not await oauth_store.finish_authorisation(connection, authorisation.id, "granted", None, None):
                return
            if not await self._answer_client(connection, authorisation, "granted"):
                await oauth_store.withdraw_grant(connection, authorisation.id, "The client no longer awaits an answer.")
                return
            chosen_ids = [account.id for account in chosen]
            if not await store.authorise_consent(connection, visit.consent.id, authorisation.username or "", chosen_ids):
                await oauth_store.withdraw_grant(connection, authorisation.id, "U009: The consent no longer awaits the customer.")
                if authorisation.asked_by is not None:
                    await backchannel_store.withdraw_answer(connection, authorisation.asked_by)
                return
            await oauth_store.revoke_tokens_of_consent(connection, visit.consent.id)

    async def _answer_client(self, tx: Tx, authorisation: Authorisation, outcome: str) -> bool:
        """Record the answer for a client that asked from behind; False when it was answered before or came too late."""
        if authorisation.asked_by is None:
            return True
        return await backchannel_store.finish_request(tx, authorisation.asked_by, authorisation.id, outcome)

    async def _refuse(self, visit: Visit, code: str) -> None:
        async with self._pool.acquire() as connection, connection.transaction():
            text = f"{code}: {REASONS[code]}"
            if not await oauth_store.finish_authorisation(connection, visit.authorisation.id, "refused", "access_denied", text):
                return
            if await self._answer_client(connection, visit.authorisation, "refused"):
                await store.reject_consent(connection, visit.consent.id, code, REASONS[code])

    async def _reason(self, visit: Visit) -> str:
        if visit.authorisation.username is None:
            return "CUST"
        owned = await ledger.list_customer_accounts(self._pool, visit.place.bank.id, visit.authorisation.username)
        if any(_is_enough(visit, account) for account in _offered(visit, owned)):
            return "CUST"
        return "AM04" if visit.is_payment else "U037"

    async def _quirks(self, visit: Visit, username: str | None = None) -> frozenset[Quirk]:
        """Find what strikes here: `username` has just signed in, else whoever had before."""
        who = username or visit.authorisation.username
        return await levers.find_quirks(self._pool, visit.place.bank, visit.consent.amount_minor, who)

    async def _way_back(self, bank: Bank, authorisation: Authorisation, quirks: frozenset[Quirk]) -> Return:
        if authorisation.outcome != "granted":
            return returns.refused(bank, authorisation, says_why=Quirk.NO_ERROR not in quirks)
        code = secrets.token_urlsafe(32)
        await oauth_store.add_code(self._pool, authorisation.id, code, self._config.limits.code_seconds)
        return returns.granted(bank, authorisation, code, SKEW_SECONDS if Quirk.CLOCK_SKEW in quirks else 0)

    # -- pages ----------------------------------------------------------------------------------------------------

    def _at_next_step(self, visit: Visit) -> Response:
        if visit.authorisation.outcome is not None:
            return self._finished(visit)
        return see_other(visit.place.path(visit.next_step, visit.authorisation.id))

    def _finished(self, visit: Visit) -> Response:
        way_on = visit.place.path("return", visit.authorisation.id)
        return self._page("stopped.html", visit, title="You have already answered", text=_ANSWERED, way_on=way_on)

    def _accounts_page(self, visit: Visit, offered: list[Account], *, error: str | None) -> Response:
        enough = {account.id: _is_enough(visit, account) for account in offered}
        return self._page("accounts.html", visit, accounts=offered, enough=enough, error=error)

    def _stopped(self, place: Place, status: int, title: str, text: str) -> Response:
        return page("stopped.html", bank=place.bank, prefix=place.prefix, status=status, title=title, text=text, way_on=None)

    def _page(self, template: str, visit: Visit, **content: Any) -> Response:
        """Render a step. Its form may lead on to the client: browsers hold a form to that through every redirect."""
        return page(
            template,
            bank=visit.place.bank,
            prefix=visit.place.prefix,
            form_targets=() if visit.authorisation.is_decoupled else (returns.origin(visit.authorisation.redirect_uri),),
            visit_id=visit.authorisation.id,
            csrf=visit.place.csrf,
            **(self._about(visit) | content),
        )

    def _about(self, visit: Visit) -> dict[str, Any]:
        client = visit.place.bank.clients[visit.authorisation.client_id].config.name
        about: dict[str, Any] = {"client": client, "kind": visit.consent.kind, "username": visit.authorisation.username}
        about |= {"decoupled": visit.authorisation.is_decoupled, "binding_message": visit.wanted and visit.wanted.binding_message}
        match visit.consent.kind:
            case "payments":
                return about | {"amount_minor": visit.consent.amount_minor, **_payee(visit.consent)}
            case "accounts":
                return about | {"clusters": clusters(visit.consent.permissions), "until": visit.consent.expires_at}
        named = visit.consent.content["Data"]["DebtorAccount"]["Identification"]
        return about | {"named": named, "until": visit.consent.expires_at}


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


def _offered(visit: Visit, owned: list[Account]) -> list[Account]:
    """Return the accounts to choose from: the client's choice alone, when it named one."""
    data = visit.consent.content["Data"]
    named = data.get("Initiation", data).get("DebtorAccount", {}).get("Identification")
    return [account for account in owned if named in {None, account.identification}]


def _is_enough(visit: Visit, account: Account) -> bool:
    return account.available_minor >= (visit.consent.amount_minor or 0)


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
