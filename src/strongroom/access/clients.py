"""Use cases over API clients: made with a secret, public keys or a certificate; secrets rotate with overlap."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from strongroom.access.assertions import check_public_keys
from strongroom.access.errors import UnsuitableScope
from strongroom.access.model import (
    PRINTED_CLIENT_ID,
    SCOPES_OF,
    ApiClient,
    AuditTag,
    ClientProfile,
    ClientSecret,
    NewClient,
    Scope,
    TenantKind,
)
from strongroom.access.store import clients as store
from strongroom.kit import audit
from strongroom.kit.crypto import Secret
from strongroom.kit.db import Database, Tx
from strongroom.kit.errors import Invalid, NotFound
from strongroom.kit.ids import new_id, new_secret
from strongroom.kit.vault import Vault

DEFAULT_OVERLAP_SECONDS = 24 * 3600
LONGEST_OVERLAP_SECONDS = 30 * 24 * 3600


def client_key_hash(vault: Vault, client_id: str) -> bytes:
    """Return the directory's key for a client."""
    return vault.hash("client id", client_id)


def secret_hash(vault: Vault, client_id: str, secret: Secret) -> bytes:
    """Return what is stored of a secret: a keyed hash is enough for 256 random bits."""
    return vault.hash("client secret", client_id, secret.reveal())


async def is_printed_client_there(db: Database, vault: Vault) -> bool:
    """True when the database has the client whose secret everybody can read; production refuses to start."""
    async with db.reading() as tx:
        return await store.find_firm(tx, client_key_hash(vault, PRINTED_CLIENT_ID)) is not None


