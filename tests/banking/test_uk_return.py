"""What comes back with the customer is believed only when every signature, hash and name in it is right."""

from __future__ import annotations

import dataclasses
import json
from datetime import timedelta

import jwt
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from foreign_bank import Reply, half_hash, hmac_token, jwk_of

from strongroom.banking.port import BankRefused, BankSilent, BankUnavailable, Code
from strongroom.banking.returns import find_state


@pytest.fixture
async def authorising(registry, order):
    return await registry.get_bank("oak").request_payment(order)


@pytest.fixture
def come_back(registry, bank, authorising):
    """Let the customer agree, change the fields on the way, and hand them to the connector."""

    async def back(**changes):
        fields = {**bank.agree(authorising.url), **changes}
        shown = {name: value for name, value in fields.items() if value is not None}
        return await registry.get_bank("oak").accept_return(authorising.memory, shown)

    return back


async def test_a_right_return_yields_its_code(come_back):
    assert isinstance(await come_back(), Code)


async def test_a_bank_that_signs_tokens_with_es256_is_believed(registry, bank, order):
    key = ec.generate_private_key(ec.SECP256R1())
    bank.keys.append(jwk_of(key, "ec"))
    bank.sign_token = lambda claims: jwt.encode(claims, key, "ES256", {"kid": "ec"})
    ours = registry.get_bank("oak")
    authorising = await ours.request_payment(order)
    assert isinstance(await ours.accept_return(authorising.memory, bank.agree(authorising.url)), Code)


BROKEN_CLAIMS = {
    "nonce of another": {"nonce": "another"},
    "no nonce": {"nonce": None},
    "c_hash of another": {"c_hash": half_hash("another")},
    "no c_hash": {"c_hash": None},
    "s_hash of another": {"s_hash": half_hash("another")},
    "no s_hash": {"s_hash": None},
    "intent of another": {"openbanking_intent_id": "payments-99"},
    "no intent": {"openbanking_intent_id": None},
    "weak authentication": {"acr": "urn:openbanking:psd2:ca"},
    "no acr": {"acr": None},
    "expired": {"exp": timedelta(minutes=-2)},
    "no exp": {"exp": None},
    "exp not a number": {"exp": "9999999999"},
    "exp infinite": {"exp": float("inf")},
    "exp not even that": {"exp": float("nan")},
    "issued long ago": {"iat": timedelta(hours=-2)},
    "issued ahead": {"iat": timedelta(hours=1)},
    "other issuer": {"iss": "https://localhost/elm"},
    "no issuer": {"iss": None},
    "other audience": {"aud": "client-2"},
    "no audience": {"aud": None},
    "several audiences": {"aud": ["client-1", "client-2"]},
    "other authorised party": {"aud": ["client-1"], "azp": "client-2"},
    "lists for texts": {"nonce": ["a"], "acr": ["urn:openbanking:psd2:sca"]},
}


@pytest.mark.parametrize("name", BROKEN_CLAIMS)
async def test_an_id_token_that_breaks_a_rule_is_declined(come_back, bank, name):
    bank.token_changes = BROKEN_CLAIMS[name]
    assert (await come_back()).code == "invalid_return"


async def test_each_broken_rule_is_the_reason_for_its_refusal(come_back, bank):
    """So that no guard above is green only because another one fires."""
    for name in ("nonce", "c_hash", "s_hash", "openbanking_intent_id", "acr", "exp", "iss", "aud", "iat"):
        bank.token_changes = {name: None}
        assert (await come_back()).detail.startswith(name)


def public_pem(bank) -> bytes:
    return bank.key.public_key().public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)


