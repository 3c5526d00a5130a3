"""The values of cardholders: frozen, and masked wherever they are printed."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum

from strongroom.kit.crypto import Secret

COOLING_OFF_SECONDS = 24 * 3600  # until a new telephone number gets codes
REPLAY_SECONDS = 24 * 3600  # an identical enrolment within this time is the same one, sent again


class CardholderTag(StrEnum):
    """What cardholders write into the audit."""

    ENROLLED = "sca:cardholder:enrolled"
    CHANGED = "sca:cardholder:changed"
    PHONE_CHANGED = "sca:cardholder:phone_changed"
    REMOVED = "sca:cardholder:removed"
    NOT_ENROLLED = "sca:cardholder:not_enrolled"  # the issuer says that a registration failed


@dataclass(frozen=True, slots=True)
class Enrolment:
    """A cardholder to be."""

    pan: Secret
    phone: str = field(repr=False)  # E.164 digits without +
    details: dict[str, str] = field(repr=False)
    approved: bool
    account: Secret | None = None


@dataclass(frozen=True, slots=True)
class Enrolled:
    """The cardholder was enrolled now, or by an identical enrolment within a day."""

    cardholder_id: str
    again: bool = False


@dataclass(frozen=True, slots=True)
class AlreadyEnrolled:
    """The card has a cardholder."""

    cardholder_id: str


@dataclass(frozen=True, slots=True)
class Cardholder:
    """A cardholder. `phone` is where codes go now; `next_phone` waits until `phone_usable_from`."""

    issuer_id: str
    id: str
    pan_shown: str
    phone: str = field(repr=False)
    next_phone: str | None = field(repr=False)
    phone_usable_from: datetime | None
    account: Secret | None
    details: dict[str, str] = field(repr=False)
    approved: bool
    created_at: datetime
    is_new: bool  # enrolled less than a day ago
