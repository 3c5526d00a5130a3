"""`strongroom receiving-accounts`: proposed by one member of staff, approved by another, each authenticated at the prompt."""

from __future__ import annotations

import re
from typing import Annotated

from cyclopts import App, Parameter

from strongroom.access.staff import Staff
from strongroom.commands.desk import FirmOption, ask_member, open_desk, say, say_fields, say_table, show_time
from strongroom.commands.failure import Failed
from strongroom.funds.model import AccountKind
from strongroom.funds.receiving import NewReceivingAccount, ReceivingAccounts

app = App(name="receiving-accounts", help="Manage the accounts that money is paid into. Every change asks who you are.")
_NAME_MAX = 40  # what Faster Payments carry


@app.command
async def propose(
    name: Annotated[str, Parameter(help="The account's name, exactly as the bank holds it")],
    sort_code: Annotated[str, Parameter(help="Six digits; spaces and dashes are fine")],
    account_number: Annotated[str, Parameter(help="Eight digits")],
    *,
    kind: Annotated[
        AccountKind, Parameter(help="client or office account; deposits go only to a client account")
    ] = AccountKind.CLIENT,
    firm: FirmOption = None,
) -> None:
    """Propose an account. Somebody else must approve it before money can go to it."""
    new = NewReceivingAccount(_checked_name(name), _digits(sort_code, 6), _digits(account_number, 8), kind)
    async with open_desk() as desk:
        known = await desk.firm(firm)
        member = await ask_member(Staff(desk.db, desk.vault), known.id, f"Who proposes an account for {known.name}?")
        accounts = ReceivingAccounts(desk.db, desk.vault, cooling_off_seconds=desk.settings.receiving_cooling_off_seconds)
        account_id = await accounts.propose(member, new)
    say(f"{account_id} is proposed. Another member of staff approves it: strongroom receiving-accounts approve {account_id}")


@app.command
async def approve(account: str, *, firm: FirmOption = None) -> None:
    """Approve what somebody else proposed. Compare the numbers with a document you got another way."""
    async with open_desk() as desk:
        known = await desk.firm(firm)
        accounts = ReceivingAccounts(desk.db, desk.vault, cooling_off_seconds=desk.settings.receiving_cooling_off_seconds)
        held = next((one for one in await accounts.list_accounts(known.id) if one.id == account), None)
        if held is None:
            raise Failed(f"{known.name} has no receiving account {account}")
        say_fields({
            "name": held.account_name,
            "sort code": f"{held.sort_code[:2]}-{held.sort_code[2:4]}-{held.sort_code[4:]}",
            "account number": held.account_number,
            "kind": held.kind,
        })  # fmt: skip
        member = await ask_member(Staff(desk.db, desk.vault), known.id, "Who approves it?")
        approved = await accounts.approve(member, account)
    say(f"{account} is approved and can be used from {show_time(approved.usable_from)}.")


@app.command
async def decline(account: str, *, firm: FirmOption = None) -> None:
    """Decline a proposal."""
    async with open_desk() as desk:
        known = await desk.firm(firm)
        member = await ask_member(Staff(desk.db, desk.vault), known.id, "Who declines it?")
        await ReceivingAccounts(desk.db, desk.vault, cooling_off_seconds=0).decline(member, account)
    say(f"{account} is declined.")


@app.command
async def retire(account: str, *, firm: FirmOption = None) -> None:
    """Let an account receive nothing new. Requests already made keep it."""
    async with open_desk() as desk:
        known = await desk.firm(firm)
        member = await ask_member(Staff(desk.db, desk.vault), known.id, "Who retires it?")
        await ReceivingAccounts(desk.db, desk.vault, cooling_off_seconds=0).retire(member, account)
    say(f"{account} is retired.")


@app.command(name="default")
async def make_default(account: str, *, firm: FirmOption = None) -> None:
    """Make an approved account the one that requests take when they name none."""
    async with open_desk() as desk:
        known = await desk.firm(firm)
        member = await ask_member(Staff(desk.db, desk.vault), known.id, "Who makes it the default?")
        await ReceivingAccounts(desk.db, desk.vault, cooling_off_seconds=0).make_default(member, account)
    say(f"{account} is the default.")


@app.command(name="list")
async def list_accounts(*, firm: FirmOption = None) -> None:
    """List a firm's receiving accounts."""
    async with open_desk() as desk:
        known = await desk.firm(firm)
        found = await ReceivingAccounts(desk.db, desk.vault, cooling_off_seconds=0).list_accounts(known.id)
    rows = [
        (
            one.id,
            one.account_name,
            f"…{one.account_number_last4}",
            one.kind,
            one.state,
            show_time(one.usable_from),
            "*" * one.is_default,
        )
        for one in found
    ]
    say_table(("id", "name", "number", "kind", "state", "usable from", "default"), rows)


def _digits(text: str, count: int) -> str:
    digits = re.sub(r"[ -]", "", text)
    if not re.fullmatch(rf"[0-9]{{{count}}}", digits):
        raise Failed(f"{text!r} must have {count} digits")
    return digits


def _checked_name(text: str) -> str:
    name = " ".join(text.split())
    if not 0 < len(name) <= _NAME_MAX or not name.isprintable():
        raise Failed(f"the account's name has 1 to {_NAME_MAX} characters")
    return name
