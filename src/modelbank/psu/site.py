"""The pages' listener: which host and path is which bank, and which page."""

from __future__ import annotations

from dataclasses import replace

from modelbank.banks import Bank
from modelbank.config import Config
from modelbank.control import Control
from modelbank.database import Pool
from modelbank.ledger import store as ledger
from modelbank.ledger.customers import PASSWORD
from modelbank.levers import store as levers
from modelbank.psu.decoupled import Decoupled
from modelbank.psu.rendering import STATIC, page
from modelbank.psu.visits import Place, Visits
from modelbank.psu.words import TESTERS
from modelbank.quirks import PACKS
from modelbank.web.asgi import Application, Found, Handler, Request, Response, Routes, json_response

_PLAIN_HOSTS = ("localhost", "127.0.0.1")


class Site:
    """Answers every request to the pages' listener."""

    def __init__(self, config: Config, banks: dict[str, Bank], pool: Pool) -> None:
        self._banks = banks
        self._pool = pool
        self._control = Control(pool, banks)
        visits = Visits(config, pool)
        decoupled = Decoupled(pool, visits)
        self._pages_port = config.pages_port
        steps = {"sign-in": visits.sign_in, "accounts": visits.accounts, "confirm": visits.confirm}
        self._routes = Routes(
            [
                ("GET", "/", self._home),
                ("GET", "/testers", self._testers),
                ("GET", "/quirks", self._quirks),
                *((method, "/authorize", visits.begin) for method in ("GET", "POST")),
                *((method, f"/{name}/{{visit}}", step) for name, step in steps.items() for method in ("GET", "POST")),
                ("POST", "/cancel/{visit}", visits.cancel),
                ("GET", "/return/{visit}", visits.go_back),
                ("GET", "/decoupled/{consent}", decoupled.show),
                ("GET", "/phone", decoupled.phone),
            ]
        )

    def application(self) -> Application:
        """Return the ASGI application."""
        return Application(self._answer, _failed)

    async def _answer(self, request: Request) -> Response:
        host = request.headers.get("host", "").split(":")[0].lower()
        bank = self._banks.get(host.removesuffix(".localhost"))
        if bank is None and host not in _PLAIN_HOSTS:
            return Response(421, b"This program answers on localhost only.")  # a foreign name here is an attack or a mistake
        if request.method == "HEAD":
            request = replace(request, method="GET")
        if (common := self._find_common(request.path)) is not None:
            return await common(request)
        if bank is not None:
            return await self._page(Place(bank, "", request), request.path)
        return await self._plain(request)

    def _find_common(self, path: str) -> Handler | None:
        """Return what answers on every host, or None."""
        if path.startswith("/control/"):
            return self._control.answer
        if path == "/health":
            return self._health
        return _static if path.startswith("/static/") else None

    async def _plain(self, request: Request) -> Response:
        """Answer on plain localhost, where the path says which bank."""
        first, _, rest = request.path.removeprefix("/b/").partition("/")
        if request.path.startswith("/b/") and first in self._banks:
            return await self._page(Place(self._banks[first], f"/b/{first}", request), f"/{rest}")
        if request.path == "/quirks":
            return _quirks_page(None, "", {bank.id: await self._of_bank(bank) for bank in self._banks.values()})
        if request.path == "/":
            return page("index.html", bank=None, prefix="", banks=self._banks.values(), port=self._pages_port)
        return page("stopped.html", bank=None, prefix="", status=404, title=_NOWHERE, text=_NOWHERE_TEXT, way_on=None)

    async def _page(self, place: Place, path: str) -> Response:
        match self._routes.find(place.request.method, path):
            case Found(step, values):
                if (await levers.get_switches(self._pool, place.bank.id)).down and path != "/":
                    return _stopped(place, 503, "We will be back soon", _DOWN)
                answer: Response = await step(replace(place, request=replace(place.request, values=dict(values))))
                return answer
            case None:
                return _stopped(place, 404, _NOWHERE, _NOWHERE_TEXT)
        return _stopped(place, 405, _NOWHERE, _NOWHERE_TEXT)

    async def _home(self, place: Place) -> Response:
        return page("home.html", bank=place.bank, prefix=place.prefix)

    async def _testers(self, place: Place) -> Response:
        accounts = await ledger.list_accounts(self._pool, place.bank.id)
        owned = {name: [account for account in accounts if account.username == name] for name in TESTERS}
        receiving = [account for account in accounts if account.role == "customer" and account.username is None]
        return page(
            "testers.html",
            bank=place.bank,
            prefix=place.prefix,
            testers=TESTERS.values(),
            owned=owned,
            receiving=receiving,
            password=PASSWORD,
        )

    async def _quirks(self, place: Place) -> Response:
        return _quirks_page(place.bank, place.prefix, {place.bank.id: await self._of_bank(place.bank)})

    async def _of_bank(self, bank: Bank) -> list[str]:
        """Return the quirks that everybody meets at a bank now."""
        pulled = (await levers.get_switches(self._pool, bank.id)).quirks
        return list(bank.config.quirks) if pulled is None else pulled

    async def _health(self, _request: Request) -> Response:
        await ledger.now(self._pool)
        return json_response(200, {"status": "ok", "banks": list(self._banks)})


async def _static(request: Request) -> Response:
    return STATIC.get(request.path.removeprefix("/static/"), Response(404))


def _quirks_page(bank: Bank | None, prefix: str, of_banks: dict[str, list[str]]) -> Response:
    return page("quirks.html", bank=bank, prefix=prefix, packs=PACKS, of_banks=of_banks, password=PASSWORD)


def _stopped(place: Place, status: int, title: str, text: str) -> Response:
    return page("stopped.html", bank=place.bank, prefix=place.prefix, status=status, title=title, text=text, way_on=None)


def _failed(_request: Request, status: int) -> Response:
    return page("stopped.html", bank=None, prefix="", status=status, title="Something broke", text=_BROKEN, way_on=None)


_NOWHERE = "There is no such page"
_NOWHERE_TEXT = "The address may be mistyped, or the page may have moved."
_DOWN = "The bank is not available just now. A tester has asked it to behave like that. Nothing has happened."
_BROKEN = "That was our fault. Nothing has happened that you did not agree to. Please try again."
