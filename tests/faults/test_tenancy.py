"""Every route, as every kind of stranger, with every id of another firm in every place: never data, never a change.

The requests are made from the application's own routes. A route, a parameter or a body that this file does not know how to fill
fails the test, so that a new route cannot escape it.
"""

from __future__ import annotations

import json
import re
from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import dataclass, field
from itertools import product
from typing import Any
from urllib.parse import urlencode

import asyncpg
import httpx
import pytest
from litestar.handlers import HTTPRouteHandler
from litestar.routes import HTTPRoute

from strongroom.access.guard import ANY_SCOPE
from strongroom.access.model import FIRM_SCOPES, Record, SessionKind
from strongroom.funds.authentications import Welcome
from strongroom.funds.model import Actor, Personal
from strongroom.funds.requests import NewCreditRequest
from strongroom.kit.idempotency import Once
from tests.faults.town import BANK, BROWSER, COOKIE, Firm, Town, open_town

ID = "<id>"  # where an id of the other firm goes
SECRET = "<own secret>"  # the caller's own client secret
CLIENT = "<own client>"
REFUSALS = {401, 403, 404, 405, 410, 422}
PUBLIC_ABOUT_FIRM = {"/customer", "/customer/genuine", "/customer/firm/{name:str}"}  # tell anybody a firm's public name and colour
# What each path parameter names, by the beginning of the id; an empty text fits all.
PATH_PARAMETERS = {
    "case_id": ("cse",), "customer_id": ("cst",), "request_id": ("csp", "car"), "authentication_id": ("cau", "pur"),
    "endpoint_id": ("whk",), "event_id": ("evt",), "payment_id": ("pay",), "share_id": ("shr",), "consent_id": ("shr",),
    "token": ("",), "name": ("frm",), "rest": ("",), "bank_id": ("",), "serial": ("",), "gateway": ("",),
    "hand_off_id": ("hof",),
}  # fmt: skip
POSTED_BY_BANKS = {"/customer/return"}
QUERIES: dict[str, list[str]] = {
    "limit": ["100"], "after": [ID, "0"], "caseId": [ID], "caseRef": [ID, "Beech Partners matter 7"], "status": ["open"],
    "createdAfter": ["2020-01-01T00:00:00Z"], "createdBefore": ["2090-01-01T00:00:00Z"], "firm": [ID], "q": [ID],
    "bank": [BANK, ID], "part": ["0.50", "half"], "unreachable": ["true"], "resent": ["true"],
    "unsent": ["true"], "shown": ["executed"],
}  # fmt: skip
PERSON = {"name": "Norma Nobody", "email": "norma@example.com", "dateOfBirth": "1980-01-01", "phone": "447300000001"}
CREDIT = {"reference": "R1", "description": "D1", "amount": "1.00", "notify": False}
AS_CLIENT = {"client_id": CLIENT, "client_secret": SECRET}
WHO = {"email": "norma@example.com", "day": "1", "month": "1", "year": "1980"}
# What each route takes as its body, with the other firm's ids wherever an id can stand. An empty list: it takes none.
BODIES: dict[str, list[dict[str, Any]]] = {
    "POST /token": [
        {"grant_type": "client_credentials", "client_id": ID, "client_secret": SECRET},
        {"grant_type": "client_credentials", **AS_CLIENT, "scope": ID},
    ],
    "POST /passport/oauth/token": [
        {"grant_type": "client_credentials", "client_id": ID, "client_secret": SECRET},
        {"grant_type": "client_credentials", **AS_CLIENT},
    ],
    "POST /api/v1/safetoken": [{"BankId": 8, "CardPan": ID, "TerminalId": ID}],
    "POST /api/v1/safetoken/reliable": [{"BankId": 8, "CardPan": ID, "TerminalId": ID}],
    "POST /api/v1/safetoken/authentications": [
        {"cardPan": "5061810000000152048", "amount": "1.00", "currency": "NGN", "merchantName": ID, "transactionRef": ID},
    ],
    "POST /api/v1/safetoken/authentications/{authentication_id:str}/otp": [],
    "POST /api/v1/safetoken/authentications/{authentication_id:str}/verify": [{"otp": "123456"}],
    "POST /api/v1/safetoken/authentications/proofs/verify": [{"proof": ID, "reference": ID}],
    "POST /api/v1/safetoken/tokens": [{"serial": ID, "seed": "00" * 20}],
    "POST /api/v1/safetoken/tokens/find": [{"cardPan": "5061810000000152048"}],
    "POST /api/v1/safetoken/tokens/{serial:str}/unassign": [],
    "POST /api/v1/safetoken/tokens/{serial:str}/activate": [],
    "POST /api/v1/safetoken/tokens/{serial:str}/block": [],
    "POST /api/v1/safetoken/tokens/{serial:str}/unlock": [],
    "POST /api/v1/safetoken/tokens/{serial:str}/retire": [],
    "POST /api/v1/safetoken/tokens/{serial:str}/assign": [{"cardPan": "5061810000000152048"}],
    "POST /api/v1/safetoken/tokens/{serial:str}/replace": [{"by": ID}],
    "POST /api/v1/safetoken/tokens/{serial:str}/resynchronise": [{"first": "123456", "second": "123457"}],
    "POST /sms/reports/{gateway:str}": [{"id": ID}],
    "POST /issuer/{bank_id:int}/validatecard": [{"CardPan": ID}],
    "POST /issuer/{bank_id:int}/authenticateotp": [{"UserId": ID, "Otp": "123456"}],
    "POST /issuer/{bank_id:int}/soap": [{"CardPan": ID}],
    "POST /oauth/revoke": [{"client_id": ID, "client_secret": SECRET, "token": ID}, {**AS_CLIENT, "token": ID}],
    "POST /oauth/introspect": [{"client_id": ID, "client_secret": SECRET, "token": ID}, {**AS_CLIENT, "token": ID}],
    "POST /api/1.0/cases": [{"caseRef": ID, "customers": [PERSON]}],
    "PATCH /api/1.0/cases/{case_id:str}": [{"caseRef": "taken"}],
    "POST /api/1.0/cases/{case_id:str}/close": [],
    "POST /api/1.0/cases/{case_id:str}/customers": [PERSON],
    "PATCH /api/1.0/customers/{customer_id:str}": [{"name": "Taken Over", "phone": "447300000001"}],
    "POST /api/1.0/creditRequests": [
        {"caseId": ID, **CREDIT},
        {"caseId": "<own case>", "customerId": ID, **CREDIT},
        {"caseId": "<own case>", "receivingAccountId": ID, **CREDIT},
    ],
    "POST /api/1.0/creditRequests/{request_id:str}/cancel": [],
    "POST /api/1.0/creditRequests/{request_id:str}/resend": [],
    "POST /api/1.0/customerAccountRequests": [{"caseId": ID}, {"caseId": "<own case>", "customerId": ID}],
    "POST /api/1.0/customerAccountRequests/{request_id:str}/cancel": [],
    "POST /api/1.0/customerAccountRequests/{request_id:str}/resend": [],
    "POST /api/1.0/customerAuthentications": [
        {"caseId": ID, "customerId": ID},
        {"caseId": "<own case>", "customerId": ID},
        {"caseId": ID, "customerId": "<own customer>"},
    ],
    "POST /api/1.0/customerAuthentications/{authentication_id:str}/revoke": [],
    "POST /api/1.0/customerLoginGrant": [
        {"grant_type": "customer_login", "caseId": ID, "customerId": ID},
        {"grant_type": "customer_login", "caseId": "<own case>", "customerId": ID},
        {"grant_type": "customer_login", "caseId": ID, "customerId": "<own customer>"},
    ],
    "POST /api/1.0/webhookEndpoints": [{"url": "https://hooks.other.example/in", "description": ID}],
    "PATCH /api/1.0/webhookEndpoints/{endpoint_id:str}": [{"url": "https://hooks.other.example/in"}],
    "POST /api/1.0/webhookEndpoints/{endpoint_id:str}/rotate": [{}],
    "POST /api/1.0/webhookEndpoints/{endpoint_id:str}/disable": [],
    "POST /api/1.0/webhookEndpoints/{endpoint_id:str}/enable": [],
    "POST /api/1.0/webhookEndpoints/{endpoint_id:str}/test": [],
    "POST /api/1.0/events/{event_id:str}/replay": [{}, {"endpointId": ID}],
    "POST /api/1.0/events/replay": [{"after": 0, "through": 1000, "endpointId": ID}],
    "POST /customer/login": [{**WHO, "email": f"{ID}@example.com"}],
    "POST /customer/code": [{"code": "123456"}],
    "POST /customer/code/again": [{}],
    "POST /customer/grant/{token:str}": [{}],
    "POST /customer/on-phone/{token:str}": [{}],
    "POST /customer/handed-over/{hand_off_id:str}": [{"number": "1234"}],
    "POST /customer/handed-over/{hand_off_id:str}/stop": [{}],
    "POST /customer/session/extend": [{}],
    "POST /customer/sign-out": [{}],
    "POST /customer/pay/{request_id:str}/check": [{"bank": BANK}],
    "POST /customer/payments/{payment_id:str}/another-bank": [{}],
    "POST /customer/share/{request_id:str}/check": [{"bank": BANK}],
    "POST /customer/shares/{share_id:str}/another-bank": [{}],
    "POST /customer/shares/{share_id:str}/account": [{"account": ID}],
    "POST /customer/shares/{share_id:str}/code": [{"code": "123456"}],
    "POST /customer/shares/{share_id:str}/code-again": [{}],
    "POST /customer/consents/{consent_id:str}/revoke": [{}],
    "POST /customer/unrecognised/{request_id:str}": [{}],
    "POST /customer/return": [{"state": ID, "code": "c"}, {"state": ID, "error": "access_denied"}],
    "POST /customer/return/finish": [{"state": ID, "code": "c"}],
}
# Where a body may name an id of another firm and still be answered well, because there it is only a text.
ONLY_TEXT = {"POST /api/1.0/cases", "POST /api/1.0/webhookEndpoints", "POST /oauth/revoke", "POST /oauth/introspect"}
ALSO_REFUSALS = {
    "/token": {400},  # RFC 6749 §5.2
    "/customer/login": {429},
    "/api/1.0/creditRequests": {409},  # no such receiving account: a test below compares the words
}
# Forms that lead everybody on, whatever is in them: to one's own page or a public one.
LEADS_TO = {
    "POST /customer/login": "/customer/code",
    "POST /customer/grant/{token:str}": "/customer/actions",
    "POST /customer/sign-out": "/customer/signed-out",
}
# Reads that show one thing of a firm: pointed at its own ids they must answer well, else the matrix proves nothing.
NOT_OF_ONE_FIRM = {
    "/customer/static/{name:str}", "/api/doc/static/{name:str}", "/customer/{rest:path}", "/customer/grant/{token:str}",
    "/issuer/{bank_id:int}/soap", "/sms/reports/{gateway:str}", "/customer/bank-logo/{name:str}", "/customer/on-phone/{token:str}",
}  # fmt: skip
# For one browser or one session, whichever firm's customer it is: tests/portal/test_handing_over.py shows that those two see them.
OF_ONE_BROWSER = {
    "/customer/phone/{hand_off_id:str}", "/customer/phone/{hand_off_id:str}/status",
    "/customer/handed-over/{hand_off_id:str}", "/customer/handed-over/{hand_off_id:str}/status",
}  # fmt: skip
# A merchant's or an issuer's, never a firm's: test_purchases_api.py and test_tokens_api.py show that those two see them.
OF_MERCHANTS = {
    "/api/v1/safetoken/authentications", "/api/v1/safetoken/authentications/{authentication_id:str}",
    "/api/v1/safetoken/tokens", "/api/v1/safetoken/tokens/{serial:str}",
}  # fmt: skip
NOT_IN_THIS_STATE = {"/customer/shares/{share_id:str}/code", "/customer/payments/{payment_id:str}/receipt"}


