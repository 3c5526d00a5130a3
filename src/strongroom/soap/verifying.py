"""Verify a signed message by a strict profile (WS-Security 1.1): whatever is used afterwards is what the signature covers.

One Security header with one Timestamp, one X.509 token and one signature by it. References name elements by a wsu:Id that is unique
in the document, and each must be the envelope's own Body, its Timestamp, its token or a block of its Header, so that nothing can be
signed in one place and read in another. Time and replays are judged by the caller, who has a clock and a memory.
"""

from __future__ import annotations

import hashlib
import re
from base64 import b64decode
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature

from strongroom.soap import names
from strongroom.soap.c14n import canonicalise
from strongroom.soap.envelopes import Envelope, is_for_us
from strongroom.soap.faults import SoapFault
from strongroom.soap.reading import Element
from strongroom.soap.security import (
    MAX_LIFE_SECONDS,
    MAX_SKEW_SECONDS,
    Level,
    Policy,
    failed_authentication,
    failed_check,
    invalid_security,
    message_expired,
    security_fault,
    unsupported_algorithm,
)

MAX_REFERENCES: Final = 32
MIN_RSA_BITS: Final = 2048
_HASHES: Final = {names.SHA512: hashes.SHA512(), names.SHA256: hashes.SHA256()}
_METHODS: Final = {
    names.RSA_SHA512: ("rsa", names.SHA512),
    names.RSA_SHA256: ("rsa", names.SHA256),
    names.ECDSA_SHA512: ("ec", names.SHA512),
    names.ECDSA_SHA256: ("ec", names.SHA256),
}
_TIME: Final = re.compile(r"[0-9]{4}(-[0-9]{2}){2}T[0-9]{2}(:[0-9]{2}){2}(\.[0-9]{1,9})?Z")
_HEADERS_USED: Final = frozenset({names.WSA_2005, names.WSA_2004, names.WSRM_11, names.WSRM_10})


@dataclass(frozen=True, slots=True)
class Verified:
    """A message whose signature holds. `signed_info` is what was signed, in canonical form: the same in every copy of it."""

    signer_hash: bytes
    signed_info: bytes
    created: datetime
    expires: datetime


@dataclass(frozen=True, slots=True)
class _Parts:
    """What one Security header holds."""

    timestamp: Element
    token: Element
    signature: Element


def find_security(envelope: Envelope) -> Element | None:
    """Return the Security header that is meant for us. Raise SoapFault when there are several."""
    block = envelope.block(names.WSSE, "Security")
    return block if block is not None and is_for_us(block, envelope.version) else None


def verify(envelope: Envelope, policy: Policy) -> Verified:
    """Verify a request by its partner's policy. Raise SoapFault with a code of WS-Security 1.1 §12."""
    verified = _verify(envelope, policy)
    if policy.level is Level.TIMESTAMP and None in (envelope.addressing.action, envelope.addressing.to):
        raise invalid_security("Without a signed Body, the addressing headers Action and To must be there and signed")
    return verified


def verify_answer(envelope: Envelope, policy: Policy, request_id: str, now: datetime) -> Verified:
    """Verify an answer, just come, to the message of ours with this wsa:MessageID, by its partner's policy. Raise SoapFault."""
    verified = _verify(envelope, policy)
    if envelope.addressing.relates_to != request_id:
        raise failed_check("The answer does not say, signed, that it is to this request")
    if not verified.created - timedelta(seconds=MAX_SKEW_SECONDS) <= now < verified.expires:
        raise message_expired()
    return verified


def _verify(envelope: Envelope, policy: Policy) -> Verified:
    """Verify all but what the addressing headers must say."""
    security = find_security(envelope)
    if security is None:
        raise invalid_security("This partner's messages must be signed: there is no Security header for this service")
    by_id = _index_ids(envelope.root)
    parts = _parts(security)
    certificate, signer_hash = _read_token(parts.token, policy)
    signed_info = _child(parts.signature, "SignedInfo", names.DS)
    _check_key_info(parts)
    canonical = _check_value(parts.signature, signed_info, certificate, policy)  # before the digests: these cost a stranger's size
    covered = _covered(signed_info, by_id, _places(envelope, security, parts), policy)
    _check_coverage(envelope, parts, covered, policy.level)
    created, expires = _read_times(parts.timestamp)
    if not certificate.not_valid_before_utc <= created <= certificate.not_valid_after_utc:
        raise failed_authentication("The signer's certificate is not in its time")
    return Verified(signer_hash, canonical, created, expires)


