"""`strongroom issuers`: those who issue cards, whose cardholders Safe Token authenticates."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated

from cyclopts import App, Parameter

from strongroom.access.issuers import Issuers, list_issuers
from strongroom.commands.clients import read_certificate
from strongroom.commands.desk import open_desk, operator, say, say_fields, say_table, show_time
from strongroom.commands.firms import read_changes, say_settings

app = App(name="issuers", help="Make, list, show and set issuers of cards, and pin the certificates of those around them.")

IssuerId = Annotated[str, Parameter(help="The issuer (iss-…)")]
Prefixes = Annotated[tuple[str, ...], Parameter(name="--cards", help="First 4 to 12 digits of its cards, once for each")]


class Pinned(StrEnum):
    """Whose certificate is pinned; the value is the setting that holds it."""

    HUB = "hub_certificate_hashes"
    HUB_SIGNER = "hub_signer_hashes"
    REMOTE = "remote_certificate_hashes"
    REMOTE_SIGNER = "remote_signer_hashes"
    CALLER_SIGNER = "caller_signer_hashes"


CertificateFile = Annotated[Path, Parameter(help="A file with the certificate (PEM)")]
Whose = Annotated[
    Pinned,
    Parameter(
        name="--as",
        help="hub (may call the issuer's service here), hub-signer (may sign what hubs send), remote (the issuer's own server), "
        "remote-signer (may sign its answers) or caller-signer (may sign what the issuer's software sends)",
    ),
]


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


@app.command
async def pin(issuer: IssuerId, certificate: CertificateFile, *, whose: Whose) -> None:
    """Pin a certificate beside those that are pinned already, so that one follows another without a gap."""
    async with open_desk() as desk:
        await Issuers(desk.db).pin(operator(), issuer, whose.value, read_certificate(certificate))
    say(f"Pinned for {issuer}.")


@app.command
async def unpin(issuer: IssuerId, certificate: CertificateFile, *, whose: Whose) -> None:
    """Let a certificate count no more. It ends everywhere within a second."""
    async with open_desk() as desk:
        await Issuers(desk.db).unpin(operator(), issuer, whose.value, read_certificate(certificate))
    say(f"Unpinned for {issuer}.")
