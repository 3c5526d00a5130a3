"""`strongroom settings`: what can be set, what is set, and by what."""

from __future__ import annotations

import os

from cyclopts import App

from strongroom.banking.directory import BankEntry
from strongroom.commands.desk import say
from strongroom.kit.money import PENCE_PER_POUND
from strongroom.settings_reading import explain, load_settings
from strongroom.wiring import check_banks, sms_routes

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
    banks = check_banks(settings)
    say("\n".join(map(_bank_line, banks.banks)) if banks else "There are no banks.")
    say(f"These settings can be used ({settings.environment}).")


def _bank_line(bank: BankEntry) -> str:
    """Say what customers will see of a bank, and what they will not."""
    limits = ", ".join(f"{channel} £{most // PENCE_PER_POUND:,}" for channel, most in bank.limits.known().items())
    looks = " and ".join(what for what, has in (("logo", bank.logo), ("colour", bank.accent)) if has)
    return f"{bank.id} ({bank.name}): {looks or 'no logo and no colour'}; limits: {limits or 'none known'}."
