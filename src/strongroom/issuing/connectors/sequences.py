"""Sequences of WS-ReliableMessaging towards an issuer: a question is sent again under its number until answered or out of time.

Each sequence carries one question at a time, so a lost one holds up no other, and is used again once that is answered. One
whose question stayed open is ended and never used again. Sequences live in this process alone: a question whose process dies is
declined, like every other whose outcome nobody knows, so there is nothing to take up again.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from uuid import uuid4

from strongroom.access.issuer_model import ReliableVersion
from strongroom.issuing.connectors import answers
from strongroom.issuing.connectors.soap_wire import SENDERS_FAULTS, Message, Wire, fault_code
from strongroom.issuing.model import Deadline
from strongroom.issuing.port import IssuerSilent, IssuerUnavailable
from strongroom.issuing.transport import Answer
from strongroom.soap.addressing import Wsa
from strongroom.soap.envelopes import Envelope
from strongroom.soap.faults import SoapFault
from strongroom.soap.reading import Element, XmlRefused
from strongroom.soap.reliable import Numbered, Offer, Rm, read_duration, read_reliable
from strongroom.soap.reliable_writing import write_ack_requested, write_acknowledgement, write_creation, write_end, write_sequence

LIFE_SECONDS = 3600  # what we ask for
MAX_MESSAGES = 1000  # of one sequence
MAX_IDLE, IDLE_SECONDS = 20, 120.0  # how many wait for the next question, and how long: others drop theirs after minutes
_LEFT_SECONDS = 60.0  # one that ends so soon is not begun with
_PAUSE_SECONDS = 0.05
_LOST = {"UnknownSequence", "SequenceTerminated", "SequenceClosed", "LastMessageNumberExceeded", "MessageNumberRollover"}
_REFUSED = {*SENDERS_FAULTS, "CreateSequenceRefused", "WSRMRequired", "InvalidAcknowledgement"}
_VERSIONS = {ReliableVersion.V1_0: (Rm.V1_0, Wsa.V2004), ReliableVersion.V1_1: (Rm.V1_1, Wsa.V2005)}


class SequenceLost(Exception):
    """The issuer knows the sequence no more, or takes nothing more in it."""


@dataclass(slots=True)
class Sequence:
    """One open sequence, and how far it and the sequence of its answers have come."""

    id: str
    answers_id: str
    ends_at: float
    used_at: float
    last_number: int = 0
    answered: int = 0

    def is_good(self, now: float) -> bool:
        """True when the next question may be put into it."""
        return now < self.ends_at - _LEFT_SECONDS and now < self.used_at + IDLE_SECONDS and self.last_number < MAX_MESSAGES


@dataclass(slots=True)
class Sequences:
    """The sequences at one issuer. Close it at the end."""

    wire: Wire
    clock: Callable[[], float] = time.monotonic
    _idle: list[Sequence] = field(default_factory=list)
    _ending: set[asyncio.Task[None]] = field(default_factory=set)

    async def deliver(self, soap_action: str, action: str, body: str, deadline: Deadline) -> tuple[Answer, Envelope]:
        """Have a question answered, once. Raise IssuerUnavailable, IssuerSilent, SoapFault or XmlRefused."""
        try:
            return await self._deliver(await self._take(deadline), soap_action, action, body, deadline)
        except SequenceLost:  # the question was certainly not taken: a fresh sequence may carry it
            pass
        try:
            return await self._deliver(await self._open(deadline), soap_action, action, body, deadline)
        except SequenceLost:
            raise IssuerUnavailable("no_sequence", "The issuer does not keep its sequences") from None

    async def close(self) -> None:
        """End what is open, within the time of one question each."""
        while self._idle:
            self._end_later(self._idle.pop())
        if self._ending:
            await asyncio.wait(self._ending)

    @property
    def _rm(self) -> Rm:
        return _VERSIONS[self.wire.policy.reliability][0]

    @property
    def _wsa(self) -> Wsa:
        return _VERSIONS[self.wire.policy.reliability][1]

    async def _take(self, deadline: Deadline) -> Sequence:
        while self._idle:
            sequence = self._idle.pop()
            if sequence.is_good(self.clock()):
                return sequence
            self._end_later(sequence)
        return await self._open(deadline)

    async def _deliver(
        self, sequence: Sequence, soap_action: str, action: str, body: str, deadline: Deadline
    ) -> tuple[Answer, Envelope]:
        """Put a question into a sequence. Raise SequenceLost only when it was certainly not taken."""
        sequence.last_number += 1
        place = Numbered(sequence.id, sequence.last_number)
        blocks = [write_sequence(self._rm, place), write_ack_requested(self._rm, sequence.id), *self._thanks(sequence)]
        is_answered = False
        try:
            message = self.wire.write(soap_action, action, body, blocks=blocks, addressing=self._wsa)
            answer, envelope = await self._send_until_answered(message, deadline)
            is_answered = _note(sequence, envelope)
        finally:
            if is_answered and len(self._idle) < MAX_IDLE:
                sequence.used_at = self.clock()
                self._idle.append(sequence)
            else:
                self._end_later(sequence)
        return answer, envelope

    async def _send_until_answered(self, message: Message, deadline: Deadline) -> tuple[Answer, Envelope]:
        """Send a message, the same bytes each time. After a try of which nobody knows, no fault may say that it was not taken."""
        each, silent = deadline.left_seconds() / 2, None
        while True:
            try:
                return await self._send(message, deadline.sooner(each))
            except IssuerSilent as fault:
                last: IssuerSilent | IssuerUnavailable = (silent := fault)
            except (IssuerUnavailable, SequenceLost) as fault:
                if not isinstance(fault, IssuerUnavailable) or fault.code != "unreachable":
                    raise (silent or fault) from fault
                last = fault
            if deadline.left_seconds() <= _PAUSE_SECONDS:
                raise silent or last
            await asyncio.sleep(_PAUSE_SECONDS)

    async def _send(self, message: Message, deadline: Deadline) -> tuple[Answer, Envelope]:
        """Send a message once, and judge whether what comes back answers it."""
        answer = await self.wire.post(message, deadline)
        try:
            envelope = self.wire.read(answer, message)
            operation = envelope.operation
            if operation is not None and operation.local == "Fault":
                raise _fault(envelope, operation, self._rm)
        except (SoapFault, XmlRefused):
            raise answers.without_code(answer.status) from None
        if envelope.addressing.relates_to not in (None, message.id):
            raise IssuerSilent("another_answer", "The issuer answered another message")
        if operation is None:
            raise IssuerSilent("no_answer", "The issuer has the message and gave no answer")
        return answer, envelope

    async def _open(self, deadline: Deadline) -> Sequence:
        """Open a sequence, with one offered for the answers. Raise IssuerUnavailable: no question was asked yet."""
        offer = Offer(f"urn:uuid:{uuid4()}", self._wsa.anonymous if self._rm is Rm.V1_1 else None)
        action = self._rm.action("CreateSequence")
        message = self._write_command(action, write_creation(self._rm, self._wsa, offer, life_seconds=LIFE_SECONDS))
        asked_at = self.clock()
        try:
            _, envelope = await self._send_until_answered(message, deadline)
            identifier, life_seconds = _created(envelope, self._rm)
        except (IssuerSilent, SequenceLost, SoapFault, XmlRefused) as error:
            raise IssuerUnavailable("no_sequence", "The issuer opens no sequence") from error
        return Sequence(identifier, offer.identifier, asked_at + min(life_seconds or LIFE_SECONDS, LIFE_SECONDS), asked_at)

    def _end_later(self, sequence: Sequence) -> None:
        task = asyncio.create_task(self._end(sequence), name="end a sequence")
        self._ending.add(task)
        task.add_done_callback(self._ending.discard)

    async def _end(self, sequence: Sequence) -> None:
        """Say that nothing follows and that it is over. One that the issuer does not hear of ends by its time."""
        deadline, rm, last = Deadline(), self._rm, sequence.last_number
        with contextlib.suppress(IssuerUnavailable, IssuerSilent, SequenceLost):
            thanks = self._thanks(sequence)
            if rm is Rm.V1_1:
                closing = self._write_command(rm.action("CloseSequence"), write_end(rm, "CloseSequence", sequence.id, last), thanks)
                await self._send(closing, deadline)
            else:
                numbered = Numbered(sequence.id, last + 1, is_last=True)
                await self.wire.post(self._write_command(rm.action("LastMessage"), "", [write_sequence(rm, numbered)]), deadline)
            body = write_end(rm, "TerminateSequence", sequence.id, last)
            await self.wire.post(self._write_command(rm.action("TerminateSequence"), body, thanks), deadline)

    def _write_command(self, action: str, body: str, blocks: list[str] | None = None) -> Message:
        """Return a message of the protocol's own."""
        return self.wire.write(action, action, body, addressing=self._wsa, blocks=blocks or ())

    def _thanks(self, sequence: Sequence) -> list[str]:
        """Return the header that acknowledges the answers so far."""
        return [write_acknowledgement(self._rm, sequence.answers_id, sequence.answered)] if sequence.answered else []


