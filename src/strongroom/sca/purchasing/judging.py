"""Judging a code: charged before it is compared, forwarded once, and recorded with whatever follows. Unknown is never a yes."""

from __future__ import annotations

from typing import Any

from strongroom.access.issuers import Issuers
from strongroom.issuing.model import Policy
from strongroom.issuing.port import IssuerCode, IssuerSilent, IssuerUnavailable, Verdict
from strongroom.issuing.registry import RemoteIssuers
from strongroom.kit import audit
from strongroom.kit.crypto import Secret
from strongroom.kit.db import Database, Tx
from strongroom.kit.vault import Vault
from strongroom.notify.messages import Messages
from strongroom.sca import otp
from strongroom.sca.challenges import Challenges
from strongroom.sca.devices.model import CodeAccepted, Match
from strongroom.sca.model import Accepted, Locked, Matched, Rejected
from strongroom.sca.purchasing import store
from strongroom.sca.purchasing.cards import Cards, Unusable
from strongroom.sca.purchasing.errors import PurchaseOver, StillAsking
from strongroom.sca.purchasing.model import MAX_ATTEMPTS, AuditTag, Judge, Judged, Purchase
from strongroom.sca.purchasing.openings import message_key
from strongroom.sca.purchasing.states import PURCHASE, PurchaseEvent

_TABLE = "purchases"
_FORGET = {"user_id_sealed": None, "phone_sealed": None}  # what an ended purchase needs no more


