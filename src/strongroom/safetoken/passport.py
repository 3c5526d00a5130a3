"""`/passport/oauth`: access tokens for clients of issuers and merchants, in the document's words, and the keys that sign them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import msgspec
from litestar import Request, Response, get, post
from litestar.exceptions import HTTPException
from litestar.handlers import HTTPRouteHandler
from litestar.params import RawBody

from strongroom.access.authentication import ClientAuthentication
from strongroom.access.errors import InvalidClient, InvalidRequest, OAuthRefused, UnsupportedGrantType
from strongroom.access.model import TenantKind
from strongroom.access.oauth import Parameters, read_credentials, read_parameters
from strongroom.access.passport import Passport, PassportToken
from strongroom.access.signing_keys import SigningKeys
from strongroom.kit.errors import Refusal
from strongroom.kit.http import facts
from strongroom.safetoken.errors import RestError, answer_rest

STATE = "passport"
_JSON = "application/json"
_NO_STORE = {"cache-control": "no-store", "pragma": "no-cache"}
_KINDS = frozenset({TenantKind.ISSUER, TenantKind.MERCHANT})
_JWKS_SECONDS = 300  # half of the lead with which a new key is shown
_BAD_REQUEST = 400

_Request = Request[Any, Any, Any]


@dataclass(frozen=True, slots=True)
class PassportApi:
    """What the handlers call; the application keeps it in its state under `STATE`."""

    authentication: ClientAuthentication
    passport: Passport
    keys: SigningKeys


class PassportAnswer(msgspec.Struct, frozen=True):
    """The document's successful answer, its members in its order."""

    access_token: str
    token_type: str
    expires_in: int
    scope: str
    merchant_code: str
    requestor_id: str
    client_name: str
    payable_id: str
    jti: str


class PassportError(msgspec.Struct, frozen=True):
    """A malformed request, as RFC 6749 §5.2 has it."""

    error: str
    error_description: str


class KeySet(msgspec.Struct, frozen=True):
    """A JWK set (RFC 7517 §5)."""

    keys: list[dict[str, Any]]


def answer_passport(request: _Request, error: Exception) -> Response[bytes]:
    """Tell wrong credentials in the document's words, a malformed request in OAuth's, and anything else as everywhere here."""
    if isinstance(error, InvalidClient):
        body = msgspec.json.encode(RestError("Unauthorized", "Bad credentials"))
        headers = {**_NO_STORE, "www-authenticate": 'Basic realm="strongroom"'}
        return Response(body, status_code=error.status, headers=headers, media_type=_JSON)
    if isinstance(error, OAuthRefused) and error.status == _BAD_REQUEST:
        body = msgspec.json.encode(PassportError(error.code, error.detail))
        return Response(body, status_code=error.status, headers=_NO_STORE, media_type=_JSON)
    return answer_rest(request, error)


_ERRORS: Any = {Refusal: answer_passport, HTTPException: answer_passport, Exception: answer_passport}


@post(
    "/passport/oauth/token", status_code=200, opt={"public": "the client authenticates in the request"}, exception_handlers=_ERRORS
)
async def issue_passport_token(request: _Request, body: RawBody) -> Response[bytes]:
    """Issue an access token for client credentials: HTTP Basic and a form, as the document says."""
    parameters = read_parameters(body)
    client = await _authenticate(request, parameters)
    if not parameters.grant_type:
        raise InvalidRequest("Missing grant type")
    if parameters.grant_type != "client_credentials":
        raise UnsupportedGrantType("Unsupported grant type")
    issued = await _api(request).passport.issue(client, parameters.scope)
    return Response(msgspec.json.encode(_answer(issued)), headers=_NO_STORE, media_type=_JSON)


@get("/passport/oauth/jwks", opt={"public": "public keys, to check what we signed"}, exception_handlers=_ERRORS)
async def show_passport_keys(request: _Request) -> Response[bytes]:
    """Return the public keys that access tokens and proofs are signed with; new ones appear ten minutes before they sign."""
    keys = KeySet((await _api(request).keys.jwks())["keys"])
    headers = {"cache-control": f"public, max-age={_JWKS_SECONDS}"}
    return Response(msgspec.json.encode(keys), headers=headers, media_type=_JSON)


def routes() -> list[HTTPRouteHandler]:
    """Return the handlers of the passport."""
    return [issue_passport_token, show_passport_keys]


async def _authenticate(request: _Request, parameters: Parameters) -> Any:
    known = facts(request.scope)
    credentials = read_credentials(parameters, request.scope["headers"], known.certificate_hash)
    return await _api(request).authentication.authenticate(credentials, known.client_address, _KINDS)


def _answer(issued: PassportToken) -> PassportAnswer:
    profile = issued.profile
    return PassportAnswer(
        issued.token.reveal(), "bearer", issued.expires_in, issued.scope,
        profile.merchant_code, profile.requestor_id, profile.client_name, profile.payable_id, issued.jti,
    )  # fmt: skip


def _api(request: _Request) -> PassportApi:
    api: PassportApi = request.app.state[STATE]
    return api
