"""A browser without scripts, in this process: cookies, links, forms and redirects, over plain HTTP on loopback."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from html.parser import HTMLParser
from urllib.parse import urljoin

import httpx


class Loopback(httpx.AsyncBaseTransport):
    """Reaches every host name at 127.0.0.1, as browsers do for `*.localhost` and not every resolver."""

    def __init__(self) -> None:
        self._inner = httpx.AsyncHTTPTransport()

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Send a request; its Host header stays."""
        here = request.url.copy_with(host="127.0.0.1")
        sent = httpx.Request(request.method, here, headers=request.headers, stream=request.stream, extensions=request.extensions)
        return await self._inner.handle_async_request(sent)

    async def aclose(self) -> None:
        """Let go of the connections."""
        await self._inner.aclose()


@dataclass
class Form:
    """One form of a page: where it goes, and its fields as they stand."""

    method: str
    action: str
    fields: dict[str, str] = field(default_factory=dict)


class _Reader(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.forms: list[Form] = []
        self.links: list[str] = []
        self._inside = False

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = {name: value or "" for name, value in attrs}
        if tag == "a" and "href" in given:
            self.links.append(given["href"])
        if tag == "form":
            self.forms.append(Form(given.get("method", "get"), given.get("action", "")))
            self._inside = True
        if tag in {"input", "button"} and self._inside and given.get("name"):
            is_choice = given.get("type") in {"radio", "checkbox"}
            if not is_choice or given["name"] not in self.forms[-1].fields:  # the first choice is as good as any
                self.forms[-1].fields[given["name"]] = given.get("value", "")

    def handle_endtag(self, tag: str) -> None:
        if tag == "form":
            self._inside = False


class PlainBrowser:
    """One person's browser. `seen` holds every answer, the redirects too."""

    def __init__(self, base_url: str) -> None:
        self.seen: list[httpx.Response] = []
        self.http = httpx.AsyncClient(
            base_url=base_url, transport=Loopback(), follow_redirects=True, timeout=30, event_hooks={"response": [self._keep]}
        )

    async def go(self, url: str) -> httpx.Response:
        """Open an address."""
        return await self.http.get(url)

    async def send(self, page: httpx.Response, towards: str, **fields: str) -> httpx.Response:
        """Fill in and send the form of a page whose address holds `towards`."""
        form = next((one for one in forms_of(page) if towards in one.action), None)
        assert form is not None, f"{page.url}: no form leads to {towards}: {[one.action for one in forms_of(page)]}"
        url = urljoin(str(page.url), form.action)
        return await self.http.request(form.method.upper(), url, data={**form.fields, **fields})

    def cookies(self) -> Iterator[str]:
        """Yield the value of every cookie."""
        for cookie in self.http.cookies.jar:
            yield cookie.value or ""

    async def _keep(self, answer: httpx.Response) -> None:
        await answer.aread()
        self.seen.append(answer)


def forms_of(page: httpx.Response) -> list[Form]:
    """Return the forms of a page."""
    return _read(page).forms


def links_of(page: httpx.Response) -> list[str]:
    """Return where the links of a page lead."""
    return [urljoin(str(page.url), link) for link in _read(page).links]


def _read(page: httpx.Response) -> _Reader:
    reader = _Reader()
    reader.feed(page.text)
    return reader
