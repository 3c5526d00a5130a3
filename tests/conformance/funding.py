"""Section 8: confirmation of funds."""

from __future__ import annotations

from typing import Any

import httpx

from tests.conformance.rule import Attempt, Rule, Stage, changed, fresh_key, got, refusal

CONSENTS, QUESTIONS, SCOPE = "cbpii/funds-confirmation-consents", "cbpii/funds-confirmations", "fundsconfirmations"
_MINE, _ANOTHERS = "99901040000101", "99901040000201"  # accounts of the customers `alex` and `test`


def _consent_body() -> dict[str, Any]:
    return {"Data": {"DebtorAccount": {"SchemeName": "UK.OBIE.SortCodeAccountNumber", "Identification": _MINE}}}


def _question(consent_id: str) -> dict[str, Any]:
    amount = {"Amount": "10.00", "Currency": "GBP"}
    return {"Data": {"ConsentId": consent_id, "Reference": fresh_key(), "InstructedAmount": amount}}


def _consent(path: str, value: Any, scope: str = SCOPE) -> Attempt:
    """Ask for a consent whose body differs in one member."""

    async def attempt(stage: Stage) -> str:
        body = changed(_consent_body(), path, value) if path else _consent_body()
        return await refusal(stage.tpp, await stage.tpp.post(CONSENTS, body, await stage.tpp.client_token(scope)))

    return attempt


async def _allowed(stage: Stage) -> tuple[str, str]:
    """Let the customer agree; return the consent and its token."""
    consent_id = await stage.tpp.create_funds_consent(_MINE)
    back = await stage.browser.agree(stage.tpp.authorize_query(stage.tpp.request_claims(consent_id, SCOPE)))
    return consent_id, (await stage.tpp.exchange(back["code"])).json()["access_token"]


def _asking(path: str, value: Any) -> Attempt:
    """Ask a question whose body differs in one member."""

    async def attempt(stage: Stage) -> str:
        consent_id, token = await _allowed(stage)
        return await refusal(stage.tpp, await stage.tpp.post(QUESTIONS, changed(_question(consent_id), path, value), token))

    return attempt


async def _plain(stage: Stage) -> str:
    """Neither signature nor idempotency key is asked for."""
    token = await stage.tpp.client_token(SCOPE)
    answer = await stage.tpp.post(CONSENTS, _consent_body(), token, x_jws_signature=None, x_idempotency_key=None)
    return f"{answer.status_code} {answer.json()['Data']['Status']}"


async def _one_key(stage: Stage) -> str:
    token, key = await stage.tpp.client_token(SCOPE), fresh_key()
    answers = [await stage.tpp.post(CONSENTS, _consent_body(), token, x_idempotency_key=key) for _ in range(2)]
    return f"{answers[1].status_code}, {len({answer.json()['Data']['ConsentId'] for answer in answers})} consents"


async def _consent_with_customers_token(stage: Stage) -> str:
    _, token = await _allowed(stage)
    return await refusal(stage.tpp, await stage.tpp.post(CONSENTS, _consent_body(), token))


async def _with_clients_token(stage: Stage) -> str:
    consent_id, _ = await _allowed(stage)
    return await refusal(stage.tpp, await stage.tpp.post(QUESTIONS, _question(consent_id), await stage.tpp.client_token(SCOPE)))


async def _of_another_consent(stage: Stage) -> str:
    (_, token), (another, _) = await _allowed(stage), await _allowed(stage)
    return await refusal(stage.tpp, await stage.tpp.post(QUESTIONS, _question(another), token))


async def _without_token(stage: Stage) -> str:
    return await refusal(stage.tpp, await stage.tpp.post(QUESTIONS, _question("any"), "invented"))


async def _one_reference(stage: Stage) -> str:
    consent_id, token = await _allowed(stage)
    question = _question(consent_id)
    await stage.tpp.post(QUESTIONS, question, token)
    return await refusal(stage.tpp, await stage.tpp.post(QUESTIONS, question, token))


async def _anothers_account(stage: Stage) -> str:
    """Let a customer who does not own the account try to agree."""
    consent_id = await stage.tpp.create_funds_consent(_ANOTHERS)
    query = stage.tpp.authorize_query(stage.tpp.request_claims(consent_id, SCOPE))
    await stage.browser.open(f"/authorize?{query}")
    await stage.browser.sign_in("alex")
    assert 'name="account"' not in stage.browser.page.text
    await stage.browser.submit({})
    read = await stage.tpp.get(f"{CONSENTS}/{consent_id}", await stage.tpp.client_token(SCOPE))
    return f"error={stage.browser.returned()['error']}, consent {read.json()['Data']['Status']}"


