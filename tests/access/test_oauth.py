import asyncio
import time
from typing import Any, cast

import asyncpg
import httpx
import pytest
from cryptography.hazmat.primitives import hashes

from strongroom.access.authentication import ClientAuthentication
from strongroom.access.errors import InvalidClient
from strongroom.access.model import Credentials, Firm, NewClient, Scope
from strongroom.kit.crypto import Secret
from tests.access.conftest import ACTOR, ALL, BASE, House, bearer, grant, make_certificate, move_clock, secret_of, shown, token_of
from tests.faults.kill import Fuse, KillingDatabase


async def test_the_documents_own_call_gets_a_token_that_authconfirm_accepts(
    web: httpx.AsyncClient, api_client: NewClient, firm: Firm
):
    answer = await web.post("/token", json=grant(api_client))
    assert answer.status_code == 200
    issued = answer.json()
    assert (issued["token_type"], issued["expires_in"]) == ("Bearer", 3600)
    assert set(issued["scope"].split()) == set(ALL)
    assert answer.headers["cache-control"] == "no-store"
    confirmed = await web.get("/api/1.0/authConfirm", headers=bearer(issued["access_token"]))
    assert confirmed.json() == {"status": "ok", "firm": {"id": firm.id, "name": firm.name}, "scopes": sorted(ALL)}


@pytest.mark.parametrize("content_type", ["application/json", "application/x-www-form-urlencoded", "text/plain"])
async def test_json_is_read_whatever_the_content_type_says(web: httpx.AsyncClient, api_client: NewClient, content_type: str):
    body = httpx.Request("POST", BASE, json=grant(api_client)).content
    answer = await web.post("/token", content=body, headers={"content-type": content_type})
    assert answer.status_code == 200


async def test_form_and_basic_are_accepted_too_and_unknown_parameters_ignored(web: httpx.AsyncClient, api_client: NewClient):
    assert (await web.post("/token", data=grant(api_client, audience="x"))).status_code == 200
    auth = (api_client.client_id, secret_of(api_client))
    assert (await web.post("/token", data={"grant_type": "client_credentials"}, auth=auth)).status_code == 200
    assert (await web.post("/token", json={"grant_type": "client_credentials", "resource": "y"}, auth=auth)).status_code == 200


@pytest.mark.parametrize(
    ("body", "status", "error"),
    [
        ({}, 400, "invalid_request"),
        ({"grant_type": "password"}, 400, "unsupported_grant_type"),
        ({"grant_type": "client_credentials"}, 401, "invalid_client"),
        ({"grant_type": "client_credentials", "client_id": "cli-0000000", "client_secret": "x"}, 401, "invalid_client"),
        ({"grant_type": 5}, 400, "invalid_request"),
    ],
)
async def test_errors_have_the_form_of_rfc_6749(web: httpx.AsyncClient, body: dict[str, Any], status: int, error: str):
    answer = await web.post("/token", json=body)
    assert (answer.status_code, answer.json()["error"]) == (status, error)
    assert answer.json().keys() == {"error", "error_description"}
    assert answer.headers["cache-control"] == "no-store"
    assert ("www-authenticate" in answer.headers) is (status == 401)


@pytest.mark.parametrize("body", [b"", b"{", b'{"grant_type":"a","grant_type":"b"}', b"grant_type=a&grant_type=b", b"\xff\xfe=1"])
async def test_unreadable_and_repeated_parameters_are_invalid_requests(web: httpx.AsyncClient, body: bytes):
    answer = await web.post("/token", content=body)
    assert (answer.status_code, answer.json()["error"]) == (400, "invalid_request")


async def test_two_ways_to_authenticate_at_once_are_refused(web: httpx.AsyncClient, api_client: NewClient):
    answer = await web.post("/token", data=grant(api_client), auth=(api_client.client_id, secret_of(api_client)))
    assert answer.json()["error"] == "invalid_request"


async def test_a_401_to_basic_answers_in_kind(web: httpx.AsyncClient, api_client: NewClient):
    answer = await web.post("/token", data={"grant_type": "client_credentials"}, auth=(api_client.client_id, "wrong"))
    assert answer.status_code == 401
    assert answer.headers["www-authenticate"].startswith("Basic")


