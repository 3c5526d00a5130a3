"""All SQL about consents, payments and idempotency."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from modelbank.database import Tx


@dataclass(frozen=True, slots=True)
class Consent:
    """What a client asked for and where it stands."""

    id: str
    bank: str
    client_id: str
    kind: str
    status: str
    reason_code: str | None
    reason: str | None
    request: str
    amount_minor: int | None
    permissions: list[str]
    expires_at: datetime | None
    username: str | None
    account_ids: list[str]
    created_at: datetime
    status_at: datetime

    @property
    def content(self) -> dict[str, Any]:
        """Return the request as it was sent."""
        content: dict[str, Any] = json.loads(self.request)
        return content

    @property
    def may_be_renewed(self) -> bool:
        """True when its customer may agree to it once more: it lasts, and is in force."""
        return self.status == "AUTH" and self.kind != "payments"


_CONSENT = """id, bank, client_id, kind,
    CASE WHEN status IN ('AWAU', 'AUTH') AND expires_at <= app_now() THEN 'EXPD' ELSE status END AS status,
    reason_code, reason, request, amount_minor, permissions, expires_at, username, account_ids, created_at, status_at"""


async def add_consent(
    tx: Tx,
    consent_id: str,
    bank: str,
    client_id: str,
    kind: str,
    request: dict[str, Any],
    *,
    amount_minor: int | None = None,
    permissions: Sequence[str] = (),
    expires_at: datetime | None = None,
) -> None:
    """Keep a new consent, which awaits the customer."""
    await tx.execute(
        """
        WITH moment AS MATERIALIZED (SELECT app_now() AS at)
        INSERT INTO consents (id, bank, client_id, kind, request, amount_minor, permissions, expires_at, created_at, status_at)
        SELECT $1, $2, $3, $4, $5, $6, $7, $8, at, at FROM moment
        """,
        consent_id,
        bank,
        client_id,
        kind,
        json.dumps(request, ensure_ascii=False),
        amount_minor,
        list(permissions),
        expires_at,
    )


async def find_consent(tx: Tx, bank: str, kind: str, consent_id: str) -> Consent | None:
    """Find a consent of this kind; one that was deleted is gone."""
    row = await tx.fetchrow(
        f"SELECT {_CONSENT} FROM consents WHERE id = $1 AND bank = $2 AND kind = $3 AND status <> 'CANC'",
        consent_id,
        bank,
        kind,
    )
    return None if row is None else Consent(**row)


async def authorise_consent(tx: Tx, consent_id: str, username: str, account_ids: Sequence[str]) -> bool:
    """Record that the customer agreed, or agreed again to what lasts; False when the consent no longer waits for them."""
    row = await tx.fetchrow(
        """
        WITH moment AS MATERIALIZED (SELECT app_now() AS at)
        UPDATE consents SET status = 'AUTH', username = $2, account_ids = $3, authorised_at = at,
            status_at = CASE status WHEN 'AWAU' THEN at ELSE status_at END, reason_code = NULL, reason = NULL
        FROM moment
        WHERE id = $1 AND (status = 'AWAU' OR (status = 'AUTH' AND kind <> 'payments' AND username = $2))
            AND (expires_at IS NULL OR expires_at > at)
        RETURNING 1
        """,
        consent_id,
        username,
        list(account_ids),
    )
    return row is not None


async def reject_consent(tx: Tx, consent_id: str, reason_code: str, reason: str) -> None:
    """Record that the customer or the bank said no, if the consent still waits."""
    await tx.execute(
        """
        UPDATE consents SET status = 'RJCT', reason_code = $2, reason = $3, status_at = app_now()
        WHERE id = $1 AND status = 'AWAU'
        """,
        consent_id,
        reason_code,
        reason,
    )


async def note_reason(tx: Tx, consent_id: str, reason_code: str, reason: str) -> None:
    """Say why a consent still waits."""
    await tx.execute(
        """
        UPDATE consents SET reason_code = $2, reason = $3, status_at = app_now() WHERE id = $1 AND status = 'AWAU'
        """,
        consent_id,
        reason_code,
        reason,
    )


async def consume_consent(tx: Tx, consent_id: str) -> bool:
    """Use up a payment consent; False when it is not authorised, or not any more."""
    row = await tx.fetchrow(
        "UPDATE consents SET status = 'COND', status_at = app_now() WHERE id = $1 AND status = 'AUTH' RETURNING 1", consent_id
    )
    return row is not None


async def cancel_consent(tx: Tx, consent_id: str) -> None:
    """Delete a consent that lasts at the client's wish."""
    await tx.execute("UPDATE consents SET status = 'CANC', status_at = app_now() WHERE id = $1", consent_id)


