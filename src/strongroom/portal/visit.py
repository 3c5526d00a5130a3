"""A visit to the customer's website: cookies, the session behind them, the page's frame, the proof that a form is ours."""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

import msgspec
from litestar import Request, Response
from litestar.datastructures import Cookie
from litestar.response import Redirect

from strongroom.access.model import Firm, Record, Session
from strongroom.kit.clock import own_now
from strongroom.kit.crypto import same
from strongroom.kit.errors import Refusal
from strongroom.kit.http import facts
from strongroom.kit.pages import REFERRER_SAME_ORIGIN, security_headers
from strongroom.portal.doors import Doors
from strongroom.portal.rendering import LiveAnswer, Pages
from strongroom.portal.views.frame import FirmLook, Frame, View

STATE: Final = "portal"
LANGUAGE: Final = "en"
SESSION_LIFE_SECONDS: Final = 12 * 3600
_BROWSER_LIFE_SECONDS: Final = 30 * 24 * 3600
_GRANT_LIFE_SECONDS: Final = 120
_PASS_LIFE_SECONDS: Final = 24 * 3600  # how long a browser that came back from the bank may see that one attempt's state

AnyRequest = Request[Any, Any, Any]


class SignedOut(Refusal):
    """The page needs a session, and there is none or it has ended."""

    code, status, title = "signed_out", 401, "Your session has ended"


class FormTooOld(Refusal):
    """The form did not come from our own page, or the page was too old."""

    code, status, title = "form_too_old", 403, "The form could not be accepted"


@dataclass(frozen=True, slots=True)
class Portal:
    """What every page needs; the application keeps it in its state under `STATE`."""

    house: Doors
    pages: Pages


def portal_of(request: AnyRequest) -> Portal:
    """Return the website's parts."""
    found: Portal = request.app.state[STATE]
    return found


