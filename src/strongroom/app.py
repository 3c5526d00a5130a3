"""The web process: the firms' API, the customers' website, health and metrics, behind one edge."""

from __future__ import annotations

import gc
from collections import defaultdict
from collections.abc import AsyncIterator, Iterable, Iterator
from contextlib import asynccontextmanager
from typing import Any
from urllib.parse import urlsplit

import msgspec
import uvicorn
from litestar import Litestar, Request, Response, get, route
from litestar.datastructures import State
from litestar.exceptions import HTTPException
from litestar.handlers import HTTPRouteHandler
from litestar.middleware import DefineMiddleware
from litestar.types import ExceptionHandlersMap

from strongroom.access import api as access_api
from strongroom.access.api import AccessApi
from strongroom.access.clients import is_printed_client_there
from strongroom.access.guard import Guard, refuse_undeclared
from strongroom.apidoc.pages import STATE as API_DOC
from strongroom.apidoc.pages import ApiDoc
from strongroom.funds.api import cases as case_api
from strongroom.funds.api import logins as login_api
from strongroom.funds.api import reading as funds_api
from strongroom.funds.api import requests as request_api
from strongroom.kit.arrival import BoundedProtocol
from strongroom.kit.clock import refuse_moved_clock
from strongroom.kit.edge import Edge
from strongroom.kit.errors import Refusal
from strongroom.kit.guarded import Guarded
from strongroom.kit.head import with_head
from strongroom.kit.http import Front
from strongroom.kit.listener import CertificateFiles, CertifiedProtocol, Follower, Rotation, Servers
from strongroom.kit.metrics import exposition
from strongroom.kit.problems import answer_problem, refuse_coded_body
from strongroom.notify import api as notify_api
from strongroom.notify.messages import Receipts
from strongroom.notify.port import Reports
from strongroom.portal.doors import Doors, Site
from strongroom.portal.rendering import Pages
from strongroom.portal.routes import make_router
from strongroom.portal.views.paying import Provider, Role
from strongroom.portal.visit import STATE as PORTAL
from strongroom.portal.visit import Portal
from strongroom.safetoken import api as safetoken_api
from strongroom.safetoken import issuer_api, passport, purchases_api, tokens_api
from strongroom.safetoken.errors import answer_rest
from strongroom.safetoken.exchange import Operation
from strongroom.safetoken.messages import Messages
from strongroom.safetoken.operations import CardholderOperations
from strongroom.safetoken.protection import Protection
from strongroom.safetoken.reliable import Reliability
from strongroom.safetoken.sequences import Sequences
from strongroom.settings import Settings, SettingsError
from strongroom.webhooks import api as webhook_api
from strongroom.wiring import House, build, sms_routes

HOUSE = "house"
_JWKS_SECONDS = 300
_SAFETOKEN_FACES = (f"{safetoken_api.PATH}", "/passport/")
_ISSUER_FACE = "/issuer/"
_FOR_BANKS = {"public": "public keys, for banks to check what we signed"}
_PROBE = {"public": "load balancers ask before they know anybody"}


@get("/health/live", opt=_PROBE, include_in_schema=False, sync_to_thread=False)
def live() -> dict[str, str]:
    """Say that the process runs."""
    return {"status": "live"}


@get("/health/ready", opt=_PROBE, include_in_schema=False)
async def ready(request: Request[Any, Any, Any]) -> Response[dict[str, str]]:
    """Say whether requests can be answered, and what is amiss: without the database none, without the root keys some cannot."""
    house: House = request.app.state[HOUSE]
    if fault := await house.readiness.find_fault():
        return Response({"status": "not ready", "reason": fault}, status_code=503)
    warning = await house.readiness.find_warning()
    return Response({"status": "ready", **({"warning": warning} if warning else {})})


@get("/metrics", opt=_PROBE, include_in_schema=False, media_type="text/plain; version=0.0.4", sync_to_thread=False)
def metrics() -> bytes:
    """Return the metrics. A reverse proxy keeps this address inside (see the operator's guide)."""
    return exposition()


@get("/openbanking/jwks", opt=_FOR_BANKS, include_in_schema=False, sync_to_thread=False)
def show_bank_keys(request: Request[Any, Any, Any]) -> Response[bytes]:
    """Return the public halves of the keys that we sign with for banks: the last, the present and the next."""
    house: House = request.app.state[HOUSE]
    body = msgspec.json.encode(house.registry.published_keys())
    return Response(body, headers={"cache-control": f"public, max-age={_JWKS_SECONDS}"}, media_type="application/json")


