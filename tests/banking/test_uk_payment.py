"""A payment at a UK bank, from consent to final status, and every way in which its answers can go wrong."""

from __future__ import annotations

import asyncio
import dataclasses
import json
from types import SimpleNamespace

import pytest
from foreign_bank import OB, PREFIX, ForeignBank, Lost, Reply, jwk_of

from strongroom.banking.port import (
    BankRefused,
    BankSilent,
    BankUnavailable,
    Code,
    ConsentStatus,
    CustomerContext,
    PaymentOrder,
    PaymentStatus,
)
from strongroom.banking.registry import Registry

CONSENTS = f"{PREFIX}/pisp/domestic-payment-consents"
PAYMENTS = f"{PREFIX}/pisp/domestic-payments"


class Journey:
    """Walk a payment to one of its steps."""

    def __init__(self, bank: ForeignBank, registry: Registry, order: PaymentOrder) -> None:
        self.bank, self.ours, self.order = bank, registry.get_bank(bank.organisation_id), order

    async def to_grant(self):
        authorising = await self.ours.request_payment(self.order)
        code = await self.ours.accept_return(authorising.memory, self.bank.agree(authorising.url))
        assert isinstance(code, Code)
        return authorising.memory, await self.ours.exchange(authorising.memory, code)

    async def to_report(self):
        memory, grant = await self.to_grant()
        return memory, await self.ours.submit_payment(memory, grant)


@pytest.fixture
def journey(bank, registry, order) -> Journey:
    return Journey(bank, registry, order)


@pytest.mark.parametrize(
    ("modes", "types"),
    [
        (["fragment", "form_post"], ["code id_token"]),
        (["fragment"], ["code id_token"]),
        (["fragment", "jwt"], ["code", "code id_token"]),
        (["fragment.jwt", "query.jwt"], ["code id_token"]),
        (["query.jwt"], ["code id_token"]),
    ],
    ids=["form_post", "fragment", "jarm", "jarm with id_token", "query alone will not do"],
)
async def test_a_payment_runs_from_consent_to_credit(journey, bank, modes, types):
    bank.modes, bank.types = modes, types
    memory, report = await journey.to_report()
    assert report.status is PaymentStatus.PENDING
    bank.payments[report.bank_payment_id]["Status"] = "ACCC"
    later = await journey.ours.payment_report(memory, report.bank_payment_id)
    assert later.status is PaymentStatus.CREDITED
    assert (await journey.ours.consent_report(memory)).status is ConsentStatus.CONSUMED
    assert len(bank.payments) == 1


async def test_the_report_names_the_payer_and_carries_the_banks_proof(journey, bank):
    _, report = await journey.to_report()
    assert report.payer.name == "A Payer"
    assert (report.payer.sort_code, report.payer.account_number) == ("112233", "12345678")
    proof = json.loads(report.evidence)
    assert json.loads(proof["body"])["Data"]["DomesticPaymentId"] == report.bank_payment_id
    assert proof["x-jws-signature"].count("..") == 1
    assert proof["jwk"]["kid"] == bank.kid
    assert "d" not in proof["jwk"]


async def test_asking_again_sends_the_same_bytes_under_the_same_key_and_pays_once(journey, bank):
    memory, grant = await journey.to_grant()
    first = await journey.ours.submit_payment(memory, grant)
    again = await journey.ours.submit_payment(memory, grant)
    sent = [asked for asked in bank.asked if (asked.method, asked.path) == ("POST", PAYMENTS)]
    assert sent[0].body == sent[1].body
    assert sent[0].headers["x-idempotency-key"] == sent[1].headers["x-idempotency-key"] == "submit-key-1"
    assert first.bank_payment_id == again.bank_payment_id
    assert len(bank.payments) == 1


async def test_a_consent_asked_for_again_sends_the_same_bytes_under_the_same_key(journey, bank):
    for _ in range(2):
        await journey.ours.request_payment(journey.order)
    sent = [asked for asked in bank.asked if asked.path == CONSENTS]
    assert sent[0].body == sent[1].body
    assert sent[0].headers["x-idempotency-key"] == sent[1].headers["x-idempotency-key"] == "consent-key-1"
    assert len(bank.consents) == 1


