"""Our own RSA keys that sign access tokens of /passport and proofs of purchases (RFC 7515), rotated with overlap.

They belong to the tenant `hub`, under whose key the private halves are sealed. The public halves are a JWK set (RFC 7517).
"""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any

from joserfc import jws
from joserfc.errors import JoseError
from joserfc.jwk import RSAKey

from strongroom.access.model import AuditTag
from strongroom.access.store import signing_keys as store
from strongroom.kit import audit
from strongroom.kit.db import Database, Tx
from strongroom.kit.ids import new_id
from strongroom.kit.vault import Vault

HUB = "hub"
LEAD_SECONDS = 600  # a new key is shown this long before it signs: who caches our key set has it by then
OVERLAP_SECONDS = 24 * 3600  # an old key is shown this much longer: twice the longest life of what it signed
_KEY_BITS = 2048
_CACHE_SECONDS = 5.0  # far less than the lead
_TABLE = "signing_keys"
_MAX_LENGTH = 4096


class Purpose(StrEnum):
    """What a key signs; no key signs two kinds of thing."""

    ACCESS_TOKEN = "access_token"  # noqa: S105  # a kind, not a token
    PROOF = "proof"


ALGORITHMS = {Purpose.ACCESS_TOKEN: ("RS512", "RS256"), Purpose.PROOF: ("PS512",)}


class BadSignature(Exception):
    """Not signed by one of our keys for this purpose; why is for tests, never for the caller."""


@dataclass(frozen=True, slots=True)
class SigningKey:
    """A key, without its private half."""

    kid: str
    purpose: Purpose
    signs: bool
    signs_from: datetime
    shown_until: datetime | None


@dataclass(frozen=True, slots=True)
class _Held:
    public: SigningKey
    key: RSAKey = field(repr=False)


class SigningKeys:
    """Use cases over signing keys."""

    def __init__(self, db: Database, vault: Vault) -> None:
        self._db = db
        self._vault = vault
        self._ring: tuple[_Held, ...] = ()
        self._read_at = float("-inf")

    async def sign(self, purpose: Purpose, claims: Mapping[str, Any], algorithm: str) -> str:
        """Return claims as a compact JWS with `alg`, `kid` and `typ` JWT. The first key of a purpose is made on the way."""
        assert algorithm in ALGORITHMS[purpose]  # noqa: S101  # callers choose among the listed
        held = await self._signing(purpose)
        header = {"alg": algorithm, "kid": held.public.kid, "typ": "JWT"}
        payload = json.dumps(claims, separators=(",", ":"), ensure_ascii=False).encode()
        return jws.serialize_compact(header, payload, held.key, algorithms=[algorithm])

    async def verify(self, purpose: Purpose, text: str) -> dict[str, Any]:
        """Return the claims of a JWS that we signed for this purpose; the caller judges what they say. Raise BadSignature."""
        if len(text) > _MAX_LENGTH or not text.isascii():
            raise BadSignature
        keys = {held.public.kid: held.key for held in await self._shown() if held.public.purpose == purpose}

        def find_key(signed: Any) -> RSAKey:
            kid = signed.headers().get("kid")
            if not isinstance(kid, str) or kid not in keys:
                raise BadSignature
            return keys[kid]

        try:
            found = jws.deserialize_compact(text, find_key, algorithms=list(ALGORITHMS[purpose]))
            claims = json.loads(found.payload)
        except (JoseError, ValueError, TypeError, RecursionError) as error:
            raise BadSignature from error
        if not isinstance(claims, dict):
            raise BadSignature
        return claims

    async def jwks(self) -> dict[str, Any]:
        """Return the public halves of every key that may have signed something alive, or will soon (RFC 7517 §5)."""
        for purpose in Purpose:
            await self._signing(purpose)
        return {"keys": [{**held.key.as_dict(private=False), **_labels(held.public)} for held in await self._shown()]}

    async def rotate(self, actor: str, purpose: Purpose, *, lead_seconds: int = LEAD_SECONDS) -> SigningKey:
        """Make a key that signs after the lead; those before it are shown for a day more."""
        kid = await self._make(actor, purpose, lead_seconds, only_first=False)
        return next(held.public for held in await self._shown(fresh=True) if held.public.kid == kid)

    async def list_all(self) -> list[SigningKey]:
        """Return the keys that are shown, in the order in which they sign."""
        return [held.public for held in await self._shown(fresh=True)]

    async def _signing(self, purpose: Purpose) -> _Held:
        """Return the newest key whose time has come."""
        found = [held for held in await self._shown() if held.public.purpose == purpose and held.public.signs]
        if not found:
            await self._make("system", purpose, 0, only_first=True)
            found = [held for held in await self._shown(fresh=True) if held.public.purpose == purpose and held.public.signs]
        return found[-1]

    async def _make(self, actor: str, purpose: Purpose, lead_seconds: int, *, only_first: bool) -> str:
        kid, key = new_id("key"), await asyncio.to_thread(RSAKey.generate_key, _KEY_BITS)
        async with self._db.transaction(HUB) as tx:
            await store.lock(tx, HUB, purpose)
            if only_first and any(row.purpose == purpose and row.signs for row in await store.find_shown(tx, HUB)):
                return kid  # another process was first
            keys = await self._vault.tenant(tx, HUB)
            sealed = keys.seal(_TABLE, "key_sealed", kid, key.as_pem(private=True))
            await store.add(tx, HUB, kid, purpose, sealed, lead_seconds)
            await store.retire_others(tx, HUB, kid, purpose, lead_seconds + OVERLAP_SECONDS)
            await audit.record(tx, HUB, actor, AuditTag.SIGNING_KEY_CREATED, kid, {"purpose": str(purpose)})
        return kid

    async def _shown(self, *, fresh: bool = False) -> tuple[_Held, ...]:
        if not fresh and time.monotonic() - self._read_at < _CACHE_SECONDS:
            return self._ring
        began_at = time.monotonic()
        async with self._db.transaction(HUB) as tx:
            self._ring = tuple([await self._open(tx, row) for row in await store.find_shown(tx, HUB)])
        self._read_at = began_at
        return self._ring

    async def _open(self, tx: Tx, row: store.KeyRow) -> _Held:
        known = {held.public.kid: held.key for held in self._ring}
        key = known.get(row.kid)
        if key is None:
            keys = await self._vault.tenant(tx, HUB)
            key = RSAKey.import_key(keys.unseal(_TABLE, "key_sealed", row.kid, row.key_sealed))
        return _Held(SigningKey(row.kid, Purpose(row.purpose), row.signs, row.signs_from, row.shown_until), key)


def _labels(key: SigningKey) -> dict[str, str]:
    """Return what is said of a public key; one that serves two algorithms names none."""
    algorithms = ALGORITHMS[key.purpose]
    return {"kid": key.kid, "use": "sig", **({"alg": algorithms[0]} if len(algorithms) == 1 else {})}
