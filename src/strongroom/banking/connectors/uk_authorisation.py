"""The authorisation server of a UK bank: client tokens, the customer's way there and back, the code's exchange."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Annotated, Any
from urllib.parse import urlencode, urlsplit

import msgspec

from strongroom.banking.connectors.uk_discovery import Discovery, Manner, choose_manner, read_discovery
from strongroom.banking.connectors.uk_words import declined
from strongroom.banking.identity import STRONG_AUTHENTICATION, Expected, verify_id_token, verify_response_token
from strongroom.banking.keys import PublishedKeys
from strongroom.banking.port import BankRefused, BankSilent, BankUnavailable, Code, Declined, Grant, ReturnAddress
from strongroom.banking.returns import is_bounded
from strongroom.banking.signing import Signer, Untrusted, code_challenge
from strongroom.banking.transport import Answer, Channel, Request, fault_for

DISCOVERY_SECONDS = 3600.0
TOKEN_MARGIN_SECONDS = 30.0
DEFAULT_TOKEN_SECONDS = 300
MAX_TOKEN_SECONDS = 90 * 86_400
OK, CREATED, BAD_REQUEST, UNAUTHORISED, TOO_MANY = 200, 201, 400, 401, 429
_OUTSIDE = {"client_id", "response_type", "scope"}
ASSERTION_TYPE = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"


class Attempt(msgspec.Struct, frozen=True):
    """What the connector must have back later: opaque to the caller, who keeps it sealed."""

    issuer: str
    scope: str  # payments | accounts
    consent_id: str
    state: str
    redirect_uri: str
    nonce: str
    verifier: str
    response_type: str
    response_mode: str
    body: str = ""  # the exact payment to be sent
    submit_key: str = ""

    def __repr__(self) -> str:
        return f"Attempt({self.scope} at {self.issuer})"

    @property
    def manner(self) -> Manner:
        """How its answer was asked to travel."""
        return Manner(self.response_type, self.response_mode)


class Pushed(msgspec.Struct, frozen=True):
    """An answer of the pushed authorisation request endpoint (RFC 9126 §2.2); used at once, so how long it lives is no matter."""

    request_uri: Annotated[str, msgspec.Meta(pattern=r"^[!-~]{1,1000}\Z")]


class Token(msgspec.Struct, frozen=True):
    """An answer of the token endpoint."""

    access_token: str
    expires_in: int | float = DEFAULT_TOKEN_SECONDS
    id_token: str | None = None

    def __repr__(self) -> str:
        return "Token(…)"


@dataclass(slots=True)
class _Kept:
    """A client token with the time until which it is used; the lock lets one caller fetch while others wait."""

    token: str = field(default="", repr=False)
    until: float = 0.0
    fetching: asyncio.Lock = field(default_factory=asyncio.Lock)


class AuthorisationServer:
    """Speak with one bank's authorisation server as one client."""

    def __init__(
        self, issuer: str, client_id: str, channel: Channel, signer: Signer, clock: Callable[[], float], *, pushes: bool
    ) -> None:
        """`pushes` says that this bank gets pushed requests even if it does not demand them."""
        self._issuer = issuer
        self._client_id = client_id
        self._pushes = pushes
        self._channel = channel
        self._signer = signer
        self._clock = clock
        self._discovery: tuple[float, Discovery] | None = None
        self._tokens = {"payments": _Kept(), "accounts": _Kept()}
        self.keys = PublishedKeys(self._fetch_keys, clock)

    async def client_token(self, scope: str) -> str:
        """Return our own token for `payments` or `accounts`, fetched by one caller at a time. Raise BankUnavailable."""
        kept = self._tokens[scope]
        async with kept.fetching:
            if kept.until <= self._clock():
                token = await self._fetch_client_token(scope)
                kept.token, kept.until = token.access_token, self._clock() + _lifetime(token) - TOKEN_MARGIN_SECONDS
            return kept.token

    def forget_client_token(self, scope: str, token: str) -> None:
        """Stop using a token that the bank turned away, unless another has taken its place."""
        if self._tokens[scope].token == token:
            self._tokens[scope].until = 0.0

    async def begin(self, scope: str, consent_id: str, back: ReturnAddress) -> tuple[str | None, Attempt]:
        """Return where to send the customer (None: `push`, as they leave), and what to remember. Raise BankUnavailable."""
        discovery = await self.discovery()
        manner = choose_manner(discovery)
        attempt = Attempt(
            issuer=self._issuer,
            scope=scope,
            consent_id=consent_id,
            state=back.state,
            redirect_uri=back.redirect_uri,
            nonce=secrets.token_urlsafe(32),
            verifier=secrets.token_urlsafe(48),
            response_type=manner.response_type,
            response_mode=manner.response_mode,
        )
        if self._pushes or discovery.require_pushed_authorization_requests:
            _push_url(discovery)  # a bank without one is out of reach now already
            return None, attempt
        query = self._query(attempt)
        return _at(discovery, query | {"request": self._request_object(discovery, attempt)}), attempt

    async def push(self, attempt: Attempt) -> str:
        """Leave the request at the bank and return where to send the customer at once. Raise BankUnavailable or BankRefused.

        Each push signs anew, because the bank's reference lives for a minute or so and is used once (RFC 9126 §2.2, §4). State,
        nonce and verifier stay the attempt's own: whichever visit to the bank comes back is the one return that is awaited.
        """
        discovery = await self.discovery()
        form = {"request": self._request_object(discovery, attempt)}
        request = self._client_request(_push_url(discovery), discovery.issuer, form, acts=False)  # its audience: RFC 9126 §2
        answer = await self._channel.send(request)
        pushed = _read_pushed(answer)
        if pushed is None:
            raise _refusal(request, answer, "The bank did not accept what it was asked")
        # Beside the two of RFC 9126 §4 those that OpenID Connect Core §6.2 and FAPI 1.0 Advanced §5.2.3 want outside as well.
        query = {name: value for name, value in self._query(attempt).items() if name in _OUTSIDE}
        return _at(discovery, query | {"request_uri": pushed.request_uri})

    async def read_return(self, attempt: Attempt, fields: Mapping[str, str]) -> Code | Declined:
        """Judge what came back. Hostile fields are `Declined("invalid_return")`; raise BankUnavailable for want of keys."""
        if not is_bounded(fields):
            return Declined("invalid_return", "the answer is too large")
        try:
            return await self._believe(attempt, fields)
        except Untrusted as error:
            return Declined("invalid_return", str(error))

    async def exchange(self, attempt: Attempt, code: Code) -> Grant:
        """Exchange the code for the customer's token. Raise BankUnavailable, BankSilent or BankRefused."""
        discovery = await self.discovery()
        form = {
            "grant_type": "authorization_code",
            "code": code.value,
            "redirect_uri": attempt.redirect_uri,
            "code_verifier": attempt.verifier,
        }
        request = self._client_request(discovery.token_url, discovery.token_endpoint, form, acts=True)
        answer = await self._channel.send(request)
        token = _read_token(answer)
        if token is None:
            raise _refusal(request, answer, "The bank did not accept the customer's agreement")
        await self._check_grant(attempt, token)
        return Grant(token.access_token, datetime.fromtimestamp(self._clock() + _lifetime(token), UTC))

    async def discovery(self) -> Discovery:
        """Return the bank's metadata, at most an hour old. Raise BankUnavailable."""
        if self._discovery is None or self._clock() - self._discovery[0] >= DISCOVERY_SECONDS:
            answer = await self._get(f"{self._issuer.rstrip('/')}/.well-known/openid-configuration")
            self._discovery = (self._clock(), read_discovery(answer, self._issuer))
        return self._discovery[1]

    async def _fetch_keys(self) -> bytes:
        return await self._get((await self.discovery()).jwks_uri)

    async def _get(self, url: str) -> bytes:
        request = Request("GET", url)
        answer = await self._channel.send(request)
        if answer.status != OK:
            raise fault_for(request, f"http_{answer.status}", retry_after_seconds=answer.retry_after_seconds)
        return answer.body

    async def _fetch_client_token(self, scope: str) -> Token:
        form = {"grant_type": "client_credentials", "scope": scope}
        discovery = await self.discovery()
        request = self._client_request(discovery.token_url, discovery.token_endpoint, form, acts=False)
        answer = await self._channel.send(request)
        token = _read_token(answer)
        if token is None:
            raise fault_for(request, f"no_client_token_{answer.status}", retry_after_seconds=answer.retry_after_seconds)
        return token

    def _client_request(self, url: str, audience: str, form: dict[str, str], *, acts: bool) -> Request:
        """Return a form that proves who we are to an endpoint (private_key_jwt, over mutual TLS)."""
        proof = {
            "client_id": self._client_id,
            "client_assertion_type": ASSERTION_TYPE,
            "client_assertion": self._signer.client_assertion(self._client_id, audience, self._clock()),
        }
        headers = {"content-type": "application/x-www-form-urlencoded"}
        return Request("POST", url, headers, urlencode({**form, **proof}).encode(), acts=acts)

    def _query(self, attempt: Attempt) -> dict[str, str]:
        """Return the parameters of the request; outside its signature they only repeat what is inside."""
        return {
            "client_id": self._client_id,
            "response_type": attempt.response_type,
            "response_mode": attempt.response_mode,
            "scope": f"openid {attempt.scope}",
            "redirect_uri": attempt.redirect_uri,
            "state": attempt.state,
            "nonce": attempt.nonce,
        }

    def _request_object(self, discovery: Discovery, attempt: Attempt) -> str:
        claims = {
            **self._query(attempt),
            "code_challenge": code_challenge(attempt.verifier),
            "code_challenge_method": "S256",
            "claims": {"id_token": _requested_claims(attempt), "userinfo": _requested_intent(attempt)},
        }
        return self._signer.request_object(self._client_id, discovery.issuer, claims, self._clock())

    async def _believe(self, attempt: Attempt, fields: Mapping[str, str]) -> Code | Declined:
        is_signed = "response" in fields
        if is_signed:
            fields = await verify_response_token(fields["response"], self._issuer, self._client_id, self.keys, self._clock())
        _check_bound(attempt, fields)
        if "error" in fields:
            return declined(fields["error"], fields.get("error_description", ""))
        if "code" not in fields:
            return Declined("unsaid", "The bank sent the customer back without saying why")
        if attempt.manner.is_signed and not is_signed:
            raise Untrusted("the answer is not signed as it was asked to be")
        if attempt.manner.has_id_token:
            await self._check_id_token(attempt, fields.get("id_token", ""), fields["code"], attempt.state)
        return Code(fields["code"])

    async def _check_grant(self, attempt: Attempt, token: Token) -> None:
        """Check the token endpoint's own id_token; the only one there is where the customer brought none."""
        if token.id_token is None and attempt.manner.has_id_token:
            return
        try:
            await self._check_id_token(attempt, token.id_token or "", None, None)
        except Untrusted as error:
            raise BankRefused("invalid_id_token", "The bank's answer could not be trusted") from error
        except BankUnavailable as error:  # the code is used up by now
            raise BankSilent(error.code, "The bank did not give a usable answer") from error

    async def _check_id_token(self, attempt: Attempt, token: str, code: str | None, state: str | None) -> None:
        expected = Expected(self._issuer, self._client_id, attempt.consent_id, attempt.nonce, code, state)
        await verify_id_token(token, expected, self.keys, self._clock())


