"""A bank that keeps the whole port and does what a test tells it: answers, waits, loses its answer, refuses, is away.

    bank.next("exchange", BankUnavailable("down"))      the next call raises, and nothing happened at the bank
    bank.next("submit_payment", LOST)                   the bank acts, and nobody hears of it (BankSilent)
    hold = bank.next("read_accounts", Hold())           the call waits: `await hold.arrived.wait()`, later `hold.go.set()`
    bank.next("payment_report", PaymentStatus.HELD)     from now on the payment stands so
    bank.next("accept_return", Declined("cancelled"))   any other value is the answer

Instructions are used up one a call, in order; without any the bank behaves as it should. It remembers consents, codes,
payments and every call, so that a test can ask what really happened there.
"""

from __future__ import annotations

import asyncio
import base64
import json
from collections import defaultdict, deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import cache
from typing import Any, TypeVar

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding, rsa

from strongroom.banking.port import (
    AccessOrder,
    Account,
    Authorising,
    BankRefused,
    BankSilent,
    Code,
    ConsentReport,
    ConsentStatus,
    CustomerContext,
    Declined,
    Grant,
    PaymentOrder,
    PaymentReport,
    PaymentStatus,
)
from strongroom.kit.errors import NotFound
from strongroom.kit.money import print_pounds

H = TypeVar("H")
LOST = object()
SIGNED_AS = {"iat": 1_800_000_000, "iss": "0015800001041RHAAY", "tan": "openbanking.org.uk"}
CURRENT = Account("acc-1", "Ann Example", "203301", "41234567", None, "current", "GBP")
SAVINGS = Account("acc-2", "Ann Example", "203301", "47654321", None, "savings", "GBP")
CARD = Account("acc-3", "Ann Example", can_receive=False, account_type="other")


@cache
def _key() -> rsa.RSAPrivateKey:
    return rsa.generate_private_key(65_537, 2048)


def sign(body: Mapping[str, Any], key: rsa.RSAPrivateKey | None = None, **header: Any) -> bytes:
    """Return a body with its detached signature, as a bank that signs by hand makes it; `header` changes what is signed."""
    signing = key or _key()
    text = json.dumps(body).encode()
    names = {f"http://openbanking.org.uk/{name}": value for name, value in SIGNED_AS.items()}
    head = _base64url(json.dumps({"alg": "PS256", "kid": "bank-1", "crit": list(names), **names, **header}).encode())
    pss = padding.PSS(padding.MGF1(hashes.SHA256()), padding.PSS.DIGEST_LENGTH)
    signature = signing.sign(f"{head}.{_base64url(text)}".encode(), pss, hashes.SHA256())
    numbers = signing.public_key().public_numbers()
    jwk = {"kty": "RSA", "kid": "bank-1", **{name: _base64url_number(getattr(numbers, name)) for name in ("n", "e")}}
    return json.dumps({"body": text.decode(), "x-jws-signature": f"{head}..{_base64url(signature)}", "jwk": jwk}).encode()


def _base64url(value: bytes) -> str:
    return base64.urlsafe_b64encode(value).rstrip(b"=").decode()


