import asyncio

import asyncpg
import pytest

from strongroom.access.firms import list_firms
from strongroom.access.model import Firm, FirmSettings, NewClient, NewStaff, Scope
from strongroom.kit.crypto import Secret
from strongroom.kit.db import Database
from strongroom.kit.errors import Invalid, NotFound
from tests.access.conftest import ACTOR, ALL, House

FENCED = ("firms", "api_clients", "client_secrets", "client_assertions", "staff_members")


async def test_a_new_firm_has_the_documents_defaults(firm: Firm):
    assert firm.settings.automatic_customer_authentication
    assert not firm.settings.unique_case_ref
    assert firm.settings.max_amount_minor == 100_000_000


async def test_settings_change_from_texts_and_are_seen_elsewhere_within_a_second(house: House, firm: Firm, other_process: House):
    await other_process.firms.get(firm.id)
    changed = await house.firms.change(ACTOR, firm.id, {"unique_case_ref": "true", "max_amount_minor": "5000"}, name="New name")
    assert (changed.name, changed.settings.unique_case_ref, changed.settings.max_amount_minor) == ("New name", True, 5000)
    await asyncio.sleep(0.6)
    assert (await other_process.firms.get_settings(firm.id)).unique_case_ref


@pytest.mark.parametrize(
    "changes",
    [{"nonsense": 1}, {"max_amount_minor": 100_000_001}, {"accent_colour": "red"}, {"sender_name": "a\n"}, {"quiet_from": "24:00"}],
)
async def test_a_setting_that_cannot_be_is_refused_by_name(house: House, firm: Firm, changes: dict[str, object]):
    with pytest.raises(Invalid) as refused:
        await house.firms.change(ACTOR, firm.id, changes)
    assert refused.value.errors[0].pointer == f"/{next(iter(changes))}"


async def test_a_setting_of_a_newer_version_is_left_aside(house: House, firm: Firm, owner: asyncpg.Connection):
    await owner.execute("""UPDATE firms SET settings = settings || '{"from_the_future": 1}'""")
    await asyncio.sleep(0.6)
    assert (await house.firms.get(firm.id)).settings == FirmSettings()


async def test_an_unknown_firm_is_not_found(house: House):
    with pytest.raises(NotFound):
        await house.firms.get("frm-0000000000000")


async def test_the_operator_lists_all_firms_as_the_worker_only(house: House, firm: Firm, database):
    await house.firms.create(ACTOR, "Second")
    worker = await Database.connect(database.worker_dsn, role="strongroom_worker", size=1)
    assert [found.name for found in await list_firms(worker)] == [firm.name, "Second"]
    await worker.close()
    assert await list_firms(house.db) == []


async def test_rows_of_another_firm_are_invisible_even_without_a_where(house: House, firm: Firm, api_client: NewClient):
    other = await house.firms.create(ACTOR, "Other LLP")
    await house.clients.create(ACTOR, other.id, "theirs", [Scope.FUNDS_READ])
    staff: NewStaff = await house.staff.create(ACTOR, other.id, "Bob", "bob@other.example", Secret("correct horse battery"))
    assert staff.id
    async with house.db.transaction(firm.id) as tx:
        for table in FENCED:
            firms = {row["firm_id"] for row in await tx.fetch(f"SELECT firm_id FROM {table}")}
            assert firms <= {firm.id}, table
        assert await tx.execute("UPDATE firms SET name = 'taken over'") == "UPDATE 1"
    async with house.db.transaction() as tx:
        for table in FENCED:
            assert await tx.fetchval(f"SELECT count(*) FROM {table}") == 0, table
    assert (await house.firms.get(other.id)).name == "Other LLP"


async def test_a_row_cannot_be_written_for_another_firm(house: House, firm: Firm):
    other = await house.firms.create(ACTOR, "Other LLP")
    with pytest.raises(asyncpg.InsufficientPrivilegeError):
        async with house.db.transaction(firm.id) as tx:
            await tx.execute("INSERT INTO api_clients (firm_id, id, name, scopes) VALUES ($1, 'cli-x', 'x', '{}')", other.id)


async def test_another_firms_clients_and_tokens_are_not_found(house: House, firm: Firm, api_client: NewClient):
    other = await house.firms.create(ACTOR, "Other LLP")
    token = await house.tokens.create_static(ACTOR, firm.id, api_client.client_id, "mine", ALL)
    with pytest.raises(NotFound):
        await house.clients.disable(ACTOR, other.id, api_client.client_id)
    with pytest.raises(NotFound):
        await house.clients.rotate_secret(ACTOR, other.id, api_client.client_id)
    with pytest.raises(NotFound):
        await house.tokens.revoke(ACTOR, other.id, token.id)
    with pytest.raises(NotFound):
        await house.tokens.create_static(ACTOR, other.id, api_client.client_id, "stolen", ALL)
    assert await house.tokens.find(token.token.reveal())
