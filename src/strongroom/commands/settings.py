"""`strongroom settings`: what can be set, what is set, and by what."""

from __future__ import annotations

import os

from cyclopts import App

from strongroom.commands.desk import say
from strongroom.settings import explain, load_settings
from strongroom.wiring import sms_routes

app = App(name="settings", help="Show and check the settings.")


@app.command(name="explain")
def explain_settings() -> None:
    """Print every setting with its meaning, default, value and source. Secrets are masked."""
    for setting in explain(os.environ):
        say(f"{setting.variable} = {setting.value}")
        say(f"    {setting.meaning}.")
        say(f"    From: {setting.source}. Default: {setting.default}.")


@app.command
def check() -> None:
    """Check whether a process would start with these settings; exit with 3 and the list of faults if not."""
    settings = load_settings(os.environ)
    names = ", ".join(route.gateway.name for route in sms_routes(settings))
    say(f"Text messages leave by {names}.")
    say(f"These settings can be used ({settings.environment}).")
