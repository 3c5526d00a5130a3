"""Values read a moment ago: one reading for all who ask at once, and none that a change has overtaken."""

from __future__ import annotations

import asyncio

from strongroom.kit.recent import Recent


class Row:
    """A row that is read slowly, and counts its readings."""

    def __init__(self) -> None:
        self.value: str | None = "old"
        self.readings = 0
        self.go_on = asyncio.Event()

    async def read(self) -> str | None:
        self.readings += 1
        value = self.value
        await self.go_on.wait()
        if value == "broken":
            raise LookupError
        return value


async def test_fifty_who_ask_at_once_wait_for_one_reading():
    recent, row = Recent[str, str](), Row()
    asking = [asyncio.ensure_future(recent.get("k", row.read)) for _ in range(50)]
    await asyncio.sleep(0)
    row.go_on.set()
    assert await asyncio.gather(*asking) == ["old"] * 50
    assert row.readings == 1
    assert await recent.get("k", row.read) == "old"
    assert row.readings == 1


async def test_a_reading_that_a_change_has_overtaken_is_neither_joined_nor_kept():
    recent, row = Recent[str, str](), Row()
    before = asyncio.ensure_future(recent.get("k", row.read))
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    row.value = "new"
    recent.drop("k")
    after = asyncio.ensure_future(recent.get("k", row.read))
    await asyncio.sleep(0)
    row.go_on.set()
    assert (await before, await after) == ("old", "new")
    assert recent.find("k") == "new"


async def test_whoever_asks_first_may_go_away_and_the_others_are_answered():
    recent, row = Recent[str, str](), Row()
    first, second = (asyncio.ensure_future(recent.get("k", row.read)) for _ in range(2))
    await asyncio.sleep(0)
    first.cancel()
    await asyncio.sleep(0)
    row.go_on.set()
    assert await second == "old"
    assert row.readings == 1


async def test_what_is_not_there_is_not_kept_and_a_failure_is_everybodys_and_then_forgotten():
    recent, row = Recent[str, str](), Row()
    row.go_on.set()
    row.value = None
    assert await recent.get("k", row.read) is None
    row.value = "broken"
    failed = await asyncio.gather(*(recent.get("k", row.read) for _ in range(3)), return_exceptions=True)
    assert [type(one) for one in failed] == [LookupError] * 3
    row.value = "there"
    assert await recent.get("k", row.read) == "there"


async def test_a_value_is_kept_no_longer_than_it_says():
    recent, row = Recent[str, str](), Row()
    row.go_on.set()
    assert await recent.get("k", row.read, keep_seconds=lambda _: 0.0) == "old"
    assert recent.find("k") is None
