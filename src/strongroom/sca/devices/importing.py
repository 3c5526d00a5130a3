"""Importing files of tokens: checked row by row, stored a thousand a commit, and as often as wanted: what is there stays."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from itertools import islice

from strongroom.kit.db import Database
from strongroom.kit.ids import new_id
from strongroom.kit.seen import Seen
from strongroom.kit.vault import TenantKeys, Vault
from strongroom.sca.devices import store
from strongroom.sca.devices.errors import TokenInvalid
from strongroom.sca.devices.model import NewToken, Read, RowFault, TokenTag
from strongroom.sca.devices.otp_tokens import check_new

BATCH = 1_000
_OTHER = "another token of the issuer has this serial"
_TWICE = "the same serial stands in an earlier row"


@dataclass(slots=True)
class Outcome:
    """What one batch came to."""

    added: int = 0
    known: int = 0  # the very token was there already
    faults: list[RowFault] = field(default_factory=list)


class TokenImport:
    """Takes tokens of a file into an issuer's stock. A dry run does everything but keep it."""

    def __init__(self, db: Database, vault: Vault) -> None:
        self._db = db
        self._vault = vault

    async def take(self, issuer_id: str, actor: str, batch: list[Read], seen: Seen, *, dry_run: bool) -> Outcome:
        """Import one batch of a file in one transaction; of two at once that hold the same serial one adds it.

        `seen` remembers the serials of the file's earlier rows, whichever batch they were in: one for each file.
        """
        outcome = Outcome(faults=[read for read in batch if isinstance(read, RowFault)])
        news = list(_checked([read for read in batch if not isinstance(read, RowFault)], seen, outcome))
        async with self._db.transaction(issuer_id) as tx:
            keys = await self._vault.tenant(tx, issuer_id)
            if dry_run:
                added = {new.serial for _, new in news} - await store.find_serials(tx, issuer_id, [new.serial for _, new in news])
            else:
                rows = [_sealed(keys, new) for _, new in news]
                added = await store.add_many(tx, issuer_id, rows, actor=actor, tag=TokenTag.IMPORTED)
            outcome.added = len(added)
            held = [(row, new) for row, new in news if new.serial not in added]
            known = await store.find_seeds(tx, issuer_id, [new.serial for _, new in held])
        for row, new in held:
            token_id, sealed = known[new.serial]
            if keys.unseal("otp_tokens", "seed_sealed", token_id, sealed).hex() == new.seed.reveal().lower():
                outcome.known += 1
            else:
                outcome.faults.append(RowFault(row, new.serial, _OTHER))
        return outcome


def in_batches(reads: Iterable[Read]) -> Iterator[list[Read]]:
    """Yield rows a thousand at a time."""
    rows = iter(reads)
    while batch := list(islice(rows, BATCH)):
        yield batch


def _checked(rows: list[tuple[int, NewToken]], seen: Seen, outcome: Outcome) -> Iterator[tuple[int, NewToken]]:
    """Yield what can be a token, each serial once; the rest is a fault."""
    for row, new in rows:
        try:
            check_new(new)
        except TokenInvalid as refusal:
            outcome.faults.append(RowFault(row, new.serial, refusal.detail))
            continue
        if not seen.is_new(new.serial):
            outcome.faults.append(RowFault(row, new.serial, _TWICE))
            continue
        yield row, new


def _sealed(keys: TenantKeys, new: NewToken) -> store.NewRow:
    token_id = new_id("otk")
    return store.NewRow(new, token_id, keys.seal("otp_tokens", "seed_sealed", token_id, bytes.fromhex(new.seed.reveal())))
