"""State machines: a table that contradicts itself is refused at import, and of any number of simultaneous moves one happens."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from enum import StrEnum
from typing import Any

import asyncpg
import pytest

from strongroom.kit.db import Database
from strongroom.kit.machine import Machine, Moved

TENANT = "frm-aaaaaaaaaaaaa"


class State(StrEnum):
    NEW = "new"
    BUSY = "busy"
    DONE = "done"


class Event(StrEnum):
    START = "start"
    RETRY = "retry"
    FINISH = "finish"


EDGES: list[Any] = [
    (State.NEW, Event.START, State.BUSY),
    ([State.NEW, State.BUSY], Event.FINISH, State.DONE),
    (State.BUSY, Event.RETRY, State.NEW),
]


def machine(edges: list[Any] = EDGES, ends: tuple[State, ...] = (State.DONE,)) -> Machine[State, Event]:
    return Machine("thing", "things", states=State, start=State.NEW, ends=ends, edges=edges)


@pytest.fixture
async def app(database: Any) -> AsyncIterator[Database]:
    owner = await asyncpg.connect(database.dsn)
    await owner.execute(
        """CREATE TABLE things (firm_id text, id text, state text NOT NULL DEFAULT 'new', changed_at timestamptz, note text,
               note_at timestamptz, PRIMARY KEY (firm_id, id));
           SELECT fence('things', 'firm_id', false);
           GRANT SELECT, INSERT, UPDATE ON things TO strongroom_app;
           INSERT INTO things (firm_id, id) VALUES ('frm-aaaaaaaaaaaaa', 'one'), ('frm-bbbbbbbbbbbbb', 'one')"""
    )
    await owner.close()
    db = await Database.connect(database.app_dsn, size=16)
    yield db
    await db.close()


async def move(db: Database, event: Event, **more: Any) -> Moved[State] | None:
    async with db.transaction(TENANT) as tx:
        return await machine().move(tx, TENANT, "one", event, **more)


async def test_of_fifty_simultaneous_moves_one_happens_and_is_noted_once(app: Database, database: Any) -> None:
    moves = await asyncio.gather(*(move(app, Event.START) for _ in range(50)))
    assert [one for one in moves if one] == [Moved(State.NEW, State.BUSY)]
    owner = await asyncpg.connect(database.dsn)
    rows = await owner.fetch("SELECT tenant_id, object_id, machine, before, after, event FROM history")
    states = dict(await owner.fetch("SELECT firm_id, state FROM things"))
    await owner.close()
    assert [tuple(row) for row in rows] == [(TENANT, "one", "thing", "new", "busy", "start")]
    assert states == {TENANT: "busy", "frm-bbbbbbbbbbbbb": "new"}


async def test_rival_events_have_one_winner(app: Database) -> None:
    moves = await asyncio.gather(
        *(move(app, event) for event in [Event.FINISH] * 10), move(app, Event.FINISH, only_from=State.BUSY)
    )
    assert sum(one is not None for one in moves) == 1


async def test_a_move_sets_columns_and_times_only_when_it_happens(app: Database) -> None:
    assert await move(app, Event.RETRY, sets={"note": "no"}) is None
    assert await move(app, Event.START, only_from=State.NEW, sets={"note": "yes"}, times=["note_at"], where={"note": None}) is None
    assert await move(app, Event.START, sets={"note": "yes"}, times=["note_at"])
    assert await move(app, Event.FINISH, where={"note": "other"}) is None
    async with app.transaction(TENANT) as tx:
        row = await tx.fetchrow("SELECT state, note, note_at IS NOT NULL AS timed FROM things")
    assert row is not None
    assert tuple(row) == ("busy", "yes", True)


async def test_a_move_that_is_rolled_back_leaves_no_history(app: Database, database: Any) -> None:
    async def fails() -> None:
        async with app.transaction(TENANT) as tx:
            await machine().move(tx, TENANT, "one", Event.START)
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        await fails()
    owner = await asyncpg.connect(database.dsn)
    assert await owner.fetchval("SELECT count(*) FROM history") == 0
    await owner.close()


@pytest.mark.parametrize("column", ["state", "note = 'x', state", "Note", "a;b", ""])
async def test_no_text_becomes_sql_and_the_state_is_never_set_besides(app: Database, column: str) -> None:
    with pytest.raises(ValueError, match="cannot be set"):
        await move(app, Event.START, sets={column: "x"})


@pytest.mark.parametrize(
    ("edges", "ends", "says"),
    [
        ([*EDGES, (State.NEW, Event.START, State.DONE)], (State.DONE,), "two ways"),
        ([*EDGES, (State.DONE, Event.RETRY, State.NEW)], (State.DONE,), "is an end and has a way out"),
        ([(State.NEW, Event.START, State.BUSY), (State.BUSY, Event.RETRY, State.NEW)], (State.DONE,), "no way leads to"),
        (EDGES, (), "no way leads out"),
    ],
)
def test_a_table_that_contradicts_itself_is_refused(edges: list[Any], ends: tuple[State, ...], says: str) -> None:
    with pytest.raises(ValueError, match=says):
        machine(edges, ends)


def test_the_drawing_shows_every_edge() -> None:
    drawing = machine().draw()
    assert "[*] --> new" in drawing
    assert "done --> [*]" in drawing
    assert drawing.count(": finish") == 2