def _index_ids(root: Element) -> dict[str, Element]:
    """Return the elements by wsu:Id. Raise SoapFault when any kind of id stands twice: readers would resolve it differently."""
    seen: set[str] = set()
    by_id: dict[str, Element] = {}
    for element in root.within():
        for attribute in element.attributes:
            if attribute.local.lower() != "id" or attribute.namespace not in ("", names.WSU, names.XML):
                continue
            if attribute.value in seen:
                raise invalid_security("An Id stands twice in the message")
            seen.add(attribute.value)
            if attribute.namespace == names.WSU:
                by_id[attribute.value] = element
    return by_id


def _parts(security: Element) -> _Parts:
    """Return the parts of a Security header: those three, once each, and nothing else. Raise SoapFault."""
    for child in security.elements:
        if (child.namespace, child.local) == (names.WSSE, "UsernameToken"):
            raise _username_refused(child)
    wanted = {"Timestamp": names.WSU, "BinarySecurityToken": names.WSSE, "Signature": names.DS}
    found: dict[str, Element] = {}
    for child in security.elements:
        if wanted.get(child.local) != child.namespace:
            raise security_fault("UnsupportedSecurityToken", "A Security header holds a Timestamp, an X.509 token and a signature")
        if child.local in found:
            raise invalid_security(f"The Security header may hold one {child.local}")
        found[child.local] = child
    if missing := wanted.keys() - found.keys():
        raise invalid_security(f"The Security header has no {min(missing)}")
    return _Parts(found["Timestamp"], found["BinarySecurityToken"], found["Signature"])


def _username_refused(token: Element) -> SoapFault:
    password = token.find("Password", names.WSSE)
    if password is not None and password.get("Type") == names.PASSWORD_DIGEST:
        return failed_authentication("PasswordDigest is SHA-1 by definition and refused; sign with an X.509 certificate")
    return security_fault("UnsupportedSecurityToken", "Callers are known by their certificate, not by a UsernameToken")


def _read_token(token: Element, policy: Policy) -> tuple[x509.Certificate, bytes]:
    """Return the signer's certificate and its SHA-256, if it is pinned to this partner. Raise SoapFault."""
    if token.get("ValueType") != names.X509_V3 or token.get("EncodingType") not in (None, names.BASE64):
        raise security_fault("UnsupportedSecurityToken", "The BinarySecurityToken must be one X.509 v3 certificate in Base64")
    encoded = _decode(token)
    signer_hash = hashlib.sha256(encoded).digest()
    if signer_hash not in policy.signers:  # before it is parsed: what strangers send as a certificate meets no parser
        raise failed_authentication("The signer's certificate is not pinned to this caller")
    return x509.load_der_x509_certificate(encoded), signer_hash


def _places(envelope: Envelope, security: Element, parts: _Parts) -> list[Element]:
    """Return what may be signed, none of it inside another."""
    return [envelope.body, parts.timestamp, parts.token, *(block for block in envelope.blocks if block is not security)]


def _covered(signed_info: Element, by_id: dict[str, Element], places: list[Element], policy: Policy) -> list[Element]:
    """Return the elements that the references name, each in its own place and as it was when signed. Raise SoapFault."""
    references = [child for child in signed_info.elements if child.local == "Reference" and child.namespace == names.DS]
    if not 0 < len(references) <= MAX_REFERENCES or len(references) + 2 != len(signed_info.elements):
        raise invalid_security(f"A signature has 1 to {MAX_REFERENCES} references")
    covered: list[Element] = []
    for reference in references:
        name = reference.get("URI") or ""
        element = by_id.get(name[1:]) if name.startswith("#") else None
        if element is None:
            raise failed_check("A reference names no wsu:Id of this message")
        if any(element is one for one in covered) or all(element is not place for place in places):
            raise failed_check("Only this envelope's own Body, Timestamp, token and header blocks may be signed, once each")
        method = _child(reference, "DigestMethod", names.DS).get("Algorithm") or ""
        digest = _decode(_child(reference, "DigestValue", names.DS))
        prefixes = _prefixes(_only(_child(reference, "Transforms", names.DS), "Transform"))
        if digest != _digest(method, canonicalise(element, prefixes), policy):
            raise failed_check()
        covered.append(element)
    return covered


def _check_coverage(envelope: Envelope, parts: _Parts, covered: list[Element], level: Level) -> None:
    """Raise SoapFault when something that we use is not signed."""
    used = [block for block in envelope.blocks if block.namespace in _HEADERS_USED]
    needed = [parts.timestamp, *used, *([envelope.body] if level is Level.BODY else [])]
    for place in needed:
        if all(element is not place for element in covered):
            raise failed_check(f"{place.local} must be signed")


