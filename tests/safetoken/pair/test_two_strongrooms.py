"""One Strongroom as hub and one as remote issuer: purchases over mutual TLS, in every way that the two can speak."""

from __future__ import annotations

import asyncio
import re
from typing import Any

import asyncpg
import pytest

from tests.safetoken.pair.conftest import SPOKEN, Bank, until_blocked


@pytest.fixture(params=SPOKEN)
def bank(banks: dict[str, Bank], request: pytest.FixtureRequest) -> Bank:
    return banks[request.param]


async def test_a_purchase_is_authenticated_by_the_issuers_device_once(bank: Bank):
    card = await bank.enrol()
    begun = await bank.begin(card)
    assert (begun["status"], begun["tokenType"]) == ("pending", 1)
    assert begun["prompt"] == "Enter the code that your device shows"
    code = card.next_code()
    assert (await bank.verify(begun, "000000"))["status"] == "rejected"
    said = await bank.verify(begun, code)
    assert (said["status"], bool(said["proof"])) == ("authenticated", True)
    again = await bank.begin(card)
    assert (await bank.verify(again, code))["status"] == "rejected"
    assert await bank.judged(card) == ["rejected", "authenticated"]  # the second time it was not even sent


async def test_the_issuer_sends_the_message_and_judges_its_code(bank: Bank):
    card = await bank.enrol(device=False)
    begun = await bank.begin(card)
    assert (begun["status"], begun["tokenType"]) == ("pending", 2)
    code = (await bank.issuer.sent(bank.at_issuer))[-1].split(" ")[0]
    assert (await bank.verify(begun, code))["status"] == "authenticated"
    assert await bank.hub.sent(bank.at_hub) == []


async def test_an_issuer_killed_while_it_judges_declines_the_purchase_and_the_code_is_never_sent_again(bank: Bank):
    card = await bank.enrol()
    begun, code = await bank.begin(card), card.next_code()
    said = await kill_while_judging(
        bank, begun, code, "UPDATE otp_tokens SET changed_at = changed_at WHERE serial = $1", card.serial
    )
    assert (said["status"], await bank.inner_code(begun)) == ("failed", "10001")
    bank.restart_issuer()
    again = await bank.begin(card)
    assert (await bank.verify(again, code))["status"] == "rejected"
    assert await bank.judged(card) == []
    assert (await bank.verify(again, card.next_code()))["status"] == "authenticated"
    assert await bank.judged(card) == ["authenticated"]


async def test_an_issuer_killed_with_the_try_charged_and_nothing_accepted_has_verified_nothing(bank: Bank):
    card = await bank.enrol()
    begun, code = await bank.begin(card), card.next_code()
    said = await kill_while_judging(bank, begun, code, "LOCK TABLE audit_entries IN SHARE MODE")
    assert (said["status"], await bank.inner_code(begun)) == ("failed", "10001")
    charged = await bank.issuer.owner.fetchrow("SELECT charges, counter FROM otp_tokens WHERE serial = $1", card.serial)
    assert tuple(charged) == (1, 0)
    bank.restart_issuer()
    assert await bank.judged(card) == []
    assert (await bank.verify(await bank.begin(card), code))["status"] == "rejected"
    assert await bank.judged(card) == []


async def kill_while_judging(bank: Bank, begun: dict[str, Any], code: str, hold: str, *values: str) -> dict[str, Any]:
    """Hold what the issuer's judgement needs until it waits for that, kill the issuer's server, and return the hub's answer."""
    owner = bank.issuer.owner
    holder = await asyncpg.connect(bank.issuer.house.settings.database_url.reveal())
    transaction = holder.transaction()
    await transaction.start()
    await holder.execute(hold, *values)
    asking = asyncio.ensure_future(bank.verify(begun, code))
    await until_blocked(owner)
    bank.kill_issuer()
    said = await asking
    await transaction.rollback()
    await holder.close()
    return said


async def test_where_the_hub_sends_messages_the_number_comes_from_the_issuer_and_the_code_from_the_hub(banks: dict[str, Bank]):
    bank = banks["messages by the hub"]
    card = await bank.enrol(device=False)
    begun = await bank.begin(card)
    assert len(begun["maskedPhone"]) == 13
    code = (await bank.hub.sent(bank.at_hub))[-1].split(" ")[0]
    assert (await bank.verify(begun, code))["status"] == "authenticated"
    assert await bank.issuer.sent(bank.at_issuer) == []
    assert await bank.judged(card) == []


async def test_an_issuer_that_has_not_pinned_this_hub_declines(banks: dict[str, Bank]):
    bank = banks["a stranger"]
    begun = await bank.begin(await bank.enrol())
    assert (begun["status"], await bank.inner_code(begun)) == ("failed", "10001")


async def test_neither_side_writes_down_a_card_a_code_or_a_number(bank: Bank):
    by_device, by_phone = await bank.enrol(), await bank.enrol(device=False)
    code = by_device.next_code()
    await bank.verify(await bank.begin(by_device), code)
    begun = await bank.begin(by_phone)
    sent = (await bank.issuer.sent(bank.at_issuer))[-1].split(" ")[0]
    await bank.verify(begun, sent)
    for side in (bank.hub, bank.issuer):
        written = await side.everything()
        found = [secret for card in (by_device, by_phone) for secret in (card.pan, card.phone) if secret in written]
        assert found + re.findall(rf"(?<![.\w])(?:{code}|{sent})\b", written) == []
        assert f"{by_device.pan[:6]}******{by_device.pan[-4:]}" in re.sub(r"\*+", "******", written)  # the search does find