async def test_every_request_has_an_interaction_id_of_its_own_and_says_who_is_present(bank, registry, order):
    present = dataclasses.replace(order, customer=CustomerContext("2001:db8::1", "Browser\r\nx-evil: 1 \N{SNOWMAN}"))
    await registry.get_bank("oak").request_payment(present)
    ids = [asked.headers["x-fapi-interaction-id"] for asked in bank.asked]
    assert len(set(ids)) == len(ids)
    consent = next(asked for asked in bank.asked if asked.path == CONSENTS)
    assert consent.headers["x-fapi-customer-ip-address"] == "2001:db8::1"
    assert consent.headers["x-customer-user-agent"] == "Browserx-evil: 1"


async def test_one_client_token_serves_many_calls_until_shortly_before_it_ends(journey, bank, clock):
    memory, report = await journey.to_report()
    for _ in range(3):
        await journey.ours.payment_report(memory, report.bank_payment_id)
    assert client_tokens(bank) == 1
    clock.ahead_seconds = bank.leeway_seconds = 275.0
    await journey.ours.payment_report(memory, report.bank_payment_id)
    assert client_tokens(bank) == 2


async def test_callers_at_the_same_moment_share_one_client_token(registry, bank, order):
    await asyncio.gather(*(registry.get_bank("oak").request_payment(order) for _ in range(8)))
    assert client_tokens(bank) == 1


async def test_a_client_token_the_bank_forgot_is_replaced_once(journey, bank):
    memory, report = await journey.to_report()
    right = bank.answers[("GET", f"{PAYMENTS}/{report.bank_payment_id}")] = refuse_first(bank)
    found = await journey.ours.payment_report(memory, report.bank_payment_id)
    assert found.bank_payment_id == report.bank_payment_id
    assert right is not None


def refuse_first(bank):
    refused = []

    def answer(asked):
        if not refused:
            refused.append(asked)
            return Reply(401)
        return bank.usual(asked)

    return answer


def client_tokens(bank) -> int:
    return sum(asked.path == "/token" and b"client_credentials" in asked.body for asked in bank.asked)


# --- a lost, late or unreadable answer ---------------------------------------------------------------------------------


def lose(asked):
    raise Lost


def stall(asked):
    return Reply(201, b"{}", delay_seconds=3)


UNREADABLE = {
    "lost": lose,
    "late": stall,
    "html": lambda _: Reply(400, b"<html>Request blocked</html>", {"content-type": "text/html"}),
    "empty": lambda _: Reply(201),
    "a list": lambda _: Reply(201, b"[]"),
    "deep": lambda _: Reply(201, b'{"a":' * 5000 + b"1" + b"}" * 5000),
    "too large": lambda _: Reply(201, b'{"a":"' + b"x" * 1024 * 1024 + b'"}'),
    "squeezed": lambda _: Reply(201, b"\x1f\x8b", {"content-encoding": "gzip"}),
    "server error": lambda _: Reply(500, b'{"Errors":[{"ErrorCode":"U000"}]}'),
    "redirect": lambda _: Reply(302, b"", {"location": "https://localhost:1/"}),
    "conflict": lambda _: Reply(409, b'{"Errors":[{"ErrorCode":"U029"}]}'),
    "conflict of another kind": lambda _: Reply(409, b'{"Errors":[{"ErrorCode":"U999"}]}'),
    "consent used": lambda _: Reply(400, b'{"Errors":[{"ErrorCode":"U009"}]}'),
}


@pytest.mark.parametrize("name", UNREADABLE)
async def test_no_usable_answer_to_a_submission_is_silence(journey, bank, name):
    memory, grant = await journey.to_grant()
    bank.answers[("POST", PAYMENTS)] = UNREADABLE[name]
    with pytest.raises(BankSilent):
        await journey.ours.submit_payment(memory, grant)


