"""The values of webhooks: closed list of events, an event's two renderings, endpoints, deliveries and what a try means."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any

import msgspec

BODY_MAX_BYTES = 20_000  # Standard Webhooks 1.0 asks for less than 20 kB
_ENVELOPE_MAX_BYTES = 500


class EventType(StrEnum):
    """Everything that a firm can be told."""

    CREDIT_REQUEST_COMPLETED = "creditRequest.completed"
    CREDIT_REQUEST_RECEIVED = "creditRequest.received"
    CREDIT_REQUEST_PAYMENT_FAILED = "creditRequest.paymentFailed"
    CREDIT_REQUEST_PARTLY_PAID = "creditRequest.partlyPaid"
    CREDIT_REQUEST_HELD = "creditRequest.held"
    CREDIT_REQUEST_RETURNED = "creditRequest.returned"
    CREDIT_REQUEST_DELAYED = "creditRequest.delayed"
    CREDIT_REQUEST_EXPIRED = "creditRequest.expired"
    CREDIT_REQUEST_CANCELLED = "creditRequest.cancelled"
    CUSTOMER_ACCOUNT_REQUEST_COMPLETED = "customerAccountRequest.completed"
    CUSTOMER_ACCOUNT_REQUEST_DECLINED = "customerAccountRequest.declined"
    CUSTOMER_ACCOUNT_REQUEST_EXPIRED = "customerAccountRequest.expired"
    CUSTOMER_AUTHENTICATION_LOCKED = "customerAuthentication.locked"
    CUSTOMER_OPENED = "customer.opened"
    PING = "ping"


class DeliveryOutcome(StrEnum):
    """How a delivery ended; `dropped` when its endpoint was disabled or deleted."""

    DELIVERED = "delivered"
    EXHAUSTED = "exhausted"
    DROPPED = "dropped"


class DisabledReason(StrEnum):
    """Why an endpoint gets nothing: somebody asked, or it answered 410."""

    ASKED = "asked"
    GONE = "gone"


class Tag(StrEnum):
    """What the audit trail says about webhooks."""

    ENDPOINT_CREATED = "webhook:endpoint:created"
    ENDPOINT_CHANGED = "webhook:endpoint:changed"
    ENDPOINT_ROTATED = "webhook:endpoint:rotated"
    ENDPOINT_DISABLED = "webhook:endpoint:disabled"
    ENDPOINT_ENABLED = "webhook:endpoint:enabled"
    ENDPOINT_DELETED = "webhook:endpoint:deleted"
    ENDPOINT_FAILING = "webhook:endpoint:failing"
    DETAILS_ALLOWED = "webhook:account_details:allowed"
    DETAILS_WITHDRAWN = "webhook:account_details:withdrawn"
    EVENTS_REPLAYED = "webhook:event:replayed"


@dataclass(frozen=True, slots=True)
class Event:
    """One event of a firm's feed, in the rendering that was asked for."""

    id: str
    type: EventType
    at: datetime
    sequence: int
    feed_position: int
    data: bytes = field(repr=False)  # JSON

    def body(self) -> bytes:
        """Return the body as the contract has it; the same bytes on every try."""
        envelope = {
            "id": self.id,
            "type": self.type,
            "timestamp": timestamp(self.at),
            "sequence": self.sequence,
            "feedPosition": self.feed_position,
            "data": msgspec.Raw(self.data),
        }
        return msgspec.json.encode(envelope)


@dataclass(frozen=True, slots=True)
class Endpoint:
    """An address of a firm, as its staff may see it."""

    id: str
    url: str = field(repr=False)
    description: str
    event_types: tuple[EventType, ...]  # empty: all
    include_account_details: bool
    has_signing_key: bool
    old_secret_until: datetime | None
    disabled_reason: DisabledReason | None
    failing_since: datetime | None
    created_at: datetime

    @property
    def is_enabled(self) -> bool:
        """True when events are sent to it."""
        return self.disabled_reason is None


@dataclass(frozen=True, slots=True)
class Try:
    """One try of a delivery."""

    number: int
    at: datetime
    status: int | None
    failure: str | None
    duration_ms: int


@dataclass(frozen=True, slots=True)
class Delivery:
    """One event's way to one endpoint."""

    id: str
    endpoint_id: str
    outcome: DeliveryOutcome | None  # None while open
    next_try_at: datetime | None
    created_at: datetime
    tries: tuple[Try, ...]


def timestamp(at: datetime) -> str:
    """Write a time as RFC 3339 in UTC to the millisecond."""
    return at.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def encode_data(data: Mapping[str, Any]) -> bytes:
    """Encode an event's data. Raise ValueError when the body would pass 20 kB."""
    encoded = msgspec.json.encode(data)
    if len(encoded) > BODY_MAX_BYTES - _ENVELOPE_MAX_BYTES:
        raise ValueError(f"an event's data has {len(encoded)} bytes; the body must stay below {BODY_MAX_BYTES}")
    return encoded


def merge(data: Mapping[str, Any], over: Mapping[str, Any]) -> dict[str, Any]:
    """Lay one object over another, objects within objects too."""
    merged = dict(data)
    for name, value in over.items():
        held = merged.get(name)
        merged[name] = merge(held, value) if isinstance(held, Mapping) and isinstance(value, Mapping) else value
    return merged
