"""The proof of a purchase: what it says, to whom it is good, and that it is used once."""

from __future__ import annotations

import asyncio
import base64
import json

import pytest
from joserfc import jwt
from joserfc.jwk import KeySet

from strongroom.access.signing_keys import Purpose
from strongroom.sca.purchasing.errors import ProofInvalid, ProofUsed
from strongroom.sca.purchasing.model import Gateway
from tests.issuing.foreign_issuer import CARD, CODE
from tests.sca.purchasing.house import BASE


async def authenticated(house):
    purchase = await house.begin()
    await house.verify(purchase, CODE)
    purchase = await house.purchases.get(house.gateway.merchant_id, purchase.id)
    return purchase, await house.proofs.make(purchase)


def payload(proof: str) -> dict:
    middle = proof.split(".")[1]
    return json.loads(base64.urlsafe_b64decode(middle + "=" * (-len(middle) % 4)))


async def test_a_proof_says_what_the_contract_lists_and_verifies_with_our_published_key(house):
    purchase, proof = await authenticated(house)
    keys = KeySet.import_key_set(await house.proofs._keys.jwks())
    token = jwt.decode(proof, keys, algorithms=["PS512"])
    assert token.header.keys() == {"alg", "kid", "typ"}
    claims = dict(token.claims)
    assert claims["exp"] - claims.pop("iat") == 600
    assert claims.pop("exp")
    assert claims == {
        "iss": BASE, "aud": "client-1", "jti": purchase.proof_id, "authenticationId": purchase.id, "issuer": 8,
        "merchantId": house.gateway.merchant_id, "amount": "1500.00", "currency": "NGN", "reference": purchase.reference,
        "cardReference": purchase.card_reference, "linking": "server",
    }  # fmt: skip
    assert CARD not in json.dumps(claims)


async def test_there_is_no_proof_of_a_purchase_that_is_not_authenticated(house):
    assert await house.proofs.make(await house.begin()) is None


async def test_a_proof_is_used_once_however_many_ask_at_once(house):
    _, proof = await authenticated(house)
    uses = [house.proofs.use(house.gateway, proof, f"payment {number}") for number in range(8)]
    outcomes = await asyncio.gather(*uses, return_exceptions=True)
    assert sum(isinstance(one, ProofUsed) for one in outcomes) == 7


async def test_a_proof_used_again_for_the_same_reference_gets_the_same_answer(house):
    purchase, proof = await authenticated(house)
    first = await house.proofs.use(house.gateway, proof, "payment 1")
    assert first.purchase.id == purchase.id
    await house.pass_time(3600)
    again = await house.proofs.use(house.gateway, proof, "payment 1")
    assert again.used_at == first.used_at
    with pytest.raises(ProofUsed):
        await house.proofs.use(house.gateway, proof, "payment 2")


async def test_a_proof_asked_for_again_is_the_same_proof(house):
    purchase, proof = await authenticated(house)
    again = await house.proofs.make(purchase)
    assert payload(again) == payload(proof)
    await house.proofs.use(house.gateway, proof, "payment 1")
    with pytest.raises(ProofUsed):
        await house.proofs.use(house.gateway, again, "payment 2")


async def test_after_ten_minutes_a_proof_is_neither_made_nor_used(house):
    purchase, proof = await authenticated(house)
    await house.pass_time(601)
    assert await house.proofs.make(purchase) is None
    with pytest.raises(ProofInvalid):
        await house.proofs.use(house.gateway, proof, "payment 1")


async def test_a_proof_is_good_to_its_merchant_only(house):
    _, proof = await authenticated(house)
    with pytest.raises(ProofInvalid):
        await house.proofs.use(house.other, proof, "payment 1")
    assert (await house.proofs.use(Gateway(house.gateway.merchant_id, "another client"), proof, "payment 1")).used_at


async def test_forged_and_foreign_proofs_are_invalid(house):
    _, proof = await authenticated(house)
    head, body, mark = proof.split(".")
    changed = {**payload(proof), "amount": "1.00"}
    forged = base64.urlsafe_b64encode(json.dumps(changed).encode()).rstrip(b"=").decode()
    none = base64.urlsafe_b64encode(b'{"alg":"none"}').rstrip(b"=").decode()
    elsewhere = await house.proofs._keys.sign(Purpose.PROOF, {**payload(proof), "iss": "https://evil.example"}, "PS512")
    token = await house.proofs._keys.sign(Purpose.ACCESS_TOKEN, payload(proof), "RS512")
    for text in ("", "a.b.c", f"{head}.{forged}.{mark}", f"{none}.{body}.", f"{head}.{body}.", elsewhere, token, proof[:-8]):
        with pytest.raises(ProofInvalid):
            await house.proofs.use(house.gateway, text, "payment 1")
