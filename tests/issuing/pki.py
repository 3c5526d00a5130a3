"""An authority of the test's own, with certificates for the hub and for issuers."""

from __future__ import annotations

import datetime as dt
import hashlib
import ipaddress
import ssl
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from strongroom.issuing.transport import Identity
from strongroom.soap.signers import OurSigner, SignerFiles


class Pki:
    """Files in one folder: `ca.pem`, and `NAME.pem` with `NAME.key` for every name that was issued."""

    def __init__(self, folder: Path, *names: str) -> None:
        self.folder = folder
        self._key = rsa.generate_private_key(65537, 2048)
        self._name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, f"Authority {folder.name}")])
        self._write("ca", self._build(self._name, self._key.public_key(), is_ca=True).sign(self._key, hashes.SHA512()))
        for name in names:
            self.issue(name)

    def issue(self, name: str) -> None:
        key = rsa.generate_private_key(65537, 2048)
        subject = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, name)])
        names = x509.SubjectAlternativeName([x509.DNSName("localhost"), x509.IPAddress(ipaddress.ip_address("127.0.0.1"))])
        builder = self._build(subject, key.public_key(), is_ca=False).add_extension(names, critical=False)
        self._write(name, builder.sign(self._key, hashes.SHA512()))
        pem = key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )  # fmt: skip
        (self.folder / f"{name}.key").write_bytes(pem)

    def identity(self, name: str = "hub") -> Identity:
        return Identity(self.folder / f"{name}.pem", self.folder / f"{name}.key", self.folder / "ca.pem")

    def signer(self, name: str = "hub") -> OurSigner:
        return OurSigner(SignerFiles(self.folder / f"{name}.pem", self.folder / f"{name}.key"))

    def pin(self, name: str) -> bytes:
        """Return the SHA-256 of a certificate."""
        certificate = x509.load_pem_x509_certificate((self.folder / f"{name}.pem").read_bytes())
        return hashlib.sha256(certificate.public_bytes(serialization.Encoding.DER)).digest()

    def server_context(self, name: str = "issuer") -> ssl.SSLContext:
        """Return the TLS side of an issuer that lets nobody in without a certificate."""
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH, cafile=str(self.folder / "ca.pem"))
        context.verify_mode = ssl.CERT_REQUIRED
        context.load_cert_chain(self.folder / f"{name}.pem", self.folder / f"{name}.key")
        return context

    def _write(self, name: str, certificate: x509.Certificate) -> None:
        (self.folder / f"{name}.pem").write_bytes(certificate.public_bytes(serialization.Encoding.PEM))

    def _build(self, subject: x509.Name, public_key: rsa.RSAPublicKey, *, is_ca: bool) -> x509.CertificateBuilder:
        now = dt.datetime.now(dt.UTC)
        return (
            x509.CertificateBuilder()
            .subject_name(subject)
            .issuer_name(self._name)
            .public_key(public_key)
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - dt.timedelta(hours=1))
            .not_valid_after(now + dt.timedelta(days=1))
            .add_extension(x509.BasicConstraints(ca=is_ca, path_length=None), critical=True)
        )
