"""Purchases over a real database, a merchant, issuers of every kind, and a foreign issuer's service over mutual TLS."""

from __future__ import annotations

import contextlib
import secrets
from collections.abc import AsyncIterator
from dataclasses import dataclass, replace
from typing import Any

import asyncpg

from strongroom.access.issuer_model import Hosting, Issuer, IssuerSettings
from strongroom.access.issuers import Issuers
from strongroom.access.merchants import Merchants
from strongroom.access.signing_keys import SigningKeys
from strongroom.issuing.port import IssuerCode
from strongroom.issuing.registry import RemoteIssuers
from strongroom.kit.crypto import Secret
from strongroom.kit.db import Database
from strongroom.kit.vault import Vault
from strongroom.notify.messages import Messages
from strongroom.notify.texts import Texts
from strongroom.sca.challenges import Challenges
from strongroom.sca.purchasing.cards import Unusable
from strongroom.sca.purchasing.judging import Judging
from strongroom.sca.purchasing.model import Gateway, NewPurchase, Purchase
from strongroom.sca.purchasing.openings import Openings
from strongroom.sca.purchasing.proofs import Proofs
from strongroom.sca.purchasing.purchases import Purchases
from tests.access.conftest import random_keys
from tests.issuing.foreign_issuer import CARD, ForeignIssuer, open_issuer
from tests.issuing.pki import Pki

BASE = "https://isas.example"
OTHER_CARD = "5061810000000152055"
STRAY_CARD = "4000000000000002"


class NoCards:
    """An engine that keeps nobody's token, for purchases that are judged elsewhere."""

    async def begin(self, *_: object) -> Unusable:
        return Unusable(IssuerCode.NO_USER)

    async def begin_again(self, *_: object) -> Unusable:
        return Unusable(IssuerCode.NO_USER)

    async def try_code(self, *_: object) -> None:
        raise AssertionError("nobody's token was asked")

    async def accept(self, *_: object) -> None:
        raise AssertionError("nobody's token was asked")

    async def tell_locked(self, *_: object) -> None:
        raise AssertionError("nobody's token was asked")

    async def find_account(self, *_: object) -> None:
        return None


@dataclass
class House:
    """What one web process has, and a look into everything as the database's owner."""

    owner: asyncpg.Pool
    db: Database
    vault: Vault
    issuers: Issuers
    merchants: Merchants
    issuer_service: ForeignIssuer
    purchases: Purchases
    worker_purchases: Purchases
    proofs: Proofs
    gateway: Gateway
    other: Gateway
    issuer: Issuer

    def new(self, card: str = CARD, **changes: Any) -> NewPurchase:
        usual = NewPurchase(Secret(card), 150_000, "NGN", "Book Shop", secrets.token_hex(8), "WEB")
        return replace(usual, **changes)

    async def begin(self, card: str = CARD, **changes: Any) -> Purchase:
        return await self.purchases.begin(self.gateway, self.new(card, **changes))

    async def verify(self, purchase: Purchase, code: str) -> tuple[str, bool, int]:
        judged = await self.purchases.verify(self.gateway, purchase.id, code)
        return str(judged.purchase.state), judged.is_right, judged.attempts_left

    async def settings(self, **changes: Any) -> None:
        self.issuer = await self.issuers.change("operator:test", self.issuer.id, changes)

    async def texts(self, issuer_id: str | None = None) -> list[str]:
        """Return the text messages that wait to be sent for an issuer, oldest first."""
        tenant = issuer_id or self.issuer.id
        rows = await self.owner.fetch("SELECT id, text_sealed FROM messages WHERE tenant_id = $1 ORDER BY created_at", tenant)
        async with self.db.transaction(tenant) as tx:
            keys = await self.vault.tenant(tx, tenant)
        return [keys.unseal_text("messages", "text_sealed", row[0], row[1]) for row in rows]

    async def pass_time(self, seconds: float) -> None:
        await self.owner.execute("UPDATE clock_offset SET ahead = ahead + make_interval(secs => $1)", float(seconds))

    async def codes(self, purchase: Purchase) -> str | None:
        """Return the inner answer code, which only the issuer sees."""
        return await self.owner.fetchval("SELECT code FROM purchases WHERE id = $1", purchase.id)


def join(
    db: Database, vault: Vault, issuers: Issuers, merchants: Merchants, remote: RemoteIssuers, cards: Any = None
) -> Purchases:  # fmt: skip
    challenges, keeper = Challenges(db, vault), cards or NoCards()
    messages = Messages(db, vault)
    openings = Openings(vault, challenges, keeper, messages, Texts())
    judging = Judging(db, vault, issuers, remote, challenges, keeper, messages)
    return Purchases(db, vault, issuers, merchants, remote, openings, judging)


@contextlib.asynccontextmanager
async def open_house(database: Any, pki: Pki) -> AsyncIterator[House]:
    """Open a house whose one issuer is the foreign service."""
    owner = await asyncpg.create_pool(database.dsn, min_size=1, max_size=2)
    db, worker = await Database.connect(database.app_dsn), await Database.connect(database.worker_dsn, role="strongroom_worker")
    vault, service = Vault(random_keys()), await open_issuer(pki)
    issuers, merchants = Issuers(db), Merchants(db)
    remote = RemoteIssuers(pki.identity(), frozenset({service.host}))
    chosen = IssuerSettings(hosting=Hosting.REMOTE, remote_url=service.url)
    issuer = await issuers.create("operator:test", "Bank of Lagos", 8, ["506181"], chosen)
    merchant, other = [await merchants.create("operator:test", name) for name in ("Switch", "Other")]
    yield House(
        owner, db, vault, issuers, merchants, service,
        join(db, vault, issuers, merchants, remote),
        join(worker, vault, Issuers(worker), Merchants(worker), remote),
        Proofs(db, vault, issuers, SigningKeys(db, vault), BASE),
        Gateway(merchant.id, "client-1"), Gateway(other.id, "client-2"), issuer,
    )  # fmt: skip
    await service.stop()
    await remote.close()
    await worker.close()
    await db.close()
    await owner.close()
