"""Limits are told where a customer chooses a bank, before anybody is sent there."""

from __future__ import annotations

from strongroom.banking.health import HealthReport
from strongroom.banking.registry import BankListing
from strongroom.portal.pages import shaping

WELL = HealthReport(0, 0.0, None, None, None)
BANKS = (
    BankListing("small", "Small Bank", None, None, None, WELL, payment_limit_minor=1_000_000),
    BankListing("large", "Large Bank", None, None, None, WELL, payment_limit_minor=100_000_000),
    BankListing("open", "Open Bank", None, None, None, WELL),
    BankListing("down", "Down Bank", None, "not_answering", None, WELL, payment_limit_minor=1),
)


def warnings(amount_minor: int, *refusing: str) -> dict[str, tuple[int | None, bool]]:
    """Return what each bank's line warns of."""
    limits = shaping.Limits(amount_minor, "GBP", frozenset(refusing))
    shown = shaping.bank_list(BANKS, "", "/here", None, lambda bank: f"/{bank}", limits)
    return {one.id: (one.limit_minor, one.refused_lately) for one in shown.most_used}


def test_a_bank_is_marked_only_above_its_limit() -> None:
    assert warnings(1_000_000)["small"] == (None, False)
    assert warnings(1_000_001)["small"] == (1_000_000, False)
    assert warnings(1_000_001)["large"] == warnings(1_000_001)["open"] == (None, False)


def test_a_bank_that_refused_such_an_amount_lately_is_marked_without_a_number() -> None:
    assert warnings(500, "open")["open"] == (None, True)
    assert warnings(500, "open")["large"] == (None, False)


def test_a_bank_that_cannot_be_chosen_says_only_that() -> None:
    assert warnings(500, "down")["down"] == (None, False)


def test_for_sharing_no_limit_matters() -> None:
    shown = shaping.bank_list(BANKS, "", "/here", None, lambda bank: f"/{bank}")
    assert all(one.limit_minor is None for one in shown.most_used)
