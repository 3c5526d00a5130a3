"""Authorisation requests that are pushed (RFC 9126): when, by whom, how often, and what follows when a bank takes none."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from urllib.parse import parse_qs, parse_qsl, urlsplit

import jwt
import pytest
from foreign_bank import Asked, ForeignBank, Lost, Reply

from strongroom.banking.port import AccessOrder, BankRefused, BankUnavailable, Code, Declined, PaymentStatus
from strongroom.banking.registry import Registry

PAR = ("POST", "/par")


def pushes(bank: ForeignBank) -> list[dict[str, str]]:
    return [dict(parse_qsl(asked.body.decode())) for asked in bank.asked if asked.path.endswith("/par")]


def unread(token: str) -> dict:
    return jwt.decode(token, options={"verify_signature": False})


@pytest.fixture
def ours(bank, registry):
    bank.demands_pushes = True
    return registry.get_bank("oak")


async def test_a_bank_that_demands_pushes_is_paid_through_one(ours, bank, order):
    authorising = await ours.request_payment(order)
    assert (authorising.url, pushes(bank)) == (None, [])
    fields = bank.agree(await ours.push_request(authorising.memory))
    code = await ours.accept_return(authorising.memory, fields)
    assert isinstance(code, Code), code
    grant = await ours.exchange(authorising.memory, code)
    assert (await ours.submit_payment(authorising.memory, grant)).status is PaymentStatus.PENDING
    assert len(bank.consents) == len(bank.payments) == 1


@pytest.mark.parametrize("modes", [["fragment", "form_post"], ["fragment"], ["fragment.jwt"], ["query.jwt", "jwt"]])
async def test_an_account_is_shared_through_one_in_every_manner(ours, bank, order, modes):
    bank.modes = modes
    bank.account_pages = [[{"AccountId": "a1", "Currency": "GBP", "AccountTypeCode": "CACC"}]]
    authorising = await ours.request_access(AccessOrder(datetime.now(UTC) + timedelta(hours=1), order.back))
    code = await ours.accept_return(authorising.memory, bank.agree(await ours.push_request(authorising.memory)))
    assert isinstance(code, Code), code
    grant = await ours.exchange(authorising.memory, code)
    (account,) = await ours.read_accounts(authorising.memory, grant, order.customer)
    assert account.account_id == "a1"


async def test_what_the_browser_carries_is_a_reference_and_what_openid_connect_wants_beside_it(ours, bank, order):
    memory = (await ours.request_payment(order)).memory
    query = parse_qs(urlsplit(await ours.push_request(memory)).query)
    assert query == {
        "client_id": ["client-1"],
        "response_type": ["code id_token"],
        "scope": ["openid payments"],
        "request_uri": list(bank.pushed),
    }


async def test_each_push_is_signed_anew_for_the_same_intent_state_and_nonce(ours, bank, order, clock):
    memory = (await ours.request_payment(order)).memory
    ways = [await ours.push_request(memory)]
    clock.ahead_seconds = -5.0
    ways.append(await ours.push_request(memory))
    first, second = [unread(form["request"]) for form in pushes(bank)]
    assert len({*ways}) == 2
    moving = {"jti", "iat", "nbf", "exp"}
    assert {name for name in first if first[name] != second[name]} == moving
    assert first["claims"]["id_token"]["openbanking_intent_id"]["value"] == "payments-0"
    assert first["state"] == order.back.state
    assert len(bank.consents) == 1


async def test_the_return_of_an_earlier_push_is_believed_as_much_as_of_a_later_one_and_of_another_attempt_never(ours, bank, order):
    mine = (await ours.request_payment(order)).memory
    earlier, later = [await ours.push_request(mine) for _ in range(2)]
    for way in (later, earlier):
        assert isinstance(await ours.accept_return(mine, bank.agree(way)), Code)
    access = AccessOrder(datetime.now(UTC) + timedelta(hours=1), order.back)
    theirs = bank.agree(await ours.push_request((await ours.request_access(access)).memory))
    refused = await ours.accept_return(mine, theirs)
    assert isinstance(refused, Declined)
    assert refused.code == "invalid_return"


async def test_twenty_pushes_at_once_are_twenty_references_and_one_consent(ours, bank, order):
    memory = (await ours.request_payment(order)).memory
    ways = await asyncio.gather(*(ours.push_request(memory) for _ in range(20)))
    assert len({*ways}) == len(bank.pushed) == 20
    assert len(bank.consents) == 1


async def test_the_address_for_mutual_tls_is_the_one_that_is_pushed_to(ours, bank, order):
    bank.aliases = {"pushed_authorization_request_endpoint": f"{bank.issuer}/mtls/par"}
    bank.answers["POST", "/mtls/par"] = bank.push
    assert await ours.push_request((await ours.request_payment(order)).memory)
    assert [asked.path for asked in bank.asked if asked.path.endswith("par")] == ["/mtls/par"]


async def test_a_bank_that_only_offers_pushes_is_sent_the_request_itself_unless_the_directory_asks_for_pushes(
    bank, certificates, directory, order, clock
):
    for asks in (False, True):
        banks = [{**entry, "push_requests": asks} for entry in directory["banks"]]
        path = certificates.folder / "tpp-that-asks.json"
        path.write_text(json.dumps({**directory, "banks": banks}))
        async with Registry(path, clock=clock) as registry:
            authorising = await registry.get_bank("oak").request_payment(order)
            assert (authorising.url is None) is asks
            way = authorising.url or await registry.get_bank("oak").push_request(authorising.memory)
        bank.agree(way)
    assert len(pushes(bank)) == 1


def answer(status: int, body: str | dict, **headers: str) -> Callable[[Asked], Reply]:
    text = body if isinstance(body, str) else json.dumps(body)
    return lambda _: Reply(status, text.encode(), {name.replace("_", "-"): value for name, value in headers.items()})


def lost(_: Asked) -> Reply:
    raise Lost


GOOD = {"request_uri": "urn:x:1", "expires_in": 60}


@pytest.mark.parametrize(
    ("answers", "fault", "code"),
    [
        (answer(400, {"error": "invalid_request_object"}), BankRefused, "invalid_request_object"),
        (answer(401, {"error": "invalid_client"}), BankRefused, "invalid_client"),
        (answer(400, "<html>Bad Request</html>"), BankUnavailable, "http_400"),
        (answer(404, ""), BankUnavailable, "http_404"),
        (answer(429, {"error": "slow_down"}, retry_after="7"), BankUnavailable, "http_429"),
        (answer(503, "<html>Maintenance</html>"), BankUnavailable, "http_503"),
        (answer(302, "", location="https://evil.example"), BankUnavailable, "http_302"),
        (answer(201, "<html>Hello</html>"), BankUnavailable, "http_201"),
        (answer(201, {"expires_in": 60}), BankUnavailable, "http_201"),
        (answer(201, {**GOOD, "request_uri": ""}), BankUnavailable, "http_201"),
        (answer(201, {**GOOD, "request_uri": "urn:x:1\n"}), BankUnavailable, "http_201"),
        (answer(201, {**GOOD, "request_uri": "u" * 1001}), BankUnavailable, "http_201"),
        (answer(201, {**GOOD, "request_uri": 7}), BankUnavailable, "http_201"),
        (answer(201, "[" * 100_000), BankUnavailable, "http_201"),
        (lost, BankUnavailable, "answer_lost"),
        (lambda _: Reply(201, b"{}", delay_seconds=3.0), BankUnavailable, "answer_lost"),
    ],
)
async def test_a_push_that_fails_says_so_in_time_and_the_next_one_may_succeed(ours, bank, order, answers, fault, code):
    memory = (await ours.request_payment(order)).memory
    bank.answers[PAR] = answers
    began = time.monotonic()
    with pytest.raises(fault) as caught:
        await ours.push_request(memory)
    assert caught.value.code == code
    assert caught.value.retry_after_seconds == (7 if code == "http_429" else 0)
    assert time.monotonic() - began < 3
    del bank.answers[PAR]
    bank.agree(await ours.push_request(memory))
    assert len(bank.consents) == 1


@pytest.mark.parametrize("status", [200, 201])
async def test_a_reference_is_taken_with_either_status_and_written_into_the_address_safely(ours, bank, order, status):
    bank.answers[PAR] = answer(status, {"request_uri": "urn:x:1&redirect_uri=https://evil.example#", "expires_in": 60})
    way = urlsplit(await ours.push_request((await ours.request_payment(order)).memory))
    assert (way.fragment, parse_qs(way.query)["request_uri"]) == ("", ["urn:x:1&redirect_uri=https://evil.example#"])
    assert "redirect_uri" not in parse_qs(way.query)


async def test_a_bank_that_demands_pushes_and_says_nowhere_where_is_out_of_reach(ours, bank, order):
    bank.answers["GET", "/.well-known/openid-configuration"] = lambda _: bank.said(
        {name: value for name, value in bank.discovery().items() if not name.startswith("pushed")}
    )
    with pytest.raises(BankUnavailable) as caught:
        await ours.request_payment(order)
    assert caught.value.code == "no_push_endpoint"


async def test_requests_are_not_pushed_off_tls(ours, bank, order):
    bank.aliases = {"pushed_authorization_request_endpoint": "http://oak.example/par"}
    with pytest.raises(BankUnavailable) as caught:
        await ours.request_payment(order)
    assert caught.value.code == "discovery_untrusted"
