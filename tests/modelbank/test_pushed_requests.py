"""Pushed authorisation requests: what is left is taken once, by its own client, and only what would be accepted may be left."""

from __future__ import annotations

from typing import Any

import pytest

from tests.modelbank.conftest import Running
from tests.modelbank.foreign_client import REDIRECT_URI, Browser, Tpp, consent_body


@pytest.fixture
async def claims(tpp: Tpp) -> dict[str, Any]:
    return tpp.request_claims(await tpp.create_payment_consent(consent_body()))


async def test_a_request_that_was_left_brings_the_customer_back_with_a_code(tpp: Tpp, browser: Browser, claims: dict[str, Any]):
    left = await tpp.push(claims)
    assert (left.status_code, left.json()["expires_in"]) == (201, 90)
    assert left.headers["cache-control"] == "no-store"
    returned = await browser.agree(f"client_id={tpp.client_id}&request_uri={left.json()['request_uri']}&scope=ignored")
    assert returned["state"] == claims["state"]
    assert (await tpp.exchange(returned["code"])).status_code == 200


async def test_it_is_taken_once(tpp: Tpp, browser: Browser, claims: dict[str, Any]):
    query = f"client_id={tpp.client_id}&request_uri={(await tpp.push(claims)).json()['request_uri']}"
    await browser.open(f"/authorize?{query}")
    assert "sign-in" in str(browser.page.url)
    again = await browser.open(f"/authorize?{query}")
    assert again.status_code == 400
    assert "was used" in again.text


async def test_another_client_cannot_take_it(tpp: Tpp, other_tpp: Tpp, browser: Browser, claims: dict[str, Any]):
    reference = (await tpp.push(claims)).json()["request_uri"]
    assert (await browser.open(f"/authorize?client_id={other_tpp.client_id}&request_uri={reference}")).status_code == 400
    await browser.open(f"/authorize?client_id={tpp.client_id}&request_uri={reference}")
    assert "sign-in" in str(browser.page.url), "and trying does not use it up"


@pytest.mark.parametrize(
    ("changes", "form", "error"),
    [
        ({"redirect_uri": "https://evil.example"}, {}, "invalid_request"),
        ({"aud": "https://other.example"}, {}, "invalid_request_object"),
        ({"scope": "openid everything"}, {}, "invalid_scope"),
        ({"nonce": None}, {}, "invalid_request_object"),
        ({}, {"request": None}, "invalid_request"),
        ({}, {"request_uri": "urn:ietf:params:oauth:request_uri:x"}, "invalid_request"),
        ({}, {"client_assertion": "x.y.z"}, "invalid_client"),
        ({}, {"client_id": "other-client"}, "invalid_client"),
    ],
)
async def test_what_would_be_refused_is_refused_when_it_is_left(
    tpp: Tpp, claims: dict[str, Any], changes: dict[str, Any], form: dict[str, Any], error: str
):
    answer = await tpp.push({**claims, **changes}, **form)
    assert answer.status_code == (401 if error == "invalid_client" else 400)
    assert answer.json()["error"] == error


async def test_discovery_says_where(tpp: Tpp):
    known = (await tpp.http.get(".well-known/openid-configuration")).json()
    assert known["pushed_authorization_request_endpoint"] == f"{tpp.issuer}/par"
    assert known["require_pushed_authorization_requests"] is False
    assert (await tpp.http.get("par")).status_code == 405


async def test_an_invented_reference_is_shown_to_nobody_but_the_customer(tpp: Tpp, browser: Browser):
    for reference in ("urn:ietf:params:oauth:request_uri:invented", "https://evil.example/request.jwt"):
        page = await browser.open(f"/authorize?client_id={tpp.client_id}&request_uri={reference}")
        assert page.status_code == 400
        assert REDIRECT_URI not in page.text


async def test_harbour_demands_it_and_takes_no_other_request(modelbank: Running):
    tpp, browser = Tpp(modelbank.folder, "harbour"), Browser(modelbank.pages_port, "harbour")
    known = (await tpp.http.get(".well-known/openid-configuration")).json()
    assert known["require_pushed_authorization_requests"] is True
    claims = tpp.request_claims(await tpp.create_payment_consent(consent_body()))
    refused = await browser.open(f"/authorize?{tpp.authorize_query(claims)}")
    assert (refused.status_code, REDIRECT_URI in refused.text) == (400, False)
    assert "pushed requests alone" in refused.text
    returned = await browser.agree(await tpp.pushed_query(claims))
    assert (await tpp.exchange(returned["code"])).status_code == 200
    await browser.close()
    await tpp.close()
