"""Limits are told where a customer chooses a bank, before anybody is sent there."""

from __future__ import annotations

from datetime import UTC, datetime

from strongroom.banking.health import HealthReport
from strongroom.banking.limits import ChannelLimit, Limits
from strongroom.banking.registry import BankListing
from strongroom.portal.pages import picking
from strongroom.portal.views.paying import BankChoice, PayChannel

WELL = HealthReport(0, 0.0, None, None, None)
SMALL = Limits(personal_app=ChannelLimit(payment=10_000, day=25_000), personal_web=ChannelLimit(day=10_000))
BY_CHANNEL = Limits(ChannelLimit(payment=25_000), ChannelLimit(payment=20_000, day=10_000), ChannelLimit(day=1_000_000))
SINCE = datetime(2026, 11, 21, 14, 5, tzinfo=UTC)
BANKS = (
    BankListing("small", "Small Bank", None, None, None, WELL, limits=SMALL),
    BankListing("large", "Large Bank", None, None, None, WELL, limits=Limits(personal_app=ChannelLimit(payment=1_000_000))),
    BankListing("open", "Open Bank", None, None, None, WELL),
    BankListing("closed", "Closed Bank", None, "Maintenance", SINCE, WELL, limits=Limits(personal_app=ChannelLimit(payment=1))),
)


def shown(amount_minor: int, *refusing: str, banks: tuple[BankListing, ...] = BANKS) -> dict[str, BankChoice]:
    """Return each bank's line."""
    asking = picking.Asking(amount_minor, "GBP", frozenset(refusing))
    found = picking.bank_list(banks, "", "/here", None, lambda bank: f"/{bank}", asking)
    return {one.id: one for one in found.most_used}


def warnings(amount_minor: int, *refusing: str) -> dict[str, tuple[int | None, bool]]:
    """Return what each bank's line warns of."""
    lines = shown(amount_minor, *refusing)
    return {one.id: (one.over.most_minor if one.over else None, one.refused_lately) for one in lines.values()}


def test_a_bank_is_marked_only_above_its_limit() -> None:
    assert warnings(1_000_000)["small"] == (None, False)
    assert warnings(1_000_001)["small"] == (1_000_000, False)
    assert warnings(1_000_001)["large"] == warnings(1_000_001)["open"] == (None, False)


def test_a_bank_that_refused_such_an_amount_lately_is_marked_without_a_number() -> None:
    assert warnings(500, "open")["open"] == (None, True)
    assert warnings(500, "open")["large"] == (None, False)


def test_a_bank_that_cannot_be_chosen_says_only_that() -> None:
    assert warnings(500, "closed")["closed"] == (None, False)


def test_for_sharing_no_limit_matters() -> None:
    found = picking.bank_list(BANKS, "", "/here", None, lambda bank: f"/{bank}")
    assert all(one.over is None for one in found.most_used)


def test_where_one_channel_would_do_the_page_says_which() -> None:
    bank = BankListing("oak", "Oak Bank", None, None, None, WELL, limits=BY_CHANNEL)
    over = shown(1_500_000, banks=(bank,))["oak"].over
    assert over is not None
    assert over.too_low == ((PayChannel.PERSONAL_WEB, 1_000_000),)
    assert over.would_do == (PayChannel.PERSONAL_APP, PayChannel.BUSINESS)
    over = shown(2_500_001, banks=(bank,))["oak"].over
    assert over is not None
    assert [channel for channel, _ in over.too_low] == [PayChannel.PERSONAL_APP, PayChannel.PERSONAL_WEB]
    assert over.would_do == (PayChannel.BUSINESS,)


def test_of_payment_and_day_the_lower_limit_counts() -> None:
    assert BY_CHANNEL.known()[PayChannel.PERSONAL_WEB] == 1_000_000


def test_the_names_of_channels_are_one_list() -> None:
    from strongroom.banking import limits  # noqa: PLC0415  # only here beside the page's own

    assert {str(one) for one in limits.PayChannel} == {str(one) for one in PayChannel}
