"""The list of banks: what the directory file says, and how each bank has been lately."""

from __future__ import annotations

import json

import pytest
from foreign_bank import Reply

from strongroom.banking.health import HELD_OFF_SECONDS, Health
from strongroom.banking.port import BankSilent, BankUnavailable
from strongroom.banking.registry import Registry, read_directory
from strongroom.kit.errors import NotFound


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
