"""Reliable messaging around the messages of an address: commands of the protocol, numbered messages, acknowledgements."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from strongroom.kit.db import Tx
from strongroom.kit.errors import Refusal
from strongroom.safetoken.exchange import Reply, Sender
from strongroom.safetoken.sequences import (
    LIFE_SECONDS,
    MAX_MESSAGES,
    MAX_OPEN,
    Answered,
    Apart,
    Early,
    Kept,
    Key,
    Sequences,
    Together,
    Unusable,
)
from strongroom.safetoken.store.sequences import Sequence
from strongroom.safetoken.translation import to_fault
from strongroom.soap.addressing import Wsa, required
from strongroom.soap.c14n import canonicalise
from strongroom.soap.envelopes import Envelope, agrees
from strongroom.soap.faults import FaultCode, SoapFault, sender_fault
from strongroom.soap.reading import XmlRefused
from strongroom.soap.reliable import Acknowledgement, Closing, Creation, Numbered, Reliable, Rm, Termination
from strongroom.soap.reliable_faults import Faults
from strongroom.soap.reliable_writing import write_acknowledgement, write_created, write_end, write_sequence

ACCEPTED = 202
Prepare = Callable[[], Awaitable[Together | Apart]]


@dataclass(frozen=True, slots=True)
class Exchange:
    """One message that speaks of sequences, and who sends it."""

    envelope: Envelope
    sender: Sender
    said: Reliable

    @property
    def addressing(self) -> Wsa:
        """Return the version of WS-Addressing to answer in."""
        return self.envelope.addressing.version or Wsa.V2005

    @property
    def faults(self) -> Faults:
        """Return the maker of faults in the sender's versions."""
        return Faults(self.said.version, self.addressing)

    def key(self, identifier: str) -> Key:
        """Return the key of a sequence of the sender's."""
        return Key(self.sender.issuer_id, self.sender.caller_id, identifier, self.said.version.label)


class Reliability:
    """Answers what a message says of sequences."""

    def __init__(self, sequences: Sequences) -> None:
        self._sequences = sequences

    async def answer(self, exchange: Exchange, prepare: Prepare) -> Reply | None:
        """Answer a message of a sequence or of the protocol; None for one that only carries acknowledgements along.

        `prepare` looks at a numbered message's operation and returns its work. Raise SoapFault or Refusal.
        """
        said = exchange.said
        required(exchange.envelope.addressing, "action")
        for given in said.acknowledgements:
            await self._check(exchange, given)
        if said.command is not None:
            _check_action(exchange)
            return await self._obey(exchange)
        if said.numbered is not None:
            return await self._deliver(exchange, said.numbered, prepare)
        if exchange.envelope.operation is not None:
            return None
        return await self._acknowledge(exchange)

    async def _obey(self, exchange: Exchange) -> Reply:
        command = exchange.said.command
        if isinstance(command, Creation):
            return await self._create(exchange, command)
        if isinstance(command, Closing):
            return await self._close(exchange, command)
        assert isinstance(command, Termination)  # noqa: S101  # there are no others
        return await self._terminate(exchange, command)

    async def _create(self, exchange: Exchange, asked: Creation) -> Reply:
        """Open a sequence whose answers and acknowledgements go back on the connection: nothing else is offered."""
        sender, offer, version = exchange.sender, asked.offer, exchange.said.version
        places = {asked.acks_to, *((offer.endpoint,) if offer and offer.endpoint is not None else ())}
        if places != {exchange.addressing.anonymous}:
            raise exchange.faults.creation_refused("AcksTo and Endpoint must be anonymous: answers go back on the connection only")
        answers_id = offer.identifier if offer else None
        sequence = await self._sequences.open(
            sender.issuer_id, sender.caller_id, version.label, answers_id=answers_id,
            request=(exchange.envelope.addressing.message_id or "", answers_id or ""),
            life_seconds=asked.life_seconds or LIFE_SECONDS,
        )  # fmt: skip
        if sequence is None:
            reason = f"The offered sequence is in use, or the client has {MAX_OPEN} open sequences; terminate some first"
            raise exchange.faults.creation_refused(reason)
        accepted_at = (exchange.envelope.addressing.to or sender.address) if offer else None
        body = write_created(version, exchange.addressing, sequence.id, sequence.left_seconds, accepted_at)
        return Reply(body, version.action("CreateSequenceResponse"))

    async def _close(self, exchange: Exchange, asked: Closing) -> Reply:
        sequence = await self._sequences.close(exchange.key(asked.identifier))
        if sequence is None:
            raise exchange.faults.unknown_sequence(asked.identifier)
        if sequence.has_ended:
            raise exchange.faults.terminated(asked.identifier)
        return _ended(exchange, sequence, "CloseSequence")

    async def _terminate(self, exchange: Exchange, asked: Termination) -> Reply:
        """Terminate a sequence; in 1.0 that is a message without an answer."""
        sequence = await self._sequences.terminate(exchange.key(asked.identifier))
        if sequence is None:
            raise exchange.faults.unknown_sequence(asked.identifier)
        if exchange.said.version is Rm.V1_0:
            return Reply(status=ACCEPTED)
        return _ended(exchange, sequence, "TerminateSequence")

    async def _deliver(self, exchange: Exchange, numbered: Numbered, prepare: Prepare) -> Reply:
        """Let a message take effect once, in its order."""
        key = exchange.key(numbered.identifier)
        if numbered.number > MAX_MESSAGES:
            if await self._sequences.find(key) is None:
                raise exchange.faults.unknown_sequence(numbered.identifier)
            raise exchange.faults.rollover(numbered.identifier, MAX_MESSAGES)
        operation = exchange.envelope.operation
        said = canonicalise(operation) if operation is not None else b""
        content = (exchange.envelope.version.value, said, "last" if numbered.is_last else "")
        try:
            work = await prepare() if operation is not None else _nothing(exchange, numbered)
            outcome = await self._sequences.deliver(key, numbered.number, content, work, closes=numbered.is_last)
        except (SoapFault, Refusal, XmlRefused) as error:
            fault = to_fault(error)
            if fault.code is FaultCode.RECEIVER:  # not the message's fault: it has not arrived, and will be sent again
                raise fault from None
            work = _always(keep_fault(exchange.envelope, fault))
            outcome = await self._sequences.deliver(key, numbered.number, content, work, closes=numbered.is_last)
        if isinstance(outcome, Unusable):
            raise _unusable(exchange.faults, numbered, outcome)
        return await self._told(exchange, numbered, outcome)

    async def _told(self, exchange: Exchange, numbered: Numbered, outcome: Answered | Early) -> Reply:
        """Return the answer of a message, which says that all up to it has arrived; or what has, for one that came early."""
        version, sequence = exchange.said.version, outcome.sequence
        others = [identifier for identifier in exchange.said.wanted if identifier != sequence.id]
        more = await self._acknowledgements(exchange, others)
        if isinstance(outcome, Early):
            held = write_acknowledgement(version, sequence.id, sequence.last_number)
            return Reply(action=version.action("SequenceAcknowledgement"), headers=(held, *more))
        held = write_acknowledgement(version, sequence.id, numbered.number)
        if outcome.answer.status == ACCEPTED:
            if sequence.id not in exchange.said.wanted:
                return Reply(status=ACCEPTED)
            return Reply(action=version.action("SequenceAcknowledgement"), headers=(held, *more))
        place = Numbered(sequence.answers_id, numbered.number, numbered.is_last) if sequence.answers_id else None
        headers = (write_sequence(version, place),) if place else ()
        return Reply(outcome.answer.body, outcome.answer.action, outcome.answer.status, (*headers, held, *more))

    async def _acknowledge(self, exchange: Exchange) -> Reply:
        """Answer a message without a Body: with what has arrived, if it asks for that."""
        if not exchange.said.wanted:
            return Reply(status=ACCEPTED)
        held = await self._acknowledgements(exchange, exchange.said.wanted)
        return Reply(action=exchange.said.version.action("SequenceAcknowledgement"), headers=tuple(held))

    async def _acknowledgements(self, exchange: Exchange, identifiers: list[str] | tuple[str, ...]) -> list[str]:
        found = []
        for identifier in dict.fromkeys(identifiers):
            sequence = await self._sequences.find(exchange.key(identifier))
            if sequence is None:
                raise exchange.faults.unknown_sequence(identifier)
            if sequence.has_ended:
                raise exchange.faults.terminated(identifier)
            found.append(_held(exchange, sequence))
        return found

    async def _check(self, exchange: Exchange, given: Acknowledgement) -> None:
        """Raise SoapFault when the other side says that it has, or lacks, an answer that was never sent.

        One about a sequence that is not open any more, or never was, is old news and says nothing.
        """
        sender = exchange.sender
        sequence = await self._sequences.find_by_answers(sender.issuer_id, sender.caller_id, given.identifier)
        if sequence is not None and not given.can_be_of(sequence.last_number):
            raise exchange.faults.invalid_acknowledgement(given)


