"""The customer's website as the application mounts it: every page, its static files, and its own way to answer refusals."""

from __future__ import annotations

from litestar import Router

from strongroom.kit.head import with_head
from strongroom.portal.pages import answers, coming_back, handing_over, paying, plain, sharing, signing_in
from strongroom.portal.rendering import Pages


def make_router(pages: Pages) -> Router:
    """Return the website's routes."""
    handlers = [
        *signing_in.routes(), *paying.routes(), *sharing.routes(), *coming_back.routes(),
        *handing_over.routes(), *plain.routes(),
        pages.assets.route(public="files that every page needs"),
    ]  # fmt: skip
    return Router("/", route_handlers=[*with_head(handlers)], exception_handlers=answers.handlers(), include_in_schema=False)
