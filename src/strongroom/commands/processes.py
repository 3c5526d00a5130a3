"""`strongroom serve`, `worker`, `migrate`, `dev`, `inbox`, `checkout`: the processes. Each loads only what it runs."""

from __future__ import annotations

import asyncio
import os
from pathlib import Path
from typing import Annotated

import uvloop
from cyclopts import Parameter

from strongroom.commands.desk import say
from strongroom.commands.failure import Failed
from strongroom.kit.log import configure_logging
from strongroom.kit.migrate import MigrationError, migrate, missing_migrations
from strongroom.settings import Environment, Settings
from strongroom.settings_reading import load_settings

_DEVELOPMENT_FOLDER = Path("var")


def serve() -> None:
    """Serve the API and the customers' website until told to stop. Several may run."""
    from strongroom import app as web  # noqa: PLC0415  # the web process alone needs it

    settings = _ready_settings()
    uvloop.run(web.serve(settings))


def work() -> None:
    """Carry payments on, send messages and webhooks, seal the audit, until told to stop. Several may run."""
    from strongroom import worker  # noqa: PLC0415  # the worker alone needs it

    settings = _ready_settings()
    uvloop.run(worker.work(settings))


def migrate_database() -> None:
    """Bring the database's tables up to this version. Safe to run again and by several at once."""
    settings = load_settings(os.environ)
    try:
        applied = asyncio.run(migrate(settings.migration_url))
    except MigrationError as error:
        raise Failed(str(error)) from error
    say("\n".join(f"applied {name}" for name in applied) or "nothing to do: the database is up to date")


def develop(
    *,
    reset: Annotated[bool, Parameter(help="Empty the folder first: every case, key and message of earlier runs.")] = False,
    folder: Annotated[Path, Parameter(help="Where everything is kept between runs.")] = _DEVELOPMENT_FOLDER,
    port: Annotated[int, Parameter(help="The port of the website; the next free one when it is taken.")] = 8000,
) -> int:
    """Run the whole thing on this machine: embedded PostgreSQL, web, worker, model bank, message inbox and a demo firm."""
    from strongroom import dev  # noqa: PLC0415  # the embedded PostgreSQL is installed for development only

    return dev.run(folder, reset=reset, port=port)


def inbox(*, file: Path, port: int = 8025, host: str = "127.0.0.1") -> None:
    """Show text messages on a local page instead of sending them; for development only."""
    import uvicorn  # noqa: PLC0415  # the inbox alone needs both

    from strongroom.inbox import create_inbox  # noqa: PLC0415  # as above

    production = os.environ.get("STRONGROOM_ENVIRONMENT", Environment.PRODUCTION) == Environment.PRODUCTION
    uvicorn.run(create_inbox(file, production=production), host=host, port=port, log_level="warning", access_log=False)


def checkout(*, file: Path, port: int = 8035, host: str = "127.0.0.1") -> None:
    """Play a merchant's checkout on a local page; for development only."""
    import uvicorn  # noqa: PLC0415  # the checkout alone needs both

    from strongroom.checkout import create_checkout  # noqa: PLC0415  # as above

    production = os.environ.get("STRONGROOM_ENVIRONMENT", Environment.PRODUCTION) == Environment.PRODUCTION
    uvicorn.run(create_checkout(file, production=production), host=host, port=port, log_level="warning", access_log=False)


def _ready_settings() -> Settings:
    """Return the settings of a process that serves: logging configured, the database's tables up to date."""
    settings = load_settings(os.environ)
    configure_logging(readable=not settings.is_production, level=settings.log_level)
    if missing := asyncio.run(missing_migrations(settings.database_url.reveal())):
        raise Failed(f"the database lacks {', '.join(missing)}; run `strongroom migrate` first")
    return settings
