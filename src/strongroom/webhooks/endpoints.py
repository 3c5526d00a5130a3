"""Endpoints: where a firm wants its events, with which secret, and who may see account details."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import asyncpg
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from strongroom.kit import audit
from strongroom.kit.addresses import UnacceptableUrl, is_address, is_loopback, is_public, parse_url
from strongroom.kit.body import parsed
from strongroom.kit.crypto import Secret
from strongroom.kit.db import Database, Tx
from strongroom.kit.errors import Conflict, Invalid, NotFound
from strongroom.kit.ids import new_id
from strongroom.kit.vault import TenantKeys, Vault
from strongroom.webhooks.errors import EndpointDisabled, TooManyEndpoints
from strongroom.webhooks.events import Events
from strongroom.webhooks.model import DisabledReason, Endpoint, EventType, Tag
from strongroom.webhooks.signature import generate_secret, write_public_key
from strongroom.webhooks.store import endpoints as store

MAX_ENDPOINTS = 20
OVERLAP_SECONDS, OVERLAP_MAX_SECONDS = 24 * 3600, 7 * 24 * 3600
_TABLE = "webhook_endpoints"


@dataclass(frozen=True, slots=True)
class Created:
    """A new endpoint with what is shown once and never again."""

    endpoint: Endpoint
    secret: Secret  # whsec_…
    public_key: str | None  # whpk_…, where Ed25519 was asked for


@dataclass(frozen=True, slots=True)
class Rotated:
    """An endpoint's new secret; both it and the old one sign until `endpoint.old_secret_until`."""

    endpoint: Endpoint
    secret: Secret


