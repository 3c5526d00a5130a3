"""Sharing account details at a UK bank: from consent to its deletion, with all that banks leave out."""

from __future__ import annotations

import dataclasses
from datetime import UTC, datetime, timedelta

import pytest
from foreign_bank import PREFIX, Reply

from strongroom.banking.port import AccessOrder, BankRefused, BankSilent, BankUnavailable, Code, ConsentStatus, CustomerContext

ACCOUNTS = f"{PREFIX}/aisp/accounts"
CONSENTS = f"{PREFIX}/aisp/account-access-consents"
PRESENT = CustomerContext("192.0.2.7", "Browser")


@pytest.fixture
def access_order(order) -> AccessOrder:
    return AccessOrder(datetime.now(UTC) + timedelta(hours=1), order.back)


@pytest.fixture
def ours(registry):
    return registry.get_bank("oak")


@pytest.fixture
async def shared(ours, bank, access_order):
    """Return memory and grant of a customer who agreed to share."""
    authorising = await ours.request_access(access_order)
    code = await ours.accept_return(authorising.memory, bank.agree(authorising.url))
    assert isinstance(code, Code)
    return authorising.memory, await ours.exchange(authorising.memory, code)


def entry(account_id: str, *identifications: dict, **more: object) -> dict:
    return {"AccountId": account_id, "Currency": "GBP", "AccountTypeCode": "CACC", "Account": list(identifications), **more}


def numbered(identification: str = "11223312345678", **more: str) -> dict:
    return {"SchemeName": "UK.OBIE.SortCodeAccountNumber", "Identification": identification, **more}


async def test_the_shared_account_is_read_and_the_consent_deleted(ours, bank, shared):
    bank.account_pages = [[entry("a1", numbered(Name="Ms A Payer"))]]
    (account,) = await ours.read_accounts(*shared, PRESENT)
    assert dataclasses.astuple(account) == ("a1", "Ms A Payer", "112233", "12345678", None, "current", "GBP", True)
    memory = shared[0]
    await ours.close_access(memory)
    assert bank.consents == {}
    await ours.close_access(memory)


async def test_the_consent_asks_for_no_more_than_number_and_holder(bank, shared):
    asked = next(asked for asked in bank.asked if asked.path == CONSENTS)
    assert asked.json["Data"]["Permissions"] == ["ReadAccountsDetail", "ReadParty"]
    assert asked.json["Risk"] == {}


async def test_the_bank_hears_that_the_customer_is_present(ours, bank, shared):
    await ours.read_accounts(*shared, PRESENT)
    asked = next(asked for asked in bank.asked if asked.path == ACCOUNTS)
    assert asked.headers["x-fapi-customer-ip-address"] == "192.0.2.7"


HOLDERS = {
    "its party": ({"a1/party": {"PartyId": "p", "Name": "A Payer"}}, "A Payer"),
    "legal name first": ({"a1/party": {"Name": "Annie", "FullLegalName": "Ann Payer"}}, "Ann Payer"),
    "its parties": ({"a1/parties": [{"Name": "Ann Payer"}, {"Name": "Ben Payer"}, {"PartyId": "p"}]}, "Ann Payer and Ben Payer"),
    "a party without a name": ({"a1/party": {"PartyId": "p"}, "a1/parties": [{"Name": "Ann Payer"}]}, "Ann Payer"),
    "nobody": ({}, None),
}


@pytest.mark.parametrize("name", HOLDERS)
async def test_a_missing_name_is_looked_up(ours, bank, shared, name):
    bank.account_pages = [[entry("a1", numbered())]]
    bank.parties, holder = HOLDERS[name]
    (account,) = await ours.read_accounts(*shared, PRESENT)
    assert account.name == holder


async def test_a_bank_that_fails_at_parties_still_shares_the_account(ours, bank, shared):
    bank.account_pages = [[entry("a1", numbered())]]
    for name in ("party", "parties"):
        bank.answers[("GET", f"{ACCOUNTS}/a1/{name}")] = lambda _: Reply(500, b"<html>")
    (account,) = await ours.read_accounts(*shared, PRESENT)
    assert (account.name, account.sort_code) == (None, "112233")


