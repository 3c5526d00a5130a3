"""The line to a message centre (npm's smpp): its window, its rate, whether it still stands, and a centre that is killed."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator, Iterable
from dataclasses import replace
from typing import Any

import pytest

from strongroom.notify.gateways.smpp import Patience
from strongroom.notify.port import Outgoing, Sent, Silent, Unavailable
from strongroom.notify.sending import SEND_TIMEOUT_SECONDS
from tests.modelbank.conftest import free_port
from tests.notify.conftest import House, Phone
from tests.notify.message_centre import MessageCentre, running_centre
from tests.notify.test_smpp import MESSAGE, Bind, bound

HELD, UNANSWERED = "447700900107", "447700900105"  # what the centre does with a message the end of its number says


@pytest.fixture
async def centre() -> AsyncIterator[MessageCentre]:
    async with running_centre() as found:
        yield found


def many(to: str, count: int) -> list[Outgoing]:
    return [replace(MESSAGE, id=f"many-{n}", to=to) for n in range(count)]


async def start(bind: Bind, centre: MessageCentre) -> None:
    """Have the bind stand, and one message behind it."""
    await bind.send_when_bound(MESSAGE)
    assert [next(iter(await centre.next())) for _ in range(2)] == ["bind", "id"]


async def nothing_comes(centre: MessageCentre, seconds: float) -> None:
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(seconds):
            await centre.next()


def outcomes(results: Iterable[Any]) -> list[str]:
    return sorted(type(one).__name__ for one in results)


async def test_no_more_messages_than_the_window_holds_wait_for_an_answer_at_once(centre: MessageCentre) -> None:
    async with bound(centre, window=3) as bind:
        await start(bind, centre)
        sending = [asyncio.ensure_future(bind.gateway.send(one)) for one in many(HELD, 7)]
        for expected in (3, 3, 1):
            for _ in range(expected):
                assert (await centre.next())["to"] == HELD
            await nothing_comes(centre, 0.5)
            await centre.order(answer=True)
        assert len({one.provider_id for one in await asyncio.gather(*sending)}) == 7


async def test_who_finds_no_room_in_the_window_is_free_for_another_gateway_and_nobody_doubts_it(centre: MessageCentre) -> None:
    async with bound(centre, Patience(room=0.3, answer=1.5), window=2) as bind:
        await start(bind, centre)
        results = await asyncio.gather(*(bind.gateway.send(one) for one in many(UNANSWERED, 5)), return_exceptions=True)
        assert outcomes(results) == ["Silent"] * 2 + ["Unavailable"] * 3
        assert isinstance(await bind.gateway.send(replace(MESSAGE, id="msg-2")), Sent), "and the places are free again"


def test_a_line_gives_up_before_the_sender_would_take_it_for_silent() -> None:
    patience = Patience()
    assert patience.room + patience.answer < SEND_TIMEOUT_SECONDS


async def test_messages_go_out_no_faster_than_was_agreed(centre: MessageCentre) -> None:
    async with bound(centre, messages_per_second=20, window=100) as bind:
        await start(bind, centre)
        began_at = time.monotonic()
        await asyncio.gather(*(bind.gateway.send(one) for one in many(MESSAGE.to, 20)))
        assert time.monotonic() - began_at >= 19 / 20


async def test_a_throttling_centre_is_left_alone_and_the_next_gateway_has_the_message(centre: MessageCentre, house: House) -> None:
    other = Phone("other")
    async with bound(centre) as bind:
        await start(bind, centre)
        message = await house.queue(to="447700900101")
        for _ in range(2):
            await house.send(bind.gateway, other)
    assert await house.state(message) == "sent"
    assert [one.to for one in other.carried] == ["447700900101"]


async def test_a_quiet_line_is_asked_whether_it_stands_and_kept_when_it_answers(centre: MessageCentre) -> None:
    async with bound(centre, Patience(quiet=0.2)) as bind:
        await start(bind, centre)
        await centre.order(enquiries="answer")
        for _ in range(3):
            assert await centre.next() == {"enquired": True}, "and no new bind"
        assert isinstance(await bind.gateway.send(replace(MESSAGE, id="msg-2")), Sent)


async def test_a_line_on_which_the_centre_is_gone_without_a_word_is_bound_anew(centre: MessageCentre) -> None:
    async with bound(centre, Patience(quiet=0.2, alive=0.5, first_pause=0.1)) as bind:
        await start(bind, centre)
        await centre.order(enquiries="ignore")
        assert await centre.next() == {"enquired": True}
        assert (await centre.next()).get("good") is True
        await centre.order(enquiries="answer")
        assert isinstance(await bind.send_when_bound(replace(MESSAGE, id="msg-2")), Sent)


async def test_the_centres_own_question_is_answered(centre: MessageCentre) -> None:
    async with bound(centre) as bind:
        await start(bind, centre)
        await centre.order(enquire=True)
        assert await centre.next() == {"answered": 0}


async def test_a_killed_centre_leaves_doubt_only_about_what_was_written_and_is_bound_when_it_is_back() -> None:
    port = free_port()
    async with contextlib.AsyncExitStack() as stack:
        first = await stack.enter_async_context(running_centre(port))
        bind = await stack.enter_async_context(bound(first, Patience(first_pause=0.1), window=2))
        await start(bind, first)
        sending = [asyncio.ensure_future(bind.gateway.send(one)) for one in many(HELD, 5)]
        for _ in range(2):
            assert (await first.next())["to"] == HELD
        await first.kill()
        results = await asyncio.gather(*sending, return_exceptions=True)
        assert outcomes(results) == ["Silent"] * 2 + ["Unavailable"] * 3
        assert {one.code for one in results if isinstance(one, Silent | Unavailable)} <= {"line_broke", "not_bound"}
        with pytest.raises(Unavailable):
            await bind.gateway.send(replace(MESSAGE, id="msg-2"))
        second = await stack.enter_async_context(running_centre(port))
        assert (await second.next())["good"]
        assert (await bind.send_when_bound(replace(MESSAGE, id="msg-3"))).provider_id == "c-1", "nothing of before is sent again"
