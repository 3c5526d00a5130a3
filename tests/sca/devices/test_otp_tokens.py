"""Tokens from the stock to the bin, and their codes: charged first, accepted once, locked in time."""

from __future__ import annotations

import asyncio
import subprocess
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from strongroom.access.model import StaffMember
from strongroom.kit.crypto import Secret
from strongroom.kit.errors import UnknownCursor
from strongroom.sca.devices.errors import (
    HasToken,
    NewerThanProposal,
    NoSuchCardholder,
    NoSuchToken,
    OnePersonOnly,
    SerialTaken,
    TokenHeld,
    TokenInvalid,
    TokenStateRefuses,
)
from strongroom.sca.devices.model import Algorithm, CodeAccepted, Kind, NewToken, Reason, Refused
from strongroom.sca.devices.oath import code_at
from strongroom.sca.devices.states import TokenState
from strongroom.sca.model import Locked, Rejected
from tests.sca.devices.town import ACTOR, SEED, Town

WRONG = "000000"  # shown at no counter that these tests come near


async def test_a_seed_goes_in_and_is_nowhere_in_the_clear(town: Town) -> None:
    await town.stock()
    row = dict(await town.owner.fetchrow("SELECT * FROM otp_tokens"))
    assert SEED not in row["seed_sealed"]
    shown = await town.tokens.get(town.issuer.id, "A1")
    assert SEED.hex() not in repr(row) + repr(shown) + repr(NewToken("A1", Secret(SEED.hex())))


@pytest.mark.parametrize(
    "change",
    [
        {"seed": Secret("ab" * 15)},
        {"seed": Secret("xyz")},
        {"serial": "a b"},
        {"digits": 5},
        {"period_seconds": 30},
        {"counter": -1},
    ],
)
async def test_what_cannot_be_a_token_is_not_taken(town: Town, change: dict[str, Any]) -> None:
    given: dict[str, Any] = {"serial": "A1", "seed": Secret(SEED.hex())}
    with pytest.raises(TokenInvalid):
        await town.tokens.import_one(town.issuer.id, ACTOR, NewToken(**(given | change)))


async def test_a_serial_is_taken_once(town: Town) -> None:
    await town.stock()
    with pytest.raises(SerialTaken):
        await town.stock()


async def test_a_list_goes_on_after_a_serial_and_a_serial_that_is_not_there_is_refused(town: Town) -> None:
    for serial in ("A1", "A2", "A3"):
        await town.stock(serial)
    page = await town.tokens.list_tokens(town.issuer.id, after="A1", limit=1)
    assert [token.serial for token in page] == ["A2"]
    assert await town.tokens.list_tokens(town.issuer.id, state=TokenState.ACTIVE) == []
    with pytest.raises(UnknownCursor):
        await town.tokens.list_tokens(town.issuer.id, after="Z9")


async def test_a_token_has_one_holder_and_a_holder_one_token(town: Town) -> None:
    await town.give("A1")
    await town.stock("A2")
    other = await town.enrol("5061810000000000017")
    with pytest.raises(TokenHeld):
        await town.tokens.assign(town.issuer.id, ACTOR, "A1", other)
    with pytest.raises(HasToken):
        await town.tokens.assign(town.issuer.id, ACTOR, "A2", town.holder)
    with pytest.raises(NoSuchCardholder):
        await town.tokens.assign(town.issuer.id, ACTOR, "A2", "chd-nobody")
    with pytest.raises(NoSuchToken):
        await town.tokens.get(town.issuer.id, "A9")


async def test_another_issuer_has_none_of_it(town: Town) -> None:
    await town.give()
    other = await town.issuers.create(ACTOR, "Papaya Bank", 9)
    assert await town.tokens.list_tokens(other.id) == []
    assert await town.verification.verify(other.id, ACTOR, town.holder, code_at(SEED, 0)) == Refused(Reason.NO_USER)


