"""`strongroom messages`: what became of text messages, and where the watch has paused them."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict
from datetime import UTC, datetime, timedelta
from typing import Annotated, Any

from cyclopts import App, Parameter

from strongroom.commands.desk import Desk, open_desk, operator, say, say_table, show_time
from strongroom.commands.failure import Failed
from strongroom.kit.clock import now_of
from strongroom.notify.model import Pause, Step
from strongroom.notify.watching import Watch
from strongroom.wiring import watch_rules

app = App(name="messages", help="See what became of text messages, and lift what the watch has paused.")
AsJson = Annotated[bool, Parameter(name="--json", negative="", help="As JSON, for scripts")]


@app.command
async def funnel(
    *,
    hours: Annotated[int, Parameter(help="The period: so many hours until now, or from --since on")] = 24,
    since: Annotated[datetime | None, Parameter(help="Where the period begins, such as 2026-03-02T00:00:00 (UTC)")] = None,
    as_json: AsJson = False,
) -> None:
    """Show asked, sent, delivered, used and refused messages, per purpose, country and gateway.

    Messages are counted where they were asked for, so the newest may still be on their way; refusals by the full hour.
    """
    if hours < 1:
        raise Failed("the period has at least an hour")
    async with open_desk() as desk:
        begins, ends = await _period(desk, hours, since)
        steps = await _watch(desk).take_stock(begins, ends)
    if as_json:
        say(json.dumps({"since": begins.isoformat(), "until": ends.isoformat(), "steps": [_shape(step) for step in steps]}))
        return
    say(f"From {show_time(begins)} to {show_time(ends)}:")
    say_table(
        ("purpose", "country", "gateway", "asked", "sent", "delivered", "used", "used of sent", "refused"),
        [
            (
                step.purpose, step.country or "-", step.gateway or "-", step.asked, step.sent, step.delivered, step.used,
                _share(step),
                ", ".join(f"{limit} {count}" for limit, count in sorted(step.refused.items())) or "-",
            )
            for step in steps
        ],
    )  # fmt: skip


@app.command
async def paused(*, as_json: AsJson = False) -> None:
    """List the blocks of numbers and countries whose codes go unused: paused, or told about alone."""
    async with open_desk() as desk:
        pauses = await _watch(desk).list_pauses()
    if as_json:
        say(json.dumps({"pauses": [_shape(pause) for pause in pauses]}))
        return
    say_table(
        ("pause", "what", "country", "stops", "numbers", "used a code", "began", "ends"),
        [_row(pause) for pause in pauses],
    )


@app.command
async def lift(pause: str) -> None:
    """End a pause (mps-…) before its time. What was sent until now does not count against those numbers again."""
    async with open_desk() as desk:
        lifted = await _watch(desk).lift(operator(), pause)
    say(f"{lifted.id} is lifted: text messages go to that {_words(lifted)} again." if lifted.stops else f"{lifted.id} is lifted.")


def _watch(desk: Desk) -> Watch:
    return Watch(desk.worker_db, watch_rules(desk.settings))


async def _period(desk: Desk, hours: int, since: datetime | None) -> tuple[datetime, datetime]:
    """Return begin and end in UTC, by the database's clock."""
    length = timedelta(hours=hours)
    if since is not None:
        begins = since.replace(tzinfo=since.tzinfo or UTC).astimezone(UTC)
        return begins, begins + length
    async with desk.worker_db.transaction() as tx:
        ends = (await now_of(tx)).astimezone(UTC)
    return ends - length, ends


def _shape(one: Step | Pause) -> dict[str, Any]:
    return {name: value.isoformat() if isinstance(value, datetime) else value for name, value in asdict(one).items()}


def _row(pause: Pause) -> Sequence[object]:
    stops = "yes" if pause.stops else "no: an alarm"
    return (
        pause.id, _words(pause), pause.country, stops, pause.numbers, pause.users, show_time(pause.began_at),
        show_time(pause.ends_at),
    )  # fmt: skip


def _words(pause: Pause) -> str:
    return "block of numbers" if pause.scope == "prefix" else "country"


def _share(step: Step) -> str:
    return f"{100 * step.used // step.sent}%" if step.sent else "-"
