"""The banks that customers can choose: read from the directory file, each with its connector and how it has been lately."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import datetime
from pathlib import Path
from typing import Any, Self

import msgspec
import structlog

from strongroom.banking.connectors.uk import UkBank, UkSettings
from strongroom.banking.credentials import published
from strongroom.banking.directory import BankEntry, Directory, DirectoryError, Found, read_all
from strongroom.banking.health import Health, HealthReport
from strongroom.banking.limits import Limits
from strongroom.banking.logos import Logo
from strongroom.banking.port import Bank
from strongroom.banking.signing import Signer
from strongroom.banking.transport import Channel, Timeouts, client_context
from strongroom.kit.errors import NotFound
from strongroom.kit.metrics import BANK_DIRECTORY_BROKEN

_log = structlog.get_logger("banking")

RESOURCE_PATH = "/open-banking/v4.0"
LOOK_SECONDS = 5.0
NOT_ANSWERING = "not_answering"
RETIRED_SECONDS = 300.0  # longer than any call to a bank may take


@dataclass(frozen=True, slots=True)
class BankListing:
    """A bank as the customer's list shows it; `unavailable_reason` is set while the operator has it closed, or it is down."""

    bank_id: str
    name: str
    accent: str | None
    unavailable_reason: str | None  # the operator's own words, or `not_answering`
    unavailable_since: datetime | None
    health: HealthReport
    limits: Limits = field(default_factory=Limits)
    logo_name: str | None = None  # of Registry.find_logo

    @property
    def is_available(self) -> bool:
        """True while nothing speaks against choosing it."""
        return self.unavailable_reason is None

    @property
    def is_closed(self) -> bool:
        """True while the operator lets nobody choose it. A bank that only does not answer may be tried."""
        return self.unavailable_reason not in {None, NOT_ANSWERING}


@dataclass(frozen=True, slots=True)
class _Line:
    entry: BankEntry
    bank: Bank
    channel: Channel
    health: Health
    logo: Logo | None


class Registry:
    """Hold every bank of one directory file. Use as an async context, or close it.

    The file and the keys that it names are looked at again every few seconds, when somebody asks for a bank: new banks, new
    keys and dates that have come count without a restart. What cannot be read changes nothing, and is told.
    """

    def __init__(self, path: Path | None, *, clock: Callable[[], float] = time.time) -> None:
        """Read the file, its keys and logos; without a file there are no banks. Raise OSError or DirectoryError."""
        self._path = path
        self._clock = clock
        self._looked_at = clock()
        self._healths: dict[str, Health] = {}
        self._lines: dict[str, _Line] = {}
        self._retired: list[tuple[float, Channel]] = []
        self._closing: set[asyncio.Task[None]] = set()
        self._found: Found | None = None
        if path is not None:
            self._take(read_all(path, clock()))

    @classmethod
    def without_banks(cls) -> Self:
        """Return a registry that offers nothing, for processes that are told of no bank."""
        return cls(None)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_exception: object) -> None:
        await self.close()

    async def close(self) -> None:
        """Close every connection."""
        for channel in (*(line.channel for line in self._lines.values()), *(channel for _, channel in self._retired)):
            await channel.close()
        await asyncio.gather(*self._closing)

    def published_keys(self) -> dict[str, list[dict[str, Any]]]:
        """Return our own key set, for banks to fetch; without banks it is empty."""
        self._look()
        return published(self._found.signing_keys if self._found else ())

    def get_bank(self, bank_id: str) -> Bank:
        """Return a bank's connector, available or not. Raise NotFound."""
        self._look()
        try:
            return self._lines[bank_id].bank
        except KeyError:
            raise NotFound("There is no such bank") from None

    def get_listing(self, bank_id: str) -> BankListing:
        """Return one bank as the list shows it. Raise NotFound."""
        self._look()
        if bank_id not in self._lines:
            raise NotFound("There is no such bank")
        return _listing(self._lines[bank_id])

    def list_banks(self) -> tuple[BankListing, ...]:
        """List the banks, most used first, then by name."""
        self._look()
        ordered = sorted(self._lines.values(), key=lambda line: (line.entry.popularity, line.entry.name.casefold()))
        return tuple(_listing(line) for line in ordered)

    def find_logo(self, name: str) -> Logo | None:
        """Return the logo of that name, if a bank has it."""
        self._look()
        return next((line.logo for line in self._lines.values() if line.logo and line.logo.name == name), None)

    def _look(self) -> None:
        """Read the directory again when the last look is some seconds old; keep what there is when it cannot be read."""
        now = self._clock()
        if self._path is None or 0 <= now - self._looked_at < LOOK_SECONDS:
            return
        self._looked_at = now
        self._close_retired(now)
        try:
            found = read_all(self._path, now)
            if self._found is None or found.digest != self._found.digest:
                self._take(found)
                _log.info("bank directory read", count=len(self._lines))
        except (OSError, ValueError) as error:
            BANK_DIRECTORY_BROKEN.set(1)
            reason = str(error) if isinstance(error, DirectoryError) else type(error).__name__
            _log.error("bank directory cannot be read; the last good one stays", reason=reason)
        else:
            BANK_DIRECTORY_BROKEN.set(0)

    def _take(self, found: Found) -> None:
        """Open what is new or has changed, and let go of the rest once its calls have ended. Raise OSError or ValueError."""
        same_keys = self._found is not None and self._found.keys_digest == found.keys_digest and _is_same(self._found, found)
        kept = {one: line for one, line in self._lines.items() if same_keys and line.entry in found.directory.banks}
        kept = {one: replace(line, logo=found.logos.get(one)) for one, line in kept.items()}
        lines = {entry.id: kept.get(entry.id) for entry in found.directory.banks}
        opening = _Opening(found, self._clock) if None in lines.values() else None
        for entry in found.directory.banks:
            health = self._healths.setdefault(entry.id, Health(self._clock, entry.id))
            if opening and lines[entry.id] is None:
                lines[entry.id] = opening.open(entry, health)
        opened = {one: line for one, line in lines.items() if line is not None}
        used = {id(line.channel) for line in opened.values()}
        self._retired += [(self._clock(), line.channel) for line in self._lines.values() if id(line.channel) not in used]
        self._lines, self._found = opened, found

    def _close_retired(self, now: float) -> None:
        """Close the connections of lines that were replaced so long ago that no call can still use them."""
        due = [channel for since, channel in self._retired if now - since > RETIRED_SECONDS]
        self._retired = [one for one in self._retired if one[1] not in due]
        for channel in due:
            task = asyncio.ensure_future(channel.close())
            self._closing.add(task)
            task.add_done_callback(self._closing.discard)


