"""The document's sample request, for `make run`, the Postman collection and the guide; a test compares it with the document."""

from __future__ import annotations

from typing import Final

from strongroom.safetoken.members import BASE, MEMBERS, SERVICES, TECHQUEST, Kind

SAMPLE: Final = {
    "HeaderTerminalId": "3IWPDVNA",
    "TerminalId": "3IWPDVNA",
    "AccountNumber": "5061810000000152048",
    "Address1": "lag",
    "Address2": "lag",
    "BankId": "8",
    "CardPan": "5061810000000152048",
    "City": "lag",
    "Country": "NG",
    "CountryCode": "NG",
    "Email": "",
    "ExpiryDate": "1800",
    "FailureReason": "0",
    "Gender": "M",
    "IsApprovedAndEnabled": "true",
    "IsFailure": "false",
    "IsVerveEAccount": "false",
    "LastName": "GANIU",
    "Othernames": "GANIU",
    "PostCode": "1",
    "PrimaryMobileCountryCode": "NG",
    "PrimaryMobileNumber": "2347908516601",
    "RegistrationChannel": "1",
    "SecondaryMobileNumber": "2347908516601",
    "State": "la",
    "Title": "Mr",
}


def sample_request(operation: str = "AddCardHolder", members: dict[str, str] = SAMPLE) -> str:
    """Return a request as the document prints it, without its comments."""
    lines = [_line(member.name, members[member.name], base=member.is_base) for member in MEMBERS if member.name in members]
    return "\n".join(
        [
            '<?xml version="1.0" encoding="UTF-8"?>',
            '<soapenv:Envelope xmlns:soapenv="http://schemas.xmlsoap.org/soap/envelope/"',
            f'xmlns:ser="{SERVICES}"',
            f'xmlns:tec="{BASE}"',
            f'xmlns:tec1="{TECHQUEST}">',
            "   <soapenv:Header />",
            "   <soapenv:Body>",
            f"      <ser:{operation}>",
            "         <ser:request>",
            *lines,
            "         </ser:request>",
            f"      </ser:{operation}>",
            "   </soapenv:Body>",
            "</soapenv:Envelope>",
            "",
        ]
    )


def sample_json(members: dict[str, str] = SAMPLE) -> dict[str, object]:
    """Return the same members as JSON has them."""
    return {member.name: _typed(member.kind, members[member.name]) for member in MEMBERS if member.name in members}


def _typed(kind: Kind, text: str) -> object:
    if kind is Kind.NUMBER:
        return int(text)
    return text == "true" if kind is Kind.FLAG else text


def _line(name: str, value: str, *, base: bool) -> str:
    prefix = "tec" if base else "tec1"
    written = f"<{prefix}:{name}>{value}</{prefix}:{name}>" if value else f"<{prefix}:{name} />"
    return f"            {written}"
