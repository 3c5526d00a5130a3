"""How one remote issuer wants to be spoken to, and the time that one question may take."""

from __future__ import annotations

import time
from dataclasses import dataclass
from enum import StrEnum

LIMIT_SECONDS = 3.0  # in all: the industry's hard limit for a question in the middle of a purchase


class Protocol(StrEnum):
    """The wire form."""

    REST_XML = "rest_xml"
    REST_JSON = "rest_json"
    SOAP = "soap"


class Security(StrEnum):
    """What WS-Security signs, on SOAP."""

    OFF = "off"
    TIMESTAMP = "timestamp"  # Timestamp, Action and To: for services that cannot canonicalise the contract's namespaces
    BODY = "body"


class Reliability(StrEnum):
    """Which WS-ReliableMessaging is spoken, on SOAP."""

    NONE = "none"
    RM_1_0 = "1.0"
    RM_1_1 = "1.1"


@dataclass(frozen=True, slots=True)
class Policy:
    """One issuer's way of being called. `url` is the base that `/validatecard/` is added to, or the SOAP address itself."""

    issuer_id: str
    url: str
    protocol: Protocol = Protocol.REST_XML
    security: Security = Security.OFF
    reliability: Reliability = Reliability.NONE
    allow_sha256: bool = False
    sends_sms: bool = False  # ValidateCard makes the issuer send a text message, so that asking twice may send two
    pinned: frozenset[bytes] = frozenset()  # SHA-256 of the certificates that the service may show; none: any trusted one
    signing_certificate: str | None = None  # PEM of the key that signs the issuer's answers


class Deadline:
    """The time left for one question, whatever number of requests it takes."""

    def __init__(self, seconds: float = LIMIT_SECONDS) -> None:
        self._ends_at = time.monotonic() + min(seconds, LIMIT_SECONDS)

    def left_seconds(self) -> float:
        """Return how long may still be waited, never less than nothing."""
        return max(0.0, self._ends_at - time.monotonic())

    def sooner(self, seconds: float) -> Deadline:
        """Return a deadline that is at most so far off."""
        return Deadline(min(seconds, self.left_seconds()))