async def add_funds_confirmation(
    tx: Tx, confirmation_id: str, consent: Consent, reference: str, amount_minor: int
) -> FundsConfirmation | None:
    """Judge the funds of the consent's account and keep the answer; None when the consent has ended or the reference was used."""
    row = await tx.fetchrow(
        """
        INSERT INTO funds_confirmations (id, bank, client_id, consent_id, reference, amount_minor, is_available, created_at)
        SELECT $1, $2, $3, $4, $5, $6, balance_minor - reserved_minor >= $6, app_now()
        FROM accounts JOIN consents ON consents.id = $4 AND consents.status = 'AUTH'
        WHERE accounts.bank = $2 AND accounts.id = $7 FOR SHARE OF consents
        ON CONFLICT (bank, client_id, reference) DO NOTHING RETURNING is_available, created_at
        """,
        confirmation_id,
        consent.bank,
        consent.client_id,
        consent.id,
        reference,
        amount_minor,
        consent.account_ids[0],
    )
    return None if row is None else FundsConfirmation(**row)


@dataclass(frozen=True, slots=True)
class FundsConfirmation:
    """The bank's answer to a question about funds."""

    is_available: bool
    created_at: datetime


@dataclass(frozen=True, slots=True)
class Claimed:
    """The resource that an idempotency key belongs to, and whether it was claimed just now."""

    resource_id: str
    body_hash: bytes
    is_new: bool


async def claim_key(
    tx: Tx, bank: str, client_id: str, endpoint: str, key: str, body_hash: bytes, resource_id: str, seconds: int
) -> Claimed:
    """Claim an idempotency key for a new resource, or return what it was claimed for. Others with the key wait."""
    row = await tx.fetchrow(
        """
        INSERT INTO idempotency_keys AS kept (bank, client_id, endpoint, key, body_hash, resource_id, created_at)
        VALUES ($1, $2, $3, $4, $5, $6, app_now())
        ON CONFLICT (bank, client_id, endpoint, key) DO UPDATE
            SET body_hash = $5, resource_id = $6, created_at = app_now()
            WHERE kept.created_at <= app_now() - make_interval(secs => $7)
        RETURNING resource_id, body_hash
        """,
        bank,
        client_id,
        endpoint,
        key,
        body_hash,
        resource_id,
        float(seconds),
    )
    if row is not None:
        return Claimed(row["resource_id"], row["body_hash"], is_new=True)
    row = await tx.fetchrow(
        """
        SELECT resource_id, body_hash FROM idempotency_keys
        WHERE bank = $1 AND client_id = $2 AND endpoint = $3 AND key = $4
        """,
        bank,
        client_id,
        endpoint,
        key,
    )
    return Claimed(row["resource_id"], row["body_hash"], is_new=False)


@dataclass(frozen=True, slots=True)
class Payment:
    """A payment that a client submitted."""

    id: str
    bank: str
    client_id: str
    consent_id: str
    account_id: str
    amount_minor: int
    status: str
    reason_code: str | None
    created_at: datetime
    status_at: datetime


_PAYMENT = "id, bank, client_id, consent_id, account_id, amount_minor, status, reason_code, created_at, status_at"


@dataclass(frozen=True, slots=True)
class Step:
    """One status on a payment's way, `after_seconds` after the payment was received."""

    status: str
    after_seconds: float
    reason_code: str | None = None


