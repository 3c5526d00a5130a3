"""The document's table of codes (its appendix), and ours where it leaves one out."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True, slots=True)
class Code:
    """A number and what it says. The document prints one number twice, so the text is part of what is meant."""

    number: str
    text: str


SUCCESSFUL: Final = Code("90000", "Successful")
UNKNOWN_ERROR: Final = Code("10001", "Unknown error")
INVALID_DATA: Final = Code("10002", "Invalid data")  # in the document's sample only, with a description of its own
AUTHENTICATION_FAILURE: Final = Code("80001", "Authentication Failure")
TOKEN_BLOCKED: Final = Code("81001", "Token Has been blocked")
TOKEN_LOCKED: Final = Code("81002", "Token has been locked")
TOKEN_NOT_ACTIVATED: Final = Code("81003", "Token has not been activated")
USER_UNKNOWN: Final = Code("82001", "User does not exist")
USER_EXISTS: Final = Code("82001", "User already exists")  # an issuer's setting sends 82002, presumably meant
TOKEN_UNKNOWN: Final = Code("82003", "Token does not exist")
TOKEN_TAKEN: Final = Code("83001", "Token already associated with another user")
TOKEN_FOREIGN: Final = Code("83002", "Token not associated with specified user")

CODES: Final = (
    SUCCESSFUL, UNKNOWN_ERROR, INVALID_DATA, AUTHENTICATION_FAILURE, TOKEN_BLOCKED, TOKEN_LOCKED, TOKEN_NOT_ACTIVATED,
    USER_UNKNOWN, USER_EXISTS, TOKEN_UNKNOWN, TOKEN_TAKEN, TOKEN_FOREIGN,
)  # fmt: skip
