"""Retention: people are erased when the law lets go of their records, never before, and never under a legal hold.

Erasing destroys the person's own key. Everything about them is sealed with it, wherever it is: it opens no more. Records of
payments and consents stay, with nothing personal in them that can be read.
"""

from __future__ import annotations

from strongroom.access.sessions import Sessions
from strongroom.funds.errors import NotErasable
from strongroom.funds.model import AuditTag
from strongroom.funds.states import AUTHENTICATION, AuthenticationEvent
from strongroom.funds.store import logins as login_store
from strongroom.funds.store import retention as store
from strongroom.kit import audit
from strongroom.kit.db import Database, Tx
from strongroom.kit.errors import Conflict, NotFound

_BATCH = 100


class Retention:
    """Use cases of the operator, and the worker's job. `keep_days` is the term of payment and consent records."""

    def __init__(self, db: Database, sessions: Sessions, *, keep_days: int) -> None:
        self._db = db
        self._sessions = sessions
        self._keep_days = keep_days

    async def count_due(self, limit: int = 10_000) -> int:
        """Return how many people the job would erase now, counting no further than `limit`. As the worker."""
        async with self._db.transaction() as tx:
            return len(await store.erasable(tx, days=self._keep_days, limit=limit))

    async def erase_due(self) -> int:
        """Erase people whose term is over, each in a transaction of their own; return how many. As the worker."""
        async with self._db.transaction() as tx:
            due = await store.erasable(tx, days=self._keep_days, limit=_BATCH)
        return sum([await self._erase_one("system", firm_id, customer_id) for firm_id, customer_id in due])

    async def erase(self, actor: str, firm_id: str, customer_id: str) -> None:
        """Erase a person who asks for it, as early as the law allows. Doing it twice is no error. Raise NotFound or NotErasable."""
        await self._erase_one(actor, firm_id, customer_id)

    async def hold(self, actor: str, firm_id: str, case_id: str) -> None:
        """Put a case under legal hold. Raise Conflict when there is no such case or it is held already."""
        async with self._db.transaction(firm_id) as tx:
            if not await store.hold(tx, firm_id, case_id):
                raise Conflict("There is no such case, or it is under legal hold already")
            await audit.record(tx, firm_id, actor, AuditTag.CASE_HELD, case_id)

    async def release(self, actor: str, firm_id: str, case_id: str) -> None:
        """End a legal hold. Raise Conflict when there is none."""
        async with self._db.transaction(firm_id) as tx:
            if not await store.release(tx, firm_id, case_id):
                raise Conflict("This case is not under legal hold")
            await audit.record(tx, firm_id, actor, AuditTag.CASE_RELEASED, case_id)

    async def _erase_one(self, actor: str, firm_id: str, customer_id: str) -> bool:
        """Judge again under a lock, then erase; False when somebody else was first."""
        async with self._db.transaction(firm_id) as tx:
            person = await store.find_person(tx, firm_id, customer_id, days=self._keep_days)
            if person is None:
                raise NotFound
            if person["is_erased"]:
                return False
            if person["state"] != "closed":
                raise NotErasable("The case is open; close it first")
            if person["held_at"] is not None:
                raise NotErasable("The case is under legal hold")
            if not person["is_of_age"]:
                raise NotErasable(f"Payment and consent records must be kept until {person['erasable_from']:%d %B %Y}")
            await self._end_logins(tx, firm_id, customer_id, person["identity_hash"])
            await store.erase(tx, firm_id, customer_id)
            await audit.record(tx, firm_id, actor, AuditTag.CUSTOMER_ERASED, customer_id)
            return True

    async def _end_logins(self, tx: Tx, firm_id: str, customer_id: str, identity_hash: bytes) -> None:
        await login_store.remove_identity(tx, firm_id, customer_id, identity_hash)
        await self._sessions.end_all_of(tx, firm_id, customer_id)
        if held := await login_store.find_authentication_of(tx, firm_id, customer_id):
            await AUTHENTICATION.move(tx, firm_id, held.id, AuthenticationEvent.REVOKE)
