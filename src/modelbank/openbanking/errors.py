"""The resource server's refusals, with the codes of the standard's OBErrorResponse1 (v4.0)."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Code(StrEnum):
    """Error codes that this bank uses (OBExternalStatusReason1Code)."""

    UNEXPECTED = "U000"
    FIELD_EXPECTED = "U001"
    FIELD_INVALID = "U002"
    DATE_INVALID = "U003"
    FIELD_MISSING = "U004"
    FIELD_UNEXPECTED = "U005"
    HEADER_INVALID = "U006"
    HEADER_MISSING = "U007"
    CONSENT_MISMATCH = "U008"
    CONSENT_STATUS = "U009"
    FORMAT_INVALID = "U010"
    NOT_FOUND = "U011"
    REFERENCE_DUPLICATE = "U013"
    SIGNATURE_INVALID = "U015"
    SIGNATURE_CLAIM_INVALID = "U016"
    SIGNATURE_CLAIM_MISSING = "U017"
    SIGNATURE_MALFORMED = "U018"
    SIGNATURE_MISSING = "U019"
    ACCOUNT_UNSUPPORTED = "U021"
    CURRENCY_UNSUPPORTED = "U023"
    INSTRUMENT_UNSUPPORTED = "U026"
    SCHEME_UNSUPPORTED = "U027"
    ALREADY_EXISTS = "U029"
    FORBIDDEN = "AG01"
    TOKEN_EXPIRED = "TKXP"  # noqa: S105  # a code of the standard, no secret


@dataclass
class Refused(Exception):  # an outcome, named by what is so
    """A request is refused with the standard's error body."""

    code: Code
    message: str
    path: str | None = None
    status: int = 400


@dataclass
class Bare(Exception):  # as above
    """A request is refused by a status alone: the standard gives these answers no body. Only a quirk gives them one."""

    status: int
    headers: tuple[tuple[str, str], ...] = ()
    body: bytes = b""


def not_found(path: str) -> Refused:
    """Refuse an id that does not exist: 400, not 404, which means that the endpoint does not exist."""
    return Refused(Code.NOT_FOUND, "There is no such resource.", path)


def forbidden(message: str) -> Refused:
    """Refuse what this token or client may not do."""
    return Refused(Code.FORBIDDEN, message, status=403)
