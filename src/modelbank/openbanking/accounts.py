"""Account information: access consents, and what they open (v4.0)."""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from typing import Any

from msgspec import UNSET

from modelbank.database import Pool
from modelbank.ledger import store as ledger
from modelbank.ledger.store import Account, Customer
from modelbank.oauth import store as oauth_store
from modelbank.openbanking import store
from modelbank.openbanking.answers import Answer, File, created, money, read, timestamp
from modelbank.openbanking.consents import expiry_of, get_consent, state_of, told_back
from modelbank.openbanking.errors import Bare, Code, Refused, forbidden, not_found
from modelbank.openbanking.guard import INVALID_TOKEN, Act, Call
from modelbank.openbanking.schemas import AccessConsentData, AccessConsentRequest
from modelbank.openbanking.standing import Kind, Month, statement_months, tell, tell_statements, write_statement
from modelbank.openbanking.store import Consent
from modelbank.openbanking.times import Period, period_of_query
from modelbank.openbanking.transactions import PERMISSIONS as TRANSACTIONS
from modelbank.openbanking.transactions import agreed_period, tell_transactions
from modelbank.quirks import Quirk

BASE = "/open-banking/v4.0/aisp"
_BASIC = ("ReadAccountsBasic", "ReadAccountsDetail")
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
        _check_period(asked.data)
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
        return created(_consent_content(consent), f"{BASE}/account-access-consents/{consent_id}", TotalPages=1)

    async def read_consent(self, call: Call) -> Answer:
        """Tell where a consent stands."""
        consent = await get_consent(self._pool, call, "accounts", call.request.values["ConsentId"])
        return read(_consent_content(consent), f"{BASE}/account-access-consents/{consent.id}", TotalPages=1)

    async def delete_consent(self, call: Call) -> None:
        """End a consent at the client's wish; its tokens end with it."""
        consent = await get_consent(self._pool, call, "accounts", call.request.values["ConsentId"])
        async with self._pool.acquire() as connection, connection.transaction():
            await store.cancel_consent(connection, consent.id)
            await oauth_store.revoke_tokens_of_consent(connection, consent.id)

    async def list_accounts(self, call: Call) -> Answer:
        """List the accounts that the customer chose."""
        consent, accounts = await self._open(call, *_BASIC)
        return await self._accounts(call, consent, accounts)

    async def read_account(self, call: Call) -> Answer:
        """Tell about one account."""
        consent, accounts = await self._open(call, *_BASIC)
        return await self._accounts(call, consent, [await self._one(accounts, call)])

    async def list_balances(self, call: Call) -> Answer:
        """List the balances of every account."""
        _, accounts = await self._open(call, "ReadBalances")
        return await self._balances(call, accounts)

    async def read_balances(self, call: Call) -> Answer:
        """Tell one account's balance."""
        _, accounts = await self._open(call, "ReadBalances")
        return await self._balances(call, [await self._one(accounts, call)])

    async def list_transactions(self, call: Call) -> Answer:
        """List the booked transactions of every account."""
        consent, accounts = await self._open(call, *TRANSACTIONS)
        asked = period_of_query(call.request.query(), "fromBookingDateTime", "toBookingDateTime")
        return await tell_transactions(self._pool, call, consent, accounts, asked, _path_of(call))

    async def read_transactions(self, call: Call) -> Answer:
        """List one account's booked transactions."""
        consent, accounts = await self._open(call, *TRANSACTIONS)
        asked = period_of_query(call.request.query(), "fromBookingDateTime", "toBookingDateTime")
        return await tell_transactions(self._pool, call, consent, [await self._one(accounts, call)], asked, _path_of(call))

    async def read_party(self, call: Call) -> Answer:
        """Tell who signed in and gave the consent."""
        consent, _ = await self._open(call, "ReadPartyPSU")
        return _read(call, "Party", _parties(await self._party(call, consent))[0])

    async def read_account_party(self, call: Call) -> Answer:
        """Tell who owns an account, as seen from the person who gave the consent."""
        consent, accounts = await self._open(call, "ReadParty")
        await self._one(accounts, call)
        return _read(call, "Party", _parties(await self._party(call, consent))[0])

    async def list_account_parties(self, call: Call) -> Answer:
        """Tell everybody who owns an account."""
        consent, accounts = await self._open(call, "ReadParty")
        await self._one(accounts, call)
        return _read(call, "Party", _parties(await self._party(call, consent)))

    def read_standing(self, kind: Kind, *, of_one: bool) -> Act:
        """Return what answers for one kind of thing that stands about accounts: about one of them, or about all."""

        async def act(call: Call) -> Answer:
            consent, accounts = await self._open(call, *kind.permissions)
            about = [await self._one(accounts, call)] if of_one else accounts
            return tell(kind, about, consent.permissions, await ledger.now(self._pool), _path_of(call))

        return act

    async def list_statements(self, call: Call) -> Answer:
        """List the statements of every account."""
        consent, accounts = await self._open(call, *_STATEMENTS)
        return await self._statements(call, consent, accounts)

    async def read_statements(self, call: Call) -> Answer:
        """List the statements of one account."""
        consent, accounts = await self._open(call, *_STATEMENTS)
        return await self._statements(call, consent, [await self._one(accounts, call)])

    async def read_statement(self, call: Call) -> Answer:
        """Tell one statement."""
        consent, accounts = await self._open(call, *_STATEMENTS)
        account, month = await self._month(call, consent, accounts)
        return await tell_statements(self._pool, [(account, month)], consent.permissions, _path_of(call))

    async def read_statement_file(self, call: Call) -> File:
        """Return one statement as a document."""
        consent, accounts = await self._open(call, "ReadStatementsDetail")
        account, month = await self._month(call, consent, accounts)
        return await write_statement(self._pool, account, month)

    async def read_statement_transactions(self, call: Call) -> Answer:
        """List the transactions of one statement: whoever may see transactions may see these."""
        consent, accounts = await self._open(call, *TRANSACTIONS)
        account, month = await self._month(call, consent, accounts)
        period = Period(month.since, month.until)
        return await tell_transactions(self._pool, call, consent, [account], period, _path_of(call))

    async def _open(self, call: Call, *permissions: str) -> tuple[Consent, list[Account]]:
        """Return the consent and its accounts. Raise Bare or Refused 401 when it has ended, Refused 403 without a permission."""
        consent = await store.find_consent(self._pool, call.bank.id, "accounts", call.consent_id)
        if consent is not None and consent.status == "EXPD":
            raise Refused(Code.TOKEN_EXPIRED, "The time that the customer agreed to is over.", status=401)
        if consent is None or consent.status != "AUTH":
            raise Bare(401, (INVALID_TOKEN,))
        if not any(permission in consent.permissions for permission in permissions):
            raise forbidden("The customer did not agree to this.")
        return consent, await ledger.list_accounts(self._pool, call.bank.id, consent.account_ids)

    async def _one(self, accounts: Sequence[Account], call: Call) -> Account:
        """Return the account that the address names. Raise Refused: 403 when it was not shared, 400 when there is none."""
        account_id = call.request.values["AccountId"]
        for account in accounts:
            if account.id == account_id:
                return account
        if await ledger.has_account(self._pool, call.bank.id, account_id):
            raise forbidden("The customer did not share this account.")
        raise not_found("AccountId")

    async def _month(self, call: Call, consent: Consent, accounts: Sequence[Account]) -> tuple[Account, Month]:
        """Return the statement that the address names. Raise Refused: 403 outside what was agreed, 400 when there is none."""
        account = await self._one(accounts, call)
        for month in statement_months(account, await ledger.now(self._pool)):
            if month.id_of(account) != call.request.values["StatementId"]:
                continue
            if not agreed_period(consent).holds(month.since, month.until):
                raise forbidden("The customer did not agree to show this time.")
            return account, month
        raise not_found("StatementId")

    async def _party(self, call: Call, consent: Consent) -> Customer:
        """Return whose accounts these are. Raise Bare 404 where the bank has no such endpoint."""
        if Quirk.NAMELESS in call.quirks:
            raise Bare(404)
        customer = await ledger.find_customer(self._pool, consent.bank, consent.username or "")
        assert customer is not None  # noqa: S101  # customers are never deleted, and an authorised consent has one
        return customer

    async def _accounts(self, call: Call, consent: Consent, accounts: Sequence[Account]) -> Answer:
        return _read(call, "Account", [_account(account, consent, call.quirks) for account in accounts])

    async def _balances(self, call: Call, accounts: Sequence[Account]) -> Answer:
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
        return _read(call, "Balance", data)

    async def _statements(self, call: Call, consent: Consent, accounts: Sequence[Account]) -> Answer:
        asked = period_of_query(call.request.query(), "fromStatementDateTime", "toStatementDateTime")
        period, now = asked.within(agreed_period(consent)), await ledger.now(self._pool)
        shown = [
            (account, month)
            for account in accounts
            for month in statement_months(account, now)
            if period.holds(month.since, month.until)
        ]
        return await tell_statements(self._pool, shown, consent.permissions, _path_of(call))