async def test_scopes_asked_for_are_granted_and_others_refused(house: House, web: httpx.AsyncClient, firm: Firm):
    client = await house.clients.create(ACTOR, firm.id, "reader", [Scope.FUNDS_READ, Scope.WEBHOOKS_MANAGE])
    answer = await web.post("/token", json=grant(client, scope="funds:read"))
    assert answer.json()["scope"] == "funds:read"
    for scope in ("funds:write", "funds:read nonsense"):
        assert (await web.post("/token", json=grant(client, scope=scope))).json()["error"] == "invalid_scope"


async def test_a_route_needs_its_scope(house: House, web: httpx.AsyncClient, firm: Firm, api_client: NewClient):
    reader = await house.clients.create(ACTOR, firm.id, "reader", [Scope.FUNDS_READ])
    refused = await web.get("/write", headers=bearer(await token_of(web, reader)))
    assert (refused.status_code, refused.json()["code"]) == (403, "insufficient_scope")
    narrow = await token_of(web, api_client, scope="funds:read")
    assert (await web.get("/write", headers=bearer(narrow))).status_code == 403
    allowed = await web.get("/write", headers=bearer(await token_of(web, api_client)))
    assert (allowed.status_code, allowed.text) == (200, f"client:{api_client.client_id}")


@pytest.mark.parametrize(
    "header", [None, "", "Bearer", "Bearer ", "Basic abc", "Bearer nonsense", "Bearer " + "a" * 5000, "Bearer \xff"]
)
async def test_no_token_and_no_token_of_ours_are_401(web: httpx.AsyncClient, header: str | None):
    headers = [(b"authorization", header.encode("latin-1"))] if header is not None else []
    answer = await web.get("/api/1.0/authConfirm", headers=headers)
    assert (answer.status_code, answer.json()["code"]) == (401, "invalid_token")
    assert answer.headers["www-authenticate"].startswith("Bearer")


async def test_a_token_elsewhere_or_twice_does_not_count(web: httpx.AsyncClient, api_client: NewClient):
    token = await token_of(web, api_client)
    assert (await web.get(f"/api/1.0/authConfirm?access_token={token}")).status_code == 401
    twice = [("authorization", f"Bearer {token}"), ("authorization", f"Bearer {token}")]
    assert (await web.get("/api/1.0/authConfirm", headers=twice)).status_code == 401


async def test_what_is_no_access_token_is_never_taken_for_one(
    web: httpx.AsyncClient, api_client: NewClient, house: House, firm: Firm
):
    issued = await house.tokens.create_static(ACTOR, firm.id, api_client.client_id, "nightly", [Scope.FUNDS_READ])
    unsigned = "eyJhbGciOiJub25lIn0.eyJzdWIiOiJjbGkteCIsInNjb3BlIjoiZnVuZHM6d3JpdGUifQ."
    for confused in (secret_of(api_client), api_client.client_id, issued.id, unsigned, firm.id):
        assert (await web.get("/api/1.0/authConfirm", headers=bearer(confused))).status_code == 401
        answer = await web.post("/token", json=grant(api_client) | {"client_secret": issued.token.reveal()})
        assert answer.json()["error"] == "invalid_client"


async def test_a_token_ends_after_an_hour(web: httpx.AsyncClient, api_client: NewClient, owner: asyncpg.Connection):
    token = await token_of(web, api_client)
    await move_clock(owner, seconds=3595)
    assert (await web.get("/api/1.0/authConfirm", headers=bearer(token))).status_code == 200
    await move_clock(owner, seconds=3601)
    await asyncio.sleep(0.6)
    assert (await web.get("/api/1.0/authConfirm", headers=bearer(token))).status_code == 401


async def test_a_static_token_has_no_end_and_is_listed_and_revoked(
    house: House, web: httpx.AsyncClient, firm: Firm, api_client: NewClient, owner: asyncpg.Connection
):
    issued = await house.tokens.create_static(ACTOR, firm.id, api_client.client_id, "nightly", [Scope.FUNDS_READ])
    await move_clock(owner, days=4000)
    assert (await web.get("/api/1.0/authConfirm", headers=bearer(issued.token.reveal()))).status_code == 200
    assert [token.name for token in await house.tokens.list_static(firm.id)] == ["nightly"]
    await house.tokens.revoke(ACTOR, firm.id, issued.id)
    assert (await web.get("/api/1.0/authConfirm", headers=bearer(issued.token.reveal()))).status_code == 401


