"""The vault: keys rotate while processes seal and open, and a value opens at its own place only."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import asyncpg
import pytest

from strongroom.kit.crypto import SealBroken
from strongroom.kit.db import Database
from strongroom.kit.rootkeys import FileKeeper
from strongroom.kit.rotation import count_wrapped, rewrap_all
from strongroom.kit.vault import TenantKeys, Vault

ONE, TWO = "frm-aaaaaaaaaaaaa", "frm-bbbbbbbbbbbbb"


@pytest.fixture
async def app(database: Any) -> AsyncIterator[Database]:
    db = await Database.connect(database.app_dsn, size=16)
    yield db
    await db.close()


@pytest.fixture
async def worker(database: Any) -> AsyncIterator[Database]:
    db = await Database.connect(database.worker_dsn, role="strongroom_worker", size=2)
    yield db
    await db.close()


@pytest.fixture
def keeper(tmp_path: Path) -> FileKeeper:
    made = FileKeeper(tmp_path / "keys.json")
    made.create()
    return made


async def keys_of(db: Database, vault: Vault, tenant: str = ONE) -> TenantKeys:
    async with db.transaction(tenant) as tx:
        return await vault.tenant(tx, tenant)


async def test_fifty_processes_that_meet_a_new_tenant_at_once_agree_on_one_key(app: Database, keeper: FileKeeper) -> None:
    vaults = [Vault(keeper) for _ in range(50)]
    held = await asyncio.gather(*(keys_of(app, vault) for vault in vaults))
    sealed = [keys.seal_text("t", "c", "r", "text") for keys in held]
    assert {keys.unseal_text("t", "c", "r", one) for keys in held for one in sealed} == {"text"}


async def test_values_stay_readable_through_two_rotations_and_the_old_root_key_can_go(
    app: Database, worker: Database, keeper: FileKeeper, database: Any
) -> None:
    vault = Vault(keeper)
    old = [(tenant, (await keys_of(app, vault, tenant)).seal_text("t", "c", "r", tenant)) for tenant in (ONE, TWO)]
    for _ in range(2):
        keeper.rotate()
        assert await rewrap_all(worker, vault, new_keys=True) >= 2
    assert set(await count_wrapped(worker)) == {3}
    keeper.retire({1, 2})
    owner = await asyncpg.connect(database.dsn)
    await owner.execute("UPDATE clock_offset SET ahead = '1 hour'")
    await owner.close()
    fresh = Vault(keeper)
    for tenant, sealed in old:
        keys = await keys_of(app, fresh, tenant)
        assert keys.unseal_text("t", "c", "r", sealed) == tenant
        assert keys.active.version == 3


async def test_a_process_with_an_older_cache_opens_what_others_seal_during_a_rotation(
    app: Database, worker: Database, keeper: FileKeeper
) -> None:
    one, other = Vault(keeper), Vault(keeper)
    stale = await keys_of(app, one)
    keeper.rotate()
    await rewrap_all(worker, other, new_keys=True)
    fresh = await keys_of(app, Vault(keeper))
    assert stale.unseal_text("t", "c", "r", fresh.seal_text("t", "c", "r", "text")) == "text"


async def test_a_root_key_added_elsewhere_is_found_without_a_restart(app: Database, worker: Database, keeper: FileKeeper) -> None:
    running = Vault(keeper)
    sealed = (await keys_of(app, running, TWO)).seal_text("t", "c", "r", "text")
    await keys_of(app, Vault(keeper), ONE)
    keeper.rotate()
    await rewrap_all(worker, Vault(keeper), new_keys=False)
    assert (await keys_of(app, running, ONE)).active.version == 1
    assert (await keys_of(app, running, TWO)).unseal_text("t", "c", "r", sealed) == "text"


@pytest.mark.parametrize("place", [("x", "c", "r"), ("t", "x", "r"), ("t", "c", "x")])
async def test_a_value_copied_to_another_place_does_not_open(
    app: Database, keeper: FileKeeper, place: tuple[str, str, str]
) -> None:
    keys = await keys_of(app, Vault(keeper))
    with pytest.raises(SealBroken):
        keys.unseal(*place, keys.seal("t", "c", "r", b"text"))


async def test_another_tenant_or_an_altered_value_does_not_open(app: Database, keeper: FileKeeper) -> None:
    vault = Vault(keeper)
    keys, others = await keys_of(app, vault, ONE), await keys_of(app, vault, TWO)
    sealed = keys.seal("t", "c", "r", b"text")
    with pytest.raises(SealBroken):
        others.unseal("t", "c", "r", sealed)
    for at in range(len(sealed)):
        altered = sealed[:at] + bytes([sealed[at] ^ 1]) + sealed[at + 1 :]
        with pytest.raises(SealBroken):
            keys.unseal("t", "c", "r", altered)


async def test_a_person_whose_key_is_destroyed_does_not_open(app: Database, keeper: FileKeeper) -> None:
    keys = await keys_of(app, Vault(keeper))
    person, kept = keys.new_person("customers", "cst-1")
    sealed = person.seal("customers", "personal_sealed", "cst-1", {"name": "Ann"})
    assert keys.person("customers", "cst-1", kept).unseal("customers", "personal_sealed", "cst-1", sealed, dict) == {"name": "Ann"}
    another, _ = keys.new_person("customers", "cst-1")
    with pytest.raises(SealBroken):
        another.unseal("customers", "personal_sealed", "cst-1", sealed, dict)


def test_hashes_of_different_purposes_and_parts_differ(keeper: FileKeeper) -> None:
    vault = Vault(keeper)
    hashes = {vault.hash("a", "b", "c"), vault.hash("a", "bc"), vault.hash("a", "", "bc"), vault.hash("b", "b", "c")}
    assert len(hashes) == 4
    assert vault.hash("a", "b", "c") == Vault(keeper).hash("a", "b", "c")
