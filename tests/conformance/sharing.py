"""Section 6: account information, its consents."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any, get_args

from modelbank.openbanking.schemas import Permission
from tests.conformance.rule import ACCESS, Attempt, Rule, Stage, authorised, changed, got, refusal
from tests.modelbank.foreign_client import DETAILS, consent_body

EVERY_PERMISSION = list(get_args(Permission))
_BODY = {"Data": {"Permissions": DETAILS}, "Risk": {}}
_EVERY_WAY = (
    "2099-01-31", "2099-01-31T12:30", "2099-01-31T12:30Z", "2099-01-31T12:30:15", "2099-01-31T12:30:15.123456789Z",
    "2099-01-31T12:30:15+0100", "2099-01-31T12:30:15-05:30", "20990131T123015Z", "2099-01-31t12:30:15z", "2099-01-31T24:00:00Z",
)  # fmt: skip


def _asked(path: str, value: object) -> Attempt:
    """Ask for an access consent whose body differs in one member."""

    async def attempt(stage: Stage) -> str:
        return await _answered(stage, changed(_BODY, path, value))

    return attempt


def _permitting(*permissions: str) -> Attempt:
    return _asked("Data.Permissions", list(permissions))


async def _answered(stage: Stage, content: Any, scope: str = "accounts", **headers: str | None) -> str:
    token = await stage.tpp.client_token(scope)
    answer = await stage.tpp.post(ACCESS, content, token, **{"x_jws_signature": None, "x_idempotency_key": None, **headers})
    status = answer.json().get("Data", {}).get("Status", "") if answer.content else ""
    return f"{await refusal(stage.tpp, answer)} {status}".strip()


async def _with_payments_scope(stage: Stage) -> str:
    return await _answered(stage, _BODY, "payments")


async def _no_json(stage: Stage) -> str:
    return await _answered(stage, b"Permissions=ReadAccountsBasic")


def _typed(content_type: str) -> Attempt:
    async def attempt(stage: Stage) -> str:
        return await _answered(stage, _BODY, content_type=content_type)

    return attempt


async def _made(stage: Stage, **data: object) -> dict[str, Any]:
    """Make a consent and return the answer."""
    token = await stage.tpp.client_token("accounts")
    answer = await stage.tpp.post(ACCESS, {"Data": {"Permissions": DETAILS, **data}, "Risk": {}}, token, x_jws_signature=None)
    content: dict[str, Any] = answer.json()
    return content


async def _one_key_twice(stage: Stage) -> str:
    token = await stage.tpp.client_token("accounts")
    answers = [await stage.tpp.post(ACCESS, _BODY, token, x_idempotency_key="the-same") for _ in range(2)]
    return f"{len({answer.json()['Data']['ConsentId'] for answer in answers})} consents"


async def _in_every_way(stage: Stage) -> str:
    seen = {written: await _asked("Data.ExpirationDateTime", written)(stage) for written in _EVERY_WAY}
    return ", ".join(sorted({f"{answer}: {written}" for written, answer in seen.items() if answer != "201 AWAU"})) or "201 AWAU"


def _told(written: str) -> Attempt:
    """Ask for an end and return how the bank tells it."""

    async def attempt(stage: Stage) -> str:
        return str((await _made(stage, ExpirationDateTime=written))["Data"]["ExpirationDateTime"])

    return attempt


async def _told_back(stage: Stage) -> str:
    data = {"Permissions": EVERY_PERMISSION, "ExpirationDateTime": "2099-01-01T00:00:00+01:00"}
    data |= {"TransactionFromDateTime": "2020-01-01T00:00:00Z", "TransactionToDateTime": "2030-01-01T00:00:00Z"}
    made = await _made(stage, **data)
    read = await stage.tpp.get(f"{ACCESS}/{made['Data']['ConsentId']}", await stage.tpp.client_token("accounts"))
    assert {name: made["Data"].get(name) for name in data} == data
    assert made["Links"]["Self"] == str(read.request.url)
    return "the same" if read.json() == made and made["Risk"] == {} else f"{made} but {read.json()}"


async def shared(stage: Stage, permissions: list[str], **data: object) -> tuple[str, str]:
    """Let the customer share one account; return the consent and the token."""
    consent_id = str((await _made(stage, Permissions=permissions, **data))["Data"]["ConsentId"])
    return consent_id, await _agreed(stage, consent_id)


async def _agreed(stage: Stage, consent_id: str) -> str:
    query = stage.tpp.authorize_query(stage.tpp.request_claims(consent_id, "accounts"))
    back = await stage.browser.agree(query)
    return str((await stage.tpp.exchange(back["code"])).json()["access_token"])


async def _state(stage: Stage, consent_id: str) -> dict[str, Any]:
    answer = await stage.tpp.get(f"{ACCESS}/{consent_id}", await stage.tpp.client_token("accounts"))
    data: dict[str, Any] = answer.json()["Data"]
    return data


async def _authorised(stage: Stage) -> str:
    made = (await _made(stage))["Data"]
    assert made["StatusUpdateDateTime"] == made["CreationDateTime"]
    await _agreed(stage, made["ConsentId"])
    state = await _state(stage, made["ConsentId"])
    later = state["StatusUpdateDateTime"] > state["CreationDateTime"] == made["CreationDateTime"]
    return f"{made['Status']}, {'later' if later else 'at once'} {state['Status']}"


async def _declined(stage: Stage) -> tuple[str, str]:
    consent_id = (await _made(stage))["Data"]["ConsentId"]
    await stage.browser.open(f"/authorize?{stage.tpp.authorize_query(stage.tpp.request_claims(consent_id, 'accounts'))}")
    await stage.browser.sign_in("alex")
    await stage.browser.submit({}, form=1)
    state = await _state(stage, consent_id)
    return consent_id, f"{state['Status']} {state['StatusReason'][0]['StatusReasonCode']}"


async def _refused(stage: Stage) -> str:
    return (await _declined(stage))[1]


async def _refused_then_asked(stage: Stage) -> str:
    consent_id, _ = await _declined(stage)
    return await authorised(stage, stage.tpp.request_claims(consent_id, "accounts"))


async def _agreed_again(stage: Stage) -> str:
    consent_id, first = await shared(stage, DETAILS)
    await stage.browser.open(f"/authorize?{stage.tpp.authorize_query(stage.tpp.request_claims(consent_id, 'accounts'))}")
    await stage.browser.sign_in("alex")  # the accounts are known
    await stage.browser.submit({})
    second = (await stage.tpp.exchange(stage.browser.returned()["code"])).json()["access_token"]
    before, after = [await refusal(stage.tpp, await stage.tpp.get("aisp/accounts", token)) for token in (first, second)]
    return f"{(await _state(stage, consent_id))['Status']}; the old token {before}; the new token {after}"


async def _not_agreed_again(stage: Stage) -> str:
    consent_id, token = await shared(stage, DETAILS)
    await stage.browser.open(f"/authorize?{stage.tpp.authorize_query(stage.tpp.request_claims(consent_id, 'accounts'))}")
    await stage.browser.sign_in("alex")
    await stage.browser.submit({}, form=1)
    error, status = stage.browser.returned()["error"], (await _state(stage, consent_id))["Status"]
    return f"error={error}, consent {status}; accounts {await refusal(stage.tpp, await stage.tpp.get('aisp/accounts', token))}"


async def _agreed_by_another(stage: Stage) -> str:
    consent_id, token = await shared(stage, DETAILS)
    await stage.browser.open(f"/authorize?{stage.tpp.authorize_query(stage.tpp.request_claims(consent_id, 'accounts'))}")
    page = await stage.browser.sign_in("poor")
    assert "another customer" in page.text
    [account] = (await stage.tpp.get("aisp/accounts", token)).json()["Data"]["Account"]
    return f"not signed in, consent {(await _state(stage, consent_id))['Status']}, still {account['AccountId']}"


def _done(method: str, token_of: str, to: str = "own") -> Attempt:
    """Do something to a consent with some token: of the client, its payments, the customer, or another client."""

    async def attempt(stage: Stage) -> str:
        if to == "own":
            consent_id, customer = await shared(stage, DETAILS)
        else:
            consent_id, customer = to, ""
        tpp = stage.other if token_of == "other" else stage.tpp
        tokens = {"customer": customer} if token_of == "customer" else {}
        scope = "payments" if token_of == "payments" else "accounts"
        token = tokens.get(token_of) or await tpp.client_token(scope)
        headers = {"authorization": f"Bearer {token}"}
        return await refusal(stage.tpp, await tpp.http.request(method, f"open-banking/v4.0/{ACCESS}/{consent_id}", headers=headers))

    return attempt


async def _deleted(stage: Stage) -> str:
    consent_id, customer = await shared(stage, DETAILS)
    token, path = await stage.tpp.client_token("accounts"), f"{ACCESS}/{consent_id}"
    gone = await stage.tpp.delete(path, token)
    later = [await refusal(stage.tpp, answer) for answer in (await stage.tpp.get(path, token), await stage.tpp.delete(path, token))]
    accounts = await refusal(stage.tpp, await stage.tpp.get("aisp/accounts", customer))
    return f"{gone.status_code}; then {later[0]}; again {later[1]}; accounts {accounts}"


async def _deleted_then_asked(stage: Stage) -> str:
    consent_id = (await _made(stage))["Data"]["ConsentId"]
    gone = await stage.tpp.delete(f"{ACCESS}/{consent_id}", await stage.tpp.client_token("accounts"))
    return f"{gone.status_code}; {await authorised(stage, stage.tpp.request_claims(consent_id, 'accounts'))}"


async def _of_another_kind(stage: Stage) -> str:
    consent_id = await stage.tpp.create_payment_consent(consent_body())
    return await got(f"{ACCESS}/{consent_id}", "accounts")(stage)


async def _expired(stage: Stage) -> str:
    """Let a consent expire while its token lives. Moves the bank's clock by an hour."""
    now = (await stage.bank.control("clock", {"advance_seconds": 0}))["now"]
    ends = (datetime.fromisoformat(now) + timedelta(hours=1)).isoformat()
    consent_id, token = await shared(stage, DETAILS, ExpirationDateTime=ends)
    await stage.bank.control("clock", {"advance_seconds": 3601})
    for client in (stage.tpp, stage.other):
        client.tokens.clear()
    state = await _state(stage, consent_id)
    assert state["StatusUpdateDateTime"][:19] == ends[:19]
    answer = await stage.tpp.get("aisp/accounts", token)
    assert answer.headers["www-authenticate"] == 'Bearer error="invalid_token"'
    reason = state["StatusReason"][0]["StatusReasonCode"]
    asked = await authorised(stage, stage.tpp.request_claims(consent_id, "accounts"))
    return f"{state['Status']} {reason}; accounts {await refusal(stage.tpp, answer)}; {asked}"