async def add_payment(tx: Tx, payment_id: str, consent: Consent, instruction_id: str, plan: Sequence[Step]) -> bool:
    """Keep a payment with the plan of its statuses; the first is where it stands. False when the instruction was used before."""
    row = await tx.fetchrow(
        """
        WITH moment AS MATERIALIZED (SELECT app_now() AS at)
        INSERT INTO payments (id, bank, client_id, consent_id, instruction_id, account_id, amount_minor, status, reason_code,
            created_at, status_at)
        SELECT $1, $2, $3, $4, $5, $6, $7, $8, $9, at, at FROM moment
        ON CONFLICT DO NOTHING RETURNING created_at
        """,
        payment_id,
        consent.bank,
        consent.client_id,
        consent.id,
        instruction_id,
        consent.account_ids[0],
        consent.amount_minor,
        plan[0].status,
        plan[0].reason_code,
    )
    if row is None:
        return False
    await tx.executemany(
        """
        INSERT INTO steps (payment_id, place, status, reason_code, due_at, done)
        VALUES ($1, $2, $3, $4, $5::timestamptz + make_interval(secs => $6), $2 = 0)
        """,
        [
            (payment_id, place, step.status, step.reason_code, row["created_at"], float(step.after_seconds))
            for place, step in enumerate(plan)
        ],
    )
    return True


async def find_payment(tx: Tx, bank: str, payment_id: str) -> Payment | None:
    """Find a payment."""
    row = await tx.fetchrow(f"SELECT {_PAYMENT} FROM payments WHERE id = $1 AND bank = $2", payment_id, bank)
    return None if row is None else Payment(**row)


async def list_payments(tx: Tx, bank: str | None = None) -> list[dict[str, Any]]:
    """List the newest 1,000 payments with the customer and the text of the request, for testers."""
    rows = await tx.fetch(
        """
        SELECT payments.*, username, request FROM payments JOIN consents ON consents.id = consent_id
        WHERE $1::text IS NULL OR payments.bank = $1 ORDER BY payments.created_at DESC LIMIT 1000
        """,
        bank,
    )
    return [dict(row) for row in rows]


async def list_done_steps(tx: Tx, payment_id: str) -> list[dict[str, Any]]:
    """List the statuses that a payment has had."""
    rows = await tx.fetch(
        "SELECT place, status, reason_code, due_at FROM steps WHERE payment_id = $1 AND done ORDER BY place", payment_id
    )
    return [dict(row) for row in rows]


@dataclass(frozen=True, slots=True)
class DueStep:
    """A status whose time has come, with its payment, which nobody else may touch until this transaction ends."""

    payment: Payment
    place: int
    status: str
    reason_code: str | None
    due_at: datetime
    request: str


async def take_due_step(tx: Tx) -> DueStep | None:
    """Lock one payment that must move on, and return its next step."""
    row = await tx.fetchrow(
        f"""
        SELECT {", ".join(f"payments.{column}" for column in _PAYMENT.split(", "))}, steps.place, steps.status AS next_status,
            steps.reason_code AS next_reason, steps.due_at, consents.request
        FROM steps JOIN payments ON payments.id = payment_id JOIN consents ON consents.id = consent_id
        WHERE NOT steps.done AND steps.due_at <= app_now()
        ORDER BY steps.due_at, steps.place LIMIT 1 FOR UPDATE OF payments SKIP LOCKED
        """
    )
    if row is None:
        return None
    payment = Payment(**{column: row[column] for column in _PAYMENT.split(", ")})
    return DueStep(payment, row["place"], row["next_status"], row["next_reason"], row["due_at"], row["request"])


async def finish_step(tx: Tx, step: DueStep) -> bool:
    """Move the payment on to this step's status; False when it is there already."""
    row = await tx.fetchrow(
        "UPDATE steps SET done = true WHERE payment_id = $1 AND place = $2 AND NOT done RETURNING 1", step.payment.id, step.place
    )
    if row is None:
        return False
    await tx.execute(
        "UPDATE payments SET status = $2, reason_code = $3, status_at = $4 WHERE id = $1",
        step.payment.id,
        step.status,
        step.reason_code,
        step.due_at,
    )
    return True