def _check_key_info(parts: _Parts) -> None:
    """Raise SoapFault unless the signature says that it is by the token of this header."""
    reference = _child(_child(parts.signature, "KeyInfo", names.DS), "SecurityTokenReference", names.WSSE)
    if _child(reference, "Reference", names.WSSE).get("URI") != f"#{parts.token.get('Id', names.WSU)}":
        raise security_fault("SecurityTokenUnavailable", "KeyInfo must refer to the BinarySecurityToken of the same header")


def _check_value(signature: Element, signed_info: Element, certificate: x509.Certificate, policy: Policy) -> bytes:
    """Return what was signed, in canonical form. Raise SoapFault when the value is not the certificate's signature over it."""
    method = _child(signed_info, "SignatureMethod", names.DS).get("Algorithm") or ""
    kind, digest = _METHODS.get(method, ("", ""))
    value = _decode(_child(signature, "SignatureValue", names.DS))
    canonical = canonicalise(signed_info, _prefixes(_child(signed_info, "CanonicalizationMethod", names.DS)))
    chosen, key = _hash_of(digest, policy), certificate.public_key()
    try:
        if kind == "rsa" and isinstance(key, rsa.RSAPublicKey) and key.key_size >= MIN_RSA_BITS:
            key.verify(value, canonical, padding.PKCS1v15(), chosen)
            return canonical
        if kind == "ec" and isinstance(key, ec.EllipticCurvePublicKey) and len(value) == 2 * ((key.curve.key_size + 7) // 8):
            half = len(value) // 2
            parts = int.from_bytes(value[:half]), int.from_bytes(value[half:])
            key.verify(encode_dss_signature(*parts), canonical, ec.ECDSA(chosen))
            return canonical
    except InvalidSignature:
        raise failed_check() from None
    raise failed_check("The signature's method is not one of the certificate's key")


def _read_times(timestamp: Element) -> tuple[datetime, datetime]:
    """Return Created and Expires. Raise SoapFault unless both are there, in UTC, and at most five minutes apart."""
    created, expires = (_read_time(_child(timestamp, local, names.WSU)) for local in ("Created", "Expires"))
    if not created < expires <= created + timedelta(seconds=MAX_LIFE_SECONDS):
        raise message_expired()
    return created, expires


def _read_time(element: Element) -> datetime:
    text = element.text.strip()
    try:
        if _TIME.fullmatch(text):
            return datetime.fromisoformat(text)
    except ValueError:  # a thirteenth month
        pass
    raise invalid_security("The times of a Timestamp are written like 2026-01-31T23:59:59Z")


def _prefixes(method: Element) -> list[str]:
    """Return the PrefixList of a transform, which must be exclusive C14N. Raise SoapFault."""
    inside = method.elements
    if method.get("Algorithm") != names.EXCLUSIVE_C14N or len(inside) > 1:
        raise unsupported_algorithm()
    if not inside:
        return []
    if (inside[0].namespace, inside[0].local) != (names.EXCLUSIVE_C14N, "InclusiveNamespaces"):
        raise unsupported_algorithm()
    return (inside[0].get("PrefixList") or "").split()


def _digest(method: str, data: bytes, policy: Policy) -> bytes:
    made = hashes.Hash(_hash_of(method, policy))
    made.update(data)
    return made.finalize()


def _hash_of(method: str, policy: Policy) -> hashes.HashAlgorithm:
    """Return a hash that the policy allows. Raise SoapFault."""
    if method not in _HASHES or (method == names.SHA256 and not policy.allow_sha256):
        raise unsupported_algorithm()
    return _HASHES[method]


def _only(parent: Element, local: str) -> Element:
    """Return the only child, of that name. Raise SoapFault."""
    if len(parent.elements) != 1:
        raise unsupported_algorithm()
    return _child(parent, local, names.DS)


def _child(parent: Element, local: str, namespace: str) -> Element:
    """Return the one child of that name. Raise SoapFault when there is none, or another."""
    found = [child for child in parent.elements if child.local == local and child.namespace == namespace]
    if len(found) != 1:
        raise invalid_security(f"{parent.local} must hold one {local}")
    return found[0]


def _decode(element: Element) -> bytes:
    """Return what a text says in Base64, which may be broken into lines. Raise SoapFault."""
    try:
        return b64decode("".join(element.text.split()), validate=True)
    except ValueError:
        raise invalid_security(f"{element.local} is not Base64") from None
