import json
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import quote

import asyncpg
import httpx
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import NameOID
from litestar import Litestar, Request, get, post
from litestar.params import FromPath, FromQuery, RawBody

from strongroom.kit.edge import Edge
from strongroom.kit.errors import FieldError, Invalid, TooMany, Unauthorised
from strongroom.kit.http import Front, facts
from strongroom.kit.metrics import exposition
from strongroom.kit.problems import exception_handlers

ERRORS = {
    "refused": Invalid("Two things are wrong", errors=(FieldError("/amount", "must be more than 0"),)),
    "anonymous": Unauthorised(),
    "often": TooMany(retry_after_seconds=7),
    "locked": asyncpg.LockNotAvailableError("x"),
    "slow": asyncpg.QueryCanceledError("x"),
    "broken": RuntimeError("secret text"),
}


@get("/fails/{kind:str}")
async def fails(kind: FromPath[str]) -> None:
    raise ERRORS[kind]


@post("/echo")
async def echo(body: RawBody) -> str:
    return body.decode()


@get("/typed")
async def typed(limit: FromQuery[int]) -> int:
    return limit


@get("/facts")
async def show(request: Request[Any, Any, Any]) -> dict[str, Any]:
    found = facts(request.scope)
    return {"address": found.client_address, "certificate": found.certificate_hash.hex() if found.certificate_hash else None}


def make_edge(front: Front) -> Edge:
    app = Litestar(
        [fails, echo, typed, show], exception_handlers=exception_handlers(), openapi_config=None, request_max_body_size=1024
    )
    return Edge(app, front, over_https=True)


def client_for(edge: Any, address: str = "192.0.2.9") -> httpx.AsyncClient:
    return httpx.AsyncClient(transport=httpx.ASGITransport(edge, client=(address, 1)), base_url="http://strongroom")


@pytest.fixture
async def client() -> AsyncIterator[httpx.AsyncClient]:
    async with client_for(make_edge(Front())) as made:
        yield made


@pytest.fixture
async def behind_proxy() -> AsyncIterator[httpx.AsyncClient]:
    async with client_for(make_edge(Front(trusted_proxy="192.0.2.9"))) as made:
        yield made


@pytest.fixture(scope="module")
def certificate() -> x509.Certificate:
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "client")])
    now = datetime.now(UTC)
    builder = x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(key.public_key()).serial_number(1)
    return builder.not_valid_before(now).not_valid_after(now + timedelta(days=1)).sign(key, hashes.SHA256())


@pytest.mark.parametrize(
    ("kind", "status", "code"),
    [
        ("refused", 422, "invalid"),
        ("anonymous", 401, "unauthorised"),
        ("often", 429, "too_many_requests"),
        ("locked", 409, "busy"),
        ("slow", 503, "overloaded"),
        ("broken", 500, "internal_error"),
    ],
)
async def test_every_refusal_is_a_problem_with_the_request_id(client: httpx.AsyncClient, kind: str, status: int, code: str):
    answer = await client.get(f"/fails/{kind}")
    problem = answer.json()
    assert (answer.status_code, problem["status"], problem["code"]) == (status, status, code)
    assert answer.headers["content-type"] == "application/problem+json"
    assert problem["request_id"] == answer.headers["x-request-id"]
    assert {"type", "title", "detail"} <= problem.keys()
    assert "secret text" not in answer.text


async def test_an_invalid_field_is_pointed_at(client: httpx.AsyncClient):
    problem = (await client.get("/fails/refused")).json()
    assert problem["errors"] == [{"pointer": "/amount", "detail": "must be more than 0"}]


async def test_the_headers_that_a_status_asks_for_are_there(client: httpx.AsyncClient):
    assert (await client.get("/fails/anonymous")).headers["www-authenticate"].startswith("Bearer")
    assert (await client.get("/fails/often")).headers["retry-after"] == "7"
    assert (await client.get("/fails/slow")).headers["retry-after"] == "1"