@dataclass(frozen=True, slots=True)
class Shot:
    """One request to be made; `placed` are the ids in it that belong to somebody else."""

    method: str
    template: str
    url: str
    body: dict[str, Any] | None
    placed: frozenset[str]
    in_path: bool
    in_body: bool
    is_fitting: bool  # the id is of the kind that the path names, or the first where no path names one

    @property
    def key(self) -> str:
        return f"{self.method} {self.template}"

    @property
    def is_page(self) -> bool:
        return self.template.startswith("/customer")


@dataclass(frozen=True, slots=True)
class Stranger:
    """Somebody who asks: with headers, cookies or neither."""

    name: str
    headers: dict[str, str] = field(default_factory=dict, repr=False)
    session_of: tuple[Record, ...] = ()
    is_aged: bool = False
    is_powerless: bool = False  # is stopped before any id is looked at: tries only those of the right kind
    cookies: dict[str, str] = field(default_factory=dict, repr=False)
    opened: dict[str, str] = field(default_factory=dict, repr=False)  # its session, once it has one


@pytest.fixture
async def town(database: Any) -> AsyncIterator[Town]:
    async with open_town(database) as opened:
        yield opened


def handlers_of(town: Town) -> Iterator[tuple[str, str, HTTPRouteHandler]]:
    """Yield method, path template and handler of every route."""
    for route in town.app.routes:
        assert isinstance(route, HTTPRoute), f"{route.path}: this test knows routes over HTTP only"
        for handler in route.route_handlers:
            for method in handler.http_methods - {"HEAD"}:  # a HEAD is its GET without the body (tests/faults/test_head.py)
                yield str(method), route.path, handler


