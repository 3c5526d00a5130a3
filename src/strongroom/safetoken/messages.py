"""One SOAP message in, one HTTP answer out: read, dispatch by the Body's name, answer in the sender's versions."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Final

from strongroom.kit.errors import Refusal, Unavailable
from strongroom.safetoken.exchange import Answer, Operation, Reply, Request, Sender
from strongroom.safetoken.protection import Protection
from strongroom.soap import names
from strongroom.soap.addressing import Addressing, refuse_other_places, write_addressing
from strongroom.soap.envelopes import Envelope, check_action, check_understood, parse, read_media_type, write
from strongroom.soap.faults import FaultCode, SoapFault, Version, sender_fault
from strongroom.soap.reading import Element, XmlRefused

_UNDERSTOOD: Final = frozenset({names.WSA_2005, names.WSA_2004})
_PROTECTING: Final = frozenset({names.WSSE})


class Messages:
    """Answers the messages of one address."""

    def __init__(self, operations: Iterable[Operation], protection: Protection) -> None:
        """Take the operations by which the Body's child is answered, and what signed messages are judged by."""
        self._protection = protection
        self._operations = {operation.name: operation for operation in operations}

    async def answer(self, raw: bytes, headers: Mapping[str, str], sender: Sender) -> Answer:
        """Answer one message; header names are in lower case. What cannot be answered becomes a fault in the sender's version."""
        version, envelope, is_protected = Version.SOAP_11, None, False
        try:
            media = read_media_type(headers.get("content-type", ""))
            version = media.version or version
            envelope = parse(raw)
            version = envelope.version
            is_protected = self._protection.applies(envelope, sender)
            check_understood(envelope, _UNDERSTOOD | _PROTECTING if is_protected else _UNDERSTOOD)
            if is_protected:
                await self._protection.admit(envelope, sender)
            reply = await self._reply(envelope, headers, sender)
        except (SoapFault, Refusal, XmlRefused) as error:
            fault = _fault(error)
            reply = Reply(fault.body(version), fault.action or "", fault.status(version))
        blocks = _addressing_blocks(envelope.addressing, reply) if envelope is not None else []
        text = (
            self._protection.write(version, reply.body, blocks, sender)
            if is_protected
            else write(version, reply.body, "".join(blocks))
        )
        return Answer(reply.status, {"content-type": version.content_type}, text.encode())

    @staticmethod
    def refuse(reason: str, content_type: str) -> Answer:
        """Answer a message that nobody reads with a fault, in the version that its Content-Type stands for."""
        try:
            version = read_media_type(content_type).version or Version.SOAP_11
        except SoapFault:
            version = Version.SOAP_11
        fault = sender_fault(reason)
        text = write(version, fault.body(version))
        return Answer(fault.status(version), {"content-type": version.content_type}, text.encode())

    async def _reply(self, envelope: Envelope, headers: Mapping[str, str], sender: Sender) -> Reply:
        """Let the operation that the Body names answer. Raise SoapFault, Refusal or XmlRefused."""
        operation = self._find(envelope.operation)
        check_action(operation.name, envelope, headers, read_media_type(headers.get("content-type", "")))
        refuse_other_places(envelope.addressing)
        assert envelope.operation is not None  # noqa: S101  # it was found above
        return Reply(await operation.perform(Request(sender, envelope.operation, envelope)), operation.answer_action)

    def _find(self, element: Element | None) -> Operation:
        operation = self._operations.get(element.local) if element is not None else None
        if element is None or operation is None or element.namespace not in operation.namespaces:
            raise sender_fault("The operation is not known")
        return operation


def _addressing_blocks(asked: Addressing, reply: Reply) -> list[str]:
    """Return the addressing of an answer to a message that has some."""
    if asked.version is None:
        return []
    action = asked.version.fault_action if reply.action == "" else reply.action or f"{asked.action}Response"
    return write_addressing(asked.version, action, relates_to=asked.message_id)


def _fault(error: SoapFault | Refusal | XmlRefused) -> SoapFault:
    """Return the fault for a message that was refused: the one translator of this face."""
    if isinstance(error, SoapFault):
        return error
    if isinstance(error, XmlRefused):
        return sender_fault(str(error))
    if isinstance(error, Unavailable):
        return SoapFault(FaultCode.RECEIVER, error.title)
    return sender_fault(error.detail)
