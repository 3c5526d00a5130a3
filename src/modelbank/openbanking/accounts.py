"""Account information: access consents, accounts, balances, transactions and parties (v4.0)."""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from datetime import datetime
from typing import Any

from modelbank.database import Pool
from modelbank.ledger import store as ledger
from modelbank.ledger.store import Account, Customer
from modelbank.oauth import store as oauth_store
from modelbank.openbanking import store
from modelbank.openbanking.answers import Answer, File, created, money, read, timestamp
from modelbank.openbanking.consents import expiry_of, get_consent, in_utc, state_of
from modelbank.openbanking.errors import Bare, Code, Refused, forbidden, not_found
from modelbank.openbanking.guard import Act, Call
from modelbank.openbanking.schemas import AccessConsentRequest
from modelbank.openbanking.standing import Kind, Month, statement_months, tell, tell_statements, write_statement
from modelbank.openbanking.store import Consent
from modelbank.quirks import Quirk

BASE = "/open-banking/v4.0/aisp"
_BASIC = ("ReadAccountsBasic", "ReadAccountsDetail")
_TRANSACTIONS = ("ReadTransactionsBasic", "ReadTransactionsDetail")
_STATEMENTS = ("ReadStatementsBasic", "ReadStatementsDetail")
_ASKED = ("Permissions", "ExpirationDateTime", "TransactionFromDateTime", "TransactionToDateTime")
_DIRECTIONS = ("ReadTransactionsCredits", "ReadTransactionsDebits")


