"""Plays the Open Banking directory: certificates and keys for the banks and one third party, and the files that say so."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import msgspec
from cryptography.hazmat.primitives.asymmetric import rsa

from modelbank.certificates import make_authority, make_client_certificate, make_server_certificate
from modelbank.config import BankConfig, ClientConfig, Config, Tls
from modelbank.jose.keys import b64url, public_jwk
from modelbank.keyfiles import ensure_key
from modelbank.quirks import Quirk

ORGANISATION, SOFTWARE = "001580000PRETENDTPP", "PretendSoftware1a2b3c"
CLIENT_ID = "strongroom-pretend-client"


@dataclass(frozen=True, slots=True)
class SeedBank:
    """A bank as enrolment makes it."""

    id: str
    name: str
    organisation_id: str
    financial_id: str
    accent: str
    limits: dict[str, dict[str, int]] = field(default_factory=dict)  # what the third party is told of them, in pounds
    require_pushed_requests: bool = False


BANKS = (
    SeedBank("mulberry", "Mulberry Bank", "001580000MULBERRY", "0015800000MULBR", "#7a1f4f"),
    SeedBank(
        "harbour", "Harbour Building Society", "001580000HARBOUR1", "0015800000HARBR", "#0b5563",
        {"personal_web": {"payment": 25_000}, "personal_app": {"payment": 50_000, "day": 100_000}},
        require_pushed_requests=True,
    ),
)  # fmt: skip
LOGOS = Path(__file__).parent / "psu" / "static"


@dataclass(frozen=True, slots=True)
class Enrolment:
    """What may be chosen at enrolment."""

    pages_port: int = 8100
    api_port: int = 8101
    redirect_uris: Sequence[str] = ("http://localhost:8000/callback",)
    dsn: str = "postgresql://localhost/modelbank"
    client_name: str = "Strongroom"
    headless: bool = False
    quirks: Mapping[str, Sequence[Quirk]] = field(default_factory=dict)  # by bank


def enrol(folder: Path, chosen: Enrolment) -> None:
    """Write every file into the folder. Keys and certificates that are there stay; the two JSON files are written anew."""
    folder.mkdir(parents=True, exist_ok=True)
    folder.chmod(0o711)
    authority = make_authority(folder)
    make_server_certificate(folder, authority)
    subject = make_client_certificate(folder, authority, ORGANISATION, SOFTWARE)
    config = _configuration(folder, chosen, subject)
    _write(folder / "modelbank.json", msgspec.to_builtins(config))
    for bank in BANKS:
        (folder / f"{bank.id}.svg").write_bytes((LOGOS / f"{bank.id}.svg").read_bytes())
    _write(folder / "tpp.json", _third_party(config))


def _configuration(folder: Path, chosen: Enrolment, subject: str) -> Config:
    client_key = ensure_key(folder / "tpp-signing.key")
    client = ClientConfig(
        client_id=CLIENT_ID,
        name=chosen.client_name,
        organisation_id=ORGANISATION,
        software_id=SOFTWARE,
        certificate_subject=subject,
        redirect_uris=tuple(chosen.redirect_uris),
        jwks={"keys": [public_jwk(client_key.public_key(), key_id(client_key))]},
    )
    return Config(
        dsn=chosen.dsn,
        tls=Tls(certificate="server.crt", key="server.key", client_ca="ca.crt"),
        banks=tuple(_bank(folder, bank, chosen.quirks.get(bank.id, ())) for bank in BANKS),
        clients=(client,),
        pages_port=chosen.pages_port,
        api_port=chosen.api_port,
        headless=chosen.headless,
    )


def _bank(folder: Path, bank: SeedBank, quirks: Sequence[Quirk]) -> BankConfig:
    name = f"{bank.id}-signing.key"
    return BankConfig(
        id=bank.id,
        name=bank.name,
        organisation_id=bank.organisation_id,
        financial_id=bank.financial_id,
        signing_key=name,
        signing_kid=key_id(ensure_key(folder / name)),
        require_pushed_requests=bank.require_pushed_requests,
        quirks=tuple(quirks),
    )


def key_id(key: rsa.RSAPrivateKey) -> str:
    """Return a key id made from the public key, so that the same key always has the same id."""
    modulus = key.public_key().public_numbers().n
    return b64url(hashlib.sha256(modulus.to_bytes((modulus.bit_length() + 7) // 8, "big")).digest())[:27]


def _third_party(config: Config) -> dict[str, Any]:
    seeds = {bank.id: bank for bank in BANKS}
    [client] = config.clients
    return {
        "org_id": client.organisation_id,
        "software_id": client.software_id,
        "client_id": client.client_id,
        "transport_certificate": "tpp-transport.crt",
        "transport_key": "tpp-transport.key",
        "signing_key": "tpp-signing.key",
        "signing_kid": client.jwks["keys"][0]["kid"],
        "ca": "ca.crt",
        "banks": [
            {
                "id": bank.id,
                "name": bank.name,
                "issuer": config.issuer(bank.id),
                "organisation_id": bank.organisation_id,
                "signing_subject": bank.organisation_id,  # `iss` of the bank's message signatures
                "financial_id": bank.financial_id,
                "accent": seeds[bank.id].accent,
                "logo": f"{bank.id}.svg",
                "limits": seeds[bank.id].limits,
            }
            for bank in config.banks
        ],
    }


def _write(path: Path, content: Any) -> None:
    """Replace a file as a whole, readable by its owner only."""
    new = path.with_suffix(".new")
    with os.fdopen(os.open(new, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as file:
        file.write(msgspec.json.format(msgspec.json.encode(content), indent=2) + b"\n")
    new.replace(path)
