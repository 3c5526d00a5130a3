import asyncpg
import pytest

from strongroom.access.errors import SessionOver
from strongroom.access.jobs import jobs
from strongroom.access.model import Record, SessionKind
from strongroom.kit.db import Database
from tests.access.conftest import House, move_clock

RECORDS = [Record("frm-aaaaaaaaaaaaa", "cst-1111111111111"), Record("frm-bbbbbbbbbbbbb", "cst-2222222222222", "cse-3333333333333")]


async def opened(house: House) -> str:
    async with house.db.transaction() as tx:
        return (await house.sessions.open(tx, SessionKind.CODE, RECORDS)).reveal()


async def test_a_session_covers_exactly_its_records(house: House):
    session = await house.sessions.get(await opened(house))
    assert session.records == tuple(RECORDS)
    assert session.covers("frm-aaaaaaaaaaaaa", "cst-1111111111111")
    assert not session.covers("frm-aaaaaaaaaaaaa", "cst-2222222222222")
    assert session.seconds_left == 300


async def test_a_session_ends_after_five_minutes_without_activity(house: House, owner: asyncpg.Connection):
    session_id = await opened(house)
    await move_clock(owner, seconds=299)
    assert await house.sessions.find(session_id, touch=False)
    await move_clock(owner, seconds=301)
    assert await house.sessions.find(session_id) is None
    with pytest.raises(SessionOver):
        await house.sessions.get(session_id)


async def test_activity_keeps_it_alive_and_polling_does_not(house: House, owner: asyncpg.Connection):
    session_id = await opened(house)
    await move_clock(owner, seconds=200)
    polled = await house.sessions.get(session_id, touch=False)
    assert 98 <= polled.seconds_left <= 100
    assert (await house.sessions.get(session_id)).seconds_left == 300
    await move_clock(owner, seconds=490)
    assert await house.sessions.find(session_id, touch=False)
    await move_clock(owner, seconds=501)
    assert await house.sessions.find(session_id, touch=False) is None


async def test_touching_writes_at_most_every_ten_seconds(house: House, owner: asyncpg.Connection):
    session_id = await opened(house)
    before = await owner.fetchval("SELECT xmin::text FROM portal_sessions")
    for _ in range(5):
        await house.sessions.get(session_id)
    assert await owner.fetchval("SELECT xmin::text FROM portal_sessions") == before
    await move_clock(owner, seconds=11)
    await house.sessions.get(session_id)
    assert await owner.fetchval("SELECT xmin::text FROM portal_sessions") != before


async def test_a_session_ends_after_twelve_hours_whatever_happens(house: House, owner: asyncpg.Connection):
    session_id = await opened(house)
    for ahead in range(240, 12 * 3600, 240):
        await move_clock(owner, seconds=ahead)
        session = await house.sessions.get(session_id)
    assert session.seconds_left < 300
    await move_clock(owner, seconds=12 * 3600 + 1)
    assert await house.sessions.find(session_id) is None


async def test_time_at_the_bank_is_excused_but_not_for_ever(house: House, owner: asyncpg.Connection):
    session_id = await opened(house)
    assert await house.sessions.pause(session_id, 1200)
    await move_clock(owner, seconds=1300)
    session = await house.sessions.get(session_id)
    assert session.seconds_left == 300
    await move_clock(owner, seconds=1300 + 301)
    assert await house.sessions.find(session_id) is None
    assert not await house.sessions.pause(session_id, 1200)

    another = await opened(house)
    await house.sessions.pause(another, 10**6)
    await move_clock(owner, seconds=1601 + 1800 + 301)
    assert await house.sessions.find(another) is None


async def test_an_ended_session_stays_ended(house: House, other_process: House):
    session_id = await opened(house)
    assert await house.sessions.end(session_id)
    assert not await house.sessions.end(session_id)
    assert await house.sessions.find(session_id) is None
    assert await other_process.sessions.find(session_id) is None


async def test_all_sessions_of_a_customer_end_together_and_no_others(house: House):
    first, second = await opened(house), await opened(house)
    async with house.db.transaction() as tx:
        other = (await house.sessions.open(tx, SessionKind.GRANT, [Record("frm-aaaaaaaaaaaaa", "cst-9999999999999")])).reveal()
    async with house.db.transaction("frm-bbbbbbbbbbbbb") as tx:
        assert await house.sessions.end_all_of(tx, "frm-bbbbbbbbbbbbb", "cst-2222222222222") == 2
    assert await house.sessions.find(first) is None
    assert await house.sessions.find(second) is None
    assert await house.sessions.find(other)


async def test_the_form_secret_belongs_to_one_session(house: House):
    one, two = [await house.sessions.get(await opened(house)) for _ in range(2)]
    assert house.sessions.is_csrf(one, one.csrf)
    assert not house.sessions.is_csrf(one, two.csrf)
    assert not house.sessions.is_csrf(one, "")
    assert not house.sessions.is_csrf(one, "é\udc80")
    assert one.csrf not in repr(one)


@pytest.mark.parametrize("guess", ["", "x", "ses-0000000000000", "x" * 5000, "é", "\0"])
async def test_a_guess_is_no_session(house: House, guess: str):
    await opened(house)
    assert await house.sessions.find(guess) is None


async def test_the_id_is_not_stored_and_its_row_does_not_open_it(house: House, owner: asyncpg.Connection):
    session_id = await opened(house)
    row = await owner.fetchrow("SELECT id, encode(session_hash, 'hex') AS hash FROM portal_sessions")
    assert row is not None
    assert session_id not in str(await owner.fetch("SELECT s::text FROM portal_sessions s"))
    assert await house.sessions.find(row["id"]) is None
    assert await house.sessions.find(row["hash"]) is None


async def test_old_sessions_tokens_and_assertions_are_removed(house: House, database, owner: asyncpg.Connection, api_client, firm):
    await opened(house)
    known = await house.authentication._look_up(api_client.client_id)
    await house.tokens.issue(known)
    static = await house.tokens.create_static("operator:test", firm.id, api_client.client_id, "kept", list(known.scopes))
    await move_clock(owner, days=3)
    worker = await Database.connect(database.worker_dsn, role="strongroom_worker", size=2)
    assert [await job.run() for job in jobs(worker)] == [1, 0, 1]
    await worker.close()
    assert await house.tokens.find(static.token.reveal())
    assert await owner.fetchval("SELECT count(*) FROM portal_session_records") == 0
