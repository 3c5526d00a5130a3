"""The values of access: frozen, typed, without a way to the outside. Whatever is secret prints masked."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Annotated, Any

import msgspec
from msgspec import Meta

from strongroom.kit.crypto import Secret

TOKEN_SECONDS = 3600
PRINTED_CLIENT_ID = "IKIA1B7593C4402BC5E00C46AC8B1C1CC0B85EEBB088"  # in the public document, with its secret: never in production
MAX_AMOUNT_MINOR = 100_000_000  # £1,000,000.00: the contract's ceiling


class Scope(StrEnum):
    """What an access token may be used for."""

    FUNDS_READ = "funds:read"
    FUNDS_WRITE = "funds:write"
    WEBHOOKS_MANAGE = "webhooks:manage"
    SAFETOKEN_ENROL = "safetoken:enrol"
    SAFETOKEN_TOKENS_READ = "safetoken:tokens:read"
    SAFETOKEN_TOKENS = "safetoken:tokens"
    SAFETOKEN_AUTHENTICATE = "safetoken:authenticate"


class TenantKind(StrEnum):
    """What a tenant is; its ids begin so."""

    FIRM = "frm"
    ISSUER = "iss"
    MERCHANT = "mer"

    @classmethod
    def of(cls, tenant_id: str) -> TenantKind:
        """Return what an id says that a tenant is."""
        return cls(tenant_id.partition("-")[0])


SCOPES_OF = {
    TenantKind.FIRM: frozenset({Scope.FUNDS_READ, Scope.FUNDS_WRITE, Scope.WEBHOOKS_MANAGE}),
    TenantKind.ISSUER: frozenset({Scope.SAFETOKEN_ENROL, Scope.SAFETOKEN_TOKENS_READ, Scope.SAFETOKEN_TOKENS}),
    TenantKind.MERCHANT: frozenset({Scope.SAFETOKEN_AUTHENTICATE}),
}  # what a client of each may have: a firm's never reaches Safe Token, an issuer's or merchant's never the funds API
FIRM_SCOPES = SCOPES_OF[TenantKind.FIRM]


class AuditTag(StrEnum):
    """What access writes into the audit."""

    FIRM_CREATED = "access:firm:created"
    FIRM_CHANGED = "access:firm:changed"
    CLIENT_CREATED = "access:client:created"
    CLIENT_CHANGED = "access:client:changed"
    CLIENT_DISABLED = "access:client:disabled"
    SECRET_ROTATED = "access:secret:rotated"  # noqa: S105  # a tag, not a secret
    SECRET_EXPIRED = "access:secret:expired"  # noqa: S105  # a tag, not a secret
    TOKEN_CREATED = "access:token:created"  # noqa: S105  # a tag, not a secret
    TOKEN_REVOKED = "access:token:revoked"  # noqa: S105  # a tag, not a secret
    ISSUER_CREATED = "access:issuer:created"
    ISSUER_CHANGED = "access:issuer:changed"
    MERCHANT_CREATED = "access:merchant:created"
    MERCHANT_CHANGED = "access:merchant:changed"
    SIGNING_KEY_CREATED = "access:signing_key:created"
    HAND_OFF_CONFIRMED = "access:hand_off:confirmed"
    HAND_OFF_STOPPED = "access:hand_off:stopped"
    HAND_OFF_LOCKED = "access:hand_off:locked"
    STAFF_CREATED = "access:staff:created"
    STAFF_DISABLED = "access:staff:disabled"
    STAFF_AUTHENTICATED = "access:staff:authenticated"
    STAFF_LOCKED = "access:staff:locked"


TimeOfDay = Annotated[str, Meta(pattern=r"^([01][0-9]|2[0-3]):[0-5][0-9]\Z")]


class FirmSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What a firm may choose; every field has a working default and a ceiling."""

    automatic_customer_authentication: Annotated[bool, Meta(description="A request by itself lets the customer log in")] = True
    unique_case_ref: Annotated[bool, Meta(description="Refuse a case reference that another case has")] = False
    notify_credit_requests: Annotated[bool, Meta(description="Send the customer a text message for a credit request")] = True
    notify_account_requests: Annotated[bool, Meta(description="Send one for a customer account request")] = True
    sender_name: Annotated[str, Meta(pattern=r"^[A-Za-z0-9 ]{0,11}\Z", description="Who text messages come from")] = ""
    quiet_from: Annotated[TimeOfDay | None, Meta(description="No text messages from, such as 21:00")] = None
    quiet_until: Annotated[TimeOfDay | None, Meta(description="No text messages until")] = None
    quiet_zone: Annotated[str, Meta(max_length=64, description="Time zone of the quiet hours")] = "Europe/London"
    max_amount_minor: Annotated[int, Meta(ge=1, le=MAX_AMOUNT_MINOR, description="Largest credit request, in pence")] = (
        MAX_AMOUNT_MINOR
    )
    accent_colour: Annotated[str, Meta(pattern=r"^#[0-9a-f]{6}\Z", description="Accent of the customer's pages")] = "#1b5e52"
    logo_text: Annotated[str, Meta(max_length=40, description="Short name at the top of pages; empty: the name")] = ""
    registered_name: Annotated[str, Meta(max_length=140, description="Name in the public register")] = ""
    registered_number: Annotated[str, Meta(max_length=40, description="Number in the public register")] = ""
    phone: Annotated[str, Meta(max_length=40, description="Number that customers may call")] = ""
    address: Annotated[str, Meta(max_length=280, description="Registered address, as customers read it")] = ""
    role_text: Annotated[str, Meta(max_length=280, description="What the firm is, as customers read it")] = ""


