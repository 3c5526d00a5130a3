"""Every operation, in both forms, as every stranger, with the card of another issuer: never data, never a change."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from itertools import product
from typing import Any

import asyncpg
import pytest

from strongroom.access.issuer_model import Issuer
from strongroom.access.model import FIRM_SCOPES, SCOPES_OF, TenantKind
from strongroom.kit.edge import Edge
from strongroom.safetoken.operations import NAMES
from strongroom.safetoken.samples import sample_request
from strongroom.wiring import House
from tests.safetoken.conftest import ACTOR, Bank, next_bank, open_bank, prefix_of
from tests.safetoken.test_enrolment import PATH, add, members, new_pan, said

LAST_NAME, PHONE = "Unmistakable", "2347011998877"


@dataclass
class Stranger:
    """Somebody who has no business with the issuer."""

    name: str
    headers: dict[str, str] = field(repr=False)
    status: int  # what every request of theirs is answered with


@pytest.fixture
async def pan(bank: Bank) -> str:
    number = new_pan(bank)
    await add(bank, CardPan=number, LastName=LAST_NAME, PrimaryMobileNumber=PHONE)
    return number


@pytest.fixture
async def other(application: tuple[House, Edge]) -> AsyncIterator[Bank]:
    number = next_bank()
    issuer = await application[0].issuers.create(ACTOR, "Other", number, [prefix_of(number)])
    async with open_bank(*application, issuer) as opened:
        yield opened


async def static(house: House, tenant: str, kind: TenantKind, scopes: Any = None) -> dict[str, str]:
    wanted = scopes or SCOPES_OF[kind]
    client = await house.clients.create(ACTOR, tenant, "stranger", wanted)
    token = await house.tokens.create_static(ACTOR, tenant, client.client_id, "stranger", wanted)
    return {"authorization": f"Bearer {token.token.reveal()}"}


async def strangers(house: House, bank: Bank, other: Bank) -> list[Stranger]:
    firm = await house.firms.create(ACTOR, "Mulberry & Co")
    merchant = await house.merchants.create(ACTOR, "Corner shop")
    answer = await bank.http.post("/passport/oauth/token", data={"grant_type": "client_credentials"}, headers=bank.basic)
    await house.tokens.revoke(ACTOR, bank.issuer.id, answer.json()["jti"])
    rest = SCOPES_OF[TenantKind.ISSUER] - {scope for scope in SCOPES_OF[TenantKind.ISSUER] if scope.endswith("enrol")}
    return [
        Stranger("nobody", {}, 401),
        Stranger("a revoked token", {"authorization": f"Bearer {answer.json()['access_token']}"}, 401),
        Stranger("a firm", await static(house, firm.id, TenantKind.FIRM, FIRM_SCOPES), 403),
        Stranger("a merchant", await static(house, merchant.id, TenantKind.MERCHANT), 403),
        Stranger("the issuer itself, without the resource", await static(house, bank.issuer.id, TenantKind.ISSUER, rest), 403),
        Stranger("another issuer", await other.bearer(), 200),
    ]


def requests(bank: Bank, other: Bank, pan: str, operation: str) -> list[tuple[dict[str, str], str]]:
    """Return headers and bodies: the victim's card under either BankId, as SOAP and as JSON."""
    made = []
    for issuer in (bank.issuer, other.issuer):
        given = members(bank, CardPan=pan, BankId=str(issuer.bank_id), LastName="Taken")
        made.append(({"content-type": "text/xml", "soapaction": operation}, sample_request(operation, given)))
        made.append(({"content-type": "application/json", "soapaction": operation}, json.dumps(given)))
    return made


async def digest(owner: asyncpg.Connection, issuer: Issuer) -> str:
    rows = await owner.fetch("SELECT t::text FROM cardholders t WHERE issuer_id = $1 ORDER BY id", issuer.id)
    rows += await owner.fetch("SELECT t::text FROM audit_entries t WHERE tenant_id = $1 ORDER BY id", issuer.id)
    return "\n".join(row[0] for row in rows)


async def test_no_stranger_learns_or_changes_anything_of_an_issuers_cardholder(
    application: tuple[House, Edge], bank: Bank, other: Bank, pan: str, shared_database: Any
):
    house, wrong, count = application[0], [], 0
    owner = await asyncpg.connect(shared_database.dsn)
    known = await strangers(house, bank, other)
    before = await digest(owner, bank.issuer)
    for who, operation in product(known, NAMES):
        for headers, body in requests(bank, other, pan, operation):
            answer = await bank.http.post(PATH, content=body, headers={**headers, **who.headers})
            count += 1
            told = {text for text in (LAST_NAME, PHONE, PHONE[-2:] + "</a:Primary", "Approved") if text in answer.text}
            fits = answer.status_code in {who.status, 403} and "90000" not in answer.text
            if told or not fits:
                wrong.append(f"{who.name}: {operation} {headers['content-type']} → {answer.status_code} {answer.text[:200]}")
    assert wrong == []
    assert count == len(known) * len(NAMES) * 4
    assert await digest(owner, bank.issuer) == before
    assert said(await add(bank, CardPan=pan, LastName="Now changed")) == ("82001", "User already exists")
    await owner.close()


async def test_pointed_at_its_own_cardholder_the_same_requests_are_seen_to_succeed(
    bank: Bank, other: Bank, pan: str, shared_database: Any
):
    owner = await asyncpg.connect(shared_database.dsn)
    before, bearer = await digest(owner, bank.issuer), await bank.bearer()
    for operation in ("GetCardHolder", "UpdateCardHolder", "RemoveCardHolder"):
        headers, body = requests(bank, other, pan, operation)[0]
        answer = await bank.http.post(PATH, content=body, headers=headers | bearer)
        assert "90000" in answer.text
    assert await digest(owner, bank.issuer) != before
    await owner.close()
