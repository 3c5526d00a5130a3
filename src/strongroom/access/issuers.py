"""Use cases over issuers: made, listed and changed by the operator; found by BankId, by card or by a hub's certificate."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import msgspec

from strongroom.access.changes import changed_settings
from strongroom.access.errors import BankIdTaken, CardRangeTaken
from strongroom.access.issuer_model import (
    CardPrefix,
    Hosting,
    Issuer,
    IssuerSettings,
    MessageSecurity,
    ReliableVersion,
    RemoteProtocol,
)
from strongroom.access.model import AuditTag
from strongroom.access.store import issuers as store
from strongroom.kit import audit
from strongroom.kit.crypto import Secret
from strongroom.kit.db import Database, Tx
from strongroom.kit.errors import Invalid, NotFound
from strongroom.kit.ids import is_id, new_id
from strongroom.kit.recent import Recent

_ALL = "all"
_LONGEST_PREFIX, _SHORTEST_PREFIX = 12, 4
_MAX_BANK_ID = 2**31 - 1


class Issuers:
    """Use cases over issuers."""

    def __init__(self, db: Database) -> None:
        self._db = db
        self._recent: Recent[str, Issuer] = Recent()
        self._bank_ids: Recent[int, str] = Recent()
        self._hubs: Recent[bytes, tuple[str, ...]] = Recent()
        self._ranges: Recent[str, dict[str, str]] = Recent()

    async def create(
        self, actor: str, name: str, bank_id: int, card_prefixes: Sequence[str] = (), settings: IssuerSettings | None = None
    ) -> Issuer:
        """Make an issuer with its BankId and its cards' first 4 to 12 digits. Raise BankIdTaken, CardRangeTaken or Invalid."""
        _check_prefixes(card_prefixes)
        if not 0 < bank_id <= _MAX_BANK_ID:
            raise Invalid("A BankId is a positive whole number")
        issuer_id, chosen = new_id("iss"), settings or IssuerSettings()
        _check_remote(chosen)
        async with self._db.transaction(issuer_id) as tx:
            if not await store.add(tx, issuer_id, bank_id, name, chosen):
                raise BankIdTaken
            await self._give_ranges(tx, issuer_id, card_prefixes)
            await store.set_hubs(tx, issuer_id, map(bytes.fromhex, chosen.hub_certificate_hashes))
            await audit.record(tx, issuer_id, actor, AuditTag.ISSUER_CREATED, issuer_id, {"bank_id": bank_id})
        self._ranges.drop(_ALL)
        return await self.get(issuer_id)

    async def get(self, issuer_id: str) -> Issuer:
        """Return an issuer as it was at most half a second ago. Raise NotFound."""
        issuer = await self._recent.get(issuer_id, lambda: self._read(issuer_id)) if is_id(issuer_id) else None
        if issuer is None:
            raise NotFound
        return issuer

    async def load(self, tx: Tx, issuer_id: str) -> Issuer:
        """Return an issuer within the caller's transaction, so that no second connection is waited for. Raise NotFound."""
        issuer = self._recent.find(issuer_id) or await store.find(tx, issuer_id)
        if issuer is None:
            raise NotFound
        return issuer

    async def find_by_bank_id(self, bank_id: int) -> Issuer | None:
        """Return the issuer of a BankId."""
        issuer_id = self._bank_ids.find(bank_id)
        if issuer_id is None:
            if not 0 < bank_id <= _MAX_BANK_ID:
                return None
            began_at = time.monotonic()
            async with self._db.reading() as tx:
                issuer_id = await store.find_by_bank_id(tx, bank_id)
            if issuer_id is None:
                return None
            self._bank_ids.keep(bank_id, issuer_id, began_at)
        return await self.get(issuer_id)

    async def find_id_by_pan(self, pan: Secret) -> str | None:
        """Return the id of the issuer of a card: the one with the longest prefix that fits."""
        found = _longest(await self._ranges.get(_ALL, self._read_ranges) or {}, pan)
        if found is None:  # nobody's a moment ago: a new issuer's cards are its own at once
            began_at = time.monotonic()
            held = await self._read_ranges()
            self._ranges.keep(_ALL, held, began_at)
            found = _longest(held, pan)
        return found

    async def find_by_pan(self, pan: Secret) -> Issuer | None:
        """Return the issuer of a card."""
        issuer_id = await self.find_id_by_pan(pan)
        return await self.get(issuer_id) if issuer_id else None

    async def find_by_hub(self, certificate_hash: bytes) -> tuple[Issuer, ...]:
        """Return the issuers whose service the hub with this certificate (SHA-256) may call; empty for everybody else."""
        held = self._hubs.find(certificate_hash)
        if held is None:
            began_at = time.monotonic()
            async with self._db.reading() as tx:
                held = tuple(await store.find_by_hub(tx, certificate_hash))
            self._hubs.keep(certificate_hash, held, began_at)
        return tuple([await self.get(issuer_id) for issuer_id in held])

    async def change(self, actor: str, issuer_id: str, changes: Mapping[str, Any], *, name: str | None = None) -> Issuer:
        """Change some settings, and the name if given. Raise NotFound, or Invalid that names what cannot be accepted."""
        return await self._change(actor, issuer_id, lambda _: changes, name)

    async def pin(self, actor: str, issuer_id: str, setting: str, certificate_hash: bytes) -> Issuer:
        """Add a certificate (SHA-256) to the pins of a setting, beside those that it has. Raise NotFound or Invalid."""
        given = certificate_hash.hex()
        return await self._change(
            actor, issuer_id, lambda held: {setting: [*(one for one in getattr(held, setting) if one != given), given]}
        )

    async def unpin(self, actor: str, issuer_id: str, setting: str, certificate_hash: bytes) -> Issuer:
        """Take a certificate from the pins of a setting. Raise NotFound, also when it is not among them."""
        given = certificate_hash.hex()

        def without(held: IssuerSettings) -> dict[str, Any]:
            if given not in getattr(held, setting):
                raise NotFound("This certificate is not pinned there")
            return {setting: [one for one in getattr(held, setting) if one != given]}

        return await self._change(actor, issuer_id, without)

    async def add_card_ranges(self, actor: str, issuer_id: str, prefixes: Sequence[str]) -> Issuer:
        """Give card prefixes to an issuer. Raise NotFound, CardRangeTaken or Invalid."""
        _check_prefixes(prefixes)
        return await self._change_ranges(actor, issuer_id, "added", prefixes)

    async def remove_card_ranges(self, actor: str, issuer_id: str, prefixes: Sequence[str]) -> Issuer:
        """Take card prefixes from an issuer. Raise NotFound."""
        return await self._change_ranges(actor, issuer_id, "removed", prefixes)

    async def _change(
        self, actor: str, issuer_id: str, choose: Callable[[IssuerSettings], Mapping[str, Any]], name: str | None = None
    ) -> Issuer:
        """Write what is chosen in the sight of the settings as they are, which nobody else changes meanwhile."""
        await self.get(issuer_id)
        async with self._db.transaction(issuer_id) as tx:
            issuer = await store.find(tx, issuer_id, for_update=True)
            if issuer is None:
                raise NotFound
            changes = choose(issuer.settings)
            settings = changed_settings(issuer.settings, changes)
            _check_remote(settings)
            await store.change(tx, issuer_id, name or issuer.name, settings)
            await store.set_hubs(tx, issuer_id, map(bytes.fromhex, settings.hub_certificate_hashes))
            detail = {"changed": sorted([*changes, *(["name"] if name else [])])}
            await audit.record(tx, issuer_id, actor, AuditTag.ISSUER_CHANGED, issuer_id, detail)
        self._recent.drop(issuer_id)
        return await self.get(issuer_id)

    async def _change_ranges(self, actor: str, issuer_id: str, what: str, prefixes: Sequence[str]) -> Issuer:
        await self.get(issuer_id)
        async with self._db.transaction(issuer_id) as tx:
            if what == "added":
                await self._give_ranges(tx, issuer_id, prefixes)
            elif await store.remove_card_ranges(tx, issuer_id, prefixes) < len(set(prefixes)):
                raise NotFound
            detail = {f"card_prefixes_{what}": sorted(prefixes)}
            await audit.record(tx, issuer_id, actor, AuditTag.ISSUER_CHANGED, issuer_id, detail)
        self._recent.drop(issuer_id)
        self._ranges.drop(_ALL)
        return await self.get(issuer_id)

    async def _give_ranges(self, tx: Tx, issuer_id: str, prefixes: Sequence[str]) -> None:
        if taken := await store.add_card_ranges(tx, issuer_id, prefixes):
            raise CardRangeTaken(f"Another issuer has the cards that begin with {taken[0]}")

    async def _read_ranges(self) -> dict[str, str]:
        async with self._db.reading() as tx:
            return await store.read_card_ranges(tx)

    async def _read(self, issuer_id: str) -> Issuer | None:
        async with self._db.transaction(issuer_id) as tx:
            return await store.find(tx, issuer_id)


