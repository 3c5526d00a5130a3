"""The machine of purchases, and what each state is called outside."""

from __future__ import annotations

from enum import StrEnum

from strongroom.kit.machine import Machine


class PurchaseState(StrEnum):
    """Where a purchase stands."""

    ASKING = "asking"  # its issuer is being asked about the card
    PENDING = "pending"
    JUDGING = "judging"  # its issuer is being asked about a code
    REJECTED = "rejected"  # the last code was wrong, and another may be tried
    AUTHENTICATED = "authenticated"
    LOCKED = "locked"
    FAILED = "failed"
    EXPIRED = "expired"


class PurchaseEvent(StrEnum):
    """What happens to a purchase."""

    OPENED = "opened"
    CODE_FORWARDED = "code_forwarded"
    CODE_RIGHT = "code_right"
    CODE_WRONG = "code_wrong"
    TRIES_USED_UP = "tries_used_up"
    ISSUER_FAILED = "issuer_failed"
    REFUSED = "refused"
    TIMED_OUT = "timed_out"


_S, _E = PurchaseState, PurchaseEvent
OPEN = (_S.PENDING, _S.REJECTED)
PURCHASE: Machine[PurchaseState, PurchaseEvent] = Machine(
    "purchase",
    "purchases",
    states=PurchaseState,
    start=_S.ASKING,
    ends=[_S.AUTHENTICATED, _S.FAILED, _S.EXPIRED],
    edges=[
        (_S.ASKING, _E.OPENED, _S.PENDING),
        ([_S.PENDING, _S.REJECTED], _E.CODE_FORWARDED, _S.JUDGING),
        # A locked one by a code alone that was charged before the lock, and is being accepted: no other is judged any more.
        ([_S.PENDING, _S.REJECTED, _S.JUDGING, _S.LOCKED], _E.CODE_RIGHT, _S.AUTHENTICATED),
        ([_S.PENDING, _S.REJECTED, _S.JUDGING], _E.CODE_WRONG, _S.REJECTED),
        ([_S.PENDING, _S.REJECTED, _S.JUDGING], _E.TRIES_USED_UP, _S.LOCKED),
        ([_S.ASKING, _S.JUDGING], _E.ISSUER_FAILED, _S.FAILED),
        (_S.ASKING, _E.REFUSED, _S.FAILED),
        ([_S.PENDING, _S.REJECTED], _E.TIMED_OUT, _S.EXPIRED),
    ],
    tenant_column="issuer_id",
)


class Listing(StrEnum):
    """The four words of the support desk's list."""

    INITIATED = "INITIATED"
    FAILED = "FAILED"
    UNAUTHENTICATED = "UNAUTHENTICATED"
    AUTHENTICATED = "AUTHENTICATED"


PURCHASE_PUBLIC: dict[PurchaseState, tuple[str, Listing]] = {
    _S.ASKING: ("pending", Listing.INITIATED),
    _S.PENDING: ("pending", Listing.INITIATED),
    _S.JUDGING: ("pending", Listing.INITIATED),
    _S.REJECTED: ("rejected", Listing.UNAUTHENTICATED),
    _S.EXPIRED: ("expired", Listing.UNAUTHENTICATED),
    _S.AUTHENTICATED: ("authenticated", Listing.AUTHENTICATED),
    _S.LOCKED: ("locked", Listing.FAILED),
    _S.FAILED: ("failed", Listing.FAILED),
}


def states_of(listing: Listing) -> list[PurchaseState]:
    """Return the states that one word of the list stands for."""
    return [state for state, (_, word) in PURCHASE_PUBLIC.items() if word is listing]
