"""Sections 3 and 4: headers and message signatures."""

from __future__ import annotations

import json
import uuid
from datetime import timedelta

from cryptography.hazmat.primitives.asymmetric import rsa

from tests.conformance.rule import CONSENTS, Attempt, Rule, Stage, fresh_key, headers, refusal, signed
from tests.modelbank.foreign_client import OB, consent_body

_STRANGER = rsa.generate_private_key(public_exponent=65537, key_size=2048)


async def _anothers_token(stage: Stage) -> str:
    """Send a token over another client's certificate."""
    token = await stage.tpp.client_token("payments")
    return await refusal(stage.tpp, await stage.other.get(f"{CONSENTS}/unknown", token))


async def _played_back(stage: Stage) -> str:
    mine = str(uuid.uuid4())
    answer = await stage.tpp.post(CONSENTS, {}, await stage.tpp.client_token("payments"), x_fapi_interaction_id=mine)
    assert answer.headers["x-fapi-interaction-id"] == mine
    return await refusal(stage.tpp, answer)


async def _minted(stage: Stage) -> str:
    answer = await stage.tpp.post(CONSENTS, {}, await stage.tpp.client_token("payments"), x_fapi_interaction_id=None)
    uuid.UUID(answer.headers["x-fapi-interaction-id"])
    return await refusal(stage.tpp, answer)


async def _one_key_two_bodies(stage: Stage) -> str:
    token, key = await stage.tpp.client_token("payments"), fresh_key()
    await stage.tpp.post(CONSENTS, consent_body(), token, x_idempotency_key=key)
    again = await stage.tpp.post(CONSENTS, consent_body("7.00"), token, x_idempotency_key=key)
    return await refusal(stage.tpp, again)


async def _one_key_one_body(stage: Stage) -> str:
    token, key, body = await stage.tpp.client_token("payments"), fresh_key(), consent_body()
    answers = [await stage.tpp.post(CONSENTS, body, token, x_idempotency_key=key) for _ in range(2)]
    made = {answer.json()["Data"]["ConsentId"] for answer in answers}
    return f"{answers[1].status_code}, {len(made)} consent"


async def _one_key_after_a_day(stage: Stage) -> str:
    key, body = fresh_key(), consent_body()
    first = await stage.tpp.post(CONSENTS, body, await stage.tpp.client_token("payments"), x_idempotency_key=key)
    await stage.bank.control("clock", {"advance_seconds": 86_401})
    stage.tpp.tokens.clear()
    stage.other.tokens.clear()
    later = await stage.tpp.post(CONSENTS, body, await stage.tpp.client_token("payments"), x_idempotency_key=key)
    made = {answer.json()["Data"]["ConsentId"] for answer in (first, later)}
    return f"{later.status_code}, {len(made)} consents"


async def _one_key_two_clients(stage: Stage) -> str:
    key, body = fresh_key(), consent_body()
    first = await stage.tpp.post(CONSENTS, body, await stage.tpp.client_token("payments"), x_idempotency_key=key)
    raw = json.dumps(body).encode()
    token = await stage.other.client_token("payments")
    other = await stage.other.post(CONSENTS, raw, token, x_idempotency_key=key)
    made = {answer.json()["Data"]["ConsentId"] for answer in (first, other)}
    return f"{other.status_code}, {len(made)} consents"


async def _no_financial_id(stage: Stage) -> str:
    answer = await stage.tpp.post(CONSENTS, consent_body(), await stage.tpp.client_token("payments"))
    assert "x-fapi-financial-id" not in answer.request.headers
    return str(answer.status_code)


