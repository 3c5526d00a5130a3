"""Access tokens of /passport: signed JWTs as Safe Token's document has them, and rows like any other, so that revoking one works.

Whoever holds our public keys may read a token; whether it counts is told by the database alone.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from uuid import uuid4

from strongroom.access.errors import InvalidScope
from strongroom.access.model import ClientProfile, KnownClient, Scope
from strongroom.access.signing_keys import Purpose, SigningKeys
from strongroom.access.tokens import Tokens
from strongroom.kit.crypto import Secret
from strongroom.kit.db import Database
from strongroom.kit.errors import TooMany
from strongroom.kit.limits import Limit, SharedLimit
from strongroom.kit.vault import Vault

PASSPORT_SECONDS = 43_199  # as the document prints it
PROFILE = "profile"  # the one scope that the document knows; what a token may do is its client's list of resources
AUDIENCE = "safetoken"
PER_CLIENT = Limit("passport token", 6000, 60)


@dataclass(frozen=True, slots=True)
class PassportToken:
    """A token just issued, shown once."""

    token: Secret
    jti: str
    expires_in: int
    scope: str  # as the answer names it
    resources: frozenset[Scope]  # what it may be used for
    profile: ClientProfile = field(default_factory=ClientProfile)


class Passport:
    """Issues access tokens to clients of issuers and merchants."""

    def __init__(self, db: Database, vault: Vault, tokens: Tokens, keys: SigningKeys, base_url: str) -> None:
        self._per_client = SharedLimit(db, PER_CLIENT)
        self._vault = vault
        self._tokens = tokens
        self._keys = keys
        self._issuer = base_url

    async def issue(self, client: KnownClient, asked: str | None = None) -> PassportToken:
        """Issue a token with the resources asked for (`profile`, or nothing, is all of them). Raise InvalidScope or TooMany."""
        scope, resources = _granted(client.scopes, asked)
        await self._charge(client)
        profile, jti = client.profile or ClientProfile(), str(uuid4())
        issued_at = int(client.read_at.timestamp())
        claims = {
            "aud": [AUDIENCE],
            "scope": scope.split(),
            "exp": issued_at + PASSPORT_SECONDS,
            "jti": jti,
            "client_id": client.id,
            "iss": self._issuer,
            "iat": issued_at,
            "api_resources": sorted(resources),
        }
        signed = Secret(await self._keys.sign(Purpose.ACCESS_TOKEN, claims, profile.algorithm))
        await self._tokens.record(client, jti, signed, resources, PASSPORT_SECONDS)
        return PassportToken(signed, jti, PASSPORT_SECONDS, scope, resources, profile)

    async def _charge(self, client: KnownClient) -> None:
        key_hash = self._vault.hash("limit", PER_CLIENT.name, client.id)
        if not await self._per_client.take(client.firm_id, key_hash):
            raise TooMany("This client asks for too many access tokens; one lasts twelve hours", retry_after_seconds=60)


def _granted(allowed: frozenset[Scope], asked: str | None) -> tuple[str, frozenset[Scope]]:
    """Return the scope that the answer names and what it allows. Raise InvalidScope."""
    names = dict.fromkeys((asked or PROFILE).split())
    named = frozenset(scope for scope in allowed if scope in names)
    if unknown := [name for name in names if name != PROFILE and name not in named]:
        raise InvalidScope(f"Invalid scope: {unknown[0]}")
    return " ".join(names) or PROFILE, named or allowed
