"""The connector against npm's oidc-provider in FAPI mode: an authorisation server that strangers wrote, over mutual TLS.

The resources beside it are the test's own small bank, which asks the server about every token (RFC 7662) and checks that the
certificate on the line is the one that the token is bound to (RFC 8705).
"""

from __future__ import annotations

import asyncio
import dataclasses
import hashlib
import html
import json
import re
import ssl
import time
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import httpx
import jwt
import pytest
from cryptography.hazmat.primitives import serialization
from foreign_bank import PREFIX, PS256, Asked, Certificates, ForeignBank, b64, half_hash, hmac_token, jwk_of

from strongroom.banking.port import AccessOrder, BankRefused, Code, CustomerContext, Declined, PaymentStatus
from strongroom.banking.registry import Registry

NODE = Path(__file__).parents[1] / "node"
SECRET = "between-the-resources-and-their-authorisation-server"
FIELD = re.compile(r'<input type="hidden" name="([^"]+)" value="([^"]*)"\s*/?>')
POSTED = (["code id_token"], "with an id_token")
SIGNED = (["code"], "signed as a whole")
PUSHED = (["code id_token"], "pushed first")

pytestmark = [
    pytest.mark.needs("node"),
    pytest.mark.skipif(not (NODE / "node_modules/oidc-provider").exists(), reason="npm install has not run in tests/node"),
]


class Resources(ForeignBank):
    """The resource endpoints of a bank whose tokens another server issues."""

    authority = ""
    http: httpx.Client

    def right(self, asked: Asked) -> dict:
        """Return what the token may do, by the authorisation server's own word."""
        token = asked.headers["authorization"].removeprefix("Bearer ")
        form = {"token": token, "client_id": "resources", "client_secret": SECRET}
        found = self.http.post(f"{self.authority}/token/introspection", data=form).json()
        assert found["active"] is True, found
        assert found["cnf"]["x5t#S256"] == b64(hashlib.sha256(asked.certificate).digest())
        if "consent_id" not in found:
            return {"scope": found["scope"], "grant": "client"}
        self.consents[found["consent_id"]]["Status"] = "AUTH"
        return {"scope": found["scope"], "grant": "customer", "consent_id": found["consent_id"]}


def private_jwk(key, kid: str) -> dict:
    """Without `key_ops`, which oidc-provider would publish with the public half, as for signing only."""
    parts = {name: value for name, value in PS256.to_jwk(key, as_dict=True).items() if name != "key_ops"}
    return {**parts, "kid": kid, "use": "sig", "alg": "PS256"}


@pytest.fixture(params=[POSTED, SIGNED, PUSHED], ids=lambda param: param[1])
def manner(request) -> dict[str, Any]:
    return {"response_types": request.param[0], "demands_pushes": request.param is PUSHED}


@pytest.fixture
async def banks(certificates: Certificates, rsa_keys, manner, order) -> AsyncIterator[tuple[Resources, Resources]]:
    """Two banks, `oak` and `elm`: one process of oidc-provider with an issuer for each, and their resources."""
    folder = certificates.folder
    trusting = ssl.create_default_context(cafile=str(folder / "ca.pem"))
    with httpx.Client(verify=trusting, trust_env=False) as http:
        both = tuple(Resources(name, key, rsa_keys[0].public_key()) for name, key in (("oak", rsa_keys[1]), ("elm", rsa_keys[2])))
        described = [
            {"name": each.organisation_id, "keys": [private_jwk(each.key, each.kid)], "client_id": each.client_id}
            | {"client_key": {**jwk_of(rsa_keys[0], "ours"), "alg": "PS256"}, "redirect_uri": order.back.redirect_uri}
            | {"secret": SECRET, **manner}
            for each in both
        ]
        tls = {"key": "server.key", "cert": "server.pem", "ca": "ca.pem"}
        asked = {"banks": described, "tls": {name: (folder / file).read_text() for name, file in tls.items()}}
        node = await asyncio.create_subprocess_exec(
            "node", str(NODE / "foreign_authorisation_server.mjs"), stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE
        )
        node.stdin.write(json.dumps(asked).encode() + b"\n")
        issuers = json.loads(await asyncio.wait_for(node.stdout.readline(), 30))
        for each, issuer in zip(both, issuers, strict=True):
            await each.start(certificates)
            each.authority, each.http = issuer, http
        yield both
        for each in both:
            await each.stop()
        node.stdin.close()
        await asyncio.wait_for(node.wait(), 15)


