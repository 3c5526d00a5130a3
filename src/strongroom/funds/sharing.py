"""Shares as the customer makes them: begin at a bank, come back, choose another bank, choose an account, end a consent.

The pattern is that of payments: claim, call, record. What happens after the return is the worker's (`share_steps`); a return in
another browser than the one that began must first be proven by a fresh code (`share_proofs`), else a link sent to a stranger
would share the stranger's account.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any

from strongroom.banking.port import (
    AccessOrder,
    Authorising,
    BankRefused,
    BankSilent,
    BankUnavailable,
    CustomerContext,
    ReturnAddress,
)
from strongroom.banking.registry import Registry
from strongroom.funds.errors import RequestEnded, RequestFrozen, ShareAlreadyStarted, ShareLive
from strongroom.funds.leaving import Leaving, Way, leave
from strongroom.funds.model import AccountChoice, AuditTag, Failure, Share, SharedDetails
from strongroom.funds.payments import Agreement
from strongroom.funds.results import Results
from strongroom.funds.share_moves import ShareMoves
from strongroom.funds.share_seals import HeldReturn, ShareSeals
from strongroom.funds.states import ACCOUNT_REQUEST, SHARE, ShareEvent, ShareState
from strongroom.funds.store import shares as store
from strongroom.kit import audit
from strongroom.kit.db import Database, Tx
from strongroom.kit.errors import NotFound
from strongroom.kit.ids import new_id, new_secret
from strongroom.kit.jobs import NOTIFY
from strongroom.kit.vault import Vault

LIFE_SECONDS = 900  # how long a customer may take at the bank, and again for each thing that only they can do
_CLAIM_SECONDS = 60  # a consent that was not recorded by then never will be
_MAX_RETURN_FIELDS = 20
_MAX_RETURN_LENGTH = 16_384
_WHAT = ["accountName", "sortCode", "accountNumber"]


@dataclass(frozen=True, slots=True)
class BegunShare:
    """A share whose customer is to be sent to the bank, or why the bank could not begin it."""

    share_id: str
    failure: Failure | None = None


@dataclass(frozen=True, slots=True)
class CameBack:
    """Where a return belongs; `needs_code` when this browser must pass a fresh code before anything is read."""

    firm_id: str
    share_id: str
    needs_code: bool


class ConsentStanding(StrEnum):
    """Whether a consent can still be used; the customer's page uses the same words."""

    ACTIVE = "active"
    USED = "used"
    REVOKED = "revoked"
    EXPIRED = "expired"


@dataclass(frozen=True, slots=True)
class Consent:
    """One agreement to share, as its customer may see and end it."""

    share_id: str
    firm_id: str
    bank_id: str
    bank_name: str
    standing: ConsentStanding
    agreed_at: datetime
    ended_at: datetime | None
    ending: str | None  # the last four digits of the account that was shared
    request_id: str


@dataclass(frozen=True, slots=True)
class _Claim:
    share_id: str
    order: AccessOrder


