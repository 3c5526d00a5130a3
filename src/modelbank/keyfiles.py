"""Private keys in PEM files that only their owner can read."""

from __future__ import annotations

import os
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_pem_private_key,
)

_BITS = 2048


def ensure_key(path: Path) -> rsa.RSAPrivateKey:
    """Return the RSA key in this file, made first when there is none. Raise TypeError when it holds another kind."""
    if not path.exists():
        _write(path, rsa.generate_private_key(public_exponent=65537, key_size=_BITS))
    key = load_pem_private_key(path.read_bytes(), password=None)
    if not isinstance(key, rsa.RSAPrivateKey):
        raise TypeError(f"{path.name} holds no RSA key.")
    return key


def _write(path: Path, key: rsa.RSAPrivateKey) -> None:
    text = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
        file.write(text)
