"""`strongroom reviews`: what the product found odd and a firm's people must judge."""

from __future__ import annotations

from typing import Annotated

from cyclopts import App, Parameter

from strongroom.access.staff import Staff
from strongroom.commands.desk import FirmOption, ask_member, open_desk, say, say_table, show_time
from strongroom.funds.model import ReviewReason
from strongroom.funds.reviews import Reviews

app = App(name="reviews", help="See and resolve what a firm's people must judge: strange payers, names that differ, and the like.")
REASONS = {
    ReviewReason.THIRD_PARTY_PAYER: "the payer's name is not the customer's: check where the money comes from",
    ReviewReason.UNKNOWN_PAYER: "the bank did not say who paid: check where the money comes from",
    ReviewReason.NAME_MISMATCH: "the shared account is not in the customer's name, or the bank gave none",
    ReviewReason.UNRECOGNISED: "the customer does not recognise the request: speak to them; it is frozen",
    ReviewReason.UNCONFIRMED: "the bank cannot tell what became of the payment: strongroom payments list",
    ReviewReason.PARTLY_PAID: "its time is over and a part of it is paid: ask the customer for the rest, or settle what was paid",
}


@app.command(name="list")
async def list_open(*, firm: FirmOption = None) -> None:
    """List what waits for somebody, oldest first."""
    async with open_desk() as desk:
        known = await desk.firm(firm)
        found = await Reviews(desk.db, desk.vault).list_open(known.id)
    say_table(
        ("review", "request", "since", "why"),
        [(one.id, one.subject_id, show_time(one.created_at), REASONS[one.reason]) for one in found],
    )


@app.command
async def resolve(
    review: str,
    *,
    note: Annotated[str, Parameter(help="What came of it; kept sealed with the review")],
    release: Annotated[bool, Parameter(negative=(), help="Let a request go on that its customer had not recognised")] = False,
    firm: FirmOption = None,
) -> None:
    """Say what came of a review (rev-…). Asks who you are."""
    async with open_desk() as desk:
        known = await desk.firm(firm)
        member = await ask_member(Staff(desk.db, desk.vault), known.id, "Who resolves it?")
        await Reviews(desk.db, desk.vault).resolve(member, review, note, release=release)
    say(f"{review} is resolved." + (" The request can go on." if release else ""))
