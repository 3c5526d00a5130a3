"""The WSDL documents, written from the table of members: of the cardholder operations and of an issuer's own service.

Document/literal wrapped, three schemas in one file in the order of their dependence, derived types by extension: the form that
gSOAP, WCF, JAX-WS, PHP, zeep and node-soap were all seen to take.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final
from xml.sax.saxutils import escape

from strongroom.safetoken.members import BASE, MEMBERS, SERVICES, TECHQUEST, Member
from strongroom.soap import names

ISSUER: Final = "http://techquest.interswitchng.com/"
_REQUIRED: Final = frozenset({"TerminalId", "BankId", "CardPan", "City", "PrimaryMobileNumber", "RegistrationChannel"})
_NAMED_BY: Final = frozenset({"HeaderTerminalId", "TerminalId", "BankId", "CardPan"})
_OURS: Final = "An extension of this product, which the document does not have: "


_WSP: Final = "http://www.w3.org/ns/ws-policy"
# WS-ReliableMessaging 1.1 (and 1.2), or 1.0: stacks take such a policy for a duty, so it has an address of its own.
_RELIABLE: Final = (
    f'<wsp:Policy xmlns:wsp="{_WSP}" xmlns:wsu="{names.WSU}" wsu:Id="Reliable"><wsp:ExactlyOne>'
    '<wsp:All><rmp:RMAssertion xmlns:rmp="http://docs.oasis-open.org/ws-rx/wsrmp/200702"><wsp:Policy/></rmp:RMAssertion>'
    "<wsaw:UsingAddressing/></wsp:All>"
    '<wsp:All><rmp:RMAssertion xmlns:rmp="http://schemas.xmlsoap.org/ws/2005/02/rm/policy"/><wsaw:UsingAddressing/></wsp:All>'
    "</wsp:ExactlyOne></wsp:Policy>"
)


@dataclass(frozen=True, slots=True)
class Described:
    """One operation: its name, the type of its request, and what it does."""

    name: str
    request: str
    text: str


OPERATIONS: Final = (
    Described("AddCardHolder", "CardHolder", "Enrols a cardholder."),
    Described("UpdateCardHolder", "CardHolderChange", f"{_OURS}changes the members that are sent."),
    Described("RemoveCardHolder", "CardHolderName", f"{_OURS}ends an enrolment."),
    Described("GetCardHolder", "CardHolderName", f"{_OURS}shows an enrolment, with the card and the telephone number masked."),
)
_SHOWN: Final = ("CardPan", "EnrolledAt", "PrimaryMobileNumber", "Status")  # what GetCardHolder shows, by their letters


def write_wsdl(base_url: str, *, is_reliable: bool = False) -> str:
    """Return the WSDL of the cardholder operations at a base address; with `is_reliable` of the address for sequences only."""
    schemas = f"{_base_schema()}{_techquest_schema()}{_services_schema()}"
    return _document(
        "SafeToken",
        SERVICES,
        schemas,
        [(operation.name, f"{SERVICES}{operation.name}", operation.text) for operation in OPERATIONS],
        f"{base_url}/api/v1/safetoken{'/reliable' if is_reliable else ''}",
        policy=_RELIABLE if is_reliable else "",
    )


def write_issuer_wsdl(base_url: str, path: str = "/issuer/soap") -> str:
    """Return the WSDL of an issuer's own service, which hubs call."""
    return _document(
        "IssuerService",
        ISSUER,
        _issuer_schema(),
        [
            ("ValidateCard", f"{ISSUER}ValidateCard", "Tells how a card's holder is asked for a one-time password."),
            ("AuthenticateOTP", f"{ISSUER}AuthenticateOTP", "Checks a one-time password, once."),
        ],
        f"{base_url}{path}",
    )


def _document(
    name: str, namespace: str, schemas: str, operations: Iterable[tuple[str, str, str]], address: str, *, policy: str = ""
) -> str:
    held = list(operations)
    messages = "".join(
        f'<wsdl:message name="{one}{way}"><wsdl:part name="parameters" element="tns:{one}{element}"/></wsdl:message>'
        for one, _, _ in held
        for way, element in (("In", ""), ("Out", "Response"))
    )
    port_type = "".join(_port_operation(*one) for one in held)
    binding = "".join(
        f'<wsdl:operation name="{one}"><soap:operation soapAction="{one}" style="document"/>'
        '<wsdl:input><soap:body use="literal"/></wsdl:input><wsdl:output><soap:body use="literal"/></wsdl:output></wsdl:operation>'
        for one, _, _ in held
    )
    reference = f'<wsp:PolicyReference xmlns:wsp="{_WSP}" URI="#Reliable"/>' if policy else ""
    return (
        '<?xml version="1.0" encoding="utf-8"?>\n'
        f'<wsdl:definitions name="{name}" targetNamespace="{namespace}" xmlns:tns="{namespace}"'
        ' xmlns:wsdl="http://schemas.xmlsoap.org/wsdl/" xmlns:soap="http://schemas.xmlsoap.org/wsdl/soap/"'
        ' xmlns:xs="http://www.w3.org/2001/XMLSchema" xmlns:wsaw="http://www.w3.org/2006/05/addressing/wsdl"'
        f">{policy}<wsdl:types>{schemas}</wsdl:types>{messages}"
        f'<wsdl:portType name="{name}">{port_type}</wsdl:portType>'
        f'<wsdl:binding name="{name}Binding" type="tns:{name}">'
        f'<soap:binding transport="http://schemas.xmlsoap.org/soap/http" style="document"/>{reference}{binding}</wsdl:binding>'
        f'<wsdl:service name="{name}Service"><wsdl:port name="{name}Port" binding="tns:{name}Binding">'
        f'<soap:address location="{escape(address)}"/></wsdl:port></wsdl:service></wsdl:definitions>\n'
    ).replace("><", ">\n<")