_TRANSACTION_RULES = (
    Rule("Transactions need Credits or Debits", "400 U002", _permitting("ReadAccountsDetail", "ReadTransactionsDetail")),
    Rule("Basic transactions need Credits or Debits", "400 U002", _permitting("ReadAccountsDetail", "ReadTransactionsBasic")),
    Rule("Credits need transactions", "400 U002", _permitting("ReadAccountsDetail", "ReadTransactionsCredits")),
    Rule("Debits need transactions", "400 U002", _permitting("ReadAccountsDetail", "ReadTransactionsDebits")),
)
_TIME_RULES = (
    Rule("`ExpirationDateTime` is to come", "400 U003", _asked("Data.ExpirationDateTime", "2020-01-01T00:00:00Z")),
    Rule("`ExpirationDateTime` is a time", "400 U003", _asked("Data.ExpirationDateTime", "tomorrow")),
    Rule("`ExpirationDateTime` is a text", "400 U002", _asked("Data.ExpirationDateTime", 4070908800)),
    Rule("A time that no calendar holds", "400 U003", _asked("Data.ExpirationDateTime", "9999-12-31T23:59:59-12:00")),
    Rule("A time may be written in every way of ISO 8601", "201 AWAU", _in_every_way),
    Rule("A time that came without a zone is told with one", "2099-01-01T00:00:00+00:00", _told("2099-01-01T00:00:00")),
    Rule("A time that came with a zone stays as it was", "2099-01-01T00:00:00+01:00", _told("2099-01-01T00:00:00+01:00")),
    Rule("`TransactionFromDateTime` is a time", "400 U003", _asked("Data.TransactionFromDateTime", "2026-02-30")),
    Rule("`TransactionToDateTime` is a time", "400 U003", _asked("Data.TransactionToDateTime", "")),
    Rule("The period of transactions ends after it begins", "400 U003",
         _asked("Data", {"Permissions": DETAILS, "TransactionFromDateTime": "2026-02-02", "TransactionToDateTime": "2026-02-01"})),
)  # fmt: skip
_STATE_RULES = (
    Rule("A consent is told back as it was asked for, when it is made and later", "the same", _told_back),
    Rule("A consent is authorised by the customer, and says when", "AWAU, later AUTH", _authorised),
    Rule("A consent is rejected by the customer, and says why", "RJCT CUST", _refused),
    Rule("A consent that was rejected stays so", "error=invalid_request", _refused_then_asked),
    Rule("A consent that is authorised may be agreed to again, and the token before ends",
         "AUTH; the old token 401 without a body; the new token 200", _agreed_again),
    Rule("A customer who does not agree again changes nothing", "error=access_denied, consent AUTH; accounts 200",
         _not_agreed_again),
    Rule("A consent is agreed to again by its own customer alone", "not signed in, consent AUTH, still mulberry-101",
         _agreed_by_another),
)  # fmt: skip
_OWNER_RULES = (
    Rule("Another client's consent is not read", "403 AG01", _done("GET", "other")),
    Rule("Another client's consent is not deleted", "403 AG01", _done("DELETE", "other")),
    Rule("A consent is not read with a customer's token", "403 AG01", _done("GET", "customer")),
    Rule("A consent is not deleted with a customer's token", "403 AG01", _done("DELETE", "customer")),
    Rule("A consent is not read with the scope payments", "403 AG01", _done("GET", "payments")),
    Rule("A consent is not deleted with the scope payments", "403 AG01", _done("DELETE", "payments")),
    Rule("A consent is not replaced", "405 without a body", _done("PUT", "client")),
    Rule("An unknown consent", "400 U011", got(f"{ACCESS}/unknown", "accounts")),
    Rule("An unknown consent is not deleted", "400 U011", _done("DELETE", "client", "unknown")),
    Rule("An id longer than any consent's is unknown", "400 U011", got(f"{ACCESS}/{'x' * 200}", "accounts")),
    Rule("An id that holds what no text may is no address", "404 without a body", got(f"{ACCESS}/a%00b", "accounts")),
    Rule("A payment's consent is no access consent", "400 U011", _of_another_kind),
    Rule("A deleted consent is gone, and so is its token",
         "204; then 400 U011; again 400 U011; accounts 401 without a body", _deleted),
    Rule("A deleted consent is not authorised any more", "204; error=invalid_request", _deleted_then_asked),
)  # fmt: skip

