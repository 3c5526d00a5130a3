"""A rule of the standard, with an attempt to break it and the refusal that must follow."""

from __future__ import annotations

import copy
import json
import uuid
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any

import httpx

from tests.conformance.outcomes import Outcome
from tests.modelbank.conftest import Running
from tests.modelbank.foreign_client import Browser, Tpp, consent_body

CONSENTS, ORDERS, ACCESS = "pisp/domestic-payment-consents", "pisp/domestic-payments", "aisp/account-access-consents"


@dataclass(frozen=True, slots=True)
class Stage:
    """Who takes part in an attempt: the bank, two third parties, a customer's browser; and tokens that several attempts use."""

    bank: Running
    tpp: Tpp
    other: Tpp
    browser: Browser
    tokens: dict[str, str] = field(default_factory=dict)


Attempt = Callable[[Stage], Awaitable[str]]


@dataclass(frozen=True, slots=True)
class Rule:
    """A rule: breaking it must be answered with `expected`. A rule without an attempt says in `reason` why it has none."""

    sentence: str
    expected: str = ""
    attempt: Attempt | None = None
    reason: str = ""

    async def outcome(self, section: str, number: int, stage: Stage) -> Outcome:
        """Try to break the rule and tell what came of it."""
        name = f"{section[0]}.{number}"
        if self.attempt is None:
            return Outcome(section, name, self.sentence, "skipped", self.reason)
        try:
            seen = await self.attempt(stage)
        except Exception as off:  # noqa: BLE001  # whatever goes wrong in an attempt is its outcome; the others go on
            seen = f"{type(off).__name__}: {str(off)[:200]}"
        if seen == self.expected:
            return Outcome(section, name, self.sentence, "passed", seen)
        return Outcome(section, name, self.sentence, "failed", f"{seen} instead of {self.expected}")


async def refusal(tpp: Tpp, answer: httpx.Response) -> str:
    """Return an answer in short; every one must carry an interaction id, and every body under /pisp the bank's signature."""
    assert answer.headers["x-fapi-interaction-id"]
    if not answer.content:
        return f"{answer.status_code} without a body"
    if "/pisp/" in answer.request.url.path:
        await tpp.verify_response(answer)
    content = answer.json()
    codes = " ".join(error["ErrorCode"] for error in content.get("Errors", ()))
    return f"{answer.status_code} {codes}".strip()


def changed(body: dict[str, Any], path: str, value: Any) -> dict[str, Any]:
    """Return a body with one member set, or left out when the value is None."""
    new = copy.deepcopy(body)
    *parents, last = path.split(".")
    place = new
    for parent in parents:
        place = place[parent]
    if value is None:
        del place[last]
    else:
        place[last] = value
    return new


def consent(path: str, value: Any) -> Attempt:
    """Ask for a payment consent whose body differs in one member."""

    async def attempt(stage: Stage) -> str:
        body = changed(consent_body(), path, value)
        return await refusal(stage.tpp, await stage.tpp.post(CONSENTS, body, await stage.tpp.client_token("payments")))

    return attempt


def headers(**sent: str | None) -> Attempt:
    """Ask for a payment consent with other headers; None leaves a header out."""

    async def attempt(stage: Stage) -> str:
        token = await stage.tpp.client_token("payments")
        return await refusal(stage.tpp, await stage.tpp.post(CONSENTS, consent_body(), token, **sent))

    return attempt


def signed(**header: Any) -> Attempt:
    """Ask for a payment consent with another JWS header."""

    async def attempt(stage: Stage) -> str:
        body = json.dumps(consent_body()).encode()
        signature = stage.tpp.detached(body, stage.tpp.jws_header(**header))
        token = await stage.tpp.client_token("payments")
        return await refusal(stage.tpp, await stage.tpp.post(CONSENTS, body, token, x_jws_signature=signature))

    return attempt


def got(path: str, scope: str = "payments") -> Attempt:
    """Read something with the client's own token."""

    async def attempt(stage: Stage) -> str:
        return await refusal(stage.tpp, await stage.tpp.get(path, await stage.tpp.client_token(scope)))

    return attempt


def asked(**claims: Any) -> Attempt:
    """Send the customer with a request object that differs in some claims."""

    async def attempt(stage: Stage) -> str:
        consent_id = await stage.tpp.create_payment_consent(consent_body())
        return await authorised(stage, stage.tpp.request_claims(consent_id, **claims))

    return attempt


async def authorised(stage: Stage, claims: dict[str, Any], request: str | None = None, **outer: str) -> str:
    """Open the authorisation page; return the error that goes back with the state, or that nothing goes back."""
    await stage.browser.open(f"/authorize?{stage.tpp.authorize_query(claims, request, **outer)}")
    page = stage.browser.page
    if page.status_code == httpx.codes.BAD_REQUEST:
        assert "location" not in page.headers
        return "a page, nothing goes back"
    if page.status_code == httpx.codes.OK and 'name="username"' in page.text:
        return "the customer may sign in"
    back: dict[str, Any] = stage.browser.returned()
    if "response" in back:
        back = await stage.tpp.verify(back["response"])
    assert back.get("state") == claims.get("state")
    return f"error={back['error']}"


def fresh_key() -> str:
    """Return an idempotency key that nobody has used."""
    return uuid.uuid4().hex
