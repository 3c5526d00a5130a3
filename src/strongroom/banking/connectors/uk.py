"""A UK Open Banking v4.0 bank: which URL, with which token, headers and signatures, in which order."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from urllib.parse import quote, urljoin, urlsplit

import msgspec

from strongroom.banking.connectors import uk_payloads as payloads
from strongroom.banking.connectors.uk_authorisation import Attempt, AuthorisationServer
from strongroom.banking.connectors.uk_words import GONE, MAYBE_DONE, REFUSED, plain_reason
from strongroom.banking.port import (
    AccessOrder,
    Account,
    Authorising,
    BankRefused,
    BankSilent,
    BankUnavailable,
    Code,
    ConsentReport,
    ConsentStatus,
    CustomerContext,
    Declined,
    Grant,
    PaymentOrder,
    PaymentReport,
)
from strongroom.banking.signing import TRUST_ANCHOR, Proof, Signer, Untrusted, verify_detached
from strongroom.banking.transport import Answer, Channel, Request, fault_for

MAX_PAGES = 10
MAX_HOLDERS_ASKED = 20
SIGNATURE = "x-jws-signature"
OK, CREATED, NO_CONTENT, BAD_REQUEST, UNAUTHORISED, FORBIDDEN, NOT_FOUND, CONFLICT, TOO_MANY = (
    200, 201, 204, 400, 401, 403, 404, 409, 429,
)  # fmt: skip
REFUSALS = range(BAD_REQUEST, 500)
PAYMENT_CONSENTS = "/pisp/domestic-payment-consents"
PAYMENTS = "/pisp/domestic-payments"
ACCESS_CONSENTS = "/aisp/account-access-consents"
ACCOUNTS = "/aisp/accounts"


@dataclass(frozen=True, slots=True)
class UkSettings:
    """One bank as the directory knows it. `signing_subject` is the `iss` of its message signatures."""

    issuer: str
    client_id: str
    signing_subject: str
    resource_base: str
    trust_anchor: str = TRUST_ANCHOR
    pushes: bool = False  # pushes its authorisation requests even if the bank does not demand it
    holders_within_seconds: float = 30.0  # the customer waits; a name not found in time stays unknown


class UkBank:
    """Keep the `Bank` protocol against one UK bank. Holds no state of any attempt; tokens of our own are cached."""

    def __init__(self, settings: UkSettings, channel: Channel, signer: Signer, clock: Callable[[], float]) -> None:
        self._settings = settings
        self._channel = channel
        self._signer = signer
        self._clock = clock
        self._server = AuthorisationServer(settings.issuer, settings.client_id, channel, signer, clock, pushes=settings.pushes)

    async def request_payment(self, order: PaymentOrder) -> Authorising:
        """Create the payment consent; the same order sends the same bytes under the same key. Raise ValueError if malformed."""
        payloads.check_order(order)
        headers = payloads.customer_headers(order.customer)
        request = self._signed_post(PAYMENT_CONSENTS, payloads.consent_body(order), order.consent_idempotency_key, headers)
        answer = await self._send_as_client(request, "payments")
        consent_id = payloads.read_consent_id((await self._signed_answer(request, answer))[0])
        if consent_id is None:
            raise fault_for(request, "answer_unreadable")
        url, attempt = await self._server.begin("payments", consent_id, order.back)
        body = payloads.payment_body(order, consent_id).decode()
        return _authorising(url, msgspec.structs.replace(attempt, body=body, submit_key=order.submit_idempotency_key))

    async def request_access(self, order: AccessOrder) -> Authorising:
        """Create the account access consent (neither signed nor idempotent in the standard; one too many is harmless)."""
        headers = {"content-type": "application/json", **payloads.customer_headers(order.customer)}
        request = self._request("POST", ACCESS_CONSENTS, headers, payloads.access_body(order), acts=True)
        answer = await self._send_as_client(request, "accounts")
        consent_id = payloads.read_consent_id(await self._plain_answer(request, answer))
        if consent_id is None:
            raise fault_for(request, "answer_unreadable")
        return _authorising(*await self._server.begin("accounts", consent_id, order.back))

    async def push_request(self, memory: str) -> str:
        """Push the authorisation request anew."""
        return await self._server.push(self._recall(memory))

    async def accept_return(self, memory: str, fields: Mapping[str, str]) -> Code | Declined:
        """Judge what came back with the customer."""
        return await self._server.read_return(self._recall(memory), fields)

    async def exchange(self, memory: str, code: Code) -> Grant:
        """Exchange the code, once."""
        return await self._server.exchange(self._recall(memory), code)

    async def submit_payment(self, memory: str, grant: Grant) -> PaymentReport:
        """Send the remembered bytes under the remembered key, the first time and every time it is asked about."""
        attempt = self._recall(memory)
        request = self._signed_post(PAYMENTS, attempt.body.encode(), attempt.submit_key, _bearer(grant.access_token))
        return await self._payment(request, await self._channel.send(request), attempt)

    async def payment_report(self, memory: str, bank_payment_id: str) -> PaymentReport:
        """Ask where a submitted payment stands. Raise BankUnavailable for any answer that is not to be believed."""
        attempt = self._recall(memory)
        request = self._request("GET", f"{PAYMENTS}/{quote(bank_payment_id, safe='')}")
        report = await self._payment(request, await self._send_as_client(request, "payments"), attempt)
        if report.bank_payment_id != bank_payment_id:
            raise fault_for(request, "answer_about_another")
        return report

    async def consent_report(self, memory: str) -> ConsentReport:
        """Ask where the consent stands. Raise BankUnavailable."""
        attempt = self._recall(memory)
        path = PAYMENT_CONSENTS if attempt.scope == "payments" else ACCESS_CONSENTS
        request = self._request("GET", f"{path}/{quote(attempt.consent_id, safe='')}")
        answer = await self._send_as_client(request, attempt.scope)
        if await self._is_gone(request, answer):
            return ConsentReport(attempt.consent_id, ConsentStatus.GONE)
        said = await self._consent_answer(request, answer, attempt)
        if payloads.read_consent_id(said) != attempt.consent_id:
            raise fault_for(request, "answer_about_another")
        report = payloads.read_consent(said, attempt.consent_id)
        return replace(report, reason=plain_reason(report.reason_code, report.reason))

    async def read_accounts(self, memory: str, grant: Grant, customer: CustomerContext) -> tuple[Account, ...]:
        """Read the shared accounts: at most ten pages, names looked up for the first twenty that lack one."""
        self._recall(memory)
        headers = {**_bearer(grant.access_token), **payloads.customer_headers(customer)}
        accounts = await self._account_pages(headers)
        nameless = [account.account_id for account in accounts if account.name is None][:MAX_HOLDERS_ASKED]
        holders = await self._find_holders(nameless, headers)
        return tuple(replace(account, name=account.name or holders.get(account.account_id)) for account in accounts)

    async def close_access(self, memory: str) -> None:
        """Delete the consent; one that is gone already is success. Raise BankUnavailable or BankRefused."""
        attempt = self._recall(memory)
        request = self._request("DELETE", f"{ACCESS_CONSENTS}/{quote(attempt.consent_id, safe='')}")
        answer = await self._send_as_client(request, "accounts")
        if answer.status in {OK, NO_CONTENT} or await self._is_gone(request, answer):
            return
        raise await self._refusal(request, answer)

    def _recall(self, memory: str) -> Attempt:
        attempt = msgspec.json.decode(memory, type=Attempt)
        if attempt.issuer != self._settings.issuer:
            raise ValueError("this memory is of another bank")
        return attempt

    def _request(
        self, method: str, path: str, headers: Mapping[str, str] | None = None, body: bytes | None = None, *, acts: bool = False
    ) -> Request:
        return Request(method, self._settings.resource_base + path, headers or {}, body, acts)

    def _signed_post(self, path: str, body: bytes, idempotency_key: str, headers: Mapping[str, str]) -> Request:
        signed = {
            **headers,
            "content-type": "application/json",
            "x-idempotency-key": idempotency_key,
            SIGNATURE: self._signer.detached(body, self._clock()),
        }
        return self._request("POST", path, signed, body, acts=True)

    async def _send_as_client(self, request: Request, scope: str) -> Answer:
        """Send with our own token; a token that the bank has forgotten is replaced, once."""
        token = await self._server.client_token(scope)
        answer = await self._channel.send(_with_token(request, token))
        if answer.status != UNAUTHORISED:
            return answer
        self._server.forget_client_token(scope, token)
        return await self._channel.send(_with_token(request, await self._server.client_token(scope)))

    async def _payment(self, request: Request, answer: Answer, attempt: Attempt) -> PaymentReport:
        said, proof = await self._signed_answer(request, answer)
        report = payloads.read_payment(said, proof.dump())
        if report is None:
            raise fault_for(request, "answer_unreadable")
        if payloads.read_consent_id(said) != attempt.consent_id:
            raise fault_for(request, "answer_about_another")
        return replace(report, reason=plain_reason(report.reason_code, report.reason))

    async def _consent_answer(self, request: Request, answer: Answer, attempt: Attempt) -> payloads.Json:
        if attempt.scope == "payments":
            return (await self._signed_answer(request, answer))[0]
        return await self._plain_answer(request, answer)

    async def _signed_answer(self, request: Request, answer: Answer) -> tuple[payloads.Json, Proof]:
        """Return the answer's object and its proof. A wrong or missing signature is no answer at all."""
        said = await self._plain_answer(request, answer)
        return said, await self._proof(request, answer)

    async def _plain_answer(self, request: Request, answer: Answer) -> payloads.Json:
        if answer.status not in {OK, CREATED}:
            raise await self._refusal(request, answer)
        said = payloads.read_object(answer.body)
        if said is None:
            raise fault_for(request, "answer_unreadable")
        return said

    async def _proof(self, request: Request, answer: Answer) -> Proof:
        settings = self._settings
        try:
            return await verify_detached(
                answer.body,
                answer.headers.get(SIGNATURE, ""),
                self._server.keys,
                issuer=settings.signing_subject,
                anchor=settings.trust_anchor,
                now=self._clock(),
            )
        except (Untrusted, BankUnavailable) as error:
            raise fault_for(request, "answer_untrusted") from error

    async def _refusal(self, request: Request, answer: Answer) -> BankRefused | BankUnavailable | BankSilent:
        """Choose the word for an answer that is not success. Only a readable no, given to a request that acts, is final."""
        wait_seconds = answer.retry_after_seconds
        if answer.status == TOO_MANY:
            return fault_for(request, "http_429", sent=False, retry_after_seconds=wait_seconds)
        codes = await self._error_codes(request, answer)
        code = codes[0] if codes else f"http_{answer.status}"
        is_plain_no = bool(codes) or answer.status in {UNAUTHORISED, FORBIDDEN}
        if answer.status not in REFUSALS or not is_plain_no or answer.status == CONFLICT or MAYBE_DONE.intersection(codes):
            return fault_for(request, code, retry_after_seconds=wait_seconds)
        if request.method == "GET":
            return fault_for(request, code)
        return BankRefused(code, plain_reason(code) or REFUSED)

    async def _is_gone(self, request: Request, answer: Answer) -> bool:
        """True when the bank says that it has no such thing: 400 with U011 in v4, 404 elsewhere."""
        if answer.status == NOT_FOUND:
            return payloads.read_object(answer.body) is not None or not answer.body
        return answer.status == BAD_REQUEST and not GONE.isdisjoint(await self._error_codes(request, answer))

    async def _error_codes(self, request: Request, answer: Answer) -> tuple[str, ...]:
        """Read the codes of an error body. Errors need no signature, but one that is there must be right."""
        if SIGNATURE in answer.headers:
            await self._proof(request, answer)
        return payloads.read_error_codes(payloads.read_object(answer.body) or {})

    async def _account_pages(self, headers: Mapping[str, str]) -> list[Account]:
        accounts: list[Account] = []
        seen: set[str] = set()
        url: str | None = self._settings.resource_base + ACCOUNTS
        while url is not None and url not in seen and len(seen) < MAX_PAGES:
            seen.add(url)
            request = Request("GET", url, headers)
            answer = await self._channel.send(request)
            if answer.status in {UNAUTHORISED, FORBIDDEN}:
                raise BankRefused(f"http_{answer.status}", "The bank no longer allows these accounts to be read")
            page = await self._plain_answer(request, answer)
            accounts += payloads.read_accounts(page)
            url = self._same_origin(payloads.read_next_page(page))
        return accounts

    def _same_origin(self, link: str | None) -> str | None:
        """Return the link if it stays at the bank's own resource server: it is asked for with the customer's token."""
        if link is None:
            return None
        base = urlsplit(self._settings.resource_base)
        try:
            target = urlsplit(urljoin(self._settings.resource_base + ACCOUNTS, link))
            is_ours = (target.scheme, target.hostname, target.port) == (base.scheme, base.hostname, base.port)
        except ValueError:
            return None
        return target.geturl() if is_ours and target.username is None else None

    async def _find_holders(self, account_ids: Iterable[str], headers: Mapping[str, str]) -> dict[str, str | None]:
        holders: dict[str, str | None] = {}
        with suppress(TimeoutError):
            async with asyncio.timeout(self._settings.holders_within_seconds):
                for account_id in account_ids:
                    holders[account_id] = await self._find_holder(account_id, headers)
        return holders

    async def _find_holder(self, account_id: str, headers: Mapping[str, str]) -> str | None:
        """Ask who holds an account: its party, else its parties. Banks need not offer either, and may fail at them."""
        for name in ("party", "parties"):
            request = self._request("GET", f"{ACCOUNTS}/{quote(account_id, safe='')}/{name}", headers)
            try:
                holder = payloads.read_holder(await self._plain_answer(request, await self._channel.send(request)))
            except BankUnavailable:
                continue
            if holder:
                return holder
        return None


def _authorising(url: str | None, attempt: Attempt) -> Authorising:
    return Authorising(attempt.consent_id, url, msgspec.json.encode(attempt).decode())


def _bearer(token: str) -> dict[str, str]:
    return {"authorization": f"Bearer {token}"}


def _with_token(request: Request, token: str) -> Request:
    return replace(request, headers={**request.headers, **_bearer(token)})
