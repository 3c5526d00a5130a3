"""Token administration over REST: an issuer's stock of devices, who holds them, and what the support desk does to them.

Unblocking is not here: it takes two people, and a client is nobody. They do it by `strongroom otp-tokens`.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Annotated, Any, Final

import msgspec
from litestar import Request, Response, get, post
from litestar.handlers import HTTPRouteHandler
from litestar.params import FromPath, QueryParameter, RawBody

from strongroom.access.guard import caller_of
from strongroom.access.model import Scope
from strongroom.kit.body import Reader
from strongroom.kit.crypto import Secret
from strongroom.kit.errors import FieldError, Invalid, Refusal
from strongroom.safetoken.cards import is_card_number
from strongroom.safetoken.codes import (
    AUTHENTICATION_FAILURE,
    SUCCESSFUL,
    TOKEN_BLOCKED,
    TOKEN_FOREIGN,
    TOKEN_LOCKED,
    TOKEN_NOT_ACTIVATED,
    TOKEN_TAKEN,
    TOKEN_UNKNOWN,
    USER_UNKNOWN,
    Code,
)
from strongroom.safetoken.errors import RestError, answer_rest, rest_errors
from strongroom.safetoken.token_schemas import (
    AssignIn,
    NewTokenIn,
    ReplaceIn,
    ResynchronisedOut,
    ResynchroniseIn,
    TokenOut,
    TokensOut,
)
from strongroom.sca.devices.errors import NoSuchCardholder, NoSuchToken, TokenHeld, TokenStateRefuses
from strongroom.sca.devices.model import Algorithm, CodeAccepted, Kind, NewToken, Reason, Refused, Token, Verified
from strongroom.sca.devices.otp_tokens import OtpTokens
from strongroom.sca.devices.states import TokenState
from strongroom.sca.devices.suites import NoSuchSuite
from strongroom.sca.devices.verification import Verification
from strongroom.sca.model import Locked

STATE: Final = "otp tokens"
ADDRESS: Final = "/api/v1/safetoken/tokens"
PAGE_LIMIT: Final = 100
_ONE: Final = f"{ADDRESS}/{{serial:str}}"
_READS: Final[dict[str, Any]] = {"scope": Scope.SAFETOKEN_TOKENS_READ}
_CHANGES: Final[dict[str, Any]] = {"scope": Scope.SAFETOKEN_TOKENS}
_NO_STORE: Final = {"cache-control": "no-store"}
_JSON: Final = "application/json"
_CODE_OF_STATE: Final[dict[TokenState, Code | None]] = {
    TokenState.IMPORTED: None,
    TokenState.ASSIGNED: TOKEN_NOT_ACTIVATED,
    TokenState.ACTIVE: SUCCESSFUL,
    TokenState.LOCKED: TOKEN_LOCKED,
    TokenState.BLOCKED: TOKEN_BLOCKED,
    TokenState.RETIRED: None,
}
_CODE_OF_REASON: Final = {
    Reason.NO_USER: USER_UNKNOWN,
    Reason.NO_TOKEN: TOKEN_UNKNOWN,
    Reason.NOT_ACTIVATED: TOKEN_NOT_ACTIVATED,
    Reason.BLOCKED: TOKEN_BLOCKED,
    Reason.NOT_ASSOCIATED: TOKEN_FOREIGN,
}
_CODE_OF_REFUSAL: Final = {NoSuchToken: TOKEN_UNKNOWN, NoSuchCardholder: USER_UNKNOWN, TokenHeld: TOKEN_TAKEN}
_CODE_OF_REFUSING_STATE: Final = {
    TokenState.ASSIGNED: TOKEN_NOT_ACTIVATED,
    TokenState.LOCKED: TOKEN_LOCKED,
    TokenState.BLOCKED: TOKEN_BLOCKED,
}
_NEW, _ASSIGN, _REPLACE, _RESYNCHRONISE = Reader(NewTokenIn), Reader(AssignIn), Reader(ReplaceIn), Reader(ResynchroniseIn)

_Request = Request[Any, Any, Any]
Limit = Annotated[int, QueryParameter(name="limit", ge=1, le=PAGE_LIMIT, description="How many, at most 100")]
After = Annotated[str | None, QueryParameter(name="after", max_length=64, description="The `next` of the page before")]
StatusFilter = Annotated[str | None, QueryParameter(name="status", max_length=20, description="Only tokens in this state")]


@dataclass(frozen=True, slots=True)
class TokensApi:
    """What the handlers call; the application keeps it in its state under `STATE`."""

    tokens: OtpTokens
    verification: Verification


def answer_refusal(request: _Request, refusal: Refusal) -> Response[bytes]:
    """Answer what the contract has a code for by that code."""
    code = _CODE_OF_REFUSAL.get(type(refusal))
    if isinstance(refusal, TokenStateRefuses) and refusal.state is not None:
        code = _CODE_OF_REFUSING_STATE.get(refusal.state)
    if code is None:
        return answer_rest(request, refusal)
    return Response(msgspec.json.encode(RestError(code.number, code.text)), status_code=refusal.status, media_type=_JSON)


_ERRORS: Final[Any] = {**rest_errors(), **dict.fromkeys((*_CODE_OF_REFUSAL, TokenStateRefuses), answer_refusal)}


@get(ADDRESS, opt=_READS, exception_handlers=_ERRORS)
async def list_tokens(request: _Request, limit: Limit = 25, after: After = None, status: StatusFilter = None) -> Response[bytes]:
    """List tokens by serial: the support desk's list when a status is named."""
    found = await _api(request).tokens.list_tokens(_issuer(request), state=_state(status), after=after, limit=limit + 1)
    shown = [shape_token(one) for one in found[:limit]]
    return _answer(TokensOut(shown, shown[-1].serial if len(found) > limit else None))


