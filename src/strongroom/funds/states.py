"""The state machines of the funds context, and the public name of every inner state."""

from __future__ import annotations

from enum import StrEnum

from strongroom.kit.machine import Machine


class CaseState(StrEnum):
    """A case is open or closed."""

    OPEN = "open"
    CLOSED = "closed"


class CaseEvent(StrEnum):
    """What happens to a case."""

    CLOSE = "close"


CASE: Machine[CaseState, CaseEvent] = Machine(
    "case",
    "cases",
    states=CaseState,
    start=CaseState.OPEN,
    ends=[CaseState.CLOSED],
    edges=[(CaseState.OPEN, CaseEvent.CLOSE, CaseState.CLOSED)],
)


class RequestState(StrEnum):
    """Where a credit request stands; these are the public names too."""

    REQUESTED = "requested"
    AUTHORISING = "authorising"
    PROCESSING = "processing"
    PARTLY_PAID = "partlyPaid"  # parts are paid; the rest is not, whether or not another part is under way
    COMPLETED = "completed"
    RECEIVED = "received"
    CANCELLED = "cancelled"
    EXPIRED = "expired"
    HELD = "held"
    RETURNED = "returned"


class RequestEvent(StrEnum):
    """What happens to a credit request."""

    PAYMENT_BEGUN = "payment_begun"
    PAYMENT_SUBMITTED = "payment_submitted"
    PAYMENT_ENDED = "payment_ended"  # without money having moved
    PART_EXECUTED = "part_executed"  # and the parts do not come to the amount yet
    PAYMENT_EXECUTED = "payment_executed"
    PAYMENT_CREDITED = "payment_credited"
    PAYMENT_HELD = "payment_held"
    PAYMENT_SENT_BACK = "payment_sent_back"  # rejected or returned after it was executed
    CANCEL = "cancel"
    EXPIRE = "expire"


_R, _RE = RequestState, RequestEvent
CREDIT_REQUEST: Machine[RequestState, RequestEvent] = Machine(
    "credit request",
    "credit_requests",
    states=RequestState,
    start=_R.REQUESTED,
    ends=[_R.CANCELLED, _R.EXPIRED, _R.RETURNED],
    edges=[
        (_R.REQUESTED, _RE.PAYMENT_BEGUN, _R.AUTHORISING),
        (_R.REQUESTED, _RE.CANCEL, _R.CANCELLED),
        (_R.REQUESTED, _RE.EXPIRE, _R.EXPIRED),
        (_R.AUTHORISING, _RE.PAYMENT_ENDED, _R.REQUESTED),
        (_R.AUTHORISING, _RE.CANCEL, _R.CANCELLED),
        (_R.AUTHORISING, _RE.PAYMENT_SUBMITTED, _R.PROCESSING),
        (_R.PROCESSING, _RE.PAYMENT_ENDED, _R.REQUESTED),
        ([_R.AUTHORISING, _R.PROCESSING, _R.PARTLY_PAID, _R.HELD], _RE.PART_EXECUTED, _R.PARTLY_PAID),
        (_R.PARTLY_PAID, _RE.PAYMENT_BEGUN, _R.PARTLY_PAID),
        (_R.PARTLY_PAID, _RE.PAYMENT_ENDED, _R.PARTLY_PAID),
        ([_R.AUTHORISING, _R.PROCESSING, _R.PARTLY_PAID, _R.HELD], _RE.PAYMENT_EXECUTED, _R.COMPLETED),
        ([_R.AUTHORISING, _R.PROCESSING, _R.COMPLETED, _R.HELD], _RE.PAYMENT_CREDITED, _R.RECEIVED),
        ([_R.PROCESSING, _R.PARTLY_PAID, _R.COMPLETED], _RE.PAYMENT_HELD, _R.HELD),
        ([_R.PARTLY_PAID, _R.COMPLETED, _R.RECEIVED, _R.HELD], _RE.PAYMENT_SENT_BACK, _R.RETURNED),
    ],
)


class PaymentState(StrEnum):
    """Where one attempt to pay stands."""

    REQUESTING = "requesting"  # the consent is being made at the bank
    AWAITING = "awaiting"  # the customer is at the bank
    RETURNED = "returned"  # the customer came back, with something to verify
    EXCHANGING = "exchanging"  # the code is being used: from here another bank cannot be chosen
    AUTHORISED = "authorised"
    SUBMITTING = "submitting"  # the order was or is being sent: only the bank knows
    PROCESSING = "processing"
    EXECUTED = "executed"  # the customer's account is debited; not cleared funds
    CREDITED = "credited"
    HELD = "held"
    UNCONFIRMED = "unconfirmed"  # the bank cannot tell us; people decide
    DECLINED = "declined"
    ABANDONED = "abandoned"
    CLOSED = "closed"
    FAILED = "failed"
    REJECTED = "rejected"
    SENT_BACK = "sent_back"


