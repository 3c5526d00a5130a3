"""Codes that come while others are in flight share their commits, and each is judged as if it had come alone."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator
from typing import Any

import pytest

from strongroom.access.issuer_model import UserIdSource
from strongroom.issuing.port import IssuerCode
from strongroom.kit.crypto import SealBroken, Secret
from strongroom.kit.db import Database
from strongroom.sca.answering.questions import Questions
from strongroom.sca.devices.oath import code_at
from tests.sca.answering.conftest import SEED, Desk

HOLDERS = 30
RIGHT, WRONG = code_at(SEED, 0), "000000"


@pytest.fixture
async def holders(desk: Desk) -> list[str]:
    """Cardholders with a device each, whose first codes are the same; the hub knows them by the issuer's own names."""
    await desk.set(user_id_source=UserIdSource.RETURNED)
    found = [await desk.enrol(f"506181{number:013d}") for number in range(HOLDERS)]
    for number, holder in enumerate(found):
        await desk.give(f"B{number}", holder)
    return found


async def failures(desk: Desk) -> Counter[int]:
    rows = await desk.owner.fetch("SELECT failures FROM otp_tokens WHERE issuer_id = $1", desk.issuer.id)
    return Counter(row[0] for row in rows)


async def test_codes_of_many_cardholders_at_once_are_each_judged_for_themselves(desk: Desk, holders: list[str]):
    typed = [RIGHT if number % 3 else WRONG for number in range(HOLDERS)]
    said = await asyncio.gather(*(desk.type(code, holder) for code, holder in zip(typed, holders, strict=True)))
    assert said == [IssuerCode.SUCCESSFUL if code == RIGHT else IssuerCode.FAILED for code in typed]
    assert await failures(desk) == {0: 20, 1: 10}, "a wrong code is charged, and a right one forgives"
    again = [holder for holder, code in zip(holders, typed, strict=True) if code == RIGHT]
    assert set(await asyncio.gather(*(desk.type(RIGHT, holder) for holder in again))) == {IssuerCode.FAILED}
    assert await failures(desk) == {0: 20, 1: 10}, "and the code that was accepted last, sent once more, is no guess"


async def test_codes_in_flight_share_their_commits_and_each_has_its_audit_entry(desk: Desk, holders: list[str]):
    await asyncio.gather(*(desk.type(RIGHT, holder) for holder in holders))
    rows = await desk.owner.fetch(
        """SELECT subject, transaction_id::text AS xid FROM audit_entries
           WHERE tenant_id = $1 AND tag = 'sca:question:authenticated'""",
        desk.issuer.id,
    )
    assert sorted(row["subject"] for row in rows) == sorted(holders)
    assert len({row["xid"] for row in rows}) < HOLDERS / 2


async def test_a_code_of_each_of_many_devices_from_eight_at_once_is_accepted_once(desk: Desk, holders: list[str]):
    holders = holders[:8]  # what is judged alone waits for a connection of its own
    said = await asyncio.gather(*(desk.type(RIGHT, holder) for holder in holders * 8))
    assert {said[at::8].count(IssuerCode.SUCCESSFUL) for at in range(8)} == {1}


async def each_code_at_once(desk: Desk, holders: list[str], doors: list[Questions], rounds: int) -> None:
    """Send each code of each device sixteen times, in turn to each of the servers, with those of other devices around it."""
    for counter in range(rounds):
        asked = holders * 16
        code = Secret(code_at(SEED, counter))
        said = await asyncio.gather(
            *(doors[at % 3].authenticate_otp(desk.hub, Secret(holder), code) for at, holder in enumerate(asked))
        )
        right = Counter(holder for holder, verdict in zip(asked, said, strict=True) if verdict.code is IssuerCode.SUCCESSFUL)
        assert right == dict.fromkeys(holders, 1)
    rows = await desk.owner.fetch("SELECT state, counter FROM otp_tokens WHERE cardholder_id = ANY($1::text[])", holders)
    assert {tuple(row) for row in rows} == {("active", rounds)}


