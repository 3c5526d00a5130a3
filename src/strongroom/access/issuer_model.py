"""Issuers and merchants as values: what each may choose, every field with a working default and a ceiling."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Annotated, Literal

import msgspec
from msgspec import Meta

CertificateHash = Annotated[str, Meta(pattern=r"^[0-9a-f]{64}\Z")]
Country = Annotated[str, Meta(pattern=r"^[A-Z]{2}\Z")]
CardPrefix = Annotated[str, Meta(pattern=r"^[0-9]{4,12}\Z")]
_MAX_PINNED = 20


class Hosting(StrEnum):
    """Who keeps an issuer's tokens: we do, or a service of its own."""

    HOSTED = "hosted"
    REMOTE = "remote"


class RemoteProtocol(StrEnum):
    """How a remote issuer's service is spoken to."""

    REST_XML = "rest_xml"
    REST_JSON = "rest_json"
    SOAP = "soap"


class MessageSecurity(StrEnum):
    """What of a SOAP message is signed (WS-Security): nothing, its Timestamp with the addressing headers, or the Body as well."""

    OFF = "off"
    TIMESTAMP = "timestamp"
    BODY = "body"


class CallerSecurity(StrEnum):
    """What of its own software's SOAP messages must be signed."""

    OFF = "off"
    OPTIONAL = "optional"
    TIMESTAMP = "timestamp"
    BODY = "body"


class CallerReliability(StrEnum):
    """Whether its own software's SOAP messages must come in a sequence of WS-ReliableMessaging."""

    OPTIONAL = "optional"
    REQUIRED = "required"


class ReliableVersion(StrEnum):
    """Which WS-ReliableMessaging a remote issuer is spoken to in."""

    NONE = "none"
    V1_0 = "1.0"
    V1_1 = "1.1"


class SmsBy(StrEnum):
    """Who sends the text message with a remote issuer's code."""

    HUB = "hub"
    ISSUER = "issuer"


class UserIdSource(StrEnum):
    """What AuthenticateOTP names a remote issuer's cardholder by."""

    PAN = "pan"
    RETURNED = "returned"
    ACCOUNT = "account"


class DownAnswer(StrEnum):
    """What a purchase gets while a remote issuer cannot be reached."""

    DECLINE = "decline"


class IssuerSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What an issuer may choose; every field has a working default and a ceiling."""

    hosting: Annotated[Hosting, Meta(description="hosted: we keep its tokens; remote: its own service does")] = Hosting.HOSTED
    remote_url: Annotated[
        str, Meta(pattern=r"^(https?://\S{1,400})?\Z", description="Where the remote service listens; its paths are appended")
    ] = ""
    remote_protocol: Annotated[RemoteProtocol, Meta(description="rest_xml, rest_json or soap")] = RemoteProtocol.REST_XML
    remote_certificate_hashes: Annotated[
        tuple[CertificateHash, ...],
        Meta(
            max_length=_MAX_PINNED,
            description="SHA-256 of the remote server's certificates; empty: any that the trusted CAs signed",
        ),
    ] = ()
    remote_signer_hashes: Annotated[
        tuple[CertificateHash, ...],
        Meta(max_length=_MAX_PINNED, description="SHA-256 of the certificates that may sign the remote service's answers"),
    ] = ()
    ws_security: Annotated[MessageSecurity, Meta(description="What we sign, and want signed, when calling by SOAP")] = (
        MessageSecurity.OFF
    )
    reliable: Annotated[ReliableVersion, Meta(description="WS-ReliableMessaging when calling by SOAP: none, 1.0 or 1.1")] = (
        ReliableVersion.NONE
    )
    allow_sha256: Annotated[bool, Meta(description="Accept SHA-256 signatures too; the document asks for SHA-512")] = False
    sms_by: Annotated[
        SmsBy,
        Meta(
            description="Who sends the text message, between a hub and an issuer's own service: issuer, or hub (a code of its own)"
        ),
    ] = SmsBy.ISSUER
    user_id_source: Annotated[UserIdSource, Meta(description="UserId of AuthenticateOTP: pan, returned or account")] = (
        UserIdSource.PAN
    )
    down_answer: Annotated[DownAnswer, Meta(description="While the remote service is down: decline")] = DownAnswer.DECLINE
    caller_security: Annotated[
        CallerSecurity,
        Meta(
            description="What its own software must sign: off; optional (nothing, but what is signed must hold, Body and all); "
            "timestamp (with Action and To); body"
        ),
    ] = CallerSecurity.OFF
    caller_reliability: Annotated[
        CallerReliability,
        Meta(description="Whether its own software's messages must come in a sequence of WS-ReliableMessaging: optional, required"),
    ] = CallerReliability.OPTIONAL
    caller_signer_hashes: Annotated[
        tuple[CertificateHash, ...],
        Meta(max_length=_MAX_PINNED, description="SHA-256 of the certificates that may sign its own software's messages"),
    ] = ()
    hub_certificate_hashes: Annotated[
        tuple[CertificateHash, ...],
        Meta(max_length=_MAX_PINNED, description="SHA-256 of the certificates of hubs that may call its issuer service here"),
    ] = ()
    hub_security: Annotated[
        CallerSecurity,
        Meta(description="What hubs must sign of SOAP messages to its issuer service here: off, optional, timestamp or body"),
    ] = CallerSecurity.OFF
    hub_signer_hashes: Annotated[
        tuple[CertificateHash, ...],
        Meta(max_length=_MAX_PINNED, description="SHA-256 of the certificates that may sign hubs' messages"),
    ] = ()
    duplicate_code: Annotated[
        Literal["82001", "82002"], Meta(description="Code of `User already exists`: as printed, or 82002")
    ] = "82001"
    refuse_server_linking: Annotated[
        bool, Meta(description="Refuse purchases whose code does not itself sign amount and payee (linking: server)")
    ] = False
    otp_digits: Annotated[int, Meta(ge=6, le=8, description="Digits of a code sent by SMS")] = 6
    otp_life_seconds: Annotated[
        int, Meta(ge=60, le=600, description="How long a code sent by SMS counts, and a purchase waits for it")
    ] = 540
    sms_sender: Annotated[str, Meta(pattern=r"^[A-Za-z0-9 ]{0,11}\Z", description="Who text messages come from")] = ""
    sms_countries: Annotated[
        tuple[Country, ...], Meta(max_length=250, description="Countries (ISO 3166) that text messages may go to; empty: any")
    ] = ()


class MerchantSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What a merchant may choose."""

    begins_per_minute: Annotated[int, Meta(ge=1, le=60_000, description="Purchases that one of its clients may begin a minute")] = (
        600
    )


@dataclass(frozen=True, slots=True)
class Issuer:
    """An issuer. Whether a card is its own is told by `Issuers.find_by_pan`: another may have a longer prefix."""

    id: str
    bank_id: int
    name: str
    card_prefixes: tuple[str, ...]
    settings: IssuerSettings
    created_at: datetime


@dataclass(frozen=True, slots=True)
class Merchant:
    """A merchant gateway or switch."""

    id: str
    name: str
    settings: MerchantSettings
    created_at: datetime
