"""All SQL of the authorisation server. Codes, tokens and browser secrets are kept as SHA-256 only: all have 256 bits."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from modelbank.database import Tx
from modelbank.oauth.requests import AuthorisationRequest


def digest(secret: str) -> bytes:
    """Return what is kept of a secret that has 256 bits of its own."""
    return hashlib.sha256(secret.encode()).digest()


@dataclass(frozen=True, slots=True)
class Authorisation:
    """One visit of a customer who was sent by a client."""

    id: str
    bank: str
    client_id: str
    consent_id: str
    redirect_uri: str
    response_type: str
    response_mode: str
    state: str
    nonce: str
    acr: str
    scope: str
    username: str | None
    account_ids: list[str]
    wrong_logins: int
    outcome: str | None
    error: str | None
    error_text: str | None
    authenticated_at: datetime | None
    asked_by: bytes | None
    expired: bool

    @property
    def is_decoupled(self) -> bool:
        """True on a customer's phone, from where nobody is sent back to the client."""
        return self.asked_by is not None


_AUTHORISATION = """id, bank, client_id, consent_id, redirect_uri, response_type, response_mode, state, nonce, acr, scope,
    username, account_ids, wrong_logins, outcome, error, error_text, authenticated_at, asked_by,
    expires_at <= app_now() AS expired"""


async def use_assertion(tx: Tx, bank: str, client_id: str, jti_hash: bytes, expires_at: datetime) -> bool:
    """Remember a client assertion; False when it was used before."""
    await tx.execute("DELETE FROM used_assertions WHERE expires_at < clock_timestamp()")
    row = await tx.fetchrow(
        """
        INSERT INTO used_assertions (bank, client_id, jti_hash, expires_at) VALUES ($1, $2, $3, $4)
        ON CONFLICT DO NOTHING RETURNING 1
        """,
        bank,
        client_id,
        jti_hash,
        expires_at,
    )
    return row is not None


async def push_request(tx: Tx, bank: str, client_id: str, reference: str, request: str, seconds: int) -> None:
    """Keep a request object for the customer who is about to come."""
    await tx.execute("DELETE FROM pushed_requests WHERE expires_at < app_now()")
    await tx.execute(
        """
        INSERT INTO pushed_requests (bank, client_id, reference_hash, request, expires_at)
        VALUES ($1, $2, $3, $4, app_now() + make_interval(secs => $5))
        """,
        bank,
        client_id,
        digest(reference),
        request,
        float(seconds),
    )


async def take_request(tx: Tx, bank: str, client_id: str, reference: str) -> str | None:
    """Take what a client left, once; None when it was taken, is too old or another's."""
    request: str | None = await tx.fetchval(
        """
        DELETE FROM pushed_requests WHERE bank = $1 AND client_id = $2 AND reference_hash = $3 AND expires_at > app_now()
        RETURNING request
        """,
        bank,
        client_id,
        digest(reference),
    )
    return request


async def add_authorisation(
    tx: Tx, authorisation_id: str, bank: str, asked: AuthorisationRequest, browser: str, session_seconds: int
) -> None:
    """Begin a visit, bound to the browser that began it."""
    await tx.execute(
        """
        INSERT INTO authorisations (id, bank, client_id, consent_id, browser_hash, redirect_uri, response_type, response_mode,
            state, nonce, acr, scope, code_challenge, created_at, expires_at)
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, app_now(), app_now() + make_interval(secs => $14))
        """,
        authorisation_id,
        bank,
        asked.client.id,
        asked.consent_id,
        digest(browser),
        asked.redirect_uri,
        asked.response_type,
        asked.response_mode,
        asked.state,
        asked.nonce,
        asked.acr,
        asked.scope,
        asked.code_challenge,
        float(session_seconds),
    )


async def find_authorisation(tx: Tx, bank: str, authorisation_id: str, browser: str) -> Authorisation | None:
    """Find a visit if this browser began it."""
    row = await tx.fetchrow(
        f"SELECT {_AUTHORISATION} FROM authorisations WHERE id = $1 AND bank = $2 AND browser_hash = $3",
        authorisation_id,
        bank,
        digest(browser),
    )
    return None if row is None else Authorisation(**row)


async def note_wrong_login(tx: Tx, authorisation_id: str, most: int) -> bool:
    """Count a wrong password; False when no try is left."""
    left = await tx.fetchval(
        "UPDATE authorisations SET wrong_logins = wrong_logins + 1 WHERE id = $1 RETURNING wrong_logins < $2",
        authorisation_id,
        most,
    )
    return bool(left)


async def note_login(tx: Tx, authorisation_id: str, username: str) -> None:
    """Remember who signed in; whoever signs in anew must choose anew."""
    await tx.execute(
        """
        UPDATE authorisations SET username = $2, account_ids = '{}', authenticated_at = app_now()
        WHERE id = $1 AND outcome IS NULL
        """,
        authorisation_id,
        username,
    )


async def shorten_session(tx: Tx, authorisation_id: str, seconds: int) -> None:
    """End a visit so many seconds from now, unless it ends sooner."""
    await tx.execute(
        "UPDATE authorisations SET expires_at = least(expires_at, app_now() + make_interval(secs => $2)) WHERE id = $1",
        authorisation_id,
        float(seconds),
    )


