from __future__ import annotations

import asyncio
from pathlib import Path

import httpx
import pytest

from strongroom.inbox import InboxRefused, create_inbox
from strongroom.kit.jobs import Runner
from strongroom.notify.gateways.inbox import InboxGateway
from strongroom.notify.jobs import jobs
from strongroom.notify.messages import Receipts
from strongroom.notify.model import Purpose, Queued
from strongroom.notify.port import Found, Outgoing, Receipt, Refused, Sent, Silent, Unavailable
from strongroom.notify.watching import Watch
from tests.notify.conftest import PHONE, House, Phone, running_inbox


async def test_a_queued_message_reaches_the_inbox_within_a_second(house: House, inbox_url: str) -> None:
    gateway = InboxGateway(inbox_url, production=False)
    sender = house.sender(gateway)
    stopping = asyncio.Event()
    running = asyncio.create_task(Runner(house.worker, jobs(sender, Watch(house.worker))).run(stopping))
    await asyncio.sleep(0.3)
    message = await house.queue(text="123456 is your code", purpose=Purpose.LOGIN_CODE)
    async with httpx.AsyncClient(base_url=inbox_url) as client, asyncio.timeout(1):
        while not (shown := (await client.get("/messages", params={"to": PHONE})).json()):  # noqa: ASYNC110  # over HTTP only
            await asyncio.sleep(0.02)
    stopping.set()
    await running
    await sender.finish()
    await gateway.close()
    assert shown[0]["text"] == "123456 is your code"
    assert await house.state(message) == "sent"
    assert await house.owner.fetchval("SELECT text_sealed FROM messages") is None  # a code's text goes when it is sent


async def test_a_late_code_dies_unsent(house: House) -> None:
    message = await house.queue(purpose=Purpose.LOGIN_CODE, valid_until=await house.time(30))
    await house.pass_time(31)
    phone = Phone()
    await house.send(phone)
    assert await house.state(message) == "expired"
    assert phone.carried == []


async def test_a_code_goes_before_notices(house: House) -> None:
    await house.queue(text="notice")
    await house.queue(text="code", purpose=Purpose.LOGIN_CODE)
    phone = Phone()
    await house.send(phone)
    assert [message.text for message in phone.carried] == ["code", "notice"]


async def test_two_workers_send_a_message_once(house: House) -> None:
    for n in range(20):
        await house.queue(to=str(447700900000 + n))
    one, two = Phone(), Phone()
    await asyncio.gather(house.send(one), house.send(two))
    sent = [message.id for message in one.carried + two.carried]
    assert len(sent) == len(set(sent)) == 20


async def test_an_unavailable_gateway_gives_way_to_the_next(house: House) -> None:
    message = await house.queue()
    down, up = Phone("down", raises=Unavailable("busy")), Phone("up")
    assert await house.send(down, up) == 1
    assert await house.state(message) == "queued"
    assert await house.send(down, up) == 1
    assert await house.state(message) == "sent"
    assert len(up.carried) == 1


async def test_when_every_gateway_is_down_a_message_waits_and_is_sent_later(house: House) -> None:
    message = await house.queue()
    phone = Phone(raises=Unavailable("busy"))
    await house.send(phone)
    assert await house.send(phone) == 0
    await house.pass_time(2.1)
    phone.raises = None
    await house.send(phone)
    assert await house.state(message) == "sent"


async def test_a_refused_message_has_failed_for_good(house: House) -> None:
    message = await house.queue()
    await house.send(Phone(raises=Refused("bad_number")))
    assert await house.state(message) == "failed"
    assert await house.owner.fetchval("SELECT failure FROM messages") == "bad_number"


async def test_a_silent_gateway_is_never_given_the_message_again(house: House) -> None:
    message = await house.queue(valid_until=await house.time(86400))
    phone = Phone(raises=Silent("no_answer"))
    await house.send(phone)
    phone.raises = None
    for _ in range(10):
        await house.pass_time(3600)
        await house.sender(phone).settle()
        await house.send(phone)
    assert await house.state(message) == "unknown"
    assert phone.carried == []


