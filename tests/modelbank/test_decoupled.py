"""The decoupled flow (CIBA Core 1.0, FAPI-CIBA, UK profile): asked from behind, answered on a phone, fetched by asking again."""

from __future__ import annotations

import asyncio
import re
from datetime import timedelta
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import rsa

from tests.modelbank.conftest import Agreed, Running, agree_payment
from tests.modelbank.foreign_client import DETAILS, Browser, Tpp, consent_body

STRANGERS_KEY = rsa.generate_private_key(public_exponent=65537, key_size=2048)
POLL_SECONDS = 5


def said(answer: Any) -> str:
    return f"{answer.status_code} {answer.json()['error']}" if answer.status_code != 200 else "200"


async def fresh(tpp: Tpp) -> str:
    return await tpp.create_payment_consent(consent_body())


async def test_discovery_tells_what_the_flow_needs(tpp: Tpp) -> None:
    told = (await tpp.http.get(".well-known/openid-configuration")).json()
    assert told["backchannel_authentication_endpoint"] == f"{tpp.issuer}/bc-authorize"
    assert told["backchannel_token_delivery_modes_supported"] == ["poll"]  # FAPI-CIBA §5.2.2: never push
    assert told["backchannel_authentication_request_signing_alg_values_supported"] == ["PS256", "ES256"]
    assert told["backchannel_user_code_parameter_supported"] is False
    assert "urn:openid:params:grant-type:ciba" in told["grant_types_supported"]


async def test_a_payment_is_agreed_on_the_phone_and_made_by_the_client(modelbank: Running, tpp: Tpp, browser: Browser) -> None:
    body = consent_body("12.00")
    consent_id = await tpp.create_payment_consent(body)
    answer = await tpp.post_backchannel(tpp.sign(tpp.backchannel_claims(consent_id)))
    assert answer.headers["cache-control"] == "no-store"
    told = answer.json()
    assert (told["expires_in"], told["interval"]) == (300, POLL_SECONDS)
    assert said(await tpp.poll(told["auth_req_id"])) == "400 authorization_pending"
    page = await browser.answer_on_phone(consent_id)
    assert "<h1>Done</h1>" in page.text
    granted = (await tpp.poll(told["auth_req_id"])).json()
    claims = await tpp.verify(granted["id_token"])
    assert (claims["openbanking_intent_id"], claims["acr"]) == (consent_id, "urn:openbanking:psd2:sca")
    assert "nonce" not in claims
    order = Agreed(consent_id, body, granted["access_token"]).order
    paid = await tpp.post("pisp/domestic-payments", order, granted["access_token"])
    await modelbank.control("clock", {"advance_seconds": 10})
    assert await modelbank.debits(paid.json()["Data"]["DomesticPaymentId"]) == [-1200]


async def test_accounts_and_funds_are_agreed_on_the_phone_too(tpp: Tpp, browser: Browser) -> None:
    consents = {
        "accounts": await tpp.create_access_consent(DETAILS),
        "fundsconfirmations": await tpp.create_funds_consent("99901040000101"),
    }
    for scope, consent_id in consents.items():
        auth_req_id = await tpp.ask_backchannel(consent_id, scope)
        await browser.answer_on_phone(consent_id)
        granted = (await tpp.poll(auth_req_id)).json()
        assert granted["scope"] == f"openid {scope}"
        assert (await tpp.get("aisp/accounts", granted["access_token"])).status_code == (200 if scope == "accounts" else 403)


async def test_a_token_is_bound_to_the_certificate_that_fetched_it(tpp: Tpp, other_tpp: Tpp, browser: Browser) -> None:
    body = consent_body()
    consent_id = await tpp.create_payment_consent(body)
    auth_req_id = await tpp.ask_backchannel(consent_id)
    await browser.answer_on_phone(consent_id)
    token = (await tpp.poll(auth_req_id)).json()["access_token"]
    path = f"pisp/domestic-payment-consents/{consent_id}/funds-confirmation"
    assert (await other_tpp.get(path, token)).status_code == 401
    assert (await tpp.get(path, token)).status_code == 200


