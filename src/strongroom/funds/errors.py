"""What the funds context refuses, each with its stable code."""

from __future__ import annotations

from strongroom.kit.errors import Conflict, Gone, Invalid


class CaseClosed(Conflict):
    """The case is closed."""

    code, title = "case_closed", "The case is closed"


class CaseRefTaken(Conflict):
    """The firm keeps case references unique, and this one is in use."""

    code, title = "case_ref_taken", "Another case has this reference"


class CustomersFull(Conflict):
    """The case has as many customers as it may have."""

    code, title = "customers_full", "The case has as many customers as it may have"


class NoReceivingAccount(Conflict):
    """There is no approved receiving account to ask payment to."""

    code, title = "no_receiving_account", "No approved receiving account can be used for this request"


class PaymentLive(Conflict):
    """A payment is under way that can no longer be called back."""

    code, title = "payment_in_progress", "A payment is under way and can no longer be called back"


class ShareLive(Conflict):
    """Bank details are being read at this moment."""

    code, title = "share_in_progress", "The customer's bank details are being read at this moment; ask again shortly"


class RequestEnded(Conflict):
    """The request has come to an end."""

    code, title = "request_ended", "The request has come to an end"


class PartlyPaid(Conflict):
    """Parts of the request are paid, so it cannot simply be withdrawn."""

    code, title = "partly_paid", "Parts of this request are paid: settle with the customer what becomes of that money first"


class PartNotAllowed(Conflict):
    """The part is more than is outstanding, less than the smallest part, or the request is to be paid in one."""

    code, title = "part_not_allowed", "This request cannot be paid by a part of that size"


class RequestFrozen(Conflict):
    """The customer said that they do not recognise the request."""

    code, title = "request_frozen", "The customer does not recognise the request; it is frozen"


class PaymentAlreadyStarted(Conflict):
    """Another attempt to pay is live; `payment_id` is it."""

    code, title = "payment_already_started", "A payment for this request is already under way"

    def __init__(self, payment_id: str) -> None:
        super().__init__()
        self.payment_id = payment_id


class ShareAlreadyStarted(Conflict):
    """Another attempt to share is live or done; `share_id` is it."""

    code, title = "share_already_started", "Bank details for this request are being shared already, or have been"

    def __init__(self, share_id: str) -> None:
        super().__init__()
        self.share_id = share_id


class AmountTooLarge(Invalid):
    """The amount is above what the firm may ask for."""

    code, title = "amount_too_large", "The amount is too large"


class GrantSpent(Gone):
    """The login grant has been used, has expired or never was."""

    code, title = "grant_spent", "This link has been used or has expired"


class AuthenticationExists(Conflict):
    """The customer may log in already."""

    code, title = "authentication_exists", "The customer already has a customer authentication"


class NotErasable(Conflict):
    """The law still wants the person's records kept, or somebody does."""

    code, title = "not_erasable", "This person cannot be erased yet"


class SamePerson(Conflict):
    """The same member of staff may not propose and approve."""

    code, title = "same_person", "What one person proposed, another approves"


class TooNew(Conflict):
    """The approver was added after the proposal, and might have been added for it."""

    code, title = "approver_too_new", "Somebody approves who was a member of staff already when it was proposed"


class FindingOpen(Conflict):
    """Another finding about the payment waits for its second person."""

    code, title = "finding_open", "Another finding about this payment waits to be approved or declined"
