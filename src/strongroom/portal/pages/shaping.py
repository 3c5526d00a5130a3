"""Turns what the use cases return into what the pages show; total over every state, so that no screen is a dead end."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta

from strongroom.banking.registry import BankListing, Registry
from strongroom.funds.desk import Asked, Seen
from strongroom.funds.model import AccountRequest, CreditRequest, Failure, Payment, Share, SharedDetails
from strongroom.funds.sharing import Consent
from strongroom.funds.states import AccountRequestState, PaymentState, RequestState, ShareState
from strongroom.kit.clock import own_now
from strongroom.kit.errors import NotFound
from strongroom.kit.money import PENCE_PER_POUND, UnacceptableAmount, parse_pounds_text, print_pounds
from strongroom.portal import paths
from strongroom.portal.pages.picking import look_of
from strongroom.portal.views.frame import FieldProblem
from strongroom.portal.views.paying import (
    BankLook,
    ElsewhereState,
    NotPaidBecause,
    PaidPart,
    PayOutcome,
    PayStage,
    Slip,
    SplitOffer,
)
from strongroom.portal.views.requests import CardState, FirmActions, PayCard, ShareCard
from strongroom.portal.views.sharing import (
    AccountChoice,
    AccountType,
    ConsentItem,
    ConsentState,
    NotSharedBecause,
    ShareElsewhereState,
    ShareStage,
)

_P = PaymentState

_STAGES: dict[PaymentState, PayStage] = {
    _P.REQUESTING: PayStage.AT_BANK,
    _P.AWAITING: PayStage.AT_BANK,
    _P.RETURNED: PayStage.CHECKING,
    _P.EXCHANGING: PayStage.CHECKING,
    _P.AUTHORISED: PayStage.CHECKING,
    _P.SUBMITTING: PayStage.CHECKING,
    _P.PROCESSING: PayStage.SENT,
}
_OUTCOMES: dict[PaymentState, PayOutcome] = {
    _P.EXECUTED: PayOutcome.EXECUTED,
    _P.CREDITED: PayOutcome.RECEIVED,
    _P.HELD: PayOutcome.HELD,
    _P.UNCONFIRMED: PayOutcome.UNCONFIRMED,
    _P.SENT_BACK: PayOutcome.RETURNED,
}
_BECAUSE: dict[str, NotPaidBecause] = {
    Failure.CANCELLED_AT_BANK: NotPaidBecause.CANCELLED,
    Failure.INSUFFICIENT_FUNDS: NotPaidBecause.FUNDS,
    Failure.OVER_LIMIT: NotPaidBecause.LIMIT,
    Failure.REFUSED_BY_BANK: NotPaidBecause.REFUSED,
    Failure.REJECTED_BY_BANK: NotPaidBecause.REJECTED_LATER,
    Failure.BANK_UNAVAILABLE: NotPaidBecause.BANK_DOWN,
    Failure.TIMED_OUT: NotPaidBecause.TIMED_OUT,
    Failure.NOT_COMPLETED: NotPaidBecause.NOT_COMPLETED,
    Failure.INVALID_RETURN: NotPaidBecause.UNVERIFIED,
    Failure.CHOSE_ANOTHER_BANK: NotPaidBecause.CLOSED,
    Failure.NOT_DEBITED: NotPaidBecause.NOT_DEBITED,
}
_CREDIT_CARDS: dict[RequestState, CardState] = {
    RequestState.REQUESTED: CardState.OPEN,
    RequestState.AUTHORISING: CardState.IN_PROGRESS,
    RequestState.PROCESSING: CardState.IN_PROGRESS,
    RequestState.PARTLY_PAID: CardState.PARTLY_PAID,
    RequestState.HELD: CardState.IN_PROGRESS,
    RequestState.COMPLETED: CardState.DONE,
    RequestState.RECEIVED: CardState.RECEIVED,
    RequestState.RETURNED: CardState.RETURNED,
    RequestState.CANCELLED: CardState.CANCELLED,
    RequestState.EXPIRED: CardState.EXPIRED,
}
_SHARE_STAGES: dict[ShareState, ShareStage] = {
    ShareState.REQUESTING: ShareStage.AT_BANK,
    ShareState.AWAITING: ShareStage.AT_BANK,
    ShareState.UNPROVEN: ShareStage.ELSEWHERE,
    ShareState.RETURNED: ShareStage.READING,
    ShareState.READING: ShareStage.READING,
}
_NOT_SHARED: dict[str, NotSharedBecause] = {
    Failure.CANCELLED_AT_BANK: NotSharedBecause.DECLINED,
    Failure.REFUSED_BY_BANK: NotSharedBecause.REFUSED,
    Failure.BANK_UNAVAILABLE: NotSharedBecause.BANK_DOWN,
    Failure.TIMED_OUT: NotSharedBecause.TIMED_OUT,
    Failure.NOT_COMPLETED: NotSharedBecause.NOT_COMPLETED,
    Failure.INVALID_RETURN: NotSharedBecause.UNVERIFIED,
    Failure.CHOSE_ANOTHER_BANK: NotSharedBecause.CLOSED,
    Failure.NO_SUITABLE_ACCOUNT: NotSharedBecause.NO_ACCOUNT,
}
_FOLLOWED = timedelta(minutes=15)
_TO_DO = frozenset({CardState.OPEN, CardState.PARTLY_PAID, CardState.UNFINISHED, CardState.IN_PROGRESS})


def slip(asked: Asked, amount_minor: int | None = None) -> Slip:
    """Return what is to be paid: the payment's amount where it is given, else all that is outstanding."""
    request = asked.request
    if amount_minor is None:
        amount_minor = request.outstanding_minor if request.allow_split else request.amount_minor
    return Slip(
        amount_minor,
        request.description,
        asked.account.account_name,
        request.statement_reference,
        request.currency,
        total_minor=request.amount_minor if amount_minor != request.amount_minor else None,
        paid_minor=asked.paid_minor,
    )