BROKEN_SIGNATURES = {
    "alg none": lambda claims, bank, _: jwt.encode(claims, None, "none", {"kid": bank.kid}),
    "HS256 with the public key": lambda claims, bank, _: hmac_token(claims, public_pem(bank), bank.kid),
    "RS256": lambda claims, bank, _: jwt.encode(claims, bank.key, "RS256", {"kid": bank.kid}),
    "PS512": lambda claims, bank, _: jwt.encode(claims, bank.key, "PS512", {"kid": bank.kid}),
    "unknown kid": lambda claims, bank, _: jwt.encode(claims, bank.key, "PS256", {"kid": "who"}),
    "no kid": lambda claims, bank, _: jwt.encode(claims, bank.key, "PS256"),
    "a stranger's key": lambda claims, bank, stranger: jwt.encode(claims, stranger, "PS256", {"kid": bank.kid}),
    "key inside": lambda claims, _, stranger: jwt.encode(claims, stranger, "PS256", {"kid": "x", "jwk": jwk_of(stranger, "x")}),
    "crit unknown": lambda claims, bank, _: jwt.encode(claims, bank.key, "PS256", {"kid": bank.kid, "crit": ["x"], "x": 1}),
    "crit of known names": lambda claims, bank, _: jwt.encode(claims, bank.key, "PS256", {"kid": bank.kid, "crit": ["kid"]}),
    "crit a number": lambda claims, bank, _: jwt.encode(claims, bank.key, "PS256", {"kid": bank.kid, "crit": 3}),
}


@pytest.mark.parametrize("name", BROKEN_SIGNATURES)
async def test_an_id_token_signed_otherwise_is_declined(come_back, bank, rsa_keys, name):
    bank.sign_token = lambda claims: BROKEN_SIGNATURES[name](claims, bank, rsa_keys[3])
    assert (await come_back()).code == "invalid_return"


HOSTILE_FIELDS = {
    "state of another": {"state": "another"},
    "no state": {"state": None},
    "state with a lone surrogate": {"state": "\ud800"},
    "code of another": {"code": "another"},
    "code and error": {"error": "access_denied"},
    "empty code": {"code": ""},
    "code that is no ASCII": {"code": "\ud800é"},
    "no id_token": {"id_token": None},
    "empty id_token": {"id_token": ""},
    "two dots": {"id_token": ".."},
    "not base64": {"id_token": "ab!c.de.fg"},
    "header is a list": {"id_token": "W10.e30.YQ"},
    "header is deep": {"id_token": "W1tb" * 3000 + ".e30.YQ"},
    "id_token is no ASCII": {"id_token": "é.é.é"},
    "huge": {"id_token": "a" * 20_000},
    "issuer of another": {"iss": "https://localhost/elm"},
    "response that is no JARM": {"response": "a.b.c"},
    "many": {f"field-{n}": "x" for n in range(50)},
}


@pytest.mark.parametrize("name", HOSTILE_FIELDS)
async def test_a_hostile_return_is_declined_and_never_raises(come_back, name):
    assert (await come_back(**HOSTILE_FIELDS[name])).code == "invalid_return"


async def test_a_return_to_one_bank_with_another_banks_code_is_declined(registry, order, bank, other_bank):
    """Mix-up: the customer was lured to another bank with the same state, and its right answer comes to our attempt."""
    ours = registry.get_bank("oak")
    here = await ours.request_payment(order)
    there = await registry.get_bank("elm").request_payment(order)
    foreign = other_bank.agree(there.url)
    assert foreign["state"] == order.back.state
    assert (await ours.accept_return(here.memory, foreign)).code == "invalid_return"
    assert isinstance(await registry.get_bank("elm").accept_return(there.memory, foreign), Code)


async def test_a_return_of_another_attempt_at_the_same_bank_is_declined(registry, order, bank):
    ours = registry.get_bank("oak")
    mine = await ours.request_payment(order)
    theirs = await ours.request_payment(dataclasses.replace(order, consent_idempotency_key="consent-key-2"))
    assert (await ours.accept_return(mine.memory, bank.agree(theirs.url))).code == "invalid_return"


ENDINGS = {
    "cancelled": ({"error": "access_denied"}, "cancelled"),
    "not finished": ({"error": "access_denied", "error_description": "U036: timed out"}, "not_finished"),
    "cancelled with a code": ({"error": "access_denied", "error_description": "CUST: Requested"}, "cancelled"),
    "no money": ({"error": "access_denied", "error_description": "AM04: insufficient funds"}, "insufficient_funds"),
    "blocked account": ({"error": "access_denied", "error_description": "AC06"}, "AC06"),
    "bank trouble": ({"error": "server_error"}, "bank_error"),
    "a word of the bank's": ({"error": "login_required"}, "login_required"),
    "nonsense": ({"error": "<script>"}, "bank_error"),
    "empty error": ({"error": ""}, "bank_error"),
    "only state": ({}, "unsaid"),
}


