"""The bank's configuration file: which banks there are, which clients they know, and how time passes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec

from modelbank.quirks import DOWN_SECONDS, SHORT_SESSION_SECONDS, SLOW_SECONDS, Quirk


class Tls(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Files of the API's TLS, relative to the configuration file."""

    certificate: str
    key: str
    client_ca: str


class BankConfig(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One pretend bank."""

    id: str
    name: str
    organisation_id: str
    financial_id: str
    signing_key: str
    signing_kid: str
    trust_anchor: str = "openbanking.org.uk"
    require_pushed_requests: bool = False  # RFC 9126 §5
    quirks: tuple[Quirk, ...] = ()  # for everybody at this bank; levers may say otherwise while it runs


class ClientConfig(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One registered third party."""

    client_id: str
    name: str
    organisation_id: str
    software_id: str
    certificate_subject: str  # RFC 4514, as `cryptography` writes it
    redirect_uris: tuple[str, ...]
    jwks: dict[str, Any]
    scopes: tuple[str, ...] = ("payments", "accounts", "fundsconfirmations")

    @property
    def signing_issuer(self) -> str:
        """Who signs this client's messages: "{organisation}/{software statement}"."""
        return f"{self.organisation_id}/{self.software_id}"


class Schedule(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """When a payment's status moves on, in seconds after it was received."""

    accepted_seconds: float = 0.5  # ACSP
    debited_seconds: float = 1.5  # ACSC, or RJCT for the customer whose payments fail late
    credited_seconds: float = 3.0  # ACCC


class Limits(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """How long things live."""

    code_seconds: int = 60
    session_seconds: int = 600
    short_session_seconds: int = SHORT_SESSION_SECONDS
    client_token_seconds: int = 3600
    customer_token_seconds: int = 86_400  # a client may ask again about a lost answer for 23 hours
    idempotency_seconds: int = 86_400
    backchannel_seconds: int = 300  # how long a decoupled request awaits the customer
    poll_seconds: int = 5  # how long a client must wait before it asks again what became of one
    slow_seconds: float = SLOW_SECONDS
    down_seconds: float = DOWN_SECONDS


class Config(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Everything that the program must be told."""

    dsn: str
    tls: Tls
    banks: tuple[BankConfig, ...]
    clients: tuple[ClientConfig, ...]
    host: str = "127.0.0.1"
    pages_port: int = 8100
    api_port: int = 8101
    schedule: Schedule = Schedule()
    limits: Limits = Limits()
    headless: bool = False
    headless_customer: str = "alex"

    def issuer(self, bank_id: str) -> str:
        """Return the issuer identifier of a bank."""
        return f"https://localhost:{self.api_port}/{bank_id}"

    def authorize_url(self, bank_id: str) -> str:
        """Return the address of a bank's authorisation endpoint."""
        return f"http://{bank_id}.localhost:{self.pages_port}/authorize"


def load_config(path: Path) -> Config:
    """Read a configuration file. Raise msgspec.ValidationError that names the wrong member."""
    return msgspec.json.decode(path.read_bytes(), type=Config)
