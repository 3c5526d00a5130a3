"""Pages that anybody may read, the firm's colours, and the website's files."""

from __future__ import annotations

from typing import Any

from litestar import Response, get
from litestar.handlers import HTTPRouteHandler
from litestar.params import FromPath, FromQuery

from strongroom.access.model import Firm
from strongroom.kit.errors import NotFound
from strongroom.kit.pages import Asset, static_headers
from strongroom.portal import paths
from strongroom.portal.accent import accent_css
from strongroom.portal.brands import brands_css
from strongroom.portal.pages.signing_in import known_firm
from strongroom.portal.views.plain import FirmDetails, Genuine, Help, Privacy
from strongroom.portal.visit import AnyRequest, Visit

_OPEN: dict[str, Any] = {"public": "anybody may read this"}
_CSS_SECONDS = 300
LOGO_POLICY = "default-src 'none'; frame-ancestors 'none'; sandbox"


@get("/customer/genuine", opt=_OPEN)
async def genuine(request: AnyRequest, firm: FromQuery[str | None] = None) -> Response[Any]:
    """Say how to check that a message is genuine."""
    visit = Visit(request)
    known = await known_firm(visit, firm)
    return await visit.page(Genuine(visit.house.site.host, _details(known) if known else None), firm=known)


@get(paths.HELP, opt=_OPEN)
async def help_page(request: AnyRequest) -> Response[Any]:
    """Show help."""
    visit = Visit(request)
    return await visit.page(Help(), firm=await known_firm(visit, None))


@get(paths.PRIVACY, opt=_OPEN)
async def privacy(request: AnyRequest) -> Response[Any]:
    """Say what cookies are for and who answers."""
    visit = Visit(request)
    provider = visit.house.site.provider
    return await visit.page(Privacy(provider.name, provider.contact), firm=await known_firm(visit, None))


@get("/customer/firm/{name:str}", opt=_OPEN)
async def firm_css(request: AnyRequest, name: FromPath[str]) -> Response[bytes]:
    """Return the stylesheet with one firm's accent colour."""
    visit = Visit(request, may_name_browser=False)
    firm = await visit.house.firms.find(name.removesuffix(".css"))
    if firm is None or not name.endswith(".css"):
        raise NotFound
    return Response(
        accent_css(firm.settings.accent_colour).encode(),
        media_type="text/css",
        headers={"Cache-Control": f"public, max-age={_CSS_SECONDS}", "X-Content-Type-Options": "nosniff"},
    )


@get(paths.BRANDS_CSS, opt=_OPEN)
async def banks_css(request: AnyRequest) -> Response[bytes]:
    """Return the stylesheet with the banks' colours."""
    banks = Visit(request, may_name_browser=False).house.registry.list_banks()
    return Response(
        brands_css({bank.bank_id: bank.accent for bank in banks if bank.accent}).encode(),
        media_type="text/css",
        headers={"Cache-Control": f"public, max-age={_CSS_SECONDS}", "X-Content-Type-Options": "nosniff"},
    )


@get("/customer/bank-logo/{name:str}", opt=_OPEN)
async def bank_logo(request: AnyRequest, name: FromPath[str]) -> Response[bytes]:
    """Return a bank's logo, which may do nothing but be looked at, even when somebody opens it by itself."""
    logo = Visit(request, may_name_browser=False).house.registry.find_logo(name)
    if logo is None:
        raise NotFound
    asset = Asset(logo.name, logo.body, logo.content_type)
    return Response(logo.body, headers={**static_headers(asset), "Content-Security-Policy": LOGO_POLICY})


@get("/", opt=_OPEN)
async def front_door(request: AnyRequest) -> Response[Any]:
    """Lead whoever types only the host's name to the start."""
    return Visit(request).go(paths.START)


@get("/customer/{rest:path}", opt=_OPEN)
async def nowhere(request: AnyRequest, rest: FromPath[str]) -> Response[Any]:  # noqa: ARG001  # the framework passes it by name
    """Say that there is no such page, as a page: programs get a problem document, people do not."""
    raise NotFound


def routes() -> list[HTTPRouteHandler]:
    """Return the handlers of this file."""
    return [genuine, help_page, privacy, firm_css, banks_css, bank_logo, front_door, nowhere]


def _details(firm: Firm) -> FirmDetails:
    settings = firm.settings
    return FirmDetails(settings.registered_name or firm.name, settings.registered_number, settings.address, role=settings.role_text)
