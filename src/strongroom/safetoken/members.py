"""The members of a request about a cardholder: read leniently, whichever namespace or order they came in.

Live software sends a corrupted namespace, node-soap puts inherited members in the wrong one, and a WCF client sends every member,
with nil for what it leaves out: so a member is its local name, nil is absent, and only what is named here is looked at.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Final, cast

import msgspec

from strongroom.kit.body import Reader, Shape
from strongroom.soap.reading import Element

SERVICES: Final = "http://services.interswitchng.com/"
BASE: Final = "http://schemas.datacontract.org/2004/07/TechQuest.Framework.ServiceFramework.Contract"
TECHQUEST: Final = "techquest.interswitchng.com"  # relative, as the document prints it
_REQUEST: Final = "request"


class Repeated(Exception):
    """A member stands twice: readers would not agree on what it says. The message names it."""


class Kind(StrEnum):
    """What a member holds; the value is its type in XML Schema."""

    TEXT = "string"
    NUMBER = "int"
    FLAG = "boolean"


@dataclass(frozen=True, slots=True)
class Member:
    """One member; `is_base` ones are inherited and stand first."""

    name: str
    kind: Kind = Kind.TEXT
    is_base: bool = False


MEMBERS: Final = (
    Member("HeaderTerminalId", is_base=True),
    Member("TerminalId", is_base=True),
    Member("AccountNumber"),
    Member("Address1"),
    Member("Address2"),
    Member("BankId", Kind.NUMBER),
    Member("CardPan"),
    Member("City"),
    Member("Country"),
    Member("CountryCode"),
    Member("Email"),
    Member("ExpiryDate"),
    Member("FailureReason", Kind.NUMBER),
    Member("Gender"),
    Member("IsApprovedAndEnabled", Kind.FLAG),
    Member("IsFailure", Kind.FLAG),
    Member("IsVerveEAccount", Kind.FLAG),
    Member("LastName"),
    Member("Othernames"),
    Member("PostCode", Kind.NUMBER),
    Member("PrimaryMobileCountryCode"),
    Member("PrimaryMobileNumber"),
    Member("RegistrationChannel", Kind.NUMBER),
    Member("SecondaryMobileNumber"),
    Member("State"),
    Member("Title"),
)  # in the document's order, which is a DataContract's: the base's members, then ours by their letters
_NAMES: Final = frozenset(member.name for member in MEMBERS)
_JSON_TYPES: Final[dict[Kind, Any]] = {
    Kind.TEXT: str | int | None,
    Kind.NUMBER: int | str | None,
    Kind.FLAG: bool | int | str | None,
}

CardHolderIn: Final[type[Shape]] = cast(
    "type[Shape]",
    msgspec.defstruct(
        "CardHolderIn",
        [(member.name, _JSON_TYPES[member.kind], None) for member in MEMBERS],
        bases=(Shape,),
        namespace={"__doc__": "The same members as JSON."},
        frozen=True,
        kw_only=True,
        forbid_unknown_fields=False,
        rename=None,
    ),
)
_READER: Final = Reader(CardHolderIn)


def read_members(operation: Element) -> dict[str, str]:
    """Return the members of a request by name, without blanks around them; absent and nil ones are not there. Raise Repeated."""
    found: dict[str, str] = {}
    seen: set[str] = set()
    for child in (operation.find(_REQUEST) or operation).elements:
        if child.local not in _NAMES:
            continue
        if child.local in seen:
            raise Repeated(child.local)
        seen.add(child.local)
        if not child.is_nil:
            found[child.local] = child.text.strip()
    return found


def read_json_members(body: bytes) -> dict[str, str]:
    """Return the same of a JSON object, in which null is absent. Raise Malformed, TooLarge or Invalid."""
    given: Mapping[str, Any] = msgspec.structs.asdict(_READER.read(body))
    return {name: _text(value) for name, value in given.items() if value is not None}


def _text(value: str | int | bool) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value).strip()
