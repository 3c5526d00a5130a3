"""Section 7: the decoupled flow (CIBA Core 1.0, FAPI-CIBA, the UK profile's intent id)."""

from __future__ import annotations

import time
from typing import Any

import httpx
import jwt
from cryptography.hazmat.primitives.asymmetric import rsa

from tests.conformance.rule import CONSENTS, Attempt, Rule, Stage, refusal
from tests.modelbank.conftest import agree_payment
from tests.modelbank.foreign_client import DETAILS, consent_body

_STRANGER = rsa.generate_private_key(public_exponent=65537, key_size=2048)
_INVALID = "400 invalid_request"


def _said(answer: httpx.Response) -> str:
    assert answer.headers["cache-control"] == "no-store"
    return f"{answer.status_code} {answer.json().get('error', '')}".strip()


async def _fresh(stage: Stage) -> str:
    return await stage.tpp.create_payment_consent(consent_body())


def _asked(**claims: Any) -> Attempt:
    """Ask from behind with a request that differs in some claims."""

    async def attempt(stage: Stage) -> str:
        return _said(await stage.tpp.post_backchannel(stage.tpp.sign(stage.tpp.backchannel_claims(await _fresh(stage), **claims))))

    return attempt


def _asked_at(nbf: int, exp: int) -> Attempt:
    async def attempt(stage: Stage) -> str:
        now = int(time.time())
        return await _asked(nbf=now + nbf, exp=now + exp)(stage)

    return attempt


def _forged(**how: Any) -> Attempt:
    async def attempt(stage: Stage) -> str:
        claims = stage.tpp.backchannel_claims(await _fresh(stage))
        return _said(await stage.tpp.post_backchannel(stage.tpp.sign(claims, **how)))

    return attempt


async def _unsigned(stage: Stage) -> str:
    claims = stage.tpp.backchannel_claims(await _fresh(stage))
    return _said(await stage.tpp.post_backchannel(jwt.encode(claims, "", algorithm="none", headers={"kid": stage.tpp.kid})))


async def _nothing_signed(stage: Stage) -> str:
    return _said(await stage.tpp.post_backchannel(None, scope="openid payments"))


async def _outside(stage: Stage) -> str:
    claims = stage.tpp.backchannel_claims(await _fresh(stage))
    return _said(await stage.tpp.post_backchannel(stage.tpp.sign(claims), binding_message="another"))


async def _used_twice(stage: Stage) -> str:
    request = stage.tpp.sign(stage.tpp.backchannel_claims(await _fresh(stage), requested_expiry=1))
    await stage.tpp.post_backchannel(request)
    await stage.bank.control("clock", {"advance_seconds": 2})
    return _said(await stage.tpp.post_backchannel(request))


async def _unproved(stage: Stage) -> str:
    request = stage.tpp.sign(stage.tpp.backchannel_claims(await _fresh(stage)))
    return _said(await stage.other.http.post("bc-authorize", data={"request": request, "client_id": stage.tpp.client_id}))


async def _about(stage: Stage, consent_id: str) -> str:
    return _said(await stage.tpp.post_backchannel(stage.tpp.sign(stage.tpp.backchannel_claims(consent_id))))


async def _anothers_intent(stage: Stage) -> str:
    return await _about(stage, await stage.other.create_payment_consent(consent_body()))


async def _intent_of_another_kind(stage: Stage) -> str:
    return await _about(stage, await stage.tpp.create_access_consent(DETAILS))


async def _answered_intent(stage: Stage) -> str:
    return await _about(stage, (await agree_payment(stage.tpp, stage.browser)).consent_id)


async def _two_at_once(stage: Stage) -> str:
    consent_id = await _fresh(stage)
    await stage.tpp.ask_backchannel(consent_id)
    return await _about(stage, consent_id)


async def _waiting(stage: Stage) -> str:
    return _said(await stage.tpp.poll(await stage.tpp.ask_backchannel(await _fresh(stage))))


async def _too_fast(stage: Stage) -> str:
    auth_req_id = await stage.tpp.ask_backchannel(await _fresh(stage))
    await stage.tpp.poll(auth_req_id)
    return _said(await stage.tpp.poll(auth_req_id))


async def _as_fast_again(stage: Stage) -> str:
    """Wait as long as was right at first, although told to wait longer."""
    auth_req_id = await stage.tpp.ask_backchannel(await _fresh(stage))
    for _ in range(2):
        await stage.tpp.poll(auth_req_id)
    await stage.bank.control("clock", {"advance_seconds": 5})
    return _said(await stage.tpp.poll(auth_req_id))


async def _too_late(stage: Stage) -> str:
    auth_req_id = await stage.tpp.ask_backchannel(await _fresh(stage), requested_expiry=20)
    await stage.bank.control("clock", {"advance_seconds": 21})
    return _said(await stage.tpp.poll(auth_req_id))


async def _customer_says_no(stage: Stage) -> str:
    consent_id = await _fresh(stage)
    auth_req_id = await stage.tpp.ask_backchannel(consent_id)
    await stage.browser.open(f"/phone?consent={consent_id}")
    await stage.browser.submit({}, form=1)
    read = await stage.tpp.get(f"{CONSENTS}/{consent_id}", await stage.tpp.client_token("payments"))
    return f"{_said(await stage.tpp.poll(auth_req_id))}, consent {read.json()['Data']['Status']}"


