"""`strongroom signing-keys`: our keys that sign the access tokens of /passport and the proofs of purchases."""

from __future__ import annotations

from typing import Annotated

from cyclopts import App, Parameter

from strongroom.access.signing_keys import LEAD_SECONDS, Purpose, SigningKeys
from strongroom.commands.desk import open_desk, operator, say_fields, say_table, show_time

app = App(name="signing-keys", help="List and rotate the keys that sign access tokens and proofs.")


@app.command(name="list")
async def list_all() -> None:
    """List the keys whose public halves are shown. Of those for one purpose, the newest whose time has come signs."""
    async with open_desk() as desk:
        keys = await SigningKeys(desk.db, desk.vault).list_all()
    rows = [(key.kid, str(key.purpose), show_time(key.signs_from), show_time(key.shown_until)) for key in keys]
    say_table(("key", "for", "signs from", "shown until"), rows)


@app.command
async def rotate(
    purpose: Annotated[Purpose, Parameter(help="What the key signs")],
    *,
    lead_seconds: Annotated[int, Parameter(help="How long it is shown before it signs")] = LEAD_SECONDS,
) -> None:
    """Make a new key. Those before it sign until its time comes, and are shown for a day more."""
    async with open_desk() as desk:
        made = await SigningKeys(desk.db, desk.vault).rotate(operator(), purpose, lead_seconds=lead_seconds)
    say_fields({"key": made.kid, "signs from": show_time(made.signs_from)})