@dataclass(frozen=True, slots=True)
class Firm:
    """A firm."""

    id: str
    name: str
    settings: FirmSettings
    created_at: datetime


class TokenAlgorithm(StrEnum):
    """How a client's access tokens of /passport are signed; the document asks for SHA-512."""

    RS512 = "RS512"
    RS256 = "RS256"


class ClientProfile(msgspec.Struct, frozen=True, kw_only=True):
    """What the token answer of /passport names about a client of an issuer or merchant, and how its tokens are made."""

    merchant_code: Annotated[str, Meta(max_length=40, description="merchant_code of the token answer")] = ""
    requestor_id: Annotated[str, Meta(max_length=40, description="requestor_id of the token answer")] = ""
    client_name: Annotated[str, Meta(max_length=140, description="client_name of the token answer")] = ""
    payable_id: Annotated[str, Meta(max_length=40, description="payable_id of the token answer")] = ""
    algorithm: Annotated[TokenAlgorithm, Meta(description="RS512, or RS256 for old software")] = TokenAlgorithm.RS512
    allow_encoded_pair: Annotated[bool, Meta(description="Let `Bearer base64(id:secret)` stand for an access token")] = False


@dataclass(frozen=True, slots=True)
class ApiClient:
    """An API client, without its secrets."""

    firm_id: str
    id: str
    name: str
    scopes: frozenset[Scope]
    uses_keys: bool
    uses_certificate: bool
    created_at: datetime
    disabled_at: datetime | None
    profile: ClientProfile | None = None


@dataclass(frozen=True, slots=True)
class NewClient:
    """A client just made; the secret is shown now and never again. None where keys or a certificate replace it."""

    client_id: str
    secret: Secret | None


@dataclass(frozen=True, slots=True)
class ClientSecret:
    """One of a client's secrets, by its name."""

    id: str
    created_at: datetime
    expires_at: datetime | None


@dataclass(frozen=True, slots=True)
class KnownClient:
    """What is needed to judge who claims to be a client."""

    firm_id: str
    id: str
    scopes: frozenset[Scope]
    secret_hashes: tuple[bytes, ...] = field(repr=False)  # those valid now
    keys: dict[str, Any] | None = field(repr=False)
    certificate_hash: bytes | None
    read_at: datetime  # by the database's clock
    profile: ClientProfile | None = None


@dataclass(frozen=True, slots=True)
class Credentials:
    """How somebody claims to be a client. Exactly one of secret and assertion, or neither when a certificate speaks."""

    client_id: str
    secret: Secret | None = None
    assertion: Secret | None = None
    certificate_hash: bytes | None = None


@dataclass(frozen=True, slots=True)
class AccessToken:
    """What is known of an access token; the token itself is known to its holder only."""

    id: str
    firm_id: str
    client_id: str
    kind: str
    name: str | None
    scopes: frozenset[Scope]
    certificate_hash: bytes | None
    created_at: datetime
    expires_at: datetime | None
    revoked_at: datetime | None


@dataclass(frozen=True, slots=True)
class IssuedToken:
    """An access token just issued, shown once; of a signed one `id` is its `jti`."""

    id: str
    token: Secret
    expires_in: int | None
    scopes: frozenset[Scope]


@dataclass(frozen=True, slots=True)
class Caller:
    """Somebody whose access token was checked; handlers find it as `request.user`."""

    firm_id: str
    client_id: str
    scopes: frozenset[Scope]
    token_id: str
    certificate_hash: bytes | None = None  # of the certificate that the token is bound to, and that was shown with it

    @property
    def tenant_id(self) -> str:
        """Return the tenant: the firm, issuer or merchant whose client calls."""
        return self.firm_id

    @property
    def actor(self) -> str:
        """Return the caller as the audit names it."""
        return f"client:{self.client_id}"


@dataclass(frozen=True, slots=True)
class StaffMember:
    """A person of a firm's staff, who has authenticated or is listed."""

    firm_id: str
    id: str
    name: str = field(repr=False)
    email: str = field(repr=False)
    created_at: datetime

    @property
    def actor(self) -> str:
        """Return the person as the audit names them."""
        return f"staff:{self.id}"


@dataclass(frozen=True, slots=True)
class NewStaff:
    """A person just added; the URI sets up their authenticator app and is shown once."""

    id: str
    totp_uri: Secret


class SessionKind(StrEnum):
    """How a customer came in."""

    CODE = "code"
    GRANT = "grant"
    PHONE = "phone"  # opened from another session, for one request


@dataclass(frozen=True, slots=True)
class Record:
    """What a session covers: one customer of one firm, in one case when a grant says so, for one request on a phone."""

    firm_id: str
    customer_id: str
    case_id: str | None = None
    request_id: str | None = None

    def allows(self, case_id: str, request_id: str) -> bool:
        """True when neither case nor request is outside what the session covers."""
        return self.case_id in {None, case_id} and self.request_id in {None, request_id}


@dataclass(frozen=True, slots=True)
class Session:
    """A portal session that is alive. `csrf` goes into every form and is compared by `Sessions.is_csrf`."""

    id: str
    kind: SessionKind
    records: tuple[Record, ...]
    csrf: str = field(repr=False)
    created_at: datetime
    seconds_left: int  # until it ends by itself if nothing happens

    def covers(self, firm_id: str, customer_id: str) -> bool:
        """True when the session covers this customer of this firm."""
        return any(record.firm_id == firm_id and record.customer_id == customer_id for record in self.records)
