"""What an issuer's service answers: every code of the table, the message or the number, and a code that counts once."""

from __future__ import annotations

import asyncio
import re
from collections import Counter
from typing import Any

import oath
import pytest

from strongroom.issuing.port import CardPrompt, IssuerCode, TokenType
from strongroom.kit.crypto import Secret
from strongroom.kit.db import Database
from strongroom.sca.answering import store
from tests.sca.answering.conftest import ACTOR, PAN, PHONE, SEED, Desk, shown, wrong

OTHER_PAN = "5061810000000152055"


async def test_a_card_without_a_device_gets_a_message_and_the_number_stays_here(desk: Desk):
    assert await desk.ask() == CardPrompt(TokenType.SMS, "Enter your otp")
    [text] = await desk.sent()
    assert text.endswith(" is your code for a payment with your card of Bank of Lagos. Tell it to nobody, not even Bank of Lagos.")
    assert await desk.type(await desk.code()) is IssuerCode.SUCCESSFUL


async def test_a_hub_that_sends_messages_itself_gets_the_number_and_nothing_is_sent(desk: Desk):
    await desk.set(sms_by="hub")
    assert await desk.ask() == CardPrompt(TokenType.SMS, "Enter your otp", Secret(PHONE))
    assert await desk.sent() == []
    assert await desk.type("123456") is IssuerCode.NO_TOKEN


async def test_a_card_with_a_device_is_asked_for_what_it_shows(desk: Desk):
    await desk.give()
    assert await desk.ask() == CardPrompt(TokenType.HARDWARE, "Enter the code that your device shows")
    assert await desk.type(wrong(shown())) is IssuerCode.FAILED
    assert await desk.type(shown()) is IssuerCode.SUCCESSFUL
    assert await desk.type(shown()) is IssuerCode.FAILED
    assert await desk.sent() == []


async def test_a_device_is_judged_without_having_been_asked_about(desk: Desk):
    await desk.give()
    assert await desk.type(shown()) is IssuerCode.SUCCESSFUL


def signed(prompt: CardPrompt | IssuerCode) -> str:
    """Return what a foreign library's device shows for the question that a prompt has in it."""
    assert isinstance(prompt, CardPrompt)
    found = re.fullmatch("Type ([0-9]{8}) into your device and enter the code that it shows", prompt.additional_info)
    assert found
    return str(oath.str2ocrasuite(SUITE)(SEED, Q=found[1]))


SUITE = "OCRA-1:HOTP-SHA1-6:QN08"


async def test_a_device_that_signs_is_asked_a_random_question_and_the_newest_counts_once(desk: Desk):
    await desk.give(suite=SUITE)
    first, second = signed(await desk.ask()), signed(await desk.ask())
    assert first != second
    assert await desk.type(first) is IssuerCode.FAILED
    said = [await desk.type(second) for _ in range(3)]
    assert said == [IssuerCode.SUCCESSFUL, IssuerCode.FAILED, IssuerCode.FAILED]
    late = signed(await desk.ask())
    await desk.pass_time(601)
    assert await desk.type(late) is IssuerCode.FAILED
    third = signed(await desk.ask())
    at_once = Counter(await asyncio.gather(*(desk.type(third) for _ in range(16))))
    assert at_once[IssuerCode.SUCCESSFUL] == 1


async def test_a_device_that_signs_is_worth_nothing_without_having_been_asked_about(desk: Desk):
    await desk.give(suite=SUITE)
    unasked = str(oath.str2ocrasuite(SUITE)(SEED, Q="12345678"))
    assert await desk.type(unasked) is IssuerCode.FAILED


async def test_a_code_is_used_up_once_and_the_newest_counts(desk: Desk):
    await desk.ask()
    first = await desk.code()
    assert await desk.type(first) is IssuerCode.SUCCESSFUL
    assert await desk.type(first) is IssuerCode.FAILED
    await desk.ask()
    second = await desk.code()
    await desk.ask()
    assert await desk.type(second) is IssuerCode.FAILED
    assert await desk.type(await desk.code()) is IssuerCode.SUCCESSFUL


