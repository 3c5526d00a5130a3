"""The states of a sequence of messages."""

from __future__ import annotations

from enum import StrEnum

from strongroom.kit.machine import Machine


class SequenceState(StrEnum):
    """What a sequence still takes."""

    OPEN = "open"
    CLOSED = "closed"  # no new message; what was answered is answered again
    TERMINATED = "terminated"


class SequenceEvent(StrEnum):
    """What its source says."""

    CLOSED = "closed"
    TERMINATED = "terminated"


SEQUENCE = Machine[SequenceState, SequenceEvent](
    "message-sequence",
    "message_sequences",
    states=SequenceState,
    start=SequenceState.OPEN,
    ends=[SequenceState.TERMINATED],
    edges=[
        (SequenceState.OPEN, SequenceEvent.CLOSED, SequenceState.CLOSED),
        ([SequenceState.OPEN, SequenceState.CLOSED], SequenceEvent.TERMINATED, SequenceState.TERMINATED),
    ],
    tenant_column="issuer_id",
)