def _port_operation(name: str, action: str, text: str) -> str:
    return (
        f'<wsdl:operation name="{name}"><wsdl:documentation>{text}</wsdl:documentation>'
        f'<wsdl:input wsaw:Action="{action}" message="tns:{name}In"/>'
        f'<wsdl:output wsaw:Action="{action}Response" message="tns:{name}Out"/></wsdl:operation>'
    )


def _schema(namespace: str, more: str, content: str) -> str:
    return f'<xs:schema targetNamespace="{namespace}" elementFormDefault="qualified"{more}>{content}</xs:schema>'


def _type(name: str, members: str, base: str = "") -> str:
    inside = f"<xs:sequence>{members}</xs:sequence>" if members else "<xs:sequence/>"
    if base:
        inside = f'<xs:complexContent><xs:extension base="{base}">{inside}</xs:extension></xs:complexContent>'
    return f'<xs:complexType name="{name}">{inside}</xs:complexType>'


def _element(member: Member, required: frozenset[str], *, all_nillable: bool = False) -> str:
    is_required = member.name in required
    nillable = ' nillable="true"' if (all_nillable or member.kind == "string") and not is_required else ""
    return f'<xs:element name="{member.name}" type="xs:{member.kind}" minOccurs="{int(is_required)}"{nillable}/>'


def _elements(names: Iterable[str], required: frozenset[str], *, all_nillable: bool = False) -> str:
    """Return elements; `all_nillable` where a WCF client, which sends every member, must be able to leave a number out."""
    wanted = set(names)
    return "".join(_element(member, required, all_nillable=all_nillable) for member in MEMBERS if member.name in wanted)


def _base_schema() -> str:
    members = "".join(_element(member, frozenset({"TerminalId"})) for member in MEMBERS if member.is_base)
    code = '<xs:element name="ResponseCode" type="xs:string" minOccurs="0" nillable="true"/>'
    description = '<xs:element name="ResponseDescription" type="xs:string" minOccurs="0" nillable="true"/>'
    return _schema(BASE, "", _type("BaseRequest", members) + _type("BaseResponse", code + description))


def _techquest_schema() -> str:
    own = [member.name for member in MEMBERS if not member.is_base]
    named = frozenset({"BankId", "CardPan"})
    shown = "".join(f'<xs:element name="{name}" type="xs:string" minOccurs="0" nillable="true"/>' for name in _SHOWN)
    types = (
        _type("CardHolder", _elements(own, _REQUIRED), "base:BaseRequest"),
        _type("CardHolderChange", _elements(own, named, all_nillable=True), "base:BaseRequest"),
        _type("CardHolderName", _elements([name for name in own if name in _NAMED_BY], named), "base:BaseRequest"),
        _type("CardHolderResponse", "", "base:BaseResponse"),
        _type("ShownCardHolder", shown, "base:BaseResponse"),
    )
    return _schema(TECHQUEST, f' xmlns:base="{BASE}"', f'<xs:import namespace="{BASE}"/>{"".join(types)}')


def _services_schema() -> str:
    elements = "".join(
        _wrapper(one.name, f'<xs:element name="request" type="own:{one.request}" minOccurs="0" nillable="true"/>')
        + _wrapper(
            f"{one.name}Response",
            f'<xs:element name="{one.name}Result" type="own:{_answer_of(one.name)}" minOccurs="0" nillable="true"/>',
        )
        for one in OPERATIONS
    )
    return _schema(SERVICES, f' xmlns:own="{TECHQUEST}"', f'<xs:import namespace="{TECHQUEST}"/>{elements}')


def _issuer_schema() -> str:
    def text(name: str, least: int = 0) -> str:
        return f'<xs:element name="{name}" type="xs:string" minOccurs="{least}"/>'

    types = _type("CardQuestion", text("CardPan", 1)) + _type("OtpQuestion", text("UserId", 1) + text("Otp", 1))
    types += _type("CardAnswer", "".join(map(text, ("ResponseCode", "TokenType", "PhoneNumber", "AdditionalInfo"))))
    types += _type("OtpAnswer", text("ResponseCode"))
    wrappers = ""
    for name, question, answer in (("ValidateCard", "CardQuestion", "CardAnswer"), ("AuthenticateOTP", "OtpQuestion", "OtpAnswer")):
        wrappers += _wrapper(name, f'<xs:element name="RequestDetails" type="tns:{question}"/>')
        wrappers += _wrapper(f"{name}Response", f'<xs:element name="Response" type="tns:{answer}"/>')
    return _schema(ISSUER, "", types + wrappers)


def _wrapper(name: str, member: str) -> str:
    return f'<xs:element name="{name}"><xs:complexType><xs:sequence>{member}</xs:sequence></xs:complexType></xs:element>'


def _answer_of(operation: str) -> str:
    return "ShownCardHolder" if operation == "GetCardHolder" else "CardHolderResponse"
