"""The JSON of purchase authentication: what a gateway sends and what it is told."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated

import msgspec
from msgspec import Meta

from strongroom.kit.body import Shape

CardPan = Annotated[
    str, Meta(pattern=r"^[0-9]{13,19}\Z", description="13 to 19 digits with a right check digit", examples=["5061810000000152048"])
]
Amount = Annotated[
    msgspec.Raw,
    Meta(
        description="More than nothing, with at most two decimals, as a number or a text",
        extra_json_schema={"type": ["number", "string"], "examples": ["1500.00"]},
    ),
]
Currency = Annotated[str, Meta(pattern=r"^[A-Z]{3}\Z", description="ISO 4217, such as NGN; only currencies with two decimals")]
MerchantName = Annotated[
    str, Meta(min_length=1, max_length=60, description="Whom the cardholder pays, as the message with the code names them")
]
TransactionRef = Annotated[
    str, Meta(pattern=r"^[!-~]{1,64}\Z", description="Your own reference: the same one again begins nothing new")
]
Channel = Annotated[str, Meta(pattern=r"^[A-Z_]{1,20}\Z", description="Where the purchase is made, such as WEB, POS or ATM")]
Otp = Annotated[str, Meta(min_length=1, max_length=32, description="The code as the cardholder typed it; spaces do not matter")]
ProofText = Annotated[str, Meta(min_length=1, max_length=4096, description="The proof, a compact JWS")]
UseReference = Annotated[
    str, Meta(pattern=r"^[!-~]{1,64}\Z", description="What the proof is used for: once, and the same again gets the same answer")
]


class NewAuthenticationIn(Shape, frozen=True, kw_only=True):
    """A purchase to be confirmed by its cardholder."""

    card_pan: CardPan
    amount: Amount
    currency: Currency
    merchant_name: MerchantName
    transaction_ref: TransactionRef
    channel: Channel = "WEB"


class VerifyIn(Shape, frozen=True, kw_only=True):
    """A code to be judged."""

    otp: Otp


class ProofIn(Shape, frozen=True, kw_only=True):
    """A proof to be checked and used up."""

    proof: ProofText
    reference: UseReference


class BegunOut(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """A purchase whose cardholder is to be asked for a code; `status` is `failed` where the issuer cannot be asked."""

    authentication_id: str
    status: str
    token_type: Annotated[int | None, Meta(description="1 hardware, 2 SMS")]
    masked_phone: str | None
    prompt: Annotated[str | None, Meta(description="What to ask the cardholder")]
    question: Annotated[str | None, Meta(description="What a device that signs is to be fed with")] = None
    expires_at: datetime
    attempts_left: int


class JudgedOut(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """What became of a code: `authenticated` with a proof, `rejected`, `locked`, `expired` or `failed`."""

    authentication_id: str
    status: str
    attempts_left: int
    linking: Annotated[str | None, Meta(description="What binds the code to amount and payee: code or server")] = None
    proof: Annotated[str | None, Meta(description="A JWS (PS512), good for ten minutes and one use")] = None


class AuthenticationOut(msgspec.Struct, frozen=True, kw_only=True, rename="camel", omit_defaults=True):
    """A purchase. Its issuer sees the masked card and the contract's code as well; the merchant sees the proof."""

    authentication_id: str
    status: str
    listed_as: Annotated[str, Meta(description="INITIATED, FAILED, UNAUTHENTICATED or AUTHENTICATED")]
    amount: Annotated[str, Meta(description="With two decimals")]
    currency: str
    merchant_name: str
    transaction_ref: str
    channel: str
    created_at: datetime
    expires_at: datetime
    attempts_left: int
    token_type: int | None = None
    masked_phone: str | None = None
    prompt: str | None = None
    question: str | None = None
    authenticated_at: datetime | None = None
    linking: str | None = None
    proof: str | None = None
    merchant_id: str | None = None
    masked_pan: str | None = None
    code: str | None = None


class AuthenticationsOut(msgspec.Struct, frozen=True):
    """One page of purchases, newest first; `next` goes into `after`, and is null on the last page."""

    data: list[AuthenticationOut]
    next: str | None


class ProofUsedOut(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """What a proof that was just used up says."""

    authentication_id: str
    amount: str
    currency: str
    merchant_name: str
    transaction_ref: str
    card_reference: str
    linking: str | None
    used_at: datetime
