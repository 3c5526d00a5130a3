"""Section 6, continued: what a customer shared is read, resource by resource."""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import httpx

from tests.conformance.rule import Attempt, Rule, Stage, refusal
from tests.conformance.sharing import EVERY_PERMISSION, shared
from tests.modelbank.test_official_shapes import check

ACCOUNT, NOT_SHARED = "mulberry-101", "mulberry-102"
_BOTH_WAYS = ["ReadTransactionsCredits", "ReadTransactionsDebits"]


@dataclass(frozen=True, slots=True)
class Resource:
    """A kind of resource: the member of `Data`, its two addresses, its permission, and what only Detail shows.

    Whoever has levels is read with …Basic or …Detail; `always` of the members that only Detail shows must then be there.
    """

    member: str
    bulk: str
    single: str
    permission: str
    only_detail: tuple[str, ...] = ()
    always: str = ""
    beside: tuple[str, ...] = ()

    @property
    def addresses(self) -> tuple[str, ...]:
        return tuple(path for path in (self.bulk, self.single) if path)

    @property
    def most(self) -> list[str]:
        """Return the permissions that show all of it."""
        return [f"{self.permission}Detail" if self.only_detail else self.permission, *self.beside]

    @property
    def least(self) -> list[str]:
        """Return the permissions that show some of it."""
        return [f"{self.permission}Basic" if self.only_detail else self.permission, *self.beside]


_ONE = "/accounts/{AccountId}"
_CREDITOR = ("CreditorAgent", "CreditorAccount")
_HIDDEN = (
    "TransactionInformation", "Balance", "MerchantDetails", *_CREDITOR, "UltimateCreditor", "DebtorAgent", "DebtorAccount",
    "UltimateDebtor",
)  # fmt: skip
_TRANSACTIONS = Resource(
    "Transaction", "/transactions", f"{_ONE}/transactions", "ReadTransactions", _HIDDEN, "TransactionInformation",
    ("ReadTransactionsCredits", "ReadTransactionsDebits"),
)  # fmt: skip
_STATEMENTS = Resource("Statement", "/statements", f"{_ONE}/statements", "ReadStatements", ("StatementAmount",), "StatementAmount")
RESOURCES = (
    Resource("Account", "/accounts", _ONE, "ReadAccounts", ("Account", "Servicer", "StatementFrequencyAndFormat"), "Account"),
    Resource("Balance", "/balances", f"{_ONE}/balances", "ReadBalances"),
    _TRANSACTIONS,
    Resource("Beneficiary", "/beneficiaries", f"{_ONE}/beneficiaries", "ReadBeneficiaries", _CREDITOR, "CreditorAccount"),
    Resource("DirectDebit", "/direct-debits", f"{_ONE}/direct-debits", "ReadDirectDebits"),
    Resource("StandingOrder", "/standing-orders", f"{_ONE}/standing-orders", "ReadStandingOrders", _CREDITOR, "CreditorAccount"),
    Resource("Product", "/products", f"{_ONE}/product", "ReadProducts"),
    Resource("Offer", "/offers", f"{_ONE}/offers", "ReadOffers"),
    Resource("Party", "", f"{_ONE}/parties", "ReadParty"),
    Resource("Party", "", f"{_ONE}/party", "ReadParty"),
    Resource("Party", "/party", "", "ReadPartyPSU"),
    Resource(
        "ScheduledPayment", "/scheduled-payments", f"{_ONE}/scheduled-payments", "ReadScheduledPayments", _CREDITOR,
        "CreditorAccount",
    ),
    _STATEMENTS,
    Resource("Statement", "", f"{_ONE}/statements/{{StatementId}}", "ReadStatements", ("StatementAmount",), "StatementAmount"),
    Resource(
        "Transaction", "", f"{_ONE}/statements/{{StatementId}}/transactions", "ReadTransactions", _HIDDEN,
        "TransactionInformation", ("ReadTransactionsCredits", "ReadTransactionsDebits"),
    ),
)  # fmt: skip
ADDRESSES = [(resource, path) for resource in RESOURCES for path in resource.addresses]