@pytest.mark.parametrize("name", UNREADABLE)
async def test_no_usable_answer_to_a_question_is_unavailability(journey, bank, name):
    memory, report = await journey.to_report()
    bank.answers[("GET", f"{PAYMENTS}/{report.bank_payment_id}")] = UNREADABLE[name]
    with pytest.raises(BankUnavailable):
        await journey.ours.payment_report(memory, report.bank_payment_id)


async def test_a_lost_answer_is_found_by_asking_again(journey, bank):
    memory, grant = await journey.to_grant()

    def pay_and_lose(asked):
        bank.usual(asked)
        raise Lost

    bank.answers[("POST", PAYMENTS)] = pay_and_lose
    with pytest.raises(BankSilent):
        await journey.ours.submit_payment(memory, grant)
    del bank.answers[("POST", PAYMENTS)]
    report = await journey.ours.submit_payment(memory, grant)
    assert list(bank.payments) == [report.bank_payment_id]


async def test_a_refused_connection_is_unavailability_even_for_a_submission(journey, bank):
    memory, grant = await journey.to_grant()
    await bank.stop()
    with pytest.raises(BankUnavailable):
        await journey.ours.submit_payment(memory, grant)


async def test_too_many_requests_says_how_long_to_wait(journey, bank):
    bank.answers[("POST", CONSENTS)] = lambda _: Reply(429, b"", {"retry-after": "17"})
    with pytest.raises(BankUnavailable) as caught:
        await journey.ours.request_payment(journey.order)
    assert caught.value.retry_after_seconds == 17


@pytest.mark.parametrize(("told", "seconds"), [("-5", 0), ("soon", 0), ("99999999999", 0), ("9999999", 86_400), ("", 0)])
async def test_an_odd_retry_after_is_no_reason_to_fail(journey, bank, told, seconds):
    bank.answers[("POST", CONSENTS)] = lambda _: Reply(429, b"", {"retry-after": told})
    with pytest.raises(BankUnavailable) as caught:
        await journey.ours.request_payment(journey.order)
    assert caught.value.retry_after_seconds == seconds


async def test_a_readable_no_is_final_and_in_plain_words(journey, bank):
    memory, grant = await journey.to_grant()
    bank.answers[("POST", PAYMENTS)] = lambda _: bank.error(400, "U012")
    with pytest.raises(BankRefused) as caught:
        await journey.ours.submit_payment(memory, grant)
    assert (caught.value.code, caught.value.message) == ("U012", "It is past the bank's cut-off time")


async def test_a_consent_that_the_bank_forgot_is_gone(journey, bank):
    authorising = await journey.ours.request_payment(journey.order)
    bank.answers[("GET", f"{CONSENTS}/{authorising.consent_id}")] = lambda _: bank.error(400, "U011")
    assert (await journey.ours.consent_report(authorising.memory)).status is ConsentStatus.GONE


# --- signatures on answers ---------------------------------------------------------------------------------------------

BAD_SIGNATURES = {
    "missing": lambda _: None,
    "empty": lambda _: "",
    "by another key": lambda it: it.bank.signature(it.body, key=it.stranger),
    "over other bytes": lambda it: it.bank.signature(it.body + b" "),
    "unknown kid": lambda it: it.bank.signature(it.body, it.bank.header(kid="who")),
    "alg RS256": lambda it: it.bank.signature(it.body, it.bank.header(alg="RS256")),
    "alg none": lambda it: it.bank.signature(it.body, it.bank.header(alg="none")).rpartition(".")[0] + ".",
    "other iss": lambda it: it.bank.signature(it.body, it.bank.header(**{f"{OB}iss": "elm"})),
    "other tan": lambda it: it.bank.signature(it.body, it.bank.header(**{f"{OB}tan": "x.example"})),
    "ahead": lambda it: it.bank.signature(it.body, it.bank.header(**{f"{OB}iat": 9_999_999_999})),
    "iat not a number": lambda it: it.bank.signature(it.body, it.bank.header(**{f"{OB}iat": True})),
    "crit missing": lambda it: it.bank.signature(it.body, it.bank.header(crit=None)),
    "crit short": lambda it: it.bank.signature(it.body, it.bank.header(crit=[f"{OB}iat"])),
    "crit is a number": lambda it: it.bank.signature(it.body, it.bank.header(crit=3)),
    "b64": lambda it: it.bank.signature(it.body, it.bank.header(b64=True)),
    "extra header": lambda it: it.bank.signature(it.body, it.bank.header(jku="https://x.example/keys")),
    "right, but over a payload inside": lambda it: it.bank.signature(b"{}").replace("..", ".e30."),
    "not a JWS": lambda _: "hello",
    "not base64": lambda _: "!!!..!!!",
}


