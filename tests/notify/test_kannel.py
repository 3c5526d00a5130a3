"""Through Debian's Kannel to npm's smpp as the centre, and back by the address that Kannel calls; set up as the guide prints it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from strongroom.notify.gateways.http import HttpGateway
from strongroom.notify.gsm import segments_of
from strongroom.notify.model import Limited, Purpose, Queued
from tests.notify.conftest import PHONE, House, Phone
from tests.notify.kannel import Kannel
from tests.notify.message_centre import MessageCentre, running_centre

pytestmark = pytest.mark.needs("bearerbox")
REFUSED_NUMBER, BUSY_NUMBER = "447700900102", "447700900104"  # what the centre does with a message the end of its number says
CODE = "654321 is your code for Marlow.\n\n@pay.example.com #654321"
RECEIPT = "id:{id} sub:001 dlvrd:001 submit date:2611271000 done date:2611271001 stat:{stat} err:000 text:"


@pytest.fixture
async def centre() -> AsyncIterator[MessageCentre]:
    async with running_centre() as found:
        yield found


@pytest.fixture
async def kannel(centre: MessageCentre, tmp_path: Path) -> AsyncIterator[Kannel]:
    found = Kannel(tmp_path, centre.port)
    await found.start(centre)
    yield found
    await found.kill()


@pytest.fixture
async def gateway(kannel: Kannel, house: House) -> AsyncIterator[HttpGateway]:
    made = kannel.gateway()
    async with kannel.reporting(house, made):
        yield made
    await made.close()


async def becomes(house: House, message: Queued | Limited, state: str, *gateways: Any) -> None:
    """Wait for a state, applying the receipts that come."""
    async with asyncio.timeout(20):
        while await house.state(message) != state:
            await house.sender(*gateways).settle()
            await asyncio.sleep(0.05)


async def receipt(centre: MessageCentre, message_id: str, stat: str) -> None:
    await centre.order(receipt={"short_message": RECEIPT.format(id=message_id, stat=stat)})
    assert await centre.next() == {"acknowledged": 0}


async def text_held(house: House, message: Queued | Limited) -> bool:
    assert isinstance(message, Queued)
    sql = "SELECT text_sealed IS NOT NULL FROM messages WHERE id = $1"
    return bool(await house.owner.fetchval(sql, message.message_id))


async def test_a_code_is_delivered_and_kannels_call_says_so(
    house: House, centre: MessageCentre, kannel: Kannel, gateway: HttpGateway
) -> None:
    message = await house.queue(text=CODE, purpose=Purpose.LOGIN_CODE, sender="Oak Bank")
    await house.send(gateway)
    assert await house.state(message) == "sent"
    seen = await centre.next()
    assert (seen["to"], seen["from"], seen["text"], seen["receipt"]) == (PHONE, "Oak Bank", CODE, 1)
    assert seen["validity"], "and the centre knows how long the code lives"
    await receipt(centre, seen["id"], "DELIVRD")
    await becomes(house, message, "delivered", gateway)
    assert not await text_held(house, message)
    said = kannel.said()
    assert not [one for one in (PHONE, "654321", "a-random-secret") if one in said], "Kannel's logs hold no number, code or secret"


async def test_a_message_that_did_not_reach_the_phone_has_failed_and_is_not_sent_again(
    house: House, centre: MessageCentre, gateway: HttpGateway
) -> None:
    other = Phone("other")
    message = await house.queue(text=CODE, purpose=Purpose.LOGIN_CODE)
    await house.send(gateway, other)
    seen = await centre.next()
    assert seen["from"] == "Marlow", "the guide's sender, where the message names none"
    await receipt(centre, seen["id"], "UNDELIV")
    await becomes(house, message, "failed", gateway, other)
    assert await house.send(gateway, other) == 0
    assert other.carried == []
    assert not await text_held(house, message)


@pytest.mark.parametrize(
    ("text", "coding"),
    [
        ("€ [braces] {and} ~|^\\ £ @ _ Ø", 0),
        ("Ж, ł and ₦ leave the alphabet", 8),
        ("x" * 152 + "€" * 10 + "y" * 150, 0),
        ("Ж" * 66 + "₦" * 70, 8),
        (" ends and begins with blanks \n", 0),
        ("100% + 2 & 'so' \"on\" <b> {to} %d", 0),
    ],
)
async def test_texts_arrive_as_they_are_in_as_many_parts_as_they_need(
    house: House, centre: MessageCentre, gateway: HttpGateway, text: str, coding: int
) -> None:
    message = await house.queue(text=text)
    await house.send(gateway)
    parts = [await centre.next() for _ in range(segments_of(text))]
    assert "".join(part["text"] for part in parts) == text
    assert {part["coding"] for part in parts} == {coding}
    numbers = [part["part"] and part["part"][-4:] for part in parts]
    assert numbers == ([None] if len(parts) == 1 else [f"{len(parts):02x}{n:02x}" for n in range(1, len(parts) + 1)])
    await receipt(centre, parts[0]["id"], "DELIVRD")
    await becomes(house, message, "delivered", gateway)


async def test_what_the_centre_refuses_leaves_by_the_next_gateway(
    house: House, centre: MessageCentre, gateway: HttpGateway
) -> None:
    other = Phone("other")
    message = await house.queue(to=REFUSED_NUMBER, text=CODE, purpose=Purpose.LOGIN_CODE)
    await house.send(gateway, other)
    assert (await centre.next())["to"] == REFUSED_NUMBER
    await becomes(house, message, "queued", gateway, other)
    await house.send(gateway, other)
    assert [one.text for one in other.carried] == [CODE]
    assert await house.state(message) == "sent"
    assert not await text_held(house, message)


async def test_what_the_centre_refuses_has_failed_where_there_is_no_other_gateway(
    house: House, centre: MessageCentre, gateway: HttpGateway
) -> None:
    message = await house.queue(to=REFUSED_NUMBER, text=CODE, purpose=Purpose.LOGIN_CODE)
    await house.send(gateway)
    await centre.next()
    await becomes(house, message, "queued", gateway)
    await house.send(gateway)
    assert await house.state(message) == "failed"
    assert await house.owner.fetchrow("SELECT failure, text_sealed FROM messages") == ("refused_later", None)


async def test_when_kannel_is_down_messages_leave_by_the_next_gateway_at_once(
    house: House, kannel: Kannel, gateway: HttpGateway
) -> None:
    other = Phone("other")
    message = await house.queue(text=CODE, purpose=Purpose.LOGIN_CODE)
    await kannel.kill()
    for _ in range(2):
        await house.send(gateway, other)
    assert [one.text for one in other.carried] == [CODE]
    assert await house.state(message) == "sent"


async def test_when_the_centre_is_down_kannel_takes_no_more_than_its_queue_holds(
    house: House, centre: MessageCentre, gateway: HttpGateway
) -> None:
    other = Phone("other")
    await centre.kill()
    for n in range(60):
        await house.queue(to=f"4477009{n:03d}00")
    while await house.owner.fetchval("SELECT count(*) FROM messages WHERE state = 'queued'"):
        await house.send(gateway, other)
        await house.pass_time(3)
    assert 1 <= await house.owner.fetchval("SELECT count(*) FROM messages WHERE gateway = 'kannel' AND state = 'sent'") <= 52
    assert await house.owner.fetchval("SELECT count(*) FROM messages WHERE state = 'sent'") == 60
    assert other.carried


async def test_a_report_that_finds_nobody_comes_again(house: House, centre: MessageCentre, kannel: Kannel) -> None:
    gateway = kannel.gateway()
    message = await house.queue(text=CODE, purpose=Purpose.LOGIN_CODE)
    await house.send(gateway)
    await receipt(centre, (await centre.next())["id"], "DELIVRD")
    await asyncio.sleep(1.5)  # for at least one call that finds nobody
    async with kannel.reporting(house, gateway):
        await becomes(house, message, "delivered", gateway)
    await gateway.close()
