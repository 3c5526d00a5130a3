"""The banks that customers can choose: read from the directory file, each with its connector and how it has been lately."""

from __future__ import annotations

import asyncio
import hashlib
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Annotated, Any, Self, TypeVar

import msgspec
import structlog

from strongroom.banking.connectors.uk import UkBank, UkSettings
from strongroom.banking.credentials import (
    MAX_KEYS,
    SigningEntry,
    SigningKey,
    TransportEntry,
    newest,
    published,
    read_signing_keys,
)
from strongroom.banking.health import Health, HealthReport
from strongroom.banking.port import Bank
from strongroom.banking.signing import TRUST_ANCHOR, Signer
from strongroom.banking.transport import Channel, Timeouts, client_context
from strongroom.kit.errors import NotFound
from strongroom.kit.metrics import BANK_DIRECTORY_BROKEN

_log = structlog.get_logger("banking")

RESOURCE_PATH = "/open-banking/v4.0"
LEAST_POPULAR = 1_000_000
LOOK_SECONDS = 5.0
RETIRED_SECONDS = 300.0  # longer than any call to a bank may take
E = TypeVar("E", SigningEntry, TransportEntry)
Name = Annotated[str, msgspec.Meta(min_length=1, max_length=128)]
BankId = Annotated[str, msgspec.Meta(pattern=r"^[a-z0-9][a-z0-9-]*$", max_length=64)]
Issuer = Annotated[str, msgspec.Meta(pattern=r"^https://[^/?#@]+(/[^?#]*)?$", max_length=500)]  # exact, to the last slash
HttpsUrl = Annotated[str, msgspec.Meta(pattern=r"^https://[^/?#@]+(/[^?#]*[^/?#])?$", max_length=500)]
Accent = Annotated[str, msgspec.Meta(pattern=r"^#[0-9a-fA-F]{6}$")]
Pence = Annotated[int, msgspec.Meta(gt=0, le=100_000_000_000)]
Seconds = Annotated[float, msgspec.Meta(gt=0, le=60)]


class BankEntry(msgspec.Struct, frozen=True):
    """One bank in the directory file. What is optional may be set by hand; `popularity` 1 is the most used."""

    id: BankId
    name: Name
    issuer: Issuer
    organisation_id: Name
    signing_subject: Name | None = None  # `iss` of the bank's signatures where it is not the organisation's id
    client_id: Name | None = None
    resource_base: HttpsUrl | None = None
    trust_anchor: Name = TRUST_ANCHOR
    accent: Accent | None = None
    popularity: int = LEAST_POPULAR
    unavailable_reason: str | None = None
    unavailable_since: datetime | None = None
    payment_limit_minor: Pence | None = None  # what most customers may pay in a day through us, in pence
    connect_timeout_seconds: Seconds = 5.0
    answer_timeout_seconds: Seconds = 20.0


class Directory(msgspec.Struct, frozen=True):
    """The directory file: who we are to banks, with which keys, and the banks. Paths are relative to the file.

    One signing key stands in `signing_key` and `signing_kid`, several in `signing_keys`; the same for transport.
    """

    org_id: Name
    software_id: Name
    client_id: Name
    banks: tuple[BankEntry, ...]
    transport_certificate: str | None = None
    transport_key: str | None = None
    transport_keys: Annotated[tuple[TransportEntry, ...], msgspec.Meta(max_length=MAX_KEYS)] = ()
    signing_key: str | None = None
    signing_kid: Name | None = None
    signing_keys: Annotated[tuple[SigningEntry, ...], msgspec.Meta(max_length=MAX_KEYS)] = ()
    ca: str | None = None

    def signing_entries(self) -> tuple[SigningEntry, ...]:
        """Return the signing keys. Raise ValueError when there is none, or both ways are used."""
        single = (SigningEntry(self.signing_key, self.signing_kid),) if self.signing_key and self.signing_kid else ()
        return _one_way(single, self.signing_keys, "signing_key and signing_kid, or signing_keys")

    def transport_entries(self) -> tuple[TransportEntry, ...]:
        """Return the transport certificates. Raise ValueError when there is none, or both ways are used."""
        named = self.transport_certificate and self.transport_key
        single = (TransportEntry(self.transport_certificate, self.transport_key),) if named else ()  # type: ignore[arg-type]  # both named
        return _one_way(single, self.transport_keys, "transport_certificate and transport_key, or transport_keys")


@dataclass(frozen=True, slots=True)
class BankListing:
    """A bank as the customer's list of banks shows it; `unavailable_reason` is set when it cannot be chosen now."""

    bank_id: str
    name: str
    accent: str | None
    unavailable_reason: str | None  # the operator's own words, or `not_answering`
    unavailable_since: datetime | None
    health: HealthReport
    payment_limit_minor: int | None = None

    @property
    def is_available(self) -> bool:
        """True when customers may choose it."""
        return self.unavailable_reason is None


@dataclass(frozen=True, slots=True)
class _Line:
    entry: BankEntry
    bank: Bank
    channel: Channel
    health: Health


@dataclass(frozen=True, slots=True)
class _Found:
    """A directory as it was read: the file, the keys that it names, and a digest of all of it."""

    directory: Directory
    signing_keys: tuple[SigningKey, ...]
    transport: TransportEntry
    beside: Path
    keys_digest: bytes
    digest: bytes


