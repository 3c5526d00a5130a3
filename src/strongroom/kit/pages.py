"""Server-rendered pages for any product: the template environment, the security headers, and static files named by content.

Every text is escaped, an unknown name in a template is an error, and nothing inline is ever allowed to run or to style.
"""

from __future__ import annotations

from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Final

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from litestar import Response, get
from litestar.exceptions import NotFoundException
from litestar.handlers import HTTPRouteHandler
from litestar.params import FromPath

# `form-action` also binds redirects of a POST: a page that sends people elsewhere does it by a link (see design decisions).
CONTENT_SECURITY_POLICY: Final = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; form-action 'self'; "
    "base-uri 'none'; frame-ancestors 'none'; require-trusted-types-for 'script'"
)
REFERRER_SAME_ORIGIN: Final = "same-origin"  # `no-referrer` would also blank the Origin header that form posts are checked by
REFERRER_NONE: Final = "no-referrer"  # for a page whose own address is a secret
STATIC_MAX_AGE_SECONDS: Final = 365 * 24 * 3600
HSTS_SECONDS: Final = 2 * 365 * 24 * 3600
_CONTENT_TYPES: Final = {
    ".css": "text/css; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".svg": "image/svg+xml",
    ".png": "image/png",
}


def make_environment(folder: Path) -> Environment:
    """Build the Jinja2 environment of one face: escaping is always on, and an undefined name raises."""
    return Environment(
        loader=FileSystemLoader(folder),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        auto_reload=False,
        cache_size=-1,
    )


def security_headers(*, over_https: bool, referrer: str = REFERRER_SAME_ORIGIN) -> dict[str, str]:
    """Return the headers of every page, which also keep it out of every cache."""
    headers = {
        "Content-Security-Policy": CONTENT_SECURITY_POLICY,
        "Cache-Control": "no-store",
        "Cross-Origin-Opener-Policy": "same-origin",
        "Cross-Origin-Resource-Policy": "same-origin",
        "Permissions-Policy": "camera=(), geolocation=(), microphone=(), payment=(), usb=()",
        "Referrer-Policy": referrer,
        "X-Content-Type-Options": "nosniff",
        "X-Frame-Options": "DENY",
        "X-Robots-Tag": "noindex",
    }
    if over_https:
        headers["Strict-Transport-Security"] = f"max-age={HSTS_SECONDS}; includeSubDomains"
    return headers


@dataclass(frozen=True, slots=True)
class Asset:
    """One static file, held in memory."""

    name: str  # with the hash of its content: `portal.0f3a9c1b2d4e.css`
    body: bytes
    content_type: str


class Assets:
    """The static files of one face, each under a name that changes when its content does, so that it may be kept for a year."""

    def __init__(self, folder: Path, prefix: str) -> None:
        self._prefix = prefix.rstrip("/")
        self._by_plain_name = {path.name: _load(path) for path in sorted(folder.iterdir()) if path.is_file()}
        self._by_name = {asset.name: asset for asset in self._by_plain_name.values()}

    def url(self, plain_name: str) -> str:
        """Return the address of a file, given its name in the folder. Raise KeyError when there is none."""
        return f"{self._prefix}/{self._by_plain_name[plain_name].name}"

    def find(self, name: str) -> Asset | None:
        """Find a file by its hashed name."""
        return self._by_name.get(name)

    def route(self, **opt: str) -> HTTPRouteHandler:
        """Make the Litestar route that serves these files, to be kept by browsers for a year; `opt` goes to the handler."""

        @get(f"{self._prefix}/{{name:str}}", include_in_schema=False, sync_to_thread=False, opt=opt)
        def serve_static(name: FromPath[str]) -> Response[bytes]:
            asset = self.find(name)
            if asset is None:
                raise NotFoundException
            return Response(asset.body, headers=static_headers(asset))

        return serve_static


def static_headers(asset: Asset) -> dict[str, str]:
    """Return the headers of a static file."""
    return {
        "Content-Type": asset.content_type,
        "Cache-Control": f"public, max-age={STATIC_MAX_AGE_SECONDS}, immutable",
        "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'",
        "Cross-Origin-Resource-Policy": "same-origin",
        "X-Content-Type-Options": "nosniff",
    }


def _load(path: Path) -> Asset:
    body = path.read_bytes()
    name = f"{path.stem}.{sha256(body).hexdigest()[:12]}{path.suffix}"
    return Asset(name, body, _CONTENT_TYPES[path.suffix])
