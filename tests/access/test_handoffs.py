"""From the computer to the phone: who gets in with a scanned code, how far, for how long, and who does not."""

from __future__ import annotations

import asyncio
import secrets

import asyncpg
import pytest

from strongroom.access.handoffs import Confirmed, HandOffStage, NothingToConfirm, Offer, OnPhone, WrongNumber
from strongroom.access.model import Record, SessionKind
from strongroom.access.store import sessions as session_store
from strongroom.access.store.handoffs import CONFIRM_SECONDS, MAX_OFFERS, MAX_TRIES, OFFER_SECONDS
from strongroom.kit.ids import new_id
from tests.access.conftest import House, move_clock

FIRM, CUSTOMER, CASE, REQUEST = "frm-aaaaaaaaaaaaa", "cst-1111111111111", "cse-3333333333333", "csp-4444444444444"
RECORDS = [Record(FIRM, CUSTOMER, CASE), Record("frm-bbbbbbbbbbbbb", "cst-2222222222222")]
PHONE, THIEF = "p" * 43, "t" * 43


async def computer(house: House) -> str:
    """Return the id of a session at a computer."""
    async with house.db.transaction() as tx:
        return (await house.sessions.open(tx, SessionKind.CODE, RECORDS)).reveal()


async def offered(house: House, session_id: str) -> Offer:
    offer = await house.hand_offs.offer(session_id, FIRM, CUSTOMER, REQUEST)
    assert offer is not None
    return offer


async def scanned(house: House, session_id: str, browser: str = PHONE) -> OnPhone:
    offer = await offered(house, session_id)
    assert await house.hand_offs.scan(offer.token.reveal(), browser) == offer.id
    found = await house.hand_offs.on_phone(offer.id, browser)
    assert found is not None
    return found


def another(number: str) -> str:
    return f"{(int(number) + 1) % 10_000:04d}"


async def test_the_phone_gets_a_session_of_its_own_for_the_one_request_once_its_number_was_typed(house: House):
    session_id = await computer(house)
    phone = await scanned(house, session_id)
    assert await house.sessions.find(phone.session.reveal()) is None
    typed = f" {phone.number[:2]} {phone.number[2:]}"
    assert await house.hand_offs.confirm(phone.hand_off.id, session_id, typed) == Confirmed(REQUEST)
    session = await house.sessions.get(phone.session.reveal())
    assert session.kind is SessionKind.PHONE
    assert session.records == (Record(FIRM, CUSTOMER, CASE, REQUEST),)
    assert (await house.sessions.get(session_id)).records == tuple(RECORDS)


async def test_a_photographed_code_gives_a_number_and_nothing_else(house: House):
    session_id = await computer(house)
    offer = await offered(house, session_id)
    assert await house.hand_offs.scan(offer.token.reveal(), THIEF) == offer.id
    assert await house.hand_offs.scan(offer.token.reveal(), PHONE) is None
    assert await house.hand_offs.on_phone(offer.id, PHONE) is None
    thief = await house.hand_offs.on_phone(offer.id, THIEF)
    assert thief is not None
    await house.hand_offs.stop(offer.id, session_id)
    assert await house.hand_offs.confirm(offer.id, session_id, thief.number) == NothingToConfirm()
    assert await house.sessions.find(thief.session.reveal()) is None


async def test_a_code_is_used_by_one_phone_which_may_press_twice(house: House):
    session_id = await computer(house)
    offer = await offered(house, session_id)
    token = offer.token.reveal()
    assert [await house.hand_offs.scan(token, PHONE) for _ in range(2)] == [offer.id, offer.id]
    landed = await house.hand_offs.land(token, THIEF, "")
    assert landed is not None
    assert (landed.is_usable, landed.is_used, landed.is_mine, landed.is_own) == (False, True, False, False)
    mine = await house.hand_offs.land(token, PHONE, session_id)
    assert mine is not None
    assert (mine.is_mine, mine.is_own) == (True, True)


async def test_of_fifty_phones_at_once_one_wins(house: House, owner: asyncpg.Connection):
    session_id = await computer(house)
    token = (await offered(house, session_id)).token.reveal()
    phones = [secrets.token_urlsafe(32) for _ in range(50)]
    won = await asyncio.gather(*(house.hand_offs.scan(token, phone) for phone in phones))
    assert sum(one is not None for one in won) == 1
    assert await owner.fetchval("SELECT count(*) FROM hand_offs WHERE scanned_at IS NOT NULL") == 1


async def test_looking_at_a_code_uses_nothing_up(house: House):
    offer = await offered(house, await computer(house))
    for _ in range(3):
        landed = await house.hand_offs.land(offer.token.reveal(), THIEF, "")
        assert landed is not None
        assert landed.is_usable
    assert await house.hand_offs.scan(offer.token.reveal(), PHONE) == offer.id