@pytest.mark.parametrize("name", BAD_SIGNATURES)
async def test_a_badly_signed_answer_is_never_believed(journey, bank, rsa_keys, name):
    memory, report = await journey.to_report()
    _, grant = await journey.to_grant()
    bank.sign_answer = lambda body: BAD_SIGNATURES[name](SimpleNamespace(bank=bank, body=body, stranger=rsa_keys[3]))
    with pytest.raises(BankSilent):
        await journey.ours.submit_payment(memory, grant)
    with pytest.raises(BankUnavailable):
        await journey.ours.payment_report(memory, report.bank_payment_id)
    with pytest.raises(BankUnavailable):
        await journey.ours.consent_report(memory)


async def test_an_error_with_a_wrong_signature_is_silence_not_refusal(journey, bank):
    memory, grant = await journey.to_grant()
    forged = Reply(400, b'{"Errors":[{"ErrorCode":"U012"}]}', {"x-jws-signature": bank.signature(b"{}")})
    bank.answers[("POST", PAYMENTS)] = lambda _: forged
    with pytest.raises(BankSilent):
        await journey.ours.submit_payment(memory, grant)


async def test_a_rightly_signed_answer_about_another_payment_is_not_believed(journey, bank):
    memory, report = await journey.to_report()
    other = {**bank.payments[report.bank_payment_id], "Status": "ACCC"}
    path = ("GET", f"{PAYMENTS}/{report.bank_payment_id}")
    bank.answers[path] = lambda _: bank.signed({"Data": {**other, "DomesticPaymentId": "pay-99"}})
    with pytest.raises(BankUnavailable):
        await journey.ours.payment_report(memory, report.bank_payment_id)
    bank.answers[path] = lambda _: bank.signed({"Data": {**other, "ConsentId": "payments-99"}})
    with pytest.raises(BankUnavailable):
        await journey.ours.payment_report(memory, report.bank_payment_id)


async def test_a_bank_may_change_its_key(journey, bank, rsa_keys, clock):
    memory, report = await journey.to_report()
    bank.key, bank.kid = rsa_keys[3], "oak-next"
    bank.keys.append(jwk_of(bank.key, bank.kid))
    with pytest.raises(BankUnavailable):  # the keys were fetched less than a minute ago
        await journey.ours.payment_report(memory, report.bank_payment_id)
    clock.ahead_seconds = 61.0
    await journey.ours.payment_report(memory, report.bank_payment_id)
    assert sum(asked.path == "/keys" for asked in bank.asked) == 2


async def test_memory_of_one_bank_is_refused_by_another(journey, registry):
    authorising = await journey.ours.request_payment(journey.order)
    with pytest.raises(ValueError, match="another bank"):
        await registry.get_bank("elm").consent_report(authorising.memory)


async def test_no_secret_shows_in_a_repr(journey):
    authorising = await journey.ours.request_payment(journey.order)
    code = await journey.ours.accept_return(authorising.memory, journey.bank.agree(authorising.url))
    grant = await journey.ours.exchange(authorising.memory, code)
    memory = json.loads(authorising.memory)
    shown = repr((authorising, code, grant))
    assert not any(secret in shown for secret in (memory["verifier"], memory["nonce"], code.value, grant.access_token))
