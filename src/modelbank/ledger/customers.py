"""The pretend customers that every bank has, what each is for, and how much money they start with."""

from __future__ import annotations

from dataclasses import dataclass

from modelbank.quirks import PACKS, Pack

PASSWORD = "pretend"  # noqa: S105  # shown on the sign-in page: nobody should type a real one here
OWN_FUNDS, IN_FLIGHT, OTHER_BANKS = "own-funds", "in-flight", "other-banks"


RENT_MINOR, POWER_MINOR = 650_00, 54_80


@dataclass(frozen=True, slots=True)
class Habit:
    """What an account did every month before the bank was started."""

    day: int
    text: str
    amount_minor: int


# Each sums to zero, so that an account holds what it opened with.
_EVERYDAY = (
    Habit(1, "Salary Kestrel Foods", 1_900_00),
    Habit(2, "Rent", -RENT_MINOR),
    Habit(12, "Linnet Power", -POWER_MINOR),
    Habit(20, "Finch Groceries", -1_195_20),
)
_SAVING = (Habit(1, "Interest", 12_00), Habit(3, "To current account", -12_00))


@dataclass(frozen=True, slots=True)
class SeedAccount:
    """An account as it is opened; `suffix` ends the account number."""

    suffix: int
    type_code: str  # CACC or SVGS (ISO ExternalCashAccountType)
    nickname: str
    opening_minor: int

    @property
    def habits(self) -> tuple[Habit, ...]:
        """Return what the account did every month, money in before money out."""
        return _SAVING if self.type_code == "SVGS" else _EVERYDAY


@dataclass(frozen=True, slots=True)
class SeedCustomer:
    """A customer as the bank starts with them."""

    username: str
    names: tuple[str, ...]
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


def _of_quirk(place: int, pack: Pack) -> SeedCustomer:
    return SeedCustomer(pack.username, (pack.holder,), pack.happens, (_current(1000 + place, 75_000_00),))


CUSTOMERS = (
    SeedCustomer("alex", ("Alex Morgan",), "Everything works.", (_current(101, 92_480_15), _savings(102, 15_000_00))),
    SeedCustomer(
        "test",
        ("Test Name",),
        "Everything works, with several accounts to choose from.",
        (_current(201, 120_000_00), _current(202, 2_341_09, "Bills account"), _savings(203, 8_250_00, "Rainy day savings")),
    ),
    SeedCustomer(
        "poor",
        ("Robin Poole",),
        "Has £3.20, so the bank refuses any larger payment for lack of money.",
        (_current(301, 3_20),),
    ),
    SeedCustomer(
        "joint", ("Sam Patel", "Jo Patel"), "A joint account of two people.", (_current(801, 64_000_00, "Joint account"),)
    ),
    *(_of_quirk(place, pack) for place, pack in enumerate(PACKS)),
)

RECEIVING = _current(901, 1_00, "Client account")  # an account of nobody in particular, to be paid into
RECEIVING_HOLDER = "Pretend Law Client Account"


def sort_code(place: int) -> str:
    """Return the sort code of the bank at this place of the configuration; 99-90-xx belongs to no real bank."""
    return f"9990{10 * (place + 1):02d}"


def account_number(place: int, suffix: int) -> str:
    """Return an 8-digit account number that differs from bank to bank."""
    return f"{40 + place}{suffix:06d}"
