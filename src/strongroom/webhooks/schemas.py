"""The JSON shapes of webhooks: what is read and what is answered."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any

import msgspec

from strongroom.kit.body import Shape
from strongroom.webhooks.endpoints import OVERLAP_MAX_SECONDS, OVERLAP_SECONDS
from strongroom.webhooks.model import Delivery, Endpoint, Event, EventType, timestamp

Url = Annotated[str, msgspec.Meta(min_length=1, max_length=2048)]
Description = Annotated[str, msgspec.Meta(max_length=200)]
EventTypes = Annotated[list[EventType], msgspec.Meta(max_length=len(EventType))]
Id = Annotated[str, msgspec.Meta(min_length=1, max_length=40)]
Position = Annotated[int, msgspec.Meta(ge=0, le=2**53)]


class NewEndpointIn(Shape, frozen=True, kw_only=True):
    """A new endpoint. No event types means all of them."""

    url: Url
    description: Description = ""
    event_types: EventTypes = msgspec.field(default_factory=list)
    asymmetric: bool = False  # sign with Ed25519 too
    include_account_details: bool = False


class EndpointChangeIn(Shape, frozen=True, kw_only=True):
    """What may be changed of an endpoint; what is left out stays."""

    url: Url | msgspec.UnsetType = msgspec.UNSET
    description: Description | msgspec.UnsetType = msgspec.UNSET
    event_types: EventTypes | msgspec.UnsetType = msgspec.UNSET
    include_account_details: bool | msgspec.UnsetType = msgspec.UNSET


class RotationIn(Shape, frozen=True, kw_only=True):
    """For how long the present secret goes on signing beside the new one."""

    overlap_seconds: Annotated[int, msgspec.Meta(ge=0, le=OVERLAP_MAX_SECONDS)] = OVERLAP_SECONDS


class ReplayIn(Shape, frozen=True, kw_only=True):
    """Where to send one event again; without an endpoint, to all that want it."""

    endpoint_id: Id | None = None


class RangeReplayIn(Shape, frozen=True, kw_only=True):
    """A stretch of the feed to send again: behind `after`, up to and with `through`."""

    after: Position
    through: Position
    endpoint_id: Id | None = None


class _Out(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """The shape of an answer."""


class EndpointOut(_Out, frozen=True, kw_only=True):
    """An endpoint. `secret` and `publicKey` are shown once, where they are made."""

    id: str
    url: str
    description: str
    event_types: list[EventType]
    include_account_details: bool
    asymmetric: bool
    status: str
    disabled_reason: str | None
    failing_since: str | None
    old_secret_until: str | None
    created_at: str
    secret: str | msgspec.UnsetType = msgspec.UNSET
    public_key: str | msgspec.UnsetType | None = msgspec.UNSET


class EndpointsOut(_Out, frozen=True, kw_only=True):
    """All endpoints of a firm; they fit on one page."""

    data: list[EndpointOut]
    next: None = None


class EventOut(_Out, frozen=True, kw_only=True):
    """An event, as it is sent and as the feed has it."""

    id: str
    type: EventType
    timestamp: str
    sequence: int
    feed_position: int
    data: dict[str, Any]


class FeedOut(_Out, frozen=True, kw_only=True):
    """A page of the feed. `next` is what to give as `after` next time, on an empty page too."""

    data: list[msgspec.Raw]
    next: int


class TryOut(_Out, frozen=True, kw_only=True):
    """One try of a delivery: the status that came back, or why none did."""

    number: int
    at: str
    status: int | None
    failure: str | None
    duration_ms: int


class DeliveryOut(_Out, frozen=True, kw_only=True):
    """An event's way to one endpoint."""

    id: str
    endpoint_id: str
    status: str  # pending, delivered, exhausted or dropped
    next_try_at: str | None
    created_at: str
    tries: list[TryOut]


class DeliveriesOut(_Out, frozen=True, kw_only=True):
    """All deliveries of an event, oldest first."""

    data: list[DeliveryOut]
    next: None = None


class PingOut(_Out, frozen=True, kw_only=True):
    """The `ping` event that is on its way."""

    id: str


class ReplayedOut(_Out, frozen=True, kw_only=True):
    """How many deliveries were queued. `next`, if not null, is the `after` with which to go on."""

    deliveries: int
    next: int | None


def shape_endpoint(endpoint: Endpoint, **shown_once: str | None) -> EndpointOut:
    """Shape an endpoint."""
    return EndpointOut(
        id=endpoint.id,
        url=endpoint.url,
        description=endpoint.description,
        event_types=list(endpoint.event_types),
        include_account_details=endpoint.include_account_details,
        asymmetric=endpoint.has_signing_key,
        status="enabled" if endpoint.is_enabled else "disabled",
        disabled_reason=endpoint.disabled_reason,
        failing_since=_known_time(endpoint.failing_since),
        old_secret_until=_known_time(endpoint.old_secret_until),
        created_at=timestamp(endpoint.created_at),
        **shown_once,  # type: ignore[arg-type]  # `secret` is never None where it is given
    )


def shape_feed(events: list[Event], after: int) -> FeedOut:
    """Shape a page of the feed."""
    return FeedOut(data=[msgspec.Raw(event.body()) for event in events], next=events[-1].feed_position if events else after)


def shape_delivery(delivery: Delivery) -> DeliveryOut:
    """Shape a delivery with its tries."""
    tries = [
        TryOut(number=one.number, at=timestamp(one.at), status=one.status, failure=one.failure, duration_ms=one.duration_ms)
        for one in delivery.tries
    ]
    return DeliveryOut(
        id=delivery.id,
        endpoint_id=delivery.endpoint_id,
        status=delivery.outcome or "pending",
        next_try_at=_known_time(delivery.next_try_at),
        created_at=timestamp(delivery.created_at),
        tries=tries,
    )


def _known_time(at: datetime | None) -> str | None:
    return None if at is None else timestamp(at)