async def _token(stage: Stage, permissions: Sequence[str] = EVERY_PERMISSION, **data: object) -> str:
    """Return a customer's token for a consent with these permissions, made once in a run."""
    asked = sorted({*permissions, *([] if "ReadAccountsDetail" in permissions else ["ReadAccountsBasic"])})
    name = f"{asked} {data}"
    if name not in stage.tokens:
        _, stage.tokens[name] = await shared(stage, asked, **data)
    return stage.tokens[name]


async def _where(stage: Stage, path: str, account: str = ACCOUNT) -> str:
    """Return an address of what there is: of an account, and of its newest statement."""
    if "{StatementId}" not in path:
        return f"aisp{path.format(AccountId=account)}"
    answer = await stage.tpp.get(f"aisp/accounts/{ACCOUNT}/statements", await _token(stage))
    [statement, *_] = answer.json()["Data"]["Statement"]
    return f"aisp{path.format(AccountId=account, StatementId=statement['StatementId'])}"


def _listed(answer: httpx.Response) -> list[dict[str, Any]]:
    assert answer.status_code == httpx.codes.OK, answer.text
    [found] = answer.json()["Data"].values()
    return found if isinstance(found, list) else [found]


def _answers(resource: Resource, path: str) -> Attempt:
    """Read it with all that it needs: it is on the document, not empty, of the right account, and names itself."""

    async def attempt(stage: Stage) -> str:
        mine = str(uuid.uuid4())
        answer = await stage.tpp.get(await _where(stage, path), await _token(stage, resource.most), x_fapi_interaction_id=mine)
        check("account-info", path, answer)
        assert answer.headers["x-fapi-interaction-id"] == mine
        content = answer.json()
        assert list(content["Data"]) == [resource.member]
        assert content["Links"]["Self"] == str(answer.request.url)
        assert content["Meta"]["TotalPages"] >= 1
        found = _listed(answer)
        assert {entry.get("AccountId", ACCOUNT) for entry in found} == {ACCOUNT}
        return f"{answer.status_code}, {'not empty' if found else 'empty'}"

    return attempt


def _lacks(resource: Resource, path: str) -> Attempt:
    """Read it with Basic alone and tell what is there that only Detail shows."""

    async def attempt(stage: Stage) -> str:
        answer = await stage.tpp.get(await _where(stage, path), await _token(stage, resource.least))
        check("account-info", path, answer)
        seen = {name for entry in _listed(answer) for name in entry}
        return ", ".join(sorted(seen & set(resource.only_detail))) or "nothing of it"

    return attempt


def _shows(resource: Resource, path: str) -> Attempt:
    """Read it with Basic and Detail: everything has what Detail shows."""

    async def attempt(stage: Stage) -> str:
        answer = await stage.tpp.get(await _where(stage, path), await _token(stage, [*resource.least, *resource.most]))
        return resource.always if all(resource.always in entry for entry in _listed(answer)) else "not everywhere"

    return attempt


def _without(resource: Resource, path: str) -> Attempt:
    """Read it with every permission but its own."""

    async def attempt(stage: Stage) -> str:
        own = {f"{resource.permission}{level}" for level in ("", "Basic", "Detail", *("Credits", "Debits") * bool(resource.beside))}
        where = await _where(stage, path)
        return await refusal(stage.tpp, await stage.tpp.get(where, await _token(stage, [*{*EVERY_PERMISSION} - own])))

    return attempt


async def _all(stage: Stage, paths: Sequence[str], account: str, **request: Any) -> str:
    """Send the same to many addresses; return what they answer, once where it is the same."""
    seen = set()
    for path in paths:
        where = await _where(stage, path, account)
        answer = await stage.tpp.http.request(**{"method": "GET", **request}, url=f"open-banking/v4.0/{where}")
        seen.add(await refusal(stage.tpp, answer))
    return f"{len(paths)} times {', '.join(sorted(seen))}"


_EVERY = [path for _, path in ADDRESSES]
_OF_ONE = [path for path in _EVERY if "{AccountId}" in path]


