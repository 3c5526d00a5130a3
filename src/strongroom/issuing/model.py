"""How one remote issuer wants to be spoken to, and the time that one question may take."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import Self

from strongroom.access.issuer_model import Issuer, MessageSecurity, ReliableVersion, RemoteProtocol, SmsBy

LIMIT_SECONDS = 3.0  # in all: the industry's hard limit for a question in the middle of a purchase


@dataclass(frozen=True, slots=True)
class Policy:
    """One issuer's way of being called. `url` is the base that `/validatecard/` is added to, or the SOAP address itself."""

    issuer_id: str
    url: str
    protocol: RemoteProtocol = RemoteProtocol.REST_XML
    security: MessageSecurity = MessageSecurity.OFF
    reliability: ReliableVersion = ReliableVersion.NONE
    allow_sha256: bool = False
    sends_sms: bool = False  # ValidateCard makes the issuer send a text message, so that asking twice may send two
    pinned: frozenset[bytes] = frozenset()  # SHA-256 of the certificates that the service may show; none: any trusted one
    signers: frozenset[bytes] = frozenset()  # SHA-256 of the certificates that may sign its answers

    @classmethod
    def of(cls, issuer: Issuer) -> Self:
        """Return the policy that an issuer's settings say."""
        chosen = issuer.settings
        return cls(
            issuer.id,
            chosen.remote_url,
            chosen.remote_protocol,
            chosen.ws_security,
            chosen.reliable,
            chosen.allow_sha256,
            chosen.sms_by is SmsBy.ISSUER,
            frozenset(map(bytes.fromhex, chosen.remote_certificate_hashes)),
            frozenset(map(bytes.fromhex, chosen.remote_signer_hashes)),
        )


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
