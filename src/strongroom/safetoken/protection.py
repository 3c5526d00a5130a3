"""Message security around every message of a sender whose policy asks for it: signatures in, signatures out, no message twice."""

from __future__ import annotations

from collections.abc import Sequence

from strongroom.kit.clock import own_now
from strongroom.kit.db import Database
from strongroom.kit.errors import Unavailable
from strongroom.kit.vault import Vault
from strongroom.safetoken.exchange import Sender
from strongroom.safetoken.store import replays as store
from strongroom.soap.envelopes import Envelope, write
from strongroom.soap.faults import Version
from strongroom.soap.security import MAX_SKEW_SECONDS, Level, failed_authentication, failed_check, message_expired
from strongroom.soap.signers import OurSigner
from strongroom.soap.signing import sign
from strongroom.soap.verifying import find_security, verify


class NotSigning(Unavailable):
    """An issuer's policy asks for signatures and this service has no certificate to sign with."""

    code, title = "not_signing", "This service has no certificate for signing messages; its operator must set one"


class Protection:
    """Admits signed messages and writes signed answers."""

    def __init__(self, db: Database, vault: Vault, signer: OurSigner | None) -> None:
        """Take the signer that answers are signed by; None where no certificate is set."""
        self._db = db
        self._vault = vault
        self._signer = signer

    def applies(self, envelope: Envelope, sender: Sender) -> bool:
        """True when a message must be signed, or is and its sender's policy looks at that. Raise SoapFault."""
        if sender.policy.level is Level.OFF:
            return False
        return sender.policy.is_required or find_security(envelope) is not None

    async def admit(self, envelope: Envelope, sender: Sender, *, is_numbered: bool = False) -> None:
        """Let a message pass whose signature holds, in its time, for the first time. Raise SoapFault or NotSigning.

        A message that is numbered, under the signature, passes again: its sequence knows what took effect.
        """
        verified = verify(envelope, sender.policy)
        if sender.certificate_hash is None:
            raise failed_authentication("Signed messages come over mutual TLS, from a client that is registered by its certificate")
        if self._signer is None:
            raise NotSigning
        message_hash = self._vault.hash("signed message", sender.issuer_id, verified.signed_info)
        async with self._db.transaction(sender.issuer_id) as tx:
            in_time, is_new = await store.claim(
                tx, sender.issuer_id, message_hash, verified.created, verified.expires, MAX_SKEW_SECONDS
            )
        if not in_time:
            raise message_expired()
        if not is_new and not is_numbered:
            raise failed_check("This very message was answered before; sign it anew, with a Timestamp of its own")

    def write(self, version: Version, body: str, blocks: Sequence[str], sender: Sender) -> str:
        """Return the envelope of an answer, signed as the sender signs, where there is a certificate: without one it is a fault."""
        if self._signer is None:
            return write(version, body, "".join(blocks))
        return sign(version, body, blocks, self._signer.current(), own_now(), sender.policy.level)
