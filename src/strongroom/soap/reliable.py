"""WS-ReliableMessaging 1.0, 1.1 and 1.2: what a message says of sequences, read from its headers and its Body.

1.1 and 1.2 are one namespace and one protocol. Reading judges shape only; whether a sequence exists, whose it is and which number
comes next is known to whoever keeps sequences.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from enum import Enum
from itertools import pairwise
from math import ceil
from typing import Final

from strongroom.soap import names
from strongroom.soap.addressing import Wsa, read_address
from strongroom.soap.envelopes import Envelope
from strongroom.soap.faults import sender_fault
from strongroom.soap.reading import Element

MAX_IDENTIFIER: Final = 512
MAX_BLOCKS: Final = 8  # headers of one kind in a message: one sequence's is the rule
LARGEST_NUMBER: Final = 9_223_372_036_854_775_807  # WS-RM 1.1 §3.5
_NUMBER: Final = re.compile(r"[0-9]{1,40}")
_DURATION: Final = re.compile(
    r"P(?:(\d{1,9})D)?(?:T(?=\d)(?:(\d{1,9})H)?(?:(\d{1,9})M)?(?:(\d{1,9}(?:\.\d{1,9})?)S)?)?"  # no years or months: they vary
)


class Rm(Enum):
    """The two protocols in use, by their namespace."""

    V1_0 = names.WSRM_10
    V1_1 = names.WSRM_11

    @property
    def label(self) -> str:
        """Return the version as people write it."""
        return "1.0" if self is Rm.V1_0 else "1.1"

    def action(self, name: str) -> str:
        """Return the WS-Addressing action of a message of the protocol's own."""
        return f"{self.value}/{name}"

    def fault_action(self, addressing: Wsa | None) -> str:
        """Return the action of the protocol's faults: its own in 1.1, that of WS-Addressing in 1.0."""
        return self.action("fault") if self is Rm.V1_1 else (addressing or Wsa.V2005).fault_action


@dataclass(frozen=True, slots=True)
class Numbered:
    """The Sequence header: which message of which sequence this is. `is_last` is 1.0's LastMessage."""

    identifier: str
    number: int
    is_last: bool = False


@dataclass(frozen=True, slots=True)
class Acknowledgement:
    """What the other side says it has, as ranges, or lacks. `block` is the header itself."""

    identifier: str
    ranges: tuple[tuple[int, int], ...] = ()
    lacking: tuple[int, ...] = ()
    is_final: bool = False
    block: Element | None = field(default=None, compare=False)

    def can_be_of(self, last_number: int) -> bool:
        """True when it speaks of messages up to the last one that was sent, in order, and does not contradict itself."""
        ends = [number for span in self.ranges for number in span]
        is_in_order = ends == sorted(ends) and all(before[1] < after[0] for before, after in pairwise(self.ranges))
        is_in_bounds = all(0 < number <= last_number for number in (*ends, *self.lacking))
        return is_in_order and is_in_bounds and not (self.ranges and self.lacking)


@dataclass(frozen=True, slots=True)
class Offer:
    """A sequence that a source offers for the answers. `endpoint` is None in 1.0, which has none."""

    identifier: str
    endpoint: str | None


@dataclass(frozen=True, slots=True)
class Creation:
    """CreateSequence. `life_seconds` is None when the source asks for no end."""

    acks_to: str
    life_seconds: int | None
    offer: Offer | None


@dataclass(frozen=True, slots=True)
class Closing:
    """CloseSequence of 1.1."""

    identifier: str


@dataclass(frozen=True, slots=True)
class Termination:
    """TerminateSequence."""

    identifier: str


@dataclass(frozen=True, slots=True)
class Reliable:
    """All that one message says of sequences. `command` is the Body's, of the protocol's own."""

    version: Rm
    numbered: Numbered | None = None
    wanted: tuple[str, ...] = ()  # identifiers of sequences whose acknowledgement is asked for
    acknowledgements: tuple[Acknowledgement, ...] = ()
    command: Creation | Closing | Termination | None = None