class AskablePhone(Phone):
    """A gateway that can be asked."""

    found = Found.NOT_KNOWN
    asked = 0

    async def ask(self, message_id: str) -> Found:
        assert message_id.startswith("msg-")
        self.asked += 1
        return self.found


@pytest.mark.parametrize(
    ("found", "state", "carried"),
    [(Found.TAKEN, "sent", 0), (Found.NEVER_SEEN, "sent", 1), (Found.NOT_KNOWN, "unknown", 0)],
)
async def test_what_is_in_doubt_is_asked_about(house: House, found: Found, state: str, carried: int) -> None:
    message = await house.queue()
    phone = AskablePhone(raises=Silent("no_answer"))
    phone.found = found
    await house.send(phone)
    await house.pass_time(3)
    phone.raises = None
    await house.sender(phone).settle()
    await house.send(phone)
    assert phone.asked == 1
    assert await house.state(message) == state
    assert len(phone.carried) == carried


async def test_an_expired_code_that_was_never_seen_is_not_sent_after_all(house: House) -> None:
    message = await house.queue(valid_until=await house.time(30))
    phone = AskablePhone(raises=Silent("no_answer"))
    phone.found = Found.NEVER_SEEN
    await house.send(phone)
    await house.pass_time(60)
    await house.sender(phone).settle()
    assert await house.state(message) == "expired"


async def test_a_killed_sender_leaves_doubt_and_no_second_message(house: House) -> None:
    message = await house.queue()
    phone = Phone(hangs=True)
    sender = house.sender(phone)
    await sender.send_due()
    for task in list(sender._flight._started):
        task.cancel()
    await sender.finish()
    assert await house.state(message) == "sending"
    phone.hangs = False
    assert await house.send(phone) == 0
    await house.pass_time(61)
    await house.sender(phone).settle()
    assert await house.state(message) == "unknown"
    assert await house.send(phone) == 0


async def test_an_answer_after_the_lease_still_counts(house: House) -> None:
    message = await house.queue()
    gate = asyncio.Event()

    class Slow(Phone):
        async def send(self, message: Outgoing) -> Sent:
            await gate.wait()
            return await super().send(message)

    phone = Slow()
    sender = house.sender(phone)
    await sender.send_due()
    await house.pass_time(61)
    await house.sender(Phone("phone")).settle()
    assert await house.state(message) == "unknown"
    gate.set()
    await sender.finish()
    assert await house.state(message) == "sent"


async def test_receipts_only_go_forward(house: House) -> None:
    message = await house.queue()
    assert isinstance(message, Queued)
    receipts = Receipts(house.app)
    sender = house.sender(Phone())
    provider_id = f"phone-{message.message_id}"
    await receipts.take("phone", provider_id, Receipt.DELIVERED)  # overtakes our own record
    await sender.settle()
    assert await house.state(message) == "queued"
    await house.send(Phone())
    await sender.settle()
    assert await house.state(message) == "delivered"
    for late in (Receipt.FAILED, Receipt.DELIVERED, Receipt.EXPIRED):
        await receipts.take("phone", provider_id, late)
    await sender.settle()
    assert await house.state(message) == "delivered"
    assert await house.owner.fetchval("SELECT count(*) FROM message_receipts") == 0


async def test_what_was_not_taken_after_all_leaves_once_by_the_next_gateway_however_often_that_is_said(house: House) -> None:
    queues, other = Phone("queues", may_come_back=True), Phone("other")
    message = await house.queue(text="123456 is your code", purpose=Purpose.LOGIN_CODE)
    assert isinstance(message, Queued)
    await house.send(queues, other)
    for _ in range(3):
        await Receipts(house.app).take("queues", f"queues-{message.message_id}", Receipt.NOT_TAKEN)
        await asyncio.gather(*(house.sender(queues, other).settle() for _ in range(4)))
        await asyncio.gather(*(house.send(queues, other) for _ in range(4)))
    assert [len(phone.carried) for phone in (queues, other)] == [1, 1]
    assert await house.state(message) == "sent"
    assert await house.owner.fetchval("SELECT text_sealed FROM messages") is None


