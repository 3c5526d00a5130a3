"""The keys a bank publishes (JWKS, RFC 7517): fetched when first needed, hourly, and at most once a minute for an unknown id."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import msgspec
from joserfc.errors import JoseError
from joserfc.jwk import ECKey, RSAKey

from strongroom.banking.port import BankUnavailable
from strongroom.banking.signing import PublicKey, Untrusted

REFRESH_SECONDS = 3600.0
RETRY_SECONDS = 60.0
MAX_KEYS = 100
MIN_RSA_BITS = 2048
KINDS: dict[str, type[RSAKey | ECKey]] = {"RSA": RSAKey, "EC": ECKey}


class _KeySet(msgspec.Struct):
    keys: list[dict[str, Any]]


class PublishedKeys:
    """One bank's keys. An unknown key id makes them fetched anew, but not twice within a minute, whoever asks."""

    def __init__(self, fetch: Callable[[], Awaitable[bytes]], clock: Callable[[], float]) -> None:
        self._fetch = fetch
        self._clock = clock
        self._keys: dict[str, PublicKey] = {}
        self._fetched_at: float | None = None
        self._fetching = asyncio.Lock()

    async def get_key(self, kid: str) -> PublicKey:
        """Return the key. Raise Untrusted when the bank does not publish it, BankUnavailable when it cannot be asked."""
        if not self._is_fresh(REFRESH_SECONDS) or (kid not in self._keys and not self._is_fresh(RETRY_SECONDS)):
            await self._refresh()
        try:
            return self._keys[kid]
        except KeyError:
            raise Untrusted("the bank publishes no such key") from None

    def _is_fresh(self, seconds: float) -> bool:
        return self._fetched_at is not None and self._clock() - self._fetched_at < seconds

    async def _refresh(self) -> None:
        before = self._fetched_at
        async with self._fetching:
            if self._fetched_at == before:  # nobody fetched while we waited
                self._keys = read_keys(await self._fetch())
                self._fetched_at = self._clock()


def read_keys(body: bytes) -> dict[str, PublicKey]:
    """Read a key set, leaving out what cannot verify PS256 or ES256. Raise BankUnavailable when it cannot be read."""
    try:
        listed = msgspec.json.decode(body, type=_KeySet).keys[:MAX_KEYS]
    except msgspec.DecodeError as error:
        raise BankUnavailable("keys_unreadable", "The bank cannot be reached just now") from error
    keys = ((jwk.get("kid"), _usable(jwk)) for jwk in listed)
    return {kid: key for kid, key in keys if isinstance(kid, str) and key is not None}


def _usable(jwk: dict[str, Any]) -> PublicKey | None:
    kind = KINDS.get(str(jwk.get("kty")))
    try:
        key = None if kind is None else kind.import_key(jwk)
        return key if key is not None and _is_strong(key) else None
    except (JoseError, ValueError, TypeError, KeyError):
        return None


def _is_strong(key: PublicKey) -> bool:
    return key.public_key.key_size >= MIN_RSA_BITS if isinstance(key, RSAKey) else key.curve_name == "P-256"
