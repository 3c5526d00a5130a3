"""Keys: the bank's own signing key, and the public keys of a client. Only PS256 and ES256 exist here (FAPI 1 Advanced §8.6)."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import jwt
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import load_pem_private_key
from jwt.algorithms import Algorithm, ECAlgorithm, RSAAlgorithm, get_default_algorithms

ALGORITHMS = ("PS256", "ES256")
_ALGORITHM_OF = {"RSA": "PS256", "EC": "ES256"}
_MIN_RSA_BITS = 2048


def b64url(data: bytes) -> str:
    """Encode as base64url without padding (RFC 7515 §2)."""
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def half_hash(text: str) -> str:
    """Return the left half of a SHA-256, as c_hash, s_hash and at_hash want it (OpenID Connect Core §3.3.2.11)."""
    return b64url(hashlib.sha256(text.encode()).digest()[:16])


def algorithm(name: str) -> Algorithm:
    """Return the implementation of one of the two algorithms."""
    return get_default_algorithms()[name]


class UnknownKey(Exception):
    """No key of this client has this id and algorithm."""


class KeySet:
    """A client's public keys, by key id. A key serves one algorithm only, whatever a token's header says."""

    def __init__(self, jwks: Mapping[str, Any]) -> None:
        self._keys = dict(_read_key(jwk) for jwk in jwks["keys"] if jwk.get("use", "sig") == "sig")

    def find(self, kid: object, alg: object) -> Any:
        """Return the key with this id if it is of this algorithm. Raise UnknownKey otherwise."""
        name, key = self._keys.get(kid if isinstance(kid, str) else "", (None, None))
        if name is None or name != alg:
            raise UnknownKey("The key id is unknown, or the algorithm is not the key's own.")
        return key


def _read_key(jwk: Mapping[str, Any]) -> tuple[str, tuple[str, Any]]:
    name = _ALGORITHM_OF[jwk["kty"]]
    key = jwt.PyJWK.from_dict(dict(jwk), algorithm=name).key
    if isinstance(key, rsa.RSAPublicKey) and key.key_size < _MIN_RSA_BITS:
        raise ValueError(f"RSA keys need {_MIN_RSA_BITS} bits.")
    return jwk["kid"], (name, key)


@dataclass(frozen=True, slots=True)
class SigningKey:
    """The bank's own key. It prints without its secret."""

    kid: str
    private: rsa.RSAPrivateKey = field(repr=False)

    def token(self, claims: Mapping[str, Any]) -> str:
        """Sign a JSON Web Token with PS256."""
        return jwt.encode(dict(claims), self.private, algorithm="PS256", headers={"kid": self.kid})

    def jwk(self) -> dict[str, Any]:
        """Return the public half for the key set."""
        return public_jwk(self.private.public_key(), self.kid)


def public_jwk(key: rsa.RSAPublicKey | ec.EllipticCurvePublicKey, kid: str) -> dict[str, Any]:
    """Return a public key as a JSON Web Key for signatures."""
    if isinstance(key, rsa.RSAPublicKey):
        return {**RSAAlgorithm.to_jwk(key, as_dict=True), "kid": kid, "use": "sig", "alg": "PS256", "key_ops": ["verify"]}
    return {**ECAlgorithm.to_jwk(key, as_dict=True), "kid": kid, "use": "sig", "alg": "ES256", "key_ops": ["verify"]}


def load_signing_key(path: Path, kid: str) -> SigningKey:
    """Read a PEM file. Raise TypeError when it holds no RSA key."""
    key = load_pem_private_key(path.read_bytes(), password=None)
    if not isinstance(key, rsa.RSAPrivateKey):
        raise TypeError("The bank's signing key must be RSA.")
    return SigningKey(kid, key)
