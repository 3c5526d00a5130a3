import asyncio
import hashlib

import asyncpg
import pytest

from strongroom.access.errors import BankIdTaken, CardRangeTaken, InvalidClient, UnsuitableScope
from strongroom.access.issuer_model import Issuer, IssuerSettings
from strongroom.access.issuers import Issuers, list_issuers
from strongroom.access.merchants import Merchants, list_merchants
from strongroom.access.model import SCOPES_OF, ClientProfile, Credentials, Firm, Scope, TenantKind
from strongroom.kit.crypto import Secret
from strongroom.kit.db import Database
from strongroom.kit.errors import Invalid, NotFound
from tests.access.conftest import ACTOR, House, grant

HUB = hashlib.sha256(b"a hub's certificate").hexdigest()


@pytest.fixture
def issuers(house: House) -> Issuers:
    return Issuers(house.db)


@pytest.fixture
async def issuer(issuers: Issuers) -> Issuer:
    return await issuers.create(ACTOR, "Mango Bank", 8, ["506181"])


async def test_an_issuer_is_found_by_its_bank_id_and_by_its_cards(issuers: Issuers, issuer: Issuer):
    assert await issuers.find_by_bank_id(8) == issuer
    assert await issuers.find_by_bank_id(9) is None
    assert await issuers.find_by_bank_id(0) is None
    assert await issuers.find_by_pan(Secret("5061810000000152048")) == issuer
    assert await issuers.find_by_pan(Secret("4111111111111111")) is None


async def test_of_two_ranges_that_fit_a_card_the_longer_tells_the_issuer(issuers: Issuers, issuer: Issuer):
    other = await issuers.create(ACTOR, "Papaya Bank", 9, ["50618100"])
    assert await issuers.find_by_pan(Secret("5061810000000152048")) == other
    assert await issuers.find_by_pan(Secret("5061819000000152048")) == issuer


async def test_a_bank_id_and_a_range_belong_to_one_issuer(issuers: Issuers, issuer: Issuer):
    with pytest.raises(BankIdTaken):
        await issuers.create(ACTOR, "Again", 8)
    with pytest.raises(CardRangeTaken):
        await issuers.create(ACTOR, "Again", 9, ["506181"])
    assert await issuers.find_by_bank_id(9) is None
    for prefix in ("506", "5061810000001", "50618x", "５０６１"):
        with pytest.raises(Invalid):
            await issuers.add_card_ranges(ACTOR, issuer.id, [prefix])


async def test_ranges_are_given_and_taken(issuers: Issuers, issuer: Issuer):
    assert (await issuers.add_card_ranges(ACTOR, issuer.id, ["5399", "506181"])).card_prefixes == ("506181", "5399")
    assert (await issuers.remove_card_ranges(ACTOR, issuer.id, ["5399"])).card_prefixes == ("506181",)
    with pytest.raises(NotFound):
        await issuers.remove_card_ranges(ACTOR, issuer.id, ["5399"])


async def test_a_hub_is_known_by_its_certificate_as_long_as_the_settings_name_it(issuers: Issuers, issuer: Issuer):
    assert await issuers.find_by_hub(bytes.fromhex(HUB)) == ()
    await asyncio.sleep(0.6)
    changed = await issuers.change(ACTOR, issuer.id, {"hub_certificate_hashes": [HUB]})
    assert await issuers.find_by_hub(bytes.fromhex(HUB)) == (changed,)
    await issuers.change(ACTOR, issuer.id, {"hub_certificate_hashes": []})
    await asyncio.sleep(0.6)
    assert await issuers.find_by_hub(bytes.fromhex(HUB)) == ()


@pytest.mark.parametrize(
    "changes",
    [
        {"nonsense": 1}, {"otp_digits": "9"}, {"hosting": "elsewhere"}, {"remote_url": "ftp://x"}, {"duplicate_code": "90000"},
        {"hub_certificate_hashes": ["00"]}, {"sms_countries": ["Nigeria"]}, {"down_answer": "approve"},
    ],
)  # fmt: skip
async def test_a_setting_that_cannot_be_is_refused_by_name(issuers: Issuers, issuer: Issuer, changes: dict[str, object]):
    with pytest.raises(Invalid) as refused:
        await issuers.change(ACTOR, issuer.id, changes)
    assert refused.value.errors[0].pointer == f"/{next(iter(changes))}"


async def test_a_setting_of_a_newer_version_is_left_aside(issuers: Issuers, issuer: Issuer, owner: asyncpg.Connection):
    await owner.execute("""UPDATE issuers SET settings = settings || '{"from_the_future": 1}'""")
    await asyncio.sleep(0.6)
    assert (await issuers.get(issuer.id)).settings == IssuerSettings()


