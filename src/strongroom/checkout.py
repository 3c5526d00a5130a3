"""A merchant's checkout for `make run`: one purchase, confirmed by the cardholder through the product's own API.

A program of its own that knows the product as any merchant does: by its address, a client's id and secret. It keeps nothing but
which card a purchase was begun with, so that it can tell a visitor where that card's code is found.
"""

from __future__ import annotations

import base64
import secrets
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import msgspec
from litestar import Litestar, Request, Response, get, post
from litestar.datastructures import State
from litestar.exceptions import HTTPException
from litestar.params import FromPath, FromQuery
from litestar.response import Redirect

from strongroom.kit.pages import Assets, make_environment, security_headers

PAGES = Path(__file__).parent / "checkout_pages"
_AMOUNT, _CURRENCY, _SHOP, _GOODS = "1500.00", "NGN", "Corner shop", "One wool blanket"
_API = "/api/v1/safetoken/authentications"
_TIMEOUT = httpx.Timeout(10, connect=2)
_EARLY_SECONDS = 60.0  # a token is asked for anew this long before it ends
_REMEMBERED = 500

_Request = Request[Any, Any, State]


class CheckoutRefused(Exception):
    """The checkout was asked to run in production, where it would show cards' seeds."""


class ShopCard(msgspec.Struct, frozen=True):
    """A card of the demo: what confirms it, and where its code is found."""

    token: str  # sms, hotp or totp
    pan: str
    device: str = ""  # the command that shows its code

    @property
    def ending(self) -> str:
        """Return the last digits."""
        return self.pan[-4:]


class Shop(msgspec.Struct, frozen=True):
    """What a merchant knows of the product."""

    base_url: str
    client_id: str
    client_secret: str
    inbox_url: str
    cards: tuple[ShopCard, ...]

    def card(self, token: str) -> ShopCard | None:
        """Return the card that is confirmed so."""
        return next((card for card in self.cards if card.token == token), None)


class Purchase(msgspec.Struct, frozen=True, rename="camel"):
    """What the product says of a purchase."""

    status: str
    attempts_left: int = 0
    token_type: int | None = None
    masked_phone: str | None = None
    prompt: str | None = None
    proof: str | None = None


class Away(Exception):
    """The product does not answer; nothing was bought."""


@dataclass(slots=True)
class Till:
    """The merchant's software: every call as the guide for merchants has it."""

    shop: Shop
    _http: httpx.AsyncClient = field(init=False)
    _token: str = ""
    _token_ends: float = 0.0
    _cards: dict[str, str] = field(default_factory=dict)  # by purchase, the newest last

    def __post_init__(self) -> None:
        self._http = httpx.AsyncClient(base_url=self.shop.base_url, timeout=_TIMEOUT, trust_env=False)

    async def begin(self, card: ShopCard) -> httpx.Response:
        """Begin the authentication of the purchase."""
        purchase = {
            "cardPan": card.pan, "amount": _AMOUNT, "currency": _CURRENCY, "merchantName": _SHOP,
            "transactionRef": secrets.token_hex(8), "channel": "WEB",
        }  # fmt: skip
        answer = await self._call("POST", "", purchase)
        if answer.is_success:
            while len(self._cards) >= _REMEMBERED:
                self._cards.pop(next(iter(self._cards)))
            self._cards[answer.json()["authenticationId"]] = card.token
        return answer

    async def look(self, purchase_id: str) -> httpx.Response:
        """Ask how a purchase stands."""
        return await self._call("GET", f"/{purchase_id}")

    async def verify(self, purchase_id: str, otp: str) -> httpx.Response:
        """Have a code judged."""
        return await self._call("POST", f"/{purchase_id}/verify", {"otp": otp})

    async def send_again(self, purchase_id: str) -> httpx.Response:
        """Ask for another message."""
        return await self._call("POST", f"/{purchase_id}/otp")

    async def use(self, proof: str, order: str) -> httpx.Response:
        """Use a proof up for an order; the same order again gets the same answer."""
        return await self._call("POST", "/proofs/verify", {"proof": proof, "reference": order})

    def card_of(self, purchase_id: str) -> ShopCard | None:
        """Return the card that a purchase was begun with, unless that was before a restart."""
        return self.shop.card(self._cards.get(purchase_id, ""))

    async def _call(self, method: str, path: str, body: object = None) -> httpx.Response:
        try:
            headers = {"authorization": f"Bearer {await self._take_token()}"}
            return await self._http.request(method, _API + path, json=body, headers=headers)
        except httpx.HTTPError as error:
            raise Away from error

    async def _take_token(self) -> str:
        if time.monotonic() >= self._token_ends:
            auth = (self.shop.client_id, self.shop.client_secret)
            answer = await self._http.post("/passport/oauth/token", data={"grant_type": "client_credentials"}, auth=auth)
            answer.raise_for_status()
            granted = answer.json()
            self._token, self._token_ends = granted["access_token"], time.monotonic() + granted["expires_in"] - _EARLY_SECONDS
        return self._token


