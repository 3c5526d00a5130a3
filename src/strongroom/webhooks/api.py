"""Webhook endpoints and the feed of events over REST: parse, guard, call one use case, shape the answer."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Any

import msgspec
from litestar import Request, Response, delete, get, patch, post
from litestar.handlers import HTTPRouteHandler
from litestar.params import FromPath, QueryParameter, RawBody

from strongroom.access.guard import caller_of
from strongroom.access.model import Scope
from strongroom.kit.body import Reader
from strongroom.kit.errors import Invalid
from strongroom.kit.vault import Vault
from strongroom.webhooks.endpoints import Endpoints
from strongroom.webhooks.errors import TakesTwoPeople
from strongroom.webhooks.events import FEED_MAX, Events
from strongroom.webhooks.schemas import (
    DeliveriesOut,
    EndpointChangeIn,
    EndpointsOut,
    NewEndpointIn,
    PingOut,
    RangeReplayIn,
    ReplayedOut,
    ReplayIn,
    RotationIn,
    shape_delivery,
    shape_endpoint,
    shape_feed,
)

STATE = "webhooks"
_ENDPOINTS = "/api/1.0/webhookEndpoints"
_ENDPOINT = f"{_ENDPOINTS}/{{endpoint_id:str}}"
_EVENTS = "/api/1.0/events"
_READ: dict[str, Any] = {"scope": Scope.FUNDS_READ}
_MANAGE: dict[str, Any] = {"scope": Scope.WEBHOOKS_MANAGE}
_NEW, _CHANGE, _ROTATION = Reader(NewEndpointIn), Reader(EndpointChangeIn), Reader(RotationIn)
_REPLAY, _RANGE_REPLAY = Reader(ReplayIn), Reader(RangeReplayIn)
_POSITION_MAX = 2**53

After = Annotated[
    int, QueryParameter(name="after", ge=0, le=_POSITION_MAX, description="The `next` of the page before, or any `feedPosition`")
]
Limit = Annotated[int, QueryParameter(name="limit", ge=1, le=FEED_MAX, description=f"How many, at most {FEED_MAX}")]
_Request = Request[Any, Any, Any]


@dataclass(frozen=True, slots=True)
class WebhooksApi:
    """What the handlers call; the application keeps it in its state under `STATE`."""

    vault: Vault
    endpoints: Endpoints
    events: Events


@post(_ENDPOINTS, opt=_MANAGE)
async def create_endpoint(request: _Request, body: RawBody) -> Response[bytes]:
    """Add an endpoint. Its secret is in this answer and never shown again."""
    _refuse_idempotency(request)
    read = _NEW.read(body)
    if read.include_account_details:
        raise TakesTwoPeople
    who = caller_of(request)
    made = await _api(request).endpoints.create(
        who.firm_id,
        url=read.url,
        actor=who.actor,
        description=read.description,
        event_types=read.event_types,
        with_signing_key=read.asymmetric,
    )
    return _answer(shape_endpoint(made.endpoint, secret=made.secret.reveal(), public_key=made.public_key), status_code=201)


@get(_ENDPOINTS, opt=_MANAGE)
async def list_endpoints(request: _Request) -> Response[bytes]:
    """List the firm's endpoints, newest first."""
    found = await _api(request).endpoints.list(caller_of(request).firm_id)
    return _answer(EndpointsOut(data=[shape_endpoint(one) for one in found]))


@get(_ENDPOINT, opt=_MANAGE)
async def get_endpoint(request: _Request, endpoint_id: FromPath[str]) -> Response[bytes]:
    """Return an endpoint."""
    return _answer(shape_endpoint(await _api(request).endpoints.get(caller_of(request).firm_id, endpoint_id)))


@patch(_ENDPOINT, opt=_MANAGE)
async def change_endpoint(request: _Request, endpoint_id: FromPath[str], body: RawBody) -> Response[bytes]:
    """Change an endpoint. A new address gets no account details until two members of staff allow it anew."""
    read = _CHANGE.read(body)
    if read.include_account_details is True:
        raise TakesTwoPeople
    who, endpoints = caller_of(request), _api(request).endpoints
    endpoint = await endpoints.update(
        who.firm_id,
        endpoint_id,
        actor=who.actor,
        url=_given(read.url),
        description=_given(read.description),
        event_types=_given(read.event_types),
    )
    if read.include_account_details is False:
        endpoint = await endpoints.withdraw_account_details(who.firm_id, endpoint_id, actor=who.actor)
    return _answer(shape_endpoint(endpoint))


@post(f"{_ENDPOINT}/rotate", status_code=200, opt=_MANAGE)
async def rotate_secret(request: _Request, endpoint_id: FromPath[str], body: RawBody) -> Response[bytes]:
    """Give an endpoint a new secret, shown in this answer only; both sign until `oldSecretUntil`."""
    _refuse_idempotency(request)
    read = _ROTATION.read(body or b"{}")
    who = caller_of(request)
    rotated = await _api(request).endpoints.rotate(who.firm_id, endpoint_id, actor=who.actor, overlap_seconds=read.overlap_seconds)
    return _answer(shape_endpoint(rotated.endpoint, secret=rotated.secret.reveal()))