@pytest.mark.parametrize("name", ENDINGS)
async def test_every_other_ending_has_a_code(registry, order, authorising, name):
    fields, code = ENDINGS[name]
    ended = await registry.get_bank("oak").accept_return(authorising.memory, {"state": order.back.state, **fields})
    assert ended.code == code


async def test_nothing_a_bank_says_reaches_a_page_unbounded(registry, order, authorising):
    fields = {"state": order.back.state, "error": "access_denied", "error_description": "<b>\r\n\x00" + "x" * 5000}
    ended = await registry.get_bank("oak").accept_return(authorising.memory, fields)
    assert len(ended.detail) <= 200
    assert ended.detail.isprintable()


class TestSignedAnswers:
    """JARM: the answer as a whole is a token of the bank's."""

    @pytest.fixture(autouse=True)
    def jarm(self, bank):
        bank.modes, bank.types = ["jwt"], ["code"]

    @pytest.mark.parametrize("change", [{"iss": "https://localhost/elm"}, {"aud": "client-2"}, {"exp": 1}, {"state": "another"}])
    async def test_a_wrong_claim_is_declined(self, registry, bank, authorising, change):
        right = bank.sign_token
        bank.sign_token = lambda claims: right({**claims, **change})
        ours = registry.get_bank("oak")
        assert (await ours.accept_return(authorising.memory, bank.agree(authorising.url))).code == "invalid_return"

    async def test_a_bare_code_is_declined(self, registry, order, authorising):
        bare = {"state": order.back.state, "code": "abc"}
        assert (await registry.get_bank("oak").accept_return(authorising.memory, bare)).code == "invalid_return"

    async def test_the_exchanged_id_token_must_be_there_and_right(self, registry, bank, authorising):
        ours = registry.get_bank("oak")
        for changes in ({"nonce": "another"}, {"openbanking_intent_id": "payments-9"}):
            bank.token_changes = {}
            code = await ours.accept_return(authorising.memory, bank.agree(authorising.url))
            bank.token_changes = changes
            with pytest.raises(BankRefused):
                await ours.exchange(authorising.memory, code)

    async def test_an_exchange_without_an_id_token_is_refused(self, registry, bank, authorising):
        ours = registry.get_bank("oak")
        code = await ours.accept_return(authorising.memory, bank.agree(authorising.url))
        bank.answers[("POST", "/token")] = lambda _: bank.said({"access_token": "abc", "expires_in": 60})
        with pytest.raises(BankRefused):
            await ours.exchange(authorising.memory, code)

    async def test_the_state_is_found_inside(self, bank, order, authorising):
        assert find_state(bank.agree(authorising.url)) == order.back.state


@pytest.mark.parametrize(
    "fields",
    [
        {},
        {"state": ""},
        {"response": ""},
        {"response": "a.b.c"},
        {"response": "a.W10.c"},
        {"response": "a.é.c"},
        {"response": "a.b"},
    ],
)
def test_no_state_is_found_where_there_is_none(fields):
    assert find_state(fields) is None


# --- the exchange ------------------------------------------------------------------------------------------------------


async def test_a_code_is_exchanged_once(registry, come_back, authorising):
    ours, code = registry.get_bank("oak"), await come_back()
    grant = await ours.exchange(authorising.memory, code)
    assert grant.access_token
    with pytest.raises(BankRefused) as caught:
        await ours.exchange(authorising.memory, code)
    assert caught.value.code == "invalid_grant"