async def test_a_code_is_too_old_after_five_minutes_and_a_scan_after_three(house: House, owner: asyncpg.Connection):
    session_id = await computer(house)
    offer, phone = await offered(house, session_id), await scanned(house, session_id)
    await move_clock(owner, seconds=CONFIRM_SECONDS + 1)
    assert await house.sessions.find(session_id)
    assert await house.hand_offs.confirm(phone.hand_off.id, session_id, phone.number) == NothingToConfirm()
    found = await house.hand_offs.on_phone(phone.hand_off.id, PHONE)
    assert found is not None
    assert found.hand_off.stage is HandOffStage.TOO_OLD
    await move_clock(owner, seconds=290)
    assert await house.sessions.find(session_id)
    await move_clock(owner, seconds=OFFER_SECONDS + 1)
    assert await house.sessions.find(session_id)
    assert await house.hand_offs.scan(offer.token.reveal(), PHONE) is None


async def test_a_code_dies_with_the_session_that_showed_it(house: House):
    session_id = await computer(house)
    offer = await offered(house, session_id)
    await house.sessions.end(session_id)
    landed = await house.hand_offs.land(offer.token.reveal(), PHONE, "")
    assert landed is not None
    assert not landed.is_usable
    assert await house.hand_offs.scan(offer.token.reveal(), PHONE) is None
    assert await house.hand_offs.offer(session_id, FIRM, CUSTOMER, REQUEST) is None


async def test_three_wrong_numbers_end_it_and_then_the_right_one_is_refused(house: House, owner: asyncpg.Connection):
    session_id = await computer(house)
    phone = await scanned(house, session_id)
    wrong = [await house.hand_offs.confirm(phone.hand_off.id, session_id, another(phone.number)) for _ in range(MAX_TRIES)]
    assert wrong == [WrongNumber(2), WrongNumber(1), WrongNumber(0)]
    assert await house.hand_offs.confirm(phone.hand_off.id, session_id, phone.number) == NothingToConfirm()
    found = await house.hand_offs.on_computer(phone.hand_off.id, session_id)
    assert found is not None
    assert found.stage is HandOffStage.LOCKED
    tags = [row["tag"] for row in await owner.fetch("SELECT tag FROM audit_entries WHERE tenant_id = $1", FIRM)]
    assert tags == ["access:hand_off:locked"]


async def test_of_two_hundred_numbers_at_once_three_are_compared(house: House):
    session_id = await computer(house)
    phone = await scanned(house, session_id)
    wrong = another(phone.number)
    outcomes = await asyncio.gather(*(house.hand_offs.confirm(phone.hand_off.id, session_id, wrong) for _ in range(200)))
    assert sum(isinstance(one, WrongNumber) for one in outcomes) == MAX_TRIES
    assert sum(isinstance(one, NothingToConfirm) for one in outcomes) == 200 - MAX_TRIES


async def test_a_right_number_typed_fifty_times_at_once_opens_one_session(house: House, owner: asyncpg.Connection):
    session_id = await computer(house)
    phone = await scanned(house, session_id)
    outcomes = await asyncio.gather(*(house.hand_offs.confirm(phone.hand_off.id, session_id, phone.number) for _ in range(50)))
    assert sum(isinstance(one, Confirmed) for one in outcomes) == 1
    assert await owner.fetchval("SELECT count(*) FROM portal_sessions WHERE kind = 'phone'") == 1


async def test_another_session_of_the_same_customer_can_neither_see_nor_confirm_nor_stop_it(house: House):
    phone, other = await scanned(house, await computer(house)), await computer(house)
    assert await house.hand_offs.on_computer(phone.hand_off.id, other) is None
    assert await house.hand_offs.confirm(phone.hand_off.id, other, phone.number) == NothingToConfirm()
    assert await house.hand_offs.stop(phone.hand_off.id, other) is None


async def confirmed(house: House, session_id: str) -> OnPhone:
    phone = await scanned(house, session_id)
    assert isinstance(await house.hand_offs.confirm(phone.hand_off.id, session_id, phone.number), Confirmed)
    return phone


async def test_a_phones_session_offers_nothing_on(house: House):
    phone = await confirmed(house, await computer(house))
    assert await house.hand_offs.offer(phone.session.reveal(), FIRM, CUSTOMER, REQUEST) is None


async def test_a_phones_session_is_as_old_as_the_one_it_came_from(house: House, owner: asyncpg.Connection):
    session_id = await computer(house)
    for hours in range(1, 144):  # somebody sits there all day
        await move_clock(owner, seconds=hours * 295)
        await house.sessions.get(session_id)
    phone = await confirmed(house, session_id)
    assert (await house.sessions.get(phone.session.reveal())).created_at == (await house.sessions.get(session_id)).created_at
    await move_clock(owner, seconds=12 * 3600 + 1)
    assert await house.sessions.find(phone.session.reveal()) is None