async def test_an_unknown_address_is_404_and_a_wrong_method_405_with_allow(client: httpx.AsyncClient):
    assert (await client.get("/nothing/here")).json()["code"] == "not_found"
    answer = await client.put("/echo")
    assert (answer.status_code, answer.headers["allow"]) == (405, "OPTIONS, POST")


async def test_a_parameter_that_does_not_read_is_422_and_not_echoed(client: httpx.AsyncClient):
    answer = await client.get("/typed?limit=evil<script>")
    assert answer.status_code == 422
    assert answer.json()["errors"][0]["pointer"] == "/limit"
    assert "evil" not in answer.text


@pytest.mark.parametrize("content_type", [None, "application/x-www-form-urlencoded", "text/plain", "multipart/form-data", "junk"])
async def test_a_body_is_bytes_whatever_its_content_type_says(client: httpx.AsyncClient, content_type: str | None):
    headers = {"content-type": content_type} if content_type else {}
    answer = await client.post("/echo", content=b'{"a":1}', headers=headers)
    assert (answer.status_code, answer.text) == (201, '{"a":1}')


async def test_a_body_over_the_limit_is_413_by_its_length_and_while_reading(client: httpx.AsyncClient):
    async def drip() -> AsyncIterator[bytes]:
        for _ in range(40):
            yield b"x" * 100

    assert (await client.post("/echo", content=b"x" * 1025)).json()["code"] == "too_large"
    assert (await client.post("/echo", content=drip())).json()["code"] == "too_large"
    assert (await client.post("/echo", content=b"x" * 1024)).status_code == 201


async def test_every_answer_has_security_headers(client: httpx.AsyncClient):
    for path in ("/facts", "/nothing", "/fails/broken"):
        headers = (await client.get(path)).headers
        assert headers["x-content-type-options"] == "nosniff"
        assert headers["cache-control"] == "no-store"
        assert "max-age" in headers["strict-transport-security"]


async def test_headers_of_a_proxy_do_not_count_from_anybody_else(client: httpx.AsyncClient, certificate: x509.Certificate):
    pem = quote(certificate.public_bytes(Encoding.PEM))
    answer = await client.get("/facts", headers={"x-forwarded-for": "198.51.100.1", "x-request-id": "abcdefgh", "client-cert": pem})
    assert answer.json() == {"address": "192.0.2.9", "certificate": None}
    assert answer.headers["x-request-id"] != "abcdefgh"


async def test_the_trusted_proxy_is_believed_and_only_its_own_address_entry(
    behind_proxy: httpx.AsyncClient, certificate: x509.Certificate
):
    pem = quote(certificate.public_bytes(Encoding.PEM))
    headers = {"x-forwarded-for": "203.0.113.66, 198.51.100.1", "x-request-id": "abcdefgh", "client-cert": pem}
    answer = await behind_proxy.get("/facts", headers=headers)
    assert answer.json() == {"address": "198.51.100.1", "certificate": certificate.fingerprint(hashes.SHA256()).hex()}
    assert answer.headers["x-request-id"] == "abcdefgh"


async def test_an_ill_formed_request_id_or_certificate_is_ignored(behind_proxy: httpx.AsyncClient):
    answer = await behind_proxy.get("/facts", headers={"x-request-id": "a b\tc", "client-cert": ":%%%:", "x-forwarded-for": "evil"})
    assert answer.headers["x-request-id"].startswith("req-")
    assert answer.json() == {"address": "192.0.2.9", "certificate": None}


async def test_requests_are_counted_by_template_and_never_by_address(client: httpx.AsyncClient):
    await client.get("/fails/refused")
    await client.get("/secret-grant-token")
    text = exposition().decode()
    assert 'route="/fails/{kind}"' in text.replace("{kind:str}", "{kind}")
    assert "secret-grant-token" not in text


async def test_what_escapes_the_application_is_still_a_500_problem():
    async def app(*_: Any) -> None:
        raise RuntimeError("secret text")

    async with client_for(Edge(app, Front(), over_https=False)) as client:
        answer = await client.get("/")
    assert answer.status_code == 500
    assert json.loads(answer.text)["request_id"] == answer.headers["x-request-id"]
    assert "secret text" not in answer.text
