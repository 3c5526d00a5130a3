"""Our certificate and key for signing messages, from files that may be written anew while the product serves."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from strongroom.soap.security import Signer


class SignerFilesError(OSError):
    """The files cannot be used; the message says which and why."""


@dataclass(frozen=True, slots=True)
class SignerFiles:
    """Where the certificate and its key are, both PEM; of a chain the first certificate is ours."""

    certificate: Path
    key: Path


class OurSigner:
    """Gives the certificate and key as the files have them now; files that cannot be used change nothing."""

    def __init__(self, files: SignerFiles) -> None:
        """Read the files. Raise SignerFilesError."""
        self._files = files
        self._stamp = self._look()
        self._signer = self._read()

    def current(self) -> Signer:
        """Return what to sign with."""
        try:
            stamp = self._look()
            if stamp != self._stamp:
                self._signer = self._read()
                self._stamp = stamp
        except SignerFilesError:
            return self._signer  # half of a rotation: the next message looks again
        return self._signer

    def _look(self) -> tuple[int, int]:
        try:
            return self._files.certificate.stat().st_mtime_ns, self._files.key.stat().st_mtime_ns
        except OSError as error:
            raise SignerFilesError(f"{error.filename}: {error.strerror}") from error

    def _read(self) -> Signer:
        try:
            certificate = x509.load_pem_x509_certificate(self._files.certificate.read_bytes())
            key = load_pem_private_key(self._files.key.read_bytes(), None)
        except (OSError, ValueError, TypeError) as error:
            raise SignerFilesError(f"{self._files.certificate} or {self._files.key} cannot be read as PEM") from error
        if not isinstance(key, rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey) or key.public_key() != certificate.public_key():
            raise SignerFilesError(f"{self._files.key} is not the RSA or elliptic curve key of {self._files.certificate}")
        return Signer(certificate, key)