async def test_revocation_holds_at_once_here_and_within_a_second_elsewhere(
    web: httpx.AsyncClient, api_client: NewClient, other_process: House
):
    token = await token_of(web, api_client)
    async with other_process.client() as elsewhere:
        assert (await elsewhere.get("/api/1.0/authConfirm", headers=bearer(token))).status_code == 200
        assert (await web.post("/oauth/revoke", data=grant(api_client, token=token))).status_code == 200
        revoked_at = time.monotonic()
        assert (await web.get("/api/1.0/authConfirm", headers=bearer(token))).status_code == 401
        while (await elsewhere.get("/api/1.0/authConfirm", headers=bearer(token))).status_code == 200:
            assert time.monotonic() - revoked_at < 1
            await asyncio.sleep(0.02)


async def test_disabling_a_client_ends_its_tokens_and_its_secret(
    house: House, web: httpx.AsyncClient, firm: Firm, api_client: NewClient, other_process: House
):
    token = await token_of(web, api_client)
    await house.clients.disable(ACTOR, firm.id, api_client.client_id)
    await asyncio.sleep(0.6)
    assert (await web.get("/api/1.0/authConfirm", headers=bearer(token))).status_code == 401
    async with other_process.client() as elsewhere:
        assert (await elsewhere.get("/api/1.0/authConfirm", headers=bearer(token))).status_code == 401
        assert (await elsewhere.post("/token", json=grant(api_client))).json()["error"] == "invalid_client"


async def test_only_its_own_client_revokes_a_token_and_only_its_own_firm_learns_of_it(
    house: House, web: httpx.AsyncClient, api_client: NewClient
):
    token = await token_of(web, api_client)
    stranger_firm = await house.firms.create(ACTOR, "Stranger LLP")
    stranger = await house.clients.create(ACTOR, stranger_firm.id, "x", ALL)
    assert (await web.post("/oauth/revoke", data=grant(stranger, token=token))).status_code == 200
    assert (await web.post("/oauth/introspect", data=grant(stranger, token=token))).json() == {"active": False}
    own = (await web.post("/oauth/introspect", data=grant(api_client, token=token))).json()
    assert own["active"] is True
    assert own["client_id"] == api_client.client_id
    assert own["exp"] - own["iat"] == 3600


async def test_two_secrets_are_valid_while_they_rotate(
    house: House, web: httpx.AsyncClient, firm: Firm, api_client: NewClient, owner: asyncpg.Connection
):
    fresh = await house.clients.rotate_secret(ACTOR, firm.id, api_client.client_id, overlap_seconds=3600)
    rotated = grant(api_client) | {"client_secret": fresh.reveal()}
    assert (await web.post("/token", json=grant(api_client))).status_code == 200
    assert (await web.post("/token", json=rotated)).status_code == 200
    await move_clock(owner, seconds=3601)
    await asyncio.sleep(0.6)
    assert (await web.post("/token", json=grant(api_client))).status_code == 401
    assert (await web.post("/token", json=rotated)).status_code == 200


async def test_a_secret_can_be_ended_at_once(house: House, web: httpx.AsyncClient, firm: Firm, api_client: NewClient):
    (secret,) = await house.clients.list_secrets(firm.id, api_client.client_id)
    await house.clients.expire_secret(ACTOR, firm.id, api_client.client_id, secret.id)
    assert (await web.post("/token", json=grant(api_client))).status_code == 401


async def test_failures_are_limited_per_client_and_address_and_the_right_secret_still_passes(
    web: httpx.AsyncClient, api_client: NewClient, house: House
):
    wrong = grant(api_client) | {"client_secret": "wrong"}
    answers = [(await web.post("/token", json=wrong)) for _ in range(25)]
    assert [answer.status_code for answer in answers] == [401] * 20 + [429] * 5
    assert int(answers[-1].headers["retry-after"]) > 0
    assert (await web.post("/token", json=grant(api_client))).status_code == 200
    async with house.client("192.0.2.77") as another:
        assert (await another.post("/token", json=wrong)).status_code == 401