@pytest.fixture
def oak(banks) -> Resources:
    return banks[0]


@pytest.fixture
async def ours(certificates: Certificates, directory: dict, banks) -> AsyncIterator[Registry]:
    entries = [
        {**entry, "issuer": each.authority, "resource_base": f"{each.issuer}{PREFIX}", "answer_timeout_seconds": 20.0}
        for entry, each in zip(directory["banks"], banks, strict=True)
    ]
    path = certificates.folder / "tpp-of-oidc-provider.json"
    path.write_text(json.dumps({**directory, "banks": entries}))
    async with Registry(path) as registry:
        yield registry


async def agree(url: str, ca: Path) -> dict[str, str]:
    """Follow the authorisation URL as a browser does, until it leads back to the firm; return the fields that come along."""
    trusting = ssl.create_default_context(cafile=str(ca))
    async with httpx.AsyncClient(verify=trusting, trust_env=False) as browser:
        answer = await browser.get(url)
        while answer.is_redirect and urlsplit(answer.headers["location"]).hostname != "firm.example":
            answer = await browser.get(answer.url.join(answer.headers["location"]))
    if answer.is_redirect:
        return dict(parse_qsl(urlsplit(answer.headers["location"]).query))
    assert answer.status_code == 200, answer.text
    return {html.unescape(name): html.unescape(value) for name, value in FIELD.findall(answer.text)}


@pytest.fixture
def come_back(certificates: Certificates, ours):
    async def back(authorising, bank: str = "oak") -> dict[str, str]:
        way = authorising.url or await ours.get_bank(bank).push_request(authorising.memory)
        return await agree(way, certificates.folder / "ca.pem")

    return back


async def test_a_payment_goes_the_whole_way(ours, oak, order, come_back):
    bank = ours.get_bank("oak")
    authorising = await bank.request_payment(order)
    code = await bank.accept_return(authorising.memory, await come_back(authorising))
    assert isinstance(code, Code), code
    grant = await bank.exchange(authorising.memory, code)
    report = await bank.submit_payment(authorising.memory, grant)
    assert report.status is PaymentStatus.PENDING
    assert (await bank.submit_payment(authorising.memory, grant)).bank_payment_id == report.bank_payment_id
    assert len(oak.payments) == 1
    assert (await bank.payment_report(authorising.memory, report.bank_payment_id)).status is PaymentStatus.PENDING


async def test_an_account_is_shared_the_whole_way(ours, oak, order, come_back, clock):
    oak.account_pages = [[{"AccountId": "a1", "Currency": "GBP", "AccountTypeCode": "CACC", "Account": [
        {"SchemeName": "UK.OBIE.SortCodeAccountNumber", "Identification": "11223312345678", "Name": "A Payer"}]}]]  # fmt: skip
    bank = ours.get_bank("oak")
    authorising = await bank.request_access(AccessOrder(datetime.now(UTC) + timedelta(hours=1), order.back))
    code = await bank.accept_return(authorising.memory, await come_back(authorising))
    assert isinstance(code, Code), code
    grant = await bank.exchange(authorising.memory, code)
    (account,) = await bank.read_accounts(authorising.memory, grant, CustomerContext("192.0.2.7", "Browser"))
    assert account.name == "A Payer"


