"""The states of what access keeps."""

from __future__ import annotations

from enum import StrEnum

from strongroom.kit.machine import Machine


class StaffState(StrEnum):
    """Whether a person may act."""

    ACTIVE = "active"
    DISABLED = "disabled"


class StaffEvent(StrEnum):
    """What happens to a person's membership."""

    DISABLED = "disabled"


STAFF = Machine[StaffState, StaffEvent](
    "staff member",
    "staff_members",
    states=StaffState,
    start=StaffState.ACTIVE,
    ends=[StaffState.DISABLED],
    edges=[(StaffState.ACTIVE, StaffEvent.DISABLED, StaffState.DISABLED)],
)