@pytest.fixture
async def doors(desk: Desk, database: Any) -> AsyncIterator[list[Questions]]:
    """The service in three processes: what they share is the database."""
    pools = [await Database.connect(database.app_dsn) for _ in range(2)]
    yield [desk.questions, *(Desk(pool, desk.owner, desk.vault).questions for pool in pools)]
    for pool in pools:
        await pool.close()


async def test_each_code_by_sixteen_clients_at_three_servers_is_accepted_exactly_once(
    desk: Desk, holders: list[str], doors: list[Questions]
):
    await each_code_at_once(desk, holders[:2], doors, rounds=5)


@pytest.mark.soak
async def test_a_thousand_codes_by_sixteen_clients_at_three_servers_are_each_accepted_exactly_once(
    desk: Desk, holders: list[str], doors: list[Questions]
):
    await each_code_at_once(desk, holders[:2], doors, rounds=500)


async def test_eight_wrong_codes_for_each_of_many_devices_at_once_lock_each_after_five(desk: Desk, holders: list[str]):
    holders = holders[:8]
    said = await asyncio.gather(*(desk.type(WRONG, holder) for holder in holders * 8))
    assert Counter(said) == {IssuerCode.FAILED: 32, IssuerCode.LOCKED: 32}
    assert set(await asyncio.gather(*(desk.type(RIGHT, holder) for holder in holders))) == {IssuerCode.LOCKED}


async def test_a_device_that_somebody_works_on_keeps_only_its_own_code_waiting(desk: Desk, holders: list[str]):
    async with desk.owner.transaction():
        await desk.owner.execute("SELECT 1 FROM otp_tokens WHERE cardholder_id = $1 FOR UPDATE", holders[0])
        kept = asyncio.ensure_future(desk.type(RIGHT, holders[0]))
        others = await asyncio.gather(*(desk.type(RIGHT, holder) for holder in holders[1:]))
        assert set(others) == {IssuerCode.SUCCESSFUL}
        assert not kept.done()
    assert await kept is IssuerCode.SUCCESSFUL


async def test_a_device_whose_seed_cannot_be_opened_fails_alone_and_is_charged_nothing(desk: Desk, holders: list[str]):
    await desk.owner.execute(
        "UPDATE otp_tokens SET seed_sealed = set_byte(seed_sealed, 40, get_byte(seed_sealed, 40) # 1) WHERE cardholder_id = $1",
        holders[0],
    )
    said = await asyncio.gather(*(desk.type(WRONG, holder) for holder in holders), return_exceptions=True)
    assert isinstance(said[0], SealBroken)
    assert set(said[1:]) == {IssuerCode.FAILED}
    assert await failures(desk) == {0: 1, 1: HOLDERS - 1}


async def test_devices_that_cannot_be_used_are_told_apart_among_those_that_can(desk: Desk, holders: list[str]):
    plain, unapproved, blocked, signing = (
        holders[0],
        await desk.enrol("5061819999999999999", approved=False),
        holders[1],
        holders[2],
    )
    await desk.owner.execute("UPDATE otp_tokens SET state = 'blocked' WHERE cardholder_id = $1", blocked)
    await desk.owner.execute(
        "UPDATE otp_tokens SET kind = 'ocra', suite = 'OCRA-1:HOTP-SHA1-6:C-QN08' WHERE cardholder_id = $1", signing
    )
    asked = (plain, unapproved, blocked, signing, "chd-0000000000000", "nobody")
    said = await asyncio.gather(*(desk.type(RIGHT, holder) for holder in asked))
    assert said == [
        IssuerCode.SUCCESSFUL, IssuerCode.NOT_ACTIVATED, IssuerCode.BLOCKED, IssuerCode.FAILED, IssuerCode.NO_USER,
        IssuerCode.NO_USER,
    ]  # fmt: skip