def shots_at(method: str, template: str, handler: HTTPRouteHandler, ids: list[str], own: Firm) -> Iterator[Shot]:
    """Yield every request that puts the ids into every place of one route. Fail where a place is unknown."""
    names = re.findall(r"\{(\w+):\w+\}", template)
    assert PATH_PARAMETERS.keys() >= set(names), f"{template}: no way to fill {names}"
    fitting = tuple(one for name in names for one in PATH_PARAMETERS[name]) or ("",)
    for url, in_path, query_id, body in places(method, template, handler, names):
        spread = ids if ID in url + query_id + json.dumps(body) else [""]
        for one in spread:
            filled = fill(body, one, own)
            target = url.replace(ID, one) + query_id.replace(ID, one)
            is_fitting = one.startswith(fitting) and not query_id if names else one in (ids[0], "")
            in_body = body is not None and ID in json.dumps(body)
            yield Shot(method, template, target, filled, frozenset({one} - {""}), in_path, in_body, is_fitting)


def places(
    method: str, template: str, handler: HTTPRouteHandler, names: list[str]
) -> Iterator[tuple[str, bool, str, dict[str, Any] | None]]:
    """Yield path, whether an id is in it, query and body, each with marks where ids go."""
    path = re.sub(r"\{\w+:\w+\}", ID, template)
    bodies: list[Any] = [None]
    if method in {"POST", "PATCH", "PUT"}:
        assert f"{method} {template}" in BODIES, f"{method} {template}: say in BODIES what it takes"
        bodies = [*BODIES[f"{method} {template}"]] or [None]
    for body in bodies:
        yield path, bool(names), "", body
    for name in queries_of(handler, names):
        assert name in QUERIES, f"{template}: say in QUERIES what {name} may be"
        for value in QUERIES[name]:
            yield path, bool(names), "?" + urlencode({name: value}, safe="<>"), bodies[0]
    if template == "/customer/return" and method == "GET":  # reads every query parameter that there is
        yield path, False, f"?state={ID}&code=c", None
    if template == "/customer/firm/{name:str}":
        yield f"{path}.css", True, "", None


