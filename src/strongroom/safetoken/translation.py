"""The one translator of refusals into SOAP faults."""

from __future__ import annotations

from strongroom.kit.errors import Conflict, Refusal, TooMany, Unavailable
from strongroom.soap.faults import FaultCode, SoapFault, sender_fault
from strongroom.soap.reading import XmlRefused


def to_fault(error: SoapFault | Refusal | XmlRefused) -> SoapFault:
    """Return the fault for a message that was refused: a receiver's when the very same message may succeed later."""
    if isinstance(error, SoapFault):
        return error
    if isinstance(error, XmlRefused):
        return sender_fault(str(error))
    if isinstance(error, Unavailable):
        return SoapFault(FaultCode.RECEIVER, error.title)
    if isinstance(error, TooMany | Conflict):
        return SoapFault(FaultCode.RECEIVER, error.detail)
    return sender_fault(error.detail)