def _everywhere(token_of: str, **headers: str) -> Attempt:
    async def attempt(stage: Stage) -> str:
        method = headers.pop("method", "GET")
        match token_of:
            case "client":
                token = await stage.tpp.client_token("accounts")
            case "payments":
                token = await stage.tpp.client_token("payments")
            case "nobody":
                return await _all(stage, _EVERY, ACCOUNT, method=method)
            case _:
                token = await _token(stage)
        return await _all(stage, _EVERY, ACCOUNT, method=method, headers={"authorization": f"Bearer {token}", **headers})

    return attempt


def _at(account: str) -> Attempt:
    async def attempt(stage: Stage) -> str:
        return await _all(stage, _OF_ONE, account, headers={"authorization": f"Bearer {await _token(stage)}"})

    return attempt


def _read(path: str, *permissions: str, **headers: str) -> Attempt:
    async def attempt(stage: Stage) -> str:
        token = await _token(stage, permissions or EVERY_PERMISSION)
        return await refusal(stage.tpp, await stage.tpp.get(await _where(stage, path), token, **headers))

    return attempt


# -- transactions and statements


async def _history(stage: Stage, query: str = "", path: str = "/transactions", **data: object) -> list[dict[str, Any]]:
    """Read everything, page by page."""
    token, found = await _token(stage, **data), []
    answer = await stage.tpp.get(f"aisp{path}{query}", token)
    while True:
        assert answer.json()["Links"]["Self"] == str(answer.request.url)
        found += _listed(answer)
        if (ahead := answer.json()["Links"].get("Next")) is None:
            return found
        answer = await stage.tpp.http.get(ahead, headers={"authorization": f"Bearer {token}"})


def _directions(*permissions: str) -> Attempt:
    async def attempt(stage: Stage) -> str:
        token = await _token(stage, ["ReadTransactionsBasic", *permissions])
        found = _listed(await stage.tpp.get("aisp/transactions", token))
        return ", ".join(sorted({entry["CreditDebitIndicator"] for entry in found}))

    return attempt


def _between(entries: list[dict[str, Any]], since: str, until: str, *names: str) -> list[dict[str, Any]]:
    """Return the entries whose times of these names all lie between two, as texts in UTC."""
    return [entry for entry in entries if all(since <= entry[name] <= until for name in names)]


def _filtered(form: str) -> Attempt:
    """Ask for what was booked between the third newest and the third oldest moment, written in some way."""

    async def attempt(stage: Stage) -> str:
        everything = await _history(stage)
        moments = sorted({entry["BookingDateTime"] for entry in everything})
        since, until = moments[2], moments[-3]
        written = {
            "plain": (since[:-1], until[:-1]),
            "zone": (f"{since[:-1]}-05:00", f"{until[:-1]}+05:00"),
            "Z": (since, until),
            "day": (since[:10], until[:10]),
        }[form]
        if form == "day":
            since, until = f"{since[:10]}T00:00:00.000Z", f"{until[:10]}T00:00:00.000Z"
        asked = [("fromBookingDateTime", written[0]), ("toBookingDateTime", written[1])]
        found = await _history(stage, f"?{httpx.QueryParams(asked)}")
        wanted = _between(everything, since, until, "BookingDateTime")
        assert 0 < len(wanted) < len(everything)
        return "those and no others" if found == wanted else f"{len(found)} instead of {len(wanted)}"

    return attempt


def _some(query: str, path: str = "/transactions") -> Attempt:
    """Tell whether a query finds everything, nothing or some."""

    async def attempt(stage: Stage) -> str:
        found, everything = await _history(stage, query, path), await _history(stage, "", path)
        return "nothing" if not found else "everything" if found == everything else "some"

    return attempt


async def _file(stage: Stage) -> str:
    answer = await stage.tpp.get(
        await _where(stage, f"{_ONE}/statements/{{StatementId}}/file"), await _token(stage), accept="text/csv"
    )
    [columns] = {line.count(",") + 1 for line in answer.text.splitlines()}
    return f"{answer.headers['content-type']}, {columns} columns"