def _note(sequence: Sequence, envelope: Envelope) -> bool:
    """Note that an answer has come; False when what it says of sequences cannot be read, so that no more is put into this one."""
    try:
        said = read_reliable(envelope)
    except (SoapFault, XmlRefused):
        return False
    numbered = said.numbered if said else None
    if numbered and numbered.identifier == sequence.answers_id and numbered.number == sequence.answered + 1:
        sequence.answered += 1
    return True


def _created(envelope: Envelope, rm: Rm) -> tuple[str, int | None]:
    """Return the identifier and the life that CreateSequenceResponse names. Raise IssuerSilent or SoapFault."""
    made = envelope.operation
    if made is None or (made.namespace, made.local) != (rm.value, "CreateSequenceResponse"):
        raise IssuerSilent("no_answer", "The issuer's answer is not one to CreateSequence")
    identifier, expires = made.find("Identifier", rm.value), made.find("Expires", rm.value)
    if identifier is None or not identifier.text.strip():
        raise IssuerSilent("no_answer", "The issuer's sequence has no Identifier")
    return identifier.text.strip(), read_duration(expires.text) if expires is not None else None


def _fault(envelope: Envelope, fault: Element, rm: Rm) -> Exception:
    """Choose the word for a fault: the sequence is gone, the message was refused, or nobody knows and it may be sent again."""
    told = envelope.block(rm.value, "SequenceFault")
    particular = told.find("FaultCode", rm.value) if told is not None else None
    names = {fault_code(fault), particular.text.strip().rpartition(":")[2] if particular is not None else ""}
    if names & _LOST:
        return SequenceLost()
    if names & _REFUSED:
        return IssuerUnavailable("fault", "The issuer refused the message")
    return IssuerSilent("fault", "The issuer could not say")
