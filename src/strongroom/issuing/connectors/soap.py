"""The issuer's service over SOAP 1.1: the two questions in envelopes, in sequences where the issuer's policy has them."""

from __future__ import annotations

from collections.abc import Mapping
from xml.sax.saxutils import escape

from strongroom.access.issuer_model import ReliableVersion
from strongroom.issuing.connectors import answers
from strongroom.issuing.connectors.answers import Unreadable
from strongroom.issuing.connectors.sequences import Sequences
from strongroom.issuing.connectors.soap_wire import SENDERS_FAULTS, Wire, fault_code
from strongroom.issuing.model import Deadline, Policy
from strongroom.issuing.port import CardPrompt, CardRefused, IssuerCode, IssuerUnavailable, Verdict
from strongroom.issuing.transport import OK, Answer, Transport
from strongroom.kit.crypto import Secret
from strongroom.soap.envelopes import Envelope
from strongroom.soap.faults import SoapFault
from strongroom.soap.reading import Element, XmlRefused
from strongroom.soap.signers import OurSigner

NAMESPACE = "http://techquest.interswitchng.com/"


class SoapConnector:
    """Speaks to one issuer by SOAP. Close it at the end."""

    def __init__(self, transport: Transport, policy: Policy, signer: OurSigner | None) -> None:
        self._wire = Wire(transport, policy, signer)
        self._sequences = Sequences(self._wire) if policy.reliability is not ReliableVersion.NONE else None

    async def close(self) -> None:
        """End the sequences that are open."""
        if self._sequences is not None:
            await self._sequences.close()

    async def validate_card(self, pan: Secret, deadline: Deadline) -> CardPrompt | CardRefused:
        """Ask whether the card has a token. Raise IssuerUnavailable or IssuerSilent."""
        return answers.card_answer(await self._ask("ValidateCard", {"CardPan": pan.reveal()}, deadline))

    async def authenticate_otp(self, user_id: Secret, otp: Secret, deadline: Deadline) -> Verdict:
        """Have a code judged. Raise IssuerUnavailable or IssuerSilent."""
        question = {"UserId": user_id.reveal(), "Otp": otp.reveal()}
        return answers.verdict(await self._ask("AuthenticateOTP", question, deadline))

    async def _ask(self, operation: str, question: Mapping[str, str], deadline: Deadline) -> dict[str, str]:
        """Put one question and return the members of its answer, which has a code."""
        inside = "".join(f"<{name}>{escape(value)}</{name}>" for name, value in question.items())
        body = f'<{operation} xmlns="{NAMESPACE}"><RequestDetails>{inside}</RequestDetails></{operation}>'
        if self._sequences is not None:
            answer, envelope = await self._sequences.deliver(operation, f"{NAMESPACE}{operation}", body, deadline)
            return _judge(answer, envelope)
        message = self._wire.write(operation, f"{NAMESPACE}{operation}", body)
        answer = await self._wire.post(message, deadline)
        try:
            envelope = self._wire.read(answer, message)
        except (SoapFault, XmlRefused):
            raise answers.without_code(answer.status) from None
        return _judge(answer, envelope)


def _judge(answer: Answer, envelope: Envelope) -> dict[str, str]:
    """Return the members of an answer with a code. Raise IssuerUnavailable or IssuerSilent."""
    try:
        members = _read(envelope)
        code = answers.verdict(members).code
    except (XmlRefused, Unreadable):
        raise answers.without_code(answer.status) from None
    if answer.status != OK and code is IssuerCode.SUCCESSFUL:
        raise answers.without_code(answer.status)  # a success says so in its status too
    return members


def _read(envelope: Envelope) -> dict[str, str]:
    """Return the members of an answer. Raise XmlRefused or Unreadable; IssuerUnavailable for a sender's fault."""
    if envelope.operation is None:
        raise Unreadable("an empty Body")
    if envelope.operation.local == "Fault":
        raise _fault(envelope.operation)
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


def _fault(fault: Element) -> IssuerUnavailable | Unreadable:
    """Choose the word for a fault: one that is the sender's was not judged; of any other nobody knows."""
    if fault_code(fault) in SENDERS_FAULTS:
        return IssuerUnavailable("fault", "The issuer refused the message")
    return Unreadable("a fault")
