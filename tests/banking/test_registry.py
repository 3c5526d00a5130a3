"""The list of banks: what the directory file says, and how each bank has been lately."""

from __future__ import annotations

import json

import pytest
from foreign_bank import Reply

from strongroom.banking.directory import read_directory
from strongroom.banking.health import HELD_OFF_SECONDS, RECENT_SECONDS, Health, Trouble
from strongroom.banking.port import BankSilent, BankUnavailable
from strongroom.banking.registry import Registry
from strongroom.kit.errors import NotFound
from strongroom.kit.metrics import exposition


async def test_banks_are_listed_most_used_first_then_by_name(certificates, directory):
    first, second = directory["banks"]
    third = {**second, "id": "ash", "name": "ash bank", "popularity": 1}
    path = certificates.folder / "ordered.json"
    path.write_text(json.dumps({**directory, "banks": [first, second, third]}))
    async with Registry(path) as registry:
        assert [listing.name for listing in registry.list_banks()] == ["ash bank", "Elm Bank", "Oak Bank"]


async def test_an_operator_can_close_a_bank(certificates, directory):
    closed = {**directory["banks"][0], "unavailable_reason": "Maintenance", "unavailable_since": "2026-01-02T03:00:00Z"}
    path = certificates.folder / "closed.json"
    path.write_text(json.dumps({**directory, "banks": [closed]}))
    async with Registry(path) as registry:
        listing = registry.get_listing("oak")
    assert (listing.is_available, listing.unavailable_reason, listing.unavailable_since.year) == (False, "Maintenance", 2026)


async def test_a_process_without_banks_lists_none():
    async with Registry.without_banks() as registry:
        assert registry.list_banks() == ()
        with pytest.raises(NotFound):
            registry.get_bank("oak")


async def test_a_bank_we_do_not_have_is_not_found(registry):
    for ask in (registry.get_bank, registry.get_listing):
        with pytest.raises(NotFound):
            ask("birch")


@pytest.mark.parametrize(
    "change",
    [
        {"issuer": "http://localhost/oak"},
        {"resource_base": "https://localhost/oak/"},
        {"issuer": "https://localhost/oak?x"},
        {"accent": "red"},
        {"answer_timeout_seconds": 600},
        {"id": ""},
        {"id": "Oak/1"},
    ],
)
def test_a_directory_with_a_slip_is_refused_by_name(tmp_path, directory, change):
    path = tmp_path / "tpp.json"
    path.write_text(json.dumps({**directory, "banks": [{**directory["banks"][0], **change}]}))
    with pytest.raises(ValueError, match=r"tpp\.json"):
        read_directory(path)


def test_two_banks_with_one_id_are_refused(tmp_path, directory):
    path = tmp_path / "tpp.json"
    path.write_text(json.dumps({**directory, "banks": [directory["banks"][0]] * 2}))
    with pytest.raises(ValueError, match="same id"):
        read_directory(path)


async def test_a_bank_that_keeps_failing_is_shown_as_unavailable_and_recovers_by_itself(registry, bank, order, clock):
    ours, right = registry.get_bank("oak"), dict(bank.answers)
    await ours.request_payment(order)
    bank.answers[("POST", "/open-banking/v4.0/pisp/domestic-payment-consents")] = lambda _: Reply(503)
    for _ in range(5):
        assert registry.get_listing("oak").is_available
        with pytest.raises(BankSilent):
            await ours.request_payment(order)
    listing = registry.get_listing("oak")
    assert (listing.is_available, listing.unavailable_reason) == (False, "not_answering")
    assert listing.health.last_failure == "http_503"
    assert 0 < listing.health.error_rate < 1
    assert registry.get_listing("elm").is_available
    clock.ahead_seconds = HELD_OFF_SECONDS + 1
    assert registry.get_listing("oak").is_available
    with pytest.raises(BankSilent):
        await ours.request_payment(order)
    assert registry.get_listing("oak").unavailable_since == listing.unavailable_since
    bank.answers = right
    await ours.request_payment(order)
    assert registry.get_listing("oak").is_available


async def test_an_issuer_is_itself_to_the_last_slash(certificates, directory, bank, order):
    right = bank.issuer
    bank.issuer = f"{right}/"
    bank.answers[("GET", "/.well-known/openid-configuration")] = lambda _: bank.said(
        {**bank.discovery(), "token_endpoint": f"{right}/token", "jwks_uri": f"{right}/keys"}
    )
    bank.answers[("POST", "/token")] = lambda _: bank.issue_token({"scope": "payments", "grant": "client"})
    path = certificates.folder / "slash.json"
    path.write_text(json.dumps({**directory, "banks": [{**directory["banks"][0], "issuer": bank.issuer}]}))
    async with Registry(path) as registry:
        assert (await registry.get_bank("oak").request_payment(order)).consent_id in bank.consents


async def test_a_refusal_is_a_sign_of_health(registry, bank, order):
    bank.answers[("GET", "/.well-known/openid-configuration")] = lambda _: Reply(404)
    for _ in range(6):
        with pytest.raises(BankUnavailable):
            await registry.get_bank("oak").request_payment(order)
    assert registry.get_listing("oak").is_available


def test_only_the_last_fifty_calls_count():
    health = Health(lambda: 1000.0)
    for _ in range(60):
        health.record_failure("answer_lost")
    for _ in range(25):
        health.record_answer()
    assert (health.report().calls, health.report().error_rate) == (50, 0.5)


@pytest.mark.parametrize(
    ("calls", "trouble"),
    [
        ([0.2] * 50, None),
        ([None] * 4, None),  # too few to be a rate
        ([0.2, None, 0.2, 0.2, 0.2], Trouble.FAILING),
        ([None] + [0.2] * 9, None),
        ([None] * 5, Trouble.DOWN),
        ([5.0] * 5, Trouble.SLOW),
        ([5.0] + [0.2] * 9, None),  # one slow answer is no slow bank
        ([5.0, 5.0, 5.0, 5.0, None], Trouble.FAILING),  # the worse is told
    ],
)
def test_a_bank_is_in_trouble_by_its_rate_of_failures_or_the_middle_of_its_answers(calls, trouble):
    health = Health(lambda: 1000.0, "fir")
    for seconds in calls:
        if seconds is None:
            health.record_failure("answer_lost")
        else:
            health.record_answer(seconds)
    assert health.report().trouble is trouble


def test_what_is_older_than_a_quarter_of_an_hour_says_nothing_about_now():
    now = [1000.0]
    health = Health(lambda: now[0], "fir")
    for _ in range(10):
        health.record_failure("answer_lost")
    now[0] += RECENT_SECONDS + 1
    assert (health.report().calls, health.report().trouble) == (0, None)


def test_a_banks_rate_and_its_middle_and_slowest_answers_are_in_the_metrics():
    health = Health(lambda: 1000.0, "metered")
    health.record_answer(0.5)
    health.record_answer(2.5)
    health.record_failure("answer_lost")
    health.record_failure("answer_lost")
    shown = exposition().decode()
    assert 'strongroom_bank_error_rate{bank="metered"} 0.5' in shown
    assert 'strongroom_bank_answer_seconds{bank="metered",quantile="0.5"} 0.5' in shown
    assert 'strongroom_bank_answer_seconds{bank="metered",quantile="0.99"} 2.5' in shown
