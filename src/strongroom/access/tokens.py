"""Use cases over access tokens: opaque, 256 bits, stored hashed, and checked against the database at most half a second ago."""

from __future__ import annotations

from collections.abc import Iterable

from strongroom.access.errors import InvalidScope
from strongroom.access.model import TOKEN_SECONDS, AccessToken, AuditTag, Caller, IssuedToken, KnownClient, Scope
from strongroom.access.store import clients as client_store
from strongroom.access.store import tokens as store
from strongroom.kit import audit
from strongroom.kit.crypto import Secret
from strongroom.kit.db import Database
from strongroom.kit.errors import Invalid, NotFound
from strongroom.kit.groupcommit import GroupCommit
from strongroom.kit.ids import new_id, new_secret
from strongroom.kit.recent import Recent
from strongroom.kit.vault import Vault

_MAX_LENGTH = 2048  # signed ones have about 1,000 characters, ours without a meaning 43


class Tokens:
    """Use cases over access tokens."""

    def __init__(self, db: Database, vault: Vault) -> None:
        self._db = db
        self._vault = vault
        self._recent: Recent[bytes, tuple[AccessToken, float | None]] = Recent()
        self._group: GroupCommit[store.NewToken] = GroupCommit(db, store.add)

    async def issue(self, client: KnownClient, asked: str | None = None) -> IssuedToken:
        """Issue a token for an hour with the scopes asked for (separated by spaces), or all. Raise InvalidScope.

        The row is its own record; only static tokens, which people make, are written into the audit.
        """
        token, row = self._new(
            client.id, "issued", None, granted_scopes(client.scopes, asked), TOKEN_SECONDS, client.certificate_hash
        )
        await self._group.submit(client.firm_id, row)
        return token

    async def record(
        self, client: KnownClient, token_id: str, token: Secret, scopes: frozenset[Scope], lifetime_seconds: int
    ) -> None:
        """Make a token that was signed elsewhere count, like one of ours."""
        row = store.NewToken(
            self._hash(token.reveal()), token_id, client.id, "issued", None, " ".join(sorted(scopes)),
            client.certificate_hash, lifetime_seconds,
        )  # fmt: skip
        await self._group.submit(client.firm_id, row)

    async def create_static(
        self, actor: str, firm_id: str, client_id: str, name: str, scopes: Iterable[Scope], *, lifetime_seconds: int | None = None
    ) -> IssuedToken:
        """Make a long-lived token for a client, without end unless a lifetime is given. Raise NotFound or Invalid."""
        async with self._db.transaction(firm_id) as tx:
            client = await client_store.find_known(tx, firm_id, client_id)
            if client is None:
                raise NotFound
            wanted = frozenset(scopes)
            if not wanted or not wanted <= client.scopes:
                raise Invalid("A static token has one or more of its client's scopes")
            token, row = self._new(client_id, "static", name, wanted, lifetime_seconds, client.certificate_hash)
            await store.add(tx, firm_id, [row])
            detail = {"client": client_id, "scopes": sorted(wanted)}
            await audit.record(tx, firm_id, actor, AuditTag.TOKEN_CREATED, token.id, detail)
        return token

    async def find(self, token: str) -> AccessToken | None:
        """Return what a token stands for, if it counts; None otherwise, and for anything that cannot be one of ours."""
        if not 0 < len(token) <= _MAX_LENGTH or not token.isascii():
            return None
        token_hash = self._hash(token)
        found = await self._recent.get(token_hash, lambda: self._read(token_hash), keep_seconds=_seconds_left)
        return found[0] if found else None

    async def find_caller(self, token: str, certificate_hash: bytes | None) -> Caller | None:
        """Return who calls; None unless the token counts and, when it is bound to a certificate, comes with it (RFC 8705 §3)."""
        found = await self.find(token)
        if found is None or (found.certificate_hash is not None and found.certificate_hash != certificate_hash):
            return None
        return Caller(found.firm_id, found.client_id, found.scopes, found.id, found.certificate_hash)

    async def revoke_held(self, client: KnownClient, token: str) -> None:
        """Revoke a token that its own client shows; any other is left alone without a word (RFC 7009 §2.2)."""
        token_hash = self._hash(token)
        async with self._db.transaction(client.firm_id) as tx:
            token_id = await store.revoke_held(tx, client.firm_id, client.id, token_hash)
            if token_id:
                await audit.record(tx, client.firm_id, f"client:{client.id}", AuditTag.TOKEN_REVOKED, token_id)
        self._recent.drop(token_hash)

    async def revoke(self, actor: str, firm_id: str, token_id: str) -> None:
        """Revoke a token by its id. Raise NotFound."""
        async with self._db.transaction(firm_id) as tx:
            token_hash = await store.revoke(tx, firm_id, token_id)
            if token_hash is None:
                raise NotFound
            await audit.record(tx, firm_id, actor, AuditTag.TOKEN_REVOKED, token_id)
        self._recent.drop(token_hash)

    async def list_static(self, firm_id: str) -> list[AccessToken]:
        """Return a firm's static tokens, oldest first."""
        async with self._db.transaction(firm_id) as tx:
            return await store.find_static(tx, firm_id)

    async def _read(self, token_hash: bytes) -> tuple[AccessToken, float | None] | None:
        async with self._db.reading() as tx:
            return await store.find_live(tx, token_hash)

    def _new(
        self,
        client_id: str,
        kind: str,
        name: str | None,
        scopes: frozenset[Scope],
        lifetime_seconds: int | None,
        certificate_hash: bytes | None,
    ) -> tuple[IssuedToken, store.NewToken]:
        text = new_secret()
        token_id = new_id("tok")
        row = store.NewToken(
            self._hash(text), token_id, client_id, kind, name, " ".join(sorted(scopes)), certificate_hash, lifetime_seconds
        )
        return IssuedToken(token_id, Secret(text), lifetime_seconds, scopes), row

    def _hash(self, token: str) -> bytes:
        return self._vault.hash("access token", token)


def _seconds_left(found: tuple[AccessToken, float | None]) -> float:
    return TOKEN_SECONDS if found[1] is None else found[1]


def granted_scopes(allowed: frozenset[Scope], asked: str | None) -> frozenset[Scope]:
    """Return the scopes asked for, or all that are allowed when none is named (RFC 6749 §3.3). Raise InvalidScope."""
    if not asked:
        return allowed
    names = asked.split(" ")
    granted = frozenset(scope for scope in allowed if scope in names)
    if len(granted) < len(set(names)):
        raise InvalidScope
    return granted
