import asyncio
import base64
import json

import asyncpg
import jwt
import pytest

from strongroom.access.signing_keys import BadSignature, Purpose, SigningKeys
from tests.access.conftest import ACTOR, House, move_clock

CLAIMS = {"sub": "cli-1", "card": "4111111111111111"}


@pytest.fixture
def keys(house: House) -> SigningKeys:
    return SigningKeys(house.db, house.vault)


def fresh(house: House) -> SigningKeys:
    return SigningKeys(house.db, house.vault)


@pytest.mark.parametrize(
    ("purpose", "algorithm"), [(Purpose.ACCESS_TOKEN, "RS512"), (Purpose.ACCESS_TOKEN, "RS256"), (Purpose.PROOF, "PS512")]
)
async def test_what_we_sign_another_library_verifies_with_the_shown_key(keys: SigningKeys, purpose: Purpose, algorithm: str):
    signed = await keys.sign(purpose, CLAIMS, algorithm)
    shown = jwt.PyJWKSet.from_dict(await keys.jwks())
    header = jwt.get_unverified_header(signed)
    assert header == {"alg": algorithm, "kid": header["kid"], "typ": "JWT"}
    assert jwt.decode(signed, shown[header["kid"]].key, algorithms=[algorithm]) == CLAIMS
    assert await keys.verify(purpose, signed) == CLAIMS


async def test_nothing_private_is_shown(keys: SigningKeys):
    shown = (await keys.jwks())["keys"]
    assert [set(key) - {"alg"} for key in shown] == [{"kty", "n", "e", "kid", "use"}] * 2


async def test_a_key_of_one_purpose_signs_nothing_of_the_other(keys: SigningKeys):
    with pytest.raises(BadSignature):
        await keys.verify(Purpose.PROOF, await keys.sign(Purpose.ACCESS_TOKEN, CLAIMS, "RS512"))
    with pytest.raises(AssertionError):
        await keys.sign(Purpose.PROOF, CLAIMS, "RS512")


def encode(part: object) -> str:
    return base64.urlsafe_b64encode(json.dumps(part).encode()).rstrip(b"=").decode()


async def test_tokens_of_anybody_else_are_not_believed(keys: SigningKeys):
    signed = await keys.sign(Purpose.ACCESS_TOKEN, CLAIMS, "RS512")
    header, payload, signature = signed.split(".")
    kid = jwt.get_unverified_header(signed)["kid"]
    public = (await keys.jwks())["keys"][0]["n"]
    bad = [
        f"{encode({'alg': 'none', 'kid': kid})}.{payload}.",
        f"{header}.{encode({'sub': 'cli-2'})}.{signature}",
        f"{encode({'alg': 'RS512'})}.{payload}.{signature}",
        f"{encode({'alg': 'RS512', 'kid': kid, 'crit': ['x'], 'x': 1})}.{payload}.{signature}",
        f"{encode({'alg': 'RS512', 'kid': '../../etc/passwd'})}.{payload}.{signature}",
        jwt.encode(CLAIMS, public, "HS512", headers={"kid": kid}),
        "", "a.b.c", "é", "x" * 5000,
    ]  # fmt: skip
    for text in bad:
        with pytest.raises(BadSignature):
            await keys.verify(Purpose.ACCESS_TOKEN, text)


async def test_of_ten_processes_that_need_the_first_key_one_makes_it(house: House, owner: asyncpg.Connection):
    signed = await asyncio.gather(*(fresh(house).sign(Purpose.PROOF, CLAIMS, "PS512") for _ in range(10)))
    assert len({jwt.get_unverified_header(one)["kid"] for one in signed}) == 1
    assert await owner.fetchval("SELECT count(*) FROM signing_keys") == 1


async def test_a_new_key_is_shown_before_it_signs_and_the_old_one_after(house: House, keys: SigningKeys, owner: asyncpg.Connection):
    before = await keys.sign(Purpose.ACCESS_TOKEN, CLAIMS, "RS512")
    old = jwt.get_unverified_header(before)["kid"]
    made = await keys.rotate(ACTOR, Purpose.ACCESS_TOKEN, lead_seconds=600)
    assert not made.signs
    assert {old, made.kid} <= {key["kid"] for key in (await keys.jwks())["keys"]}
    assert jwt.get_unverified_header(await keys.sign(Purpose.ACCESS_TOKEN, CLAIMS, "RS512"))["kid"] == old
    await move_clock(owner, seconds=601)
    later = fresh(house)
    assert jwt.get_unverified_header(await later.sign(Purpose.ACCESS_TOKEN, CLAIMS, "RS512"))["kid"] == made.kid
    assert await later.verify(Purpose.ACCESS_TOKEN, before) == CLAIMS
    await move_clock(owner, seconds=600 + 24 * 3600 + 1)
    assert [key.kid for key in await fresh(house).list_all() if key.purpose == Purpose.ACCESS_TOKEN] == [made.kid]
    with pytest.raises(BadSignature):
        await fresh(house).verify(Purpose.ACCESS_TOKEN, before)


async def test_a_private_half_is_sealed(keys: SigningKeys, owner: asyncpg.Connection):
    await keys.sign(Purpose.PROOF, CLAIMS, "PS512")
    assert b"PRIVATE" not in await owner.fetchval("SELECT key_sealed FROM signing_keys")
