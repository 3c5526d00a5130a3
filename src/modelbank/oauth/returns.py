"""How the customer goes back to the client: fragment, form post, or a signed response (JARM)."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import urlencode, urlsplit

from modelbank.banks import Bank
from modelbank.jose.keys import half_hash
from modelbank.oauth.store import Authorisation
from modelbank.oauth.tokens import id_claims

_RESPONSE_SECONDS = 600


@dataclass(frozen=True, slots=True)
class Redirected:
    """The browser is sent to this address."""

    url: str


@dataclass(frozen=True, slots=True)
class Posted:
    """The browser posts these fields to this address."""

    url: str
    fields: Mapping[str, str]


Return = Redirected | Posted


def granted(bank: Bank, visit: Authorisation, code: str, skew_seconds: int = 0) -> Return:
    """Return with a code and, in the hybrid flow, an id_token that vouches for code and state (c_hash, s_hash)."""
    fields = {"code": code, "state": visit.state}
    if visit.response_type == "code id_token":
        hashes = {"c_hash": half_hash(code), "s_hash": half_hash(visit.state)}
        fields["id_token"] = bank.key.token({**id_claims(bank, visit.client_id, visit, skew_seconds), **hashes})
    return make_return(bank, visit.client_id, visit.redirect_uri, visit.response_mode, fields)


def refused(bank: Bank, visit: Authorisation, *, says_why: bool = True) -> Return:
    """Return with the visit's error, or with nothing but the state."""
    fields = {"state": visit.state}
    if says_why:
        fields["error"] = visit.error or "server_error"
    if says_why and visit.error_text:
        fields["error_description"] = visit.error_text
    return make_return(bank, visit.client_id, visit.redirect_uri, visit.response_mode, fields)


def make_return(bank: Bank, client_id: str, redirect_uri: str, mode: str, fields: Mapping[str, str]) -> Return:
    """Shape a response for its mode (OAuth 2.0 Multiple Response Types, Form Post Response Mode, JARM)."""
    if mode.endswith(".jwt"):
        claims = {"iss": bank.issuer, "aud": client_id, "exp": int(time.time()) + _RESPONSE_SECONDS, **fields}
        fields = {"response": bank.key.token(claims)}
        mode = mode.removesuffix(".jwt")
    if mode == "form_post":
        return Posted(redirect_uri, fields)
    if mode == "query":
        return Redirected(redirect_uri + ("&" if urlsplit(redirect_uri).query else "?") + urlencode(fields))
    return Redirected(f"{redirect_uri}#{urlencode(fields)}")


def origin(url: str) -> str:
    """Return scheme, host and port of an address, for the content security policy."""
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc}"
