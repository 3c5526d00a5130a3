"""The life of a text message."""

from __future__ import annotations

from enum import StrEnum

from strongroom.kit.machine import Machine
from strongroom.notify.port import Receipt


class MessageState(StrEnum):
    """Where a message is. `unknown`: it went out and nobody knows whether it was taken."""

    QUEUED = "queued"
    SENDING = "sending"
    UNKNOWN = "unknown"
    SENT = "sent"
    DELIVERED = "delivered"
    FAILED = "failed"
    EXPIRED = "expired"


class MessageEvent(StrEnum):
    """What happens to a message."""

    CLAIMED = "claimed"
    TAKEN = "taken"
    NOT_TAKEN = "not_taken"
    REFUSED = "refused"
    GATEWAY_SILENT = "gateway_silent"
    OUTLIVED = "outlived"
    RECEIPT_DELIVERED = "receipt_delivered"
    RECEIPT_FAILED = "receipt_failed"
    RECEIPT_EXPIRED = "receipt_expired"
    RECEIPT_NOT_TAKEN = "receipt_not_taken"


_IN_DOUBT = [MessageState.SENDING, MessageState.UNKNOWN]

MESSAGES = Machine(
    "message",
    "messages",
    states=MessageState,
    start=MessageState.QUEUED,
    ends=(MessageState.DELIVERED, MessageState.FAILED, MessageState.EXPIRED),
    tenant_column="tenant_id",
    edges=[
        (MessageState.QUEUED, MessageEvent.CLAIMED, MessageState.SENDING),
        ([MessageState.QUEUED, *_IN_DOUBT], MessageEvent.OUTLIVED, MessageState.EXPIRED),
        (_IN_DOUBT, MessageEvent.TAKEN, MessageState.SENT),
        (_IN_DOUBT, MessageEvent.NOT_TAKEN, MessageState.QUEUED),
        (_IN_DOUBT, MessageEvent.REFUSED, MessageState.FAILED),
        (MessageState.SENDING, MessageEvent.GATEWAY_SILENT, MessageState.UNKNOWN),
        (MessageState.SENT, MessageEvent.RECEIPT_DELIVERED, MessageState.DELIVERED),
        (MessageState.SENT, MessageEvent.RECEIPT_FAILED, MessageState.FAILED),
        (MessageState.SENT, MessageEvent.RECEIPT_EXPIRED, MessageState.EXPIRED),
        (MessageState.SENT, MessageEvent.RECEIPT_NOT_TAKEN, MessageState.QUEUED),
    ],
)

RECEIPT_EVENTS = {
    Receipt.DELIVERED: MessageEvent.RECEIPT_DELIVERED,
    Receipt.FAILED: MessageEvent.RECEIPT_FAILED,
    Receipt.EXPIRED: MessageEvent.RECEIPT_EXPIRED,
    Receipt.NOT_TAKEN: MessageEvent.RECEIPT_NOT_TAKEN,
}
