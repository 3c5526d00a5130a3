"""The customer's decision at the bank: who may make it, what there is to choose from, and the yes or no, recorded once.

A client asks in one of three ways: it sends the customer here (redirect), it asks from behind and the customer comes with a phone
(decoupled), or it asks anew about a consent that is in force (renewal). All three come to one decision about one consent.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from modelbank.banks import Bank
from modelbank.database import Pool, Tx
from modelbank.ledger import store as ledger
from modelbank.ledger.store import Account
from modelbank.oauth import store as oauth_store
from modelbank.oauth.backchannel import store as backchannel_store
from modelbank.oauth.backchannel.store import Wanted
from modelbank.oauth.requests import RESOURCE_SCOPES
from modelbank.oauth.store import Authorisation
from modelbank.openbanking import store
from modelbank.openbanking.answers import REASONS
from modelbank.openbanking.store import Consent

CANCELLED, TOO_LITTLE_MONEY, NOT_IDENTIFIED, NOT_FINISHED = "CUST", "AM04", "U037", "U036"


@dataclass(frozen=True, slots=True)
class Decision:
    """A decision as it stands: about which consent, and who has asked for it how."""

    authorisation: Authorisation
    consent: Consent
    wanted: Wanted | None = None  # of a decoupled request

    @property
    def is_payment(self) -> bool:
        """True when money is asked for."""
        return self.consent.kind == "payments"

    @property
    def is_renewal(self) -> bool:
        """True when its customer agreed before, and the accounts are chosen already."""
        return self.consent.may_be_renewed

    @property
    def is_granted(self) -> bool:
        """True once the customer has said yes."""
        return self.authorisation.outcome == "granted"

    @property
    def takes_one(self) -> bool:
        """True when exactly one account must be chosen; to share, one or several."""
        return self.consent.kind != "accounts"

    def objection_to(self, username: str) -> str | None:
        """Return why this customer may not make it, in words for them."""
        if self.wanted is not None and self.wanted.username not in {None, username}:
            return "This request is for another customer. Sign in as that one."
        if self.is_renewal and self.consent.username != username:
            return "This was agreed to by another customer. Sign in as that one."
        return None

    def offered(self, owned: Sequence[Account]) -> list[Account]:
        """Return the accounts to choose from: the client's choice alone, when it named one."""
        data = self.consent.content["Data"]
        named = data.get("Initiation", data).get("DebtorAccount", {}).get("Identification")
        return [account for account in owned if named in {None, account.identification}]

    def is_enough(self, account: Account) -> bool:
        """True when an account has the money that is asked for."""
        return account.available_minor >= (self.consent.amount_minor or 0)


class Decisions:
    """Finds decisions and records what the customer says."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool

    async def find(self, bank: Bank, visit_id: str, browser: str) -> Decision | None:
        """Return the decision of a visit, if this browser began it."""
        authorisation = await oauth_store.find_authorisation(self._pool, bank.id, visit_id, browser)
        if authorisation is None:
            return None
        [kind] = set(RESOURCE_SCOPES) & set(authorisation.scope.split())
        consent = await store.find_consent(self._pool, bank.id, kind, authorisation.consent_id)
        asked_by = authorisation.asked_by
        wanted = None if asked_by is None else await backchannel_store.get_wanted(self._pool, asked_by)
        return None if consent is None else Decision(authorisation, consent, wanted)

    async def list_owned(self, decision: Decision) -> list[Account]:
        """Return the accounts of whoever has signed in."""
        username = decision.authorisation.username or ""
        return await ledger.list_customer_accounts(self._pool, decision.authorisation.bank, username)

    async def identify(self, decision: Decision, username: str) -> None:
        """Note who decides; a renewal is about the accounts that were chosen at first."""
        await oauth_store.note_login(self._pool, decision.authorisation.id, username)
        if decision.is_renewal:
            await oauth_store.note_accounts(self._pool, decision.authorisation.id, decision.consent.account_ids)

    async def choose(self, decision: Decision, account_ids: Sequence[str]) -> None:
        """Note the accounts that the customer picked."""
        await oauth_store.note_accounts(self._pool, decision.authorisation.id, account_ids)

    async def grant(self, decision: Decision, chosen: Sequence[Account]) -> None:
        """Grant, once, and end what was granted before. What stopped waiting meanwhile ends the visit as refused."""
        authorisation = decision.authorisation
        async with self._pool.acquire() as connection, connection.transaction():
            if not await oauth_store.finish_authorisation(connection, authorisation.id, "granted", None, None):
                return
            if not await _answer_client(connection, authorisation, "granted"):
                await oauth_store.withdraw_grant(connection, authorisation.id, "The client no longer awaits an answer.")
                return
            chosen_ids = [account.id for account in chosen]
            if not await store.authorise_consent(connection, decision.consent.id, authorisation.username or "", chosen_ids):
                await oauth_store.withdraw_grant(connection, authorisation.id, "U009: The consent no longer awaits the customer.")
                if authorisation.asked_by is not None:
                    await backchannel_store.withdraw_answer(connection, authorisation.asked_by)
                return
            await oauth_store.revoke_tokens_of_consent(connection, decision.consent.id)

    async def refuse(self, decision: Decision, code: str) -> None:
        """Refuse, once, for a reason of the standard's."""
        authorisation = decision.authorisation
        async with self._pool.acquire() as connection, connection.transaction():
            text = f"{code}: {REASONS[code]}"
            if not await oauth_store.finish_authorisation(connection, authorisation.id, "refused", "access_denied", text):
                return
            if await _answer_client(connection, authorisation, "refused"):
                await store.reject_consent(connection, decision.consent.id, code, REASONS[code])

    async def cancel(self, decision: Decision) -> None:
        """Take no for an answer. Without enough money in any account, that is the reason given."""
        await self.refuse(decision, await self._reason(decision))

    async def run_out(self, decision: Decision) -> None:
        """End a visit whose time is over; the consent goes on waiting."""
        text = REASONS[NOT_FINISHED]
        await oauth_store.finish_authorisation(
            self._pool, decision.authorisation.id, "refused", "access_denied", f"{NOT_FINISHED}: {text}"
        )
        await store.note_reason(self._pool, decision.consent.id, NOT_FINISHED, text)

    async def make_unasked(self, decision: Decision) -> None:
        """Decide for a customer who never sees a page: yes, where there is an account for it."""
        owned = await self.list_owned(decision)
        usable = decision.offered(owned) if decision.consent.kind == "fundsconfirmations" else owned
        if not usable:
            await self.refuse(decision, NOT_IDENTIFIED)
            return
        enough = [account for account in usable if decision.is_enough(account)] or usable
        await self.grant(decision, enough[:1] if decision.takes_one else owned)

    async def _reason(self, decision: Decision) -> str:
        if decision.authorisation.username is None:
            return CANCELLED
        if any(decision.is_enough(account) for account in decision.offered(await self.list_owned(decision))):
            return CANCELLED
        return TOO_LITTLE_MONEY if decision.is_payment else NOT_IDENTIFIED


async def _answer_client(tx: Tx, authorisation: Authorisation, outcome: str) -> bool:
    """Record the answer for a client that asked from behind; False when it was answered before or came too late."""
    if authorisation.asked_by is None:
        return True
    return await backchannel_store.finish_request(tx, authorisation.asked_by, authorisation.id, outcome)
