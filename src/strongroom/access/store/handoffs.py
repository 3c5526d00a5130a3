"""SQL of hand-offs from a computer to a phone. Every step is one conditional statement: of any number at once, one wins."""

from __future__ import annotations

import asyncpg

from strongroom.access.model import SessionKind
from strongroom.access.store.sessions import ALIVE
from strongroom.kit.db import Tx

OFFER_SECONDS = 5 * 60
CONFIRM_SECONDS = 3 * 60
MAX_TRIES = 3
MAX_OFFERS = 30  # of one session, not yet scanned: a page makes one whenever it is loaded

_IN_TIME = f"created_at > app_now() - interval '{OFFER_SECONDS} s'"
_TO_CONFIRM = f"scanned_at > app_now() - interval '{CONFIRM_SECONDS} s'"
_OFFERED = f"scanned_at IS NULL AND ended_at IS NULL AND {_IN_TIME}"
_LIVE_SESSION = f"session_hash IN (SELECT session_hash FROM portal_sessions WHERE {ALIVE})"
_ROW = f"""id, firm_id, customer_id, request_id, session_hash, scanned_at, confirmed_at, ended_at, tries, {_IN_TIME} AS is_in_time,
           coalesce({_TO_CONFIRM}, false) AS is_to_confirm, {_LIVE_SESSION} AS is_of_live_session"""


async def add(
    tx: Tx, session_hash: bytes, firm_id: str, customer_id: str, request_id: str, hand_off_id: str, token_hash: bytes
) -> bool:
    """Insert an offer of a live session that is not itself a phone's; False when it is, or offers too many. Old ones go."""
    await tx.execute(f"DELETE FROM hand_offs WHERE session_hash = $1 AND scanned_at IS NULL AND NOT ({_IN_TIME})", session_hash)
    tag = await tx.execute(
        f"""INSERT INTO hand_offs (session_hash, firm_id, customer_id, request_id, id, token_hash)
            SELECT session_hash, $2, $3, $4, $5, $6 FROM portal_sessions
            WHERE session_hash = $1 AND kind <> '{SessionKind.PHONE}' AND {ALIVE}
            AND (SELECT count(*) FROM hand_offs h WHERE h.session_hash = $1 AND h.scanned_at IS NULL) < {MAX_OFFERS}""",
        session_hash, firm_id, customer_id, request_id, hand_off_id, token_hash,
    )  # fmt: skip
    return tag == "INSERT 0 1"


async def find_by_token(tx: Tx, token_hash: bytes) -> asyncpg.Record | None:
    """Return the hand-off that a scanned code leads to, used or not."""
    return await tx.fetchrow(f"SELECT {_ROW}, phone_hash FROM hand_offs WHERE token_hash = $1", token_hash)


async def find_of_session(tx: Tx, session_hash: bytes, hand_off_id: str) -> asyncpg.Record | None:
    """Return a hand-off for the session that offered it."""
    return await tx.fetchrow(f"SELECT {_ROW} FROM hand_offs WHERE id = $2 AND session_hash = $1", session_hash, hand_off_id)


async def find_of_phone(tx: Tx, phone_hash: bytes, hand_off_id: str) -> asyncpg.Record | None:
    """Return a hand-off for the browser that scanned it."""
    return await tx.fetchrow(f"SELECT {_ROW} FROM hand_offs WHERE id = $2 AND phone_hash = $1", phone_hash, hand_off_id)


async def scan(tx: Tx, token_hash: bytes, phone_hash: bytes, phone_session_hash: bytes, number_hash: bytes) -> bool:
    """Give an offer to the browser that scanned it. Of any number of phones at once one wins; a loser gets False."""
    tag = await tx.execute(
        f"""UPDATE hand_offs SET scanned_at = app_now(), phone_hash = $2, phone_session_hash = $3, number_hash = $4
            WHERE token_hash = $1 AND {_OFFERED} AND {_LIVE_SESSION}""",
        token_hash, phone_hash, phone_session_hash, number_hash,
    )  # fmt: skip
    return tag == "UPDATE 1"


async def charge_try(tx: Tx, session_hash: bytes, hand_off_id: str) -> asyncpg.Record | None:
    """Charge a try at the number before it is compared; None when there is nothing to try any more."""
    return await tx.fetchrow(
        f"""UPDATE hand_offs SET tries = tries + 1
            WHERE id = $2 AND session_hash = $1 AND {_TO_CONFIRM} AND confirmed_at IS NULL AND ended_at IS NULL
            AND tries < {MAX_TRIES} AND {_LIVE_SESSION} RETURNING number_hash, tries""",
        session_hash, hand_off_id,
    )  # fmt: skip


async def confirm(tx: Tx, session_hash: bytes, hand_off_id: str) -> bool:
    """Confirm a hand-off whose number was right; False when something was first."""
    tag = await tx.execute(
        """UPDATE hand_offs SET confirmed_at = app_now()
           WHERE id = $2 AND session_hash = $1 AND scanned_at IS NOT NULL AND confirmed_at IS NULL AND ended_at IS NULL""",
        session_hash, hand_off_id,
    )  # fmt: skip
    return tag == "UPDATE 1"


async def end(tx: Tx, session_hash: bytes, hand_off_id: str) -> asyncpg.Record | None:
    """Stop a hand-off; return the session of its phone, if it was scanned. None when it was stopped before."""
    return await tx.fetchrow(
        """UPDATE hand_offs SET ended_at = app_now() WHERE id = $2 AND session_hash = $1 AND ended_at IS NULL
           RETURNING phone_session_hash""",
        session_hash, hand_off_id,
    )  # fmt: skip
