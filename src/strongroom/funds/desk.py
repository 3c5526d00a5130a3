"""What a customer may see: their requests and attempts, found only through the records that their session covers."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace

from strongroom.access.firms import Firms
from strongroom.access.model import Firm, Record
from strongroom.funds.customers import Customers
from strongroom.funds.model import AccountRequest, Case, CreditRequest, Payer, Payment, ReceivingAccount, Share
from strongroom.funds.receiving import ReceivingAccounts
from strongroom.funds.results import Results
from strongroom.funds.states import DEBITED
from strongroom.funds.store import cases as case_store
from strongroom.funds.store import payments as payment_store
from strongroom.funds.store import refusals as refusal_store
from strongroom.funds.store import requests as request_store
from strongroom.funds.store import shares as share_store
from strongroom.kit.db import Database, Tx
from strongroom.kit.errors import NotFound


@dataclass(frozen=True, slots=True)
class Asked:
    """A credit request as its customer meets it."""

    firm: Firm
    customer_id: str
    request: CreditRequest
    account: ReceivingAccount
    latest: Payment | None
    own_parts: tuple[Payment, ...] = ()  # of a request that is paid in parts: those that this customer has paid
    paid_minor: int = 0  # and what all customers together have


@dataclass(frozen=True, slots=True)
class AskedToShare:
    """A customer account request as its customer meets it."""

    firm: Firm
    customer_id: str
    request: AccountRequest
    latest: Share | None


@dataclass(frozen=True, slots=True)
class Seen:
    """Everything that one firm asks of one customer."""

    firm: Firm
    customer_id: str
    case: Case
    credit: list[tuple[CreditRequest, Payment | None]]
    account: list[tuple[AccountRequest, Share | None]]


class Desk:
    """Reads for the customer's pages."""

    def __init__(self, db: Database, firms: Firms, customers: Customers, receiving: ReceivingAccounts, results: Results) -> None:
        self._db = db
        self._firms = firms
        self._customers = customers
        self._receiving = receiving
        self._results = results

    async def everything(self, records: Iterable[Record]) -> list[Seen]:
        """Return what each record's firm asks, in the order of the records; closed cases without requests are left out."""
        seen = []
        for record in records:
            async with self._db.transaction(record.firm_id) as tx:
                found = await self._seen(tx, record)
            if found and (found.case.state == "open" or found.credit or found.account):
                seen.append(found)
        return seen

    async def credit_request(self, records: Iterable[Record], request_id: str) -> Asked:
        """Return a credit request that one of the records may see. Raise NotFound."""
        for record in records:
            async with self._db.transaction(record.firm_id) as tx:
                request = await request_store.find_request(tx, record.firm_id, request_id)
                if request is None or not await self._may_see(tx, record, request):
                    continue
                account = await self._receiving.load(tx, record.firm_id, request.receiving_account_id)
                latest = await payment_store.latest_payments(tx, record.firm_id, [request_id])
                firm = await self._firms.load(tx, record.firm_id)
                asked = Asked(firm, record.customer_id, request, account, latest[0] if latest else None)
                return await self._with_parts(tx, asked) if request.allow_split else asked
        raise NotFound

    async def payment(self, records: Iterable[Record], payment_id: str) -> tuple[Asked, Payment]:
        """Return a payment of one of the records' customers, with its request. Raise NotFound."""
        wanted = list(records)
        for record in wanted:
            async with self._db.transaction(record.firm_id) as tx:
                payment = await payment_store.find_payment(tx, record.firm_id, payment_id)
            if payment is not None and payment.customer_id == record.customer_id:
                return await self.credit_request([record], payment.request_id), payment
        raise NotFound

    async def payer(self, payment: Payment) -> Payer | None:
        """Return who paid, as far as the bank told."""
        async with self._db.transaction(payment.firm_id) as tx:
            return await self._results.payer(tx, payment)

    async def account_request(self, records: Iterable[Record], request_id: str) -> AskedToShare:
        """Return a customer account request that one of the records may see. Raise NotFound."""
        for record in records:
            async with self._db.transaction(record.firm_id) as tx:
                request = await share_store.find_request(tx, record.firm_id, request_id)
                if request is None or record.customer_id not in request.asked or record.request_id not in {None, request_id}:
                    continue
                latest = await share_store.latest_shares(tx, record.firm_id, record.customer_id, [request_id])
                firm = await self._firms.load(tx, record.firm_id)
                return AskedToShare(firm, record.customer_id, request, latest[0] if latest else None)
        raise NotFound

    async def share(self, records: Iterable[Record], share_id: str) -> tuple[AskedToShare, Share]:
        """Return a share of one of the records' customers, with its request. Raise NotFound."""
        for record in list(records):
            async with self._db.transaction(record.firm_id) as tx:
                share = await share_store.find_share(tx, record.firm_id, share_id)
            if share is not None and share.customer_id == record.customer_id:
                return await self.account_request([record], share.request_id), share
        raise NotFound

    async def last_bank(self, firm_id: str, customer_id: str) -> str | None:
        """Return the bank at which this customer last came to an agreement."""
        async with self._db.transaction(firm_id) as tx:
            return await payment_store.last_bank(tx, firm_id, customer_id)

    async def refusing_banks(self, request: CreditRequest, amount_minor: int) -> frozenset[str]:
        """Return the banks whose limits have lately refused this amount, or less, to the firm's customers."""
        async with self._db.transaction(request.firm_id) as tx:
            return await refusal_store.refusing_banks(tx, request.firm_id, amount_minor)

    async def _with_parts(self, tx: Tx, asked: Asked) -> Asked:
        paid = [one for one in await payment_store.payments_of(tx, asked.firm.id, asked.request.id) if one.state in DEBITED]
        own = tuple(one for one in paid if one.customer_id == asked.customer_id)
        return replace(asked, own_parts=own, paid_minor=sum(one.amount_minor for one in paid))

    async def _seen(self, tx: Tx, record: Record) -> Seen | None:
        row = await case_store.find_customer_row(tx, record.firm_id, record.customer_id)
        case = await case_store.find_case(tx, record.firm_id, row["case_id"]) if row else None
        if case is None or (record.case_id is not None and record.case_id != case.id):
            return None
        credit = await request_store.requests_for_customer(tx, record.firm_id, case.id, record.customer_id)
        credit = [one for one in credit if record.allows(case.id, one.id)]
        payments = await payment_store.latest_payments(tx, record.firm_id, [one.id for one in credit])
        account = await share_store.requests_for_customer(tx, record.firm_id, case.id, record.customer_id)
        account = [one for one in account if record.allows(case.id, one.id)]
        shares = await share_store.latest_shares(tx, record.firm_id, record.customer_id, [one.id for one in account])
        by_request = {payment.request_id: payment for payment in payments}
        by_share = {share.request_id: share for share in shares}
        return Seen(
            await self._firms.load(tx, record.firm_id),
            record.customer_id,
            case,
            [(one, by_request.get(one.id)) for one in credit],
            [(one, by_share.get(one.id)) for one in account],
        )

    async def _may_see(self, tx: Tx, record: Record, request: CreditRequest) -> bool:
        """True when a request asks this record's customer."""
        if request.customer_id not in {None, record.customer_id} or not record.allows(request.case_id, request.id):
            return False
        row = await case_store.find_customer_row(tx, record.firm_id, record.customer_id)
        return row is not None and row["case_id"] == request.case_id
