"""Limits on messages in purchases: whoever's card it is looks the same to the merchant, and the issuer sees why nothing came."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import asyncpg
import pytest

from strongroom.kit.crypto import Secret
from strongroom.sca.cardholding.model import Enrolment
from tests.issuing.pki import Pki
from tests.safetoken.shop import ACTOR, Shop, open_shop

NOT_SENT = "10001"
SAME = "2348012345678"
LIMITS: dict[str, tuple[dict[str, str], str]] = {
    "number": ({}, SAME),
    "prefix": ({"sms_per_prefix_hour": "5"}, "234801234{n:04d}"),
    "country": ({"sms_per_country_hour": "5", "sms_home_countries": "GB"}, "23480{n:04d}0000"),
    "client": ({"sms_per_client_hour": "5"}, "23480{n:04d}0000"),
    "tenant": ({"sms_per_tenant_day": "5"}, "23480{n:04d}0000"),
}


@pytest.fixture(scope="session")
def pki(tmp_path_factory: pytest.TempPathFactory) -> Pki:
    return Pki(tmp_path_factory.mktemp("limited"), "hub", "issuer")


@pytest.fixture
async def owner(database: Any) -> AsyncIterator[asyncpg.Connection]:
    connection = await asyncpg.connect(database.dsn)
    yield connection
    await connection.close()


def card(n: int) -> str:
    """Return a card number whose check digit is right (ISO/IEC 7812-1, annex B)."""
    body = f"5061819999999{n:05d}"
    total = sum(sum(divmod(int(digit) * (2 - place % 2), 10)) for place, digit in enumerate(reversed(body)))
    return f"{body}{-total % 10}"


async def enrol(shop: Shop, *phones: str) -> None:
    await shop.house.issuers.change(ACTOR, shop.issuer.id, {"hosting": "hosted"})
    for n, phone in enumerate(phones):
        await shop.house.cardholders.enrol(shop.issuer.id, ACTOR, Enrolment(Secret(card(n)), phone, {}, approved=True))


async def codes(shop: Shop) -> list[str]:
    """Return the codes of the messages that wait to be sent, oldest first."""
    async with shop.house.db.transaction(shop.issuer.id) as tx:
        rows = await tx.fetch("SELECT id, text_sealed FROM messages WHERE tenant_id = $1 ORDER BY created_at", shop.issuer.id)
        keys = await shop.house.vault.tenant(tx, shop.issuer.id)
    return [keys.unseal_text("messages", "text_sealed", row[0], row[1]).split(" ")[0] for row in rows]


async def why(shop: Shop, begun: dict[str, Any]) -> str | None:
    """Return the answer code, which only the issuer sees."""
    told: str | None = (await shop.bank.call("GET", f"/{begun['authenticationId']}", 200)).get("code")
    return told


async def again(shop: Shop, begun: dict[str, Any]) -> None:
    await shop.merchant.call("POST", f"/{begun['authenticationId']}/otp", 200)


async def pass_time(owner: asyncpg.Connection, seconds: float) -> None:
    await owner.execute("UPDATE clock_offset SET ahead = ahead + make_interval(secs => $1)", seconds)


@pytest.mark.parametrize("limit", LIMITS)
async def test_of_sixteen_purchases_begun_at_once_as_many_get_a_message_as_the_limit_says(
    database: Any, pki: Pki, tmp_path: Path, owner: asyncpg.Connection, limit: str
) -> None:
    settings, phone = LIMITS[limit]
    async with open_shop(database, pki, tmp_path, **settings) as shop:
        await enrol(shop, *(phone.format(n=n) for n in range(16)))
        begun = await asyncio.gather(*(shop.merchant.begin(cardPan=card(n)) for n in range(16)))
        assert {(one["status"], one["tokenType"], one["attemptsLeft"], one["prompt"]) for one in begun} == {
            ("pending", 2, 5, "Enter the code that was sent to your phone")
        }
        assert len(await codes(shop)) == 5
        assert Counter([await why(shop, one) for one in begun]) == {None: 5, NOT_SENT: 11}
        assert await owner.fetch("SELECT limited_by, purpose, country, refused FROM message_refusals") == [
            (limit, "purchase_code", "NG", 11)
        ]


async def test_no_code_goes_to_a_country_that_the_issuer_does_not_send_to(database: Any, pki: Pki, tmp_path: Path) -> None:
    async with open_shop(database, pki, tmp_path) as shop:
        await enrol(shop, SAME)
        await shop.house.issuers.change(ACTOR, shop.issuer.id, {"sms_countries": ["GB"]})
        refused = await shop.merchant.begin(cardPan=card(0))
        assert (refused["status"], await why(shop, refused), await codes(shop)) == ("pending", NOT_SENT, [])
        await shop.house.issuers.change(ACTOR, shop.issuer.id, {"sms_countries": ["NG", "GB"]})
        assert await why(shop, await shop.merchant.begin(cardPan=card(0))) is None
        assert len(await codes(shop)) == 1


async def test_nor_to_one_that_the_operator_does_not_send_to_and_a_remote_issuers_number_is_looked_at_too(
    database: Any, pki: Pki, tmp_path: Path
) -> None:
    async with open_shop(database, pki, tmp_path, sms_countries="GB,IE") as shop:
        await shop.house.issuers.change(ACTOR, shop.issuer.id, {"sms_by": "hub"})
        begun = await shop.merchant.begin()
        assert (begun["status"], await why(shop, begun), await codes(shop)) == ("pending", NOT_SENT, [])


async def test_where_a_code_cannot_be_sent_again_the_one_before_counts_on_and_the_wish_is_counted(
    database: Any, pki: Pki, tmp_path: Path, owner: asyncpg.Connection
) -> None:
    async with open_shop(database, pki, tmp_path, sms_per_number_hour="2") as shop:
        await enrol(shop, SAME)
        begun = await shop.merchant.begin(cardPan=card(0))
        for _ in range(3):
            await again(shop, begun)
        _, second = await codes(shop)  # the third and fourth were not sent
        await shop.merchant.call("POST", f"/{begun['authenticationId']}/otp", 429)
        assert (await shop.merchant.verify(begun["authenticationId"], second))["status"] == "authenticated"
        rows = await owner.fetch("SELECT used_at IS NOT NULL FROM messages ORDER BY created_at")
        assert rows == [(False,), (True,)]
        sent = await owner.fetch("SELECT detail->'sent' FROM audit_entries WHERE tag = 'sca:purchase:code_resent' ORDER BY id")
        assert sent == [("true",), ("false",), ("false",)]


async def test_a_code_that_could_not_be_sent_is_sent_when_it_is_asked_for_again_later(
    database: Any, pki: Pki, tmp_path: Path, owner: asyncpg.Connection
) -> None:
    async with open_shop(database, pki, tmp_path) as shop:
        await enrol(shop, SAME)
        for _ in range(2):
            first = await shop.merchant.begin(cardPan=card(0))
        for _ in range(3):
            await again(shop, first)
        await pass_time(owner, 300)
        begun = await shop.merchant.begin(cardPan=card(0))
        assert (await why(shop, begun), len(await codes(shop))) == (NOT_SENT, 5)
        await pass_time(owner, 310)
        await again(shop, begun)
        assert (await why(shop, begun), len(await codes(shop))) == (None, 6)
        assert (await shop.merchant.verify(begun["authenticationId"], (await codes(shop))[-1]))["status"] == "authenticated"