async def test_a_code_has_its_time(desk: Desk):
    await desk.ask()
    await desk.pass_time(601)
    assert await desk.type(await desk.code()) is IssuerCode.FAILED


async def test_a_card_of_nobody_has_no_user(desk: Desk):
    assert await desk.ask(OTHER_PAN) is IssuerCode.NO_USER
    assert await desk.type("123456", OTHER_PAN) is IssuerCode.NO_USER


async def test_a_cardholder_who_is_not_approved_is_not_activated(desk: Desk):
    await desk.enrol(OTHER_PAN, approved=False)
    assert await desk.ask(OTHER_PAN) is IssuerCode.NOT_ACTIVATED
    assert await desk.type("123456", OTHER_PAN) is IssuerCode.NOT_ACTIVATED


async def test_a_device_answers_by_its_state(desk: Desk):
    await desk.give(active=False)
    assert (await desk.ask(), await desk.type(shown())) == (IssuerCode.NOT_ACTIVATED, IssuerCode.NOT_ACTIVATED)
    await desk.tokens.activate(desk.issuer.id, ACTOR, "A1")
    for _ in range(4):
        assert await desk.type(wrong(shown())) is IssuerCode.FAILED
    assert await desk.type(wrong(shown())) is IssuerCode.LOCKED
    assert (await desk.ask(), await desk.type(shown())) == (IssuerCode.LOCKED, IssuerCode.LOCKED)
    await desk.pass_time(901)
    assert isinstance(await desk.ask(), CardPrompt)
    assert await desk.type(shown()) is IssuerCode.SUCCESSFUL
    await desk.tokens.block(desk.issuer.id, ACTOR, "A1")
    assert (await desk.ask(), await desk.type(shown(1))) == (IssuerCode.BLOCKED, IssuerCode.BLOCKED)


async def test_a_device_that_was_asked_about_and_taken_away_is_not_associated(desk: Desk):
    await desk.give()
    await desk.ask()
    await desk.tokens.unassign(desk.issuer.id, ACTOR, "A1")
    await desk.give("B2")
    assert await desk.type(shown()) is IssuerCode.NOT_ASSOCIATED
    await desk.ask()
    assert await desk.type(shown()) is IssuerCode.SUCCESSFUL


async def test_a_cardholder_without_any_token_is_told_so(desk: Desk):
    assert await desk.type("123456") is IssuerCode.NO_TOKEN


async def test_the_issuers_own_name_for_the_cardholder_finds_them(desk: Desk):
    await desk.set(user_id_source="returned")
    answer = await desk.ask()
    assert isinstance(answer, CardPrompt)
    assert answer.user_id is not None
    assert await desk.type(await desk.code(), PAN) is IssuerCode.NO_USER
    assert await desk.type(await desk.code(), answer.user_id.reveal()) is IssuerCode.SUCCESSFUL


async def test_an_account_finds_the_card_that_was_asked_about_last(desk: Desk):
    await desk.set(user_id_source="account")
    assert await desk.ask() is IssuerCode.NO_USER  # enrolled without an account
    first, second = OTHER_PAN, "5061810000000152063"
    await desk.enrol(first, account="0123456789")
    holder = await desk.enrol(second, account="0123456789")
    await desk.give("C3", holder)
    await desk.ask(first)
    assert await desk.type(await desk.code(), "0123456789") is IssuerCode.SUCCESSFUL
    await desk.ask(second)
    assert await desk.type(shown(), "0123456789") is IssuerCode.SUCCESSFUL
    assert await desk.type(shown(1), "9999999999") is IssuerCode.NO_USER


async def test_a_telephone_gets_five_messages_in_ten_minutes_and_then_nothing_is_remembered(desk: Desk):
    answers = [await desk.ask() for _ in range(6)]
    assert answers[5] is IssuerCode.UNKNOWN_ERROR
    assert len(await desk.sent()) == 5
    assert await desk.type(await desk.code()) is IssuerCode.SUCCESSFUL  # the fifth still counts


