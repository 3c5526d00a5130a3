"""Confirmation of funds for card issuers (CBPII, v4.0): a consent for one account, and yes or no to an amount.

Neither signed nor idempotent: who got no answer asks anew, under a new reference.
"""

from __future__ import annotations

import uuid
from typing import Any

from modelbank.database import Pool
from modelbank.ledger import store as ledger
from modelbank.oauth import store as oauth_store
from modelbank.openbanking import store
from modelbank.openbanking.answers import Answer, created, read, timestamp
from modelbank.openbanking.consents import expiry_of, get_consent, state_of, told_back
from modelbank.openbanking.errors import Code, Refused, forbidden
from modelbank.openbanking.guard import Call
from modelbank.openbanking.payments import check_account, check_amount
from modelbank.openbanking.schemas import FundsConsentRequest, FundsRequest
from modelbank.openbanking.store import Consent

BASE = "/open-banking/v4.0/cbpii"
KIND = "fundsconfirmations"
_CONSENTS = f"{BASE}/funds-confirmation-consents"


class Funds:
    """The resources under /cbpii."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool

    async def create_consent(self, call: Call) -> Answer:
        """Keep a consent that awaits the customer. Whether the account exists is not told: only its owner may know."""
        asked: FundsConsentRequest = call.typed
        account = asked.data.debtor_account
        check_account("Data.DebtorAccount", account.scheme_name, account.identification)
        expires_at = expiry_of(asked.data.expiration_date_time, await ledger.now(self._pool))
        consent_id = f"fcc-{uuid.uuid4()}"
        await store.add_consent(self._pool, consent_id, call.bank.id, call.client.id, KIND, call.content, expires_at=expires_at)
        consent = await get_consent(self._pool, call, KIND, consent_id)
        return created(_consent_content(consent), f"{_CONSENTS}/{consent_id}")

    async def read_consent(self, call: Call) -> Answer:
        """Tell where a consent stands."""
        consent = await get_consent(self._pool, call, KIND, call.request.values["ConsentId"])
        return read(_consent_content(consent), f"{_CONSENTS}/{consent.id}")

    async def delete_consent(self, call: Call) -> None:
        """End a consent at the client's wish; its tokens end with it."""
        consent = await get_consent(self._pool, call, KIND, call.request.values["ConsentId"])
        async with self._pool.acquire() as connection, connection.transaction():
            await store.cancel_consent(connection, consent.id)
            await oauth_store.revoke_tokens_of_consent(connection, consent.id)

    async def confirm(self, call: Call) -> Answer:
        """Say whether the amount could be spent now, and nothing else. Nothing is set aside."""
        asked: FundsRequest = call.typed
        consent = await self._authorised(call, asked.data.consent_id)
        amount_minor = check_amount(asked.data.instructed_amount, "Data.InstructedAmount")
        confirmation_id = str(uuid.uuid4())
        told = await store.add_funds_confirmation(self._pool, confirmation_id, consent, asked.data.reference, amount_minor)
        if told is None:
            await self._authorised(call, consent.id)  # the consent may have ended meanwhile
            raise Refused(Code.REFERENCE_DUPLICATE, "This reference was used before.", "Data.Reference")
        data = call.content["Data"] | {
            "FundsConfirmationId": confirmation_id,
            "CreationDateTime": timestamp(told.created_at),
            "FundsAvailable": told.is_available,
        }
        return created({"Data": data}, f"{BASE}/funds-confirmations/{confirmation_id}")

    async def _authorised(self, call: Call, consent_id: str) -> Consent:
        consent = await get_consent(self._pool, call, KIND, consent_id)
        if consent.id != call.consent_id:
            raise forbidden("The token is for another consent.")
        if consent.status != "AUTH":
            raise Refused(Code.CONSENT_STATUS, "The consent is not authorised.", "Data.ConsentId")
        return consent


def _consent_content(consent: Consent) -> dict[str, Any]:
    return {"Data": told_back(consent.content["Data"]) | state_of(consent)}
