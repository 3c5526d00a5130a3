"""`strongroom audit`: proof that nobody changed the record of who did what, and what banks signed about payments."""

from __future__ import annotations

import os
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import msgspec
from cyclopts import App, Parameter

from strongroom.banking.evidence import EvidenceFile, EvidenceUnreadable, Judged, judge, read_file, thumbprints
from strongroom.commands.desk import FirmOption, open_desk, operator, say, show_time
from strongroom.commands.failure import Failed
from strongroom.funds.customers import Customers
from strongroom.funds.evidence import PaymentEvidence
from strongroom.kit import audit

app = App(name="audit", help="Check the audit trail, and give evidence of payments.")

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


@app.command
async def evidence(
    payment: str,
    *,
    output: Annotated[Path | None, Parameter(help="Write the file here; it must not exist. Without it: to standard output")] = None,
    firm: FirmOption = None,
) -> None:
    """Give what the bank signed about a payment (pay-…), as a file that anybody can check. Take care: it names the payer."""
    async with open_desk() as desk:
        known = await desk.firm(firm)
        found = await PaymentEvidence(desk.db, Customers(desk.db, desk.vault)).give(operator(), known.id, payment)
    written = msgspec.json.format(msgspec.json.encode(found), indent=2).decode()
    if output is None:
        say(written)
        return
    _write_private(output, written + "\n")
    say(f"{len(found.answers)} signed answers are in {output}. Check them anywhere: strongroom audit check-evidence {output}")


@app.command(name="check-evidence")
def check_evidence(
    file: Path,
    *,
    jwks: Annotated[
        Path | None, Parameter(help="The bank's published key set (its jwks_uri, saved): the keys must be among them")
    ] = None,
) -> None:
    """Check a file of evidence. Needs no database, settings or network; exits with 1 if anything in it proves nothing."""
    try:
        found = read_file(_read(file))
        published = thumbprints(_read(jwks)) if jwks else None
    except EvidenceUnreadable as error:
        raise Failed(f"this cannot be checked: {error}") from error
    say(f"{found.payment_id} at {found.bank_id}: {found.amount} {found.currency}, {found.end_to_end_identification}")
    judged = judge(found, published)
    for number, one in enumerate(judged, 1):
        say(f"{number}. {_sentence(one)}")
    if not judged or any(one.fault for one in judged):
        sys.exit(_FOUND)
    say(_conclusion(found, judged, compared=published is not None))


def _sentence(one: Judged) -> str:
    if one.fault or one.signed_by is None:
        return f"proves nothing: {one.fault}"
    at = show_time(datetime.fromtimestamp(one.signed_by.at, UTC))
    return f"{one.status}, signed {at} by {one.signed_by.organisation}, key {one.thumbprint}"


def _conclusion(found: EvidenceFile, judged: list[Judged], *, compared: bool) -> str:
    said = f"All {len(found.answers)} signatures verify"
    if compared:
        return f"{said}, and the bank publishes these keys."
    keys = ", ".join(sorted({one.thumbprint or "" for one in judged}))
    return f"{said}. That the keys are the bank's is not shown by the file: compare {keys} with what the bank publishes (--jwks)."


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise Failed(f"{path} cannot be read: {error.strerror}") from error


def _write_private(path: Path, text: str) -> None:
    """Write a new file that only its owner can read. Raise Failed when there is one already."""
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except OSError as error:
        raise Failed(f"{path} cannot be written: {error.strerror}") from error
    with os.fdopen(descriptor, "w") as opened:
        opened.write(text)
