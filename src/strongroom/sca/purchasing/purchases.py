"""Use cases of purchases: begin, send the code again, verify, look, list, and what time does to them.

Claim, call, record: the client's reference and the purchase's row come first, a remote issuer is asked with nothing open, and a
second transaction records the answer. A question that was never recorded is found by the worker and the purchase declined.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from strongroom.access.issuer_model import Hosting, Issuer, Merchant
from strongroom.access.issuers import Issuers
from strongroom.access.merchants import Merchants
from strongroom.issuing.model import Policy
from strongroom.issuing.port import IssuerCode, IssuerSilent, IssuerUnavailable
from strongroom.issuing.registry import RemoteIssuers
from strongroom.kit import audit
from strongroom.kit.crypto import same
from strongroom.kit.db import Database, Tx, act_for
from strongroom.kit.errors import NotFound, UnknownCursor
from strongroom.kit.ids import is_id, new_id
from strongroom.kit.limits import Limit, take
from strongroom.kit.vault import Vault
from strongroom.sca.purchasing import store
from strongroom.sca.purchasing.errors import (
    NothingToSend,
    PurchaseOver,
    ReferenceReused,
    StillAsking,
    TooManyPurchases,
    TooManyResends,
)
from strongroom.sca.purchasing.judging import Judging
from strongroom.sca.purchasing.model import (
    CLAIM_SECONDS,
    HUB,
    MAX_RESENDS,
    PER_CARD,
    PER_CARD_AND_DAY,
    AuditTag,
    Gateway,
    Judged,
    NewPurchase,
    Purchase,
    shown_pan,
)
from strongroom.sca.purchasing.openings import NotSent, Openings
from strongroom.sca.purchasing.states import OPEN, PURCHASE, Listing, PurchaseEvent, PurchaseState, states_of

_LIFE_SECONDS = 540  # [public]; an issuer's setting may say otherwise
_MINUTE = 60
_HARDWARE = "1"
_BATCH = 100
_OVERDUE = {
    PurchaseState.PENDING: PurchaseEvent.TIMED_OUT,
    PurchaseState.REJECTED: PurchaseEvent.TIMED_OUT,
    PurchaseState.ASKING: PurchaseEvent.ISSUER_FAILED,
    PurchaseState.JUDGING: PurchaseEvent.ISSUER_FAILED,
}


@dataclass(frozen=True, slots=True)
class Asked:
    """Which purchases of a list are wanted."""

    limit: int = 25
    after: str | None = None
    status: Listing | None = None
    created_after: datetime | None = None
    created_before: datetime | None = None


class Purchases:
    """The use cases. A merchant sees its own purchases, an issuer those of its cards."""

    def __init__(
        self,
        db: Database,
        vault: Vault,
        issuers: Issuers,
        merchants: Merchants,
        remote: RemoteIssuers,
        openings: Openings,
        judging: Judging,
    ) -> None:
        self._db = db
        self._vault = vault
        self._issuers = issuers
        self._merchants = merchants
        self._remote = remote
        self._openings = openings
        self._judging = judging

    async def begin(self, gateway: Gateway, new: NewPurchase) -> Purchase:
        """Begin a purchase, once per reference of the client.

        Raise ReferenceReused, StillAsking, TooManyPurchases; what the issuer says or fails to say is in the purchase.
        """
        issuer = await self._issuers.find_by_pan(new.pan)
        merchant = await self._merchants.get(gateway.merchant_id)
        purchase_id = new_id("pur")
        is_remote = issuer is not None and issuer.settings.hosting is Hosting.REMOTE
        async with self._db.transaction(gateway.merchant_id) as tx:
            if (held := await self._claim_reference(tx, gateway, new, purchase_id)) is not None:
                return held
            card_hash = self._vault.hash("purchase card", new.pan.reveal())
            await self._take_limits(tx, gateway, merchant, card_hash)
            await act_for(tx, issuer.id if issuer else HUB)
            purchase = await self._add(tx, gateway, new, issuer, purchase_id, card_hash)
            if not is_remote:
                await self._openings.open_here(tx, issuer, purchase, new.pan)
        if is_remote and issuer is not None:
            await self._ask(issuer, purchase, new)
        return await self.get(gateway.merchant_id, purchase_id)

    async def send_again(self, gateway: Gateway, purchase_id: str) -> Purchase:
        """Send a fresh code, counted; where limits keep the message back the code before counts on.

        Raise NotFound, NothingToSend, PurchaseOver or TooManyResends.
        """
        purchase = await self.get(gateway.merchant_id, purchase_id)
        if purchase.token_type == _HARDWARE:
            raise NothingToSend
        if purchase.state not in OPEN:
            raise PurchaseOver
        issuer = None if purchase.issuer_id == HUB else await self._issuers.get(purchase.issuer_id)
        try:
            async with self._db.transaction(purchase.issuer_id) as tx:
                await self._count_resend(tx, gateway, purchase)
                await self._openings.send_again(tx, issuer, purchase)
        except NotSent:
            async with self._db.transaction(purchase.issuer_id) as tx:
                await self._count_resend(tx, gateway, purchase, is_sent=False)
        return await self.get(gateway.merchant_id, purchase_id)

    async def verify(self, gateway: Gateway, purchase_id: str, typed: str) -> Judged:
        """Have a code judged. Raise NotFound, or PurchaseOver for an authenticated purchase; other ends are answered again."""
        purchase = await self.get(gateway.merchant_id, purchase_id)
        if purchase.state is PurchaseState.AUTHENTICATED:
            raise PurchaseOver
        if purchase.state in {PurchaseState.ASKING, PurchaseState.JUDGING}:
            raise StillAsking(retry_after_seconds=1)
        if purchase.state not in OPEN:
            return Judged(purchase, is_right=False, attempts_left=0)
        return await self._judging.judge(gateway.actor, purchase, typed)

    async def get(self, tenant_id: str, purchase_id: str) -> Purchase:
        """Return a merchant's or an issuer's purchase as it is now, its time included. Raise NotFound."""
        purchase = await self._find(tenant_id, purchase_id)
        if purchase.state in OPEN and await self._expire(purchase):
            return await self._find(tenant_id, purchase_id)
        return purchase

    async def list_purchases(self, tenant_id: str, asked: Asked) -> list[Purchase]:
        """Return one purchase more than asked for, newest first, so that the caller knows whether there is another page.

        Raise UnknownCursor.
        """
        states = [str(state) for state in states_of(asked.status)] if asked.status else None
        async with self._db.transaction(tenant_id) as tx:
            found = await store.listed(
                tx,
                tenant_id,
                states=states,
                after=asked.after,
                created_after=asked.created_after,
                created_before=asked.created_before,
                limit=asked.limit + 1,
            )
            if asked.after and not found and not await store.is_listed(tx, tenant_id, asked.after):
                raise UnknownCursor
        return found

    async def settle_overdue(self) -> int:
        """End what nobody finished: expired purchases, and questions to issuers that were never answered. As the worker."""
        async with self._db.transaction() as tx:
            overdue = await store.take_overdue(tx, claim_seconds=CLAIM_SECONDS, limit=_BATCH)
            for issuer_id, purchase_id, state in overdue:
                event = _OVERDUE[state]
                code = {"code": IssuerCode.UNKNOWN_ERROR} if event is PurchaseEvent.ISSUER_FAILED else {}
                sets = {**code, "user_id_sealed": None, "phone_sealed": None}
                await PURCHASE.move(tx, issuer_id, purchase_id, event, only_from=state, sets=sets)
        return len(overdue)

    async def forget_old(self) -> int:
        """Forget codes that were sent to issuers long ago. As the worker."""
        async with self._db.transaction() as tx:
            return await store.forget_codes(tx)

    async def _claim_reference(self, tx: Tx, gateway: Gateway, new: NewPurchase, purchase_id: str) -> Purchase | None:
        """Take the reference; return the purchase that it began before. Raise ReferenceReused or StillAsking."""
        reference_hash = self._vault.hash("purchase reference", new.reference)
        fingerprint = self._vault.hash(
            "purchase fingerprint", new.pan.reveal(), str(new.amount_minor), new.currency, new.payee, new.channel
        )
        if await store.claim_reference(
            tx, gateway.merchant_id, gateway.client_id, reference_hash, fingerprint_hash=fingerprint, purchase_id=purchase_id
        ):
            return None
        held = await store.find_reference(tx, gateway.merchant_id, gateway.client_id, reference_hash)
        if held is None or not same(held[1], fingerprint):
            raise ReferenceReused
        purchase = await store.find(tx, gateway.merchant_id, held[0])
        if purchase is None or purchase.state is PurchaseState.ASKING:
            raise StillAsking(retry_after_seconds=1)
        return purchase

    async def _take_limits(self, tx: Tx, gateway: Gateway, merchant: Merchant, card_hash: bytes) -> None:
        """Use one of each limit, whoever's card it is. Raise TooManyPurchases."""
        per_client = Limit("purchases of a client", merchant.settings.begins_per_minute, _MINUTE)
        client_hash = self._vault.hash("purchase client", gateway.client_id)
        for limit, key_hash in ((per_client, client_hash), (PER_CARD, card_hash), (PER_CARD_AND_DAY, card_hash)):
            if not await take(tx, limit, key_hash):
                raise TooManyPurchases(retry_after_seconds=_MINUTE)

    async def _add(
        self, tx: Tx, gateway: Gateway, new: NewPurchase, issuer: Issuer | None, purchase_id: str, card_hash: bytes
    ) -> Purchase:
        issuer_id = issuer.id if issuer else HUB
        pan = new.pan.reveal()
        await store.add(
            tx,
            issuer_id,
            purchase_id,
            merchant_id=gateway.merchant_id,
            client_id=gateway.client_id,
            reference=new.reference,
            amount_minor=new.amount_minor,
            currency=new.currency,
            payee=new.payee,
            channel=new.channel,
            card_hash=card_hash,
            card_shown=shown_pan(pan),
            card_reference=self._vault.hash("card reference", gateway.client_id, pan).hex()[:32],
            proof_id=new_id("prf"),
            life_seconds=issuer.settings.otp_life_seconds if issuer else _LIFE_SECONDS,
        )
        await audit.record(tx, issuer_id, gateway.actor, AuditTag.BEGUN, purchase_id, {"merchant": gateway.merchant_id})
        purchase = await store.find(tx, issuer_id, purchase_id)
        assert purchase is not None  # noqa: S101  # inserted above
        return purchase

    async def _ask(self, issuer: Issuer, purchase: Purchase, new: NewPurchase) -> None:
        """Ask the issuer's service about the card with nothing open, then record; without an answer the purchase is declined."""
        try:
            answer = await self._remote.line(Policy.of(issuer)).validate_card(new.pan)
        except (IssuerUnavailable, IssuerSilent):
            async with self._db.transaction(issuer.id) as tx:
                await PURCHASE.move(
                    tx, issuer.id, purchase.id, PurchaseEvent.ISSUER_FAILED, sets={"code": IssuerCode.UNKNOWN_ERROR}
                )
            return
        async with self._db.transaction(issuer.id) as tx:
            await self._openings.open_remote(tx, issuer, purchase, new.pan, answer)

    async def _count_resend(self, tx: Tx, gateway: Gateway, purchase: Purchase, *, is_sent: bool = True) -> None:
        """Use up one sending. Raise TooManyResends."""
        number = await store.count_resend(tx, purchase.issuer_id, purchase.id, at_most=MAX_RESENDS)
        if number is None:
            raise TooManyResends
        detail = {"number": number, "sent": is_sent}
        await audit.record(tx, purchase.issuer_id, gateway.actor, AuditTag.CODE_RESENT, purchase.id, detail)

    async def _find(self, tenant_id: str, purchase_id: str) -> Purchase:
        if not is_id(purchase_id):
            raise NotFound
        async with self._db.transaction(tenant_id) as tx:
            purchase = await store.find(tx, tenant_id, purchase_id)
        if purchase is None:
            raise NotFound
        return purchase

    async def _expire(self, purchase: Purchase) -> bool:
        """End an open purchase whose time is over; False when it is not."""
        async with self._db.transaction(purchase.issuer_id) as tx:
            if not await store.is_expired(tx, purchase.issuer_id, purchase.id):
                return False
            sets = {"user_id_sealed": None, "phone_sealed": None}
            await PURCHASE.move(tx, purchase.issuer_id, purchase.id, PurchaseEvent.TIMED_OUT, sets=sets)
        return True
