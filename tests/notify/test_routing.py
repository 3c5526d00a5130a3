"""Which gateway carries which message, and which rests."""

from __future__ import annotations

from strongroom.notify.port import Refused, Route, Unavailable
from strongroom.notify.routing import FAILURES_IN_A_ROW, REST_SECONDS, Routing
from strongroom.notify.states import MessageEvent
from tests.notify.conftest import House, Phone

BRITISH, NIGERIAN = "447700900123", "2348030000000"


def test_a_number_is_carried_by_the_gateways_for_its_prefix_in_turn() -> None:
    routing = Routing([Route(Phone("local"), ("234",)), Route(Phone("british"), ("44", "353")), Phone("world")])
    assert [routing.choose(BRITISH, tries) for tries in range(3)] == ["british", "world", "british"]
    assert [routing.choose(NIGERIAN, tries) for tries in range(2)] == ["local", "world"]
    assert Routing([Route(Phone(), ("234",))]).choose(BRITISH, 0) is None


def test_what_a_gateway_refused_later_goes_to_each_other_one_at_most_even_while_those_rest() -> None:
    routing = Routing([Phone("first"), Phone("second"), Phone("third")])
    for name in ("second", "third"):
        for _ in range(FAILURES_IN_A_ROW):
            routing.note(name, MessageEvent.NOT_TAKEN)
    assert {routing.choose(BRITISH, tries, refused_by="first") for tries in (1, 2)} == {"second", "third"}
    assert routing.choose(BRITISH, 3, refused_by="third") is None
    assert Routing([Phone("alone")]).choose(BRITISH, 1, refused_by="alone") is None


def test_a_gateway_that_fails_again_and_again_rests_and_comes_back() -> None:
    now = [0.0]
    routing = Routing([Phone("first"), Phone("second")], clock=lambda: now[0])
    for _ in range(FAILURES_IN_A_ROW):
        assert routing.choose(BRITISH, 0) == "first"
        routing.note("first", MessageEvent.NOT_TAKEN)
    assert [routing.choose(BRITISH, tries) for tries in range(3)] == ["second"] * 3
    now[0] += REST_SECONDS
    assert routing.choose(BRITISH, 0) == "first"


def test_a_success_or_a_refusal_ends_the_count() -> None:
    routing = Routing([Phone("first"), Phone("second")])
    for event in (MessageEvent.TAKEN, MessageEvent.REFUSED):
        for _ in range(FAILURES_IN_A_ROW - 1):
            routing.note("first", MessageEvent.GATEWAY_SILENT)
        routing.note("first", event)
    routing.note("first", MessageEvent.NOT_TAKEN)
    assert routing.choose(BRITISH, 0) == "first"


def test_when_all_rest_none_is_spared() -> None:
    routing = Routing([Phone("first"), Phone("second")])
    for name in ("first", "second"):
        for _ in range(FAILURES_IN_A_ROW):
            routing.note(name, MessageEvent.NOT_TAKEN)
    assert [routing.choose(BRITISH, tries) for tries in range(2)] == ["first", "second"]


async def test_a_message_leaves_by_the_gateway_for_its_number(house: House) -> None:
    local, world = Phone("local"), Phone("world")
    await house.queue(to=NIGERIAN)
    await house.queue(to=BRITISH)
    await house.send(Route(local, ("234",)), Route(world, ("44",)))
    assert [one.to for one in local.carried] == [NIGERIAN]
    assert [one.to for one in world.carried] == [BRITISH]


async def test_a_number_that_no_gateway_carries_fails_at_once_and_says_why(house: House) -> None:
    message = await house.queue(to=BRITISH, text="secret text")
    await house.send(Route(Phone(), ("234",)))
    assert await house.state(message) == "failed"
    assert await house.owner.fetchrow("SELECT failure, text_sealed, gateway FROM messages") == ("no_gateway", None, None)


async def test_an_outage_costs_few_messages_a_try_before_the_next_gateway_has_them_all(house: House) -> None:
    down, up = Phone("down", raises=Unavailable("down")), Phone("up")
    sender = house.sender(down, up)
    for turn in range(20):
        await house.queue(to=str(447700900000 + turn))
        await sender.send_due()
        await sender.finish()
    await sender.send_due()
    await sender.finish()
    assert len(up.carried) == 20
    assert await house.owner.fetchval("SELECT count(*) FROM messages WHERE tries > 0") <= FAILURES_IN_A_ROW


async def test_a_refusal_by_one_gateway_is_not_tried_at_another(house: House) -> None:
    first, second = Phone("first", raises=Refused("bad_number")), Phone("second")
    message = await house.queue()
    await house.send(first, second)
    assert await house.state(message) == "failed"
    assert second.carried == []


async def test_a_number_that_does_not_open_yet_waits_for_its_key_and_is_not_taken_for_a_number_nobody_carries(house: House) -> None:
    phone = Phone()
    message = await house.queue(to=BRITISH)
    await house.owner.execute("UPDATE messages SET recipient_sealed = set_byte(recipient_sealed, 4, 9)")
    await house.send(Route(phone, ("44",)))
    assert (await house.state(message), phone.carried) == ("queued", [])
    await house.owner.execute("UPDATE messages SET recipient_sealed = set_byte(recipient_sealed, 4, 1)")
    await house.pass_time(11)
    await house.send(Route(phone, ("44",)))
    assert [one.to for one in phone.carried] == [BRITISH]