class PaymentEvent(StrEnum):
    """What happens to a payment."""

    CONSENT_MADE = "consent_made"
    CONSENT_FAILED = "consent_failed"
    CAME_BACK = "came_back"
    CODE_CLAIMED = "code_claimed"
    CODE_KEPT = "code_kept"  # certainly not used: the bank could not be reached
    CODE_LOST = "code_lost"
    AUTHORISATION_DECLINED = "authorisation_declined"
    GRANTED = "granted"
    SUBMIT_CLAIMED = "submit_claimed"
    BANK_TOOK_IT = "bank_took_it"
    BANK_EXECUTED = "bank_executed"
    BANK_CREDITED = "bank_credited"
    BANK_HELD = "bank_held"
    BANK_REJECTED = "bank_rejected"
    BANK_SILENT = "bank_silent"
    NEVER_SUBMITTED = "never_submitted"
    TIMED_OUT = "timed_out"
    CHOSE_ANOTHER = "chose_another"
    FOUND_DEBITED = "found_debited"  # two people established it, where the bank cannot tell
    FOUND_NOT_DEBITED = "found_not_debited"
    FOUND_RECEIVED = "found_received"


_P, _PE = PaymentState, PaymentEvent
_SENT = [_P.SUBMITTING, _P.PROCESSING, _P.UNCONFIRMED]
PAYMENT: Machine[PaymentState, PaymentEvent] = Machine(
    "payment",
    "payments",
    states=PaymentState,
    start=_P.REQUESTING,
    ends=[_P.CREDITED, _P.DECLINED, _P.ABANDONED, _P.CLOSED, _P.FAILED, _P.REJECTED, _P.SENT_BACK],
    edges=[
        (_P.REQUESTING, _PE.CONSENT_MADE, _P.AWAITING),
        (_P.REQUESTING, _PE.CONSENT_FAILED, _P.FAILED),
        (_P.AWAITING, _PE.CAME_BACK, _P.RETURNED),
        (_P.AWAITING, _PE.TIMED_OUT, _P.ABANDONED),
        (_P.AWAITING, _PE.AUTHORISATION_DECLINED, _P.DECLINED),
        ([_P.REQUESTING, _P.AWAITING, _P.RETURNED], _PE.CHOSE_ANOTHER, _P.CLOSED),
        (_P.RETURNED, _PE.CODE_CLAIMED, _P.EXCHANGING),
        (_P.EXCHANGING, _PE.CODE_KEPT, _P.RETURNED),
        (_P.EXCHANGING, _PE.CODE_LOST, _P.ABANDONED),
        (_P.EXCHANGING, _PE.AUTHORISATION_DECLINED, _P.DECLINED),
        (_P.EXCHANGING, _PE.GRANTED, _P.AUTHORISED),
        (_P.AUTHORISED, _PE.SUBMIT_CLAIMED, _P.SUBMITTING),
        (_P.AUTHORISED, _PE.NEVER_SUBMITTED, _P.FAILED),
        ([_P.SUBMITTING, _P.UNCONFIRMED], _PE.NEVER_SUBMITTED, _P.FAILED),
        (_SENT, _PE.BANK_TOOK_IT, _P.PROCESSING),
        ([*_SENT, _P.HELD], _PE.BANK_EXECUTED, _P.EXECUTED),
        ([*_SENT, _P.HELD, _P.EXECUTED], _PE.BANK_CREDITED, _P.CREDITED),
        ([*_SENT, _P.EXECUTED], _PE.BANK_HELD, _P.HELD),
        (_SENT, _PE.BANK_REJECTED, _P.REJECTED),
        ([_P.EXECUTED, _P.HELD], _PE.BANK_REJECTED, _P.SENT_BACK),
        ([_P.SUBMITTING, _P.PROCESSING], _PE.BANK_SILENT, _P.UNCONFIRMED),
        (_P.UNCONFIRMED, _PE.FOUND_DEBITED, _P.EXECUTED),
        (_P.UNCONFIRMED, _PE.FOUND_NOT_DEBITED, _P.FAILED),
        (_P.EXECUTED, _PE.FOUND_RECEIVED, _P.CREDITED),
    ],
)