def queries_of(handler: HTTPRouteHandler, path_names: list[str]) -> Iterator[str]:
    """Yield the names of a route's query parameters."""
    for name, parameter in handler.parsed_fn_signature.parameters.items():
        if name not in {"request", "body", "scope", "self", *path_names}:
            yield getattr(parameter.kwarg_definition, "name", None) or getattr(parameter.kwarg_definition, "query", None) or name


def fill(value: Any, one: str, own: Firm) -> Any:
    """Return a body with its marks filled in."""
    if isinstance(value, dict):
        return {name: fill(inner, one, own) for name, inner in value.items()}
    if isinstance(value, list):
        return [fill(inner, one, own) for inner in value]
    if not isinstance(value, str):
        return value
    marks = {ID: one, SECRET: own.secret, CLIENT: own.ids["client"]}
    marks |= {"<own case>": own.ids["case"], "<own customer>": own.ids["customer"]}
    for mark, text in marks.items():
        value = value.replace(mark, text)
    return value


def strangers(town: Town, template: str, handler: HTTPRouteHandler) -> list[Stranger]:
    """Return everybody who has no business with the firm Beech on this route."""
    alder, beech = town.alder, town.beech
    mine, passes = (alder.record,), {COOKIE + name: value for name, value in town.passes(alder).items()}
    found = [
        Stranger("nobody", is_powerless=True),
        Stranger("another firm's token", alder.bearer()),
        Stranger("a revoked token", beech.bearer("revoked"), is_powerless=True),
        Stranger("another firm's customer", session_of=mine, cookies=passes),
        Stranger("a session that is over", session_of=(beech.record,), is_aged=True, is_powerless=True),
    ]
    needed = handler.opt.get("scope")
    if needed not in (None, ANY_SCOPE):
        found += [
            Stranger(f"the firm's own token for {one} only", beech.bearer(one), is_powerless=True)
            for one in FIRM_SCOPES
            if one != needed
        ]
    if template.startswith("/customer/shares"):  # knowing a browser's name is not having its pass
        found.append(Stranger("the same browser without its pass", cookies={f"{COOKIE}browser": BROWSER}))
    return found


