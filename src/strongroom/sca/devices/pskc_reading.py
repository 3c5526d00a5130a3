"""Tokens in a PSKC file (RFC 6030), read as they come: one key package is held at a time, whatever the size of the file.

A document type ends the reading at its first word, so no entity is ever declared. Namespaces are not looked at beyond their end:
makers of tokens write several.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace
from pyexpat import ExpatError, ParserCreate
from typing import Any, Final, NoReturn

from strongroom.kit.crypto import Secret
from strongroom.sca.devices.model import Algorithm, FileFault, Kind, NewToken, Read, RowFault
from strongroom.sca.devices.pskc_crypto import Derivation, NotProtected, Opener, Sealed, derive, make_opener
from strongroom.sca.devices.suites import NoSuchSuite

_DEPTH_MAX: Final = 16
_ELEMENTS_MAX: Final = 200  # in one key package, or in the file's head
_TEXT_MAX: Final = 16_384
_SEPARATOR: Final = " "
_PACKAGE: Final = "KeyPackage"
_USUAL_PERIOD: Final = 30
_SUITE: Final = "OCRA-1:"


@dataclass(slots=True)
class Node:
    """One element, by its local name."""

    name: str
    attributes: dict[str, str]
    children: list[Node] = field(default_factory=list)
    text: str = field(default="", repr=False)

    def find(self, *path: str) -> Node | None:
        """Return the first element down a path of names."""
        node: Node | None = self
        for name in path:
            node = next((child for child in node.children if child.name == name), None) if node else None
        return node

    def said(self, *path: str) -> str:
        """Return the text at a path; empty when there is none."""
        found = self.find(*path)
        return found.text.strip() if found else ""


@dataclass(frozen=True, slots=True)
class Unlocking:
    """What the reader has to open the file with: a key that both sides know, or a passphrase."""

    key: bytes | None = field(default=None, repr=False)
    passphrase: str | None = field(default=None, repr=False)


class NeedsKey(FileFault):
    """The file is encrypted and what opens it was not given."""

    def __init__(self, message: str, *, by_passphrase: bool = False) -> None:
        super().__init__(message)
        self.by_passphrase = by_passphrase


def read_pskc(chunks: Iterable[bytes], unlocking: Unlocking) -> Iterator[Read]:
    """Yield a token or a fault for each key package, as they come. Raise NeedsKey or FileFault."""
    reader = _Reader()
    opener: Opener | None = None
    row = 0
    for chunk in _ended(chunks):
        for package in reader.feed(chunk):
            if row == 0:
                opener = _opener(reader.head, unlocking)
            row += 1
            yield _read(row, package, opener)
    if row == 0:
        raise FileFault("the file has no key package")


def _ended(chunks: Iterable[bytes]) -> Iterator[bytes | None]:
    yield from chunks
    yield None


class _Reader:
    """Turns bytes into key packages; what stands before the first of them is the head."""

    def __init__(self) -> None:
        self.head = Node("", {})
        self._open: list[Node] = [self.head]
        self._done: list[Node] = []
        self._elements = 0
        self._parser = ParserCreate(namespace_separator=_SEPARATOR)
        self._parser.buffer_text = True
        self._parser.StartElementHandler = self._start
        self._parser.EndElementHandler = self._end
        self._parser.CharacterDataHandler = self._text
        self._parser.StartDoctypeDeclHandler = self._refuse_doctype

    def feed(self, chunk: bytes | None) -> list[Node]:
        """Return the packages that ended in this part of the file; None is its end. Raise FileFault."""
        try:
            self._parser.Parse(chunk or b"", chunk is None)
        except ExpatError as error:
            raise FileFault(f"the file is not well-formed XML at line {error.lineno}") from None
        done, self._done = self._done, []
        return done

    def _start(self, name: str, attributes: dict[str, Any]) -> None:
        local = name.rpartition(_SEPARATOR)[2]
        if len(self._open) == 1 and local != "KeyContainer":
            raise FileFault("the file is not a PSKC key container")
        self._elements = 0 if local == _PACKAGE else self._elements + 1
        if len(self._open) > _DEPTH_MAX or self._elements > _ELEMENTS_MAX:
            raise FileFault("the file nests or repeats elements beyond what a PSKC file does")
        node = Node(local, {key.rpartition(_SEPARATOR)[2]: value for key, value in attributes.items()})
        self._open[-1].children.append(node)
        self._open.append(node)

    def _end(self, _: str) -> None:
        node = self._open.pop()
        if node.name == _PACKAGE:
            self._open[-1].children.remove(node)
            self._done.append(node)

    def _text(self, text: str) -> None:
        node = self._open[-1]
        node.text += text
        if len(node.text) > _TEXT_MAX:
            raise FileFault("the file has a text beyond what a PSKC file has")

    def _refuse_doctype(self, *_: object) -> NoReturn:
        raise FileFault("the file has a document type, which no PSKC file needs")


def _opener(head: Node, unlocking: Unlocking) -> Opener | None:
    """Return what opens the values; None for a file in the clear. Raise NeedsKey or FileFault."""
    container = head.find("KeyContainer") or head
    encryption, mac = container.find("EncryptionKey"), container.find("MACMethod")
    if encryption is None:
        return None
    mac_key = mac.find("MACKey") if mac else None
    sealed_mac_key = _sealed(mac_key) if mac_key else None
    derived = encryption.find("DerivedKey")
    if derived is None:
        if unlocking.key is None:
            named = encryption.said("KeyName") or encryption.said("KeyInfo", "KeyName")
            raise NeedsKey(f"the file is encrypted with the key {named!r}: say where it is")
        key = unlocking.key
    else:
        if unlocking.passphrase is None:
            raise NeedsKey("the file is encrypted with a passphrase", by_passphrase=True)
        key = derive(unlocking.passphrase, _derivation(derived), sealed_mac_key.algorithm if sealed_mac_key else "")
    return make_opener(key, mac.attributes.get("Algorithm", "") if mac else "", sealed_mac_key)


def _derivation(derived: Node) -> Derivation:
    method = derived.find("KeyDerivationMethod")
    parameters = method.find("PBKDF2-params") if method else None
    if method is None or parameters is None or not method.attributes.get("Algorithm", "").lower().endswith("pbkdf2"):
        raise FileFault("the key does not come from the passphrase by PBKDF2")
    prf, length = parameters.find("PRF"), parameters.said("KeyLength")
    return Derivation(
        _base64(parameters.said("Salt", "Specified")),
        _whole(parameters.said("IterationCount")),
        _whole(length) if length else None,
        prf.attributes.get("Algorithm", "") if prf else "",
    )


def _read(row: int, package: Node, opener: Opener | None) -> Read:
    serial = package.said("DeviceInfo", "SerialNo") or (_key(package).attributes.get("Id", "") if package.find("Key") else "")
    try:
        return row, _token(serial, _key(package), opener)
    except NotProtected as error:
        return RowFault(row, serial, f"the seed {error}")
    except NoSuchSuite as error:
        return RowFault(row, serial, f"the suite {error}")
    except (FileFault, _Wrong) as error:
        return RowFault(row, serial, str(error))


class _Wrong(ValueError):
    """What a key package says that cannot be."""


def _key(package: Node) -> Node:
    key = package.find("Key")
    if key is None:
        raise _Wrong("has no key")
    return key


def _token(serial: str, key: Node, opener: Opener | None) -> NewToken:
    named, suite = key.attributes.get("Algorithm", ""), key.said("AlgorithmParameters", "Suite")
    if _SUITE in named:  # the algorithm profiles once drafted beside the standard put the suite into the algorithm's name
        named, suite = Kind.OCRA, named[named.index(_SUITE) :]
    kind = next((one for one in Kind if named.lower().endswith(one)), None)
    if kind is None:
        raise _Wrong(f"is a key for {named.lower() or 'nothing'!r}; hotp, totp and ocra are taken")
    seed = Secret(_value(key.find("Data", "Secret"), opener).hex())
    format_ = key.find("AlgorithmParameters", "ResponseFormat")
    if format_ and format_.attributes.get("Encoding", "DECIMAL") != "DECIMAL":
        raise _Wrong("shows codes that are not digits")
    digits = format_.attributes.get("Length") if format_ else None
    counter = _number(key.find("Data", "Counter"), opener, 0) if kind is not Kind.TOTP else 0
    if kind is Kind.OCRA:
        return _agreeing(NewToken.of_suite(serial, seed, suite, counter), digits, key)
    period = _number(key.find("Data", "TimeInterval"), opener, _USUAL_PERIOD) if kind is Kind.TOTP else None
    return NewToken(serial, seed, kind, _algorithm(suite), _whole(digits or "6"), period, counter)


def _agreeing(new: NewToken, digits: str | None, key: Node) -> NewToken:
    """Return an OCRA token whose formats are those of its suite; a counter counts only where the suite has one."""
    asked = key.find("AlgorithmParameters", "ChallengeFormat")
    if digits and _whole(digits) != new.digits:
        raise _Wrong("shows codes of another length than its suite says")
    if asked and new.suite and not _lets_in(asked, new.suite.question_length):
        raise _Wrong("takes questions of another length than its suite says")
    if asked and asked.attributes.get("CheckDigits", "false") not in {"false", "0"}:
        raise _Wrong("takes only questions that end in a check digit, which no question here does")
    return new if new.suite and new.suite.counts else replace(new, counter=0)


def _lets_in(asked: Node, length: int) -> bool:
    shortest, longest = (asked.attributes.get(name, str(length)) for name in ("Min", "Max"))
    return _whole(shortest) <= length <= _whole(longest)


def _algorithm(suite: str) -> Algorithm:
    named = suite.lower().replace("-", "")
    found = next((one for one in (Algorithm.SHA256, Algorithm.SHA512, Algorithm.SHA1) if one in named), None)
    if suite and found is None:
        raise _Wrong(f"hashes by {suite[:40]!r}, which is not done here")
    return found or Algorithm.SHA1


def _value(node: Node | None, opener: Opener | None) -> bytes:
    """Return a secret value, in the clear or sealed."""
    if node is None:
        raise _Wrong("has no seed")
    if plain := node.said("PlainValue"):
        return _base64(plain)
    if opener is None:
        raise _Wrong("has a sealed seed in a file that names no key")
    return opener.open(_sealed(node))


def _number(node: Node | None, opener: Opener | None, usual: int) -> int:
    """Return a number, in the clear or sealed as eight bytes."""
    if node is None:
        return usual
    plain = node.said("PlainValue")
    return _whole(plain) if plain else int.from_bytes(_value(node, opener), "big")


def _sealed(node: Node) -> Sealed:
    encrypted = node if node.find("CipherData") else node.find("EncryptedValue")
    method = encrypted.find("EncryptionMethod") if encrypted else None
    data = _base64(encrypted.said("CipherData", "CipherValue")) if encrypted else b""
    return Sealed(method.attributes.get("Algorithm", "") if method else "", data, _base64(node.said("ValueMAC")))


def _base64(text: str) -> bytes:
    try:
        return base64.b64decode("".join(text.split()), validate=True)
    except (binascii.Error, ValueError):
        raise FileFault("a value is not base64") from None


def _whole(text: str) -> int:
    if not (text.isascii() and text.isdigit()) or len(text) > 18:  # noqa: PLR2004  # what fits a bigint
        raise FileFault("a number is not a whole number")
    return int(text)
