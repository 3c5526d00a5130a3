"""Two foreign banks on real TLS sockets, and the registry of ours that knows them."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric import rsa

sys.path.insert(0, str(Path(__file__).parent))

from foreign_bank import Certificates, ForeignBank, private_pem

from strongroom.banking.port import Payee, PaymentOrder, ReturnAddress
from strongroom.banking.registry import Registry


class Clock:
    """Our side's time: the real one, moved by the test."""

    def __init__(self) -> None:
        self.ahead_seconds = 0.0

    def __call__(self) -> float:
        return time.time() + self.ahead_seconds


@pytest.fixture(scope="session")
def rsa_keys() -> list[rsa.RSAPrivateKey]:
    """Return four keys: ours, two banks', and a stranger's."""
    return [rsa.generate_private_key(65537, 2048) for _ in range(4)]


@pytest.fixture(scope="session")
def certificates(tmp_path_factory: pytest.TempPathFactory, rsa_keys: list[rsa.RSAPrivateKey]) -> Certificates:
    made = Certificates(tmp_path_factory.mktemp("tpp"))
    (made.folder / "signing.key").write_bytes(private_pem(rsa_keys[0]))
    return made


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
async def bank(certificates: Certificates, rsa_keys: list[rsa.RSAPrivateKey]) -> AsyncIterator[ForeignBank]:
    one = ForeignBank("oak", rsa_keys[1], rsa_keys[0].public_key())
    await one.start(certificates)
    yield one
    await one.stop()


@pytest.fixture
async def other_bank(certificates: Certificates, rsa_keys: list[rsa.RSAPrivateKey]) -> AsyncIterator[ForeignBank]:
    one = ForeignBank("elm", rsa_keys[2], rsa_keys[0].public_key())
    await one.start(certificates)
    yield one
    await one.stop()


@pytest.fixture
def directory(certificates: Certificates, bank: ForeignBank, other_bank: ForeignBank) -> dict:
    banks = [
        {"id": each.organisation_id, "name": f"{each.organisation_id.title()} Bank", "issuer": each.issuer}
        | {"organisation_id": each.organisation_id, "connect_timeout_seconds": 0.5, "answer_timeout_seconds": 1.0}
        for each in (bank, other_bank)
    ]
    return {
        "org_id": "org-1",
        "software_id": "software-1",
        "client_id": "client-1",
        "transport_certificate": "transport.pem",
        "transport_key": "transport.key",
        "signing_key": "signing.key",
        "signing_kid": "ours",
        "ca": "ca.pem",
        "banks": banks,
    }


@pytest.fixture
async def registry(certificates: Certificates, directory: dict, clock: Clock) -> AsyncIterator[Registry]:
    path = certificates.folder / "tpp.json"
    path.write_text(json.dumps(directory))
    async with Registry(path, clock=clock) as one:
        yield one


@pytest.fixture
def order() -> PaymentOrder:
    return PaymentOrder(
        instruction_id="csp-1-a",
        end_to_end_id="csp-1",
        consent_idempotency_key="consent-key-1",
        submit_idempotency_key="submit-key-1",
        amount_minor=10_000,
        currency="GBP",
        payee=Payee("Mason & Co Client Account", "112233", "87654321"),
        reference="MATTER 1234",
        purpose="deposit",
        back=ReturnAddress("https://firm.example/return", "state-of-this-payment"),
    )
