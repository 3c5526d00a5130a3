"""The vault: root key → key per tenant → data key per person → data, opened on demand and cached for a short time."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Collection, Mapping
from typing import TypeVar

import msgspec

from strongroom.kit.crypto import Key, KeyedHash, Place, SealBroken, key_version, seal, unseal
from strongroom.kit.db import Tx
from strongroom.kit.errors import Unavailable
from strongroom.kit.rootkeys import RootKeyKeeper, RootKeys, RootKeysError

T = TypeVar("T")

_SETTLED = "10 seconds"  # longer than any process's cache: by then all of them can open what a new key seals
_CACHE_SECONDS = 5.0  # how long a rotation may go unnoticed; old keys keep opening meanwhile


class TenantKeys:
    """The keys of one tenant: the newest that every process knows seals, all of them open."""

    def __init__(self, tenant: str, keys: Mapping[int, Key], settled: Collection[int] = ()) -> None:
        self.tenant = tenant
        self._keys = dict(keys)
        self.active = self._keys[max(settled, default=min(self._keys))]

    def seal(self, table: str, column: str, row: str, plaintext: bytes) -> bytes:
        """Seal a value for its place."""
        return seal(self.active, Place(self.tenant, table, column, row), plaintext)

    def unseal(self, table: str, column: str, row: str, sealed: bytes) -> bytes:
        """Open a value. Raise SealBroken."""
        key = self._keys.get(key_version(sealed))
        if key is None:
            raise SealBroken
        return unseal(key, Place(self.tenant, table, column, row), sealed)

    def seal_text(self, table: str, column: str, row: str, text: str) -> bytes:
        """Seal a text."""
        return self.seal(table, column, row, text.encode())

    def unseal_text(self, table: str, column: str, row: str, sealed: bytes) -> str:
        """Open a text."""
        return self.unseal(table, column, row, sealed).decode()

    def new_person(self, table: str, row: str) -> tuple[PersonKey, bytes]:
        """Make a data key for one person and return it with its sealed form; destroying that form erases the person."""
        key = Key.generate()
        return PersonKey(self.tenant, row, key), self.seal(table, "data_key_sealed", row, key.material)

    def person(self, table: str, row: str, data_key_sealed: bytes) -> PersonKey:
        """Open the data key of one person."""
        return PersonKey(self.tenant, row, Key(1, self.unseal(table, "data_key_sealed", row, data_key_sealed)))


class PersonKey:
    """The data key of one person; everything about them is sealed with it."""

    def __init__(self, tenant: str, person: str, key: Key) -> None:
        self._tenant = tenant
        self._person = person
        self._key = key

    def seal(self, table: str, column: str, row: str, value: object) -> bytes:
        """Seal a value (anything msgspec can write as JSON) for its place."""
        return seal(self._key, Place(self._tenant, table, column, row), msgspec.json.encode(value))

    def unseal(self, table: str, column: str, row: str, sealed: bytes, as_type: type[T]) -> T:
        """Open a value as the given type. Raise SealBroken."""
        return msgspec.json.decode(unseal(self._key, Place(self._tenant, table, column, row), sealed), type=as_type)


class Vault:
    """Opens tenants' keys and computes keyed hashes."""

    def __init__(self, keeper: RootKeyKeeper) -> None:
        self._keeper = keeper
        self._root = keeper.load()
        self._root_loaded_at = time.monotonic()
        self._cache: dict[str, tuple[float, TenantKeys]] = {}
        self._opened: dict[str, dict[bytes, Key]] = {}  # by tenant and wrapped form, so that a module is asked once a key
        self._hashes: dict[str, KeyedHash] = {}

    def hash(self, purpose: str, *parts: str | bytes) -> bytes:
        """Return the keyed hash for one purpose; each purpose has a key of its own."""
        hashing = self._hashes.get(purpose)
        if hashing is None:
            hashing = self._hashes[purpose] = KeyedHash(self._root.index_key(purpose))
        return hashing.over(*parts)

    def cached(self, tenant: str) -> TenantKeys | None:
        """Return the keys of a tenant when they were read a moment ago; spares a transaction on busy paths."""
        held = self._cache.get(tenant)
        return held[1] if held and time.monotonic() - held[0] < _CACHE_SECONDS else None

    async def tenant(self, tx: Tx, tenant: str) -> TenantKeys:
        """Return the keys of a tenant; the transaction must be the tenant's own."""
        if held := self.cached(tenant):
            return held
        rows = await tx.fetch(
            f"""SELECT version, key_sealed, created_at <= app_now() - interval '{_SETTLED}' AS settled
                FROM tenant_keys WHERE tenant_id = $1 AND retired_at IS NULL""",
            tenant,
        )
        if not rows:
            return await self._first_key(tx, tenant)
        settled = [row["version"] for row in rows if row["settled"]]
        known = self._opened.get(tenant, {})
        opened = self._opened[tenant] = {row[1]: known.get(row[1]) or self._unwrap(tenant, row[0], row[1]) for row in rows}
        keys = TenantKeys(tenant, {key.version: key for key in opened.values()}, settled)
        self._cache[tenant] = (time.monotonic(), keys)
        return keys

    async def add_key(self, tx: Tx, tenant: str) -> int:
        """Make a new active key for a tenant and return its version; values are sealed anew lazily."""
        version = 1 + (await tx.fetchval("SELECT coalesce(max(version), 0) FROM tenant_keys WHERE tenant_id = $1", tenant))
        await self._store_key(tx, tenant, Key.generate(version))
        self._cache.pop(tenant, None)
        return int(version)

    async def rewrap(self, tx: Tx, tenant: str) -> int:
        """Wrap a tenant's keys with the active root key; return how many were wrapped anew."""
        root = self.root(reload=True)
        rows = await tx.fetch("SELECT version, key_sealed FROM tenant_keys WHERE tenant_id = $1 FOR UPDATE", tenant)
        stale = [row for row in rows if key_version(row[1]) != root.active.version]
        for version, wrapped in stale:
            key = self._unwrap(tenant, version, wrapped)
            fresh = seal(root.active, _key_place(tenant, version), key.material)
            await tx.execute("UPDATE tenant_keys SET key_sealed = $3 WHERE tenant_id = $1 AND version = $2", tenant, version, fresh)
        return len(stale)

    def root(self, *, reload: bool = False) -> RootKeys:
        """Return the root keys, read anew when asked or after a while."""
        if reload or time.monotonic() - self._root_loaded_at > _CACHE_SECONDS:
            self._root = self._keeper.load()
            self._root_loaded_at = time.monotonic()
        return self._root

    def can_use_root(self) -> bool:
        """True when the active root key seals and opens just now. Keys held in memory do so while their file is away."""
        with contextlib.suppress(RootKeysError):
            self.root()
        place = Place("", "", "", "")
        try:
            return unseal(self._root.active, place, seal(self._root.active, place, b"ready")) == b"ready"
        except (Unavailable, SealBroken):
            return False

    async def _first_key(self, tx: Tx, tenant: str) -> TenantKeys:
        """Make a tenant's first key; of two processes at once the database lets one win and both read its key."""
        await self._store_key(tx, tenant, Key.generate(1))
        row = await tx.fetchrow("SELECT version, key_sealed FROM tenant_keys WHERE tenant_id = $1 AND version = 1", tenant)
        assert row is not None  # noqa: S101  # the insert above or its rival wrote it
        return TenantKeys(tenant, {row[0]: self._unwrap(tenant, row[0], row[1])})

    async def _store_key(self, tx: Tx, tenant: str, key: Key) -> None:
        wrapped = seal(self.root().active, _key_place(tenant, key.version), key.material)
        await tx.execute(
            "INSERT INTO tenant_keys (tenant_id, version, key_sealed) VALUES ($1, $2, $3) ON CONFLICT DO NOTHING",
            tenant, key.version, wrapped,
        )  # fmt: skip

    def _unwrap(self, tenant: str, version: int, wrapped: bytes) -> Key:
        root = self._root.keys.get(key_version(wrapped)) or self.root(reload=True).keys.get(key_version(wrapped))
        if root is None:
            raise SealBroken
        return Key(version, unseal(root, _key_place(tenant, version), wrapped))


def _key_place(tenant: str, version: int) -> Place:
    return Place(tenant, "tenant_keys", "key_sealed", str(version))
