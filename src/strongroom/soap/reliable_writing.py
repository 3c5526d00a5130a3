"""WS-ReliableMessaging: the headers and Bodies that we write, in the version that the other side speaks."""

from __future__ import annotations

from xml.sax.saxutils import escape

from strongroom.soap.addressing import Wsa, write_address
from strongroom.soap.reliable import Numbered, Offer, Rm


def write_sequence(version: Rm, numbered: Numbered) -> str:
    """Return the Sequence header of a message."""
    last = "<r:LastMessage/>" if numbered.is_last else ""
    number = f"<r:MessageNumber>{numbered.number}</r:MessageNumber>"
    return _block(version, "Sequence", f"{_identifier(numbered.identifier)}{number}{last}", must_understand=True)


def write_ack_requested(version: Rm, identifier: str) -> str:
    """Return the header that asks what of a sequence has arrived."""
    return _block(version, "AckRequested", _identifier(identifier))


def write_acknowledgement(version: Rm, identifier: str, last_number: int, *, is_final: bool = False) -> str:
    """Return the header that says that every message up to a number has arrived.

    1.0 has no word for nothing, so there it says that the first is lacking; and none for final.
    """
    if last_number:
        held = f'<r:AcknowledgementRange Lower="1" Upper="{last_number}"/>'
    else:
        held = "<r:None/>" if version is Rm.V1_1 else "<r:Nack>1</r:Nack>"
    final = "<r:Final/>" if is_final and version is Rm.V1_1 else ""
    return _block(version, "SequenceAcknowledgement", f"{_identifier(identifier)}{held}{final}")


def write_creation(version: Rm, wsa: Wsa, offer: Offer | None, *, life_seconds: int) -> str:
    """Return CreateSequence: acknowledgements come back on the connection, and so do the answers, on the sequence offered."""
    acks_to = f"<r:AcksTo>{write_address(wsa, wsa.anonymous)}</r:AcksTo>"
    expires, offered = f"<r:Expires>PT{life_seconds}S</r:Expires>", ""
    if offer is not None:
        endpoint = f"<r:Endpoint>{write_address(wsa, offer.endpoint)}</r:Endpoint>" if offer.endpoint else ""
        offered = f"<r:Offer>{_identifier(offer.identifier)}{endpoint}{expires}</r:Offer>"
    return _block(version, "CreateSequence", f"{acks_to}{expires}{offered}")


def write_created(version: Rm, wsa: Wsa, identifier: str, life_seconds: int, accepted_at: str | None) -> str:
    """Return CreateSequenceResponse. `accepted_at` is where answers' acknowledgements go; None when nothing was offered.

    Messages beyond a gap are never accepted, so none that was acknowledged is ever discarded.
    """
    inside = f"{_identifier(identifier)}<r:Expires>PT{life_seconds}S</r:Expires>"
    if version is Rm.V1_1:
        inside += "<r:IncompleteSequenceBehavior>NoDiscard</r:IncompleteSequenceBehavior>"
    if accepted_at is not None:
        inside += f"<r:Accept><r:AcksTo>{write_address(wsa, accepted_at)}</r:AcksTo></r:Accept>"
    return _block(version, "CreateSequenceResponse", inside)


def write_end(version: Rm, name: str, identifier: str, last_number: int = 0) -> str:
    """Return CloseSequence, TerminateSequence or the response to one; `last_number` only where the source tells it (1.1)."""
    last = f"<r:LastMsgNumber>{last_number}</r:LastMsgNumber>" if last_number and version is Rm.V1_1 else ""
    return _block(version, name, f"{_identifier(identifier)}{last}")


def _block(version: Rm, local: str, inside: str, *, must_understand: bool = False) -> str:
    must = ' s:mustUnderstand="1"' if must_understand else ""
    return f'<r:{local} xmlns:r="{version.value}"{must}>{inside}</r:{local}>'


def _identifier(value: str) -> str:
    return f"<r:Identifier>{escape(value)}</r:Identifier>"