async def _agreed_period(stage: Stage) -> str:
    everything = await _history(stage)
    moments = sorted({entry["BookingDateTime"] for entry in everything})
    since, until = moments[2], moments[-3]
    period = {"TransactionFromDateTime": since, "TransactionToDateTime": until}
    within = _between(everything, since, until, "BookingDateTime")
    assert 0 < len(within) < len(everything)
    for query in ("", "?fromBookingDateTime=2000-01-01", "?toBookingDateTime=2100-01-01T00:00:00"):
        for path in ("/transactions", f"/accounts/{ACCOUNT}/transactions"):
            assert await _history(stage, query, path, **period) == within
    return "never more than was agreed"


async def _pages(stage: Stage) -> str:
    token, query = await _token(stage), "?fromBookingDateTime=2000-01-01"
    first = await stage.tpp.get(f"aisp/accounts/{ACCOUNT}/transactions{query}", token)
    links, pages = first.json()["Links"], first.json()["Meta"]["TotalPages"]
    assert pages > 1
    assert "Prev" not in links
    last = await stage.tpp.http.get(links["Last"], headers={"authorization": f"Bearer {token}"})
    assert "Next" not in last.json()["Links"]
    assert len(_listed(first)) >= 25 >= len(_listed(last)) > 0
    assert all("fromBookingDateTime=2000-01-01" in link for link in (*links.values(), *last.json()["Links"].values()))
    back, at = [_listed(last)], last
    while (before := at.json()["Links"].get("Prev")) is not None:
        at = await stage.tpp.http.get(before, headers={"authorization": f"Bearer {token}"})
        back.insert(0, _listed(at))
    assert at.json()["Links"]["Self"] == links["First"]
    ids = [entry["TransactionId"] for page in back for entry in page]
    everything = await _history(stage, query, f"/accounts/{ACCOUNT}/transactions")
    same = [entry["TransactionId"] for entry in everything] == ids and len(set(ids)) == len(ids) and len(back) == pages
    return "each entry once, both ways" if same else "not the same both ways"


async def _filtered_statements(stage: Stage) -> str:
    everything = await _history(stage, "", "/statements")
    since, until = everything[3]["StartDateTime"], everything[1]["EndDateTime"]
    for path in ("/statements", f"/accounts/{ACCOUNT}/statements"):
        query = f"?fromStatementDateTime={since[:-1]}&toStatementDateTime={until[:-1]}"
        assert await _history(stage, query, path) == everything[1:4]
        earlier = await _history(stage, f"?fromStatementDateTime={since[:-1]}%2B05:00&toStatementDateTime={until[:16]}", path)
        assert earlier == everything[2:4]
    return "those and no others"


async def _agreed_statements(stage: Stage) -> str:
    everything = await _history(stage, "", "/statements")
    since, until = everything[3]["EndDateTime"], everything[1]["EndDateTime"]
    period = {"TransactionFromDateTime": since, "TransactionToDateTime": until}
    for path in ("/statements", f"/accounts/{ACCOUNT}/statements"):
        assert await _history(stage, "", path, **period) == everything[1:3]
    token, seen = await _token(stage, **period), set()
    for statement in (everything[0], everything[3]):
        where = f"aisp/accounts/{ACCOUNT}/statements/{statement['StatementId']}"
        for part in ("", "/transactions"):
            seen.add(await refusal(stage.tpp, await stage.tpp.get(where + part, token)))
    return f"only whole ones; others {', '.join(sorted(seen))}"


async def _balances(stage: Stage) -> str:
    found = _listed(await stage.tpp.get(f"aisp/accounts/{ACCOUNT}/balances", await _token(stage)))
    return ", ".join(sorted(f"{entry['Type']} {entry['Amount']['Currency']}" for entry in found))


