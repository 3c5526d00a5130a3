"""`strongroom merchants`: gateways and switches that ask for purchases to be authenticated."""

from __future__ import annotations

from typing import Annotated

from cyclopts import App, Parameter

from strongroom.access.merchants import Merchants, list_merchants
from strongroom.commands.desk import open_desk, operator, say, say_fields, say_table, show_time
from strongroom.commands.firms import read_changes, say_settings

app = App(name="merchants", help="Make, list, show and set merchants.")

MerchantId = Annotated[str, Parameter(help="The merchant (mer-…)")]


@app.command
async def create(name: Annotated[str, Parameter(help="The merchant's name")]) -> None:
    """Make a merchant."""
    async with open_desk() as desk:
        merchant = await Merchants(desk.db).create(operator(), name)
    say_fields({"merchant": merchant.id})


@app.command(name="list")
async def list_all() -> None:
    """List all merchants."""
    async with open_desk() as desk:
        merchants = await list_merchants(desk.worker_db)
    say_table(("merchant", "name", "made"), [(one.id, one.name, show_time(one.created_at)) for one in merchants])


@app.command
async def show(merchant: MerchantId) -> None:
    """Show a merchant's settings with their meanings."""
    async with open_desk() as desk:
        found = await Merchants(desk.db).get(merchant)
    say_fields({"merchant": found.id, "name": found.name})
    say_settings(found.settings)


@app.command(name="set")
async def set_settings(
    merchant: MerchantId,
    *changes: Annotated[str, Parameter(help="One or more of name=value, such as begins_per_minute=60")],
    name: Annotated[str | None, Parameter(help="A new name for the merchant")] = None,
) -> None:
    """Change a merchant's settings. They hold everywhere within a second."""
    async with open_desk() as desk:
        await Merchants(desk.db).change(operator(), merchant, read_changes(changes, name, "merchants"), name=name)
    say(f"Changed {merchant}.")