async def _granted(stage: Stage) -> tuple[str, str]:
    consent_id = await _fresh(stage)
    auth_req_id = await stage.tpp.ask_backchannel(consent_id)
    await stage.browser.answer_on_phone(consent_id)
    return consent_id, auth_req_id


async def _fetched_twice(stage: Stage) -> str:
    _, auth_req_id = await _granted(stage)
    await stage.tpp.poll(auth_req_id)
    return _said(await stage.tpp.poll(auth_req_id))


async def _fetched_by_another(stage: Stage) -> str:
    _, auth_req_id = await _granted(stage)
    return _said(await stage.other.poll(auth_req_id))


async def _over_another_certificate(stage: Stage) -> str:
    consent_id, auth_req_id = await _granted(stage)
    token = (await stage.tpp.poll(auth_req_id)).json()["access_token"]
    path = f"{CONSENTS}/{consent_id}/funds-confirmation"
    return await refusal(stage.tpp, await stage.other.get(path, token))


async def _another_customer(stage: Stage) -> str:
    """Let somebody else answer than the customer of the id_token that the client sent along."""
    earlier = await stage.tpp.create_access_consent(DETAILS)
    back = await stage.browser.agree(stage.tpp.authorize_query(stage.tpp.request_claims(earlier, "accounts")), "test")
    hint = (await stage.tpp.exchange(back["code"])).json()["id_token"]
    consent_id = await _fresh(stage)
    auth_req_id = await stage.tpp.ask_backchannel(consent_id, id_token_hint=hint)
    await stage.browser.open(f"/phone?consent={consent_id}")
    await stage.browser.sign_in("alex")
    assert "for another customer" in stage.browser.page.text
    return _said(await stage.tpp.poll(auth_req_id))


_NO_KEY = "eyJhbGciOiJub25lIn0.eyJzdWIiOiJhbGV4In0."
RULES = (
    Rule("A request is signed", _INVALID, _nothing_signed),
    Rule("`alg` none is refused", _INVALID, _unsigned),
    Rule("A request is signed with PS256 (or ES256), not RS256", _INVALID, _forged(alg="RS256")),
    Rule("`kid` is one of the client's keys", _INVALID, _forged(kid="unknown")),
    Rule("The signature is the client's", _INVALID, _forged(key=_STRANGER)),
    Rule("All that is asked stands in the signed request", _INVALID, _outside),
    Rule("The client proves itself with its own certificate", "401 invalid_client", _unproved),
    Rule("`iss` is the client", _INVALID, _asked(iss="another-client")),
    Rule("`aud` is the bank's issuer", _INVALID, _asked(aud="https://elsewhere.example")),
    Rule("`iat` is there", _INVALID, _asked(iat=None)),
    Rule("`nbf` is there", _INVALID, _asked(nbf=None)),
    Rule("`nbf` is at most 60 minutes ago", _INVALID, _asked_at(-3700, -200)),
    Rule("`exp` is there", _INVALID, _asked(exp=None)),
    Rule("`exp` is at most 60 minutes after `nbf`", _INVALID, _asked_at(0, 3700)),
    Rule("`jti` is there", _INVALID, _asked(jti=None)),
    Rule("A request serves once", _INVALID, _used_twice),
    Rule("`scope` holds openid", "400 invalid_scope", _asked(scope="payments")),
    Rule("`scope` holds one resource", "400 invalid_scope", _asked(scope="openid payments accounts")),
    Rule("`openbanking-intent-id` is there", _INVALID, _asked(**{"openbanking-intent-id": None})),
    Rule("The intent exists", _INVALID, _asked(**{"openbanking-intent-id": "unknown"})),
    Rule("The intent is the client's own", _INVALID, _anothers_intent),
    Rule("The intent is of the scope's kind", _INVALID, _intent_of_another_kind),
    Rule("The intent awaits a customer", _INVALID, _answered_intent),
    Rule("An intent has one request at any time", _INVALID, _two_at_once),
    Rule("No `login_hint_token` goes with an intent", _INVALID, _asked(login_hint_token=_NO_KEY)),
    Rule("A way of naming the customer that the bank has not is refused", _INVALID, _asked(login_hint="alex")),
    Rule("`id_token_hint` is one that the bank gave", _INVALID, _asked(id_token_hint=_NO_KEY)),
    Rule("Only the customer of an `id_token_hint` may answer", "400 authorization_pending", _another_customer),
    Rule("`binding_message` is short and plain", "400 invalid_binding_message", _asked(binding_message="<b>" * 20)),
    Rule("`requested_expiry` is a positive number", _INVALID, _asked(requested_expiry=-1)),
    Rule("No token before the customer answers", "400 authorization_pending", _waiting),
    Rule("Who asks too fast is slowed down", "400 slow_down", _too_fast),
    Rule("Who was slowed down waits five seconds longer from then on", "400 slow_down", _as_fast_again),
    Rule("No token after the request's time", "400 expired_token", _too_late),
    Rule("A customer's no is told", "400 access_denied, consent RJCT", _customer_says_no),
    Rule("A request gives one token", "400 invalid_grant", _fetched_twice),
    Rule("A request gives its token to its client alone", "400 invalid_grant", _fetched_by_another),
    Rule("The token is bound to the client's certificate", "401 without a body", _over_another_certificate),
    Rule("Push is not offered", reason="FAPI-CIBA forbids push and asks for poll; the bank has poll alone, not ping"),
    Rule("`user_code` is checked", reason="the bank has none: the customer signs in on the phone"),
)
