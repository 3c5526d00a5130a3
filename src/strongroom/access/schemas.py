"""The JSON shapes of access: OAuth's names as its documents have them, ours in camel case."""

from __future__ import annotations

import msgspec


class TokenAnswer(msgspec.Struct, frozen=True):
    """RFC 6749 §5.1."""

    access_token: str
    token_type: str
    expires_in: int
    scope: str


class OAuthError(msgspec.Struct, frozen=True):
    """RFC 6749 §5.2."""

    error: str
    error_description: str


class Introspection(msgspec.Struct, frozen=True, omit_defaults=True):
    """RFC 7662 §2.2; only `active` for a token that does not count or is another firm's."""

    active: bool
    scope: str | None = None
    client_id: str | None = None
    token_type: str | None = None
    exp: int | None = None
    iat: int | None = None


class Metadata(msgspec.Struct, frozen=True):
    """RFC 8414 §2."""

    issuer: str
    token_endpoint: str
    revocation_endpoint: str
    introspection_endpoint: str
    service_documentation: str
    scopes_supported: list[str]
    response_types_supported: list[str]
    grant_types_supported: list[str]
    token_endpoint_auth_methods_supported: list[str]
    token_endpoint_auth_signing_alg_values_supported: list[str]
    tls_client_certificate_bound_access_tokens: bool


class FirmBrief(msgspec.Struct, frozen=True):
    """Whose token it is."""

    id: str
    name: str


class AuthConfirmed(msgspec.Struct, frozen=True):
    """The answer of authConfirm."""

    status: str
    firm: FirmBrief
    scopes: list[str]