async def fire(town: Town, who: Stranger, shot: Shot, *, secret: str | None = None) -> httpx.Response:
    """Make one request as somebody."""
    cookies, csrf = dict(who.cookies), ""
    if shot.is_page and who.session_of:
        if not who.opened or shot.template == "/customer/sign-out":
            who.opened.update(await town.open_session(*who.session_of))
            if who.is_aged:
                await town.age_session(who.opened["session"])
        cookies[f"{COOKIE}session"], csrf = who.opened["session"], who.opened["csrf"]
    elif shot.is_page and shot.method == "POST":
        cookies.setdefault(f"{COOKIE}browser", "a" * 43)
        csrf = town.house.vault.hash("browser form", cookies[f"{COOKIE}browser"]).hex()[:64]
    csrf = csrf if secret is None else secret
    headers = dict(who.headers)
    if cookies:
        headers["cookie"] = "; ".join(f"{name}={value}" for name, value in cookies.items())
    content: dict[str, Any] = {}
    if shot.body is not None:
        content = {"data": {**shot.body, "csrf": csrf}} if shot.is_page else {"json": shot.body}
    town.http.cookies.clear()
    return await town.http.request(shot.method, shot.url, headers=headers, **content)


def leaks(answer: httpx.Response, private: set[str], known: frozenset[str] = frozenset()) -> set[str]:
    """Return what of the private texts an answer tells, in its body or a header; what the caller sent is no news."""
    whole = answer.text + "\n".join(f"{name}: {value}" for name, value in answer.headers.items())
    return {text for text in private - known if text in whole}


def faults_of(shot: Shot, who: Stranger, handler: HTTPRouteHandler, answer: httpx.Response, private: set[str]) -> Iterator[str]:
    """Yield what is wrong with an answer to a stranger."""
    said = f"{who.name}: {shot.method} {shot.url} {shot.body or ''} → {answer.status_code}"
    if told := leaks(answer, private, shot.placed):
        yield f"{said} tells {told}"
    if answer.status_code >= 500:
        yield f"{said} broke"
    if not is_fit(shot, who, handler, answer):
        yield f"{said} is not refused"


def is_fit(shot: Shot, who: Stranger, handler: HTTPRouteHandler, answer: httpx.Response) -> bool:
    """True when an answer refuses, or the route gives nothing away by answering."""
    refused = answer.status_code in REFUSALS | ALSO_REFUSALS.get(shot.template, set())
    if "scope" in handler.opt and who.name != "another firm's token":
        return answer.status_code == (403 if "own token" in who.name else 401)
    if shot.template in PUBLIC_ABOUT_FIRM:
        return True
    if shot.key in LEADS_TO:
        return refused or goes_to(answer, LEADS_TO[shot.key])
    if "session" in handler.opt and (who.is_aged or not who.session_of):
        return refused or goes_to(answer, "/customer/login")
    return refused or not (shot.in_path or (shot.in_body and shot.key not in ONLY_TEXT))


def goes_to(answer: httpx.Response, path: str) -> bool:
    """True when an answer leads to a public page."""
    return answer.status_code == 303 and answer.headers["location"] == path


