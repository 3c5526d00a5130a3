"""Faults: what we say when a message cannot be answered, in SOAP 1.1 and 1.2 (SOAP 1.2 part 1 §5.4)."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import Final
from xml.sax.saxutils import escape

from strongroom.soap import names

SERVER_ERROR: Final = 500
BAD_REQUEST: Final = 400


class Version(Enum):
    """The two versions of SOAP, by the namespace of their envelope."""

    SOAP_11 = names.SOAP_11
    SOAP_12 = names.SOAP_12

    @property
    def content_type(self) -> str:
        """Return the media type of an answer, as the document prints it for SOAP 1.1."""
        return "text/xml; charset=utf-8" if self is Version.SOAP_11 else "application/soap+xml; charset=utf-8"


class FaultCode(Enum):
    """Whose fault it is; the names of SOAP 1.1 and 1.2."""

    SENDER = ("Client", "Sender")
    RECEIVER = ("Server", "Receiver")
    MUST_UNDERSTAND = ("MustUnderstand", "MustUnderstand")
    VERSION_MISMATCH = ("VersionMismatch", "VersionMismatch")


@dataclass(frozen=True, slots=True)
class Subcode:
    """A qualified name that says more, such as wsse:FailedCheck."""

    namespace: str
    prefix: str
    local: str


class SoapFault(Exception):
    """A message that is answered with a fault; `reason` is one sentence that is safe to show."""

    def __init__(
        self,
        code: FaultCode,
        reason: str,
        *,
        subcode: Subcode | None = None,
        detail: str = "",
        header: str = "",
        action: str | None = None,
    ) -> None:
        """Take `detail` and `header` as XML of ours, and the WS-Addressing `action` where a standard fixes one."""
        super().__init__(reason)
        self.code = code
        self.reason = reason
        self.subcode = subcode
        self.detail = detail
        self.header = header
        self.action = action

    def status(self, version: Version) -> int:
        """Return the HTTP status: always 500 for SOAP 1.1, 400 for a sender's fault in SOAP 1.2 (part 2 §7.5.2.2)."""
        return BAD_REQUEST if version is Version.SOAP_12 and self.code is FaultCode.SENDER else SERVER_ERROR

    def body(self, version: Version) -> str:
        """Return the Fault element; the envelope's prefix is `s`."""
        return self._body_11() if version is Version.SOAP_11 else self._body_12()

    def _body_11(self) -> str:
        """A fault that a header tells more of names only whose it is, and has no detail (SOAP 1.1 §4.4)."""
        tells = self.subcode is not None and not self.header
        declared, code = self._subcode() if tells else ("", f"s:{self.code.value[0]}")
        detail = f"<detail>{self.detail}</detail>" if self.detail and not self.header else ""
        reason = escape(self.reason)
        return (
            f'<s:Fault><faultcode{declared}>{code}</faultcode><faultstring xml:lang="en">{reason}</faultstring>{detail}</s:Fault>'
        )

    def _body_12(self) -> str:
        subcode = ""
        if self.subcode:
            declared, name = self._subcode()
            subcode = f"<s:Subcode><s:Value{declared}>{name}</s:Value></s:Subcode>"
        detail = f"<s:Detail>{self.detail}</s:Detail>" if self.detail else ""
        return (
            f"<s:Fault><s:Code><s:Value>s:{self.code.value[1]}</s:Value>{subcode}</s:Code>"
            f'<s:Reason><s:Text xml:lang="en">{escape(self.reason)}</s:Text></s:Reason>{detail}</s:Fault>'
        )

    def _subcode(self) -> tuple[str, str]:
        assert self.subcode is not None  # noqa: S101 - both callers ask first
        return f' xmlns:{self.subcode.prefix}="{self.subcode.namespace}"', f"{self.subcode.prefix}:{self.subcode.local}"


def sender_fault(reason: str) -> SoapFault:
    """Return a fault of the sender's."""
    return SoapFault(FaultCode.SENDER, reason)