class Sharing:
    """Use cases of the customer who shares."""

    def __init__(
        self,
        db: Database,
        vault: Vault,
        registry: Registry,
        seals: ShareSeals,
        results: Results,
        moves: ShareMoves,
        *,
        return_url: str,
    ) -> None:
        self._db = db
        self._vault = vault
        self._registry = registry
        self._seals = seals
        self._results = results
        self._moves = moves
        self._return_url = return_url

    async def begin(
        self,
        firm_id: str,
        customer_id: str,
        request_id: str,
        bank_id: str,
        agreement: Agreement,
        context: CustomerContext,
        browser_hash: bytes,
    ) -> BegunShare:
        """Claim the share, make its consent at the bank, and say where to send the customer.

        Raise NotFound, RequestEnded, RequestFrozen or ShareAlreadyStarted (with the id of what is live or done).
        """
        bank = self._registry.get_bank(bank_id)
        claim = await self._claim(firm_id, customer_id, request_id, bank_id, agreement, context, browser_hash)
        try:
            authorising = await bank.request_access(claim.order)
        except (BankUnavailable, BankSilent):
            return await self._failed(firm_id, claim.share_id, Failure.BANK_UNAVAILABLE)
        except BankRefused:
            return await self._failed(firm_id, claim.share_id, Failure.REFUSED_BY_BANK)
        return await self._record_consent(firm_id, claim.share_id, authorising)

    async def is_ours(self, state: str) -> bool:
        """True when a bank's return belongs to a share."""
        async with self._db.transaction() as tx:
            return await store.find_by_state(tx, self._state_hash(state)) is not None

    async def come_back(
        self, state: str, fields: Mapping[str, str], browser_hash: bytes, context: CustomerContext | None = None
    ) -> CameBack | None:
        """Record what came back from the bank, and in which browser; None when the state is unknown.

        A second return changes nothing. The fields are a hint until the worker has verified them.
        """
        async with self._db.transaction() as tx:
            found = await store.find_by_state(tx, self._state_hash(state))
        if found is None:
            return None
        firm_id, share_id = found
        kept = {name: value for name, value in list(fields.items())[:_MAX_RETURN_FIELDS] if len(value) <= _MAX_RETURN_LENGTH}
        async with self._db.transaction(firm_id) as tx:
            share = await self._find(tx, firm_id, share_id)
            if share.state is ShareState.AWAITING:
                await self._record_return(tx, share, HeldReturn(kept, context or CustomerContext()), browser_hash)
            needs_code = await store.may_prove(tx, firm_id, share_id, browser_hash)
        return CameBack(firm_id, share_id, needs_code)

    async def choose_another(self, firm_id: str, customer_id: str, share_id: str) -> None:
        """Close a share before its accounts are read, so that another bank can be chosen.

        Raise NotFound, or ShareLive while they are being read. A share that has ended is no error.
        """
        async with self._db.transaction(firm_id) as tx:
            share = await self._own(tx, firm_id, customer_id, share_id)
            await self._close(tx, share, Failure.CHOSE_ANOTHER_BANK)

    async def get(self, firm_id: str, share_id: str) -> Share:
        """Return a share. Raise NotFound."""
        async with self._db.transaction(firm_id) as tx:
            return await self._find(tx, firm_id, share_id)

    async def bank_url(self, firm_id: str, customer_id: str, share_id: str) -> str | None:
        """Return the bank's address for the customer of a waiting share; None once they have come back or it has ended.

        None, too, where the bank gives one only as the customer leaves (`leave`).
        """
        way = await self._way(firm_id, customer_id, share_id)
        return way.url if way else None

    async def leave(self, firm_id: str, customer_id: str, share_id: str) -> Leaving:
        """Say where to send the customer of a waiting share at this moment. Raise NotFound."""
        return await leave(self._registry, await self._way(firm_id, customer_id, share_id))

    async def choices(self, firm_id: str, customer_id: str, share_id: str) -> list[AccountChoice]:
        """Return the accounts to pick from; empty when there is nothing to pick. Raise NotFound."""
        async with self._db.transaction(firm_id) as tx:
            share = await self._own(tx, firm_id, customer_id, share_id)
            return await self._seals.find_choices(tx, share) if share.state is ShareState.CHOOSING else []

    async def choose_account(self, firm_id: str, customer_id: str, share_id: str, account_id: str) -> None:
        """Share the account that the customer picked; the others are forgotten. Picking twice changes nothing.

        Raise NotFound, also for an account that was not offered, or RequestEnded when the share is over without one.
        """
        async with self._db.transaction(firm_id) as tx:
            share = await self._own(tx, firm_id, customer_id, share_id, lock=True)
            if share.state is ShareState.SHARED:
                return
            if share.state is not ShareState.CHOOSING:
                raise RequestEnded("There is no account to choose here any more")
            picked = [one for one in await self._seals.find_choices(tx, share) if one.id == account_id]
            if not picked:
                raise NotFound
            await self._moves.share(tx, share, ShareEvent.CHOSEN, picked[0].details)

    async def shared_account(self, firm_id: str, customer_id: str, share_id: str) -> SharedDetails | None:
        """Return the account that was shared, for its customer; None when none was or it has been erased. Raise NotFound."""
        async with self._db.transaction(firm_id) as tx:
            share = await self._own(tx, firm_id, customer_id, share_id)
            return await self._results.find_shared_details(tx, share)

    async def consents(self, firm_id: str, customer_id: str) -> list[Consent]:
        """Return every consent of a customer that a bank has held, newest first."""
        async with self._db.transaction(firm_id) as tx:
            shares = await store.shares_of_customer(tx, firm_id, customer_id)
            return [await self._consent(tx, share) for share in shares if share.consent_id]

    async def revoke(self, firm_id: str, customer_id: str, share_id: str) -> Consent:
        """End a consent now; what was shared stays with the firm. Ending twice is no error. Raise NotFound or ShareLive."""
        async with self._db.transaction(firm_id) as tx:
            share = await self._own(tx, firm_id, customer_id, share_id)
            await self._close(tx, share, None)
            await store.close_soon(tx, firm_id, share_id)
            await audit.record(tx, firm_id, f"customer:{customer_id}", AuditTag.CONSENT_REVOKED, share_id)
            await tx.execute(NOTIFY)
            return await self._consent(tx, await self._find(tx, firm_id, share_id))

    async def _way(self, firm_id: str, customer_id: str, share_id: str) -> Way | None:
        async with self._db.transaction(firm_id) as tx:
            share = await self._own(tx, firm_id, customer_id, share_id)
            if share.state is not ShareState.AWAITING:
                return None
            url, memory = await self._seals.find_url(tx, share), await self._seals.find_memory(tx, firm_id, share_id)
            return Way(share.bank_id, url, memory)

    async def _claim(
        self,
        firm_id: str,
        customer_id: str,
        request_id: str,
        bank_id: str,
        agreement: Agreement,
        context: CustomerContext,
        browser_hash: bytes,
    ) -> _Claim:
        """Win the customer's one live share of the request, or say which one is."""
        share_id, state = new_id("shr"), new_secret()
        async with self._db.transaction(firm_id) as tx:
            await self._refuse_unless_open(tx, firm_id, customer_id, request_id)
            access_until = await store.add_share(
                tx,
                firm_id,
                share_id,
                request_id=request_id,
                customer_id=customer_id,
                bank_id=bank_id,
                browser_hash=browser_hash,
                agreed=self._agreed(agreement),
                state_hash=self._state_hash(state),
                life_seconds=LIFE_SECONDS,
                claim_seconds=_CLAIM_SECONDS,
            )
            if access_until is None:
                raise RequestEnded  # not reached while every claim locks the request first; the index has the last word
            await self._moves.begun(tx, firm_id, request_id, share_id)
            detail = {"request": request_id, "bank": bank_id}
            await audit.record(tx, firm_id, f"customer:{customer_id}", AuditTag.SHARE_AGREED, share_id, detail)
        return _Claim(share_id, AccessOrder(access_until, ReturnAddress(self._return_url, state), context))

    async def _refuse_unless_open(self, tx: Tx, firm_id: str, customer_id: str, request_id: str) -> None:
        """Lock the request and make sure that this customer may share for it now."""
        request = await self._moves.lock_request(tx, firm_id, request_id)
        if customer_id not in request.asked:
            raise NotFound
        if request.frozen_at is not None:
            raise RequestFrozen
        live = await store.find_live_share(tx, firm_id, request_id, customer_id)
        if live is not None:
            raise ShareAlreadyStarted(live.id)
        if request.state in ACCOUNT_REQUEST.ends:
            raise RequestEnded
        if await store.is_over(tx, firm_id, request_id):
            raise RequestEnded("The request has expired")

    def _agreed(self, agreement: Agreement) -> dict[str, Any]:
        """Return the agreement as it is kept for good; the address only as a keyed hash that can be compared."""
        address = self._vault.hash("address", agreement.address or "").hex()[:32]
        return {"wording": agreement.wording, "bank": agreement.bank_name, "what": _WHAT, "addressHash": address}

    async def _record_consent(self, firm_id: str, share_id: str, authorising: Authorising) -> BegunShare:
        """Record the consent; where the share has ended meanwhile, only so that it is closed at the bank."""
        async with self._db.transaction(firm_id) as tx:
            share = await self._find(tx, firm_id, share_id)
            texts = {"memory_sealed": authorising.memory} | ({"url_sealed": authorising.url} if authorising.url else {})
            sealed = await self._seals.seal_attempt(tx, share, **texts)
            consent = {"consent_id": authorising.consent_id, "consent_open": True}
            moved = await self._moves.move(tx, share, ShareEvent.CONSENT_MADE, sets=consent | sealed)
            if moved is None:
                await store.note_late_consent(tx, firm_id, share_id, authorising.consent_id, sealed["memory_sealed"])
        return BegunShare(share_id)

    async def _record_return(self, tx: Tx, share: Share, held: HeldReturn, browser_hash: bytes) -> None:
        """Move by the browser: the one that began goes on, any other must prove itself first."""
        sets: dict[str, Any] = {**await self._seals.seal_personal(tx, share, return_sealed=held), "tries": 0}
        times = ("returned_at", "due_at")
        moved = await self._moves.move(
            tx, share, ShareEvent.CAME_BACK, sets=sets, times=times, where={"browser_hash": browser_hash}
        )
        if moved is None:
            elsewhere = sets | {"browser_hash": browser_hash}  # from now on this is the browser that must prove itself
            moved = await self._moves.move(tx, share, ShareEvent.CAME_BACK_ELSEWHERE, sets=elsewhere, times=times)
            if moved is not None:
                await store.extend(tx, share.firm_id, share.id, LIFE_SECONDS)
        if moved is not None:
            await tx.execute(NOTIFY)

    async def _close(self, tx: Tx, share: Share, failure: Failure | None) -> None:
        if await self._moves.move(tx, share, ShareEvent.CHOSE_ANOTHER, failure=failure) is None:
            now = await self._find(tx, share.firm_id, share.id)
            if now.state not in SHARE.ends:
                raise ShareLive

    async def _failed(self, firm_id: str, share_id: str, failure: Failure) -> BegunShare:
        async with self._db.transaction(firm_id) as tx:
            await self._moves.move(tx, await self._find(tx, firm_id, share_id), ShareEvent.CONSENT_FAILED, failure=failure)
        return BegunShare(share_id, failure)

    async def _consent(self, tx: Tx, share: Share) -> Consent:
        details = await self._results.find_shared_details(tx, share)
        number = (details.account_number or details.iban or "") if details else ""
        return Consent(
            share.id, share.firm_id, share.bank_id, share.agreed["bank"], _standing(share), share.created_at, share.ended_at,
            number[-4:] or None, share.request_id,
        )  # fmt: skip

    async def _own(self, tx: Tx, firm_id: str, customer_id: str, share_id: str, *, lock: bool = False) -> Share:
        """Return a customer's own share; with `lock`, as it stays until the transaction ends. Raise NotFound."""
        share = await self._find(tx, firm_id, share_id)
        if share.customer_id != customer_id:
            raise NotFound
        if lock:
            await self._moves.lock_request(tx, firm_id, share.request_id)
            share = await self._find(tx, firm_id, share_id)
        return share

    async def _find(self, tx: Tx, firm_id: str, share_id: str) -> Share:
        share = await store.find_share(tx, firm_id, share_id)
        if share is None:
            raise NotFound
        return share

    def _state_hash(self, state: str) -> bytes:
        return self._vault.hash("bank return state", state)


def _standing(share: Share) -> ConsentStanding:
    """Say in the customer's words what has become of a consent."""
    if share.state not in SHARE.ends:
        return ConsentStanding.ACTIVE
    by_state = {ShareState.SHARED: ConsentStanding.USED, ShareState.CLOSED: ConsentStanding.REVOKED}
    return by_state.get(share.state, ConsentStanding.EXPIRED)
