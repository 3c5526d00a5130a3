"""`strongroom staff`: the people of a firm who must prove who they are, for what takes two of them."""

from __future__ import annotations

import sys
from typing import Annotated

import segno
from cyclopts import App, Parameter

from strongroom.access.staff import Staff
from strongroom.commands.desk import ask_new_password, open_desk, operator, say, say_fields, say_table, show_time
from strongroom.commands.firms import TenantId

app = App(name="staff", help="Add, list and disable members of staff.")


@app.command
async def create(
    name: Annotated[str, Parameter(help="The person's name")],
    email: Annotated[str, Parameter(help="Their e-mail address")],
    *,
    firm: TenantId = None,
) -> None:
    """Add a person. They choose a password at the prompt and scan the code with their authenticator app, now and only now."""
    async with open_desk() as desk:
        found = await desk.tenant(firm)
        made = await Staff(desk.db, desk.vault).create(operator(), found, name, email, ask_new_password())
    uri = made.totp_uri.reveal()
    say_fields({"staff": made.id, "authenticator": uri})
    if sys.stdout.isatty():
        segno.make(uri, error="m").terminal(compact=True)


@app.command(name="list")
async def list_all(*, firm: TenantId = None) -> None:
    """List a firm's staff."""
    async with open_desk() as desk:
        people = await Staff(desk.db, desk.vault).list_all(await desk.tenant(firm))
    rows = [(member.id, member.name, member.email, state, show_time(member.created_at)) for member, state in people]
    say_table(("staff", "name", "e-mail", "state", "added"), rows)


@app.command
async def disable(staff: Annotated[str, Parameter(help="The person (stf-…)")], *, firm: TenantId = None) -> None:
    """End a person's membership for good."""
    async with open_desk() as desk:
        await Staff(desk.db, desk.vault).disable(operator(), await desk.tenant(firm), staff)
    say(f"Disabled {staff}.")
