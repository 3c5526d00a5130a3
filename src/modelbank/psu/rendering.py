"""Turns templates into pages, with the headers that keep a page to itself."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from modelbank.banks import Bank
from modelbank.oauth.returns import Posted, Redirected, Return, origin
from modelbank.psu.words import code, pounds, sort_code
from modelbank.web.asgi import Response

_HERE = Path(__file__).parent
_TYPES = {".css": "text/css; charset=utf-8", ".js": "text/javascript; charset=utf-8", ".svg": "image/svg+xml"}
_SAFETY = (
    ("x-content-type-options", "nosniff"),
    ("referrer-policy", "no-referrer"),
    ("x-frame-options", "DENY"),
    ("cross-origin-opener-policy", "same-origin"),
    ("permissions-policy", "camera=(), geolocation=(), microphone=(), payment=()"),
)

_templates = Environment(
    loader=FileSystemLoader(_HERE / "templates"), autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
)
_templates.filters |= {"code": code, "pounds": pounds, "sort_code": sort_code}


def page(
    template: str, *, bank: Bank | None, prefix: str, status: int = 200, form_targets: tuple[str, ...] = (), **content: Any
) -> Response:
    """Render a page. `form_targets` are origins, besides our own, to which a form of it may lead."""
    text = _templates.get_template(template).render(bank=bank, prefix=prefix, **content)
    policy = (
        "default-src 'none'; style-src 'self'; img-src 'self'; script-src 'self'; base-uri 'none'; frame-ancestors 'none'; "
        "form-action 'self' " + " ".join(form_targets)
    )
    headers = (
        ("content-type", "text/html; charset=utf-8"),
        ("cache-control", "no-store"),
        ("content-security-policy", policy),
    )
    return Response(status, text.encode(), (*headers, *_SAFETY))


def see_other(location: str) -> Response:
    """Send the browser on with a GET."""
    return Response(303, headers=(("location", location), ("cache-control", "no-store"), *_SAFETY))


def leave(way: Return, *, bank: Bank, prefix: str, **content: Any) -> Response:
    """Send the customer back to the client: by redirect, or by a form that posts itself or is posted by a button."""
    match way:
        case Redirected(url):
            return see_other(url)
        case Posted(url, fields):
            return page("leaving.html", bank=bank, prefix=prefix, form_targets=(origin(url),), url=url, fields=fields, **content)


def _load_static() -> Mapping[str, Response]:
    found = {}
    for path in sorted((_HERE / "static").iterdir()):
        headers = (("content-type", _TYPES[path.suffix]), ("cache-control", "max-age=300"), *_SAFETY)
        found[path.name] = Response(200, path.read_bytes(), headers)
    return found


STATIC = _load_static()
