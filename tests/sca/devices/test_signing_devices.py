"""Devices that sign a question (OCRA): a code counts once, for its question alone, from a device that a foreign library plays."""

from __future__ import annotations

import asyncio
from typing import Any

import oath
import pytest

from strongroom.kit.crypto import Secret
from strongroom.sca.devices.errors import TokenInvalid
from strongroom.sca.devices.model import ANSWERED_KEPT, Algorithm, CodeAccepted, Kind, NewToken
from strongroom.sca.devices.oath import code_at
from strongroom.sca.devices.states import TokenState
from strongroom.sca.devices.suites import read_suite
from strongroom.sca.model import Locked, Rejected
from tests.sca.devices.town import ACTOR, SEED, Town

ALONE, COUNTING, CLOCKED = (f"OCRA-1:HOTP-SHA256-8:{inputs}" for inputs in ("QN08", "C-QN08", "QN08-T1M"))
QUESTION, OTHER = "12345678", "87654321"


def shown(suite: str, question: str, moment: int = 0) -> str:
    """Return what the device shows after a question was typed into it, at a counter or time step."""
    return str(oath.str2ocrasuite(suite)(SEED, C=moment, Q=question, T_precomputed=moment))


def wrong(code: str) -> str:
    return f"{(int(code) + 1) % 10**8:08d}"


async def moment(town: Town, suite: str) -> int:
    return await town.now() // 60 if suite == CLOCKED else 0


async def asked(town: Town) -> str:
    async with town.db.transaction(town.issuer.id) as tx:
        token = await town.verification.find_usable(tx, town.issuer.id, town.holder)
        question = await town.verification.ask(tx, token)
    assert question is not None
    return question


each_suite = pytest.mark.parametrize("suite", [ALONE, COUNTING, CLOCKED])


@each_suite
async def test_a_code_counts_for_its_question_and_for_no_other(town: Town, suite: str) -> None:
    await town.give_signing(suite)
    code = shown(suite, QUESTION, await moment(town, suite))
    assert isinstance(await town.type(code, question=OTHER), Rejected)
    assert isinstance(await town.type(wrong(code), question=QUESTION), Rejected)
    assert isinstance(await town.type(f"{code[:4]} {code[4:]}", question=QUESTION), CodeAccepted)


@each_suite
async def test_a_question_is_answered_once_and_the_same_code_again_is_no_guess(town: Town, suite: str) -> None:
    await town.give_signing(suite)
    now = await moment(town, suite)
    assert isinstance(await town.type(shown(suite, QUESTION, now), question=QUESTION), CodeAccepted)
    assert [await town.type(shown(suite, QUESTION, now), question=QUESTION) for _ in range(8)] == [Rejected(5)] * 8
    if suite != ALONE:
        assert await town.type(shown(suite, QUESTION, now + 1), question=QUESTION) == Rejected(4), "pressed once more"
    assert isinstance(await town.type(shown(suite, OTHER, now + 1), question=OTHER), CodeAccepted)


@each_suite
async def test_one_code_from_sixteen_at_once_is_accepted_once(town: Town, suite: str) -> None:
    await town.give_signing(suite)
    now = await moment(town, suite)
    for number in range(5):
        question = f"{number:08d}"
        code = shown(suite, question, now + number * (suite == COUNTING))
        outcomes = await asyncio.gather(*(town.type(code, question=question) for _ in range(16)))
        assert sum(isinstance(outcome, CodeAccepted) for outcome in outcomes) == 1
        assert await town.state() is TokenState.ACTIVE


@each_suite
async def test_of_two_hundred_wrong_codes_at_once_five_are_compared_and_the_right_one_is_refused(town: Town, suite: str) -> None:
    await town.give_signing(suite)
    right = shown(suite, QUESTION, await moment(town, suite))
    outcomes = await asyncio.gather(*(town.type("000", question=QUESTION) for _ in range(200)))
    assert sum(isinstance(outcome, Rejected) for outcome in outcomes) == 4
    assert await town.owner.fetchval("SELECT charges FROM otp_tokens") == 5
    assert isinstance(await town.type(right, question=QUESTION), Locked)


@each_suite
async def test_the_last_try_may_be_the_right_one(town: Town, suite: str) -> None:
    await town.give_signing(suite)
    for _ in range(4):
        await town.type("000", question=QUESTION)
    assert isinstance(await town.type(shown(suite, QUESTION, await moment(town, suite)), question=QUESTION), CodeAccepted)
    assert await town.state() is TokenState.ACTIVE


async def test_a_counter_is_followed_forward_only(town: Town) -> None:
    await town.give_signing(COUNTING)
    assert isinstance(await town.type(shown(COUNTING, QUESTION, 9), question=QUESTION), CodeAccepted)
    assert isinstance(await town.type(shown(COUNTING, OTHER, 8), question=OTHER), Rejected)
    assert isinstance(await town.type(shown(COUNTING, OTHER, 20), question=OTHER), Rejected)
    assert isinstance(await town.type(shown(COUNTING, OTHER, 10), question=OTHER), CodeAccepted)


