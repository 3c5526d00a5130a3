"""One SOAP message in, one HTTP answer out: read, dispatch by the Body's name, answer in the sender's versions."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Final

from strongroom.kit.db import Tx
from strongroom.kit.errors import Refusal
from strongroom.safetoken.exchange import Answer, Operation, Reply, Request, Sender
from strongroom.safetoken.protection import Protection
from strongroom.safetoken.reliable import ACCEPTED, Exchange, Reliability, keep_fault
from strongroom.safetoken.sequences import Apart, Kept, Together
from strongroom.safetoken.translation import to_fault
from strongroom.soap import names
from strongroom.soap.addressing import Addressing, refuse_other_places, write_addressing
from strongroom.soap.envelopes import Envelope, check_action, check_understood, parse, read_media_type, write
from strongroom.soap.faults import SoapFault, Version, sender_fault
from strongroom.soap.reading import Element, XmlRefused
from strongroom.soap.reliable import Reliable, Rm, read_reliable
from strongroom.soap.reliable_faults import Faults

_UNDERSTOOD: Final = frozenset({names.WSA_2005, names.WSA_2004, *(version.value for version in Rm)})
_PROTECTING: Final = frozenset({names.WSSE})


class Messages:
    """Answers the messages of one address."""

    def __init__(self, operations: Iterable[Operation], protection: Protection, reliability: Reliability) -> None:
        """Take the operations by which the Body's child is answered, and what signed and numbered messages are judged by."""
        self._protection = protection
        self._reliability = reliability
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
            said = read_reliable(envelope)
            if is_protected:  # a numbered message counts once by its number, and its source sends the very same one again
                await self._protection.admit(envelope, sender, is_numbered=said is not None and said.numbered is not None)
            reply = await self._reply(envelope, said, headers, sender)
        except (SoapFault, Refusal, XmlRefused) as error:
            reply = _fault_reply(to_fault(error), version)
        if reply.status == ACCEPTED:
            return Answer(ACCEPTED, {}, b"")
        blocks = [*_addressing_blocks(envelope.addressing, reply), *reply.headers] if envelope is not None else []
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

    async def _reply(self, envelope: Envelope, said: Reliable | None, headers: Mapping[str, str], sender: Sender) -> Reply:
        """Answer what is said of sequences, or let the operation that the Body names answer.

        Raise SoapFault, Refusal or XmlRefused.
        """
        refuse_other_places(envelope.addressing)

        async def prepare() -> Together | Apart:
            return await self._prepare(*self._call(envelope, headers, sender))

        if said is not None:
            reply = await self._reliability.answer(Exchange(envelope, sender, said), prepare)
            if reply is not None:
                return reply
        if sender.must_be_reliable:
            raise Faults(Rm.V1_1, envelope.addressing.version).required()
        operation, request = self._call(envelope, headers, sender)
        return Reply(await operation.perform(request), operation.answer_action)

    def _call(self, envelope: Envelope, headers: Mapping[str, str], sender: Sender) -> tuple[Operation, Request]:
        """Return the operation that the Body names, and its request. Raise SoapFault."""
        operation = self._find(envelope.operation)
        check_action(operation.name, envelope, headers, read_media_type(headers.get("content-type", "")))
        assert envelope.operation is not None  # noqa: S101  # it was found above
        return operation, Request(sender, envelope.operation, envelope)

    async def _prepare(self, operation: Operation, request: Request) -> Together | Apart:
        """Return an operation's work on a numbered message."""
        action = operation.answer_action or f"{request.envelope.addressing.action}Response"
        if operation.prepare is not None:
            effect = await operation.prepare(request)

            async def together(tx: Tx) -> Kept:
                return Kept(await effect(tx), action)

            return Together(together)

        async def apart() -> Kept:
            try:
                return Kept(await operation.perform(request), action)
            except (SoapFault, Refusal) as error:
                return keep_fault(request.envelope, to_fault(error))

        return Apart(apart)

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


def _fault_reply(fault: SoapFault, version: Version) -> Reply:
    """Return a fault; what SOAP 1.1 has no place for is told by a header."""
    headers = (fault.header,) if fault.header and version is Version.SOAP_11 else ()
    return Reply(fault.body(version), fault.action or "", fault.status(version), headers)
