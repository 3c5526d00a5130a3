"""The states of a cardholder."""

from __future__ import annotations

from enum import StrEnum

from strongroom.kit.machine import Machine


class CardholderState(StrEnum):
    """Whether the card is enrolled."""

    ACTIVE = "active"
    REMOVED = "removed"


class CardholderEvent(StrEnum):
    """What happens to an enrolment."""

    REMOVED = "removed"


CARDHOLDER = Machine[CardholderState, CardholderEvent](
    "cardholder",
    "cardholders",
    states=CardholderState,
    start=CardholderState.ACTIVE,
    ends=[CardholderState.REMOVED],
    edges=[(CardholderState.ACTIVE, CardholderEvent.REMOVED, CardholderState.REMOVED)],
    tenant_column="issuer_id",
)
