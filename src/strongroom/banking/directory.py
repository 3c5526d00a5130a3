"""The bank directory file: who we are to banks, with which keys, and the banks with their looks and limits. All of it is judged."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Annotated, TypeVar

import msgspec

from strongroom.banking.credentials import MAX_KEYS, SigningEntry, SigningKey, TransportEntry, newest, read_signing_keys
from strongroom.banking.limits import Limits
from strongroom.banking.logos import Logo, LogoRefused, read_logo
from strongroom.banking.signing import TRUST_ANCHOR

LEAST_POPULAR = 1_000_000
E = TypeVar("E", SigningEntry, TransportEntry)
Name = Annotated[str, msgspec.Meta(min_length=1, max_length=128)]
BankId = Annotated[str, msgspec.Meta(pattern=r"^[a-z0-9][a-z0-9-]*$", max_length=64)]
Issuer = Annotated[str, msgspec.Meta(pattern=r"^https://[^/?#@]+(/[^?#]*)?$", max_length=500)]  # exact, to the last slash
HttpsUrl = Annotated[str, msgspec.Meta(pattern=r"^https://[^/?#@]+(/[^?#]*[^/?#])?$", max_length=500)]
Accent = Annotated[str, msgspec.Meta(pattern=r"^#[0-9a-fA-F]{6}$")]
LogoFile = Annotated[str, msgspec.Meta(pattern=r"^[A-Za-z0-9_][A-Za-z0-9._/-]*\.(svg|png)$", max_length=200)]
Seconds = Annotated[float, msgspec.Meta(gt=0, le=60)]

_PLAIN = {
    "id": "lower-case letters, digits and hyphens",
    "issuer": "an address that begins with https:// and has no ? or #",
    "resource_base": "an address that begins with https:// and has no slash at its end",
    "accent": "a colour, # and six hexadecimal digits",
    "logo": "the name of a .svg or .png file beside the directory",
}


class DirectoryError(ValueError):
    """The bank directory, or a file that it names, cannot be used; the text says where and why."""


class BankEntry(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One bank in the directory file. What is optional may be set by hand; `popularity` 1 is the most used.

    `logo` is a file beside the directory; `accent` is the bank's colour, made readable where it is shown.
    """

    id: BankId
    name: Name
    issuer: Issuer
    organisation_id: Name
    signing_subject: Name | None = None  # `iss` of the bank's signatures where it is not the organisation's id
    financial_id: Name | None = None  # the directory's; banks of this version do not ask for it
    client_id: Name | None = None
    resource_base: HttpsUrl | None = None
    trust_anchor: Name = TRUST_ANCHOR
    push_requests: bool = False  # True: push authorisation requests (RFC 9126); a bank that demands it gets them anyway
    accent: Accent | None = None
    logo: LogoFile | None = None
    popularity: int = LEAST_POPULAR
    unavailable_reason: str | None = None
    unavailable_since: datetime | None = None
    limits: Limits = Limits()
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
class Found:
    """A directory as it was read: the file, the keys and logos that it names, and a digest of all of it."""

    directory: Directory
    signing_keys: tuple[SigningKey, ...]
    transport: TransportEntry
    beside: Path
    keys_digest: bytes
    digest: bytes
    logos: Mapping[str, Logo]  # by the bank's id


def read_directory(path: Path) -> Directory:
    """Read the directory file. Raise OSError, or DirectoryError saying what is wrong in it."""
    raw = path.read_bytes()
    try:
        directory = msgspec.json.decode(raw, type=Directory)
    except msgspec.DecodeError as error:
        raise DirectoryError(f"{path.name}: {_in_plain_words(str(error), raw)}") from error
    if len({entry.id for entry in directory.banks}) != len(directory.banks):
        raise DirectoryError(f"{path.name}: two banks have the same id")
    return directory


def read_all(path: Path, now: float) -> Found:
    """Read the directory, its logos and the keys that count. Raise OSError, or DirectoryError saying what is wrong."""
    directory = read_directory(path)
    try:
        return _read_beside(directory, path, now)
    except DirectoryError:
        raise
    except ValueError as error:
        raise DirectoryError(f"{path.name}: {error}") from error


def _in_plain_words(fault: str, raw: bytes) -> str:
    """Name the bank and the field instead of their place in the file: "bank oak, accent: Expected …"."""
    what, _, where = fault.partition(" - at `$")
    place = re.match(r"\.banks\[(\d+)\]\.?([^`]*)", where)
    if place is None:
        return what + (f" ({where.strip('`.')})" if where else "")
    entry = msgspec.json.decode(raw)["banks"][int(place[1])]
    bank = f"bank {(entry.get('id') if isinstance(entry, dict) else None) or int(place[1]) + 1}"
    if "regex" in what and place[2] in _PLAIN:
        what = f"It must be {_PLAIN[place[2]]}"
    return f"{bank}, {place[2]}: {what}" if place[2] else f"{bank}: {what}"


def _read_beside(directory: Directory, path: Path, now: float) -> Found:
    beside = path.parent
    logos = {entry.id: _logo(entry, beside) for entry in directory.banks if entry.logo}
    entries, transport = directory.signing_entries(), newest(directory.transport_entries(), now)
    newest(entries, now)  # one must count already
    files = [transport.certificate, transport.key, *(entry.key for entry in entries), *([directory.ca] if directory.ca else [])]
    keys_digest = hashlib.sha256(b"".join(hashlib.sha256((beside / name).read_bytes()).digest() for name in files)).digest()
    names = "".join(logo.name for logo in logos.values())
    digest = hashlib.sha256(keys_digest + names.encode() + path.read_bytes()).digest()
    return Found(directory, read_signing_keys(entries, beside), transport, beside, keys_digest, digest, logos)


def _logo(entry: BankEntry, beside: Path) -> Logo:
    assert entry.logo is not None  # noqa: S101  # the caller asks for those that have one
    if ".." in entry.logo.split("/"):
        raise LogoRefused(f"bank {entry.id}, logo {entry.logo}: it must lie beside the directory")
    try:
        return read_logo(beside / entry.logo)
    except LogoRefused as error:
        raise LogoRefused(f"bank {entry.id}, logo {entry.logo}: {error}") from error
    except OSError as error:
        raise LogoRefused(f"bank {entry.id}, logo {entry.logo}: {error.strerror}") from error


def _one_way(single: tuple[E, ...], several: tuple[E, ...], names: str) -> tuple[E, ...]:
    if bool(single) == bool(several):
        raise ValueError(f"the directory needs {names}, and not both")
    return single or several
