"""Envelopes of SOAP 1.1 and 1.2: read one, write one, and say what its headers ask."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Final

from strongroom.soap import names
from strongroom.soap.addressing import Addressing, read_addressing
from strongroom.soap.faults import FaultCode, SoapFault, Version, sender_fault
from strongroom.soap.reading import Element, XmlRefused, read

_NEXT: Final = {
    names.SOAP_11: {"http://schemas.xmlsoap.org/soap/actor/next"},
    names.SOAP_12: {f"{names.SOAP_12}/role/next", f"{names.SOAP_12}/role/ultimateReceiver"},
}
_PARAMETER = re.compile(r';\s*([\w-]+)\s*=\s*("[^"]*"|[^\s;"]+)')
_MEDIA_TYPES: Final = {"text/xml": Version.SOAP_11, "application/soap+xml": Version.SOAP_12}


@dataclass(frozen=True, slots=True)
class Envelope:
    """One message. `operation` is the Body's only child, None when the Body is empty."""

    version: Version
    root: Element
    header: Element | None
    body: Element
    operation: Element | None
    addressing: Addressing

    @property
    def blocks(self) -> list[Element]:
        """Return the header blocks."""
        return self.header.elements if self.header is not None else []

    def block(self, namespace: str, local: str) -> Element | None:
        """Return the one header block of that name. Raise SoapFault when there are several: readers would choose differently."""
        found = [block for block in self.blocks if block.local == local and block.namespace == namespace]
        if len(found) > 1:
            raise sender_fault(f"The header {local} may be there once")
        return found[0] if found else None


@dataclass(frozen=True, slots=True)
class MediaType:
    """What the Content-Type says: the SOAP version it stands for, if any, and the action that SOAP 1.2 puts there."""

    version: Version | None
    action: str | None


def read_media_type(content_type: str) -> MediaType:
    """Read a Content-Type. Raise SoapFault for a charset other than UTF-8, or ASCII, which is part of it."""
    parameters = {name.lower(): value.strip('"') for name, value in _PARAMETER.findall(content_type)}
    if parameters.get("charset", "utf-8").lower() not in ("utf-8", "utf8", "us-ascii"):
        raise sender_fault("Only UTF-8 is read")
    return MediaType(_MEDIA_TYPES.get(content_type.partition(";")[0].strip().lower()), parameters.get("action"))


def parse(raw: bytes) -> Envelope:
    """Read an envelope. Raise SoapFault: for what is no XML, no envelope, or an envelope of another version."""
    try:
        root = read(raw)
        return _envelope(root)
    except XmlRefused as error:
        raise sender_fault(str(error)) from None


def write(version: Version, body: str, header: str = "", *, body_attributes: str = "") -> str:
    """Return an envelope as the document prints it, prefix `s`; a header only where there is something in it."""
    head = f"<s:Header>{header}</s:Header>" if header else ""
    return f'<s:Envelope xmlns:s="{version.value}">{head}<s:Body{body_attributes}>{body}</s:Body></s:Envelope>'


def check_understood(envelope: Envelope, understood: Collection[str]) -> None:
    """Raise SoapFault for a header that must be understood, is meant for us and belongs to none of the namespaces `understood`."""
    soap = envelope.version.value
    for block in envelope.blocks:
        must = block.get("mustUnderstand", soap) in ("1", "true")
        if must and is_for_us(block, envelope.version) and block.namespace not in understood:
            raise SoapFault(FaultCode.MUST_UNDERSTAND, "A header that must be understood is not understood here")


def is_for_us(block: Element, version: Version) -> bool:
    """True when a header block is meant for whoever answers the message: it names no role, or one that everybody has."""
    role = block.get("actor" if version is Version.SOAP_11 else "role", version.value)
    return not role or role in _NEXT[version.value]


def check_action(operation: str, envelope: Envelope, headers: Mapping[str, str], media: MediaType) -> None:
    """Raise SoapFault when a SOAPAction, an action parameter or wsa:Action names another operation than the Body holds."""
    told = (headers.get("soapaction"), media.action, envelope.addressing.action)
    for action in told:
        if action is not None and not agrees(action, operation):
            raise sender_fault("The action and the Body name different operations")


def agrees(action: str, operation: str) -> bool:
    """True when an action names an operation: the bare word, quoted or not, a URI that ends in it, or nothing at all."""
    last = re.split(r"[/#:]", action.strip().strip('"'))[-1]
    return last in ("", operation, f"{operation}Request")


def _envelope(root: Element) -> Envelope:
    if root.local != "Envelope" or root.namespace not in (names.SOAP_11, names.SOAP_12):
        if root.local == "Envelope":
            raise SoapFault(FaultCode.VERSION_MISMATCH, "The envelope is neither SOAP 1.1 nor SOAP 1.2")
        raise sender_fault("The document is not a SOAP envelope")
    version = Version(root.namespace)
    header, body = _parts(root)
    inside = body.elements
    if len(inside) > 1:
        raise sender_fault("The Body may hold one element")
    return Envelope(version, root, header, body, inside[0] if inside else None, read_addressing(header))


def _parts(root: Element) -> tuple[Element | None, Element]:
    """Return Header and Body: exactly one Body, and the Header, if any, before it. Raise SoapFault."""
    parts = root.elements
    order = [element.local for element in parts if element.namespace == root.namespace]
    if order not in (["Body"], ["Header", "Body"]) or len(order) != len(parts):
        raise sender_fault("An envelope holds a Header, or none, and one Body")
    return (parts[0] if len(parts) > 1 else None), parts[-1]