def _push_url(discovery: Discovery) -> str:
    if discovery.push_url is None:
        raise BankUnavailable("no_push_endpoint", "The bank cannot be reached just now")
    return discovery.push_url


def _at(discovery: Discovery, query: Mapping[str, str]) -> str:
    joint = "&" if urlsplit(discovery.authorization_endpoint).query else "?"
    return f"{discovery.authorization_endpoint}{joint}{urlencode(query)}"


def _requested_intent(attempt: Attempt) -> dict[str, Any]:
    return {"openbanking_intent_id": {"essential": True, "value": attempt.consent_id}}


def _requested_claims(attempt: Attempt) -> dict[str, Any]:
    return {**_requested_intent(attempt), "acr": {"essential": True, "values": [STRONG_AUTHENTICATION]}}


def _check_bound(attempt: Attempt, fields: Mapping[str, str]) -> None:
    if not secrets.compare_digest(fields.get("state", "").encode(errors="replace"), attempt.state.encode()):
        raise Untrusted("state is missing or another")
    if fields.get("iss", attempt.issuer) != attempt.issuer:  # RFC 9207
        raise Untrusted("the answer is another bank's")
    code = fields.get("code")
    if code is not None and ("error" in fields or not code or not code.isascii() or not code.isprintable()):
        raise Untrusted("the code cannot be one")


