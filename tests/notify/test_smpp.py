"""SMPP against npm's smpp as the message centre: the bind, every answer, receipts, and lines that break."""

from __future__ import annotations

import asyncio
import contextlib
import struct
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest

from strongroom.kit.db import DatabaseDown
from strongroom.notify.gateways.smpp import Patience, SmppConfig, SmppGateway
from strongroom.notify.messages import Receipts
from strongroom.notify.model import Purpose
from strongroom.notify.port import Outgoing, Receipt, Refused, Report, Silent, Unavailable
from tests.notify.conftest import House
from tests.notify.message_centre import MessageCentre, running_centre

MESSAGE = Outgoing("msg-1", "447700900100", "123456 is your code", "Marlow", datetime(2100, 1, 1, tzinfo=UTC), 300, no_log=True)


@pytest.fixture
async def centre() -> AsyncIterator[MessageCentre]:
    async with running_centre() as found:
        yield found


class Bind:
    """A gateway with its line kept, and the reports that came."""

    def __init__(self, gateway: SmppGateway) -> None:
        self.gateway = gateway
        self.reports: asyncio.Queue[Report] = asyncio.Queue()
        self.fault: Exception | None = None

    async def take(self, report: Report) -> None:
        if self.fault:
            raise self.fault
        await self.reports.put(report)

    async def send_when_bound(self, message: Outgoing) -> Any:
        """Send as the sender does: again while nothing is bound."""
        async with asyncio.timeout(20):
            while True:
                try:
                    return await self.gateway.send(message)
                except Unavailable as fault:
                    if fault.code != "not_bound":
                        raise
                await asyncio.sleep(0.05)


@contextlib.asynccontextmanager
async def bound(centre: MessageCentre, patience: Patience | None = None, **more: Any) -> AsyncIterator[Bind]:
    wanted = {"system_id": "strongroom", "password": "secret12", "messages_per_second": 1000} | more
    bind = Bind(SmppGateway(SmppConfig(name="smpp", host="127.0.0.1", port=centre.port, **wanted), patience))
    line = asyncio.ensure_future(bind.gateway.run(bind.take))
    try:
        yield bind
    finally:
        line.cancel()
        await asyncio.gather(line, return_exceptions=True)


async def test_a_message_goes_out_with_sender_and_life_and_asks_for_a_receipt(centre: MessageCentre) -> None:
    async with bound(centre, firms_own_names=True) as bind:
        sent = await bind.send_when_bound(MESSAGE)
        assert await centre.next() == {"bind": "strongroom", "good": True}
        seen = await centre.next()
    assert (seen["to"], seen["from"], seen["ton"], seen["text"]) == (MESSAGE.to, "Marlow", 5, MESSAGE.text)
    assert (seen["coding"], seen["receipt"], seen["payload"]) == (0, 1, False)
    assert (sent.provider_id, sent.segments) == (seen["id"], 1)
    assert seen["validity"]


@pytest.mark.parametrize(
    ("text", "coding", "segments"), [("ł and ₦ cost more", 8, 1), ("x" * 200, 0, 2), ("€" * 81, 0, 2), ("Ж" * 100, 8, 2)]
)
async def test_texts_travel_as_they_are_however_long(centre: MessageCentre, text: str, coding: int, segments: int) -> None:
    async with bound(centre) as bind:
        sent = await bind.send_when_bound(replace(MESSAGE, text=text))
        await centre.next()
        seen = await centre.next()
    assert (seen["text"], seen["coding"], sent.segments, seen["payload"]) == (text, coding, segments, segments > 1)


@pytest.mark.parametrize(
    ("end", "kind", "code"),
    [
        ("01", Unavailable, "gateway_busy"),
        ("02", Refused, "esme_rinvdstadr"),
        ("03", Unavailable, "esme_rsyserr"),
        ("04", Unavailable, "gateway_busy"),
        ("06", Silent, None),
    ],
)
async def test_each_answer_means_what_it_should(centre: MessageCentre, end: str, kind: Any, code: str | None) -> None:
    async with bound(centre) as bind:
        with pytest.raises(kind) as fault:
            await bind.send_when_bound(replace(MESSAGE, to=f"4477009001{end}"))
    assert code is None or fault.value.code == code


