"""The decoupled flow's pages: a code that opens the request on the customer's phone, and the phone's own front page."""

from __future__ import annotations

import io

import segno
from markupsafe import Markup

from modelbank.database import Pool
from modelbank.oauth.backchannel import store as backchannel_store
from modelbank.psu.rendering import page
from modelbank.psu.visits import Place, Visits
from modelbank.web.asgi import Response

_NOTHING = "No such request awaits you. It may have been answered, or be too old. Check the number, or begin again."


class Decoupled:
    """Answers `/decoupled/{consent}` and `/phone`."""

    def __init__(self, pool: Pool, visits: Visits) -> None:
        self._pool = pool
        self._visits = visits

    async def show(self, place: Place) -> Response:
        """Show the intent of a request that waits as a QR code. It tells nothing about the request itself."""
        consent_id = place.request.values["consent"]
        if not await backchannel_store.is_waiting(self._pool, place.bank.id, consent_id):
            return _phone_page(place, "", status=404, error=_NOTHING)
        path = f"{place.prefix}/phone?consent={consent_id}"
        drawn = _draw(f"http://{place.request.headers['host']}{path}")
        return page("decoupled.html", bank=place.bank, prefix=place.prefix, consent_id=consent_id, drawn=drawn, phone_url=path)

    async def phone(self, place: Place) -> Response:
        """Begin to answer the request that was scanned or typed, or ask for its number."""
        consent_id = place.request.query().get("consent", "").strip()
        if not consent_id:
            return _phone_page(place, "", error=None)
        begun = await self._visits.begin_on_phone(place, consent_id)
        return _phone_page(place, consent_id, status=404, error=_NOTHING) if begun is None else begun


def _phone_page(place: Place, consent_id: str, *, error: str | None, status: int = 200) -> Response:
    return page("phone.html", bank=place.bank, prefix=place.prefix, status=status, consent_id=consent_id[:128], error=error)


def _draw(url: str) -> Markup:
    """Draw an address as a QR code: an `<svg>` of black modules, to be put on a white ground."""
    drawn = io.BytesIO()
    segno.make(url, error="m", micro=False).save(drawn, kind="svg", xmldecl=False, svgns=False, omitsize=True, border=2)
    return Markup(drawn.getvalue().decode("ascii").strip())  # noqa: S704  # drawn here: it holds paths, not the address