async def test_a_code_is_exchanged_once(ours, order, come_back):
    bank = ours.get_bank("oak")
    authorising = await bank.request_payment(order)
    code = await bank.accept_return(authorising.memory, await come_back(authorising))
    await bank.exchange(authorising.memory, code)
    with pytest.raises(BankRefused) as caught:
        await bank.exchange(authorising.memory, code)
    assert caught.value.code == "invalid_grant"


def claims_of(token: str) -> dict:
    return jwt.decode(token, options={"verify_signature": False})


class Forger:
    """Whoever holds the bank's key or not, and bends a right answer of oidc-provider's in one place."""

    def __init__(self, bank: Resources, other: Resources) -> None:
        self.bank = bank
        self.other = other

    def signed(self, claims: dict, *, kid: str | None = None) -> str:
        return jwt.encode(claims, self.bank.key, "PS256", {"kid": kid or self.bank.kid})

    def unsigned(self, claims: dict) -> str:
        return jwt.encode(claims, None, "none", {"kid": self.bank.kid})

    def hashed_with_the_public_key(self, claims: dict) -> str:
        public = self.bank.key.public_key()
        return hmac_token(
            claims, public.public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo), self.bank.kid
        )

    def of_an_unknown_key(self, claims: dict) -> str:
        return self.signed(claims, kid="never-published")

    def by_the_other_bank(self, claims: dict) -> str:
        return jwt.encode(claims, self.other.key, "PS256", {"kid": self.bank.kid})


@pytest.fixture
def forger(banks) -> Forger:
    return Forger(*banks)


@pytest.fixture
async def authorising(ours, order):
    return await ours.get_bank("oak").request_payment(order)


WRONG_CLAIMS = {
    "nonce": lambda _: "another",
    "c_hash": lambda _: half_hash("another"),
    "s_hash": lambda _: half_hash("another"),
    "openbanking_intent_id": lambda _: "payments-99",
    "exp": lambda _: int(time.time()) - 120,
    "iss": lambda forger: forger.other.authority,
    "acr": lambda _: "urn:openbanking:psd2:ca",
    "aud": lambda _: "client-2",
}
WRONG_SIGNATURES = ["unsigned", "hashed_with_the_public_key", "of_an_unknown_key", "by_the_other_bank"]


@pytest.mark.parametrize("manner", [POSTED], ids=["posted"], indirect=True)
class TestPostedAnswers:
    """`code id_token`: the detached id_token is judged before the code is used."""

    async def test_the_token_signed_again_unchanged_is_believed(self, ours, authorising, come_back, forger):
        fields = await come_back(authorising)
        fields["id_token"] = forger.signed(claims_of(fields["id_token"]))
        assert isinstance(await ours.get_bank("oak").accept_return(authorising.memory, fields), Code)

    @pytest.mark.parametrize("name", WRONG_CLAIMS)
    async def test_a_wrong_or_missing_claim_is_refused_by_its_name(self, ours, authorising, come_back, forger, name):
        fields = await come_back(authorising)
        right = claims_of(fields["id_token"])
        assert name in right
        missing = {key: value for key, value in right.items() if key != name}
        for bent in ({**right, name: WRONG_CLAIMS[name](forger)}, missing):
            ended = await ours.get_bank("oak").accept_return(authorising.memory, {**fields, "id_token": forger.signed(bent)})
            assert isinstance(ended, Declined)
            assert (ended.code, ended.detail.split()[0]) == ("invalid_return", name)

    @pytest.mark.parametrize("name", WRONG_SIGNATURES)
    async def test_a_wrong_signature_is_refused(self, ours, authorising, come_back, forger, name):
        fields = await come_back(authorising)
        fields["id_token"] = getattr(forger, name)(claims_of(fields["id_token"]))
        await refused(ours, authorising, fields)

    async def test_a_wrong_state_is_refused(self, ours, authorising, come_back):
        fields = await come_back(authorising)
        await refused(ours, authorising, {**fields, "state": "another"})

    async def test_the_code_of_another_attempt_is_refused(self, ours, order, authorising, come_back):
        other_order = dataclasses.replace(order, consent_idempotency_key="consent-key-2")
        other = await ours.get_bank("oak").request_payment(other_order)
        fields, others = await come_back(authorising), await come_back(other)
        await refused(ours, authorising, {**fields, "code": others["code"]})
        await refused(ours, authorising, others)


