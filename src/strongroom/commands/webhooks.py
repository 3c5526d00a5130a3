"""`strongroom webhooks listen`: a developer's view of what the firm is told, without an address that can be reached."""

from __future__ import annotations

import contextlib
import json
from pathlib import Path
from typing import Annotated

import httpx
from cyclopts import App, Parameter

from strongroom.commands.desk import say
from strongroom.commands.failure import Failed
from strongroom.kit.crypto import Secret
from strongroom.webhooks.listener import Listener, ListeningRefused

app = App(name="webhooks", help="Watch a firm's events.")
_REPORT = Path("var/dev.json")
_TIMEOUT_SECONDS = 10.0


@app.command
async def listen(
    *,
    forward_to: Annotated[str | None, Parameter(help="A local address to post every event to, signed like a webhook")] = None,
    after: Annotated[int | None, Parameter(help="Begin after this feedPosition; without it, with what happens from now on")] = None,
    base_url: Annotated[str | None, Parameter(help="The service; without it the one of `make run`")] = None,
    client_id: Annotated[str | None, Parameter(help="An API client with the scope webhooks:manage")] = None,
    client_secret: Annotated[str | None, Parameter(env_var="STRONGROOM_CLIENT_SECRET", help="Its secret")] = None,
) -> None:
    """Show every event as it happens, until Ctrl-C. With `make run` running, nothing needs to be given."""
    kept = _kept()
    base, client = base_url or kept.get("base_url"), client_id or kept.get("client_id")
    secret = client_secret or kept.get("client_secret")
    if not (base and client and secret):
        raise Failed(f"give --base-url, --client-id and --client-secret, or run `make run` ({_REPORT} is not there)")
    token = await _token(base, client, secret)
    with contextlib.suppress(KeyboardInterrupt):
        try:
            await Listener(base, token, forward_to, show=say).run(after=after)
        except ListeningRefused as error:
            raise Failed(str(error)) from error


def _kept() -> dict[str, str]:
    """Return what `make run` wrote down."""
    return dict(json.loads(_REPORT.read_text())) if _REPORT.exists() else {}


async def _token(base_url: str, client_id: str, client_secret: str) -> Secret:
    """Return an access token. Raise Failed."""
    body = {"grant_type": "client_credentials", "client_id": client_id, "client_secret": client_secret}
    async with httpx.AsyncClient(base_url=base_url, timeout=_TIMEOUT_SECONDS, trust_env=False) as client:
        try:
            answer = await client.post("/token", json=body)
        except httpx.HTTPError as error:
            raise Failed(f"{base_url} does not answer") from error
    if answer.status_code != httpx.codes.OK:
        raise Failed("the client id and secret were not accepted")
    return Secret(answer.json()["access_token"])