async def digest(town: Town, firm: Firm) -> dict[str, str]:
    """Return a digest of a firm's rows in every table that has a tenant, and of the sessions that cover it."""
    tables = await town.owner.fetch(
        """SELECT table_name AS name, column_name AS tenant FROM information_schema.columns JOIN information_schema.tables
           USING (table_schema, table_name) WHERE table_schema = 'public' AND table_type = 'BASE TABLE'
           AND column_name IN ('firm_id', 'tenant_id') AND table_name <> 'portal_session_records' ORDER BY 1"""
    )
    assert len(tables) > 30
    parts = [
        f"SELECT '{one['name']}' AS name, count(*) || md5(coalesce(string_agg(t::text, '|' ORDER BY t::text), '')) AS digest "
        f"FROM {one['name']} t WHERE {one['tenant']} = $1"
        for one in tables
    ]
    return {row["name"]: row["digest"] for row in await town.owner.fetch(" UNION ALL ".join(parts), firm.id)}


async def test_no_stranger_learns_or_changes_anything_of_another_firm_by_any_route(town: Town) -> None:
    beech, count = town.beech, 0
    wrong: list[str] = []
    ids = [*beech.ids.values(), beech.id, beech.tokens["all"]]  # a live token is an id too where a body may name one
    private = beech.private | {beech.id}
    before = await digest(town, beech)
    seen = set()
    for method, template, handler in handlers_of(town):
        if method == "OPTIONS":
            continue
        seen.add(f"{method} {template}")
        shots = list(shots_at(method, template, handler, ids, town.alder))
        assert shots, f"{method} {template} is never called"
        for who, shot in product(strangers(town, template, handler), shots):
            asks_openly = who.name == "nobody" and "public" in handler.opt  # the body may say who asks
            if who.is_powerless and not shot.is_fitting and not asks_openly:
                continue
            wrong += faults_of(shot, who, handler, await fire(town, who, shot), private)
            count += 1
        after = await digest(town, beech)
        wrong += [f"{method} {template} changed {name}" for name in after if after[name] != before[name]]
        before = after
    assert not wrong, f"{len(wrong)} faults in {count} requests:\n" + "\n".join(wrong[:: len(wrong) // 40 + 1])
    assert BODIES.keys() <= seen, "BODIES names routes that are gone"
    assert count > 3000


async def test_pointed_at_the_firms_own_ids_the_same_requests_are_seen_to_succeed_and_to_tell(town: Town) -> None:
    beech = town.beech
    passes = {COOKIE + name: value for name, value in town.passes(beech).items()}
    owner = Stranger("the firm itself", beech.bearer(), (beech.record,), cookies=passes)
    reads, told = set(), set()
    for method, template, handler in handlers_of(town):
        if method != "GET" or not ("{" in template or "scope" in handler.opt or "session" in handler.opt):
            continue
        if template in NOT_OF_ONE_FIRM | NOT_IN_THIS_STATE | PUBLIC_ABOUT_FIRM | OF_MERCHANTS | OF_ONE_BROWSER:
            continue
        reads.add(template)
        for shot in shots_at(method, template, handler, list(beech.ids.values()), beech):
            answer = await fire(town, owner, shot)
            if answer.is_success and leaks(answer, beech.private | {beech.id}):
                told.add(template)
    silent = reads - told
    assert len(told) > 25
    assert silent <= {
        "/customer/consents",
        "/customer/payments/{payment_id:str}/bank",  # leads to the bank, and says nothing itself
        "/customer/payments/{payment_id:str}/status",
        "/customer/shares/{share_id:str}/bank",
        "/customer/shares/{share_id:str}/status",
    }, silent


async def test_a_form_without_its_sessions_own_secret_changes_nothing(town: Town) -> None:
    """Cross-site request forgery: the cookies are right, the form is somebody else's."""
    beech = town.beech
    passes = {COOKIE + name: value for name, value in town.passes(beech).items()}
    owner = Stranger("the customer, from a foreign page", beech.bearer(), (beech.record,), cookies=passes)
    another = (await town.open_session(town.alder.record))["csrf"]
    before = await digest(town, beech)
    routes, accepted = set(), []
    for method, template, handler in handlers_of(town):
        if method != "POST" or template in POSTED_BY_BANKS:
            continue
        for shot in (one for one in shots_at(method, template, handler, list(beech.ids.values()), beech) if one.is_page):
            routes.add(template)
            for secret in ("", "x" * 64, another):
                answer = await fire(town, owner, shot, secret=secret)
                if answer.status_code not in {403, 404}:
                    accepted.append(f"{shot.url} → {answer.status_code}")
    assert not accepted, accepted
    assert len(routes) > 10
    after = await digest(town, beech)
    assert [name for name in after if after[name] != before[name]] in ([], ["portal_sessions"])


async def test_what_is_written_with_the_firms_own_ids_is_seen_in_the_digest(town: Town) -> None:
    beech = town.beech
    before = await digest(town, beech)
    answer = await town.http.post(f"/api/1.0/creditRequests/{beech.ids['waiting credit']}/cancel", headers=beech.bearer())
    assert answer.status_code == 200
    after = await digest(town, beech)
    assert {name for name in after if after[name] != before[name]} >= {"credit_requests", "history", "audit_entries"}


async def test_a_thing_of_another_firm_is_refused_in_the_same_words_as_one_that_nobody_has(town: Town) -> None:
    alder, beech = town.alder, town.beech
    for kind, field_name, body in (
        ("receiving", "receivingAccountId", {"caseId": alder.ids["case"], **CREDIT}),
        ("customer", "customerId", {"caseId": alder.ids["case"], **CREDIT}),
        ("case", "caseId", CREDIT),
    ):
        theirs = beech.ids[kind]
        answers = [
            await town.http.post("/api/1.0/creditRequests", json={**body, field_name: one}, headers=alder.bearer())
            for one in (theirs, theirs[:4] + "0" * 13)
        ]
        first, second = ({name: value for name, value in one.json().items() if name != "request_id"} for one in answers)
        assert answers[0].is_client_error
        assert first == second


async def test_a_route_that_nobody_described_fails(town: Town) -> None:
    handler = next(one for _, path, one in handlers_of(town) if path == "/api/1.0/cases")
    with pytest.raises(AssertionError, match="no way to fill"):
        list(shots_at("GET", "/api/1.0/files/{file_id:str}", handler, ["x"], town.alder))
    with pytest.raises(AssertionError, match="say in BODIES"):
        list(shots_at("POST", "/api/1.0/files", handler, ["x"], town.alder))


async def test_a_session_of_a_code_covers_only_the_records_with_the_phone_that_got_it(town: Town) -> None:
    twin = Personal("Tessa Twin", "tessa.twin@example.com", "1990-05-05", "447700900131")
    other = Personal(twin.name, twin.email, twin.date_of_birth, "447700900132")
    requests = [await ask_person(town, firm, one) for firm, one in ((town.alder, twin), (town.beech, other))]
    assert await town.house.authentications.begin("the browser", twin.email, twin.date_of_birth, None)
    await town.jobs.authentications.dispatch()
    codes = await login_codes(town)
    assert set(codes) == {town.alder.id, town.beech.id}
    welcome = await town.house.authentications.enter("the browser", codes[town.alder.id])
    assert isinstance(welcome, Welcome)
    cookie = {"cookie": f"{COOKIE}session={welcome.session.reveal()}"}
    page = await town.http.get("/customer/actions", headers=cookie)
    assert page.status_code == 200
    assert requests[0] in page.text
    assert not leaks(page, {requests[1], "Beech"})
    assert [(await town.http.get(f"/customer/pay/{one}", headers=cookie)).status_code for one in requests] == [200, 404]


async def ask_person(town: Town, firm: Firm, person: Personal) -> str:
    """Open a case for one more person and ask them for money; return the request's id."""
    who = Actor("client:test")
    made = await town.house.cases.create(firm.id, who, "twin", [person], Once(town.house.vault))
    new = NewCreditRequest(made.id, "TWIN1", f"{firm.name} fee", 100, notify=False)
    return (await town.house.requests.create(firm.id, who, new, Once(town.house.vault))).id


async def login_codes(town: Town) -> dict[str, str]:
    """Return the login code that each firm's record was sent."""
    found = {}
    for row in await town.owner.fetch("SELECT * FROM messages WHERE purpose = 'login_code'"):
        async with town.house.db.transaction(row["tenant_id"]) as tx:
            keys = await town.house.vault.tenant(tx, row["tenant_id"])
        text = keys.unseal_text("messages", "text_sealed", row["id"], row["text_sealed"])
        [found[row["tenant_id"]]] = set(re.findall(r"\b\d{6}\b", text))
    return found


async def test_a_session_of_two_firms_shows_each_what_is_theirs_and_a_grant_one_case_only(town: Town) -> None:
    alder, beech = town.alder, town.beech
    both = await town.open_session(alder.record, beech.record, kind=SessionKind.CODE)
    page = await town.http.get("/customer/actions", headers={"cookie": f"{COOKIE}session={both['session']}"})
    assert leaks(page, {f"{alder.name} opening fee"})
    assert leaks(page, {f"{beech.name} opening fee"})
    mixed = await town.open_session(Record(alder.id, beech.ids["customer"], beech.ids["case"]))  # a customer under a wrong firm
    for kind, path in (("waiting credit", "pay"), ("waiting account", "share")):
        answer = await town.http.get(
            f"/customer/{path}/{beech.ids[kind]}", headers={"cookie": f"{COOKIE}session={mixed['session']}"}
        )
        assert answer.status_code == 404


FENCED = """
SELECT c.relname AS name, (SELECT attname FROM pg_attribute a WHERE a.attrelid = c.oid
    AND attname IN ('firm_id', 'tenant_id', 'issuer_id', 'merchant_id')
    ORDER BY array_position(ARRAY['firm_id', 'tenant_id', 'issuer_id', 'merchant_id'], attname::text) LIMIT 1) AS tenant
FROM pg_class c WHERE c.relnamespace = 'public'::regnamespace AND c.relkind = 'r' AND c.relforcerowsecurity ORDER BY 1
"""
STATEMENTS: dict[str, Callable[[str, str], str]] = {
    "SELECT": lambda table, tenant: f"SELECT {tenant} FROM {table}",
    "UPDATE": lambda table, tenant: f"UPDATE {table} SET {tenant} = {tenant} RETURNING {tenant}",
    "DELETE": lambda table, tenant: f"DELETE FROM {table} RETURNING {tenant}",
}


async def touched(connection: asyncpg.Connection, tenant: str, statement: str) -> set[str] | None:
    """Return whose rows a statement of the application's role reaches, then undo it; None when the role may not run it.

    Foreign keys are not checked meanwhile: they would stop a DELETE before it shows whom it reaches.
    """
    transaction = connection.transaction()
    await transaction.start()
    try:
        await connection.execute("SET LOCAL session_replication_role = replica")
        await connection.execute("SET LOCAL ROLE strongroom_app")
        await connection.execute("SELECT set_config('strongroom.tenant', $1, true)", tenant)
        return {row[0] for row in await connection.fetch(statement)}
    except asyncpg.InsufficientPrivilegeError:
        return None
    finally:
        await transaction.rollback()


async def reached(town: Town, tenant: str) -> dict[str, set[str]]:
    """Return whose rows every statement without WHERE on every fenced table reaches, by statement and table."""
    found = {}
    async with town.owner.acquire() as connection:
        for row, kind in product(await connection.fetch(FENCED), STATEMENTS):
            whose = await touched(connection, tenant, STATEMENTS[kind](row["name"], row["tenant"]))
            if whose is not None:
                found[f"{kind} {row['name']}"] = whose
    return found


async def test_a_statement_without_where_reaches_its_own_tenant_only_and_without_a_tenant_nobody(town: Town) -> None:
    found = await reached(town, town.alder.id)
    assert {one for whose in found.values() for one in whose} == {town.alder.id}
    with_rows = {name for name, whose in found.items() if whose}
    assert with_rows >= {f"SELECT {name}" for name in ("cases", "customers", "credit_requests", "payments", "shares", "firms")}
    assert with_rows >= {f"UPDATE {name}" for name in ("cases", "customers", "credit_requests", "payments", "shares", "firms")}
    assert "DELETE login_grants" in with_rows
    assert len(found) > 60
    assert not any((await reached(town, "")).values())


async def test_a_row_cannot_be_given_to_another_tenant(town: Town) -> None:
    async with town.owner.acquire() as connection:
        for row in await connection.fetch(FENCED):
            statement = f"UPDATE {row['name']} SET {row['tenant']} = '{town.beech.id}' RETURNING {row['tenant']}"
            try:
                whose = await touched(connection, town.alder.id, statement)
            except asyncpg.InsufficientPrivilegeError:  # what the policy's check raises as well
                whose = set()
            assert not whose, f"{row['name']}: rows changed hands"


async def test_a_table_without_its_fence_is_seen(town: Town) -> None:
    await town.owner.execute("ALTER TABLE cases DISABLE ROW LEVEL SECURITY")
    found = await reached(town, town.alder.id)
    assert found["SELECT cases"] == {town.alder.id, town.beech.id}