async def _savings(stage: Stage) -> str:
    asked = ["ReadAccountsBasic", "ReadProducts"]
    consent_id = await stage.tpp.create_access_consent(asked)
    query = stage.tpp.authorize_query(stage.tpp.request_claims(consent_id, "accounts"))
    back = await stage.browser.agree(query, accounts=(1,))
    token = (await stage.tpp.exchange(back["code"])).json()["access_token"]
    answer = await stage.tpp.get(f"aisp/accounts/{NOT_SHARED}/product", token)
    check("account-info", f"{_ONE}/product", answer)
    [product] = _listed(answer)
    return f"{product['ProductType']}, described" if "OtherProductType" in product else product["ProductType"]


async def _minted(stage: Stage) -> str:
    answers = [await stage.tpp.get(f"aisp{path}", await _token(stage)) for path in ("/accounts", "/accounts/unknown", "/foobar")]
    for answer in answers:
        uuid.UUID(answer.headers["x-fapi-interaction-id"])
    return ", ".join(str(answer.status_code) for answer in answers)


def _levels() -> list[Rule]:
    rules = []
    for resource, path in ADDRESSES:
        rules.append(
            Rule(f"`{path}` is told whole under {' and '.join(resource.most)}", "200, not empty", _answers(resource, path))
        )
        if resource.only_detail:
            level = f"{resource.permission}Detail"
            rules.append(Rule(f"`{path}` hides what {level} shows", "nothing of it", _lacks(resource, path)))
            rules.append(Rule(f"`{path}` shows it under Basic and Detail", resource.always, _shows(resource, path)))
    return rules


def _needed() -> list[Rule]:
    return [
        Rule(f"`{path}` needs {resource.permission}{'…' if resource.only_detail else ''}", "403 AG01", _without(resource, path))
        for resource, path in ADDRESSES
        if resource.permission != "ReadAccounts"
    ]


_AUTH_DATE, _IP_ADDRESS = "Tue, 01 Dec 2026 09:30:00", "x_fapi_customer_ip_address"

