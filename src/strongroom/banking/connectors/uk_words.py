"""The standard's reason codes in plain words, and the ones that mean something to our flow."""

from __future__ import annotations

import re

from strongroom.banking.port import Declined

GONE = frozenset({"U011", "UK.OBIE.Resource.NotFound", "UK.OBIE.NotFound"})
# The bank holds something for this consent already, so an earlier sending may have been carried out.
MAYBE_DONE = frozenset(
    {
        "U009",
        "U029",
        "U035",
        "U038",
        "UK.OBIE.Resource.InvalidConsentStatus",
        "UK.OBIE.Rules.ResourceAlreadyExists",
    },
)
NOT_ENOUGH_MONEY = frozenset({"AM04", "AM23"})
OVER_LIMIT = frozenset({"AM02", "AM14", "AM21"})
CANCELLED = frozenset({"CUST", "DS02"})
NOT_FINISHED = frozenset({"U036"})
BANK_TROUBLE = frozenset({"server_error", "temporarily_unavailable"})
SENTENCES = {
    "AB10": "The receiving bank could not be reached",
    "AC01": "The account number is not right",
    "AC03": "The receiving account number is not right",
    "AC04": "The account is closed",
    "AC06": "The account is blocked",
    "AC07": "The receiving account is closed",
    "AG01": "This account cannot make such a payment",
    "AM02": "The amount is over the bank's limit",
    "AM04": "There is not enough money in the account",
    "AM14": "The amount is over the limit agreed with the bank",
    "AM21": "The amount is over the bank's limit",
    "AM23": "There is not enough money in the account",
    "BE01": "The name does not match the account",
    "CUST": "The customer cancelled at the bank",
    "DS02": "The customer cancelled at the bank",
    "FRAD": "The bank stopped the payment as possibly fraudulent",
    "U008": "The payment differs from what was agreed",
    "U012": "It is past the bank's cut-off time",
    "U033": "The customer could not be identified at the bank",
    "U036": "The customer did not finish at the bank",
    "U037": "The customer could not be identified at the bank",
}
REFUSED = "The bank refused the request"
REASON_CODE = re.compile(r"\b(?:[A-Z]{2}[0-9]{2}|U0[0-9]{2}|CUST|FRAD)\b")


def plain_reason(code: str | None, told: str | None = None) -> str | None:
    """Say a reason in our words where we have them, else in the bank's, cut to 200 printable characters."""
    return SENTENCES.get(code or "") or (_printable(told) if told else None)


def declined(error: str, description: str) -> Declined:
    """Read an OAuth error, with the reason code that v4 banks may put into its description."""
    found = REASON_CODE.search(description)
    reason = found[0] if found else None
    return Declined(_declined_code(error, reason), plain_reason(reason, description) or "")


def _declined_code(error: str, reason: str | None) -> str:
    if reason in NOT_ENOUGH_MONEY:
        return "insufficient_funds"
    if reason in OVER_LIMIT:
        return "over_limit"
    if reason in NOT_FINISHED:
        return "not_finished"
    if error == "access_denied":
        return "cancelled" if reason is None or reason in CANCELLED else reason
    if error in BANK_TROUBLE or not re.fullmatch(r"[a-z_]{1,40}", error):
        return "bank_error"
    return error


def _printable(text: str) -> str:
    return "".join(character for character in text if character.isprintable())[:200]