def keep_fault(envelope: Envelope, fault: SoapFault) -> Kept:
    """Return a fault as the answer of a message that has arrived."""
    version = envelope.version
    return Kept(fault.body(version), fault.action or "", fault.status(version))


def _check_action(exchange: Exchange) -> None:
    """Raise SoapFault when wsa:Action names another command than the Body holds."""
    operation, action = exchange.envelope.operation, exchange.envelope.addressing.action or ""
    assert operation is not None  # noqa: S101  # a command is one
    if not agrees(action, operation.local):
        raise sender_fault("The action and the Body name different operations")


def _ended(exchange: Exchange, sequence: Sequence, name: str) -> Reply:
    version = exchange.said.version
    body = write_end(version, f"{name}Response", sequence.id)
    return Reply(body, version.action(f"{name}Response"), headers=(_held(exchange, sequence, is_final=True),))


def _held(exchange: Exchange, sequence: Sequence, *, is_final: bool = False) -> str:
    final = is_final or sequence.is_closed
    return write_acknowledgement(exchange.said.version, sequence.id, sequence.last_number, is_final=final)


def _nothing(exchange: Exchange, numbered: Numbered) -> Together:
    """Return the work of a message without a Body, which 1.0 ends its sequences with. Raise SoapFault for any other."""
    action = exchange.envelope.addressing.action or ""
    if exchange.said.version is Rm.V1_0 and numbered.is_last and agrees(action, "LastMessage"):
        return _always(Kept("", None, ACCEPTED))
    raise sender_fault("The Body is empty")


def _always(answer: Kept) -> Together:
    async def effect(_: Tx) -> Kept:
        return answer

    return Together(effect)


def _unusable(faults: Faults, numbered: Numbered, outcome: Unusable) -> SoapFault:
    if outcome is Unusable.UNKNOWN:
        return faults.unknown_sequence(numbered.identifier)
    if outcome is Unusable.ENDED:
        return faults.terminated(numbered.identifier)
    if outcome is Unusable.CLOSED:
        return faults.closed(numbered.identifier)
    if outcome is Unusable.OTHER_MESSAGE:
        return sender_fault("Another message came with this number of the sequence, and took effect")
    return SoapFault(FaultCode.RECEIVER, "It is not known whether this message took effect")