@pytest.mark.parametrize("how", ["signed out", "stopped", "customer changed"])
async def test_a_phones_session_ends_with_what_it_came_from(house: House, how: str):
    session_id = await computer(house)
    phone = await confirmed(house, session_id)
    if how == "signed out":
        await house.sessions.end(session_id)
    elif how == "stopped":
        await house.hand_offs.stop(phone.hand_off.id, session_id)
    else:
        async with house.db.transaction() as tx:
            assert await house.sessions.end_all_of(tx, FIRM, CUSTOMER) == 2
    assert await house.sessions.find(phone.session.reveal()) is None


async def test_signing_out_on_the_phone_leaves_the_computer_signed_in(house: House):
    session_id = await computer(house)
    phone = await confirmed(house, session_id)
    assert await house.sessions.end(phone.session.reveal())
    assert await house.sessions.find(session_id)


@pytest.mark.parametrize("how", ["signed out", "stopped", "customer changed"])
async def test_whoever_ends_it_while_the_number_is_typed_leaves_no_phone_signed_in(house: House, how: str):
    async def end(session_id: str, hand_off_id: str) -> None:
        if how == "signed out":
            await house.sessions.end(session_id)
        elif how == "stopped":
            await house.hand_offs.stop(hand_off_id, session_id)
        else:
            async with house.db.transaction() as tx:
                await house.sessions.end_all_of(tx, FIRM, CUSTOMER)

    for _ in range(25):
        session_id = await computer(house)
        phone = await scanned(house, session_id)
        confirming = house.hand_offs.confirm(phone.hand_off.id, session_id, phone.number)
        await asyncio.gather(confirming, end(session_id, phone.hand_off.id))
        assert await house.sessions.find(phone.session.reveal()) is None


@pytest.mark.parametrize("how", ["signed out", "customer changed"])
async def test_a_phones_session_that_is_just_being_opened_is_waited_for_and_ended_too(house: House, how: str):
    async def end() -> None:
        if how == "signed out":
            await house.sessions.end(session_id)
        else:
            async with house.db.transaction() as other:
                await house.sessions.end_all_of(other, FIRM, CUSTOMER)

    session_id = await computer(house)
    phone = await scanned(house, session_id)
    async with house.db.transaction() as tx:
        assert await session_store.add_for_phone(tx, house.sessions.hash_of(session_id), phone.hand_off.id, new_id("ses"))
        ending = asyncio.create_task(end())
        await asyncio.sleep(0.3)
        assert not ending.done()
    await ending
    assert await house.sessions.find(phone.session.reveal()) is None


async def test_a_session_has_thirty_open_offers_at_most_and_old_ones_make_room(house: House, owner: asyncpg.Connection):
    session_id = await computer(house)
    for _ in range(MAX_OFFERS):
        await offered(house, session_id)
    assert await house.hand_offs.offer(session_id, FIRM, CUSTOMER, REQUEST) is None
    await move_clock(owner, seconds=290)
    await house.sessions.get(session_id)
    await move_clock(owner, seconds=OFFER_SECONDS + 1)
    await offered(house, session_id)
    assert await owner.fetchval("SELECT count(*) FROM hand_offs") == 1


async def test_no_token_number_or_browser_is_kept_readable(house: House, owner: asyncpg.Connection):
    session_id = await computer(house)
    offer = await offered(house, session_id)
    await house.hand_offs.scan(offer.token.reveal(), PHONE)
    phone = await house.hand_offs.on_phone(offer.id, PHONE)
    assert phone is not None
    kept = str([tuple(row) for row in await owner.fetch("SELECT h::text FROM hand_offs h")])
    for secret in (offer.token.reveal(), PHONE, phone.session.reveal(), session_id, PHONE.encode().hex()):
        assert secret not in kept
    assert offer.token.reveal() not in repr(offer)
    assert phone.number not in repr(phone)


async def test_hand_offs_go_with_their_session(house: House, owner: asyncpg.Connection):
    await confirmed(house, await computer(house))
    await owner.execute("DELETE FROM portal_sessions WHERE kind = 'code'")
    for table in ("hand_offs", "portal_sessions", "portal_session_records"):
        assert await owner.fetchval(f"SELECT count(*) FROM {table}") == 0


@pytest.mark.parametrize("token", ["", "x" * 24, "x" * 5000, "\N{LATIN SMALL LETTER E WITH ACUTE}", "\0"])
async def test_a_token_that_nobody_offered_leads_nowhere(house: House, token: str):
    assert await house.hand_offs.land(token, PHONE, "") is None
    assert await house.hand_offs.scan(token, PHONE) is None
