"""Shares as the worker carries them on: verify and use the code, read the accounts once, close the consent at the bank.

Each step takes the share that has been due longest, under a lease. The code is exchanged at once, because it lives a minute; a
share that came back in another browser then waits with the sealed grant, and nothing is read before the fresh code was entered.
"""

from __future__ import annotations

import asyncio

from strongroom.banking.port import (
    Account,
    BankRefused,
    BankSilent,
    BankUnavailable,
    ConsentStatus,
    Declined,
    wait_seconds,
)
from strongroom.banking.registry import Registry
from strongroom.funds.declines import why_declined
from strongroom.funds.errors import RequestFrozen
from strongroom.funds.model import AccountChoice, Failure, Share, SharedDetails
from strongroom.funds.share_moves import ShareMoves
from strongroom.funds.share_seals import HeldGrant, HeldReturn, ShareSeals
from strongroom.funds.sharing import LIFE_SECONDS
from strongroom.funds.states import ShareEvent, ShareState
from strongroom.funds.store import shares as store
from strongroom.kit.db import Database
from strongroom.kit.errors import NotFound

_LEASE_SECONDS = 45  # after a crash the state tells the truth within a minute; a step that outlives it does no harm
_BANK_SECONDS = 40  # everything asked of a bank in one step ends before the lease does
_CODE_LIFE_SECONDS = 55  # banks' codes live a minute
_WATCH_SECONDS = 30
_READ_TRIES = 6
_MOST_WAIT_SECONDS = 60  # the customer is waiting: a bank that wants more is asked in vain, and the share ends
_MAX_CHOICES = 50
_CLOSE_GIVE_UP_SECONDS = 7 * 24 * 3600  # the consent itself ended long ago
_FAULTS = (BankUnavailable, BankSilent, BankRefused)


class _Over(Exception):
    """The attempt cannot go on; `event` and `failure` say how it ends."""

    def __init__(self, event: ShareEvent, failure: Failure) -> None:
        super().__init__(failure)
        self.event = event
        self.failure = failure


