"""What every kind of consent has: its owner, its state as the standard tells it, and an end that may lie ahead."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from msgspec import UNSET, UnsetType

from modelbank.database import Tx
from modelbank.openbanking import store
from modelbank.openbanking.answers import status_reason, timestamp
from modelbank.openbanking.errors import Code, Refused, forbidden, not_found
from modelbank.openbanking.guard import Call
from modelbank.openbanking.store import Consent


async def get_consent(tx: Tx, call: Call, kind: str, consent_id: str) -> Consent:
    """Return a consent of this client. Raise Refused: 400 when it does not exist, 403 when it is another client's."""
    consent = await store.find_consent(tx, call.bank.id, kind, consent_id)
    if consent is None:
        raise not_found("ConsentId")
    if consent.client_id != call.client.id:
        raise forbidden("The consent is another client's.")
    return consent


def state_of(consent: Consent) -> dict[str, Any]:
    """Return the members that the bank adds to what the client asked for."""
    return {
        "ConsentId": consent.id,
        "CreationDateTime": timestamp(consent.created_at),
        "Status": consent.status,
        "StatusUpdateDateTime": timestamp(consent.status_at),
        **status_reason(consent.reason_code, consent.reason),
    }


def expiry_of(asked: datetime | UnsetType, now: datetime) -> datetime | None:
    """Return when a consent is to end, if it is. Raise Refused (U003) when that has passed; without a zone it is UTC."""
    if asked is UNSET:
        return None
    moment = in_utc(asked, "Data.ExpirationDateTime")
    if moment <= now:
        raise Refused(Code.DATE_INVALID, "The expiry must lie ahead.", "Data.ExpirationDateTime")
    return moment


def in_utc(moment: datetime, path: str) -> datetime:
    """Return a time in UTC, which it is in already when it has no zone. Raise Refused (U003) for one before or after all years."""
    try:
        return moment.astimezone(UTC) if moment.tzinfo else moment.replace(tzinfo=UTC)
    except OverflowError:
        raise Refused(Code.DATE_INVALID, "This is no date and time.", path) from None
