"""The proof of a purchase: signed, good for ten minutes and for one use, and made again for whoever asks again."""

from __future__ import annotations

from typing import Any

from strongroom.access.issuers import Issuers
from strongroom.access.signing_keys import BadSignature, Purpose, SigningKeys
from strongroom.kit import audit
from strongroom.kit.db import Database
from strongroom.kit.money import print_pounds
from strongroom.kit.vault import Vault
from strongroom.sca.purchasing import store
from strongroom.sca.purchasing.errors import ProofInvalid, ProofUsed
from strongroom.sca.purchasing.model import PROOF_SECONDS, AuditTag, Gateway, ProofUse, Purchase

ALGORITHM = "PS512"


class Proofs:
    """Makes proofs and uses them up. `issuer_url` is who we are in them."""

    def __init__(self, db: Database, vault: Vault, issuers: Issuers, keys: SigningKeys, issuer_url: str) -> None:
        self._db = db
        self._vault = vault
        self._issuers = issuers
        self._keys = keys
        self._issuer_url = issuer_url

    async def make(self, purchase: Purchase) -> str | None:
        """Return the proof of an authenticated purchase (a compact JWS); None when it is not, or its ten minutes are over."""
        if purchase.authenticated_at is None:
            return None
        async with self._db.transaction(purchase.issuer_id) as tx:
            if not await store.is_proof_alive(tx, purchase.issuer_id, purchase.id, seconds=PROOF_SECONDS):
                return None
        return await self._keys.sign(Purpose.PROOF, await self._claims(purchase), ALGORITHM)

    async def use(self, gateway: Gateway, proof: str, reference: str) -> ProofUse:
        """Check a proof and use it up for one reference of the merchant's; the same reference again gets the same answer.

        Raise ProofInvalid or ProofUsed.
        """
        try:
            claims = await self._keys.verify(Purpose.PROOF, proof)
        except BadSignature:
            raise ProofInvalid from None
        purchase_id, proof_id = claims.get("authenticationId"), claims.get("jti")
        if claims.get("iss") != self._issuer_url or claims.get("merchantId") != gateway.merchant_id:
            raise ProofInvalid
        if not isinstance(purchase_id, str) or not isinstance(proof_id, str):
            raise ProofInvalid
        async with self._db.transaction(gateway.merchant_id) as tx:
            purchase = await store.find_by_proof(tx, gateway.merchant_id, purchase_id, proof_id)
        if purchase is None:
            raise ProofInvalid
        return await self._use(gateway, purchase, self._vault.hash("proof reference", reference))

    async def _use(self, gateway: Gateway, purchase: Purchase, reference_hash: bytes) -> ProofUse:
        """Use the proof up by one conditional update; after its time only a use that was made before is answered."""
        async with self._db.transaction(purchase.issuer_id) as tx:
            alive = await store.is_proof_alive(tx, purchase.issuer_id, purchase.id, seconds=PROOF_SECONDS)
            if not alive and purchase.proof_used_at is None:
                raise ProofInvalid
            used_at = await store.use_proof(tx, purchase.issuer_id, purchase.id, reference_hash)
            if used_at is None:
                raise ProofUsed
            if purchase.proof_used_at is None:
                await audit.record(tx, purchase.issuer_id, gateway.actor, AuditTag.PROOF_USED, purchase.id)
        return ProofUse(purchase, used_at)

    async def _claims(self, purchase: Purchase) -> dict[str, Any]:
        assert purchase.authenticated_at is not None  # noqa: S101  # asked before
        issued_at = int(purchase.authenticated_at.timestamp())
        return {
            "iss": self._issuer_url,
            "aud": purchase.client_id,
            "iat": issued_at,
            "exp": issued_at + PROOF_SECONDS,
            "jti": purchase.proof_id,
            "authenticationId": purchase.id,
            "issuer": (await self._issuers.get(purchase.issuer_id)).bank_id,
            "merchantId": purchase.merchant_id,
            "amount": print_pounds(purchase.amount_minor),
            "currency": purchase.currency,
            "reference": purchase.reference,
            "cardReference": purchase.card_reference,
            "linking": purchase.linking,
        }
