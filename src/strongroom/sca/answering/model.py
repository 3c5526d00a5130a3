"""The values of questions."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from strongroom.access.issuer_model import Issuer
from strongroom.kit.crypto import Secret
from strongroom.kit.limits import Limit
from strongroom.kit.vault import Vault

PER_CARD = Limit("questions about a card", 20, 600)


class AuditTag(StrEnum):
    """What questions write into the audit."""

    ASKED = "sca:question:asked"
    AUTHENTICATED = "sca:question:authenticated"
    REJECTED = "sca:question:rejected"


@dataclass(frozen=True, slots=True)
class Hub:
    """Who asks: a hub whose certificate is pinned to the issuer."""

    issuer: Issuer
    certificate_hash: bytes  # SHA-256

    @property
    def name(self) -> str:
        """Return the name under which it acts in the audit and opens sequences."""
        return f"hub:{self.certificate_hash.hex()[:32]}"


@dataclass(frozen=True, slots=True)
class Asked:
    """Whose code is expected, and what it is compared with: a challenge, or a device (the very one that was asked about)."""

    cardholder_id: str
    token_serial: str | None = None
    challenge_id: str | None = None


def hash_user(vault: Vault, issuer: Issuer, user_id: Secret) -> bytes:
    """Return what a question is remembered by: the UserId that the hub will name, as a keyed hash."""
    return vault.hash("question user", issuer.id, str(issuer.settings.user_id_source), user_id.reveal())


def message_key(challenge_id: str) -> str:
    """Return the key of the text message that carries a challenge's code."""
    return f"question:{challenge_id}"
