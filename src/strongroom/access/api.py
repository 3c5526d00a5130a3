"""The OAuth endpoints and authConfirm: read, authenticate, call one use case, shape the answer."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

import msgspec
from litestar import Request, Response, get, post
from litestar.handlers import HTTPRouteHandler
from litestar.params import RawBody

from strongroom.access.assertions import ALGORITHMS
from strongroom.access.authentication import ClientAuthentication
from strongroom.access.errors import InvalidClient, InvalidRequest, UnsupportedGrantType
from strongroom.access.firms import Firms
from strongroom.access.guard import ANY_SCOPE, caller_of
from strongroom.access.model import FIRM_SCOPES, TOKEN_SECONDS, AccessToken, KnownClient, TenantKind
from strongroom.access.oauth import Parameters, has_basic, read_credentials, read_parameters
from strongroom.access.schemas import AuthConfirmed, FirmBrief, Introspection, Metadata, OAuthError, TokenAnswer
from strongroom.access.tokens import Tokens
from strongroom.kit.errors import Refusal, TooMany, Unavailable
from strongroom.kit.http import facts
from strongroom.kit.problems import refusal_headers

STATE = "access"
_JSON = "application/json"
_NOT_DESCRIBABLE = re.compile(r"[^\x20-\x21\x23-\x5b\x5d-\x7e]")  # what RFC 6749 §5.2 keeps out of error_description
_NO_STORE = {"cache-control": "no-store", "pragma": "no-cache"}

_Request = Request[Any, Any, Any]


@dataclass(frozen=True, slots=True)
class AccessApi:
    """What the handlers call; the application keeps it in its state under `STATE`."""

    base_url: str
    authentication: ClientAuthentication
    tokens: Tokens
    firms: Firms


def answer_oauth(request: _Request, error: Refusal) -> Response[bytes]:
    """Translate a refusal into RFC 6749 §5.2; what that section has no word for keeps its status and Retry-After."""
    code = "temporarily_unavailable" if isinstance(error, TooMany | Unavailable) else error.code
    headers = _NO_STORE | refusal_headers(error)
    if isinstance(error, InvalidClient):
        headers["www-authenticate"] = (
            'Basic realm="strongroom"' if has_basic(request.scope["headers"]) else 'Bearer realm="strongroom"'
        )
    body = msgspec.json.encode(OAuthError(code, _NOT_DESCRIBABLE.sub("?", error.detail)))
    return Response(body, status_code=error.status, headers=headers, media_type=_JSON)


_OAUTH: Any = {Refusal: answer_oauth}


@post("/token", status_code=200, opt={"public": "the client authenticates in the request"}, exception_handlers=_OAUTH)
async def issue_token(request: _Request, body: RawBody) -> Response[bytes]:
    """Issue an access token for client credentials (RFC 6749 §4.4)."""
    parameters = read_parameters(body)
    if not parameters.grant_type:
        raise InvalidRequest("grant_type is missing")
    if parameters.grant_type != "client_credentials":
        raise UnsupportedGrantType
    client = await _authenticate(request, parameters, frozenset({TenantKind.FIRM}))
    issued = await _access(request).tokens.issue(client, parameters.scope)
    return _answer(TokenAnswer(issued.token.reveal(), "Bearer", TOKEN_SECONDS, " ".join(sorted(issued.scopes))))


@post("/oauth/revoke", status_code=200, opt={"public": "the client authenticates in the request"}, exception_handlers=_OAUTH)
async def revoke_token(request: _Request, body: RawBody) -> Response[bytes]:
    """Revoke an access token of the calling client (RFC 7009); an unknown one is not told apart."""
    parameters = read_parameters(body)
    client = await _authenticate(request, parameters)
    if not parameters.token:
        raise InvalidRequest("token is missing")
    await _access(request).tokens.revoke_held(client, parameters.token)
    return _answer({})


@post("/oauth/introspect", status_code=200, opt={"public": "the client authenticates in the request"}, exception_handlers=_OAUTH)
async def introspect_token(request: _Request, body: RawBody) -> Response[bytes]:
    """Tell whether an access token of the calling client's firm counts now (RFC 7662)."""
    parameters = read_parameters(body)
    client = await _authenticate(request, parameters)
    if not parameters.token:
        raise InvalidRequest("token is missing")
    found = await _access(request).tokens.find(parameters.token)
    return _answer(_introspection(found) if found and found.firm_id == client.firm_id else Introspection(active=False))


@get("/.well-known/oauth-authorization-server", opt={"public": "what anybody needs to know to authenticate"})
async def show_metadata(request: _Request) -> Metadata:
    """Return the metadata of the authorisation server (RFC 8414)."""
    base = _access(request).base_url
    return Metadata(
        issuer=base,
        token_endpoint=f"{base}/token",
        revocation_endpoint=f"{base}/oauth/revoke",
        introspection_endpoint=f"{base}/oauth/introspect",
        service_documentation=f"{base}/api/doc",
        scopes_supported=sorted(FIRM_SCOPES),
        response_types_supported=[],
        grant_types_supported=["client_credentials"],
        token_endpoint_auth_methods_supported=[
            "client_secret_post",
            "client_secret_basic",
            "private_key_jwt",
            "self_signed_tls_client_auth",
        ],
        token_endpoint_auth_signing_alg_values_supported=list(ALGORITHMS),
        tls_client_certificate_bound_access_tokens=True,
    )


@get("/api/1.0/authConfirm", opt={"scope": ANY_SCOPE})
async def confirm(request: _Request) -> AuthConfirmed:
    """Tell whose access token this is and what it may be used for."""
    caller = caller_of(request)
    firm = await _access(request).firms.get(caller.firm_id)
    return AuthConfirmed("ok", FirmBrief(firm.id, firm.name), sorted(caller.scopes))


def routes() -> list[HTTPRouteHandler]:
    """Return the handlers of access."""
    return [issue_token, revoke_token, introspect_token, show_metadata, confirm]


async def _authenticate(
    request: _Request, parameters: Parameters, kinds: frozenset[TenantKind] = frozenset(TenantKind)
) -> KnownClient:
    known = facts(request.scope)
    credentials = read_credentials(parameters, request.scope["headers"], known.certificate_hash)
    return await _access(request).authentication.authenticate(credentials, known.client_address, kinds)


def _access(request: _Request) -> AccessApi:
    access: AccessApi = request.app.state[STATE]
    return access


def _answer(shape: object) -> Response[bytes]:
    return Response(msgspec.json.encode(shape), headers=_NO_STORE, media_type=_JSON)


def _introspection(token: AccessToken) -> Introspection:
    return Introspection(
        active=True,
        scope=" ".join(sorted(token.scopes)),
        client_id=token.client_id,
        token_type="Bearer",  # noqa: S106  # a kind, not a token
        exp=int(token.expires_at.timestamp()) if token.expires_at else None,
        iat=int(token.created_at.timestamp()),
    )