def make_app(house: House) -> Litestar:
    """Build the application over a house. Raise Undeclared when a route does not say who may call it."""
    pages, doc = Pages(), ApiDoc(over_https=house.settings.is_https)
    api = list(with_head([
        *access_api.routes(), *case_api.routes(), *request_api.routes(), *login_api.routes(), *webhook_api.routes(),
        *passport.routes(), *safetoken_api.routes(), *purchases_api.routes(), *tokens_api.routes(),
        *issuer_api.routes(), *notify_api.routes(),
    ]))  # fmt: skip
    app = Litestar(
        route_handlers=[
            *tell_methods(api), *api, *with_head([live, ready, metrics, show_bank_keys, *doc.routes()]), make_router(pages),
        ],
        middleware=[DefineMiddleware(Guarded, guards=(Guard(house.tokens, house.authentication), refuse_coded_body))],
        exception_handlers=_unrouted(),
        state=State({**_state(house, pages), API_DOC: doc}),
        openapi_config=None,
        request_max_body_size=house.settings.max_body_bytes,
        logging_config=None,
    )  # fmt: skip
    refuse_undeclared(app)
    return app


def _unrouted() -> ExceptionHandlersMap:
    """Return what answers where no route does: an address or a method that is none. Safe Token's faces have errors of their own."""

    def answer(request: Request[Any, Any, Any], error: Exception) -> Response[bytes]:
        path = request.url.path
        if path.startswith(_ISSUER_FACE):
            return issuer_api.answer_caller(request, error)
        return answer_rest(request, error) if path.startswith(_SAFETOKEN_FACES) else answer_problem(request, error)

    return {Refusal: answer, HTTPException: answer, Exception: answer}


def tell_methods(handlers: Iterable[HTTPRouteHandler]) -> Iterator[HTTPRouteHandler]:
    """Make the answers to OPTIONS for addresses with several methods: the framework's own name only the first of them."""
    methods: defaultdict[str, set[str]] = defaultdict(set)
    for handler in handlers:
        for path in handler.paths:
            methods[path] |= {str(method) for method in handler.http_methods}
    yield from (_options(path, ", ".join(sorted({*found, "OPTIONS"}))) for path, found in methods.items() if len(found) > 1)


def _options(path: str, allowed: str) -> HTTPRouteHandler:
    @route(
        path, http_method=["OPTIONS"], status_code=204, include_in_schema=False, sync_to_thread=False,
        opt={"public": "which methods an address has is in the document"},
    )  # fmt: skip
    def answer_options() -> Response[None]:
        return Response(None, status_code=204, headers={"allow": allowed})

    return answer_options


def _state(house: House, pages: Pages) -> dict[str, Any]:
    """Return what each face finds its use cases by."""
    return {
        HOUSE: house,
        access_api.STATE: AccessApi(house.settings.base_url, house.authentication, house.tokens, house.firms),
        funds_api.STATE: funds_api.FundsApi(
            house.db, house.vault, house.cases, house.customers, house.customer_changes, house.requests,
            house.account_requests, house.authentications, house.grants, house.receiving,
        ),
        purchases_api.STATE: purchases_api.PurchasesApi(house.purchases, house.purchase_proofs),
        tokens_api.STATE: tokens_api.TokensApi(house.otp_tokens, house.verification),
        passport.STATE: passport.PassportApi(house.authentication, house.passport, house.signing_keys),
        safetoken_api.STATE: _safetoken(house),
        issuer_api.STATE: _issuer_service(house),
        PORTAL: Portal(_doors(house), pages),
        notify_api.STATE: notify_api.NotifyApi(Receipts(house.db), _reporting(house.settings)),
        webhook_api.STATE: webhook_api.WebhooksApi(house.vault, house.endpoints, house.events),
    }  # fmt: skip


def _reporting(settings: Settings) -> dict[str, Reports]:
    """Return the gateways that tell us what became of messages. Raise SettingsError."""
    gateways = [route.gateway for route in sms_routes(settings)]
    return {gateway.name: gateway for gateway in gateways if isinstance(gateway, Reports)}