def create_checkout(file: Path, *, production: bool) -> Litestar:
    """Build the checkout over the file that `make run` writes. Raise CheckoutRefused in production."""
    if production:
        raise CheckoutRefused("the pretend checkout shows demo cards' seeds and is refused in production")
    return Litestar(
        route_handlers=[show_basket, pay, show_purchase, confirm, send_again, live, _assets.route()],
        state=State({"till": Till(msgspec.json.decode(file.read_bytes(), type=Shop))}),
        exception_handlers={Away: _answer_away, HTTPException: _answer_wrong},
        openapi_config=None,
        request_max_body_size=4096,
    )


@get("/", sync_to_thread=False)
def show_basket(request: _Request) -> Response[str]:
    """Show the basket and the cards to pay with."""
    return _page("basket.html", cards=_till(request).shop.cards)


@post("/pay")
async def pay(request: _Request) -> Response[Any]:
    """Begin, and go on to the question for the code."""
    till = _till(request)
    card = till.shop.card(await _field(request, "card"))
    if card is None:
        return _page("basket.html", cards=till.shop.cards, fault="Choose a card to pay with.", status_code=422)
    answer = await till.begin(card)
    return _to(answer.json()["authenticationId"]) if answer.is_success else _refused(answer)


@get("/purchases/{purchase_id:str}")
async def show_purchase(request: _Request, purchase_id: FromPath[str], said: FromQuery[str] = "") -> Response[str]:
    """Show how the purchase stands: the question for the code, or its end."""
    till = _till(request)
    answer = await till.look(purchase_id)
    if not answer.is_success:
        return _refused(answer)
    purchase = msgspec.json.decode(answer.content, type=Purchase)
    known: dict[str, Any] = {
        "purchase": purchase,
        "id": purchase_id,
        "card": till.card_of(purchase_id),
        "inbox_url": till.shop.inbox_url,
    }
    if purchase.status in _OPEN:
        usual = "wrong" if purchase.status == "rejected" else ""
        return _page("confirm.html", said=_SAID.get(said or usual, ""), **known)
    used = await till.use(purchase.proof, f"order-{purchase_id}") if purchase.proof else None
    return _page("done.html", proof=_read_proof(purchase.proof), is_used=used is not None and used.is_success, **known)


@post("/purchases/{purchase_id:str}")
async def confirm(request: _Request, purchase_id: FromPath[str]) -> Response[Any]:
    """Have the code judged."""
    otp = await _field(request, "otp")
    if not otp.strip():
        return _to(purchase_id, "empty")
    answer = await _till(request).verify(purchase_id, otp[:32])
    if not answer.is_success:
        return _refused(answer)
    return _to(purchase_id)


@post("/purchases/{purchase_id:str}/again")
async def send_again(request: _Request, purchase_id: FromPath[str]) -> Response[Any]:
    """Send another message."""
    answer = await _till(request).send_again(purchase_id)
    return _to(purchase_id, "sent" if answer.is_success else "not-sent")


@get("/health/live", sync_to_thread=False)
def live() -> str:
    """Answer that the checkout is up."""
    return "ok"


_OPEN = {"pending", "rejected"}  # after a wrong code another may be tried
_SAID = {
    "empty": "Type the code to go on.",
    "wrong": "That code is not right.",
    "sent": "Another message is on its way. The code before it counts no more.",
    "not-sent": "No further message can be sent now.",
}
_WORDS = {
    429: ("Please wait a minute", "This card or this shop has asked too often. Nothing was bought."),
    404: ("This purchase is not known", "It may be from an earlier run. Nothing was bought."),
    409: ("This purchase is over", "Its code was right, wrong too often, or too late."),
}


def _to(purchase_id: str, said: str = "") -> Redirect:
    return Redirect(f"/purchases/{purchase_id}{f'?said={said}' if said else ''}", status_code=303)


def _refused(answer: httpx.Response) -> Response[str]:
    title, text = _WORDS.get(answer.status_code, ("The shop cannot take this payment", "Nothing was bought."))
    return _page("stopped.html", title=title, text=text, status_code=answer.status_code)


def _answer_away(_: _Request, __: Away) -> Response[str]:
    text = "The service that confirms purchases does not answer. Nothing was bought."
    return _page("stopped.html", title="Please try again shortly", text=text, status_code=503)


def _answer_wrong(_: _Request, error: HTTPException) -> Response[str]:
    return _page("stopped.html", title="There is no such page", text="Begin with the basket.", status_code=error.status_code)


def _read_proof(proof: str | None) -> dict[str, Any]:
    """Return what a proof says, for people to see; whether it is genuine the product was asked."""
    if proof is None:
        return {}
    payload = proof.split(".")[1]
    claims: dict[str, Any] = msgspec.json.decode(base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4)))
    return claims


async def _field(request: _Request, name: str) -> str:
    form = await request.form()
    value = form.get(name, "")
    return value if isinstance(value, str) else ""


def _till(request: _Request) -> Till:
    till: Till = request.app.state.till
    return till


def _page(template: str, *, status_code: int = 200, **values: Any) -> Response[str]:
    page = _environment.get_template(template).render(
        stylesheet=_assets.url("checkout.css"), icon=_assets.url("checkout.svg"), shop=_SHOP, goods=_GOODS, amount="NGN 1,500.00",
        **{"fault": "", "said": "", **values},
    )  # fmt: skip
    return Response(page, media_type="text/html", status_code=status_code, headers=security_headers(over_https=False))


_environment = make_environment(PAGES)
_assets = Assets(PAGES / "static", "/static")
