"""The words on the pages that depend on what is asked, in one place, and how money and numbers are written."""

from __future__ import annotations

import re
from dataclasses import dataclass

from markupsafe import Markup, escape

from modelbank.ledger.customers import CUSTOMERS

TESTERS = {customer.username: customer for customer in CUSTOMERS}


def pounds(amount_minor: int) -> str:
    """Write pence as people do: £1,234.50, with a minus sign below zero."""
    sign = "−" if amount_minor < 0 else ""  # a minus sign, not a hyphen: screen readers say "minus"
    return f"{sign}£{abs(amount_minor) // 100:,}.{abs(amount_minor) % 100:02d}"


def sort_code(digits: str) -> str:
    """Write a sort code as people do: 99-90-10."""
    return "-".join(digits[place : place + 2] for place in range(0, len(digits), 2))


def code(text: str) -> Markup:
    """Mark what stands between backticks as code."""
    return Markup(re.sub(r"`([^`]*)`", r"<code>\1</code>", str(escape(text))))  # noqa: S704  # escaped before it is marked


@dataclass(frozen=True, slots=True)
class Cluster:
    """Some permissions under the name that customers are to see (Open Banking Customer Experience Guidelines)."""

    title: str
    details: tuple[str, ...]
    permissions: frozenset[str]


_CLUSTERS = (
    Cluster(
        "Your account details",
        ("Account name", "Account number and sort code", "Kind of account"),
        frozenset({"ReadAccountsBasic", "ReadAccountsDetail", "ReadPAN"}),
    ),
    Cluster("Your account balance", ("How much is in the account",), frozenset({"ReadBalances"})),
    Cluster(
        "Your name",
        ("Your full legal name", "Whether the account is yours alone or shared"),
        frozenset({"ReadParty", "ReadPartyPSU"}),
    ),
    Cluster(
        "Your transactions",
        ("Money in and out", "Dates, amounts and who was paid"),
        frozenset({"ReadTransactionsBasic", "ReadTransactionsDetail", "ReadTransactionsCredits", "ReadTransactionsDebits"}),
    ),
    Cluster(
        "Your regular payments",
        ("Direct debits, standing orders and people you pay",),
        frozenset(
            {
                "ReadBeneficiariesBasic",
                "ReadBeneficiariesDetail",
                "ReadDirectDebits",
                "ReadStandingOrdersBasic",
                "ReadStandingOrdersDetail",
                "ReadScheduledPaymentsBasic",
                "ReadScheduledPaymentsDetail",
            }
        ),
    ),
    Cluster(
        "Your statements and products",
        ("Statements, product details and offers",),
        frozenset({"ReadStatementsBasic", "ReadStatementsDetail", "ReadProducts", "ReadOffers"}),
    ),
)


def clusters(permissions: list[str]) -> list[Cluster]:
    """Return what is shared, in the words for customers."""
    return [cluster for cluster in _CLUSTERS if cluster.permissions & set(permissions)]
