"""Message signatures: a detached JWS over the exact bytes of a body, in `x-jws-signature`.

Since v3.1.4 the payload is base64url-encoded in the signing input and `b64` must be absent. The header has exactly the
standard's members, and `crit` names exactly the standard's three.
"""

from __future__ import annotations

import base64
import binascii
import json
import re
import time
from collections.abc import Mapping
from typing import Any

from modelbank.banks import Bank, Client
from modelbank.jose.keys import UnknownKey, algorithm, b64url
from modelbank.openbanking.errors import Code, Refused

IAT = "http://openbanking.org.uk/iat"
ISS = "http://openbanking.org.uk/iss"
TAN = "http://openbanking.org.uk/tan"
CRITICAL = (IAT, ISS, TAN)
_REQUIRED = ("alg", "kid", "crit", *CRITICAL)
_OPTIONAL = ("typ", "cty")
_TYPES = {"typ": ("JOSE",), "cty": ("json", "application/json")}
_COMPACT = re.compile(r"([A-Za-z0-9_-]{1,2000})\.\.([A-Za-z0-9_-]{1,1000})")
_CLOCK_SKEW_SECONDS = 10
_HEADER = "x-jws-signature"


def sign_body(bank: Bank, body: bytes, skew_seconds: int = 0) -> str:
    """Return the detached signature of an answer's exact bytes; a clock that goes wrong is `skew_seconds` ahead."""
    header = {
        "alg": "PS256",
        "kid": bank.key.kid,
        "typ": "JOSE",
        "cty": "application/json",
        IAT: int(time.time()) + skew_seconds,
        ISS: bank.config.organisation_id,
        TAN: bank.config.trust_anchor,
        "crit": list(CRITICAL),
    }
    protected = b64url(json.dumps(header, separators=(",", ":")).encode())
    signature = algorithm("PS256").sign(_signing_input(protected, body), bank.key.private)
    return f"{protected}..{b64url(signature)}"


def verify_body(bank: Bank, client: Client, signature: str | None, body: bytes) -> None:
    """Verify a request's signature. Raise Refused: U019 missing, U018 malformed, U017 or U016 a claim, U015 the signature."""
    if not signature:
        raise Refused(Code.SIGNATURE_MISSING, "The request must be signed.", _HEADER)
    match = _COMPACT.fullmatch(signature)
    header = _decode_header(match[1]) if match else None
    if match is None or header is None:
        raise Refused(Code.SIGNATURE_MALFORMED, "The signature is no detached JWS.", _HEADER)
    _check_members(header)
    _check_values(bank, client, header)
    try:
        key = client.keys.find(header["kid"], header["alg"])
    except UnknownKey:
        raise _invalid("kid") from None
    if not algorithm("PS256").verify(_signing_input(match[1], body), key, _decode(match[2])):
        raise Refused(Code.SIGNATURE_INVALID, "The signature does not fit the body.", _HEADER)


def _signing_input(protected: str, body: bytes) -> bytes:
    return f"{protected}.{b64url(body)}".encode()


def _decode(text: str) -> bytes:
    try:
        return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
    except binascii.Error:
        return b""


def _decode_header(text: str) -> dict[str, Any] | None:
    try:
        header = json.loads(_decode(text))
    except ValueError:
        return None
    return header if isinstance(header, dict) else None


def _check_members(header: Mapping[str, Any]) -> None:
    if missing := [name for name in _REQUIRED if name not in header]:
        raise Refused(Code.SIGNATURE_CLAIM_MISSING, f"The signature lacks {', '.join(missing)}.", missing[0])
    if unknown := [name for name in header if name not in (*_REQUIRED, *_OPTIONAL)]:
        raise _invalid(unknown[0])


def _check_values(bank: Bank, client: Client, header: Mapping[str, Any]) -> None:
    issued_at, crit = header[IAT], header["crit"]
    valid = {
        "alg": header["alg"] == "PS256",
        "crit": isinstance(crit, list) and len(crit) == len(CRITICAL) and all(name in crit for name in CRITICAL),
        IAT: isinstance(issued_at, int | float)
        and not isinstance(issued_at, bool)
        and issued_at <= time.time() + _CLOCK_SKEW_SECONDS,
        ISS: header[ISS] == client.config.signing_issuer,
        TAN: header[TAN] == bank.config.trust_anchor,
    }
    valid.update({name: header[name] in values for name, values in _TYPES.items() if name in header})
    for name, holds in valid.items():
        if not holds:
            raise _invalid(name)


def _invalid(name: str) -> Refused:
    return Refused(Code.SIGNATURE_CLAIM_INVALID, f"The signature's {name[:100]} is not acceptable.", name[:100])
