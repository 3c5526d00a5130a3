"""What a UK bank's authorisation server says of itself, and how we therefore ask it to answer."""

from __future__ import annotations

from dataclasses import dataclass
from urllib.parse import urlsplit

import msgspec

from strongroom.banking.port import BankUnavailable

LOCAL_HOSTS = ("localhost", "127.0.0.1", "::1")


class Discovery(msgspec.Struct, frozen=True):
    """The parts of a bank's metadata that we use (OIDC Discovery §3, RFC 8705 §5, RFC 9126 §5)."""

    issuer: str
    authorization_endpoint: str
    token_endpoint: str
    jwks_uri: str
    response_types_supported: tuple[str, ...] = ("code id_token",)
    response_modes_supported: tuple[str, ...] = ("query", "fragment")
    pushed_authorization_request_endpoint: str | None = None
    require_pushed_authorization_requests: bool = False
    mtls_endpoint_aliases: dict[str, str] = {}

    @property
    def token_url(self) -> str:
        """Where tokens are asked for over mutual TLS."""
        return self.mtls_endpoint_aliases.get("token_endpoint", self.token_endpoint)

    @property
    def push_url(self) -> str | None:
        """Where authorisation requests are pushed over mutual TLS; None at a bank that takes none."""
        name = "pushed_authorization_request_endpoint"
        return self.mtls_endpoint_aliases.get(name, self.pushed_authorization_request_endpoint)


@dataclass(frozen=True, slots=True)
class Manner:
    """How an authorisation answer travels: its response type and mode, and whether it is signed as a whole (JARM)."""

    response_type: str
    response_mode: str

    @property
    def is_signed(self) -> bool:
        """True for JARM."""
        return self.response_mode.endswith("jwt")

    @property
    def has_id_token(self) -> bool:
        """True when an id_token comes back with the customer."""
        return "id_token" in self.response_type


def choose_manner(discovery: Discovery) -> Manner:
    """Choose how the answer shall travel: posted by a form, else signed (JARM), else in the fragment.

    An id_token never travels in a query (OAuth 2.0 Multiple Response Types §5): so `query.jwt` is for a code alone. Raise
    BankUnavailable for a bank that offers neither: an answer that nothing vouches for could be another bank's.
    """
    modes = discovery.response_modes_supported
    is_hybrid = any({"code", "id_token"} == set(kind.split()) for kind in discovery.response_types_supported)
    if "form_post" in modes and is_hybrid:
        return Manner("code id_token", "form_post")
    is_code_alone = "code" in discovery.response_types_supported
    fitting = ("form_post.jwt", "query.jwt", "jwt") if is_code_alone else ("form_post.jwt", "fragment.jwt", "jwt")
    signed = next((mode for mode in fitting if mode in modes), None)
    if signed:
        return Manner("code" if is_code_alone else "code id_token", signed)
    if not is_hybrid:
        raise BankUnavailable("no_safe_answer", "The bank cannot be reached just now")
    return Manner("code id_token", "fragment")


def read_discovery(body: bytes, issuer: str) -> Discovery:
    """Read a bank's metadata. Raise BankUnavailable when it is another's, unreadable, or leads off TLS."""
    try:
        discovery = msgspec.json.decode(body, type=Discovery)
    except (msgspec.DecodeError, RecursionError) as error:
        raise BankUnavailable("discovery_unreadable", "The bank cannot be reached just now") from error
    ours = (discovery.token_endpoint, discovery.token_url, discovery.jwks_uri, discovery.push_url)
    if discovery.issuer != issuer or not all(url is None or url.startswith("https://") for url in ours):
        raise BankUnavailable("discovery_untrusted", "The bank cannot be reached just now")
    if not _is_safe_page(discovery.authorization_endpoint):
        raise BankUnavailable("discovery_untrusted", "The bank cannot be reached just now")
    return discovery


def _is_safe_page(url: str) -> bool:
    """True for https, and for http to this very machine, where a model bank has its pages."""
    parts = urlsplit(url)
    host = parts.hostname or ""
    return parts.scheme == "https" or (parts.scheme == "http" and (host in LOCAL_HOSTS or host.endswith(".localhost")))
