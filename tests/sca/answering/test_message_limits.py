"""Limits on messages where an issuer's own service sends the code: an unknown error, and nothing of the question stays."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from strongroom.issuing.port import CardPrompt, IssuerCode
from strongroom.notify.messages import Messages
from strongroom.notify.model import MessageLimits, Rate
from tests.sca.answering.conftest import PHONE, Desk

FEW = Rate(5, 5)
LIMITS: dict[str, tuple[dict[str, Any], str]] = {
    "number": ({}, "2348012345678"),
    "prefix": ({"prefix": FEW}, "234801234{n:04d}"),
    "country": ({"home_country": FEW}, "23480{n:04d}0000"),
    "client": ({"client": FEW}, "23480{n:04d}0000"),
    "tenant": ({"tenant": FEW}, "23480{n:04d}0000"),
}


def card(n: int) -> str:
    return f"50618199999999{n:05d}"


@pytest.mark.parametrize("limit", LIMITS)
async def test_of_sixteen_cards_asked_about_at_once_as_many_get_a_code_as_the_limit_says(desk: Desk, limit: str):
    changes, phone = LIMITS[limit]
    desk.answer_within(Messages(desk.db, desk.vault, MessageLimits(**changes)))
    for n in range(16):
        await desk.enrol(card(n), phone=phone.format(n=n))
    answers = await asyncio.gather(*(desk.ask(card(n)) for n in range(16)))
    assert sum(isinstance(answer, CardPrompt) for answer in answers) == 5
    assert {answer for answer in answers if not isinstance(answer, CardPrompt)} == {IssuerCode.UNKNOWN_ERROR}
    assert len(await desk.sent()) == 5
    assert await desk.owner.fetch("SELECT limited_by, purpose, country, refused FROM message_refusals") == [
        (limit, "purchase_code", "NG", 11)
    ]


async def test_no_code_goes_to_a_country_that_the_issuer_does_not_send_to(desk: Desk):
    await desk.set(sms_countries=["GB", "GH"])
    assert await desk.ask() is IssuerCode.UNKNOWN_ERROR
    assert await desk.sent() == []
    await desk.set(sms_countries=["NG"])
    assert isinstance(await desk.ask(), CardPrompt)


async def test_nor_does_a_notice_to_its_cardholders(desk: Desk):
    await desk.ask()
    for _ in range(5):
        await desk.type("x")
    assert len(await desk.sent()) == 2  # the code, and that the card is locked
    await desk.set(sms_countries=["GB"])
    async with desk.db.transaction(desk.issuer.id) as tx:
        await desk.cardholders.tell_blocked(tx, desk.issuer.id, desk.holder)
    assert len(await desk.sent()) == 2


async def test_the_message_whose_code_was_brought_is_noted_as_used(desk: Desk):
    await desk.ask()
    await desk.type("x")
    assert await desk.owner.fetchval("SELECT count(used_at) FROM messages") == 0
    await desk.type(await desk.code())
    assert await desk.owner.fetchval("SELECT count(used_at) FROM messages") == 1
    assert PHONE not in str(await desk.owner.fetch("SELECT t::text FROM messages t"))