RULES = (
    Rule("An access consent needs no signature and no idempotency key", "201 AWAU", _asked("Data.Permissions", DETAILS)),
    Rule("An idempotency key is overlooked", "2 consents", _one_key_twice),
    Rule("An access consent is made with the scope accounts", "403 AG01", _with_payments_scope),
    Rule("An access consent is JSON", "400 U010", _no_json),
    Rule("`Content-Type` may say more", "201 AWAU", _typed("application/json; charset=UTF-8; q=0.9")),
    Rule("`Content-Type` names no other character set", "415 without a body", _typed("application/json; charset=utf-16")),
    Rule("`Data` is there", "400 U004", _asked("Data", None)),
    Rule("`Permissions` is there", "400 U004", _asked("Data", {})),
    Rule("`Permissions` is a list", "400 U002", _asked("Data.Permissions", "ReadAccountsBasic")),
    Rule("Permissions are not empty", "400 U002", _permitting()),
    Rule("Permissions hold ReadAccountsBasic or ReadAccountsDetail", "400 U002", _permitting("ReadBalances", "ReadPAN")),
    Rule("A permission is one of the codes", "400 U002", _permitting("ReadAccountsDetail", "ReadEverything")),
    Rule("Every permission of the standard may be asked for", "201 AWAU", _permitting(*EVERY_PERMISSION)),
    Rule("Basic beside Detail, and a permission twice, is no mistake", "201 AWAU",
         _permitting("ReadAccountsBasic", "ReadAccountsDetail", "ReadBalances", "ReadBalances")),
    *_TRANSACTION_RULES,
    Rule("`Risk` is there", "400 U004", _asked("Risk", None)),
    Rule("`Risk` is empty", "400 U005", _asked("Risk", {"PaymentContextCode": "TransferToSelf"})),
    *_TIME_RULES,
    *_STATE_RULES,
    *_OWNER_RULES,
    Rule("A consent ends when it was agreed to end, and its token with it",
         "EXPD TKXP; accounts 401 TKXP; error=invalid_request", _expired),
    Rule(
        "At most four reads a day without the customer", reason="a duty of the client: it reads once, while the customer is there"
    ),
)  # fmt: skip
