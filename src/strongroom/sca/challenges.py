"""Challenges: begin one, charge a try, compare, accept. The try is charged and committed before anything is compared."""

from __future__ import annotations

from strongroom.kit.db import Database, Tx
from strongroom.kit.ids import new_id
from strongroom.kit.vault import Vault
from strongroom.sca import otp, store
from strongroom.sca.model import CODE_DIGITS, CODE_LIFE_SECONDS, Accepted, Charged, Locked, Matched, Purpose, Rejected


class Challenges:
    """Use cases over challenges; methods that take a transaction leave its commit to the caller."""

    def __init__(self, db: Database, vault: Vault) -> None:
        self._db = db
        self._vault = vault

    async def begin(
        self, tx: Tx, tenant: str, purpose: Purpose, subject_hash: bytes, *, life_seconds: int = CODE_LIFE_SECONDS
    ) -> str:
        """Open a challenge that no code opens yet; return its id."""
        challenge_id = new_id("chl")
        await store.add_challenge(tx, tenant, challenge_id, purpose, subject_hash, code_hashes=[], life_seconds=life_seconds)
        return challenge_id

    async def give_codes(self, tx: Tx, tenant: str, challenge_id: str, count: int, *, digits: int = CODE_DIGITS) -> list[str]:
        """Make `count` codes for a challenge and return them for sending; an empty list when it is no longer open."""
        codes = [otp.new_code(digits) for _ in range(count)]
        given = await store.set_codes(tx, tenant, challenge_id, otp.hash_codes(self._vault, challenge_id, codes))
        return codes if given else []

    async def supersede(self, tx: Tx, tenant: str, challenge_id: str) -> None:
        """Close a challenge because a newer one takes its place; the newest code wins."""
        await store.supersede(tx, tenant, challenge_id)

    async def try_code(self, tenant: str, challenge_id: str, typed: str) -> Matched | Rejected | Locked:
        """Charge one try, commit, then compare. Of any number of simultaneous tries at most five are compared."""
        async with self._db.transaction(tenant) as tx:
            charged = await self._charge(tx, tenant, challenge_id)
        if not isinstance(charged, Charged):
            return charged
        outcome = otp.compare(self._vault, charged, typed)
        if isinstance(outcome, Rejected) and charged.lock_seconds is not None:
            return Locked(charged.lock_seconds, just_now=True)
        return outcome

    async def accept(self, tx: Tx, matched: Matched) -> Accepted | Rejected:
        """Use up the challenge in the caller's transaction, which does what the code allows."""
        charged = matched.charged
        if not await store.accept(tx, charged.tenant, charged.challenge_id, attempt=charged.attempt):
            return Rejected(0)
        if not await store.restore_budget(tx, charged.tenant, charged.subject_hash, charge_number=charged.charge):
            return Rejected(0)
        return Accepted(charged.tenant, charged.challenge_id, matched.target)

    async def locked_seconds(self, tx: Tx, tenant: str, subject_hash: bytes) -> int:
        """Return for how many seconds a subject is still locked; 0 when it is not."""
        return await store.locked_seconds(tx, tenant, subject_hash)

    async def _charge(self, tx: Tx, tenant: str, challenge_id: str) -> Charged | Rejected | Locked:
        row = await store.charge(tx, tenant, challenge_id)
        if row is None:
            subject = await store.subject_of(tx, tenant, challenge_id)
            seconds = await store.locked_seconds(tx, tenant, subject["subject_hash"]) if subject else 0
            return Locked(seconds) if seconds else Rejected(0)
        return Charged(
            tenant, challenge_id, row["subject_hash"], tuple(row["code_hashes"]), row["attempts"], row["charges"],
            min(row["max_attempts"] - row["attempts"], row["max_attempts"] - row["failures"]), row["lock_seconds"],
        )  # fmt: skip
