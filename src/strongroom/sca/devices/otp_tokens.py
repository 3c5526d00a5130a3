"""The life of tokens: imported, given to a cardholder, activated, blocked, unblocked by two people, replaced, retired."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

import asyncpg

from strongroom.access.model import StaffMember
from strongroom.kit import audit
from strongroom.kit.crypto import Secret
from strongroom.kit.db import Database, Tx
from strongroom.kit.errors import UnknownCursor
from strongroom.kit.ids import new_id
from strongroom.kit.vault import Vault
from strongroom.sca.cardholding.cardholders import Cardholders
from strongroom.sca.devices import store
from strongroom.sca.devices.errors import (
    HasToken,
    NewerThanProposal,
    NoSuchCardholder,
    NoSuchToken,
    OnePersonOnly,
    SerialTaken,
    TokenHeld,
    TokenInvalid,
    TokenStateRefuses,
)
from strongroom.sca.devices.model import SEED_BYTES_MAX, SEED_BYTES_MIN, Kind, NewToken, Token, TokenTag
from strongroom.sca.devices.states import TOKEN, TokenEvent, TokenState
from strongroom.sca.devices.suites import find_refusal

LIST_MAX = 200
_HEX = re.compile(r"(?:[0-9A-Fa-f]{2})+")
_SERIAL = re.compile(r"[A-Za-z0-9._-]{1,64}")
_UNCHARGED: Mapping[str, Any] = {"failures": 0, "locked_until": None, "locked_by": None}

_UNASKED: Mapping[str, Any] = {"unblock_asked_by": None, "unblock_asked_at": None}


class OtpTokens:
    """Use cases over the tokens of issuers; `actor` is who does it, for the audit. A seed goes in and never comes out."""

    def __init__(self, db: Database, vault: Vault, cardholders: Cardholders) -> None:
        self._db = db
        self._vault = vault
        self._cardholders = cardholders

    async def import_one(self, issuer_id: str, actor: str, new: NewToken) -> Token:
        """Take a token into the stock. Raise TokenInvalid or SerialTaken."""
        check_new(new)
        token_id = new_id("otk")
        async with self._db.transaction(issuer_id) as tx:
            keys = await self._vault.tenant(tx, issuer_id)
            sealed = keys.seal("otp_tokens", "seed_sealed", token_id, bytes.fromhex(new.seed.reveal()))
            if not await store.add(tx, issuer_id, token_id, new, sealed):
                raise SerialTaken
            await audit.record(tx, issuer_id, actor, TokenTag.IMPORTED, token_id)
            return await self._load(tx, issuer_id, new.serial)

    async def list_tokens(
        self,
        issuer_id: str,
        *,
        state: TokenState | None = None,
        cardholder_id: str | None = None,
        after: str | None = None,
        limit: int = LIST_MAX,
    ) -> list[Token]:
        """Return tokens by serial; `after` is the serial of the last one of the page before. Raise UnknownCursor."""
        async with self._db.transaction(issuer_id) as tx:
            if after is not None and not await store.is_listed(tx, issuer_id, after):
                raise UnknownCursor
            return await store.list_tokens(
                tx, issuer_id, state=state, cardholder_id=cardholder_id, after=after, limit=min(limit, LIST_MAX)
            )

    async def get(self, issuer_id: str, serial: str) -> Token:
        """Return a token. Raise NoSuchToken."""
        async with self._db.transaction(issuer_id) as tx:
            return await self._load(tx, issuer_id, serial)

    async def assign(self, issuer_id: str, actor: str, serial: str, cardholder_id: str) -> Token:
        """Give a token to a cardholder. Raise NoSuchToken, NoSuchCardholder, TokenHeld, HasToken or TokenStateRefuses."""
        async with self._db.transaction(issuer_id) as tx:
            return await self._assign(tx, issuer_id, actor, serial, cardholder_id)

    async def get_of_card(self, issuer_id: str, pan: Secret) -> Token:
        """Return the token of a card's holder. Raise NoSuchCardholder, or NoSuchToken when they have none."""
        async with self._db.transaction(issuer_id) as tx:
            token = await store.find_held(tx, issuer_id, await self._holder_of(tx, issuer_id, pan))
        if token is None:
            raise NoSuchToken("The holder of this card has no token")
        return token

    async def assign_to_card(self, issuer_id: str, actor: str, serial: str, pan: Secret) -> Token:
        """Give a token to the holder of a card. Raise what `assign` raises."""
        async with self._db.transaction(issuer_id) as tx:
            return await self._assign(tx, issuer_id, actor, serial, await self._holder_of(tx, issuer_id, pan))

    async def unassign(self, issuer_id: str, actor: str, serial: str) -> Token:
        """Take a token back into the stock. Raise NoSuchToken or TokenStateRefuses: one that is blocked stays with its holder."""
        sets = {**_UNCHARGED, "cardholder_id": None, "lock_level": 0}
        return await self._move(issuer_id, actor, serial, TokenEvent.UNASSIGNED, TokenTag.UNASSIGNED, sets)

    async def activate(self, issuer_id: str, actor: str, serial: str) -> Token:
        """Let the codes of an assigned token count. Raise NoSuchToken or TokenStateRefuses."""
        return await self._move(issuer_id, actor, serial, TokenEvent.ACTIVATED, TokenTag.ACTIVATED)

    async def block(self, issuer_id: str, actor: str, serial: str) -> Token:
        """Let no code count until two people unblock it, and tell the cardholder. Raise NoSuchToken or TokenStateRefuses."""
        async with self._db.transaction(issuer_id) as tx:
            blocked = await self._move_in(tx, issuer_id, actor, serial, TokenEvent.BLOCKED, TokenTag.BLOCKED, _UNASKED)
            if blocked.cardholder_id is not None:
                await self._cardholders.tell_blocked(tx, issuer_id, blocked.cardholder_id)
            return blocked

    async def unlock(self, issuer_id: str, actor: str, serial: str) -> Token:
        """End a lock before its time; the next lock is as long as if it had run out. Raise NoSuchToken or TokenStateRefuses."""
        return await self._move(issuer_id, actor, serial, TokenEvent.UNLOCKED, TokenTag.UNLOCKED, _UNCHARGED)

    async def retire(self, issuer_id: str, actor: str, serial: str) -> Token:
        """Let a token never count again. Raise NoSuchToken or TokenStateRefuses."""
        return await self._move(issuer_id, actor, serial, TokenEvent.RETIRED, TokenTag.RETIRED)

    async def replace(self, issuer_id: str, actor: str, serial: str, by_serial: str) -> Token:
        """Retire a cardholder's token and give them another, which is still to be activated; both or neither happen.

        Raise NoSuchToken, TokenHeld or TokenStateRefuses.
        """
        async with self._db.transaction(issuer_id) as tx:
            old = await self._load(tx, issuer_id, serial)
            if old.cardholder_id is None or not await TOKEN.move(tx, issuer_id, old.id, TokenEvent.RETIRED):
                raise TokenStateRefuses(state=old.state)
            await audit.record(tx, issuer_id, actor, TokenTag.RETIRED, old.id)
            return await self._assign(tx, issuer_id, actor, by_serial, old.cardholder_id)

    async def ask_unblock(self, person: StaffMember, serial: str) -> Token:
        """Ask, as the first of two people, for a blocked token to be unblocked. Raise NoSuchToken or TokenStateRefuses."""
        async with self._db.transaction(person.firm_id) as tx:
            token = await self._load(tx, person.firm_id, serial)
            if not await store.ask_unblock(tx, person.firm_id, token.id, person.id):
                raise TokenStateRefuses("Only a blocked token that nobody has asked for can be asked for")
            await audit.record(tx, person.firm_id, person.actor, TokenTag.UNBLOCK_ASKED, token.id)
            return await self._load(tx, person.firm_id, serial)

    async def approve_unblock(self, person: StaffMember, serial: str) -> Token:
        """Unblock, as the second person. Raise NoSuchToken, OnePersonOnly, NewerThanProposal or TokenStateRefuses."""
        async with self._db.transaction(person.firm_id) as tx:
            token = await self._load(tx, person.firm_id, serial)
            if token.unblock_asked_by == person.id:
                raise OnePersonOnly
            if token.unblock_asked_by is None or token.unblock_asked_at is None:
                raise TokenStateRefuses("Nobody has asked for this token to be unblocked")
            if person.created_at > token.unblock_asked_at:
                raise NewerThanProposal
            moved = await TOKEN.move(
                tx, person.firm_id, token.id, TokenEvent.UNBLOCKED,
                sets={**_UNCHARGED, **_UNASKED}, where={"unblock_asked_by": token.unblock_asked_by},
            )  # fmt: skip
            if moved is None:
                raise TokenStateRefuses
            await audit.record(tx, person.firm_id, person.actor, TokenTag.UNBLOCKED, token.id)
            return await self._load(tx, person.firm_id, serial)

    async def _holder_of(self, tx: Tx, issuer_id: str, pan: Secret) -> str:
        holder = await self._cardholders.find(tx, issuer_id, pan)
        if holder is None:
            raise NoSuchCardholder
        return holder.id

    async def _assign(self, tx: Tx, issuer_id: str, actor: str, serial: str, cardholder_id: str) -> Token:
        token = await self._load(tx, issuer_id, serial)
        if await self._cardholders.find_by_id(tx, issuer_id, cardholder_id) is None:
            raise NoSuchCardholder
        try:
            moved = await TOKEN.move(tx, issuer_id, token.id, TokenEvent.ASSIGNED, sets={"cardholder_id": cardholder_id})
        except asyncpg.UniqueViolationError:
            raise HasToken from None
        if moved is None:
            raise TokenStateRefuses(state=token.state) if token.state is TokenState.RETIRED else TokenHeld
        await audit.record(tx, issuer_id, actor, TokenTag.ASSIGNED, token.id, {"cardholder": cardholder_id})
        return await self._load(tx, issuer_id, serial)

    async def _move(
        self, issuer_id: str, actor: str, serial: str, event: TokenEvent, tag: TokenTag, sets: Mapping[str, Any] | None = None
    ) -> Token:
        async with self._db.transaction(issuer_id) as tx:
            return await self._move_in(tx, issuer_id, actor, serial, event, tag, sets)

    async def _move_in(
        self, tx: Tx, issuer_id: str, actor: str, serial: str, event: TokenEvent, tag: TokenTag, sets: Mapping[str, Any] | None
    ) -> Token:
        token = await self._load(tx, issuer_id, serial)
        if not await TOKEN.move(tx, issuer_id, token.id, event, sets=sets):
            raise TokenStateRefuses(state=token.state)
        await audit.record(tx, issuer_id, actor, tag, token.id)
        return await self._load(tx, issuer_id, serial)

    async def _load(self, tx: Tx, issuer_id: str, serial: str) -> Token:
        token = await store.find_by_serial(tx, issuer_id, serial)
        if token is None:
            raise NoSuchToken
        return token


