"""The states of a token."""

from __future__ import annotations

from enum import StrEnum

from strongroom.kit.machine import Machine


class TokenState(StrEnum):
    """Where a token stands; only an active one has its codes compared."""

    IMPORTED = "imported"
    ASSIGNED = "assigned"
    ACTIVE = "active"
    LOCKED = "locked"
    BLOCKED = "blocked"
    RETIRED = "retired"


class TokenEvent(StrEnum):
    """What happens to a token."""

    ASSIGNED = "assigned"
    UNASSIGNED = "unassigned"
    ACTIVATED = "activated"
    GUESSED_TOO_OFTEN = "guessed_too_often"
    LAST_TRY_RIGHT = "last_try_right"  # the very try that set the lock had the right code
    LOCK_ENDED = "lock_ended"
    UNLOCKED = "unlocked"
    BLOCKED = "blocked"
    UNBLOCKED = "unblocked"
    RETIRED = "retired"


_S, _E = TokenState, TokenEvent

TOKEN = Machine[TokenState, TokenEvent](
    "otp_token",
    "otp_tokens",
    states=TokenState,
    start=_S.IMPORTED,
    ends=[_S.RETIRED],
    edges=[
        (_S.IMPORTED, _E.ASSIGNED, _S.ASSIGNED),
        ([_S.ASSIGNED, _S.ACTIVE, _S.LOCKED], _E.UNASSIGNED, _S.IMPORTED),
        (_S.ASSIGNED, _E.ACTIVATED, _S.ACTIVE),
        (_S.ACTIVE, _E.GUESSED_TOO_OFTEN, _S.LOCKED),
        (_S.LOCKED, _E.LAST_TRY_RIGHT, _S.ACTIVE),
        (_S.LOCKED, _E.LOCK_ENDED, _S.ACTIVE),
        (_S.LOCKED, _E.UNLOCKED, _S.ACTIVE),
        ([_S.ACTIVE, _S.LOCKED], _E.BLOCKED, _S.BLOCKED),
        (_S.BLOCKED, _E.UNBLOCKED, _S.ACTIVE),
        ([_S.IMPORTED, _S.ASSIGNED, _S.ACTIVE, _S.LOCKED, _S.BLOCKED], _E.RETIRED, _S.RETIRED),
    ],
    tenant_column="issuer_id",
)