@pytest.mark.parametrize(
    ("status", "body", "fault"),
    [
        (500, b"", BankSilent),
        (200, b"<html>", BankSilent),
        (200, b'{"access_token": ""}', BankSilent),
        (200, b'{"access_token": "a\\r\\nb"}', BankSilent),
        (400, b"<html>", BankSilent),
        (429, b"", BankUnavailable),
    ],
)
async def test_an_exchange_without_a_usable_answer(registry, bank, come_back, authorising, status, body, fault):
    code = await come_back()
    bank.answers[("POST", "/token")] = lambda _: Reply(status, body)
    with pytest.raises(fault):
        await registry.get_bank("oak").exchange(authorising.memory, code)


async def test_an_exchange_that_cannot_be_checked_is_silence_for_the_code_is_gone(registry, bank, come_back, authorising, clock):
    code = await come_back()
    clock.ahead_seconds = bank.leeway_seconds = 3601.0
    bank.answers[("GET", "/keys")] = lambda _: Reply(503)
    with pytest.raises(BankSilent):
        await registry.get_bank("oak").exchange(authorising.memory, code)


async def test_a_lifetime_written_as_text_is_read(registry, bank, come_back, authorising):
    code = await come_back()
    bank.answers[("POST", "/token")] = lambda _: bank.said({"access_token": "abc", "expires_in": "60"})
    assert (await registry.get_bank("oak").exchange(authorising.memory, code)).access_token == "abc"


# --- discovery and keys ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "change",
    [
        {"issuer": "https://localhost/elm"},
        {"token_endpoint": "http://localhost/token"},
        {"jwks_uri": "http://localhost/keys"},
        {"authorization_endpoint": "http://bank.example/authorise"},
        {"authorization_endpoint": "javascript:alert(1)"},
        {"mtls_endpoint_aliases": {"token_endpoint": "http://localhost/token"}},
        {"issuer": None},
    ],
)
async def test_untrustworthy_discovery_is_unavailability(registry, bank, order, change):
    found = {**bank.discovery(), **change}
    bank.answers[("GET", "/.well-known/openid-configuration")] = lambda _: bank.said(found)
    with pytest.raises(BankUnavailable):
        await registry.get_bank("oak").request_payment(order)


async def test_unknown_key_ids_fetch_the_keys_once_a_minute_whoever_sends_them(registry, bank, order, authorising, clock):
    async def knock(times: int) -> int:
        for n in range(times):
            claims = {"iss": bank.issuer, "n": n}
            fields = {"state": order.back.state, "code": "c", "id_token": jwt.encode(claims, bank.key, "PS256", {"kid": f"k{n}"})}
            await registry.get_bank("oak").accept_return(authorising.memory, fields)
        return sum(asked.path == "/keys" for asked in bank.asked)

    assert await knock(5) == 1
    clock.ahead_seconds = 61.0
    assert await knock(5) == 2


async def test_a_return_waits_for_keys_that_cannot_be_fetched(come_back, bank, clock):
    clock.ahead_seconds = 3601.0
    bank.answers[("GET", "/keys")] = lambda _: Reply(503)
    with pytest.raises(BankUnavailable):
        await come_back()


@pytest.mark.parametrize(
    "change",
    [{"use": "enc"}, {"kty": "oct", "k": "AAAA"}, {"n": "AQAB"}, {"n": "!!"}, {"kty": 3}, {"kid": 7}, {"e": None}],
)
async def test_a_key_that_should_not_sign_is_as_if_unpublished(registry, bank, order, change):
    bank.keys = [{**bank.keys[0], **change}]
    with pytest.raises(BankSilent):
        await registry.get_bank("oak").request_payment(order)


@pytest.mark.filterwarnings("ignore:Key size should be")
async def test_a_short_key_is_as_if_unpublished(registry, bank, order):
    bank.key = rsa.generate_private_key(65537, 1024)  # noqa: S505 - too short, which is the point
    bank.keys = [jwk_of(bank.key, bank.kid)]
    with pytest.raises(BankSilent):
        await registry.get_bank("oak").request_payment(order)


async def test_memory_holds_the_exact_body(authorising, order):
    memory = json.loads(authorising.memory)
    assert json.loads(memory["body"])["Data"]["ConsentId"] == authorising.consent_id
    assert memory["submit_key"] == order.submit_idempotency_key
