"""Answers of the cardholder operations, written exactly: the document's envelopes, and the same as JSON."""

from __future__ import annotations

from collections.abc import Mapping
from xml.sax.saxutils import escape

import msgspec

from strongroom.safetoken.codes import Code
from strongroom.safetoken.members import BASE, SERVICES, TECHQUEST

_XSI = "http://www.w3.org/2001/XMLSchema-instance"


class ResultOut(msgspec.Struct, frozen=True):
    """An answer as JSON; ResponseDescription is null where there is nothing to say."""

    ResponseCode: str  # the contract's own names
    ResponseDescription: str | None


class Result(msgspec.Struct, frozen=True):
    """What an operation came to: a code, its description, and for `GetCardHolder` what it shows, in the order of their letters."""

    number: str
    description: str | None = None
    shown: Mapping[str, str] = {}

    @classmethod
    def of(cls, code: Code) -> Result:
        """Return a code that speaks for itself."""
        return cls(code.number, code.text)


def write_xml(operation: str, result: Result) -> str:
    """Return the Body's child: as printed, members of the base class first, those of its own after them."""
    described = f'<ResponseDescription i:nil="true" xmlns="{BASE}"/>'
    if result.description is not None:
        described = f'<ResponseDescription xmlns="{BASE}">{escape(result.description)}</ResponseDescription>'
    shown = "".join(f"<a:{name}>{escape(value)}</a:{name}>" for name, value in result.shown.items())
    return (
        f'<{operation}Response xmlns="{SERVICES}"><{operation}Result xmlns:a="{TECHQUEST}" xmlns:i="{_XSI}">'
        f'<ResponseCode xmlns="{BASE}">{result.number}</ResponseCode>{described}{shown}'
        f"</{operation}Result></{operation}Response>"
    )


def write_json(result: Result) -> bytes:
    """Return the same as JSON."""
    shown = {"ResponseCode": result.number, "ResponseDescription": result.description, **result.shown}
    return msgspec.json.encode(shown)
