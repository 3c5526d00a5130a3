"""Authorisation requests: every doubt about a request object is a refusal, and the answer travels as it was asked to."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import rsa

from tests.modelbank.conftest import Running
from tests.modelbank.foreign_client import DETAILS, Browser, Tpp, consent_body, half_hash

STRANGERS_KEY = rsa.generate_private_key(public_exponent=65537, key_size=2048)


async def start(tpp: Tpp, browser: Browser, **changes: Any) -> None:
    consent_id = await tpp.create_payment_consent(consent_body())
    await browser.open(f"/authorize?{tpp.authorize_query(tpp.request_claims(consent_id, **changes))}")


@pytest.mark.parametrize(
    "changes",
    [
        {"iss": "someone-else"},
        {"aud": "https://elsewhere.example"},
        {"aud": None},
        {"exp": None},
        {"nbf": None},
        {"exp": timedelta(seconds=-60), "nbf": timedelta(seconds=-1800)},
        {"exp": timedelta(seconds=36_000)},
        {"nbf": timedelta(seconds=-3700), "exp": timedelta(seconds=-100)},
        {"nbf": timedelta(seconds=36_000), "exp": timedelta(seconds=37_000)},
        {"redirect_uri": "http://localhost:8199/other"},
        {"redirect_uri": "http://localhost:8199/callback/"},
        {"redirect_uri": None},
    ],
)
async def test_a_request_that_cannot_be_trusted_goes_nowhere(tpp: Tpp, browser: Browser, changes: dict[str, Any]) -> None:
    await start(tpp, browser, **changes)
    assert browser.page.status_code == 400
    assert "cannot be trusted" in browser.page.text
    assert "location" not in browser.page.headers


async def test_a_request_signed_by_a_stranger_goes_nowhere(tpp: Tpp, browser: Browser) -> None:
    claims = tpp.request_claims("any")
    for request in (
        tpp.sign(claims, key=STRANGERS_KEY),
        tpp.sign(claims, kid="unknown"),
        tpp.sign(claims, alg="RS256"),
        jwt.encode(claims, "", algorithm="none", headers={"kid": tpp.kid}),
        "not.a.token",
    ):
        await browser.open(f"/authorize?{tpp.authorize_query(claims, request)}")
        assert browser.page.status_code == 400


@pytest.mark.parametrize(
    ("changes", "error"),
    [
        ({"nonce": None}, "invalid_request_object"),
        ({"scope": "openid"}, "invalid_scope"),
        ({"scope": "openid payments accounts"}, "invalid_scope"),
        ({"response_type": "token"}, "unsupported_response_type"),
        ({"response_type": "code", "response_mode": "query"}, "invalid_request"),
        ({"response_mode": "query.jwt"}, "invalid_request"),
        ({"code_challenge": "x" * 43, "code_challenge_method": "plain"}, "invalid_request"),
        ({"claims": {}}, "invalid_request_object"),
        ({"prompt": "none"}, "login_required"),
        ({"client_id": "someone-else"}, "invalid_request"),
        ({"request_uri": "https://elsewhere.example"}, "invalid_request_object"),
    ],
)
async def test_a_trusted_request_for_something_wrong_returns_an_error(
    tpp: Tpp, browser: Browser, changes: dict[str, Any], error: str
) -> None:
    await start(tpp, browser, **changes)
    back = browser.returned()
    if "response" in back:
        back = await tpp.verify(back["response"])
    assert back["error"] == error
    assert back["state"]


async def test_parameters_outside_the_signature_may_not_differ(tpp: Tpp, browser: Browser) -> None:
    claims = tpp.request_claims(await tpp.create_payment_consent(consent_body()))
    await browser.open(f"/authorize?{tpp.authorize_query(claims, state='forged')}")
    assert browser.returned()["error"] == "invalid_request"
    assert browser.returned()["state"] == claims["state"]


async def test_a_consent_of_another_client_or_kind_is_unknown(tpp: Tpp, other_tpp: Tpp, browser: Browser) -> None:
    foreign = await other_tpp.create_payment_consent(consent_body())
    of_other_kind = await tpp.create_access_consent(DETAILS)
    for consent_id in (foreign, of_other_kind, "unknown"):
        await browser.open(f"/authorize?{tpp.authorize_query(tpp.request_claims(consent_id))}")
        assert browser.returned()["error"] == "invalid_request"


@pytest.mark.parametrize(
    ("response_type", "mode", "place"),
    [
        ("code id_token", "fragment", "#"),
        ("code id_token", None, "#"),
        ("code id_token", "jwt", "#"),
        ("code", "jwt", "?"),
        ("code", "query.jwt", "?"),
        ("code", "form_post.jwt", ""),
    ],
)
async def test_the_answer_travels_as_asked(tpp: Tpp, browser: Browser, response_type: str, mode: str | None, place: str) -> None:
    consent_id = await tpp.create_payment_consent(consent_body())
    claims = tpp.request_claims(consent_id, response_type=response_type, response_mode=mode)
    back: dict[str, Any] = await browser.agree(tpp.authorize_query(claims))
    if place:
        assert place in browser.page.headers["location"]
    if "response" in back:
        back = await tpp.verify(back["response"])
    assert back["state"] == claims["state"]
    if response_type == "code id_token":
        assert (await tpp.verify(back["id_token"]))["c_hash"] == half_hash(back["code"])
    answer = await tpp.exchange(back["code"])
    assert (await tpp.verify(answer.json()["id_token"]))["nonce"] == claims["nonce"]


async def test_the_posting_page_may_post_to_the_client_only(tpp: Tpp, browser: Browser) -> None:
    await start(tpp, browser)
    await browser.sign_in("alex")
    await browser.choose()
    page = await browser.submit({})
    policy = page.headers["content-security-policy"]
    assert "form-action 'self' http://localhost:8199" in policy
    assert "script-src 'self'" in policy
    assert "unsafe" not in policy
    assert '<button class="primary" type="submit">Go back to Strongroom</button>' in page.text


async def test_another_browser_cannot_go_on_with_a_visit(modelbank: Running, tpp: Tpp, browser: Browser) -> None:
    await start(tpp, browser)
    address = str(browser.page.url)
    stranger = Browser(modelbank.pages_port, "mulberry")
    answer = await stranger.http.get(address)
    assert answer.status_code == 404
    await stranger.close()


async def test_a_form_that_is_not_ours_changes_nothing(tpp: Tpp, browser: Browser) -> None:
    await start(tpp, browser)
    await browser.submit({"username": "alex", "password": "pretend", "csrf": "forged"})
    assert browser.page.status_code == 403


async def test_five_wrong_passwords_end_the_visit(tpp: Tpp, browser: Browser) -> None:
    await start(tpp, browser)
    for _ in range(5):
        await browser.submit({"username": "alex", "password": "guess"})
    assert "Too many tries" in browser.page.text
    await browser.open(browser.page.text.split('class="primary" href="')[1].split('"')[0])
    assert browser.returned()["error_description"].startswith("U037")


async def test_a_visit_that_takes_too_long_ends_without_a_consent(modelbank: Running, tpp: Tpp, browser: Browser) -> None:
    consent_id = await tpp.create_payment_consent(consent_body())
    await browser.open(f"/authorize?{tpp.authorize_query(tpp.request_claims(consent_id))}")
    await browser.sign_in("alex")
    await modelbank.control("clock", {"advance_seconds": 601})
    await browser.choose()
    assert "You ran out of time" in browser.page.text
    token = await tpp.client_token("payments")
    consent = (await tpp.get(f"pisp/domestic-payment-consents/{consent_id}", token)).json()["Data"]
    assert (consent["Status"], consent["StatusReason"][0]["StatusReasonCode"]) == ("AWAU", "U036")


async def test_an_answer_stays_an_answer_when_the_customer_goes_back(tpp: Tpp, browser: Browser) -> None:
    await start(tpp, browser)
    await browser.sign_in("alex")
    await browser.choose()
    confirm = str(browser.page.url)
    await browser.submit({})
    browser.page = await browser.http.get(confirm)
    assert "You have already answered" in browser.page.text


async def test_headless_mode_agrees_without_asking(modelbank: Running, tpp: Tpp, browser: Browser) -> None:
    await modelbank.control("bank", {"bank": "mulberry", "headless": True})
    try:
        await start(tpp, browser, response_mode="fragment")
        assert (await tpp.exchange(browser.returned()["code"])).status_code == 200
    finally:
        await modelbank.control("bank", {"bank": "mulberry", "headless": False})
