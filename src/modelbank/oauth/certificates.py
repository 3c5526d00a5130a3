"""What a client's certificate says: who it names, and the thumbprint that tokens are bound to (RFC 8705)."""

from __future__ import annotations

import hashlib
import hmac

from cryptography import x509

from modelbank.jose.keys import b64url


def thumbprint(certificate: bytes) -> str:
    """Return x5t#S256 of a DER certificate (RFC 8705 §3.1)."""
    return b64url(hashlib.sha256(certificate).digest())


def names_subject(certificate: bytes, subject: str) -> bool:
    """True when the certificate's subject is exactly this one (RFC 8705 §2.1.2). The chain was verified by TLS."""
    try:
        named = x509.load_der_x509_certificate(certificate).subject.rfc4514_string()
    except ValueError:
        return False
    return hmac.compare_digest(named.encode(), subject.encode())