class Judging:
    """Has the code of an open purchase judged by whoever can."""

    def __init__(
        self,
        db: Database,
        vault: Vault,
        issuers: Issuers,
        remote: RemoteIssuers,
        challenges: Challenges,
        cards: Cards,
        messages: Messages,
    ) -> None:
        self._db = db
        self._vault = vault
        self._issuers = issuers
        self._remote = remote
        self._challenges = challenges
        self._cards = cards
        self._messages = messages

    async def judge(self, actor: str, purchase: Purchase, typed: str) -> Judged:
        """Return what becomes of a code. Raise PurchaseOver or StillAsking when another was first."""
        if purchase.judge == Judge.ISSUER:
            return await self._judge_at_issuer(actor, purchase, otp.read_code(typed))
        return await self._judge_here(actor, purchase, typed)

    async def _judge_here(self, actor: str, purchase: Purchase, typed: str) -> Judged:
        outcome = await self._try_here(actor, purchase, typed)
        async with self._db.transaction(purchase.issuer_id) as tx:
            if isinstance(outcome, Matched | Match):
                accepted = await self._accept_here(tx, actor, purchase, outcome)
                if not isinstance(accepted, Rejected | Unusable):
                    if purchase.challenge_id is not None:
                        await self._messages.note_used(tx, purchase.issuer_id, message_key(purchase.challenge_id))
                    return await self._right(tx, actor, purchase)
                outcome = accepted
            if isinstance(outcome, Unusable):
                return await self._wrong(tx, actor, purchase, 0, outcome.code, is_locked=True)
            if isinstance(outcome, Locked) and outcome.just_now and purchase.judge == Judge.CARD:
                await self._cards.tell_locked(tx, purchase, outcome.seconds)
            code = IssuerCode.LOCKED if isinstance(outcome, Locked) else IssuerCode.FAILED
            if purchase.code not in (None, IssuerCode.FAILED):
                code = IssuerCode(purchase.code or "")  # why it could not come to anything from the beginning
            left = 0 if isinstance(outcome, Locked) else outcome.attempts_left
            return await self._wrong(tx, actor, purchase, left, code, is_locked=isinstance(outcome, Locked))

    async def _try_here(self, actor: str, purchase: Purchase, typed: str) -> Matched | Match | Rejected | Locked | Unusable:
        if purchase.judge == Judge.CARD:
            return await self._cards.try_code(actor, purchase, typed)
        assert purchase.challenge_id is not None  # noqa: S101  # a code of ours always has one
        return await self._challenges.try_code(purchase.issuer_id, purchase.challenge_id, typed)

    async def _accept_here(
        self, tx: Tx, actor: str, purchase: Purchase, matched: Matched | Match
    ) -> Accepted | CodeAccepted | Rejected | Unusable:
        if purchase.judge == Judge.CARD or isinstance(matched, Match):
            return await self._cards.accept(tx, actor, purchase, matched)
        return await self._challenges.accept(tx, matched)

    async def _judge_at_issuer(self, actor: str, purchase: Purchase, code: str) -> Judged:
        """Claim, call, record. The code is remembered before it is sent, and forgotten only when the issuer refused it."""
        claim = await self._claim(actor, purchase, code)
        if isinstance(claim, Judged):
            return claim
        user_id, code_hash = claim
        issuer = await self._issuers.get(purchase.issuer_id)
        try:
            verdict = await self._remote.line(Policy.of(issuer)).authenticate_otp(user_id, Secret(code))
        except IssuerUnavailable:
            return await self._issuer_failed(actor, purchase, forget=code_hash)
        except IssuerSilent:
            return await self._issuer_failed(actor, purchase)
        return await self._record(actor, purchase, code_hash, verdict)

    async def _claim(self, actor: str, purchase: Purchase, code: str) -> tuple[Secret, bytes] | Judged:
        """Charge the try and take the purchase; a code that went to the issuer before is wrong without going there again."""
        async with self._db.transaction(purchase.issuer_id) as tx:
            sealed = await store.sealed_columns(tx, purchase.issuer_id, purchase.id)
            if sealed["user_id_sealed"] is None:
                raise PurchaseOver
            keys = await self._vault.tenant(tx, purchase.issuer_id)
            user_id = keys.unseal_text(_TABLE, "user_id_sealed", purchase.id, sealed["user_id_sealed"])
            code_hash = self._vault.hash("forwarded code", purchase.issuer_id, user_id, code)
            taken = await PURCHASE.move(
                tx,
                purchase.issuer_id,
                purchase.id,
                PurchaseEvent.CODE_FORWARDED,
                sets={"attempts": purchase.attempts + 1, "attempts_left": MAX_ATTEMPTS - purchase.attempts - 1},
                times=["claimed_at"],
                where={"attempts": purchase.attempts},
            )
            if taken is None:
                raise StillAsking(retry_after_seconds=1)
            if not await store.remember_code(tx, purchase.issuer_id, code_hash, purchase.id):
                return await self._wrong_at_issuer(tx, actor, purchase, IssuerCode.FAILED)
        return Secret(user_id), code_hash

    async def _record(self, actor: str, purchase: Purchase, code_hash: bytes, verdict: Verdict) -> Judged:
        if verdict.code is IssuerCode.UNKNOWN_ERROR:
            return await self._issuer_failed(actor, purchase)
        async with self._db.transaction(purchase.issuer_id) as tx:
            if verdict.is_right:
                return await self._right(tx, actor, purchase)
            await store.drop_code(tx, purchase.issuer_id, code_hash, purchase.id)
            return await self._wrong_at_issuer(tx, actor, purchase, verdict.code)

    async def _wrong_at_issuer(self, tx: Tx, actor: str, purchase: Purchase, code: IssuerCode) -> Judged:
        left = MAX_ATTEMPTS - purchase.attempts - 1
        is_locked = left == 0 or code in {IssuerCode.LOCKED, IssuerCode.BLOCKED}
        return await self._wrong(tx, actor, purchase, left, code, is_locked=is_locked)

    async def _issuer_failed(self, actor: str, purchase: Purchase, *, forget: bytes | None = None) -> Judged:
        async with self._db.transaction(purchase.issuer_id) as tx:
            if forget is not None:
                await store.drop_code(tx, purchase.issuer_id, forget, purchase.id)
            return await self._end(
                tx, actor, purchase, PurchaseEvent.ISSUER_FAILED, AuditTag.FAILED, {"code": IssuerCode.UNKNOWN_ERROR, **_FORGET}
            )

    async def _right(self, tx: Tx, actor: str, purchase: Purchase) -> Judged:
        """Authenticate the purchase; when it has ended meanwhile the code is not used up either."""
        sets = {"code": IssuerCode.SUCCESSFUL, **_FORGET}
        judged = await self._end(
            tx, actor, purchase, PurchaseEvent.CODE_RIGHT, AuditTag.AUTHENTICATED, sets, times=["authenticated_at"]
        )
        if not judged.is_right:
            raise PurchaseOver
        return judged

    async def _wrong(self, tx: Tx, actor: str, purchase: Purchase, left: int, code: IssuerCode | str, *, is_locked: bool) -> Judged:
        sets = {"code": code, "attempts_left": left}
        if is_locked:
            return await self._end(tx, actor, purchase, PurchaseEvent.TRIES_USED_UP, AuditTag.LOCKED, {**sets, **_FORGET})
        return await self._end(tx, actor, purchase, PurchaseEvent.CODE_WRONG, AuditTag.REJECTED, sets)

    async def _end(
        self,
        tx: Tx,
        actor: str,
        purchase: Purchase,
        event: PurchaseEvent,
        tag: AuditTag,
        sets: dict[str, Any],
        *,
        times: tuple[str, ...] | list[str] = (),
    ) -> Judged:
        """Move the purchase and note who did it; a wrong code of a purchase that has ended meanwhile moves nothing."""
        moved = await PURCHASE.move(tx, purchase.issuer_id, purchase.id, event, sets=sets, times=times)
        if moved is not None:
            await audit.record(tx, purchase.issuer_id, actor, tag, purchase.id, {"code": str(sets["code"])})
        found = await store.find(tx, purchase.issuer_id, purchase.id)
        assert found is not None  # noqa: S101  # its row was there a moment ago
        is_right = moved is not None and event is PurchaseEvent.CODE_RIGHT
        return Judged(found, is_right, int(sets.get("attempts_left", found.attempts_left)))