async def age_visit(tx: Tx, authorisation_id: str, seconds: float) -> bool:
    """Let time pass for one visit alone; False when there is none."""
    row = await tx.fetchrow(
        "UPDATE authorisations SET expires_at = expires_at - make_interval(secs => $2) WHERE id = $1 RETURNING 1",
        authorisation_id,
        seconds,
    )
    return row is not None


async def note_accounts(tx: Tx, authorisation_id: str, account_ids: Sequence[str]) -> None:
    """Remember which accounts the customer chose."""
    await tx.execute(
        "UPDATE authorisations SET account_ids = $2 WHERE id = $1 AND outcome IS NULL", authorisation_id, list(account_ids)
    )


async def finish_authorisation(tx: Tx, authorisation_id: str, outcome: str, error: str | None, text: str | None) -> bool:
    """End a visit, once; False when it had ended. Only a visit in time can be granted."""
    row = await tx.fetchrow(
        """
        UPDATE authorisations SET outcome = $2, error = $3, error_text = $4
        WHERE id = $1 AND outcome IS NULL AND ($2 = 'refused' OR (expires_at > app_now() AND username IS NOT NULL))
        RETURNING 1
        """,
        authorisation_id,
        outcome,
        error,
        text,
    )
    return row is not None


async def withdraw_grant(tx: Tx, authorisation_id: str, text: str) -> None:
    """Turn a grant of this very transaction into a refusal."""
    await tx.execute(
        "UPDATE authorisations SET outcome = 'refused', error = 'access_denied', error_text = $2 WHERE id = $1",
        authorisation_id,
        text,
    )


async def add_code(tx: Tx, authorisation_id: str, code: str, seconds: int) -> None:
    """Keep a code for a visit that was granted. A page that is reloaded makes another; only one is ever exchanged."""
    await tx.execute(
        "INSERT INTO codes (code_hash, authorisation_id, expires_at) VALUES ($1, $2, app_now() + make_interval(secs => $3))",
        digest(code),
        authorisation_id,
        float(seconds),
    )


@dataclass(frozen=True, slots=True)
class Redeemed:
    """A code that has just been used up, with what it was bound to."""

    authorisation_id: str
    consent_id: str
    redirect_uri: str
    scope: str
    nonce: str
    acr: str
    code_challenge: str | None
    authenticated_at: datetime


async def redeem_code(tx: Tx, bank: str, client_id: str, code: str) -> Redeemed | None:
    """Use up a code, once; None when it is unknown, another client's, too old or used."""
    row = await tx.fetchrow(
        """
        UPDATE authorisations SET redeemed_at = app_now()
        FROM codes
        WHERE code_hash = $3 AND codes.expires_at > app_now() AND authorisations.id = authorisation_id
          AND bank = $1 AND client_id = $2 AND redeemed_at IS NULL AND outcome = 'granted'
        RETURNING authorisations.id AS authorisation_id, consent_id, redirect_uri, scope, nonce, acr, code_challenge,
            authenticated_at
        """,
        bank,
        client_id,
        digest(code),
    )
    return None if row is None else Redeemed(**row)


async def revoke_tokens_of_code(tx: Tx, client_id: str, code: str) -> None:
    """Revoke what a code gave, because it was shown a second time (RFC 6749 §4.1.2)."""
    await tx.execute(
        """
        UPDATE access_tokens SET revoked_at = app_now() FROM codes
        WHERE code_hash = $2 AND access_tokens.authorisation_id = codes.authorisation_id
          AND access_tokens.client_id = $1 AND revoked_at IS NULL
        """,
        client_id,
        digest(code),
    )


@dataclass(frozen=True, slots=True)
class AccessToken:
    """A live access token. `kind` is `client` (no customer) or `customer` (one customer and one consent)."""

    client_id: str
    kind: str
    scope: str
    consent_id: str | None
    thumbprint: str


async def add_token(tx: Tx, bank: str, token: str, grant: AccessToken, seconds: int, authorisation_id: str | None = None) -> None:
    """Keep a new access token."""
    await tx.execute(
        """
        INSERT INTO access_tokens
            (token_hash, bank, client_id, kind, scope, consent_id, thumbprint, expires_at, authorisation_id)
        VALUES ($1, $2, $3, $4, $5, $6, $7, app_now() + make_interval(secs => $8), $9)
        """,
        digest(token),
        bank,
        grant.client_id,
        grant.kind,
        grant.scope,
        grant.consent_id,
        grant.thumbprint,
        float(seconds),
        authorisation_id,
    )


async def find_token(tx: Tx, bank: str, token: str) -> AccessToken | None:
    """Find an access token that is neither expired nor revoked."""
    row = await tx.fetchrow(
        """
        SELECT client_id, kind, scope, consent_id, thumbprint FROM access_tokens
        WHERE token_hash = $1 AND bank = $2 AND revoked_at IS NULL AND expires_at > app_now()
        """,
        digest(token),
        bank,
    )
    return None if row is None else AccessToken(**row)


async def revoke_tokens_of_consent(tx: Tx, consent_id: str) -> None:
    """Revoke every token of a consent that the client has given back."""
    await tx.execute("UPDATE access_tokens SET revoked_at = app_now() WHERE consent_id = $1 AND revoked_at IS NULL", consent_id)
