"""What is known of a request before anybody reads it: its id, who is at the other end, and which certificate they showed.

A header of a proxy counts only when the connection comes from the one proxy that is trusted: a Unix socket, or one address.
"""

from __future__ import annotations

import hashlib
import re
from base64 import b64decode
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import lru_cache
from ipaddress import ip_address
from typing import Any
from urllib.parse import unquote_to_bytes

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import ExtendedKeyUsageOID

from strongroom.kit.ids import new_id

UNIX = "unix"
NOBODY = "0.0.0.0"  # noqa: S104  # shown where a connection has no address; nothing is bound to it
_KEY = "strongroom.facts"
_REQUEST_ID = re.compile(rb"[A-Za-z0-9][A-Za-z0-9._-]{7,63}")
_PEM_MAX_BYTES = 16_384


@dataclass(frozen=True, slots=True)
class Facts:
    """What is known of one request."""

    request_id: str
    client_address: str  # the browser's or caller's, behind the trusted proxy
    certificate_hash: bytes | None  # SHA-256 of the client certificate (RFC 8705 §3.1), when the caller proved to own it
    over_https: bool


def facts(scope: Mapping[str, Any]) -> Facts:
    """Return what the edge found out about a request."""
    found: Facts = scope[_KEY]
    return found


def keep_facts(scope: dict[str, Any], found: Facts) -> None:
    """Keep the facts where `facts` finds them; the edge calls this once per request."""
    scope[_KEY] = found


class Front:
    """Reads the facts of a request, believing the trusted proxy and nobody else."""

    def __init__(
        self, *, trusted_proxy: str | None = None, certificate_header: str = "client-cert", over_https: bool = False
    ) -> None:
        """Trust `unix` (any connection without an address) or the proxy at one IP address."""
        self._trusted = trusted_proxy if trusted_proxy in (None, UNIX) else str(ip_address(trusted_proxy))
        self._certificate_header = certificate_header.lower().encode()
        self._over_https = over_https

    def read(self, scope: dict[str, Any]) -> Facts:
        """Return the facts of one request."""
        peer = scope.get("client")
        address = peer[0] if peer and peer[0] else None
        certificate = _own_certificate(scope)
        if not self._is_trusted(address):
            return Facts(new_id("req"), address or NOBODY, certificate, self._over_https)
        named = {name: value for name, value in scope["headers"] if name in (b"x-request-id", self._certificate_header)}
        given_id = named.get(b"x-request-id", b"")
        return Facts(
            given_id.decode() if _REQUEST_ID.fullmatch(given_id) else new_id("req"),
            _last_forwarded(scope["headers"]) or address or NOBODY,
            certificate or _certificate_hash(named.get(self._certificate_header, b"")),
            self._over_https,
        )

    def _is_trusted(self, address: str | None) -> bool:
        if self._trusted is None:
            return False
        return not address if self._trusted == UNIX else address == self._trusted


def _last_forwarded(headers: Iterable[tuple[bytes, bytes]]) -> str | None:
    """Return the address that the trusted proxy itself appended: the last one; earlier ones are anybody's claim."""
    given = [value for name, value in headers if name == b"x-forwarded-for"]
    if not given:
        return None
    try:
        return str(ip_address(given[-1].rsplit(b",", 1)[-1].strip().decode()))
    except ValueError:
        return None


def _own_certificate(scope: dict[str, Any]) -> bytes | None:
    """Return the hash of the certificate that our own TLS listener verified (ASGI TLS extension); only the leaf counts."""
    chain = scope.get("extensions", {}).get("tls", {}).get("client_cert_chain") or ()
    return _certificate_hash(chain[0].encode()) if chain else None


def _certificate_hash(text: bytes) -> bytes | None:
    """Return the SHA-256 of a certificate given as PEM, URL-encoded PEM, or RFC 9440 (`:base64:`); None when it does not count."""
    held = _read_certificate(text) if text and len(text) <= _PEM_MAX_BYTES else None
    now = datetime.now(UTC)  # this machine's clock, as in any TLS handshake: a certificate's days are no decision of ours
    return held.sha256 if held is not None and held.begins_at <= now <= held.ends_at else None


@dataclass(frozen=True, slots=True)
class _Certificate:
    """What counts of a client's certificate."""

    sha256: bytes
    begins_at: datetime
    ends_at: datetime


@lru_cache(maxsize=256)  # callers are few and come often; reading a certificate costs more than all else of the edge
def _read_certificate(text: bytes) -> _Certificate | None:
    """Return a certificate that may be a client's (RFC 5280 §4.2.1.12; not every proxy looks), None for anything else."""
    try:
        if text.startswith(b":"):
            certificate = x509.load_der_x509_certificate(b64decode(text.strip(b":"), validate=True))
        else:
            certificate = x509.load_pem_x509_certificate(unquote_to_bytes(text))
        if not _may_be_a_clients(certificate):
            return None
    except (ValueError, x509.DuplicateExtension):
        return None
    digest = hashlib.sha256(certificate.public_bytes(Encoding.DER)).digest()
    return _Certificate(digest, certificate.not_valid_before_utc, certificate.not_valid_after_utc)


def _may_be_a_clients(certificate: x509.Certificate) -> bool:
    """True when a certificate says that it may be a client's, or nothing of its use."""
    try:
        usage = certificate.extensions.get_extension_for_class(x509.ExtendedKeyUsage).value
    except x509.ExtensionNotFound:
        return True
    return ExtendedKeyUsageOID.CLIENT_AUTH in usage or ExtendedKeyUsageOID.ANY_EXTENDED_KEY_USAGE in usage