class Accounts:
    """The resources under /aisp."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool

    async def create_consent(self, call: Call) -> Answer:
        """Keep a consent that awaits the customer."""
        asked: AccessConsentRequest = call.typed
        permissions: Sequence[str] = asked.data.permissions
        check_permissions(permissions)
        expires_at = expiry_of(asked.data.expiration_date_time, await ledger.now(self._pool))
        consent_id = f"aac-{uuid.uuid4()}"
        await store.add_consent(
            self._pool,
            consent_id,
            call.bank.id,
            call.client.id,
            "accounts",
            call.content,
            permissions=permissions,
            expires_at=expires_at,
        )
        consent = await get_consent(self._pool, call, "accounts", consent_id)
        return created(_consent_content(consent), f"{BASE}/account-access-consents/{consent_id}")

    async def read_consent(self, call: Call) -> Answer:
        """Tell where a consent stands."""
        consent = await get_consent(self._pool, call, "accounts", call.request.values["ConsentId"])
        return read(_consent_content(consent), f"{BASE}/account-access-consents/{consent.id}")

    async def delete_consent(self, call: Call) -> None:
        """End a consent at the client's wish; its tokens end with it."""
        consent = await get_consent(self._pool, call, "accounts", call.request.values["ConsentId"])
        async with self._pool.acquire() as connection, connection.transaction():
            await store.cancel_consent(connection, consent.id)
            await oauth_store.revoke_tokens_of_consent(connection, consent.id)

    async def list_accounts(self, call: Call) -> Answer:
        """List the accounts that the customer chose."""
        consent, accounts = await self._open(call, *_BASIC)
        data = [_account(account, consent, call.quirks) for account in accounts]
        return read({"Data": {"Account": data}}, f"{BASE}/accounts", TotalPages=1)

    async def read_account(self, call: Call) -> Answer:
        """Tell about one account."""
        consent, accounts = await self._open(call, *_BASIC)
        data = [_account(_one(accounts, call), consent, call.quirks)]
        return read({"Data": {"Account": data}}, f"{BASE}/accounts/{call.request.values['AccountId']}", TotalPages=1)

    async def list_balances(self, call: Call) -> Answer:
        """List the balances of every account."""
        _, accounts = await self._open(call, "ReadBalances")
        return await self._balances(accounts, f"{BASE}/balances")

    async def read_balances(self, call: Call) -> Answer:
        """Tell one account's balance."""
        _, accounts = await self._open(call, "ReadBalances")
        account = _one(accounts, call)
        return await self._balances([account], f"{BASE}/accounts/{account.id}/balances")

    async def list_transactions(self, call: Call) -> Answer:
        """List the booked transactions of every account."""
        consent, accounts = await self._open(call, *_TRANSACTIONS)
        return await self._transactions(call, consent, accounts, f"{BASE}/transactions")

    async def read_transactions(self, call: Call) -> Answer:
        """List one account's booked transactions."""
        consent, accounts = await self._open(call, *_TRANSACTIONS)
        account = _one(accounts, call)
        return await self._transactions(call, consent, [account], f"{BASE}/accounts/{account.id}/transactions")

    async def read_party(self, call: Call) -> Answer:
        """Tell who signed in and gave the consent."""
        consent, _ = await self._open(call, "ReadPartyPSU")
        customer = await self._party(call, consent)
        return read({"Data": {"Party": _parties(customer)[0]}}, f"{BASE}/party", TotalPages=1)

    async def read_account_party(self, call: Call) -> Answer:
        """Tell who owns an account, as seen from the person who gave the consent."""
        consent, accounts = await self._open(call, "ReadParty")
        account = _one(accounts, call)
        customer = await self._party(call, consent)
        return read({"Data": {"Party": _parties(customer)[0]}}, f"{BASE}/accounts/{account.id}/party", TotalPages=1)

    async def list_account_parties(self, call: Call) -> Answer:
        """Tell everybody who owns an account."""
        consent, accounts = await self._open(call, "ReadParty")
        account = _one(accounts, call)
        customer = await self._party(call, consent)
        return read({"Data": {"Party": _parties(customer)}}, f"{BASE}/accounts/{account.id}/parties", TotalPages=1)

    async def _open(self, call: Call, *permissions: str) -> tuple[Consent, list[Account]]:
        """Return the consent and its accounts. Raise Bare 401 when it has ended, Refused 403 without a permission."""
        consent = await store.find_consent(self._pool, call.bank.id, "accounts", call.consent_id)
        if consent is None or consent.status != "AUTH":
            raise Bare(401, (("www-authenticate", 'Bearer error="invalid_token"'),))
        if not any(permission in consent.permissions for permission in permissions):
            raise forbidden("The customer did not agree to this.")
        return consent, await ledger.list_accounts(self._pool, call.bank.id, consent.account_ids)

    async def _party(self, call: Call, consent: Consent) -> Customer:
        """Return whose accounts these are. Raise Bare 404 where the bank has no such endpoint."""
        if Quirk.NAMELESS in call.quirks:
            raise Bare(404)
        customer = await ledger.find_customer(self._pool, consent.bank, consent.username or "")
        assert customer is not None  # noqa: S101  # customers are never deleted, and an authorised consent has one
        return customer

    async def _balances(self, accounts: Sequence[Account], path: str) -> Answer:
        moment = timestamp(await ledger.now(self._pool))
        kinds = (("ITBD", "balance_minor"), ("ITAV", "available_minor"))
        data = [
            {
                "AccountId": account.id,
                "CreditDebitIndicator": "Credit" if getattr(account, attribute) >= 0 else "Debit",
                "Type": kind,
                "DateTime": moment,
                "Amount": money(getattr(account, attribute)),
            }
            for account in accounts
            for kind, attribute in kinds
        ]
        return read({"Data": {"Balance": data}}, path, TotalPages=1)

    def read_standing(self, kind: Kind, *, of_one: bool) -> Act:
        """Return what answers for one kind of thing that stands about accounts: about one of them, or about all."""

        async def act(call: Call) -> Answer:
            consent, accounts = await self._open(call, *kind.permissions)
            about = [_one(accounts, call)] if of_one else accounts
            return tell(kind, about, consent.permissions, await ledger.now(self._pool), _path_of(call))

        return act

    async def list_statements(self, call: Call) -> Answer:
        """List the statements of every account."""
        consent, accounts = await self._open(call, *_STATEMENTS)
        return await self._statements(call, consent, accounts)

    async def read_statements(self, call: Call) -> Answer:
        """List the statements of one account."""
        consent, accounts = await self._open(call, *_STATEMENTS)
        return await self._statements(call, consent, [_one(accounts, call)])

    async def read_statement(self, call: Call) -> Answer:
        """Tell one statement."""
        consent, accounts = await self._open(call, *_STATEMENTS)
        account = _one(accounts, call)
        month = await self._month(call, account)
        return await tell_statements(self._pool, [(account, month)], consent.permissions, _path_of(call))

    async def read_statement_file(self, call: Call) -> File:
        """Return one statement as a document."""
        _, accounts = await self._open(call, "ReadStatementsDetail")
        account = _one(accounts, call)
        return await write_statement(self._pool, account, await self._month(call, account))

    async def read_statement_transactions(self, call: Call) -> Answer:
        """List the transactions of one statement."""
        consent, accounts = await self._open(call, *_STATEMENTS)
        account = _one(accounts, call)
        if not set(consent.permissions) & set(_TRANSACTIONS):
            raise forbidden("The customer did not agree to this.")
        found = await self._month(call, account)
        entries = await ledger.list_statement(self._pool, call.bank.id, [account.id], found.since, found.until)
        data = [_transaction(entry, consent) for entry in entries if _is_visible(entry, consent)]
        return read({"Data": {"Transaction": data}}, _path_of(call), TotalPages=1)

    async def _statements(self, call: Call, consent: Consent, accounts: Sequence[Account]) -> Answer:
        query, now = call.request.query(), await ledger.now(self._pool)
        since, until = _read_time(query, "fromStatementDateTime"), _read_time(query, "toStatementDateTime")
        chosen = [
            (account, month)
            for account in accounts
            for month in statement_months(account, now)
            if (since is None or month.since >= since) and (until is None or month.until <= until)
        ]
        path = _path_of(call) + (f"?{call.request.query_string}" if query else "")
        return await tell_statements(self._pool, chosen, consent.permissions, path)

    async def _month(self, call: Call, account: Account) -> Month:
        """Return the month that a statement is of. Raise Refused when there is no such statement."""
        for month in statement_months(account, await ledger.now(self._pool)):
            if month.id_of(account) == call.request.values["StatementId"]:
                return month
        raise not_found("StatementId")

    async def _transactions(self, call: Call, consent: Consent, accounts: Sequence[Account], path: str) -> Answer:
        since, until = _window(consent, call.request.query())
        entries = await ledger.list_statement(self._pool, call.bank.id, [account.id for account in accounts], since, until)
        data = [_transaction(entry, consent) for entry in entries if _is_visible(entry, consent)]
        query = f"?{call.request.query_string}" if call.request.query_string else ""
        return read({"Data": {"Transaction": data}}, path + query, TotalPages=1)