class Visit:
    """One request of one browser."""

    def __init__(self, request: AnyRequest, *, may_name_browser: bool = True) -> None:
        """Read the cookies. A request from another site comes without them, and then must not rename the browser."""
        self.request = request
        self.portal = portal_of(request)
        self.house = self.portal.house
        self._https = self.house.site.is_https
        self._is_probe = request.method == "HEAD"  # no activity of a person
        self._cookies: list[Cookie] = []
        self._browser = request.cookies.get(self._name("browser"), "")
        if len(self._browser) != 43:  # noqa: PLR2004  # 256 bits as base64url; anything else is replaced
            self._browser = secrets.token_urlsafe(32)
            if may_name_browser:
                self._set("browser", self._browser, _BROWSER_LIFE_SECONDS)

    @property
    def browser(self) -> str:
        """Return the browser's own random name: it ties a login and its code to the browser that asked."""
        return self._browser

    @property
    def browser_hash(self) -> bytes:
        """Return the keyed hash of the browser's name, as rows keep it."""
        return self.house.vault.hash("share browser", self._browser)

    @property
    def address(self) -> str:
        """Return the address at the other end."""
        return facts(self.request.scope).client_address

    @property
    def user_agent(self) -> str | None:
        """Return what the browser calls itself, within limits."""
        text = self.request.headers.get("user-agent")
        return text[:300] if text and text.isprintable() else None

    @property
    def is_by_itself(self) -> bool:
        """True for a load that a page of ours made without its reader: browsers say so (W3C Fetch Metadata, `Sec-Fetch-User`)."""
        headers = self.request.headers
        return headers.get("sec-fetch-site") == "same-origin" and "sec-fetch-user" not in headers

    @property
    def session_id(self) -> str:
        """Return the session that the browser brought, alive or not; empty when it brought none."""
        return self._session_id()

    async def session(self, *, touch: bool = True) -> Session:
        """Return the session. Raise SignedOut."""
        session = await self.find_session(touch=touch)
        if session is None:
            raise SignedOut
        return session

    async def find_session(self, *, touch: bool = True) -> Session | None:
        """Return the session, if there is one and it is alive."""
        session_id, touch = self._session_id(), touch and not self._is_probe
        return await self.house.sessions.find(session_id, touch=touch) if session_id else None

    async def records(self) -> tuple[Record, ...]:
        """Return what the session covers. Raise SignedOut."""
        return (await self.session()).records

    def begin_session(self, session_id: str) -> None:
        """Give the browser a new session."""
        self._set("session", session_id, SESSION_LIFE_SECONDS)

    async def end_session(self) -> None:
        """End the session, here and for anybody who copied its cookie."""
        if session_id := self._session_id():
            await self.house.sessions.end(session_id)
        self._set("session", "", 0)

    async def pause(self, seconds: int) -> None:
        """Excuse the time at the bank."""
        if (session_id := self._session_id()) and not self._is_probe:
            await self.house.sessions.pause(session_id, seconds)

    def hold_grant(self, handle: str) -> None:
        """Give the browser its handle on a login grant, for two minutes."""
        self._set("grant", handle, _GRANT_LIFE_SECONDS)

    def take_grant_handle(self) -> str:
        """Return the browser's handle on a login grant, and forget it."""
        handle = self.request.cookies.get(self._name("grant"), "")
        self._set("grant", "", 0)
        return handle

    @property
    def had_session(self) -> bool:
        """True when the browser brought a session's cookie, alive or not."""
        return bool(self._session_id())

    async def form(self) -> dict[str, str]:
        """Return the fields of our own form. Raise FormTooOld unless it carries this browser's or session's secret."""
        fields = await self.foreign_form()
        given = fields.pop("csrf", "")
        session = await self.find_session()
        if session is not None and self.house.sessions.is_csrf(session, given):
            return fields
        if not same(self._browser_csrf().encode(), given.encode("utf-8", "replace")):
            raise FormTooOld
        return fields

    async def foreign_form(self) -> dict[str, str]:
        """Return the fields of a form that somebody else's page posts: the bank's return."""
        form = await self.request.form()
        return {name: value for name, value in form.items() if isinstance(value, str)}

    def remember_pass(self, kind: str, firm_id: str, attempt_id: str) -> None:
        """Let this browser see the state of one attempt for a day, even when its session ends at the bank."""
        until = int(own_now().timestamp()) + _PASS_LIFE_SECONDS  # not a decision about money: it only shows a state without names
        text = f"{firm_id}.{attempt_id}.{until}"
        self._set(f"{kind}", f"{text}.{self._pass_mac(kind, text)}", _PASS_LIFE_SECONDS)

    def find_pass(self, kind: str, attempt_id: str) -> str | None:
        """Return the firm of an attempt whose state this browser may see."""
        text, _, mac = self.request.cookies.get(self._name(kind), "").rpartition(".")
        parts = text.split(".")
        if len(parts) != 3 or parts[1] != attempt_id or not same(mac.encode(), self._pass_mac(kind, text).encode()):  # noqa: PLR2004  # firm, attempt, time
            return None
        return parts[0] if int(parts[2]) > own_now().timestamp() else None

    def has_pass(self, kind: str) -> bool:
        """True when this browser began something that goes on without it."""
        return bool(self.request.cookies.get(self._name(kind)))

    async def page(
        self,
        view: View,
        *,
        firm: Firm | None = None,
        status: int = 200,
        referrer: str = REFERRER_SAME_ORIGIN,
        headers: Mapping[str, str] | None = None,
        session: Session | None = None,
    ) -> Response[bytes]:
        """Answer with a page."""
        session = session or await self.find_session(touch=False)
        return self.page_for(session, view, firm=firm, status=status, referrer=referrer, headers=headers)

    def page_for(
        self,
        session: Session | None,
        view: View,
        *,
        firm: Firm | None = None,
        status: int = 200,
        referrer: str = REFERRER_SAME_ORIGIN,
        headers: Mapping[str, str] | None = None,
    ) -> Response[bytes]:
        """Answer with a page for a session that is known already, or for nobody."""
        frame = Frame(
            LANGUAGE,
            session.csrf if session else self._browser_csrf(),
            look_of(firm) if firm else None,
            session.seconds_left if session else None,
        )
        html = self.portal.pages.render(frame, view)
        return Response(
            html.encode(),
            status_code=status,
            media_type="text/html",
            headers={**security_headers(over_https=self._https, referrer=referrer), **(headers or {})},
            cookies=self._cookies,
        )

    def go(self, url: str) -> Response[Any]:
        """Answer a form: see the other address (303), so that reloading repeats nothing."""
        return Redirect(url, status_code=303, cookies=self._cookies, headers={"Cache-Control": "no-store"})

    def json(self, answer: LiveAnswer) -> Response[bytes]:
        """Answer the script that follows a live page."""
        return Response(
            msgspec.json.encode(answer), media_type="application/json", headers={"Cache-Control": "no-store"}, cookies=self._cookies
        )

    def _session_id(self) -> str:
        return self.request.cookies.get(self._name("session"), "")

    def _browser_csrf(self) -> str:
        return self.house.vault.hash("browser form", self._browser).hex()[:64]

    def _pass_mac(self, kind: str, text: str) -> str:
        return self.house.vault.hash("attempt pass", kind, text).hex()[:64]

    def _name(self, name: str) -> str:
        """Cookies carry `__Host-` over https; plain http (development) has neither the prefix nor Secure."""
        return f"__Host-strongroom-{name}" if self._https else f"strongroom-{name}"

    def _set(self, name: str, value: str, life_seconds: int) -> None:
        self._cookies.append(
            Cookie(
                key=self._name(name), value=value, path="/", max_age=life_seconds, secure=self._https, httponly=True, samesite="lax"
            )
        )


def look_of(firm: Firm) -> FirmLook:
    """Return how a firm looks on its customers' pages."""
    return FirmLook(firm.id, firm.settings.logo_text or firm.name)