def _path_of(call: Call) -> str:
    """Return the address that was asked, without the bank's own beginning."""
    query = f"?{call.request.query_string}" if call.request.query_string else ""
    return BASE + call.request.path.partition(BASE)[2] + query


def _read(call: Call, member: str, data: Any) -> Answer:
    return read({"Data": {member: data}}, _path_of(call), TotalPages=1)


def check_permissions(permissions: Sequence[str]) -> None:
    """Refuse combinations that the standard does not allow."""
    if not set(permissions) & set(_BASIC):
        raise _permission("Ask for ReadAccountsBasic or ReadAccountsDetail.")
    if bool(set(permissions) & set(TRANSACTIONS)) != bool(set(permissions) & set(_DIRECTIONS)):
        raise _permission("Transactions need Basic or Detail, and Credits or Debits.")


def _permission(message: str) -> Refused:
    return Refused(Code.FIELD_INVALID, message, "Data.Permissions")


def _check_period(data: AccessConsentData) -> None:
    """Refuse a time that ends before it begins: nobody could agree to show it."""
    since, until = data.transaction_from_date_time, data.transaction_to_date_time
    if since is not UNSET and until is not UNSET and since.at > until.at:
        raise Refused(Code.DATE_INVALID, "The period ends before it begins.", "Data.TransactionToDateTime")


def _consent_content(consent: Consent) -> dict[str, Any]:
    asked = {name: value for name, value in consent.content["Data"].items() if name in _ASKED}
    return {"Data": told_back(asked) | state_of(consent), "Risk": {}}


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
