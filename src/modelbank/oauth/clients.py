"""Who is calling, always over mutual TLS, proved by tls_client_auth (RFC 8705) or private_key_jwt (RFC 7523)."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

import jwt

from modelbank.banks import Bank, Client
from modelbank.database import Pool
from modelbank.jose.tokens import LEEWAY_SECONDS, TokenRefused, verify_token
from modelbank.oauth import store
from modelbank.oauth.certificates import names_subject
from modelbank.oauth.errors import OAuthRefused

ASSERTION_TYPE = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
_MAX_ASSERTION_SECONDS = 3600


async def authenticate_client(pool: Pool, bank: Bank, form: Mapping[str, str], certificate: bytes | None) -> Client:
    """Return the client that both its certificate and its credentials prove. Raise OAuthRefused (invalid_client) otherwise."""
    if certificate is None:
        raise _invalid("Connect with your transport certificate.")
    client = await _claimed_client(pool, bank, form)
    if not names_subject(certificate, client.config.certificate_subject):
        raise _invalid("The certificate is not this client's.")
    return client


async def _claimed_client(pool: Pool, bank: Bank, form: Mapping[str, str]) -> Client:
    if "client_assertion" in form or "client_assertion_type" in form:
        return await _client_by_assertion(pool, bank, form)
    return _client_by_id(bank, form.get("client_id"))


def _client_by_id(bank: Bank, client_id: str | None) -> Client:
    client = bank.clients.get(client_id or "")
    if client is None:
        raise _invalid("The client is not known here.")
    return client


async def _client_by_assertion(pool: Pool, bank: Bank, form: Mapping[str, str]) -> Client:
    if form.get("client_assertion_type") != ASSERTION_TYPE:
        raise _invalid(f"client_assertion_type must be {ASSERTION_TYPE}.")
    assertion = form.get("client_assertion", "")
    client = _client_by_id(bank, _claimed_issuer(assertion))
    claims = _verified(assertion, bank, client)
    if form.get("client_id", client.id) != client.id or claims["sub"] != client.id:
        raise _invalid("client_id, iss and sub must be the same.")
    expires_at = datetime.fromtimestamp(claims["exp"] + LEEWAY_SECONDS, UTC)
    if (expires_at - datetime.now(UTC)).total_seconds() > _MAX_ASSERTION_SECONDS + LEEWAY_SECONDS:
        raise _invalid("The assertion lives too long.")
    jti_hash = hashlib.sha256(str(claims["jti"]).encode()).digest()
    if not await store.use_assertion(pool, bank.id, client.id, jti_hash, expires_at):
        raise _invalid("The assertion was used before.")
    return client


def _claimed_issuer(assertion: str) -> str | None:
    try:
        issuer = jwt.decode(assertion, options={"verify_signature": False}).get("iss")
    except jwt.InvalidTokenError:
        return None
    return issuer if isinstance(issuer, str) else None


def _verified(assertion: str, bank: Bank, client: Client) -> dict[str, Any]:
    try:
        return verify_token(
            assertion,
            client.keys,
            issuer=client.id,
            audiences=(bank.token_url, bank.push_url, bank.backchannel_url, bank.issuer),
            required=("iss", "sub", "aud", "exp", "jti"),
        )
    except TokenRefused as refused:
        raise _invalid(str(refused)) from refused


def _invalid(description: str) -> OAuthRefused:
    return OAuthRefused("invalid_client", description, 401)
