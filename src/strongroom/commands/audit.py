"""`strongroom audit`: proof that nobody changed the record of who did what."""

from __future__ import annotations

import sys

from cyclopts import App

from strongroom.commands.desk import open_desk, say
from strongroom.kit import audit

app = App(name="audit", help="Check the audit trail.")

_FOUND = 1


@app.command
async def verify() -> None:
    """Check every link of the audit trail and every signed root outside the database; exit with 1 if something was changed."""
    async with open_desk() as desk:
        findings = await audit.verify(desk.worker_db, desk.vault.root(), desk.settings.audit_roots_file)
    for finding in findings:
        entry = f", entry {finding.entry_id}" if finding.entry_id is not None else ""
        say(f"{finding.tenant or '(root)'} at {finding.sequence}{entry}: {finding.what}")
    if findings:
        sys.exit(_FOUND)
    say("The audit trail is whole.")