def _read_pushed(answer: Answer) -> Pushed | None:
    if answer.status not in {OK, CREATED}:  # 201 by the standard
        return None
    try:
        return msgspec.json.decode(answer.body, type=Pushed)
    except (msgspec.DecodeError, RecursionError):
        return None


def _read_token(answer: Answer) -> Token | None:
    if answer.status != OK:
        return None
    try:
        token = msgspec.json.decode(answer.body, type=Token, strict=False)  # some say "expires_in": "300"
    except (msgspec.DecodeError, RecursionError):
        return None
    return token if token.access_token.isascii() and token.access_token.isprintable() and token.access_token else None


def _lifetime(token: Token) -> float:
    return max(0.0, min(float(token.expires_in), MAX_TOKEN_SECONDS))


class _OAuthError(msgspec.Struct):
    error: str


def _refusal(request: Request, answer: Answer, sentence: str) -> BankRefused | BankUnavailable | BankSilent:
    """Choose the word for an answer to `_client_request` that is not success: only a readable OAuth error is a refusal."""
    if answer.status == TOO_MANY:
        return fault_for(request, "http_429", sent=False, retry_after_seconds=answer.retry_after_seconds)
    if answer.status in {BAD_REQUEST, UNAUTHORISED}:
        try:
            error = msgspec.json.decode(answer.body, type=_OAuthError).error
        except (msgspec.DecodeError, RecursionError):
            error = ""
        if error:
            return BankRefused(error[:40], sentence)
    return fault_for(request, f"http_{answer.status}")
