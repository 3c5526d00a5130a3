"""`strongroom otp-tokens import`: a file of an issuer's devices, checked row by row, with a bar that shows how far it is."""

from __future__ import annotations

import codecs
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from enum import StrEnum
from functools import partial
from pathlib import Path
from typing import Annotated, BinaryIO

from cyclopts import Parameter
from rich.console import Console
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeRemainingColumn

from strongroom.access.issuers import Issuers
from strongroom.commands.desk import ask_secret, open_desk, operator, say
from strongroom.commands.failure import Failed
from strongroom.kit.seen import Seen
from strongroom.sca.devices.csv_reading import read_csv
from strongroom.sca.devices.importing import Outcome, TokenImport, in_batches
from strongroom.sca.devices.model import FileFault, Read, RowFault
from strongroom.sca.devices.pskc_reading import NeedsKey, Unlocking, read_pskc

_CHUNK_BYTES = 65_536
_FAULTS_SHOWN = 100
_SHARED_KEY_BYTES = (16, 24, 32)
_REFUSED = 1


class FileFormat(StrEnum):
    """How a file tells of tokens."""

    PSKC = "pskc"
    CSV = "csv"


@dataclass(slots=True)
class _Done:
    """What all batches came to; of the faults only those that are shown are kept, however many a file has."""

    added: int = 0
    known: int = 0
    refused: int = 0
    faults: list[RowFault] = field(default_factory=list)

    def add(self, came: Outcome) -> None:
        self.added += came.added
        self.known += came.known
        self.refused += len(came.faults)
        self.faults += came.faults[: _FAULTS_SHOWN - len(self.faults)]


async def import_file(
    file: Annotated[Path, Parameter(help="The file of the maker of the devices")],
    *,
    issuer: Annotated[str, Parameter(help="The issuer (iss-…)")],
    format: Annotated[FileFormat | None, Parameter(help="Without it the name tells: .csv, or .xml and .pskc")] = None,  # noqa: A002  # the option's name
    key_file: Annotated[
        Path | None, Parameter(help="The key that both sides know, in hex, for an encrypted PSKC file; a passphrase is asked for")
    ] = None,
    dry_run: Annotated[bool, Parameter(help="Check every row and keep nothing")] = False,
) -> None:
    """Take the devices of a file into an issuer's stock: PSKC (RFC 6030), plain or encrypted, or CSV.

    What is there already stays as it is, so an import that was interrupted is simply run again. Exits with 1 when a row could not
    be taken; the others are.
    """
    done = _Done()
    async with open_desk() as desk:
        issuer_id = (await Issuers(desk.db).get(issuer)).id
        importing = TokenImport(desk.db, desk.vault)
        try:
            with file.open("rb") as opened, _bar() as bar, Seen() as seen:
                task = bar.add_task("checking" if dry_run else "importing", total=file.stat().st_size)
                for batch in in_batches(_reads(opened, format or _format_of(file), _shared_key(key_file))):
                    came = await importing.take(issuer_id, operator(), batch, seen, dry_run=dry_run)
                    done.add(came)
                    bar.update(task, completed=opened.tell())
        except OSError as error:
            raise Failed(f"{error.filename} cannot be read: {error.strerror}") from error
        except FileFault as error:
            _tell(done, dry_run=dry_run)
            raise Failed(str(error)) from error
    _tell(done, dry_run=dry_run)
    if done.refused:
        sys.exit(_REFUSED)


def _reads(opened: BinaryIO, form: FileFormat, key: bytes | None) -> Iterator[Read]:
    if form is FileFormat.CSV:
        return read_csv(codecs.iterdecode(opened, "utf-8-sig"))
    unlocking = Unlocking(key)
    try:
        next(read_pskc(_chunks(opened), unlocking))
    except NeedsKey as need:
        if not need.by_passphrase:
            raise FileFault(f"{need}: --key-file PATH") from need
        unlocking = Unlocking(key, ask_secret("Passphrase of the file").reveal())
    opened.seek(0)
    return read_pskc(_chunks(opened), unlocking)


def _chunks(opened: BinaryIO) -> Iterator[bytes]:
    return iter(partial(opened.read, _CHUNK_BYTES), b"")


def _format_of(file: Path) -> FileFormat:
    found = {".csv": FileFormat.CSV, ".txt": FileFormat.CSV, ".xml": FileFormat.PSKC, ".pskc": FileFormat.PSKC}.get(
        file.suffix.lower()
    )
    if found is None:
        raise Failed(f"{file.name} does not tell what it is: --format pskc or --format csv")
    return found


def _shared_key(file: Path | None) -> bytes | None:
    if file is None:
        return None
    try:
        key = bytes.fromhex(file.read_text().strip())
    except ValueError:
        key = b""
    if len(key) not in _SHARED_KEY_BYTES:
        raise Failed(f"{file} must hold a key of 16, 24 or 32 bytes in hex")
    return key


def _tell(done: _Done, *, dry_run: bool) -> None:
    for fault in done.faults:
        say(f"row {fault.row}, serial {fault.serial[:64]!r}: {fault.what}")
    if done.refused > len(done.faults):
        say(f"… and {done.refused - len(done.faults)} more rows that cannot be taken")
    verb = "would be taken" if dry_run else "were taken"
    say(f"{done.added} tokens {verb}, {done.known} were there already, {done.refused} rows cannot be taken.")


def _bar() -> Progress:
    columns = (TextColumn("{task.description}"), BarColumn(), TaskProgressColumn(), TimeRemainingColumn())
    return Progress(*columns, console=Console(stderr=True), transient=True, disable=not sys.stderr.isatty())
