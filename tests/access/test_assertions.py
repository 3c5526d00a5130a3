import asyncio
import base64
import hmac
import json
from datetime import timedelta
from typing import Any

import httpx
import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature
from joserfc import jwt
from joserfc.jwk import OctKey, RSAKey

from strongroom.access.errors import UnsuitableKeys
from strongroom.access.model import Firm, NewClient
from tests.access.conftest import ACTOR, ALL, BASE, House, Signer, assertion_form, make_certificate, shown


@pytest.fixture
def signer() -> Signer:
    return Signer.make("ES256")


@pytest.fixture
async def keyed(house: House, firm: Firm, signer: Signer) -> NewClient:
    return await house.clients.create(ACTOR, firm.id, "signing", ALL, keys=signer.public)


async def ask(web: httpx.AsyncClient, assertion: str, **more: str) -> httpx.Response:
    return await web.post("/token", data=assertion_form(assertion, **more))


@pytest.mark.parametrize("algorithm", ["PS256", "ES256", "Ed25519", "EdDSA"])
async def test_a_signed_assertion_gets_a_token(house: House, web: httpx.AsyncClient, firm: Firm, algorithm: str):
    signer = Signer.make(algorithm)
    client = await house.clients.create(ACTOR, firm.id, "signing", ALL, keys=signer.public)
    answer = await ask(web, signer.sign(signer.claims(client.client_id)), client_id=client.client_id)
    assert answer.status_code == 200, answer.text


async def test_one_jti_gets_one_token_under_twenty_simultaneous_uses(web: httpx.AsyncClient, keyed: NewClient, signer: Signer):
    assertion = signer.sign(signer.claims(keyed.client_id))
    answers = await asyncio.gather(*(ask(web, assertion) for _ in range(20)))
    assert sorted(answer.status_code for answer in answers) == [200] + [401] * 19
    again = signer.sign(signer.claims(keyed.client_id))
    assert (await ask(web, again)).status_code == 200


@pytest.mark.parametrize(
    "changes",
    [
        {"iss": "cli-0000000000000"},
        {"sub": "cli-0000000000000"},
        {"aud": "https://elsewhere.example"},
        {"aud": None},
        {"aud": ["https://elsewhere.example"]},
        {"exp": 1},
        {"exp": None},
        {"exp": "soon"},
        {"exp": True},
        {"exp": 9e15},
        {"exp": timedelta(seconds=400)},
        {"iat": timedelta(seconds=200)},
        {"nbf": timedelta(seconds=200)},
        {"jti": None},
        {"jti": ""},
        {"jti": 7},
        {"jti": "x" * 256},
    ],
)
async def test_an_assertion_with_a_wrong_claim_is_refused(
    web: httpx.AsyncClient, keyed: NewClient, signer: Signer, changes: dict[str, Any]
):
    answer = await ask(web, signer.sign(signer.claims(keyed.client_id, **changes)))
    assert (answer.status_code, answer.json()["error"]) == (401, "invalid_client")


@pytest.mark.parametrize("audience", [BASE, f"{BASE}/token", [f"{BASE}/token", "https://elsewhere.example"]])
async def test_our_own_names_are_accepted_as_audience(web: httpx.AsyncClient, keyed: NewClient, signer: Signer, audience: Any):
    assert (await ask(web, signer.sign(signer.claims(keyed.client_id, aud=audience)))).status_code == 200


async def test_tokens_that_confuse_algorithms_and_keys_are_refused(web: httpx.AsyncClient, keyed: NewClient, signer: Signer):
    claims = signer.claims(keyed.client_id)
    part = [encoded(json.dumps(value).encode()) for value in ({"alg": "none"}, claims, {"alg": "HS256", "kid": "one"})]
    keyed_by_public = encoded(hmac.digest(signer.key.as_pem(private=False), f"{part[2]}.{part[1]}".encode(), "sha256"))
    with_public_key = f"{part[2]}.{part[1]}.{keyed_by_public}"
    stranger = Signer.make("ES256")
    own_key_in_header = stranger.sign(claims, jwk=stranger.public["keys"][0])
    forged = signer.sign(claims)[:-4] + "AAAA"
    pkcs1 = jwt.encode({"alg": "RS256", "kid": "one"}, claims, RSAKey.generate_key(2048))
    for assertion in (
        f"{part[0]}.{part[1]}.",
        with_public_key,
        stranger.sign(claims),
        own_key_in_header,
        forged,
        pkcs1,
        signer.sign(claims, kid="../../etc/passwd"),
        "not.a.token",
        "",
        "x" * 9000,
    ):
        answer = await ask(web, assertion)
        assert answer.status_code in (400, 401), assertion
        assert "access_token" not in answer.text


