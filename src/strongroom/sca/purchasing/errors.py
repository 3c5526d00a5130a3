"""What purchases refuse."""

from __future__ import annotations

from strongroom.kit.errors import Conflict, Invalid, TooMany


class ReferenceReused(Conflict):
    """The client's reference began another purchase: another card, amount, currency, payee or channel."""

    code, title = "reference_reused", "This transactionRef was used for another purchase"


class StillAsking(Conflict):
    """The issuer is being asked at this moment."""

    code, title = "in_progress", "This purchase is being worked on; ask again in a moment"


class PurchaseOver(Conflict):
    """The purchase has ended; what became of it is told by GET."""

    code, title = "purchase_over", "This purchase has ended"


class NothingToSend(Conflict):
    """The code of this purchase comes from a device; there is nothing to send again."""

    code, title = "nothing_to_send", "The code of this purchase is not sent; the cardholder's device shows it"


class TooManyPurchases(TooMany):
    """One card or one client began too many purchases."""

    code, title = "too_many_purchases", "Too many purchases were begun; try again later"


class TooManyResends(TooMany):
    """A purchase's code was sent often enough."""

    code, title = "too_many_resends", "The code was sent as often as it may be"


class ProofInvalid(Invalid):
    """The proof was not made by us, is not for this caller, or its time is over."""

    code, title = "proof_invalid", "This proof is not valid"


class ProofUsed(Conflict):
    """The proof was used for something else."""

    code, title = "proof_used", "This proof was used under another reference"
