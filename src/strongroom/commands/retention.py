"""`strongroom retention`: whom the law lets go of, erasing who asks for it, and legal holds."""

from __future__ import annotations

from cyclopts import App

from strongroom.access.sessions import Sessions
from strongroom.commands.desk import Desk, FirmOption, open_desk, operator, say
from strongroom.funds.retention import Retention
from strongroom.kit.db import Database

app = App(name="retention", help="Erase people when their time is over, or when they ask and the law allows it; legal holds.")
_SHOWN_AT_MOST = 10_000


@app.command
async def due() -> None:
    """Say how many people the worker would erase now. Changes nothing."""
    async with open_desk() as desk:
        count = await _retention(desk, desk.worker_db).count_due(_SHOWN_AT_MOST)
        days = desk.settings.retention_payments_days
    more = " or more" if count == _SHOWN_AT_MOST else ""
    say(f"{count}{more} people are past the term of {days} days; a running worker erases them within the hour.")


@app.command
async def erase(customer: str, *, firm: FirmOption = None) -> None:
    """Erase a customer (cst-…) who asks for it. Refused while their case is open or held, or payment records must be kept."""
    async with open_desk() as desk:
        known = await desk.firm(firm)
        await _retention(desk, desk.db).erase(operator(), known.id, customer)
    say(f"{customer} is erased: nothing about them can be read any more. Backups made before still hold their key.")


@app.command
async def hold(case: str, *, firm: FirmOption = None) -> None:
    """Put a case (cse-…) under legal hold: nobody of it is erased until it is released."""
    async with open_desk() as desk:
        known = await desk.firm(firm)
        await _retention(desk, desk.db).hold(operator(), known.id, case)
    say(f"{case} is under legal hold.")


@app.command
async def release(case: str, *, firm: FirmOption = None) -> None:
    """End a legal hold; terms go on as if it had not been."""
    async with open_desk() as desk:
        known = await desk.firm(firm)
        await _retention(desk, desk.db).release(operator(), known.id, case)
    say(f"{case} is released.")


def _retention(desk: Desk, db: Database) -> Retention:
    return Retention(db, Sessions(db, desk.vault), keep_days=desk.settings.retention_payments_days)
