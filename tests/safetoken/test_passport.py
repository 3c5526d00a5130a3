"""`/passport/oauth/token`: the document's request in, its answers out, to the byte; and tokens that end when they are told to."""

from __future__ import annotations

import asyncio
import base64
import json
import re
from typing import Any

import asyncpg
import httpx
import jwt
import pytest

from strongroom.access.authentication import ClientAuthentication
from strongroom.access.errors import InvalidClient
from strongroom.access.model import ClientProfile, Credentials, NewClient, Scope
from strongroom.access.passport import PER_CLIENT
from strongroom.access.signing_keys import Purpose
from strongroom.app import refuse_printed_client
from strongroom.kit.crypto import Secret
from strongroom.kit.edge import Edge
from strongroom.settings import SettingsError
from strongroom.wiring import House
from tests.safetoken.conftest import ACTOR, FORM, PRINTED_BASIC, Bank, basic, caller

GRANT = "grant_type=client_credentials"
TOKEN = "/passport/oauth/token"


async def ask(http: httpx.AsyncClient, headers: dict[str, str], body: str = GRANT) -> httpx.Response:
    return await http.post(TOKEN, content=body, headers=headers | FORM)


async def test_the_documents_request_gets_the_documents_answer(printed_bank: Bank):
    answer = await ask(printed_bank.http, {"authorization": PRINTED_BASIC})
    token, jti = answer.json()["access_token"], answer.json()["jti"]
    assert answer.status_code == 200
    assert answer.headers["content-type"] == "application/json"
    assert re.fullmatch(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", jti)
    assert answer.text == (
        f'{{"access_token":"{token}","token_type":"bearer","expires_in":43199,"scope":"profile","merchant_code":"MX10003",'
        f'"requestor_id":"123588975884","client_name":"kL79ov","payable_id":"359854","jti":"{jti}"}}'
    )


async def test_wrong_credentials_get_the_documents_failure_whatever_is_wrong(printed_bank: Bank):
    wrong = [basic(printed_bank.client_id, "Secret"), basic("IKIANOBODY", "secret"), {}, {"authorization": "Basic %%%"}]
    for headers in wrong:
        answer = await ask(printed_bank.http, headers)
        assert (answer.status_code, answer.text) == (
            401, '{"code":"Unauthorized","description":"Bad credentials","errors":null}',
        )  # fmt: skip


@pytest.mark.parametrize(
    ("body", "error", "description"),
    [
        ("", "invalid_request", "Missing grant type"),
        ("grant_type=", "invalid_request", "Missing grant type"),
        ("grant_type=password", "unsupported_grant_type", "Unsupported grant type"),
        (f"{GRANT}&scope=funds:read", "invalid_scope", "Invalid scope: funds:read"),
        (f"{GRANT}&{GRANT}", "invalid_request", "A parameter is repeated"),
    ],
)
async def test_a_malformed_request_is_told_as_oauth_does(bank: Bank, body: str, error: str, description: str):
    answer = await ask(bank.http, bank.basic, body)
    assert answer.status_code == 400
    assert answer.text == f'{{"error":"{error}","error_description":"{description}"}}'


@pytest.mark.parametrize("algorithm", ["RS512", "RS256"])
async def test_a_token_is_a_jwt_that_the_shown_keys_verify(application: tuple[House, Edge], bank: Bank, algorithm: str):
    await bank.house.clients.set_profile(ACTOR, bank.issuer.id, bank.client_id, ClientProfile(algorithm=algorithm))
    answer = (await ask(bank.http, bank.basic)).json()
    header = jwt.get_unverified_header(answer["access_token"])
    assert header["alg"] == algorithm
    keys = jwt.PyJWKSet.from_dict((await bank.http.get("/passport/oauth/jwks")).json())
    claims = jwt.decode(answer["access_token"], keys[header["kid"]].key, algorithms=[algorithm], audience="safetoken")
    assert (claims["client_id"], claims["jti"], claims["scope"]) == (bank.client_id, answer["jti"], ["profile"])
    assert claims["exp"] - claims["iat"] == answer["expires_in"]


async def test_a_token_that_says_what_it_likes_counts_for_nothing(bank: Bank):
    """The database is what is believed: even one that our own key signed does not count without its row."""

    real = await bank.token()
    signed = await bank.house.signing_keys.sign(Purpose.ACCESS_TOKEN, {"client_id": bank.client_id, "exp": 2**40}, "RS512")
    header, payload, signature = real.split(".")
    none = base64.urlsafe_b64encode(json.dumps({"alg": "none"}).encode()).rstrip(b"=").decode()
    for token in (signed, f"{none}.{payload}.", f"{header}.{payload}.", f"{header}.{payload}.{signature[:-4]}AAAA", real + "="):
        assert await bank.house.tokens.find(token) is None, token
    assert await bank.house.tokens.find(real) is not None


async def test_asking_for_one_resource_gives_one(bank: Bank):
    answer = (await ask(bank.http, bank.basic, f"{GRANT}&scope=profile%20safetoken:tokens:read")).json()
    assert answer["scope"] == "profile safetoken:tokens:read"
    found = await bank.house.tokens.find(answer["access_token"])
    assert found is not None
    assert found.scopes == {Scope.SAFETOKEN_TOKENS_READ}


async def test_a_revoked_token_ends_here_at_once_and_a_disabled_clients_with_it(bank: Bank):
    first, second = (await ask(bank.http, bank.basic)).json(), (await ask(bank.http, bank.basic)).json()
    await bank.house.tokens.revoke(ACTOR, bank.issuer.id, first["jti"])
    assert await bank.house.tokens.find(first["access_token"]) is None
    assert await bank.house.tokens.find(second["access_token"]) is not None
    await bank.house.clients.disable(ACTOR, bank.issuer.id, bank.client_id)
    await asyncio.sleep(0.6)
    assert await bank.house.tokens.find(second["access_token"]) is None


async def test_a_firms_client_gets_no_passport(application: tuple[House, Edge]):
    house, edge = application
    firm = await house.firms.create(ACTOR, "Mulberry & Co")
    made = await house.clients.create(ACTOR, firm.id, "case system", [Scope.FUNDS_READ])
    async with caller(edge) as http:
        assert (await ask(http, basic(made.client_id, secret_of(made)))).status_code == 401
        wanted = {"grant_type": "client_credentials", "client_id": made.client_id, "client_secret": secret_of(made)}
        assert (await http.post("/token", json=wanted)).status_code == 200


def secret_of(client: NewClient) -> str:
    assert client.secret is not None
    return client.secret.reveal()


async def test_a_client_that_asks_without_end_is_slowed_down(bank: Bank, shared_database: Any):
    owner = await asyncpg.connect(shared_database.dsn)
    key = bank.house.vault.hash("limit", PER_CLIENT.name, bank.client_id)
    assert (await ask(bank.http, bank.basic)).status_code == 200
    await owner.execute("UPDATE rate_windows SET used = $2 WHERE key_hash = $1", key, PER_CLIENT.at_most)
    answer = await ask(bank.http, bank.basic)
    await owner.close()
    assert (answer.status_code, answer.json()["code"]) == (429, "TooManyRequests")
    assert int(answer.headers["retry-after"]) > 0


async def test_production_refuses_the_printed_client(printed_bank: Bank, application: tuple[House, Edge]):

    house = printed_bank.house
    strict = ClientAuthentication(house.db, house.vault, "https://pay.example.com")
    with pytest.raises(InvalidClient):
        await strict.authenticate(Credentials(printed_bank.client_id, Secret("secret")), "192.0.2.9")
    with pytest.raises(SettingsError, match="document prints"):
        await refuse_printed_client(house)


async def test_many_at_once_get_a_token_each(bank: Bank):
    answers = await asyncio.gather(*(ask(bank.http, bank.basic) for _ in range(40)))
    assert {answer.status_code for answer in answers} == {200}
    assert len({answer.json()["access_token"] for answer in answers}) == 40


async def test_a_token_bound_to_a_certificate_is_not_given_without_it(application: tuple[House, Edge], bank: Bank):
    made = await bank.house.clients.create(
        ACTOR, bank.issuer.id, "by certificate", [Scope.SAFETOKEN_ENROL], certificate_hash=bytes(32)
    )
    assert (await ask(bank.http, basic(made.client_id, ""))).status_code == 401