LIVE_BEFORE_EXCHANGE = frozenset({_P.REQUESTING, _P.AWAITING, _P.RETURNED})
DEBITED = frozenset({_P.EXECUTED, _P.CREDITED})
ENDED_WITHOUT_DEBIT = frozenset({_P.DECLINED, _P.ABANDONED, _P.CLOSED, _P.FAILED, _P.REJECTED})

# What the payment's move means for its request; moves that are not named leave the request as it is.
REQUEST_FOLLOWS: dict[PaymentState, RequestEvent] = {
    _P.SUBMITTING: _RE.PAYMENT_SUBMITTED,
    _P.EXECUTED: _RE.PAYMENT_EXECUTED,
    _P.CREDITED: _RE.PAYMENT_CREDITED,
    _P.HELD: _RE.PAYMENT_HELD,
    _P.SENT_BACK: _RE.PAYMENT_SENT_BACK,
    **dict.fromkeys(ENDED_WITHOUT_DEBIT, _RE.PAYMENT_ENDED),
}

PAYMENT_PUBLIC: dict[PaymentState, str] = {
    _P.REQUESTING: "authorising",
    _P.AWAITING: "authorising",
    _P.RETURNED: "authorising",
    _P.EXCHANGING: "authorising",
    _P.AUTHORISED: "processing",
    _P.SUBMITTING: "processing",
    _P.PROCESSING: "processing",
    _P.UNCONFIRMED: "unconfirmed",
    _P.EXECUTED: "completed",
    _P.CREDITED: "received",
    _P.HELD: "held",
    _P.DECLINED: "declined",
    _P.ABANDONED: "abandoned",
    _P.CLOSED: "closed",
    _P.FAILED: "failed",
    _P.REJECTED: "rejected",
    _P.SENT_BACK: "returned",
}


class AccountRequestState(StrEnum):
    """Where a customer account request stands; these are the public names too."""

    REQUESTED = "requested"
    AUTHORISING = "authorising"
    COMPLETED = "completed"
    CANCELLED = "cancelled"
    EXPIRED = "expired"


class AccountRequestEvent(StrEnum):
    """What happens to a customer account request."""

    SHARE_BEGUN = "share_begun"
    SHARE_ENDED = "share_ended"
    ALL_SHARED = "all_shared"
    CANCEL = "cancel"
    EXPIRE = "expire"


_A, _AE = AccountRequestState, AccountRequestEvent
ACCOUNT_REQUEST: Machine[AccountRequestState, AccountRequestEvent] = Machine(
    "customer account request",
    "account_requests",
    states=AccountRequestState,
    start=_A.REQUESTED,
    ends=[_A.COMPLETED, _A.CANCELLED, _A.EXPIRED],
    edges=[
        (_A.REQUESTED, _AE.SHARE_BEGUN, _A.AUTHORISING),
        (_A.REQUESTED, _AE.CANCEL, _A.CANCELLED),
        (_A.REQUESTED, _AE.EXPIRE, _A.EXPIRED),
        (_A.AUTHORISING, _AE.SHARE_ENDED, _A.REQUESTED),
        (_A.AUTHORISING, _AE.CANCEL, _A.CANCELLED),
        ([_A.REQUESTED, _A.AUTHORISING], _AE.ALL_SHARED, _A.COMPLETED),
    ],
)


class ShareState(StrEnum):
    """Where one attempt to share an account stands."""

    REQUESTING = "requesting"
    AWAITING = "awaiting"
    UNPROVEN = "unproven"  # came back in another browser: a fresh code must prove whose it is
    RETURNED = "returned"
    READING = "reading"
    CHOOSING = "choosing"  # several accounts came back and the customer picks one
    SHARED = "shared"
    DECLINED = "declined"
    ABANDONED = "abandoned"
    CLOSED = "closed"
    FAILED = "failed"


class ShareEvent(StrEnum):
    """What happens to a share."""

    CONSENT_MADE = "consent_made"
    CONSENT_FAILED = "consent_failed"
    CAME_BACK = "came_back"
    CAME_BACK_ELSEWHERE = "came_back_elsewhere"
    PROVEN = "proven"
    READ_CLAIMED = "read_claimed"
    CODE_KEPT = "code_kept"
    AUTHORISATION_DECLINED = "authorisation_declined"
    READ_FAILED = "read_failed"
    READ_SEVERAL = "read_several"
    READ_ONE = "read_one"
    CHOSEN = "chosen"
    TIMED_OUT = "timed_out"
    CHOSE_ANOTHER = "chose_another"


