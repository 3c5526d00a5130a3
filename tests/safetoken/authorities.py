"""Certificate authorities made for one test run, and every kind of certificate that a caller may show."""

from __future__ import annotations

import hashlib
import ssl
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.asymmetric.types import CertificatePublicKeyTypes
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

CLIENT, SERVER = ExtendedKeyUsageOID.CLIENT_AUTH, ExtendedKeyUsageOID.SERVER_AUTH


@dataclass(frozen=True)
class Identity:
    """A certificate and its key, in files."""

    certificate: x509.Certificate
    key: rsa.RSAPrivateKey
    certificate_file: Path
    key_file: Path

    @property
    def pem(self) -> bytes:
        return self.certificate.public_bytes(Encoding.PEM)

    @property
    def hash(self) -> str:
        return hashlib.sha256(self.certificate.public_bytes(Encoding.DER)).hexdigest()

    def context(self, authority: Authority, *, also: bytes = b"") -> ssl.SSLContext:
        """Return a client's context that shows this certificate, and sends others with it."""
        context = authority.context()
        chain = self.certificate_file.with_suffix(".chain.pem")
        chain.write_bytes(self.pem + also)
        context.load_cert_chain(chain, self.key_file)
        return context


@dataclass
class Authority:
    """An authority of its own."""

    folder: Path
    name: str
    key: rsa.RSAPrivateKey = field(init=False)
    certificate: x509.Certificate = field(init=False)

    def __post_init__(self) -> None:
        self.key = rsa.generate_private_key(65537, 2048)
        builder = _builder(self.name, self.name, self.key.public_key(), days=30)
        builder = builder.add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        self.certificate = builder.sign(self.key, hashes.SHA512())
        self.file.write_bytes(self.certificate.public_bytes(Encoding.PEM))

    @property
    def file(self) -> Path:
        return self.folder / f"{self.name}.pem"

    def context(self) -> ssl.SSLContext:
        """Return a client's context that believes servers of this authority and shows nothing."""
        return ssl.create_default_context(cafile=self.file)

    def issue(
        self, name: str, usage: x509.ObjectIdentifier = CLIENT, *, days: int = 30, host: str | None = None, file: str = ""
    ) -> Identity:
        """Issue a certificate; with negative days one that is over."""
        key = rsa.generate_private_key(65537, 2048)
        builder = _builder(name, self.name, key.public_key(), days=days)
        builder = builder.add_extension(x509.ExtendedKeyUsage([usage]), critical=False)
        names = [x509.DNSName(host or name.replace(" ", "-"))] + ([x509.IPAddress(ip_address("127.0.0.1"))] if host else [])
        builder = builder.add_extension(x509.SubjectAlternativeName(names), critical=False)
        certificate = builder.sign(self.key, hashes.SHA512())
        place = self.folder / (file or f"{self.name} {name}".replace(" ", "-"))
        identity = Identity(certificate, key, place.with_suffix(".pem"), place.with_suffix(".key"))
        identity.certificate_file.write_bytes(identity.pem)
        identity.key_file.write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
        return identity

    def certify(self, name: str, key: CertificatePublicKeyTypes) -> x509.Certificate:
        """Return a certificate for a key of any kind, for signing."""
        return _builder(name, self.name, key, days=30).sign(self.key, hashes.SHA512())


def _builder(subject: str, issuer: str, key: CertificatePublicKeyTypes, *, days: int) -> x509.CertificateBuilder:
    now = datetime.now(UTC)
    begins, ends = sorted((now - timedelta(hours=1), now + timedelta(days=days)))
    if days < 0:
        begins, ends = now + timedelta(days=days - 1), now + timedelta(days=days)
    builder = x509.CertificateBuilder().subject_name(_name(subject)).issuer_name(_name(issuer)).public_key(key)
    return builder.serial_number(x509.random_serial_number()).not_valid_before(begins).not_valid_after(ends)


def _name(name: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
