"""The issuer's service over SOAP 1.1: envelopes, addressing and signatures; the members are those of the REST service."""

from __future__ import annotations

from collections.abc import Mapping
from uuid import uuid4
from xml.sax.saxutils import escape

from strongroom.access.issuer_model import MessageSecurity, ReliableVersion
from strongroom.issuing.connectors import answers
from strongroom.issuing.connectors.answers import Unreadable
from strongroom.issuing.model import Deadline, Policy
from strongroom.issuing.port import CardPrompt, CardRefused, IssuerCode, IssuerUnavailable, Verdict
from strongroom.issuing.transport import OK, Answer, Transport
from strongroom.kit.clock import own_now
from strongroom.kit.crypto import Secret
from strongroom.soap import security
from strongroom.soap.addressing import Wsa, write_addressing
from strongroom.soap.envelopes import Envelope, parse, write
from strongroom.soap.faults import SoapFault, Version
from strongroom.soap.reading import Element, XmlRefused
from strongroom.soap.security import Level
from strongroom.soap.signers import OurSigner
from strongroom.soap.signing import sign
from strongroom.soap.verifying import verify_answer

NAMESPACE = "http://techquest.interswitchng.com/"
_SENDERS_FAULTS = {"Client", "Sender", "MustUnderstand", "VersionMismatch"}  # the message was not taken as it was sent
_LEVELS = {MessageSecurity.TIMESTAMP: Level.TIMESTAMP, MessageSecurity.BODY: Level.BODY}


class SoapConnector:
    """Speaks to one issuer by SOAP; where its policy says so, what we send is signed and what comes back must be."""

    def __init__(self, transport: Transport, policy: Policy, signer: OurSigner | None) -> None:
        self._transport = transport
        self._policy = policy
        self._signer = signer
        self._is_signed = policy.security is not MessageSecurity.OFF
        self._trusts = security.Policy(_LEVELS.get(policy.security, Level.OFF), policy.signers, policy.allow_sha256)

    async def validate_card(self, pan: Secret, deadline: Deadline) -> CardPrompt | CardRefused:
        """Ask whether the card has a token. Raise IssuerUnavailable or IssuerSilent."""
        return answers.card_answer(await self._ask("ValidateCard", {"CardPan": pan.reveal()}, deadline))

    async def authenticate_otp(self, user_id: Secret, otp: Secret, deadline: Deadline) -> Verdict:
        """Have a code judged. Raise IssuerUnavailable or IssuerSilent."""
        question = {"UserId": user_id.reveal(), "Otp": otp.reveal()}
        return answers.verdict(await self._ask("AuthenticateOTP", question, deadline))

    async def _ask(self, operation: str, question: Mapping[str, str], deadline: Deadline) -> dict[str, str]:
        """Send one question, as a message of its own, and return the members of its answer, which has a code."""
        message_id = f"urn:uuid:{uuid4()}"
        answer = await self._transport.post(
            self._policy.url,
            self._write(operation, question, message_id).encode(),
            {"Content-Type": Version.SOAP_11.content_type, "Accept": "text/xml", "SOAPAction": f'"{operation}"'},
            pinned=self._policy.pinned,
            deadline=deadline,
        )
        try:
            members = self._read(answer, message_id)
            code = answers.verdict(members).code
        except (SoapFault, XmlRefused, Unreadable):
            raise answers.without_code(answer.status) from None
        if answer.status != OK and code is IssuerCode.SUCCESSFUL:
            raise answers.without_code(answer.status)  # a success says so in its status too
        return members

    def _write(self, operation: str, question: Mapping[str, str], message_id: str) -> str:
        """Return the envelope. Raise IssuerUnavailable when the policy asks for what cannot be done: nothing goes out with less."""
        if self._policy.reliability is not ReliableVersion.NONE:
            raise IssuerUnavailable("no_sequences", "The issuer wants messages in a sequence, which are not sent to issuers")
        inside = "".join(f"<{name}>{escape(value)}</{name}>" for name, value in question.items())
        body = f'<{operation} xmlns="{NAMESPACE}"><RequestDetails>{inside}</RequestDetails></{operation}>'
        if not self._is_signed:
            return write(Version.SOAP_11, body)
        if self._signer is None:
            raise IssuerUnavailable("no_signer", "The issuer wants signed messages, and no certificate is set to sign with")
        blocks = write_addressing(Wsa.V2005, f"{NAMESPACE}{operation}", message_id=message_id, to=self._policy.url)
        return sign(Version.SOAP_11, body, blocks, self._signer.current(), own_now(), self._trusts.level)

    def _read(self, answer: Answer, message_id: str) -> dict[str, str]:
        """Return the members of an answer. Raise SoapFault, XmlRefused or Unreadable; IssuerUnavailable for a sender's fault."""
        envelope = parse(answer.body)
        if self._is_signed:
            verify_answer(envelope, self._trusts, message_id, own_now())
        if envelope.operation is None:
            raise Unreadable("an empty Body")
        if envelope.operation.local == "Fault":
            raise _fault(envelope)
        return _members(envelope.operation)


def _members(operation: Element) -> dict[str, str]:
    """Collect the leaves by their local names, shallow first; the first of each name counts."""
    found: dict[str, str] = {}
    level = operation.elements
    while level:
        for element in level:
            if not element.elements and not element.is_nil:
                found.setdefault(element.local, element.text)
        level = [child for element in level for child in element.elements]
    return found


def _fault(envelope: Envelope) -> IssuerUnavailable | Unreadable:
    """Choose the word for a fault: one that is the sender's was not judged; of any other nobody knows."""
    assert envelope.operation is not None  # noqa: S101  # the caller has looked
    code = envelope.operation.find("faultcode")
    if code is not None and code.text.strip().rpartition(":")[2] in _SENDERS_FAULTS:
        return IssuerUnavailable("fault", "The issuer refused the message")
    return Unreadable("a fault")