async def test_two_questions_may_be_answered_in_one_time_step_and_none_in_an_earlier_one(town: Town) -> None:
    await town.give_signing(CLOCKED)
    now = await moment(town, CLOCKED)
    for question in (QUESTION, OTHER):
        assert isinstance(await town.type(shown(CLOCKED, question, now), question=question), CodeAccepted)
    assert isinstance(await town.type(shown(CLOCKED, "11111111", now - 1), question="11111111"), Rejected)
    await town.ahead(minutes=5)
    assert isinstance(await town.type(shown(CLOCKED, "11111111", now), question="11111111"), Rejected)
    assert isinstance(await town.type(shown(CLOCKED, "11111111", now + 6), question="11111111"), CodeAccepted)
    assert await town.owner.fetchval("SELECT drift_steps FROM otp_tokens") == 1


@pytest.mark.parametrize("suite", [COUNTING, CLOCKED])
async def test_a_device_out_of_step_is_found_again_by_two_codes_for_one_question(town: Town, suite: str) -> None:
    await town.give_signing(suite)
    away = await moment(town, suite) + 40

    async def again(*codes: str) -> Any:
        return await town.verification.resynchronise(town.issuer.id, ACTOR, town.holder, *codes, question=QUESTION)

    assert isinstance(await town.type(shown(suite, OTHER, away), question=OTHER), Rejected)
    assert isinstance(await again(shown(suite, QUESTION, away), shown(suite, QUESTION, away + 2)), Rejected)
    assert isinstance(await again(shown(suite, QUESTION, away), shown(suite, QUESTION, away + 1)), CodeAccepted)
    assert isinstance(await again(shown(suite, QUESTION, away), shown(suite, QUESTION, away + 1)), Rejected)
    assert isinstance(await town.type(shown(suite, OTHER, away + 2), question=OTHER), CodeAccepted)


async def test_a_random_question_is_answered_within_ten_minutes_and_the_newest_counts(town: Town) -> None:
    await town.give_signing(ALONE)
    first, second = await asked(town), await asked(town)
    assert first != second
    assert isinstance(await town.type(shown(ALONE, first)), Rejected)
    assert isinstance(await town.type(shown(ALONE, second)), CodeAccepted)
    assert isinstance(await town.type(shown(ALONE, second)), Rejected)
    third = await asked(town)
    await town.ahead(minutes=10, seconds=1)
    assert isinstance(await town.type(shown(ALONE, third)), Rejected)


async def test_a_device_that_signs_is_worth_nothing_unasked_and_any_other_nothing_asked(town: Town) -> None:
    await town.give_signing(ALONE)
    assert await town.type(shown(ALONE, QUESTION)) == Rejected(4)
    await town.stock("A2")
    await town.tokens.replace(town.issuer.id, ACTOR, "A1", "A2")
    await town.tokens.activate(town.issuer.id, ACTOR, "A2")
    assert isinstance(await town.type(code_at(SEED, 0), question=QUESTION), Rejected)
    assert isinstance(await town.type(code_at(SEED, 0)), CodeAccepted)
    async with town.db.transaction(town.issuer.id) as tx:
        token = await town.verification.find_usable(tx, town.issuer.id, town.holder)
        assert await town.verification.ask(tx, token) is None


async def test_the_answered_questions_that_are_remembered_are_the_newest(town: Town) -> None:
    await town.give_signing(ALONE)
    for number in range(ANSWERED_KEPT + 3):
        question = f"{number:08d}"
        assert isinstance(await town.type(shown(ALONE, question), question=question), CodeAccepted)
    assert await town.owner.fetchval("SELECT cardinality(answered_hashes) FROM otp_tokens") == ANSWERED_KEPT
    assert isinstance(await town.type(shown(ALONE, question), question=question), Rejected)
    held = await town.owner.fetchval("SELECT t::text FROM otp_tokens t")
    assert question not in held, "a purchase's question stands in the purchase, not with the device"


@pytest.mark.parametrize(
    ("new", "reason"),
    [
        (NewToken.of_suite("A1", Secret(SEED.hex()), "OCRA-1:HOTP-SHA1-6:QN08-PSHA1"), "PIN"),
        (NewToken("A1", Secret(SEED.hex()), Kind.OCRA), "has a suite"),
        (NewToken("A1", Secret(SEED.hex()), suite=read_suite(ALONE)), "no other token has one"),
        (NewToken("A1", Secret(SEED.hex()), Kind.OCRA, Algorithm.SHA1, 8, suite=read_suite(ALONE)), "those of its suite"),
    ],
)
async def test_what_cannot_be_a_signing_device_is_refused_with_the_reason(town: Town, new: NewToken, reason: str) -> None:
    with pytest.raises(TokenInvalid, match=reason):
        await town.tokens.import_one(town.issuer.id, ACTOR, new)


async def test_the_suite_is_shown_and_the_seed_is_not(town: Town) -> None:
    await town.give_signing(CLOCKED)
    token = await town.tokens.get(town.issuer.id, "A1")
    assert token.suite == read_suite(CLOCKED)
    assert (token.kind, token.algorithm, token.digits, token.period_seconds) == (Kind.OCRA, Algorithm.SHA256, 8, 60)
    assert SEED.hex() not in repr(token)
