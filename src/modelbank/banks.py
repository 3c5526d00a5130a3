"""A bank as the running program knows it: its configuration, its keys, its clients and where it lives."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from modelbank.config import BankConfig, ClientConfig, Config
from modelbank.jose.keys import KeySet, SigningKey, load_signing_key


@dataclass(frozen=True, slots=True)
class Client:
    """A registered third party with its public keys."""

    config: ClientConfig
    keys: KeySet = field(repr=False)

    @property
    def id(self) -> str:
        """Return the client identifier."""
        return self.config.client_id


@dataclass(frozen=True, slots=True)
class Bank:
    """One pretend bank."""

    config: BankConfig
    issuer: str
    authorize_url: str
    key: SigningKey
    clients: dict[str, Client]

    @property
    def id(self) -> str:
        """Return the name of the bank in addresses."""
        return self.config.id

    @property
    def token_url(self) -> str:
        """Return the address of the token endpoint."""
        return f"{self.issuer}/token"

    @property
    def push_url(self) -> str:
        """Return the address where requests are left before the customer comes."""
        return f"{self.issuer}/par"

    @property
    def backchannel_url(self) -> str:
        """Return the address where a client asks a customer from behind."""
        return f"{self.issuer}/bc-authorize"


def load_banks(config: Config, folder: Path) -> dict[str, Bank]:
    """Read the keys of every bank and client. `folder` is where the configuration's relative paths begin."""
    clients = {entry.client_id: Client(entry, KeySet(entry.jwks)) for entry in config.clients}
    return {
        entry.id: Bank(
            config=entry,
            issuer=config.issuer(entry.id),
            authorize_url=config.authorize_url(entry.id),
            key=load_signing_key(folder / entry.signing_key, entry.signing_kid),
            clients=clients,
        )
        for entry in config.banks
    }
