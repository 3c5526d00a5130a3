"""Notices: the text message that asks a customer to come to the website, and the one that tells of a changed number."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, timedelta

from strongroom.access.firms import Firms
from strongroom.funds.customers import Customers
from strongroom.funds.model import Customer
from strongroom.funds.store import logins as login_store
from strongroom.kit.clock import now_of
from strongroom.kit.db import Tx
from strongroom.notify.messages import Messages
from strongroom.notify.model import Limited, Purpose, Queued
from strongroom.notify.texts import Template, Texts

_LINK_LIFE = timedelta(hours=24)


@dataclass(frozen=True, slots=True)
class Notices:
    """Queues notices in the caller's transaction."""

    firms: Firms
    customers: Customers
    messages: Messages
    texts: Texts
    link: str

    async def ask(self, tx: Tx, firm_id: str, customer_ids: list[str], *, key: str) -> list[Queued | Limited]:
        """Ask customers to come; the same key asks once. No amount, no case words, no banking words (compliance 6)."""
        customers = [await self.customers.load(tx, firm_id, customer_id) for customer_id in customer_ids]
        values = {"firm": (await self.firms.load(tx, firm_id)).name, "link": self.link}
        text = await self.texts.write(tx, firm_id, Template.REQUEST_LINK, values)
        outcomes = []
        for customer in sorted(customers, key=lambda one: one.personal.phone):  # one order of locks for everybody
            queued = await self._queue(tx, customer, customer.personal.phone, text, Purpose.LOGIN_LINK, f"{key} {customer.id}")
            if isinstance(queued, Queued):
                await login_store.mark_invited(tx, firm_id, customer.id)
            outcomes.append(queued)
        return outcomes

    async def tell_old_number(self, tx: Tx, customer: Customer, old_phone: str) -> None:
        """Tell a number that it is no longer used, so that a thief's change does not pass unseen."""
        text = await self.texts.write(
            tx, customer.firm_id, Template.PHONE_CHANGED, {"firm": (await self.firms.load(tx, customer.firm_id)).name}
        )
        key = f"phone changed {customer.id} {customer.created_at} {old_phone}"
        await self._queue(tx, customer, old_phone, text, Purpose.NOTICE, key)

    async def _queue(self, tx: Tx, customer: Customer, to: str, text: str, purpose: Purpose, key: str) -> Queued | Limited:
        valid_until = (await now_of(tx)).astimezone(UTC) + _LINK_LIFE
        return await self.messages.queue(tx, customer.firm_id, to=to, text=text, purpose=purpose, valid_until=valid_until, key=key)