@pytest.mark.parametrize("manner", [SIGNED], ids=["signed"], indirect=True)
class TestSignedAnswers:
    """JARM: the answer as a whole is signed; nonce and intent are judged at the exchange."""

    @pytest.mark.parametrize("name", ["iss", "exp", "aud", "state"])
    async def test_a_wrong_or_missing_claim_is_refused(self, ours, authorising, come_back, forger, name):
        right = claims_of((await come_back(authorising))["response"])
        missing = {key: value for key, value in right.items() if key != name}
        for bent in ({**right, name: WRONG_CLAIMS.get(name, lambda _: "another")(forger)}, missing):
            await refused(ours, authorising, {"response": forger.signed(bent)})

    @pytest.mark.parametrize("name", WRONG_SIGNATURES)
    async def test_a_wrong_signature_is_refused(self, ours, authorising, come_back, forger, name):
        right = claims_of((await come_back(authorising))["response"])
        await refused(ours, authorising, {"response": getattr(forger, name)(right)})

    async def test_its_fields_bare_are_refused(self, ours, authorising, come_back):
        inside = claims_of((await come_back(authorising))["response"])
        await refused(ours, authorising, {name: str(value) for name, value in inside.items()})

    async def test_the_code_of_another_attempt_ends_at_the_exchange(self, ours, order, authorising, come_back, forger):
        other_order = dataclasses.replace(order, consent_idempotency_key="consent-key-2")
        other = await ours.get_bank("oak").request_payment(other_order)
        mine, theirs = [claims_of((await come_back(each))["response"]) for each in (authorising, other)]
        bank = ours.get_bank("oak")
        code = await bank.accept_return(authorising.memory, {"response": forger.signed({**mine, "code": theirs["code"]})})
        with pytest.raises(BankRefused):
            await bank.exchange(authorising.memory, code)


async def test_an_answer_of_the_other_bank_is_refused(ours, order, authorising, come_back):
    """Mix-up (RFC 9207): both banks are honest about themselves, and the customer comes back from the wrong one."""
    other = await ours.get_bank("elm").request_payment(dataclasses.replace(order, consent_idempotency_key="consent-key-2"))
    fields = await come_back(other, "elm")
    await refused(ours, authorising, fields)
    assert isinstance(await ours.get_bank("elm").accept_return(other.memory, fields), Code)


@pytest.mark.parametrize("manner", [PUSHED], ids=["pushed"], indirect=True)
async def test_a_pushed_request_is_used_once_and_the_next_push_leads_to_the_bank_again(ours, oak, authorising, certificates):
    bank, ca = ours.get_bank("oak"), certificates.folder / "ca.pem"
    assert authorising.url is None
    way = await bank.push_request(authorising.memory)
    assert isinstance(await bank.accept_return(authorising.memory, await agree(way, ca)), Code)
    async with httpx.AsyncClient(verify=ssl.create_default_context(cafile=str(ca)), trust_env=False) as browser:
        assert "error=invalid_request_uri" in (await browser.get(way)).headers["location"]
    again = await agree(await bank.push_request(authorising.memory), ca)
    code = await bank.accept_return(authorising.memory, again)
    assert isinstance(code, Code)
    await bank.submit_payment(authorising.memory, await bank.exchange(authorising.memory, code))
    assert len(oak.consents) == len(oak.payments) == 1


async def refused(ours: Registry, authorising, fields: dict[str, str]) -> None:
    ended = await ours.get_bank("oak").accept_return(authorising.memory, fields)
    assert isinstance(ended, Declined), ended
    assert ended.code == "invalid_return"
