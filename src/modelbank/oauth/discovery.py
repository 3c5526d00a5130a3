"""What the bank tells about itself: OpenID Connect Discovery, and its public keys."""

from __future__ import annotations

from typing import Any

from modelbank.banks import Bank
from modelbank.jose.keys import ALGORITHMS
from modelbank.oauth.backchannel.endpoint import GRANT_TYPE
from modelbank.oauth.requests import ACR_VALUES, JWT_MODES, PLAIN_MODES, RESOURCE_SCOPES, RESPONSE_TYPES


def discovery(bank: Bank) -> dict[str, Any]:
    """Return the provider's metadata."""
    return {
        "issuer": bank.issuer,
        "authorization_endpoint": bank.authorize_url,
        "token_endpoint": bank.token_url,
        "pushed_authorization_request_endpoint": bank.push_url,
        "require_pushed_authorization_requests": bank.config.require_pushed_requests,
        "jwks_uri": f"{bank.issuer}/jwks",
        "scopes_supported": ["openid", *RESOURCE_SCOPES],
        "response_types_supported": list(RESPONSE_TYPES),
        "response_modes_supported": [*PLAIN_MODES, *JWT_MODES],
        "grant_types_supported": ["client_credentials", "authorization_code", GRANT_TYPE],
        "subject_types_supported": ["pairwise"],
        "id_token_signing_alg_values_supported": ["PS256"],
        "request_object_signing_alg_values_supported": list(ALGORITHMS),
        "authorization_signing_alg_values_supported": ["PS256"],
        "token_endpoint_auth_methods_supported": ["private_key_jwt", "tls_client_auth"],
        "token_endpoint_auth_signing_alg_values_supported": list(ALGORITHMS),
        "tls_client_certificate_bound_access_tokens": True,
        "code_challenge_methods_supported": ["S256"],
        "claims_supported": ["iss", "sub", "aud", "exp", "iat", "nonce", "acr", "auth_time", "openbanking_intent_id"],
        "claims_parameter_supported": True,
        "claim_types_supported": ["normal"],
        "acr_values_supported": list(ACR_VALUES),
        "request_parameter_supported": True,
        "request_uri_parameter_supported": False,
        "require_signed_request_object": True,
        "backchannel_authentication_endpoint": bank.backchannel_url,
        "backchannel_token_delivery_modes_supported": ["poll"],
        "backchannel_authentication_request_signing_alg_values_supported": list(ALGORITHMS),
        "backchannel_user_code_parameter_supported": False,
    }


def key_set(bank: Bank) -> dict[str, Any]:
    """Return the bank's public keys."""
    return {"keys": [bank.key.jwk()]}