async def test_issuers_and_merchants_see_nothing_of_each_other_even_without_a_where(house: House, issuer: Issuer, database):
    other = await Issuers(house.db).create(ACTOR, "Papaya Bank", 9)
    merchant = await Merchants(house.db).create(ACTOR, "Corner shop")
    for tenant in (other.id, merchant.id):
        async with house.db.transaction(tenant) as tx:
            assert await tx.fetchval("SELECT count(*) FROM issuers WHERE issuer_id <> $1", tenant) == 0
            assert await tx.fetchval("SELECT count(*) FROM merchants WHERE merchant_id <> $1", tenant) == 0
    worker = await Database.connect(database.worker_dsn, role="strongroom_worker", size=1)
    assert {found.id for found in await list_issuers(worker)} == {issuer.id, other.id}
    assert [found.id for found in await list_merchants(worker)] == [merchant.id]
    await worker.close()


async def test_a_merchants_settings_change(house: House):
    merchants = Merchants(house.db)
    merchant = await merchants.create(ACTOR, "Corner shop")
    assert (await merchants.change(ACTOR, merchant.id, {"begins_per_minute": "5"}, name="Shop")).settings.begins_per_minute == 5
    with pytest.raises(Invalid):
        await merchants.change(ACTOR, merchant.id, {"begins_per_minute": 0})
    with pytest.raises(NotFound):
        await merchants.get("mer-0000000000000")


async def test_no_kind_of_tenant_has_the_scopes_of_another(house: House, firm: Firm, issuer: Issuer):
    merchant = await Merchants(house.db).create(ACTOR, "Corner shop")
    tenants = {TenantKind.FIRM: firm.id, TenantKind.ISSUER: issuer.id, TenantKind.MERCHANT: merchant.id}
    assert frozenset().union(*SCOPES_OF.values()) == frozenset(Scope)
    for kind, tenant in tenants.items():
        for scope in Scope:
            if scope in SCOPES_OF[kind]:
                await house.clients.create(ACTOR, tenant, "fits", [scope])
            else:
                with pytest.raises(UnsuitableScope):
                    await house.clients.create(ACTOR, tenant, "does not fit", [scope])


async def test_an_issuers_client_gets_no_token_where_firms_do(house: House, issuer: Issuer, web):
    client = await house.clients.create(ACTOR, issuer.id, "host", SCOPES_OF[TenantKind.ISSUER])
    answer = await web.post("/token", json=grant(client))
    assert (answer.status_code, answer.json()["error"]) == (401, "invalid_client")


async def test_a_client_is_judged_by_the_kind_of_its_tenant(house: House, issuer: Issuer):
    client = await house.clients.create(ACTOR, issuer.id, "host", [Scope.SAFETOKEN_ENROL], profile=ClientProfile(client_name="x"))
    shown = Credentials(client.client_id, client.secret)
    known = await house.authentication.authenticate(shown, "192.0.2.9", frozenset({TenantKind.ISSUER}))
    assert (known.firm_id, known.profile) == (issuer.id, ClientProfile(client_name="x"))
    for _ in range(2):  # from the database, and from what was read a moment ago
        with pytest.raises(InvalidClient):
            await house.authentication.authenticate(shown, "192.0.2.9", frozenset({TenantKind.FIRM}))


async def test_a_profile_is_replaced_and_listed(house: House, issuer: Issuer):
    client = await house.clients.create(ACTOR, issuer.id, "host", [Scope.SAFETOKEN_ENROL])
    assert (await house.clients.get(issuer.id, client.client_id)).profile is None
    await house.clients.set_profile(ACTOR, issuer.id, client.client_id, ClientProfile(merchant_code="MX1"))
    assert (await house.clients.list_all(issuer.id))[0].profile == ClientProfile(merchant_code="MX1")
    with pytest.raises(NotFound):
        await house.clients.set_profile(ACTOR, issuer.id, "cli-0000000000000", ClientProfile())


async def test_settings_that_contradict_each_other_are_refused(issuers: Issuers, issuer: Issuer):
    for changes in (
        {"ws_security": "body"}, {"reliable": "1.1"}, {"ws_security": "body", "remote_protocol": "soap"},
        {"ws_security": "body", "remote_signer_hashes": [HUB]}, {"hosting": "remote", "hub_certificate_hashes": [HUB]},
    ):  # fmt: skip
        with pytest.raises(Invalid):
            await issuers.change(ACTOR, issuer.id, changes)
    whole = {"ws_security": "body", "remote_protocol": "soap", "remote_signer_hashes": [HUB]}
    assert (await issuers.change(ACTOR, issuer.id, whole)).settings.ws_security == "body"
    with pytest.raises(Invalid):
        await issuers.unpin(ACTOR, issuer.id, "remote_signer_hashes", bytes.fromhex(HUB))


async def test_two_pins_at_once_are_both_kept(issuers: Issuers, issuer: Issuer):
    pins = [hashlib.sha256(bytes([number])).digest() for number in range(8)]
    await asyncio.gather(*(issuers.pin(ACTOR, issuer.id, "hub_certificate_hashes", one) for one in pins))
    held = (await issuers.get(issuer.id)).settings.hub_certificate_hashes
    assert {*held} == {one.hex() for one in pins}
