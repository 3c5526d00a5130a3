"""Section 2: the authorisation request."""

from __future__ import annotations

import time
from typing import Any

import jwt
from cryptography.hazmat.primitives.asymmetric import rsa

from tests.conformance.rule import CONSENTS, Attempt, Rule, Stage, asked, authorised
from tests.modelbank.foreign_client import DETAILS, consent_body

_NOWHERE = "a page, nothing goes back"
_STRANGER = rsa.generate_private_key(public_exponent=65537, key_size=2048)


def _forged(**how: Any) -> Attempt:
    async def attempt(stage: Stage) -> str:
        claims = stage.tpp.request_claims("any")
        return await authorised(stage, claims, stage.tpp.sign(claims, **how))

    return attempt


async def _unsigned(stage: Stage) -> str:
    claims = stage.tpp.request_claims("any")
    return await authorised(stage, claims, jwt.encode(claims, "", algorithm="none", headers={"kid": stage.tpp.kid}))


def _asked_at(nbf: int, exp: int) -> Attempt:
    async def attempt(stage: Stage) -> str:
        now = int(time.time())
        return await asked(nbf=now + nbf, exp=now + exp)(stage)

    return attempt


def _scope(scope: str) -> Attempt:
    async def attempt(stage: Stage) -> str:
        claims = stage.tpp.request_claims(await stage.tpp.create_payment_consent(consent_body()))
        return await authorised(stage, {**claims, "scope": scope})

    return attempt


async def _other_state_outside(stage: Stage) -> str:
    claims = stage.tpp.request_claims(await stage.tpp.create_payment_consent(consent_body()))
    return await authorised(stage, claims, state="another")


async def _foreign_intent(stage: Stage) -> str:
    return await authorised(stage, stage.tpp.request_claims(await stage.other.create_payment_consent(consent_body())))


async def _intent_of_another_kind(stage: Stage) -> str:
    return await authorised(stage, stage.tpp.request_claims(await stage.tpp.create_access_consent(DETAILS)))


def _acr(value: str) -> Attempt:
    async def attempt(stage: Stage) -> str:
        consent_id = await stage.tpp.create_payment_consent(consent_body())
        intent = {"essential": True, "value": consent_id}
        wanted = {"openbanking_intent_id": intent, "acr": {"essential": True, "values": [value]}}
        return await authorised(stage, stage.tpp.request_claims(consent_id, claims={"id_token": wanted}))

    return attempt


async def _customer_says_no(stage: Stage) -> str:
    consent_id = await stage.tpp.create_payment_consent(consent_body())
    claims = stage.tpp.request_claims(consent_id)
    await stage.browser.open(f"/authorize?{stage.tpp.authorize_query(claims)}")
    await stage.browser.sign_in("alex")
    await stage.browser.submit({}, form=1)
    back = stage.browser.returned()
    assert back["state"] == claims["state"]
    answer = await stage.tpp.get(f"{CONSENTS}/{consent_id}", await stage.tpp.client_token("payments"))
    return f"error={back['error']}, consent {answer.json()['Data']['Status']}"


async def _code_used_twice(stage: Stage) -> str:
    consent_id = await stage.tpp.create_payment_consent(consent_body())
    back = await stage.browser.agree(stage.tpp.authorize_query(stage.tpp.request_claims(consent_id)))
    await stage.tpp.exchange(back["code"])
    answer = await stage.tpp.exchange(back["code"])
    return f"{answer.status_code} {answer.json()['error']}"


_CONNECTORS = "a duty of the client: tests/banking/test_uk_return.py breaks each claim of the bank's id_token in turn"

RULES = (
    Rule("A request object is signed: `alg` none is refused", _NOWHERE, _unsigned),
    Rule("A request object is signed with PS256 (or ES256), not RS256", _NOWHERE, _forged(alg="RS256")),
    Rule("A request object's `kid` is one of the client's keys", _NOWHERE, _forged(kid="unknown")),
    Rule("A request object's signature is the client's", _NOWHERE, _forged(key=_STRANGER)),
    Rule("`iss` is the client", _NOWHERE, asked(iss="another-client")),
    Rule("`aud` is the bank's issuer", _NOWHERE, asked(aud="https://elsewhere.example")),
    Rule("`aud` is there", _NOWHERE, asked(aud=None)),
    Rule("`exp` is there", _NOWHERE, asked(exp=None)),
    Rule("`exp` is to come", _NOWHERE, _asked_at(-1800, -60)),
    Rule("`nbf` is there", _NOWHERE, asked(nbf=None)),
    Rule("`nbf` has passed", _NOWHERE, _asked_at(3600, 5400)),
    Rule("`exp` is at most 60 minutes after `nbf`", _NOWHERE, _asked_at(0, 3700)),
    Rule("`redirect_uri` is registered, to the letter", _NOWHERE, asked(redirect_uri="http://localhost:8199/callback/")),
    Rule("`redirect_uri` is there", _NOWHERE, asked(redirect_uri=None)),
    Rule("`nonce` is there", "error=invalid_request_object", asked(nonce=None)),
    Rule("`client_id` inside is the client", "error=invalid_request", asked(client_id="another-client")),
    Rule("`response_type` is `code id_token`, or `code`", "error=unsupported_response_type", asked(response_type="token")),
    Rule("`code` alone needs a signed response", "error=invalid_request", asked(response_type="code", response_mode="query")),
    Rule("`scope` holds openid", "error=invalid_scope", _scope("payments")),
    Rule("`scope` holds the resource", "error=invalid_scope", _scope("openid")),
    Rule("`claims.id_token.openbanking_intent_id` is there", "error=invalid_request_object", asked(claims={})),
    Rule("The intent is the client's own", "error=invalid_request", _foreign_intent),
    Rule("The intent is of the scope's kind", "error=invalid_request", _intent_of_another_kind),
    Rule("`acr` is one of the two that the standard names", "error=invalid_request", _acr("urn:example:none")),
    Rule("Parameters outside the request object say nothing else", "error=invalid_request", _other_state_outside),
    Rule("A failure goes back as an OAuth error with the state", "error=access_denied, consent RJCT", _customer_says_no),
    Rule("A code serves once", "400 invalid_grant", _code_used_twice),
    Rule("The id_token's intent, acr, c_hash, s_hash, nonce, aud and exp are checked", reason=_CONNECTORS),
    Rule("`refresh_token_expires_at` goes with a refresh token", reason="the bank gives no refresh tokens"),
)
