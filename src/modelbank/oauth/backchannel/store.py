"""All SQL about decoupled requests. An `auth_req_id` is kept as SHA-256 only, as codes and tokens are."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from modelbank.database import Tx
from modelbank.oauth.store import digest

SLOWER_SECONDS = 5  # CIBA §11: what slow_down adds to the interval


@dataclass(frozen=True, slots=True)
class Asked:
    """What a client asks of a customer from behind. `username` is the only one who may answer, where the client named one."""

    bank: str
    client_id: str
    consent_id: str
    scope: str
    acr: str
    binding_message: str | None
    username: str | None
    seconds: int


async def find_intent(tx: Tx, bank: str, client_id: str, kind: str, consent_id: str) -> bool | None:
    """Tell whether a consent of this client and kind awaits a customer; None when there is no such one."""
    awaits: bool | None = await tx.fetchval(
        """
        SELECT status = 'AWAU' AND (expires_at IS NULL OR expires_at > app_now()) FROM consents
        WHERE id = $4 AND bank = $1 AND client_id = $2 AND kind = $3 AND status <> 'CANC'
        """,
        bank,
        client_id,
        kind,
        consent_id,
    )
    return awaits


async def add_request(tx: Tx, auth_req_id: str, asked: Asked, interval_seconds: int) -> bool:
    """Keep a request; False while another one for the same consent awaits the customer (the standard allows one at a time)."""
    await tx.execute(
        """
        UPDATE backchannel_requests SET outcome = 'expired'
        WHERE bank = $1 AND consent_id = $2 AND outcome IS NULL AND expires_at <= app_now()
        """,
        asked.bank,
        asked.consent_id,
    )
    row = await tx.fetchrow(
        """
        INSERT INTO backchannel_requests (id_hash, bank, client_id, consent_id, scope, acr, binding_message, username,
            interval_seconds, expires_at)
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, app_now() + make_interval(secs => $10)) ON CONFLICT DO NOTHING RETURNING 1
        """,
        digest(auth_req_id),
        asked.bank,
        asked.client_id,
        asked.consent_id,
        asked.scope,
        asked.acr,
        asked.binding_message,
        asked.username,
        interval_seconds,
        float(asked.seconds),
    )
    return row is not None


async def find_customer(tx: Tx, bank: str, client_id: str, consent_id: str) -> str | None:
    """Find the customer who once agreed to a consent of this client."""
    username: str | None = await tx.fetchval(
        "SELECT username FROM consents WHERE id = $1 AND bank = $2 AND client_id = $3", consent_id, bank, client_id
    )
    return username


async def is_waiting(tx: Tx, bank: str, consent_id: str) -> bool:
    """True while a request about this consent awaits the customer."""
    row = await tx.fetchrow(
        "SELECT 1 FROM backchannel_requests WHERE bank = $1 AND consent_id = $2 AND outcome IS NULL AND expires_at > app_now()",
        bank,
        consent_id,
    )
    return row is not None


async def begin_visit(tx: Tx, visit_id: str, bank: str, consent_id: str, browser: str, session_seconds: int) -> bool:
    """Begin a visit on the customer's phone for the request that waits; False when none does."""
    row = await tx.fetchrow(
        """
        INSERT INTO authorisations (id, bank, client_id, consent_id, browser_hash, redirect_uri, response_type, response_mode,
            state, nonce, acr, scope, asked_by, created_at, expires_at)
        SELECT $1, bank, client_id, consent_id, $4, '', 'none', 'none', '', '', acr, scope, id_hash, app_now(),
            least(expires_at, app_now() + make_interval(secs => $5))
        FROM backchannel_requests WHERE bank = $2 AND consent_id = $3 AND outcome IS NULL AND expires_at > app_now()
        RETURNING 1
        """,
        visit_id,
        bank,
        consent_id,
        digest(browser),
        float(session_seconds),
    )
    return row is not None


@dataclass(frozen=True, slots=True)
class Wanted:
    """What the phone must show and mind: the words that the client shows too, and who alone may answer."""

    binding_message: str | None
    username: str | None


async def get_wanted(tx: Tx, asked_by: bytes) -> Wanted:
    """Return what a visit on a phone must show and mind."""
    row = await tx.fetchrow("SELECT binding_message, username FROM backchannel_requests WHERE id_hash = $1", asked_by)
    return Wanted(**row)


async def finish_request(tx: Tx, asked_by: bytes, visit_id: str, outcome: str) -> bool:
    """Record the customer's answer, once; False when it was answered before or came too late."""
    row = await tx.fetchrow(
        """
        UPDATE backchannel_requests SET outcome = $3, authorisation_id = $2
        WHERE id_hash = $1 AND outcome IS NULL AND expires_at > app_now() RETURNING 1
        """,
        asked_by,
        visit_id,
        outcome,
    )
    return row is not None


async def withdraw_answer(tx: Tx, asked_by: bytes) -> None:
    """Turn a grant of this very transaction into a refusal."""
    await tx.execute("UPDATE backchannel_requests SET outcome = 'refused' WHERE id_hash = $1", asked_by)


@dataclass(frozen=True, slots=True)
class Polled:
    """Where a request stood when the client asked, and what it was about. `state` granted is seen once, then it is used."""

    state: str
    consent_id: str
    scope: str
    acr: str
    authorisation_id: str | None
    authenticated_at: datetime | None
    nonce: None = None  # CIBA has none


async def poll(tx: Tx, bank: str, client_id: str, auth_req_id: str) -> Polled | None:
    """Ask where a request stands; None when there is no such one of this client. Whoever asks too soon must wait longer.

    The row is held first, so that of several who ask at once one finds it granted and the others find it used.
    """
    row = await tx.fetchrow(
        """
        WITH held AS MATERIALIZED (
            SELECT id_hash, CASE
                WHEN redeemed_at IS NOT NULL THEN 'used'
                WHEN outcome = 'refused' THEN 'refused'
                WHEN expires_at <= app_now() THEN 'expired'
                WHEN outcome = 'granted' THEN 'granted'
                WHEN polled_at > app_now() - make_interval(secs => interval_seconds) THEN 'too soon'
                ELSE 'waiting' END AS state
            FROM backchannel_requests WHERE id_hash = $3 AND bank = $1 AND client_id = $2 FOR UPDATE
        ), seen AS (
            UPDATE backchannel_requests AS request SET polled_at = app_now(),
                interval_seconds = interval_seconds + CASE held.state WHEN 'too soon' THEN $4 ELSE 0 END,
                redeemed_at = CASE held.state WHEN 'granted' THEN app_now() ELSE redeemed_at END
            FROM held WHERE request.id_hash = held.id_hash
            RETURNING held.state, consent_id, scope, acr, authorisation_id
        )
        SELECT seen.*, authenticated_at FROM seen LEFT JOIN authorisations ON authorisations.id = authorisation_id
        """,
        bank,
        client_id,
        digest(auth_req_id),
        SLOWER_SECONDS,
    )
    return None if row is None else Polled(**row)