def _path_of(call: Call) -> str:
    """Return the address that was asked, without the bank's own beginning."""
    return BASE + call.request.path.partition(BASE)[2]


def check_permissions(permissions: Sequence[str]) -> None:
    """Refuse combinations that the standard does not allow."""
    if not set(permissions) & set(_BASIC):
        raise _permission("Ask for ReadAccountsBasic or ReadAccountsDetail.")
    if bool(set(permissions) & set(_TRANSACTIONS)) != bool(set(permissions) & set(_DIRECTIONS)):
        raise _permission("Transactions need Basic or Detail, and Credits or Debits.")


def _permission(message: str) -> Refused:
    return Refused(Code.FIELD_INVALID, message, "Data.Permissions")


def _one(accounts: Sequence[Account], call: Call) -> Account:
    for account in accounts:
        if account.id == call.request.values["AccountId"]:
            return account
    raise not_found("AccountId")


def _consent_content(consent: Consent) -> dict[str, Any]:
    asked = {name: value for name, value in consent.content["Data"].items() if name in _ASKED}
    return {"Data": asked | state_of(consent), "Risk": {}}


def _account(account: Account, consent: Consent, quirks: frozenset[Quirk]) -> dict[str, Any]:
    content: dict[str, Any] = {
        "AccountId": account.id,
        "Status": "Enabled",
        "StatusUpdateDateTime": timestamp(account.opened_at),
        "Currency": "GBP",
        "AccountCategory": "Personal",
        "AccountTypeCode": account.type_code,
        "Nickname": account.nickname,
        "OpeningDate": timestamp(account.opened_at),
    }
    if "ReadAccountsDetail" in consent.permissions:
        detail = {"SchemeName": "UK.OBIE.SortCodeAccountNumber", "Identification": account.identification}
        if quirks.isdisjoint({Quirk.NAMELESS, Quirk.PARTY_ONLY}):
            detail["Name"] = account.holder
        content["Account"] = [detail]
    return content


def _parties(customer: Customer) -> list[dict[str, Any]]:
    return [
        {
            "PartyId": f"{customer.username}-{place}",
            "PartyType": "Joint" if len(customer.names) > 1 else "Sole",
            "Name": name,
            "FullLegalName": name,
            "LegalStructure": "UK.OBIE.Individual",
            "AccountRole": "UK.OBIE.Principal",
        }
        for place, name in enumerate(customer.names, 1)
    ]


def _window(consent: Consent, query: dict[str, str]) -> tuple[datetime | None, datetime | None]:
    """Return the times between which transactions are shown: what is asked, within what was agreed."""
    data = consent.content["Data"]
    asked = [_read_time(query, "fromBookingDateTime"), _read_time(query, "toBookingDateTime")]
    agreed = [_read_time(data, "TransactionFromDateTime"), _read_time(data, "TransactionToDateTime")]
    since = max((moment for moment in (asked[0], agreed[0]) if moment), default=None)
    until = min((moment for moment in (asked[1], agreed[1]) if moment), default=None)
    return since, until


def _read_time(values: dict[str, Any], name: str) -> datetime | None:
    if name not in values:
        return None
    try:
        moment = datetime.fromisoformat(values[name].replace(" ", "+"))
    except ValueError:
        raise Refused(Code.DATE_INVALID, "This is no date and time.", name) from None
    return in_utc(moment, name)


def _is_visible(entry: dict[str, Any], consent: Consent) -> bool:
    needed = "ReadTransactionsCredits" if entry["amount_minor"] > 0 else "ReadTransactionsDebits"
    return needed in consent.permissions


def _transaction(entry: dict[str, Any], consent: Consent) -> dict[str, Any]:
    content = {
        "AccountId": entry["account_id"],
        "TransactionId": f"{entry['journal_id']}",
        "CreditDebitIndicator": "Credit" if entry["amount_minor"] > 0 else "Debit",
        "Status": "BOOK",
        "TransactionMutability": "Immutable",
        "BookingDateTime": timestamp(entry["booked_at"]),
        "Amount": money(entry["amount_minor"]),
    }
    if "ReadTransactionsDetail" in consent.permissions:
        content["TransactionInformation"] = entry["text"]
    return content