async def test_every_reason_for_comparing_nothing_is_told_apart(town: Town) -> None:
    assert await town.type(WRONG) == Refused(Reason.NO_TOKEN)
    await town.stock()
    assert await town.type(WRONG, serial="A1") == Refused(Reason.NOT_ASSOCIATED)
    assert await town.type(WRONG, serial="A9") == Refused(Reason.NO_TOKEN)
    await town.tokens.assign(town.issuer.id, ACTOR, "A1", town.holder)
    assert await town.type(WRONG) == Refused(Reason.NOT_ACTIVATED)
    await town.tokens.activate(town.issuer.id, ACTOR, "A1")
    await town.tokens.block(town.issuer.id, ACTOR, "A1")
    assert await town.type(code_at(SEED, 0)) == Refused(Reason.BLOCKED)
    assert await town.verification.verify(town.issuer.id, ACTOR, "chd-nobody", WRONG) == Refused(Reason.NO_USER)
    assert await town.owner.fetchval("SELECT charges FROM otp_tokens") == 0


async def test_a_code_counts_once_and_the_ones_before_it_no_more(town: Town) -> None:
    await town.give()
    assert isinstance(await town.type(code_at(SEED, 2)), CodeAccepted)
    for counter in (2, 1, 0):
        assert isinstance(await town.type(code_at(SEED, counter)), Rejected)
    assert isinstance(await town.type(f" {code_at(SEED, 12)[:3]} {code_at(SEED, 12)[3:]} "), CodeAccepted)
    assert await town.type(code_at(SEED, 23)) == Rejected(4)


async def test_one_code_from_sixteen_at_once_is_accepted_once(town: Town) -> None:
    await town.give()
    for counter in range(10):
        outcomes = await asyncio.gather(*(town.type(code_at(SEED, counter)) for _ in range(16)))
        assert sum(isinstance(outcome, CodeAccepted) for outcome in outcomes) == 1
        assert await town.state() is TokenState.ACTIVE


async def test_the_accepted_code_sent_again_is_no_guess_and_an_older_one_is(town: Town) -> None:
    await town.give()
    assert isinstance(await town.type(code_at(SEED, 3)), CodeAccepted)
    assert [await town.type(code_at(SEED, 3)) for _ in range(8)] == [Rejected(5)] * 8
    assert await town.owner.fetchval("SELECT failures FROM otp_tokens") == 0
    for _ in range(4):
        await town.type(WRONG)
    assert await town.type(code_at(SEED, 3)) == Rejected(1), "not even when it is the last try"
    assert await town.state() is TokenState.ACTIVE
    assert await town.type(code_at(SEED, 2)) == Locked(900, just_now=True)


async def test_however_many_copies_of_an_accepted_code_come_at_once_none_of_them_is_counted(town: Town) -> None:
    await town.give()
    for counter in range(10):
        outcomes = await asyncio.gather(*(town.type(code_at(SEED, counter)) for _ in range(32)))
        assert sum(isinstance(outcome, CodeAccepted) for outcome in outcomes) == 1
        outcomes = await asyncio.gather(*(town.type(code_at(SEED, counter)) for _ in range(32)))
        assert outcomes == [Rejected(5)] * 32
        row = await town.owner.fetchrow("SELECT state, failures, lock_level, locked_by, locked_until FROM otp_tokens")
        assert tuple(row) == ("active", 0, 0, None, None)


async def test_copies_of_an_accepted_code_between_guesses_win_no_guess_and_lose_none(town: Town) -> None:
    await town.give()
    assert isinstance(await town.type(code_at(SEED, 0)), CodeAccepted)
    guesses = [town.type(code_at(SEED, 0) if number % 2 else WRONG) for number in range(200)]
    outcomes = (await asyncio.gather(*guesses))[::2]
    assert sum(isinstance(outcome, Rejected) for outcome in outcomes) == 4
    assert sum(isinstance(outcome, Locked) and outcome.just_now for outcome in outcomes) == 1
    assert isinstance(await town.type(code_at(SEED, 1)), Locked)


async def test_of_two_hundred_wrong_codes_at_once_five_are_compared_and_the_right_one_is_refused(town: Town) -> None:
    await town.give()
    outcomes = await asyncio.gather(*(town.type(WRONG) for _ in range(200)))
    assert sum(isinstance(outcome, Rejected) for outcome in outcomes) == 4
    assert sum(isinstance(outcome, Locked) and outcome.just_now for outcome in outcomes) == 1
    assert await town.owner.fetchval("SELECT charges FROM otp_tokens") == 5
    assert isinstance(await town.type(code_at(SEED, 0)), Locked)
    assert await town.owner.fetchval("SELECT count(*) FROM audit_entries WHERE tag = 'sca:token:locked'") == 1