class Endpoints:
    """The endpoints of firms."""

    def __init__(self, db: Database, vault: Vault, events: Events, *, allow_loopback: bool = False) -> None:
        """Take `allow_loopback` in development only: it accepts http://localhost."""
        self._db = db
        self._vault = vault
        self._events = events
        self._allow_loopback = allow_loopback

    async def create(
        self,
        firm_id: str,
        *,
        url: str,
        actor: str,
        description: str = "",
        event_types: Sequence[EventType] = (),
        with_signing_key: bool = False,
    ) -> Created:
        """Add an endpoint. Raise Invalid for an address that we do not call, TooManyEndpoints at the limit."""
        self._check_url(url)
        endpoint_id = new_id("whk")
        secret, key = generate_secret(), Ed25519PrivateKey.generate() if with_signing_key else None
        async with self._db.transaction(firm_id) as tx:
            if await store.count_and_lock(tx, firm_id) >= MAX_ENDPOINTS:
                raise TooManyEndpoints
            keys = await self._vault.tenant(tx, firm_id)
            await store.insert_endpoint(
                tx,
                firm_id,
                endpoint_id,
                url_sealed=keys.seal_text(_TABLE, "url_sealed", endpoint_id, url),
                description=description,
                event_types=event_types,
                secret_sealed=_seal_secret(keys, endpoint_id, secret),
                signing_key_sealed=_seal_key(keys, endpoint_id, key) if key else None,
            )
            await audit.record(tx, firm_id, actor, Tag.ENDPOINT_CREATED, endpoint_id)
            endpoint = await self._get(tx, firm_id, endpoint_id)
        return Created(endpoint, secret, write_public_key(key.public_key()) if key else None)

    async def get(self, firm_id: str, endpoint_id: str) -> Endpoint:
        """Return one endpoint. Raise NotFound."""
        async with self._db.transaction(firm_id) as tx:
            return await self._get(tx, firm_id, endpoint_id)

    async def list(self, firm_id: str) -> list[Endpoint]:
        """Return all endpoints of a firm, newest first."""
        async with self._db.transaction(firm_id) as tx:
            rows = await store.list_endpoints(tx, firm_id)
            keys = await self._vault.tenant(tx, firm_id)
            return [_endpoint(keys, row) for row in rows]

    async def update(
        self,
        firm_id: str,
        endpoint_id: str,
        *,
        actor: str,
        url: str | None = None,
        description: str | None = None,
        event_types: Sequence[EventType] | None = None,
    ) -> Endpoint:
        """Change what is given. A new address gets no account details until two people allow it anew. Raise NotFound, Invalid."""
        if url is not None:
            self._check_url(url)
        async with self._db.transaction(firm_id) as tx:
            before = await self._get(tx, firm_id, endpoint_id)
            keys = await self._vault.tenant(tx, firm_id)
            moved = url is not None and url != before.url
            url_sealed = keys.seal_text(_TABLE, "url_sealed", endpoint_id, url) if url is not None and moved else None
            await store.update_endpoint(
                tx, firm_id, endpoint_id, url_sealed=url_sealed, description=description, event_types=event_types
            )
            await audit.record(tx, firm_id, actor, Tag.ENDPOINT_CHANGED, endpoint_id, {"moved": moved})
            return await self._get(tx, firm_id, endpoint_id)

    async def rotate(self, firm_id: str, endpoint_id: str, *, actor: str, overlap_seconds: int = OVERLAP_SECONDS) -> Rotated:
        """Give an endpoint a new secret; the present one signs too for the overlap (0 to 7 days). Raise NotFound."""
        secret = generate_secret()
        async with self._db.transaction(firm_id) as tx:
            await self._get(tx, firm_id, endpoint_id)
            keys = await self._vault.tenant(tx, firm_id)
            await store.rotate_secret(tx, firm_id, endpoint_id, _seal_secret(keys, endpoint_id, secret), overlap_seconds)
            await audit.record(tx, firm_id, actor, Tag.ENDPOINT_ROTATED, endpoint_id, {"overlapSeconds": overlap_seconds})
            return Rotated(await self._get(tx, firm_id, endpoint_id), secret)

    async def disable(self, firm_id: str, endpoint_id: str, *, actor: str) -> Endpoint:
        """Send nothing more to an endpoint; what was on its way is dropped and can be replayed. Raise NotFound."""
        async with self._db.transaction(firm_id) as tx:
            if await store.disable(tx, firm_id, endpoint_id, DisabledReason.ASKED):
                await audit.record(tx, firm_id, actor, Tag.ENDPOINT_DISABLED, endpoint_id, {"reason": DisabledReason.ASKED})
            return await self._get(tx, firm_id, endpoint_id)

    async def enable(self, firm_id: str, endpoint_id: str, *, actor: str) -> Endpoint:
        """Send events again, from now on. Raise NotFound."""
        async with self._db.transaction(firm_id) as tx:
            if await store.enable(tx, firm_id, endpoint_id):
                await audit.record(tx, firm_id, actor, Tag.ENDPOINT_ENABLED, endpoint_id)
            return await self._get(tx, firm_id, endpoint_id)

    async def delete(self, firm_id: str, endpoint_id: str, *, actor: str) -> None:
        """Remove an endpoint and its secrets. Raise NotFound."""
        async with self._db.transaction(firm_id) as tx:
            if not await store.delete(tx, firm_id, endpoint_id):
                raise NotFound
            await audit.record(tx, firm_id, actor, Tag.ENDPOINT_DELETED, endpoint_id)

    async def test(self, firm_id: str, endpoint_id: str) -> str:
        """Send a `ping` to one endpoint and return the event's id. Raise NotFound, EndpointDisabled."""
        async with self._db.transaction(firm_id) as tx:
            if not (await self._get(tx, firm_id, endpoint_id)).is_enabled:
                raise EndpointDisabled
            data = {"id": endpoint_id}
            return await self._events.publish(tx, firm_id, EventType.PING, endpoint_id, data, only_endpoint_id=endpoint_id)

    async def allow_account_details(self, firm_id: str, endpoint_id: str, *, url: str, asked_by: str, approved_by: str) -> Endpoint:
        """Let an endpoint have full account details: two different members of staff, each authenticated, for the address they saw.

        Raise Invalid for one person twice, Conflict when the endpoint's address is another by now, NotFound.
        """
        if not asked_by or not approved_by or asked_by == approved_by:
            raise Invalid("Two different members of staff are needed, each signed in as themselves")
        async with self._db.transaction(firm_id) as tx:
            await store.lock_endpoint(tx, firm_id, endpoint_id)
            if (await self._get(tx, firm_id, endpoint_id)).url != url:
                raise Conflict("The endpoint's address has changed since it was looked at")
            if await store.set_account_details(tx, firm_id, endpoint_id, included=True):
                await audit.record(tx, firm_id, asked_by, Tag.DETAILS_ALLOWED, endpoint_id, {"approvedBy": approved_by})
            return await self._get(tx, firm_id, endpoint_id)

    async def withdraw_account_details(self, firm_id: str, endpoint_id: str, *, actor: str) -> Endpoint:
        """Send no more account details to an endpoint; one person, or an API client, is enough. Raise NotFound."""
        async with self._db.transaction(firm_id) as tx:
            if await store.set_account_details(tx, firm_id, endpoint_id, included=False):
                await audit.record(tx, firm_id, actor, Tag.DETAILS_WITHDRAWN, endpoint_id)
            return await self._get(tx, firm_id, endpoint_id)

    def _check_url(self, url: str) -> None:
        """Refuse what can never be called. Names are judged again, by the address they lead to, whenever we connect."""

        def acceptable(text: str) -> None:
            host = parse_url(text, allow_loopback=self._allow_loopback).host
            if is_address(host) and not is_public(host) and not (self._allow_loopback and is_loopback(host)):
                raise UnacceptableUrl("must lead to a public address")

        parsed("/url", acceptable, url)

    async def _get(self, tx: Tx, firm_id: str, endpoint_id: str) -> Endpoint:
        row = await store.find_endpoint(tx, firm_id, endpoint_id)
        if row is None:
            raise NotFound
        return _endpoint(await self._vault.tenant(tx, firm_id), row)


def _seal_secret(keys: TenantKeys, endpoint_id: str, secret: Secret) -> bytes:
    """Seal a secret for its endpoint; the place names no column of the pair, since rotation moves it from one to the other."""
    return keys.seal_text(_TABLE, "secret_sealed", endpoint_id, secret.reveal())


def _seal_key(keys: TenantKeys, endpoint_id: str, key: Ed25519PrivateKey) -> bytes:
    return keys.seal(_TABLE, "signing_key_sealed", endpoint_id, key.private_bytes_raw())


def _endpoint(keys: TenantKeys, row: asyncpg.Record) -> Endpoint:
    return Endpoint(
        id=row["id"],
        url=keys.unseal_text(_TABLE, "url_sealed", row["id"], row["url_sealed"]),
        description=row["description"],
        event_types=tuple(EventType(name) for name in row["event_types"]),
        include_account_details=row["include_account_details"],
        has_signing_key=row["has_signing_key"],
        old_secret_until=row["old_secret_until"],
        disabled_reason=DisabledReason(row["disabled_reason"]) if row["disabled_reason"] else None,
        failing_since=row["failing_since"],
        created_at=row["created_at"],
    )
