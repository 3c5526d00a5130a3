"""The token endpoint refuses whatever is not exactly right: client, certificate, assertion, code."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import ec, rsa

from tests.modelbank.conftest import Running
from tests.modelbank.foreign_client import ASSERTION, REDIRECT_URI, Browser, Tpp, b64, consent_body

STRANGERS_CURVE = ec.generate_private_key(ec.SECP256R1())
STRANGERS_KEY = rsa.generate_private_key(public_exponent=65537, key_size=2048)
GRANT = {"grant_type": "client_credentials", "scope": "payments"}


async def test_a_client_proves_itself_by_certificate_alone(tpp: Tpp) -> None:
    answer = await tpp.http.post("token", data={**GRANT, "client_id": tpp.client_id})
    assert answer.status_code == 200
    assert answer.json()["token_type"] == "Bearer"
    assert answer.headers["cache-control"] == "no-store"


@pytest.mark.parametrize(
    "changes",
    [
        {"aud": "https://elsewhere.example/token"},
        {"iss": "someone-else"},
        {"sub": "someone-else"},
        {"exp": timedelta(seconds=-60)},
        {"exp": timedelta(seconds=86_400)},
        {"exp": None},
        {"exp": "9999999999"},
        {"jti": None},
        {"nbf": timedelta(seconds=3600)},
    ],
)
async def test_a_wrong_assertion_is_refused(tpp: Tpp, changes: dict[str, Any]) -> None:
    answer = await tpp.post_token(**GRANT, assertion=tpp.assertion(**changes))
    assert (answer.status_code, answer.json()["error"]) == (401, "invalid_client")


async def test_an_assertion_signed_by_a_stranger_is_refused(tpp: Tpp) -> None:
    claims = jwt.decode(tpp.assertion(), options={"verify_signature": False})
    public = b64(b"any secret that is long enough to be a key")
    for assertion in (
        tpp.sign(claims, key=STRANGERS_KEY),
        tpp.sign(claims, kid="unknown"),
        tpp.sign(claims, alg="RS256"),
        tpp.sign(claims, key=STRANGERS_CURVE, alg="ES256"),
        jwt.encode(claims, public, algorithm="HS256", headers={"kid": tpp.kid}),
        jwt.encode(claims, "", algorithm="none", headers={"kid": tpp.kid}),
    ):
        answer = await tpp.post_token(**GRANT, assertion=assertion)
        assert (answer.status_code, answer.json()["error"]) == (401, "invalid_client")


async def test_an_assertion_serves_once(tpp: Tpp) -> None:
    assertion = tpp.assertion()
    assert (await tpp.post_token(**GRANT, assertion=assertion)).status_code == 200
    assert (await tpp.post_token(**GRANT, assertion=assertion)).status_code == 401


async def test_a_client_without_its_certificate_is_refused(modelbank: Running, other_tpp: Tpp) -> None:
    bare = Tpp(modelbank.folder, "mulberry", transport="")
    assert (await bare.post_token(**GRANT)).status_code == 401
    await bare.close()
    thief = Tpp(modelbank.folder, "mulberry", transport="other-transport")
    assert (await thief.post_token(**GRANT)).status_code == 401
    await thief.close()


@pytest.mark.parametrize(
    ("form", "error"),
    [
        ({"grant_type": "client_credentials", "scope": "everything"}, "invalid_scope"),
        ({"grant_type": "client_credentials"}, "invalid_scope"),
        ({"grant_type": "password"}, "unsupported_grant_type"),
        ({}, "invalid_request"),
        ({"grant_type": "authorization_code", "code": "guess", "redirect_uri": REDIRECT_URI}, "invalid_grant"),
    ],
)
async def test_a_grant_that_is_not_offered_is_refused(tpp: Tpp, form: dict[str, str], error: str) -> None:
    answer = await tpp.post_token(**form)
    assert (answer.status_code, answer.json()["error"]) == (400, error)


async def test_a_parameter_that_comes_twice_is_refused(tpp: Tpp) -> None:
    body = f"grant_type=client_credentials&scope=payments&scope=accounts&client_id={tpp.client_id}"
    answer = await tpp.http.post("token", content=body, headers={"content-type": "application/x-www-form-urlencoded"})
    assert answer.json()["error"] == "invalid_request"


async def code_for(tpp: Tpp, browser: Browser, **changes: Any) -> str:
    consent_id = await tpp.create_payment_consent(consent_body())
    back = await browser.agree(tpp.authorize_query(tpp.request_claims(consent_id, **changes)))
    return back["code"]


async def test_a_code_serves_once_and_its_second_use_ends_the_token(tpp: Tpp, browser: Browser) -> None:
    code = await code_for(tpp, browser)
    token = (await tpp.exchange(code)).json()["access_token"]
    path = "pisp/domestic-payment-consents/unknown/funds-confirmation"
    assert (await tpp.get(path, token)).status_code == 400
    assert (await tpp.exchange(code)).json()["error"] == "invalid_grant"
    assert (await tpp.get(path, token)).status_code == 401


async def test_a_code_is_bound_to_its_client_address_and_time(
    modelbank: Running, tpp: Tpp, other_tpp: Tpp, browser: Browser
) -> None:
    code = await code_for(tpp, browser)
    assert (await other_tpp.exchange(code)).json()["error"] == "invalid_grant"
    assert (await tpp.exchange(code, redirect_uri=f"{REDIRECT_URI}/")).json()["error"] == "invalid_grant"
    code = await code_for(tpp, browser)
    await modelbank.control("clock", {"advance_seconds": 61})
    assert (await tpp.exchange(code)).json()["error"] == "invalid_grant"


async def test_pkce_is_demanded_when_it_was_announced(tpp: Tpp, browser: Browser) -> None:
    verifier, challenge = "a" * 43, "ZtNPunH49FD35FWYhT5Tv8I7vRKQJ8uxMaL0_9eHjNA"
    pkce = {"code_challenge": challenge, "code_challenge_method": "S256"}
    assert (await tpp.exchange(await code_for(tpp, browser, **pkce))).json()["error"] == "invalid_grant"
    wrong = await tpp.exchange(await code_for(tpp, browser, **pkce), code_verifier="b" * 43)
    assert wrong.json()["error"] == "invalid_grant"
    right = await tpp.exchange(await code_for(tpp, browser, **pkce), code_verifier=verifier)
    assert right.status_code == 200


async def test_a_token_works_only_with_the_certificate_it_was_made_for(modelbank: Running, tpp: Tpp, other_tpp: Tpp) -> None:
    token = await tpp.client_token("payments")
    assert (await tpp.get("pisp/domestic-payments/unknown", token)).status_code == 400
    assert (await other_tpp.get("pisp/domestic-payments/unknown", token)).status_code == 401
    harbour = Tpp(modelbank.folder, "harbour")
    assert (await harbour.get("pisp/domestic-payments/unknown", token)).status_code == 401
    await harbour.close()


async def test_discovery_says_what_is_done(tpp: Tpp) -> None:
    about = (await tpp.http.get(".well-known/openid-configuration")).json()
    assert about["issuer"] == tpp.issuer
    assert about["tls_client_certificate_bound_access_tokens"] is True
    assert "form_post" in about["response_modes_supported"]
    assert ASSERTION.endswith("jwt-bearer")
