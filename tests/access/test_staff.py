import asyncio
from datetime import UTC, datetime
from urllib.parse import parse_qs, urlsplit

import asyncpg
import pyotp
import pytest

from strongroom.access.errors import StaffExists, StaffRefused, UnsuitablePassword
from strongroom.access.model import Firm, NewStaff
from strongroom.access.staff import matching_step
from strongroom.access.states import StaffState
from strongroom.access.store.staff import accept_step
from strongroom.kit.crypto import Secret
from strongroom.kit.errors import Invalid, NotFound
from tests.access.conftest import ACTOR, House, move_clock

EMAIL = "Anne@firm.example"
PASSWORD = Secret("correct horse battery")


@pytest.fixture
async def anne(house: House, firm: Firm) -> NewStaff:
    return await house.staff.create(ACTOR, firm.id, "Anne", EMAIL, PASSWORD)


def seed_of(person: NewStaff) -> str:
    return parse_qs(urlsplit(person.totp_uri.reveal()).query)["secret"][0]


def code_of(person: NewStaff, ahead_seconds: float = 0) -> Secret:
    totp = pyotp.TOTP(seed_of(person))
    return Secret(totp.generate_otp(int(datetime.now(UTC).timestamp() + ahead_seconds) // 30))


async def test_a_person_proves_who_they_are_by_password_and_code(house: House, firm: Firm, anne: NewStaff):
    member = await house.staff.authenticate(firm.id, " anne@FIRM.example", PASSWORD, code_of(anne))
    assert (member.id, member.name, member.email) == (anne.id, "Anne", EMAIL)
    assert "Anne" not in repr(member)


async def test_a_step_is_accepted_once_by_sixteen_simultaneous_attempts(house: House, firm: Firm, anne: NewStaff):
    code = code_of(anne)
    attempts = (house.staff.authenticate(firm.id, EMAIL, PASSWORD, code) for _ in range(16))
    outcomes = await asyncio.gather(*attempts, return_exceptions=True)
    assert [outcome for outcome in outcomes if not isinstance(outcome, StaffRefused)] == [
        outcome for outcome in outcomes if not isinstance(outcome, BaseException)
    ]
    assert sum(not isinstance(outcome, BaseException) for outcome in outcomes) == 1


async def test_the_database_accepts_a_step_once_of_sixteen_at_once(house: House, firm: Firm, anne: NewStaff):
    async def accept() -> bool:
        async with house.db.transaction(firm.id) as tx:
            return await accept_step(tx, firm.id, anne.id, 12345, 0)

    assert sorted(await asyncio.gather(*(accept() for _ in range(16)))) == [False] * 15 + [True]


async def test_a_used_code_and_an_older_one_are_refused(house: House, firm: Firm, anne: NewStaff):
    used, older = code_of(anne), code_of(anne, -30)
    await house.staff.authenticate(firm.id, EMAIL, PASSWORD, used)
    for code in (used, older):
        with pytest.raises(StaffRefused):
            await house.staff.authenticate(firm.id, EMAIL, PASSWORD, code)


async def test_whatever_is_wrong_the_answer_is_the_same(house: House, firm: Firm, anne: NewStaff):
    wrong = Secret("wrong password here")
    attempts = [
        ("nobody@firm.example", PASSWORD, code_of(anne)),
        (EMAIL, wrong, code_of(anne)),
        (EMAIL, PASSWORD, Secret("12345")),
        (EMAIL, PASSWORD, Secret("１２３４５６")),
    ]
    said = set()
    for email, password, code in attempts:
        with pytest.raises(StaffRefused) as refused:
            await house.staff.authenticate(firm.id, email, password, code)
        said.add(str(refused.value))
    assert len(said) == 1


async def test_five_failures_lock_for_a_quarter_of_an_hour_and_the_next_lock_is_longer(
    house: House, firm: Firm, anne: NewStaff, owner: asyncpg.Connection
):
    async def fail(times: int) -> None:
        for _ in range(times):
            with pytest.raises(StaffRefused):
                await house.staff.authenticate(firm.id, EMAIL, Secret("wrong password here"), Secret("000000"))

    async def is_locked(ahead_seconds: float) -> bool:
        await move_clock(owner, seconds=ahead_seconds)
        row = await owner.fetchrow("SELECT locked_until > app_now() AS locked FROM staff_members")
        return bool(row and row["locked"])

    await fail(5)
    with pytest.raises(StaffRefused):
        await house.staff.authenticate(firm.id, EMAIL, PASSWORD, code_of(anne))
    assert await is_locked(890)
    assert not await is_locked(910)
    await fail(5)
    assert await is_locked(910 + 1790)
    assert not await is_locked(910 + 1810)
    assert (await house.staff.authenticate(firm.id, EMAIL, PASSWORD, code_of(anne, 910 + 1810))).id == anne.id


async def test_a_failed_attempt_is_counted_even_when_many_fail_at_once(
    house: House, firm: Firm, anne: NewStaff, owner: asyncpg.Connection
):
    attempts = (house.staff.authenticate(firm.id, EMAIL, Secret("wrong password here"), Secret("000000")) for _ in range(12))
    await asyncio.gather(*attempts, return_exceptions=True)
    assert await owner.fetchval("SELECT charges FROM staff_members") == 5  # the rest met the lock and compared nothing


async def test_the_steps_beside_the_present_one_count_and_no_others():
    seed, now = pyotp.random_base32(), datetime.now(UTC)
    present = int(now.timestamp()) // 30
    found = [matching_step(seed, Secret(pyotp.TOTP(seed).generate_otp(present + step)), now) for step in (-2, -1, 0, 1, 2)]
    assert found == [None, present - 1, present, present + 1, None]


async def test_a_disabled_person_is_refused_for_good(house: House, firm: Firm, anne: NewStaff):
    await house.staff.disable(ACTOR, firm.id, anne.id)
    with pytest.raises(StaffRefused):
        await house.staff.authenticate(firm.id, EMAIL, PASSWORD, code_of(anne))
    with pytest.raises(NotFound):
        await house.staff.disable(ACTOR, firm.id, anne.id)
    assert [state for _, state in await house.staff.list_all(firm.id)] == [StaffState.DISABLED]
    await house.staff.create(ACTOR, firm.id, "Anne", EMAIL, PASSWORD)


async def test_a_person_of_one_firm_is_nobody_at_another(house: House, firm: Firm, anne: NewStaff):
    other = await house.firms.create(ACTOR, "Other LLP")
    with pytest.raises(StaffRefused):
        await house.staff.authenticate(other.id, EMAIL, PASSWORD, code_of(anne))
    assert await house.staff.list_all(other.id) == []


async def test_an_address_belongs_to_one_person_and_passwords_must_be_suitable(house: House, firm: Firm, anne: NewStaff):
    with pytest.raises(StaffExists):
        await house.staff.create(ACTOR, firm.id, "Anne Two", EMAIL.upper(), PASSWORD)
    for password in ("short", "aaaaaaaaaaaaaaaa", "bob.longname@firm.example", "x" * 201):
        with pytest.raises(UnsuitablePassword):
            await house.staff.create(ACTOR, firm.id, "Bob", "bob.longname@firm.example", Secret(password))
    with pytest.raises(Invalid):
        await house.staff.create(ACTOR, firm.id, "Bob", "no address", PASSWORD)


async def test_nothing_personal_or_secret_of_a_person_is_stored_in_the_clear(
    house: House, firm: Firm, anne: NewStaff, owner: asyncpg.Connection
):
    stored = str(await owner.fetch("SELECT s::text FROM staff_members s")) + str(
        await owner.fetch("SELECT a::text FROM audit_entries a")
    )
    assert anne.id in stored
    for secret in ("Anne", "anne@", PASSWORD.reveal(), seed_of(anne)):
        assert secret not in stored
        assert secret.encode().hex() not in stored
