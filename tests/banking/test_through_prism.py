"""Prism stands between the connector and the model bank, and finds nothing off the official documents in either direction."""

from __future__ import annotations

import json
import ssl
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import httpx
import pytest

from strongroom.banking.port import AccessOrder, Code, ConsentStatus, CustomerContext, PaymentStatus
from strongroom.banking.registry import Registry
from tests.banking.test_against_model_bank import Customer, model_bank, our_order, paid, until_final
from tests.banking.validating_proxy import PRISM, validating
from tests.modelbank.test_official_shapes import DOCUMENTS

__all__ = ["model_bank", "our_order"]

pytestmark = [
    pytest.mark.skipif(not DOCUMENTS.is_dir(), reason="the official documents are not here"),
    pytest.mark.skipif(not PRISM.exists(), reason="npm install has not run in tests/node"),
]


@pytest.fixture(scope="module")
async def proxy(model_bank):
    async with validating(model_bank.parent) as (directory, seen):
        yield directory, seen


@pytest.fixture
async def ours(proxy):
    directory, seen = proxy
    seen.passed.clear()
    seen.violations.clear()
    async with Registry(directory) as registry:
        yield registry.get_bank("mulberry")


async def test_payments_are_on_the_specification(ours, proxy, our_order):
    memory, _, report = await paid(ours, our_order, "alex")
    assert (await until_final(ours, memory, report.bank_payment_id)).status is PaymentStatus.CREDITED
    assert (await ours.consent_report(memory)).status is ConsentStatus.CONSUMED
    assert proxy[1].violations == []
    assert len(proxy[1].passed) >= 4


async def test_a_late_rejection_is_on_the_specification(ours, proxy, our_order):
    memory, _, report = await paid(ours, replace(our_order, purpose="fees"), "late")
    assert (await until_final(ours, memory, report.bank_payment_id)).status is PaymentStatus.REJECTED
    assert proxy[1].violations == []


async def test_sharing_is_on_the_specification(ours, proxy, our_order):
    authorising = await ours.request_access(AccessOrder(datetime.now(UTC) + timedelta(hours=1), our_order.back))
    code = await ours.accept_return(authorising.memory, await Customer("noname").agrees(authorising.url))
    assert isinstance(code, Code)
    grant = await ours.exchange(authorising.memory, code)
    (account,) = await ours.read_accounts(authorising.memory, grant, CustomerContext("192.0.2.7", "Browser"))
    assert account.name
    await ours.close_access(authorising.memory)
    assert (await ours.consent_report(authorising.memory)).status is ConsentStatus.GONE
    assert proxy[1].violations == []
    assert any("/party" in line for line in proxy[1].passed)


async def test_what_is_off_the_specification_is_seen(ours, proxy):
    directory, seen = proxy
    front = json.loads(directory.read_text())["banks"][0]["resource_base"]
    trusted = ssl.create_default_context(cafile=str(directory.parent / "ca.crt"))
    async with httpx.AsyncClient(verify=trusted, trust_env=False) as http:
        await http.post(f"{front}/pisp/domestic-payment-consents", json={"Data": {}})
    [violation] = seen.violations
    assert "Risk" in violation
