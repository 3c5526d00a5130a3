"""The pretend customers that every bank has, what each is for, and how much money they start with."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

PASSWORD = "pretend"  # noqa: S105  # shown on the sign-in page: nobody should type a real one here
OWN_FUNDS, IN_FLIGHT, OTHER_BANKS = "own-funds", "in-flight", "other-banks"


class Behaviour(StrEnum):
    """How the bank behaves once this customer is chosen."""

    NORMAL = "normal"
    SLOW = "slow"  # every API answer about their consent is late
    LATE = "late"  # their payments are rejected after they were accepted
    DOWN = "down"  # the API answers 503 about their consent for a minute
    NAMELESS = "nameless"  # their accounts come without a name; only the party endpoint tells it


@dataclass(frozen=True, slots=True)
class SeedAccount:
    """An account as it is opened; `suffix` ends the account number."""

    suffix: int
    type_code: str  # CACC or SVGS (ISO ExternalCashAccountType)
    nickname: str
    opening_minor: int


@dataclass(frozen=True, slots=True)
class SeedCustomer:
    """A customer as the bank starts with them."""

    username: str
    names: tuple[str, ...]
    behaviour: Behaviour
    purpose: str
    accounts: tuple[SeedAccount, ...]

    @property
    def holder(self) -> str:
        """Return the name on the account."""
        return " & ".join(self.names)


def _current(suffix: int, opening_minor: int, nickname: str = "Current account") -> SeedAccount:
    return SeedAccount(suffix, "CACC", nickname, opening_minor)


def _savings(suffix: int, opening_minor: int, nickname: str = "Savings") -> SeedAccount:
    return SeedAccount(suffix, "SVGS", nickname, opening_minor)


CUSTOMERS = (
    SeedCustomer(
        "alex", ("Alex Morgan",), Behaviour.NORMAL, "Everything works.", (_current(101, 92_480_15), _savings(102, 15_000_00))
    ),
    SeedCustomer(
        "test",
        ("Test Name",),
        Behaviour.NORMAL,
        "Everything works, with several accounts to choose from.",
        (_current(201, 120_000_00), _current(202, 2_341_09, "Bills account"), _savings(203, 8_250_00, "Rainy day savings")),
    ),
    SeedCustomer(
        "poor",
        ("Robin Poole",),
        Behaviour.NORMAL,
        "Has £3.20, so the bank refuses any larger payment for lack of money.",
        (_current(301, 3_20),),
    ),
    SeedCustomer(
        "slow",
        ("Sidney Lowe",),
        Behaviour.SLOW,
        "Once chosen, every answer of the bank's API about this payment or sharing takes 8 seconds.",
        (_current(401, 75_000_00),),
    ),
    SeedCustomer(
        "late",
        ("Lauren Tate",),
        Behaviour.LATE,
        "The payment is accepted (ACSP) and rejected a moment later (RJCT); no money moves.",
        (_current(501, 75_000_00),),
    ),
    SeedCustomer(
        "down",
        ("Dana Downes",),
        Behaviour.DOWN,
        "Once agreed, the bank's API answers 503 about this payment or sharing for 60 seconds.",
        (_current(601, 75_000_00),),
    ),
    SeedCustomer(
        "noname",
        ("Noor Amin",),
        Behaviour.NAMELESS,
        "Accounts are shared without the holder's name; only the party endpoint tells it.",
        (_current(701, 30_000_00),),
    ),
    SeedCustomer(
        "joint",
        ("Sam Patel", "Jo Patel"),
        Behaviour.NORMAL,
        "A joint account of two people.",
        (_current(801, 64_000_00, "Joint account"),),
    ),
)

RECEIVING = _current(901, 1_00, "Client account")  # an account of nobody in particular, to be paid into
RECEIVING_HOLDER = "Pretend Law Client Account"


def sort_code(place: int) -> str:
    """Return the sort code of the bank at this place of the configuration; 99-90-xx belongs to no real bank."""
    return f"9990{10 * (place + 1):02d}"


def account_number(place: int, suffix: int) -> str:
    """Return an 8-digit account number that differs from bank to bank."""
    return f"{40 + place}{suffix:06d}"