async def list_issuers(worker_db: Database) -> list[Issuer]:
    """Return every issuer, oldest first; needs the worker's role, because the application sees one tenant at a time."""
    async with worker_db.transaction() as tx:
        return await store.find_all(tx)


def _longest(ranges: Mapping[str, str], pan: Secret) -> str | None:
    digits = pan.reveal()
    lengths = range(_LONGEST_PREFIX, _SHORTEST_PREFIX - 1, -1)
    return next((ranges[digits[:length]] for length in lengths if digits[:length] in ranges), None)


def _check_prefixes(prefixes: Sequence[str]) -> None:
    """Raise Invalid unless each is 4 to 12 digits."""
    try:
        msgspec.convert(list(prefixes), list[CardPrefix])
    except msgspec.ValidationError:
        raise Invalid("A card range is the first 4 to 12 digits of its cards") from None


def _check_remote(settings: IssuerSettings) -> None:
    """Raise Invalid when settings contradict each other, such as a signature asked of a protocol that has none."""
    asks_for_soap = settings.ws_security is not MessageSecurity.OFF or settings.reliable is not ReliableVersion.NONE
    if asks_for_soap and settings.remote_protocol is not RemoteProtocol.SOAP:
        raise Invalid("ws_security and reliable are for SOAP: set remote_protocol=soap with them")
    if settings.ws_security is not MessageSecurity.OFF and not settings.remote_signer_hashes:
        raise Invalid("ws_security needs the certificates that may sign the answers: pin one with --as remote-signer")
    if settings.hosting is Hosting.REMOTE and settings.hub_certificate_hashes:
        raise Invalid("Where the issuer's own service keeps its tokens no hub asks here: hosting=remote goes without pinned hubs")
