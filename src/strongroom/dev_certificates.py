"""Certificates of `make run`: an authority of its own, our server's certificate, and one each for a pretend hub and bank."""

from __future__ import annotations

import hashlib
import os
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

_DAYS = 3650
_BITS = 2048
_USAGE = {
    "server": [ExtendedKeyUsageOID.SERVER_AUTH],
    "hub": [ExtendedKeyUsageOID.CLIENT_AUTH],
    "bank": [ExtendedKeyUsageOID.CLIENT_AUTH],
}


@dataclass(frozen=True, slots=True)
class Certificates:
    """A folder of PEM files: `ca.pem`, and for server, hub and bank a certificate and its key."""

    folder: Path

    def certificate(self, name: str) -> Path:
        """Return the file of a certificate."""
        return self.folder / f"{name}.pem"

    def key(self, name: str) -> Path:
        """Return the file of a key."""
        return self.folder / f"{name}.key"

    def hash(self, name: str) -> str:
        """Return the SHA-256 of a certificate, in hex, as an issuer's settings pin it."""
        certificate = x509.load_pem_x509_certificate(self.certificate(name).read_bytes())
        return hashlib.sha256(certificate.public_bytes(Encoding.DER)).hexdigest()

    def make(self) -> None:
        """Make whatever is not there; the authority's key is let go, so that nobody issues more."""
        if all(self.certificate(name).exists() and self.key(name).exists() for name in _USAGE):
            return
        self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        authority_key = rsa.generate_private_key(65537, _BITS)
        authority = _name("Strongroom development authority")
        builder = _builder(authority, authority, authority_key.public_key())
        builder = builder.add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        signed = builder.sign(authority_key, hashes.SHA512())
        self.certificate("ca").write_bytes(signed.public_bytes(Encoding.PEM))
        for name, usage in _USAGE.items():
            self._issue(name, usage, authority, authority_key)

    def _issue(self, name: str, usage: list[x509.ObjectIdentifier], authority: x509.Name, authority_key: rsa.RSAPrivateKey) -> None:
        key = rsa.generate_private_key(65537, _BITS)
        builder = _builder(_name(f"Strongroom development {name}"), authority, key.public_key())
        builder = builder.add_extension(x509.ExtendedKeyUsage(usage), critical=False)
        names = [x509.DNSName("localhost"), x509.IPAddress(ip_address("127.0.0.1"))]
        builder = builder.add_extension(x509.SubjectAlternativeName(names), critical=False)
        self.certificate(name).write_bytes(builder.sign(authority_key, hashes.SHA512()).public_bytes(Encoding.PEM))
        pem = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
        with os.fdopen(os.open(self.key(name), os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as out:
            out.write(pem)


def _name(name: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])


def _builder(subject: x509.Name, issuer: x509.Name, key: rsa.RSAPublicKey) -> x509.CertificateBuilder:
    now = datetime.now(UTC)  # a certificate's days decide nothing of ours
    builder = x509.CertificateBuilder().subject_name(subject).issuer_name(issuer).public_key(key)
    builder = builder.serial_number(x509.random_serial_number())
    return builder.not_valid_before(now - timedelta(hours=1)).not_valid_after(now + timedelta(days=_DAYS))