async def test_a_lock_ends_by_itself_and_the_next_lasts_twice_as_long(town: Town) -> None:
    await town.give()
    first = [await town.type(WRONG) for _ in range(5)][-1]
    await town.ahead(seconds=first.seconds + 1)
    second = [await town.type(WRONG) for _ in range(5)][-1]
    assert (first.seconds, second.seconds) == (900, 1800)
    await town.ahead(seconds=1801)
    assert isinstance(await town.type(code_at(SEED, 0)), CodeAccepted)
    assert [(await town.type(WRONG)) for _ in range(5)][-1] == Locked(900, just_now=True)


async def test_a_lock_whose_time_is_over_is_no_lock_in_what_is_shown_either(town: Town) -> None:
    await town.give()
    for _ in range(5):
        await town.type(WRONG)
    shown = await town.tokens.get(town.issuer.id, "A1")
    assert (shown.state, shown.failures, shown.locked_until is None) == (TokenState.LOCKED, 5, False)
    await town.ahead(seconds=901)
    shown = await town.tokens.get(town.issuer.id, "A1")
    assert (shown.state, shown.failures, shown.locked_until) == (TokenState.ACTIVE, 0, None)
    listed = town.tokens.list_tokens
    assert await listed(town.issuer.id, state=TokenState.LOCKED) == []
    assert await listed(town.issuer.id, state=TokenState.ACTIVE) == [shown]
    assert (await town.tokens.block(town.issuer.id, ACTOR, "A1")).state is TokenState.BLOCKED


async def test_a_cardholder_is_told_of_a_lock_that_wrong_pairs_set_at_the_support_desk(town: Town) -> None:
    await town.give()
    again = town.verification.resynchronise
    outcomes = [await again(town.issuer.id, ACTOR, town.holder, WRONG, WRONG) for _ in range(6)]
    assert [isinstance(outcome, Locked) for outcome in outcomes] == [False, False, False, False, True, True]
    assert await town.owner.fetchval("SELECT count(*) FROM messages") == 1


async def test_the_last_try_may_be_the_right_one(town: Town) -> None:
    await town.give()
    for _ in range(4):
        await town.type(WRONG)
    assert isinstance(await town.type(code_at(SEED, 0)), CodeAccepted)
    assert await town.state() is TokenState.ACTIVE


async def test_a_right_code_that_meets_anothers_lock_is_not_accepted(town: Town) -> None:
    await town.give()
    match = await town.verification.try_codes(town.issuer.id, ACTOR, town.holder, [code_at(SEED, 0)])
    for _ in range(4):
        await town.type(WRONG)
    async with town.db.transaction(town.issuer.id) as tx:
        assert await town.verification.accept(tx, ACTOR, match) == Rejected(0)
    assert await town.state() is TokenState.LOCKED


async def test_a_match_is_worth_nothing_once_the_token_is_blocked_or_anothers(town: Town) -> None:
    await town.give()
    match = await town.verification.try_codes(town.issuer.id, ACTOR, town.holder, [code_at(SEED, 0)])
    await town.tokens.unassign(town.issuer.id, ACTOR, "A1")
    await town.tokens.assign(town.issuer.id, ACTOR, "A1", await town.enrol("5061810000000000017"))
    await town.tokens.activate(town.issuer.id, ACTOR, "A1")
    async with town.db.transaction(town.issuer.id) as tx:
        assert await town.verification.accept(tx, ACTOR, match) == Rejected(0)
    await town.tokens.block(town.issuer.id, ACTOR, "A1")
    with pytest.raises(TokenStateRefuses):
        await town.tokens.unassign(town.issuer.id, ACTOR, "A1")


