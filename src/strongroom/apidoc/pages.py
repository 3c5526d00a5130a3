"""`/api/doc`: the document as a page to read and try, as JSON and as YAML."""

from __future__ import annotations

from functools import cached_property
from pathlib import Path
from typing import Any, Final

import msgspec
import yaml
from litestar import Request, Response, get
from litestar.handlers import HTTPRouteHandler

from strongroom.apidoc.document import build_document
from strongroom.apidoc.reading import Book, marked
from strongroom.kit.pages import Assets, make_environment, security_headers

STATE: Final = "apidoc"
_FOLDER: Final = Path(__file__).parent
_OPEN: dict[str, Any] = {"public": "anybody may read how the API works"}
_CACHE: Final = {"cache-control": "public, max-age=300"}
_AnyRequest = Request[Any, Any, Any]


class ApiDoc:
    """The document in its three forms, each made when somebody first asks; the application keeps it under `STATE`."""

    def __init__(self, *, over_https: bool) -> None:
        self.assets = Assets(_FOLDER / "static", "/api/doc/static")
        self.headers = security_headers(over_https=over_https) | _CACHE

    @cached_property
    def json(self) -> bytes:
        """The document as JSON, for people to read too."""
        return document_json()

    @cached_property
    def yaml(self) -> bytes:
        """The document as YAML."""
        return document_yaml()

    @cached_property
    def page(self) -> bytes:
        """The page."""
        environment = make_environment(_FOLDER / "templates")
        environment.globals["asset"] = self.assets.url
        environment.filters["marked"] = marked
        return environment.get_template("doc.html").render(book=Book(build_document())).encode()

    def routes(self) -> list[HTTPRouteHandler]:
        """Return the handlers."""
        return [show_page, show_json, show_yaml, self.assets.route(public="files that the page needs")]


def document_json() -> bytes:
    """Return the document as JSON, indented, with a newline at the end."""
    return msgspec.json.format(msgspec.json.encode(build_document()), indent=2) + b"\n"


def document_yaml() -> bytes:
    """Return the document as YAML; every value stands where it is used."""
    plain = msgspec.json.decode(document_json())  # texts of enums become plain texts
    return yaml.dump(plain, Dumper=_Plain, sort_keys=False, allow_unicode=True, width=120).encode()


class _Plain(getattr(yaml, "CSafeDumper", yaml.SafeDumper)):  # type: ignore[misc]  # the C dumper is there where libyaml is
    """Writes no anchors."""

    def ignore_aliases(self, data: Any) -> bool:  # noqa: ARG002  # the dumper calls it so
        """Never point back at a value that was written before."""
        return True


@get("/api/doc", opt=_OPEN, include_in_schema=False, sync_to_thread=True)
def show_page(request: _AnyRequest) -> Response[bytes]:
    """Show the document as a page."""
    doc = _doc(request)
    return Response(doc.page, media_type="text/html", headers=doc.headers)


@get("/api/doc.json", opt=_OPEN, include_in_schema=False, sync_to_thread=True)
def show_json(request: _AnyRequest) -> Response[bytes]:
    """Return the document as JSON."""
    return Response(_doc(request).json, media_type="application/json", headers=_CACHE)


@get("/api/doc.yaml", opt=_OPEN, include_in_schema=False, sync_to_thread=True)
def show_yaml(request: _AnyRequest) -> Response[bytes]:
    """Return the document as YAML (RFC 9512)."""
    return Response(_doc(request).yaml, media_type="application/yaml", headers=_CACHE)


def _doc(request: _AnyRequest) -> ApiDoc:
    doc: ApiDoc = request.app.state[STATE]
    return doc
