"""The faults of WS-ReliableMessaging (1.1 §4, 1.0 §4), in both versions of it and of SOAP.

In SOAP 1.1 a fault about a header is told by a header, SequenceFault; one about CreateSequence, or about a message without a
sequence, by the fault's own code. In SOAP 1.2 all have a subcode.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final
from xml.sax.saxutils import escape

from strongroom.soap.addressing import Wsa
from strongroom.soap.c14n import canonicalise
from strongroom.soap.faults import FaultCode, SoapFault, Subcode
from strongroom.soap.reliable import Acknowledgement, Rm

_PREFIX: Final = "wsrm"


@dataclass(frozen=True, slots=True)
class Faults:
    """Makes the faults of one exchange."""

    version: Rm
    addressing: Wsa | None

    def unknown_sequence(self, identifier: str) -> SoapFault:
        """Return the fault for an identifier that nobody opened, or another client did."""
        return self._about(identifier, "UnknownSequence", "This client has no sequence with this Identifier; create one")

    def terminated(self, identifier: str) -> SoapFault:
        """Return the fault for a sequence that has ended, by TerminateSequence or by its time."""
        return self._about(identifier, "SequenceTerminated", "The sequence was terminated, or its time is over; create another")

    def closed(self, identifier: str) -> SoapFault:
        """Return the fault for a new message on a sequence that takes no more; 1.0 has another name for it."""
        local = "SequenceClosed" if self.version is Rm.V1_1 else "LastMessageNumberExceeded"
        return self._about(identifier, local, "The sequence is closed and takes no further message")

    def rollover(self, identifier: str, largest: int) -> SoapFault:
        """Return the fault for a number beyond the last one that a sequence may have."""
        more = self._element("MaxMessageNumber", str(largest)) if self.version is Rm.V1_1 else ""
        reason = f"A sequence has at most {largest} messages; create another for the rest"
        return self._about(identifier, "MessageNumberRollover", reason, more)

    def invalid_acknowledgement(self, given: Acknowledgement) -> SoapFault:
        """Return the fault for an acknowledgement of what was never sent, or that contradicts itself."""
        assert given.block is not None  # noqa: S101  # it was read from a message
        detail = canonicalise(given.block).decode()
        return self._fault("InvalidAcknowledgement", "The acknowledgement is of messages that were not sent", detail)

    def creation_refused(self, reason: str) -> SoapFault:
        """Return the fault for a CreateSequence that cannot be met."""
        return self._plain("CreateSequenceRefused", reason)

    def required(self) -> SoapFault:
        """Return the fault for a message outside a sequence where that is not allowed."""
        return self._plain("WSRMRequired", "Messages must come in a sequence of WS-ReliableMessaging here")

    def _about(self, identifier: str, local: str, reason: str, more: str = "") -> SoapFault:
        return self._fault(local, reason, f"{self._element('Identifier', identifier)}{more}")

    def _fault(self, local: str, reason: str, detail: str) -> SoapFault:
        inside = f"<{_PREFIX}:Detail>{detail}</{_PREFIX}:Detail>" if self.version is Rm.V1_1 else detail
        header = (
            f'<{_PREFIX}:SequenceFault xmlns:{_PREFIX}="{self.version.value}">'
            f"<{_PREFIX}:FaultCode>{_PREFIX}:{local}</{_PREFIX}:FaultCode>{inside}</{_PREFIX}:SequenceFault>"
        )
        return SoapFault(
            FaultCode.SENDER, reason, subcode=self._subcode(local), detail=detail, header=header,
            action=self.version.fault_action(self.addressing),
        )  # fmt: skip

    def _plain(self, local: str, reason: str) -> SoapFault:
        action = self.version.fault_action(self.addressing)
        return SoapFault(FaultCode.SENDER, reason, subcode=self._subcode(local), action=action)

    def _subcode(self, local: str) -> Subcode:
        return Subcode(self.version.value, _PREFIX, local)

    def _element(self, local: str, text: str) -> str:
        return f'<{_PREFIX}:{local} xmlns:{_PREFIX}="{self.version.value}">{escape(text)}</{_PREFIX}:{local}>'
