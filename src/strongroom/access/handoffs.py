"""From the computer to the phone: a page shows a code, one browser scans it, and the computer confirms that browser's number.

The code alone opens nothing: whoever photographs it gets a number that nobody at the computer will type. A phone's session covers
one request, is as old as the session that it came from, ends with it, and can offer nothing on (docs/decisions/0020).
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum

import asyncpg

from strongroom.access.model import AuditTag
from strongroom.access.sessions import Sessions
from strongroom.access.store import handoffs as store
from strongroom.access.store import sessions as session_store
from strongroom.access.store.handoffs import MAX_TRIES, OFFER_SECONDS
from strongroom.kit import audit
from strongroom.kit.crypto import Secret, same
from strongroom.kit.db import Database, Tx
from strongroom.kit.ids import new_alphanumeric, new_id
from strongroom.kit.vault import Vault

_TOKEN_LENGTH = 24  # 124 bits
_TOKEN_MAX = 100
_NUMBERS = 10_000  # four digits


class HandOffStage(StrEnum):
    """How far a hand-off has come."""

    OFFERED = "offered"
    SCANNED = "scanned"  # the computer must type the phone's number
    CONFIRMED = "confirmed"
    TOO_OLD = "too_old"
    LOCKED = "locked"  # wrong numbers
    STOPPED = "stopped"


@dataclass(frozen=True, slots=True)
class Offer:
    """What a page shows: the token stands in the code and nowhere else."""

    id: str
    token: Secret
    minutes: int


@dataclass(frozen=True, slots=True)
class HandOff:
    """A hand-off, as either side may see it."""

    id: str
    firm_id: str
    customer_id: str
    request_id: str
    stage: HandOffStage
    scanned_at: datetime | None
    tries_left: int


@dataclass(frozen=True, slots=True)
class Landed:
    """Where a code leads before it is used: `is_own` in the very browser that shows it, `is_mine` on the phone that has used it."""

    hand_off_id: str
    firm_id: str
    request_id: str
    is_usable: bool
    is_used: bool
    is_own: bool
    is_mine: bool


@dataclass(frozen=True, slots=True)
class OnPhone:
    """A hand-off for the phone that scanned it; the session is to be kept once it is confirmed."""

    hand_off: HandOff
    number: str = field(repr=False)
    session: Secret


@dataclass(frozen=True, slots=True)
class Confirmed:
    """The number was right, and the phone is signed in for this one request."""

    request_id: str


@dataclass(frozen=True, slots=True)
class WrongNumber:
    """It was not; so many tries are left."""

    tries_left: int


@dataclass(frozen=True, slots=True)
class NothingToConfirm:
    """There is nothing to type a number for: too late, stopped, confirmed already, or too many tries."""


class HandOffs:
    """Use cases over hand-offs. A browser is known by its own random name, a session by its id."""

    def __init__(self, db: Database, vault: Vault, sessions: Sessions) -> None:
        self._db = db
        self._vault = vault
        self._sessions = sessions

    async def offer(self, session_id: str, firm_id: str, customer_id: str, request_id: str) -> Offer | None:
        """Offer a request that the session covers. None when it may not: the session is over, a phone's, or offers too many."""
        token, hand_off_id = new_alphanumeric(_TOKEN_LENGTH), new_id("hof")
        async with self._db.transaction() as tx:
            added = await store.add(
                tx, self._sessions.hash_of(session_id), firm_id, customer_id, request_id, hand_off_id, self._token_hash(token)
            )
        return Offer(hand_off_id, Secret(token), OFFER_SECONDS // 60) if added else None

    async def land(self, token: str, browser: str, session_id: str) -> Landed | None:
        """Say where a token leads; it stays unused, so that previews burn nothing. None when nobody has offered it."""
        row = await self._find_by_token(token)
        if row is None:
            return None
        is_own = bool(session_id) and same(row["session_hash"], self._sessions.hash_of(session_id))
        is_usable = _stage(row) is HandOffStage.OFFERED and row["is_of_live_session"]
        is_mine = same(row["phone_hash"] or b"", self._phone_hash(browser))
        is_used = row["scanned_at"] is not None
        return Landed(row["id"], row["firm_id"], row["request_id"], is_usable, is_used=is_used, is_own=is_own, is_mine=is_mine)

    async def scan(self, token: str, browser: str) -> str | None:
        """Use a token up for this browser; return the hand-off's id. Of any number of phones one wins, and may press twice."""
        row = await self._find_by_token(token)
        if row is None:
            return None
        phone_hash, found = self._phone_hash(browser), str(row["id"])
        number_hash = self._number_hash(found, self._number(found, browser))
        phone_session_hash = self._sessions.hash_of(self._session(found, browser).reveal())
        async with self._db.transaction() as tx:
            if await store.scan(tx, self._token_hash(token), phone_hash, phone_session_hash, number_hash):
                return found
            again = await store.find_of_phone(tx, phone_hash, found)
        return found if again is not None else None

    async def on_phone(self, hand_off_id: str, browser: str) -> OnPhone | None:
        """Return a hand-off for the browser that scanned it; None for any other."""
        async with self._db.transaction() as tx:
            row = await store.find_of_phone(tx, self._phone_hash(browser), hand_off_id)
        if row is None:
            return None
        return OnPhone(_hand_off(row), self._number(hand_off_id, browser), self._session(hand_off_id, browser))

    async def on_computer(self, hand_off_id: str, session_id: str) -> HandOff | None:
        """Return a hand-off for the session that offered it; None for any other."""
        async with self._db.transaction() as tx:
            row = await store.find_of_session(tx, self._sessions.hash_of(session_id), hand_off_id)
        return None if row is None else _hand_off(row)

    async def confirm(self, hand_off_id: str, session_id: str, typed: str) -> Confirmed | WrongNumber | NothingToConfirm:
        """Take the number that the phone shows. A try is charged before anything is compared; a right one signs the phone in."""
        hand_off = await self.on_computer(hand_off_id, session_id)
        if hand_off is None:
            return NothingToConfirm()
        session_hash = self._sessions.hash_of(session_id)
        async with self._db.transaction(hand_off.firm_id) as tx:
            row = await store.charge_try(tx, session_hash, hand_off_id)
            if row is None:
                return NothingToConfirm()
            digits = "".join(one for one in typed if one in "0123456789")
            if not same(row["number_hash"], self._number_hash(hand_off_id, digits)):
                if row["tries"] == MAX_TRIES:
                    await self._note(tx, hand_off, AuditTag.HAND_OFF_LOCKED)
                return WrongNumber(MAX_TRIES - row["tries"])
            confirmed = await store.confirm(tx, session_hash, hand_off_id)
            if not confirmed or not await session_store.add_for_phone(tx, session_hash, hand_off_id, new_id("ses")):
                return NothingToConfirm()
            await self._note(tx, hand_off, AuditTag.HAND_OFF_CONFIRMED)
        return Confirmed(hand_off.request_id)

    async def stop(self, hand_off_id: str, session_id: str) -> HandOff | None:
        """Stop a hand-off from the computer and sign its phone out; None when the session did not offer it."""
        hand_off = await self.on_computer(hand_off_id, session_id)
        if hand_off is None:
            return None
        async with self._db.transaction(hand_off.firm_id) as tx:
            stopped = await store.end(tx, self._sessions.hash_of(session_id), hand_off_id)
            if stopped is not None:
                await session_store.end(tx, stopped["phone_session_hash"] or b"")
                await self._note(tx, hand_off, AuditTag.HAND_OFF_STOPPED)
        return hand_off

    async def _note(self, tx: Tx, hand_off: HandOff, tag: AuditTag) -> None:
        detail = {"request": hand_off.request_id}
        await audit.record(tx, hand_off.firm_id, f"customer:{hand_off.customer_id}", tag, hand_off.id, detail)

    async def _find_by_token(self, token: str) -> asyncpg.Record | None:
        if not 0 < len(token) <= _TOKEN_MAX or not token.isascii():
            return None
        async with self._db.transaction() as tx:
            return await store.find_by_token(tx, self._token_hash(token))

    def _token_hash(self, token: str) -> bytes:
        return self._vault.hash("hand-off token", token)

    def _phone_hash(self, browser: str) -> bytes:
        return self._vault.hash("hand-off phone", browser)

    def _session(self, hand_off_id: str, browser: str) -> Secret:
        """Return the id of the phone's session: made from its browser's own name, so that no answer need arrive in time."""
        return Secret(self._vault.hash("hand-off session", hand_off_id, browser).hex()[:64])

    def _number(self, hand_off_id: str, browser: str) -> str:
        """Return the number that the phone shows."""
        drawn = int.from_bytes(self._vault.hash("hand-off number", hand_off_id, browser)[:8], "big")
        return f"{drawn % _NUMBERS:04d}"

    def _number_hash(self, hand_off_id: str, number: str) -> bytes:
        return self._vault.hash("hand-off number typed", hand_off_id, number)


def _hand_off(row: asyncpg.Record) -> HandOff:
    return HandOff(
        row["id"], row["firm_id"], row["customer_id"], row["request_id"], _stage(row), row["scanned_at"], MAX_TRIES - row["tries"]
    )


def _stage(row: asyncpg.Record) -> HandOffStage:
    if row["ended_at"] is not None:
        return HandOffStage.STOPPED
    if row["confirmed_at"] is not None:
        return HandOffStage.CONFIRMED
    if row["scanned_at"] is None:
        return HandOffStage.OFFERED if row["is_in_time"] else HandOffStage.TOO_OLD
    if row["tries"] >= MAX_TRIES:
        return HandOffStage.LOCKED
    return HandOffStage.SCANNED if row["is_to_confirm"] else HandOffStage.TOO_OLD