HEADERS = (
    Rule("`Authorization` is always there", "401 without a body", headers(authorization=None)),
    Rule("`Authorization` is a bearer token", "401 without a body", headers(authorization="Basic YTpi")),
    Rule("A token is one that the bank gave", "401 without a body", headers(authorization="Bearer invented")),
    Rule("A token is bound to the client's certificate", "401 without a body", _anothers_token),
    Rule("`x-fapi-interaction-id` is played back on an error", "400 U004", _played_back),
    Rule("`x-fapi-interaction-id` is minted when none was sent", "400 U004", _minted),
    Rule("`x-idempotency-key` is there", "400 U007", headers(x_idempotency_key=None)),
    Rule("`x-idempotency-key` has at most 40 characters", "400 U006", headers(x_idempotency_key="k" * 41)),
    Rule("`x-idempotency-key` is not empty", "400 U006", headers(x_idempotency_key="")),
    Rule("A key makes nothing twice within 24 hours", "201, 1 consent", _one_key_one_body),
    Rule("A key serves one body", "400 U006", _one_key_two_bodies),
    Rule("A key is its client's own", "201, 2 consents", _one_key_two_clients),
    Rule("A key is free again after 24 hours", "201, 2 consents", _one_key_after_a_day),
    Rule("`Accept` allows JSON", "406 without a body", headers(accept="text/html")),
    Rule("`Content-Type` is JSON", "415 without a body", headers(content_type="text/plain")),
    Rule("An encrypted body, which the bank does not take, is no JSON", "415 without a body",
         headers(content_type="application/jose+jwe")),
    Rule("`x-fapi-financial-id` is not required", "201", _no_financial_id),
    Rule("`Retry-After` comes with 429", reason="the bank does not ration its callers"),
    Rule("`payload-version` chooses v3.1.11", reason="only for banks that migrate; this bank began with v4.0"),
)  # fmt: skip


def _sent(form: str) -> Attempt:
    """Send a signature in a wrong form."""

    async def attempt(stage: Stage) -> str:
        body, token = json.dumps(consent_body()).encode(), await stage.tpp.client_token("payments")
        good = stage.tpp.detached(body)
        protected, _, signature = good.split(".")
        forms = {
            "one dot": f"{protected}.{signature}",
            "attached": f"{protected}.cGF5bG9hZA.{signature}",
            "header no JSON": f"bm90anNvbg..{signature}",
            "stranger": stage.tpp.detached(body, key=_STRANGER),
            "other bytes": stage.tpp.detached(body + b" "),
            "other header": f"{stage.tpp.detached(b'{}').split('.')[0]}..{signature[:-4]}AAAA",
        }
        return await refusal(stage.tpp, await stage.tpp.post(CONSENTS, body, token, x_jws_signature=forms[form]))

    return attempt


_CRIT = [f"{OB}iat", f"{OB}iss", f"{OB}tan"]

SIGNATURES = (
    Rule("A payment message is signed", "400 U019", headers(x_jws_signature=None)),
    Rule("The signature is not empty", "400 U019", headers(x_jws_signature="")),
    Rule("The signature is detached: nothing between two dots", "400 U018", _sent("attached")),
    Rule("The signature has two dots", "400 U018", _sent("one dot")),
    Rule("The signature's header is JSON", "400 U018", _sent("header no JSON")),
    Rule("The signature is the client's", "400 U015", _sent("stranger")),
    Rule("The signature is over the exact bytes", "400 U015", _sent("other bytes")),
    Rule("The signature covers its header", "400 U015", _sent("other header")),
    Rule("`alg` is there", "400 U017", signed(without="alg")),
    Rule("`alg` is PS256", "400 U016", signed(alg="RS256")),
    Rule("`alg` is not none", "400 U016", signed(alg="none")),
    Rule("`kid` is there", "400 U017", signed(without="kid")),
    Rule("`kid` can be resolved", "400 U016", signed(kid="unknown")),
    Rule("`typ` is JOSE where it is there", "400 U016", signed(typ="JWT")),
    Rule("`cty` is JSON where it is there", "400 U016", signed(cty="text/plain")),
    Rule("`iat` is there", "400 U017", signed(without="ob_iat")),
    Rule("`iat` is a number", "400 U016", signed(ob_iat="now")),
    Rule("`iat` is in the past", "400 U016", signed(ob_iat=timedelta(hours=2))),
    Rule("`iss` is there", "400 U017", signed(without="ob_iss")),
    Rule("`iss` is organisation and software statement", "400 U016", signed(ob_iss="another/party")),
    Rule("`tan` is there", "400 U017", signed(without="ob_tan")),
    Rule("`tan` is trusted", "400 U016", signed(ob_tan="elsewhere.example")),
    Rule("`crit` is there", "400 U017", signed(without="crit")),
    Rule("`crit` holds all three", "400 U016", signed(crit=_CRIT[:2])),
    Rule("`crit` holds nothing else", "400 U016", signed(crit=[*_CRIT, "b64"])),
    Rule("`b64` is absent", "400 U016", signed(b64=False)),
    Rule("No other claim is there", "400 U016", signed(extra="x")),
    Rule("The bank's answers verify, errors too", "400 U004", _played_back),
)  # fmt: skip