async def test_without_a_bind_nothing_is_taken(centre: MessageCentre) -> None:
    alone = SmppGateway(SmppConfig(name="smpp", host="127.0.0.1", port=centre.port, system_id="strongroom", password="secret12"))
    with pytest.raises(Unavailable, match="not_bound"):
        await alone.send(MESSAGE)
    async with bound(centre, password="wrong") as bind:
        assert (await centre.next())["good"] is False
        with pytest.raises(Unavailable, match="not_bound"):
            await bind.gateway.send(MESSAGE)


async def test_a_line_that_breaks_is_bound_again_and_nothing_is_sent_twice(centre: MessageCentre) -> None:
    async with bound(centre) as bind:
        await bind.send_when_bound(MESSAGE)
        assert [next(iter(await centre.next())) for _ in range(2)] == ["bind", "id"]
        await centre.order(drop=True)
        assert "bind" in await centre.next()
        await bind.send_when_bound(replace(MESSAGE, id="msg-2"))
        assert (await centre.next())["id"] == "c-2"


RECEIPT = "id:c-1 sub:001 dlvrd:001 submit date:2611271000 done date:2611271001 stat:DELIVRD err:000 text:123456"


@pytest.mark.parametrize(
    ("receipt", "said"),
    [
        ({"short_message": RECEIPT}, Report("c-1", Receipt.DELIVERED)),
        ({"short_message": RECEIPT.replace("DELIVRD", "UNDELIV")}, Report("c-1", Receipt.FAILED)),
        ({"short_message": RECEIPT.replace("DELIVRD", "EXPIRED")}, Report("c-1", Receipt.EXPIRED)),
        ({"short_message": RECEIPT.replace("err:000", "err:0A1").replace("2611271000", "soon")}, Report("c-1", Receipt.DELIVERED)),
        ({"short_message": "ok", "receipted_message_id": "c-9", "message_state": 2}, Report("c-9", Receipt.DELIVERED)),
    ],
)
async def test_receipts_are_read_as_centres_write_them_and_acknowledged(centre: MessageCentre, receipt: Any, said: Report) -> None:
    async with bound(centre) as bind:
        await bind.send_when_bound(MESSAGE)
        await centre.next(), await centre.next()
        await centre.order(receipt=receipt)
        async with asyncio.timeout(20):
            assert await bind.reports.get() == said
        assert await centre.next() == {"acknowledged": 0}


async def test_a_step_on_the_way_and_nonsense_are_acknowledged_and_change_nothing(centre: MessageCentre) -> None:
    async with bound(centre) as bind:
        await bind.send_when_bound(MESSAGE)
        await centre.next(), await centre.next()
        for text in (RECEIPT.replace("DELIVRD", "ACCEPTD"), "hello", "id: stat:"):
            await centre.order(receipt={"short_message": text})
            assert await centre.next() == {"acknowledged": 0}
        assert bind.reports.empty()
        assert (await bind.gateway.send(replace(MESSAGE, id="msg-2"))).provider_id == "c-2", "and the line still stands"


async def test_a_receipt_that_cannot_be_kept_is_not_acknowledged_and_the_line_is_renewed(centre: MessageCentre) -> None:
    async with bound(centre) as bind:
        await bind.send_when_bound(MESSAGE)
        await centre.next(), await centre.next()
        bind.fault = DatabaseDown()
        await centre.order(receipt={"short_message": RECEIPT})
        assert "bind" in await centre.next(), "and no acknowledgement before it"
        bind.fault = None
        await bind.send_when_bound(replace(MESSAGE, id="msg-2"))
        assert (await centre.next())["id"] == "c-2"
        await centre.order(receipt={"short_message": RECEIPT})
        assert await centre.next() == {"acknowledged": 0}


async def test_many_at_once_share_the_window_and_each_has_its_own_answer(centre: MessageCentre) -> None:
    async with bound(centre, window=5) as bind:
        await bind.send_when_bound(MESSAGE)
        many = [replace(MESSAGE, id=f"many-{n}", to=f"4477009{n:03d}00") for n in range(100)]
        sent = await asyncio.gather(*(bind.gateway.send(one) for one in many))
        assert len({one.provider_id for one in sent}) == 100