async def test_a_clock_that_is_off_is_remembered_and_a_step_counts_once(town: Town) -> None:
    await town.give(kind=Kind.TOTP, algorithm=Algorithm.SHA256, digits=8, period_seconds=30)

    async def shown(off: int) -> str:
        return code_at(SEED, await town.now() // 30 + off, algorithm=Algorithm.SHA256, digits=8)

    late = await shown(-1)
    assert isinstance(await town.type(late), CodeAccepted)
    assert isinstance(await town.type(late), Rejected)
    await town.ahead(minutes=5)
    assert isinstance(await town.type(await shown(-2)), CodeAccepted)
    await town.ahead(minutes=5)
    assert isinstance(await town.type(await shown(1)), Rejected)


@pytest.mark.needs("oathtool")
async def test_a_foreign_device_counts_away_is_found_again_locked_and_unlocked(town: Town) -> None:
    def device(counter: int) -> str:
        told = subprocess.run(["oathtool", "--hotp", "-c", str(counter), SEED.hex()], capture_output=True, text=True, check=True)
        return told.stdout.strip()

    await town.give()
    assert isinstance(await town.type(device(0)), CodeAccepted)
    assert isinstance(await town.type(device(60)), Rejected)
    again = town.verification.resynchronise
    assert isinstance(await again(town.issuer.id, ACTOR, town.holder, device(60), device(62)), Rejected)
    assert isinstance(await again(town.issuer.id, ACTOR, town.holder, device(60), device(61)), CodeAccepted)
    assert isinstance(await town.type(device(61)), Rejected)
    assert isinstance(await town.type(device(62)), CodeAccepted)
    for _ in range(5):
        await town.type(WRONG)
    assert isinstance(await town.type(device(63)), Locked)
    await town.tokens.unlock(town.issuer.id, ACTOR, "A1")
    assert isinstance(await town.type(device(63)), CodeAccepted)


async def test_a_replaced_token_is_retired_and_the_new_one_waits_to_be_activated(town: Town) -> None:
    await town.give("A1")
    with pytest.raises(NoSuchToken):
        await town.tokens.replace(town.issuer.id, ACTOR, "A1", "A2")
    assert await town.state("A1") is TokenState.ACTIVE
    await town.stock("A2")
    await town.tokens.replace(town.issuer.id, ACTOR, "A1", "A2")
    assert (await town.state("A1"), await town.state("A2")) == (TokenState.RETIRED, TokenState.ASSIGNED)
    with pytest.raises(TokenStateRefuses):
        await town.tokens.assign(town.issuer.id, ACTOR, "A1", town.holder)


async def test_a_blocked_token_is_unblocked_by_two_people_and_not_by_one(town: Town) -> None:
    def person(name: str) -> StaffMember:
        return StaffMember(town.issuer.id, name, name, f"{name}@mango.example", datetime(2026, 1, 1, tzinfo=UTC))

    ada, ben = person("stf-ada"), person("stf-ben")
    new = replace(ben, id="stf-new", created_at=datetime.now(UTC) + timedelta(days=1))
    await town.give()
    with pytest.raises(TokenStateRefuses):
        await town.tokens.ask_unblock(ada, "A1")
    await town.tokens.block(town.issuer.id, ACTOR, "A1")
    with pytest.raises(TokenStateRefuses):
        await town.tokens.approve_unblock(ben, "A1")
    await town.tokens.ask_unblock(ada, "A1")
    with pytest.raises(OnePersonOnly):
        await town.tokens.approve_unblock(ada, "A1")
    with pytest.raises(TokenStateRefuses):
        await town.tokens.ask_unblock(ben, "A1")
    with pytest.raises(NewerThanProposal):
        await town.tokens.approve_unblock(new, "A1")
    assert await town.type(code_at(SEED, 0)) == Refused(Reason.BLOCKED)
    await town.tokens.approve_unblock(ben, "A1")
    assert isinstance(await town.type(code_at(SEED, 0)), CodeAccepted)
    await town.tokens.block(town.issuer.id, ACTOR, "A1")
    with pytest.raises(TokenStateRefuses):  # the first asking is used up
        await town.tokens.approve_unblock(ben, "A1")


async def test_of_people_who_ask_or_approve_at_once_one_asks_and_one_approves(town: Town) -> None:
    people = [
        StaffMember(town.issuer.id, f"stf-{name}", name, f"{name}@mango.example", datetime(2026, 1, 1, tzinfo=UTC))
        for name in "abcdef"
    ]
    await town.give()
    for _ in range(5):
        await town.tokens.block(town.issuer.id, ACTOR, "A1")
        asked = await asyncio.gather(*(town.tokens.ask_unblock(one, "A1") for one in people), return_exceptions=True)
        assert sum(isinstance(one, TokenStateRefuses) for one in asked) == 5
        approved = await asyncio.gather(*(town.tokens.approve_unblock(one, "A1") for one in people), return_exceptions=True)
        assert sum(not isinstance(one, Exception) for one in approved) == 1
        assert await town.state() is TokenState.ACTIVE
    assert await town.owner.fetchval("SELECT count(*) FROM audit_entries WHERE tag = 'sca:token:unblocked'") == 5
