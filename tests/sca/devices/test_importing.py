"""Imports of token files: all that can be taken is, once, sealed and audited, however often and by however many."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import asyncpg
import pytest

from strongroom.access.issuers import Issuers
from strongroom.kit.crypto import Secret
from strongroom.kit.db import Database
from strongroom.kit.seen import Seen
from strongroom.kit.vault import Vault
from strongroom.sca.devices.importing import BATCH, Outcome, TokenImport, in_batches
from strongroom.sca.devices.model import NewToken, Read, RowFault
from tests.access.conftest import random_keys

ACTOR = "operator:test"
SEED = "3132333435363738393031323334353637383930"


class Stock:
    """An issuer's stock, and the importer before it."""

    def __init__(self, db: Database, owner: asyncpg.Connection, issuer_id: str, vault: Vault) -> None:
        self.db, self.owner, self.issuer_id = db, owner, issuer_id
        self.importing = TokenImport(db, vault)

    async def take(self, *batches: list[Read], dry_run: bool = False) -> Outcome:
        """Take the batches of one file."""
        done = Outcome()
        with Seen() as seen:
            for batch in batches:
                came = await self.importing.take(self.issuer_id, ACTOR, batch, seen, dry_run=dry_run)
                done = Outcome(done.added + came.added, done.known + came.known, done.faults + came.faults)
        return done

    async def count(self, table: str = "otp_tokens") -> int:
        return int(await self.owner.fetchval(f"SELECT count(*) FROM {table}"))


@pytest.fixture
async def stock(database: Any) -> AsyncIterator[Stock]:
    db = await Database.connect(database.app_dsn, size=8)
    owner = await asyncpg.connect(database.dsn)
    issuer = await Issuers(db).create(ACTOR, "Mango Bank", 8, ["506181"])
    yield Stock(db, owner, issuer.id, Vault(random_keys()))
    await owner.close()
    await db.close()


def rows(count: int, first: int = 1) -> list[Read]:
    return [(number, NewToken(f"A-{number:06d}", Secret(SEED))) for number in range(first, first + count)]


async def test_every_token_is_stored_sealed_and_audited(stock: Stock) -> None:
    assert await stock.take(rows(50)) == Outcome(added=50)
    found = await stock.owner.fetch(
        "SELECT seed_sealed, t.id = a.subject AS audited FROM otp_tokens t JOIN audit_entries a ON a.subject = t.id AND a.tag = $1",
        "sca:token:imported",
    )
    assert len(found) == 50
    assert len({row["seed_sealed"] for row in found}) == 50
    assert all(bytes.fromhex(SEED) not in row["seed_sealed"] for row in found)


async def test_the_same_file_again_changes_nothing_and_one_cut_short_goes_on(stock: Stock) -> None:
    await stock.take(rows(30))
    assert await stock.take(rows(30)) == Outcome(known=30)
    assert await stock.take(rows(50)) == Outcome(added=20, known=30)
    assert await stock.count() == 50


async def test_a_dry_run_says_the_same_and_keeps_nothing(stock: Stock) -> None:
    await stock.take(rows(10))
    audited = await stock.count("audit_entries")
    assert await stock.take(rows(15), dry_run=True) == Outcome(added=5, known=10)
    assert (await stock.count(), await stock.count("audit_entries")) == (10, audited)


@pytest.mark.parametrize("dry_run", [True, False])
async def test_a_serial_that_stands_in_an_earlier_batch_is_named_by_a_dry_run_and_by_the_import(
    stock: Stock, dry_run: bool
) -> None:
    first, later = rows(3), [(4, NewToken("A-000002", Secret(SEED))), (5, NewToken("A-000003", Secret("ff" * 20)))]
    done = await stock.take(first, later, dry_run=dry_run)
    assert (done.added, done.known) == (3, 0)
    assert [(fault.row, fault.what) for fault in done.faults] == [
        (row, "the same serial stands in an earlier row") for row in (4, 5)
    ]


async def test_rows_that_cannot_be_tokens_are_named_and_the_others_taken(stock: Stock) -> None:
    await stock.take(rows(1))
    short, bad_serial = NewToken("B-1", Secret("00")), NewToken("B 2", Secret(SEED))
    other = NewToken("A-000001", Secret("ff" * 20))
    again = NewToken("A-000007", Secret(SEED))
    given: list[Read] = [(1, short), (2, bad_serial), (3, other), RowFault(4, "B-4", "kind"), *rows(2, 7), (9, again)]
    done = await stock.take(given)
    assert (done.added, done.known) == (2, 0)
    assert [(fault.row, fault.serial) for fault in sorted(done.faults, key=lambda fault: fault.row)] == [
        (1, "B-1"), (2, "B 2"), (3, "A-000001"), (4, "B-4"), (9, "A-000007"),
    ]  # fmt: skip
    assert "ff" * 20 not in str(done.faults)


async def test_signing_devices_are_taken_with_their_suites_and_one_that_no_code_could_be_judged_of_is_named(stock: Stock) -> None:
    good, bad = (f"OCRA-1:HOTP-SHA1-6:{inputs}" for inputs in ("QN08", "QN08-S064"))
    given = [(row, NewToken.of_suite(f"O-{row}", Secret(SEED), suite)) for row, suite in ((1, good), (2, bad))]
    done = await stock.take([*given, (3, NewToken("H-3", Secret(SEED)))])
    assert (done.added, [fault.row for fault in done.faults]) == (2, [2])
    assert "session data" in done.faults[0].what
    found = await stock.owner.fetch("SELECT serial, kind, suite FROM otp_tokens ORDER BY serial")
    assert [tuple(row) for row in found] == [("H-3", "hotp", None), ("O-1", "ocra", good)]


async def test_the_same_file_by_four_at_once_is_taken_once(stock: Stock) -> None:
    done = await asyncio.gather(*(stock.take(rows(200)) for _ in range(4)))
    assert sum(one.added for one in done) == 200
    assert all((one.added + one.known, one.faults) == (200, []) for one in done)
    assert await stock.count() == 200
    assert await stock.count("audit_entries WHERE tag = 'sca:token:imported'") == 200


async def test_another_issuers_token_with_the_same_serial_is_another_token(stock: Stock) -> None:
    await stock.take(rows(5))
    other = await Issuers(stock.db).create(ACTOR, "Other", 9, ["506182"])
    with Seen() as seen:
        assert await stock.importing.take(other.id, ACTOR, rows(5), seen, dry_run=False) == Outcome(added=5)


def test_rows_come_a_thousand_at_a_time() -> None:
    assert [len(batch) for batch in in_batches(rows(2 * BATCH + 1))] == [BATCH, BATCH, 1]
