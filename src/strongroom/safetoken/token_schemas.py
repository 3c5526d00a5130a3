"""The JSON of token administration: what an issuer's software sends and what it is told. No seed is ever told."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated

import msgspec
from msgspec import Meta

from strongroom.kit.body import Shape
from strongroom.safetoken.purchase_schemas import CardPan, Otp
from strongroom.sca.devices.suites import SUITE_MAX

Serial = Annotated[str, Meta(pattern=r"^[A-Za-z0-9._-]{1,64}\Z", description="The number printed on the device")]

Hashing = Annotated[
    str, Meta(pattern=r"^sha(1|256|512)\Z", description="sha1 (the usual one), sha256 or sha512; for ocra the suite says it")
]
Digits = Annotated[int, Meta(ge=6, le=8, description="6 where it is left out; for ocra the suite says it")]
SuiteText = Annotated[
    str, Meta(min_length=1, max_length=SUITE_MAX, description="For ocra only (RFC 6287)", examples=["OCRA-1:HOTP-SHA256-8:C-QN08"])
]
Question = Annotated[
    str, Meta(pattern=r"^[0-9]{8,16}\Z", description="For an ocra token: the digits that were typed into it, both times the same")
]


class NewTokenIn(Shape, frozen=True, kw_only=True):
    """A token for the stock. Files of many are imported by `strongroom otp-tokens import`."""

    serial: Serial
    seed: Annotated[str, Meta(pattern=r"^([0-9A-Fa-f]{2}){16,128}\Z", description="Hex, 16 to 128 bytes; never shown again")]
    kind: Annotated[str, Meta(pattern=r"^(hotp|totp|ocra)\Z", description="hotp, totp or ocra")] = "hotp"
    algorithm: Hashing | None = None
    digits: Digits | None = None
    period_seconds: Annotated[int | None, Meta(description="30 or 60, for totp only")] = None
    counter: Annotated[int, Meta(ge=0, le=2**53, description="The next counter of a token that counts")] = 0
    suite: SuiteText | None = None


class AssignIn(Shape, frozen=True, kw_only=True):
    """Whom a token is given to."""

    card_pan: CardPan


class ReplaceIn(Shape, frozen=True, kw_only=True):
    """The token that takes another's place."""

    by: Serial


class ResynchroniseIn(Shape, frozen=True, kw_only=True):
    """Two codes that a device showed in a row."""

    first: Otp
    second: Otp
    question: Question | None = None


class TokenOut(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """A token. `code` is what the contract says of asking its holder now, null while it is nobody's."""

    serial: str
    status: Annotated[str, Meta(description="imported, assigned, active, locked, blocked or retired")]
    kind: str
    algorithm: str
    digits: int
    period_seconds: int | None
    suite: Annotated[str | None, Meta(description="Of an ocra token")]
    cardholder_id: str | None
    failures: Annotated[int, Meta(description="Wrong codes in a row; the fifth locks")]
    locked_until: datetime | None
    unblock_asked: Annotated[bool, Meta(description="True while one person waits for another to approve")]
    code: Annotated[str | None, Meta(description="90000, 81001 blocked, 81002 locked or 81003 not activated")]
    created_at: datetime


class TokensOut(msgspec.Struct, frozen=True):
    """One page of tokens by serial; `next` goes into `after`, and is null on the last page."""

    data: list[TokenOut]
    next: str | None


class ResynchronisedOut(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """What two codes in a row came to: the contract's code, and the tries that are left."""

    code: str
    description: str
    attempts_left: int | None = None
    retry_after_seconds: Annotated[int | None, Meta(description="While the token is locked")] = None
