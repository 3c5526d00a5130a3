"""`strongroom firms`: the tenants."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated, get_args

import msgspec
from cyclopts import App, Parameter

from strongroom.access.firms import Firms, list_firms
from strongroom.commands.desk import open_desk, operator, say, say_fields, say_table, show_time
from strongroom.commands.failure import Failed
from strongroom.notify.texts import CATALOGUE, Template, Texts

app = App(name="firms", help="Make, list, show and set firms.")

FirmId = Annotated[str | None, Parameter(name="--firm", help="The firm (frm-…); not needed while there is only one")]
TenantId = Annotated[
    str | None,
    Parameter(
        name=["--firm", "--issuer", "--merchant"],
        help="Whose: a firm (frm-…), not needed while there is only one, an issuer (iss-…) or a merchant (mer-…)",
    ),
]


@app.command
async def create(name: Annotated[str, Parameter(help="The firm's name, as its customers know it")]) -> None:
    """Make a firm."""
    async with open_desk() as desk:
        firm = await Firms(desk.db).create(operator(), name)
    say_fields({"firm": firm.id})


@app.command(name="list")
async def list_all() -> None:
    """List all firms."""
    async with open_desk() as desk:
        firms = await list_firms(desk.worker_db)
    say_table(("firm", "name", "made"), [(firm.id, firm.name, show_time(firm.created_at)) for firm in firms])


@app.command
async def show(*, firm: FirmId = None) -> None:
    """Show a firm's settings with their meanings."""
    async with open_desk() as desk:
        found = await desk.firm(firm)
    say_fields({"firm": found.id, "name": found.name})
    say_settings(found.settings)


@app.command(name="set")
async def set_settings(
    *changes: Annotated[str, Parameter(help="One or more of name=value, such as unique_case_ref=true")],
    firm: FirmId = None,
    name: Annotated[str | None, Parameter(help="A new name for the firm")] = None,
) -> None:
    """Change a firm's settings. They hold everywhere within a second."""
    async with open_desk() as desk:
        found = await desk.firm(firm)
        await Firms(desk.db).change(operator(), found.id, read_changes(changes, name, "firms"), name=name)
    say(f"Changed {found.id}.")


@app.command
async def wording(
    template: Annotated[Template, Parameter(help="Which text message")],
    text: Annotated[str | None, Parameter(help="Own wording, with the same {placeholders}; without it the usual one")] = None,
    *,
    firm: FirmId = None,
) -> None:
    """Give a text message the firm's own wording, or go back to the usual one."""
    async with open_desk() as desk:
        found = await desk.firm(firm)
        async with desk.db.transaction(found.id) as tx:
            await Texts().set_wording(tx, found.id, template, text)
    say(f"{template}: {text or CATALOGUE[template]}")


def say_settings(settings: msgspec.Struct) -> None:
    """Print every setting of a tenant with its meaning."""
    for field in msgspec.structs.fields(settings):
        meta = next((part for part in get_args(field.type) if isinstance(part, msgspec.Meta)), None)
        held = getattr(settings, field.name)
        say(f"  {field.name} = {held if isinstance(held, StrEnum) else repr(held)}")
        say(f"      {meta.description if meta else ''}")


def read_changes(changes: tuple[str, ...], name: str | None, command: str) -> dict[str, object]:
    """Return what `name=value` texts change. Raise Failed when they change nothing or one has no value."""
    pairs = dict(change.partition("=")[::2] for change in changes)
    if not (pairs or name) or any("=" not in change for change in changes):
        raise Failed(f"say what to change: name=value; `strongroom {command} show` lists the names")
    return {key: _value(text) for key, text in pairs.items()}


def _value(text: str) -> object:
    """Read a value as it is typed: `none` is nothing, an object or a list in JSON is itself, anything else is text."""
    if text == "none":
        return None
    return msgspec.json.decode(text) if text.startswith(("{", "[")) else text