class ShareSteps:
    """The worker's part of shares."""

    def __init__(self, db: Database, registry: Registry, seals: ShareSeals, moves: ShareMoves) -> None:
        self._db = db
        self._registry = registry
        self._seals = seals
        self._moves = moves

    async def step(self) -> int:
        """Carry one due share one step on; return 1, or 0 when none is due."""
        async with self._db.transaction() as tx:
            claimed = await store.claim_due(tx, lease_seconds=_LEASE_SECONDS)
        if claimed is None:
            return 0
        async with self._db.transaction(claimed["firm_id"]) as tx:
            share = await store.find_share(tx, claimed["firm_id"], claimed["id"])
        if share is not None:
            await self._dispatch(share)
        return 1

    async def close_step(self) -> int:
        """Close one consent at its bank; return 1, or 0 when none is due. A bank that cannot be reached is asked again."""
        async with self._db.transaction() as tx:
            row = await store.claim_close_due(tx, lease_seconds=_LEASE_SECONDS)
        if row is None:
            return 0
        firm_id, share_id = row["firm_id"], row["id"]
        closed = row["age_seconds"] >= _CLOSE_GIVE_UP_SECONDS or await self._close(firm_id, share_id, row["bank_id"])
        async with self._db.transaction(firm_id) as tx:
            if closed:
                await store.mark_closed(tx, firm_id, share_id)
            else:
                await store.set_close_due(tx, firm_id, share_id, _back_off(row["age_seconds"]))
        return 1

    async def _dispatch(self, share: Share) -> None:
        match share.state:
            case ShareState.REQUESTING:  # its claim was never recorded
                await self._end(share, ShareEvent.CONSENT_FAILED, Failure.BANK_UNAVAILABLE)
            case ShareState.AWAITING:
                await self._watch_consent(share)
            case ShareState.UNPROVEN:
                await self._hold(share)
            case ShareState.RETURNED:
                await self._use_return(share)
            case ShareState.READING:  # the worker died between claim and record: the code may be used, nothing was shared
                await self._end(share, ShareEvent.READ_FAILED, Failure.NOT_COMPLETED)
            case ShareState.CHOOSING:
                await self._time_out(share)
            case _:
                await self._later(share, None)

    async def _watch_consent(self, share: Share) -> None:
        """Never wait for the return alone: ask the bank, and end the attempt when its time is over."""
        try:
            report = await self._registry.get_bank(share.bank_id).consent_report(await self._memory(share))
        except (*_FAULTS, _Over):
            report = None
        if report and report.status is ConsentStatus.REJECTED:
            await self._end(share, ShareEvent.AUTHORISATION_DECLINED, Failure.CANCELLED_AT_BANK)
        else:
            await self._time_out(share)

    async def _time_out(self, share: Share) -> None:
        """End a share whose customer took too long, or look again."""
        async with self._db.transaction(share.firm_id) as tx:
            expired = (await store.ages(tx, share.firm_id, share.id))["expired"]
        if expired:
            await self._end(share, ShareEvent.TIMED_OUT, Failure.TIMED_OUT)
        else:
            await self._later(share, _WATCH_SECONDS)

    async def _hold(self, share: Share) -> None:
        """Exchange the code of a share that is not proven yet, and keep the grant sealed; read nothing."""
        async with self._db.transaction(share.firm_id) as tx:
            taken = await store.take_return(tx, share.firm_id, share.id)
            held = await self._seals.open_return(tx, share, taken) if taken else None
            waiting = await self._seals.find_held(tx, share)
        if held is None:
            await (self._time_out(share) if waiting else self._lost(share, Failure.NOT_COMPLETED))
            return
        try:
            async with asyncio.timeout(_BANK_SECONDS):
                grant = await self._redeem(share, held)
        except BankUnavailable as fault:
            await self._put_back(share, held, fault)
        except TimeoutError:
            await self._lost(share, Failure.NOT_COMPLETED)
        except _Over as over:
            await self._lost(share, over.failure)
        else:
            await self._keep(share, _WATCH_SECONDS, grant_sealed=grant)

    async def _redeem(self, share: Share, held: HeldReturn) -> HeldGrant:
        """Verify what came back and exchange its code, once. Raise _Over, or BankUnavailable when the code is certainly unused."""
        bank = self._registry.get_bank(share.bank_id)
        memory = await self._memory(share)
        try:
            outcome = await bank.accept_return(memory, held.fields)
            if isinstance(outcome, Declined):
                raise _Over(ShareEvent.AUTHORISATION_DECLINED, await why_declined(bank, memory, outcome))
            return HeldGrant(await bank.exchange(memory, outcome), held.customer)
        except (BankSilent, BankRefused) as fault:
            raise _Over(ShareEvent.READ_FAILED, Failure.NOT_COMPLETED) from fault

    async def _put_back(self, share: Share, held: HeldReturn, fault: BankUnavailable) -> None:
        async with self._db.transaction(share.firm_id) as tx:
            age = (await store.ages(tx, share.firm_id, share.id))["returned"]
        if age < _CODE_LIFE_SECONDS:
            await self._keep(share, min(wait_seconds(fault, 2), _CODE_LIFE_SECONDS - age), return_sealed=held)
        else:
            await self._lost(share, Failure.BANK_UNAVAILABLE)

    async def _keep(self, share: Share, in_seconds: float, **held: HeldReturn | HeldGrant) -> None:
        """Keep a code or grant; the fresh code may have been entered meanwhile, and then the share goes on at once."""
        async with self._db.transaction(share.firm_id) as tx:
            sealed = await self._seals.seal_personal(tx, share, **held)
            await store.keep_held(tx, share.firm_id, share.id, **sealed)
            await store.set_due(tx, share.firm_id, share.id, state=ShareState.UNPROVEN, in_seconds=in_seconds)
            await store.set_due(tx, share.firm_id, share.id, state=ShareState.RETURNED, in_seconds=0)

    async def _lost(self, share: Share, failure: Failure) -> None:
        """End a share that can never be read, whether or not it was proven meanwhile."""
        async with self._db.transaction(share.firm_id) as tx:
            if await self._moves.move(tx, share, ShareEvent.TIMED_OUT, failure=failure) is None:
                await store.set_due(tx, share.firm_id, share.id, state=ShareState.RETURNED, in_seconds=0)

    async def _use_return(self, share: Share) -> None:
        """Claim the code or the grant, read the accounts, record what came."""
        async with self._db.transaction(share.firm_id) as tx:
            if await self._moves.move(tx, share, ShareEvent.READ_CLAIMED) is None:
                return
            held = await self._seals.find_held(tx, share)
        if held is None:
            await self._end(share, ShareEvent.READ_FAILED, Failure.NOT_COMPLETED)
            return
        grant = held if isinstance(held, HeldGrant) else await self._exchange(share, held)
        if grant is not None:
            await self._read(share, grant)

    async def _exchange(self, share: Share, held: HeldReturn) -> HeldGrant | None:
        """Exchange the code of a claimed share; None when that ended the share or must be tried again."""
        try:
            async with asyncio.timeout(_BANK_SECONDS / 2):
                return await self._redeem(share, held)
        except BankUnavailable as fault:
            await self._keep_code(share, fault)
        except TimeoutError:
            await self._end(share, ShareEvent.READ_FAILED, Failure.NOT_COMPLETED)
        except _Over as over:
            await self._end(share, over.event, over.failure)
        return None

    async def _keep_code(self, share: Share, fault: BankUnavailable) -> None:
        """The bank certainly did nothing: try again while the code lives, then end."""
        async with self._db.transaction(share.firm_id) as tx:
            age = (await store.ages(tx, share.firm_id, share.id))["returned"]
            if age < _CODE_LIFE_SECONDS:
                await self._moves.move(tx, share, ShareEvent.CODE_KEPT)
                in_seconds = min(wait_seconds(fault, 2), _CODE_LIFE_SECONDS - age)
                await store.set_due(tx, share.firm_id, share.id, state=ShareState.RETURNED, in_seconds=in_seconds)
            else:
                await self._moves.move(tx, share, ShareEvent.READ_FAILED, failure=Failure.BANK_UNAVAILABLE)

    async def _read(self, share: Share, held: HeldGrant) -> None:
        """Read the accounts; a read that failed changes nothing at the bank, so it is tried again with the same grant."""
        bank = self._registry.get_bank(share.bank_id)
        memory = await self._memory(share)
        try:
            async with asyncio.timeout(_BANK_SECONDS / 2):
                accounts = await bank.read_accounts(memory, held.grant, held.customer)
        except TimeoutError:
            await self._keep_grant(share, held, None)
        except (BankUnavailable, BankSilent) as fault:
            await self._keep_grant(share, held, fault)
        except BankRefused:
            await self._end(share, ShareEvent.READ_FAILED, Failure.REFUSED_BY_BANK)
        else:
            await self._record(share, _shareable(accounts, share.agreed["bank"]))

    async def _keep_grant(self, share: Share, held: HeldGrant, fault: BankUnavailable | BankSilent | None) -> None:
        async with self._db.transaction(share.firm_id) as tx:
            if share.tries >= _READ_TRIES:
                await self._moves.move(tx, share, ShareEvent.READ_FAILED, failure=Failure.BANK_UNAVAILABLE)
                return
            sealed = await self._seals.seal_personal(tx, share, grant_sealed=held)
            await self._moves.move(tx, share, ShareEvent.CODE_KEPT, sets={"return_sealed": None, **sealed})
            in_seconds = min(wait_seconds(fault, 2 * share.tries), _MOST_WAIT_SECONDS)
            await store.set_due(tx, share.firm_id, share.id, state=ShareState.RETURNED, in_seconds=in_seconds)

    async def _record(self, share: Share, accounts: list[SharedDetails]) -> None:
        """Share the one account, let the customer pick from several, or end without any."""
        if not accounts:
            await self._end(share, ShareEvent.READ_FAILED, Failure.NO_SUITABLE_ACCOUNT)
            return
        try:
            async with self._db.transaction(share.firm_id) as tx:
                if len(accounts) == 1:
                    await self._moves.share(tx, share, ShareEvent.READ_ONE, accounts[0])
                    return
                choices = [AccountChoice(str(number), account) for number, account in enumerate(accounts, 1)]
                sealed = await self._seals.seal_personal(tx, share, accounts_sealed=choices)
                await self._moves.offer(tx, share, sealed)
                await store.extend(tx, share.firm_id, share.id, LIFE_SECONDS)
                await store.set_due(tx, share.firm_id, share.id, state=ShareState.CHOOSING, in_seconds=LIFE_SECONDS)
        except RequestFrozen:  # the customer does not recognise the request: what was read is thrown away
            await self._end(share, ShareEvent.READ_FAILED, Failure.NOT_COMPLETED)

    async def _close(self, firm_id: str, share_id: str, bank_id: str) -> bool:
        """Have the bank delete a consent; True when it is gone."""
        async with self._db.transaction(firm_id) as tx:
            memory = await self._seals.find_memory(tx, firm_id, share_id)
        if memory is None:
            return True
        try:
            async with asyncio.timeout(_BANK_SECONDS):
                await self._registry.get_bank(bank_id).close_access(memory)
        except (*_FAULTS, TimeoutError, NotFound):  # NotFound: the bank left the directory, perhaps by mistake
            return False
        return True

    async def _end(self, share: Share, event: ShareEvent, failure: Failure) -> None:
        async with self._db.transaction(share.firm_id) as tx:
            await self._moves.move(tx, share, event, failure=failure)

    async def _later(self, share: Share, in_seconds: float | None) -> None:
        async with self._db.transaction(share.firm_id) as tx:
            await store.set_due(tx, share.firm_id, share.id, state=share.state, in_seconds=in_seconds)

    async def _memory(self, share: Share) -> str:
        """Return what the connector remembers. Raise _Over when it is gone: the share was closed a moment ago."""
        async with self._db.transaction(share.firm_id) as tx:
            memory = await self._seals.find_memory(tx, share.firm_id, share.id)
        if memory is None:
            raise _Over(ShareEvent.READ_FAILED, Failure.NOT_COMPLETED)
        return memory


def _shareable(accounts: tuple[Account, ...], bank_name: str) -> list[SharedDetails]:
    """Return what can be given to the firm: accounts that money can be sent to, each once."""
    found = [
        SharedDetails(one.name, one.sort_code, one.account_number, one.iban, one.account_type, bank_name)
        for one in accounts
        if one.can_receive and ((one.sort_code and one.account_number) or one.iban)
    ]
    return list(dict.fromkeys(found))[:_MAX_CHOICES]


def _back_off(age_seconds: float) -> float:
    """Return how long to wait before a consent is closed again: seconds at first, an hour in the end."""
    for below, wait in ((300, 10), (3600, 60), (86_400, 600)):
        if age_seconds < below:
            return wait
    return 3600