RULES = (
    *_levels(),
    *_needed(),
    Rule("A resource needs a token", f"{len(_EVERY)} times 401 without a body", _everywhere("nobody")),
    Rule("A resource needs a customer's token", f"{len(_EVERY)} times 403 AG01", _everywhere("client")),
    Rule("A resource needs the scope accounts", f"{len(_EVERY)} times 403 AG01", _everywhere("payments")),
    Rule("A resource is read in JSON", f"{len(_EVERY)} times 406 without a body", _everywhere("customer", accept="text/html")),
    Rule("A resource is only read", f"{len(_EVERY)} times 405 without a body", _everywhere("customer", method="POST")),
    Rule("An account that was not shared is forbidden", f"{len(_OF_ONE)} times 403 AG01", _at(NOT_SHARED)),
    Rule("An account that does not exist is unknown", f"{len(_OF_ONE)} times 400 U011", _at("foobar")),
    Rule("An account whose id is longer than any is unknown", f"{len(_OF_ONE)} times 400 U011", _at("x" * 200)),
    Rule("An account whose id holds what no text may is no address", f"{len(_OF_ONE)} times 404 without a body", _at("a%00b")),
    Rule("A statement that does not exist is unknown", "400 U011", _read(f"{_ONE}/statements/foobar")),
    Rule("The transactions of a statement that does not exist", "400 U011", _read(f"{_ONE}/statements/foobar/transactions")),
    Rule("Only credits are shown where only they were agreed", "Credit", _directions("ReadTransactionsCredits")),
    Rule("Only debits are shown where only they were agreed", "Debit", _directions("ReadTransactionsDebits")),
    Rule("Credits and debits are shown where both were agreed", "Credit, Debit", _directions(*_BOTH_WAYS)),
    Rule("Transactions are filtered by from and to, both ends included", "those and no others", _filtered("plain")),
    Rule("The zone of a filter is ignored", "those and no others", _filtered("zone")),
    Rule("The zone Z of a filter is ignored", "those and no others", _filtered("Z")),
    Rule("A filter may be a day, which is its midnight", "those and no others", _filtered("day")),
    Rule("A filter may begin before everything", "everything", _some("?fromBookingDateTime=1066-10-14")),
    Rule("A filter may end after everything", "everything", _some("?toBookingDateTime=9999-12-31T23:59:59")),
    Rule("A filter that begins after everything finds nothing", "nothing", _some("?fromBookingDateTime=2100-01-01T00:00:00")),
    Rule("A filter that ends before it begins finds nothing", "nothing",
         _some("?fromBookingDateTime=2026-02-02&toBookingDateTime=2026-01-01")),
    Rule("A filter is a time", "400 U003", _read("/transactions?fromBookingDateTime=soon")),
    Rule("A filter is a time that there is", "400 U003", _read(f"{_ONE}/transactions?toBookingDateTime=2026-02-30")),
    Rule("A filter that nobody knows is overlooked", "everything", _some("?fromBooking=2100-01-01")),
    Rule("Transactions are shown within the period that was agreed", "never more than was agreed", _agreed_period),
    Rule("Long lists come in pages of 25 or more, with links", "each entry once, both ways", _pages),
    Rule("A page has a number", "400 U002", _read("/transactions?page=0")),
    Rule("Statements are filtered by from and to", "those and no others", _filtered_statements),
    Rule("A statement filter is a time", "400 U003", _read(f"{_ONE}/statements?fromStatementDateTime=soon")),
    Rule("A statement filter may find nothing", "nothing", _some("?toStatementDateTime=2000-01-01", "/statements")),
    Rule("Statements are shown that lie whole within the period that was agreed", "only whole ones; others 403 AG01",
         _agreed_statements),
    Rule("Booked and available balances are told", "ITAV GBP, ITBD GBP", _balances),
    Rule("A savings account is no current account", "Other, described", _savings),
    Rule("`x-fapi-interaction-id` is minted when none was sent", "200, 400, 404", _minted),
    Rule("`x-fapi-auth-date` is a full date", "400 U006", _read("/accounts", x_fapi_auth_date="2026-12-01T09:30:00Z")),
    Rule("`x-fapi-auth-date` is a date that there is", "400 U006",
         _read("/accounts", x_fapi_auth_date="Mon, 30 Feb 2026 09:30:00 GMT")),
    Rule("`x-fapi-auth-date` ends with GMT", "200", _read("/accounts", x_fapi_auth_date=f"{_AUTH_DATE} GMT")),
    Rule("`x-fapi-auth-date` may end with UTC", "200", _read("/accounts", x_fapi_auth_date=f"{_AUTH_DATE} UTC")),
    Rule("`x-fapi-customer-ip-address` is an address", "400 U006", _read("/accounts", **{_IP_ADDRESS: "256.0.0.1"})),
    Rule("`x-fapi-customer-ip-address` may be of IPv6", "200", _read("/accounts", **{_IP_ADDRESS: "2001:db8::1"})),
    Rule("`Accept` may say more", "200", _read("/accounts", accept="text/html;q=0.1, application/json;charset=UTF-8;q=0.5")),
    Rule("`Accept` names no other character set", "406 without a body",
         _read("/accounts", accept="application/json;charset=utf-16")),
    Rule("`Accept` does not exclude JSON", "406 without a body", _read("/accounts", accept="application/json;q=0")),
    Rule("An encrypted answer, which the bank does not give, is not acceptable", "406 without a body",
         _read("/accounts", accept="application/jose+jwe")),
    Rule("A statement's file is comma-separated values", "text/csv; charset=utf-8, 4 columns", _file),
    Rule("A statement's file needs ReadStatementsDetail", "403 AG01",
         _read(f"{_ONE}/statements/any/file", "ReadAccountsBasic", "ReadStatementsBasic")),
    Rule("The file of a statement that does not exist", "400 U011", _read(f"{_ONE}/statements/any/file")),
    Rule("A part of an account that is not in the standard", "404 without a body", _read(f"{_ONE}/foobar")),
    Rule("A resource that is not in the standard", "404 without a body", _read("/foobar")),
    Rule("Card numbers are masked without ReadPAN", reason="the bank has no cards"),
)  # fmt: skip
