"""One way to move a share: its state, its request's state, the firm's event, the bank's consent and the audit, in one transaction.

Several customers may be sharing for one request at the same time. Every move first locks the request's row, so what the request
becomes is judged from shares that cannot change meanwhile, and locks are always taken in one order: request, then share.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import Any

import msgspec

from strongroom.funds.customers import Customers
from strongroom.funds.errors import RequestFrozen
from strongroom.funds.model import FAILURE_MESSAGES, AccountRequest, AuditTag, Failure, ReviewReason, Share, SharedDetails
from strongroom.funds.names import match_names
from strongroom.funds.results import Results, as_mapping
from strongroom.funds.share_seals import ShareSeals
from strongroom.funds.states import (
    ACCOUNT_REQUEST,
    SHARE,
    SHARE_ENDED_WITHOUT,
    AccountRequestEvent,
    ShareEvent,
    ShareState,
)
from strongroom.funds.store import reviews as review_store
from strongroom.funds.store import shares as store
from strongroom.kit import audit
from strongroom.kit.db import Tx
from strongroom.kit.errors import NotFound
from strongroom.kit.ids import new_id
from strongroom.kit.machine import Moved
from strongroom.webhooks.events import Events
from strongroom.webhooks.model import EventType

_S = ShareState
_TIMES: dict[ShareState, tuple[str, ...]] = {
    _S.SHARED: ("shared_at", "ended_at"),
    **dict.fromkeys(SHARE_ENDED_WITHOUT, ("ended_at",)),
}
# Choosing another bank is the customer's own affair: the firm is not told of `closed`.
_TOLD = frozenset({_S.DECLINED, _S.ABANDONED, _S.FAILED})
# From here on the bank has nothing more to tell, so its consent is closed.
_READ_OR_OVER = SHARE.ends | {_S.CHOOSING}
_CLEARED = {"return_sealed": None, "grant_sealed": None, "url_sealed": None, "accounts_sealed": None}
_COMPARED_MAX, _COMPARED_LENGTH = 8, 70  # holders' names that are kept
_DETAILS_MAX_BYTES = 12_000  # an event's body stays below 20 kB even with its other half


class ShareMoves:
    """Moves shares, and whatever follows a move."""

    def __init__(self, customers: Customers, seals: ShareSeals, results: Results, events: Events) -> None:
        self._customers = customers
        self._seals = seals
        self._results = results
        self._events = events

    async def move(
        self,
        tx: Tx,
        share: Share,
        event: ShareEvent,
        *,
        failure: Failure | None = None,
        sets: Mapping[str, Any] | None = None,
        times: Iterable[str] = (),
        where: Mapping[str, Any] | None = None,
    ) -> Moved[ShareState] | None:
        """Move a share if its state allows the event; None when it does not, and then nothing at all was done."""
        request = await self.lock_request(tx, share.firm_id, share.request_id)
        (target,) = set(SHARE.ways(event).values())
        values = dict(sets or {})
        if target in SHARE.ends:
            values = _CLEARED | {"due_at": None} | values
        if failure is not None:
            values |= {"failure_code": str(failure), "failure_message": FAILURE_MESSAGES[failure]}
        moments = [*_TIMES.get(target, ()), *times]
        moved = await SHARE.move(
            tx,
            share.firm_id,
            share.id,
            event,
            sets={name: value for name, value in values.items() if name not in moments},
            times=moments,
            where=where,
        )
        if moved is not None:
            await self._follow(tx, request, share, moved, failure)
        return moved

    async def share(self, tx: Tx, share: Share, event: ShareEvent, account: SharedDetails) -> Moved[ShareState] | None:
        """Give the firm this account, its name compared with the customer's; None when the share has moved on.

        Raise RequestFrozen when a customer has said meanwhile that they do not recognise the request.
        """
        await self._refuse_frozen(tx, share)
        customer = await self._customers.load(tx, share.firm_id, share.customer_id)
        match = match_names(customer.personal.name, account.account_name)
        compared = tuple(name[:_COMPARED_LENGTH] for name in match.compared[:_COMPARED_MAX])
        details = msgspec.structs.replace(account, compared=compared)
        sets = {
            **await self._seals.seal_personal(tx, share, details_sealed=details),
            "name_match": json.dumps({"outcome": str(match.outcome), "score": match.score}),
            "review_required": match.review_required,
        }
        moved = await self.move(tx, share, event, sets=sets)
        if moved is not None and match.review_required:
            await review_store.open_review(tx, share.firm_id, new_id("rev"), share.request_id, ReviewReason.NAME_MISMATCH)
        return moved

    async def offer(self, tx: Tx, share: Share, sealed: Mapping[str, bytes]) -> Moved[ShareState] | None:
        """Let the customer pick from several sealed accounts; codes and grants are needed no more. Raise RequestFrozen."""
        await self._refuse_frozen(tx, share)
        used = {"return_sealed": None, "grant_sealed": None, "url_sealed": None}
        return await self.move(tx, share, ShareEvent.READ_SEVERAL, sets={**used, **sealed})

    async def lock_request(self, tx: Tx, firm_id: str, request_id: str) -> AccountRequest:
        """Lock a request, and with it every move of its shares, until the transaction ends. Raise NotFound."""
        request = await store.find_request(tx, firm_id, request_id, lock=True)
        if request is None:
            raise NotFound
        return request

    async def begun(self, tx: Tx, firm_id: str, request_id: str, share_id: str) -> None:
        """Move a request along when a share begins; where another customer is sharing it has moved already."""
        await ACCOUNT_REQUEST.move(tx, firm_id, request_id, AccountRequestEvent.SHARE_BEGUN, detail={"share": share_id})

    async def tell(self, tx: Tx, firm_id: str, request_id: str, event: EventType) -> None:
        """Tell the firm; whole account numbers go only to endpoints that may have them."""
        request = await store.find_request(tx, firm_id, request_id)
        if request is None:
            raise NotFound
        data = as_mapping(await self._results.of_account_request(tx, request, full=False))
        full = as_mapping(await self._results.of_account_request(tx, request, full=True))
        results = full.get("results")
        fits = results is not None and len(results) <= _DETAILS_MAX_BYTES
        await self._events.publish(tx, firm_id, event, request_id, data, sensitive={"results": results} if fits else None)

    async def _refuse_frozen(self, tx: Tx, share: Share) -> None:
        if (await self.lock_request(tx, share.firm_id, share.request_id)).frozen_at is not None:
            raise RequestFrozen

    async def _follow(
        self, tx: Tx, request: AccountRequest, share: Share, moved: Moved[ShareState], failure: Failure | None
    ) -> None:
        """Close the consent, move the request along, write the audit and tell the firm."""
        if moved.after in _READ_OR_OVER:
            await store.close_soon(tx, share.firm_id, share.id)
        detail = {"before": moved.before, "after": moved.after} | ({"failure": str(failure)} if failure else {})
        await audit.record(tx, share.firm_id, "system", AuditTag.SHARE_MOVED, share.id, detail)
        if failure is not None and failure is not Failure.CHOSE_ANOTHER_BANK:
            await store.note_failure(tx, share.firm_id, request.id, str(failure), FAILURE_MESSAGES[failure])
        completed = moved.after in SHARE.ends and await self._follow_request(tx, request, share)
        if completed:
            await self.tell(tx, share.firm_id, request.id, EventType.CUSTOMER_ACCOUNT_REQUEST_COMPLETED)
        elif moved.after in _TOLD:
            await self.tell(tx, share.firm_id, request.id, EventType.CUSTOMER_ACCOUNT_REQUEST_DECLINED)

    async def _follow_request(self, tx: Tx, request: AccountRequest, share: Share) -> bool:
        """Judge the locked request by all its shares; True when everybody who was asked has shared."""
        standing = await store.standing(tx, request.firm_id, request.id)
        detail = {"share": share.id}
        if standing.shared.issuperset(request.asked):
            moved = await ACCOUNT_REQUEST.move(
                tx, request.firm_id, request.id, AccountRequestEvent.ALL_SHARED, times=["completed_at"], detail=detail
            )
            return moved is not None
        if not standing.under_way:
            await ACCOUNT_REQUEST.move(tx, request.firm_id, request.id, AccountRequestEvent.SHARE_ENDED, detail=detail)
        return False