async def test_a_code_that_comes_back_too_late_is_not_sent_and_its_text_is_gone(house: House) -> None:
    queues, other = Phone("queues", may_come_back=True), Phone("other")
    message = await house.queue(purpose=Purpose.LOGIN_CODE, valid_until=await house.time(60))
    assert isinstance(message, Queued)
    await house.send(queues, other)
    await house.pass_time(61)
    await Receipts(house.app).take("queues", f"queues-{message.message_id}", Receipt.NOT_TAKEN)
    await house.sender(queues, other).settle()
    await house.send(queues, other)
    assert (await house.state(message), other.carried) == ("expired", [])
    assert await house.owner.fetchval("SELECT text_sealed FROM messages") is None


async def test_what_comes_back_without_its_text_has_failed(house: House) -> None:
    message = await house.queue(purpose=Purpose.LOGIN_CODE)
    assert isinstance(message, Queued)
    await house.send(Phone("queues"), Phone("other"))
    await Receipts(house.app).take("queues", f"queues-{message.message_id}", Receipt.NOT_TAKEN)
    await house.sender(Phone("queues"), Phone("other")).settle()
    assert await house.state(message) == "failed"
    assert await house.owner.fetchval("SELECT failure FROM messages") == "refused_later"


async def test_old_texts_and_numbers_are_erased(house: House) -> None:
    await house.queue()
    await house.send(Phone())
    await house.pass_time(8 * 86400)
    assert await house.sender(Phone()).forget_old() > 0
    row = await house.owner.fetchrow("SELECT recipient_sealed, text_sealed FROM messages")
    assert row is not None
    assert list(row) == [None, None]
    assert await house.owner.fetchval("SELECT count(*) FROM message_numbers") == 0


async def test_a_message_shows_neither_text_nor_number_in_its_repr(house: House) -> None:
    await house.queue(text="123456 is your code")
    phone = Phone()
    await house.send(phone)
    assert "123456" not in repr(phone.carried[0])
    assert PHONE not in repr(phone.carried[0])


async def test_the_inbox_forgets_nothing_when_killed_and_shows_each_message_once(tmp_path: Path) -> None:
    file = tmp_path / "inbox.jsonl"
    body = {"id": "msg-1", "to": PHONE, "text": "Go to http://localhost:8080/customer. Hello <b>"}
    async with running_inbox(file) as url, httpx.AsyncClient(base_url=url) as client:
        assert (await client.post("/messages", json=body)).status_code == 201
        assert (await client.post("/messages", json=body)).status_code == 200
    with file.open("ab") as out:
        out.write(b'{"id":"msg-2","to":"4477')  # what a kill in the middle of a write leaves
    async with running_inbox(file) as url, httpx.AsyncClient(base_url=url) as client:
        assert [message["id"] for message in (await client.get("/messages")).json()] == ["msg-1"]
        assert (await client.get("/messages", params={"to": "447700900999"})).json() == []
        page = (await client.get("/")).text
        assert '<a href="http://localhost:8080/customer" ' in page
        assert "&lt;b&gt;" in page
        assert "Nothing here was really sent" in page
        assert (await client.delete("/messages")).status_code == 204
        assert (await client.get("/messages")).json() == []


async def test_inbox_and_its_gateway_refuse_production(tmp_path: Path) -> None:
    with pytest.raises(InboxRefused):
        create_inbox(tmp_path / "inbox.jsonl", production=True)
    with pytest.raises(ValueError, match="production"):
        InboxGateway("http://127.0.0.1:1", production=True)


async def test_a_dead_inbox_is_unavailable_and_a_mute_one_silent() -> None:
    async def hang_up(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.close()

    server = await asyncio.start_server(hang_up, "127.0.0.1", 0)
    url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    gateway = InboxGateway(url, production=False)
    message = Outgoing("msg-1", PHONE, "Hello", "", None, 60, no_log=False)  # type: ignore[arg-type]  # the inbox needs no end of validity
    with pytest.raises(Silent):
        await gateway.send(message)
    server.close()
    await server.wait_closed()
    with pytest.raises(Unavailable):
        await gateway.send(message)
    await gateway.close()