async def _anothers_consent(stage: Stage) -> str:
    consent_id, _ = await _allowed(stage)
    return await refusal(stage.tpp, await stage.other.get(f"{CONSENTS}/{consent_id}", await stage.other.client_token(SCOPE)))


async def _expired(stage: Stage) -> str:
    now = (await stage.bank.control("clock", {"advance_seconds": 0}))["now"]
    ends = f"{now[:11]}23:59:59.999Z"
    consent_id = await stage.tpp.create_funds_consent(_MINE, ExpirationDateTime=ends)
    back = await stage.browser.agree(stage.tpp.authorize_query(stage.tpp.request_claims(consent_id, SCOPE)))
    customer = (await stage.tpp.exchange(back["code"])).json()["access_token"]
    await stage.bank.control("clock", {"advance_seconds": _seconds_to_midnight(now)})
    stage.tpp.tokens.clear()
    stage.other.tokens.clear()
    read = await stage.tpp.get(f"{CONSENTS}/{consent_id}", await stage.tpp.client_token(SCOPE))
    asked = await stage.tpp.post(QUESTIONS, _question(consent_id), customer)
    return f"{await refusal(stage.tpp, asked)}, consent {read.json()['Data']['Status']}"


def _seconds_to_midnight(now: str) -> int:
    hours, minutes = int(now[11:13]), int(now[14:16])
    return 86_400 - hours * 3600 - minutes * 60


async def _deleted(stage: Stage) -> str:
    consent_id, customer = await _allowed(stage)
    token, path = await stage.tpp.client_token(SCOPE), f"{CONSENTS}/{consent_id}"
    gone: httpx.Response = await stage.tpp.delete(path, token)
    later = await refusal(stage.tpp, await stage.tpp.get(path, token))
    asked = await refusal(stage.tpp, await stage.tpp.post(QUESTIONS, _question(consent_id), customer))
    return f"{gone.status_code}; then {later}; question {asked}"


_ACCOUNT = "Data.DebtorAccount"
RULES = (
    Rule("A consent needs no signature and no idempotency key", "201 AWAU", _plain),
    Rule("An idempotency key means nothing: each request makes a consent", "201, 2 consents", _one_key),
    Rule("A consent is made with the client's own token", "403 AG01", _consent_with_customers_token),
    Rule("A consent is made with the scope fundsconfirmations", "403 AG01", _consent("", None, "payments")),
    Rule("`DebtorAccount` is there", "400 U004", _consent(_ACCOUNT, None)),
    Rule("`DebtorAccount.Identification` is there", "400 U004", _consent(f"{_ACCOUNT}.Identification", None)),
    Rule("Sort code and account number are 14 digits", "400 U021", _consent(f"{_ACCOUNT}.Identification", "9990104000010")),
    Rule("The account's scheme is one that the bank has", "400 U027", _consent(f"{_ACCOUNT}.SchemeName", "UK.OBIE.PAN")),
    Rule("`ExpirationDateTime` is to come", "400 U003", _consent("Data.ExpirationDateTime", "2020-01-01T00:00:00Z")),
    Rule("Unknown members are refused", "400 U005", _consent("Risk", {})),
    Rule("The named account is the customer's own", "error=access_denied, consent RJCT", _anothers_account),
    Rule("A question needs a token", "401 without a body", _without_token),
    Rule("A question is asked with a customer's token", "403 AG01", _with_clients_token),
    Rule("A question is asked with its own consent's token", "403 AG01", _of_another_consent),
    Rule("A question names a consent that exists", "400 U011", _asking("Data.ConsentId", "unknown")),
    Rule("A question is in the account's currency", "400 U023", _asking("Data.InstructedAmount.Currency", "EUR")),
    Rule("An amount has digits and at most five decimals", "400 U002", _asking("Data.InstructedAmount.Amount", "1.000001")),
    Rule("`Reference` is there", "400 U004", _asking("Data.Reference", None)),
    Rule("`Reference` has at most 35 characters", "400 U002", _asking("Data.Reference", "r" * 36)),
    Rule("`Reference` serves one question", "400 U013", _one_reference),
    Rule("An expired consent answers nothing", "400 U009, consent EXPD", _expired),
    Rule("An unknown consent", "400 U011", got(f"{CONSENTS}/unknown", SCOPE)),
    Rule("Another client's consent", "403 AG01", _anothers_consent),
    Rule("A deleted consent is gone, and so is its token", "204; then 400 U011; question 401 without a body", _deleted),
    Rule("A method that is not implemented", "405 without a body", got(QUESTIONS, SCOPE)),
    Rule("An endpoint that does not exist", "404 without a body", got("cbpii/foobar", SCOPE)),
)
