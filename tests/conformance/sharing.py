"""Section 6: account information."""

from __future__ import annotations

from tests.conformance.rule import ACCESS, Attempt, Rule, Stage, got, refusal
from tests.modelbank.foreign_client import DETAILS


def _permitting(permissions: list[str]) -> Attempt:
    async def attempt(stage: Stage) -> str:
        return await _asked(stage, {"Data": {"Permissions": permissions}, "Risk": {}})

    return attempt


def _with(**members: object) -> Attempt:
    async def attempt(stage: Stage) -> str:
        return await _asked(stage, {"Data": {"Permissions": DETAILS, **members}, "Risk": {}})

    return attempt


async def _asked(stage: Stage, content: dict[str, object], scope: str = "accounts") -> str:
    answer = await stage.tpp.post(ACCESS, content, await stage.tpp.client_token(scope), x_jws_signature=None)
    return await refusal(stage.tpp, answer)


async def _with_risk(stage: Stage) -> str:
    return await _asked(stage, {"Data": {"Permissions": DETAILS}, "Risk": {"PaymentContextCode": "TransferToSelf"}})


async def _with_payments_scope(stage: Stage) -> str:
    return await _asked(stage, {"Data": {"Permissions": DETAILS}, "Risk": {}}, "payments")


async def _plain(stage: Stage) -> str:
    """Neither signature nor idempotency key is asked for."""
    content = {"Data": {"Permissions": DETAILS}, "Risk": {}}
    token = await stage.tpp.client_token("accounts")
    answer = await stage.tpp.post(ACCESS, content, token, x_jws_signature=None, x_idempotency_key=None)
    return f"{answer.status_code} {answer.json()['Data']['Status']}"


async def _shared(stage: Stage, permissions: list[str]) -> tuple[str, str]:
    consent_id = await stage.tpp.create_access_consent(permissions)
    query = stage.tpp.authorize_query(stage.tpp.request_claims(consent_id, "accounts"))
    back = await stage.browser.agree(query)
    return consent_id, (await stage.tpp.exchange(back["code"])).json()["access_token"]


def _read(path: str, permissions: list[str]) -> Attempt:
    async def attempt(stage: Stage) -> str:
        _, token = await _shared(stage, permissions)
        return await refusal(stage.tpp, await stage.tpp.get(f"aisp/{path}", token))

    return attempt


async def _basic_only(stage: Stage) -> str:
    _, token = await _shared(stage, ["ReadAccountsBasic"])
    [account] = (await stage.tpp.get("aisp/accounts", token)).json()["Data"]["Account"]
    return "an inner Account" if "Account" in account else "no inner Account"


async def _deleted(stage: Stage) -> str:
    consent_id, customer = await _shared(stage, DETAILS)
    token, path = await stage.tpp.client_token("accounts"), f"{ACCESS}/{consent_id}"
    gone = await stage.tpp.delete(path, token)
    later = await refusal(stage.tpp, await stage.tpp.get(path, token))
    accounts = await refusal(stage.tpp, await stage.tpp.get("aisp/accounts", customer))
    return f"{gone.status_code}; then {later}; accounts {accounts}"


async def _anothers_consent(stage: Stage) -> str:
    consent_id = await stage.tpp.create_access_consent(DETAILS)
    token = await stage.other.client_token("accounts")
    return await refusal(stage.tpp, await stage.other.get(f"{ACCESS}/{consent_id}", token))


async def _payments_token(stage: Stage) -> str:
    return await got("aisp/accounts", "payments")(stage)


RULES = (
    Rule("An access consent needs no signature and no idempotency key", "201 AWAU", _plain),
    Rule("An access consent is made with the scope accounts", "403 AG01", _with_payments_scope),
    Rule("Permissions are not empty", "400 U002", _permitting([])),
    Rule("Permissions hold ReadAccountsBasic or ReadAccountsDetail", "400 U002", _permitting(["ReadBalances"])),
    Rule("Transactions need Credits or Debits", "400 U002", _permitting(["ReadAccountsDetail", "ReadTransactionsDetail"])),
    Rule("Credits need transactions", "400 U002", _permitting(["ReadAccountsDetail", "ReadTransactionsCredits"])),
    Rule("Debits need transactions", "400 U002", _permitting(["ReadAccountsDetail", "ReadTransactionsDebits"])),
    Rule("A permission is one of the codes", "400 U002", _permitting(["ReadAccountsDetail", "ReadEverything"])),
    Rule("`Risk` is empty", "400 U005", _with_risk),
    Rule("`ExpirationDateTime` is to come", "400 U003", _with(ExpirationDateTime="2020-01-01T00:00:00Z")),
    Rule("`ExpirationDateTime` is a time", "400 U002", _with(ExpirationDateTime="tomorrow")),
    Rule("Accounts are read with a customer's token", "403 AG01", got("aisp/accounts", "accounts")),
    Rule("Accounts are read with the scope accounts", "403 AG01", _payments_token),
    Rule("An account that was not shared is unknown", "400 U011", _read("accounts/mulberry-102", DETAILS)),
    Rule("An account that does not exist is unknown", "400 U011", _read("accounts/foobar", DETAILS)),
    Rule("A part of an account that is not implemented", "404 without a body", _read("accounts/mulberry-101/foobar", DETAILS)),
    Rule("A resource that is not implemented", "404 without a body", _read("foobar", DETAILS)),
    Rule("The inner Account needs ReadAccountsDetail", "no inner Account", _basic_only),
    Rule("Balances need ReadBalances", "403 AG01", _read("balances", ["ReadAccountsDetail"])),
    Rule("Transactions need their permission", "403 AG01", _read("transactions", ["ReadAccountsDetail"])),
    Rule("The account's party needs ReadParty", "403 AG01", _read("accounts/mulberry-101/party", ["ReadAccountsDetail"])),
    Rule("The customer's party needs ReadPartyPSU", "403 AG01", _read("party", ["ReadAccountsDetail"])),
    Rule("Another client's consent", "403 AG01", _anothers_consent),
    Rule("An unknown consent", "400 U011", got(f"{ACCESS}/unknown", "accounts")),
    Rule("A deleted consent is gone, and so is its token", "204; then 400 U011; accounts 401 without a body", _deleted),
    Rule(
        "A statement's file needs ReadStatementsDetail",
        "403 AG01",
        _read("accounts/mulberry-101/statements/any/file", ["ReadAccountsBasic", "ReadStatementsBasic"]),
    ),
    Rule(
        "The file of a statement that does not exist",
        "400 U011",
        _read("accounts/mulberry-101/statements/any/file", ["ReadAccountsBasic", "ReadStatementsDetail"]),
    ),
    Rule(
        "Statements are filtered by times",
        "400 U003",
        _read("statements?fromStatementDateTime=soon", ["ReadAccountsBasic", "ReadStatementsDetail"]),
    ),
    Rule("A parameter comes once", "400 U002", _read("statements?page=1&page=2", ["ReadAccountsBasic", "ReadStatementsBasic"])),
    Rule("Card numbers are masked without ReadPAN", reason="the bank has no cards"),
    Rule(
        "At most four reads a day without the customer", reason="a duty of the client: it reads once, while the customer is there"
    ),
)
