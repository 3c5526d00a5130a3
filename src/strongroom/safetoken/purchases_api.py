"""Purchase authentication over REST: begin, send again, verify, look, list, and check proofs."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, Any

import msgspec
from litestar import Request, Response, get, post
from litestar.handlers import HTTPRouteHandler
from litestar.params import FromPath, QueryParameter, RawBody

from strongroom.access.errors import InsufficientScope
from strongroom.access.guard import ANY_SCOPE, caller_of
from strongroom.access.model import Caller, Scope
from strongroom.kit.body import Reader, Unacceptable, parsed
from strongroom.kit.crypto import Secret
from strongroom.kit.errors import FieldError, Invalid
from strongroom.kit.money import parse_pounds, print_pounds
from strongroom.safetoken.cards import is_card_number
from strongroom.safetoken.errors import rest_errors
from strongroom.safetoken.purchase_schemas import (
    AuthenticationOut,
    AuthenticationsOut,
    BegunOut,
    JudgedOut,
    NewAuthenticationIn,
    ProofIn,
    ProofUsedOut,
    VerifyIn,
)
from strongroom.sca.purchasing.model import CURRENCIES, Gateway, NewPurchase, Purchase
from strongroom.sca.purchasing.proofs import Proofs
from strongroom.sca.purchasing.purchases import Asked, Purchases
from strongroom.sca.purchasing.states import PURCHASE_PUBLIC, Listing, PurchaseState

STATE = "purchases"
ADDRESS = "/api/v1/safetoken/authentications"
PAGE_LIMIT = 100
_READS_OWN, _READS_ISSUERS = Scope.SAFETOKEN_AUTHENTICATE, Scope.SAFETOKEN_TOKENS_READ
_ACTS: dict[str, Any] = {"scope": Scope.SAFETOKEN_AUTHENTICATE}
_READS: dict[str, Any] = {"scope": ANY_SCOPE}  # of which the handler wants one of two
_ERRORS: Any = rest_errors()
_NO_STORE = {"cache-control": "no-store"}
_JSON = "application/json"

_NEW, _VERIFY, _PROOF = Reader(NewAuthenticationIn), Reader(VerifyIn), Reader(ProofIn)

_Request = Request[Any, Any, Any]
Limit = Annotated[int, QueryParameter(name="limit", ge=1, le=PAGE_LIMIT, description="How many, at most 100")]
After = Annotated[str | None, QueryParameter(name="after", max_length=40, description="The `next` of the page before")]
StatusFilter = Annotated[
    str | None, QueryParameter(name="status", max_length=20, description="INITIATED, FAILED, UNAUTHENTICATED or AUTHENTICATED")
]
CreatedAfter = Annotated[
    str | None, QueryParameter(name="createdAfter", max_length=40, format="date-time", description="Begun then or later, RFC 3339")
]
CreatedBefore = Annotated[
    str | None, QueryParameter(name="createdBefore", max_length=40, format="date-time", description="Begun before, RFC 3339")
]


@dataclass(frozen=True, slots=True)
class PurchasesApi:
    """What the handlers call; the application keeps it in its state under `STATE`."""

    purchases: Purchases
    proofs: Proofs


@post(ADDRESS, opt=_ACTS, exception_handlers=_ERRORS)
async def begin_authentication(request: _Request, body: RawBody) -> Response[bytes]:
    """Begin the authentication of a purchase: its cardholder gets a code, or is asked for one.

    The same `transactionRef` again begins nothing and answers as before. A card that is not enrolled begins like any other.
    """
    new = _purchase(_NEW.read(body))
    purchase = await _api(request).purchases.begin(_gateway(request), new)
    return _answer(_begun(purchase), status_code=201)


@post(f"{ADDRESS}/{{authentication_id:str}}/otp", status_code=200, opt=_ACTS, exception_handlers=_ERRORS)
async def resend_otp(request: _Request, authentication_id: FromPath[str]) -> Response[bytes]:
    """Send a fresh code, at most three times; the one before counts no more."""
    purchase = await _api(request).purchases.send_again(_gateway(request), authentication_id)
    return _answer(_begun(purchase))


@post(f"{ADDRESS}/{{authentication_id:str}}/verify", status_code=200, opt=_ACTS, exception_handlers=_ERRORS)
async def verify_otp(request: _Request, authentication_id: FromPath[str], body: RawBody) -> Response[bytes]:
    """Have the cardholder's code judged. Whatever is wrong with the card or the code, the answer is one of the same few words."""
    typed = _VERIFY.read(body).otp
    judged = await _api(request).purchases.verify(_gateway(request), authentication_id, typed)
    purchase = judged.purchase
    proof = await _api(request).proofs.make(purchase) if judged.is_right else None
    status = _status(purchase) if judged.is_right or purchase.state is not PurchaseState.AUTHENTICATED else "rejected"
    linking = purchase.linking if judged.is_right else None
    return _answer(
        JudgedOut(
            authentication_id=purchase.id, status=status, attempts_left=judged.attempts_left, linking=linking, proof=proof
        )
    )  # fmt: skip