class Registry:
    """Hold every bank of one directory file. Use as an async context, or close it.

    The file and the keys that it names are looked at again every few seconds, when somebody asks for a bank: new banks, new
    keys and dates that have come count without a restart. What cannot be read changes nothing, and is told.
    """

    def __init__(self, path: Path | None, *, clock: Callable[[], float] = time.time) -> None:
        """Read the file and its keys; without a file there are no banks. Raise OSError or ValueError when it cannot be read."""
        self._path = path
        self._clock = clock
        self._looked_at = clock()
        self._healths: dict[str, Health] = {}
        self._lines: dict[str, _Line] = {}
        self._retired: list[tuple[float, Channel]] = []
        self._closing: set[asyncio.Task[None]] = set()
        self._found: _Found | None = None
        if path is not None:
            self._take(_read(path, clock()))

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

    def _look(self) -> None:
        """Read the directory again when the last look is some seconds old; keep what there is when it cannot be read."""
        now = self._clock()
        if self._path is None or 0 <= now - self._looked_at < LOOK_SECONDS:
            return
        self._looked_at = now
        self._close_retired(now)
        try:
            found = _read(self._path, now)
            if self._found is None or found.digest != self._found.digest:
                self._take(found)
                _log.info("bank directory read", count=len(self._lines))
        except (OSError, ValueError) as error:
            BANK_DIRECTORY_BROKEN.set(1)
            _log.error("bank directory cannot be read; the last good one stays", error=type(error).__name__)
        else:
            BANK_DIRECTORY_BROKEN.set(0)

    def _take(self, found: _Found) -> None:
        """Open what is new or has changed, and let go of the rest once its calls have ended. Raise OSError or ValueError."""
        same_keys = self._found is not None and self._found.keys_digest == found.keys_digest and _is_same(self._found, found)
        kept = {one: line for one, line in self._lines.items() if same_keys and line.entry in found.directory.banks}
        lines = {entry.id: kept.get(entry.id) for entry in found.directory.banks}
        opening = _Opening(found, self._clock) if None in lines.values() else None
        for entry in found.directory.banks:
            health = self._healths.setdefault(entry.id, Health(self._clock, entry.id))
            if opening and lines[entry.id] is None:
                lines[entry.id] = opening.open(entry, health)
        opened = {one: line for one, line in lines.items() if line is not None}
        self._retired += [(self._clock(), line.channel) for one, line in self._lines.items() if opened.get(one) is not line]
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

    def __init__(self, found: _Found, clock: Callable[[], float]) -> None:
        directory, beside = found.directory, found.beside
        ca = beside / directory.ca if directory.ca else None
        self._directory = directory
        self._clock = clock
        self._context = client_context(beside / found.transport.certificate, beside / found.transport.key, ca)
        self._signer = Signer(found.signing_keys, directory.org_id, directory.software_id)

    def open(self, entry: BankEntry, health: Health) -> _Line:
        """Open the line to one bank; what its health remembers goes on."""
        channel = Channel(self._context, Timeouts(entry.connect_timeout_seconds, entry.answer_timeout_seconds), health)
        bank = UkBank(_settings(self._directory, entry), channel, self._signer, self._clock)
        return _Line(entry, bank, channel, health)


def read_directory(path: Path) -> Directory:
    """Read the directory file. Raise OSError, or ValueError saying what is wrong in it."""
    try:
        directory = msgspec.json.decode(path.read_bytes(), type=Directory)
    except msgspec.DecodeError as error:
        raise ValueError(f"{path.name}: {error}") from error
    if len({entry.id for entry in directory.banks}) != len(directory.banks):
        raise ValueError(f"{path.name}: two banks have the same id")
    return directory


def _read(path: Path, now: float) -> _Found:
    """Read the directory and the keys that count. Raise OSError, or ValueError saying what is wrong."""
    directory, beside = read_directory(path), path.parent
    entries, transport = directory.signing_entries(), newest(directory.transport_entries(), now)
    newest(entries, now)  # one must count already
    files = [transport.certificate, transport.key, *(entry.key for entry in entries), *([directory.ca] if directory.ca else [])]
    keys_digest = hashlib.sha256(b"".join(hashlib.sha256((beside / name).read_bytes()).digest() for name in files)).digest()
    digest = hashlib.sha256(keys_digest + path.read_bytes()).digest()
    return _Found(directory, read_signing_keys(entries, beside), transport, beside, keys_digest, digest)


def _is_same(before: _Found, after: _Found) -> bool:
    """True when everything but the list of banks is as it was."""
    return msgspec.structs.replace(before.directory, banks=()) == msgspec.structs.replace(after.directory, banks=())


def _one_way(single: tuple[E, ...], several: tuple[E, ...], names: str) -> tuple[E, ...]:
    if bool(single) == bool(several):
        raise ValueError(f"the directory needs {names}, and not both")
    return single or several


def _settings(directory: Directory, entry: BankEntry) -> UkSettings:
    return UkSettings(
        issuer=entry.issuer,
        client_id=entry.client_id or directory.client_id,
        signing_subject=entry.signing_subject or entry.organisation_id,
        resource_base=entry.resource_base or entry.issuer.rstrip("/") + RESOURCE_PATH,
        trust_anchor=entry.trust_anchor,
        holders_within_seconds=1.5 * entry.answer_timeout_seconds,
    )


def _listing(line: _Line) -> BankListing:
    entry, health = line.entry, line.health.report()
    reason, since = entry.unavailable_reason, entry.unavailable_since
    if reason is None and health.unavailable_since is not None:
        reason, since = "not_answering", health.unavailable_since
    return BankListing(entry.id, entry.name, entry.accent, reason, since, health, entry.payment_limit_minor)
