"""An issuer whose service a hub calls over mutual TLS, on a server in a process of its own."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import httpx
import pytest

from strongroom.kit.crypto import Secret
from strongroom.sca.cardholding.model import Enrolled, Enrolment
from strongroom.sca.devices.model import NewToken
from strongroom.sca.devices.oath import code_at
from tests.safetoken.authorities import Identity
from tests.safetoken.conftest import ACTOR, Bank
from tests.safetoken.served import Served
from tests.safetoken.test_enrolment import new_pan

SEED = b"12345678901234567890"


@dataclass
class Service:
    """The issuer's service as its hub sees it, with one card that has a device and one that has a telephone."""

    bank: Bank
    served: Served
    hub: Identity
    device_pan: str = ""
    phone_pan: str = ""
    phone: str = ""

    @property
    def path(self) -> str:
        return f"/issuer/{self.bank.issuer.bank_id}"

    def client(self, identity: Identity | None = None) -> httpx.Client:
        return self.served.client((identity or self.hub).context(self.served.authority))

    def post(self, operation: str, body: str, identity: Identity | None = None, **headers: str) -> httpx.Response:
        with self.client(identity) as client:
            return client.post(f"{self.path}/{operation}/", content=body, headers=headers)

    async def sent_code(self) -> str:
        """Return the code of the newest text message of this issuer."""
        house = self.bank.house
        async with house.db.transaction(self.bank.issuer.id) as tx:
            keys = await house.vault.tenant(tx, self.bank.issuer.id)
            row = await tx.fetchrow(
                "SELECT id, text_sealed FROM messages WHERE tenant_id = $1 ORDER BY created_at DESC LIMIT 1", self.bank.issuer.id
            )
        assert row is not None
        return keys.unseal_text("messages", "text_sealed", row[0], row[1]).split(" ")[0]


def shown(counter: int = 0) -> str:
    return code_at(SEED, counter)


_phones = iter(range(2347_000_000_000, 2347_999_999_999))


async def enrol(bank: Bank, pan: str, phone: str) -> str:
    enrolled = await bank.house.cardholders.enrol(bank.issuer.id, ACTOR, Enrolment(Secret(pan), phone, {}, approved=True))
    assert isinstance(enrolled, Enrolled)
    return enrolled.cardholder_id


async def open_service(bank: Bank, served: Served, hub: Identity, **settings: Any) -> Service:
    """Pin the hub to an issuer and give it its two cards."""
    house, issuer_id = bank.house, bank.issuer.id
    await house.issuers.change(ACTOR, issuer_id, {"hub_certificate_hashes": [hub.hash], **settings})
    service = Service(bank, served, hub, new_pan(bank), new_pan(bank), str(next(_phones)))
    holder = await enrol(bank, service.device_pan, str(next(_phones)))
    await enrol(bank, service.phone_pan, service.phone)
    serial = f"S{bank.issuer.bank_id}"
    await house.otp_tokens.import_one(issuer_id, ACTOR, NewToken(serial, Secret(SEED.hex())))
    await house.otp_tokens.assign(issuer_id, ACTOR, serial, holder)
    await house.otp_tokens.activate(issuer_id, ACTOR, serial)
    return service


_hubs = iter(range(1000))


@pytest.fixture
def hub(served: Served) -> Identity:
    """Return a hub's certificate that no other test has pinned."""
    return served.authority.issue(f"hub {next(_hubs)}")


@pytest.fixture
async def service(bank: Bank, served: Served, hub: Identity) -> Service:
    return await open_service(bank, served, hub)
