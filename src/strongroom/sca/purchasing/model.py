"""The values of purchases."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any

from strongroom.kit.crypto import Secret
from strongroom.kit.limits import Limit
from strongroom.sca.purchasing.states import PurchaseState

HUB = "hub"  # the tenant of purchases with cards of no issuer
MAX_ATTEMPTS = 5  # RTS Art. 4: at most five failures in a row
MAX_RESENDS = 3
CLAIM_SECONDS = 15  # five times what an issuer may take: an answer not recorded by then never will be
PROOF_SECONDS = 600
PER_CARD = Limit("purchases of a card", 5, 600)
PER_CARD_AND_DAY = Limit("purchases of a card in a day", 30, 86_400)
CURRENCIES = frozenset(  # ISO 4217, those with two decimals, where the contract's cards are used and whence merchants charge
    [
        "AED",
        "AOA",
        "AUD",
        "BWP",
        "CAD",
        "CHF",
        "CNY",
        "EGP",
        "ETB",
        "EUR",
        "GBP",
        "GHS",
        "GMD",
        "HKD",
        "INR",
        "JMD",
        "KES",
        "LRD",
        "MAD",
        "MUR",
        "MWK",
        "MZN",
        "NAD",
        "NGN",
        "SAR",
        "SGD",
        "SLE",
        "SZL",
        "TZS",
        "USD",
        "ZAR",
        "ZMW",
    ]
)


class AuditTag(StrEnum):
    """What purchases write into the audit."""

    BEGUN = "sca:purchase:begun"
    CODE_RESENT = "sca:purchase:code_resent"
    AUTHENTICATED = "sca:purchase:authenticated"
    REJECTED = "sca:purchase:rejected"
    LOCKED = "sca:purchase:locked"
    FAILED = "sca:purchase:failed"
    PROOF_USED = "sca:purchase:proof_used"


class Judge(StrEnum):
    """Who says whether a purchase's code is right."""

    CARD = "card"  # the cardholder's token, kept here
    CODE = "code"  # a code that we made for this purchase, or that nobody has
    ISSUER = "issuer"


class Linking(StrEnum):
    """What binds the code to amount and payee (RTS Art. 5)."""

    CODE = "code"  # the code itself, or the message that brings it, names both
    SERVER = "server"  # only our record does


@dataclass(frozen=True, slots=True)
class Gateway:
    """The merchant's software that asks."""

    merchant_id: str
    client_id: str

    @property
    def actor(self) -> str:
        """Return the name under which it acts in the audit."""
        return f"client:{self.client_id}"


@dataclass(frozen=True, slots=True)
class NewPurchase:
    """A purchase to begin."""

    pan: Secret
    amount_minor: int
    currency: str
    payee: str
    reference: str
    channel: str


@dataclass(frozen=True, slots=True)
class Purchase:
    """A purchase, as its row tells it. Nothing in it opens anything."""

    issuer_id: str
    id: str
    state: PurchaseState
    merchant_id: str
    client_id: str
    reference: str
    amount_minor: int
    currency: str
    payee: str
    channel: str
    card_hash: bytes = field(repr=False)
    card_shown: str
    card_reference: str
    judge: str | None
    challenge_id: str | None
    cardholder_id: str | None
    phone_shown: str | None
    token_type: str | None
    linking: str | None
    prompt: str | None
    question: str | None
    attempts: int
    attempts_left: int
    resends: int
    code: str | None
    proof_id: str
    proof_used_at: datetime | None
    created_at: datetime
    changed_at: datetime
    expires_at: datetime
    authenticated_at: datetime | None


@dataclass(frozen=True, slots=True)
class Opening:
    """How a purchase is opened: who judges its code and what the payer is told."""

    judge: Judge
    token_type: str
    prompt: str
    linking: Linking
    challenge_id: str | None = None
    cardholder_id: str | None = None
    phone: Secret | None = None
    phone_shown: str | None = None
    question: str | None = None
    code: str | None = None  # why it cannot come to anything, for the issuer's eyes

    def columns(self) -> dict[str, Any]:
        """Return what of it is written as it is."""
        return {
            "judge": self.judge,
            "token_type": self.token_type,
            "prompt": self.prompt,
            "linking": self.linking,
            "challenge_id": self.challenge_id,
            "cardholder_id": self.cardholder_id,
            "phone_shown": self.phone_shown,
            "question": self.question,
            "code": self.code,
        }


@dataclass(frozen=True, slots=True)
class Judged:
    """What became of one code."""

    purchase: Purchase
    is_right: bool
    attempts_left: int


@dataclass(frozen=True, slots=True)
class ProofUse:
    """A proof that was checked and used up."""

    purchase: Purchase
    used_at: datetime


def shown_pan(pan: str) -> str:
    """Return the first six and the last four digits (PCI DSS 3.4.1)."""
    return f"{pan[:6]}{'*' * (len(pan) - 10)}{pan[-4:]}"


def shown_phone(digits: str) -> str:
    """Return a number of which only the last two digits are left."""
    bare = "".join(c for c in digits if c.isdigit())
    return "*" * max(0, len(bare) - 2) + bare[-2:]


def show_money(minor: int, currency: str) -> str:
    """Print an amount for people and for text messages: `NGN 1,500.00`, never with a sign that doubles the price of an SMS."""
    whole, rest = divmod(minor, 100)
    return f"{currency} {whole:,}.{rest:02d}"
