"""WS-Addressing 2005/08 and 2004/08: the headers that reliable messaging stands on, read from a message and written into one."""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import Enum
from typing import Final
from xml.sax.saxutils import escape

from strongroom.soap import names
from strongroom.soap.faults import FaultCode, SoapFault, Subcode
from strongroom.soap.reading import Element

MAX_ADDRESS: Final = 512


class Wsa(Enum):
    """The two versions in use, by their namespace."""

    V2005 = names.WSA_2005
    V2004 = names.WSA_2004

    @property
    def anonymous(self) -> str:
        """Return the address that means: answer on this connection."""
        return f"{self.value}/anonymous" if self is Wsa.V2005 else f"{self.value}/role/anonymous"

    @property
    def fault_action(self) -> str:
        """Return the action of a fault that no other standard names."""
        return f"{self.value}/fault"


@dataclass(frozen=True, slots=True)
class Addressing:
    """The addressing headers of one message; `version` is None when it has none."""

    version: Wsa | None = None
    action: str | None = None
    message_id: str | None = None
    to: str | None = None
    relates_to: str | None = None
    reply_to: str | None = None
    fault_to: str | None = None


NOTHING: Final = Addressing()
_TEXTS: Final = {"Action": "action", "MessageID": "message_id", "To": "to", "RelatesTo": "relates_to"}
_ENDPOINTS: Final = {"ReplyTo": "reply_to", "FaultTo": "fault_to"}


def read_addressing(header: Element | None) -> Addressing:
    """Read the addressing headers. Raise SoapFault when one is doubled, too long, or of another version than the rest."""
    found = NOTHING
    for block in header.elements if header is not None else ():
        if block.namespace not in (names.WSA_2005, names.WSA_2004):
            continue
        version = Wsa(block.namespace)
        if found.version not in (None, version):
            raise _invalid(version)
        field = _TEXTS.get(block.local) or _ENDPOINTS.get(block.local)
        if field is None:
            continue
        if getattr(found, field) is not None:
            raise _invalid(version)
        value = block.text.strip() if block.local in _TEXTS else read_address(block)
        if not value or len(value) > MAX_ADDRESS:
            raise _invalid(version)
        found = replace(found, version=version, **{field: value})
    return found


def read_address(endpoint: Element) -> str:
    """Return the Address of an endpoint reference; an empty text when there is none."""
    address = endpoint.find("Address")
    return address.text.strip() if address is not None and address.namespace in (names.WSA_2005, names.WSA_2004) else ""


def write_addressing(
    version: Wsa,
    action: str,
    *,
    relates_to: str | None = None,
    message_id: str | None = None,
    to: str | None = None,
    reply_to: str | None = None,
) -> list[str]:
    """Return the header blocks of a message of ours, each whole in itself so that it can be signed."""
    blocks = [_block(version, "Action", action, ' s:mustUnderstand="1"')]
    blocks += [_block(version, local, value) for local, value in (("MessageID", message_id), ("RelatesTo", relates_to)) if value]
    if reply_to:
        blocks.append(f'<a:ReplyTo xmlns:a="{version.value}">{write_address(version, reply_to)}</a:ReplyTo>')
    if to:
        blocks.append(_block(version, "To", to, ' s:mustUnderstand="1"'))
    return blocks


def required(addressing: Addressing, *fields: str) -> Wsa:
    """Return the version of a message that has these headers. Raise SoapFault (MessageAddressingHeaderRequired)."""
    if addressing.version is None or any(getattr(addressing, field) is None for field in fields):
        version = addressing.version or Wsa.V2005
        local = "MessageAddressingHeaderRequired" if version is Wsa.V2005 else "MessageInformationHeaderRequired"
        raise SoapFault(
            FaultCode.SENDER, "A WS-Addressing header is missing",
            subcode=Subcode(version.value, "wsa", local), action=version.fault_action,
        )  # fmt: skip
    return addressing.version


def refuse_other_places(addressing: Addressing) -> None:
    """Raise SoapFault when the answer is wanted elsewhere: it goes back on the connection, never to an address in a message."""
    version = addressing.version
    for place in (addressing.reply_to, addressing.fault_to):
        if version is not None and place is not None and place != version.anonymous:
            raise SoapFault(
                FaultCode.SENDER, "Answers go back on the connection of the request only",
                subcode=Subcode(version.value, "wsa", "OnlyAnonymousAddressSupported"), action=version.fault_action,
            )  # fmt: skip


def write_address(version: Wsa, address: str) -> str:
    """Return the inside of an endpoint reference."""
    return f'<a:Address xmlns:a="{version.value}">{escape(address)}</a:Address>'


def _block(version: Wsa, local: str, value: str, attributes: str = "") -> str:
    return f'<a:{local} xmlns:a="{version.value}"{attributes}>{escape(value)}</a:{local}>'


def _invalid(version: Wsa) -> SoapFault:
    local = "InvalidAddressingHeader" if version is Wsa.V2005 else "InvalidMessageInformationHeader"
    return SoapFault(
        FaultCode.SENDER, "A WS-Addressing header is doubled or cannot be read",
        subcode=Subcode(version.value, "wsa", local), action=version.fault_action,
    )  # fmt: skip
