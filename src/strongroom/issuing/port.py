"""What the product asks of a remote issuer: does this card have a token, and is this code right.

What decides the word for a failure is whether the issuer may have acted. A code that may have been judged is never sent again.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import Protocol

from strongroom.kit.crypto import Secret
from strongroom.kit.errors import Fault


class IssuerUnavailable(Fault):
    """The issuer could not be reached, or refused to listen: it certainly judged nothing."""


class IssuerSilent(Fault):
    """Nobody knows whether the issuer judged: the answer was lost, late or unreadable. Never sent again."""


class IssuerCode(StrEnum):
    """The contract's answer codes that an issuer may give."""

    SUCCESSFUL = "90000"
    UNKNOWN_ERROR = "10001"
    FAILED = "80001"
    BLOCKED = "81001"
    LOCKED = "81002"
    NOT_ACTIVATED = "81003"
    NO_USER = "82001"
    NO_TOKEN = "82003"  # noqa: S105  # an answer code, not a secret
    NOT_ASSOCIATED = "83002"


class TokenType(StrEnum):
    """What the cardholder has in hand."""

    HARDWARE = "1"
    SMS = "2"


@dataclass(frozen=True, slots=True)
class CardPrompt:
    """The card can be authenticated, and how the cardholder is to be asked."""

    token_type: TokenType
    additional_info: str = ""  # the issuer's words for the payer, in plain characters and at most 200 of them
    phone: Secret | None = None
    user_id: Secret | None = field(default=None, repr=False)  # where the issuer names one


@dataclass(frozen=True, slots=True)
class CardRefused:
    """The card cannot be authenticated now."""

    code: IssuerCode


@dataclass(frozen=True, slots=True)
class Verdict:
    """What the issuer says of a code. Only `SUCCESSFUL` is a yes; a code unknown to us is an unknown error."""

    code: IssuerCode

    @property
    def is_right(self) -> bool:
        """True when the issuer accepted the code."""
        return self.code is IssuerCode.SUCCESSFUL


class RemoteIssuer(Protocol):
    """An issuer's own service, within one time limit for each question."""

    async def validate_card(self, pan: Secret) -> CardPrompt | CardRefused:
        """Ask whether the card has a token. Raise IssuerUnavailable or IssuerSilent."""
        ...

    async def authenticate_otp(self, user_id: Secret, otp: Secret) -> Verdict:
        """Have a code judged, once. Raise IssuerUnavailable or IssuerSilent; neither may be followed by another try."""
        ...


def code_of(text: str | None) -> IssuerCode:
    """Return the code that an issuer gave; what is not in the contract's table is an unknown error, never a success."""
    try:
        return IssuerCode((text or "").strip())
    except ValueError:
        return IssuerCode.UNKNOWN_ERROR
