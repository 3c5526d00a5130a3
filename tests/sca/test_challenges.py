"""Challenges under attack: of any number of simultaneous tries at most five are compared, and one right code has one winner."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any

import asyncpg
import pytest

from strongroom.kit.db import Database
from strongroom.kit.vault import Vault
from strongroom.sca import otp, store
from strongroom.sca.challenges import Challenges
from strongroom.sca.model import Accepted, Answered, Locked, Matched, Purpose, Rejected
from tests.funds.house import random_keys

TENANT = "portal"
ANN, BEN = b"ann".ljust(64, b"-"), b"ben".ljust(64, b"-")
PROCESSES = 4
CONNECTIONS = 200


class CountingVault(Vault):
    """A vault that counts how many codes were compared."""

    compared = 0

    def hash(self, purpose: str, *parts: str | bytes) -> bytes:
        if purpose == "one-time password":
            self.compared += 1
        return super().hash(purpose, *parts)


@dataclass
class Doors:
    """The same challenges behind several processes, each with connections of its own."""

    databases: list[Database]
    vault: CountingVault
    owner: asyncpg.Connection

    def __post_init__(self) -> None:
        self.challenges = [Challenges(db, self.vault) for db in self.databases]

    async def ask(self, subject: bytes = ANN) -> tuple[str, str]:
        """Return a challenge and its code."""
        async with self.databases[0].transaction(TENANT) as tx:
            challenge_id = await self.challenges[0].begin(tx, TENANT, Purpose.LOGIN, subject)
            (code,) = await self.challenges[0].give_codes(tx, TENANT, challenge_id, 1)
        self.vault.compared = 0
        return challenge_id, code

    async def decoy(self, subject: bytes = BEN) -> str:
        """Return a challenge that no code opens."""
        async with self.databases[0].transaction(TENANT) as tx:
            return await self.challenges[0].begin(tx, TENANT, Purpose.LOGIN, subject)

    async def enter(self, challenge_id: str, typed: str, process: int = 0) -> Answered:
        """Try a code and accept it if it is right, as one request does."""
        door = self.challenges[process % len(self.challenges)]
        outcome = await door.try_code(TENANT, challenge_id, typed)
        if not isinstance(outcome, Matched):
            return outcome
        async with self.databases[process % len(self.databases)].transaction(TENANT) as tx:
            return await door.accept(tx, outcome)

    async def at_once(self, challenge_id: str, typed: list[str]) -> list[Answered]:
        """Enter all codes through all processes, as many at a time as there are connections of browsers."""
        connections = asyncio.Semaphore(CONNECTIONS)

        async def enter(typed: str, number: int) -> Answered:
            async with connections:
                return await self.enter(challenge_id, typed, number)

        return await asyncio.gather(*(enter(one, n) for n, one in enumerate(typed)))

    async def pass_time(self, seconds: float) -> None:
        await self.owner.execute("UPDATE clock_offset SET ahead = ahead + make_interval(secs => $1)", float(seconds))


@pytest.fixture
async def doors(database: Any) -> AsyncIterator[Doors]:
    databases = [await Database.connect(database.app_dsn, size=8) for _ in range(PROCESSES)]
    owner = await asyncpg.connect(database.dsn)
    yield Doors(databases, CountingVault(random_keys()), owner)
    for db in databases:
        await db.close()
    await owner.close()


def wrong_codes(right: str, count: int) -> list[str]:
    return [f"{(int(right) + 1 + n) % 1_000_000:06d}" for n in range(count)]


async def guess_many(doors: Doors, count: int) -> None:
    challenge_id, code = await doors.ask()
    answers = await doors.at_once(challenge_id, wrong_codes(code, count))
    assert doors.vault.compared == 5
    kinds = Counter(type(one) for one in answers)
    assert kinds == {Rejected: 4, Locked: count - 4}
    assert sum(one.just_now for one in answers if isinstance(one, Locked)) == 1
    assert {one.seconds for one in answers if isinstance(one, Locked)} <= set(range(840, 901))
    assert isinstance(await doors.enter(challenge_id, code), Locked)
    assert doors.vault.compared == 5


async def test_of_two_hundred_simultaneous_wrong_codes_five_are_compared_and_then_it_is_locked(doors: Doors) -> None:
    await guess_many(doors, 200)


@pytest.mark.soak
async def test_of_ten_thousand_simultaneous_wrong_codes_five_are_compared(doors: Doors) -> None:
    await guess_many(doors, 10_000)


async def test_a_decoy_answers_exactly_as_a_challenge_with_a_code_does(doors: Doors) -> None:
    challenge_id, code = await doors.ask()
    decoy = await doors.decoy()
    real = [await doors.enter(challenge_id, one) for one in wrong_codes(code, 7)]
    pretended = [await doors.enter(decoy, one) for one in wrong_codes(code, 7)]
    assert [(type(a), getattr(a, "attempts_left", None)) for a in real] == [
        (type(b), getattr(b, "attempts_left", None)) for b in pretended
    ]


async def one_winner(doors: Doors, trials: int, count: int) -> None:
    for trial in range(trials):
        subject = f"subject {trial}".encode().ljust(64, b"-")
        challenge_id, code = await doors.ask(subject)
        answers = await doors.at_once(challenge_id, [code] * count)
        assert sum(isinstance(one, Accepted) for one in answers) == 1
        assert isinstance(await doors.enter(challenge_id, code), Rejected)


async def test_one_right_code_two_hundred_times_at_once_has_one_winner(doors: Doors) -> None:
    await one_winner(doors, trials=3, count=200)


@pytest.mark.soak
async def test_one_right_code_two_hundred_times_at_once_has_one_winner_in_a_hundred_trials(doors: Doors) -> None:
    await one_winner(doors, trials=100, count=200)


async def test_a_right_code_among_wrong_ones_is_accepted_at_most_once_and_only_within_the_five(doors: Doors) -> None:
    for trial in range(5):
        challenge_id, code = await doors.ask(f"mixed {trial}".encode().ljust(64, b"-"))
        answers = await doors.at_once(challenge_id, [*wrong_codes(code, 10), code, *wrong_codes(code, 10), code])
        assert sum(isinstance(one, Accepted) for one in answers) <= 1
        assert doors.vault.compared <= 6  # the accepted one forgives, so a sixth may be compared afterwards and is not accepted


async def test_new_challenges_never_give_new_tries(doors: Doors) -> None:
    refused = 0
    for _ in range(20):
        challenge_id, code = await doors.ask()
        outcome = await doors.enter(challenge_id, wrong_codes(code, 1)[0])
        refused += isinstance(outcome, Locked)
    assert refused == 16  # the fifth try locks, whichever challenge it was for


async def test_many_challenges_of_one_subject_share_five_tries_at_once(doors: Doors) -> None:
    asked = [await doors.ask() for _ in range(40)]
    answers = await asyncio.gather(*(doors.enter(one, wrong_codes(code, 1)[0], n) for n, (one, code) in enumerate(asked)))
    assert doors.vault.compared == 5
    assert sum(isinstance(one, Rejected) for one in answers) == 4


async def test_a_lock_is_timed_grows_and_a_right_code_forgives(doors: Doors) -> None:
    lasted = []
    for _ in range(3):
        challenge_id, code = await doors.ask()
        answers = [await doors.enter(challenge_id, one) for one in wrong_codes(code, 5)]
        locked = answers[-1]
        assert isinstance(locked, Locked)
        lasted.append(locked.seconds)
        await doors.pass_time(locked.seconds + 1)
    assert lasted == [900, 1800, 3600]
    challenge_id, code = await doors.ask()
    assert isinstance(await doors.enter(challenge_id, code), Accepted)
    challenge_id, code = await doors.ask()
    answers = [await doors.enter(challenge_id, one) for one in wrong_codes(code, 5)]
    assert answers[-1] == Locked(900, just_now=True)


async def test_a_lock_lasts_a_day_at_most(doors: Doors) -> None:
    await doors.owner.execute(
        "INSERT INTO attempt_budgets (tenant_id, subject_hash, charges, failures, level) VALUES ($1, $2, 100, 4, 60)", TENANT, ANN
    )
    challenge_id, code = await doors.ask()
    assert await doors.enter(challenge_id, wrong_codes(code, 1)[0]) == Locked(86_400, just_now=True)


async def test_another_subject_is_not_locked_with_the_first(doors: Doors) -> None:
    challenge_id, code = await doors.ask(ANN)
    await doors.at_once(challenge_id, wrong_codes(code, 10))
    other, other_code = await doors.ask(BEN)
    assert isinstance(await doors.enter(other, other_code), Accepted)


async def test_a_superseded_an_expired_and_a_used_code_are_refused(doors: Doors) -> None:
    superseded, its_code = await doors.ask()
    async with doors.databases[0].transaction(TENANT) as tx:
        await doors.challenges[0].supersede(tx, TENANT, superseded)
    assert await doors.enter(superseded, its_code) == Rejected(0)
    used, its_code = await doors.ask()
    assert isinstance(await doors.enter(used, its_code), Accepted)
    assert await doors.enter(used, its_code, process=1) == Rejected(0)
    expired, its_code = await doors.ask()
    await doors.pass_time(601)
    assert await doors.enter(expired, its_code) == Rejected(0)
    assert doors.vault.compared == 0


async def test_a_code_superseded_between_comparing_and_accepting_is_refused(doors: Doors) -> None:
    challenge_id, code = await doors.ask()
    matched = await doors.challenges[0].try_code(TENANT, challenge_id, code)
    assert isinstance(matched, Matched)
    async with doors.databases[1].transaction(TENANT) as tx:
        await doors.challenges[1].supersede(tx, TENANT, challenge_id)
    async with doors.databases[0].transaction(TENANT) as tx:
        assert await doors.challenges[0].accept(tx, matched) == Rejected(0)


async def test_a_process_that_dies_after_comparing_has_charged_the_try(doors: Doors) -> None:
    challenge_id, code = await doors.ask()
    for _ in range(4):
        await doors.challenges[0].try_code(TENANT, challenge_id, wrong_codes(code, 1)[0])
    matched = await doors.challenges[0].try_code(TENANT, challenge_id, code)
    assert isinstance(matched, Matched)  # and here it dies, before it can accept
    assert isinstance(await doors.enter(challenge_id, code, process=1), Locked)


async def test_a_code_is_kept_only_as_a_keyed_hash_of_its_challenge(doors: Doors) -> None:
    challenge_id, code = await doors.ask()
    row = await doors.owner.fetchrow("SELECT * FROM challenges WHERE id = $1", challenge_id)
    assert code not in repr(dict(row))
    other, other_code = await doors.ask()
    await doors.owner.execute(
        "UPDATE challenges SET code_hashes = (SELECT code_hashes FROM challenges WHERE id = $1) WHERE id = $2", other, challenge_id
    )
    assert isinstance(await doors.enter(challenge_id, other_code), Rejected)


@pytest.mark.parametrize(
    ("typed", "read"), [("123 456", "123456"), ("１２３４５６", "123456"), ("123-456", "123456"), ("12345", "12345"), ("", "")]
)
def test_what_a_person_types_is_read_as_digits(typed: str, read: str) -> None:
    assert otp.read_code(typed) == read


def test_codes_are_six_digits_and_spread() -> None:
    codes = [otp.new_code() for _ in range(5_000)]
    assert {len(one) for one in codes} == {6}
    assert all(one.isdigit() for one in codes)
    assert len(set(codes)) > 4_950
    assert len(Counter(one[0] for one in codes)) == 10


async def test_what_is_long_over_is_forgotten_but_no_lock(doors: Doors, database: Any) -> None:
    challenge_id, code = await doors.ask()
    await doors.at_once(challenge_id, wrong_codes(code, 5))
    await doors.owner.execute("UPDATE attempt_budgets SET locked_until = locked_until + interval '60 days'")
    await doors.pass_time(31 * 86_400)
    worker = await Database.connect(database.worker_dsn, role="strongroom_worker", size=1)
    async with worker.transaction() as tx:
        assert await store.forget_old(tx) == 1
    await worker.close()
    assert await doors.owner.fetchval("SELECT count(*) FROM attempt_budgets") == 1


async def test_of_tries_that_were_all_found_right_before_any_was_accepted_one_is_accepted(doors: Doors) -> None:
    challenge_id, code = await doors.ask()
    matched = [await door.try_code(TENANT, challenge_id, code) for door in doors.challenges[:3]]
    assert all(isinstance(one, Matched) for one in matched)

    async def accept(process: int) -> Accepted | Rejected:
        outcome = matched[process]
        assert isinstance(outcome, Matched)
        async with doors.databases[process].transaction(TENANT) as tx:
            return await doors.challenges[process].accept(tx, outcome)

    accepted = await asyncio.gather(*(accept(process) for process in range(3)))
    assert sorted(type(one).__name__ for one in accepted) == ["Accepted", "Rejected", "Rejected"]
