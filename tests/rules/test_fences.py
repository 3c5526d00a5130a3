"""The migrated database keeps the laws, and each law is seen to find a planted fault."""

from __future__ import annotations

from collections.abc import AsyncIterator

import asyncpg
import pytest

from tests.rules import fences
from tests.rules.schema import dump
from tests.rules.source import ROOT

TENANTS = list(fences.TENANT_COLUMNS)
GIVEN = {
    fences.TENANT_NOT_IN_KEY: (TENANTS, list(fences.FOUND_BY_KEY)),
    fences.NOT_FENCED_BY_ROWS: (TENANTS, list(fences.NOT_FENCED)),
}


@pytest.fixture
async def owner(database) -> AsyncIterator[asyncpg.Connection]:
    connection = await asyncpg.connect(database.dsn)
    yield connection
    await connection.close()


async def faults(connection: asyncpg.Connection, law: str) -> list[str]:
    return [row[0] for row in await connection.fetch(law, *GIVEN.get(law, ()))]


async def test_a_tenant_is_part_of_every_primary_key(owner: asyncpg.Connection) -> None:
    assert await faults(owner, fences.TENANT_NOT_IN_KEY) == []


async def test_every_tenants_table_is_fenced_by_row_level_security(owner: asyncpg.Connection) -> None:
    assert await faults(owner, fences.NOT_FENCED_BY_ROWS) == []


async def test_no_policy_shows_the_application_every_row(owner: asyncpg.Connection) -> None:
    assert await faults(owner, fences.POLICIES_OPEN_TO_ALL) == []


async def test_no_role_function_or_view_passes_row_level_security(owner: asyncpg.Connection) -> None:
    assert await faults(owner, fences.BYPASSING) == []


async def test_the_application_owns_nothing(owner: asyncpg.Connection) -> None:
    assert await faults(owner, fences.OWNED_BY_THE_APPLICATION) == []


async def test_secret_columns_have_a_secrets_shape(owner: asyncpg.Connection) -> None:
    assert await faults(owner, fences.SECRETS_WITHOUT_SHAPE) == []


async def test_money_and_time_have_exact_types(owner: asyncpg.Connection) -> None:
    assert await faults(owner, fences.LOOSE_TYPES) == []


async def test_the_schema_lists_every_state(owner: asyncpg.Connection) -> None:
    assert await faults(owner, fences.STATES_WITHOUT_A_LIST) == []


PLANTED = [
    (fences.TENANT_NOT_IN_KEY, "CREATE TABLE bad (firm_id text, id text PRIMARY KEY)"),
    (fences.NOT_FENCED_BY_ROWS, "CREATE TABLE bad (firm_id text PRIMARY KEY)"),
    (fences.NOT_FENCED_BY_ROWS, "CREATE TABLE bad (firm_id text PRIMARY KEY); ALTER TABLE bad ENABLE ROW LEVEL SECURITY"),
    (fences.POLICIES_OPEN_TO_ALL, "CREATE TABLE bad (n int); CREATE POLICY open ON bad USING (true)"),
    (fences.BYPASSING, "CREATE FUNCTION bad() RETURNS int LANGUAGE sql SECURITY DEFINER AS 'SELECT 1'"),
    (fences.BYPASSING, "CREATE VIEW bad AS SELECT 1 AS one"),
    (fences.OWNED_BY_THE_APPLICATION, "CREATE TABLE bad (n int); ALTER TABLE bad OWNER TO strongroom_app"),
    (fences.OWNED_BY_THE_APPLICATION, "GRANT UPDATE ON schema_migrations TO strongroom_app"),
    (fences.SECRETS_WITHOUT_SHAPE, "CREATE TABLE bad (code_hash text)"),
    (fences.SECRETS_WITHOUT_SHAPE, "CREATE TABLE bad (date_of_birth date)"),
    (fences.LOOSE_TYPES, "CREATE TABLE bad (amount numeric)"),
    (fences.LOOSE_TYPES, "CREATE TABLE bad (made_at timestamp)"),
    (fences.STATES_WITHOUT_A_LIST, "CREATE TABLE bad (state text)"),
]


@pytest.mark.parametrize(("law", "fault"), PLANTED)
async def test_a_law_finds_a_planted_fault(owner: asyncpg.Connection, law: str, fault: str) -> None:
    await owner.execute(fault)
    assert any("bad" in said or "schema_migrations" in said for said in await faults(owner, law))


async def test_a_role_that_passes_row_level_security_is_found(owner: asyncpg.Connection) -> None:
    """Roles belong to the whole server, so this one is never committed."""
    transaction = owner.transaction()
    await transaction.start()
    await owner.execute("CREATE ROLE bad BYPASSRLS")
    assert "role bad passes row-level security" in await faults(owner, fences.BYPASSING)
    await transaction.rollback()


async def test_schema_sql_is_an_empty_database_after_all_migrations(postgres, database) -> None:
    assert (ROOT / "schema.sql").read_text() == dump(postgres, database.name), "run make schema"


def test_every_table_without_a_fence_says_why() -> None:
    assert all(fences.NOT_FENCED.values())
