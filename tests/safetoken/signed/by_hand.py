"""A signer that shares nothing with ours: messages written in canonical form by hand, signed with `cryptography`.

Every text below is its own exclusive canonical form, so that digests are taken of what is written here and not of what some
canonicaliser makes of it. Each field that an attacker could spoil can be given.
"""

from __future__ import annotations

import hashlib
from base64 import b64encode
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, padding, utils
from cryptography.hazmat.primitives.serialization import Encoding

SOAP = "http://schemas.xmlsoap.org/soap/envelope/"
_WSS = "http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss-"
WSSE, WSU = f"{_WSS}wssecurity-secext-1.0.xsd", f"{_WSS}wssecurity-utility-1.0.xsd"
X509_V3, BASE64 = f"{_WSS}x509-token-profile-1.0#X509v3", f"{_WSS}soap-message-security-1.0#Base64Binary"
DS, C14N = "http://www.w3.org/2000/09/xmldsig#", "http://www.w3.org/2001/10/xml-exc-c14n#"
WSA = "http://www.w3.org/2005/08/addressing"
DIGESTS = {
    "sha512": "http://www.w3.org/2001/04/xmlenc#sha512",
    "sha256": "http://www.w3.org/2001/04/xmlenc#sha256",
    "sha1": f"{DS}sha1",
}
_MORE = "http://www.w3.org/2001/04/xmldsig-more#"
SERVICES, TECHQUEST = "http://services.interswitchng.com/", "techquest.interswitchng.com"
_HASHES: dict[str, hashes.HashAlgorithm] = {"sha512": hashes.SHA512(), "sha256": hashes.SHA256(), "sha1": hashes.SHA1()}  # noqa: S303 - what is to be refused


def enrolment(members: Mapping[str, str], operation: str = "AddCardHolder") -> str:
    """Return the Body's child, with every member in the contract's relative namespace."""
    inside = "".join(f"<{name}>{value}</{name}>" for name, value in members.items())
    return f'<{operation} xmlns="{SERVICES}"><request xmlns="{TECHQUEST}">{inside}</request></{operation}>'


@dataclass(frozen=True)
class Message:
    """One signed message, and everything about it that may be wrong."""

    operation: str
    certificate: x509.Certificate
    key: Any
    created: datetime = field(default_factory=lambda: datetime.now(UTC))
    life: timedelta = timedelta(minutes=5)
    digest: str = "sha512"
    method: str = "sha512"
    action: str | None = None  # with it the message has addressing headers
    to: str = "https://localhost/api/v1/safetoken"
    message_id: str = field(default_factory=lambda: f"urn:uuid:{uuid4()}")
    signs: tuple[str, ...] = ("T", "B")
    has_timestamp: bool = True
    body_id: str = "B"
    elsewhere: Mapping[str, str] = field(default_factory=dict)  # more that is signed, by its Id
    key_info: str = "#X"
    extra_header: str = ""  # put into the Header as it is
    extra_security: str = ""  # put into the Security header as it is
    sent_body: str | None = None  # what is sent in the place of the Body that was signed

    def but(self, **changes: Any) -> Message:
        return replace(self, **changes)

    @property
    def body(self) -> str:
        return f'<s:Body xmlns:s="{SOAP}" xmlns:u="{WSU}" u:Id="{self.body_id}">{self.operation}</s:Body>'

    @property
    def timestamp(self) -> str:
        created, expires = (
            f"{time:%Y-%m-%dT%H:%M:%S}.{time.microsecond // 1000:03d}Z" for time in (self.created, self.created + self.life)
        )
        return (
            f'<u:Timestamp xmlns:u="{WSU}" u:Id="T"><u:Created>{created}</u:Created><u:Expires>{expires}</u:Expires></u:Timestamp>'
        )

    @property
    def blocks(self) -> dict[str, str]:
        """Return the addressing headers by their ids."""
        if self.action is None:
            return {}
        return {
            name: f'<a:{local} xmlns:a="{WSA}" xmlns:u="{WSU}" u:Id="{name}">{value}</a:{local}>'
            for name, local, value in (("A", "Action", self.action), ("To", "To", self.to), ("M", "MessageID", self.message_id))
        }

    @property
    def signed_info(self) -> str:
        parts = {"T": self.timestamp, "B": self.body, **self.blocks, **self.elsewhere}
        references = "".join(
            f'<d:Reference URI="#{self.body_id if one == "B" else one}">'
            f'<d:Transforms><d:Transform Algorithm="{C14N}"></d:Transform></d:Transforms>'
            f'<d:DigestMethod Algorithm="{DIGESTS[self.digest]}"></d:DigestMethod>'
            f"<d:DigestValue>{_base64(hashlib.new(self.digest, parts[one].encode()).digest())}</d:DigestValue></d:Reference>"
            for one in (*self.signs, *self.blocks, *self.elsewhere)
        )
        return (
            f'<d:SignedInfo xmlns:d="{DS}"><d:CanonicalizationMethod Algorithm="{C14N}"></d:CanonicalizationMethod>'
            f'<d:SignatureMethod Algorithm="{self._algorithm}"></d:SignatureMethod>{references}</d:SignedInfo>'
        )

    @property
    def _algorithm(self) -> str:
        if isinstance(self.key, ec.EllipticCurvePrivateKey):
            return f"{_MORE}ecdsa-{self.method}"
        return f"{DS}rsa-sha1" if self.method == "sha1" else f"{_MORE}rsa-{self.method}"

    def signature_value(self) -> bytes:
        data, chosen = self.signed_info.encode(), _HASHES[self.method]
        if not isinstance(self.key, ec.EllipticCurvePrivateKey):
            return bytes(self.key.sign(data, padding.PKCS1v15(), chosen))
        length = (self.key.curve.key_size + 7) // 8
        return b"".join(part.to_bytes(length) for part in utils.decode_dss_signature(self.key.sign(data, ec.ECDSA(chosen))))

    def write(self) -> str:
        """Return the message as it is sent."""
        token = _base64(self.certificate.public_bytes(Encoding.DER))
        security = (
            f'<o:Security xmlns:o="{WSSE}" s:mustUnderstand="1">{self.timestamp if self.has_timestamp else ""}'
            f'<o:BinarySecurityToken xmlns:u="{WSU}" u:Id="X" ValueType="{X509_V3}" EncodingType="{BASE64}">{token}'
            "</o:BinarySecurityToken>"
            f'<d:Signature xmlns:d="{DS}">{self.signed_info}<d:SignatureValue>{_base64(self.signature_value())}</d:SignatureValue>'
            f'<d:KeyInfo><o:SecurityTokenReference><o:Reference URI="{self.key_info}" ValueType="{X509_V3}"/>'
            f"</o:SecurityTokenReference></d:KeyInfo></d:Signature>{self.extra_security}</o:Security>"
        )
        header = f"{''.join(self.blocks.values())}{security}{self.extra_header}"
        return f'<s:Envelope xmlns:s="{SOAP}"><s:Header>{header}</s:Header>{self.sent_body or self.body}</s:Envelope>'


def _base64(data: bytes) -> str:
    return b64encode(data).decode()
