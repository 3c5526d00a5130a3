"""What gateways report about messages they took: each has an address that believes only what it proves to have said."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Any
from urllib.parse import parse_qsl

from litestar import Request, Response, route
from litestar.handlers import HTTPRouteHandler
from litestar.params import Parameter

from strongroom.kit.errors import Forbidden, NotFound
from strongroom.notify.messages import Receipts
from strongroom.notify.port import NotGenuine, ReportCall, Reports

STATE = "notify"
REPORTS_PATH = "/sms/reports"
_FORM = "application/x-www-form-urlencoded"
_MAX_FIELDS = 100


@dataclass(frozen=True, slots=True)
class NotifyApi:
    """What the handler calls; the application keeps it in its state under `STATE`."""

    receipts: Receipts
    reporting: Mapping[str, Reports]


@route(
    f"{REPORTS_PATH}/{{gateway:str}}", http_method=["GET", "POST"], include_in_schema=False,
    opt={"public": "gateways sign what they report, or carry a secret"},
)  # fmt: skip
async def take_report(
    gateway: Annotated[str, Parameter(description="The gateway's name")], request: Request[Any, Any, Any]
) -> Response[str | None]:
    """Keep what a gateway says became of a message; by GET it says so in the address. Raise NotFound or Forbidden."""
    api: NotifyApi = request.app.state[STATE]
    reporting = api.reporting.get(gateway)
    if reporting is None:
        raise NotFound
    body = await request.body()
    is_form = request.headers.get("content-type", "").partition(";")[0].strip().lower() == _FORM
    form = _read_form(body) if is_form else []
    call = ReportCall(dict(request.headers), dict(request.query_params), form, body)
    try:
        report = reporting.read_report(call)
    except NotGenuine as error:
        raise Forbidden from error
    if report is not None:
        await api.receipts.take(gateway, report.provider_id, report.receipt)
    if request.method == "GET":  # Kannel takes anything but 200 and 202 for a failure, and calls again
        return Response("", status_code=200, media_type="text/plain")
    return Response(None, status_code=204)


def routes() -> list[HTTPRouteHandler]:
    """Return the routes."""
    return [take_report]


def _read_form(body: bytes) -> list[tuple[str, str]]:
    try:
        return parse_qsl(body.decode(), keep_blank_values=True, max_num_fields=_MAX_FIELDS)
    except ValueError:
        return []