def paid_parts(asked: Asked, registry: Registry) -> tuple[PaidPart, ...]:
    """Return the parts that this customer has paid, oldest first."""
    return tuple(
        PaidPart(one.amount_minor, bank_name(registry, one.bank_id), paid_at(one), paths.payment(one.id, "receipt"))
        for one in asked.own_parts
    )


def split_offer(asked: Asked, bank: BankListing, typed: str) -> SplitOffer | None:
    """Offer to pay less than the whole, at first as much as the bank is known to let through, else half."""
    request = asked.request
    least, most = request.least_part_minor, request.outstanding_minor
    if not request.allow_split or least >= most:
        return None
    limit = bank.limits.most_personal_minor
    fits = limit if limit is not None and limit < most else -(-most // (2 * PENCE_PER_POUND)) * PENCE_PER_POUND
    return SplitOffer(typed or print_pounds(min(most, max(least, fits))), least, most)


def read_part(asked: Asked, typed: str) -> int | FieldProblem:
    """Return the part that was typed, in pence, or what is wrong with it."""
    bare = "".join(typed.split()).replace(",", "").removeprefix("£")
    try:
        part = parse_pounds_text(bare)
    except UnacceptableAmount:
        return FieldProblem("part", "shape")
    fits = asked.request.least_part_minor <= part <= asked.request.outstanding_minor
    return part if fits else FieldProblem("part", "range")


def is_under_way(payment: Payment) -> bool:
    """True while no other part may begin beside this one."""
    return payment.state in _STAGES or payment.state in {PaymentState.HELD, PaymentState.UNCONFIRMED}


def bank_name(registry: Registry, bank_id: str) -> str:
    """Return a bank's name; one that is no longer offered keeps its id."""
    return bank_look(registry, bank_id).name


def bank_look(registry: Registry, bank_id: str) -> BankLook:
    """Return how a bank is recognised; one that is no longer offered keeps its id."""
    try:
        return look_of(registry.get_listing(bank_id))
    except NotFound:
        return BankLook(bank_id, bank_id)


def pay_stage(payment: Payment, request: CreditRequest) -> PayStage | None:
    """Return how far a live payment has come; None when it has ended one way or the other."""
    stage = _STAGES.get(payment.state)
    return PayStage.DELAYED if stage is PayStage.SENT and request.is_delayed else stage


def pay_outcome(payment: Payment) -> PayOutcome | None:
    """Return what became of a payment that the bank took on; None when nothing was paid, or nothing is known yet."""
    return _OUTCOMES.get(payment.state)


def not_paid_because(payment: Payment) -> NotPaidBecause:
    """Return why nothing was paid."""
    return _BECAUSE.get(payment.failure_code or "", NotPaidBecause.NOT_COMPLETED)


def paid_at(payment: Payment) -> datetime:
    """Return the time of the bank's last word."""
    return payment.credited_at or payment.executed_at or payment.submitted_at or payment.changed_at


def is_followed(since: datetime) -> bool:
    """True while a page about what became so at that time looks again by itself: a matter of what is shown, so of our own clock."""
    return own_now() - since < _FOLLOWED


def elsewhere_state(payment: Payment) -> ElsewhereState:
    """Return what a browser without session may be told."""
    if payment.state in _STAGES:
        return ElsewhereState.CHECKING
    return ElsewhereState.ACCEPTED if payment.state in _OUTCOMES else ElsewhereState.NOT_DONE


def firm_actions(seen: Iterable[Seen]) -> tuple[FirmActions, ...]:
    """Return the cards of every firm: what is to do, and what is over."""
    by_firm: dict[str, tuple[str, list[PayCard | ShareCard]]] = {}
    for one in seen:
        name = one.firm.settings.logo_text or one.firm.name
        cards = by_firm.setdefault(one.firm.id, (name, []))[1]
        cards += [pay_card(request, latest) for request, latest in one.credit]
        cards += [share_card(request, latest) for request, latest in one.account]
    return tuple(
        FirmActions(
            firm_id,
            name,
            tuple(card for card in cards if card.state in _TO_DO),
            tuple(card for card in cards if card.state not in _TO_DO),
        )
        for firm_id, (name, cards) in by_firm.items()
    )


def pay_card(request: CreditRequest, latest: Payment | None) -> PayCard:
    """Return the card of a credit request."""
    state = CardState.FROZEN if request.frozen_at else _CREDIT_CARDS[request.state]
    if state is CardState.OPEN and request.last_failure_code:
        state = CardState.UNFINISHED
    amount_minor, url = request.amount_minor, paths.pay(request.id)
    if state is CardState.PARTLY_PAID:
        amount_minor = request.outstanding_minor
        if latest is not None and is_under_way(latest):
            state, amount_minor = CardState.IN_PROGRESS, latest.amount_minor
    if latest is not None and state in {CardState.IN_PROGRESS, CardState.DONE, CardState.RECEIVED, CardState.RETURNED}:
        url = paths.payment(latest.id, "receipt" if state in {CardState.DONE, CardState.RECEIVED} else "")
    at = request.received_at or request.completed_at or (request.changed_at if state not in _TO_DO else None)
    return PayCard(request.id, request.description, amount_minor, state, url, request.expires_at, at, request.currency)


def share_card(request: AccountRequest, latest: Share | None) -> ShareCard:
    """Return the card of a customer account request, as far as this customer is concerned."""
    state = _share_state(request, latest)
    url = paths.share(request.id)
    if latest is not None and state in {CardState.IN_PROGRESS, CardState.DONE}:
        url = paths.sharing(latest.id)
    at = latest.shared_at if latest and latest.shared_at else None
    return ShareCard(request.id, state, url, request.expires_at, at)


def _share_state(request: AccountRequest, latest: Share | None) -> CardState:
    if request.frozen_at:
        return CardState.FROZEN
    if latest is not None and latest.state is ShareState.SHARED:
        return CardState.DONE
    if request.state is AccountRequestState.EXPIRED:
        return CardState.EXPIRED
    if request.state is AccountRequestState.CANCELLED:
        return CardState.CANCELLED
    if latest is None:
        return CardState.OPEN
    return CardState.UNFINISHED if latest.ended_at is not None else CardState.IN_PROGRESS


def share_stage(share: Share) -> ShareStage | None:
    """Return how far a live sharing has come; None when it has ended or waits for the customer's pick."""
    return _SHARE_STAGES.get(share.state)


def share_elsewhere(share: Share) -> ShareElsewhereState:
    """Return what a browser without session may be told."""
    if share.state is ShareState.SHARED:
        return ShareElsewhereState.DONE
    if share.state is ShareState.CHOOSING:
        return ShareElsewhereState.CHOOSING
    return ShareElsewhereState.READING if share.state in _SHARE_STAGES else ShareElsewhereState.NOT_DONE


def not_shared_because(share: Share) -> NotSharedBecause:
    """Return why nothing was shared."""
    return _NOT_SHARED.get(share.failure_code or "", NotSharedBecause.NOT_COMPLETED)


def account_choice(choice_id: str, details: SharedDetails | None) -> AccountChoice:
    """Return an account as the page shows it: the sort code and the last four digits."""
    if details is None:
        return AccountChoice(choice_id, None, "", "")
    kinds = set(AccountType)
    kind = AccountType(details.account_type) if details.account_type in kinds else AccountType.OTHER
    number = details.account_number or details.iban or ""
    return AccountChoice(choice_id, details.account_name, details.sort_code or "", number[-4:], kind)


def consent_item(consent: Consent, firm_name: str) -> ConsentItem:
    """Return a consent as the page lists it."""
    return ConsentItem(
        consent.share_id,
        firm_name,
        consent.bank_name,
        consent.agreed_at,
        ConsentState(str(consent.standing)),
        consent.ended_at,
        consent.ending,
    )
