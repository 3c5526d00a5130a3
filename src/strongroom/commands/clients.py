"""`strongroom clients`: the API clients of a firm."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Annotated, Any

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding
from cyclopts import App, Parameter

from strongroom.access.clients import DEFAULT_OVERLAP_SECONDS, Clients
from strongroom.access.model import Scope
from strongroom.commands.desk import open_desk, operator, say, say_fields, say_table, show_time
from strongroom.commands.failure import Failed
from strongroom.commands.firms import FirmId

app = App(name="clients", help="Make, list and disable API clients, and rotate their secrets.")

ClientId = Annotated[str, Parameter(help="The client (cli-…)")]
Scopes = Annotated[
    tuple[str, ...], Parameter(name="--scope", help=f"What it may do, once for each of {', '.join(Scope)}; without it everything")
]


@app.command
async def create(
    name: Annotated[str, Parameter(help="What the client is, such as `case system`")],
    *,
    firm: FirmId = None,
    scope: Scopes = (),
    keys: Annotated[
        Path | None, Parameter(help="A file with its public keys (JWK set): it signs instead of having a secret")
    ] = None,
    certificate: Annotated[Path | None, Parameter(help="A file with its certificate (PEM): it shows that by mutual TLS")] = None,
) -> None:
    """Make an API client. Its secret is printed once and cannot be shown again."""
    async with open_desk() as desk:
        found = await desk.firm(firm)
        made = await Clients(desk.db, desk.vault).create(
            operator(),
            found.id,
            name,
            read_scopes(scope) or tuple(Scope),
            keys=_read_keys(keys) if keys else None,
            certificate_hash=_read_certificate(certificate) if certificate else None,
        )
    say_fields({"firm": found.id, "client_id": made.client_id, "client_secret": made.secret.reveal() if made.secret else "(none)"})


@app.command(name="list")
async def list_all(*, firm: FirmId = None) -> None:
    """List a firm's API clients."""
    async with open_desk() as desk:
        clients = await Clients(desk.db, desk.vault).list_all((await desk.firm(firm)).id)
    rows = [
        (client.id, client.name, " ".join(sorted(client.scopes)), show_time(client.created_at), show_time(client.disabled_at))
        for client in clients
    ]
    say_table(("client", "name", "scopes", "made", "disabled"), rows)


@app.command
async def rotate_secret(
    client: ClientId,
    *,
    firm: FirmId = None,
    overlap_seconds: Annotated[int, Parameter(help="How long the secrets before it stay valid")] = DEFAULT_OVERLAP_SECONDS,
) -> None:
    """Give a client a new secret, printed once. The old one stays valid for a day, or as long as you say."""
    async with open_desk() as desk:
        found = await desk.firm(firm)
        secret = await Clients(desk.db, desk.vault).rotate_secret(operator(), found.id, client, overlap_seconds=overlap_seconds)
    say_fields({"client_id": client, "client_secret": secret.reveal()})


@app.command
async def disable(client: ClientId, *, firm: FirmId = None) -> None:
    """End a client and all its access tokens, everywhere within a second and for good."""
    async with open_desk() as desk:
        await Clients(desk.db, desk.vault).disable(operator(), (await desk.firm(firm)).id, client)
    say(f"Disabled {client}.")


def read_scopes(names: tuple[str, ...]) -> tuple[Scope, ...]:
    """Return the scopes named. Raise Failed."""
    if unknown := [name for name in names if name not in tuple(Scope)]:
        raise Failed(f"there is no scope {unknown[0]}; there are: {', '.join(Scope)}")
    return tuple(Scope(name) for name in names)


def _read_keys(path: Path) -> dict[str, Any]:
    try:
        keys: dict[str, Any] = json.loads(path.read_text())
    except ValueError:
        raise Failed(f"{path} is not JSON") from None
    return keys


def _read_certificate(path: Path) -> bytes:
    try:
        certificate = x509.load_pem_x509_certificate(path.read_bytes())
    except ValueError:
        raise Failed(f"{path} holds no certificate in PEM form") from None
    return hashlib.sha256(certificate.public_bytes(Encoding.DER)).digest()