class _Opening:
    """Opens the lines of a directory that has been read: one TLS context and one signer for all."""

    def __init__(self, found: Found, clock: Callable[[], float]) -> None:
        directory, beside = found.directory, found.beside
        ca = beside / directory.ca if directory.ca else None
        self._directory = directory
        self._clock = clock
        self._logos = found.logos
        self._context = client_context(beside / found.transport.certificate, beside / found.transport.key, ca)
        self._signer = Signer(found.signing_keys, directory.org_id, directory.software_id)

    def open(self, entry: BankEntry, health: Health) -> _Line:
        """Open the line to one bank; what its health remembers goes on."""
        channel = Channel(self._context, Timeouts(entry.connect_timeout_seconds, entry.answer_timeout_seconds), health)
        bank = UkBank(_settings(self._directory, entry), channel, self._signer, self._clock)
        return _Line(entry, bank, channel, health, self._logos.get(entry.id))


def _is_same(before: Found, after: Found) -> bool:
    """True when everything but the list of banks is as it was."""
    return msgspec.structs.replace(before.directory, banks=()) == msgspec.structs.replace(after.directory, banks=())


def _settings(directory: Directory, entry: BankEntry) -> UkSettings:
    return UkSettings(
        issuer=entry.issuer,
        client_id=entry.client_id or directory.client_id,
        signing_subject=entry.signing_subject or entry.organisation_id,
        resource_base=entry.resource_base or entry.issuer.rstrip("/") + RESOURCE_PATH,
        trust_anchor=entry.trust_anchor,
        pushes=entry.push_requests,
        holders_within_seconds=1.5 * entry.answer_timeout_seconds,
    )


def _listing(line: _Line) -> BankListing:
    entry, health = line.entry, line.health.report()
    reason, since = entry.unavailable_reason, entry.unavailable_since
    if reason is None and health.unavailable_since is not None:
        reason, since = NOT_ANSWERING, health.unavailable_since
    logo = line.logo.name if line.logo else None
    return BankListing(entry.id, entry.name, entry.accent, reason, since, health, entry.limits, logo)
