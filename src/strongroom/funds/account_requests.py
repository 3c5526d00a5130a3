"""Customer account requests (SafeAuth): made, listed, cancelled, sent again, frozen, expired."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Final

from strongroom.access.firms import Firms
from strongroom.funds.authentications import Authentications
from strongroom.funds.errors import RequestEnded, ShareLive
from strongroom.funds.model import AccountRequest, Actor, AuditTag, Page, ReviewReason, Share
from strongroom.funds.notices import Notices
from strongroom.funds.requests import CreatedRequest, asked_customers, invite, open_case, refuse_if_kept_back
from strongroom.funds.results import Results
from strongroom.funds.schemas import AccountRequestOut
from strongroom.funds.share_moves import ShareMoves
from strongroom.funds.states import ACCOUNT_REQUEST, SHARE, AccountRequestEvent, AccountRequestState, ShareEvent, ShareState
from strongroom.funds.store import reviews as review_store
from strongroom.funds.store import shares as store
from strongroom.kit import audit
from strongroom.kit.db import Database, Tx
from strongroom.kit.errors import NotFound, UnknownCursor
from strongroom.kit.idempotency import Once
from strongroom.kit.ids import new_id
from strongroom.notify.model import Limited, Queued
from strongroom.webhooks.model import EventType

_EXPIRE_BATCH = 50
_ERASE_BATCH = 200
NOT_RECOGNISED: Final = "not_recognised"
_NOT_RECOGNISED_MESSAGE = "The customer does not recognise the request; it is frozen."


@dataclass(frozen=True, slots=True)
class NewAccountRequest:
    """A request to share bank details, checked for shape; without a customer everybody of the case is asked."""

    case_id: str
    customer_id: str | None = None
    expires_at: datetime | None = None
    notify: bool | None = None


class AccountRequests:
    """Use cases over customer account requests."""

    def __init__(
        self,
        db: Database,
        firms: Firms,
        authentications: Authentications,
        notices: Notices,
        results: Results,
        moves: ShareMoves,
    ) -> None:
        self._db = db
        self._firms = firms
        self._authentications = authentications
        self._notices = notices
        self._results = results
        self._moves = moves

    async def create(self, firm_id: str, actor: Actor, new: NewAccountRequest, once: Once) -> CreatedRequest:
        """Ask for bank details. Raise NotFound or CaseClosed."""
        async with self._db.transaction(firm_id) as tx:
            if answer := await once.claim(tx, firm_id, CreatedRequest):
                return answer
            await open_case(tx, firm_id, new.case_id)
            asked = await asked_customers(tx, firm_id, new.case_id, new.customer_id)
            settings = (await self._firms.load(tx, firm_id)).settings
            send = settings.notify_account_requests if new.notify is None else new.notify
            request_id = new_id("car")
            await store.add_request(
                tx,
                firm_id,
                request_id,
                case_id=new.case_id,
                customer_id=new.customer_id,
                asked=asked,
                expires_at=new.expires_at,
                notify=send,
            )
            await audit.record(tx, firm_id, actor.name, AuditTag.ACCOUNT_REQUESTED, request_id, {"case": new.case_id})
            await self._invite(tx, firm_id, actor, new.case_id, asked, send=send)
            created = CreatedRequest(request_id)
            await once.keep(tx, firm_id, created)
            return created

    async def get(self, firm_id: str, request_id: str, *, full: bool = True) -> AccountRequestOut:
        """Return a request as the API shows it; `full` shows whole account numbers. Raise NotFound."""
        async with self._db.transaction(firm_id) as tx:
            request = await store.find_request(tx, firm_id, request_id)
            if request is None:
                raise NotFound
            return await self._results.of_account_request(tx, request, full=full)

    async def list_requests(self, firm_id: str, page: Page, *, full: bool = True) -> list[AccountRequestOut]:
        """Return one more request than the page holds, newest first. Raise UnknownCursor."""
        async with self._db.transaction(firm_id) as tx:
            found = await store.list_requests(tx, firm_id, page)
            if page.after and not found and await store.find_request(tx, firm_id, page.after) is None:
                raise UnknownCursor
            return [await self._results.of_account_request(tx, one, full=full) for one in found]

    async def for_customer(self, firm_id: str, case_id: str, customer_id: str) -> list[tuple[AccountRequest, Share | None]]:
        """Return what a customer is asked to share, newest first, each with their latest attempt."""
        async with self._db.transaction(firm_id) as tx:
            requests = await store.requests_for_customer(tx, firm_id, case_id, customer_id)
            shares = await store.latest_shares(tx, firm_id, customer_id, [one.id for one in requests])
        latest = {share.request_id: share for share in shares}
        return [(request, latest.get(request.id)) for request in requests]

    async def cancel(self, firm_id: str, actor: Actor, request_id: str) -> AccountRequestOut:
        """Withdraw a request; shares under way are closed and their codes discarded. What was shared stays.

        Cancelling twice is no error. Raise NotFound, RequestEnded, or ShareLive while details are being read.
        """
        async with self._db.transaction(firm_id) as tx:
            request = await self._moves.lock_request(tx, firm_id, request_id)
            if request.state is AccountRequestState.CANCELLED:
                return await self._results.of_account_request(tx, request, full=True)
            if request.state in ACCOUNT_REQUEST.ends:
                raise RequestEnded
            if await self._close_shares(tx, request):
                raise ShareLive
            await ACCOUNT_REQUEST.move(tx, firm_id, request_id, AccountRequestEvent.CANCEL)
            await audit.record(tx, firm_id, actor.name, AuditTag.ACCOUNT_CANCELLED, request_id)
            return await self._results.of_account_request(tx, await self._moves.lock_request(tx, firm_id, request_id), full=True)

    async def resend(self, firm_id: str, actor: Actor, request_id: str) -> AccountRequestOut:
        """Send the text message again to those who have not shared.

        Raise NotFound, RequestEnded, or where limits keep it from everybody TooManyMessages.
        """
        async with self._db.transaction(firm_id) as tx:
            request = await self._moves.lock_request(tx, firm_id, request_id)
            if request.state in ACCOUNT_REQUEST.ends or request.frozen_at is not None:
                raise RequestEnded("Only a request that waits for its customers can be sent again")
            shared = (await store.standing(tx, firm_id, request_id)).shared
            waiting = [one for one in request.asked if one not in shared]
            outcomes = await self._invite(tx, firm_id, actor, request.case_id, waiting, send=True, again=new_id("snd"))
            refuse_if_kept_back(outcomes)
            await audit.record(tx, firm_id, actor.name, AuditTag.ACCOUNT_RESENT, request_id)
            return await self._results.of_account_request(tx, request, full=True)

    async def freeze(self, firm_id: str, customer_id: str, request_id: str) -> None:
        """Stop a request that a customer does not recognise, also one already answered, and tell the firm. Raise NotFound.

        Details that are being read at this moment are discarded when they arrive (`share_steps`).
        """
        async with self._db.transaction(firm_id) as tx:
            request = await self._moves.lock_request(tx, firm_id, request_id)
            if customer_id not in request.asked:
                raise NotFound
            await self._close_shares(tx, request)
            if await store.freeze(tx, firm_id, request_id, NOT_RECOGNISED, _NOT_RECOGNISED_MESSAGE):
                await review_store.open_review(tx, firm_id, new_id("rev"), request_id, ReviewReason.UNRECOGNISED)
                await audit.record(tx, firm_id, f"customer:{customer_id}", AuditTag.UNRECOGNISED, request_id)
                await self._moves.tell(tx, firm_id, request_id, EventType.CUSTOMER_ACCOUNT_REQUEST_DECLINED)

    async def expire_due(self) -> int:
        """End requests whose time is over and that nobody is answering just now; return how many."""
        async with self._db.transaction() as tx:
            rows = await store.claim_expired(tx, _EXPIRE_BATCH)
        for row in rows:
            async with self._db.transaction(row["firm_id"]) as tx:
                if await ACCOUNT_REQUEST.move(tx, row["firm_id"], row["id"], AccountRequestEvent.EXPIRE):
                    await audit.record(tx, row["firm_id"], "system", AuditTag.ACCOUNT_EXPIRED, row["id"])
                    await self._moves.tell(tx, row["firm_id"], row["id"], EventType.CUSTOMER_ACCOUNT_REQUEST_EXPIRED)
        return len(rows)

    async def erase_old(self, *, after_days: int) -> int:
        """Destroy shared account details of that age (compliance 4); the records of the consents stay. Return how many."""
        async with self._db.transaction() as tx:
            return len(await store.erase_old(tx, days=after_days, limit=_ERASE_BATCH))

    async def _close_shares(self, tx: Tx, request: AccountRequest) -> bool:
        """Close every share of a locked request that can be closed; True when one is being read and cannot."""
        live = [share for share in await store.shares_of(tx, request.firm_id, request.id) if share.state not in SHARE.ends]
        for share in live:
            await self._moves.move(tx, share, ShareEvent.CHOSE_ANOTHER)
        return any(share.state is ShareState.READING for share in live)

    async def _invite(
        self, tx: Tx, firm_id: str, actor: Actor, case_id: str, asked: list[str], *, send: bool, again: str = ""
    ) -> list[Queued | Limited]:
        return await invite(
            self._firms, self._authentications, self._notices, tx, firm_id, actor, case_id, asked, send=send, again=again
        )