async def test_a_card_is_asked_about_twenty_times_in_ten_minutes(desk: Desk):
    await desk.give()
    answers = Counter([isinstance(await desk.ask(), CardPrompt) for _ in range(21)])
    assert answers == {True: 20, False: 1}


async def test_one_code_from_sixteen_at_once_is_accepted_once(desk: Desk):
    await desk.ask()
    code = await desk.code()
    said = Counter(await asyncio.gather(*(desk.type(code) for _ in range(16))))
    assert said[IssuerCode.SUCCESSFUL] == 1
    await desk.give()
    await desk.ask()
    said = Counter(await asyncio.gather(*(desk.type(shown()) for _ in range(16))))
    assert said[IssuerCode.SUCCESSFUL] == 1


async def test_of_two_hundred_wrong_codes_at_once_five_are_compared_and_the_right_one_is_refused(desk: Desk):
    await desk.ask()
    code = await desk.code()
    said = Counter(await asyncio.gather(*(desk.type(wrong(code)) for _ in range(200))))
    assert said[IssuerCode.SUCCESSFUL] == 0
    assert said[IssuerCode.FAILED] == 4
    assert await desk.type(code) is IssuerCode.LOCKED
    assert await desk.ask() is IssuerCode.LOCKED


@pytest.mark.parametrize("by", ["sms", "device"])
async def test_every_answer_is_in_the_audit_without_the_card_the_code_or_the_number(desk: Desk, by: str):
    if by == "device":
        await desk.give()
    await desk.ask()
    code = shown() if by == "device" else await desk.code()
    await desk.type(wrong(code))
    await desk.type(code)
    rows = await desk.owner.fetch(
        "SELECT tag, actor, detail::text, subject FROM audit_entries WHERE tag LIKE 'sca:question:%' ORDER BY id"
    )
    assert [row[0] for row in rows] == ["sca:question:asked", "sca:question:rejected", "sca:question:authenticated"]
    assert {row[1] for row in rows} == {desk.hub.name}
    everything = " ".join(str(value) for row in rows for value in row)
    assert not any(secret in everything for secret in (PAN, code, PHONE))


async def test_a_question_is_forgotten_after_seven_days_and_not_before(desk: Desk, database: Any):
    await desk.give()
    await desk.ask()
    worker = await Database.connect(database.worker_dsn, role="strongroom_worker")
    for days, gone in ((6, 0), (2, 1)):
        await desk.pass_time(days * 86_400)
        async with worker.transaction() as tx:
            assert await store.forget_old(tx) == gone
    await worker.close()


@pytest.mark.parametrize("by", ["sms", "device"])
async def test_who_is_locked_is_told_for_how_long_and_what_more_wrong_codes_do_once_a_lock(desk: Desk, by: str):
    if by == "device":
        await desk.give()
    await desk.ask()
    code = await desk.code() if by == "sms" else shown()
    before = len(await desk.sent())
    await asyncio.gather(*(desk.type(wrong(code)) for _ in range(20)))
    told = (await desk.sent())[before:]
    warned = "none counts for 15 minutes. More make it longer and may block it. Not you? Call Bank of Lagos."
    assert told == [f"Too many wrong codes for your card: {warned}"]


async def test_who_is_blocked_is_told(desk: Desk):
    await desk.give()
    await desk.tokens.block(desk.issuer.id, ACTOR, "A1")
    assert (await desk.sent())[-1].startswith("Bank of Lagos blocked the codes for your card until it unblocks them.")


async def test_a_code_has_the_digits_and_the_time_that_the_issuer_says(desk: Desk):
    await desk.set(otp_digits=8, otp_life_seconds=120)
    await desk.ask()
    code = await desk.code()
    assert len(code) == 8
    await desk.pass_time(121)
    assert await desk.type(code) is IssuerCode.FAILED
    await desk.ask()
    assert await desk.type(await desk.code()) is IssuerCode.SUCCESSFUL
