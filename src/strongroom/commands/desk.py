"""Where commands work: the settings, both database roles and the vault, opened for one command; and how it asks and answers."""

from __future__ import annotations

import contextlib
import getpass
import os
import sys
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Annotated

from cyclopts import Parameter

from strongroom.access.firms import Firms, list_firms
from strongroom.access.issuers import Issuers
from strongroom.access.merchants import Merchants
from strongroom.access.model import Firm, StaffMember, TenantKind
from strongroom.access.staff import Staff
from strongroom.commands.failure import Failed
from strongroom.kit.crypto import Secret
from strongroom.kit.db import Database
from strongroom.kit.vault import Vault
from strongroom.settings import Settings
from strongroom.settings_reading import load_settings

FirmOption = Annotated[str | None, Parameter(name="--firm", help="The firm; needed only where there are several")]
APP_ROLE = "strongroom_app"
WORKER_ROLE = "strongroom_worker"
_COLUMN_GAP = "  "


@dataclass(frozen=True, slots=True)
class Desk:
    """What a command may use."""

    settings: Settings
    db: Database  # as the application: one firm at a time
    worker_db: Database  # as the worker: all firms, for lists and checks
    vault: Vault

    async def firm(self, given: str | None) -> Firm:
        """Return the firm named, or the only one there is. Raise NotFound or Failed."""
        if given:
            return await Firms(self.db).get(given)
        firms = await list_firms(self.worker_db)
        if len(firms) == 1:
            return firms[0]
        if not firms:
            raise Failed("there is no firm yet; make one: strongroom firms create NAME")
        raise Failed("there are several firms; name one: --firm frm-…")

    async def tenant(self, given: str | None) -> str:
        """Return the id of the firm, issuer or merchant named, or of the only firm there is. Raise NotFound or Failed."""
        if given and given.startswith(f"{TenantKind.ISSUER}-"):
            return (await Issuers(self.db).get(given)).id
        if given and given.startswith(f"{TenantKind.MERCHANT}-"):
            return (await Merchants(self.db).get(given)).id
        return (await self.firm(given)).id


@contextlib.asynccontextmanager
async def open_desk() -> AsyncIterator[Desk]:
    """Open the desk. Raise SettingsError, RootKeysError or DatabaseDown."""
    settings = load_settings(os.environ)
    vault = Vault(settings.keeper())
    url = settings.database_url.reveal()
    db = await Database.connect(url, role=APP_ROLE, size=2)
    try:
        worker_db = await Database.connect(url, role=WORKER_ROLE, size=2)
        try:
            yield Desk(settings, db, worker_db, vault)
        finally:
            await worker_db.close()
    finally:
        await db.close()


def operator() -> str:
    """Return who is at the terminal, as the audit names them: the name of the account on this machine."""
    return f"operator:{getpass.getuser()}"


def say(text: str = "") -> None:
    """Print a line."""
    sys.stdout.write(text + "\n")


def say_fields(fields: Mapping[str, object]) -> None:
    """Print names and values, one a line, so that people and scripts can read them."""
    width = max(len(name) for name in fields)
    for name, value in fields.items():
        say(f"{name + ':':<{width + 1}} {value}")


def say_table(head: Sequence[str], rows: Sequence[Sequence[object]]) -> None:
    """Print a table, or that there is nothing."""
    if not rows:
        say("(none)")
        return
    lines = [list(head), *([str(cell) for cell in row] for row in rows)]
    widths = [max(len(line[column]) for line in lines) for column in range(len(head))]
    for line in lines:
        say(_COLUMN_GAP.join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip())


def show_time(at: datetime | None) -> str:
    """Print a time to the minute in UTC; a dash for never."""
    return at.strftime("%Y-%m-%d %H:%M") + "Z" if at else "-"


def ask(question: str) -> str:
    """Ask for a line that may be seen."""
    sys.stderr.write(f"{question}: ")
    sys.stderr.flush()
    return _line()


def ask_secret(question: str) -> Secret:
    """Ask for a line that is not shown while it is typed; without a terminal it is read from standard input."""
    if sys.stdin.isatty():
        return Secret(getpass.getpass(f"{question}: "))
    return Secret(_line())


def ask_new_password() -> Secret:
    """Ask for a new password, at a terminal twice. Raise Failed when the two differ."""
    password = ask_secret("Password")
    if sys.stdin.isatty() and ask_secret("The same again").reveal() != password.reveal():
        raise Failed("the two passwords differ")
    return password


async def ask_member(staff: Staff, firm_id: str, purpose: str) -> StaffMember:
    """Let a person prove at the prompt who they are. Raise StaffRefused."""
    sys.stderr.write(f"{purpose}\n")
    email = ask("E-mail")
    password = ask_secret("Password")
    return await staff.authenticate(firm_id, email, password, ask_secret("Code of the authenticator app"))


def _line() -> str:
    line = sys.stdin.readline()
    if not line:
        raise Failed("nothing was entered")
    return line.rstrip("\n")