@get(f"{ADDRESS}/{{authentication_id:str}}", opt=_READS, exception_handlers=_ERRORS)
async def get_authentication(request: _Request, authentication_id: FromPath[str]) -> Response[bytes]:
    """Return a purchase: to its merchant with the proof as long as it is good, to the card's issuer with the contract's code."""
    reader = _reader(request)
    purchase = await _api(request).purchases.get(reader.tenant_id, authentication_id)
    proof = await _api(request).proofs.make(purchase) if _READS_OWN in reader.scopes else None
    return _answer(_shown(purchase, reader, proof))


@get(ADDRESS, opt=_READS, exception_handlers=_ERRORS)
async def list_authentications(
    request: _Request,
    limit: Limit = 25,
    after: After = None,
    status: StatusFilter = None,
    created_after: CreatedAfter = None,
    created_before: CreatedBefore = None,
) -> Response[bytes]:
    """List purchases, newest first: a merchant's own, or those with an issuer's cards."""
    reader = _reader(request)
    asked = Asked(
        limit, after, _listing(status), _moment("createdAfter", created_after), _moment("createdBefore", created_before)
    )  # fmt: skip
    found = await _api(request).purchases.list_purchases(reader.tenant_id, asked)
    shown = [_shown(one, reader) for one in found[:limit]]
    return _answer(AuthenticationsOut(shown, shown[-1].authentication_id if len(found) > limit else None))


@post(f"{ADDRESS}/proofs/verify", status_code=200, opt=_ACTS, exception_handlers=_ERRORS)
async def verify_proof(request: _Request, body: RawBody) -> Response[bytes]:
    """Check a proof and use it up for one reference; the same reference again gets the same answer."""
    asked = _PROOF.read(body)
    used = await _api(request).proofs.use(_gateway(request), asked.proof, asked.reference)
    purchase = used.purchase
    return _answer(
        ProofUsedOut(
            authentication_id=purchase.id,
            amount=print_pounds(purchase.amount_minor),
            currency=purchase.currency,
            merchant_name=purchase.payee,
            transaction_ref=purchase.reference,
            card_reference=purchase.card_reference,
            linking=purchase.linking,
            used_at=used.used_at,
        )
    )


def routes() -> list[HTTPRouteHandler]:
    """Return the handlers of purchase authentication."""
    return [begin_authentication, resend_otp, verify_otp, get_authentication, list_authentications, verify_proof]


def _purchase(asked: NewAuthenticationIn) -> NewPurchase:
    """Return the purchase asked for. Raise Invalid that points at what cannot be; a card number is never repeated in it."""
    amount_minor = parsed("/amount", parse_pounds, asked.amount)
    parsed("/amount", _more_than_nothing, amount_minor)
    parsed("/currency", _known_currency, asked.currency)
    parsed("/cardPan", _card_number, asked.card_pan)
    payee = parsed("/merchantName", _plain_name, asked.merchant_name)
    return NewPurchase(Secret(asked.card_pan), amount_minor, asked.currency, payee, asked.transaction_ref, asked.channel)


