"""`strongroom tokens`: static access tokens, for software that cannot ask for one every hour."""

from __future__ import annotations

from typing import Annotated

from cyclopts import App, Parameter

from strongroom.access.clients import Clients
from strongroom.access.tokens import Tokens
from strongroom.commands.clients import ClientId, Scopes, read_scopes
from strongroom.commands.desk import open_desk, operator, say, say_fields, say_table, show_time
from strongroom.commands.firms import TenantId

app = App(name="tokens", help="Make, list and revoke static access tokens.")

_DAY_SECONDS = 24 * 3600


@app.command
async def create(
    client: ClientId,
    name: Annotated[str, Parameter(help="What the token is for")],
    *,
    firm: TenantId = None,
    scope: Scopes = (),
    days: Annotated[int | None, Parameter(help="How long it lives; without it until it is revoked")] = None,
) -> None:
    """Make a static access token. It is printed once and cannot be shown again."""
    async with open_desk() as desk:
        found = await desk.tenant(firm)
        scopes = read_scopes(scope) or (await Clients(desk.db, desk.vault).get(found, client)).scopes
        lifetime = days * _DAY_SECONDS if days is not None else None
        made = await Tokens(desk.db, desk.vault).create_static(operator(), found, client, name, scopes, lifetime_seconds=lifetime)
    say_fields({"token": made.id, "access_token": made.token.reveal()})


@app.command(name="list")
async def list_all(*, firm: TenantId = None) -> None:
    """List a firm's static tokens."""
    async with open_desk() as desk:
        tokens = await Tokens(desk.db, desk.vault).list_static(await desk.tenant(firm))
    rows = [
        (t.id, t.name or "", t.client_id, " ".join(sorted(t.scopes)), show_time(t.expires_at), show_time(t.revoked_at))
        for t in tokens
    ]
    say_table(("token", "name", "client", "scopes", "expires", "revoked"), rows)


@app.command
async def revoke(token: Annotated[str, Parameter(help="The token's id (tok-…), not the token")], *, firm: TenantId = None) -> None:
    """Revoke an access token, everywhere within a second."""
    async with open_desk() as desk:
        await Tokens(desk.db, desk.vault).revoke(operator(), await desk.tenant(firm), token)
    say(f"Revoked {token}.")