async def test_a_wrong_id_and_a_wrong_secret_get_the_same_answer(house: House, api_client: NewClient):
    texts: set[str] = set()
    async with house.client() as web:
        await web.post("/token", json=grant(api_client))  # the known one is in the cache, as in daily work
        for client_id in (api_client.client_id, "cli-0000000000000"):
            wrong = await web.post("/token", json=grant(api_client) | {"client_id": client_id, "client_secret": "wrong"})
            texts.add(f"{wrong.status_code} {sorted(wrong.headers)} {wrong.text}")
    assert len(texts) == 1


async def test_a_wrong_id_and_a_wrong_secret_cost_the_same_work(house: House, api_client: NewClient):
    fuse = Fuse()
    judge = ClientAuthentication(cast("Any", KillingDatabase(house.db, fuse)), house.vault, BASE)
    await judge.authenticate(Credentials(api_client.client_id, api_client.secret), "192.0.2.1")
    work: list[list[str]] = []
    for client_id in (api_client.client_id, "cli-0000000000000"):
        fuse.names.clear()
        with pytest.raises(InvalidClient):
            await judge.authenticate(Credentials(client_id, Secret("wrong")), "192.0.2.1")
        work.append(list(fuse.names))
    assert work[0] == work[1]
    assert len(work[0]) > 8


async def test_a_client_with_a_certificate_must_show_it_and_its_tokens_need_it(house: House, firm: Firm):
    certificate, other = make_certificate(), make_certificate()
    thumbprint = certificate.fingerprint(hashes.SHA256())
    client = await house.clients.create(ACTOR, firm.id, "tls", ALL, certificate_hash=thumbprint)
    assert client.secret is None
    body = {"grant_type": "client_credentials", "client_id": client.client_id}
    async with house.client("192.0.2.1") as proxy, house.client() as stranger:
        assert (await stranger.post("/token", data=body, headers=shown(certificate))).status_code == 401
        assert (await proxy.post("/token", data=body)).status_code == 401
        assert (await proxy.post("/token", data=body, headers=shown(other))).status_code == 401
        token = (await proxy.post("/token", data=body, headers=shown(certificate))).json()["access_token"]
        confirm = "/api/1.0/authConfirm"
        assert (await proxy.get(confirm, headers=bearer(token) | shown(certificate))).status_code == 200
        assert (await proxy.get(confirm, headers=bearer(token) | shown(other))).status_code == 401
        assert (await proxy.get(confirm, headers=bearer(token))).status_code == 401
        assert (await stranger.get(confirm, headers=bearer(token) | shown(certificate))).status_code == 401


async def test_the_metadata_names_the_endpoints_that_exist(web: httpx.AsyncClient):
    metadata = (await web.get("/.well-known/oauth-authorization-server")).json()
    assert metadata["issuer"] == BASE
    for name in ("token_endpoint", "revocation_endpoint", "introspection_endpoint"):
        assert (await web.post(metadata[name].removeprefix(BASE))).status_code in (400, 401)


async def test_no_secret_and_no_token_is_stored_or_audited_in_the_clear(
    house: House, web: httpx.AsyncClient, firm: Firm, api_client: NewClient, owner: asyncpg.Connection
):
    token = await token_of(web, api_client)
    static = await house.tokens.create_static(ACTOR, firm.id, api_client.client_id, "nightly", [Scope.FUNDS_READ])
    tables = [row[0] for row in await owner.fetch("SELECT tablename FROM pg_tables WHERE schemaname = 'public'")]
    stored = "".join([str(await owner.fetch(f"SELECT t::text FROM {table} t")) for table in tables])  # the whole database
    assert api_client.client_id in stored  # the search finds what is there
    for secret in (token, static.token.reveal(), secret_of(api_client)):
        assert secret not in stored
        assert secret.encode().hex() not in stored
    assert secret_of(api_client) not in repr((api_client, static))
