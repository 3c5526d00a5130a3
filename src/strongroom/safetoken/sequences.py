"""Sequences of messages: each message takes effect once and in order, and gets the same answer however often it is sent.

An operation that can work in our transaction does: its effect, the moved number and the kept answer are one commit. One that
must commit by itself (a code is charged before it is compared) is claimed first and recorded after, and a message whose
record is missing is answered with what is true: that nobody knows.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from enum import Enum
from uuid import uuid4

import msgspec

from strongroom.kit.db import Database, Tx
from strongroom.kit.vault import Vault
from strongroom.safetoken.states import SEQUENCE, SequenceEvent, SequenceState
from strongroom.safetoken.store import sequences as store
from strongroom.safetoken.store.sequences import Sequence

LIFE_SECONDS = 86_400  # the longest that a sequence is open
MAX_OPEN = 500  # sequences of one client at a time
MAX_MESSAGES = 100_000  # of one sequence
_TABLE, _COLUMN = "sequence_messages", "answer_sealed"
_WAITED_SECONDS, _LOOKED_EVERY_SECONDS = 2.0, 0.05


class Kept(msgspec.Struct, frozen=True):
    """An answer as it is kept. `status` 202 has no body."""

    body: str
    action: str | None
    status: int = 200


@dataclass(frozen=True, slots=True)
class Key:
    """Whose sequence, which, and in which version of the protocol."""

    issuer_id: str
    caller_id: str
    sequence_id: str
    version: str


@dataclass(frozen=True, slots=True)
class Answered:
    """The message took effect, now or before."""

    answer: Kept
    sequence: Sequence


@dataclass(frozen=True, slots=True)
class Early:
    """A message before this one has not arrived; this one had no effect and must come again."""

    sequence: Sequence


class Unusable(Enum):
    """Why a message had no effect."""

    UNKNOWN = "nobody opened the sequence, or another client did"
    ENDED = "terminated, or over"
    CLOSED = "takes no new message"
    OTHER_MESSAGE = "the number is another message's"
    UNCERTAIN = "it may have taken effect, and nobody knows"


@dataclass(frozen=True, slots=True)
class Together:
    """Work within our transaction; what it raises undoes it, the moved number and all."""

    effect: Callable[[Tx], Awaitable[Kept]]


@dataclass(frozen=True, slots=True)
class Apart:
    """Work that commits by itself, once; it raises nothing that is an answer."""

    perform: Callable[[], Awaitable[Kept]]


class Sequences:
    """Use cases over sequences."""

    def __init__(self, db: Database, vault: Vault) -> None:
        self._db = db
        self._vault = vault

    async def open(
        self, issuer_id: str, caller_id: str, version: str, *, request: tuple[str, str], answers_id: str | None, life_seconds: int
    ) -> Sequence | None:
        """Open a sequence, or find the unused one that the very same request opened. None when that is not possible.

        `request` are the texts by which a request is known again: its message's id and the sequence that it offers.
        """
        known = self._vault.hash("sequence opening", issuer_id, *request) if any(request) else None
        async with self._db.transaction(issuer_id) as tx:
            return await store.add(
                tx, issuer_id, caller_id, sequence_id=f"urn:uuid:{uuid4()}", version=version, opening_hash=known,
                answers_id=answers_id, life_seconds=min(life_seconds, LIFE_SECONDS), max_open=MAX_OPEN,
            )  # fmt: skip

    async def find(self, key: Key) -> Sequence | None:
        """Return a client's own sequence."""
        async with self._db.transaction(key.issuer_id) as tx:
            return await _find(tx, key)

    async def find_by_answers(self, issuer_id: str, caller_id: str, answers_id: str) -> Sequence | None:
        """Return the open sequence whose answers have this Identifier."""
        async with self._db.transaction(issuer_id) as tx:
            return await store.find_by_answers(tx, issuer_id, caller_id, answers_id)

    async def close(self, key: Key) -> Sequence | None:
        """Close a sequence, which may be closed already; return it, or None when there is none."""
        return await self._end(key, SequenceEvent.CLOSED)

    async def terminate(self, key: Key) -> Sequence | None:
        """Terminate a sequence, which may be terminated already; return it, or None when there is none."""
        return await self._end(key, SequenceEvent.TERMINATED)

    async def deliver(
        self, key: Key, number: int, content: tuple[str | bytes, ...], work: Together | Apart, *, closes: bool = False
    ) -> Answered | Early | Unusable:
        """Let a message take effect if it is the next of its sequence, and `closes` the sequence; else say what it is.

        `content` is what makes two messages the same one.
        """
        message_hash = self._vault.hash("sequence message", key.issuer_id, *content)
        if isinstance(work, Together):
            return await self._deliver_together(key, number, message_hash, work, closes=closes)
        return await self._deliver_apart(key, number, message_hash, work, closes=closes)

    async def _deliver_together(
        self, key: Key, number: int, message_hash: bytes, work: Together, *, closes: bool
    ) -> Answered | Early | Unusable:
        async with self._db.transaction(key.issuer_id) as tx:
            sequence = await store.take(tx, key.issuer_id, key.caller_id, key.sequence_id, key.version, number)
            if sequence is None:
                return await self._tell(tx, key, number, message_hash)
            answer = await work.effect(tx)
            sealed = await self._seal(tx, key, number, answer)
            await store.add_message(tx, key.issuer_id, key.sequence_id, number, message_hash, sealed)
            if closes:
                await SEQUENCE.move(tx, key.issuer_id, key.sequence_id, SequenceEvent.CLOSED)
        return Answered(answer, sequence)

    async def _deliver_apart(
        self, key: Key, number: int, message_hash: bytes, work: Apart, *, closes: bool
    ) -> Answered | Early | Unusable:
        async with self._db.transaction(key.issuer_id) as tx:
            sequence = await store.take(tx, key.issuer_id, key.caller_id, key.sequence_id, key.version, number)
            if sequence is not None:
                await store.add_message(tx, key.issuer_id, key.sequence_id, number, message_hash, None)
                if closes:
                    await SEQUENCE.move(tx, key.issuer_id, key.sequence_id, SequenceEvent.CLOSED)
        if sequence is None:
            return await self._wait(key, number, message_hash)
        answer = await work.perform()
        async with self._db.transaction(key.issuer_id) as tx:
            sealed = await self._seal(tx, key, number, answer)
            await store.set_answer(tx, key.issuer_id, key.sequence_id, number, sealed)
        return Answered(answer, sequence)

    async def _wait(self, key: Key, number: int, message_hash: bytes) -> Answered | Early | Unusable:
        """Say what a message is that did not take its number; one that is being carried out is waited for."""
        deadline = asyncio.get_running_loop().time() + _WAITED_SECONDS
        while True:
            async with self._db.transaction(key.issuer_id) as tx:
                told = await self._tell(tx, key, number, message_hash)
            if told is not Unusable.UNCERTAIN or asyncio.get_running_loop().time() >= deadline:
                return told
            await asyncio.sleep(_LOOKED_EVERY_SECONDS)

    async def _tell(self, tx: Tx, key: Key, number: int, message_hash: bytes) -> Answered | Early | Unusable:
        """Say what a message is that did not take its number: sent again, too early, or on a sequence that takes none."""
        sequence = await _find(tx, key)
        if sequence is None:
            return Unusable.UNKNOWN
        if sequence.has_ended:
            return Unusable.ENDED
        if number > sequence.last_number:
            return Early(sequence) if sequence.state is SequenceState.OPEN else Unusable.CLOSED
        found = await store.find_message(tx, key.issuer_id, key.sequence_id, number)
        if found is None or found[0] != message_hash:
            return Unusable.OTHER_MESSAGE
        if found[1] is None:
            return Unusable.UNCERTAIN
        keys = await self._vault.tenant(tx, key.issuer_id)
        plain = keys.unseal(_TABLE, _COLUMN, _row(key, number), found[1])
        return Answered(msgspec.json.decode(plain, type=Kept), sequence)

    async def _seal(self, tx: Tx, key: Key, number: int, answer: Kept) -> bytes:
        keys = await self._vault.tenant(tx, key.issuer_id)
        return keys.seal(_TABLE, _COLUMN, _row(key, number), msgspec.json.encode(answer))

    async def _end(self, key: Key, event: SequenceEvent) -> Sequence | None:
        async with self._db.transaction(key.issuer_id) as tx:
            mine = {"caller_id": key.caller_id, "version": key.version}
            await SEQUENCE.move(tx, key.issuer_id, key.sequence_id, event, where=mine)
            return await _find(tx, key)


async def _find(tx: Tx, key: Key) -> Sequence | None:
    return await store.find(tx, key.issuer_id, key.caller_id, key.sequence_id, key.version)


def _row(key: Key, number: int) -> str:
    return f"{key.sequence_id}/{number}"
