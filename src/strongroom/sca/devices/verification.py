"""Judging a token's code: charged and committed before it is compared, accepted by moving the counter forward once.

A device that signs (OCRA) is asked a question, which is typed into it: that of a purchase, or a random one that `ask` gave. Each
question is answered once, by one code.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import asyncpg

from strongroom.kit import audit
from strongroom.kit.db import Database, Tx
from strongroom.kit.vault import Vault
from strongroom.sca import otp
from strongroom.sca.cardholding.cardholders import Cardholders
from strongroom.sca.cardholding.model import Cardholder
from strongroom.sca.devices import store
from strongroom.sca.devices.model import Charged, CodeAccepted, Match, Reason, Refused, Token, TokenTag, Verified, Wanted
from strongroom.sca.devices.oath import code_at, find_run
from strongroom.sca.devices.ocra import Inputs, answer, new_question
from strongroom.sca.devices.states import TOKEN, TokenEvent, TokenState
from strongroom.sca.model import Locked, Rejected


class Verification:
    """Use cases over codes that cardholders read from their tokens."""

    def __init__(self, db: Database, vault: Vault, cardholders: Cardholders) -> None:
        self._db = db
        self._vault = vault
        self._cardholders = cardholders

    async def verify(
        self, issuer_id: str, actor: str, cardholder_id: str, typed: str, *, serial: str | None = None, question: str | None = None
    ) -> Verified:
        """Judge a code and use it up. With a serial the code must be from that very token."""
        outcome = await self.try_codes(issuer_id, actor, cardholder_id, [typed], serial=serial, question=question)
        if not isinstance(outcome, Match):
            return outcome
        async with self._db.transaction(issuer_id) as tx:
            return await self.accept(tx, actor, outcome)

    async def resynchronise(
        self,
        issuer_id: str,
        actor: str,
        cardholder_id: str,
        first: str,
        second: str,
        *,
        serial: str | None = None,
        question: str | None = None,
    ) -> Verified:
        """Find a device that counted or drifted away again, by two codes that it showed in a row (RFC 4226 §7.4).

        Into a device that signs the same question was typed for both. A cardholder whose device is locked by this is told.
        """
        outcome = await self.try_codes(issuer_id, actor, cardholder_id, [first, second], serial=serial, question=question)
        if isinstance(outcome, Rejected | Refused):
            return outcome
        async with self._db.transaction(issuer_id) as tx:
            if isinstance(outcome, Locked):
                if outcome.just_now:
                    await self._cardholders.tell_locked(tx, issuer_id, cardholder_id, outcome.seconds)
                return outcome
            accepted = await self.accept(tx, actor, outcome, codes=2)
            if isinstance(accepted, CodeAccepted):
                await audit.record(tx, issuer_id, actor, TokenTag.RESYNCHRONISED, accepted.token.id)
            return accepted

    async def ask(self, tx: Tx, token: Token) -> str | None:
        """Ask a device that signs a random question, in place of the one before; None for a device that takes none."""
        if token.suite is None:
            return None
        question = new_question(token.suite.question_length)
        await store.ask(tx, token.issuer_id, token.id, question)
        return question

    async def try_codes(
        self,
        issuer_id: str,
        actor: str,
        cardholder_id: str,
        typed: list[str],
        *,
        serial: str | None = None,
        question: str | None = None,
    ) -> Match | Rejected | Locked | Refused:
        """Charge one try, commit, then compare. Two codes in a row are looked for further away than one.

        With a question a code counts only from a device that signs, and for that question; without one such a device's code counts
        for the random question that it was asked last.
        """
        async with self._db.transaction(issuer_id) as tx:
            holder = await self._cardholders.find_by_id(tx, issuer_id, cardholder_id)
            if holder is None:
                return Refused(Reason.NO_USER)
            charged = await self.charge(tx, actor, holder, typed, serial=serial, question=question)
        return self.compare(charged, typed) if isinstance(charged, Charged) else charged

    def compare(self, charged: Charged, typed: list[str]) -> Match | Rejected | Locked:
        """Compare what was typed, once the charge for it is committed."""
        counter = find_run(_device(charged), [otp.read_code(code) for code in typed], charged.counters(wide=len(typed) > 1))
        if counter is not None:
            return Match(charged, counter)
        if charged.lock_seconds is not None:
            return Locked(charged.lock_seconds, just_now=True)
        return Rejected(charged.attempts_left)

    async def accept(self, tx: Tx, actor: str, match: Match, *, codes: int = 1) -> CodeAccepted | Rejected:
        """Use the matched code up in the caller's transaction, which does what the code allows.

        It forgives every try that was charged before, copies of the very code included.
        """
        charged, token = match.charged, match.charged.token
        assert token.cardholder_id is not None  # noqa: S101  # only a cardholder's token is charged
        state = await store.accept(
            tx,
            token.issuer_id,
            token.id,
            token.cardholder_id,
            counter=match.counter,
            next_counter=match.next_after(codes),
            drift_steps=match.drift_after(codes),
            charge_number=charged.charge,
            question_hash=charged.question_hash,
        )
        if state is None:
            return Rejected(0)
        if state is TokenState.LOCKED:
            await TOKEN.move(tx, token.issuer_id, token.id, TokenEvent.LAST_TRY_RIGHT)
            await audit.record(tx, token.issuer_id, actor, TokenTag.UNLOCKED, token.id)
        return CodeAccepted(token)

    async def find_usable(self, tx: Tx, issuer_id: str, cardholder_id: str) -> Token | Locked | Refused | None:
        """Return the token whose code a cardholder may be asked for, why there is none just now, or None without a token."""
        token = await store.find_held(tx, issuer_id, cardholder_id)
        if token is None:
            return None
        if token.state is TokenState.ASSIGNED:
            return Refused(Reason.NOT_ACTIVATED)
        if token.state is TokenState.BLOCKED:
            return Refused(Reason.BLOCKED)
        seconds = await store.locked_seconds(tx, issuer_id, token.id)
        return Locked(seconds) if seconds else token

    async def charge(
        self,
        tx: Tx,
        actor: str,
        holder: Cardholder,
        typed: list[str],
        *,
        serial: str | None = None,
        question: str | None = None,
    ) -> Charged | Rejected | Locked | Refused:
        """Charge one try to the device that a cardholder has, in the caller's transaction: compare only when it is committed.

        The code that was accepted last, sent once more, is accepted by nobody and no guess: a button pressed twice. Its charge is
        taken back while the row is held, so that no other try meets it and none is taken back twice.
        """
        issuer_id = holder.issuer_id
        token = await store.find_held(tx, issuer_id, holder.id)
        if serial is not None and (token is None or token.serial != serial):
            return Refused(Reason.NOT_ASSOCIATED if await store.is_listed(tx, issuer_id, serial) else Reason.NO_TOKEN)
        if token is None:
            return Refused(Reason.NO_TOKEN)
        if token.is_lock_over and await store.is_lock_over(tx, issuer_id, token.id):
            sets = {"failures": 0, "locked_until": None, "locked_by": None}
            await TOKEN.move(tx, issuer_id, token.id, TokenEvent.LOCK_ENDED, sets=sets)
            await audit.record(tx, issuer_id, actor, TokenTag.LOCK_ENDED, token.id)
        row = await store.charge(tx, issuer_id, token.id, holder.id)
        if row is None:
            return await self._why_not(tx, token)
        charged = await self._judge_again(tx, await self._open(tx, token, row, question), typed)
        if isinstance(charged, Charged) and charged.lock_seconds is not None:
            await TOKEN.move(tx, issuer_id, token.id, TokenEvent.GUESSED_TOO_OFTEN)
            await audit.record(tx, issuer_id, actor, TokenTag.LOCKED, token.id, {"seconds": charged.lock_seconds})
        return charged

    async def charge_many(self, tx: Tx, issuer_id: str, wanted: Sequence[Wanted]) -> dict[str, Charged | Rejected]:
        """Charge one try each to many cardholders' devices at once, in the caller's transaction; return it by cardholder.

        Who is missing takes a closer look (`charge`): another try of theirs is in flight or was charged here, the device signs, it
        cannot be used, or this may be the last try before it is locked.
        """
        typed = {one.cardholder_id: [one.typed] for one in reversed(wanted)}
        named = {one.cardholder_id: one.serial for one in reversed(wanted)}
        rows = await store.charge_many(tx, issuer_id, list(named.items())) if named else []
        opened = [await self._open(tx, token, row, None) for token, row in rows]
        return {
            holder: await self._judge_again(tx, charged, typed[holder])
            for charged in opened
            if (holder := charged.token.cardholder_id)
        }

    async def accept_many(self, tx: Tx, issuer_id: str, matches: Sequence[Match]) -> list[Match]:
        """Use up the matched codes of many devices at once, in the caller's transaction; return those of which it was done.

        The others take a closer look (`accept`).
        """
        first = {match.charged.token.id: match for match in reversed(matches)}
        accepted = await store.accept_many(tx, issuer_id, list(first.values())) if first else set()
        return [match for token_id, match in first.items() if token_id in accepted]

    async def _open(self, tx: Tx, token: Token, row: asyncpg.Record, question: str | None) -> Charged:
        """Return a charged try with what the device is made of."""
        keys = await self._vault.tenant(tx, token.issuer_id)
        seed = keys.unseal("otp_tokens", "seed_sealed", token.id, row["seed_sealed"])
        asked = question if question is not None or token.suite is None else row["question"]
        asked_hash = self._vault.hash("answered question", token.issuer_id, token.id, asked) if asked is not None else None
        return Charged(
            token, row["charges"], row["counter"], row["drift_steps"], row["now_seconds"], row["attempts_left"],
            row["lock_seconds"], seed, asked, asked_hash, asked_hash in row["answered_hashes"],
        )  # fmt: skip

    async def _judge_again(self, tx: Tx, charged: Charged, typed: list[str]) -> Charged | Rejected:
        """Take the charge back when the code that was accepted last is sent once more."""
        if not _is_last_accepted(charged, typed):
            return charged
        await store.give_back(tx, charged.token.issuer_id, charged.token.id)
        return Rejected(charged.attempts_left + 1)

    async def _why_not(self, tx: Tx, token: Token) -> Locked | Refused | Rejected:
        """Say why a token was not charged, by the state it is in now."""
        if seconds := await store.locked_seconds(tx, token.issuer_id, token.id):
            return Locked(seconds)
        now = await store.find_by_serial(tx, token.issuer_id, token.serial)
        assert now is not None  # noqa: S101  # tokens are never deleted
        if now.cardholder_id != token.cardholder_id or now.state in {TokenState.IMPORTED, TokenState.RETIRED}:
            return Refused(Reason.NO_TOKEN)
        if now.state is TokenState.ASSIGNED:
            return Refused(Reason.NOT_ACTIVATED)
        return Refused(Reason.BLOCKED) if now.state is TokenState.BLOCKED else Rejected(0)


def _device(charged: Charged) -> Callable[[int], str]:
    """Return what the device shows at a counter or time step, for the question that it was asked."""
    token, suite, question = charged.token, charged.token.suite, charged.question

    def show(counter: int) -> str:
        if suite is None or question is None:
            return code_at(charged.seed, counter, algorithm=token.algorithm, digits=token.digits)
        inputs = Inputs(question, counter if suite.counts else None, step=counter if suite.step_seconds else None)
        return answer(charged.seed, suite, inputs)

    return show


def _is_last_accepted(charged: Charged, typed: list[str]) -> bool:
    """True when what was typed is the code that was accepted last, sent once more."""
    if len(typed) != 1:
        return False
    return find_run(_device(charged), [otp.read_code(typed[0])], charged.last_accepted) is not None
