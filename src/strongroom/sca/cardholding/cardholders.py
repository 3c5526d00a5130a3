"""Use cases over cardholders: enrolled once per card, changed, shown and removed by their issuer."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, timedelta
from typing import Any

import msgspec

from strongroom.access.issuers import Issuers
from strongroom.kit import audit
from strongroom.kit.clock import now_of
from strongroom.kit.crypto import Secret
from strongroom.kit.db import Database, Tx
from strongroom.kit.errors import NotFound
from strongroom.kit.groupcommit import GroupCommit
from strongroom.kit.ids import new_id
from strongroom.kit.vault import PersonKey, TenantKeys, Vault
from strongroom.notify.messages import Messages
from strongroom.notify.model import Purpose
from strongroom.notify.texts import Template, Texts
from strongroom.sca.cardholding import store
from strongroom.sca.cardholding.model import AlreadyEnrolled, Cardholder, CardholderTag, Enrolled, Enrolment
from strongroom.sca.cardholding.states import CARDHOLDER, CardholderEvent

_TABLE = "cardholders"
_MINUTE = 60
_NOTICE_LIFE = timedelta(hours=24)


class Sent(msgspec.Struct, frozen=True):
    """What is sealed of an enrolment beside card and telephone."""

    details: dict[str, str]
    account: str | None = None


@dataclass(slots=True)
class _Write:
    """One enrolment in a batch, and whether its row was the first of its card."""

    row: store.NewRow = field(repr=False)
    was_first: bool = False


async def _write_batch(tx: Tx, issuer_id: str, writes: list[_Write]) -> None:
    added = await store.add(tx, issuer_id, [write.row for write in writes])
    for write in writes:
        write.was_first = write.row.id in added


class Cardholders:
    """Use cases over cardholders."""

    def __init__(self, db: Database, vault: Vault, issuers: Issuers, messages: Messages, texts: Texts) -> None:
        self._db = db
        self._vault = vault
        self._issuers = issuers
        self._messages = messages
        self._texts = texts
        self._group: GroupCommit[_Write] = GroupCommit(db, _write_batch)

    async def enrol(self, issuer_id: str, actor: str, enrolment: Enrolment) -> Enrolled | AlreadyEnrolled:
        """Enrol a cardholder, sharing a commit with others in flight. Raise TooMany when too many wait."""
        keys = self._vault.cached(issuer_id) or await self._load_keys(issuer_id)
        write = _Write(self._prepare(keys, issuer_id, actor, enrolment))
        await self._group.submit(issuer_id, write)
        if write.was_first:
            return Enrolled(write.row.id)
        async with self._db.transaction(issuer_id) as tx:
            return await self._compare(tx, issuer_id, enrolment)

    async def enrol_in(self, tx: Tx, issuer_id: str, actor: str, enrolment: Enrolment) -> Enrolled | AlreadyEnrolled:
        """Enrol a cardholder in the caller's transaction."""
        keys = await self._vault.tenant(tx, issuer_id)
        row = self._prepare(keys, issuer_id, actor, enrolment)
        if await store.add(tx, issuer_id, [row]):
            return Enrolled(row.id)
        return await self._compare(tx, issuer_id, enrolment)

    async def record_failure(self, tx: Tx, issuer_id: str, actor: str, reason: str) -> None:
        """Record that a registration failed at the issuer; nobody is enrolled."""
        await audit.record(tx, issuer_id, actor, CardholderTag.NOT_ENROLLED, issuer_id, {"reason": reason})

    async def find(self, tx: Tx, issuer_id: str, pan: Secret, *, lock: bool = False) -> Cardholder | None:
        """Return the cardholder of a card."""
        row = await store.find_by_card(tx, issuer_id, self._pan_hash(issuer_id, pan), lock=lock)
        return await self._open(tx, issuer_id, row) if row else None

    async def find_by_id(self, tx: Tx, issuer_id: str, cardholder_id: str) -> Cardholder | None:
        """Return a cardholder who is still enrolled."""
        row = await store.find_by_id(tx, issuer_id, cardholder_id)
        return await self._open(tx, issuer_id, row) if row else None

    async def find_approved(self, tx: Tx, issuer_id: str, cardholder_ids: list[str]) -> set[str]:
        """Return which of these cardholders are enrolled and approved, so that their codes count."""
        return await store.find_approved(tx, issuer_id, cardholder_ids)

    async def hold_approved(self, tx: Tx, issuer_id: str, cardholder_id: str) -> bool | None:
        """Return whether a cardholder's codes count, None for one who is not enrolled; it stays so until the transaction ends."""
        return await store.hold_approved(tx, issuer_id, cardholder_id)

    async def change(
        self,
        tx: Tx,
        issuer_id: str,
        actor: str,
        pan: Secret,
        details: Mapping[str, str],
        *,
        phone: str | None = None,
        approved: bool | None = None,
        account: Secret | None = None,
    ) -> Cardholder:
        """Change what was sent of a cardholder; a new number cools off, and the old one is told at once. Raise NotFound."""
        held = await self.find(tx, issuer_id, pan, lock=True)
        if held is None:
            raise NotFound
        person = await self._person(tx, issuer_id, pan)
        sent = Sent({**held.details, **details}, (account or held.account or _NOTHING).reveal() or None)
        sealed = person.seal(_TABLE, "details_sealed", held.id, sent)
        await store.set_details(tx, issuer_id, held.id, sealed, approved=held.approved if approved is None else approved)
        await audit.record(tx, issuer_id, actor, CardholderTag.CHANGED, held.id, {"members": sorted(details)})
        if phone is not None and phone != (held.next_phone or held.phone):
            await self._change_phone(tx, actor, held, person, phone)
        changed = await self.find(tx, issuer_id, pan)
        assert changed is not None  # noqa: S101  # it was locked above
        return changed

    async def remove(self, tx: Tx, issuer_id: str, actor: str, pan: Secret) -> None:
        """End an enrolment; the card may be enrolled again. Raise NotFound."""
        held = await self.find(tx, issuer_id, pan)
        if held is None or not await CARDHOLDER.move(tx, issuer_id, held.id, CardholderEvent.REMOVED):
            raise NotFound
        await audit.record(tx, issuer_id, actor, CardholderTag.REMOVED, held.id)

    async def tell_locked(self, tx: Tx, issuer_id: str, cardholder_id: str, seconds: int) -> None:
        """Tell a cardholder that no code counts for so long, and what more wrong ones do: before it is for good (RTS Art. 4)."""
        held = await self.find_by_id(tx, issuer_id, cardholder_id)
        if held is not None:
            await self._tell(tx, held, Template.CARD_LOCKED, time=_in_words(seconds))

    async def tell_blocked(self, tx: Tx, issuer_id: str, cardholder_id: str) -> None:
        """Tell a cardholder that the issuer lets no code count until it says otherwise."""
        held = await self.find_by_id(tx, issuer_id, cardholder_id)
        if held is not None:
            await self._tell(tx, held, Template.CARD_BLOCKED)

    async def _change_phone(self, tx: Tx, actor: str, held: Cardholder, person: PersonKey, phone: str) -> None:
        await store.set_phone(
            tx,
            held.issuer_id,
            held.id,
            self._vault.hash("cardholder phone", held.issuer_id, phone),
            person.seal(_TABLE, "phone_sealed", held.id, phone),
        )
        await audit.record(tx, held.issuer_id, actor, CardholderTag.PHONE_CHANGED, held.id)
        await self._tell(tx, held, Template.PHONE_CHANGED)

    async def _tell(self, tx: Tx, held: Cardholder, template: Template, **values: str) -> None:
        """Send a notice to the number that gets codes now."""
        issuer = await self._issuers.load(tx, held.issuer_id)
        now = (await now_of(tx)).astimezone(UTC)
        await self._messages.queue(
            tx, held.issuer_id, to=held.phone, purpose=Purpose.NOTICE, valid_until=now + _NOTICE_LIFE,
            sender=issuer.settings.sms_sender, countries=issuer.settings.sms_countries,
            text=await self._texts.write(tx, held.issuer_id, template, {"firm": issuer.name, **values}),
            key=f"{template} {held.id} {now.isoformat()}",
        )  # fmt: skip

    async def _compare(self, tx: Tx, issuer_id: str, enrolment: Enrolment) -> Enrolled | AlreadyEnrolled:
        """Judge a card that has a cardholder: the very same enrolment within a day is that one, sent again."""
        held = await self.find(tx, issuer_id, enrolment.pan)
        if held is None:  # removed a moment ago: whoever asks again enrols
            raise NotFound
        sent = (enrolment.details, enrolment.account, enrolment.phone, enrolment.approved)
        is_same = held.is_new and held.next_phone is None and sent == (held.details, held.account, held.phone, held.approved)
        return Enrolled(held.id, again=True) if is_same else AlreadyEnrolled(held.id)

    def _prepare(self, keys: TenantKeys, issuer_id: str, actor: str, enrolment: Enrolment) -> store.NewRow:
        """Choose the id and seal everything, so that the write itself is one statement."""
        cardholder_id, pan, account = new_id("chd"), enrolment.pan.reveal(), enrolment.account
        person, data_key_sealed = keys.new_person(_TABLE, cardholder_id)
        sent = Sent(enrolment.details, account.reveal() if account else None)
        return store.NewRow(
            cardholder_id,
            self._pan_hash(issuer_id, enrolment.pan),
            person.seal(_TABLE, "pan_sealed", cardholder_id, pan),
            f"{pan[:6]}******{pan[-4:]}",
            data_key_sealed,
            person.seal(_TABLE, "details_sealed", cardholder_id, sent),
            self._vault.hash("cardholder account", issuer_id, account.reveal()) if account else None,
            self._vault.hash("cardholder phone", issuer_id, enrolment.phone),
            person.seal(_TABLE, "phone_sealed", cardholder_id, enrolment.phone),
            enrolment.approved,
            actor,
        )

    async def _open(self, tx: Tx, issuer_id: str, row: Any) -> Cardholder:
        keys = await self._vault.tenant(tx, issuer_id)
        person = keys.person(_TABLE, row["id"], row["data_key_sealed"])
        sent = person.unseal(_TABLE, "details_sealed", row["id"], row["details_sealed"], Sent)
        phone = person.unseal(_TABLE, "phone_sealed", row["id"], row["phone_sealed"], str)
        old = row["old_phone_sealed"]
        now_phone = person.unseal(_TABLE, "phone_sealed", row["id"], old, str) if old else phone
        return Cardholder(
            issuer_id,
            row["id"],
            row["pan_shown"],
            now_phone,
            phone if old else None,
            row["phone_usable_from"],
            Secret(sent.account) if sent.account else None,
            sent.details,
            row["approved"],
            row["created_at"],
            row["is_new"],
        )

    async def _person(self, tx: Tx, issuer_id: str, pan: Secret) -> PersonKey:
        row = await store.find_by_card(tx, issuer_id, self._pan_hash(issuer_id, pan))
        assert row is not None  # noqa: S101  # the caller has locked it
        return (await self._vault.tenant(tx, issuer_id)).person(_TABLE, row["id"], row["data_key_sealed"])

    async def _load_keys(self, issuer_id: str) -> TenantKeys:
        async with self._db.transaction(issuer_id) as tx:
            return await self._vault.tenant(tx, issuer_id)

    def _pan_hash(self, issuer_id: str, pan: Secret) -> bytes:
        return self._vault.hash("card number", issuer_id, pan.reveal())


_NOTHING = Secret("")


def _in_words(seconds: int) -> str:
    """Return a time in whole minutes or hours, rounded up."""
    minutes = -(-seconds // _MINUTE)
    hours = -(-minutes // _MINUTE)
    return f"{minutes} minutes" if minutes <= _MINUTE else f"{hours} hours"
