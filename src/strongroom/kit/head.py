"""HEAD for whatever is read by GET (RFC 9110 §9.3.2): monitors and previewers ask so.

A HEAD runs the route's own GET: the same guards, limits and headers; the server leaves the body out. A GET that does something,
such as taking a bank's answer from the address, says so with `opt={**ACTS}` and has no HEAD, so that nobody's preview does it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from copy import copy
from typing import Final

from litestar.handlers import HTTPRouteHandler

ACTS: Final = {"acts": True}


def with_head(handlers: Iterable[HTTPRouteHandler]) -> Iterator[HTTPRouteHandler]:
    """Yield the handlers, those that only read with HEAD beside GET. They are copies: a handler itself knows of GET alone."""
    for handler in handlers:
        if handler.http_methods != {"GET"} or handler.opt.get("acts"):
            yield handler
            continue
        reader = copy(handler)
        reader.http_methods = {"GET", "HEAD"}
        yield reader