async def test_who_asks_too_soon_is_slowed_down_and_must_wait_longer_from_then_on(modelbank: Running, tpp: Tpp) -> None:
    auth_req_id = await tpp.ask_backchannel(await fresh(tpp))
    assert said(await tpp.poll(auth_req_id)) == "400 authorization_pending"
    assert said(await tpp.poll(auth_req_id)) == "400 slow_down"
    await modelbank.control("clock", {"advance_seconds": POLL_SECONDS})
    assert said(await tpp.poll(auth_req_id)) == "400 slow_down"
    await modelbank.control("clock", {"advance_seconds": POLL_SECONDS + 10})
    assert said(await tpp.poll(auth_req_id)) == "400 authorization_pending"


async def test_a_request_that_nobody_answers_expires(modelbank: Running, tpp: Tpp, browser: Browser) -> None:
    consent_id = await fresh(tpp)
    auth_req_id = await tpp.ask_backchannel(consent_id, requested_expiry=30)
    await browser.open(f"/phone?consent={consent_id}")
    await browser.sign_in("alex")
    await modelbank.control("clock", {"advance_seconds": 31})
    assert said(await tpp.poll(auth_req_id)) == "400 expired_token"
    assert "ran out of time" in (await browser.open(browser.page.request.url.path.removeprefix("/b/mulberry"))).text
    again = await tpp.ask_backchannel(consent_id)
    assert said(await tpp.poll(again)) == "400 authorization_pending"
    assert said(await tpp.poll(auth_req_id)) == "400 expired_token"


async def test_a_customer_who_says_no_is_told_to_the_client(tpp: Tpp, browser: Browser) -> None:
    consent_id = await fresh(tpp)
    auth_req_id = await tpp.ask_backchannel(consent_id)
    await browser.open(f"/phone?consent={consent_id}")
    await browser.sign_in("alex")
    await browser.submit({}, form=1)
    assert "Nothing has happened" in browser.page.text
    for _ in range(2):
        assert said(await tpp.poll(auth_req_id)) == "400 access_denied"
    answer = await tpp.get(f"pisp/domestic-payment-consents/{consent_id}", await tpp.client_token("payments"))
    assert answer.json()["Data"]["Status"] == "RJCT"


async def test_one_of_many_who_fetch_at_once_gets_the_token(tpp: Tpp, browser: Browser) -> None:
    consent_id = await fresh(tpp)
    auth_req_id = await tpp.ask_backchannel(consent_id)
    await browser.answer_on_phone(consent_id)
    answers = await asyncio.gather(*(tpp.poll(auth_req_id) for _ in range(8)))
    assert sorted(said(answer) for answer in answers) == ["200", *["400 invalid_grant"] * 7]


async def test_a_consent_has_one_request_that_waits_however_many_ask_at_once(tpp: Tpp) -> None:
    consent_id = await fresh(tpp)
    requests = [tpp.sign(tpp.backchannel_claims(consent_id)) for _ in range(8)]
    answers = await asyncio.gather(*(tpp.post_backchannel(request) for request in requests))
    assert sorted(said(answer) for answer in answers) == ["200", *["400 invalid_request"] * 7]


async def test_two_phones_answer_once(modelbank: Running, tpp: Tpp, browser: Browser) -> None:
    consent_id = await fresh(tpp)
    auth_req_id = await tpp.ask_backchannel(consent_id)
    other = Browser(modelbank.pages_port, "mulberry")
    for phone, username in ((browser, "alex"), (other, "test")):
        await phone.open(f"/phone?consent={consent_id}")
        await phone.sign_in(username)
        await phone.choose()
    pages = await asyncio.gather(browser.submit({}), other.submit({}))
    assert sorted("Done" in page.text for page in pages) == [False, True]
    assert said(await tpp.poll(auth_req_id)) == "200"
    await other.close()


