"""What every kind of consent has: its owner, its state as the standard tells it, and an end that may lie ahead."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from msgspec import UNSET, UnsetType

from modelbank.database import Tx
from modelbank.openbanking import store
from modelbank.openbanking.answers import status_reason, timestamp
from modelbank.openbanking.errors import Code, Refused, forbidden, not_found
from modelbank.openbanking.guard import Call
from modelbank.openbanking.store import Consent
from modelbank.openbanking.times import Moment


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
    expired_at = consent.expires_at if consent.status == "EXPD" else None
    reason = ("TKXP", None) if expired_at else (consent.reason_code, consent.reason)
    return {
        "ConsentId": consent.id,
        "CreationDateTime": timestamp(consent.created_at),
        "Status": consent.status,
        "StatusUpdateDateTime": timestamp(expired_at or consent.status_at),
        **status_reason(*reason),
    }


def told_back(asked: dict[str, Any]) -> dict[str, Any]:
    """Return what a client asked for as an answer tells it: every time has a zone there."""
    return {name: Moment(value).told if name.endswith("DateTime") else value for name, value in asked.items()}


def expiry_of(asked: Moment | UnsetType, now: datetime) -> datetime | None:
    """Return when a consent is to end, if it is. Raise Refused (U003) when that has passed."""
    if asked is UNSET:
        return None
    if asked.at <= now:
        raise Refused(Code.DATE_INVALID, "The expiry must lie ahead.", "Data.ExpirationDateTime")
    return asked.at
