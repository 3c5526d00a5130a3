"""Questions in sequences of WS-ReliableMessaging: sent again, a code is judged no second time and the answer is the same."""

from __future__ import annotations

import asyncio

import httpx
import pytest

from tests.safetoken.hubs.conftest import Service, shown
from tests.safetoken.hubs.test_soap import ISSUER, question
from tests.safetoken.reliable.by_hand import DIALECTS, Dialect, Source

ACTION = f"{ISSUER}AuthenticateOTP"


async def judged(service: Service) -> list[str]:
    async with service.bank.house.db.transaction(service.bank.issuer.id) as tx:
        rows = await tx.fetch(
            "SELECT tag FROM audit_entries WHERE tenant_id = $1 AND tag LIKE 'sca:question:%' ORDER BY id", service.bank.issuer.id
        )
    return [row[0].rpartition(":")[2] for row in rows]


@pytest.mark.parametrize("dialect", DIALECTS, ids=lambda dialect: dialect.name)
async def test_a_code_whose_message_comes_eight_times_at_once_is_judged_once(service: Service, dialect: Dialect):
    context = service.hub.context(service.served.authority)
    async with httpx.AsyncClient(base_url=service.served.tls_url, verify=context, trust_env=False, timeout=30) as http:
        source = Source(service.bank, dialect, {}, http, f"{service.path}/soap")
        await source.create()
        body = question("AuthenticateOTP", UserId=service.device_pan, Otp=shown())
        text = source.write(ACTION, source.numbered(1), body)
        said = await asyncio.gather(*(source.post_text(text, ACTION) for _ in range(8)))
        assert {(answer.status_code, "<ResponseCode>90000<" in answer.text) for answer in said} == {(200, True)}
        assert await judged(service) == ["authenticated"]
        assert "<ResponseCode>80001<" in (await source.post_text(source.write(ACTION, source.numbered(2), body), ACTION)).text
        assert await judged(service) == ["authenticated", "rejected"]


async def test_another_hubs_sequence_does_not_exist(service: Service):
    pins = [service.hub, service.served.authority.issue("hub beside it")]
    house, issuer_id = service.bank.house, service.bank.issuer.id
    await house.issuers.change("operator:test", issuer_id, {"hub_certificate_hashes": [pin.hash for pin in pins]})
    clients = [
        httpx.AsyncClient(base_url=service.served.tls_url, verify=pin.context(service.served.authority), trust_env=False)
        for pin in pins
    ]
    own, other = (Source(service.bank, DIALECTS[2], {}, client, f"{service.path}/soap") for client in clients)
    await own.create()
    body = question("AuthenticateOTP", UserId=service.device_pan, Otp=shown())
    assert (await other.post(ACTION, other.numbered(1, identifier=own.id), body)).fault == "UnknownSequence"
    assert await judged(service) == []
    for client in clients:
        await client.aclose()