async def test_names_that_take_too_long_together_stay_unknown(ours, bank, shared):
    bank.account_pages = [[entry(account_id, numbered()) for account_id in ("a1", "a2")]]
    for account_id in ("a1", "a2"):
        bank.answers[("GET", f"{ACCOUNTS}/{account_id}/party")] = lambda _: Reply(
            200, b'{"Data":{"Party":{"Name":"Ann Payer"}}}', delay_seconds=0.85
        )
    accounts = await ours.read_accounts(*shared, PRESENT)
    assert [account.name for account in accounts] == ["Ann Payer", None]
    assert {account.sort_code for account in accounts} == {"112233"}


async def test_pages_are_followed(ours, bank, shared):
    bank.account_pages = [[entry("a1", numbered(Name="x"))], [entry("a2", numbered(Name="x"))], [entry("a3", numbered(Name="x"))]]
    assert [account.account_id for account in await ours.read_accounts(*shared, PRESENT)] == ["a1", "a2", "a3"]


async def test_at_most_ten_pages_are_read(ours, bank, shared):
    bank.account_pages = [[entry(f"a{n}", numbered(Name="x"))] for n in range(30)]
    assert len(await ours.read_accounts(*shared, PRESENT)) == 10


@pytest.mark.parametrize("leave", ["other_bank", "http", "user", "nonsense", "same", "list"])
async def test_a_link_that_leaves_the_bank_is_not_followed(ours, bank, other_bank, shared, leave):
    here = f"{bank.issuer}{ACCOUNTS}"
    link = {
        "other_bank": f"{other_bank.issuer}{ACCOUNTS}",
        "http": here.replace("https:", "http:"),
        "user": here.replace("https://", "https://user@"),
        "nonsense": "https://[",
        "same": here,
        "list": [here],
    }[leave]
    page = {"Data": {"Account": [entry("a1", numbered(Name="x"))]}, "Links": {"Next": link}}
    bank.answers[("GET", ACCOUNTS)] = lambda _: bank.said(page)
    assert len(await ours.read_accounts(*shared, PRESENT)) == 1
    assert sum(asked.path == ACCOUNTS for asked in bank.asked) == 1
    assert other_bank.asked == []


@pytest.mark.parametrize("status", [401, 403])
async def test_accounts_that_may_no_longer_be_read_are_a_refusal(ours, bank, shared, status):
    bank.answers[("GET", ACCOUNTS)] = lambda _: Reply(status)
    with pytest.raises(BankRefused):
        await ours.read_accounts(*shared, PRESENT)


@pytest.mark.parametrize("status", [200, 400, 404, 500])
async def test_accounts_that_cannot_be_read_are_unavailability(ours, bank, shared, status):
    bank.answers[("GET", ACCOUNTS)] = lambda _: Reply(status, b"<html>")
    with pytest.raises(BankUnavailable):
        await ours.read_accounts(*shared, PRESENT)


async def test_a_lost_consent_is_silence(ours, bank, access_order):
    bank.answers[("POST", CONSENTS)] = lambda _: Reply(201, b"<html>")
    with pytest.raises(BankSilent):
        await ours.request_access(access_order)


@pytest.mark.parametrize(("status", "code"), [(404, ""), (400, "U011"), (400, "UK.OBIE.Resource.NotFound")])
async def test_a_consent_already_gone_is_closed(ours, bank, shared, status, code):
    consent_id = next(iter(bank.consents))
    bank.answers[("DELETE", f"{CONSENTS}/{consent_id}")] = lambda _: bank.error(status, code) if code else Reply(status)
    await ours.close_access(shared[0])


@pytest.mark.parametrize(
    ("status", "body", "fault"),
    [
        (400, b'{"Errors":[{"ErrorCode":"U006"}]}', BankRefused),
        (400, b"<html>", BankUnavailable),
        (404, b"<html>", BankUnavailable),
        (500, b"", BankUnavailable),
    ],
)
async def test_a_consent_that_may_still_be_open_is_not_called_closed(ours, bank, shared, status, body, fault):
    consent_id = next(iter(bank.consents))
    bank.answers[("DELETE", f"{CONSENTS}/{consent_id}")] = lambda _: Reply(status, body)
    with pytest.raises(fault):
        await ours.close_access(shared[0])


async def test_an_access_consent_can_be_asked_about(ours, bank, shared):
    consent_id = next(iter(bank.consents))
    answer = {"Data": {"ConsentId": consent_id, "Status": "CANC"}}
    bank.answers[("GET", f"{CONSENTS}/{consent_id}")] = lambda _: bank.said(answer)
    assert (await ours.consent_report(shared[0])).status is ConsentStatus.GONE
