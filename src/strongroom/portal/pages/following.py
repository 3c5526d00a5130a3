"""How far a phone has come with what it took over, for the computer that follows it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from strongroom.access.handoffs import HandOff
from strongroom.access.model import Record
from strongroom.funds.states import AccountRequestState, RequestState, ShareState
from strongroom.portal import paths
from strongroom.portal.doors import Doors
from strongroom.portal.pages import shaping
from strongroom.portal.views.handing_over import FollowStage
from strongroom.portal.views.requests import Kind
from strongroom.portal.views.sharing import ShareStage

_PAYABLE = frozenset({RequestState.REQUESTED, RequestState.AUTHORISING, RequestState.PROCESSING, RequestState.PARTLY_PAID})
_SHARE_STAGES = {
    ShareStage.AT_BANK: FollowStage.AT_BANK,
    ShareStage.ELSEWHERE: FollowStage.AT_BANK,
    ShareStage.READING: FollowStage.CHECKING,
}
_SHARE_OVER = frozenset({AccountRequestState.EXPIRED, AccountRequestState.CANCELLED})


@dataclass(frozen=True, slots=True)
class Followed:
    """What the computer shows: a stage, or the page on which both screens end."""

    stage: FollowStage = FollowStage.CHOOSING
    bank_name: str = ""
    attempt_url: str = ""
    end_url: str = ""


class _Attempt(Protocol):
    @property
    def customer_id(self) -> str: ...
    @property
    def created_at(self) -> datetime: ...


def kind_of(request_id: str) -> Kind:
    """Return what a request asks for."""
    return Kind.PAY if request_id.startswith("csp-") else Kind.SHARE


async def look(house: Doors, records: Iterable[Record], hand_off: HandOff) -> Followed:
    """Return how far the phone has come. Raise NotFound when the session does not cover the request any more."""
    if kind_of(hand_off.request_id) is Kind.PAY:
        return await _look_at_payment(house, records, hand_off)
    return await _look_at_share(house, records, hand_off)


async def _look_at_payment(house: Doors, records: Iterable[Record], hand_off: HandOff) -> Followed:
    asked = await house.desk.credit_request(records, hand_off.request_id)
    request, payment = asked.request, asked.latest
    if request.frozen_at is not None:
        return Followed(end_url=paths.pay(request.id))
    if payment is None or not _is_new(payment, hand_off):
        return Followed() if request.state in _PAYABLE else Followed(end_url=paths.pay(request.id))
    name, here = shaping.bank_name(house.registry, payment.bank_id), paths.payment(payment.id)
    if stage := shaping.pay_stage(payment, request):
        return Followed(FollowStage(stage), name)
    if shaping.pay_outcome(payment) or request.state not in _PAYABLE:
        return Followed(end_url=here)
    return Followed(FollowStage.FAILED, name, here)


async def _look_at_share(house: Doors, records: Iterable[Record], hand_off: HandOff) -> Followed:
    asked = await house.desk.account_request(records, hand_off.request_id)
    request, share = asked.request, asked.latest
    if request.frozen_at is not None:
        return Followed(end_url=paths.share(request.id))
    if share is None or not _is_new(share, hand_off):
        is_done = request.state in _SHARE_OVER or (share is not None and share.state is ShareState.SHARED)
        return Followed(end_url=paths.share(request.id)) if is_done else Followed()
    name, here = shaping.bank_name(house.registry, share.bank_id), paths.sharing(share.id)
    if stage := shaping.share_stage(share):
        return Followed(_SHARE_STAGES[stage], name)
    if share.state is ShareState.CHOOSING:
        return Followed(FollowStage.ACCOUNT, name)
    if share.state is ShareState.SHARED or request.state in _SHARE_OVER:
        return Followed(end_url=here)
    return Followed(FollowStage.FAILED, name, here)


def _is_new(attempt: _Attempt, hand_off: HandOff) -> bool:
    """True when the same customer began it after the phone had taken over: nothing older tells how the phone is doing."""
    is_own = attempt.customer_id == hand_off.customer_id
    return is_own and hand_off.scanned_at is not None and attempt.created_at >= hand_off.scanned_at