def _more_than_nothing(minor: int) -> int:
    if minor <= 0:
        raise Unacceptable("must be more than nothing")
    return minor


def _known_currency(code: str) -> str:
    if code not in CURRENCIES:
        raise Unacceptable("is not a currency that purchases are made in here")
    return code


def _card_number(pan: str) -> str:
    if not is_card_number(pan):
        raise Unacceptable("is not a card number")
    return pan


def _plain_name(name: str) -> str:
    """Return a name as one plain line: it goes into a message beside the amount and must not pass for anything else."""
    plain = " ".join(name.split())
    if not plain or not plain.isprintable():
        raise Unacceptable("must be one line of printable characters")
    return plain


def _begun(purchase: Purchase) -> BegunOut:
    return BegunOut(
        authentication_id=purchase.id,
        status=_status(purchase),
        token_type=int(purchase.token_type) if purchase.token_type else None,
        masked_phone=purchase.phone_shown,
        prompt=purchase.prompt,
        question=purchase.question,
        expires_at=purchase.expires_at,
        attempts_left=purchase.attempts_left,
    )


def _shown(purchase: Purchase, reader: Caller, proof: str | None = None) -> AuthenticationOut:
    """Return a purchase as its reader may see it: the contract's codes are for issuers, proofs for merchants."""
    is_issuer = _READS_ISSUERS in reader.scopes
    status, listed_as = PURCHASE_PUBLIC[purchase.state]
    return AuthenticationOut(
        authentication_id=purchase.id,
        status=status,
        listed_as=listed_as,
        amount=print_pounds(purchase.amount_minor),
        currency=purchase.currency,
        merchant_name=purchase.payee,
        transaction_ref=purchase.reference,
        channel=purchase.channel,
        created_at=purchase.created_at,
        expires_at=purchase.expires_at,
        attempts_left=purchase.attempts_left,
        token_type=int(purchase.token_type) if purchase.token_type else None,
        masked_phone=purchase.phone_shown,
        prompt=purchase.prompt,
        question=purchase.question,
        authenticated_at=purchase.authenticated_at,
        linking=purchase.linking if purchase.authenticated_at else None,
        proof=proof,
        merchant_id=purchase.merchant_id if is_issuer else None,
        masked_pan=purchase.card_shown if is_issuer else None,
        code=purchase.code if is_issuer else None,
    )


def _status(purchase: Purchase) -> str:
    return PURCHASE_PUBLIC[purchase.state][0]


def _listing(status: str | None) -> Listing | None:
    if status is None:
        return None
    try:
        return Listing(status)
    except ValueError:
        raise Invalid(errors=(FieldError("/status", f"is one of {', '.join(Listing)}"),)) from None


def _moment(name: str, text: str | None) -> datetime | None:
    """Read a time of the query. Raise Invalid for anything but RFC 3339 with an offset."""
    if text is None:
        return None
    try:
        moment = msgspec.convert(text, datetime)
    except msgspec.ValidationError:
        moment = None
    if moment is None or moment.tzinfo is None:
        raise Invalid(errors=(FieldError(f"/{name}", "is a time such as 2026-03-02T09:30:00Z"),))
    return moment


def _reader(request: _Request) -> Caller:
    """Return who may look: a merchant's software or an issuer's. Raise InsufficientScope."""
    caller = caller_of(request)
    if not caller.scopes & {_READS_OWN, _READS_ISSUERS}:
        raise InsufficientScope(f"This needs an access token with the scope {_READS_OWN} or {_READS_ISSUERS}")
    return caller


def _gateway(request: _Request) -> Gateway:
    caller = caller_of(request)
    return Gateway(caller.tenant_id, caller.client_id)


def _answer(shape: object, *, status_code: int = 200) -> Response[bytes]:
    return Response(msgspec.json.encode(shape), status_code=status_code, headers=_NO_STORE, media_type=_JSON)


def _api(request: _Request) -> PurchasesApi:
    api: PurchasesApi = request.app.state[STATE]
    return api
