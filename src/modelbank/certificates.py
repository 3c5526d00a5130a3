"""X.509 for enrolment: an authority, the server's certificate, and a third party's transport certificate."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from ipaddress import IPv4Address
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID, ObjectIdentifier

from modelbank.keyfiles import ensure_key

_LIFETIME = timedelta(days=825)
_RENEW_BEFORE = timedelta(days=30)


@dataclass(frozen=True, slots=True)
class Authority:
    """The pretend directory's certificate authority."""

    certificate: x509.Certificate
    key: rsa.RSAPrivateKey


def make_authority(folder: Path) -> Authority:
    """Return the authority in the folder, made first when there is none."""
    key, path = ensure_key(folder / "ca.key"), folder / "ca.crt"
    if not _is_usable(path):
        name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "Pretend Open Banking Directory")])
        builder = _builder(name, name, key.public_key())
        builder = builder.add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        builder = builder.add_extension(_usage(signs_certificates=True), critical=True)
        _write(path, builder.sign(key, hashes.SHA256()))
    return Authority(x509.load_pem_x509_certificate(path.read_bytes()), key)


def make_server_certificate(folder: Path, authority: Authority) -> None:
    """Make the API's certificate for localhost, unless a usable one is there."""
    key, path = ensure_key(folder / "server.key"), folder / "server.crt"
    names = x509.SubjectAlternativeName([x509.DNSName("localhost"), x509.IPAddress(IPv4Address("127.0.0.1"))])
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "localhost")])
    _ensure(path, authority, subject, key, ExtendedKeyUsageOID.SERVER_AUTH, names)


def make_client_certificate(folder: Path, authority: Authority, organisation: str, software: str, name: str = "tpp") -> str:
    """Make a third party's transport certificate, unless a usable one is there, and return its subject (RFC 4514)."""
    key, path = ensure_key(folder / f"{name}-transport.key"), folder / f"{name}-transport.crt"
    subject = x509.Name(
        [
            x509.NameAttribute(NameOID.COUNTRY_NAME, "GB"),
            x509.NameAttribute(NameOID.ORGANIZATION_NAME, "Pretend Open Banking"),
            x509.NameAttribute(NameOID.ORGANIZATIONAL_UNIT_NAME, organisation),
            x509.NameAttribute(NameOID.COMMON_NAME, software),
        ]
    )
    _ensure(path, authority, subject, key, ExtendedKeyUsageOID.CLIENT_AUTH, None)
    return x509.load_pem_x509_certificate(path.read_bytes()).subject.rfc4514_string()


def _ensure(
    path: Path,
    authority: Authority,
    subject: x509.Name,
    key: rsa.RSAPrivateKey,
    purpose: ObjectIdentifier,
    names: x509.SubjectAlternativeName | None,
) -> None:
    if _is_usable(path):
        return
    builder = _builder(subject, authority.certificate.subject, key.public_key())
    builder = builder.add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
    builder = builder.add_extension(_usage(signs_certificates=False), critical=True)
    builder = builder.add_extension(x509.ExtendedKeyUsage([purpose]), critical=False)
    identifier = x509.AuthorityKeyIdentifier.from_issuer_public_key(authority.key.public_key())
    builder = builder.add_extension(identifier, critical=False)
    if names is not None:
        builder = builder.add_extension(names, critical=False)
    _write(path, builder.sign(authority.key, hashes.SHA256()))


def _is_usable(path: Path) -> bool:
    if not path.exists():
        return False
    certificate = x509.load_pem_x509_certificate(path.read_bytes())
    return certificate.not_valid_after_utc - _RENEW_BEFORE > datetime.now(UTC)


def _builder(subject: x509.Name, issuer: x509.Name, key: rsa.RSAPublicKey) -> x509.CertificateBuilder:
    begins_at = datetime.now(UTC) - timedelta(minutes=5)
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key)
        .serial_number(x509.random_serial_number())
        .not_valid_before(begins_at)
        .not_valid_after(begins_at + _LIFETIME)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key), critical=False)
    )


def _usage(*, signs_certificates: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=True,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=signs_certificates,
        crl_sign=signs_certificates,
        encipher_only=False,
        decipher_only=False,
    )


def _write(path: Path, certificate: x509.Certificate) -> None:
    path.write_bytes(certificate.public_bytes(Encoding.PEM))
