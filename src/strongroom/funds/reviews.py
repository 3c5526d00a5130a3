"""Reviews: what the product found odd and only the firm's people can judge."""

from __future__ import annotations

from strongroom.access.model import StaffMember
from strongroom.funds.model import AuditTag, Review, ReviewReason
from strongroom.funds.store import requests as request_store
from strongroom.funds.store import reviews as store
from strongroom.funds.store import shares as share_store
from strongroom.kit import audit
from strongroom.kit.db import Database
from strongroom.kit.errors import Conflict, Invalid, NotFound
from strongroom.kit.vault import Vault

MAX_NOTE_CHARACTERS = 500
MAX_LISTED = 500


class Reviews:
    """Use cases of a firm's staff over reviews."""

    def __init__(self, db: Database, vault: Vault) -> None:
        self._db = db
        self._vault = vault

    async def list_open(self, firm_id: str) -> list[Review]:
        """Return what waits for somebody, oldest first, at most 500."""
        async with self._db.transaction(firm_id) as tx:
            rows = await store.open_reviews(tx, firm_id, MAX_LISTED)
        return [Review(firm_id, row["id"], row["subject_id"], ReviewReason(row["reason"]), row["created_at"]) for row in rows]

    async def resolve(self, member: StaffMember, review_id: str, note: str, *, release: bool = False) -> None:
        """Say what came of a review. `release` lets a request go on that its customer had not recognised.

        Raise NotFound, Invalid, or Conflict for a question that only a finding about the payment can answer.
        """
        if not 0 < len(note.strip()) <= MAX_NOTE_CHARACTERS:
            raise Invalid(f"Say in 1 to {MAX_NOTE_CHARACTERS} characters what came of it")
        async with self._db.transaction(member.firm_id) as tx:
            keys = await self._vault.tenant(tx, member.firm_id)
            sealed = keys.seal_text("reviews", "note_sealed", review_id, note.strip())
            row = await store.resolve(tx, member.firm_id, review_id, resolved_by=member.actor, note_sealed=sealed)
            if row is None:
                raise NotFound
            if row["reason"] == ReviewReason.UNCONFIRMED:
                raise Conflict("Two people say what became of the payment: strongroom payments propose")
            if release and row["reason"] != ReviewReason.UNRECOGNISED:
                raise Conflict("Only a request that its customer did not recognise can be released")
            if release:
                for store_of in (request_store, share_store):  # the id is of one kind of request or of the other
                    await store_of.release(tx, member.firm_id, row["subject_id"])
            detail = {"subject": row["subject_id"], "reason": row["reason"], "released": release}
            await audit.record(tx, member.firm_id, member.actor, AuditTag.REVIEW_RESOLVED, review_id, detail)
