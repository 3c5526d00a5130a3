"""`strongroom clients`: the API clients of a firm, an issuer or a merchant."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Annotated, Any

import msgspec
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding
from cyclopts import App, Parameter

from strongroom.access.clients import DEFAULT_OVERLAP_SECONDS, Clients
from strongroom.access.model import SCOPES_OF, ClientProfile, Scope, TenantKind
from strongroom.commands.desk import open_desk, operator, say, say_fields, say_table, show_time
from strongroom.commands.failure import Failed
from strongroom.commands.firms import TenantId

app = App(name="clients", help="Make, list and disable API clients, and rotate their secrets.")

ClientId = Annotated[str, Parameter(help="The client (cli-…)")]
Scopes = Annotated[
    tuple[str, ...],
    Parameter(name="--scope", help=f"What it may do, once for each of {', '.join(Scope)}; without it all of its kind"),
]
_PROFILE = ", ".join(ClientProfile.__struct_fields__)
ProfileValue = Annotated[str, Parameter(help=f"One or more of name=value: {_PROFILE}")]
Profile = Annotated[
    tuple[str, ...], Parameter(name="--profile", help=f"For an issuer's or merchant's client, name=value of {_PROFILE}")
]


@app.command
async def create(
    name: Annotated[str, Parameter(help="What the client is, such as `case system`")],
    *,
    firm: TenantId = None,
    scope: Scopes = (),
    keys: Annotated[
        Path | None, Parameter(help="A file with its public keys (JWK set): it signs instead of having a secret")
    ] = None,
    certificate: Annotated[Path | None, Parameter(help="A file with its certificate (PEM): it shows that by mutual TLS")] = None,
    profile: Profile = (),
) -> None:
    """Make an API client. Its secret is printed once and cannot be shown again."""
    async with open_desk() as desk:
        found = await desk.tenant(firm)
        made = await Clients(desk.db, desk.vault).create(
            operator(),
            found,
            name,
            read_scopes(scope) or SCOPES_OF[TenantKind.of(found)],
            keys=_read_keys(keys) if keys else None,
            certificate_hash=read_certificate(certificate) if certificate else None,
            profile=read_profile(profile) if profile else None,
        )
    say_fields(
        {
            str(TenantKind.of(found).name).lower(): found,
            "client_id": made.client_id,
            "client_secret": made.secret.reveal() if made.secret else "(none)",
        }
    )


@app.command(name="list")
async def list_all(*, firm: TenantId = None) -> None:
    """List the API clients of a firm, an issuer or a merchant."""
    async with open_desk() as desk:
        clients = await Clients(desk.db, desk.vault).list_all(await desk.tenant(firm))
    rows = [
        (client.id, client.name, " ".join(sorted(client.scopes)), show_time(client.created_at), show_time(client.disabled_at))
        for client in clients
    ]
    say_table(("client", "name", "scopes", "made", "disabled"), rows)


@app.command
async def set_profile(client: ClientId, *profile: ProfileValue, firm: TenantId = None) -> None:
    """Say what the token answer of an issuer's or merchant's client names, and how its tokens are made."""
    async with open_desk() as desk:
        tenant = await desk.tenant(firm)
        await Clients(desk.db, desk.vault).set_profile(operator(), tenant, client, read_profile(profile))
    say(f"Changed {client}.")


@app.command
async def rotate_secret(
    client: ClientId,
    *,
    firm: TenantId = None,
    overlap_seconds: Annotated[int, Parameter(help="How long the secrets before it stay valid")] = DEFAULT_OVERLAP_SECONDS,
) -> None:
    """Give a client a new secret, printed once. The old one stays valid for a day, or as long as you say."""
    async with open_desk() as desk:
        found = await desk.tenant(firm)
        secret = await Clients(desk.db, desk.vault).rotate_secret(operator(), found, client, overlap_seconds=overlap_seconds)
    say_fields({"client_id": client, "client_secret": secret.reveal()})


@app.command
async def disable(client: ClientId, *, firm: TenantId = None) -> None:
    """End a client and all its access tokens, everywhere within a second and for good."""
    async with open_desk() as desk:
        await Clients(desk.db, desk.vault).disable(operator(), await desk.tenant(firm), client)
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


def read_profile(values: tuple[str, ...]) -> ClientProfile:
    """Return the profile that `name=value` texts make. Raise Failed."""
    try:
        return msgspec.convert(dict(value.partition("=")[::2] for value in values), ClientProfile, strict=False)
    except msgspec.ValidationError as error:
        raise Failed(f"this is no profile: {error}") from None


def read_certificate(path: Path) -> bytes:
    """Return the SHA-256 of a certificate in a file (PEM). Raise Failed."""
    try:
        certificate = x509.load_pem_x509_certificate(path.read_bytes())
    except ValueError:
        raise Failed(f"{path} holds no certificate in PEM form") from None
    return hashlib.sha256(certificate.public_bytes(Encoding.DER)).digest()