def read_reliable(envelope: Envelope) -> Reliable | None:
    """Return what a message says of sequences; None when it says nothing. Raise SoapFault or XmlRefused for what cannot be read."""
    version = _version(envelope)
    if version is None:
        return None
    namespace = version.value
    blocks = [block for block in envelope.blocks if block.namespace == namespace]
    sequence = envelope.block(namespace, "Sequence")
    return Reliable(
        version,
        _numbered(sequence, version) if sequence is not None else None,
        tuple(_identifier(block) for block in _of_kind(blocks, "AckRequested")),
        tuple(_acknowledgement(block) for block in _of_kind(blocks, "SequenceAcknowledgement")),
        _command(envelope.operation, version),
    )


def read_duration(text: str) -> int | None:
    """Return an xs:duration in whole seconds, rounded up; None for one without an end (zero). Raise SoapFault."""
    found = _DURATION.fullmatch(text.strip())
    if not found or not any(found.groups()):
        raise sender_fault("Expires must be a duration of days, hours, minutes and seconds, such as PT1H")
    days, hours, minutes, seconds = (float(part or 0) for part in found.groups())
    return ceil(days * 86_400 + hours * 3_600 + minutes * 60 + seconds) or None


def _version(envelope: Envelope) -> Rm | None:
    """Return the protocol that a message speaks. Raise SoapFault when it speaks both."""
    spoken = {block.namespace for block in envelope.blocks}
    if envelope.operation is not None:
        spoken.add(envelope.operation.namespace)
    found = [version for version in Rm if version.value in spoken]
    if len(found) > 1:
        raise sender_fault("A message speaks one version of WS-ReliableMessaging")
    return found[0] if found else None


def _numbered(block: Element, version: Rm) -> Numbered:
    number = _number(_child(block, "MessageNumber").text)
    if number == 0:
        raise sender_fault("Message numbers begin at 1")
    is_last = version is Rm.V1_0 and block.find("LastMessage", block.namespace) is not None
    return Numbered(_identifier(block), number, is_last)


def _acknowledgement(block: Element) -> Acknowledgement:
    ranges = tuple(
        (_number(one.get("Lower") or ""), _number(one.get("Upper") or "")) for one in _all(block, "AcknowledgementRange")
    )
    lacking = tuple(_number(one.text) for one in _all(block, "Nack"))
    return Acknowledgement(_identifier(block), ranges, lacking, bool(_all(block, "Final")), block)


def _command(operation: Element | None, version: Rm) -> Creation | Closing | Termination | None:
    if operation is None or operation.namespace != version.value:
        return None
    if operation.local == "CreateSequence":
        return _creation(operation)
    if operation.local == "TerminateSequence":
        return Termination(_identifier(operation))
    if operation.local == "CloseSequence" and version is Rm.V1_1:
        return Closing(_identifier(operation))
    raise sender_fault("The operation is not known")


def _creation(operation: Element) -> Creation:
    acks_to, expires = _child(operation, "AcksTo"), operation.find("Expires", operation.namespace)
    offer = operation.find("Offer", operation.namespace)
    return Creation(
        read_address(acks_to),
        read_duration(expires.text) if expires is not None else None,
        _offer(offer) if offer is not None else None,
    )


def _offer(element: Element) -> Offer:
    endpoint = element.find("Endpoint", element.namespace)
    return Offer(_identifier(element), read_address(endpoint) if endpoint is not None else None)


def _identifier(parent: Element) -> str:
    text = _child(parent, "Identifier").text.strip()
    if not 0 < len(text) <= MAX_IDENTIFIER:
        raise sender_fault(f"A sequence's Identifier has 1 to {MAX_IDENTIFIER} characters")
    return text


def _number(text: str) -> int:
    if not _NUMBER.fullmatch(text.strip()):
        raise sender_fault("A message number is a whole number")
    return int(text)


def _child(parent: Element, local: str) -> Element:
    """Return the one child of that name in the parent's namespace. Raise SoapFault."""
    found = _all(parent, local)
    if len(found) != 1:
        raise sender_fault(f"{parent.local} must hold one {local}")
    return found[0]


def _all(parent: Element, local: str) -> list[Element]:
    return [child for child in parent.elements if child.local == local and child.namespace == parent.namespace]


def _of_kind(blocks: list[Element], local: str) -> list[Element]:
    """Return the headers of one kind. Raise SoapFault when there are too many."""
    found = [block for block in blocks if block.local == local]
    if len(found) > MAX_BLOCKS:
        raise sender_fault(f"A message may have {MAX_BLOCKS} headers {local}")
    return found
