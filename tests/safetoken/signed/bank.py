"""A bank whose software signs, and is known by its certificate, at a server that speaks mutual TLS."""

from __future__ import annotations

import contextlib
import re
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import count
from typing import Any

import httpx

from strongroom.access.model import Scope
from strongroom.soap.envelopes import parse
from strongroom.soap.security import Level, Policy
from strongroom.soap.verifying import verify, verify_answer
from tests.safetoken.authorities import Identity
from tests.safetoken.conftest import ACTOR, Bank, prefix_of
from tests.safetoken.served import Served
from tests.safetoken.signed.by_hand import Message, enrolment
from tests.safetoken.test_enrolment import luhn

PATH = "/api/v1/safetoken"
_numbers = count(700_000_000)


@dataclass
class SigningBank:
    """A bank whose software signs, and is known by its certificate."""

    bank: Bank
    identity: Identity
    http: httpx.AsyncClient
    served: Served

    @property
    def token(self) -> str:
        return self.http.headers["authorization"].removeprefix("Bearer ")

    def members(self, **changed: str) -> dict[str, str]:
        number = self.bank.issuer.bank_id
        return {
            "TerminalId": "3IWPDVNA", "BankId": str(number), "CardPan": luhn(f"{prefix_of(number)}{next(_numbers)}"), "City": "lag",
            "IsApprovedAndEnabled": "true", "PrimaryMobileNumber": "2347908516601", "RegistrationChannel": "9", **changed,
        }  # fmt: skip

    def message(self, **changed: Any) -> Message:
        return Message(
            **{
                "operation": enrolment(self.members()),
                "certificate": self.identity.certificate,
                "key": self.identity.key,
                **changed,
            }
        )

    async def send(self, message: Message | str, *, action: str = "AddCardHolder") -> httpx.Response:
        content = message if isinstance(message, str) else message.write()
        return await self.http.post(PATH, content=content, headers={"content-type": "text/xml", "soapaction": action})


@contextlib.asynccontextmanager
async def open_signing(served: Served, bank: Bank, identity: Identity, **settings: Any) -> AsyncIterator[SigningBank]:
    """Register a client by its certificate, set what it must sign, and yield it with a token."""
    chosen = {"caller_security": "body", "caller_signer_hashes": [identity.hash], **settings}
    await bank.house.issuers.change(ACTOR, bank.issuer.id, chosen)
    made = await bank.house.clients.create(
        ACTOR, bank.issuer.id, "host", [Scope.SAFETOKEN_ENROL], certificate_hash=bytes.fromhex(identity.hash)
    )
    context = identity.context(served.authority)
    async with httpx.AsyncClient(base_url=served.tls_url, verify=context, trust_env=False, timeout=30) as http:
        answer = await http.post("/passport/oauth/token", data={"grant_type": "client_credentials", "client_id": made.client_id})
        http.headers["authorization"] = f"Bearer {answer.json()['access_token']}"
        yield SigningBank(bank, identity, http, served)


def said(answer: httpx.Response) -> str:
    """Return the result's code, or the fault's."""
    found = re.search(r"<ResponseCode[^>]*>(\d+)<|<faultcode[^>]*>([^<]+)<", answer.text)
    assert found, answer.text
    return found[1] or found[2]


def is_signed(served: Served, answer: httpx.Response) -> bool:
    """True when the service's own certificate signed the answer, Body and all."""
    return verify(parse(answer.content), _trusting(served, Level.BODY)) is not None


def is_signed_without_body(served: Served, answer: httpx.Response, message: Message) -> bool:
    """True when it signed the answer's Timestamp and headers, which say that the answer is to this message."""
    policy = _trusting(served, Level.TIMESTAMP)
    held = verify_answer(parse(answer.content), policy, message.message_id, datetime.now(UTC))
    return "#Body" not in answer.text and held is not None


def _trusting(served: Served, level: Level) -> Policy:
    return Policy(level, frozenset({bytes.fromhex(served.identity.hash)}))
