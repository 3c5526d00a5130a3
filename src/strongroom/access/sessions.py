"""Portal sessions of customers: found by 256 random bits, covering named records of one or several firms, timed by the database."""

from __future__ import annotations

from collections.abc import Iterable

from strongroom.access.errors import SessionOver
from strongroom.access.model import Record, Session, SessionKind
from strongroom.access.store import sessions as store
from strongroom.kit.crypto import Secret, same
from strongroom.kit.db import Database, Tx
from strongroom.kit.ids import new_id, new_secret
from strongroom.kit.vault import Vault

LONGEST_PAUSE_SECONDS = 30 * 60
_MAX_LENGTH = 100


class Sessions:
    """Use cases over portal sessions. A session id is a secret: it lives in the customer's cookie and nowhere else."""

    def __init__(self, db: Database, vault: Vault) -> None:
        self._db = db
        self._vault = vault

    async def open(self, tx: Tx, kind: SessionKind, records: Iterable[Record]) -> Secret:
        """Open a session in the transaction of what earned it (a code accepted, a grant used); return the id for the cookie.

        Always a fresh id, so a cookie set beforehand by somebody else never becomes a session.
        """
        covered = list(records)
        if not covered:
            raise ValueError("a session covers at least one record")
        session_id = Secret(new_secret())
        await store.add(tx, self.hash_of(session_id.reveal()), new_id("ses"), kind, covered)
        return session_id

    async def find(self, session_id: str, *, touch: bool = True) -> Session | None:
        """Return the session if it is alive: 5 minutes after the last activity at most, and 12 hours in all.

        `touch=False` for what is no activity of a person, such as a page that polls.
        """
        if not 0 < len(session_id) <= _MAX_LENGTH or not session_id.isascii():
            return None
        async with self._db.transaction() as tx:
            rows = await store.find_alive(tx, self.hash_of(session_id), touch=touch)
        if not rows:
            return None
        records = tuple(Record(row["firm_id"], row["customer_id"], row["case_id"], row["request_id"]) for row in rows)
        first = rows[0]
        csrf = self._csrf(session_id)
        return Session(first["id"], SessionKind(first["kind"]), records, csrf, first["created_at"], first["seconds_left"])

    async def get(self, session_id: str, *, touch: bool = True) -> Session:
        """Return the session. Raise SessionOver."""
        session = await self.find(session_id, touch=touch)
        if session is None:
            raise SessionOver
        return session

    async def pause(self, session_id: str, seconds: int) -> bool:
        """Excuse inactivity while the customer is at the bank, 30 minutes at most; the next activity ends the pause."""
        async with self._db.transaction() as tx:
            return await store.pause(tx, self.hash_of(session_id), max(0, min(seconds, LONGEST_PAUSE_SECONDS)))

    async def end(self, session_id: str) -> bool:
        """End a session, and a phone's that was opened from it; False when it was over already."""
        async with self._db.transaction() as tx:
            return await store.end(tx, self.hash_of(session_id))

    async def end_all_of(self, tx: Tx, firm_id: str, customer_id: str) -> int:
        """End every session that covers a customer, in the transaction of what demands it; return how many ended."""
        return await store.end_all_of(tx, firm_id, customer_id)

    def is_csrf(self, session: Session, given: str) -> bool:
        """True when a form carries this session's own secret."""
        return same(session.csrf.encode(), given.encode("utf-8", "replace"))

    def _csrf(self, session_id: str) -> str:
        """Return the secret of the session's forms: derived, so that it is stored nowhere."""
        return self._vault.hash("csrf", session_id).hex()[:64]

    def hash_of(self, session_id: str) -> bytes:
        """Return what a session is found by."""
        return self._vault.hash("portal session", session_id)
