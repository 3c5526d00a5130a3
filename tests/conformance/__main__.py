"""`make conformance`: start a model bank, try it by the official manifests and by our own rules, write docs/conformance.md."""

from __future__ import annotations

import asyncio
import sys
import tempfile
from pathlib import Path

from strongroom.embedded import EmbeddedPostgres
from tests.conformance.manifest import FOLDER
from tests.conformance.outcomes import counted
from tests.conformance.page import PAGE, render
from tests.conformance.run import run_all
from tests.modelbank.conftest import serving


def main() -> int:
    """Run everything; return 1 when a test failed."""
    if not FOLDER.is_dir():
        sys.stderr.write(f"The official manifests are not here: put the suite's payment manifest and data into {FOLDER}.\n")
        return 2
    with tempfile.TemporaryDirectory(prefix="conformance-") as name:
        folder = Path(name)
        folder.chmod(0o711)  # the database of a root's run is another user and passes through
        server = EmbeddedPostgres(folder / "postgresql", durable=False)
        server.start()
        try:
            with serving(folder / "bank", server.dsn("modelbank")) as bank:
                outcomes = asyncio.run(run_all(bank, lambda outcome: sys.stdout.write(f"{outcome.line}\n")))
        finally:
            server.stop()
    PAGE.write_text(render(outcomes), encoding="utf-8")
    sys.stdout.write(f"{counted(outcomes)}\n")
    return int(any(outcome.result == "failed" for outcome in outcomes))


if __name__ == "__main__":
    sys.exit(main())