class Clients:
    """Use cases over API clients."""

    def __init__(self, db: Database, vault: Vault) -> None:
        self._db = db
        self._vault = vault

    async def create(
        self,
        actor: str,
        firm_id: str,
        name: str,
        scopes: Iterable[Scope],
        *,
        keys: dict[str, Any] | None = None,
        certificate_hash: bytes | None = None,
        profile: ClientProfile | None = None,
    ) -> NewClient:
        """Make a client of a firm, issuer or merchant. Raise UnsuitableKeys or UnsuitableScope.

        With public `keys` (a JWK set) or a certificate (SHA-256) it gets no secret.
        """
        if keys is not None:
            check_public_keys(keys)
        client_id = new_id("cli")
        async with self._db.transaction(firm_id) as tx:
            await self._add(tx, actor, firm_id, client_id, name, frozenset(scopes), keys, certificate_hash, profile)
            secret = None if keys or certificate_hash else await self._add_secret(tx, firm_id, client_id)
        return NewClient(client_id, secret)

    async def create_printed(self, actor: str, issuer_id: str, secret: Secret, profile: ClientProfile) -> NewClient:
        """Make the client whose id and secret the public document prints, so that its samples run. Never in production."""
        scopes, client_id = SCOPES_OF[TenantKind.ISSUER], PRINTED_CLIENT_ID
        async with self._db.transaction(issuer_id) as tx:
            await self._add(tx, actor, issuer_id, client_id, "The document's samples", scopes, None, None, profile)
            await store.add_secret(tx, issuer_id, client_id, new_id("sec"), secret_hash(self._vault, client_id, secret))
        return NewClient(client_id, secret)

    async def get(self, firm_id: str, client_id: str) -> ApiClient:
        """Return a client. Raise NotFound."""
        async with self._db.transaction(firm_id) as tx:
            client = await store.find(tx, firm_id, client_id)
        if client is None:
            raise NotFound
        return client

    async def list_all(self, firm_id: str) -> list[ApiClient]:
        """Return a firm's clients, oldest first."""
        async with self._db.transaction(firm_id) as tx:
            return await store.find_all(tx, firm_id)

    async def list_secrets(self, firm_id: str, client_id: str) -> list[ClientSecret]:
        """Return the names and times of the secrets that are valid now."""
        async with self._db.transaction(firm_id) as tx:
            return await store.find_secrets(tx, firm_id, client_id)

    async def rotate_secret(
        self, actor: str, firm_id: str, client_id: str, *, overlap_seconds: int = DEFAULT_OVERLAP_SECONDS
    ) -> Secret:
        """Add a secret; those before it stay valid for the overlap, at most 30 days. Raise NotFound or Invalid."""
        if not 0 <= overlap_seconds <= LONGEST_OVERLAP_SECONDS:
            raise Invalid(f"The overlap is 0 to {LONGEST_OVERLAP_SECONDS} seconds")
        async with self._db.transaction(firm_id) as tx:
            if not await store.lock(tx, firm_id, client_id):
                raise NotFound
            if not await store.retire_secrets(tx, firm_id, client_id, overlap_seconds):
                client = await store.find(tx, firm_id, client_id)
                if client and (client.uses_keys or client.uses_certificate):
                    raise Invalid("This client authenticates by keys or a certificate and has no secret")
            secret = await self._add_secret(tx, firm_id, client_id)
            detail = {"overlap_seconds": overlap_seconds}
            await audit.record(tx, firm_id, actor, AuditTag.SECRET_ROTATED, client_id, detail)
        return secret

    async def expire_secret(self, actor: str, firm_id: str, client_id: str, secret_id: str) -> None:
        """End one secret now. Raise NotFound."""
        async with self._db.transaction(firm_id) as tx:
            if not await store.expire_secret(tx, firm_id, client_id, secret_id):
                raise NotFound
            await audit.record(tx, firm_id, actor, AuditTag.SECRET_EXPIRED, client_id, {"secret": secret_id})

    async def set_keys(self, actor: str, firm_id: str, client_id: str, keys: dict[str, Any]) -> None:
        """Replace the public keys of a client that authenticates by them. Raise NotFound or UnsuitableKeys."""
        check_public_keys(keys)
        async with self._db.transaction(firm_id) as tx:
            if not await store.set_keys(tx, firm_id, client_id, keys):
                raise NotFound
            await audit.record(tx, firm_id, actor, AuditTag.CLIENT_CHANGED, client_id, {"keys": True})

    async def set_profile(self, actor: str, firm_id: str, client_id: str, profile: ClientProfile) -> None:
        """Replace what the token answer names about a client and how its tokens are made. Raise NotFound."""
        async with self._db.transaction(firm_id) as tx:
            if not await store.set_profile(tx, firm_id, client_id, profile):
                raise NotFound
            detail = {"algorithm": str(profile.algorithm), "allow_encoded_pair": profile.allow_encoded_pair}
            await audit.record(tx, firm_id, actor, AuditTag.CLIENT_CHANGED, client_id, detail)

    async def disable(self, actor: str, firm_id: str, client_id: str) -> None:
        """End a client and all its access tokens, for good. Raise NotFound.

        A token counts only while the directory leads to its client, so one that is issued at this very moment ends too.
        """
        async with self._db.transaction(firm_id) as tx:
            if not await store.disable(tx, firm_id, client_id):
                raise NotFound
            await store.strike_from_directory(tx, firm_id, client_id)
            await audit.record(tx, firm_id, actor, AuditTag.CLIENT_DISABLED, client_id)

    async def _add(
        self,
        tx: Tx,
        actor: str,
        firm_id: str,
        client_id: str,
        name: str,
        scopes: frozenset[Scope],
        keys: dict[str, Any] | None,
        certificate_hash: bytes | None,
        profile: ClientProfile | None,
    ) -> None:
        if not scopes <= SCOPES_OF[TenantKind.of(firm_id)]:
            raise UnsuitableScope
        await store.add(tx, firm_id, client_id, name, scopes, keys, certificate_hash, profile)
        await store.list_in_directory(tx, firm_id, client_id, client_key_hash(self._vault, client_id))
        detail = {"scopes": sorted(scopes), "keys": keys is not None, "certificate": certificate_hash is not None}
        await audit.record(tx, firm_id, actor, AuditTag.CLIENT_CREATED, client_id, detail)

    async def _add_secret(self, tx: Tx, firm_id: str, client_id: str) -> Secret:
        secret = Secret(new_secret())
        await store.add_secret(tx, firm_id, client_id, new_id("sec"), secret_hash(self._vault, client_id, secret))
        return secret