@post(ADDRESS, opt=_CHANGES, exception_handlers=_ERRORS)
async def import_token(request: _Request, body: RawBody) -> Response[bytes]:
    """Take one token into the stock."""
    new = _token(_NEW.read(body))
    return _shown(await _api(request).tokens.import_one(_issuer(request), _actor(request), new), status_code=201)


@post(f"{ADDRESS}/find", status_code=200, opt=_READS, exception_handlers=_ERRORS)
async def find_token(request: _Request, body: RawBody) -> Response[bytes]:
    """Return the token of a card's holder. The card's number is in the body, for addresses are written down everywhere."""
    return _shown(await _api(request).tokens.get_of_card(_issuer(request), _card(_ASSIGN.read(body))))


@get(_ONE, opt=_READS, exception_handlers=_ERRORS)
async def get_token(request: _Request, serial: FromPath[str]) -> Response[bytes]:
    """Return a token."""
    return _shown(await _api(request).tokens.get(_issuer(request), serial))


@post(f"{_ONE}/assign", status_code=200, opt=_CHANGES, exception_handlers=_ERRORS)
async def assign_token(request: _Request, serial: FromPath[str], body: RawBody) -> Response[bytes]:
    """Give a token from the stock to the holder of a card; it is still to be activated."""
    tokens = _api(request).tokens
    return _shown(await tokens.assign_to_card(_issuer(request), _actor(request), serial, _card(_ASSIGN.read(body))))


@post(f"{_ONE}/unassign", status_code=200, opt=_CHANGES, exception_handlers=_ERRORS)
async def unassign_token(request: _Request, serial: FromPath[str]) -> Response[bytes]:
    """Take a token back into the stock."""
    return await _do(request, serial, _api(request).tokens.unassign)


@post(f"{_ONE}/activate", status_code=200, opt=_CHANGES, exception_handlers=_ERRORS)
async def activate_token(request: _Request, serial: FromPath[str]) -> Response[bytes]:
    """Let an assigned token's codes count."""
    return await _do(request, serial, _api(request).tokens.activate)


@post(f"{_ONE}/block", status_code=200, opt=_CHANGES, exception_handlers=_ERRORS)
async def block_token(request: _Request, serial: FromPath[str]) -> Response[bytes]:
    """Let no code count until two people unblock it."""
    return await _do(request, serial, _api(request).tokens.block)


@post(f"{_ONE}/unlock", status_code=200, opt=_CHANGES, exception_handlers=_ERRORS)
async def unlock_token(request: _Request, serial: FromPath[str]) -> Response[bytes]:
    """End a lock before its time."""
    return await _do(request, serial, _api(request).tokens.unlock)


@post(f"{_ONE}/retire", status_code=200, opt=_CHANGES, exception_handlers=_ERRORS)
async def retire_token(request: _Request, serial: FromPath[str]) -> Response[bytes]:
    """Let a token never count again."""
    return await _do(request, serial, _api(request).tokens.retire)


@post(f"{_ONE}/replace", status_code=200, opt=_CHANGES, exception_handlers=_ERRORS)
async def replace_token(request: _Request, serial: FromPath[str], body: RawBody) -> Response[bytes]:
    """Retire a cardholder's token and give them another, which is still to be activated; both or neither happen."""
    by = _REPLACE.read(body).by
    return _shown(await _api(request).tokens.replace(_issuer(request), _actor(request), serial, by))


