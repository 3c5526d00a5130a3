"""One SOAP message to an issuer: written once as bytes that may be sent again, signed where the issuer's policy says so."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from uuid import uuid4

from strongroom.access.issuer_model import MessageSecurity
from strongroom.issuing.model import Deadline, Policy
from strongroom.issuing.port import IssuerUnavailable
from strongroom.issuing.transport import Answer, Transport
from strongroom.kit.clock import own_now
from strongroom.soap import security
from strongroom.soap.addressing import Wsa, write_addressing
from strongroom.soap.envelopes import Envelope, parse, write
from strongroom.soap.faults import Version
from strongroom.soap.reading import Element
from strongroom.soap.security import Level
from strongroom.soap.signers import OurSigner
from strongroom.soap.signing import sign
from strongroom.soap.verifying import verify_answer

SENDERS_FAULTS = {"Client", "Sender", "MustUnderstand", "VersionMismatch"}  # the message was not taken as it was sent
_LEVELS = {MessageSecurity.TIMESTAMP: Level.TIMESTAMP, MessageSecurity.BODY: Level.BODY}


@dataclass(frozen=True, slots=True)
class Message:
    """One message. `soap_action` goes into the HTTP header; sent again it is the same, byte for byte."""

    id: str
    soap_action: str
    content: bytes = field(repr=False)


class Wire:
    """Writes, posts and reads the messages of one issuer's policy."""

    def __init__(self, transport: Transport, policy: Policy, signer: OurSigner | None) -> None:
        self.policy = policy
        self._transport = transport
        self._signer = signer
        self._is_signed = policy.security is not MessageSecurity.OFF
        self._trusts = security.Policy(_LEVELS.get(policy.security, Level.OFF), policy.signers, policy.allow_sha256)

    def write(
        self, soap_action: str, action: str, body: str, *, addressing: Wsa | None = None, blocks: Sequence[str] = ()
    ) -> Message:
        """Return a message; `action` is the URI of WS-Addressing, which is left out where nothing needs it.

        Raise IssuerUnavailable when the message must be signed and cannot be: nothing goes out with less.
        """
        message_id = f"urn:uuid:{uuid4()}"
        if addressing is None and not self._is_signed:
            return Message(message_id, soap_action, write(Version.SOAP_11, body).encode())
        reply_to = addressing.anonymous if addressing else None
        headers = write_addressing(
            addressing or Wsa.V2005, action, message_id=message_id, to=self.policy.url, reply_to=reply_to
        )  # fmt: skip
        if not self._is_signed:
            return Message(message_id, soap_action, write(Version.SOAP_11, body, "".join([*headers, *blocks])).encode())
        if self._signer is None:
            raise IssuerUnavailable("no_signer", "The issuer wants signed messages, and no certificate is set to sign with")
        text = sign(Version.SOAP_11, body, [*headers, *blocks], self._signer.current(), own_now(), self._trusts.level)
        return Message(message_id, soap_action, text.encode())

    async def post(self, message: Message, deadline: Deadline) -> Answer:
        """Send a message and return what comes back. Raise IssuerUnavailable or IssuerSilent."""
        return await self._transport.post(
            self.policy.url,
            message.content,
            {"Content-Type": Version.SOAP_11.content_type, "Accept": "text/xml", "SOAPAction": f'"{message.soap_action}"'},
            pinned=self.policy.pinned,
            deadline=deadline,
        )

    def read(self, answer: Answer, message: Message) -> Envelope:
        """Return the envelope of an answer, which is to this message where it says so. Raise SoapFault or XmlRefused."""
        envelope = parse(answer.body)
        if self._is_signed:
            verify_answer(envelope, self._trusts, message.id, own_now())
        return envelope


def fault_code(fault: Element) -> str:
    """Return the local name of a fault's code, in SOAP 1.1. Raise XmlRefused."""
    code = fault.find("faultcode")
    return code.text.strip().rpartition(":")[2] if code is not None else ""
