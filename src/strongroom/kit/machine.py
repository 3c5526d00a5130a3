"""State machines as tables. A move is one conditional UPDATE with its history row; nothing else writes `state`."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Generic, TypeVar

from strongroom.kit.db import Tx

S = TypeVar("S", bound=StrEnum)
E = TypeVar("E", bound=StrEnum)

_COLUMN = re.compile(r"[a-z_]+")


@dataclass(frozen=True, slots=True)
class Edge(Generic[S, E]):
    """One allowed move."""

    before: S
    event: E
    after: S


@dataclass(frozen=True, slots=True)
class Moved(Generic[S]):
    """A move that happened."""

    before: S
    after: S


class Machine(Generic[S, E]):
    """The states of one table, the events that move them, and nothing besides."""

    def __init__(
        self,
        name: str,
        table: str,
        *,
        states: type[S],
        start: S,
        ends: Iterable[S],
        edges: Iterable[tuple[S | list[S], E, S]],
        tenant_column: str = "firm_id",
    ) -> None:
        """Check the table when it is imported: one way per state and event, all states reachable, ends without a way out."""
        self.name = name
        self.table = table
        self.states = states
        self.start = start
        self.ends = frozenset(ends)
        self._tenant_column = tenant_column
        self.edges: list[Edge[S, E]] = []
        for before, event, after in edges:
            sources = before if isinstance(before, list) else [before]
            self.edges.extend(Edge(source, event, after) for source in sources)
        self._check()

    def ways(self, event: E) -> dict[S, S]:
        """Return where an event leads from each state that allows it."""
        return {edge.before: edge.after for edge in self.edges if edge.event == event}

    async def move(
        self,
        tx: Tx,
        tenant: str,
        object_id: str,
        event: E,
        *,
        only_from: S | None = None,
        sets: Mapping[str, Any] | None = None,
        times: Iterable[str] = (),
        where: Mapping[str, Any] | None = None,
        detail: Mapping[str, Any] | None = None,
    ) -> Moved[S] | None:
        """Move one row if its state allows the event; None when it does not (somebody else was first).

        `sets` names further columns to write, `times` columns that get the present time, and `where` columns that must
        still hold a value. `detail` goes to the history and must hold nothing personal.
        """
        ways = self.ways(event)
        if only_from is not None:
            ways = {only_from: ways[only_from]}
        values: list[Any] = [tenant, object_id, list(ways), list(ways.values())]
        assignments = [f"{_column(name)} = ${_push(values, value)}" for name, value in (sets or {}).items()]
        assignments += [f"{_column(name)} = app_now()" for name in times]
        guards = [f"AND {_column(name)} = ${_push(values, value)}" for name, value in (where or {}).items()]
        event_at = _push(values, str(event))
        detail_at = _push(values, json.dumps(detail) if detail else None)
        row = await tx.fetchrow(
            f"""
            WITH way AS (SELECT unnest($3::text[]) AS before, unnest($4::text[]) AS after),
            old AS (
                SELECT {self._tenant_column} AS tenant, id, state FROM {self.table}
                WHERE {self._tenant_column} = $1 AND id = $2 AND state = ANY($3::text[]) {" ".join(guards)}
                FOR UPDATE
            ), moved AS (
                UPDATE {self.table} AS target SET {", ".join(["state = way.after", "changed_at = app_now()", *assignments])}
                FROM old JOIN way ON way.before = old.state
                WHERE target.{self._tenant_column} = old.tenant AND target.id = old.id
                RETURNING way.before, way.after
            ), noted AS (
                INSERT INTO history (tenant_id, object_id, machine, before, after, event, detail)
                SELECT $1, $2, '{self.name}', before, after, ${event_at}, ${detail_at}::jsonb FROM moved
            )
            SELECT before, after FROM moved
            """,
            *values,
        )
        return Moved(self.states(row["before"]), self.states(row["after"])) if row else None

    def draw(self) -> str:
        """Return the machine as a Mermaid diagram."""
        lines = ["stateDiagram-v2", f"    [*] --> {self.start}"]
        lines += [f"    {edge.before} --> {edge.after}: {edge.event}" for edge in self.edges]
        lines += [f"    {end} --> [*]" for end in sorted(self.ends)]
        return "\n".join(lines) + "\n"

    def _check(self) -> None:
        """Raise ValueError when the table contradicts itself."""
        seen = {(edge.before, edge.event) for edge in self.edges}
        if len(seen) != len(self.edges):
            raise ValueError(f"{self.name}: an event leads two ways from one state")
        if stray := [edge for edge in self.edges if edge.before in self.ends]:
            raise ValueError(f"{self.name}: {stray[0].before} is an end and has a way out")
        reached = {self.start} | {edge.after for edge in self.edges}
        if lost := set(self.states) - reached:
            raise ValueError(f"{self.name}: no way leads to {sorted(lost)}")
        leaving = {edge.before for edge in self.edges}
        if stuck := set(self.states) - leaving - self.ends:
            raise ValueError(f"{self.name}: no way leads out of {sorted(stuck)}, and they are no ends")


def _push(values: list[Any], value: object) -> int:
    """Add a parameter and return its number."""
    values.append(value)
    return len(values)


def _column(name: str) -> str:
    """Return the name if it has the shape of a column, so that no text can become SQL."""
    if not _COLUMN.fullmatch(name) or name == "state":
        raise ValueError(f"{name!r} cannot be set by a move")
    return name