@post(f"{_ONE}/resynchronise", status_code=200, opt=_CHANGES, exception_handlers=_ERRORS)
async def resynchronise_token(request: _Request, serial: FromPath[str], body: RawBody) -> Response[bytes]:
    """Find a device that counted or drifted away by two codes it showed in a row. A wrong pair counts as a wrong code."""
    typed, api, issuer_id = _RESYNCHRONISE.read(body), _api(request), _issuer(request)
    token = await api.tokens.get(issuer_id, serial)
    if token.cardholder_id is None:
        return _answer(shape_judged(Refused(Reason.NO_USER)))
    if not token.is_asked_by(typed.question):
        raise Invalid(errors=(FieldError("/question", "is what was typed into an ocra token, and into no other"),))
    judged = await api.verification.resynchronise(
        issuer_id, _actor(request), token.cardholder_id, typed.first, typed.second, serial=serial, question=typed.question
    )
    return _answer(shape_judged(judged))


def routes() -> list[HTTPRouteHandler]:
    """Return the handlers of token administration."""
    return [
        list_tokens, import_token, find_token, get_token, assign_token, unassign_token, activate_token, block_token, unlock_token,
        retire_token, replace_token, resynchronise_token,
    ]  # fmt: skip


def shape_token(token: Token) -> TokenOut:
    """Return a token as its issuer sees it."""
    code = _CODE_OF_STATE[token.state]
    return TokenOut(
        serial=token.serial,
        status=token.state,
        kind=token.kind,
        algorithm=token.algorithm,
        digits=token.digits,
        period_seconds=token.period_seconds,
        suite=token.suite.text if token.suite else None,
        cardholder_id=token.cardholder_id,
        failures=token.failures,
        locked_until=token.locked_until,
        unblock_asked=token.unblock_asked_by is not None,
        code=code.number if code else None,
        created_at=token.created_at,
    )


def shape_judged(judged: Verified) -> ResynchronisedOut:
    """Return what two codes came to, in the contract's codes."""
    match judged:
        case CodeAccepted():
            return ResynchronisedOut(code=SUCCESSFUL.number, description=SUCCESSFUL.text)
        case Locked():
            return ResynchronisedOut(
                code=TOKEN_LOCKED.number, description=TOKEN_LOCKED.text, attempts_left=0, retry_after_seconds=judged.seconds
            )
        case Refused():
            code = _CODE_OF_REASON[judged.reason]
            return ResynchronisedOut(code=code.number, description=code.text)
        case _:
            return ResynchronisedOut(
                code=AUTHENTICATION_FAILURE.number, description=AUTHENTICATION_FAILURE.text, attempts_left=judged.attempts_left
            )


def _token(asked: NewTokenIn) -> NewToken:
    """Return the token asked for. Raise Invalid for a suite that is none, or that something else in the token contradicts."""
    seed, kind = Secret(asked.seed), Kind(asked.kind)
    if kind is not Kind.OCRA:
        if asked.suite is not None:
            raise Invalid(errors=(FieldError("/suite", "is of an ocra token only"),))
        hashed = Algorithm(asked.algorithm or Algorithm.SHA1)
        return NewToken(asked.serial, seed, kind, hashed, asked.digits or 6, asked.period_seconds, asked.counter)
    try:
        new = NewToken.of_suite(asked.serial, seed, asked.suite or "", asked.counter)
    except NoSuchSuite as error:
        raise Invalid(errors=(FieldError("/suite", str(error)),)) from None
    for name, said, meant in (
        ("algorithm", asked.algorithm, new.algorithm), ("digits", asked.digits, new.digits),
        ("periodSeconds", asked.period_seconds, new.period_seconds),
    ):  # fmt: skip
        if said not in (None, meant):
            raise Invalid(errors=(FieldError(f"/{name}", "is not what the suite says"),))
    return new


async def _do(request: _Request, serial: str, move: Callable[[str, str, str], Awaitable[Token]]) -> Response[bytes]:
    return _shown(await move(_issuer(request), _actor(request), serial))


def _card(asked: AssignIn) -> Secret:
    if not is_card_number(asked.card_pan):
        raise Invalid(errors=(FieldError("/cardPan", "is not a card number"),))
    return Secret(asked.card_pan)


def _state(status: str | None) -> TokenState | None:
    if status is None:
        return None
    try:
        return TokenState(status)
    except ValueError:
        raise Invalid(errors=(FieldError("/status", f"is one of {', '.join(TokenState)}"),)) from None


def _issuer(request: _Request) -> str:
    return caller_of(request).tenant_id


def _actor(request: _Request) -> str:
    return caller_of(request).actor


def _shown(token: Token, *, status_code: int = 200) -> Response[bytes]:
    return _answer(shape_token(token), status_code=status_code)


def _answer(shape: object, *, status_code: int = 200) -> Response[bytes]:
    return Response(msgspec.json.encode(shape), status_code=status_code, headers=_NO_STORE, media_type=_JSON)


def _api(request: _Request) -> TokensApi:
    api: TokensApi = request.app.state[STATE]
    return api
