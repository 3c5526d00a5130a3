"""What stands before every text message: countries, pauses, and how many may be asked for. In doubt the answer is no.

Counted in a transaction of its own that is over before the message is queued: nobody holds a counter that all share while they
work, no two wait for each other, and a use case that fails afterwards has used one all the same.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from ipaddress import ip_address, ip_network

from strongroom.kit.db import Database, Tx
from strongroom.kit.limits import Limit, Used, take_all
from strongroom.kit.metrics import MESSAGE_FUNNEL, MESSAGES_REFUSED
from strongroom.kit.vault import Vault
from strongroom.notify.countries import UNKNOWN, country_of, prefix_of
from strongroom.notify.model import Limited, LimitedBy, MessageLimits, Purpose, Rate
from strongroom.notify.store import limits as store

_HOUR, _DAY = 3600, 86_400
_SHARDS = 8  # one row of a busy counter would make all its requests wait for each other's commits
_SHARDED_FROM = 8000  # below this a limit is exact


@dataclass(frozen=True, slots=True)
class Wanted:
    """A message that somebody asks for."""

    tenant_id: str
    to: str = field(repr=False)
    purpose: Purpose
    countries: tuple[str, ...] = ()  # that the tenant lets messages go to; empty: any
    address: str | None = None
    client: str | None = None


@dataclass(frozen=True, slots=True)
class Marks:
    """What is kept of a number: where it lies, and keyed hashes."""

    country: str
    number_hash: bytes = field(repr=False)
    prefix_hash: bytes = field(repr=False)


class _Reached(Exception):
    """A limit was reached: what was counted for the message is undone."""

    def __init__(self, limited: Limited) -> None:
        super().__init__()
        self.limited = limited


class Limiting:
    """Lets messages pass, or says what they ran into, and counts both."""

    def __init__(self, db: Database, vault: Vault, allowed: MessageLimits) -> None:
        self._db = db
        self._vault = vault
        self._allowed = allowed

    def marks(self, number: str) -> Marks:
        """Return what is kept of a number."""
        return Marks(
            country_of(number),
            self._vault.hash("message number", number),
            self._vault.hash("message prefix", prefix_of(number)),
        )

    async def take(self, wanted: Wanted, marks: Marks) -> Limited | None:
        """Use one of every limit and keep that; or use none and say which was reached."""
        served = self._allowed.countries, frozenset(wanted.countries)
        if any(countries and marks.country not in countries for countries in served):
            limited: Limited | None = Limited(LimitedBy.NOT_SERVED)
        else:
            limited = await self._count(wanted, marks)
        if limited is not None:
            await self._refuse(limited, wanted.purpose, marks.country)
        return limited

    async def take_address(self, address: str, purpose: Purpose) -> Limited | None:
        """Use one of what a network address may ask for, before anybody knows whether a message will come of it."""
        try:
            async with self._db.apart() as tx:
                await _take(tx, self._of_address(address))
        except _Reached as found:
            await self._refuse(found.limited, purpose, UNKNOWN)
            return found.limited
        return None

    async def _count(self, wanted: Wanted, marks: Marks) -> Limited | None:
        try:
            async with self._db.apart() as tx:
                if wanted.purpose.is_pausable and (seconds := await store.paused_seconds(tx, marks.country, marks.prefix_hash)):
                    return Limited(LimitedBy.PAUSED, seconds)
                await _take(tx, self._uses(wanted, marks))
                await _take_number(tx, marks.number_hash, self._allowed.number)
        except _Reached as found:
            return found.limited
        return None

    def _uses(self, wanted: Wanted, marks: Marks) -> Iterator[Used]:
        """Return the counters of a message."""
        allowed, hashed, shard = self._allowed, self._vault.hash, marks.number_hash
        if wanted.address is not None:
            yield from self._of_address(wanted.address)
        if wanted.client is not None:
            yield from _used(LimitedBy.CLIENT, allowed.client, hashed("message client", wanted.client), shard)
        yield from _used(LimitedBy.TENANT, allowed.tenant, hashed("message tenant", wanted.tenant_id), shard)
        country = hashed("message country", marks.country)
        yield from _used(LimitedBy.COUNTRY, allowed.of_country(marks.country), country, shard)
        yield from _used(LimitedBy.PREFIX, allowed.prefix, marks.prefix_hash, shard)

    def _of_address(self, address: str) -> Iterator[Used]:
        key = self._vault.hash("message address", network_of(address))
        yield from _used(LimitedBy.ADDRESS, self._allowed.address, key, key)

    async def _refuse(self, limited: Limited, purpose: Purpose, country: str) -> None:
        async with self._db.apart() as tx:
            await store.count_refusal(tx, limited.limit, purpose, country)
        MESSAGES_REFUSED.labels(limited.limit, purpose, country).inc()
        MESSAGE_FUNNEL.labels("refused", purpose, country, "").inc()


async def _take(tx: Tx, uses: Iterable[Used]) -> None:
    """Use one of each. Raise _Reached."""
    if reached := await take_all(tx, list(uses)):
        longest = max(reached, key=lambda limit: limit.window_seconds)
        raise _Reached(Limited(LimitedBy(longest.name.split(" ")[1]), longest.window_seconds))


async def _take_number(tx: Tx, number_hash: bytes, rate: Rate) -> None:
    """Note one message to the number. Raise _Reached."""
    if not await store.take_number(tx, number_hash, rate):
        raise _Reached(Limited(LimitedBy.NUMBER, store.BURST_SECONDS))


def network_of(address: str) -> str:
    """Return what counts as one address: of IPv6 the /64, which is what a household or a rented machine has."""
    found = ip_address(address)
    return str(ip_network(f"{found}/64", strict=False)) if found.version == 6 else str(found)  # noqa: PLR2004  # IPv6


def _used(by: LimitedBy, rate: Rate, key_hash: bytes, shard: bytes) -> Iterator[Used]:
    """Return the counters of the hour and of the day. A large limit is split in equal parts, chosen by the number."""
    for word, at_most, seconds in (("hour", rate.hour, _HOUR), ("day", rate.day, _DAY)):
        shards = _SHARDS if at_most >= _SHARDED_FROM else 1
        limit = Limit(f"sms {by} {word}", at_most // shards, seconds)
        yield Used(limit, key_hash + bytes([shard[0] % shards]))