def _safetoken(house: House) -> safetoken_api.SafeTokenApi:
    operations = CardholderOperations(house.db, house.issuers, house.cardholders)
    messages = _messages(house, safetoken_api.soap_operations(operations))
    return safetoken_api.SafeTokenApi(house.settings.base_url, house.issuers, operations, messages)


def _issuer_service(house: House) -> issuer_api.IssuerServiceApi:
    messages = _messages(house, issuer_api.soap_operations(house.questions))
    return issuer_api.IssuerServiceApi(house.settings.base_url, house.issuers, house.questions, messages)


def _messages(house: House, operations: list[Operation]) -> Messages:
    protection = Protection(house.db, house.vault, house.signer)
    return Messages(operations, protection, Reliability(Sequences(house.db, house.vault)))


def _doors(house: House) -> Doors:
    settings = house.settings
    site = Site(settings.base_url, urlsplit(settings.base_url).netloc, settings.is_https, _provider(settings))
    return Doors(
        site, house.vault, house.registry, house.firms, house.sessions, house.hand_offs, house.authentications,
        house.grants, house.desk,
        house.requests, house.account_requests, house.payments, house.sharing, house.proofs,
    )  # fmt: skip


def _provider(settings: Settings) -> Provider:
    """Return the regulated provider as pages name it; in development nobody is, and the page says so."""
    held = settings.provider()
    if held is None:
        return Provider("Strongroom (development)", Role.PRETEND, "Nowhere", "nobody@example.com", "none", "nobody")
    return Provider(
        held.legal_name, Role(held.role), held.head_office, held.contact, held.reference_number, held.supervisor,
        held.agent_of or "",
    )  # fmt: skip


def make_edge(house: House, app: Litestar) -> Edge:
    """Wrap the application in its edge; this is what the server serves."""
    settings = house.settings
    front = Front(
        trusted_proxy=settings.trusted_proxy,
        certificate_header=settings.client_certificate_header,
        over_https=settings.is_https,
    )
    return Edge(app, front, over_https=settings.is_https)


@asynccontextmanager
async def opened(settings: Settings) -> AsyncIterator[House]:
    """Open the house, refuse an unsafe one, and close it at the end."""
    house = await build(settings)
    try:
        if settings.is_production:
            async with house.db.transaction() as tx:
                await refuse_moved_clock(tx)
            await refuse_printed_client(house)
        yield house
    finally:
        await house.close()


async def refuse_printed_client(house: House) -> None:
    """Raise SettingsError when the database has the client whose secret everybody can read; production calls this."""
    if await is_printed_client_there(house.db, house.vault):
        raise SettingsError(["the database has the client whose secret Safe Token's document prints: begin with an empty one"])


async def serve(settings: Settings) -> None:
    """Serve until told to stop; requests that have begun are finished first."""
    async with opened(settings) as house:
        app = make_app(house)
        config = _configured(
            make_edge(house, app),
            settings,
            host=settings.host,
            port=settings.port,
            uds=str(settings.unix_socket) if settings.unix_socket else None,
            http=BoundedProtocol,
            lifespan="on",
        )
        _spare_collector()
        files = settings.tls_files
        await Servers(config, [_tls_server(app, settings, files)] if files else []).serve()


def _spare_collector() -> None:
    """Let the collector of garbage pass over what was made so far, which lives as long as the process.

    To look at all of it again, as it does now and then, takes as long as a hundred requests, and they wait.
    """
    gc.collect()
    gc.freeze()


def _tls_server(app: Litestar, settings: Settings, files: CertificateFiles) -> uvicorn.Server:
    """Return the second server, for mutual TLS: no proxy stands before it, so no header of one counts."""
    rotation = Rotation(files)
    config = _configured(
        Edge(app, Front(over_https=True), over_https=True),
        settings,
        host=settings.tls_host,
        port=settings.tls_port,
        ssl_context_factory=lambda *_: rotation.context,
        http=CertifiedProtocol,
        lifespan="off",
    )
    return Follower(config)


def _configured(edge: Edge, settings: Settings, **more: Any) -> uvicorn.Config:
    return uvicorn.Config(
        edge,
        log_config=None,
        access_log=False,
        server_header=False,
        date_header=True,
        proxy_headers=False,
        timeout_graceful_shutdown=settings.stop_grace_seconds,
        loop="uvloop",
        limit_concurrency=1000,
        timeout_keep_alive=30,
        **more,
    )
