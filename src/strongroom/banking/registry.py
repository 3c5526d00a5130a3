"""The banks that customers can choose: read from the directory file, each with its connector and how it has been lately."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from ssl import SSLContext
from typing import Annotated, Self

import msgspec

from strongroom.banking.connectors.uk import UkBank, UkSettings
from strongroom.banking.health import Health, HealthReport
from strongroom.banking.port import Bank
from strongroom.banking.signing import TRUST_ANCHOR, Signer
from strongroom.banking.transport import Channel, Timeouts, client_context
from strongroom.kit.errors import NotFound

RESOURCE_PATH = "/open-banking/v4.0"
LEAST_POPULAR = 1_000_000
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
    """The directory file: who we are to banks, and the banks. Paths are relative to the file."""

    org_id: Name
    software_id: Name
    client_id: Name
    transport_certificate: str
    transport_key: str
    signing_key: str
    signing_kid: Name
    banks: tuple[BankEntry, ...]
    ca: str | None = None


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


class Registry:
    """Hold every bank of one directory file. Use as an async context, or close it."""

    def __init__(self, path: Path | None, *, clock: Callable[[], float] = time.time) -> None:
        """Read the file and its keys; without a file there are no banks. Raise OSError or ValueError when it cannot be read."""
        self._lines = {} if path is None else _open_lines(read_directory(path), path.parent, clock)

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
        for line in self._lines.values():
            await line.channel.close()

    def get_bank(self, bank_id: str) -> Bank:
        """Return a bank's connector, available or not. Raise NotFound."""
        try:
            return self._lines[bank_id].bank
        except KeyError:
            raise NotFound("There is no such bank") from None

    def get_listing(self, bank_id: str) -> BankListing:
        """Return one bank as the list shows it. Raise NotFound."""
        if bank_id not in self._lines:
            raise NotFound("There is no such bank")
        return _listing(self._lines[bank_id])

    def list_banks(self) -> tuple[BankListing, ...]:
        """List the banks, most used first, then by name."""
        ordered = sorted(self._lines.values(), key=lambda line: (line.entry.popularity, line.entry.name.casefold()))
        return tuple(_listing(line) for line in ordered)


def read_directory(path: Path) -> Directory:
    """Read the directory file. Raise OSError, or ValueError saying what is wrong in it."""
    try:
        directory = msgspec.json.decode(path.read_bytes(), type=Directory)
    except msgspec.DecodeError as error:
        raise ValueError(f"{path.name}: {error}") from error
    if len({entry.id for entry in directory.banks}) != len(directory.banks):
        raise ValueError(f"{path.name}: two banks have the same id")
    return directory


def _open_lines(directory: Directory, beside: Path, clock: Callable[[], float]) -> dict[str, _Line]:
    ca = beside / directory.ca if directory.ca else None
    context = client_context(beside / directory.transport_certificate, beside / directory.transport_key, ca)
    pem = (beside / directory.signing_key).read_bytes()
    signer = Signer(pem, directory.signing_kid, directory.org_id, directory.software_id)
    return {entry.id: _open_line(directory, entry, context, signer, clock) for entry in directory.banks}


def _open_line(directory: Directory, entry: BankEntry, context: SSLContext, signer: Signer, clock: Callable[[], float]) -> _Line:
    health = Health(clock, entry.id)
    channel = Channel(context, Timeouts(entry.connect_timeout_seconds, entry.answer_timeout_seconds), health)
    return _Line(entry, UkBank(_settings(directory, entry), channel, signer, clock), channel, health)


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
