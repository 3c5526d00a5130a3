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
from strongroom.notify.quiet import quiet_until
from strongroom.notify.texts import Template, Texts

_LINK_LIFE = timedelta(hours=24)
_ASK_ONCE_SECONDS = 600


@dataclass(frozen=True, slots=True)
class Notices:
    """Queues notices in the caller's transaction."""

    firms: Firms
    customers: Customers
    messages: Messages
    texts: Texts
    link: str

    async def ask(
        self, tx: Tx, firm_id: str, customer_ids: list[str], *, again: str = "", client: str | None = None
    ) -> list[Queued | Limited]:
        """Ask customers to come. Several requests within ten minutes ask a phone once, unless `again` names a wish to repeat.

        `client` is the software that wants it. No amount, no case words, no banking words (compliance 6).
        """
        customers = [await self.customers.load(tx, firm_id, customer_id) for customer_id in customer_ids]
        firm = await self.firms.load(tx, firm_id)
        values = {"firm": firm.settings.logo_text or firm.name, "link": self.link}
        text = await self.texts.write(tx, firm_id, Template.REQUEST_LINK, values)
        now = (await now_of(tx)).astimezone(UTC)
        settings = firm.settings
        quiet = quiet_until(now, settings.quiet_from, settings.quiet_until, settings.quiet_zone)
        occasion = again or str(int(now.timestamp()) // _ASK_ONCE_SECONDS)
        outcomes = []
        for customer in sorted(customers, key=lambda one: one.personal.phone):  # one order of locks for everybody
            phone = customer.personal.phone
            queued = await self.messages.queue(
                tx, firm_id, to=phone, text=text, purpose=Purpose.LOGIN_LINK,
                valid_until=(quiet or now) + _LINK_LIFE, not_before=quiet, sender=settings.sender_name,
                key=f"ask {phone} {occasion}", client=client,
            )  # fmt: skip
            if isinstance(queued, Queued):
                await login_store.mark_invited(tx, firm_id, customer.id)
            outcomes.append(queued)
        return outcomes

    async def tell_old_number(self, tx: Tx, customer: Customer, old_phone: str) -> None:
        """Tell a number that it is no longer used, so that a thief's change does not pass unseen."""
        firm = await self.firms.load(tx, customer.firm_id)
        values = {"firm": firm.settings.logo_text or firm.name}
        now = (await now_of(tx)).astimezone(UTC)
        await self.messages.queue(
            tx, customer.firm_id, to=old_phone, purpose=Purpose.NOTICE, valid_until=now + _LINK_LIFE,
            sender=firm.settings.sender_name,
            text=await self.texts.write(tx, customer.firm_id, Template.PHONE_CHANGED, values),
            key=f"phone changed {customer.id} {old_phone} {now.isoformat()}",
        )  # fmt: skip