def _base64url_number(value: int) -> str:
    return _base64url(value.to_bytes((value.bit_length() + 7) // 8, "big"))


@dataclass
class Hold:
    """Makes a call wait until the test lets it go on."""

    arrived: asyncio.Event = field(default_factory=asyncio.Event)
    go: asyncio.Event = field(default_factory=asyncio.Event)


@dataclass
class HeldConsent:
    """A consent as the bank holds it."""

    id: str
    state: str
    order: PaymentOrder | AccessOrder
    status: ConsentStatus = ConsentStatus.AWAITING
    used_codes: set[str] = field(default_factory=set)


@dataclass
class ScriptedBank:
    """Keeps `Bank`."""

    accounts: tuple[Account, ...] = (CURRENT,)
    payer: Account | None = CURRENT
    settles_as: PaymentStatus = PaymentStatus.PENDING
    wants_pushes: bool = False
    consents: dict[str, HeldConsent] = field(default_factory=dict)
    payments: dict[str, PaymentStatus] = field(default_factory=dict)  # by submit key: one debit each
    closed: list[str] = field(default_factory=list)
    calls: list[str] = field(default_factory=list)
    seen: list[CustomerContext] = field(default_factory=list)  # whom accounts were read for
    _script: dict[str, deque[Any]] = field(default_factory=lambda: defaultdict(deque))

    def next(self, method: str, instruction: H) -> H:
        """Say what the next call of a method does; return the instruction."""
        assert callable(getattr(self, method, None)), f"the port has no {method}"
        self._script[method].append(instruction)
        return instruction

    def count(self, method: str) -> int:
        """Return how often a method was called."""
        return self.calls.count(method)

    def newest(self) -> HeldConsent:
        """Return the consent that was made last."""
        return list(self.consents.values())[-1]

    def agree(self) -> tuple[str, dict[str, str]]:
        """Let the customer agree to the newest consent; return the state and the fields that come back with them."""
        consent = self.newest()
        consent.status = ConsentStatus.AUTHORISED
        return consent.state, {"state": consent.state, "code": f"code-{consent.id}"}

    def decline(self) -> tuple[str, dict[str, str]]:
        """Let the customer say no to the newest consent."""
        consent = self.newest()
        consent.status = ConsentStatus.REJECTED
        return consent.state, {"state": consent.state, "error": "access_denied"}

    async def request_payment(self, order: PaymentOrder) -> Authorising:
        return await self._do("request_payment", lambda: self._consent(order))

    async def request_access(self, order: AccessOrder) -> Authorising:
        return await self._do("request_access", lambda: self._consent(order))

    async def push_request(self, memory: str) -> str:
        return await self._do("push_request", lambda: self._push(memory))

    async def accept_return(self, memory: str, fields: Mapping[str, str]) -> Code | Declined:
        return await self._do("accept_return", lambda: self._judge(memory, fields))

    async def exchange(self, memory: str, code: Code) -> Grant:
        return await self._do("exchange", lambda: self._exchange(memory, code))

    async def submit_payment(self, memory: str, grant: Grant) -> PaymentReport:
        return await self._do("submit_payment", lambda: self._submit(memory, grant))

    async def payment_report(self, memory: str, bank_payment_id: str) -> PaymentReport:
        return await self._do("payment_report", lambda: self._report(memory, bank_payment_id))

    async def consent_report(self, memory: str) -> ConsentReport:
        return await self._do("consent_report", lambda: self._consent_report(memory))

    async def read_accounts(self, memory: str, grant: Grant, customer: CustomerContext) -> tuple[Account, ...]:
        return await self._do("read_accounts", lambda: self._read(memory, grant, customer))

    async def close_access(self, memory: str) -> None:
        await self._do("close_access", lambda: self.closed.append(self._recall(memory).id))

    async def _do(self, method: str, act: Callable[[], Any]) -> Any:
        """Follow the script, or behave."""
        self.calls.append(method)
        instruction = self._script[method].popleft() if self._script[method] else None
        if isinstance(instruction, Hold):
            instruction.arrived.set()
            await instruction.go.wait()
            return act()
        if isinstance(instruction, BaseException):
            raise instruction
        if instruction is LOST:
            act()
            raise BankSilent("answer_lost")
        if isinstance(instruction, PaymentStatus):
            self.settles_as = instruction
            for key in self.payments:
                self.payments[key] = instruction
            return act()
        return act() if instruction is None else instruction

    def _consent(self, order: PaymentOrder | AccessOrder) -> Authorising:
        consent = HeldConsent(f"consent-{len(self.consents) + 1}", order.back.state, order)
        self.consents[consent.id] = consent
        url = None if self.wants_pushes else f"https://bank.example/authorise/{consent.id}"
        return Authorising(consent.id, url, json.dumps({"consent": consent.id}))

    def _push(self, memory: str) -> str:
        return f"https://bank.example/pushed/{self._recall(memory).id}/{self.count('push_request')}"

    def _recall(self, memory: str) -> HeldConsent:
        return self.consents[json.loads(memory)["consent"]]

    def _judge(self, memory: str, fields: Mapping[str, str]) -> Code | Declined:
        if fields.get("error") == "access_denied":
            return Declined("cancelled")
        code = fields.get("code")
        return Code(code) if code == f"code-{self._recall(memory).id}" else Declined("invalid_return")

    def _exchange(self, memory: str, code: Code) -> Grant:
        consent = self._recall(memory)
        if code.value in consent.used_codes:
            raise BankRefused("invalid_grant", "The code has been used.")
        consent.used_codes.add(code.value)
        return Grant(f"token-{consent.id}", datetime.now(UTC) + timedelta(hours=1))

    def _granted(self, memory: str, grant: Grant) -> HeldConsent:
        consent = self._recall(memory)
        if grant.access_token != f"token-{consent.id}" or consent.id in self.closed:
            raise BankRefused("invalid_token", "The right to do this is over.")
        return consent

    def _read(self, memory: str, grant: Grant, customer: CustomerContext) -> tuple[Account, ...]:
        self._granted(memory, grant)
        self.seen.append(customer)
        return self.accounts

    def _submit(self, memory: str, grant: Grant) -> PaymentReport:
        consent = self._granted(memory, grant)
        assert isinstance(consent.order, PaymentOrder)
        consent.status = ConsentStatus.CONSUMED
        self.payments.setdefault(consent.order.submit_idempotency_key, self.settles_as)
        return self._report(memory, f"bank-{consent.id}")

    def _report(self, memory: str, bank_payment_id: str) -> PaymentReport:
        consent = self._recall(memory)
        assert isinstance(consent.order, PaymentOrder)
        status = self.payments.get(consent.order.submit_idempotency_key)
        if status is None or bank_payment_id != f"bank-{consent.id}":
            raise BankRefused("not_found", "There is no such payment.")
        order = consent.order
        body = {
            "Data": {
                "DomesticPaymentId": bank_payment_id,
                "Status": str(status),
                "Initiation": {
                    "EndToEndIdentification": order.end_to_end_id,
                    "InstructedAmount": {"Amount": print_pounds(order.amount_minor), "Currency": order.currency},
                },
                "Debtor": {"Name": self.payer.name if self.payer else None},
            }
        }
        return PaymentReport(bank_payment_id, status, str(status), payer=self.payer, evidence=sign(body))

    def _consent_report(self, memory: str) -> ConsentReport:
        consent = self._recall(memory)
        return ConsentReport(consent.id, ConsentStatus.GONE if consent.id in self.closed else consent.status)


@dataclass
class ScriptedRegistry:
    """The directory of a test: banks by id."""

    banks: dict[str, ScriptedBank]

    def get_bank(self, bank_id: str) -> ScriptedBank:
        """Return a bank. Raise NotFound."""
        if bank_id not in self.banks:
            raise NotFound("There is no such bank")
        return self.banks[bank_id]