@post(f"{_ENDPOINT}/disable", status_code=200, opt=_MANAGE)
async def disable_endpoint(request: _Request, endpoint_id: FromPath[str]) -> Response[bytes]:
    """Send nothing more to an endpoint; what was on its way is dropped and can be replayed later."""
    who = caller_of(request)
    return _answer(shape_endpoint(await _api(request).endpoints.disable(who.firm_id, endpoint_id, actor=who.actor)))


@post(f"{_ENDPOINT}/enable", status_code=200, opt=_MANAGE)
async def enable_endpoint(request: _Request, endpoint_id: FromPath[str]) -> Response[bytes]:
    """Send events to an endpoint again, from now on."""
    who = caller_of(request)
    return _answer(shape_endpoint(await _api(request).endpoints.enable(who.firm_id, endpoint_id, actor=who.actor)))


@delete(_ENDPOINT, opt=_MANAGE)
async def delete_endpoint(request: _Request, endpoint_id: FromPath[str]) -> None:
    """Remove an endpoint and its secrets."""
    who = caller_of(request)
    await _api(request).endpoints.delete(who.firm_id, endpoint_id, actor=who.actor)


@post(f"{_ENDPOINT}/test", status_code=202, opt=_MANAGE)
async def test_endpoint(request: _Request, endpoint_id: FromPath[str]) -> Response[bytes]:
    """Send a `ping` to an endpoint."""
    event_id = await _api(request).endpoints.test(caller_of(request).firm_id, endpoint_id)
    return _answer(PingOut(id=event_id), status_code=202)


@get(_EVENTS, opt=_READ)
async def list_events(request: _Request, after: After = 0, limit: Limit = 100) -> Response[bytes]:
    """Read the feed: every event of the firm in the order of `feedPosition`, oldest first, without gaps."""
    events = await _api(request).events.events_after(caller_of(request).firm_id, after, limit)
    return _answer(shape_feed(events, after))


@get(f"{_EVENTS}/{{event_id:str}}", opt=_READ)
async def get_event(request: _Request, event_id: FromPath[str]) -> Response[bytes]:
    """Return one event."""
    event = await _api(request).events.get(caller_of(request).firm_id, event_id)
    return Response(event.body(), media_type="application/json")


@get(f"{_EVENTS}/{{event_id:str}}/deliveries", opt=_MANAGE)
async def list_deliveries(request: _Request, event_id: FromPath[str]) -> Response[bytes]:
    """List an event's deliveries with every try."""
    found = await _api(request).events.deliveries_of(caller_of(request).firm_id, event_id)
    return _answer(DeliveriesOut(data=[shape_delivery(one) for one in found]))


@post(f"{_EVENTS}/{{event_id:str}}/replay", status_code=202, opt=_MANAGE)
async def replay_event(request: _Request, event_id: FromPath[str], body: RawBody) -> Response[bytes]:
    """Send one event again."""
    read = _REPLAY.read(body or b"{}")
    who = caller_of(request)
    replayed = await _api(request).events.replay(who.firm_id, event_id, actor=who.actor, endpoint_id=read.endpoint_id)
    return _answer(ReplayedOut(deliveries=replayed.deliveries, next=None), status_code=202)


@post(f"{_EVENTS}/replay", status_code=202, opt=_MANAGE)
async def replay_range(request: _Request, body: RawBody) -> Response[bytes]:
    """Send a stretch of the feed again, at most 1,000 events a call."""
    read = _RANGE_REPLAY.read(body)
    who = caller_of(request)
    replayed = await _api(request).events.replay_range(
        who.firm_id, after=read.after, through=read.through, actor=who.actor, endpoint_id=read.endpoint_id
    )
    return _answer(ReplayedOut(deliveries=replayed.deliveries, next=replayed.next_position), status_code=202)


def routes() -> list[HTTPRouteHandler]:
    """Return the handlers of webhooks."""
    return [
        create_endpoint, list_endpoints, get_endpoint, change_endpoint, rotate_secret, disable_endpoint, enable_endpoint,
        delete_endpoint, test_endpoint, list_events, get_event, list_deliveries, replay_event, replay_range,
    ]  # fmt: skip


def _api(request: _Request) -> WebhooksApi:
    api: WebhooksApi = request.app.state[STATE]
    return api


def _refuse_idempotency(request: _Request) -> None:
    """Refuse the header where the answer holds a secret, which is never stored."""
    if "idempotency-key" in request.headers:
        raise Invalid("Idempotency-Key is not accepted here, because the answer holds a secret that is never stored")


def _given(value: Any) -> Any:
    """Return None for what was left out."""
    return None if value is msgspec.UNSET else value


def _answer(shape: object, *, status_code: int = 200) -> Response[bytes]:
    return Response(msgspec.json.encode(shape), status_code=status_code, media_type="application/json")
