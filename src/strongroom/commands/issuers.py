"""`strongroom issuers`: those who issue cards, whose cardholders Safe Token authenticates."""

from __future__ import annotations

from typing import Annotated

from cyclopts import App, Parameter

from strongroom.access.issuers import Issuers, list_issuers
from strongroom.commands.desk import open_desk, operator, say, say_fields, say_table, show_time
from strongroom.commands.firms import read_changes, say_settings

app = App(name="issuers", help="Make, list, show and set issuers of cards.")

IssuerId = Annotated[str, Parameter(help="The issuer (iss-…)")]
Prefixes = Annotated[tuple[str, ...], Parameter(name="--cards", help="First 4 to 12 digits of its cards, once for each")]


@app.command
async def create(
    name: Annotated[str, Parameter(help="The issuer's name")],
    bank_id: Annotated[int, Parameter(help="Its BankId, as its software sends it")],
    *,
    cards: Prefixes = (),
) -> None:
    """Make an issuer."""
    async with open_desk() as desk:
        issuer = await Issuers(desk.db).create(operator(), name, bank_id, cards)
    say_fields({"issuer": issuer.id})


@app.command(name="list")
async def list_all() -> None:
    """List all issuers."""
    async with open_desk() as desk:
        issuers = await list_issuers(desk.worker_db)
    rows = [
        (
            issuer.id,
            issuer.bank_id,
            issuer.name,
            " ".join(issuer.card_prefixes),
            str(issuer.settings.hosting),
            show_time(issuer.created_at),
        )
        for issuer in issuers
    ]
    say_table(("issuer", "BankId", "name", "cards", "hosting", "made"), rows)


@app.command
async def show(issuer: IssuerId) -> None:
    """Show an issuer's settings with their meanings."""
    async with open_desk() as desk:
        found = await Issuers(desk.db).get(issuer)
    say_fields({"issuer": found.id, "BankId": found.bank_id, "name": found.name, "cards": " ".join(found.card_prefixes)})
    say_settings(found.settings)


@app.command(name="set")
async def set_settings(
    issuer: IssuerId,
    *changes: Annotated[str, Parameter(help='One or more of name=value, such as otp_digits=8 or sms_countries=["NG"]')],
    name: Annotated[str | None, Parameter(help="A new name for the issuer")] = None,
) -> None:
    """Change an issuer's settings. They hold everywhere within a second."""
    async with open_desk() as desk:
        await Issuers(desk.db).change(operator(), issuer, read_changes(changes, name, "issuers"), name=name)
    say(f"Changed {issuer}.")


@app.command
async def add_cards(issuer: IssuerId, *prefix: Annotated[str, Parameter(help="First 4 to 12 digits of its cards")]) -> None:
    """Give card ranges to an issuer; of several that fit a card, the longest counts."""
    async with open_desk() as desk:
        await Issuers(desk.db).add_card_ranges(operator(), issuer, prefix)
    say(f"Changed {issuer}.")


@app.command
async def remove_cards(issuer: IssuerId, *prefix: Annotated[str, Parameter(help="First 4 to 12 digits of its cards")]) -> None:
    """Take card ranges from an issuer. Cards that are enrolled stay so."""
    async with open_desk() as desk:
        await Issuers(desk.db).remove_card_ranges(operator(), issuer, prefix)
    say(f"Changed {issuer}.")
