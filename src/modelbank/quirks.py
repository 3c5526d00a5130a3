"""Quirks: how a bank can be made to fail as real banks are documented to fail, and how a tester chooses each.

One table. The page for testers, the control interface, the command line and the guide are made from it; `levers.py` finds
which quirks are chosen, and the code at the place of the fault asks for its own.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum


class Quirk(StrEnum):
    """One way to fail."""

    SWALLOWED = "swallowed"
    NO_ERROR = "no-error"
    TWICE = "twice"
    SHORT_SESSION = "short-session"
    NAMELESS = "nameless"
    PARTY_ONLY = "party-only"
    HTML_ERRORS = "html-errors"
    TOO_MANY = "too-many"
    DOWN = "down"
    SLOW = "slow"
    WRONG_SIGNATURE = "wrong-signature"
    CLOCK_SKEW = "clock-skew"
    NO_FUNDS = "no-funds"
    OVER_LIMIT = "over-limit"
    LATE = "late"


@dataclass(frozen=True, slots=True)
class Pack:
    """A quirk as testers read of it. `mirrors` says where real banks' behaviour is documented."""

    quirk: Quirk
    username: str
    holder: str
    amount_minor: int  # exactly this amount, in pence, brings the quirk for whoever pays it
    happens: str
    mirrors: str


# What the texts below name. The seconds of a session, of slowness and of being down may be configured otherwise.
SLOW_SECONDS = 8
DOWN_SECONDS = 10
SHORT_SESSION_SECONDS = 300
EARLY_SECONDS = 6
DISTURBED_ANSWERS = 2
SKEW_SECONDS = 25
LIMIT_MINOR = 250_00

PACKS = (
    Pack(
        Quirk.SWALLOWED, "swallowed", "Sally Lowther", 700_01,
        "The answer at the bank is kept, but the customer is never sent back.",
        "openbankingspace/tpp-issues 104, 106, 107, 111 (Barclays), 40, 41 (Santander), 19 (AIB)",
    ),
    Pack(
        Quirk.NO_ERROR, "noerror", "Nora Errington", 700_02,
        "Whoever cancels is sent back with `state` alone: no `error`, no `code`.",
        "openbankingspace/tpp-issues 171 (Lloyds, Halifax, Bank of Scotland)",
    ),
    Pack(
        Quirk.TWICE, "twice", "Tess Wicks", 700_03,
        "The answer reaches the callback address twice: once before the browser brings it.",
        "RFC 6749 §4.1.2; customers reload, go back, or come back in two browsers",
    ),
    Pack(
        Quirk.SHORT_SESSION, "hurried", "Harriet Hurley", 700_04,
        "The session ends five minutes after signing in; then the customer goes back with `access_denied` and U036.",
        "Commission Delegated Regulation (EU) 2018/389, Article 4(3)(d): five minutes without activity",
    ),
    Pack(
        Quirk.NAMELESS, "nameless", "Nadia Mellor", 700_05,
        "No name anywhere: accounts and payers come without it, and there is no party endpoint (404) and no refund account.",
        "openbankingspace/tpp-issues 147 (Name missing); Name is optional in the standard's OBAccount6",
    ),
    Pack(
        Quirk.PARTY_ONLY, "noname", "Noor Amin", 700_06,
        "Accounts and payers come without the holder's name; only the party endpoint tells it.",
        "Account and Transaction API v4.0, Parties: names stand at /party and /accounts/{AccountId}/party",
    ),
    Pack(
        Quirk.HTML_ERRORS, "html", "Hugh Tamlin", 700_07,
        "Once agreed, the next two requests about it are refused with status 400 and a web page instead of JSON.",
        "openbankingspace/tpp-issues 124 (HTML bodies with status 400)",
    ),
    Pack(
        Quirk.TOO_MANY, "busy", "Bella Usman", 700_08,
        f"Once agreed, the next request about it gets 429 with `Retry-After: {EARLY_SECONDS}`; whoever comes earlier waits anew.",
        "Read/Write API v4.0, HTTP status codes: 429 with Retry-After",
    ),
    Pack(
        Quirk.DOWN, "down", "Dana Downes", 700_09,
        f"Once agreed, the API answers 503 about it for {DOWN_SECONDS} seconds, with Retry-After.",
        "Read/Write API v4.0, HTTP status codes: 503 with Retry-After",
    ),
    Pack(
        Quirk.SLOW, "slow", "Sidney Lowe", 700_10,
        f"Once agreed, every answer of the API about it takes {SLOW_SECONDS} seconds.",
        "Read/Write API v4.0 sets no time for an answer",
    ),
    Pack(
        Quirk.WRONG_SIGNATURE, "forged", "Fergus Wragg", 700_11,
        "Once agreed, the next two answers about a payment carry a signature that does not fit them; both were acted upon.",
        "Read/Write API v4.0, message signing: a receiver must not believe what does not verify",
    ),
    Pack(
        Quirk.CLOCK_SKEW, "ahead", "Ahmed Headley", 700_12,
        f"The bank's clock is {SKEW_SECONDS} seconds ahead in all that it signs: id_token, message signatures.",
        "FAPI 2.0 Security Profile: what is some seconds ahead is accepted, more than 60 is refused",
    ),
    Pack(
        Quirk.NO_FUNDS, "nofunds", "Nell Finch", 700_13,
        "The money is gone between agreement and payment: funds-confirmation says no, the payment is rejected with AM04.",
        "Payment Initiation API v4.0, domestic-payment-consents/{ConsentId}/funds-confirmation",
    ),
    Pack(
        Quirk.OVER_LIMIT, "limited", "Lionel Mitford", 700_14,
        f"The customer may agree to any amount, but a payment of more than £{LIMIT_MINOR // 100} is rejected with AM14.",
        "Banks' own limits per payment and day; ISO 20022 reason AM14, amount exceeds agreed limit",
    ),
    Pack(
        Quirk.LATE, "late", "Lauren Tate", 700_15,
        "The payment is accepted (ACSP) and rejected a moment later (RJCT); no money moves.",
        "Payment Initiation API v4.0, domestic payment status: RJCT may follow ACSP",
    ),
)  # fmt: skip

_BY_USERNAME = {pack.username: pack.quirk for pack in PACKS}
_BY_AMOUNT = {pack.amount_minor: pack.quirk for pack in PACKS}


def chosen(of_bank: Iterable[str], amount_minor: int | None, username: str | None) -> frozenset[Quirk]:
    """Return the quirks that a bank, an amount and a user name bring together."""
    found = {Quirk(name) for name in of_bank} | {_BY_AMOUNT.get(amount_minor or 0), _BY_USERNAME.get(username or "")}
    return frozenset(quirk for quirk in found if quirk is not None)
