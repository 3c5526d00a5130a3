"""Cardholders: enrolled once, changed with a cooling-off, sealed, and each issuer's own."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any

import asyncpg
import pytest

from strongroom.access.issuer_model import Issuer
from strongroom.access.issuers import Issuers
from strongroom.kit.crypto import Secret
from strongroom.kit.db import Database
from strongroom.kit.errors import NotFound
from strongroom.kit.vault import Vault
from strongroom.notify.messages import Messages
from strongroom.notify.texts import Texts
from strongroom.sca.cardholding.cardholders import Cardholders
from strongroom.sca.cardholding.model import AlreadyEnrolled, Enrolled, Enrolment
from tests.access.conftest import random_keys

ACTOR = "client:cli-1"
PAN = Secret("5061810000000152048")
OLD, NEW = "2347908516601", "2348031234567"


def enrolment(**changes: Any) -> Enrolment:
    given: dict[str, Any] = {"pan": PAN, "phone": OLD, "details": {"LastName": "GANIU"}, "approved": True, "account": PAN}
    return Enrolment(**(given | changes))


class Town:
    """Cardholders over one database, with the issuer whose they are."""

    def __init__(self, db: Database, vault: Vault, owner: asyncpg.Connection) -> None:
        self.db, self.vault, self.owner = db, vault, owner
        self.issuers = Issuers(db)
        self.cardholders = Cardholders(db, vault, self.issuers, Messages(db, vault), Texts())
        self.issuer: Issuer

    async def find(self, issuer_id: str = "") -> Any:
        async with self.db.transaction(issuer_id or self.issuer.id) as tx:
            return await self.cardholders.find(tx, issuer_id or self.issuer.id, PAN)


@pytest.fixture
async def town(database: Any) -> AsyncIterator[Town]:
    db = await Database.connect(database.app_dsn, size=8)
    owner = await asyncpg.connect(database.dsn)
    town = Town(db, Vault(random_keys()), owner)
    town.issuer = await town.issuers.create(ACTOR, "Mango Bank", 8, ["506181"])
    yield town
    await owner.close()
    await db.close()


async def test_what_was_enrolled_is_found_and_nothing_of_it_is_in_the_clear(town: Town):
    enrolled = await town.cardholders.enrol(town.issuer.id, ACTOR, enrolment())
    found = await town.find()
    assert isinstance(enrolled, Enrolled)
    assert (found.id, found.phone, found.details, found.account, found.approved) == (
        enrolled.cardholder_id, OLD, {"LastName": "GANIU"}, PAN, True,
    )  # fmt: skip
    assert found.pan_shown == "506181******2048"
    row = str(tuple(await town.owner.fetchrow("SELECT * FROM cardholders")))
    assert not any(text in row for text in (PAN.reveal(), OLD, "GANIU"))
    assert not any(text in repr(found) for text in (PAN.reveal(), OLD, "GANIU"))


async def test_a_card_is_enrolled_once_and_the_very_same_enrolment_is_that_one_again(town: Town):
    first = await town.cardholders.enrol(town.issuer.id, ACTOR, enrolment())
    assert isinstance(first, Enrolled)
    assert await town.cardholders.enrol(town.issuer.id, ACTOR, enrolment()) == Enrolled(first.cardholder_id, again=True)
    for other in ({"phone": NEW}, {"details": {}}, {"approved": False}, {"account": None}):
        assert await town.cardholders.enrol(town.issuer.id, ACTOR, enrolment(**other)) == AlreadyEnrolled(first.cardholder_id)
    await town.owner.execute("UPDATE clock_offset SET ahead = $1", timedelta(hours=25))
    assert await town.cardholders.enrol(town.issuer.id, ACTOR, enrolment()) == AlreadyEnrolled(first.cardholder_id)


async def test_of_fifty_at_once_one_enrols(town: Town):
    outcomes = await asyncio.gather(
        *(town.cardholders.enrol(town.issuer.id, ACTOR, enrolment(details={"n": str(n)})) for n in range(50))
    )
    assert sum(isinstance(outcome, Enrolled) for outcome in outcomes) == 1
    assert await town.owner.fetchval("SELECT count(*) FROM cardholders") == 1
    assert await town.owner.fetchval("SELECT count(*) FROM audit_entries WHERE tag = 'sca:cardholder:enrolled'") == 1


async def test_many_cards_at_once_are_all_enrolled(town: Town):
    outcomes = await asyncio.gather(
        *(town.cardholders.enrol(town.issuer.id, ACTOR, enrolment(pan=Secret(f"50618100000001{n:05d}"))) for n in range(200))
    )
    assert all(isinstance(outcome, Enrolled) for outcome in outcomes)
    assert await town.owner.fetchval("SELECT count(*) FROM cardholders") == 200


async def test_a_transaction_that_fails_enrols_nobody(town: Town):
    async def enrol_and_fail() -> None:
        async with town.db.transaction(town.issuer.id) as tx:
            assert isinstance(await town.cardholders.enrol_in(tx, town.issuer.id, ACTOR, enrolment()), Enrolled)
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        await enrol_and_fail()
    assert await town.find() is None


async def test_a_new_number_gets_codes_a_day_later_and_the_old_one_hears_of_it_at_once(town: Town):
    await town.cardholders.enrol(town.issuer.id, ACTOR, enrolment())
    async with town.db.transaction(town.issuer.id) as tx:
        changed = await town.cardholders.change(tx, town.issuer.id, ACTOR, PAN, {"City": "Ikeja"}, phone=NEW, approved=False)
    assert (changed.phone, changed.next_phone, changed.approved) == (OLD, NEW, False)
    assert changed.details == {"LastName": "GANIU", "City": "Ikeja"}
    message = await town.owner.fetchrow("SELECT * FROM messages")
    async with town.db.transaction(town.issuer.id) as tx:
        keys = await town.vault.tenant(tx, town.issuer.id)
        third = await town.cardholders.change(tx, town.issuer.id, ACTOR, PAN, {}, phone="2348099999999")
    assert (third.phone, third.next_phone) == (OLD, "2348099999999")
    assert keys.unseal_text("messages", "recipient_sealed", message["id"], message["recipient_sealed"]) == OLD
    await town.owner.execute("UPDATE clock_offset SET ahead = $1", timedelta(hours=25))
    later = await town.find()
    assert (later.phone, later.next_phone, later.phone_usable_from) == ("2348099999999", None, None)


async def test_a_removed_card_may_be_enrolled_again(town: Town):
    first = await town.cardholders.enrol(town.issuer.id, ACTOR, enrolment())
    async with town.db.transaction(town.issuer.id) as tx:
        await town.cardholders.remove(tx, town.issuer.id, ACTOR, PAN)
        assert await town.cardholders.find(tx, town.issuer.id, PAN) is None
        with pytest.raises(NotFound):
            await town.cardholders.remove(tx, town.issuer.id, ACTOR, PAN)
    second = await town.cardholders.enrol(town.issuer.id, ACTOR, enrolment())
    assert isinstance(second, Enrolled)
    assert second.cardholder_id != first.cardholder_id
    assert not second.again


async def test_nobody_sees_another_issuers_cardholders(town: Town):
    await town.cardholders.enrol(town.issuer.id, ACTOR, enrolment())
    other = await town.issuers.create(ACTOR, "Papaya Bank", 9)
    assert await town.find(other.id) is None
    async with town.db.transaction(other.id) as tx:
        assert await tx.fetchval("SELECT count(*) FROM cardholders") == 0
    assert isinstance(await town.cardholders.enrol(other.id, ACTOR, enrolment()), Enrolled)


async def test_a_failed_registration_is_recorded_and_nobody_enrolled(town: Town):
    async with town.db.transaction(town.issuer.id) as tx:
        await town.cardholders.record_failure(tx, town.issuer.id, ACTOR, "3")
    assert await town.owner.fetchval("SELECT detail->>'reason' FROM audit_entries WHERE tag = 'sca:cardholder:not_enrolled'") == "3"
    assert await town.find() is None