async def test_a_request_of_another_client_cannot_be_fetched(tpp: Tpp, other_tpp: Tpp, browser: Browser) -> None:
    consent_id = await fresh(tpp)
    auth_req_id = await tpp.ask_backchannel(consent_id)
    await browser.answer_on_phone(consent_id)
    assert said(await other_tpp.poll(auth_req_id)) == "400 invalid_grant"
    assert said(await tpp.poll("invented")) == "400 invalid_grant"
    assert said(await tpp.poll(auth_req_id)) == "200"


@pytest.mark.parametrize(
    ("expected", "changes"),
    [
        ("400 invalid_request", {"aud": "https://elsewhere.example"}),
        ("400 invalid_request", {"aud": None}),
        ("400 invalid_request", {"iss": "another-client"}),
        ("400 invalid_request", {"jti": None}),
        ("400 invalid_request", {"iat": None}),
        ("400 invalid_request", {"nbf": None}),
        ("400 invalid_request", {"exp": None}),
        ("400 invalid_request", {"exp": timedelta(seconds=4000)}),
        ("400 invalid_request", {"nbf": timedelta(seconds=-4000), "exp": timedelta(seconds=-3000)}),
        ("400 invalid_request", {"openbanking-intent-id": None}),
        ("400 invalid_request", {"openbanking-intent-id": "unknown"}),
        ("400 invalid_request", {"openbanking-intent-id": "a\x00b"}),
        ("400 invalid_request", {"login_hint": "alex"}),
        ("400 invalid_request", {"login_hint_token": "eyJhbGciOiJub25lIn0.eyJzdWIiOiJhbGV4In0."}),
        ("400 invalid_request", {"id_token_hint": "eyJhbGciOiJub25lIn0.eyJzdWIiOiJhbGV4In0."}),
        ("400 invalid_request", {"requested_expiry": 0}),
        ("400 invalid_request", {"requested_expiry": "soon"}),
        ("400 invalid_scope", {"scope": "payments"}),
        ("400 invalid_scope", {"scope": "openid"}),
        ("400 invalid_scope", {"scope": "openid payments accounts"}),
        ("400 invalid_request", {"scope": "openid accounts"}),  # the consent is for payments
        ("400 invalid_request", {"scope": None}),
        ("400 invalid_binding_message", {"binding_message": "x" * 41}),
        ("400 invalid_binding_message", {"binding_message": "<b>"}),
    ],
)
async def test_a_request_that_breaks_a_rule_is_refused(expected: str, changes: dict[str, Any], tpp: Tpp) -> None:
    request = tpp.sign(tpp.backchannel_claims(await fresh(tpp), **changes))
    assert said(await tpp.post_backchannel(request)) == expected


async def test_a_request_is_signed_by_the_client_and_carries_everything(tpp: Tpp) -> None:
    claims = tpp.backchannel_claims(await fresh(tpp))
    for request in (None, tpp.sign(claims, key=STRANGERS_KEY), tpp.sign(claims, kid="unknown"), tpp.sign(claims, alg="RS256")):
        assert said(await tpp.post_backchannel(request)) == "400 invalid_request"
    assert said(await tpp.post_backchannel(tpp.sign(claims), binding_message="other")) == "400 invalid_request"


async def test_a_request_serves_once(modelbank: Running, tpp: Tpp) -> None:
    consent_id = await fresh(tpp)
    request = tpp.sign(tpp.backchannel_claims(consent_id, requested_expiry=1))
    assert said(await tpp.post_backchannel(request)) == "200"
    await modelbank.control("clock", {"advance_seconds": 2})
    assert said(await tpp.post_backchannel(request)) == "400 invalid_request"


