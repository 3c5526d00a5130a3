"""schema.sql: what an empty database is after all migrations, as pg_dump tells it. `make schema` writes it."""

from __future__ import annotations

import asyncio
import re
import subprocess
import sys
import tempfile
from pathlib import Path

from strongroom.embedded import EmbeddedPostgres
from strongroom.kit.migrate import migrate

HEAD = "-- An empty database after all migrations. Written by `make schema`; a test compares it.\n"
_CHATTER = re.compile(r"^(--.*|SET .*|SELECT pg_catalog\.set_config.*|\\(un)?restrict .*)?\n", re.MULTILINE)


def dump(server: EmbeddedPostgres, database: str) -> str:
    """Return the schema of a database without what a version of pg_dump says about itself."""
    said = subprocess.run(
        [server.bin("pg_dump"), "--schema-only", "--no-owner", server.dsn(database)], check=True, capture_output=True, text=True
    )
    return HEAD + _CHATTER.sub("", said.stdout)


def main() -> None:
    """Make a database, migrate it and print its schema."""
    with tempfile.TemporaryDirectory() as folder:
        Path(folder).chmod(0o711)
        with EmbeddedPostgres(Path(folder) / "postgresql", durable=False) as server:
            asyncio.run(migrate(server.dsn()))
            sys.stdout.write(dump(server, "postgres"))


if __name__ == "__main__":
    main()