_S, _SE = ShareState, ShareEvent
SHARE: Machine[ShareState, ShareEvent] = Machine(
    "share",
    "shares",
    states=ShareState,
    start=_S.REQUESTING,
    ends=[_S.SHARED, _S.DECLINED, _S.ABANDONED, _S.CLOSED, _S.FAILED],
    edges=[
        (_S.REQUESTING, _SE.CONSENT_MADE, _S.AWAITING),
        (_S.REQUESTING, _SE.CONSENT_FAILED, _S.FAILED),
        (_S.AWAITING, _SE.CAME_BACK, _S.RETURNED),
        (_S.AWAITING, _SE.CAME_BACK_ELSEWHERE, _S.UNPROVEN),
        (_S.AWAITING, _SE.AUTHORISATION_DECLINED, _S.DECLINED),
        ([_S.AWAITING, _S.UNPROVEN, _S.CHOOSING], _SE.TIMED_OUT, _S.ABANDONED),
        ([_S.REQUESTING, _S.AWAITING, _S.UNPROVEN, _S.RETURNED, _S.CHOOSING], _SE.CHOSE_ANOTHER, _S.CLOSED),
        (_S.UNPROVEN, _SE.PROVEN, _S.RETURNED),
        (_S.RETURNED, _SE.READ_CLAIMED, _S.READING),
        (_S.READING, _SE.CODE_KEPT, _S.RETURNED),
        (_S.READING, _SE.AUTHORISATION_DECLINED, _S.DECLINED),
        (_S.READING, _SE.READ_FAILED, _S.FAILED),
        (_S.READING, _SE.READ_SEVERAL, _S.CHOOSING),
        (_S.READING, _SE.READ_ONE, _S.SHARED),
        (_S.CHOOSING, _SE.CHOSEN, _S.SHARED),
    ],
)

SHARE_ENDED_WITHOUT = frozenset({_S.DECLINED, _S.ABANDONED, _S.CLOSED, _S.FAILED})


class AuthenticationState(StrEnum):
    """Whether a customer may log in to the hosted website; these are the public names too."""

    INVITED = "invited"
    VERIFIED = "verified"
    LOCKED = "locked"
    REVOKED = "revoked"


class AuthenticationEvent(StrEnum):
    """What happens to a customer authentication."""

    LOGGED_IN = "logged_in"
    LOCK = "lock"
    REVOKE = "revoke"


_C, _CE = AuthenticationState, AuthenticationEvent
AUTHENTICATION: Machine[AuthenticationState, AuthenticationEvent] = Machine(
    "customer authentication",
    "authentications",
    states=AuthenticationState,
    start=_C.INVITED,
    ends=[_C.REVOKED],
    edges=[
        ([_C.INVITED, _C.LOCKED], _CE.LOGGED_IN, _C.VERIFIED),
        ([_C.INVITED, _C.VERIFIED], _CE.LOCK, _C.LOCKED),
        ([_C.INVITED, _C.VERIFIED, _C.LOCKED], _CE.REVOKE, _C.REVOKED),
    ],
)


class ReceivingState(StrEnum):
    """Whether money may be sent to a receiving account."""

    PROPOSED = "proposed"
    APPROVED = "approved"
    DECLINED = "declined"
    RETIRED = "retired"


class ReceivingEvent(StrEnum):
    """What happens to a receiving account."""

    APPROVE = "approve"
    DECLINE = "decline"
    RETIRE = "retire"


RECEIVING: Machine[ReceivingState, ReceivingEvent] = Machine(
    "receiving account",
    "receiving_accounts",
    states=ReceivingState,
    start=ReceivingState.PROPOSED,
    ends=[ReceivingState.DECLINED, ReceivingState.RETIRED],
    edges=[
        (ReceivingState.PROPOSED, ReceivingEvent.APPROVE, ReceivingState.APPROVED),
        (ReceivingState.PROPOSED, ReceivingEvent.DECLINE, ReceivingState.DECLINED),
        (ReceivingState.APPROVED, ReceivingEvent.RETIRE, ReceivingState.RETIRED),
    ],
)


class FindingState(StrEnum):
    """Where a finding of people about a payment stands."""

    PROPOSED = "proposed"
    APPROVED = "approved"
    DECLINED = "declined"


class FindingEvent(StrEnum):
    """What happens to a finding."""

    APPROVE = "approve"
    DECLINE = "decline"


FINDING: Machine[FindingState, FindingEvent] = Machine(
    "payment finding",
    "payment_findings",
    states=FindingState,
    start=FindingState.PROPOSED,
    ends=[FindingState.APPROVED, FindingState.DECLINED],
    edges=[
        (FindingState.PROPOSED, FindingEvent.APPROVE, FindingState.APPROVED),
        (FindingState.PROPOSED, FindingEvent.DECLINE, FindingState.DECLINED),
    ],
)