async def test_an_unknown_critical_header_is_refused(web: httpx.AsyncClient, keyed: NewClient, signer: Signer):
    header = {"alg": "ES256", "kid": "one", "crit": ["b64x"], "b64x": True}
    assert (await ask(web, signed_by_hand(signer, header, signer.claims(keyed.client_id)))).status_code == 401
    del header["crit"], header["b64x"]
    assert (await ask(web, signed_by_hand(signer, header, signer.claims(keyed.client_id)))).status_code == 200


def signed_by_hand(signer: Signer, header: dict[str, Any], claims: dict[str, Any]) -> str:
    signed = ".".join(encoded(json.dumps(value).encode()) for value in (header, claims))
    r, s = decode_dss_signature(signer.key.private_key.sign(signed.encode(), ec.ECDSA(hashes.SHA256())))
    return f"{signed}.{encoded(r.to_bytes(32, 'big') + s.to_bytes(32, 'big'))}"


def encoded(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


async def test_an_assertion_of_another_client_does_not_speak_for_this_one(
    house: House, web: httpx.AsyncClient, firm: Firm, keyed: NewClient
):
    mine = Signer.make("ES256")
    me = await house.clients.create(ACTOR, firm.id, "mine", ALL, keys=mine.public)
    for claimed in (mine.claims(keyed.client_id), mine.claims(me.client_id, sub=keyed.client_id)):
        assert (await ask(web, mine.sign(claimed))).status_code == 401
    assert (await ask(web, mine.sign(mine.claims(me.client_id)), client_id=keyed.client_id)).status_code == 401


async def test_a_client_with_keys_cannot_use_a_secret_and_has_none(web: httpx.AsyncClient, keyed: NewClient):
    assert keyed.secret is None
    body = {"grant_type": "client_credentials", "client_id": keyed.client_id, "client_secret": ""}
    assert (await web.post("/token", json=body)).status_code == 401


async def test_with_keys_and_a_certificate_both_are_needed(house: House, firm: Firm, signer: Signer):
    certificate = make_certificate()
    client = await house.clients.create(
        ACTOR, firm.id, "both", ALL, keys=signer.public, certificate_hash=certificate.fingerprint(hashes.SHA256())
    )
    async with house.client("192.0.2.1") as proxy:
        only_tls = {"grant_type": "client_credentials", "client_id": client.client_id}
        assert (await proxy.post("/token", data=only_tls, headers=shown(certificate))).status_code == 401
        form = assertion_form(signer.sign(signer.claims(client.client_id)))
        assert (await proxy.post("/token", data=form)).status_code == 401
        form = assertion_form(signer.sign(signer.claims(client.client_id)))
        assert (await proxy.post("/token", data=form, headers=shown(certificate))).status_code == 200


async def test_keys_that_are_private_weak_or_nameless_are_refused(house: House, firm: Firm, signer: Signer):
    nameless = {key: value for key, value in signer.public["keys"][0].items() if key != "kid"}
    weak = RSAKey.generate_key(1024, {"kid": "weak"}, auto_kid=False).as_dict(private=False)
    for keys in (
        {"keys": [signer.key.as_dict(private=True)]},
        {"keys": [OctKey.generate_key(256, {"kid": "shared"}).as_dict()]},
        {"keys": [nameless]},
        {"keys": [weak]},
        {"keys": []},
        {"keys": signer.public["keys"] * 2},
        {"keys": 5},
        {},
    ):
        with pytest.raises(UnsuitableKeys):
            await house.clients.create(ACTOR, firm.id, "x", ALL, keys=keys)
