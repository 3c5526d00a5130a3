"""`strongroom payments`: what became of a payment that the bank cannot tell about, found by one person and approved by another."""

from __future__ import annotations

from typing import Annotated

from cyclopts import App, Parameter

from strongroom.access.staff import Staff
from strongroom.commands.desk import Desk, FirmOption, ask_member, open_desk, say, say_fields, say_table, show_time
from strongroom.commands.failure import Failed
from strongroom.funds.customers import Customers
from strongroom.funds.findings import Findings
from strongroom.funds.model import FindingKind
from strongroom.funds.payment_moves import PaymentMoves
from strongroom.funds.results import Results
from strongroom.kit.money import show_pounds
from strongroom.webhooks.events import Events

app = App(name="payments", help="Say what became of payments where the bank cannot or does not tell. Takes two people.")


@app.command(name="list")
async def list_open(*, firm: FirmOption = None) -> None:
    """List the payments whose bank cannot tell what became of them, and the findings that wait for a second person."""
    async with open_desk() as desk:
        known = await desk.firm(firm)
        findings = _findings(desk)
        unconfirmed, waiting = await findings.list_unconfirmed(known.id), await findings.list_open(known.id)
    say("Unconfirmed payments. Look at the account's statement before you propose anything:")
    rows = [
        (one.id, one.request_id, show_pounds(one.amount_minor), one.bank_id, one.end_to_end_id, show_time(one.first_submitted_at))
        for one in unconfirmed
    ]
    say_table(("payment", "request", "amount", "bank", "end-to-end id", "sent"), rows)
    say("\nFindings that wait for a second person:")
    say_table(
        ("finding", "payment", "found", "where it was seen"),
        [(one.id, one.payment_id, one.kind.replace("_", " "), one.note) for one in waiting],
    )


@app.command
async def propose(
    payment: str,
    found: Annotated[
        FindingKind,
        Parameter(help="debited: the customer paid; not-debited: nothing was taken, they may pay anew; received: it arrived"),
    ],
    *,
    note: Annotated[str, Parameter(help="Where it was seen, such as the statement and its line")],
    firm: FirmOption = None,
) -> None:
    """Say what you found out about a payment (pay-…). Nothing moves until somebody else approves it."""
    async with open_desk() as desk:
        known = await desk.firm(firm)
        member = await ask_member(Staff(desk.db, desk.vault), known.id, "Who found it?")
        finding = await _findings(desk).propose(member, payment, found, note)
    say(f"{finding} is proposed. Another member of staff approves it: strongroom payments approve {finding}")


@app.command
async def approve(finding: str, *, firm: FirmOption = None) -> None:
    """Approve what somebody else found (fnd-…). Look where they say that they saw it."""
    async with open_desk() as desk:
        known = await desk.firm(firm)
        findings = _findings(desk)
        held = next((one for one in await findings.list_open(known.id) if one.id == finding), None)
        if held is None:
            raise Failed(f"no finding {finding} of {known.name} waits for somebody; see: strongroom payments list")
        say_fields({"payment": held.payment_id, "found": held.kind.replace("_", " "), "where it was seen": held.note})
        member = await ask_member(Staff(desk.db, desk.vault), known.id, "Who approves it?")
        payment = await findings.approve(member, finding)
    say(f"{finding} is approved: {payment.id} is {payment.state}.")


@app.command
async def decline(finding: str, *, firm: FirmOption = None) -> None:
    """Decline what somebody found, or take back your own."""
    async with open_desk() as desk:
        known = await desk.firm(firm)
        member = await ask_member(Staff(desk.db, desk.vault), known.id, "Who declines it?")
        await _findings(desk).decline(member, finding)
    say(f"{finding} is declined.")


def _findings(desk: Desk) -> Findings:
    moves = PaymentMoves(Results(Customers(desk.db, desk.vault)), Events(desk.db, desk.vault))
    return Findings(desk.db, desk.vault, moves)
