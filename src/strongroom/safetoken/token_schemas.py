"""The JSON of token administration: what an issuer's software sends and what it is told. No seed is ever told."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated

import msgspec
from msgspec import Meta

from strongroom.kit.body import Shape
from strongroom.safetoken.purchase_schemas import CardPan, Otp

Serial = Annotated[str, Meta(pattern=r"^[A-Za-z0-9._-]{1,64}\Z", description="The number printed on the device")]


class NewTokenIn(Shape, frozen=True, kw_only=True):
    """A token for the stock. Files of many are imported by `strongroom otp-tokens import`."""

    serial: Serial
    seed: Annotated[str, Meta(pattern=r"^([0-9A-Fa-f]{2}){16,128}\Z", description="Hex, 16 to 128 bytes; never shown again")]
    kind: Annotated[str, Meta(pattern=r"^(hotp|totp)\Z", description="hotp or totp")] = "hotp"
    algorithm: Annotated[str, Meta(pattern=r"^sha(1|256|512)\Z", description="sha1, sha256 or sha512")] = "sha1"
    digits: Annotated[int, Meta(ge=6, le=8)] = 6
    period_seconds: Annotated[int | None, Meta(description="30 or 60, for totp only")] = None
    counter: Annotated[int, Meta(ge=0, le=2**53, description="The next counter of an hotp token")] = 0


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


class TokenOut(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """A token. `code` is what the contract says of asking its holder now, null while it is nobody's."""

    serial: str
    status: Annotated[str, Meta(description="imported, assigned, active, locked, blocked or retired")]
    kind: str
    algorithm: str
    digits: int
    period_seconds: int | None
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
