"""The command `strongroom`: joins the operator's commands, and turns refusals into a sentence and an exit code.

Exit codes: 0 done · 1 refused or failed · 2 not a command · 3 the settings or keys cannot be used · 4 the database is away.
"""

from __future__ import annotations

import importlib.metadata
import sys

from cyclopts import App, CycloptsError

from strongroom.commands.failure import Failed
from strongroom.kit.errors import Fault, Refusal, Unavailable
from strongroom.kit.rootkeys import RootKeysError
from strongroom.settings import SettingsError

app = App(
    name="strongroom",
    version=lambda: importlib.metadata.version("strongroom"),
    help="Ask customers for payments and bank details by open banking. Settings come from STRONGROOM_… variables: "
    "`strongroom settings explain` lists them.",
)
# Each command is loaded when it is called, so that none waits for what another needs.
for _name, _where, _help in (
    ("serve", "processes:serve", "Serve the API and the customers' website until told to stop. Several may run."),
    ("worker", "processes:work", "Carry payments on and send messages until told to stop. Several may run."),
    ("migrate", "processes:migrate_database", "Bring the database's tables up to this version."),
    ("dev", "processes:develop", "Run the whole thing on this machine, with pretend banks and a demo firm."),
    ("inbox", "processes:inbox", "Show text messages on a local page instead of sending them."),
    ("checkout", "processes:checkout", "Play a merchant's checkout on a local page, for the demo cards."),
    ("settings", "settings:app", "Show and check the settings."),
    ("keys", "keys:app", "Make, rotate, retire and list the root keys."),
    ("firms", "firms:app", "Make, list, show and set firms."),
    ("issuers", "issuers:app", "Make, list, show and set issuers of cards."),
    ("otp-tokens", "otp_tokens:app", "Manage the devices of an issuer's cardholders."),
    ("merchants", "merchants:app", "Make, list, show and set merchants."),
    ("signing-keys", "signing_keys:app", "List and rotate the keys that sign access tokens and proofs."),
    ("clients", "clients:app", "Manage API clients and their secrets."),
    ("tokens", "tokens:app", "Make, list and revoke long-lived access tokens."),
    ("staff", "staff:app", "Add, list and disable members of staff."),
    ("receiving-accounts", "receiving:app", "Manage the accounts that money is paid into, by two people."),
    ("payments", "payments:app", "Say what became of payments whose bank cannot tell, by two people."),
    ("reviews", "reviews:app", "See and resolve what a firm's people must judge."),
    ("retention", "retention:app", "Erase people when the law lets go of their records; legal holds."),
    ("messages", "messages:app", "See what became of text messages, and lift what is paused."),
    ("webhooks", "webhooks:app", "Watch a firm's events."),
    ("audit", "audit:app", "Check that the audit trail is untouched; give evidence of payments."),
    ("openapi", "openapi:openapi", "Print the OpenAPI document of the API."),
):
    app.command(f"strongroom.commands.{_where}", name=_name, help=_help)

REFUSED, USAGE, UNUSABLE, AWAY = 1, 2, 3, 4


def main() -> None:
    """Run one command and exit."""
    sys.exit(run(sys.argv[1:]))


def run(arguments: list[str]) -> int:
    """Run one command; return its exit code. Nothing but the message of a known failure is printed."""
    try:
        result = app(arguments, exit_on_error=False, print_error=True, result_action="return_value")
    except CycloptsError:
        return USAGE
    except SystemExit as leaving:
        return leaving.code if isinstance(leaving.code, int) else REFUSED
    except (SettingsError, RootKeysError, Unavailable, Refusal, Fault, Failed, OSError) as error:
        return _fail(error)
    return result if isinstance(result, int) else 0


def _fail(error: Exception) -> int:
    """Print why a command was not carried out; return the exit code."""
    message, code = str(error), REFUSED
    if isinstance(error, SettingsError | RootKeysError):
        code = UNUSABLE
    elif isinstance(error, Unavailable):
        code = AWAY
    elif isinstance(error, OSError) and error.strerror:
        message = f"{error.filename}: {error.strerror}" if error.filename else error.strerror
    sys.stderr.write(f"strongroom: {message}\n")
    return code
