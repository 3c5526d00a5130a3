"""Sign a message of ours, with an X.509 token and SHA-512 (WS-Security 1.1)."""

from __future__ import annotations

import hashlib
import re
from base64 import b64encode
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Final

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature

from strongroom.soap import names
from strongroom.soap.c14n import canonicalise
from strongroom.soap.envelopes import write
from strongroom.soap.faults import Version
from strongroom.soap.reading import Element, read
from strongroom.soap.security import MAX_LIFE_SECONDS, Level, Signer

_BODY, _TIMESTAMP, _TOKEN = "Body", "Timestamp", "Token"
_START: Final = re.compile(r"<([^\s/>]+)")


def sign(version: Version, body: str, blocks: Sequence[str], signer: Signer, created: datetime, level: Level = Level.BODY) -> str:
    """Return an envelope around the XML of a Body and of header blocks, signed; it counts for five minutes.

    Blocks and Timestamp are always signed, the Body at its own level. A block declares its own prefixes; the envelope's is `s`.
    """
    marked = [_START.sub(rf'<\1 xmlns:u="{names.WSU}" u:Id="H{number}"', block, count=1) for number, block in enumerate(blocks)]
    signed_ids = [*(f"H{number}" for number in range(len(marked))), _TIMESTAMP, *([_BODY] if level is Level.BODY else [])]

    def envelope(signature: str) -> str:
        header = "".join(marked) + _security(signer, created, signature)
        return write(version, body, header, body_attributes=f' xmlns:u="{names.WSU}" u:Id="{_BODY}"')

    elements = {element.get("Id", names.WSU): element for element in read(envelope("").encode()).within()}
    return envelope(_signature(signer, [(one, elements[one]) for one in signed_ids]))


def _security(signer: Signer, created: datetime, signature: str) -> str:
    begins, ends = _time(created), _time(created + timedelta(seconds=MAX_LIFE_SECONDS))
    return (
        f'<o:Security xmlns:o="{names.WSSE}" xmlns:u="{names.WSU}" s:mustUnderstand="1">'
        f'<u:Timestamp u:Id="{_TIMESTAMP}"><u:Created>{begins}</u:Created><u:Expires>{ends}</u:Expires></u:Timestamp>'
        f'<o:BinarySecurityToken u:Id="{_TOKEN}" EncodingType="{names.BASE64}" ValueType="{names.X509_V3}">'
        f"{signer.token}</o:BinarySecurityToken>{signature}</o:Security>"
    )


def _signature(signer: Signer, parts: Sequence[tuple[str, Element]]) -> str:
    references = "".join(_reference(name, element) for name, element in parts)
    method = names.RSA_SHA512 if isinstance(signer.key, rsa.RSAPrivateKey) else names.ECDSA_SHA512
    signed_info = (
        f'<ds:SignedInfo xmlns:ds="{names.DS}"><ds:CanonicalizationMethod Algorithm="{names.EXCLUSIVE_C14N}"/>'
        f'<ds:SignatureMethod Algorithm="{method}"/>{references}</ds:SignedInfo>'
    )
    value = b64encode(_sign(signer, canonicalise(read(signed_info.encode())))).decode()
    return (
        f'<ds:Signature xmlns:ds="{names.DS}">{signed_info}<ds:SignatureValue>{value}</ds:SignatureValue><ds:KeyInfo>'
        f'<o:SecurityTokenReference><o:Reference URI="#{_TOKEN}" ValueType="{names.X509_V3}"/></o:SecurityTokenReference>'
        "</ds:KeyInfo></ds:Signature>"
    )


def _reference(name: str, element: Element) -> str:
    digest = b64encode(hashlib.sha512(canonicalise(element)).digest()).decode()
    return (
        f'<ds:Reference URI="#{name}"><ds:Transforms><ds:Transform Algorithm="{names.EXCLUSIVE_C14N}"/></ds:Transforms>'
        f'<ds:DigestMethod Algorithm="{names.SHA512}"/><ds:DigestValue>{digest}</ds:DigestValue></ds:Reference>'
    )


def _sign(signer: Signer, data: bytes) -> bytes:
    """Return the signature as XML Signature has it: for a curve r and s, each as long as the curve (RFC 4050 §3.3)."""
    if isinstance(signer.key, rsa.RSAPrivateKey):
        return signer.key.sign(data, padding.PKCS1v15(), hashes.SHA512())
    length = (signer.key.curve.key_size + 7) // 8
    parts = decode_dss_signature(signer.key.sign(data, ec.ECDSA(hashes.SHA512())))
    return b"".join(part.to_bytes(length) for part in parts)


def _time(moment: datetime) -> str:
    return moment.strftime("%Y-%m-%dT%H:%M:%S.") + f"{moment.microsecond // 1000:03d}Z"
