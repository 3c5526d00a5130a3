"""The command `strongroom`: joins the operator's commands, and turns refusals into a sentence and an exit code.

Exit codes: 0 done · 1 refused or failed · 2 not a command · 3 the settings or keys cannot be used · 4 the database is away.
"""

from __future__ import annotations

import importlib.metadata
import sys

from cyclopts import App, CycloptsError

from strongroom.commands import audit, clients, firms, keys, openapi, processes, receiving, settings, staff, tokens, webhooks
from strongroom.commands.desk import Failed
from strongroom.kit.errors import Fault, Refusal, Unavailable
from strongroom.kit.rootkeys import RootKeysError
from strongroom.settings import SettingsError

app = App(
    name="strongroom",
    version=lambda: importlib.metadata.version("strongroom"),
    help="Ask customers for payments and bank details by open banking. Settings come from STRONGROOM_… variables: "
    "`strongroom settings explain` lists them.",
)
for part in (settings, keys, firms, clients, tokens, staff, receiving, webhooks, audit):
    app.command(part.app)
processes.add_to(app)
openapi.add_to(app)

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
