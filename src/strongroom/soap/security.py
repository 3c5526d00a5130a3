"""What message security may ask for, who may sign, and the faults of WS-Security 1.1 (§12)."""

from __future__ import annotations

from base64 import b64encode
from dataclasses import dataclass, field
from enum import Enum
from typing import Final

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePrivateKey
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from cryptography.hazmat.primitives.serialization import Encoding

from strongroom.soap import names
from strongroom.soap.faults import FaultCode, SoapFault, Subcode

MAX_SKEW_SECONDS: Final = 300
MAX_LIFE_SECONDS: Final = 300


class Level(Enum):
    """What must be signed. Java clients cannot sign the Body of this contract, whose namespace is a relative URI."""

    OFF = "off"
    TIMESTAMP = "timestamp"  # mutual TLS, and Timestamp, Action and To signed
    BODY = "body"  # Timestamp and Body signed


@dataclass(frozen=True, slots=True)
class Policy:
    """What one partner's messages must show. `signers` are SHA-256 of the certificates pinned to that partner alone."""

    level: Level = Level.OFF
    signers: frozenset[bytes] = frozenset()
    allow_sha256: bool = False
    is_required: bool = True  # False: an unsigned message passes, a signed one must hold


@dataclass(frozen=True, slots=True)
class Signer:
    """Our certificate and its key, RSA or elliptic curve."""

    certificate: x509.Certificate
    key: RSAPrivateKey | EllipticCurvePrivateKey = field(repr=False)

    @property
    def token(self) -> str:
        """Return the certificate as a BinarySecurityToken holds it."""
        return b64encode(self.certificate.public_bytes(Encoding.DER)).decode()


def security_fault(local: str, reason: str) -> SoapFault:
    """Return a fault of WS-Security, such as wsse:FailedCheck."""
    return SoapFault(FaultCode.SENDER, reason, subcode=Subcode(names.WSSE, "wsse", local))


def failed_check(reason: str = "The signature does not hold") -> SoapFault:
    """Return the fault for a signature that is wrong, or does not cover what it must."""
    return security_fault("FailedCheck", reason)


def invalid_security(reason: str) -> SoapFault:
    """Return the fault for a Security header that lacks something or has too much."""
    return security_fault("InvalidSecurity", reason)


def failed_authentication(reason: str) -> SoapFault:
    """Return the fault for a signer or a token that does not count here."""
    return security_fault("FailedAuthentication", reason)


def unsupported_algorithm() -> SoapFault:
    """Return the fault for an algorithm that is not on the list."""
    return security_fault(
        "UnsupportedAlgorithm",
        "Signatures are rsa-sha512 or ecdsa-sha512 over SHA-512 of exclusive C14N; SHA-256 counts where the issuer allows it",
    )


def message_expired() -> SoapFault:
    """Return the fault for a message that comes too late, or from a clock that is too far off."""
    return security_fault("MessageExpired", "The message has expired, or its time is more than five minutes off")
