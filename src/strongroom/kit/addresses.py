"""Tell addresses of the public Internet from all others, and read URLs that strangers chose."""

from __future__ import annotations

import re
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv6Address, IPv6Network, ip_address, ip_network
from urllib.parse import urlsplit

import idna

from strongroom.kit.body import Unacceptable

HTTPS_PORT = 443
MAX_URL = 2048
MAX_HOST = 253
LOCALHOST = ("127.0.0.1", "::1")

# IANA's special-purpose registries (RFC 6890 and later entries), multicast, and one address that a large cloud answers inside.
_NOT_PUBLIC_V4 = tuple(
    ip_network(text)
    for text in (
        "0.0.0.0/8",
        "10.0.0.0/8",
        "100.64.0.0/10",
        "127.0.0.0/8",
        "168.63.129.16/32",
        "169.254.0.0/16",
        "172.16.0.0/12",
        "192.0.0.0/24",
        "192.0.2.0/24",
        "192.31.196.0/24",
        "192.52.193.0/24",
        "192.88.99.0/24",
        "192.168.0.0/16",
        "192.175.48.0/24",
        "198.18.0.0/15",
        "198.51.100.0/24",
        "203.0.113.0/24",
        "224.0.0.0/4",
        "240.0.0.0/4",
    )
)
# IPv6 outside of global unicast holds loopback, mapped, compatible, NAT64, unique local, link-local, site-local, multicast.
_GLOBAL_V6 = IPv6Network("2000::/3")
_NOT_PUBLIC_V6 = tuple(
    ip_network(text)
    for text in (
        "2001::/23",  # Teredo, benchmarking, ORCHID
        "2001:db8::/32",
        "2002::/16",  # 6to4: carries an IPv4 address
        "2620:4f:8000::/48",
        "3fff::/20",
    )
)
_ISATAP = 0x00005EFE  # an interface identifier that carries an IPv4 address; also with the universal bit, 0200:5efe

_REST = re.compile(r"[!-\[\]-~]*")  # visible ASCII without the backslash
_LABEL = re.compile(r"[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?")
_NUMERIC = re.compile(r"[0-9]+|0x[0-9a-f]*")


class UnacceptableUrl(Unacceptable):
    """The URL is not one that we would call."""


@dataclass(frozen=True, slots=True)
class Target:
    """A URL taken apart: `host` is a lower-case ASCII name or a plain IP address, never anything in between."""

    scheme: str
    host: str
    port: int
    path: str  # with the query

    @property
    def is_local(self) -> bool:
        """True for localhost and the names below it (RFC 6761 §6.3)."""
        return self.host == "localhost" or self.host.endswith(".localhost")


def is_address(text: str) -> bool:
    """True when `text` is a plain IPv4 or IPv6 address rather than a name."""
    try:
        ip_address(text)
    except ValueError:
        return False
    return True


def is_public(address: str) -> bool:
    """True when `address` is an IPv4 or IPv6 address of the public Internet, and carries no other address inside."""
    try:
        found = ip_address(address)
    except ValueError:
        return False
    if isinstance(found, IPv4Address):
        return not any(found in network for network in _NOT_PUBLIC_V4)
    return found.scope_id is None and found in _GLOBAL_V6 and not _is_special_v6(found)


def is_loopback(address: str) -> bool:
    """True for 127.0.0.0/8 and ::1, written plainly; a loopback address mapped into IPv6 is not one of them."""
    try:
        found = ip_address(address)
    except ValueError:
        return False
    return found == IPv6Address("::1") or (isinstance(found, IPv4Address) and found.is_loopback)


def parse_url(url: str, *, allow_loopback: bool = False) -> Target:
    """Take apart a URL that a stranger chose. Raise UnacceptableUrl.

    Only https on port 443. With `allow_loopback` (development) http, other ports and localhost pass here; whether the
    address they lead to is loopback is judged when connecting.
    """
    if len(url) > MAX_URL:
        raise UnacceptableUrl(f"may have at most {MAX_URL} characters")
    scheme, mark, rest = url.partition("://")
    scheme = scheme.lower()
    if not mark or scheme not in ({"https", "http"} if allow_loopback else {"https"}):
        raise UnacceptableUrl("must begin with https://")
    authority = re.split(r"[/?#]", rest, maxsplit=1)[0]
    if "@" in authority:
        raise UnacceptableUrl("must not hold a user name or password")
    if not _REST.fullmatch(rest[len(authority) :]) or "#" in rest:
        raise UnacceptableUrl("must be plain ASCII after the host, without spaces, backslashes or a fragment")
    host, port = _split_port(authority)
    target = Target(scheme, _read_host(host), port or (HTTPS_PORT if scheme == "https" else 80), _path(url))
    if not allow_loopback and target.port != HTTPS_PORT:
        raise UnacceptableUrl("must use port 443")
    if "." not in target.host and ":" not in target.host and not (allow_loopback and target.is_local):
        raise UnacceptableUrl("must name a host with a domain")
    return target


def _path(url: str) -> str:
    parts = urlsplit(url)
    return (parts.path or "/") + (f"?{parts.query}" if parts.query else "")


def _split_port(authority: str) -> tuple[str, int | None]:
    found = re.fullmatch(r"(\[[^\[\]]*\]|[^:\[\]]*)(?::([0-9]{1,5}))?", authority)
    if not found:
        raise UnacceptableUrl("must name a host, and at most one port")
    port = int(found[2]) if found[2] else None
    if port == 0 or (port or 0) > 0xFFFF:  # noqa: PLR2004 - the highest port
        raise UnacceptableUrl("must use port 443")
    return found[1], port


def _read_host(host: str) -> str:
    if host.startswith("["):
        return _read_v6(host[1:-1])
    name = _ascii(host)
    labels = name.split(".")
    if _NUMERIC.fullmatch(labels[-1]):
        return _read_v4(name)
    if len(name) > MAX_HOST or not all(_LABEL.fullmatch(label) for label in labels):
        raise UnacceptableUrl("must name a host in letters, digits, hyphens and dots")
    return name


def _ascii(host: str) -> str:
    """Encode an international name by IDNA 2008, without the mappings that turn look-alikes into digits and dots."""
    if host.isascii():
        return host.lower()
    try:
        return idna.encode(host.lower(), strict=True).decode("ascii")
    except (idna.IDNAError, UnicodeError) as error:
        raise UnacceptableUrl("must name a host by a valid international name") from error


def _read_v4(name: str) -> str:
    try:
        return str(IPv4Address(name))
    except ValueError as error:
        raise UnacceptableUrl("must write an IP address as four plain decimal numbers") from error


def _read_v6(text: str) -> str:
    try:
        found = IPv6Address(text)
    except ValueError as error:
        raise UnacceptableUrl("must hold a valid IPv6 address in brackets") from error
    if found.scope_id is not None:
        raise UnacceptableUrl("must not hold an IPv6 zone")
    return str(found)


def _is_special_v6(found: IPv6Address) -> bool:
    carries_v4 = (int(found) >> 32) & 0xFDFFFFFF == _ISATAP
    return carries_v4 or any(found in network for network in _NOT_PUBLIC_V6)
