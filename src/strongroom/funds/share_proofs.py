"""Proofs: a share whose customer came back in another browser goes on only after a fresh code was entered in that browser.

The code goes to the phone of the customer who began. So a link to the bank that was passed on shares nothing: whoever agreed at
the bank does not get the code, and whoever gets the code does not hold the browser.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, timedelta
from typing import Protocol

from strongroom.access.firms import Firms
from strongroom.funds.authentications import Answer, Right, Shut, Wrong
from strongroom.funds.customers import Customers
from strongroom.funds.model import Customer, Share
from strongroom.funds.share_moves import ShareMoves
from strongroom.funds.states import ShareEvent
from strongroom.funds.store import shares as store
from strongroom.kit.clock import now_of
from strongroom.kit.db import Database, Tx
from strongroom.kit.jobs import NOTIFY
from strongroom.kit.vault import Vault
from strongroom.notify.messages import Messages
from strongroom.notify.model import Limited, Purpose
from strongroom.notify.texts import Template, Texts

_CODE_LIFE = timedelta(minutes=10)


class ShareChallenges(Protocol):
    """What a proof needs of strong authentication; every method that takes a transaction leaves its commit to the caller."""

    async def begin_share(self, tx: Tx, tenant: str, subject_hash: bytes) -> str:
        """Open a challenge that no code opens yet; return its id."""
        ...

    async def give_codes(self, tx: Tx, tenant: str, challenge_id: str, count: int) -> list[str]:
        """Make codes for an open challenge; an empty list when it is not open."""
        ...

    async def supersede(self, tx: Tx, tenant: str, challenge_id: str) -> None:
        """Close a challenge because a newer one takes its place."""
        ...

    async def answer(self, tenant: str, challenge_id: str, typed: str) -> Answer:
        """Charge a try, commit, compare."""
        ...

    async def accept(self, tx: Tx, answer: Right) -> int | None:
        """Use the challenge up; None when another was first."""
        ...

    async def locked_seconds(self, tx: Tx, tenant: str, subject_hash: bytes) -> int:
        """Return for how long a subject is still locked; 0 when it is not."""
        ...


@dataclass(frozen=True, slots=True)
class Proven:
    """The fresh code was right: the share goes on."""

    customer_id: str


class _NotSent(Exception):
    """The message may not be sent now, so that nothing of the new challenge may stay: the code before counts on."""


class ShareProofs:
    """Use cases of the browser that came back and is not the one that began."""

    def __init__(
        self,
        db: Database,
        vault: Vault,
        firms: Firms,
        customers: Customers,
        challenges: ShareChallenges,
        messages: Messages,
        texts: Texts,
        moves: ShareMoves,
        *,
        host: str,
    ) -> None:
        self._db = db
        self._vault = vault
        self._firms = firms
        self._customers = customers
        self._challenges = challenges
        self._messages = messages
        self._texts = texts
        self._moves = moves
        self._host = host

    async def send_code(self, firm_id: str, share_id: str, browser_hash: bytes, address: str | None = None) -> bool:
        """Send a fresh code to the customer; the newest one counts.

        False when this browser has nothing to prove, the proof is locked, the number is too new, or a limit on messages was
        reached; then the code before, if there was one, still counts.
        """
        try:
            async with self._db.transaction(firm_id) as tx:
                share = await self._lock(tx, firm_id, share_id, browser_hash)
                if share is None or await self._challenges.locked_seconds(tx, firm_id, self._subject(share)):
                    return False
                customer = await self._customers.load(tx, firm_id, share.customer_id)
                if customer.phone_usable_from is not None and customer.phone_usable_from > await now_of(tx):
                    return False
                return await self._challenge(tx, share, customer, browser_hash, address)
        except _NotSent:
            return False

    async def enter(self, firm_id: str, share_id: str, browser_hash: bytes, typed: str) -> Proven | Wrong | Shut:
        """Answer the challenge of this browser's share; a right code lets the share go on, in the same transaction."""
        async with self._db.transaction(firm_id) as tx:
            challenge_id = await store.find_challenge(tx, firm_id, share_id, browser_hash)
        if challenge_id is None:
            return Wrong(0)
        answer = await self._challenges.answer(firm_id, challenge_id, typed)
        if not isinstance(answer, Right):
            return answer
        return await self._prove(firm_id, share_id, browser_hash, challenge_id, answer)

    async def locked_seconds(self, firm_id: str, share_id: str, browser_hash: bytes) -> int:
        """Return for how long no code is compared; 0 when it is not locked or there is nothing to prove."""
        async with self._db.transaction(firm_id) as tx:
            share = await self._lock(tx, firm_id, share_id, browser_hash)
            return await self._challenges.locked_seconds(tx, firm_id, self._subject(share)) if share else 0

    async def _prove(self, firm_id: str, share_id: str, browser_hash: bytes, challenge_id: str, answer: Right) -> Proven | Wrong:
        """Use the code up for exactly the share and the browser that it was sent for."""
        async with self._db.transaction(firm_id) as tx:
            share = await self._lock(tx, firm_id, share_id, browser_hash)
            if share is None or await self._challenges.accept(tx, answer) is None:
                return Wrong(0)
            await self._messages.note_used(tx, firm_id, challenge_id)
            sealed = await store.sealed_columns(tx, firm_id, share_id)
            is_ready = sealed is not None and (sealed["return_sealed"] or sealed["grant_sealed"])
            moved = await self._moves.move(
                tx,
                share,
                ShareEvent.PROVEN,
                sets={"tries": 0},
                times=["due_at"] if is_ready else [],  # else a worker is exchanging the code and will see to it
                where={"browser_hash": browser_hash, "challenge_id": challenge_id},
            )
            await tx.execute(NOTIFY)
        return Proven(share.customer_id) if moved else Wrong(0)

    async def _challenge(self, tx: Tx, share: Share, customer: Customer, browser_hash: bytes, address: str | None) -> bool:
        """Open a challenge in place of the older one and send its code."""
        older = await store.find_challenge(tx, share.firm_id, share.id, browser_hash)
        if older is not None:
            await self._challenges.supersede(tx, share.firm_id, older)
        challenge_id = await self._challenges.begin_share(tx, share.firm_id, self._subject(share))
        await store.bind_challenge(tx, share.firm_id, share.id, browser_hash, challenge_id)
        codes = await self._challenges.give_codes(tx, share.firm_id, challenge_id, 1)
        if codes:
            await self._send(tx, customer, codes[0], challenge_id, address)
        return bool(codes)

    async def _send(self, tx: Tx, customer: Customer, code: str, key: str, address: str | None) -> None:
        firm = await self._firms.load(tx, customer.firm_id)
        values = {"code": code, "firm": firm.name, "host": self._host}
        queued = await self._messages.queue(
            tx,
            customer.firm_id,
            to=customer.personal.phone,
            text=await self._texts.write(tx, customer.firm_id, Template.LOGIN_CODE, values),
            purpose=Purpose.LOGIN_CODE,
            valid_until=(await now_of(tx)).astimezone(UTC) + _CODE_LIFE,
            key=key,
            address=address,
        )
        if isinstance(queued, Limited):
            raise _NotSent

    async def _lock(self, tx: Tx, firm_id: str, share_id: str, browser_hash: bytes) -> Share | None:
        """Return the share, as it stays until the transaction ends, if this browser may prove it."""
        share = await store.find_share(tx, firm_id, share_id)
        if share is None:
            return None
        await self._moves.lock_request(tx, firm_id, share.request_id)
        return share if await store.may_prove(tx, firm_id, share_id, browser_hash) else None

    def _subject(self, share: Share) -> bytes:
        """Return what wrong codes are counted against: the customer, over all their shares."""
        return self._vault.hash("share proof", share.firm_id, share.customer_id)