async def test_a_queued_message_is_delivered_when_its_receipt_comes(centre: MessageCentre, house: House) -> None:
    receipts = Receipts(house.app)
    async with bound(centre) as bind:
        await bind.send_when_bound(MESSAGE)
        message = await house.queue(text="654321 is your code", purpose=Purpose.LOGIN_CODE)
        await house.send(bind.gateway)
        assert await house.state(message) == "sent"
        await centre.order(receipt={"short_message": RECEIPT.replace("id:c-1", "id:c-2")})
        async with asyncio.timeout(20):
            report = await bind.reports.get()
    await receipts.take(bind.gateway.name, report.provider_id, report.receipt)
    await house.sender(bind.gateway).settle()
    assert await house.state(message) == "delivered"


def pdu(command: int, body: bytes, *, status: int = 0, sequence: int = 1, length: int | None = None) -> bytes:
    return struct.pack(">4I", 16 + len(body) if length is None else length, command, status, sequence) + body


BIND_TRANSCEIVER_RESP, DELIVER_SM, SUBMIT_SM_RESP = 0x80000009, 0x00000005, 0x80000004
NONSENSE = [
    pdu(BIND_TRANSCEIVER_RESP, b""), pdu(BIND_TRANSCEIVER_RESP, b"no end"), pdu(BIND_TRANSCEIVER_RESP, b"x\0\x02\x10\0\x01"),
    pdu(BIND_TRANSCEIVER_RESP, b"\xff\0\xff\xff\xff\xff"), pdu(BIND_TRANSCEIVER_RESP, b"", length=3), pdu(0x77777777, b""),
    pdu(BIND_TRANSCEIVER_RESP, b"", status=0xFFFF), pdu(DELIVER_SM, b"\0"),
]  # fmt: skip


async def test_a_centre_that_answers_a_bind_with_nonsense_is_asked_again_and_ends_nothing() -> None:
    answers, talked = iter(NONSENSE), asyncio.Queue[bytes]()

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(asyncio.IncompleteReadError):
            await talked.put(await reader.readexactly(16))
            writer.write(next(answers, pdu(BIND_TRANSCEIVER_RESP, b"centre\0")))
            writer.close()

    server = await asyncio.start_server(answer, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    config = SmppConfig(name="smpp", host="127.0.0.1", port=port, system_id="strongroom", password="secret12")
    bind = Bind(SmppGateway(config, Patience(first_pause=0.01)))
    line = asyncio.ensure_future(bind.gateway.run(bind.take))
    try:
        async with asyncio.timeout(60):
            for _ in range(len(NONSENSE) + 1):
                await talked.get()
        assert not line.done()
    finally:
        line.cancel()
        await asyncio.gather(line, return_exceptions=True)
        server.close()


async def test_a_line_ends_when_it_is_told_to_even_as_an_answer_comes_in() -> None:
    lines: list[asyncio.Future[None]] = []
    steps = 0

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(asyncio.IncompleteReadError, ConnectionError):
            await reader.readexactly(16)
            writer.write(pdu(BIND_TRANSCEIVER_RESP, b"", status=14))
            for _ in range(steps):
                await asyncio.sleep(0)
            lines[-1].cancel()
        writer.close()

    server = await asyncio.start_server(answer, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    config = SmppConfig(name="smpp", host="127.0.0.1", port=port, system_id="strongroom", password="secret12")
    bind = Bind(SmppGateway(config))
    for steps in range(12):  # read by the centre above
        lines.append(asyncio.ensure_future(bind.gateway.run(bind.take)))
        done, _ = await asyncio.wait([lines[-1]], timeout=10)
        assert done, f"{steps} steps after the answer"
    server.close()


@pytest.mark.parametrize(
    "body", [b"", b"\0", b"\0\1\1", b"\0\1\1447700900123\0", b"\0" * 16 + b"\xff", b"\xff" * 40, b"\0" * 17 + b"\x04\x27\0"]
)
async def test_a_message_that_cannot_be_read_is_refused_and_the_line_stands(centre: MessageCentre, body: bytes) -> None:
    async with bound(centre) as bind:
        await bind.send_when_bound(MESSAGE)
        await centre.next(), await centre.next()
        await centre.order(raw=pdu(DELIVER_SM, body, sequence=77).hex())
        assert (await bind.gateway.send(replace(MESSAGE, id="msg-2"))).provider_id == "c-2"


def test_no_secret_is_printed() -> None:
    assert "secret12" not in repr(SmppConfig(name="smpp", host="x", system_id="strongroom", password="secret12"))
