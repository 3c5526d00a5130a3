"""What a share's row holds sealed: the attempt's secrets with the firm's key, everything about the person with the person's own."""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

from strongroom.banking.port import CustomerContext, Grant
from strongroom.funds.customers import Customers
from strongroom.funds.model import AccountChoice, Share
from strongroom.funds.store import shares as store
from strongroom.kit.db import Tx
from strongroom.kit.vault import PersonKey, Vault

_TABLE = "shares"


class HeldReturn(msgspec.Struct, frozen=True):
    """What came back with the customer: a hint until it has been verified."""

    fields: dict[str, str]
    customer: CustomerContext

    def __repr__(self) -> str:
        return "HeldReturn([sealed])"


class HeldGrant(msgspec.Struct, frozen=True):
    """The right to read, for which the code was exchanged."""

    grant: Grant
    customer: CustomerContext

    def __repr__(self) -> str:
        return "HeldGrant([sealed])"


class ShareSeals:
    """Seals and opens the columns of shares."""

    def __init__(self, vault: Vault, customers: Customers) -> None:
        self._vault = vault
        self._customers = customers

    async def seal_attempt(self, tx: Tx, share: Share, **texts: str) -> dict[str, bytes]:
        """Return columns such as `memory_sealed` for the texts of an attempt."""
        keys = await self._vault.tenant(tx, share.firm_id)
        return {column: keys.seal_text(_TABLE, column, share.id, text) for column, text in texts.items()}

    async def seal_personal(self, tx: Tx, share: Share, **values: object) -> dict[str, bytes]:
        """Return columns such as `details_sealed`. Raise NotFound when the person has been erased."""
        key = await self._key(tx, share)
        return {column: key.seal(_TABLE, column, share.id, value) for column, value in values.items()}

    async def find_memory(self, tx: Tx, firm_id: str, share_id: str) -> str | None:
        """Return what the connector remembers; None once the consent is closed."""
        sealed = await store.sealed_columns(tx, firm_id, share_id)
        if sealed is None or sealed["memory_sealed"] is None:
            return None
        return (await self._vault.tenant(tx, firm_id)).unseal_text(_TABLE, "memory_sealed", share_id, sealed["memory_sealed"])

    async def find_url(self, tx: Tx, share: Share) -> str | None:
        """Return where the customer is to be sent, as long as it is held."""
        sealed = await store.sealed_columns(tx, share.firm_id, share.id)
        if sealed is None or sealed["url_sealed"] is None:
            return None
        return (await self._vault.tenant(tx, share.firm_id)).unseal_text(_TABLE, "url_sealed", share.id, sealed["url_sealed"])

    async def open_return(self, tx: Tx, share: Share, sealed: bytes) -> HeldReturn:
        """Return what came back with the customer."""
        return (await self._key(tx, share)).unseal(_TABLE, "return_sealed", share.id, sealed, HeldReturn)

    async def find_held(self, tx: Tx, share: Share) -> HeldGrant | HeldReturn | None:
        """Return the grant, or else the code, that the row holds."""
        sealed: Mapping[str, bytes | None] | None = await store.sealed_columns(tx, share.firm_id, share.id)
        if sealed is None:
            return None
        if grant := sealed["grant_sealed"]:
            return (await self._key(tx, share)).unseal(_TABLE, "grant_sealed", share.id, grant, HeldGrant)
        came_back = sealed["return_sealed"]
        return await self.open_return(tx, share, came_back) if came_back else None

    async def find_choices(self, tx: Tx, share: Share) -> list[AccountChoice]:
        """Return the accounts that the customer may pick from."""
        sealed = await store.sealed_columns(tx, share.firm_id, share.id)
        if sealed is None or sealed["accounts_sealed"] is None:
            return []
        key = await self._key(tx, share)
        return key.unseal(_TABLE, "accounts_sealed", share.id, sealed["accounts_sealed"], list[AccountChoice])

    async def _key(self, tx: Tx, share: Share) -> PersonKey:
        return await self._customers.load_key(tx, share.firm_id, share.customer_id)
