"""Login grants: the firm's own app vouches for a customer for 30 seconds, once.

The GET of the link shows a page and gives that browser a handle for two minutes; only the POST of its button uses the grant up.
So previews and prefetching burn nothing, and people without JavaScript have time.
"""

from __future__ import annotations

from strongroom.access.model import Record, SessionKind
from strongroom.access.sessions import Sessions
from strongroom.funds.authentications import Authentications
from strongroom.funds.errors import CaseClosed, GrantSpent
from strongroom.funds.model import Actor, AuditTag
from strongroom.funds.store import cases as case_store
from strongroom.funds.store import logins as store
from strongroom.kit import audit
from strongroom.kit.crypto import Secret
from strongroom.kit.db import Database
from strongroom.kit.errors import NotFound
from strongroom.kit.ids import new_alphanumeric, new_secret
from strongroom.kit.vault import Vault

GRANT_LIFE_SECONDS = 30
HANDLE_LIFE_SECONDS = 120
_GRANT_LENGTH = 40  # 206 bits


class LoginGrants:
    """Use cases over login grants."""

    def __init__(self, db: Database, vault: Vault, sessions: Sessions, authentications: Authentications) -> None:
        self._db = db
        self._vault = vault
        self._sessions = sessions
        self._authentications = authentications

    async def issue(self, firm_id: str, actor: Actor, case_id: str, customer_id: str) -> str:
        """Return a fresh grant, of which only a keyed hash is kept. Raise NotFound or CaseClosed."""
        grant = new_alphanumeric(_GRANT_LENGTH)
        async with self._db.transaction(firm_id) as tx:
            case = await case_store.find_case(tx, firm_id, case_id)
            customer = await case_store.find_customer_row(tx, firm_id, customer_id)
            if case is None or customer is None or customer["case_id"] != case_id:
                raise NotFound
            if case.state != "open":
                raise CaseClosed
            await store.add_grant(tx, firm_id, self._grant_hash(grant), case_id, customer_id)
            await audit.record(tx, firm_id, actor.name, AuditTag.GRANT_ISSUED, customer_id, {"case": case_id})
        return grant

    async def open(self, grant: str) -> tuple[str, str]:
        """Return (firm, handle) for a browser that opened the link in time; the grant stays unused. Raise GrantSpent."""
        grant_hash = self._grant_hash(grant)
        firm_id = await self._firm_of(grant_hash)
        handle = new_secret()
        async with self._db.transaction(firm_id) as tx:
            opened = await store.open_grant(tx, firm_id, grant_hash, self._handle_hash(handle), life_seconds=GRANT_LIFE_SECONDS)
        if not opened:
            raise GrantSpent
        return firm_id, handle

    async def use(self, grant: str, handle: str) -> Secret:
        """Use the grant up and open a session for its case and customer alone; return its id. Of any number at once one succeeds.

        Raise GrantSpent.
        """
        grant_hash = self._grant_hash(grant)
        firm_id = await self._firm_of(grant_hash)
        async with self._db.transaction(firm_id) as tx:
            row = await store.use_grant(tx, firm_id, grant_hash, self._handle_hash(handle), handle_life_seconds=HANDLE_LIFE_SECONDS)
            if row is None:
                raise GrantSpent
            case = await case_store.find_case(tx, firm_id, row["case_id"])
            if case is None or case.state != "open":
                raise GrantSpent
            await audit.record(tx, firm_id, f"customer:{row['customer_id']}", AuditTag.GRANT_USED, row["customer_id"])
            session = await self._sessions.open(tx, SessionKind.GRANT, [Record(firm_id, row["customer_id"], row["case_id"])])
            await self._authentications.note_login(tx, firm_id, row["customer_id"])
        return session

    async def _firm_of(self, grant_hash: bytes) -> str:
        async with self._db.transaction() as tx:
            firm_id = await store.find_firm_of_grant(tx, grant_hash)
        if firm_id is None:
            raise GrantSpent
        return firm_id

    def _grant_hash(self, grant: str) -> bytes:
        return self._vault.hash("login grant", grant)

    def _handle_hash(self, handle: str) -> bytes:
        return self._vault.hash("login grant handle", handle)
