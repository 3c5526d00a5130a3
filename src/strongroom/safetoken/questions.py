"""The two questions that hubs ask an issuer's service, and their answers, as XML and as JSON: shapes only.

A question may have any root name, namespaces and members that nobody here knows; an answer is compact XML as the contract shows it,
or the same members as JSON.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from enum import StrEnum
from typing import Any, Final
from xml.sax.saxutils import escape

import msgspec

from strongroom.issuing.port import CardPrompt, CardRefused, IssuerCode, Verdict
from strongroom.kit.body import Reader, Shape
from strongroom.kit.errors import Malformed
from strongroom.soap.reading import Element, XmlRefused, read

CARD: Final = ("CardPan",)
CODE: Final = ("UserId", "Otp")
_LONGEST: Final = 256


class Form(StrEnum):
    """The two forms; the value is the media type of an answer."""

    XML = "application/xml; charset=utf-8"
    JSON = "application/json"


class CardQuestionIn(Shape, frozen=True, forbid_unknown_fields=False, rename=None):
    """ValidateCard as JSON; a number counts as its digits, and other members are not looked at."""

    CardPan: str | int | None = None  # the contract's own names


class OtpQuestionIn(Shape, frozen=True, forbid_unknown_fields=False, rename=None):
    """AuthenticateOTP as JSON."""

    UserId: str | int | None = None
    Otp: str | int | None = None


class AnswerOut(msgspec.Struct, frozen=True, omit_defaults=True):
    """An answer, in the contract's order; `UserId` is ours, where the issuer names the cardholder itself."""

    ResponseCode: str
    TokenType: str | None = None
    PhoneNumber: str | None = None
    AdditionalInfo: str | None = None
    UserId: str | None = None


_READERS: Final[Mapping[tuple[str, ...], Reader[Any]]] = {CARD: Reader(CardQuestionIn), CODE: Reader(OtpQuestionIn)}


def form_of(content_type: str) -> Form:
    """Return the form of a question: JSON if it says so, else XML."""
    return Form.JSON if "json" in content_type.lower() else Form.XML


def answer_form(accept: str, asked: Form) -> Form:
    """Return the form of an answer: what Accept names, or the question's own where it names both or neither."""
    wants_json, wants_xml = "json" in accept.lower(), "xml" in accept.lower()
    return asked if wants_json == wants_xml else (Form.JSON if wants_json else Form.XML)


def read_question(body: bytes, form: Form, names: tuple[str, ...]) -> dict[str, str] | None:
    """Return the members of a question; None when one is missing, empty, doubled or too long. Raise Malformed or Invalid."""
    if form is Form.JSON:
        given: Mapping[str, Any] = msgspec.structs.asdict(_READERS[names].read(body))
        return _complete({name: str(value).strip() for name, value in given.items() if value is not None}, names)
    try:
        return read_members(read(body), names)
    except XmlRefused as error:
        raise Malformed(str(error)) from None


def read_members(element: Element, names: Iterable[str]) -> dict[str, str] | None:
    """Return members by their local names, whichever namespace or order they came in. Raise XmlRefused."""
    wanted, found = frozenset(names), dict[str, str]()
    for child in element.elements:
        if child.local not in wanted or child.is_nil:
            continue
        if child.local in found:
            return None
        found[child.local] = child.text.strip()
    return _complete(found, wanted)


def members_of(answer: CardPrompt | CardRefused | Verdict) -> dict[str, str]:
    """Return the members of an answer that it has, in their order."""
    said = AnswerOut(str(IssuerCode.SUCCESSFUL if isinstance(answer, CardPrompt) else answer.code))
    if isinstance(answer, CardPrompt):
        said = msgspec.structs.replace(
            said,
            TokenType=str(answer.token_type),
            PhoneNumber=answer.phone.reveal() if answer.phone else None,
            AdditionalInfo=answer.additional_info or None,
            UserId=answer.user_id.reveal() if answer.user_id else None,
        )
    return {name: value for name, value in msgspec.structs.asdict(said).items() if value is not None}


def write_answer(members: Mapping[str, str], form: Form, root: str = "Response") -> bytes:
    """Return members as compact XML without a declaration or a namespace, or as JSON."""
    if form is Form.JSON:
        return msgspec.json.encode(members)
    return f"<{root}>{write_members(members)}</{root}>".encode()


def write_members(members: Mapping[str, str]) -> str:
    """Return members as elements of the namespace that is the default where they stand."""
    return "".join(f"<{name}>{escape(value)}</{name}>" for name, value in members.items())


def _complete(found: Mapping[str, str], names: Iterable[str]) -> dict[str, str] | None:
    wanted = {name: found.get(name, "") for name in names}
    return wanted if all(0 < len(value) <= _LONGEST for value in wanted.values()) else None
