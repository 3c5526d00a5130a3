"""Who claims to be an API client: judged so that a wrong id and a wrong secret give the same answer in the same time."""

from __future__ import annotations

import time
from datetime import UTC, datetime
from ipaddress import IPv6Address, ip_address

from strongroom.access.assertions import Assertion, BadAssertion, verify_assertion
from strongroom.access.clients import client_key_hash, secret_hash
from strongroom.access.errors import InvalidClient
from strongroom.access.model import PRINTED_CLIENT_ID, Credentials, KnownClient, TenantKind
from strongroom.access.store import clients as store
from strongroom.kit.crypto import same
from strongroom.kit.db import Database
from strongroom.kit.errors import TooMany
from strongroom.kit.limits import Limit, take
from strongroom.kit.recent import Recent
from strongroom.kit.vault import Vault

PER_CLIENT_AND_ADDRESS = Limit("client authentication", 20, 60)
PER_ADDRESS = Limit("client authentication address", 200, 60)
_NO_FIRM = "frm-none"  # unknown clients are looked for where nobody is, so that looking takes as long
_NO_HASH = bytes(64)


class ClientAuthentication:
    """Judges credentials. The client whose secret the public document prints counts only where it is allowed.

    Only failures are counted: a secret of 256 bits needs no shield against guessing, and a count of every attempt would let
    strangers lock a firm out. When the count cannot be kept, the answer is no.
    """

    def __init__(self, db: Database, vault: Vault, base_url: str, *, allow_printed: bool = False) -> None:
        self._db = db
        self._vault = vault
        self._refused = frozenset() if allow_printed else frozenset({PRINTED_CLIENT_ID})
        self._audiences = (base_url, f"{base_url}/", f"{base_url}/token")
        self._recent: Recent[str, KnownClient] = Recent()

    async def authenticate(
        self, credentials: Credentials, address: str, kinds: frozenset[TenantKind] = frozenset(TenantKind)
    ) -> KnownClient:
        """Return the client that the credentials prove, if its tenant is of one of the kinds. Raise InvalidClient, or TooMany.

        A client of another kind fails as a wrong secret does.
        """
        held = self._recent.find(credentials.client_id)
        if held and credentials.assertion is None and _is_of(held, kinds) and self._proves(held, credentials):
            return held
        # Whatever failed above is judged again from the database: a known client in the cache must not answer faster.
        known = await self._look_up(credentials.client_id)
        if credentials.assertion is not None:
            if await self._proves_by_assertion(known, credentials) and _is_of(known, kinds):
                return known
        elif self._proves(known, credentials) and _is_of(known, kinds):
            return known
        await self._count_failure(credentials.client_id, address)
        raise InvalidClient

    def _proves(self, known: KnownClient, credentials: Credentials) -> bool:
        """True when the secret, or the certificate of a client without secrets, is the client's."""
        if known.keys is not None or not self._shows_certificate(known, credentials):
            return False
        if known.certificate_hash is not None:
            return credentials.secret is None
        if credentials.secret is None:
            return False
        given = secret_hash(self._vault, credentials.client_id, credentials.secret)
        found = [same(given, valid) for valid in (known.secret_hashes or (_NO_HASH,))]
        return any(found)

    async def _proves_by_assertion(self, known: KnownClient, credentials: Credentials) -> bool:
        """True when the client signed this assertion, and it was never used before (the unique index decides)."""
        assert credentials.assertion is not None  # noqa: S101  # the caller has looked
        try:
            assertion = verify_assertion(
                credentials.assertion, known.keys, credentials.client_id, self._audiences, known.read_at.timestamp()
            )
        except BadAssertion:
            return False
        return self._shows_certificate(known, credentials) and await self._claim(known, assertion)

    def _shows_certificate(self, known: KnownClient, credentials: Credentials) -> bool:
        """True when the client has no certificate registered, or showed that one (RFC 8705 §2.2)."""
        if known.certificate_hash is None:
            return True
        return credentials.certificate_hash is not None and same(known.certificate_hash, credentials.certificate_hash)

    async def _claim(self, known: KnownClient, assertion: Assertion) -> bool:
        jti_hash = self._vault.hash("client assertion", known.id, assertion.jti)
        expires_at = datetime.fromtimestamp(assertion.expires_at, UTC)
        async with self._db.transaction(known.firm_id) as tx:
            return await store.claim_assertion(tx, known.firm_id, known.id, jti_hash, expires_at)

    async def _look_up(self, client_id: str) -> KnownClient:
        """Return the client, or one that nobody can prove to be; both take the same two looks."""
        began_at = time.monotonic()
        async with self._db.transaction() as tx:
            firm_id = await store.find_firm(tx, client_key_hash(self._vault, client_id))
        firm_id = None if client_id in self._refused else firm_id
        async with self._db.transaction(firm_id or _NO_FIRM) as tx:
            known = await store.find_known(tx, firm_id or _NO_FIRM, client_id)
        if known is None:
            return KnownClient(_NO_FIRM, client_id, frozenset(), (), None, None, datetime.now(UTC))
        self._recent.keep(client_id, known, began_at)
        return known

    async def _count_failure(self, client_id: str, address: str) -> None:
        """Charge the failure to its address, and to the pair of client and address. Raise TooMany when either is used up."""
        network = _network(address)
        async with self._db.transaction() as tx:
            within = await take(tx, PER_ADDRESS, self._vault.hash("limit", network))
            within = await take(tx, PER_CLIENT_AND_ADDRESS, self._vault.hash("limit", client_id, network)) and within
        if not within:
            raise TooMany("Too many failed attempts to authenticate", retry_after_seconds=PER_ADDRESS.window_seconds)


def _is_of(known: KnownClient, kinds: frozenset[TenantKind]) -> bool:
    return TenantKind.of(known.firm_id) in kinds


def _network(address: str) -> str:
    """Return the address, or for IPv6 its /64: one subscriber has that many addresses."""
    parsed = ip_address(address)
    return str(int(parsed) >> 64) if isinstance(parsed, IPv6Address) and not parsed.ipv4_mapped else str(parsed)
