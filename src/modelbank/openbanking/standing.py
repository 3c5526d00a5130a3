"""What stands about an account besides its money: whom it pays and when, what product it is, offers, statements (v4.0).

All of it is made up from the account itself and is the same at every look.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from modelbank.database import Pool
from modelbank.ledger import store as ledger
from modelbank.ledger.customers import POWER_MINOR, RENT_MINOR
from modelbank.ledger.store import Account
from modelbank.openbanking.answers import Answer, File, money, read, timestamp

MOST_STATEMENTS = 12
_MOST_LINES = 1_000_000
_PAYEE = {"SchemeName": "UK.OBIE.SortCodeAccountNumber", "Identification": "20000055779911", "Name": "Wren Conveyancing"}
_MANDATE = {"MandateIdentification": "WREN-4711", "Classification": "FIXE", "Frequency": {"Type": "MNTH"}}
_FEE_MINOR = 12_000

Make = Callable[[Account, datetime, bool], list[dict[str, Any]]]


@dataclass(frozen=True, slots=True)
class Kind:
    """One kind of thing: the member it stands in, what must have been agreed to see it, and how it is made.

    `detail` is the permission that shows the other party or the amounts as well; without one all of it is always shown.
    """

    member: str
    path: str
    permissions: tuple[str, ...]
    detail: str | None
    make: Make


@dataclass(frozen=True, slots=True)
class Month:
    """A calendar month that is over, in UTC."""

    since: datetime
    until: datetime

    def id_of(self, account: Account) -> str:
        """Return the id of the statement that an account has of this month."""
        return f"{account.id}-{self.since:%Y-%m}"


def beneficiaries(account: Account, _: datetime, in_detail: bool) -> list[dict[str, Any]]:
    """Return whom the account has paid before."""
    about = {
        "AccountId": account.id,
        "BeneficiaryId": f"{account.id}-ben-1",
        "BeneficiaryType": "Ordinary",
        "Reference": "WREN 4711",
    }
    return [about | _creditor(in_detail)]


def standing_orders(account: Account, now: datetime, in_detail: bool) -> list[dict[str, Any]]:
    """Return the rent, paid on the first of each month."""
    about = {
        "AccountId": account.id,
        "StandingOrderId": f"{account.id}-sto-1",
        "NextPaymentDateTime": timestamp(next_month(now)),
        "NextPaymentAmount": money(RENT_MINOR),
        "StandingOrderStatusCode": "ACTV",
        "MandateRelatedInformation": _MANDATE,
        "RemittanceInformation": {"Structured": [{"CreditorReferenceInformation": {"Reference": "RENT"}}]},
    }
    return [about | _creditor(in_detail)]


def direct_debits(account: Account, now: datetime, _: bool) -> list[dict[str, Any]]:
    """Return the electricity, collected monthly."""
    return [
        {
            "AccountId": account.id,
            "DirectDebitId": f"{account.id}-dd-1",
            "DirectDebitStatusCode": "ACTV",
            "Name": "Linnet Power",
            "MandateRelatedInformation": _MANDATE,
            "PreviousPaymentDateTime": timestamp(first_of(now)),
            "PreviousPaymentAmount": money(POWER_MINOR),
        }
    ]


def scheduled_payments(account: Account, now: datetime, in_detail: bool) -> list[dict[str, Any]]:
    """Return one payment that is to be made next month."""
    about = {
        "AccountId": account.id,
        "ScheduledPaymentId": f"{account.id}-sch-1",
        "ScheduledPaymentDateTime": timestamp(next_month(now)),
        "ScheduledType": "Execution",
        "Reference": "WREN 4711",
        "InstructedAmount": money(_FEE_MINOR),
    }
    return [about | _creditor(in_detail)]


def products(account: Account, _: datetime, __: bool) -> list[dict[str, Any]]:
    """Return the product that the account is. The standard has a code for current accounts, none for savings."""
    if account.type_code == "SVGS":
        other = {"Name": "Instant savings", "Description": "Savings that can be had back at any time"}
        about = {"ProductId": "savings", "ProductName": "Instant savings", "ProductType": "Other", "OtherProductType": other}
        return [{"AccountId": account.id, **about}]
    about = {"ProductId": "everyday", "ProductName": "Everyday account", "ProductType": "PersonalCurrentAccount"}
    return [{"AccountId": account.id, **about}]


def offers(account: Account, _: datetime, __: bool) -> list[dict[str, Any]]:
    """Return the one offer that everybody has."""
    about = {"OfferType": "Other", "Description": "A pretend offer of a pretend bank"}
    return [{"AccountId": account.id, "OfferId": f"{account.id}-off-1", **about}]


KINDS = {
    kind.path: kind
    for kind in (
        Kind(
            "Beneficiary", "beneficiaries", ("ReadBeneficiariesBasic", "ReadBeneficiariesDetail"), "ReadBeneficiariesDetail",
            beneficiaries,
        ),
        Kind(
            "StandingOrder", "standing-orders", ("ReadStandingOrdersBasic", "ReadStandingOrdersDetail"), "ReadStandingOrdersDetail",
            standing_orders,
        ),
        Kind("DirectDebit", "direct-debits", ("ReadDirectDebits",), None, direct_debits),
        Kind(
            "ScheduledPayment", "scheduled-payments", ("ReadScheduledPaymentsBasic", "ReadScheduledPaymentsDetail"),
            "ReadScheduledPaymentsDetail", scheduled_payments,
        ),
        Kind("Product", "products", ("ReadProducts",), None, products),
        Kind("Offer", "offers", ("ReadOffers",), None, offers),
    )
}  # fmt: skip


def tell(kind: Kind, accounts: Sequence[Account], permissions: Sequence[str], now: datetime, path: str) -> Answer:
    """Return what there is of one kind."""
    in_detail = kind.detail is None or kind.detail in permissions
    data = [one for account in accounts for one in kind.make(account, now, in_detail)]
    return read({"Data": {kind.member: data}}, path, TotalPages=1)


def first_of(moment: datetime) -> datetime:
    """Return the beginning of a month, in UTC."""
    return moment.astimezone(UTC).replace(day=1, hour=0, minute=0, second=0, microsecond=0)


def next_month(moment: datetime) -> datetime:
    """Return the beginning of the next month."""
    return first_of(first_of(moment) + timedelta(days=32))


def statement_months(account: Account, now: datetime) -> list[Month]:
    """Return the months that an account has statements of, newest first: the last twelve that are over since it was opened."""
    months: list[Month] = []
    until = first_of(now)
    while until > account.opened_at and len(months) < MOST_STATEMENTS:
        since = first_of(until - timedelta(days=1))
        months.append(Month(since, until - timedelta(milliseconds=1)))
        until = since
    return months


async def tell_statements(pool: Pool, statements: Sequence[tuple[Account, Month]], permissions: Sequence[str], path: str) -> Answer:
    """Return statements."""
    in_detail = "ReadStatementsDetail" in permissions
    data = [await _statement(pool, account, month, in_detail=in_detail) for account, month in statements]
    return read({"Data": {"Statement": data}}, path, TotalPages=1)


async def _statement(pool: Pool, account: Account, month: Month, *, in_detail: bool) -> dict[str, Any]:
    about: dict[str, Any] = {
        "AccountId": account.id,
        "StatementId": month.id_of(account),
        "StatementReference": f"{month.since:%Y-%m}",
        "Type": "RegularPeriodic",
        "StartDateTime": timestamp(month.since),
        "EndDateTime": timestamp(month.until),
        "CreationDateTime": timestamp(month.until),
    }
    if in_detail:
        closing = await ledger.get_balance_at(pool, account, month.until)
        side = "Credit" if closing >= 0 else "Debit"
        about["StatementAmount"] = [{"CreditDebitIndicator": side, "Type": "UK.OBIE.ClosingBalance", "Amount": money(closing)}]
    return about


async def write_statement(pool: Pool, account: Account, month: Month) -> File:
    """Return a statement as comma-separated values (RFC 4180): a line for each booking and the balance after it, oldest first."""
    both = (True, False)
    entries, _ = await ledger.list_booked(pool, account.bank, [account.id], month.since, month.until, both, _MOST_LINES, 0)
    balance_minor = await ledger.get_balance_at(pool, account, month.until) - sum(entry.amount_minor for entry in entries)
    text = io.StringIO()
    lines = csv.writer(text)
    lines.writerow(("Date", "Description", "Amount", "Balance"))
    lines.writerow((f"{month.since:%Y-%m-%d}", "Balance brought forward", "", _pounds(balance_minor)))
    for entry in reversed(entries):
        balance_minor += entry.amount_minor
        booked_on = f"{entry.booked_at.astimezone(UTC):%Y-%m-%d}"
        lines.writerow((booked_on, entry.text, _pounds(entry.amount_minor), _pounds(balance_minor)))
    lines.writerow((f"{month.until:%Y-%m-%d}", "Closing balance", "", _pounds(balance_minor)))
    return File("text/csv", f"{month.id_of(account)}.csv", text.getvalue().encode())


def _pounds(amount_minor: int) -> str:
    return f"{'-' if amount_minor < 0 else ''}{money(amount_minor)['Amount']}"


def _creditor(in_detail: bool) -> dict[str, Any]:
    return {"CreditorAccount": _PAYEE} if in_detail else {}
