"""Booked transactions of accounts, as far as the customer agreed to show them, page by page (v4.0)."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any
from urllib.parse import parse_qsl, urlencode

from modelbank.database import Pool
from modelbank.ledger import store as ledger
from modelbank.ledger.store import Account, Entry
from modelbank.openbanking.answers import Answer, money, timestamp
from modelbank.openbanking.errors import Code, Refused
from modelbank.openbanking.guard import Call
from modelbank.openbanking.store import Consent
from modelbank.openbanking.times import Period, period_of_body

PERMISSIONS = ("ReadTransactionsBasic", "ReadTransactionsDetail")
PAGE_ENTRIES = 25  # the fewest that the profile recommends, so that clients soon meet a second page
_PAGE, _MAX_PAGE_DIGITS = "page", 6


def agreed_period(consent: Consent) -> Period:
    """Return the time whose transactions and statements the customer agreed to show."""
    return period_of_body(consent.content["Data"], "TransactionFromDateTime", "TransactionToDateTime")


async def tell_transactions(
    pool: Pool, call: Call, consent: Consent, accounts: Sequence[Account], asked: Period, path: str
) -> Answer:
    """Return one page of what was booked in a time. Raise Refused when there is no such page."""
    page, period = _page_of(call), asked.within(agreed_period(consent))
    account_ids = [account.id for account in accounts]
    entries, count = await ledger.list_booked(
        pool,
        consent.bank,
        account_ids,
        period.since,
        period.until,
        _directions(consent),
        PAGE_ENTRIES,
        (page - 1) * PAGE_ENTRIES,
    )
    if page > 1 and not entries:
        raise _no_page()
    in_detail = "ReadTransactionsDetail" in consent.permissions
    content = {"Data": {"Transaction": [_transaction(entry, in_detail=in_detail) for entry in entries]}}
    last = max(1, math.ceil(count / PAGE_ENTRIES))
    return Answer(200, content, path, {"TotalPages": last}, _links(call, path, page, last))


def _page_of(call: Call) -> int:
    text = call.request.query().get(_PAGE, "1")
    if not (text.isascii() and text.isdigit() and len(text) <= _MAX_PAGE_DIGITS and int(text) > 0):
        raise _no_page()
    return int(text)


def _no_page() -> Refused:
    return Refused(Code.FIELD_INVALID, "There is no such page.", _PAGE)


def _links(call: Call, path: str, page: int, last: int) -> dict[str, str]:
    """Return the other pages' paths, with everything else that the query asked for."""
    kept = [pair for pair in parse_qsl(call.request.query_string, keep_blank_values=True) if pair[0] != _PAGE]
    numbers = {"First": 1, "Prev": page - 1, "Next": page + 1, "Last": last} if last > 1 else {}
    plain = path.partition("?")[0]
    return {name: f"{plain}?{urlencode([*kept, (_PAGE, number)])}" for name, number in numbers.items() if 1 <= number <= last}


def _directions(consent: Consent) -> list[bool]:
    """Return True for credits and False for debits, as far as they were agreed."""
    both = (("ReadTransactionsCredits", True), ("ReadTransactionsDebits", False))
    return [is_credit for permission, is_credit in both if permission in consent.permissions]


def _transaction(entry: Entry, *, in_detail: bool) -> dict[str, Any]:
    is_credit = entry.amount_minor > 0
    content: dict[str, Any] = {
        "AccountId": entry.account_id,
        "TransactionId": f"{entry.journal_id}",
        "CreditDebitIndicator": "Credit" if is_credit else "Debit",
        "Status": "BOOK",
        "TransactionMutability": "Immutable",
        "BookingDateTime": timestamp(entry.booked_at),
        "Amount": money(entry.amount_minor),
        # Real-time credit transfers within the country, received or issued (ISO 20022 ExternalBankTransaction codes).
        "BankTransactionCode": {"Code": "RRCT" if is_credit else "IRCT", "SubCode": "DMCT"},
    }
    return content | ({"TransactionInformation": entry.text} if in_detail else {})