def check_new(new: NewToken) -> None:
    """Raise TokenInvalid when this cannot be a token; the sentence never has the seed in it."""
    seed = new.seed.reveal()
    if not _SERIAL.fullmatch(new.serial):
        raise TokenInvalid("A serial is 1 to 64 letters, digits, dots, dashes and underscores")
    if not _HEX.fullmatch(seed) or not SEED_BYTES_MIN <= len(seed) // 2 <= SEED_BYTES_MAX:
        raise TokenInvalid(f"A seed is {SEED_BYTES_MIN} to {SEED_BYTES_MAX} bytes in hexadecimal")
    if new.serial.lower() == seed.lower():  # columns in the wrong order would show every seed
        raise TokenInvalid("A serial is the number on the device and never its seed")
    if new.suite is not None or new.kind is Kind.OCRA:
        _check_suite(new)
    elif new.period_seconds not in ((30, 60) if new.kind is Kind.TOTP else (None,)):
        raise TokenInvalid("A TOTP token has a period of 30 or 60 seconds, an HOTP token has none")
    if not 6 <= new.digits <= 8:  # noqa: PLR2004  # the contract's own numbers
        raise TokenInvalid("A code has 6, 7 or 8 digits")
    if not 0 <= new.counter < 2**62:
        raise TokenInvalid("A counter is a whole number from 0")


def _check_suite(new: NewToken) -> None:
    """Raise TokenInvalid for a suite whose codes cannot be judged here, and for one that the rest of the token contradicts."""
    if new.suite is None or new.kind is not Kind.OCRA:
        raise TokenInvalid("An OCRA token has a suite, and no other token has one")
    if reason := find_refusal(new.suite):
        raise TokenInvalid(f"The suite {new.suite.text} {reason}")
    if (new.algorithm, new.digits, new.period_seconds) != (new.suite.hash, new.suite.digits, new.suite.step_seconds):
        raise TokenInvalid("The hash, digits and period of an OCRA token are those of its suite")