async def test_a_client_proves_itself(tpp: Tpp, other_tpp: Tpp) -> None:
    request = tpp.sign(tpp.backchannel_claims(await fresh(tpp)))
    answer = await tpp.http.post("bc-authorize", data={"request": request, "client_id": "unknown"})
    assert said(answer) == "401 invalid_client"
    assert (
        said(await other_tpp.http.post("bc-authorize", data={"request": request, "client_id": tpp.client_id}))
        == "401 invalid_client"
    )
    assert said(await other_tpp.post_backchannel(request)) == "400 invalid_request"
    assert said(await tpp.http.post("bc-authorize", data={"request": request, "client_id": tpp.client_id})) == "200"


async def test_a_consent_that_was_answered_cannot_be_asked_about(tpp: Tpp, browser: Browser) -> None:
    agreed = await agree_payment(tpp, browser)
    request = tpp.sign(tpp.backchannel_claims(agreed.consent_id))
    assert said(await tpp.post_backchannel(request)) == "400 invalid_request"


async def test_only_the_customer_of_an_earlier_id_token_may_answer(tpp: Tpp, browser: Browser) -> None:
    before = await tpp.create_access_consent(DETAILS)
    back = await browser.agree(tpp.authorize_query(tpp.request_claims(before, "accounts")), "test")
    id_token = (await tpp.exchange(back["code"])).json()["id_token"]
    consent_id = await fresh(tpp)
    auth_req_id = await tpp.ask_backchannel(consent_id, id_token_hint=id_token)
    await browser.open(f"/phone?consent={consent_id}")
    await browser.sign_in("alex")
    assert "for another customer" in browser.page.text
    await browser.sign_in("test")
    await browser.choose()
    await browser.submit({})
    assert said(await tpp.poll(auth_req_id)) == "200"


async def test_the_phone_shows_the_words_that_the_client_shows(tpp: Tpp, browser: Browser) -> None:
    consent_id = await fresh(tpp)
    await tpp.ask_backchannel(consent_id, binding_message="TILL 7 / 4711")
    await browser.open(f"/phone?consent={consent_id}")
    assert "TILL 7 / 4711" in browser.page.text
    await browser.sign_in("alex")
    await browser.choose()
    assert "TILL 7 / 4711" in browser.page.text


async def test_the_code_leads_to_the_request_and_tells_nothing_of_it(tpp: Tpp, browser: Browser) -> None:
    consent_id = await fresh(tpp)
    await tpp.ask_backchannel(consent_id)
    page = await browser.open(f"/decoupled/{consent_id}")
    assert "<svg" in page.text
    assert consent_id in page.text
    assert "Wren" not in page.text
    [link] = re.findall(r'href="([^"]*/phone\?consent=[^"]*)"', page.text)
    assert "Sign in to pay" in (await browser.open(link)).text


async def test_a_number_may_be_typed_and_a_wrong_one_is_told(tpp: Tpp, browser: Browser) -> None:
    consent_id = await fresh(tpp)
    await tpp.ask_backchannel(consent_id)
    assert 'name="consent"' in (await browser.open("/phone")).text
    assert "Sign in to pay" in (await browser.open(f"/phone?consent=%20{consent_id}%20")).text
    for path in ("/phone?consent=unknown", "/phone?consent=%00", "/decoupled/unknown"):
        answer = await browser.open(path)
        assert answer.status_code in {400, 404}, path
    assert "No such request awaits you" in answer.text


async def test_a_headless_bank_agrees_as_soon_as_the_code_is_opened(modelbank: Running, tpp: Tpp, browser: Browser) -> None:
    consent_id = await fresh(tpp)
    auth_req_id = await tpp.ask_backchannel(consent_id)
    await modelbank.control("bank", {"bank": "mulberry", "headless": True})
    try:
        assert "<h1>Done</h1>" in (await browser.open(f"/phone?consent={consent_id}")).text
    finally:
        await modelbank.control("bank", {"bank": "mulberry", "headless": False})
    assert said(await tpp.poll(auth_req_id)) == "200"
